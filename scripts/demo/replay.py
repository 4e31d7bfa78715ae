"""Replays events.jsonl as a few thousand events of many customers, and checks what became of each.

Each line of the file is one step of a shopping session, with $placeholders. A round replays all
sessions with customers, orders and times of its own; `every: n` takes part in each nth round only.
The same events are made in every run. `send` says which way a step goes:

    batch         POST /v4/events/batch, in arrays
    single        POST /v4/events/{type}, alone
    transaction   POST /v4/transactions, alone
    transactions  POST /v4/transactions/batch, in arrays
    orders        POST /v1/events/orders, raw, in arrays

Standard library only.
"""

import argparse
import datetime
import http.client
import json
import pathlib
import re
import string
import sys
import time
import urllib.parse
import urllib.request
import uuid

ROUNDS = 60
BATCH_EVENTS = 50
SETTLE_SECONDS = 60
FIRST_SESSION_AT = datetime.datetime(2024, 11, 29, 8, tzinfo=datetime.timezone.utc)
# Why a batch was sent again, in the words of somebody who sees it for the first time.
RETRIES = {"rejected": "refused and sent in halves", "transient": "failed and sent again",
           "ambiguous": "not answered and sent again"}
RECALLED = '"RECALLED-042"'  # the product that the stand-in is told to refuse
ARRAY_PATHS = {
    "batch": "/v4/events/batch",
    "transactions": "/v4/transactions/batch",
    "orders": "/v1/events/orders",
}


def expand(steps, round_index):
    """The steps of one round as (send, path of a single event, JSON text)."""
    for position, step in enumerate(steps):
        if round_index % step.get("every", 1) != 0:
            continue
        customer = f"C{100_000 + 64 * round_index + step['session']}"
        at = FIRST_SESSION_AT + datetime.timedelta(minutes=7 * round_index, seconds=11 * position)
        two_hours = datetime.timezone(datetime.timedelta(hours=2))
        values = {
            "customer": customer,
            "email": f"{customer.lower()}@shop.example",
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, customer)),
            "order": str(536_365 + 64 * round_index + step["session"]),
            "time": at.isoformat().replace("+00:00", "Z"),
            "time_plus_two": at.astimezone(two_hours).isoformat(),
            "epoch_ms": str(int(at.timestamp() * 1000)),
            "invoice_date": at.strftime("%m/%d/%y %H:%M"),
        }
        event = dict(step["event"])
        path = "/v4/transactions"
        if step["send"] == "single":
            path = "/v4/events/" + event.pop("type")
        text = string.Template(json.dumps(event)).substitute(values)
        yield step["send"], path, text


