#!/usr/bin/env bash
# Runs a command on this checkout in a minimal Debian of another release, made of packages: for what has to
# be seen where a user will be. Says `skipped: <why>` and succeeds where this machine cannot make one.
#
#   scripts/in_debian.sh trixie './scripts/test.sh --quick'
#   NAME=trixie-arm64 scripts/in_debian.sh trixie './scripts/arm64.sh'      in a root of its own
#
# The root file system is kept in build/debian/NAME, and what is built there in build/debian/NAME.build: there it is
# the checkout's build/. Needs root and mmdebstrap (scripts/setup.sh --full).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -ne 2 ]; then
  echo "usage: $0 RELEASE COMMAND" >&2
  exit 64
fi
release=$1 command=$2 name=${NAME:-$1}
root=$PWD/build/debian/$name built=$PWD/build/debian/$name.build

skip() {
  echo "skipped: $*"
  exit 0
}
[ "$(id -u)" -eq 0 ] || skip "this needs root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (scripts/setup.sh --full)"
if [ ! -e "$root/etc/os-release" ]; then
  mkdir -p "$(dirname "$root")"
  rm -rf --one-file-system "$root.new"
  mmdebstrap --quiet --variant=apt --include=ca-certificates "$release" "$root.new" ||
    skip "a $release cannot be made of Debian's packages here"
  mv "$root.new" "$root"
fi
# The network as this machine has it.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
find /etc/apt/apt.conf.d -iname '*proxy*' -exec cp -t "$root/etc/apt/apt.conf.d" {} +

mkdir -p "$built" "$root/src/sluice" "$root/src/shared"
# Mounts of a name space of its own go with the command, however it ends.
exec unshare --mount bash -s "$root" "$PWD" "$built" "$command" <<'END'
set -euo pipefail
root=$1 checkout=$2 built=$3 command=$4
mount --bind "$checkout" "$root/src/sluice"
mount --bind "$built" "$root/src/sluice/build"
if [ -d "$checkout/../shared" ]; then
  mount --bind "$checkout/../shared" "$root/src/shared"
fi
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
  $(env | grep -iE '^(https?_proxy|no_proxy|CI)=' || true) \
  chroot "$root" bash -c "git config --global --add safe.directory /src/sluice 2>/dev/null; cd /src/sluice && $command" </dev/null
END
