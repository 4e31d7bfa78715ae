"""Goal: where memory runs out, load is refused or the process ends, and the store is whole: what was acknowledged
arrives and counts once."""

import http.client
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import threading
import unittest

from gateways import BINARIES, WORKSPACE_GUID, Gateway, Simulator, eventually

CONFIG = """\
ingest: {{listen: "127.0.0.1:{port}", threads: 2}}
admin: {{listen: "127.0.0.1:{admin_port}"}}
workspaces:
  - {{base_url: "%s", auth: {{method: basic, workspace_guid: %s, api_key: k}}}}
buffer: {{path: "{folder}/buffer", max_bytes: %s}}
delivery: {{backoff: {{initial: 20ms, max: 500ms}}}}
dead_letter: {{path: "{folder}/dead-letter"}}
"""
REQUEST_EVENTS = 2_000
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CGROUP_BYTES = 96 << 20


class Pourer(threading.Thread):
    """Sends arrays, one after the other, and counts what is acknowledged; ends when nobody answers."""

    def __init__(self, port, name, requests):
        super().__init__(daemon=True)
        self._port, self._name, self._requests = port, name, requests
        self.acknowledged, self.statuses = 0, {}

    def run(self):
        for request in range(self._requests):
            body = json.dumps([{"type": "custom", "action": "test.event", "label": "a test",
                                "client": {"customId": f"{self._name}-{i % 50}"},
                                "params": {"n": request * REQUEST_EVENTS + i, "text": "x" * 300}}
                               for i in range(REQUEST_EVENTS)])
            status = self._post(body)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 202:
                self.acknowledged += REQUEST_EVENTS

    def _post(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", "/v4/events/batch", body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


class Memory(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.simulator = self.enterContext(Simulator(self.folder))
        self.simulator.set_faults({"action": "status", "status": 503})

    def config(self, max_bytes):
        return CONFIG % (self.simulator.url, WORKSPACE_GUID, max_bytes)

    def pour(self, gateway, requests):
        pourers = [Pourer(gateway.port, f"p{i}", requests) for i in range(3)]
        for pourer in pourers:
            pourer.start()
        for pourer in pourers:
            pourer.join(120)
        statuses = {}
        for pourer in pourers:
            for status, count in pourer.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        return sum(pourer.acknowledged for pourer in pourers), statuses

    def check_whole(self, acknowledged):
        """On a stopped store, and then by what a gateway with memory makes of it."""
        verified = subprocess.run([BINARIES / "sluice", "buffer", "verify", "--config",
                                   pathlib.Path(self.folder, "sluice.yaml")],
                                  capture_output=True, text=True, check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        self.simulator.set_faults()
        with Gateway(self.folder, self.config("1GiB")) as gateway:
            gateway.wait_until_delivered()
            metrics = gateway.metrics()
            self.assertEqual((metrics.balance(), metrics["buffer_events_lost_total"]), (0, 0))
            # What was stored and could not be answered any more is there as well.
            self.assertGreaterEqual(self.simulator.unique_events(), acknowledged)

    def test_with_little_memory_load_is_refused_or_the_process_ends_and_the_store_is_whole(self):
        self.check_with_spare_bytes(24 << 20)

    def test_with_no_memory_for_a_request_load_is_refused_or_the_process_ends_and_the_store_is_whole(self):
        self.check_with_spare_bytes(8 << 20)

    def check_with_spare_bytes(self, spare_bytes):
        """RLIMIT_DATA bounds what can be written to; address space is reserved far ahead of need."""
        with Gateway(self.folder, self.config("1GiB")) as gateway:
            status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text(encoding="ascii")
            used = int(status.partition("VmData:")[2].split()[0]) * 1024
            resource.prlimit(gateway.pid, resource.RLIMIT_DATA,
                             (used + spare_bytes, resource.RLIM_INFINITY))
            acknowledged, statuses = self.pour(gateway, 60)
            self.assertLessEqual(set(statuses), {0, 202, 503})
            self.assertGreater(statuses.get(0, 0) + statuses.get(503, 0), 0, "memory did run out")
            if gateway.child.poll() is None:
                resource.prlimit(gateway.pid, resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2)
                self.assertEqual(gateway.stop(), 0)
            else:
                self.assertEqual(gateway.child.returncode, 1)
                self.assertIn("memory is exhausted", gateway.text())
        self.check_whole(acknowledged)

    def test_in_a_small_cgroup_a_backlog_larger_than_it_is_kept(self):
        cgroup = self.small_cgroup()
        with Gateway(self.folder, self.config("1GiB"),
                     prefix=["sh", "-c", f'echo $$ > {cgroup}/cgroup.procs && exec "$@"', "--"]) as gateway:
            acknowledged, statuses = self.pour(gateway, 60)
            self.assertEqual(statuses, {202: 180})
            self.assertGreater(gateway.metrics()["buffer_bytes"], CGROUP_BYTES)
            self.assertIsNone(gateway.child.poll())
            self.assertEqual(gateway.stop(), 0)
        self.check_whole(acknowledged)

    def small_cgroup(self):
        """Of either version; skips where none can be made."""
        old = (CGROUPS / "memory").is_dir()
        cgroup = CGROUPS / ("memory" if old else "") / f"sluice-test-{os.getpid()}"
        try:
            cgroup.mkdir()
            self.addCleanup(eventually, lambda: self.removed(cgroup), 10, "the cgroup is empty")
            limit = cgroup / ("memory.limit_in_bytes" if old else "memory.max")
            limit.write_text(str(CGROUP_BYTES), encoding="ascii")
        except OSError as error:
            self.skipTest(f"a cgroup with a limit: {error}")
        return cgroup

    @staticmethod
    def removed(cgroup):
        try:
            cgroup.rmdir()
        except OSError:
            return False
        return True


if __name__ == "__main__":
    unittest.main()
