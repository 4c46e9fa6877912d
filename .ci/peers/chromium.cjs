// Headless Chromium as a client of the echo server: its own page, and a connection made by script.
//
// Usage: NODE_PATH=path/to/node_modules node chromium.cjs http://127.0.0.1:PORT/ [path/to/chromium]
"use strict";

const { chromium } = require("playwright-core");

let checks = 0;
function check(name, truth, seen) {
  if (!truth) throw new Error(`${name} failed: ${seen}`);
  checks += 1;
}

async function main(url, executablePath) {
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(20_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    const answer = await page.goto(url);
    check("page", answer.status() === 200, answer.status());
    const state = (text) => page.locator("#state", { hasText: text }).waitFor();

    await state("open");
    check("the page connects", true);
    for (const text of ["hello", "κόσμε 🦀"]) {
      await page.fill("#text", text);
      await page.click("#send");
      const entry = page.locator("#log > *", { hasText: text }).filter({ hasText: /\d\s*(ms|µs)/ }).first();
      await entry.waitFor();
      check("text echo with its round-trip time", true);
    }
    await page.click("#close");
    await state(/closed/);
    const closed = await page.textContent("#state");
    check("clean close of the page", /closed\s+1000\s+clean/.test(closed), closed);

    const seen = await page.evaluate(async () => {
      const peer = new WebSocket(`ws://${location.host}/`);
      peer.binaryType = "arraybuffer";
      const next = (name) =>
        new Promise((resolve, reject) => {
          peer.addEventListener(name, resolve, { once: true });
          if (name !== "close") {
            peer.addEventListener("close", (e) => reject(new Error(`closed ${e.code}`)), { once: true });
          }
        });
      await next("open");
      const text = "κόσμε 🦀";
      const answered = next("message");
      peer.send(text);
      const sameText = (await answered).data === text;
      const bytes = new Uint8Array(70_000);
      crypto.getRandomValues(bytes.subarray(0, 65_536));
      crypto.getRandomValues(bytes.subarray(65_536));
      const echoed = next("message");
      peer.send(bytes);
      const echo = new Uint8Array((await echoed).data);
      const closed = next("close");
      peer.close(1000, "done");
      const { code, wasClean } = await closed;
      const sameBytes = echo.length === 70_000 && echo.every((byte, at) => byte === bytes[at]);
      return { sameText, sameBytes, code, wasClean };
    });
    check("text echo", seen.sameText, JSON.stringify(seen));
    check("binary echo of 70000 bytes", seen.sameBytes, JSON.stringify(seen));
    check("clean close", seen.code === 1000 && seen.wasClean, JSON.stringify(seen));
    check("no error on the page", errors.length === 0, errors.join("; "));
    return browser.version();
  } finally {
    await browser.close();
  }
}

main(process.argv[2], process.argv[3] ?? "/usr/bin/chromium").then(
  (version) => {
    console.log(`Chromium ${version}: ${checks} checks passed`);
    process.exit(checks > 0 ? 0 : 1);
  },
  (error) => {
    console.error(`Chromium: ${error.stack}`);
    process.exit(1);
  },
);
