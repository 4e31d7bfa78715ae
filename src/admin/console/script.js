// The console's script: draws what /events says each second, and works with dead letters.
"use strict";

const byId = (id) => document.getElementById(id);
const history_ = [];       // one entry per second
const historyMax = 300;    // seconds that are shown
const rateSeconds = 5;     // rates and latencies are over so long

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// ---- numbers

function short(value) {
  if (value === null || !isFinite(value)) return "–";
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(value) >= size) return (value / size).toFixed(value >= 10 * size ? 0 : 1) + " " + unit;
  }
  return String(Number.isInteger(value) ? value : value.toFixed(value < 10 ? 1 : 0));
}
function bytes(value) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (value >= size) return (value / size).toFixed(1) + " " + unit;
  }
  return value + " B";
}
function seconds(value) {
  if (value === null) return "–";
  if (value === 0) return "0";
  if (value < 1) return (value * 1000).toFixed(value < 0.01 ? 2 : 0) + " ms";
  if (value < 120) return value.toFixed(value < 10 ? 1 : 0) + " s";
  return value < 7200 ? Math.round(value / 60) + " min" : (value / 3600).toFixed(1) + " h";
}
const sum = (items, pick) => items.reduce((total, item) => total + pick(item), 0);

// The quantile of what was counted between two snapshots of a histogram, by linear interpolation.
function quantile(now, before, q) {
  const counts = now.counts.map((count, i) => count - (before ? before.counts[i] : 0));
  const total = sum(counts, (count) => count);
  if (total <= 0) return null;
  let rank = q * total;
  for (let i = 0; i < counts.length; ++i) {
    if (rank <= counts[i] && counts[i] > 0) {
      const low = i === 0 ? 0 : now.bounds[i - 1];
      const high = i < now.bounds.length ? now.bounds[i] : low;
      return low + (high - low) * (rank / counts[i]);
    }
    rank -= counts[i];
  }
  return now.bounds[now.bounds.length - 1];
}

// ---- charts

