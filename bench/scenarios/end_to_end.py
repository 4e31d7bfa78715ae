import dataclasses

from harness.measure import WHOLE, Column, Pairs, Scenario, measured
from harness.processes import ARRAYS_100, Bench


def end_to_end(bench: Bench) -> Pairs:
    load = dataclasses.replace(ARRAYS_100, rate_per_s=500)
    for buffer in ("memory", "disk"):
        for linger in ("0ms", "100ms"):
            yield f"{buffer}, linger {linger}", measured(bench, load, buffer=buffer, linger=linger)


SCENARIO = Scenario(
    "end-to-end",
    "From the acceptance of an event to the upstream's acknowledgement, at 50,000 events/s in "
    "arrays of 100, open loop; from the buckets of sluice_end_to_end_seconds, the lowest of which "
    "ends at 5 ms.",
    end_to_end,
    (WHOLE, Column("end_to_end_mean_s", "mean", "time"), Column("end_to_end_p50_s", "p50", "time"),
     Column("end_to_end_p99_s", "p99", "time")),
    repetitions_max=2)
