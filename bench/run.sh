#!/usr/bin/env bash
# Builds what is shipped, and runs benchmark scenarios; see bench/README.md.
#   bench/run.sh all --report    everything, in about a quarter of an hour; writes bench/RESULTS.md
#   bench/run.sh single --quick
# SLUICE_BIN_DIR=DIR takes the binaries from there instead of building them.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${SLUICE_BIN_DIR:-}" ]; then
  ./scripts/setup.sh
  mkdir -p build
  ./scripts/build.sh --optimised >build/bench.log 2>&1 || {
    grep -E 'error|FAILED' build/bench.log | head -50
    tail -20 build/bench.log
    exit 1
  }
fi
exec python3 bench/run.py --bin "${SLUICE_BIN_DIR:-build/optimised/bin}" "$@"
