"""Producers that send everything there is to send, insist until it is answered, and keep count."""

import gzip
import http.client
import json
import random
import threading
import time
import zlib

CONFIG = """\
ingest:
  listen: 127.0.0.1:{{port}}
  threads: 2
  max_event_bytes: 64KiB
  producers:
    - {{{{name: shop, key: shop-key, workspace: shop}}}}
    - {{{{name: app, key: app-key, workspace: app}}}}
    - {{{{name: tills, key: tills-key, workspace: tills}}}}
admin: {{{{listen: "127.0.0.1:{{admin_port}}"}}}}
workspaces:
  - {{{{name: shop, base_url: "{upstream}", auth: {{{{method: basic, workspace_guid: {guid}, api_key: k1}}}}}}}}
  - {{{{name: app, base_url: "{upstream}", auth: {{{{method: jwt, api_key: k2}}}}}}}}
  - {{{{name: tills, base_url: "{upstream}", auth: {{{{method: basic, workspace_guid: {guid}, api_key: k3}}}}}}}}
buffer: {{{{path: {{folder}}/buffer, max_bytes: {buffer}}}}}
batch: {{{{linger: 20ms}}}}
delivery: {{{{timeout: {timeout}, backoff: {{{{initial: 20ms, max: 500ms}}}}}}}}
dedup: {{{{max_entries: 100000}}}}
dead_letter: {{{{path: {{folder}}/dead-letter}}}}
sources:
  - name: orders
    workspace: tills
    event:
      action: {{{{value: order.line}}}}
      label: {{{{from: /text, default: purchase}}}}
      client: {{{{customId: {{{{from: /customer, type: string, required: true}}}}}}}}
      params: {{{{n: {{{{from: /n, type: integer}}}}, price: {{{{from: /price, type: number}}}}}}}}
"""

POISON = {"action": "poison", "pointer": "/params/poison", "equals": 1}
POISON_EVERY = 300


def config(upstream, guid, timeout="1s", buffer="256MiB"):
    return CONFIG.format(upstream=upstream, guid=guid, timeout=timeout, buffer=buffer)


class Tally:
    """What was answered 202, and what was not as it should be."""

    def __init__(self):
        self.events = 0
        self.poisoned = 0
        self.requests = {}  # by kind
        self.given_up = 0  # answers that were not waited for
        self.surprises = []

    def add(self, other):
        self.events += other.events
        self.poisoned += other.poisoned
        for kind, count in other.requests.items():
            self.requests[kind] = self.requests.get(kind, 0) + count
        self.given_up += other.given_up
        self.surprises += other.surprises


class Request:
    def __init__(self, path, body, *, valid, poisoned=0, rejected=0, status=202, headers=()):
        self.path, self.body, self.status = path, body, status
        self.valid, self.poisoned, self.rejected = valid, poisoned, rejected
        self.headers = dict(headers)


