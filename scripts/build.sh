#!/usr/bin/env bash
# Builds the release: build/release/bin/{sluice,synerise-sim,sluice-load}.
#   --optimised   builds it twice, for build/optimised/bin: first to count what runs under load, and then
#                 optimised by what was counted. Takes twice as long; what is shipped is built so.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh

# build <preset> <target...>
build() {
  cmake --preset "$1" >/dev/null
  cmake --build --preset "$1" --target "${@:2}"
}
programs=(sluice synerise-sim sluice-load)
case "$#:${1-}" in
  0:) build release "${programs[@]}" ;;
  1:--optimised)
    programs+=(bare-server)
    build training "${programs[@]}"
    trained=build/profile/trained
    if [ ! -e "$trained" ] ||
      [ -n "$(find build/training/bin bench/train.py bench/harness/processes.py -newer "$trained")" ]; then
      rm -rf build/profile
      python3 bench/train.py build/training/bin
      for module in src#ingest src#normalise src#deliver src#transport src#store bench#bare; do
        compgen -G "build/profile/$module#*.gcda" >/dev/null || {
          echo "$0: nothing was counted in $module" >&2
          exit 1
        }
      done
      rm -rf build/optimised
      touch "$trained"
    fi
    build optimised "${programs[@]}"
    ;;
  *) echo "usage: $0 [--optimised]" >&2; exit 64 ;;
esac
