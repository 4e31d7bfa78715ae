#!/usr/bin/env bash
# Compiles for arm64 with Debian's cross compiler, runs the unit tests and the simulation under qemu-user, and makes the
# Debian package. Installs what that takes, libraries of a second architecture among it: meant for a root of its own,
#   NAME=trixie-arm64 scripts/in_debian.sh trixie ./scripts/arm64.sh
# The build is optimised without a profile: under emulation there is no load to learn from.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/setup.sh --arm64
modules=(base event normalise config metrics queue batch buffer deliver tap net transport deadletter store ingest admin
  runtime simulator cli)
mkdir -p build

# build <preset> <target...>
build() {
  cmake --preset "$1" >/dev/null
  cmake --build --preset "$1" --target "${@:2}" >"build/$1.log" 2>&1 || {
    grep -E 'error|FAILED|warning' "build/$1.log" | head -50
    exit 1
  }
}
build arm64 simulation_test "${modules[@]/%/_test}"
# What starts programs or takes the address space apart is not for an emulator; nor are damaged stores, each of
# which is tried in a process of its own first, as RocksDB may end it.
ctest --preset arm64 --tests-regex '^(unit|simulation\.Simulation)\.' --exclude-regex '\.Corruption\.' \
  --output-on-failure >build/arm64.tests.log 2>&1 || {
  grep -vE ' Passed |^ *Start ' build/arm64.tests.log | tail -150
  exit 1
}
grep 'tests passed' build/arm64.tests.log
build arm64-release sluice synerise-sim
aarch64-linux-gnu-strip build/arm64-release/bin/sluice
./scripts/libraries.sh build/arm64-release/bin/sluice build/arm64-release/bin
(cd build/arm64-release && cpack >../arm64.package.log 2>&1) || {
  tail -20 build/arm64.package.log
  exit 1
}
package=$(sed -n 's/.*package: \(.*\) generated\.$/\1/p' build/arm64.package.log)
dpkg-deb --field "$package" Package Version Architecture Depends
stat -c 'package: %s bytes' "$package"
