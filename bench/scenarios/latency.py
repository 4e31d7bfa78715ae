import dataclasses

from harness.measure import (P50, P99, P999, SHARES, WHOLE, Column, Pairs, Scenario, gateway,
                             whole_path)
from harness.processes import ARRAYS_100, SINGLE, BareUpstream, Bench, Simulator


def latency(bench: Bench) -> Pairs:
    for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
        for buffer in ("memory", "disk"):
            for other, upstream in (("simulator", Simulator), ("bare upstream", BareUpstream)):
                with gateway(bench, upstream, buffer=buffer) as (server, running):
                    saturated = whole_path(bench, server, running, load, bench.seconds / 2)
                    half = saturated["whole_per_s"] / load.batch / 2
                    values = whole_path(bench, server, running,
                                        dataclasses.replace(load, rate_per_s=half))
                    values["saturation_per_s"] = saturated["whole_per_s"]
                yield f"{name}, {buffer}, {other}", values


SCENARIO = Scenario(
    "latency",
    "From a request's due time to its answer, open loop with Poisson arrivals at half of the rate "
    "that the closed loop reached just before (whole path). While the simulator works through a "
    "batch the generator, which has the same core, sends late, and that counts; a bare server in "
    "its place leaves the gateway to be measured. Goals: p99 below 2 ms in memory, below "
    "10 ms on disk.",
    latency,
    (Column("saturation_per_s", "saturation, events/s", "rate"), WHOLE, P50, P99, P999, *SHARES),
    repetitions_max=3)