class Producer:
    """A back end with one connection that it keeps, and a stop watch."""

    def __init__(self, base_url):
        address = urllib.parse.urlsplit(base_url)
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        self.seconds = []
        self.sent = self.accepted = self.rejected = self.retried = self.recalled = 0

    def post(self, path, events, idempotency_key=None):
        """Sends JSON texts: a list as an array, one alone as an object. Returns the answer."""
        body = "[" + ",".join(events) + "]" if isinstance(events, list) else events
        headers = {"Content-Type": "application/json"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        count = len(events) if isinstance(events, list) else 1
        begun = time.perf_counter()
        self.connection.request("POST", path, body.encode(), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        self.seconds.append(time.perf_counter() - begun)
        self.sent += count
        self.recalled += body.count(RECALLED)
        if answer.status == 202:
            outcome = json.loads(text)
            self.accepted += outcome["accepted"]
            self.rejected += outcome["rejected"]
        elif answer.status == 400:
            self.rejected += count
        else:
            words = text.decode(errors="replace")
            sys.exit(f"replay: {path} was answered {answer.status}: {words}")
        return text


def await_clock(admin):
    """Waits until the gateway has compared its clock with the API's: no time is mended before."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while get_json(admin + "/status")["workspaces"][0]["clock_skew_s"] is None:
        if time.monotonic() > deadline:
            sys.exit(f"replay: no answer of the API was seen within {SETTLE_SECONDS} s")
        time.sleep(0.02)


def replay(producer, steps, admin):
    waiting = {send: [] for send in ARRAY_PATHS}

    def flush(send):
        if waiting[send]:
            producer.post(ARRAY_PATHS[send], waiting[send])
            waiting[send] = []

    for round_index in range(ROUNDS):
        for send, path, text in expand(steps, round_index):
            if send not in ARRAY_PATHS:
                producer.post(path, text)
                if len(producer.seconds) == 1:
                    await_clock(admin)
                continue
            waiting[send].append(text)
            if len(waiting[send]) == BATCH_EVENTS:
                flush(send)
    for send in ARRAY_PATHS:
        flush(send)
    # A producer that got no answer sends the same again, with the same key: it counts once.
    retried = [
        json.dumps({"type": "custom", "action": "page.visit", "label": "Sent twice",
                    "client": {"customId": f"C{n}"}, "params": {}})
        for n in range(25)
    ]
    first = producer.post("/v4/events/batch", retried, idempotency_key="checkout-7781")
    again = producer.post("/v4/events/batch", retried, idempotency_key="checkout-7781")
    if again != first:
        sys.exit(f"replay: the retry was answered {again}, the request before {first}")
    producer.accepted -= len(retried)
    producer.retried += len(retried)


def get_json(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def metrics_of(admin):
    """The samples of /metrics: {name: {labels as text: value}}."""
    with urllib.request.urlopen(admin + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    samples = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*?)\})? (\S+)", text, re.MULTILINE):
        samples.setdefault(name, {})[labels] = float(value)
    return samples


def settle(admin):
    """Waits until every accepted event has ended; the last status."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        status = get_json(admin + "/status")
        workspace = status["workspaces"][0]
        if workspace["delivered"] + workspace["dead_lettered"] == status["accepted"]:
            return status
        if time.monotonic() > deadline:
            sys.exit(f"replay: not everything was delivered within {SETTLE_SECONDS} s: {status}")
        time.sleep(0.05)


def percentile_ms(seconds, share):
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_table(rows):
    width = max(len(name) for name, _, _ in rows)
    for name, value, remark in rows:
        text = f"{value:,}" if isinstance(value, int) else value
        print(f"  {name:<{width}}  {text:>10}  {remark}".rstrip())


def report(producer, status, metrics, stats, ledger, agrees):
    def labelled(name):
        counts = metrics.get(name, {})
        pairs = ((re.search(r'(?:reason|outcome)="(.*?)"', labels).group(1), int(n))
                 for labels, n in counts.items() if n)
        return sorted(pairs, key=lambda pair: -pair[1])

    workspace = status["workspaces"][0]
    reasons = labelled("sluice_events_rejected_total")
    retries = ", ".join(f"{count} {RETRIES.get(reason, reason)}" for reason, count in
                        labelled("sluice_delivery_retries_total"))
    clamped = int(metrics["sluice_future_times_clamped_total"][""])
    trimmed = int(metrics["sluice_identifiers_trimmed_total"][""])
    nulls = int(metrics["sluice_nulls_removed_total"][""])
    warned = int(sum(metrics["sluice_events_warned_total"].values()))
    requests = len(producer.seconds)
    rows = [("events sent", producer.sent, f"in {requests:,} requests on one connection"),
            ("accepted", status["accepted"],
             f"{trimmed} identifiers trimmed, {nulls} nulls left out, "
             f"{clamped} future times mended"),
            ("  told of", warned, "broken rules of the vendor's SDK that the API may let pass"),
            ("retried", producer.retried, "with its Idempotency-Key: answered the same, absorbed"),
            ("rejected", producer.rejected, "each with its reason, none at the cost of another:")]
    rows += [("  " + reason, count, "") for reason, count in reasons]
    rows += [("delivered", workspace["delivered"], ""),
             ("dead-lettered", workspace["dead_lettered"],
              "refused for their content; found by halving their batches"),
             ("batches", workspace["batches"], f"of which {retries or 'none was sent again'}"),
             ("mean batch size", f"{stats['batch_events']['mean']:.1f}",
              f"events per request, {stats['batch_events']['max']:,} at most"),
             ("answered in, p50", f"{percentile_ms(producer.seconds, 0.50):.2f} ms",
              "per request, as the producer sees it"),
             ("answered in, p99", f"{percentile_ms(producer.seconds, 0.99):.2f} ms", ""),
             ("unique in the ledger", ledger["unique"],
              f"what the stand-in has stored, from {ledger['deliveries']:,} deliveries")]
    print_table(rows)
    if agrees:
        print("\nEvery event is accounted for:"
              f"\n  {producer.sent:,} sent = {status['accepted']:,} accepted "
              f"+ {producer.retried:,} retried + {producer.rejected:,} rejected"
              f"\n  {status['accepted']:,} accepted = {workspace['delivered']:,} delivered "
              f"+ {workspace['dead_lettered']:,} dead-lettered")


def mistakes(producer, status, metrics, ledger):
    """What does not add up."""
    workspace = status["workspaces"][0]
    accepted = status["accepted"]
    expectations = [
        ("delivered + dead-lettered = accepted",
         workspace["delivered"] + workspace["dead_lettered"], accepted),
        ("accepted, by the gateway and by the answers", accepted, producer.accepted),
        ("accepted + rejected + retried = sent",
         producer.accepted + producer.rejected + producer.retried, producer.sent),
        ("duplicates, by the metrics and by what was retried",
         int(metrics["sluice_events_duplicate_total"][""]), producer.retried),
        ("rejected, by the metrics and by the answers",
         int(sum(metrics["sluice_events_rejected_total"].values())), producer.rejected),
        ("dead-lettered = sent of the recalled product",
         workspace["dead_lettered"], producer.recalled),
        ("unique in the ledger = delivered", ledger["unique"], workspace["delivered"]),
    ]
    return [f"{what}: {left} and {right}" for what, left, right in expectations if left != right]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ingest", required=True, help="base URL of the gateway's ingest API")
    parser.add_argument("--admin", required=True, help="base URL of its admin API")
    parser.add_argument("--simulator", required=True, help="base URL of the simulator")
    options = parser.parse_args()

    events = pathlib.Path(__file__).parent / "events.jsonl"
    steps = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    producer = Producer(options.ingest)
    replay(producer, steps, options.admin)
    status = settle(options.admin)
    metrics = metrics_of(options.admin)
    ledger = get_json(options.simulator + "/sim/ledger?summary=1")
    wrong = mistakes(producer, status, metrics, ledger)
    report(producer, status, metrics, get_json(options.simulator + "/sim/stats"), ledger, not wrong)
    for line in wrong:
        print(f"replay: does not agree: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
