#!/usr/bin/env bash
# Builds actionlint into the user's cache, once for what go.sum says, and prints where it is. It takes half a minute.
set -euo pipefail
cd "$(dirname "$0")"

command -v go >/dev/null || { echo "Go is not installed: get 1.25 or newer from your distribution or go.dev" >&2; exit 1; }
digest=$(sha256sum go.sum | cut -c1-16)
target="${XDG_CACHE_HOME:-$HOME/.cache}/ares/actionlint-$digest"
if [ ! -x "$target" ]; then
  echo "building actionlint, which judges the workflows" >&2
  mkdir -p "$(dirname "$target")"
  GOFLAGS="-buildvcs=false -mod=readonly" CGO_ENABLED=0 go build -trimpath -o "$target.partial" github.com/rhysd/actionlint/cmd/actionlint
  mv "$target.partial" "$target"
fi
echo "$target"