class Chart {
  constructor(id, title, names, format) {
    this.figure = byId(id);
    this.names = names;
    this.format = format;
    const caption = make("figcaption", title);
    names.forEach((name, i) => caption.append(make("span", name, i === 1 ? "second" : "")));
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.svg.setAttribute("role", "img");
    this.svg.setAttribute("tabindex", "0");
    this.tip = make("div", "", "tip");
    this.tip.hidden = true;
    this.at = null;  // seconds before now that the pointer or the keys are at
    this.figure.append(caption, this.svg, this.tip);
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.at = Math.round((1 - (event.clientX - box.left - 48) / (box.width - 56)) * historyMax);
      this.draw();
    });
    const leave = () => { this.at = null; this.draw(); };
    this.svg.addEventListener("pointerleave", leave);
    this.svg.addEventListener("blur", leave);
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: 5, ArrowRight: -5 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.at = Math.min(Math.max((this.at ?? 0) + step, 0), historyMax);
      this.draw();
    });
    this.rows = [];
  }
  add(tag, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    this.svg.append(element);
  }
  show(rows) { this.rows = rows; this.draw(); }
  draw() {
    const box = this.svg.getBoundingClientRect();
    const [left, right, top, bottom] = [48, box.width - 8, 8, box.height - 20];
    const max = niceTop(Math.max(...this.rows.flat().filter((value) => value !== null), 0));
    const x = (i) => right - (this.rows.length - 1 - i) * (right - left) / historyMax;
    const y = (value) => bottom - (bottom - top) * value / max;
    this.svg.replaceChildren();
    for (let i = 0; i <= 4; ++i) {
      const value = max * i / 4;
      this.add("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) });
      this.add("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, this.format(value));
    }
    for (const minutes of box.width < 400 ? [4, 2, 0] : [5, 4, 3, 2, 1, 0]) {
      const at = right - minutes * 60 * (right - left) / historyMax;
      const anchor = minutes === 0 ? "end" : minutes === 5 ? "start" : "middle";
      this.add("text", { x: at, y: box.height - 4, "text-anchor": anchor },
               minutes === 0 ? "now" : `−${minutes} min`);
    }
    this.names.forEach((name, series) => {
      let points = [];
      const flush = () => {
        if (points.length > 0) {
          if (series === 0 && points.length > 1) {
            const [first, last] = [points[0].split(",")[0], points[points.length - 1].split(",")[0]];
            this.add("polygon", { class: "area", points: `${first},${bottom} ${points.join(" ")} ${last},${bottom}` });
          }
          this.add("polyline", { class: series === 0 ? "first" : "second", points: points.join(" ") });
        }
        points = [];
      };
      this.rows.forEach((row, i) => {
        if (row[series] === null) return flush();
        points.push(`${x(i).toFixed(1)},${y(row[series]).toFixed(1)}`);
      });
      flush();
    });
    const latest = this.rows[this.rows.length - 1] ?? [];
    this.svg.setAttribute("aria-label", this.figure.firstChild.firstChild.textContent + ": " +
      this.names.map((name, i) => `${name} ${this.format(latest[i] ?? null)}`).join(", "));
    const index = this.rows.length - 1 - (this.at ?? -1);
    this.tip.hidden = this.at === null || !this.rows[index];
    if (!this.tip.hidden) {
      this.add("line", { class: "hover", x1: x(index), x2: x(index), y1: top, y2: bottom });
      this.tip.textContent = `${this.at} s ago\n` +
        this.names.map((name, i) => `${name}: ${this.format(this.rows[index][i])}`).join("\n");
      const tipX = x(index) + 24;
      this.tip.style.left = Math.min(tipX, box.width - this.tip.offsetWidth) + "px";
    }
  }
}
function niceTop(value) {
  if (value <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return size * [1, 2, 4, 5, 8, 10].find((step) => step * size >= value);
}

const charts = {
  throughput: new Chart("throughput", "Events per second", ["accepted", "delivered"], short),
  depth: new Chart("depth", "Events in the buffer", ["waiting"], short),
  latency: new Chart("latency", "Time to answer a producer", ["median", "99 %"], seconds),
  age: new Chart("age", "Time to deliver an event", ["median", "99 %"], seconds),
};

// ---- state

function total(status) {
  return {
    at: Date.now(),
    accepted: status.accepted,
    delivered: sum(status.workspaces, (w) => w.delivered),
    rejected: sum(Object.values(status.rejected), (count) => count),
    received: status.received,
    buffered: sum(status.workspaces, (w) => w.buffered),
    bytes: sum(status.workspaces, (w) => w.buffered_bytes),
    age: Math.max(...status.workspaces.map((w) => w.oldest_event_age_s), 0),
    requests: status.request_seconds,
    endToEnd: status.workspaces.map((w) => w.end_to_end_seconds).reduce((a, b) => (
      { bounds: a.bounds, counts: a.counts.map((count, i) => count + b.counts[i]) })),
  };
}

function rates(now, before) {
  const time = before ? (now.at - before.at) / 1000 : 0;
  const rate = (pick) => (time > 0 ? Math.max(0, pick(now) - pick(before)) / time : 0);
  return {
    accepted: rate((t) => t.accepted),
    delivered: rate((t) => t.delivered),
    rejected: rate((t) => t.rejected),
    received: rate((t) => t.received),
    median: before ? quantile(now.requests, before.requests, 0.5) : null,
    high: before ? quantile(now.requests, before.requests, 0.99) : null,
    endMedian: before ? quantile(now.endToEnd, before.endToEnd, 0.5) : null,
    endHigh: before ? quantile(now.endToEnd, before.endToEnd, 0.99) : null,
  };
}

// What is wrong, in plain words, and what to do; the worst first.
const parkedWhy = {
  unauthorised: ["The API refuses the credentials", "Check the key, its permissions and its IP rules. A new key in api_key_file is taken up by itself."],
  misrouted: ["base_url is not the API, or something in between answers in its place", "Mend base_url and restart."],
  all_refused: ["The API refuses every event", "Look at its answers in the log: often the key may not create this kind of event, or producers send something new."],
};
function problemsOf(status, now, rate) {
  const found = [];
  const bad = (what, todo) => found.unshift({ kind: "bad", what, todo });
  const warn = (what, todo) => found.push({ kind: "warn", what, todo });
  for (const w of status.workspaces) {
    const name = `Workspace ${w.name}: `;
    if (w.parked) {
      const [why, todo] = parkedWhy[w.parked] ?? [w.parked, "See the log."];
      bad(name + `delivery${w.parked_kind ? ` of ${w.parked_kind}s` : ""} is parked. ${why}.`, todo + " Events are kept meanwhile.");
    }
    if (w.trouble) bad(name + w.trouble + ".", "Make room on the disk, or mend it: Sluice tries each second.");
    if (w.pressure >= 1) {
      bad(name + "the buffer is full, and producers are refused.", "See below why delivery is slower than what comes in, or raise buffer.max_bytes and reload.");
    } else if (w.pressure > 0.7) {
      warn(name + `the buffer is ${Math.round(w.pressure * 100)} % full.`, "Producers are refused at 100 %. See whether delivery is parked, throttled or slow.");
    }
    if (w.circuit === "open") warn(name + "the API does not work; it is tried again from time to time.", "Wait, or check the network. Events are kept.");
    if (w.lanes.some((lane) => lane.state === "waiting_to_store")) {
      bad(name + "dead letters cannot be stored, and their lanes wait.", "Replay or purge dead letters, or raise dead_letter.max_bytes and restart.");
    }
    if (w.pace_per_s !== null) warn(name + `the API throttles: ${w.pace_per_s} requests per second are sent.`, "Nothing, if it passes; else ask for a higher limit.");
    if (w.oldest_event_age_s > 60 && !w.parked) warn(name + `the oldest event has waited for ${seconds(w.oldest_event_age_s)}.`, "Delivery is behind. See its circuit, concurrency and lanes.");
  }
  if (!status.ready && !found.some((problem) => problem.kind === "bad")) {
    bad(`Not ready: ${status.not_ready}.`, status.not_ready === "draining" ? "Nothing: the gateway is stopping, and delivers what is left." : "See the log.");
  }
  const letters = status.dead_letters;
  if (letters.bytes > 0.8 * letters.max_bytes) {
    warn("The dead-letter store is nearly full.", "Replay or purge some: when it is full, lanes wait.");
  } else if (letters.stored > 0) {
    warn(`${letters.stored} dead letters: events that the API has refused for good.`, "Look at what it says about them, below; then replay or purge them.");
  }
  if (rate.received > 0 && rate.rejected / rate.received > 0.05) {
    warn(`${Math.round(100 * rate.rejected / rate.received)} % of the events that come in are rejected.`, "See by which reasons, below; a producer may have changed what it sends.");
  }
  return found;
}

// ---- drawing

function put(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value, more]) => {
    const box = make("div");
    const text = make("dd", value);
    if (more) text.append(make("small", more));
    box.append(make("dt", name), text);
    return box;
  }));
}

