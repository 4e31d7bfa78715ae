import dataclasses

from harness.measure import P50, P99, RSS, WHOLE, Column, Pairs, Scenario, gateway, whole_path
from harness.processes import ARRAYS_100, Bench


def slow_upstream(bench: Bench) -> Pairs:
    load = dataclasses.replace(ARRAYS_100, rate_per_s=200)
    faults = {"none": [],
              "25 to 75 ms": [{"latency_min_ms": 25, "latency_max_ms": 75}],
              "100 to 300 ms": [{"latency_min_ms": 100, "latency_max_ms": 300}],
              "200 ms, exponential": [{"latency_mean_ms": 200}]}
    for name, latency_faults in faults.items():
        with gateway(bench) as (server, simulator):
            simulator.set_faults(*({"action": "latency", **fault} for fault in latency_faults))
            # It takes seconds until as many requests are under way as such an upstream needs.
            seconds = None if bench.quick else max(bench.seconds, 10)
            yield name, whole_path(bench, server, simulator, load, seconds)


SCENARIO = Scenario(
    "slow-upstream",
    "20,000 events/s in arrays of 100, open loop, while each of the upstream's answers takes so "
    "long: evenly spread, or exponential with that mean.",
    slow_upstream,
    (WHOLE, P50, P99, Column("end_to_end_p50_s", "end to end p50", "time"),
     Column("end_to_end_p99_s", "p99", "time"), RSS),
    repetitions_max=1)
