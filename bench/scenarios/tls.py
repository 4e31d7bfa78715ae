import subprocess

from harness.measure import CPU_PER_EVENT, P50, P99, SHARES, WHOLE, Pairs, Ratio, Scenario, measured
from harness.processes import ARRAYS_100, SINGLE, Bench


def tls(bench: Bench) -> Pairs:
    certificate, key = str(bench.work_dir / "tls.crt"), str(bench.work_dir / "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
        yield f"{name}, plain", measured(bench, load)
        yield f"{name}, TLS", measured(bench, load, tls=(certificate, key))


SCENARIO = Scenario(
    "tls",
    "TLS 1.3 between producers and gateway, connections kept alive.",
    tls,
    (WHOLE, CPU_PER_EVENT, P50, P99, *SHARES),
    (Ratio("single, TLS", "single, plain", "whole_per_s", "events/s"),
     Ratio("arrays of 100, TLS", "arrays of 100, plain", "whole_per_s", "events/s")),
    repetitions_max=3)
