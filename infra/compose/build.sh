#!/usr/bin/env bash
# Builds Docker Compose into the user's cache, once for what go.mod and go.sum say, and prints where it is: for machines
# whose Docker came without it. It takes 5 minutes of two processors.
set -euo pipefail
cd "$(dirname "$0")"
source ../built.sh

need_go 1.24 "install Docker's Compose plugin"
target="$(in_cache compose go.mod go.sum)/docker-compose"
CGO_ENABLED=0 built "$target" "Docker Compose for the tests; this takes some minutes" \
  -ldflags="-s -w" github.com/docker/compose/v2/cmd
echo "$target"
