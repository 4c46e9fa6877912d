// A client of an echo server behind a reverse proxy: 11 checks, the same over HTTP/1.1 and HTTP/2.
//
// Usage: NODE_PATH=path/to/node_modules node proxied.cjs http1_to_http2 PORT [--deflate]
//
// The first argument names the versions of HTTP before and after the proxy; the client speaks the one
// before it. The frames are those of the npm package `ws`. Over HTTP/2, each check has a stream of its
// own in one connection of Node's `http2`. The flag is that of the server behind the proxy.
"use strict";

const crypto = require("node:crypto");
const http2 = require("node:http2");
const net = require("node:net");
const { once } = require("node:events");
const { setTimeout: delay } = require("node:timers/promises");
const WebSocket = require("ws");

const [way, port, ...flags] = process.argv.slice(2);
const deflate = flags.includes("--deflate");
const NAME = WebSocket.PerMessageDeflate.extensionName;
// The header of a message that is longer than the server accepts.
const TOO_LONG = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]);

function check(name, truth) {
  if (!truth) throw new Error(`${name} failed`);
}

// A masked frame with two bytes of payload, and the echo of "hi".
const frame = (opcode, data) => Buffer.concat([Buffer.from([0x80 | opcode, 0x82, 0, 0, 0, 0]), data]);
const ECHO = Buffer.from("\x81\x02hi", "latin1");

// --- the two ways to open a WebSocket ------------------------------------------------------------

const over1 = {
  async start() {},

  async open(compresses = deflate) {
    const perMessageDeflate = compresses && { threshold: 0 };
    const peer = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate });
    await once(peer, "open");
    return peer;
  },

  // What comes behind the head of the answer, to a frame in one write with the request.
  async early(frame) {
    const socket = net.connect(port, "127.0.0.1");
    const head = [
      "GET / HTTP/1.1",
      `Host: 127.0.0.1:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    socket.write(Buffer.concat([Buffer.from(head.join("\r\n") + "\r\n\r\n"), frame]));
    let received = Buffer.alloc(0);
    for await (const data of socket) {
      received = Buffer.concat([received, data]);
      const end = received.indexOf("\r\n\r\n");
      if (end >= 0 && received.length >= end + 4 + ECHO.length) {
        check("status 101", received.toString("latin1").startsWith("HTTP/1.1 101 "));
        return received.subarray(end + 4);
      }
    }
    throw new Error(`the connection ended after ${JSON.stringify(received.toString("latin1"))}`);
  },
};

const over2 = {
  async start() {
    this.session = http2.connect(`http://127.0.0.1:${port}`);
    const [settings] = await once(this.session, "remoteSettings");
    check("extended CONNECT is announced", settings.enableConnectProtocol);
  },

  request(headers) {
    return this.session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":path": "/",
      "sec-websocket-version": "13",
      ...headers,
    });
  },

  async open(compresses = deflate) {
    const offer = { "sec-websocket-extensions": `${NAME}; client_max_window_bits` };
    const stream = this.request(compresses ? offer : {});
    const [answer] = await once(stream, "response");
    check(`status 200, not ${answer[":status"]},`, answer[":status"] === 200);
    const peer = new WebSocket(null, undefined, { closeTimeout: 30_000 });
    peer._isServer = false; // `ws` makes sockets of its own only for HTTP/1.1
    const agreed = answer["sec-websocket-extensions"];
    if (agreed !== undefined) {
      const extension = new WebSocket.PerMessageDeflate({ threshold: 0, clientMaxWindowBits: true });
      extension.offer();
      extension.accept(WebSocket.extension.parse(agreed)[NAME]);
      peer._extensions[NAME] = extension;
    }
    peer.setSocket(stream, Buffer.alloc(0), { maxPayload: 0 });
    return peer;
  },

  // The same for a frame that follows the request without waiting for the answer. In front of a server
  // of HTTP/1.1 it waits, because HAProxy answers 500 to earlier DATA and sends that server nothing.
  async early(frame) {
    const stream = this.request({});
    const waits = way.endsWith("to_http1");
    if (!waits) stream.write(frame);
    const [answer] = await once(stream, "response");
    check(`status 200, not ${answer[":status"]},`, answer[":status"] === 200);
    if (waits) stream.write(frame);
    let received = Buffer.alloc(0);
    while (received.length < ECHO.length) {
      received = Buffer.concat([received, (await once(stream, "data"))[0]]);
    }
    stream.close(http2.constants.NGHTTP2_CANCEL);
    return received;
  },
};

