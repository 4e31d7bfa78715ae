#!/usr/bin/env python3
"""Writes the dashboard beside this file: ./generate.py > sluice.json

The panels are data here, as a dashboard's JSON is mostly repetition. Standard library only.
"""

import json
import sys

WIDTH = 24  # of Grafana's grid
INSTANCE = 'job=~"$job",instance=~"$instance"'
WORKSPACE = INSTANCE + ',workspace=~"$workspace"'
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Thresholds: from these values on a panel is yellow, and red.
NEVER = (None, None)


def rate(metric, labels, by=""):
    """The sum of a counter's rates, per what `by` names."""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate(sluice_{metric}{{{labels}}}[$__rate_interval]))"


def quantile(share, metric, labels, by=""):
    grouping = f"le, {by}" if by else "le"
    return (f"histogram_quantile({share}, "
            f"sum by ({grouping}) (rate(sluice_{metric}_bucket{{{labels}}}[$__rate_interval])))")


def mean(metric, labels, by=""):
    return f"{rate(metric + '_sum', labels, by)} / {rate(metric + '_count', labels, by)}"


def quantiles(metric, labels):
    return [(quantile(share, metric, labels), f"p{round(100 * share)}")
            for share in (0.5, 0.95, 0.99)]


def share_of(metric, part, labels, more=""):
    """What part of a counter's growth has these labels; 0 when nothing grows."""
    return f"{rate(metric, labels + ',' + part)} / clamp_min({rate(metric, labels + more)}, 1e-9)"


class Panel:
    def __init__(self, kind, title, unit, targets, text="", thresholds=NEVER, width=8, maximum=None,
                 minimum=0, stack=False):
        self.kind, self.title, self.unit, self.targets, self.text = kind, title, unit, targets, text
        self.thresholds, self.width, self.stack = thresholds, width, stack
        self.minimum, self.maximum = minimum, maximum

    def height(self):
        return 4 if self.kind == "stat" else 8

    def steps(self):
        colours = zip(("yellow", "red"), self.thresholds)
        return [{"color": "green", "value": None}] + [
            {"color": colour, "value": value} for colour, value in colours if value is not None]

    def to_json(self, number, x, y):
        defaults = {"unit": self.unit, "min": self.minimum,
                    "thresholds": {"mode": "absolute", "steps": self.steps()}}
        if self.maximum is not None:
            defaults["max"] = self.maximum
        if self.kind == "stat":
            options = {"colorMode": "value", "graphMode": "area", "textMode": "auto",
                       "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        else:
            defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "showPoints": "never",
                                  "fillOpacity": 20 if self.stack else 5,
                                  "stacking": {"mode": "normal" if self.stack else "none"}}
            options = {"legend": {"displayMode": "list", "placement": "bottom"},
                       "tooltip": {"mode": "multi", "sort": "desc"}}
        return {
            "id": number, "type": self.kind, "title": self.title, "description": self.text,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height()},
            "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
            "targets": [
                {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expr,
                 "legendFormat": legend}
                for i, (expr, legend) in enumerate(self.targets)],
        }


def stat(title, unit, expr, **more):
    return Panel("stat", title, unit, [(expr, "")], width=3, **more)


def graph(title, unit, targets, **more):
    return Panel("timeseries", title, unit, targets, **more)


OVERVIEW = [
    stat("Instances up", "none", 'sum(up{job=~"$job",instance=~"$instance"})'),
    stat("Accepted", "eps", rate("events_accepted_total", INSTANCE)),
    stat("Delivered", "eps", rate("events_delivered_total", WORKSPACE)),
    stat("Oldest event", "s", f"max(sluice_buffer_oldest_event_age_seconds{{{WORKSPACE}}})",
         thresholds=(60, 300)),
    stat("Waiting events", "short", f"sum(sluice_buffer_events{{{WORKSPACE}}})"),
    stat("Buffer pressure", "percentunit", f"max(sluice_buffer_pressure{{{WORKSPACE}}})",
         thresholds=(0.7, 0.95), maximum=1),
    stat("Parked workspaces", "none", f"sum(sluice_workspace_parked{{{WORKSPACE}}})",
         thresholds=(None, 1)),
    stat("Dead letters", "short", f"sum(sluice_dead_letters{{{INSTANCE}}})", thresholds=(1, None)),
]

