#!/usr/bin/env bash
# Restores the newest backup into a scratch QuestDB and compares: the proof that backups are any good.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

VERB=drill
WHAT="Restores the newest backup into a scratch QuestDB and compares: the proof that backups are any good."
EXAMPLE=", from cron: 30 5 * * * /srv/ares/backup/scripts/drill.sh"

read_arguments "$@"
run_ares
