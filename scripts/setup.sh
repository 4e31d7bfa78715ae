#!/usr/bin/env bash
# Installs every Debian 12 package that Sluice is built, tested and demonstrated with. Asks for nothing;
# does nothing, in well under a second, when all of them are there.
set -euo pipefail

packages=(
  # build
  g++ cmake ninja-build pkg-config ccache git ca-certificates
  # checks: formatter, linter, and the compiler of the ThreadSanitizer build
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev lld-19 llvm-19
  # libraries
  libboost1.81-dev libsimdjson-dev libconcurrentqueue-dev prometheus-cpp-dev librocksdb-dev
  libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev libxxhash-dev libzstd-dev zlib1g-dev
  libssl-dev libhowardhinnant-date-dev tzdata
  # tests and benchmarks
  libgtest-dev libgmock-dev libbenchmark-dev
  # scripts
  curl openssl python3 binutils
)

missing=()
installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
  grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup.sh: these packages are missing and this is neither root nor has sudo: ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
echo "setup.sh: installing ${#missing[@]} packages" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
