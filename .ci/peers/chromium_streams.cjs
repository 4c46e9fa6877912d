// Headless Chromium as a client of the example `h2` over TLS, or of `h3`: WebSockets on streams of the
// connection that brought the page (RFC 8441, RFC 9220). The log of Chromium's network stack says what went
// over which.
//
// Usage: NODE_PATH=path/to/node_modules node chromium_streams.cjs https://127.0.0.1:PORT/ path/to/chromium NETLOG VERSION CERT [--deflate]
//
// NETLOG is where Chromium writes that log. VERSION is h2 or h3. CERT is the server's certificate. The flag
// says that the server compresses.
"use strict";

const { createHash, X509Certificate } = require("node:crypto");
const fs = require("node:fs");
const { chromium } = require("playwright-core");
const { check, checkConversation, conversations, converse, GREEK, report } = require("./browser_streams.cjs");

const [CONTINUATION, CLOSE] = [0, 8];

// The versions of HTTP: their names, the switches for Chromium to speak them with a host, and what the log
// says about a connection.
const versions = {
  h2: {
    http: "HTTP/2",
    switches: () => ["--disable-quic"],
    events: {
      HTTP2_SESSION: "connection",
      HTTP2_SESSION_RECV_SETTING: "settings",
      HTTP2_SESSION_SEND_HEADERS: "request",
      HTTP2_SESSION_RECV_HEADERS: "response",
      HTTP2_SESSION_SEND_DATA: "sent",
      HTTP2_SESSION_RECV_DATA: "received",
    },
  },
  h3: {
    http: "HTTP/3",
    // Without the feature, Chromium opens WebSockets over TCP alone.
    switches: (host) => [`--origin-to-force-quic-on=${host}`, "--enable-features=EnableWebsocketsOverHttp3"],
    events: {
      QUIC_SESSION: "connection",
      HTTP3_SETTINGS_RECEIVED: "settings",
      HTTP3_HEADERS_SENT: "request",
      HTTP3_HEADERS_DECODED: "response",
      HTTP3_DATA_SENT: "sent",
      HTTP3_DATA_FRAME_RECEIVED: "received",
      // Frames of QUIC, not of HTTP/3: they say where a stream ends.
      QUIC_SESSION_STREAM_FRAME_SENT: "sent",
      QUIC_SESSION_STREAM_FRAME_COALESCED: "sent",
      QUIC_SESSION_STREAM_FRAME_RECEIVED: "received",
    },
  },
};

// What the log says of each connection to `host` and of each WebSocket, in the order of their requests.
function read(netlog, host, kinds) {
  const { constants, events } = JSON.parse(fs.readFileSync(netlog, "utf8"));
  const names = new Map(Object.entries(constants.logEventTypes).map(([name, type]) => [type, name]));
  const connections = new Map();
  const sockets = new Map();
  for (const { type, source, params = {} } of events) {
    const name = names.get(type);
    if (name === "REQUEST_ALIVE" && params.url?.startsWith("wss:"))
      sockets.set(source.id, { sent: [], received: [], closer: null });
    if (name === "WEBSOCKET_SENT_FRAME_HEADER" || name === "WEBSOCKET_RECV_FRAME_HEADER") {
      const socket = sockets.get(source.id);
      const side = name === "WEBSOCKET_SENT_FRAME_HEADER" ? "sent" : "received";
      if (params.opcode === CLOSE) socket.closer ??= side;
      socket[side].push({ opcode: params.opcode, length: params.payload_length, compressed: params.reserved1 });
    }
    const kind = kinds[name];
    // Logged once more when the connection ends.
    if (kind === "connection" && !connections.has(source.id))
      connections.set(source.id, { settings: [], streams: new Map() });
    const connection = connections.get(source.id);
    if (kind === "settings") connection.settings.push(params);
    if (kind === "request" && params.headers.includes(`:authority: ${host}`))
      connection.streams.set(params.stream_id, { asked: params.headers, sent: 0, received: 0, ends: new Set() });
    const stream = connection?.streams.get(params.stream_id);
    if (stream && kind === "response") stream.answer = params.headers;
    if (stream && (kind === "sent" || kind === "received")) {
      stream[kind] += params.size ?? params.payload_length ?? 0;
      if (params.fin) stream.ends.add(kind);
    }
  }
  const used = [...connections.values()].filter(({ streams }) => streams.size > 0);
  const streams = used.flatMap((connection) => [...connection.streams.values()]);
  const isSocket = ({ asked }) => asked.includes(":protocol: websocket");
  return { connections: used, streams: streams.filter(isSocket), sockets: [...sockets.values()] };
}

function checkSettings({ connections }, http) {
  const settings = connections.map((connection) => connection.settings);
  const name = "SETTINGS_ENABLE_CONNECT_PROTOCOL";
  // The log has each setting of HTTP/2 by itself, and those of HTTP/3 together.
  const allows = (setting) => setting[name] === 1 || (setting.id === `8 (${name})` && setting.value === 1);
  check(
    `one connection over ${http}, whose SETTINGS allow extended CONNECT`,
    settings.length === 1 && settings[0].some(allows),
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
    check(`${name}: both sides end the stream`, ends.size === 2, [...ends]);
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

async function main(url, executablePath, netlog, version, certificate, ...flags) {
  const { host } = new URL(url);
  // Over QUIC, Chromium takes an unknown issuer only if it knows the key.
  const key = new X509Certificate(fs.readFileSync(certificate)).publicKey.export({ type: "spki", format: "der" });
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--log-net-log=${netlog}`,
      `--ignore-certificate-errors-spki-list=${createHash("sha256").update(key).digest("base64")}`,
      ...version.switches(host),
    ],
  });
  let failure;
  try {
    const page = await browser.newPage();
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
  const log = read(netlog, host, version.events);
  // Without them no WebSocket can have opened, so this is the error to report.
  checkSettings(log, version.http);
  if (failure) throw failure;
  checkWebSockets(log, flags);
  return browser.version();
}

const [, , url, executablePath, netlog, name, certificate, ...flags] = process.argv;
const version = versions[name];
report("Chromium", version.http, main(url, executablePath, netlog, version, certificate, ...flags), flags);
