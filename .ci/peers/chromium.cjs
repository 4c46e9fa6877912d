// Headless Chromium as a client of the echo server: its own page, and a connection made by script.
//
// Usage: NODE_PATH=path/to/node_modules node chromium.cjs http://127.0.0.1:PORT/ path/to/chromium [--deflate [--takeover]]
//
// The flags are those of the server under test.
"use strict";

const net = require("node:net");
const { once } = require("node:events");
const { chromium } = require("playwright-core");

let checks = 0;
function check(name, truth, seen) {
  if (!truth) throw new Error(`${name} failed: ${seen}`);
  checks += 1;
}

// What the server agrees on with a browser, by its flags.
function extensions(flags) {
  if (!flags.includes("--deflate")) return "";
  const alone = ["; client_no_context_takeover", "; server_no_context_takeover"];
  return ["permessage-deflate", ...(flags.includes("--takeover") ? [] : alone)].join("");
}

// The parts in one order, whatever the order of the server.
const sorted = (text) => text.split(";").map((part) => part.trim()).sort().join("; ");

// Hands the bytes of one connection on, and counts them: a page does not see how they are compressed.
async function counting(port) {
  const counts = { sent: 0, received: 0 };
  const proxy = net.createServer((client) => {
    const server = net.connect(port, "127.0.0.1");
    client.on("data", (data) => (counts.sent += data.length));
    server.on("data", (data) => (counts.received += data.length));
    client.pipe(server).pipe(client);
    client.on("error", () => server.destroy());
    server.on("error", () => client.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return { proxy, counts };
}

// Messages that are echoed, and how many bytes each took there and back.
async function compressed(page, url, flags) {
  const { proxy, counts } = await counting(Number(new URL(url).port));
  await page.exposeFunction("counted", () => {
    const { sent, received } = counts;
    counts.sent = counts.received = 0;
    return [sent, received];
  });
  const seen = await page.evaluate(async (port) => {
    const peer = new WebSocket(`ws://127.0.0.1:${port}/`);
    peer.binaryType = "arraybuffer";
    const next = (name) =>
      new Promise((resolve, reject) => {
        peer.addEventListener(name, resolve, { once: true });
        if (name !== "close") {
          peer.addEventListener("close", (e) => reject(new Error(`closed ${e.code}`)), { once: true });
        }
      });
    await next("open");
    await window.counted();
    // The same in every run, because zlib overlooks the repetition of some noise.
    let state = 7692;
    const noise = (length) =>
      Uint8Array.from({ length }, () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return state;
      });
    const same = (message, data) =>
      typeof message === "string" ? data === message : data.byteLength === message.length && new Uint8Array(data).every((byte, at) => byte === message[at]);
    const short = noise(10_000);
    const long = noise(300_000);
    const text = "κόσμε 🦀".repeat(20_000);
    const messages = [
      ...["", "a", "hello", "hello", "κόσμε 🦀", text, text, "x".repeat(300_000)],
      ...[new Uint8Array(0), new Uint8Array(1), short, short, long, long, new Uint8Array(300_000)],
    ];
    const echoes = [];
    for (const [at, message] of messages.entries()) {
      const answered = next("message");
      peer.send(message);
      const ok = same(message, (await answered).data);
      const [sent, received] = await window.counted();
      echoes.push({ ok, length: new Blob([message]).size, again: message === messages[at - 1], sent, received });
    }
    // All of them once more, without waiting.
    const all = [];
    const done = new Promise((resolve) => {
      peer.addEventListener("message", (event) => all.push(event.data) === messages.length && resolve());
    });
    for (const message of messages) peer.send(message);
    await done;
    const together = messages.map((message, at) => same(message, all[at]));
    const closed = next("close");
    peer.close(1000, "done");
    const { code, wasClean } = await closed;
    return { extensions: peer.extensions, echoes, together, code, wasClean, noise: short.length };
  }, proxy.address().port);
  proxy.close();
  check("extensions", sorted(seen.extensions) === sorted(extensions(flags)), seen.extensions);
  for (const { ok, length, again, sent, received } of seen.echoes) {
    const found = `${length} bytes${again ? " again" : ""}, ${sent} sent, ${received} received`;
    check("echo", ok, found);
    // Noise of 10 000 bytes is short only the second time, and only if the context is taken over;
    // noise of 300 000 never is; and all the other long messages always are.
    for (const bytes of [sent, received]) {
      if (length === seen.noise) check("noise", bytes < 1_000 === (again && flags.includes("--takeover")), found);
      else if (length > 10_000) check("long message", bytes < length / 50 || (bytes > 299_000 && bytes < 310_000), found);
      else check("short message", bytes < length + 20, found);
    }
  }
  check("300 KB of noise, twice", seen.echoes.filter(({ sent, received }) => sent > 299_000 && received > 299_000).length === 2);
  seen.together.forEach((ok) => check("one of many", ok));
  check("clean close", seen.code === 1000 && seen.wasClean, JSON.stringify(seen));
}

async function main(url, executablePath, ...flags) {
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
    const shown = await page.textContent("#extensions");
    check("the page shows the extensions", sorted(shown) === sorted(extensions(flags) || "none"), shown);
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
    if (flags.includes("--deflate")) await compressed(page, url, flags);
    check("no error on the page", errors.length === 0, errors.join("; "));
    return browser.version();
  } finally {
    await browser.close();
  }
}

const [, , url, executablePath, ...flags] = process.argv;
main(url, executablePath, ...flags).then(
  (version) => {
    console.log(`${["Chromium", version, ...flags].join(" ")}: ${checks} checks passed`);
    process.exit(checks > 0 ? 0 : 1);
  },
  (error) => {
    console.error(`Chromium: ${error.stack}`);
    process.exit(1);
  },
);
