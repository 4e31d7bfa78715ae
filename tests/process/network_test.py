"""Goal: peers that vanish without a word and names that do not resolve, resolve late or resolve to another address
cost time and nothing else: what was acknowledged arrives and counts once, and what was opened is closed.

Runs in network namespaces of its own, which takes root; is skipped, saying so, without."""

import ctypes
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from gateways import WORKSPACE_GUID, Gateway, Simulator, eventually

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
HERE, THERE = "10.77.0.1", "10.77.0.2"

CONFIG = """\
ingest:
  listen: ["127.0.0.1:{port}", "%s:{port}"]
  threads: 1
  allow_anonymous: true
  header_timeout: 500ms
  body_timeout: 500ms
  idle_timeout: 500ms
admin: {{listen: "127.0.0.1:{admin_port}"}}
workspaces:
  - {{base_url: "%s", allow_plaintext: true, auth: {{method: basic, workspace_guid: %s, api_key: k}}}}
buffer: {{path: "{folder}/buffer"}}
batch: {{linger: 10ms}}
delivery: {{timeout: 500ms, connect_timeout: 500ms, backoff: {{initial: 20ms, max: 200ms}}}}
dead_letter: {{path: "{folder}/dead-letter"}}
"""

# A client that leaves a connection idle, one amid a request's head and one amid its body.
CLIENT = """\
import socket, sys, time
body = b'[' + b' ' * 50
request = b'POST /v4/events/batch HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: '
sockets = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(3)]
sockets[0].sendall(request + b'2\\r\\n\\r\\n[]')
sockets[0].recv(4096)
sockets[1].sendall(request)
sockets[2].sendall(request + b'99\\r\\n\\r\\n[')
print('open', flush=True)
time.sleep(600)
"""


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


class Network:
    """This process's own network, and another beyond a wire."""

    def __init__(self):
        self._outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise unittest.SkipTest(f"a network of its own: {os.strerror(ctypes.get_errno())}")
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        mine = os.readlink("/proc/self/ns/net")
        try:
            eventually(lambda: os.readlink(f"/proc/{self._holder.pid}/ns/net") != mine, 10, "a second network")
            self.prefix = ["nsenter", "-t", str(self._holder.pid), "--net"]
            run("ip", "link", "set", "lo", "up")
            run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(self._holder.pid))
            run("ip", "address", "add", HERE + "/24", "dev", "here")
            run("ip", "link", "set", "here", "up")
            self.there("ip", "link", "set", "lo", "up")
            self.there("ip", "link", "set", "there", "up")
            self.appear()
        except (subprocess.CalledProcessError, OSError) as error:
            self.close()
            raise unittest.SkipTest(f"a network of its own: {error}") from error

    def there(self, *command):
        run(*self.prefix, *command)

    def appear(self):
        self.there("ip", "address", "add", THERE + "/24", "dev", "there")

    def vanish(self):
        """From now on packets to it are dropped, and not refused."""
        self.there("ip", "address", "del", THERE + "/24", "dev", "there")

    def close(self):
        self._holder.kill()
        self._holder.wait()
        LIBC.setns(self._outside, CLONE_NEWNET)
        os.close(self._outside)


class NameServer(threading.Thread):
    """Answers all questions for an address alike: `address`, a failure (None) or not at all ("")."""

    def __init__(self):
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self.address = None

    def run(self):
        while True:
            question, peer = self._socket.recvfrom(512)
            address = self.address
            if address == "":
                continue
            end = question.index(b"\0", 12) + 5
            is_a = question[end - 4:end - 2] == b"\0\x01"
            rcode = 2 if address is None else 0
            answer = b""
            if address and is_a:
                answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04" + socket.inet_aton(address)
            self._socket.sendto(question[:2] + bytes([0x81, 0x80 | rcode]) + b"\0\x01"
                                + (b"\0\x01" if answer else b"\0\0") + b"\0\0\0\0" + question[12:end] + answer, peer)


