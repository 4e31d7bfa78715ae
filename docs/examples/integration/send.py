"""Sends events to Sluice: one, and a batch. Python 3.9 or newer, standard library only."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request

SLUICE_URL = os.environ.get("SLUICE_URL", "http://127.0.0.1:8080")
SLUICE_KEY = os.environ["SLUICE_KEY"]
ATTEMPTS = 6


def send(path, events, idempotency_key):
    """Posts events until they are answered for good; the errors of those that were refused.

    The key is the same for each attempt: none of them counts twice, whichever answer got lost.
    """
    headers = {"Content-Type": "application/json", "X-Api-Key": SLUICE_KEY,
               "Idempotency-Key": idempotency_key}
    request = urllib.request.Request(SLUICE_URL + path, json.dumps(events).encode(), headers)
    for attempt in range(ATTEMPTS):
        wait_seconds = 0.2 * 2**attempt
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["errors"]
        except urllib.error.HTTPError as answer:
            if answer.code not in (408, 429, 500, 503):
                text = answer.read().decode()
                errors = json.loads(text).get("errors") if answer.code == 400 else None
                if not errors:
                    # A wrong key or address: mend it, the events are not at fault.
                    raise RuntimeError(f"{path}: {answer.code}: {text}") from None
                return errors
            wait_seconds = float(answer.headers.get("Retry-After", wait_seconds))
        except (OSError, http.client.HTTPException):
            pass  # no answer: the events may have been taken or not
        time.sleep(wait_seconds)
    raise TimeoutError(f"{path}: not taken yet: keep the events, and send them later with this key")


def main():
    errors = send("/v4/events/custom", {
        "action": "order.placed", "label": "Order placed", "time": "2024-05-01T12:00:00Z",
        "client": {"customId": "C-17850"}, "params": {"orderId": "1001", "total": 49.90},
    }, "order-1001-placed")
    errors += send("/v4/events/batch", [
        {"type": "product-view", "label": "Viewed", "time": "2024-05-01T11:58:00Z",
         "client": {"customId": "C-17850"}, "params": {"source": "WEB_DESKTOP", "sku": "LANTERN-1"}},
        {"type": "custom", "action": "order.shipped", "label": "Order shipped",
         "time": "2024-05-02T08:00:00Z", "client": {"customId": "C-17850"},
         "params": {"orderId": "1001"}},
        {"type": "custom", "action": "order.shipped", "label": "Nobody's order",
         "time": "2024-05-02T08:00:00Z", "client": {}, "params": {"orderId": "1002"}},
    ], "export-2024-05-01-part-1")
    for error in errors:
        print(f"event {error['index']}: {error['reason']}: {error['message']}")


if __name__ == "__main__":
    main()
