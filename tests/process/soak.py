#!/usr/bin/env python3
"""A mixed load for a while, with an upstream that misbehaves all the time: at its end every event is
accounted for and counts once, memory has not grown, and nothing is left open.

usage: soak.py [--seconds 45] [--seed N]      SLUICE_BIN_DIR: where the binaries are
"""

import argparse
import random
import statistics
import sys
import tempfile
import time

import mixed_load
from gateways import WORKSPACE_GUID, Gateway, Simulator, eventually

PRODUCERS = 4
# A workspace that is parked while everything else fails as well is probed once a minute at last, and its
# producers are told for so long that the buffer is full.
PATIENCE_S = 600
FAULTS = [
    {"action": "status", "status": 429, "probability": 0.5, "retry_after": 1},
    {"action": "status", "status": 503, "probability": 0.5},
    {"action": "status", "status": 500},
    {"action": "reset_before", "probability": 0.4},
    {"action": "reset_after", "probability": 0.4},
    {"action": "hang", "hang_ms": 3000, "probability": 0.3},
    {"action": "slow_body", "slow_ms": 300, "probability": 0.5},
    {"action": "cut_body", "probability": 0.4},
    {"action": "malformed", "probability": 0.4},
    {"action": "revoke", "count": 1},
    {"action": "latency", "latency_mean_ms": 50},
    {"action": "rate_limit", "rate_limit": 20},
]
CALM = 0.5  # of the time
# The median of the last quarter against that of the second: so much comes and goes with the allocator. In a
# short run RocksDB's write buffers, of 32 MiB each, are still being filled for the first time.
RSS_GROWTH_ALLOWED = 1.10
RSS_GROWTH_ALLOWED_BYTES = 8 << 20
RSS_GROWTH_ALLOWED_SHORT_BYTES = 72 << 20
SHORT_SECONDS = 600


def misbehave(gateway, simulator, seconds, rng):
    """The load's time, with another fault every second or so; samples of the resident set."""
    samples = []
    begin = time.monotonic()
    fault_until = begin
    while (now := time.monotonic()) < begin + seconds:
        if now >= fault_until:
            fault = [] if rng.random() < CALM else [rng.choice(FAULTS)]
            simulator.set_faults(mixed_load.POISON, *fault)
            fault_until = now + 0.3 + 1.2 * rng.random()
        samples.append(gateway.resident_bytes())
        time.sleep(0.1)
    simulator.set_faults(mixed_load.POISON)
    return samples


def warm_up(gateway, simulator, seed):
    """Until what stays open is open: the file of dead letters, connections to the upstream."""
    simulator.set_faults(mixed_load.POISON)
    producer = mixed_load.Producer(gateway.port, "first", seed)
    producer.send_all([producer.array_with_poison()])
    gateway.wait_until_delivered()
    return producer.tally


def check(holds, what, violations):
    if not holds:
        violations.append(what)


def check_accounts(gateway, simulator, tally, violations):
    metrics = gateway.metrics()
    unique = simulator.unique_events()
    accepted, delivered, dead = (int(metrics[f"events_{name}_total"])
                                 for name in ("accepted", "delivered", "dead_lettered"))
    buffered = int(metrics["buffer_events"])
    print(f"accepted {accepted} = delivered {delivered} + dead-lettered {dead} + buffered {buffered}; "
          f"acknowledged to the producers {tally.events}, of them poison {tally.poisoned}; "
          f"unique upstream {unique}")
    check(accepted == delivered + dead + buffered, "accepted = delivered + dead-lettered + buffered", violations)
    check(metrics.balance() == 0 and metrics["buffer_events_lost_total"] == 0, "nothing is lost", violations)
    check(accepted == tally.events, "what was acknowledged was accepted once", violations)
    check(dead == tally.poisoned and dead > 0, "the poison, and nothing else, is a dead letter", violations)
    check(simulator.stats()["salt_conflicts"] == 0, "a salt stands for one event", violations)
    check(unique == accepted - dead, "what was accepted counts once upstream", violations)


def check_memory(samples, seconds, violations):
    quarter = len(samples) // 4
    second, last = (statistics.median(samples[at * quarter:(at + 1) * quarter]) for at in (1, 3))
    eighths = [statistics.median(samples[at * quarter // 2:(at + 1) * quarter // 2]) for at in range(8)]
    print(f"resident: median {second / 2**20:.1f} MiB in the second quarter, {last / 2**20:.1f} MiB in the last; "
          f"in MiB by eighths {[round(median / 2**20, 1) for median in eighths]}")
    more = RSS_GROWTH_ALLOWED_SHORT_BYTES if seconds < SHORT_SECONDS else RSS_GROWTH_ALLOWED_BYTES
    check(last <= second * RSS_GROWTH_ALLOWED + more, "memory has not grown", violations)


def check_descriptors(gateway, simulator, before, violations):
    """But for the connections to the upstream that are kept for the next load, as many as at the start."""
    after = []

    def is_back():
        after[:] = open_but_for_upstream(gateway, simulator)
        return len(after) <= len(before)
    try:
        eventually(is_back, 20, "what was opened is closed")
    except AssertionError:
        violations.append(f"what was opened is closed: at the start {sorted(before)}, now {sorted(after)}")
    print(f"open at the start {len(before)}, at the end {len(after)}, connections to the upstream left out")


def open_but_for_upstream(gateway, simulator):
    """What is open, without as many connections to the upstream as the gateway says that it keeps, and without
    those over which it says so, which are closed a moment later."""
    kept = int(gateway.metrics()["upstream_connections"])
    to_upstream, others = [], []
    for target in sorted(gateway.descriptors()):
        if target.startswith(f"socket:{gateway.admin_port}-"):
            continue
        (to_upstream if f"-{simulator.url.rpartition(':')[2]} " in target else others).append(target)
    return to_upstream[kept:] + others


def soak(folder, seconds, seed):
    violations = []
    rng = random.Random(seed)
    with Simulator(folder, "--seed", str(seed)) as simulator, \
            Gateway(folder, mixed_load.config(simulator.url, WORKSPACE_GUID)) as gateway:
        tally = warm_up(gateway, simulator, seed)
        before = open_but_for_upstream(gateway, simulator)
        producers = [mixed_load.Producer(gateway.port, f"p{i}", seed, patience_s=PATIENCE_S)
                     for i in range(PRODUCERS)]
        for producer in producers:
            producer.start()
        samples = misbehave(gateway, simulator, seconds, rng)
        for producer in producers:
            producer.end()
        for producer in producers:
            producer.join(PATIENCE_S)
            tally.add(producer.tally)
        gateway.wait_until_delivered(PATIENCE_S)
        print(f"{sum(tally.requests.values())} requests {tally.requests}, {tally.given_up} not waited for; "
              f"faults {simulator.stats()['faults']}")
        violations += tally.surprises
        check(len(tally.requests) == 9, "there was some of each kind", violations)
        check_accounts(gateway, simulator, tally, violations)
        check_memory(samples, seconds, violations)
        check_descriptors(gateway, simulator, before, violations)
        check(gateway.stop() == 0, "it stops in order", violations)
    return violations


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"soak: {asked.seconds:.0f} s, seed {asked.seed}")
    with tempfile.TemporaryDirectory(prefix="sluice-soak-") as folder:
        violations = soak(folder, asked.seconds, asked.seed)
    for violation in violations:
        print(f"soak: broken: {violation}", file=sys.stderr)
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
