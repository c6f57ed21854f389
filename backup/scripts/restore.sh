#!/usr/bin/env bash
# Brings a backup back, for a machine where nothing runs yet.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

help() {
  cat <<'EOF'
usage: restore.sh [--dry-run] [options of `ares backup restore`]

Brings a backup back, for a machine where nothing runs yet.
Example: restore.sh --help, then ares backup restore --help for what may be asked

  --dry-run   say what would be run, and run nothing
  --help      this text

Settings come from config/*.toml, ARES_CONFIG and ARES_* variables, as for every ares command.
BACKUP_ARES=/path/to/ares names the command where it is not found by itself.
Exit codes: 0 done, 1 the world refused, 2 wrong usage or settings. Messages go to standard error.
EOF
}

read_arguments "$@"
run_ares restore
