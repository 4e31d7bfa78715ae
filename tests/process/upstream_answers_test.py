"""Goal: whatever bytes come from the upstream in place of an answer, the outcome is the defined one: the same
bytes are sent again until they are answered, and nothing is lost, followed or held without a bound."""

import http.client
import json
import re
import socket
import tempfile
import threading
import time
import unittest

from gateways import WORKSPACE_GUID, Gateway, eventually

CONFIG = """\
ingest: {{listen: "127.0.0.1:{port}", threads: 1}}
admin: {{listen: "127.0.0.1:{admin_port}"}}
workspaces:
  - {{base_url: "http://127.0.0.1:%d", auth: {{%s}}}}
buffer: {{type: memory}}
batch: {{linger: 0ms}}
delivery: {{lanes: 1, timeout: 200ms, backoff: {{initial: 1ms, max: 10ms}}}}
dead_letter: {{path: "{folder}/dead-letter"}}
"""

BASIC = f"method: basic, workspace_guid: {WORKSPACE_GUID}, api_key: k"

OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
HEAD = b"HTTP/1.1 202 Accepted\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HUGE = b"Content-Length: 9000000\r\n\r\n" + b"x" * 9_000_000


def once(data):
    """Sends it, and closes."""
    return lambda peer: peer.sendall(data)


def held(data):
    """Sends it, and nothing more until the other side goes."""
    def react(peer):
        peer.sendall(data)
        while peer.recv(65536):
            pass
    return react


def endless(begin, piece, pause_s=0.0):
    """Sends pieces until the other side goes."""
    def react(peer):
        peer.sendall(begin)
        while True:
            peer.sendall(piece)
            time.sleep(pause_s)
    return react


