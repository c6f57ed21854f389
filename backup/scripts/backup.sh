#!/usr/bin/env bash
# Copies QuestDB and what belongs to it into the repository, while everything goes on.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

help() {
  cat <<'EOF'
usage: backup.sh [--dry-run] [options of `ares backup run`]

Copies QuestDB and what belongs to it into the repository, while everything goes on.
Example, from cron: */10 * * * * /srv/ares/backup/scripts/backup.sh --kind market

  --dry-run   say what would be run, and run nothing
  --help      this text

Settings come from config/*.toml, ARES_CONFIG and ARES_* variables, as for every ares command.
BACKUP_ARES=/path/to/ares names the command where it is not found by itself.
Exit codes: 0 done, 1 the world refused, 2 wrong usage or settings. Messages go to standard error.
EOF
}

read_arguments "$@"
run_ares run
