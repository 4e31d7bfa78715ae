#!/usr/bin/env bash
# Shows Sluice at work on this machine: builds it, starts it in front of a stand-in for Synerise,
# replays a day of a web shop through it, and prints what became of every event. Fails when one is
# missing.
#
#   ./scripts/demo.sh          everything it started is stopped and removed again
#   ./scripts/demo.sh --keep   both keep running, to be looked at
#
# SLUICE_BIN_DIR=DIR takes the binaries from there instead of building them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: $0 [--keep]"
keep=false
case "$#:${1-}" in
  0:) ;;
  1:--keep) keep=true ;;
  1:-h | 1:--help) echo "$usage"; exit 0 ;;
  *) echo "$usage" >&2; exit 64 ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-demo.XXXXXX")
touch "$work/synerise-sim.log" "$work/sluice.log"
started=()

cleanup() {
  local status=$?
  trap - EXIT
  if [ "$status" -eq 0 ] && "$keep"; then
    return
  fi
  if [ ${#started[@]} -gt 0 ]; then
    kill "${started[@]}" 2>/dev/null || true
    wait "${started[@]}" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fail MESSAGE [LOG]: says what is wrong, with the end of a log.
fail() {
  echo "demo.sh: $1" >&2
  if [ -n "${2-}" ]; then
    tail -n 20 "$2" >&2
  fi
  exit 1
}

# wait_for PID LOG PATTERN: prints what the first group of PATTERN matches in LOG, once it is there.
wait_for() {
  local deadline=$((SECONDS + 20)) found
  while [ "$SECONDS" -lt "$deadline" ]; do
    found=$(sed -nE "s|.*$3.*|\1|p" "$2" | head -n 1)
    if [ -n "$found" ]; then
      echo "$found"
      return
    fi
    kill -0 "$1" 2>/dev/null || fail "it ended at once:" "$2"
    sleep 0.05
  done
  fail "it did not start within 20 s:" "$2"
}

if [ -n "${SLUICE_BIN_DIR-}" ]; then
  bin=$SLUICE_BIN_DIR
else
  bin=build/release/bin
  echo "Building (some minutes the first time, seconds after that) ..."
  ./scripts/build.sh >"$work/build.log" 2>&1 || fail "the build failed:" "$work/build.log"
fi
for program in sluice synerise-sim; do
  [ -x "$bin/$program" ] || fail "$bin/$program is not there"
done

# The stand-in refuses one product for its content, and is out of order for its first two batches.
guid=01234567-89ab-cdef-0123-456789abcdef
"$bin/synerise-sim" --listen 127.0.0.1:0 --workspace "$guid:demo-key" \
  --fault 'poison,pointer=/params/sku,equals=RECALLED-042' --fault 'status=503,count=2' \
  >"$work/synerise-sim.log" 2>&1 &
simulator_pid=$!
started+=("$simulator_pid")
upstream=$(wait_for "$simulator_pid" "$work/synerise-sim.log" 'listening on (http:[^ ]*)')

SLUICE_DEMO_LISTEN=127.0.0.1:0 SLUICE_DEMO_ADMIN=127.0.0.1:0 SLUICE_DEMO_UPSTREAM=$upstream \
  SLUICE_DEMO_GUID=$guid SLUICE_DEMO_KEY=demo-key SLUICE_DEMO_DIR=$work \
  "$bin/sluice" serve --config config/demo.yaml >"$work/sluice.log" 2>&1 &
sluice_pid=$!
started+=("$sluice_pid")
ingest=http://$(wait_for "$sluice_pid" "$work/sluice.log" 'taking events address="([^"]*)"')
admin=http://$(wait_for "$sluice_pid" "$work/sluice.log" 'ready admin="([^"]*)"')

cat <<END
A day of a web shop goes through Sluice into a stand-in for Synerise: page views, carts, purchases, rows of
invoices. Some events are broken, one request is sent twice. The stand-in answers 503 to the first two batches,
and refuses one product.

END
python3 scripts/demo/replay.py --ingest "$ingest" --admin "$admin" --simulator "$upstream" ||
  fail "the demonstration did not come out as it should; the gateway said:" "$work/sluice.log"

# On its way out the gateway delivers what is left; 0 says that nothing was.
if ! "$keep"; then
  kill "$sluice_pid"
  wait "$sluice_pid" || fail "the gateway did not stop cleanly:" "$work/sluice.log"
  started=("$simulator_pid")
fi

echo
if "$keep"; then
  cat <<END
Both keep running. Where to look:
  $admin/                                 the console, in a browser
  curl $admin/metrics                     # every count, for Prometheus
  curl $admin/status                      # the same for people, lane by lane
  curl '$upstream/sim/ledger?limit=3'        # what the stand-in has stored
  curl $upstream/sim/stats                   # what it was sent
  less $work/sluice.log
  less $work/dead-letter/dead-letters-*.jsonl
Stop both and remove their files:
  kill $sluice_pid $simulator_pid; rm -r $work
END
else
  cat <<END
To look at it: ./scripts/demo.sh --keep leaves both running, and prints the addresses of the console, the
metrics, and what the stand-in has stored.
END
fi
cat <<END

Next: send an event by hand (README.md), change the base URL of a back end (docs/integration.md), or deliver to
a real workspace (docs/getting-started.md):
  export SYNERISE_BASE_URL=https://api.synerise.com
  export SYNERISE_WORKSPACE_GUID=...
  export SYNERISE_API_KEY=...
  $bin/sluice serve --config config/sluice.env.yaml
END
