"""Goal: the examples in docs/examples do what the documents say of them, as programs and files that a reader
copies, against the real gateway and the stand-in for Synerise.

Standard library only; SLUICE_BIN_DIR says where the binaries are.
"""

import concurrent.futures
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/deploy"))
from processes import Process, eventually, fetch  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("SLUICE_BIN_DIR", ROOT / "build/release/bin")).resolve()
EXAMPLES = ROOT / "docs/examples"
SECONDS = 60
KEY = "the-shop's-key"


class World:
    """The simulator and a gateway before it, with these sources (YAML)."""

    def __init__(self, sources="sources: []\n"):
        self.sources = sources

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            simulator = stack.enter_context(Process(folder, "synerise-sim", [
                BINARIES / "synerise-sim", "--listen", "127.0.0.1:0", "--validate", "strict"]))
            self.simulator = simulator.said(r"listening on (http:\S*)")
            config = pathlib.Path(folder, "sluice.yaml")
            config.write_text(self.head(folder) + self.sources, encoding="utf-8")
            gateway = stack.enter_context(Process(folder, "sluice", [
                BINARIES / "sluice", "serve", "--config", config]))
            # The log is JSON by default.
            self.ingest = "http://" + gateway.said(r'"taking events".*"address":"([^"]*)"')
            self.admin = "http://" + gateway.said(r'"ready".*"admin":"([^"]*)"')
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def head(self, folder):
        return "".join(f"{name}: {json.dumps(section)}\n" for name, section in {
            "ingest": {"listen": "127.0.0.1:0", "producers": [{"name": "shop", "key": KEY}]},
            "admin": {"listen": "127.0.0.1:0"},
            "workspaces": [{"base_url": self.simulator, "auth": {"method": "jwt", "api_key": "k"}}],
            "buffer": {"path": f"{folder}/buffer"},
            "dead_letter": {"path": f"{folder}/dead-letter"},
            "batch": {"linger": "1ms"},
        }.items())

    def settled(self):
        """What has been accepted, and where it is: once nothing is under way any more."""
        def find():
            status = json.loads(fetch(self.admin + "/status")[1])
            workspace = status["workspaces"][0]
            ended = workspace["delivered"] + workspace["dead_lettered"]
            return status if ended == status["accepted"] else None
        status = eventually(find, SECONDS, "all is delivered")
        ledger = json.loads(fetch(self.simulator + "/sim/ledger")[1])
        return {"accepted": status["accepted"], "delivered": status["workspaces"][0]["delivered"],
                "unique": ledger["unique"],
                "events": [entry["body"] for entry in ledger["entries"]]}


# --- Programs of docs/integration.md ---

REFUSE = {503: "2", 429: "1"}  # status: Retry-After
LOSE = "lose"


class Front(http.server.ThreadingHTTPServer):
    """A gateway with bad days: stands before the real one, and refuses requests or loses the answers to
    them as `script` says, which has a list per path."""

    def __init__(self, gateway, script):
        super().__init__(("127.0.0.1", 0), FrontHandler)
        self.gateway = urllib.parse.urlsplit(gateway).netloc
        self.script = {path: list(steps) for path, steps in script.items()}
        self.log = []  # (path, how it was answered, when it came, when it was answered)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class FrontHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        came = time.monotonic()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        steps = self.server.script.get(self.path, [])
        step = steps.pop(0) if steps else None
        if step in REFUSE:
            self.log_answer(step, came)
            self.answer(step, {"Retry-After": REFUSE[step]}, b"<p>not now</p>")
            return
        connection = http.client.HTTPConnection(self.server.gateway, timeout=SECONDS)
        connection.request("POST", self.path, body, dict(self.headers))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.log_answer(step or answer.status, came)
        if step == LOSE:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.answer(answer.status, {"Content-Type": answer.headers["Content-Type"]}, text)

    def log_answer(self, how, came):
        self.server.log.append((self.path, how, came, time.monotonic()))

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


SINGLE, BATCH = "/v4/events/custom", "/v4/events/batch"
BAD_DAY = {SINGLE: [503, LOSE], BATCH: [429, LOSE]}

