#!/usr/bin/env python3
"""A few hundred events through every route of the gateway, under a tool that watches it.

usage: smoke.py valgrind      no error of memcheck's, nothing lost, a clean end
       smoke.py strace        no system call that docs/security.md does not list
SLUICE_BIN_DIR: where the binaries are
"""

import json
import os
import pathlib
import re
import signal
import sys
import tempfile

import mixed_load
from gateways import ROOT, WORKSPACE_GUID, Gateway, Simulator, eventually, fetch

REQUESTS = 36  # of each producer: four of each kind
START_SECONDS = 120
MEMCHECK = ["valgrind", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite",
            "--fair-sched=yes", "--log-file={folder}/valgrind.log"]
STRACE = ["strace", "-f", "-qq", "-o", "{folder}/strace.log"]
FAULTS = [{"action": "reset_after", "probability": 0.1}, {"action": "status", "status": 503, "probability": 0.1}]


def call(gateway, path, body=None, **headers):
    return fetch(f"http://127.0.0.1:{gateway.port}{path}", body, headers)


def every_route(gateway, simulator):
    """What was acknowledged, and what is wrong."""
    simulator.set_faults(mixed_load.POISON, *FAULTS)
    producers = [mixed_load.Producer(gateway.port, f"p{i}", 1, requests=REQUESTS, patience_s=300) for i in range(2)]
    tally = mixed_load.Tally()
    for producer in producers:
        producer.start()
    admin = f"http://127.0.0.1:{gateway.admin_port}"
    for path in ("/metrics", "/livez", "/readyz", "/status", "/config", "/dlq", "/"):
        assert fetch(admin + path)[0] == 200, path
    status, token = call(gateway, "/v4/auth/login/profile", b'{"apiKey":"shop-key"}',
                         **{"Content-Type": "application/json"})
    assert status == 200, token
    bearer = {"Authorization": "Bearer " + json.loads(token)["token"]}
    assert call(gateway, "/v4/auth/refresh/profile", **bearer)[0] == 200
    assert call(gateway, "/nowhere", b"{}", **bearer)[0] == 404
    tell(gateway, signal.SIGHUP)
    eventually(lambda: "reload" in gateway.text(), 60, "the reload")
    for producer in producers:
        producer.join(500)
        tally.add(producer.tally)
    poisoned = mixed_load.Producer(gateway.port, "poisoned", 1, patience_s=300)
    poisoned.send_all([poisoned.array_with_poison()])
    tally.add(poisoned.tally)
    gateway.wait_until_delivered(300)
    assert fetch(admin + "/dlq")[0] == 200
    return tally


def tell(gateway, number):
    """A signal to the process itself: strace's child, or what valgrind has become."""
    children = pathlib.Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text(encoding="ascii").split()
    os.kill(int(children[0]) if children else gateway.pid, number)


def watch(tool, folder):
    prefix = [part.format(folder=folder) for part in tool]
    with Simulator(folder) as simulator, \
            Gateway(folder, mixed_load.config(simulator.url, WORKSPACE_GUID, timeout="20s"), prefix=prefix,
                    start_seconds=START_SECONDS) as gateway:
        tally = every_route(gateway, simulator)
        metrics = gateway.metrics()
        assert not tally.surprises, tally.surprises
        assert len(tally.requests) == 9, tally.requests
        assert (metrics["events_accepted_total"], metrics.balance()) == (tally.events, 0), metrics.text
        assert simulator.unique_events() == tally.events - tally.poisoned
        tell(gateway, signal.SIGTERM)
        code = gateway.child.wait(timeout=300)
    return tally, code


def valgrind(folder):
    tally, code = watch(MEMCHECK, folder)
    log = pathlib.Path(folder, "valgrind.log").read_text(encoding="utf-8", errors="replace")
    if code != 0:
        sys.exit(f"smoke: ended with {code}\n{log[:20000]}")
    print(f"valgrind: {tally.events} events; {re.search('ERROR SUMMARY: .*', log).group(0)}")


def strace(folder):
    tally, code = watch(STRACE, folder)
    if code != 0:
        sys.exit(f"smoke: ended with {code}")
    log = pathlib.Path(folder, "strace.log").read_text(encoding="utf-8", errors="replace")
    used = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", log, re.MULTILINE))
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    listed = set(re.search(r"## System calls\n.*?\n`([a-z0-9_ ]+)`", text, re.DOTALL).group(1).split())
    print(f"strace: {tally.events} events with {len(used)} system calls")
    if used - listed:
        sys.exit(f"smoke: not listed in docs/security.md: {' '.join(sorted(used - listed))}")


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("valgrind", "strace"):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="sluice-smoke-") as folder:
        {"valgrind": valgrind, "strace": strace}[sys.argv[1]](folder)


if __name__ == "__main__":
    main()
