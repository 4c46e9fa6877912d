// A WebSocket library of JavaScript, as the peer of an example. `libraries.py` starts it, says what
// the arguments are, and reads what it prints.
import { readFileSync } from "node:fs";
import { subscribe } from "node:diagnostics_channel";
import { createRequire } from "node:module";
import process from "node:process";
import { Buffer } from "node:buffer";

const [name, role, url] = process.argv.slice(2);
const { cases, subprotocol, limit, close } = JSON.parse(readFileSync(new URL("cases.json", import.meta.url)));
// Packages are found below NODE_PATH, which only `require` knows.
const library = ["ws", "undici"].includes(name) ? createRequire(import.meta.url)(name) : null;
const WebSocket = library?.WebSocket ?? globalThis.WebSocket;
const maximum = 1 << 26;

// The events of a connection, in their order.
class Events {
  #waiting = [];
  #wake = () => {};
  put(...event) {
    this.#waiting.push(event);
    this.#wake();
  }
  async next() {
    while (this.#waiting.length === 0) await new Promise((wake) => (this.#wake = wake));
    return this.#waiting.shift();
  }
}

// A connection with the interface that browsers have, and what a library adds to that.
function standard(socket) {
  const events = new Events();
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => events.put("open"));
  socket.addEventListener("message", ({ data }) => events.put("message", data));
  socket.addEventListener("close", ({ code, reason }) => events.put("close", code, reason));
  socket.addEventListener("error", () => {});
  const peer = {
    next: () => events.next(),
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    agreed: () => [socket.protocol, socket.extensions],
  };
  if (name === "ws") {
    socket.on("pong", (data) => events.put("pong", data.toString()));
    peer.ping = (data) => socket.ping(data);
    peer.fragments = (pieces) => {
      pieces.forEach((piece, at) => {
        if (at > 0) socket.ping("between");
        socket.send(piece, { fin: at === pieces.length - 1 });
      });
    };
  } else if (name === "undici") {
    subscribe("undici:websocket:pong", ({ payload, websocket }) => {
      if (websocket === socket) events.put("pong", Buffer.from(payload ?? "").toString());
    });
    peer.ping = (data) => library.ping(socket, Buffer.from(data));
  } else if (name === "bun") {
    socket.addEventListener("pong", ({ data }) => events.put("pong", Buffer.from(data).toString()));
    peer.ping = (data) => socket.ping(data);
  }
  return peer;
}

// Listens, calls `opened` with each connection, and returns the port.
async function listen(opened) {
  if (name === "ws") {
    const server = new library.WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: { threshold: 0 }, maxPayload: maximum });
    server.on("connection", (socket) => opened(standard(socket)));
    await new Promise((listening) => server.on("listening", listening));
    return server.address().port;
  }
  if (name === "deno") {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const offered = request.headers.get("sec-websocket-protocol");
      const { socket, response } = Deno.upgradeWebSocket(request, offered ? { protocol: subprotocol } : {});
      const peer = standard(socket);
      peer.next().then(() => opened(peer));
      return response;
    });
    return server.addr.port;
  }
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const offered = request.headers.get("sec-websocket-protocol");
      const headers = offered ? { "Sec-WebSocket-Protocol": subprotocol } : {};
      const data = { events: new Events(), agreed: [offered ? subprotocol : ""] };
      return server.upgrade(request, { headers, data }) ? undefined : new Response("", { status: 400 });
    },
    websocket: {
      perMessageDeflate: true,
      maxPayloadLength: maximum,
      backpressureLimit: maximum,
      open(socket) {
        const { events, agreed } = socket.data;
        opened({
          next: () => events.next(),
          send: (data) => socket.send(data, true),
          ping: (data) => socket.ping(data),
          close: (code, reason) => socket.close(code, reason),
          agreed: () => agreed,
        });
      },
      message: (socket, data) => socket.data.events.put("message", typeof data === "string" ? data : new Uint8Array(data)),
      pong: (socket, data) => socket.data.events.put("pong", data.toString()),
      close: (socket, code, reason) => socket.data.events.put("close", code, reason),
    },
  });
  return server.port;
}

const result = { version: library ? createRequire(import.meta.url)(`${name}/package.json`).version : (globalThis.Bun?.version ?? globalThis.Deno?.version.deno), passed: 0, cannot: [] };

function show(event) {
  return event.map((part) => (typeof part === "object" ? `${part.byteLength} bytes` : String(part).slice(0, 60))).join(" ");
}

async function expect(what, peer, ...wanted) {
  const event = await peer.next();
  const same = (own, other) =>
    typeof own === "object" ? typeof other === "object" && Buffer.from(own).equals(Buffer.from(other)) : own === other;
  if (event.length < wanted.length || !wanted.every((part, at) => same(part, event[at]))) {
    throw new Error(`${what}: got ${show(event)}, not ${show(wanted)}`);
  }
}

// All cases in one connection, which this side closes.
async function exchange(peer) {
  [result.subprotocol, result.extensions] = peer.agreed();
  for (const [kind, ...values] of cases) {
    const what = `${kind} ${JSON.stringify(values)}`;
    if (kind === "text" || kind === "binary") {
      const data = kind === "text" ? values[0].repeat(values[1]) : Uint8Array.from({ length: values[0] }, (_, at) => (at * 31) >> 3);
      peer.send(data);
      await expect(what, peer, "message", data);
    } else if (!peer[kind]) {
      result.cannot.push(kind);
      continue;
    } else {
      peer[kind](values[0]);
      if (kind === "ping") await expect(what, peer, "pong", values[0]);
      else {
        for (let at = 1; at < values[0].length; at += 1) await expect(what, peer, "pong", "between");
        await expect(what, peer, "message", values[0].join(""));
      }
    }
    result.passed += 1;
  }
  peer.close(...close);
  await expect("close by the library", peer, "close", close[0]);
  result.passed += 1;
}

async function client() {
  const open = async () => {
    const peer = standard(new WebSocket(url, [subprotocol]));
    await expect("open", peer, "open");
    return peer;
  };
  await exchange(await open());
  const peer = await open();
  peer.send("x".repeat(limit + 1));
  await expect("close by the example", peer, "close", 1009);
  result.passed += 1;
}

async function server() {
  const accepted = new Events();
  console.log(await listen((peer) => accepted.put(peer)));
  await exchange((await accepted.next())[0]);
  const [peer] = await accepted.next();
  await expect("message", peer, "message", "hello");
  peer.send("hello");
  await expect("close by the example", peer, "close", ...close);
  result.passed += 1;
}

try {
  await (role === "client" ? client() : server());
} catch (error) {
  result.failed = String(error.message);
}
console.log(JSON.stringify(result));
process.exit(0);
