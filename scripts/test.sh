#!/usr/bin/env bash
# Sets up, builds and passes everything: format, linter, the release with its tests from outside and its
# instruction counts, and all tests under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer.
#   --quick   format, and the release with its tests from outside and its instruction counts
#   --full    also what is shipped, built and tested; the files of deploy/, with Prometheus, kustomize and the
#             schemas of Kubernetes, the package, the image and the console in a browser, all of this script and the
#             package on Debian 13, unit tests, simulation, package and image for arm64, memcheck, the list of
#             system calls, the whole suite under ThreadSanitizer, five minutes of fuzzing for each target and a
#             soak of twenty; installs what that needs with scripts/setup.sh --full. What is shipped, the package and
#             the image are built from nothing
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh
if [ "${1:-}" = --full ]; then
  ./scripts/setup.sh --full
fi

step() {
  printf '\n== %s (%d s)\n' "$*" "$SECONDS"
}

# build_and_test <preset> [<targets> <tests>]: builds the preset (or these targets of it) and runs its tests
# (or those whose name matches).
build_and_test() {
  local preset=$1 targets=${2:-all} tests=${3:-.}
  step "build $preset"
  cmake --preset "$preset" >/dev/null
  # shellcheck disable=SC2086  # a list of targets
  cmake --build --preset "$preset" --target $targets >"build/$preset.log" 2>&1 || {
    grep -E 'error|FAILED|warning' "build/$preset.log" | head -50
    exit 1
  }
  step "test $preset"
  ctest --preset "$preset" --tests-regex "$tests" --output-on-failure >"build/$preset.tests.log" 2>&1 || {
    grep -vE ' Passed |^ *Start ' "build/$preset.tests.log" | tail -150
    exit 1
  }
  grep 'tests passed' "build/$preset.tests.log"
}

mkdir -p build
step "format"
git ls-files '*.cpp' '*.hpp' | xargs clang-format-19 --dry-run --Werror
# What needs speed; linking each test program costs as much as all its sources, so the others have their turn
# under the sanitizers.
build_and_test release 'sluice synerise-sim sluice-micro integration_test simulation_test deliver_test load_test' \
  '^(integration|simulation\.Simulation|unit\.deliver|unit\.load)\.'
step "instructions"
if [ "$(. /etc/os-release && echo "$VERSION_CODENAME")" = bookworm ]; then
  ./bench/instructions.sh >build/instructions.log || {
    grep -E '<--|table|counted' build/instructions.log
    exit 1
  }
else
  echo "skipped: the counts that they are compared with are those of Debian 12's compiler and libraries"
fi
step "hardening"
./scripts/hardening.sh
step "documents"
python3 -m unittest discover -s tests/documents -p '*_test.py'
step "compare JSON with Python"
python3 tests/fuzz/differential.py build/release/bin/sluice
step "whole processes"
whole_processes() {
  python3 -m unittest discover --quiet -s tests/process -p '*_test.py' && ./scripts/soak.sh --seconds 120
}
if [ "${1:-}" = --quick ]; then
  whole_processes
  exit 0
fi
# They wait more than they work: beside them there is time for the linter.
whole_processes >build/processes.log 2>&1 &
processes=$!
step "lint"
./scripts/lint.sh >build/lint.log 2>&1 || {
  grep -E 'error:|warning:|error reading' build/lint.log | head -50
  exit 1
}
wait "$processes" || {
  tail -100 build/processes.log
  exit 1
}
cat build/processes.log
build_and_test asan
if [ "${1:-}" = --full ]; then
  build_and_test tsan
else
  # What runs on several threads; the rest has one, and nothing to race with.
  build_and_test tsan \
    'queue_test buffer_test store_test net_test transport_test ingest_test deadletter_test integration_test chaos_test' \
    '^(integration|chaos|unit\.(queue|buffer|store|net|transport|ingest|deadletter))\.'
fi
step "fuzz"
./scripts/fuzz.sh
if [ "${1:-}" = --full ]; then
  step "build and test what is shipped"
  rm -rf build/training build/optimised build/profile  # from nothing, as whoever ships it does
  ./scripts/build.sh --optimised >build/optimised.log 2>&1 || {
    grep -E 'error|FAILED' build/optimised.log | head -50
    tail -20 build/optimised.log
    exit 1
  }
  ./scripts/hardening.sh build/optimised/bin/sluice
  SLUICE_BIN_DIR=build/optimised/bin python3 -m unittest discover --quiet -s tests/process -p '*_test.py'
  SLUICE_BIN_DIR=build/optimised/bin ./scripts/soak.sh --seconds 120
  step "deploy"
  ./scripts/setup.sh --full
  ./scripts/test_deploy.sh
  step "package"
  ./scripts/package.sh
  step "image"
  ./scripts/image.sh
  step "Debian 13"
  ./scripts/in_debian.sh trixie './scripts/test.sh && ./scripts/build.sh --optimised && ./scripts/package.sh'
  step "arm64"
  NAME=trixie-arm64 ./scripts/in_debian.sh trixie ./scripts/arm64.sh
  ./scripts/image.sh --prebuilt build/debian/trixie-arm64.build/arm64-release/bin/sluice trixie arm64
  step "memcheck"
  python3 tests/process/smoke.py valgrind
  step "system calls"
  python3 tests/process/smoke.py strace
  step "console"
  npm ci --prefix tests/console --silent --no-audit --no-fund
  node tests/console/console_test.mjs "$PWD/build/release/bin"
  step "fuzz for long"
  ./scripts/fuzz.sh --long
  step "soak for long"
  ./scripts/soak.sh
fi
step "all passed"
