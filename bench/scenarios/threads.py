import os

from harness.measure import CPU_PER_EVENT, P99, SHARES, WHOLE, Pairs, Scenario, measured
from harness.processes import ARRAYS_100, SINGLE, Bench


def threads(bench: Bench) -> Pairs:
    for count in range(1, min(os.cpu_count() or 1, 8) + 1):
        cores = f"0-{count - 1}"
        for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
            yield f"{name}, {count}", measured(bench, load, threads=count, cores=cores)


SCENARIO = Scenario(
    "threads",
    "Ingest threads, each with a core, the first of which is core 0. The load and the simulator "
    "keep theirs: with as many threads as cores they share it.",
    threads,
    (WHOLE, CPU_PER_EVENT, P99, *SHARES),
    repetitions_max=2)
