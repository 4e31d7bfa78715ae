#!/usr/bin/env bash
# What the newer compiler and libraries bring: instruction counts, and the scenarios single, arrays and disk, on two
# releases of Debian, each in a root file system of its own on this machine (scripts/in_debian.sh). The releases take
# turns within each round, and what is compared is within a round. Prints tables of markdown; needs root.
#   bench/releases.sh [--built] [ROUNDS [SECONDS]]     5 rounds of 2 s, unless told; --built: builds nothing
set -euo pipefail
cd "$(dirname "$0")/.."
releases=(bookworm trixie)
built=false
if [ "${1-}" = --built ]; then
  built=true
  shift
fi
rounds=${1:-5} seconds=${2:-2}

for release in "${releases[@]}"; do
  results=build/debian/$release.build/releases
  rm -rf "$results"
  if ! "$built"; then
    ./scripts/in_debian.sh "$release" './scripts/setup.sh && cmake --preset release >/dev/null &&
      cmake --build --preset release --target sluice synerise-sim sluice-load bare-server sluice-micro' >&2
  fi
  ./scripts/in_debian.sh "$release" 'mkdir -p build/releases && bench/instructions.sh --write build/releases/instructions.tsv' >&2
done
for round in $(seq "$rounds"); do
  for release in "${releases[@]}"; do
    ./scripts/in_debian.sh "$release" "python3 bench/run.py single arrays disk --bin build/release/bin \
      --repetitions 1 --seconds $seconds --results build/releases/$round" >&2
  done
done
exec python3 bench/releases.py "${releases[@]/%/.build/releases}"
