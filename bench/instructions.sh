#!/usr/bin/env bash
# Counts the instructions of each operation of the event path with callgrind, and its allocations, and
# compares them with bench/instructions.tsv. Fails when an operation's instructions have changed by more than
# 5 % and 3 instructions, either way, so that the table stays true; when it allocates more often; or when
# accepting an array of 100 allocates 0.1 times or more per event. Independent of how fast or busy the machine is; dependent on compiler and libraries (Debian 12).
#   bench/instructions.sh            counts and compares
#   bench/instructions.sh --update   writes the table
#   bench/instructions.sh --write FILE
#                                    writes it elsewhere, and compares nothing
# SLUICE_BIN_DIR=DIR takes sluice-micro from there; otherwise it is in build/release/bin.
set -euo pipefail
cd "$(dirname "$0")/.."

program=${SLUICE_BIN_DIR:-build/release/bin}/sluice-micro
table=bench/instructions.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# setarch -R: where memory lies must not decide how often a hash table's buckets collide.
setarch -R valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file="$work/counts" \
  "$program" --count >"$work/cases" 2>"$work/log" || {
  cat "$work/log" >&2
  exit 1
}

# The dumps are numbered in the order of the cases.
dump=0
{
  printf 'case\tinstructions\tallocations\n'
  while IFS=$'\t' read -r name items allocations; do
    dump=$((dump + 1))
    awk -v name="$name" -v items="$items" -v allocations="$allocations" \
      '/^totals:/ { printf "%s\t%.1f\t%.3f\n", name, $2 / items, allocations / items }' "$work/counts.$dump"
  done <"$work/cases"
} >"$work/table"

case "${1:-}" in
  --update) cp "$work/table" "$table" ;;
  --write) cp "$work/table" "$2" ;;
esac
[ $# -eq 0 ] || exit 0

awk -F'\t' '
  FNR == 1 { next }
  NR == FNR { was[$1] = $2; allocated[$1] = $3; next }
  !($1 in was) { printf "%-32s %10.1f  is not in the table\n", $1, $2; bad = 1; next }
  {
    change = 100 * ($2 / was[$1] - 1)
    off = (change > 5 || change < -5) && ($2 - was[$1] > 3 || was[$1] - $2 > 3)
    more = $3 > allocated[$1] + 0.005 || ($1 == "accept/array-100" && $3 >= 0.1)
    printf "%-32s %10.1f  %+6.1f %%  %8.3f allocations%s%s\n", $1, $2, change, $3,
      off ? "  <-- more than 5 %" : "", more ? "  <-- allocates more" : ""
    bad = bad || off || more
    delete was[$1]
  }
  END {
    for (name in was) { printf "%-32s is not counted any more\n", name; bad = 1 }
    if (bad) { print "instructions.sh: if this is meant, run it with --update and commit the table" }
    exit bad
  }' "$table" "$work/table"
