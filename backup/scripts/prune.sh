#!/usr/bin/env bash
# Lets backups go that backup.keep_* does not want, and frees their room.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

VERB=prune
WHAT="Lets backups go that backup.keep_* does not want, and frees their room."
EXAMPLE=", from cron: 47 4 * * * /srv/ares/backup/scripts/prune.sh"
DRY_RUN_MEANS="tell which backups would go, and let none go"

read_arguments "$@"
if [ "$DRY_RUN" = 1 ]; then
  DRY_RUN=0
  ARGUMENTS+=(--dry-run)
fi
run_ares
