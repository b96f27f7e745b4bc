#!/bin/sh
# Renders the charts with their defaults, for those who use no Helm: deploy/kubernetes/render.sh. Needs helm.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for role in single cluster; do
  {
    echo "# Rendered from deploy/helm/tracelith-$role by deploy/kubernetes/render.sh: change the chart, not this file."
    echo "# kubectl create namespace tracing; kubectl apply -n tracing -f tracelith-$role.yaml"
    helm template tracelith "$here/../helm/tracelith-$role" --namespace tracing --kube-version 1.33.0
  } > "${1:-$here}/tracelith-$role.yaml"
done