# The outcome that is counted for it; what the upstream does.
CASES = {
    "nothing, and the end": ("ambiguous", once(b"")),
    "nothing for ever": ("ambiguous", held(b"")),
    "a head cut off": ("ambiguous", once(b"HTTP/1.1 202 Acc")),
    "a body cut off": ("delivered", once(HEAD + b"Content-Length: 99\r\n\r\npart")),
    "chunks cut off": ("delivered", once(CHUNKED + b"5\r\nab")),
    "an oversized body": ("delivered", once(HEAD + HUGE)),
    "an oversized refusal": ("transient", once(b"HTTP/1.1 500 O\r\n" + HUGE)),
    "a body without end": ("delivered", endless(HEAD + b"\r\n", b"x" * 65536)),
    "chunks without end": ("delivered", endless(CHUNKED, b"4\r\nabcd\r\n" * 999)),
    "a chunk extension without end": ("delivered", endless(CHUNKED + b"4;x=", b"y" * 9999)),
    "a head in slow drops": ("ambiguous", endless(b"HTTP/1.1 202 Accepted\r\nX: ", b"x", 0.01)),
    "a body in slow drops": ("delivered", endless(HEAD + b"Content-Length: 999999\r\n\r\n", b"x", 0.01)),
    "no HTTP": ("ambiguous", held(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")),
    "HTTP/2": ("ambiguous", held(b"\0\0\x12\x04\0\0\0\0\0" + b"\0" * 18)),
    "a page in place of JSON": ("transient", once(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
                                                  b"Content-Length: 15\r\n\r\n<html>oh</html>")),
    "a success that is a page": ("misrouted", once(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>oh</html>")),
    "two lengths": ("ambiguous", held(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx")),
    "a length below zero": ("ambiguous", held(HEAD + b"Content-Length: -1\r\n\r\n")),
    "chunks of no size": ("delivered", held(CHUNKED + b"zz\r\n\r\n")),
    "1xx without end": ("ambiguous", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "another protocol": ("ambiguous", held(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")),
    "some 1xx first": ("delivered", once(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 50 + OK)),
    "a huge header": ("ambiguous", held(HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n")),
    "headers without end": ("ambiguous", endless(HEAD, b"X-More: and more\r\n" * 99)),
    "no status that there is": ("ambiguous", once(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n")),
    "a status of two digits": ("ambiguous", held(b"HTTP/1.1 20 Short\r\nContent-Length: 0\r\n\r\n")),
}
REDIRECTS = (302, 307)  # each one more parks the workspace for longer
LOGIN = "/uauth/v2/auth/login/profile"


ACCEPTED = once(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
TOKEN = once(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n{"token":"t"}')


def redirect(status, elsewhere, path):
    """To another server: its listening socket."""
    return once(f"HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\n"
                f"Location: http://127.0.0.1:{elsewhere.getsockname()[1]}{path}\r\n\r\n".encode())


class RawServer(threading.Thread):
    """Takes requests one after the other on connections of their own, and reacts to the first ones as it is
    told, and to all others in one way."""

    def __init__(self, otherwise=ACCEPTED):
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.bodies, self.targets = [], []
        self.reactions, self._otherwise = [], otherwise

    def run(self):
        while True:
            peer = self._listener.accept()[0]
            with peer:
                peer.settimeout(10)
                try:
                    self._serve(peer)
                except OSError:
                    pass  # the other side has gone

    def _serve(self, peer):
        data = b""
        while b"\r\n\r\n" not in data:
            more = peer.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        while len(body) < length:
            body += peer.recv(65536)
        self.bodies.append(body)
        self.targets.append(head.split(b" ")[1].decode())
        react = self.reactions.pop(0) if self.reactions else self._otherwise
        react(peer)


def post_an_event(port):
    """The answer's status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v4/events/custom",
                       json.dumps({"action": "test.event", "label": "a test", "client": {"customId": "c"},
                                   "params": {}}),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = RawServer()
        cls.upstream.start()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.gateway = cls.enterClassContext(
            Gateway(folder, CONFIG % (cls.upstream.port, BASIC)))

    def outcomes(self):
        text = self.gateway.metrics().text
        return {name: int(float(count)) for name, count in re.findall(
            r'^sluice_delivery_requests_total{.*outcome="(\w+)".*} (\S+)$', text, re.MULTILINE)}

    def send_an_event(self):
        """What came upstream until it was delivered, and the outcomes counted for it."""
        before, delivered = self.outcomes(), self.gateway.metrics()["events_delivered_total"]
        self.upstream.bodies.clear()
        status, text = post_an_event(self.gateway.port)
        self.assertEqual(status, 202, text)
        eventually(lambda: self.gateway.metrics()["events_delivered_total"] == delivered + 1, 30, "delivery")
        self.assertEqual(self.gateway.metrics()["events_dead_lettered_total"], 0)
        self.assertEqual(self.gateway.metrics().balance(), 0)
        counted = {name: count - before.get(name, 0) for name, count in self.outcomes().items()}
        return list(self.upstream.bodies), {name: n for name, n in counted.items() if n}

    def test_each_has_its_outcome_and_the_same_bytes_come_again(self):
        for name, (outcome, react) in CASES.items():
            with self.subTest(name):
                self.upstream.reactions = [react]
                bodies, outcomes = self.send_an_event()
                if outcome == "delivered":
                    self.assertEqual((outcomes, len(bodies)), ({"delivered": 1}, 1))
                else:
                    self.assertEqual((outcomes, len(bodies)), ({outcome: 1, "delivered": 1}, 2))
                    self.assertEqual(bodies[0], bodies[1])
        self.assertLess(self.gateway.resident_bytes(), 64 << 20)

    def test_a_redirect_is_not_followed(self):
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            elsewhere.setblocking(False)
            for status in REDIRECTS:
                with self.subTest(status):
                    self.upstream.reactions = [redirect(status, elsewhere, "/v4/events/batch")]
                    bodies, outcomes = self.send_an_event()
                    self.assertEqual(outcomes, {"misrouted": 1, "delivered": 1})
                    self.assertEqual(bodies[0], bodies[1])
            with self.assertRaises(BlockingIOError):
                elsewhere.accept()


class Logins(unittest.TestCase):
    def test_a_redirect_is_not_followed(self):
        upstream = RawServer(otherwise=TOKEN)
        upstream.start()
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as elsewhere:
            elsewhere.setblocking(False)
            upstream.reactions = [redirect(status, elsewhere, LOGIN) for status in REDIRECTS]
            with Gateway(folder, CONFIG % (upstream.port, "method: jwt, api_key: the-key")) as gateway:
                self.assertEqual(post_an_event(gateway.port)[0], 202)
                eventually(lambda: gateway.metrics()["events_delivered_total"] == 1, 60, "delivery")
                self.assertEqual(gateway.metrics().balance(), 0)
                self.assertEqual(gateway.metrics()["upstream_logins_total"], len(REDIRECTS) + 1)
            self.assertEqual(upstream.targets, [LOGIN] * (len(REDIRECTS) + 1) + ["/v4/events/batch"])
            self.assertEqual(upstream.bodies[0], b'{"apiKey":"the-key"}')
            with self.assertRaises(BlockingIOError):
                elsewhere.accept()


if __name__ == "__main__":
    unittest.main()
