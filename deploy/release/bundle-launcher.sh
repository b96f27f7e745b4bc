#!/bin/sh
# bin/tracelith of a bundle: the program on the Node that is beside it.
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd) || exit 1
PATH=$here/libexec:$PATH exec "$here/lib/deploy/tracelith" "$@"
