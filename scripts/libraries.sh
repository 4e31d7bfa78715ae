#!/usr/bin/env bash
# Writes, for whoever installs a binary elsewhere, DIR/libraries: the Debian packages that it loads libraries of, as
# this release names them; and DIR/built-with: those whose code is compiled into it, with version and source.
#   scripts/libraries.sh BINARY DIR
set -euo pipefail
binary=$(realpath "$1")
to=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debian"
printf 'Source: sluice\n\nPackage: sluice\nArchitecture: any\n' >"$work/debian/control"
cd "$work"
dpkg-shlibdeps -O "$binary" 2>/dev/null | sed -n 's/^shlibs:Depends=//p' | sed -e 's/ ([^)]*)//g' -e 's/, /\n/g' |
  sort -u >"$to/libraries"
[ -s "$to/libraries" ] || {
  echo "libraries.sh: $binary: its libraries are of no package" >&2
  exit 1
}
# Headers, and archives that are linked in: no file of theirs is loaded.
dpkg-query -W -f='${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n' \
  'libboost1.*-dev' libconcurrentqueue-dev libcli11-dev 2>/dev/null | grep -P '\tinstalled$' >"$to/built-with"
