import dataclasses

from harness.measure import OUTAGE_FAULT, Column, Pairs, Scenario, gateway
from harness.processes import ARRAYS_100, SINGLE, Bench, Gateway, run_load


def memory(bench: Bench) -> Pairs:
    for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
        for buffer in ("memory", "disk"):
            with gateway(bench, buffer=buffer, max_bytes="64MiB") as (server, simulator):
                empty = server.resident_bytes()
                simulator.set_faults(OUTAGE_FAULT)
                full = dataclasses.replace(load, refusals=True)
                while not refused(server):
                    run_load(bench, server, full, 0.5)
                metrics = server.metrics()
                values = {"buffered": metrics.total("buffer_events"),
                          "buffered_bytes": metrics.total("buffer_bytes"),
                          "rss_empty_bytes": empty,
                          "rss_full_bytes": server.resident_bytes(),
                          "rss_peak_bytes": server.resident_bytes(peak=True)}
                simulator.set_faults()
            yield f"{name}, {buffer}", values


def refused(server: Gateway) -> bool:
    return server.metrics().total("events_rejected_total") > 0


SCENARIO = Scenario(
    "memory",
    "Resident memory with a full buffer of 64 MiB, during an outage.",
    memory,
    (Column("buffered", "events buffered", "rate"), Column("buffered_bytes", "their bytes", "size"),
     Column("rss_empty_bytes", "RSS empty", "size"), Column("rss_full_bytes", "RSS full", "size"),
     Column("rss_peak_bytes", "peak RSS", "size")),
    repetitions_max=1)
