#!/usr/bin/env bash
# clang-tidy over the sources of the product: a file for each module that includes all of it, since the
# headers take longer than the code.
set -euo pipefail
cd "$(dirname "$0")/.."
database=build/lint
cmake --preset asan -B "$database" -DSLUICE_SANITIZE= -DSLUICE_TESTS=OFF -DSLUICE_BENCH=OFF \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
ninja -C "$database" src/admin/console.cpp >/dev/null
grep -oP '"file": "\K[^"]+' "$database/compile_commands.json" | xargs -P "$(nproc)" -n 1 \
  clang-tidy-19 --quiet -p "$database" --extra-arg=-Wno-unknown-warning-option
