from harness.measure import CPU_PER_EVENT, P50, P99, SHARES, WHOLE, Pairs, Ratio, Scenario, measured
from harness.processes import ARRAYS_100, SINGLE, Bench, make_certificate


def tls(bench: Bench) -> Pairs:
    certificate = make_certificate(bench.work_dir)
    for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
        yield f"{name}, plain", measured(bench, load)
        yield f"{name}, TLS", measured(bench, load, tls=certificate)


SCENARIO = Scenario(
    "tls",
    "TLS 1.3 between producers and gateway, connections kept alive.",
    tls,
    (WHOLE, CPU_PER_EVENT, P50, P99, *SHARES),
    (Ratio("single, TLS", "single, plain", "whole_per_s", "events/s"),
     Ratio("arrays of 100, TLS", "arrays of 100, plain", "whole_per_s", "events/s")),
    repetitions_max=3)
