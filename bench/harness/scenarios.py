"""The scenarios. Each yields (variant, values) pairs; variants that are compared run one after the
other within a repetition, so that what else happens on the machine meets both.

Values are in base units: seconds, bytes, events. `whole_path` is the measure of throughput: from the
first event sent to the last one acknowledged upstream.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

from .processes import (ARRAYS_100, ARRAYS_1000, SINGLE, BareServer, BareUpstream, Bench, Failed,
                        Gateway, Load, Simulator, Upstream, run_load)

Values = dict[str, float]
Pairs = Iterator[tuple[str, Values]]
OUTAGE_FAULT = {"action": "status", "status": 503}
RECOVERY_DEADLINE_S = 90  # the circuit breaker asks at least once a minute


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


def single(bench: Bench) -> Pairs:
    for pipeline in (1, 16):
        load = dataclasses.replace(SINGLE, pipeline=pipeline)
        suffix = "" if pipeline == 1 else f", pipeline {pipeline}"
        yield "bare server" + suffix, bare(bench, load)
        yield "sluice" + suffix, measured(bench, load)


def arrays(bench: Bench) -> Pairs:
    for name, load in (("arrays of 100", ARRAYS_100), ("arrays of 1,000", ARRAYS_1000)):
        yield f"{name}, simulator", measured(bench, load)
        yield f"{name}, bare upstream", measured(bench, load, upstream=BareUpstream)


def disk(bench: Bench) -> Pairs:
    for name, upstream in (("simulator", Simulator), ("bare upstream", BareUpstream)):
        for buffer in ("memory", "disk"):
            yield f"{buffer}, {name}", measured(bench, ARRAYS_100, buffer=buffer, upstream=upstream)


def latency(bench: Bench) -> Pairs:
    for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
        for buffer in ("memory", "disk"):
            with gateway(bench, buffer=buffer) as (server, simulator):
                saturated = whole_path(bench, server, simulator, load, bench.seconds / 2)
                half = saturated["whole_per_s"] / load.batch / 2
                values = whole_path(bench, server, simulator,
                                    dataclasses.replace(load, rate_per_s=half))
                values["saturation_per_s"] = saturated["whole_per_s"]
            yield f"{name}, {buffer}", values


def slow_upstream(bench: Bench) -> Pairs:
    load = dataclasses.replace(ARRAYS_100, rate_per_s=200)
    faults = {"none": [],
              "25 to 75 ms": [{"latency_min_ms": 25, "latency_max_ms": 75}],
              "100 to 300 ms": [{"latency_min_ms": 100, "latency_max_ms": 300}],
              "200 ms, exponential": [{"latency_mean_ms": 200}]}
    for name, latency_faults in faults.items():
        with gateway(bench) as (server, simulator):
            simulator.set_faults(*({"action": "latency", **fault} for fault in latency_faults))
            yield name, whole_path(bench, server, simulator, load)


def outage_drain(bench: Bench) -> Pairs:
    backlog = 300_000 if bench.quick else 5_000_000
    with gateway(bench, buffer="disk", max_bytes="32GiB") as (server, simulator):
        steady = whole_path(bench, server, simulator, ARRAYS_100)
        simulator.set_faults(OUTAGE_FAULT)
        filled = 0.0
        while server.metrics().total("buffer_events") < backlog:
            filled = run_load(bench, server, ARRAYS_100, 2)["events_per_second"]
        waiting = server.metrics().total("buffer_events")
        feed = dataclasses.replace(ARRAYS_100, rate_per_s=steady["whole_per_s"] / 100 / 5)
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            fed = pool.submit(feed_until, stop, bench, server, feed)
            try:
                values = drain(server, simulator)
            finally:
                stop.set()
            values |= {f"{key}_s": max(report["latency_seconds"][key] for report in fed.result())
                       for key in ("p99", "max")}
        values |= {"backlog": waiting, "accepted_per_s": filled,
                   "steady_per_s": steady["whole_per_s"],
                   "drain_ratio": values["whole_per_s"] / steady["whole_per_s"],
                   "rss_peak_bytes": server.resident_bytes(peak=True)}
        yield "disk", values


def feed_until(stop: threading.Event, bench: Bench, server: Gateway, load: Load) -> list[dict]:
    reports = [run_load(bench, server, load, 1)]
    while not stop.is_set():
        reports.append(run_load(bench, server, load, 1))
    return reports


def drain(server: Gateway, simulator: Simulator) -> Values:
    """Ends the outage; the backlog is gone once the oldest event is of the last two seconds."""
    delivered_before = server.metrics().total("events_delivered_total")
    ended = time.monotonic()
    simulator.set_faults()
    server.wait_for(
        lambda: server.metrics().total("events_delivered_total") > delivered_before,
        "recovery", RECOVERY_DEADLINE_S)
    begun = time.monotonic()
    at_begin = server.metrics().total("events_delivered_total")
    server.wait_for(lambda: server.metrics().total("buffer_oldest_event_age_seconds") < 2,
                    "the drain", 300, interval_s=0.1)
    seconds = time.monotonic() - begun
    events = server.metrics().total("events_delivered_total") - at_begin
    return {"whole_per_s": events / seconds, "drain_s": seconds, "recovery_s": begun - ended}


def threads(bench: Bench) -> Pairs:
    for count in range(1, min(os.cpu_count() or 1, 8) + 1):
        cores = f"0-{count - 1}"
        for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
            yield f"{name}, {count}", measured(bench, load, threads=count, cores=cores)


def connections(bench: Bench) -> Pairs:
    for count in (64, 1_000, 2_000 if bench.quick else 10_000):
        with gateway(bench) as (server, simulator):
            load = dataclasses.replace(SINGLE, connections=count)
            values = whole_path(bench, server, simulator, load)
        if count >= 1_000:  # of fewer, nothing can be seen beside what else changes
            with gateway(bench) as (server, _):
                values["idle_bytes"] = bytes_per_idle_connection(server, count)
        yield f"{count:,}", values


def bytes_per_idle_connection(server: Gateway, count: int) -> float:
    """Of connections that have carried a request and wait for the next."""
    body = (b'{"action":"bench.idle","label":"idle","client":{"customId":"idle"},"params":{}}')
    request = (b"POST /v4/events/custom HTTP/1.1\r\nHost: localhost\r\n"
               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    before = server.resident_bytes()
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(request)
            if not connection.recv(4096).startswith(b"HTTP/1.1 202"):
                raise Failed("an idle connection's request was not accepted")
        return (server.resident_bytes() - before) / count


def tls(bench: Bench) -> Pairs:
    certificate, key = str(bench.work_dir / "tls.crt"), str(bench.work_dir / "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    for name, load in (("single", SINGLE), ("arrays of 100", ARRAYS_100)):
        yield f"{name}, plain", measured(bench, load)
        yield f"{name}, TLS", measured(bench, load, tls=(certificate, key))


def end_to_end(bench: Bench) -> Pairs:
    load = dataclasses.replace(ARRAYS_100, rate_per_s=500)
    for buffer in ("memory", "disk"):
        for linger in ("0ms", "100ms"):
            yield f"{buffer}, linger {linger}", measured(bench, load, buffer=buffer, linger=linger)


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


SCENARIOS = (
    Scenario(
        "single",
        "Single-event POSTs over 64 connections, closed loop; the gateway with all its threads on the "
        "core that the bare Beast server has in its turn.",
        single,
        (WHOLE, CPU_PER_EVENT, P50, P99, *SHARES),
        (Ratio("sluice", "bare server", "whole_per_s", "events/s", "0.8 or more"),
         Ratio("sluice, pipeline 16", "bare server, pipeline 16", "whole_per_s", "events/s"),
         Ratio("sluice", "bare server", "accepted_per_s", "answers/s while the load lasts"),
         Ratio("sluice", "bare server", "cpu_s_per_event", "CPU per event", "1.25 or less"))),
    Scenario(
        "arrays",
        "Arrays of mixed events, closed loop, memory buffer, the gateway on one core. The simulator "
        "takes more CPU per event than the gateway, from the core that the generator needs too; a bare "
        "server in its place takes next to none, and keeps nothing. The last column is what one core "
        "does with nothing in its way. Goal: 1,000,000 events/s.",
        arrays,
        (WHOLE, CPU_PER_EVENT, P50, P99, RSS, *SHARES,
         Column("per_cpu_s", "events per CPU second", "rate")),
        repetitions_max=3),
    Scenario(
        "disk",
        "Arrays of 100, closed loop: each 202 of `disk` is on stable storage. Before the simulator, and "
        "before a bare server, which leaves the gateway alone to be measured.",
        disk,
        (WHOLE, CPU_PER_EVENT, P50, P99, RSS, *SHARES),
        tuple(Ratio(f"disk, {name}", f"memory, {name}", "whole_per_s", "events/s", "0.6 or more")
              for name in ("simulator", "bare upstream"))),
    Scenario(
        "latency",
        "From a request's due time to its answer, open loop with Poisson arrivals at half of the rate "
        "that the closed loop reached just before (whole path). Goals: p99 below 2 ms in memory, below "
        "10 ms on disk.",
        latency,
        (Column("saturation_per_s", "saturation, events/s", "rate"), WHOLE, P50, P99, P999, *SHARES),
        repetitions_max=3),
    Scenario(
        "slow-upstream",
        "20,000 events/s in arrays of 100, open loop, while each of the upstream's answers takes so "
        "long: evenly spread, or exponential with that mean.",
        slow_upstream,
        (WHOLE, P50, P99, Column("end_to_end_p50_s", "end to end p50", "time"),
         Column("end_to_end_p99_s", "p99", "time"), RSS),
        repetitions_max=1),
    Scenario(
        "outage-drain",
        "The upstream answers 503 until the backlog is 5 million events on disk, then works again, "
        "while new events come at a fifth of the steady rate. Goals: the backlog drains at 0.8 or more "
        "of the steady rate, peak RSS below 256 MiB.",
        outage_drain,
        (Column("backlog", "backlog, events", "rate"), Column("accepted_per_s", "filled at, events/s", "rate"),
         Column("steady_per_s", "steady, events/s", "rate"),
         Column("whole_per_s", "drained at, events/s", "rate"),
         Column("drain_ratio", "ratio", "ratio"),
         Column("recovery_s", "first delivery after", "time"),
         Column("p99_s", "worst second's p99", "time"), Column("max_s", "slowest answer", "time"), RSS),
        repetitions_max=1),
    Scenario(
        "threads",
        "Ingest threads, each with a core, the first of which is core 0. The load and the simulator "
        "keep theirs: with as many threads as cores they share it.",
        threads,
        (WHOLE, CPU_PER_EVENT, P99, *SHARES),
        repetitions_max=2),
    Scenario(
        "connections",
        "Single-event POSTs, closed loop, over so many connections; and what a connection that waits "
        "for its next request adds to the resident memory.",
        connections,
        (WHOLE, CPU_PER_EVENT, P50, P99, Column("idle_bytes", "RSS per idle connection", "size"), RSS),
        repetitions_max=2),
    Scenario(
        "tls",
        "TLS 1.3 between producers and gateway, connections kept alive.",
        tls,
        (WHOLE, CPU_PER_EVENT, P50, P99, *SHARES),
        (Ratio("single, TLS", "single, plain", "whole_per_s", "events/s"),
         Ratio("arrays of 100, TLS", "arrays of 100, plain", "whole_per_s", "events/s")),
        repetitions_max=3),
    Scenario(
        "end-to-end",
        "From the acceptance of an event to the upstream's acknowledgement, at 50,000 events/s in "
        "arrays of 100, open loop; from the buckets of sluice_end_to_end_seconds, the lowest of which "
        "ends at 5 ms.",
        end_to_end,
        (WHOLE, Column("end_to_end_mean_s", "mean", "time"), Column("end_to_end_p50_s", "p50", "time"),
         Column("end_to_end_p99_s", "p99", "time")),
        repetitions_max=2),
    Scenario(
        "memory",
        "Resident memory with a full buffer of 64 MiB, during an outage.",
        memory,
        (Column("buffered", "events buffered", "rate"), Column("buffered_bytes", "their bytes", "size"),
         Column("rss_empty_bytes", "RSS empty", "size"), Column("rss_full_bytes", "RSS full", "size"),
         Column("rss_peak_bytes", "peak RSS", "size")),
        repetitions_max=1),
)
