#!/usr/bin/env bash
# Makes the base image from Debian's packages, for a machine that reaches no registry of images (Debian or Ubuntu, root,
# debootstrap, docker). What this machine needs to reach its package registries goes into that image: its authorities,
# and the settings of apt, pip and uv. It stays here: never push it, nor what is built on it.
# Usage: deploy/images/local-base.sh [TAG]        (debian:bookworm-slim)
set -euo pipefail
tag="${1:-debian:bookworm-slim}"

for program in debootstrap docker; do
  command -v "$program" >/dev/null \
    || { echo "$program is not installed: apt-get install docker.io debootstrap" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "debootstrap makes device files and owners: run this as root" >&2; exit 1; }

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
root="$folder/root"
echo "laying Debian 12 into $root" >&2
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$folder/log" 2>&1 \
  || { tail -n 20 "$folder/log" >&2; exit 1; }

taken() { # taken FILE...: to the same places there
  for each in "$@"; do
    [ -f "$each" ] && install -D --mode 0644 "$each" "$root$each"
  done
  return 0
}
taken /etc/ssl/certs/ca-certificates.crt /etc/pip.conf /etc/uv/uv.toml /usr/local/share/ca-certificates/*.crt
if [ -d /etc/apt/apt.conf.d ]; then
  for each in /etc/apt/apt.conf.d/*; do
    # How apt reaches its mirror, not what it does beside.
    grep -qE '^ *Acquire' "$each" && taken "$each"
  done
fi
if grep -rqs bookworm /etc/apt/sources.list /etc/apt/sources.list.d/*.sources; then
  rm -f "$root/etc/apt/sources.list"
  taken /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources
fi
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*

changes=(--change 'CMD ["bash"]')
for name in SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT CURL_CA_BUNDLE; do
  [ -n "${!name:-}" ] && [ -f "$root${!name}" ] && changes+=(--change "ENV $name=${!name}")
done
for name in PIP_INDEX_URL UV_DEFAULT_INDEX UV_INDEX_URL http_proxy https_proxy no_proxy; do
  [ -n "${!name:-}" ] && changes+=(--change "ENV $name=${!name}")
done
tar --directory "$root" --create . | docker import "${changes[@]}" - "$tag" >/dev/null
echo "$tag: $(docker image inspect --format '{{.Size}}' "$tag" | awk '{printf "%.0f MB", $1 / 1e6}')"