INGEST = [
    graph("Requests", "reqps", [(rate("ingest_requests_total", INSTANCE, "code"), "{{code}}")],
          text="Answered, by status.", stack=True),
    graph("Requests refused", "percentunit", [
        (share_of("ingest_requests_total", 'code=~"4.."', INSTANCE), "4xx"),
        (share_of("ingest_requests_total", 'code=~"5.."', INSTANCE) + " or vector(0)", "5xx")],
          text="Share of all requests. 4xx: what a producer sends; 5xx: the buffer is full, or the "
               "disk fails.", maximum=1),
    graph("Time to answer", "s", quantiles("ingest_request_duration_seconds", INSTANCE),
          text="From a request's first byte to its answer being ready."),
    graph("Requests by route", "reqps", [
        (rate("ingest_requests_total", INSTANCE, "route"), "{{route}}")], stack=True),
    graph("Events received", "eps", [
        (rate("events_received_total", INSTANCE, "source"), "{{source}}")],
          text="By source; api stands for the /v4 paths.", stack=True),
    graph("What became of them", "eps", [
        (rate("events_accepted_total", INSTANCE), "accepted"),
        (rate("events_duplicate_total", INSTANCE), "duplicate"),
        (rate("events_rejected_total", INSTANCE), "rejected"),
        (rate("events_ignored_total", INSTANCE), "ignored")], stack=True),
    graph("Repeated and changed", "ops", [
        (rate("events_overwriting_total", INSTANCE), "events changed"),
        (rate("ingest_idempotent_replays_total", INSTANCE), "requests repeated by key"),
        (rate("ingest_idempotency_keys_reused_total", INSTANCE), "keys with another body (422)")],
          text="A change replaces an event that was accepted lately; the vendor bills each."),
    graph("Events rejected", "eps", [
        (rate("events_rejected_total", INSTANCE, "reason") + " > 0", "{{reason}}")],
          text="By reason.", stack=True),
    graph("Events that strict would refuse", "eps", [
        (rate("events_warned_total", INSTANCE, "rule") + " > 0", "{{rule}}")],
          text="By rule of docs/validation.md. They were accepted.", stack=True),
    graph("Events mended", "eps", [
        (rate("nulls_removed_total", INSTANCE), "nulls left out"),
        (rate("mapping_nulls_total", INSTANCE), "values that stand for none"),
        (rate("identifiers_trimmed_total", INSTANCE), "identifiers trimmed"),
        (rate("future_times_clamped_total", INSTANCE), "future times set to now"),
        (rate("params_reserved_dropped_total", INSTANCE), "reserved params left out")]),
    graph("Connections", "short", [
        (f"sum by (instance) (sluice_ingest_connections{{{INSTANCE}}})", "open, {{instance}}"),
        (f"sum by (instance) (sluice_ingest_connections_limit{{{INSTANCE}}})", "limit, {{instance}}"),
        (rate("ingest_connections_total", INSTANCE), "opened per second"),
        (rate("ingest_connections_evicted_total", INSTANCE), "evicted per second"),
        (rate("ingest_connections_refused_total", INSTANCE), "refused per second"),
        (rate("ingest_timeouts_total", INSTANCE), "timed out per second")]),
    graph("Held to limits", "ops", [
        (rate("ingest_bodies_refused_total", INSTANCE, "limit"), "bodies above {{limit}}"),
        (rate("ingest_bulk_bodies_total", INSTANCE), "large bodies"),
        (rate("ingest_connections_retired_total", INSTANCE), "connections retired"),
        (rate("ingest_handshakes_failed_total", INSTANCE), "TLS handshakes failed"),
        (rate("admin_connections_evicted_total", INSTANCE), "admin connections evicted"),
        (rate("admin_bodies_refused_total", INSTANCE), "admin bodies refused"),
        (rate("admin_timeouts_total", INSTANCE), "admin clients too slow")]),
]

