// The npm package `ws` as a client of the echo server.
//
// Usage: NODE_PATH=path/to/node_modules node ws_client.cjs ws://127.0.0.1:PORT/ [--deflate [--takeover]]
//
// The flags are those of the server under test.
"use strict";

const crypto = require("node:crypto");
const { once } = require("node:events");
const { setTimeout: delay } = require("node:timers/promises");
const WebSocket = require("ws");

// Noise that is the same in every run, because zlib overlooks the repetition of some noise, but for each
// kind of connection another, so that messages of one do not pass for those of another.
function noises(who) {
  const key = crypto.createHash("sha256").update(who).digest().subarray(0, 16);
  const stream = crypto.createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  return (length) => stream.update(Buffer.alloc(length));
}

let checks = 0;
function check(name, truth) {
  if (!truth) throw new Error(`${name} failed`);
  checks += 1;
}

async function main(url) {
  const peer = new WebSocket(url);
  await once(peer, "open");

  for (const text of ["hello", "", "κόσμε 🦀", "x".repeat(70_000)]) {
    peer.send(text);
    const [data, binary] = await once(peer, "message");
    check("text echo", !binary && data.toString() === text);
  }

  const bytes = crypto.randomBytes(70_000);
  peer.send(bytes);
  const [echo, binary] = await once(peer, "message");
  check("binary echo of 70000 bytes", binary && bytes.equals(echo));

  peer.send("in ", { fin: false });
  peer.ping("between");
  peer.send("fragments", { fin: true });
  const [[pong], [joined]] = await Promise.all([once(peer, "pong"), once(peer, "message")]);
  check("pong", pong.toString() === "between");
  check("fragmented message", joined.toString() === "in fragments");

  peer.close(1000, "done");
  const [code] = await once(peer, "close");
  // `ws` reports 1006 unless the server answered with a Close of its own.
  check("clean close", code === 1000);
}