let problemsShown = "";
function showProblems(problems) {
  const key = JSON.stringify(problems);
  if (key === problemsShown) return;  // or a screen reader would read them each second
  problemsShown = key;
  const items = problems.length > 0 ? problems : [{ kind: "good", what: "None.", todo: "" }];
  byId("problems").replaceChildren(...items.map(({ kind, what, todo }) => {
    const item = make("li", undefined, kind);
    item.append(make("strong", what), todo);
    return item;
  }));
}

function workspaceCard(w) {
  const card = make("div", undefined, "workspace");
  const title = make("h3", w.name);
  const state = w.parked ? ["parked", "bad"] : w.circuit !== "closed" ? [`circuit ${w.circuit.replace("_", " ")}`, ""] : ["delivering", "good"];
  title.append(make("span", state[0], "pill " + state[1]));
  const numbers = make("dl");
  put(numbers, [
    ["Waiting", short(w.buffered), bytes(w.buffered_bytes)],
    ["Oldest", w.buffered > 0 ? seconds(w.oldest_event_age_s) : "–"],
    ["Delivered", short(w.delivered)],
    ["Became dead letters", short(w.dead_lettered)],
    ["Requests under way", `${w.in_flight} of ${w.concurrency_limit}`],
    ["Pace", w.pace_per_s === null ? "not limited" : `${w.pace_per_s} / s`],
  ]);
  const meter = make("div", undefined, "meter");
  meter.setAttribute("role", "meter");
  meter.setAttribute("aria-label", "Pressure on the buffer");
  meter.setAttribute("aria-valuenow", Math.round(w.pressure * 100));
  meter.append(make("i"));
  meter.firstChild.style.width = 100 * w.pressure + "%";
  const lanes = make("ul", undefined, "lanes");
  lanes.setAttribute("aria-label", "Lanes: events that wait or are sent in each");
  for (const lane of w.lanes) {
    const item = make("li", short(lane.queued + lane.batch), lane.state);
    item.title = lane.state.replaceAll("_", " ");
    lanes.append(item);
  }
  card.append(title, numbers, meter, lanes);
  return card;
}

function show(status) {
  const now = total(status);
  const before = history_[Math.max(0, history_.length - rateSeconds)]?.now;
  const rate = rates(now, before);
  history_.push({ now, rate });
  if (history_.length > historyMax + 1) history_.shift();
  const pill = byId("state");
  pill.textContent = status.ready ? "ready" : "not ready";
  pill.className = "pill " + (status.ready ? "good" : "bad");
  byId("uptime").textContent = `version ${status.version}, up for ${seconds(status.uptime_s)}`;
  showProblems(problemsOf(status, now, rate));
  put(byId("tiles"), [
    ["Accepted", short(Math.round(rate.accepted)) + " / s", short(now.accepted) + " in all"],
    ["Delivered", short(Math.round(rate.delivered)) + " / s", short(now.delivered) + " in all"],
    ["Rejected", short(Math.round(rate.rejected)) + " / s", short(now.rejected) + " in all"],
    ["Waiting", short(now.buffered), bytes(now.bytes)],
    ["Oldest event", now.buffered > 0 ? seconds(now.age) : "–"],
    ["Dead letters", short(status.dead_letters.stored), bytes(status.dead_letters.bytes)],
    ["Connections", short(status.connections)],
  ]);
  charts.throughput.show(history_.map((h) => [h.rate.accepted, h.rate.delivered]));
  charts.depth.show(history_.map((h) => [h.now.buffered]));
  charts.latency.show(history_.map((h) => [h.rate.median, h.rate.high]));
  charts.age.show(history_.map((h) => [h.rate.endMedian, h.rate.endHigh]));
  byId("workspace-list").replaceChildren(...status.workspaces.map(workspaceCard));
  const reasons = Object.entries(status.rejected).sort((a, b) => b[1] - a[1]);
  const table = make("table");
  for (const [reason, count] of reasons) {
    const row = make("tr");
    row.append(make("td", reason.replaceAll("_", " ")), make("td", count.toLocaleString("en"), "number"));
    table.append(row);
  }
  byId("rejections").replaceChildren(reasons.length > 0 ? table : make("p", "None.", "quiet"));
}

