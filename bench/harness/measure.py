"""What scenarios are made of: how a gateway is loaded and what is read of it, and what a scenario says of
itself. Values are in base units: seconds, bytes, events. `whole_path` is the measure of throughput: from
the first event sent to the last one acknowledged upstream.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from .processes import (ARRAYS_100, BareServer, Bench, Failed, Gateway, Load, Simulator, Upstream,
                        run_load)

Values = dict[str, float]
Pairs = Iterator[tuple[str, Values]]
OUTAGE_FAULT = {"action": "status", "status": 503}


@dataclasses.dataclass(frozen=True)
class Column:
    key: str
    head: str
    unit: str  # see report.py


@dataclasses.dataclass(frozen=True)
class Ratio:
    """values[of][key] / values[to][key] within each repetition."""

    of: str
    to: str
    key: str
    of_what: str
    goal: str = ""


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    run: Callable[[Bench], Pairs]
    columns: tuple[Column, ...]
    ratios: tuple[Ratio, ...] = ()
    repetitions_max: int = 100


# Columns that many have.
WHOLE = Column("whole_per_s", "events/s, whole path", "rate")
CPU_PER_EVENT = Column("cpu_s_per_event", "CPU per event", "time")
P50 = Column("p50_s", "p50", "time")
P99 = Column("p99_s", "p99", "time")
P999 = Column("p999_s", "p99.9", "time")
RSS = Column("rss_peak_bytes", "peak RSS", "size")
SHARES = (Column("gateway_cpu_share", "CPU of gateway", "share"),
          Column("generator_cpu_share", "of generator", "share"),
          Column("upstream_cpu_share", "of upstream", "share"))


@contextlib.contextmanager
def gateway(bench: Bench, upstream: type[Upstream] = Simulator, **options):
    """A gateway before an upstream, warmed up; leaving it checks that every event has arrived."""
    with upstream(bench) as other, Gateway(bench, other, **options) as server:
        run_load(bench, server, ARRAYS_100, 0.2)
        server.wait_until_delivered()
        yield server, other
        server.wait_until_delivered()
        server.check_accounts(other)


def latencies(report: dict) -> Values:
    quantiles = report["latency_seconds"]
    return {"p50_s": quantiles["p50"], "p99_s": quantiles["p99"], "p999_s": quantiles["p99.9"]}


def whole_path(bench: Bench, server: Gateway, upstream: Upstream, load: Load,
               seconds: float | None = None) -> Values:
    """Loads the gateway, and waits until all of it is delivered."""
    before, cpu, upstream_cpu = server.metrics(), server.cpu_s(), upstream.cpu_s()
    report = run_load(bench, server, load, seconds)
    drain_s = server.wait_until_delivered()
    after = server.metrics()
    events = after.total("events_accepted_total") - before.total("events_accepted_total")
    if events != report["accepted"]:
        raise Failed(f"the generator counts {report['accepted']} accepted events, "
                     f"the gateway {events}")
    load_s = report["measured_seconds"]
    elapsed_s = load_s + drain_s
    cpu_s = server.cpu_s() - cpu
    return {
        "events": events,
        "requests_per_s": report["requests_per_second"],
        "accepted_per_s": events / load_s,
        "whole_per_s": events / elapsed_s,
        "drain_s": drain_s,
        "cpu_s_per_event": cpu_s / events,
        "per_cpu_s": events / cpu_s,
        "gateway_cpu_share": cpu_s / elapsed_s,
        "generator_cpu_share": report["generator_cpu_seconds"] / load_s,
        "upstream_cpu_share": (upstream.cpu_s() - upstream_cpu) / elapsed_s,
        "rss_peak_bytes": server.resident_bytes(peak=True),
        "end_to_end_mean_s": after.mean_since(before, "end_to_end_seconds"),
        "end_to_end_p50_s": after.quantile_since(before, "end_to_end_seconds", 0.5),
        "end_to_end_p99_s": after.quantile_since(before, "end_to_end_seconds", 0.99),
        **latencies(report),
    }


def bare(bench: Bench, load: Load) -> Values:
    with BareServer(bench) as server:
        run_load(bench, server, load, 0.2)
        cpu = server.cpu_s()
        report = run_load(bench, server, load)
        events, load_s = report["events"], report["measured_seconds"]
        return {
            "events": events,
            "accepted_per_s": report["events_per_second"],
            "whole_per_s": report["events_per_second"],
            "cpu_s_per_event": (server.cpu_s() - cpu) / events,
            "gateway_cpu_share": (server.cpu_s() - cpu) / load_s,
            "generator_cpu_share": report["generator_cpu_seconds"] / load_s,
            **latencies(report),
        }


def measured(bench: Bench, load: Load, seconds: float | None = None, **options) -> Values:
    with gateway(bench, **options) as (server, simulator):
        return whole_path(bench, server, simulator, load, seconds)