// One connection that compresses: what it offers, what has to come of that, and messages.
async function compressed(url, takeover, options) {
  const peer = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...options } });
  const [[response]] = await Promise.all([once(peer, "upgrade"), once(peer, "open")]);
  const { serverMaxWindowBits: serverBits, clientMaxWindowBits: clientBits } = options;
  const agreed = ["permessage-deflate"];
  if (options.serverNoContextTakeover || !takeover) agreed.push("server_no_context_takeover");
  if (options.clientNoContextTakeover || !takeover) agreed.push("client_no_context_takeover");
  if (serverBits) agreed.push(`server_max_window_bits=${serverBits}`);
  if (typeof clientBits === "number") agreed.push(`client_max_window_bits=${clientBits}`);
  const answer = response.headers["sec-websocket-extensions"];
  const sorted = (parts) => parts.map((part) => part.trim()).sort().join("; ");
  const who = `${answer} for ${JSON.stringify(options)}`;
  check(`agreement on ${who}`, sorted(answer.split(";")) === sorted(agreed));
  check(`extension of ${who}`, peer.extensions === "permessage-deflate");

  // The compressed lengths of what is sent and received, as the extension makes and gets them.
  const extension = peer._extensions["permessage-deflate"];
  const { compress, decompress } = extension;
  const noiseOf = noises(who);
  const sent = [];
  const received = [];
  extension.compress = (data, fin, done) =>
    compress.call(extension, data, fin, (error, made) => {
      sent.push(made?.length);
      done(error, made);
    });
  extension.decompress = (data, fin, done) => {
    received.push(data.length);
    decompress.call(extension, data, fin, done);
  };
  const same = (message, [data, binary]) => binary === (typeof message !== "string") && Buffer.from(message).equals(data);
  const echo = async (message, how = {}) => {
    sent.length = received.length = 0;
    peer.send(message, how);
    check(`echo of ${message.length} by ${who}`, same(message, await once(peer, "message")));
    check(`compressed echo by ${who}`, received.length === 1);
    check(`compressing for ${who}`, sent.length === (how.compress === false ? 0 : 1));
    return [sent[0], received[0]];
  };

  for (const text of ["", "a", "hello", "hello", "κόσμε 🦀", "κόσμε 🦀".repeat(5000)]) await echo(text);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(1), Buffer.from("ab")]) await echo(bytes);
  for (let round = 0; round < 2; round += 1) {
    for (const length of await echo("x".repeat(300_000))) check(`300 KB of text by ${who}`, length < 3_000);
    const noise = noiseOf(300_000);
    for (const length of await echo(noise)) check(`300 KB of noise by ${who}`, length > 299_000 && length < 310_000);
  }

  // The same noise is short the second time where the context is taken over and the window holds it.
  const directions = [
    [!agreed.includes("client_no_context_takeover"), typeof clientBits === "number" ? clientBits : 15],
    [!agreed.includes("server_no_context_takeover"), serverBits ?? 15],
  ];
  for (const size of [200, 600, 1_500, 3_000, 14_000, 40_000]) {
    const noise = noiseOf(size);
    await echo(noise);
    // What is sent as it is does not get into the window; its echo, which is compressed, does.
    const plain = "y".repeat(100);
    await echo(plain, { compress: false });
    const distances = [size, size + plain.length];
    for (const [at, length] of (await echo(noise)).entries()) {
      const [takesOver, bits] = directions[at];
      // zlib leaves 262 bytes of the window unused.
      const short = takesOver && distances[at] <= 2 ** bits - 262;
      check(`${length} bytes for ${size} again by ${who}`, length < size / 4 === short);
    }
  }
  await echo("y".repeat(70_000), { compress: false });

  // Fragments with a Ping between, and many at once.
  sent.length = received.length = 0;
  peer.send("zerlegt ", { fin: false });
  peer.ping("between");
  peer.send("und ganz", { fin: true });
  const [[pong], joined] = await Promise.all([once(peer, "pong"), once(peer, "message")]);
  check("pong between fragments", pong.toString() === "between");
  check("fragments", same("zerlegt und ganz", joined) && sent.length === 2 && received.length === 1);
  const many = Array.from({ length: 20 }, (_, at) => Buffer.concat([noiseOf(at * 997), Buffer.alloc(at * 997)]));
  const echoes = [];
  const all = new Promise((resolve) => {
    peer.on("message", (...message) => echoes.push(message) === many.length && resolve());
  });
  many.forEach((message, at) => peer.send(message, { compress: at % 3 !== 1 }));
  await all;
  many.forEach((message, at) => check("one of many", same(message, echoes[at])));

  peer.close(1000, "done");
  const [code] = await once(peer, "close");
  check("clean close", code === 1000);
}

// All at the same time, so that the codecs which they share go from one to another.
async function allCompressed(url, takeover) {
  const ways = [];
  for (const serverNoContextTakeover of [false, true]) {
    for (const clientNoContextTakeover of [undefined, true]) {
      for (const [serverMaxWindowBits, clientMaxWindowBits] of [[], [undefined, false], [9, 9], [10, 10], [11, 11], [12, 12], [15, 15], [undefined, 9], [9]]) {
        ways.push({ serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits });
      }
    }
  }
  await Promise.all(ways.map((options) => compressed(url, takeover, options)));
}

async function run(url, ...flags) {
  await main(url);
  if (flags.includes("--deflate")) await allCompressed(url, flags.includes("--takeover"));
}

const late = delay(60_000, undefined, { ref: false }).then(() => {
  throw new Error("no end within 60 s");
});
// Node ends by itself when nothing is left to wait for.
process.on("beforeExit", () => {
  console.error("ws client: a connection has ended too early");
  process.exit(1);
});
const [, , url, ...flags] = process.argv;
Promise.race([run(url, ...flags), late]).then(
  () => {
    const who = ["ws", require("ws/package.json").version, "client", ...flags].join(" ");
    console.log(`${who}: ${checks} checks passed`);
    process.exit(checks > 0 ? 0 : 1);
  },
  (error) => {
    console.error(`ws client: ${error.stack}`);
    process.exit(1);
  },
);
