#!/usr/bin/env bash
# Brings nats-server, built from its Go module, for the tests of the ingest log: Debian's is too old to sync each message. The first build
# takes a minute or two, later ones nothing. Then: export PATH=FOLDER/bin:$PATH
#   test/deploy/tools/get-nats.sh FOLDER
set -euo pipefail
NATS=v2.15.2
mkdir -p "${1:?the folder to put it into}/bin"
cd "$1"
[ "$(bin/nats-server --version 2>/dev/null)" = "nats-server: $NATS" ] || GOBIN=$PWD/bin go install "github.com/nats-io/nats-server/v2@$NATS"
