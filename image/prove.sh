#!/bin/sh
# Runs what image/build.sh has put into a folder where there is nothing else: a read-only root
# that holds these files, user 65532, a real API server that is found by DNS.
#   image/prove.sh FOLDER
# Needs what the demo needs (see README.md), no root and no container. Half a minute.
set -eu
LOCKFLIGHT_IMAGE=$(cd "${1:?usage: image/prove.sh FOLDER}" && pwd)
export LOCKFLIGHT_IMAGE
cd "$(dirname "$0")/.."
exec cargo test --locked --package lockflight-e2e --test image