DELIVERY = [
    graph("Requests to the API", "reqps", [
        (rate("delivery_requests_total", WORKSPACE, "outcome") + " > 0", "{{outcome}}")],
          text="By what came of them.", stack=True),
    graph("Failed requests", "percentunit", [
        (share_of("delivery_requests_total", 'outcome!="delivered"', WORKSPACE), "not delivered"),
        (share_of("delivery_requests_total", 'outcome="throttled"', WORKSPACE), "throttled")],
          text="Share of all requests.", maximum=1),
    graph("Time of a request", "s", quantiles("delivery_duration_seconds", WORKSPACE)),
    graph("Events delivered", "eps", [
        (rate("events_delivered_total", WORKSPACE, "workspace"), "{{workspace}}")], stack=True),
    graph("Sent again", "reqps", [
        (rate("delivery_retries_total", WORKSPACE, "reason") + " > 0", "{{reason}}")],
          text="Requests whose events had to be sent again, whole or in parts.", stack=True),
    graph("Circuit breaker and parking", "none", [
        (f"max by (workspace) (sluice_circuit_state{{{WORKSPACE}}})", "circuit of {{workspace}}"),
        (f"max by (workspace) (sluice_workspace_parked{{{WORKSPACE}}})", "{{workspace}} parked")],
          text="The circuit: 0 closed, 1 half open, 2 open. 1: parked.", maximum=2),
    graph("Events per request", "short", [
        (mean("batch_events", WORKSPACE), "mean"),
        (quantile(0.95, "batch_events", WORKSPACE), "p95")], text="The API takes 1,000 at most."),
    graph("Bytes per request", "bytes", [
        (mean("batch_bytes", WORKSPACE), "mean"),
        (quantile(0.95, "batch_bytes", WORKSPACE), "p95")]),
    graph("Connections, logins, deprecation", "short", [
        (f"sum(sluice_upstream_connections{{{WORKSPACE}}})", "connections"),
        (rate("upstream_connections_opened_total", WORKSPACE), "opened per second"),
        (rate("upstream_logins_total", WORKSPACE), "logins per second"),
        (rate("upstream_deprecated_total", WORKSPACE), "answers that say deprecated per second")]),
    graph("Clock ahead of the API's", "s", [
        (f"max by (workspace) (sluice_clock_skew_seconds{{{WORKSPACE}}})", "{{workspace}}")],
          text="By the Date of its answers, to about a second; below zero: behind."),
]

