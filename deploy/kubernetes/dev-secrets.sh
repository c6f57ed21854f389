#!/usr/bin/env bash
# Makes the secrets of the overlay dev: random ones, new with each call for those that are not there yet.
# Usage: deploy/kubernetes/dev-secrets.sh [NAMESPACE]
set -euo pipefail
namespace="${1:-ares-dev}"
random() { openssl rand -hex 24; }

make_secret() { # make_secret NAME KEY=VALUE...
  local name="$1"
  shift
  if kubectl --namespace "$namespace" get secret "$name" >/dev/null 2>&1; then
    echo "$name: there already"
    return
  fi
  # Values go by standard input: arguments can be read by whoever lists processes.
  { printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: %s}\nstringData:\n' "$name"
    for pair in "$@"; do printf '  %s: "%s"\n' "${pair%%=*}" "${pair#*=}"; done
  } | kubectl --namespace "$namespace" create --filename -
}

kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
# ares-models says Postgres' password too: that of ares-control, if it is there already.
postgres="$(kubectl --namespace "$namespace" get secret ares-control --ignore-not-found \
  --output 'jsonpath={.data.password}' | base64 --decode)"
postgres="${postgres:-$(random)}"
make_secret ares-control "password=$postgres" \
  "control-url=postgresql+psycopg://ares:$postgres@postgres/ares?sslmode=disable"
make_secret ares-database "database-password=$(random)" "database-readonly-password=$(random)"
make_secret ares-trader "control-token=$(random)"
make_secret ares-venue "api-key=$(random)" "api-secret=$(random)"
make_secret ares-access "key=$(openssl rand -base64 32)"
make_secret ares-models "tracking-uri=postgresql+psycopg://ares:$postgres@postgres/mlflow"
make_secret ares-backup "backup-password=$(random)"
make_secret ares-alerts "receiver_token=$(random)" "dead_man_url=https://example.invalid/none" \
  "slack_url=https://example.invalid/none" "email_password=none"
