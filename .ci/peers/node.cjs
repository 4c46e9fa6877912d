// The npm package `ws` as a client of an echo server in another environment.
//
// Usage: NODE_PATH=path/to/node_modules node node.cjs NAME ws://127.0.0.1:PORT/ CONNECTIONS
//
// A text "goodbye" makes the server close.
"use strict";

const crypto = require("node:crypto");
const { once } = require("node:events");
const WebSocket = require("ws");

let checks = 0;
function check(name, truth) {
  if (!truth) throw new Error(`${name} failed`);
  checks += 1;
}

async function opened(url) {
  const peer = new WebSocket(url, { perMessageDeflate: false });
  await once(peer, "open");
  return peer;
}

async function echo(peer, message) {
  peer.send(message);
  const [data, binary] = await once(peer, "message");
  check(`echo of ${message.length}`, binary === (typeof message !== "string") && Buffer.from(message).equals(data));
}

async function main(url, connections) {
  const peer = await opened(url);
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 1 << 20]) await echo(peer, crypto.randomBytes(length));
  for (const text of ["hello", "", "κόσμε 🦀", "κόσμε 🦀".repeat(70_000)]) await echo(peer, text);

  peer.send("in ", { fin: false });
  peer.ping("between");
  peer.send("three ", { fin: false });
  peer.send("fragments", { fin: true });
  const [[pong], [joined]] = await Promise.all([once(peer, "pong"), once(peer, "message")]);
  check("pong", pong.toString() === "between");
  check("fragments", joined.toString() === "in three fragments");

  peer.close(1000, "done");
  // `ws` reports 1006 unless the server answered with a Close of its own.
  check("close by the client", (await once(peer, "close"))[0] === 1000);

  const other = await opened(url);
  other.send("goodbye");
  const [code, reason] = await once(other, "close");
  check("close by the server", code === 1000 && reason.toString() === "goodbye");

  const peers = await Promise.all(Array.from({ length: connections }, () => opened(url)));
  await Promise.all(peers.map((peer, at) => echo(peer, crypto.randomBytes(at * 100))));
  for (const peer of peers) {
    peer.close(1000);
    check("close of one of many", (await once(peer, "close"))[0] === 1000);
  }
}

const [, , name, url, connections] = process.argv;
setTimeout(() => {
  console.error(`${name}: no end within 60 s`);
  process.exit(1);
}, 60_000).unref();
// Node ends by itself when nothing is left to wait for.
process.on("beforeExit", () => {
  console.error(`${name}: a connection has ended too early`);
  process.exit(1);
});
main(url, Number(connections)).then(
  () => {
    console.log(`${name}, with ws ${require("ws/package.json").version} and ${connections} connections: ${checks} checks passed`);
    process.exit(checks > 0 ? 0 : 1);
  },
  (error) => {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  },
);