BUFFER = [
    graph("Waiting events", "short", [
        (f"sum by (workspace) (sluice_buffer_events{{{WORKSPACE}}})", "{{workspace}}")],
          stack=True),
    graph("Waiting bytes", "bytes", [
        (f"sum by (workspace) (sluice_buffer_bytes{{{WORKSPACE}}})", "{{workspace}}"),
        (f"sum(sluice_buffer_disk_bytes{{{INSTANCE}}})", "files on disk"),
        (f"min(sluice_buffer_disk_free_bytes{{{INSTANCE}}})", "free on disk"),
        (f"min(sluice_buffer_reserve_bytes{{{INSTANCE}}})", "kept for a full disk")]),
    graph("Oldest event", "s", [
        (f"max by (workspace) (sluice_buffer_oldest_event_age_seconds{{{WORKSPACE}}})",
         "{{workspace}}")], thresholds=(60, 300)),
    graph("Time until it is full", "s", [
        (f"min by (workspace) (clamp_max((1 - sluice_buffer_pressure{{{WORKSPACE}}}) / "
         f"clamp_min(deriv(sluice_buffer_pressure{{{WORKSPACE}}}[15m]), 1e-9), 86400))",
         "{{workspace}}")], text="If the last 15 minutes go on; a day at most is shown.",
          maximum=86400),
    graph("Time of a commit", "s", quantiles("buffer_commit_duration_seconds", INSTANCE),
          text="Disk buffer: write and sync."),
    graph("Commits", "ops", [
        (rate("buffer_commits_total", INSTANCE), "per second"),
        (rate("buffer_write_failures_total", INSTANCE), "failed per second"),
        (mean("buffer_commit_groups", INSTANCE), "requests in each"),
        (f"max(sluice_buffer_trouble{{{INSTANCE}}})", "1: the disk takes nothing in"),
        (f"sum(sluice_buffer_unstored_events{{{INSTANCE}}})", "events in memory only")]),
    graph("Written per byte of events", "none", [
        (f"{rate('buffer_written_bytes_total', INSTANCE)} / "
         f"{rate('buffer_appended_bytes_total', INSTANCE)}", "write amplification")],
          text="Below 1 where compressing saves more than is written twice."),
    graph("Lost, repaired, set aside", "short", [
        (f"sum(sluice_buffer_events_lost_total{{{WORKSPACE}}})", "events lost"),
        (f"sum(sluice_buffer_repairs_total{{{INSTANCE}}})", "repairs"),
        (f"sum(sluice_buffer_stores_set_aside_total{{{INSTANCE}}})", "stores set aside"),
        (f"sum(sluice_buffer_log_dropped_bytes_total{{{INSTANCE}}})", "bytes of the log dropped")],
          text="Since the start. Events lost: the disk was damaged."),
    graph("Dead letters", "short", [
        (f"sum(sluice_dead_letters{{{INSTANCE}}})", "stored"),
        (f"sum by (reason) (increase(sluice_events_dead_lettered_total{{{WORKSPACE}}}"
         f"[$__rate_interval]))", "new, {{reason}}"),
        (f"sum(sluice_dead_letter_unreadable_lines{{{INSTANCE}}})", "unreadable lines")]),
    graph("Dead-letter store", "bytes", [
        (f"sum by (instance) (sluice_dead_letter_bytes{{{INSTANCE}}})", "{{instance}}"),
        (f"sum by (instance) (sluice_dead_letter_limit_bytes{{{INSTANCE}}})",
         "limit, {{instance}}")], text="At the limit, lanes with a dead letter wait."),
]

END_TO_END = [
    graph("From 202 to the API's acknowledgement", "s", quantiles("end_to_end_seconds", WORKSPACE),
          width=12),
    graph("p99, by workspace", "s", [
        (quantile(0.99, "end_to_end_seconds", WORKSPACE, "workspace"), "{{workspace}}")], width=12),
]

SATURATION = [
    graph("Buffer pressure", "percentunit", [
        (f"max by (instance, workspace) (sluice_buffer_pressure{{{WORKSPACE}}})",
         "{{workspace}}, {{instance}}")], text="1: events are refused.", maximum=1,
          thresholds=(0.7, 0.95)),
    graph("Requests in flight", "short", [
        (f"sum by (workspace) (sluice_delivery_in_flight{{{WORKSPACE}}})", "{{workspace}}"),
        (f"sum by (workspace) (sluice_delivery_concurrency_limit{{{WORKSPACE}}})",
         "allowed, {{workspace}}")],
          text="Allowed: what the API bears for now, up to delivery.max_in_flight."),
    graph("Events that do not add up", "short", [
        (f"sum(sluice_events_received_total{{{INSTANCE}}}) - sum(sluice_events_accepted_total"
         f"{{{INSTANCE}}}) - sum(sluice_events_duplicate_total{{{INSTANCE}}}) - "
         f"sum(sluice_events_rejected_total{{{INSTANCE}}}) - "
         f"(sum(sluice_events_ignored_total{{{INSTANCE}}}) or vector(0))",
         "received, but neither taken nor refused"),
        (f"sum(sluice_events_accepted_total{{{INSTANCE}}}) + sum(sluice_events_recovered_total"
         f"{{{INSTANCE}}}) - sum(sluice_events_delivered_total{{{INSTANCE}}}) - "
         f"sum(sluice_events_dead_lettered_total{{{INSTANCE}}}) - sum(sluice_buffer_events"
         f"{{{INSTANCE}}}) - (sum(sluice_buffer_events_lost_total{{{INSTANCE}}}) or vector(0))",
         "accepted, but nowhere")],
          text="0 at rest, whatever the workspace chosen. Differs for the moment of a request, or "
               "while some of a request's events are delivered and others are not.", minimum=None),
]

