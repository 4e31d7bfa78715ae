#!/usr/bin/env bash
# Installs every package that Sluice is built, tested and demonstrated with, on Debian 13 and 12, and on
# Ubuntu 24.04 (by its package names; untested). Asks for nothing; does nothing, in well under a second, when
# all of them are there.
#   --full   also what `scripts/test.sh --full` needs; what is no package of the release's goes to build/tools
#   --arm64  instead: what compiles for arm64 and runs the result (scripts/arm64.sh)
set -euo pipefail
cd "$(dirname "$0")/.."

kustomize_version=v5.0.3
kubernetes_validate_version=1.32.0

# What is named differently from release to release.
release=$(. /etc/os-release 2>/dev/null && echo "${ID-} ${VERSION_ID-}") || release=unknown
case "$release" in
  "debian 13") boost=libboost1.88-dev ;;
  "debian 12") boost=libboost1.81-dev ;;
  "ubuntu 24.04")
    boost=libboost1.83-dev
    echo "setup.sh: Ubuntu 24.04 is supported by the names of its packages alone: Sluice is not tested on it" >&2
    ;;
  *)
    echo "setup.sh: this is ${release:-unknown}; Sluice is built on Debian 13, Debian 12 or Ubuntu 24.04:" \
      "use one of these, in a container or a chroot if need be" >&2
    exit 1
    ;;
esac

libraries=(
  "$boost" libsimdjson-dev libconcurrentqueue-dev prometheus-cpp-dev librocksdb-dev
  libyaml-cpp-dev libfmt-dev libxxhash-dev liblz4-dev libzstd-dev zlib1g-dev
  libssl-dev libhowardhinnant-date-dev
  # tests
  libgtest-dev libgmock-dev
)
packages=(
  # build
  g++ cmake ninja-build pkg-config ccache git ca-certificates
  # checks: formatter, linter, and the compiler of the ThreadSanitizer build
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev lld-19 llvm-19
  "${libraries[@]}" libcli11-dev tzdata
  # benchmarks
  libbenchmark-dev valgrind
  # scripts
  curl openssl python3 binutils iproute2
  # cpack
  dpkg-dev file
)
full=false
if [ "${1-}" = --full ]; then
  full=true
  packages+=(buildah mmdebstrap python3-venv chromium strace)
  command -v go >/dev/null || packages+=(golang-go)
  # Not where node comes from elsewhere: Debian's npm conflicts with it.
  command -v npm >/dev/null || packages+=(nodejs npm)
  # The languages of docs/examples/integration; a JRE alone does not run Send.java.
  packages+=(php-cli)
  command -v javac >/dev/null || packages+=(default-jdk-headless)
fi

# Prometheus is taken out of its package, not installed: as a package it would start a server on
# the port of Sluice's admin API. kustomize and the schemas of Kubernetes are in no package.
install_tools() {
  local tools=$PWD/build/tools
  mkdir -p "$tools/bin"
  if [ ! -x "$tools/bin/promtool" ]; then
    (cd "$tools" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb prometheus)
    ln -sf ../prometheus/usr/bin/prometheus ../prometheus/usr/bin/promtool "$tools/bin"
  fi
  if [ ! -x "$tools/bin/kustomize" ]; then
    GOBIN=$tools/bin go install "sigs.k8s.io/kustomize/kustomize/v5@$kustomize_version"
  fi
  if ! "$tools/venv/bin/python" -c 'import kubernetes_validate' 2>/dev/null; then
    /usr/bin/python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install -q "kubernetes-validate==$kubernetes_validate_version"
  fi
}

if [ "${1-}" = --arm64 ]; then
  dpkg --print-foreign-architectures | grep -qx arm64 || dpkg --add-architecture arm64
  # Debian 13 has what runs a foreign program in a package of another name.
  emulator=qemu-user
  [ "$release" = "debian 13" ] || emulator=qemu-user-static
  packages=(g++-aarch64-linux-gnu cmake ninja-build pkg-config ccache git ca-certificates "$emulator"
    libcli11-dev tzdata dpkg-dev file python3 "${libraries[@]/%/:arm64}")
fi

missing=()
installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n${Package}:${Architecture} ${db:Status-Status}\n' \
  "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
  grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  if "$full"; then
    install_tools
  fi
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
if "$full"; then
  install_tools
fi
