#!/usr/bin/env bash
# Copies QuestDB and what belongs to it into the repository, while everything goes on.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

VERB=run
WHAT="Copies QuestDB and what belongs to it into the repository, while everything goes on."
EXAMPLE=", from cron: */10 * * * * /srv/ares/backup/scripts/backup.sh --kind market"

read_arguments "$@"
run_ares
