#!/usr/bin/env bash
# Builds influxd 1.8 and influx_inspect into the user's cache, once for what go.sum says, and prints the folder.
# 1.8 (MIT) has the API of version 2 that the copy and the import use, and Flux; version 2 itself needs Rust to build.
set -euo pipefail
cd "$(dirname "$0")"

command -v go >/dev/null || { echo "Go is not installed: get 1.26 or newer from go.dev" >&2; exit 1; }
digest=$(sha256sum go.sum | cut -c1-16)
target="${XDG_CACHE_HOME:-$HOME/.cache}/ares/influxdb-$digest"
if [ ! -x "$target/influxd" ]; then
  echo "building an InfluxDB for the tests; this takes some minutes" >&2
  mkdir -p "$target.partial"
  for program in influxd influx_inspect; do
    GOFLAGS="-buildvcs=false -mod=readonly" go build -trimpath -o "$target.partial/" "github.com/influxdata/influxdb/cmd/$program"
  done
  mv "$target.partial" "$target"
fi
echo "$target"
