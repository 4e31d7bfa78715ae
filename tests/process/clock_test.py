"""Goal: whatever this machine's clock shows, and however it is set while the gateway runs, events are taken, delivered
and count once, nothing ends, and no time is shown that is none."""

import http.client
import json
import pathlib
import re
import struct
import subprocess
import tempfile
import time
import unittest

from gateways import BINARIES, WORKSPACE_GUID, Gateway, Simulator, eventually, fetch

# What is set on top of the clock that everybody else sees: a number in a file that the test rewrites.
CLOCK = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const long long* ahead;

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
  void* memory = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0 && memory != MAP_FAILED) ahead = memory;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  long failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
  return (int)failed;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  struct timespec shown;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &shown);
  now->tv_sec = shown.tv_sec;
  now->tv_usec = shown.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec shown;
  clock_gettime(CLOCK_REALTIME, &shown);
  if (out) *out = shown.tv_sec;
  return shown.tv_sec;
}
"""

CONFIG = """\
ingest: {{listen: "127.0.0.1:{port}", threads: 1}}
admin: {{listen: "127.0.0.1:{admin_port}"}}
workspaces:
  - {{base_url: "%s", auth: {{%s}}}}
buffer: {{path: "{folder}/buffer", drain_timeout: 0s}}
batch: {{linger: 0ms}}
delivery: {{backoff: {{initial: 5ms, max: 50ms}}}}
dead_letter: {{path: "{folder}/dead-letter"}}
log: {{format: %s}}
"""
BASIC = f"method: basic, workspace_guid: {WORKSPACE_GUID}, api_key: k"
JWT = "method: jwt, api_key: k"

YEAR_1963 = -220_924_800
BEFORE_1970 = -2  # two seconds: it turns while events are under way
BEFORE_10000 = 253_402_300_798
YEAR_10582 = 271_768_446_000
YEAR_2024 = 1_704_067_200
A_DAY = 86_400
SHOWN = re.compile(r"\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d")
A_TIME = re.compile(r"(?:19[7-9]\d|[2-9]\d{3})-\d\d-\d\dT\d\d:\d\d:\d\d")


class Clocks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        source = pathlib.Path(folder, "clock.c")
        source.write_text(CLOCK, encoding="ascii")
        cls.library = pathlib.Path(folder, "clock.so")
        try:
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", "-o", cls.library, source], check=True)
        except FileNotFoundError as error:
            raise unittest.SkipTest("there is no C compiler") from error

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.clock = pathlib.Path(self.folder, "clock")
        self.simulator = self.enterContext(Simulator(self.folder))
        self.made = 0

    def set_clock(self, seconds):
        """What it shows now; it goes on from there."""
        with self.clock.open("r+b" if self.clock.exists() else "w+b") as file:
            file.write(struct.pack("<q", int(seconds - time.time())))

    def start(self, auth=BASIC, log="human"):
        return Gateway(self.folder, CONFIG % (self.simulator.url, auth, log), prefix=[
            "env", f"LD_PRELOAD={self.library}", f"TEST_CLOCK={self.clock}"])

    def events(self, count, **more):
        self.made += count
        return json.dumps([
            {"type": "custom", "action": "test.event", "label": "a test",
             "client": {"customId": f"c{i}"}, "params": {"n": i}, **more}
            for i in range(self.made - count, self.made)])

    def post(self, gateway, body, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request("POST", "/v4/events/batch", body,
                           {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertEqual(answer.status, 202, text)
        return json.loads(text)

    def look_around(self, gateway):
        for path in ("status", "metrics", "config", "livez", "readyz"):
            status, text = fetch(f"http://127.0.0.1:{gateway.admin_port}/{path}")
            self.assertEqual(status, 200, f"{path}: {text}")
            self.check_times(text)
            if path == "status":
                json.loads(text)
        self.assertNotRegex(fetch(f"http://127.0.0.1:{gateway.admin_port}/metrics")[1], r"(?i) [-+]?(nan|inf)$")

    def check_times(self, text):
        for shown in SHOWN.findall(text):
            self.assertRegex(shown, "^" + A_TIME.pattern + "$")

    def check_log(self, gateway, log):
        text = gateway.text()
        self.check_times(text)
        for line in text.splitlines():
            if log == "json":
                self.assertRegex(json.loads(line)["time"], A_TIME)
            else:
                self.assertRegex(line, "^" + A_TIME.pattern)

    def refuse_one(self, gateway):
        """Becomes a dead letter."""
        before = gateway.metrics()["events_dead_lettered_total"]
        self.simulator.set_faults({"action": "status", "status": 400})
        self.post(gateway, self.events(1))
        eventually(lambda: gateway.metrics()["events_dead_lettered_total"] > before, 30, "it is a dead letter")
        self.simulator.set_faults()

    def dead_letters(self):
        listed = subprocess.run([BINARIES / "sluice", "dlq", "list", "--config",
                                 pathlib.Path(self.folder, "sluice.yaml")], capture_output=True, text=True,
                                check=False)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.check_times(listed.stdout)
        return len(listed.stdout.splitlines()) - 1

    def run_with(self, first, then, auth=BASIC, log="human"):
        """Starts with the one, and is set to the other while it runs; then stops with events that wait."""
        self.set_clock(first)
        with self.start(auth, log) as gateway:
            self.post(gateway, self.events(20))
            self.post(gateway, self.events(3, time="2024-01-01T00:00:00.000Z", eventSalt="s"))
            key, body = {"Idempotency-Key": f"a-key-{first}"}, self.events(1)
            once = self.post(gateway, body, key)
            gateway.wait_until_delivered(30)
            self.look_around(gateway)
            self.refuse_one(gateway)
            self.set_clock(then)
            self.assertEqual(self.post(gateway, body, key), once, "it is known")
            self.post(gateway, self.events(20))
            gateway.wait_until_delivered(30)
            self.look_around(gateway)
            self.refuse_one(gateway)
            self.simulator.set_faults({"action": "status", "status": 503})
            self.post(gateway, self.events(5))
            self.look_around(gateway)
            self.assertEqual(gateway.stop(), 0, gateway.text())
            self.check_log(gateway, log)
        self.simulator.set_faults()
        with self.start(auth, log) as gateway:
            gateway.wait_until_delivered(30)
            self.look_around(gateway)
            self.assertEqual(gateway.metrics().balance(), 0)
            self.assertEqual(gateway.stop(), 0, gateway.text())
            self.check_log(gateway, log)
        self.assertEqual(self.simulator.unique_events(), self.made - 2)
        self.assertEqual(self.dead_letters(), 2)

    def test_before_1970(self):
        self.run_with(YEAR_1963, YEAR_1963 - A_DAY)

    def test_over_the_turn_of_1970(self):
        self.run_with(BEFORE_1970, A_DAY, log="json")

    def test_over_the_turn_of_10000(self):
        self.run_with(BEFORE_10000, BEFORE_10000 + A_DAY)

    def test_after_9999(self):
        self.run_with(YEAR_10582, YEAR_10582 + A_DAY, log="json")

    def test_set_back_by_centuries_while_it_runs(self):
        self.run_with(YEAR_10582, YEAR_1963, JWT)

    def test_set_forth_by_centuries_while_it_runs(self):
        self.run_with(YEAR_1963, YEAR_10582, JWT, log="json")

    def test_set_back_and_forth_by_a_day_with_tokens(self):
        self.run_with(YEAR_2024, YEAR_2024 - A_DAY, JWT)


if __name__ == "__main__":
    unittest.main()