const events = new EventSource("/events");
events.onmessage = (event) => show(JSON.parse(event.data));
events.onerror = () => {
  byId("state").textContent = "no connection";
  byId("state").className = "pill bad";
};

// ---- dead letters

const letters = { query: "", cursor: null };
const note = (text) => { byId("letters-note").textContent = text; };

async function listLetters(more) {
  if (!more) {
    const fields = [...new FormData(byId("filter"))].filter(([, value]) => value !== "");
    letters.query = new URLSearchParams(fields).toString();
    byId("letters").tBodies[0].replaceChildren();
  }
  const cursor = more ? `&cursor=${letters.cursor}` : "";
  const answer = await fetch(`/dlq?limit=50&${letters.query}${cursor}`);
  const page = await answer.json();
  if (!answer.ok) return note(page.message);
  letters.cursor = page.cursor;
  byId("more").hidden = !page.cursor;
  byId("letters").tBodies[0].append(...page.letters.map(letterRow));
  note(`${byId("letters").tBodies[0].rows.length} shown of ${page.stored} in the store.`);
}

function letterRow(letter) {
  const row = make("tr");
  const check = make("input");
  check.type = "checkbox";
  check.value = letter.id;
  check.setAttribute("aria-label", `Select ${letter.id}`);
  const open = make("button", letter.last_attempt_at.replace("T", " ").slice(0, 19));
  open.type = "button";
  open.title = "Show the whole letter";
  open.addEventListener("click", () => {
    byId("letter").querySelector("pre").textContent = JSON.stringify(letter, null, 2);
    byId("letter").showModal();
  });
  const cells = [check, open, letter.workspace, letter.reason, String(letter.status), letter.answer];
  cells.forEach((content, i) => {
    const cell = make("td", undefined, i === 5 ? "cut" : "");
    cell.append(content);
    row.append(cell);
  });
  return row;
}

async function change(what) {
  const boxes = [...byId("letters").tBodies[0].querySelectorAll("input")];
  const checked = boxes.filter((box) => box.checked);
  const ids = (checked.length > 0 ? checked : boxes).map((box) => box.value);
  if (ids.length === 0) return note("There is nothing in the list.");
  if (what === "purge" && !confirm(`Remove ${ids.length} dead letters for good?`)) return;
  sessionStorage.setItem("token", byId("token").value);
  const answer = await fetch(`/dlq/${what}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${byId("token").value}` },
    body: JSON.stringify({ ids }),
  });
  const report = await answer.json();
  if (report.message) return note(report.message);
  await listLetters(false);
  const kept = report.kept > 0 ? `, ${report.kept} kept: ${report.why[0].reason}` : "";
  note((what === "purge" ? `${report.purged} purged` : `${report.replayed} replayed${kept}`) +
       (report.stopped ? `; stopped: ${report.stopped}` : ""));
}

byId("token").value = sessionStorage.getItem("token") ?? "";
byId("token-form").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener("submit", (event) => { event.preventDefault(); listLetters(false); });
byId("more").addEventListener("click", () => listLetters(true));
byId("replay").addEventListener("click", () => change("replay"));
byId("purge").addEventListener("click", () => change("purge"));
byId("letters").addEventListener("change", (event) => {
  const boxes = [...byId("letters").tBodies[0].querySelectorAll("input")];
  if (event.target === byId("all")) boxes.forEach((box) => { box.checked = byId("all").checked; });
  const count = boxes.filter((box) => box.checked).length;
  for (const [id, verb] of [["replay", "Replay"], ["purge", "Purge"]]) {
    byId(id).textContent = verb + (count > 0 ? ` ${count} selected` : " what is listed");
  }
});
listLetters(false);

// ---- configuration

document.querySelector("details").addEventListener("toggle", async (event) => {
  if (event.target.open) byId("config").textContent = await (await fetch("/config")).text();
});
