from harness.measure import (CPU_PER_EVENT, P50, P99, RSS, SHARES, WHOLE, Column, Pairs, Scenario,
                             measured)
from harness.processes import ARRAYS_100, ARRAYS_1000, BareUpstream, Bench


def arrays(bench: Bench) -> Pairs:
    for name, load in (("arrays of 100", ARRAYS_100), ("arrays of 1,000", ARRAYS_1000)):
        yield f"{name}, simulator", measured(bench, load)
        yield f"{name}, bare upstream", measured(bench, load, upstream=BareUpstream)


SCENARIO = Scenario(
    "arrays",
    "Arrays of mixed events, closed loop, memory buffer, the gateway on one core. The simulator "
    "takes more CPU per event than the gateway, from the core that the generator needs too; a bare "
    "server in its place takes next to none, and keeps nothing. The last column is what one core "
    "does with nothing in its way. Goal: 1,000,000 events/s.",
    arrays,
    (WHOLE, CPU_PER_EVENT, P50, P99, RSS, *SHARES,
     Column("per_cpu_s", "events per CPU second", "rate")),
    repetitions_max=3)
