#!/usr/bin/env bash
# Builds vaultd into the user's cache, once for what go.sum and the program say, and prints where it is.
set -euo pipefail
cd "$(dirname "$0")"
source ../built.sh

need_go 1.20
target="$(in_cache vaultd go.sum main.go discover/discover.go)"
built "$target" "a Vault for the tests; this takes some minutes" -gcflags="all=-N -l" .
echo "$target"
