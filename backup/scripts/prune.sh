#!/usr/bin/env bash
# Lets backups go that backup.keep_* does not want, and frees their room.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

help() {
  cat <<'EOF'
usage: prune.sh [--dry-run] [options of `ares backup prune`]

Lets backups go that backup.keep_* does not want, and frees their room.
Example, from cron: 47 4 * * * /srv/ares/backup/scripts/prune.sh

  --dry-run   tell which backups would go, and let none go
  --help      this text

Settings come from config/*.toml, ARES_CONFIG and ARES_* variables, as for every ares command.
BACKUP_ARES=/path/to/ares names the command where it is not found by itself.
Exit codes: 0 done, 1 the world refused, 2 wrong usage or settings. Messages go to standard error.
EOF
}

read_arguments "$@"
if [ "$DRY_RUN" = 1 ]; then
  DRY_RUN=0
  ARGUMENTS+=(--dry-run)
fi
run_ares prune
