"""The scenarios, one a file. Each yields (variant, values) pairs; variants that are compared run one after the
other within a repetition, so that what else happens on the machine meets both.
"""

from harness.measure import Scenario

from . import (arrays, connections, disk, end_to_end, latency, memory, outage_drain, single,
               slow_upstream, threads, tls)

SCENARIOS: tuple[Scenario, ...] = tuple(module.SCENARIO for module in (
    single, arrays, disk, latency, slow_upstream, outage_drain, threads, connections, tls, end_to_end,
    memory))
