"""Goal: the alert rules and the dashboard work with the metrics of the real gateway, in a real
Prometheus: every query is understood, every panel shows something, every name exists.

SLUICE_BIN_DIR says where the binaries are; prometheus and promtool must be on the PATH.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from processes import ROOT, Process, eventually, fetch, free_port, post_json

BINARIES = pathlib.Path(os.environ.get("SLUICE_BIN_DIR", ROOT / "build/release/bin")).resolve()
RULES = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/sluice.json"
DATA_SECONDS = 90
# These are there only when there is something to say.
CONDITIONAL = {"sluice_buffer_orphaned_events"}

GATEWAY = """
ingest: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
workspaces:
  - base_url: {upstream}
    auth: {{workspace_guid: 01234567-89ab-cdef-0123-456789abcdef, api_key: a-key}}
    passthrough: true
buffer: {{path: {folder}/buffer, max_bytes: 16MiB}}
dead_letter: {{path: {folder}/dead-letter}}
delivery: {{backoff: {{initial: 5ms, max: 50ms}}}}
drain_timeout: 1s
"""

PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: sluice
    static_configs: [{{targets: ["{admin}"]}}]
"""

# The API is out of order and throttles at first, refuses one product, and is deprecated.
FAULTS = ["status=503,count=2", "status=429,count=2", "deprecated",
          "poison,pointer=/params/sku,equals=BAD"]


def batch(number):
    """Events, of which one is invalid, one comes twice, one has a null and one is poison."""
    def event(customer, **more):
        return {"type": "custom", "action": "order.line", "client": {"customId": customer},
                "params": {"sku": "GOOD"}, **more}
    twice = event("C-2", eventSalt=f"salt-{number}", time="2026-01-01T00:00:00Z")
    return [event(f"C-{number}"), twice, twice, event("C-3", client={}),
            event("C-4", params={"sku": "BAD"}), event("C-5", params={"sku": "GOOD", "none": None})]


def expressions_of_dashboard():
    """(panel, expression as Grafana would send it) of every panel."""
    values = {"$job": "sluice", "$instance": ".*", "$workspace": ".*", "$__rate_interval": "10s"}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in values.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


def names_in(text):
    """The metrics of Sluice, and of its process, that are named in expressions."""
    return set(re.findall(r"\b(?:sluice|process)_[a-z0-9_]+", text))


