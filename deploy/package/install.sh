#!/bin/sh
# Unpacks a package into an empty folder, with the dependencies that package-lock.json names, for any platform:
#   deploy/package/install.sh tracelith-0.1.0.tgz FOLDER linux-x64
# `npm install` of the package would choose the newest versions of indirect dependencies, which nobody has tested.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
package=$1 folder=$2 os=${3%-*} cpu=${3#*-}
tar -xzf "$package" --strip-components=1 -C "$folder"
cp "$root/package-lock.json" "$folder/"
mkdir -p "$folder/deploy/node"
cp "$root/deploy/node/package.json" "$folder/deploy/node/"
(cd "$folder" && npm ci --omit=dev --ignore-scripts --os="$os" --cpu="$cpu" --libc=glibc --no-audit --no-fund --loglevel=error)
rm -r "$folder/package-lock.json" "$folder/deploy/node" "$folder/node_modules/.package-lock.json"
