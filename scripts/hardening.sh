#!/usr/bin/env bash
# Checks that the binaries as they are shipped have the hardening that docs/security.md promises.
#   hardening.sh [BINARY...]   default: those of the release
set -euo pipefail
cd "$(dirname "$0")/.."
binaries=("$@")
[ $# -gt 0 ] || binaries=(build/release/bin/sluice)
failed=0

# expect <binary> <what> <pattern> <text>: the text must have a line with the pattern.
expect() {
  grep -qE -- "$3" <<<"$4" || {
    echo "hardening.sh: $1 has no $2" >&2
    failed=1
  }
}

for binary in "${binaries[@]}"; do
  header=$(readelf -hW "$binary")
  segments=$(readelf -lW "$binary")
  dynamic=$(readelf -dW "$binary")
  symbols=$(readelf -W --dyn-syms "$binary")
  expect "$binary" "position-independent code (PIE)" 'Type: +DYN' "$header"
  expect "$binary" "RELRO" 'GNU_RELRO' "$segments"
  expect "$binary" "immediate binding, for full RELRO" 'FLAGS.*(BIND_)?NOW' "$dynamic"
  expect "$binary" "stack that is not executable" 'GNU_STACK.* RW +0x' "$segments"
  expect "$binary" "stack protector" '__stack_chk_fail' "$symbols"
  expect "$binary" "fortified calls" '__[a-z]+_chk@' "$symbols"
  # Not by the note, which the linker leaves out as soon as one object of a library has none.
  if [ "$(uname -m)" = x86_64 ]; then
    landings=$(LC_ALL=C grep -aoP '\xf3\x0f\x1e\xfa' "$binary" | wc -l)
    if [ "$landings" -lt 100 ]; then
      echo "hardening.sh: $binary has no instructions of control-flow protection (CET)" >&2
      failed=1
    fi
  fi
  if grep -qE 'RPATH|RUNPATH' <<<"$dynamic"; then
    echo "hardening.sh: $binary looks for libraries at a path of its own" >&2
    failed=1
  fi
done
[ "$failed" = 0 ] && echo "hardened: ${binaries[*]}"
exit "$failed"