PASSTHROUGH = [
    graph("Calls passed through", "reqps", [
        (rate("passthrough_requests_total", WORKSPACE, "code"), "{{code}}")],
          text="Answered by the API, by status. Nothing where `passthrough` is off.", stack=True),
    graph("Calls not answered by the API", "reqps", [
        (rate("passthrough_failures_total", WORKSPACE, "reason"), "{{reason}}")],
          text="By reason.", stack=True),
    graph("Time of a call", "s", quantiles("passthrough_duration_seconds", WORKSPACE)),
    graph("Bytes passed through", "Bps", [
        (rate("passthrough_request_bytes_total", WORKSPACE), "to the API"),
        (rate("passthrough_answer_bytes_total", WORKSPACE), "to callers")], width=12),
    graph("Calls in flight", "short", [
        (f"sum by (workspace) (sluice_passthrough_in_flight{{{WORKSPACE}}})", "{{workspace}}")],
          width=12),
]

PROCESS = [
    graph("CPU", "none", [
        (f"sum by (instance) (rate(process_cpu_seconds_total{{{INSTANCE}}}[$__rate_interval]))",
         "{{instance}}")], text="Cores."),
    graph("Memory", "bytes", [
        (f"sum by (instance) (process_resident_memory_bytes{{{INSTANCE}}})", "{{instance}}")]),
    graph("File descriptors", "short", [
        (f"sum by (instance) (process_open_fds{{{INSTANCE}}})", "{{instance}}"),
        (f"sum by (instance) (process_max_fds{{{INSTANCE}}})", "limit, {{instance}}")]),
    graph("Log lines dropped", "ops", [
        (rate("log_lines_dropped_total", INSTANCE), "dropped")]),
    graph("Runs since", "s", [
        (f"time() - max by (instance) (process_start_time_seconds{{{INSTANCE}}})",
         "{{instance}}")]),
]

ROWS = [("Overview", OVERVIEW), ("Ingest: rate, errors, duration", INGEST), ("Delivery", DELIVERY),
        ("Buffer and dead letters", BUFFER), ("End to end", END_TO_END), ("Saturation", SATURATION),
        ("Pass-through", PASSTHROUGH), ("Process", PROCESS)]


def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]}}


VARIABLES = [
    {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
    variable("job", "Job", "label_values(sluice_build_info, job)"),
    variable("instance", "Instance", 'label_values(sluice_build_info{job=~"$job"}, instance)'),
    variable("workspace", "Workspace",
             'label_values(sluice_buffer_events{job=~"$job",instance=~"$instance"}, workspace)'),
]


def lay_out(rows):
    """The panels, each with its number and its place in the grid."""
    panels, y = [], 0
    for title, row in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False,
                       "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []})
        x, y = 0, y + 1
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + panel.height()
            panels.append(panel.to_json(len(panels) + 1, x, y))
            x += panel.width
        y += row[-1].height()
    return panels


def dashboard():
    restarts = {"name": "Starts", "datasource": DATASOURCE, "enable": True, "iconColor": "blue",
                "expr": f"changes(process_start_time_seconds{{{INSTANCE}}}[1m]) > 0",
                "titleFormat": "started", "textFormat": "{{instance}}"}
    return {
        "uid": "sluice", "title": "Sluice", "tags": ["sluice"], "schemaVersion": 39, "version": 1,
        "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"}, "templating": {"list": VARIABLES},
        "annotations": {"list": [restarts]}, "panels": lay_out(ROWS),
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=1)
    print()
