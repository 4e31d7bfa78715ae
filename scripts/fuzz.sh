#!/usr/bin/env bash
# Builds the fuzz targets and runs each from its committed corpus, with a fixed seed and number of runs.
#   --long [SECONDS]   each for so long (300) from random seeds; what it finds grows build/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz >build/fuzz.log 2>&1 || {
  grep -E 'error|FAILED' build/fuzz.log | head -50
  exit 1
}
declare -A runs=([http]=2000 [normalise]=20000 [mapping]=5000 [config]=3000 [upstream]=20000 [records]=50000)
for target in "${!runs[@]}"; do
  found=build/fuzz/corpus/$target
  if [ "${1:-}" = --long ]; then
    how=("-max_total_time=${2:-300}")
  else
    rm -rf "$found"  # so that every run does the same
    how=("-runs=${runs[$target]}" -seed=1)
  fi
  mkdir -p "$found"
  "build/fuzz/bin/${target}_fuzz" "${how[@]}" -timeout=10 -rss_limit_mb=1024 -max_len=2048 \
    -artifact_prefix=build/fuzz/ "$found" "tests/fuzz/corpus/$target" >"build/fuzz/$target.log" 2>&1 || {
    grep -vE '^#' "build/fuzz/$target.log" | tail -40
    echo "fuzz.sh: $target failed; the input is in build/fuzz/" >&2
    exit 1
  }
  echo "$target: $(grep -o 'Done .*' "build/fuzz/$target.log")"
done