# Program: (what has to be on the PATH, its command line).
PROGRAMS = {
    "send.sh": ("curl", ["sh", "send.sh"]),
    "send.py": ("python3", ["python3", "send.py"]),
    "send.php": ("php", ["php", "send.php"]),
    "send.mjs": ("node", ["node", "send.mjs"]),
    "Send.java": ("javac", ["java", "Send.java"]),
}


def of_each_program(check):
    """A test that checks the result of each program, and says which ones cannot run here."""
    def test(self):
        for name, (needs, _) in PROGRAMS.items():
            with self.subTest(name):
                if name not in self.results:
                    self.skipTest(f"no {needs}")
                check(self, *self.results[name])
    return test


def run(command, url, key=KEY):
    return subprocess.run(command, cwd=EXAMPLES / "integration", capture_output=True, text=True, check=False,
                          timeout=2 * SECONDS, env={**os.environ, "SLUICE_URL": url, "SLUICE_KEY": key})


def run_on_bad_and_good_days(command):
    """Everything that a program is asked to do, and what came of it."""
    with World() as world, Front(world.ingest, BAD_DAY) as front:
        runs = {"bad day": run(command, front.url)}
        bad_day = list(front.log)
        # What has come is repeated: a job that is run again.
        runs["again"] = run(command, front.url)
        seen = len(front.log)
        runs["wrong key"] = run(command, front.url, "wrong")
        return runs, bad_day, front.log[seen:], world.settled()


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        here = {name: command for name, (needs, command) in PROGRAMS.items() if shutil.which(needs)}
        for name in PROGRAMS.keys() - here.keys():
            print(f"skipped: {name}: no {PROGRAMS[name][0]}", flush=True)
        with concurrent.futures.ThreadPoolExecutor(len(PROGRAMS)) as pool:
            started = {name: pool.submit(run_on_bad_and_good_days, command)
                       for name, command in here.items()}
            cls.results = {name: future.result() for name, future in started.items()}

    @of_each_program
    def test_what_was_sent_has_arrived_and_counts_once(self, _runs, _bad_day, _wrong_key, settled):
        actions = sorted(event.get("action", event["type"]) for event in settled["events"])
        self.assertEqual(actions, ["order.placed", "order.shipped", "product-view"])
        self.assertEqual((settled["accepted"], settled["delivered"], settled["unique"]), (3, 3, 3))

    @of_each_program
    def test_they_end_well_and_name_the_event_that_was_refused(self, runs, *_):
        for which in ("bad day", "again"):
            self.assertEqual(runs[which].returncode, 0, runs[which])
            self.assertRegex(runs[which].stdout, r"\A.*\b2\b.*client_missing.*no profile identifier.*\n\Z")

    @of_each_program
    def test_they_repeat_what_was_refused_or_not_answered(self, _runs, bad_day, *_):
        answers = [(path, how) for path, how, _, _ in bad_day]
        self.assertEqual(answers, [(SINGLE, 503), (SINGLE, LOSE), (SINGLE, 202),
                                   (BATCH, 429), (BATCH, LOSE), (BATCH, 202)])

    @of_each_program
    def test_they_wait_as_long_as_they_are_asked_to(self, _runs, bad_day, *_):
        for (_, how, _, answered), (_, _, came, _) in zip(bad_day, bad_day[1:]):
            if how in REFUSE:
                # A clock of less precision may end a wait some milliseconds early.
                self.assertGreaterEqual(came - answered, float(REFUSE[how]) - 0.05)

    @of_each_program
    def test_they_do_not_repeat_what_a_wrong_key_refuses(self, runs, _bad_day, wrong_key, _settled):
        self.assertEqual([(path, how) for path, how, _, _ in wrong_key], [(SINGLE, 401)])
        self.assertNotEqual(runs["wrong key"].returncode, 0)
        self.assertIn("no producer has this key", runs["wrong key"].stderr)


# --- Rules of docs/mapping-cookbook.md ---

SHOPS = sorted((EXAMPLES / "mapping").iterdir())


