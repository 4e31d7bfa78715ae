import concurrent.futures
import dataclasses
import threading
import time

from harness.measure import OUTAGE_FAULT, RSS, Column, Pairs, Scenario, Values, gateway, whole_path
from harness.processes import ARRAYS_100, Bench, Gateway, Load, Simulator, run_load

RECOVERY_DEADLINE_S = 90  # the circuit breaker asks at least once a minute


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


SCENARIO = Scenario(
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
    repetitions_max=1)
