#!/usr/bin/env bash
# Builds vaultd into the user's cache, once for what go.sum and the program say, and prints where it is.
set -euo pipefail
cd "$(dirname "$0")"

command -v go >/dev/null || { echo "Go is not installed: get 1.20 or newer from your distribution or go.dev" >&2; exit 1; }
digest=$(cat go.sum main.go discover/discover.go | sha256sum | cut -c1-16)
target="${XDG_CACHE_HOME:-$HOME/.cache}/ares/vaultd-$digest"
if [ ! -x "$target" ]; then
  echo "building a Vault for the tests; this takes some minutes" >&2
  mkdir -p "$(dirname "$target")"
  GOFLAGS="-buildvcs=false -mod=readonly" go build -gcflags="all=-N -l" -trimpath -o "$target.partial" .
  mv "$target.partial" "$target"
fi
echo "$target"
