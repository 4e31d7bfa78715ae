#!/usr/bin/env bash
# clang-tidy over the sources of the product, with the flags of the release build.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset release >/dev/null
# The compile commands name GCC's precompiled header, which clang cannot read.
database=build/lint
mkdir -p "$database"
sed -E 's/ -Winvalid-pch -include [^ ]+//; s/ -fno-fat-lto-objects//; s/ -flto(=auto)?//' \
  build/release/compile_commands.json >"$database/compile_commands.json"
git ls-files 'src/*.cpp' | xargs -P "$(nproc)" -n 4 clang-tidy-19 --quiet -p "$database" \
  --extra-arg=-Wno-unknown-warning-option
