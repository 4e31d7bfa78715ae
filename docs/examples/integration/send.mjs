// Sends events to Sluice: one, and a batch. Node 18 or newer, no package.
import { setTimeout as sleep } from "node:timers/promises";

const url = process.env.SLUICE_URL ?? "http://127.0.0.1:8080";
const key = process.env.SLUICE_KEY;
const attempts = 6;

// Posts events until they are answered for good; the errors of those that were refused. The key is
// the same for each attempt: none of them counts twice, whichever answer got lost.
async function send(path, events, idempotencyKey) {
  for (let attempt = 0; attempt < attempts; ++attempt) {
    let waitSeconds = 0.2 * 2 ** attempt;
    try {
      const answer = await fetch(url + path, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Api-Key": key, "Idempotency-Key": idempotencyKey },
        body: JSON.stringify(events),
        signal: AbortSignal.timeout(10_000),
      });
      const text = await answer.text();
      if (![408, 429, 500, 503].includes(answer.status)) return errorsOf(path, answer.status, text);
      waitSeconds = Number(answer.headers.get("Retry-After") ?? waitSeconds);
    } catch (error) {
      if (error instanceof Refused) throw error;
      // No answer: the events may have been taken or not.
    }
    await sleep(1000 * waitSeconds);
  }
  throw new Error(`${path}: not taken yet: keep the events, and send them later with this key`);
}

class Refused extends Error {}

function errorsOf(path, status, text) {
  if (status === 202 || status === 400) {
    const { errors = [] } = JSON.parse(text);
    if (status === 202 || errors.length > 0) return errors;
  }
  // A wrong key or address: mend it, the events are not at fault.
  throw new Refused(`${path}: ${status}: ${text}`);
}

const errors = [
  ...(await send(
    "/v4/events/custom",
    {
      action: "order.placed", label: "Order placed", time: "2024-05-01T12:00:00Z",
      client: { customId: "C-17850" }, params: { orderId: "1001", total: 49.9 },
    },
    "order-1001-placed",
  )),
  ...(await send(
    "/v4/events/batch",
    [
      {
        type: "product-view", label: "Viewed", time: "2024-05-01T11:58:00Z",
        client: { customId: "C-17850" }, params: { source: "WEB_DESKTOP", sku: "LANTERN-1" },
      },
      {
        type: "custom", action: "order.shipped", label: "Order shipped", time: "2024-05-02T08:00:00Z",
        client: { customId: "C-17850" }, params: { orderId: "1001" },
      },
      {
        type: "custom", action: "order.shipped", label: "Nobody's order", time: "2024-05-02T08:00:00Z",
        client: {}, params: { orderId: "1002" },
      },
    ],
    "export-2024-05-01-part-1",
  )),
];
for (const { index, reason, message } of errors) console.log(`event ${index}: ${reason}: ${message}`);
