#!/usr/bin/env bash
# Makes the Debian package of build/optimised, and installs, starts, stops, removes and purges it in a minimal
# Debian of this machine's release. Says `skipped: <why>` where this machine cannot make one. There is no systemd in it: the gateway
# is started with the unit's command, as a user without rights, and reports to a socket as it would to systemd.
#
# Needs root and mmdebstrap (scripts/setup.sh --full), and scripts/build.sh --optimised before.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x build/optimised/bin/sluice ]; then
  echo "build/optimised/bin/sluice is not there (scripts/build.sh --optimised)" >&2
  exit 1
fi
(cd build/optimised && cpack >../package.log 2>&1) || {
  tail -20 build/package.log
  exit 1
}
package=$(sed -n 's/.*package: \(.*\) generated\.$/\1/p' build/package.log)
dpkg-deb --field "$package" Package Version Architecture Depends
stat -c 'package: %s bytes' "$package"

skip() {
  echo "skipped: $*"
  exit 0
}
[ "$(id -u)" -eq 0 ] || skip "to install it, this needs root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (scripts/setup.sh --full)"
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-package.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
mmdebstrap --quiet --variant=apt "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" || skip "a base cannot be made of Debian's packages here"

quietly() {
  "$@" >"$work/log" 2>&1 || {
    tail -30 "$work/log" >&2
    exit 1
  }
}
cp "$package" "$root/tmp/sluice.deb"
quietly chroot "$root" apt-get update
quietly chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends /tmp/sluice.deb
[ "$(stat -c %a "$root/etc/sluice/secrets")" = 700 ]

# The example with a key from a file, and on ports that are free here.
install -m 0644 /dev/null "$root/etc/sluice/key"
echo a-key >"$root/etc/sluice/key"
sed -i -e 's|^\( *\)api_key: .*|\1api_key_file: /etc/sluice/key|' -e 's|127\.0\.0\.1:[0-9]\+|127.0.0.1:0|' \
  "$root/etc/sluice/sluice.yaml"
quietly chroot "$root" sluice check --config /etc/sluice/sluice.yaml
install -d -o nobody -m 0750 "$root/var/lib/sluice"
unit=$root/lib/systemd/system/sluice.service
python3 - "$root" "$(sed -n 's/^ExecStart=//p' "$unit")" <<'END'
"""Starts the command in the root, as nobody; waits for its READY=1; stops it by SIGTERM."""
import os
import pathlib
import socket
import subprocess
import sys

root, command = sys.argv[1], sys.argv[2].split()
notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notifications.settimeout(60)
notifications.bind(f"{root}/tmp/notify")
os.chmod(f"{root}/tmp/notify", 0o666)
log = pathlib.Path(root, "tmp/log")
with log.open("wb") as output:
    gateway = subprocess.Popen(["chroot", "--userspec=nobody:nogroup", root, "env", "NOTIFY_SOCKET=/tmp/notify", *command],
                               stderr=output)
try:
    while b"READY=1" not in notifications.recv(4096):
        pass
    gateway.terminate()
    code = gateway.wait(60)
except TimeoutError:
    gateway.kill()
    code = "no READY=1"
if code != 0:
    sys.exit(f"package: {code}\n{log.read_text(encoding='utf-8')}")
END
quietly chroot "$root" apt-get remove -y sluice
[ -e "$root/etc/sluice/sluice.yaml" ] && [ ! -e "$root/usr/bin/sluice" ]
rm "$root/etc/sluice/key"
quietly chroot "$root" apt-get purge -y sluice
[ ! -e "$root/etc/sluice/sluice.yaml" ]
echo "package: installs, starts as its unit says, stops, is removed, and takes its configuration along when purged"
