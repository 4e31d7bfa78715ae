#!/usr/bin/env bash
# Builds the image of the Dockerfile without a container engine, prints the size, and starts and stops the
# gateway in the image's own file system, read-only. Says `skipped: <why>` where this machine cannot.
#
#   ./scripts/image.sh             compiles in the image's first stage: a quarter of an hour
#   ./scripts/image.sh --prebuilt  takes build/optimised/bin/sluice
#
# Needs root, buildah and mmdebstrap (scripts/setup.sh --full). The base is a minimal Debian 12 made of
# packages, so that no image has to be pulled: what is printed is near the size on debian:12-slim, not the
# same. The image is localhost/sluice:latest of buildah's store.
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
if [ "$binaries" = prebuilt ] && [ ! -x build/optimised/bin/sluice ]; then
  skip "build/optimised/bin/sluice is not there (scripts/build.sh --optimised)"
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
buildah build --quiet --layers --force-rm --pull-never --format docker --build-arg BASE="$base" \
  --build-arg BINARIES="$binaries" --build-arg REVISION="$revision" --tag localhost/sluice:latest . \
  >"$work/build.log" 2>&1 || {
  tail -n 30 "$work/build.log" >&2
  exit 1
}

container=$(buildah from --pull-never localhost/sluice:latest)
mounted=$(buildah mount "$container")
echo "image: $(du -sm --apparent-size "$mounted" | cut -f1) MB unpacked," \
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
./scripts/sbom.sh --root "$mounted" /usr/bin/sluice >build/image.sbom.json
echo "image: its bill of materials is build/image.sbom.json, $(grep -c '"bom-ref": "deb:' build/image.sbom.json) packages"