class Producer(threading.Thread):
    """Sends until it is stopped, or so many requests. Its events are no other producer's."""

    def __init__(self, port, name, seed, requests=None, pause_s=0.02, patience_s=60):
        super().__init__(name=name, daemon=True)
        self.tally = Tally()
        self._port, self._pause_s, self._patience_s = port, pause_s, patience_s
        self._rng = random.Random(f"{seed} {name}")
        self._left = requests
        self._ended = threading.Event()
        self._number = 0
        self._connection = None

    def end(self):
        self._ended.set()

    def run(self):
        kinds = [self.single, self.array, self.lines, self.mapped, self.transactions,
                 self.array_with_broken, self.broken, self.broken_alone, self.huge]
        turn = 0
        while not self._ended.is_set() and self._left != 0:
            kind = kinds[turn % len(kinds)]
            turn += 1
            try:
                self.send(kind())
            except Exception as error:  # pylint: disable=broad-except
                self.tally.surprises.append(f"{kind.__name__}: {error!r}")
                return
            self.tally.requests[kind.__name__] = self.tally.requests.get(kind.__name__, 0) + 1
            if self._left is not None:
                self._left -= 1
            self._ended.wait(self._rng.random() * 2 * self._pause_s)
        self.disconnect()

    def send_all(self, requests):
        """These and no others, without the thread."""
        for request in requests:
            self.send(request)
        self.disconnect()

    # What is sent.

    def event(self, *, poison=False):
        self._number += 1
        made = {"type": "custom", "action": "soak.event", "label": "soak",
                "client": {"customId": f"{self.name}-{self._rng.randrange(200)}"},
                "params": {"n": self._number, "text": "é" * self._rng.randrange(100)}}
        if self._rng.random() < 0.5:
            made["time"] = "2024-05-01T12:00:00.000Z"
        if poison:
            made["params"]["poison"] = 1
        return made

    def events(self):
        poison = [self._rng.randrange(POISON_EVERY) == 0 for _ in range(self._rng.randrange(1, 120))]
        return [self.event(poison=bad) for bad in poison], sum(poison)

    def key(self, name="shop"):
        return {"Authorization": f"Bearer {name}-key", "Content-Type": "application/json",
                "Idempotency-Key": f"{self.name}/{self._number}/{name}"}

    def single(self):
        made = self.event()
        del made["type"]
        return Request("/v4/events/custom", json.dumps(made), valid=1, headers=self.key())

    def array(self):
        made, poisoned = self.events()
        return self.coded(Request("/v4/events/batch", json.dumps(made), valid=len(made),
                                  poisoned=poisoned, headers=self.key("app")))

    def array_with_poison(self):
        made = [self.event(), self.event(poison=True)]
        return Request("/v4/events/batch", json.dumps(made), valid=2, poisoned=1, headers=self.key())

    def lines(self):
        made, poisoned = self.events()
        return self.coded(Request(
            "/v4/events/batch", "".join(json.dumps(e) + "\n" for e in made), valid=len(made),
            poisoned=poisoned, headers=self.key() | {"Content-Type": "application/x-ndjson"}))

    def mapped(self):
        made = []
        for _ in range(self._rng.randrange(1, 60)):
            self._number += 1
            made.append({"customer": f"{self.name}-{self._rng.randrange(200)}", "n": self._number,
                         "price": "12.50", "text": "a lamp"})
        return self.coded(Request("/v1/events/orders", json.dumps(made), valid=len(made),
                                  headers=self.key("tills")))

    def transactions(self):
        self._number += 1
        money = {"amount": 5, "currency": "EUR"}
        made = {"client": {"customId": f"{self.name}-{self._rng.randrange(200)}"},
                "orderId": f"{self.name}-{self._number}", "source": "POS",
                "paymentInfo": {"method": "CARD"}, "revenue": money, "value": money,
                "products": [{"sku": "s", "name": "n", "quantity": 1, "finalUnitPrice": money}]}
        return Request("/v4/transactions", json.dumps(made), valid=1, headers=self.key("tills"))

    def array_with_broken(self):
        made, poisoned = self.events()
        broken = [{"type": "custom", "action": "no.client", "label": "l"}, 5,
                  {"type": "custom", "action": "NOT OK", "label": "l", "client": {"customId": "c"}}]
        return Request("/v4/events/batch", json.dumps(made + broken), valid=len(made),
                       poisoned=poisoned, rejected=len(broken), headers=self.key())

    def broken(self):
        return Request("/v4/events/batch", '[{"type":"custom","action":', valid=0, status=400,
                       headers=self.key())

    def broken_alone(self):
        return Request("/v4/events/custom", '{"action":"no.client","label":"l"}', valid=0, status=400,
                       headers=self.key())

    def huge(self):
        made = self.event()
        huge = self.event()
        huge["params"]["text"] = "x" * 70_000
        return Request("/v4/events/batch", json.dumps([made, huge]), valid=1, rejected=1,
                       headers=self.key())

    def coded(self, request):
        coding = self._rng.choice([None, "gzip", "deflate"])
        if coding == "gzip":
            request.body = gzip.compress(request.body.encode(), 1)
        elif coding == "deflate":
            request.body = zlib.compress(request.body.encode(), 1)
        if coding:
            request.headers["Content-Encoding"] = coding
        return request

    # How it is sent.

    def send(self, request):
        """Again and again, as it was, until there is an answer that ends it."""
        end = time.monotonic() + self._patience_s
        if self._rng.random() < 0.05:
            self.send_and_leave(request)
        while True:
            status, body = self.try_once(request)
            if status == request.status:
                break
            if status not in (0, 503):
                raise AssertionError(f"answered {status}: {body[:500]}")
            if time.monotonic() > end:
                raise AssertionError(f"no end of {status}: {body[:500]}")
            time.sleep(0.05)
        if status == 202:
            self.count(request, json.loads(body))
        if self._rng.random() < 0.1:
            self.disconnect()

    def count(self, request, answer):
        # By its key the same request is the same events, even where an answer was not waited for.
        if (answer["accepted"] + answer["duplicates"], answer["rejected"]) != (request.valid, request.rejected):
            self.tally.surprises.append(f"{request.valid} valid, {request.rejected} broken: {answer}")
        self.tally.events += request.valid
        self.tally.poisoned += request.poisoned

    def try_once(self, request):
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port,
                                                              timeout=self._patience_s)
            self._connection.request("POST", request.path, request.body, request.headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.disconnect()
            return 0, repr(error)

    def send_and_leave(self, request):
        self.disconnect()
        leaving = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience_s)
        try:
            leaving.request("POST", request.path, request.body, request.headers)
            self.tally.given_up += 1
        except OSError:
            pass  # the retry comes anyway
        leaving.close()

    def disconnect(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
