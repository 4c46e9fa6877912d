// The npm package `ws` as a client of the echo server.
//
// Usage: NODE_PATH=path/to/node_modules node ws_client.cjs ws://127.0.0.1:PORT/
"use strict";

const crypto = require("node:crypto");
const { once } = require("node:events");
const { setTimeout: delay } = require("node:timers/promises");
const WebSocket = require("ws");

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

const late = delay(60_000, undefined, { ref: false }).then(() => {
  throw new Error("no end within 60 s");
});
Promise.race([main(process.argv[2]), late]).then(
  () => {
    console.log(`ws ${require("ws/package.json").version} client: ${checks} checks passed`);
    process.exit(checks > 0 ? 0 : 1);
  },
  (error) => {
    console.error(`ws client: ${error.stack}`);
    process.exit(1);
  },
);
