#!/usr/bin/env bash
# Brings a backup back, for a machine where nothing runs yet.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

VERB=restore
WHAT="Brings a backup back, for a machine where nothing runs yet."
EXAMPLE=": restore.sh --help, then ares backup restore --help for what may be asked"

read_arguments "$@"
run_ares
