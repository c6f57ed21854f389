#!/usr/bin/env bash
# Builds Docker Compose into the user's cache, once for what go.sum says, and prints where it is: for machines whose
# Docker came without it. It takes 5 minutes of two processors.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v go >/dev/null; then
  echo "Go is not installed: get 1.24 or newer from your distribution or go.dev, or install Docker's Compose plugin" >&2
  exit 1
fi
digest=$(cat go.mod go.sum | sha256sum | cut -c1-16)
target="${XDG_CACHE_HOME:-$HOME/.cache}/ares/compose-$digest/docker-compose"
if [ ! -x "$target" ]; then
  echo "building Docker Compose for the tests; this takes some minutes" >&2
  mkdir -p "$(dirname "$target")"
  GOFLAGS="-buildvcs=false -mod=readonly" CGO_ENABLED=0 \
    go build -trimpath -ldflags="-s -w" -o "$target.partial" github.com/docker/compose/v2/cmd
  mv "$target.partial" "$target"
fi
echo "$target"
