// Headless Chromium as a client of the example `h2` over TLS: WebSockets on streams of the connection
// that brought the page (RFC 8441). The log of Chromium's network stack says what went over HTTP/2.
//
// Usage: NODE_PATH=path/to/node_modules node chromium_http2.cjs https://127.0.0.1:PORT/ path/to/chromium NETLOG [--deflate]
//
// NETLOG is where Chromium writes that log. The flag is that of the server under test.
"use strict";

const fs = require("node:fs");
const { chromium } = require("playwright-core");
const { check, checkConversation, conversations, converse, GREEK, report } = require("./browser_http2.cjs");

const [CONTINUATION, CLOSE] = [0, 8];

// What the log says of each HTTP/2 connection and of each WebSocket, in the order of their requests.
function read(netlog) {
  const { constants, events } = JSON.parse(fs.readFileSync(netlog, "utf8"));
  const names = new Map(Object.entries(constants.logEventTypes).map(([name, type]) => [type, name]));
  const connections = new Map();
  const sockets = new Map();
  for (const { type, source, params = {} } of events) {
    const name = names.get(type);
    // Logged once more when the connection ends.
    if (name === "HTTP2_SESSION" && !connections.has(source.id))
      connections.set(source.id, { settings: [], streams: new Map() });
    if (name === "HTTP_TRANSACTION_HTTP2_SEND_REQUEST_HEADERS")
      sockets.set(source.id, { asked: params.headers, sent: [], received: [], closer: null });
    const socket = sockets.get(source.id);
    if (name === "WEBSOCKET_SENT_FRAME_HEADER" || name === "WEBSOCKET_RECV_FRAME_HEADER") {
      const side = name === "WEBSOCKET_SENT_FRAME_HEADER" ? "sent" : "received";
      if (params.opcode === CLOSE) socket.closer ??= side;
      socket[side].push({ opcode: params.opcode, length: params.payload_length, compressed: params.reserved1 });
    }
    const connection = connections.get(source.id);
    if (name === "HTTP2_SESSION_RECV_SETTING") connection.settings.push(`${params.id} = ${params.value}`);
    if (name === "HTTP2_SESSION_SEND_HEADERS") {
      connection.streams.set(params.stream_id, { asked: params.headers, sent: 0, received: 0, ends: 0 });
    }
    const stream = connection?.streams.get(params.stream_id);
    if (name === "HTTP2_SESSION_RECV_HEADERS") stream.answer = params.headers;
    if (name === "HTTP2_SESSION_SEND_DATA") stream.sent += params.size;
    if (name === "HTTP2_SESSION_RECV_DATA") stream.received += params.size;
    if (name?.endsWith("_DATA") && params.fin) stream.ends += 1;
  }
  const isSocket = ({ asked }) => asked.includes(":protocol: websocket");
  const used = [...connections.values()].filter(({ streams }) => streams.size > 0);
  const streams = used.flatMap((connection) => [...connection.streams.values()]);
  return { connections: used, streams: streams.filter(isSocket), sockets: [...sockets.values()].filter(isSocket) };
}

function checkSettings({ connections }) {
  const settings = connections.map((connection) => connection.settings);
  const wanted = "8 (SETTINGS_ENABLE_CONNECT_PROTOCOL) = 1";
  check(
    "one connection over HTTP/2, whose SETTINGS allow extended CONNECT",
    settings.length === 1 && settings[0].includes(wanted),
    settings,
  );
}

// The page's own WebSocket is the first, and `conversations` are the others.
function checkWebSockets({ streams, sockets }, flags) {
  const count = conversations.length + 1;
  check(`${count} requests with :protocol = websocket`, streams.length === count && sockets.length === count, streams);
  for (const [at, { asked, answer, sent, received, ends }] of streams.entries()) {
    const { noise = 0, texts, code, name } = conversations[at - 1] ?? { name: "the page's own", texts: [], code: 1000 };
    const socket = sockets[at];
    check(`${name}: CONNECT`, asked.includes(":method: CONNECT"), asked);
    check(`${name}: no key`, !asked.some((field) => field.startsWith("sec-websocket-key")), asked);
    check(`${name}: status 200`, answer[0] === ":status: 200", answer);
    check(`${name}: both sides end the stream`, ends === 2, ends);
    check(`${name}: who closes`, socket.closer === (code ? "sent" : "received"), socket.closer);

    const length = noise || Buffer.byteLength(texts.join(""));
    const long = noise > 0 || texts.length === 1;
    const compresses = flags.includes("--deflate");
    for (const [side, size] of Object.entries({ sent, received })) {
      const frames = socket[side];
      // What the frames hold went through the stream, with 2 to 14 bytes of header for each.
      const payload = frames.reduce((sum, frame) => sum + frame.length, 0);
      const room = frames.length * 14;
      check(`${name}: frames ${side} as DATA`, size > payload && size <= payload + room, { size, payload });
      if (!long) continue;
      check(`${name}: compression ${side}`, frames[0].compressed === compresses, frames[0]);
      const shrunk = compresses && noise === 0;
      const fits = shrunk ? size < length / 50 : size >= length && size < length * 1.01;
      check(`${name}: bytes ${side}`, fits, { size, length });
    }
    // A compressed text is short, so Chromium may send it as one frame.
    const fragments = socket.sent.filter(({ opcode }) => opcode === CONTINUATION).length;
    if (noise > 0 || (long && !compresses)) check(`${name}: fragments`, fragments >= 4, fragments);
  }
}

async function main(url, executablePath, netlog, ...flags) {
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
      `--log-net-log=${netlog}`,
    ],
  });
  let failure;
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    const answer = await page.goto(url);
    check("page", answer.status() === 200, answer.status());
    const state = (text) => page.locator("#state", { hasText: text }).waitFor();
    await state("open");

    const extensions = flags.includes("--deflate")
      ? "client_no_context_takeover; permessage-deflate; server_no_context_takeover"
      : "";
    for (const conversation of conversations) {
      checkConversation(conversation, await page.evaluate(converse, conversation), extensions);
    }

    // The page's own WebSocket has been open beside all of them.
    await page.fill("#text", GREEK);
    await page.click("#send");
    await page.locator("#log > *", { hasText: GREEK }).filter({ hasText: / ms/ }).waitFor();
    check("the page has its text echoed", true);
    await page.click("#close");
    await state("closed 1000 clean");
    check("the page closes", true);
    check("no error on the page", errors.length === 0, errors);
  } catch (error) {
    failure = error;
  }
  // With this, the log is complete.
  await browser.close();
  const log = read(netlog);
  // Without them no WebSocket can have opened, so this is the error to report.
  checkSettings(log);
  if (failure) throw failure;
  checkWebSockets(log, flags);
  return browser.version();
}

const [, , url, executablePath, netlog, ...flags] = process.argv;
report("Chromium", main(url, executablePath, netlog, ...flags), flags);