def samples_of(shop):
    """(source, raw events, the lines that they become) of each sample, which is named SOURCE.CASE.json."""
    for raw in sorted(shop.glob("*.json")):
        expected = raw.with_suffix(".expected.jsonl")
        yield raw.name.split(".")[0], raw.read_text(encoding="utf-8"), expected.read_text(encoding="utf-8")


def events_of(expected):
    return [line for line in map(json.loads, expected.splitlines()) if "ignored" not in line]


def sources_of(shop):
    text = (shop / "sluice.yaml").read_text(encoding="utf-8")
    return text[text.index("\nsources:\n"):]


class Mapping(unittest.TestCase):
    def test_each_sample_becomes_what_stands_beside_it(self):
        seen = 0
        for shop in SHOPS:
            for source, raw, expected in samples_of(shop):
                with self.subTest(shop=shop.name, expected=expected):
                    done = subprocess.run(
                        [BINARIES / "sluice", "map", "--config", shop / "sluice.yaml", "--source", source],
                        input=raw, capture_output=True, text=True, check=False)
                    self.assertEqual((done.stdout, done.returncode), (expected, 0), done.stderr)
                    seen += 1
        self.assertGreater(seen, 15)

    def test_each_sample_reaches_the_api_once(self):
        for shop in SHOPS:
            with self.subTest(shop.name), World(sources_of(shop)) as world:
                lines = []
                for source, raw, expected in samples_of(shop):
                    lines += events_of(expected)
                    for _ in range(2):  # a webhook that is sent again
                        status, text = fetch(f"{world.ingest}/v1/events/{source}", raw.encode(),
                                             {"Content-Type": "application/json", "X-Api-Key": KEY})
                        self.assertIn(status, (200, 202), text)
                        self.assertEqual(json.loads(text)["rejected"], 0, text)
                settled = world.settled()
                self.assertEqual((settled["delivered"], settled["unique"]), (len(lines), len(lines)))
                self.assertCountEqual([json.dumps(event) for event in settled["events"]],
                                      [json.dumps(line) for line in lines])

    def test_a_webhook_can_be_tried_out(self):
        with World(sources_of(EXAMPLES / "mapping/woocommerce")) as world:
            status, text = fetch(f"{world.ingest}/v1/events/woo-orders", b"webhook_id=7", {
                "Content-Type": "application/x-www-form-urlencoded", "X-Api-Key": KEY})
            self.assertEqual((status, json.loads(text)["ignored"]), (200, 1))

    def test_every_rule_makes_something(self):
        for shop in SHOPS:
            rules = sources_of(shop).count(" event:") + sources_of(shop).count(" transaction:")
            kinds = {(source, event.get("type", "transaction"), event.get("action"))
                     for source, _, expected in samples_of(shop)
                     for event in events_of(expected)}
            self.assertEqual(len(kinds), rules, shop.name)

    def test_the_first_example_of_the_document(self):
        text = (ROOT / "docs/mapping.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```(?:yaml|json)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        sources, raw, expected = blocks[:3]
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "sluice.yaml")
            config.write_text("workspaces: [{auth: {method: jwt, api_key: k}}]\n" + sources, encoding="utf-8")
            done = subprocess.run([BINARIES / "sluice", "map", "--config", config], input=raw,
                                  capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout, done.returncode), (expected, 0), done.stderr)


# --- The demonstration of docs/getting-started.md ---

class Demo(unittest.TestCase):
    def test_it_prints_what_the_document_shows(self):
        done = subprocess.run([ROOT / "scripts/demo.sh"], capture_output=True, text=True, check=False,
                              env={**os.environ, "SLUICE_BIN_DIR": str(BINARIES)})
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (ROOT / "docs/getting-started.md").read_text(encoding="utf-8")
        shown = text[text.index("  events sent "):].partition("```")[0].splitlines()
        self.assertGreater(len(shown), 10)
        for line in shown:
            if line != "  ..." and line != "    ...":
                self.assertIn(line, done.stdout.splitlines())


if __name__ == "__main__":
    unittest.main()