def post_events(port, count):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v4/events/batch", json.dumps([
        {"type": "custom", "action": "test.event", "label": "a test", "client": {"customId": f"c{i}"}, "params": {}}
        for i in range(count)]), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 202, body


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.network = Network()
        cls.addClassCleanup(cls.network.close)

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def start_gateway(self, upstream, **more):
        return self.enterContext(Gateway(self.folder, CONFIG % (HERE, upstream, WORKSPACE_GUID), **more))

    def outcomes(self, gateway, outcome):
        return sum(float(line.rpartition(" ")[2]) for line in gateway.metrics().text.splitlines()
                   if line.startswith("sluice_delivery_requests_total{") and f'outcome="{outcome}"' in line)

    def check_accounts(self, gateway, events):
        gateway.wait_until_delivered()
        metrics = gateway.metrics()
        self.assertEqual((metrics["events_delivered_total"], metrics.balance()), (events, 0))

    def test_an_upstream_that_vanishes_amid_a_request_costs_time_only(self):
        simulator = self.enterContext(Simulator(self.folder, prefix=self.network.prefix, listen=THERE + ":0"))
        gateway = self.start_gateway(simulator.url)
        post_events(gateway.port, 10)
        gateway.wait_until_delivered()
        before = len(gateway.descriptors())
        simulator.set_faults({"action": "latency", "latency_ms": 300})
        post_events(gateway.port, 100)
        eventually(lambda: gateway.metrics()["delivery_in_flight"] > 0, 20, "a request is under way")
        self.network.vanish()
        post_events(gateway.port, 100)
        # What was under way gets no answer; what comes after it no connection.
        eventually(lambda: self.outcomes(gateway, "ambiguous") > 0, 30, "no answer in time")
        eventually(lambda: self.outcomes(gateway, "transient") > 0, 30, "no connection in time")
        self.assertGreater(gateway.metrics()["buffer_events"], 0)
        self.network.appear()
        simulator.set_faults()
        self.check_accounts(gateway, 210)
        self.assertEqual(simulator.unique_events(), 210)
        kept = gateway.metrics()["upstream_connections"]
        eventually(lambda: len(gateway.descriptors()) <= before + kept, 20, "what was opened is closed")

    def test_clients_that_vanish_are_closed_by_the_time_outs(self):
        gateway = self.start_gateway("http://127.0.0.1:9")
        gateway.metrics()
        before = len(gateway.descriptors())
        client = subprocess.Popen([*self.network.prefix, sys.executable, "-c", CLIENT, HERE, str(gateway.port)],
                                  stdout=subprocess.PIPE)
        try:
            # Each is closed by its own time-out, seen or not: so the packets are dropped at once.
            self.assertEqual(client.stdout.readline(), b"open\n")
            self.network.vanish()
            eventually(lambda: gateway.metrics()["ingest_connections"] == 0, 30, "the connections are closed")
            eventually(lambda: len(gateway.descriptors()) <= before, 20, "what was opened is closed")
            self.assertGreaterEqual(gateway.metrics()["ingest_timeouts_total"], 2)
        finally:
            client.kill()
            client.wait()
            client.stdout.close()
            self.network.appear()

    def test_a_name_that_fails_is_slow_and_changes_is_looked_up_again(self):
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            self.skipTest("a resolv.conf of its own: no mount namespace can be had here")
        names = NameServer()
        names.start()
        old = Simulator(self.folder, listen="127.0.0.1:0")
        port = old.url.rpartition(":")[2]
        resolver = pathlib.Path(self.folder, "resolv.conf")
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="ascii")
        with old:
            gateway = self.start_gateway(f"http://upstream.test:{port}", prefix=[
                "unshare", "--mount", "sh", "-c", f'mount --bind {resolver} /etc/resolv.conf && exec "$@"', "--"])
            post_events(gateway.port, 10)
            eventually(lambda: f"upstream.test:{port}: Host not found" in gateway.text(), 20, "the name fails")
            names.address = ""
            eventually(lambda: "could not be looked up in time" in gateway.text(), 20, "the name is slow")
            self.assertEqual(gateway.metrics()["buffer_events"], 10)
            names.address = "127.0.0.1"
            self.check_accounts(gateway, 10)
            self.assertEqual(old.unique_events(), 10)
            names.address = "127.0.0.2"
        new = self.enterContext(Simulator(self.folder, listen=f"127.0.0.2:{port}"))
        post_events(gateway.port, 10)
        self.check_accounts(gateway, 20)
        self.assertEqual(new.unique_events(), 10)


if __name__ == "__main__":
    unittest.main()