class Monitoring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())

        def start(name, *arguments):
            return cls.enterClassContext(Process(folder, name, arguments))

        faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
        simulator = start("synerise-sim", BINARIES / "synerise-sim", "--listen", "127.0.0.1:0",
                          *faults)
        config = pathlib.Path(folder) / "sluice.yaml"
        config.write_text(GATEWAY.format(
            upstream=simulator.said(r"listening on (http:\S*)"), folder=folder))
        gateway = start("sluice", BINARIES / "sluice", "serve", "--config", config)
        # The log is JSON by default.
        cls.ingest = "http://" + gateway.said(r'"taking events".*"address":"([^"]*)"')
        cls.admin = gateway.said(r'"ready".*"admin":"([^"]*)"')
        file = pathlib.Path(folder) / "prometheus.yaml"
        file.write_text(PROMETHEUS.format(rules=RULES, admin=cls.admin))
        cls.prometheus = f"127.0.0.1:{free_port()}"
        start("prometheus", "prometheus", f"--config.file={file}",
              f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={cls.prometheus}")
        eventually(cls.prometheus_is_ready, DATA_SECONDS, "Prometheus is ready")
        cls.sent = 0

    @classmethod
    def prometheus_is_ready(cls):
        try:
            return fetch(f"http://{cls.prometheus}/-/ready")[0] == 200
        except OSError:
            return False

    def send_traffic(self):
        for _ in range(5):
            type(self).sent += 1
            status, text = post_json(self.ingest + "/v4/events/batch", batch(self.sent))
            self.assertEqual(status, 202, text)
        self.assertEqual(post_json(self.ingest + "/v4/events/custom", {"action": "x"})[0], 400)
        self.assertEqual(fetch(self.ingest + "/catalogs/bags")[0], 404)  # the simulator has none

    def query(self, expression):
        """The series that the expression gives, or an assertion with Prometheus's words."""
        parameters = urllib.parse.urlencode({"query": expression})
        status, text = fetch(f"http://{self.prometheus}/api/v1/query?{parameters}")
        self.assertEqual(status, 200, f"{expression}: {text}")
        return [series for series in json.loads(text)["data"]["result"]
                if series["value"][1] != "NaN"]

    def without_data(self, expressions):
        """Sends traffic until all of them have data; those that have got none."""
        missing = list(expressions)
        deadline = time.monotonic() + DATA_SECONDS
        while missing and time.monotonic() < deadline:
            self.send_traffic()
            missing = [(what, text) for what, text in missing if not self.query(text)]
            time.sleep(0.2)
        return missing

    def test_every_panel_of_the_dashboard_shows_something(self):
        expressions = list(expressions_of_dashboard())
        self.assertGreater(len(expressions), 50)
        self.assertEqual(self.without_data(expressions), [])

    def test_every_rule_is_evaluated(self):
        def evaluated():
            text = fetch(f"http://{self.prometheus}/api/v1/rules")[1]
            groups = json.loads(text)["data"]["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            return rules if all(rule["health"] != "unknown" for rule in rules) else None
        rules = eventually(evaluated, DATA_SECONDS, "all rules are evaluated")
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})
        self.assertGreater(len(rules), 15)

    def test_what_goes_wrong_here_is_found(self):
        rules = json.loads(fetch(f"http://{self.prometheus}/api/v1/rules")[1])
        expressions = [(rule["name"], rule["query"]) for group in rules["data"]["groups"]
                       for rule in group["rules"]
                       if rule["name"] in ("SluiceDeadLettersGrowing", "SluiceRejectedShare",
                                           "SluiceUpstreamDeprecated")]
        self.assertEqual(len(expressions), 3)
        self.assertEqual(self.without_data(expressions), [])

    def test_every_name_exists(self):
        # To Prometheus a name that does not exist is no mistake, only an alert that never fires.
        self.send_traffic()
        metrics = names_in(fetch(f"http://{self.admin}/metrics")[1])
        named = names_in(RULES.read_text(encoding="utf-8")) | names_in(
            " ".join(expression for _, expression in expressions_of_dashboard()))
        self.assertEqual(named - metrics - CONDITIONAL, set())

    def test_every_metric_is_on_the_dashboard_but_one(self):
        self.send_traffic()
        metrics = {re.sub("_(bucket|sum|count)$", "", name)
                   for name in names_in(fetch(f"http://{self.admin}/metrics")[1])}
        shown = {re.sub("_(bucket|sum|count)$", "", name) for name in names_in(
            " ".join(expression for _, expression in expressions_of_dashboard()))}
        self.assertEqual(metrics - shown, {"sluice_build_info"})


class Files(unittest.TestCase):
    def test_the_rules_pass_their_unit_tests(self):
        tests = RULES.with_name("alerts.test.yaml")
        for command in (["check", "rules", RULES], ["test", "rules", tests]):
            done = subprocess.run(["promtool", *command], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_alert_has_a_unit_test_and_a_section_in_the_runbook(self):
        text = RULES.read_text(encoding="utf-8")
        alerts = set(re.findall(r"- alert: (\w+)", text))
        tested = RULES.with_name("alerts.test.yaml").read_text(encoding="utf-8")
        self.assertEqual(alerts, set(re.findall(r"eval_time: \S+\n +alertname: (\w+)\n +exp_alerts",
                                                tested)))
        runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
        sections = set(re.findall(r"^## (\w+)$", runbook, re.MULTILINE))
        self.assertEqual(alerts, {title for title in sections if title.startswith("Sluice")})
        links = re.findall(r"runbook_url: docs/runbook.md#(\w+)", text)
        self.assertEqual(len(links), text.count("- alert: "))
        self.assertEqual({alert.lower() for alert in alerts}, set(links))

    def test_the_dashboard_is_what_its_generator_writes(self):
        generated = subprocess.run(["python3", ROOT / "deploy/grafana/generate.py"],
                                   capture_output=True, text=True, check=True).stdout
        self.assertEqual(generated, DASHBOARD.read_text(encoding="utf-8"))

    def test_the_panels_do_not_overlap(self):
        taken = set()
        for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(taken & cells, panel["title"])
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            taken |= cells


if __name__ == "__main__":
    unittest.main()
