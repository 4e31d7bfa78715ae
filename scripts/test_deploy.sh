#!/usr/bin/env bash
# Checks the files of deploy/ with the release build and the tools of scripts/setup.sh --full.
# SLUICE_BIN_DIR=DIR takes other binaries.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/build/tools
export SLUICE_BIN_DIR=${SLUICE_BIN_DIR:-$PWD/build/release/bin} PATH=$tools/bin:$PATH
cd tests/deploy
exec "$tools/venv/bin/python" -m unittest discover --pattern '*_test.py'
