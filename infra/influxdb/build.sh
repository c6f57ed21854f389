#!/usr/bin/env bash
# Builds influxd 1.8 and influx_inspect into the user's cache, once for what go.sum says, and prints the folder.
# 1.8 (MIT) has the API of version 2 that the copy and the import use, and Flux; version 2 itself needs Rust to build.
set -euo pipefail
cd "$(dirname "$0")"
source ../built.sh

need_go 1.26
target="$(in_cache influxdb go.sum)"
for program in influx_inspect influxd; do
  built "$target/$program" "$program for the tests; this takes some minutes" \
    -gcflags="all=-N -l" "github.com/influxdata/influxdb/cmd/$program"
done
echo "$target"
