# shellcheck shell=bash
# Prepares a machine for QuestDB: mounts DEVICE at MOUNT, with a file system if it has none yet, and sets the kernel.
# Run at the first boot; can be run again. Whoever calls sets DEVICE and MOUNT; tests set the rest.
set -euo pipefail
WAIT_S="${WAIT_S:-300}"
FSTAB="${FSTAB:-/etc/fstab}"
SYSCTL="${SYSCTL:-/etc/sysctl.d/60-ares.conf}"
LIMITS="${LIMITS:-/etc/security/limits.d/60-ares.conf}"

# The volume is attached some seconds after the machine has started.
for _ in $(seq "$WAIT_S"); do
  [ -b "$DEVICE" ] && break
  sleep 1
done
[ -b "$DEVICE" ] || { echo "the volume $DEVICE was not attached within $WAIT_S s" >&2; exit 1; }

# Only a disk on which nothing is found gets a file system: one that holds data, or cannot be read, is left alone.
kind=0
blkid --probe "$DEVICE" >/dev/null || kind=$?
case "$kind" in
  0) echo "$DEVICE has a file system; it is kept" ;;
  2) mkfs.ext4 -q -L ares -m 1 "$DEVICE" ;;
  *) echo "$DEVICE cannot be read for sure (blkid ended with $kind): nothing was changed" >&2; exit 1 ;;
esac

mkdir -p "$MOUNT"
if ! mountpoint -q "$MOUNT"; then
  chmod 0000 "$MOUNT" # nobody but root writes there while the disk is away
  uuid="$(blkid --probe -s UUID -o value "$DEVICE")"
  options="defaults,noatime,nofail,x-systemd.device-timeout=300"
  grep -q "UUID=$uuid " "$FSTAB" || echo "UUID=$uuid $MOUNT auto $options 0 2" >>"$FSTAB"
  mount -o noatime "$DEVICE" "$MOUNT"
fi

printf 'vm.max_map_count = 1048576\nfs.file-max = 1048576\n' >"$SYSCTL"
printf '* soft nofile 1048576\n* hard nofile 1048576\n' >"$LIMITS"
sysctl --quiet --load="$SYSCTL"
