#!/usr/bin/env bash
# Makes stand-ins for the two images that deploy/Dockerfile starts from, out of Debian's packages and the Node and npm at hand, for a
# machine that reaches no registry of images: localhost/tracelith-test/node and localhost/tracelith-test/base. Needs root, buildah and
# debootstrap. test/deploy/image.test.ts builds on them.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

debootstrap --variant=minbase bookworm "$work/base" >&2
# What a slim image has not either.
rm -rf "$work"/base/var/cache/apt/* "$work"/base/var/lib/apt/lists/* "$work"/base/usr/share/{doc,man,locale}/*
cp -a "$work/base" "$work/node"
install -D "$root/node_modules/node-linux-$(node -p process.arch)/bin/node" "$work/node/usr/local/bin/node"
mkdir -p "$work/node/usr/local/lib/node_modules"
# Of the npm at hand itself: its global folder is another one when the Node of node_modules is first in PATH.
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -a "$npm" "$work/node/usr/local/lib/node_modules/npm"
for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$work/node/usr/local/bin/$name"; done
# The registry of npm may be behind a proxy with a certificate of its own.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$work/node/etc/ssl/certs/ca-certificates.crt"
  install -D -m 644 /dev/stdin "$work/node/usr/local/etc/npmrc" <<< 'cafile=/etc/ssl/certs/ca-certificates.crt'
fi

for name in base node; do
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$work/$name" / > /dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd sh "$container"
  buildah commit --quiet --rm "$container" "localhost/tracelith-test/$name" > /dev/null
  echo "localhost/tracelith-test/$name"
done
