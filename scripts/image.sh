#!/usr/bin/env bash
# Builds the image of the Dockerfile without a container engine, prints the size, and starts and stops the
# gateway in the image's own file system, read-only. Says `skipped: <why>` where this machine cannot.
#
#   ./scripts/image.sh             compiles in the image's first stage: a quarter of an hour; on Debian 13
#   ./scripts/image.sh --prebuilt [BINARY RELEASE [ARCHITECTURE]]
#                                  takes a binary that is there, and a base of the release that it was built on:
#                                  build/optimised/bin/sluice and this machine's, if none is named
#
# Needs root, buildah and mmdebstrap (scripts/setup.sh --full); for another architecture also qemu-user-static, with
# binfmt_misc. The base is a minimal Debian made of packages, so that no image has to be pulled: what is printed is
# near the size on debian:13-slim, not the same. The image is localhost/sluice:latest of buildah's store, or
# localhost/sluice:ARCHITECTURE.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
  echo "skipped: $*"
  exit 0
}

binaries=build binary= release=trixie tag=latest
own_architecture=$(dpkg --print-architecture)
architecture=$own_architecture
case "$#:${1-}" in
  0:) ;;
  1:--prebuilt)
    binaries=prebuilt binary=build/optimised/bin/sluice
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    ;;
  3:--prebuilt | 4:--prebuilt)
    binaries=prebuilt binary=$2 release=$3 architecture=${4:-$architecture}
    ;;
  *) echo "usage: $0 [--prebuilt [BINARY RELEASE [ARCHITECTURE]]]" >&2; exit 64 ;;
esac
[ "$(id -u)" -eq 0 ] || skip "this needs root"
for tool in buildah mmdebstrap; do
  command -v "$tool" >/dev/null || skip "$tool is not installed (scripts/setup.sh --full)"
done
if [ "$binaries" = prebuilt ] && [ ! -x "$binary" ]; then
  skip "$binary is not there (scripts/build.sh --optimised)"
fi
if [ "$architecture" != "$own_architecture" ]; then
  tag=$architecture
  # Who has a Linux of another architecture run here: its interpreter is registered with the kernel.
  [ -e /proc/sys/fs/binfmt_misc/status ] || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null || true
  update-binfmts --enable qemu-aarch64 2>/dev/null || true
  [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || skip "programs for $architecture cannot be run here (binfmt_misc, qemu)"
fi

export BUILDAH_ISOLATION=chroot
base=localhost/debian:$release-$architecture
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-image.XXXXXX")
container= mounted=
cleanup() {
  [ -z "$mounted" ] || buildah umount "$container" >/dev/null || true
  [ -z "$container" ] || buildah rm "$container" >/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

if [ "$binaries" = prebuilt ]; then
  mkdir -p build/image
  cp "$binary" build/image/sluice
  [ "$architecture" != "$own_architecture" ] || strip build/image/sluice
  # Where it was built on another release, what is known of it was written beside it.
  if [ -e "$(dirname "$binary")/libraries" ]; then
    cp "$(dirname "$binary")"/{libraries,built-with} build/image
  else
    ./scripts/libraries.sh "$binary" build/image
  fi
fi

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  mmdebstrap --quiet --variant=minbase --architectures="$architecture" --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$release" "$work/base.tar" ||
    skip "a base cannot be made of Debian's packages here"
  container=$(buildah from --arch "$architecture" scratch)
  buildah add --quiet "$container" "$work/base.tar" / >/dev/null
  buildah config --cmd /bin/sh "$container"
  buildah commit --quiet "$container" "$base" >/dev/null
  buildah rm "$container" >/dev/null
  container=
fi

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
buildah build --quiet --layers --force-rm --pull-never --format docker --arch "$architecture" --build-arg BASE="$base" \
  --build-arg BINARIES="$binaries" --build-arg REVISION="$revision" --tag "localhost/sluice:$tag" . \
  >"$work/build.log" 2>&1 || {
  tail -n 30 "$work/build.log" >&2
  exit 1
}

container=$(buildah from --pull-never "localhost/sluice:$tag")
mounted=$(buildah mount "$container")
echo "image: Debian $release, $architecture, $(du -sm --apparent-size "$mounted" | cut -f1) MB unpacked," \
  "of that sluice $(du -k --apparent-size "$mounted/usr/bin/sluice" | cut -f1) kB"

# As it is meant to run: the image's user, its libraries, nothing to write to but the volume.
cat >"$work/sluice.yaml" <<'END'
ingest: {listen: 127.0.0.1:0}
admin: {listen: 127.0.0.1:0}
workspaces:
  - auth: {method: jwt, api_key: a-key}
END
unshare --mount bash -s "$mounted" "$work" <<'END' || { cat "$work/sluice.log" >&2; exit 1; }
set -euo pipefail
root=$1 work=$2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o uid=65532,gid=65532,mode=750 sluice "$root/var/lib/sluice"
install -m 0644 "$work/sluice.yaml" "$root/var/lib/sluice/sluice.yaml"
chroot --userspec=65532:65532 "$root" /usr/bin/sluice serve --config /var/lib/sluice/sluice.yaml \
  2>"$work/sluice.log" &
for _ in $(seq 200); do
  grep -q '"message":"ready"' "$work/sluice.log" && break
  kill -0 $!
  sleep 0.1
done
kill $!
wait $!
END
echo "image: starts and stops with a read-only root file system, as user 65532"
sbom=build/image-$architecture.sbom.json
./scripts/sbom.sh --root "$mounted" /usr/bin/sluice >"$sbom"
echo "image: its bill of materials is $sbom, $(grep -c '"bom-ref": "deb:' "$sbom") packages"
