// Goal: the console shows what a real gateway does, in a real browser, wide and narrow, light and
// dark; what it changes takes the token; and it asks nothing of any other host.
//   node console_test.mjs BIN_DIR [SCREENSHOT_DIR]
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [binaries, screenshots] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "sluice-console-"));
const started = [];

// Starts a program; the text behind `pattern` in its output.
function start(program, args, pattern) {
  const child = spawn(join(binaries, program), args, { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  return new Promise((resolve, reject) => {
    let output = "";
    const read = (data) => {
      output += data;
      const found = output.match(pattern);
      if (found) resolve(found.slice(1));
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("exit", () => reject(new Error(`${program} ended: ${output}`)));
  });
}

async function post(url, body) {
  const answer = await fetch(url, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  return answer.status;
}

// Polls a condition in the page. (Playwright's own way of it evaluates text, which the page's policy
// forbids.)
async function until(page, condition) {
  const deadline = Date.now() + 30_000;
  while (!(await page.evaluate(condition))) {
    assert.ok(Date.now() < deadline, `never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function run() {
  const [upstream] = await start("synerise-sim", ["--listen", "127.0.0.1:0", "--fault",
    "poison,pointer=/params/bad,equals=1"], /listening on (http:\S+)/);
  writeFileSync(join(folder, "sluice.yaml"), `
ingest: {listen: 127.0.0.1:0}
admin: {listen: 127.0.0.1:0, token: t0ken}
log: {format: human}
buffer: {path: ${folder}/buffer}
dead_letter: {path: ${folder}/dead-letter}
workspaces:
  - {name: shop, base_url: "${upstream}", auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: very-secret}}
`);
  const [ingest, admin] = await start("sluice", ["serve", "--config", join(folder, "sluice.yaml")],
    /taking events address="(\S+)"[\s\S]*ready admin="(\S+)"/);
  const event = (params) => ({
    action: "order.placed", label: "An order", client: { customId: "c" + Math.random() }, params,
  });
  assert.equal(await post(`http://${ingest}/v4/events/custom`, { label: "no action" }), 400);
  for (let i = 0; i < 3; ++i) {
    assert.equal(await post(`http://${ingest}/v4/events/custom`, event({ bad: 1, text: `<b>${i}</b>` })), 202);
  }
  let sending = true;
  const traffic = (async () => {
    while (sending) {
      const count = 20 + Math.round(15 * Math.sin(Date.now() / 3000)) + Math.round(8 * Math.random());
      await post(`http://${ingest}/v4/events/batch`, Array.from({ length: count }, () => ({ type: "custom", ...event({ n: 1 }) })));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  })();

  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const complaints = [];
    const hosts = new Set();
    const open = async (width, height, colorScheme) => {
      const page = await (await browser.newContext({ viewport: { width, height }, colorScheme })).newPage();
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("request", (request) => hosts.add(new URL(request.url()).host));
      await page.goto(`http://${admin}/`);
      await page.waitForSelector("#state.good");
      return page;
    };
    const page = await open(1280, 900, "light");
    await until(page, () => /[1-9]/.test(document.querySelector("#tiles dd").firstChild.data));
    assert.match(await page.textContent("#workspace-list"), /shop/);
    assert.match(await page.textContent("#rejections"), /1/);
    await until(page, () => document.querySelectorAll("#throughput polyline").length === 2);
    await until(page, () => /3 dead letters/.test(document.querySelector("#problems").textContent));
    if (screenshots) {
      const dark = await open(1280, 900, "dark");
      const phone = await open(375, 812, "light");
      await page.waitForTimeout(75_000);
      await page.hover("#throughput svg", { position: { x: 480, y: 60 } });
      await page.screenshot({ path: join(screenshots, "light.png") });
      await dark.screenshot({ path: join(screenshots, "dark.png"), fullPage: true });
      await phone.screenshot({ path: join(screenshots, "phone.png"), fullPage: true });
    }

    // Dead letters, whose text is never markup.
    await page.click("#filter button");
    await until(page, () => document.querySelector("#letters").tBodies[0].rows.length === 3);
    await page.click("#letters td button");
    assert.match(await page.textContent("#letter pre"), /<b>\d<\/b>/);
    assert.equal(await page.locator("#letter b").count(), 0);
    await page.keyboard.press("Escape");
    await page.fill("[name=contains]", "<b>1</b>");
    await page.keyboard.press("Enter");
    await until(page, () => document.querySelector("#letters").tBodies[0].rows.length === 1);

    // Nothing changes without the token.
    page.on("dialog", (dialog) => dialog.accept());
    await page.fill("#token", "wrong");
    await page.click("#purge");
    await until(page, () => /token/.test(document.querySelector("#letters-note").textContent));
    complaints.length = 0;  // the browser's own note of the 401
    await page.fill("#token", "t0ken");
    await page.click("#purge");
    await until(page, () => /1 purged/.test(document.querySelector("#letters-note").textContent));
    assert.equal(await page.evaluate(() => sessionStorage.getItem("token")), "t0ken");
    await post(`${upstream}/sim/faults`, []);
    await page.fill("[name=contains]", "");
    await page.click("#filter button");
    await until(page, () => document.querySelector("#letters").tBodies[0].rows.length === 2);
    await page.click("#replay");
    await until(page, () => /2 replayed/.test(document.querySelector("#letters-note").textContent));

    await page.click("summary");
    await until(page, () => /base_url/.test(document.querySelector("#config").textContent));
    assert.doesNotMatch(await page.textContent("#config"), /very-secret|t0ken/);

    // Readable on a phone: nothing but tables is wider than it.
    const phone = await open(375, 812, "dark");
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= 375));
    // By keyboard: each part can be reached.
    await phone.keyboard.press("Tab");
    assert.equal(await phone.evaluate(() => document.activeElement.className), "skip");

    assert.deepEqual(complaints, []);
    assert.deepEqual([...hosts], [admin]);
    const csp = (await fetch(`http://${admin}/`)).headers.get("content-security-policy");
    assert.match(csp, /default-src 'none'/);
    assert.doesNotMatch(csp, /unsafe/);

    // What stops is said.
    started[1].removeAllListeners("exit");
    sending = false;
    await traffic;
    started[1].kill("SIGTERM");
    await page.waitForSelector("#state.bad");
  } finally {
    sending = false;
    await browser.close();
  }
}

try {
  await run();
  console.log("the console works");
} finally {
  for (const child of started) {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
  }
  rmSync(folder, { recursive: true });
}
