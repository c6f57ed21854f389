#!/usr/bin/env bash
# Builds a Kubernetes control plane into the user's cache, once for what go.sum and the program say, and prints where
# it is. It takes 6 minutes of two processors and 6 GiB of disk for Go's own cache.
set -euo pipefail
cd "$(dirname "$0")"
source ../built.sh

need_go 1.24
target="$(in_cache controlplane go.sum main.go)"
CGO_ENABLED=0 built "$target" "a control plane for the tests; this takes some minutes" -p 1 -ldflags="-s -w" .
echo "$target"
