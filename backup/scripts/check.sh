#!/usr/bin/env bash
# Proves the repository sound, and reads the next part of its data.
set -euo pipefail
# shellcheck source=SCRIPTDIR/common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

VERB=check
WHAT="Proves the repository sound, and reads the next part of its data."
EXAMPLE=", from cron: 17 3 * * * /srv/ares/backup/scripts/check.sh"

read_arguments "$@"
run_ares
