"""Goal: a start that takes long says so while it goes on, and one that must not go on says why and changes nothing."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from gateways import BINARIES, WORKSPACE_GUID, Gateway, Simulator

CONFIG = """\
ingest: {{listen: "127.0.0.1:{port}", threads: 1}}
admin: {{listen: "127.0.0.1:{admin_port}"}}
workspaces:
  - {{base_url: "%s", auth: {{method: basic, workspace_guid: %s, api_key: k}}}}
buffer: {{path: "{folder}/buffer"}}
dead_letter: {{path: "{folder}/dead-letter"}}
"""
EVENTS = 2_000


class Starts(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.simulator = self.enterContext(Simulator(self.folder))
        self.database = pathlib.Path(self.folder, "buffer", "db")
        self.config = CONFIG % (self.simulator.url, WORKSPACE_GUID)
        self.leave_backlog()

    def leave_backlog(self):
        self.simulator.set_faults({"action": "status", "status": 503})
        with Gateway(self.folder, self.config) as gateway:
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            connection.request("POST", "/v4/events/batch", json.dumps([
                {"type": "custom", "action": "test.event", "label": "a test", "client": {"customId": f"c{i}"},
                 "params": {"text": os.urandom(100).hex()}} for i in range(EVENTS)]),
                {"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().status, 202)
            connection.close()
            gateway.child.kill()
            gateway.child.wait()
        self.simulator.set_faults()

    def check_all_is_delivered(self, prefix=()):
        with Gateway(self.folder, self.config, prefix=prefix) as gateway:
            gateway.wait_until_delivered()
            metrics = gateway.metrics()
            self.assertEqual((metrics.balance(), metrics["buffer_events_lost_total"]), (0, 0))
            self.assertEqual(gateway.stop(), 0)
            self.assertEqual(self.simulator.unique_events(), EVENTS)
            return gateway.text()

    def test_the_service_manager_is_told_that_a_store_is_built_anew(self):
        (self.database / "CURRENT").unlink()
        manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(os.path.join(self.folder, "manager"))
        manager.settimeout(20)
        log = self.check_all_is_delivered(["env", f"NOTIFY_SOCKET={self.folder}/manager"])
        told = []
        while not told or told[-1] != "STOPPING=1":
            told.append(manager.recv(4096).decode())
        self.assertRegex(told[0], r"\AEXTEND_TIMEOUT_USEC=120000000\n"
                                  r"STATUS=building the buffer's store anew: \d+ of \d+ MiB\Z")
        self.assertEqual(told[-3:], ["STATUS=", "READY=1", "STOPPING=1"])
        self.assertIn("starting takes a while", log)

    def test_a_file_that_may_not_be_read_ends_the_start_and_nothing_is_lost(self):
        log = max(self.database.glob("*.log"))
        log.chmod(0)
        # Root is let pass, unless it gives that up.
        prefix = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
        done = subprocess.run([*prefix, BINARIES / "sluice", "serve", "--config",
                               pathlib.Path(self.folder, "sluice.yaml")], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"cannot open {log}: Permission denied; let the user that sluice runs as read and write it",
                      done.stderr)
        log.chmod(0o600)
        self.check_all_is_delivered()


if __name__ == "__main__":
    unittest.main()
