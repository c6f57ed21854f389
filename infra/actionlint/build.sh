#!/usr/bin/env bash
# Builds actionlint into the user's cache, once for what go.sum says, and prints where it is. It takes half a minute.
set -euo pipefail
cd "$(dirname "$0")"
source ../built.sh

need_go 1.25
target="$(in_cache actionlint go.sum)"
CGO_ENABLED=0 built "$target" "actionlint, which judges the workflows" github.com/rhysd/actionlint/cmd/actionlint
echo "$target"
