#!/bin/sh
# Sends events to Sluice: one, and a batch. curl 7.71 or newer, which repeats by itself: after 429 and 503
# as late as Retry-After says, and when no answer came.
set -eu
url=${SLUICE_URL:-http://127.0.0.1:8080}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# send PATH IDEMPOTENCY-KEY: posts the events on standard input until they are answered for good, and
# prints those that were refused. The key is the same for each attempt: none of them counts twice.
send() {
  status=$(
    body=$(cat)
    # The producer's key comes by standard input, as everybody can see the arguments of a process.
    printf 'X-Api-Key: %s\n' "$SLUICE_KEY" |
      curl --silent --show-error --max-time 10 --retry 5 --retry-all-errors \
        --header @- --header 'Content-Type: application/json' --header "Idempotency-Key: $2" \
        --data-binary "$body" --output "$answer" --write-out '%{http_code}' "$url$1"
  )
  if [ "$status" != 202 ] && ! grep -q '"errors":\[{' "$answer"; then
    echo "$1: $status: $(cat "$answer")" >&2 # a wrong key or address: mend it, the events are not at fault
    return 1
  fi
  grep -o '{"index":[^}]*}' "$answer" || true
}

send /v4/events/custom order-1001-placed <<'JSON'
{"action": "order.placed", "label": "Order placed", "time": "2024-05-01T12:00:00Z",
 "client": {"customId": "C-17850"}, "params": {"orderId": "1001", "total": 49.90}}
JSON

send /v4/events/batch export-2024-05-01-part-1 <<'JSON'
[{"type": "product-view", "label": "Viewed", "time": "2024-05-01T11:58:00Z",
  "client": {"customId": "C-17850"}, "params": {"source": "WEB_DESKTOP", "sku": "LANTERN-1"}},
 {"type": "custom", "action": "order.shipped", "label": "Order shipped", "time": "2024-05-02T08:00:00Z",
  "client": {"customId": "C-17850"}, "params": {"orderId": "1001"}},
 {"type": "custom", "action": "order.shipped", "label": "Nobody's order", "time": "2024-05-02T08:00:00Z",
  "client": {}, "params": {"orderId": "1002"}}]
JSON
