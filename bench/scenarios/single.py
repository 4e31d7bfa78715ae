import dataclasses

from harness.measure import (CPU_PER_EVENT, P50, P99, SHARES, WHOLE, Pairs, Ratio, Scenario, bare,
                             measured)
from harness.processes import SINGLE, Bench


def single(bench: Bench) -> Pairs:
    for pipeline in (1, 16):
        load = dataclasses.replace(SINGLE, pipeline=pipeline)
        suffix = "" if pipeline == 1 else f", pipeline {pipeline}"
        yield "bare server" + suffix, bare(bench, load)
        yield "sluice" + suffix, measured(bench, load)


SCENARIO = Scenario(
    "single",
    "Single-event POSTs over 64 connections, closed loop; the gateway with all its threads on the "
    "core that the bare Beast server has in its turn.",
    single,
    (WHOLE, CPU_PER_EVENT, P50, P99, *SHARES),
    (Ratio("sluice", "bare server", "whole_per_s", "events/s", "0.8 or more"),
     Ratio("sluice, pipeline 16", "bare server, pipeline 16", "whole_per_s", "events/s"),
     Ratio("sluice", "bare server", "accepted_per_s", "answers/s while the load lasts"),
     Ratio("sluice", "bare server", "cpu_s_per_event", "CPU per event", "1.25 or less")))