// --- the checks ----------------------------------------------------------------------------------

async function echo(peer, message) {
  const received = once(peer, "message");
  peer.send(message);
  const [data, binary] = await received;
  const same = binary === (typeof message !== "string") && Buffer.from(message).equals(data);
  check(`echo of ${message.length}`, same);
}

async function closed(peer) {
  const [code] = await once(peer, "close");
  return code;
}

async function close(front, code, reason) {
  const peer = await front.open();
  peer.close(code, reason);
  const answer = await closed(peer);
  check(`${answer} for ${code}`, answer === code);
}

const checks = {
  async text(front) {
    const peer = await front.open();
    check(`extension "${peer.extensions}"`, peer.extensions === (deflate ? NAME : ""));
    await echo(peer, "κόσμε 🦀");
    peer.terminate();
  },
  async "binary of 0 bytes to 1 MiB"(front) {
    const peer = await front.open();
    for (const length of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
      await echo(peer, crypto.randomBytes(length));
    }
    peer.terminate();
  },
  async "JSON of 840 kB"(front) {
    const peer = await front.open();
    await echo(peer, '{"k":"value"},'.repeat(60_000));
    peer.terminate();
  },
  async fragments(front) {
    const peer = await front.open();
    const pieces = ["a", "b".repeat(70_000), "c"];
    pieces.forEach((piece, at) => peer.send(piece, { binary: true, fin: at === 2 }));
    const [data] = await once(peer, "message");
    check("joined", data.toString() === pieces.join(""));
    peer.terminate();
  },
  async ping(front) {
    const peer = await front.open();
    peer.ping("payload");
    const [pong] = await once(peer, "pong");
    check("payload", pong.toString() === "payload");
    peer.terminate();
  },
  async "500 messages at once"(front) {
    const peer = await front.open();
    const numbers = Array.from({ length: 500 }, (_, at) => `${at}`);
    const received = [];
    const all = new Promise((done) => {
      peer.on("message", (data) => received.push(data.toString()) === numbers.length && done());
    });
    for (const number of numbers) peer.send(number);
    await all;
    check("order", received.join() === numbers.join());
    peer.terminate();
  },
  async "close with 1000"(front) {
    await close(front, 1000, "done");
  },
  async "close with 4321 and a long reason"(front) {
    await close(front, 4321, "ü".repeat(60));
  },
  async "the server's close with 1009"(front) {
    const peer = await front.open();
    // The header alone: where a client is still sending, a proxy may lose the server's Close.
    peer._socket.write(TOO_LONG);
    const code = await closed(peer);
    check(`${code}`, code === 1009);
  },
  async "the server's close with 1007"(front) {
    const peer = await front.open(false);
    peer._socket.write(frame(1, Buffer.from([0xc3, 0x28])));
    const code = await closed(peer);
    check(`${code}`, code === 1007);
  },
  async "a frame behind the request"(front) {
    const received = await front.early(frame(1, Buffer.from("hi")));
    check(`echo, not ${received.toString("hex")},`, received.equals(ECHO));
  },
};

async function late() {
  await delay(20_000, null, { ref: false });
  throw new Error("not done after 20 s");
}

async function main() {
  const front = way.startsWith("http2") ? over2 : over1;
  await front.start();
  let passed = 0;
  for (const [name, run] of Object.entries(checks)) {
    try {
      await Promise.race([run(front), late()]);
      passed += 1;
    } catch (error) {
      console.log(`${name}: ${error.message}`);
    }
  }
  console.log(`Node ${process.version} client, ${[way, ...flags].join(" ")}: ${passed} checks passed`);
  process.exit(passed === Object.keys(checks).length ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
