# shellcheck shell=bash
# What the scripts of backups share. Sourced, never run.

if [ -z "${BASH_VERSION:-}" ]; then
  echo "these scripts want bash" >&2
  exit 2
fi

DRY_RUN=0
ARGUMENTS=()

say() { printf '%(%FT%TZ)T %s: %s\n' -1 "$(basename "$0")" "$1" >&2; }

# Where `ares` is: named by BACKUP_ARES, beside the checkout these scripts belong to, or on the path.
find_ares() {
  local here
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  if [ -n "${BACKUP_ARES:-}" ]; then
    ARES=$BACKUP_ARES
  elif [ -x "$here/.venv/bin/ares" ]; then
    ARES=$here/.venv/bin/ares
    cd "$here" || exit 2 # a state directory that is set relative means the one of this checkout
  elif [ -x "$here/../../../bin/ares" ]; then
    ARES=$here/../../../bin/ares # installed: lib/pythonX.Y/site-packages/backup/scripts
  elif command -v ares >/dev/null; then
    ARES=$(command -v ares)
  else
    say "no ares: run make setup in the checkout, install the wheel, or set BACKUP_ARES=/path/to/ares"
    exit 2
  fi
  if [ ! -x "$ARES" ]; then
    say "BACKUP_ARES = $ARES: no such program. Set it to the command ares"
    exit 2
  fi
}

# WHAT it does, an EXAMPLE, and the VERB of `ares backup` are the caller's; DRY_RUN_MEANS may be.
help() {
  cat <<EOF
usage: $(basename "$0") [--dry-run] [options of \`ares backup $VERB\`]

$WHAT
Example$EXAMPLE

  --dry-run   ${DRY_RUN_MEANS:-say what would be run, and run nothing}
  --help      this text

Settings come from config/*.toml, ARES_CONFIG and ARES_* variables, as for every ares command.
BACKUP_ARES=/path/to/ares names the command where it is not found by itself.
Exit codes: 0 done, 1 the world refused, 2 wrong usage or settings. Messages go to standard error.
EOF
}

# --help and --dry-run are ours; all else goes to the command.
read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        help
        exit 0
        ;;
      --dry-run) DRY_RUN=1 ;;
      *) ARGUMENTS+=("$1") ;;
    esac
    shift
  done
}

# Run `ares backup $VERB ...`, keep its exit code, say how it ended.
run_ares() {
  local code=0
  find_ares
  if [ "$DRY_RUN" = 1 ]; then
    say "would run: $ARES backup $VERB ${ARGUMENTS[*]-}"
    return 0
  fi
  say "$ARES backup $VERB ${ARGUMENTS[*]-}"
  "$ARES" backup "$VERB" ${ARGUMENTS[@]+"${ARGUMENTS[@]}"} || code=$?
  say "ended with $code"
  return "$code"
}
