#!/usr/bin/env bash
# Builds a Kubernetes control plane into the user's cache, once for what go.sum and the program say, and prints where
# it is. It takes 6 minutes of two processors and 6 GiB of disk for Go's own cache.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v go >/dev/null; then
  echo "Go is not installed: get 1.24 or newer from your distribution or go.dev" >&2
  exit 1
fi
digest=$(cat go.sum main.go | sha256sum | cut -c1-16)
target="${XDG_CACHE_HOME:-$HOME/.cache}/ares/controlplane-$digest"
if [ ! -x "$target" ]; then
  echo "building a control plane for the tests; this takes some minutes" >&2
  mkdir -p "$(dirname "$target")"
  GOFLAGS="-buildvcs=false -mod=readonly" CGO_ENABLED=0 go build -p 1 -trimpath -ldflags="-s -w" -o "$target.partial" .
  mv "$target.partial" "$target"
fi
echo "$target"
