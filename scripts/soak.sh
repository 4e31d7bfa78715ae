#!/usr/bin/env bash
# A mixed load against the released gateway, in disk mode, with an upstream that misbehaves all the time; at its
# end every event is accounted for and counts once, memory has not grown, and nothing is left open.
#   --seconds N   how long (1200); --seed N to have the same load and faults again
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 tests/process/soak.py --seconds 1200 "$@"
