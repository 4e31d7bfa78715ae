#!/usr/bin/env bash
# Builds the image of the Dockerfile without a container engine, starts its program in the image's own
# file system, and prints the size. Says `skipped: <why>` where this machine cannot.
#
#   ./scripts/image.sh             compiles in the image's first stage: some minutes
#   ./scripts/image.sh --prebuilt  takes build/release/bin/sluice
#
# Needs root, buildah and mmdebstrap (scripts/setup.sh --full). The base is a minimal Debian 12 from the
# packages of this machine's own mirror, as there is no registry to ask: what is printed is near the size
# on debian:12-slim, not the same. The image is localhost/sluice:latest of buildah's store.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
  echo "skipped: $*"
  exit 0
}

binaries=build
case "$#:${1-}" in
  0:) ;;
  1:--prebuilt) binaries=prebuilt ;;
  *) echo "usage: $0 [--prebuilt]" >&2; exit 64 ;;
esac
[ "$(id -u)" -eq 0 ] || skip "this needs root"
for tool in buildah mmdebstrap; do
  command -v "$tool" >/dev/null || skip "$tool is not installed (scripts/setup.sh --full)"
done
if [ "$binaries" = prebuilt ] && [ ! -x build/release/bin/sluice ]; then
  skip "build/release/bin/sluice is not there (scripts/build.sh)"
fi

export BUILDAH_ISOLATION=chroot
base=localhost/debian:12-slim
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-image.XXXXXX")
container= mounted=
cleanup() {
  [ -z "$mounted" ] || buildah umount "$container" >/dev/null || true
  [ -z "$container" ] || buildah rm "$container" >/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$work/base.tar" ||
    skip "a base cannot be made of Debian's packages here"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$work/base.tar" / >/dev/null
  buildah config --cmd /bin/sh "$container"
  buildah commit --quiet "$container" "$base" >/dev/null
  buildah rm "$container" >/dev/null
  container=
fi

revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
buildah build --quiet --pull-never --format docker --build-arg BASE="$base" \
  --build-arg BINARIES="$binaries" --build-arg REVISION="$revision" --tag localhost/sluice:latest . \
  >"$work/build.log" 2>&1 || {
  tail -n 30 "$work/build.log" >&2
  exit 1
}

container=$(buildah from --pull-never localhost/sluice:latest)
# As the image's user, on its own libraries.
buildah run "$container" -- /usr/bin/sluice version
mounted=$(buildah mount "$container")
echo "image: $(du -sm --apparent-size "$mounted" | cut -f1) MB unpacked," \
  "of that sluice $(du -k --apparent-size "$mounted/usr/bin/sluice" | cut -f1) kB"
