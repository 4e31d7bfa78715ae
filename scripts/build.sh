#!/usr/bin/env bash
# Builds the release: build/release/bin/{sluice,synerise-sim,sluice-load}.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh
cmake --preset release >/dev/null
cmake --build --preset release --target sluice synerise-sim sluice-load
