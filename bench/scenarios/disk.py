from harness.measure import (CPU_PER_EVENT, P50, P99, RSS, SHARES, WHOLE, Pairs, Ratio, Scenario,
                             measured)
from harness.processes import ARRAYS_100, BareUpstream, Bench, Simulator


def disk(bench: Bench) -> Pairs:
    for name, upstream in (("simulator", Simulator), ("bare upstream", BareUpstream)):
        for buffer in ("memory", "disk"):
            yield f"{buffer}, {name}", measured(bench, ARRAYS_100, buffer=buffer, upstream=upstream)


SCENARIO = Scenario(
    "disk",
    "Arrays of 100, closed loop: each 202 of `disk` is on stable storage. Before the simulator, and "
    "before a bare server, which leaves the gateway alone to be measured.",
    disk,
    (WHOLE, CPU_PER_EVENT, P50, P99, RSS, *SHARES),
    tuple(Ratio(f"disk, {name}", f"memory, {name}", "whole_per_s", "events/s", "0.6 or more")
          for name in ("simulator", "bare upstream")))
