#!/usr/bin/env bash
# Makes a stand-in for the image of another program that a Compose file starts, out of localhost/tracelith-test/base and the program
# of this machine with its libraries: program-image.sh IMAGE PROGRAM [ARGUMENT …], the arguments being those without a command.
set -euo pipefail
image=$1 program=$(command -v "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/usr/local/bin"
cp -L "$program" "$work/usr/local/bin/"
# A static program has none.
for library in $(ldd "$program" 2> /dev/null | grep -o '/[^ ]*' || true); do cp -L --parents "$library" "$work/"; done
container=$(buildah from localhost/tracelith-test/base)
buildah copy --quiet "$container" "$work" / > /dev/null
buildah config --entrypoint "[\"/usr/local/bin/$(basename "$program")\"]" --cmd "$*" "$container" 2> /dev/null
buildah commit --quiet --rm "$container" "$image" > /dev/null
