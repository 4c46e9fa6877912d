// A client over HTTP/2: the streams of Node's own `http2`, and on one of them the frames of the npm
// package `ws`.
//
// Usage: NODE_PATH=path/to/node_modules node http2_client.cjs http://127.0.0.1:PORT
"use strict";

const crypto = require("node:crypto");
const http2 = require("node:http2");
const { once } = require("node:events");
const WebSocket = require("ws");

let checks = 0;
function check(name, truth) {
  if (!truth) throw new Error(`${name} failed`);
  checks += 1;
}

const asked = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":path": "/",
  "sec-websocket-version": "13",
};

async function status(session, headers) {
  const stream = session.request(headers);
  const [answer] = await once(stream, "response");
  stream.close();
  return answer;
}

async function main(url) {
  const session = http2.connect(url);
  const [settings] = await once(session, "remoteSettings");
  check("extended CONNECT is announced", settings.enableConnectProtocol);

  const refused = [
    [{ ":protocol": "other" }, 501],
    [{ "sec-websocket-version": "12" }, 400],
  ];
  for (const [headers, expected] of refused) {
    const answer = await status(session, { ...asked, ...headers });
    check(`refusal with ${expected}`, answer[":status"] === expected);
  }
  // A gateway leaves the key of HTTP/1.1 in, and may need its answer.
  const keyed = await status(session, { ...asked, "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" });
  check("a key is accepted", keyed[":status"] === 200);
  check("its answer", keyed["sec-websocket-accept"] === "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  // A stream that is reset at once leaves the others alone.
  session.request(asked).close(http2.constants.NGHTTP2_CANCEL);

  const stream = session.request(asked);
  const [answer] = await once(stream, "response");
  check("status 200", answer[":status"] === 200);
  check("no Accept", answer["sec-websocket-accept"] === undefined);
  const peer = new WebSocket(null, undefined, { closeTimeout: 30_000 });
  peer._isServer = false; // `ws` makes sockets of its own only for HTTP/1.1
  peer.setSocket(stream, Buffer.alloc(0), { maxPayload: 1 << 20 });

  for (const text of ["hello", "", "κόσμε 🦀"]) {
    peer.send(text);
    const [data, binary] = await once(peer, "message");
    check("text echo", !binary && data.toString() === text);
  }
  const bytes = crypto.randomBytes(70_000);
  peer.send(bytes.subarray(0, 30_000), { fin: false });
  peer.ping("between");
  peer.send(bytes.subarray(30_000), { fin: true });
  const [[pong], [echo, binary]] = await Promise.all([once(peer, "pong"), once(peer, "message")]);
  check("pong", pong.toString() === "between");
  check("fragmented binary of 70000 bytes", binary && bytes.equals(echo));

  const ended = once(stream, "close");
  peer.close(1000, "done");
  const [code] = await once(peer, "close");
  check(`close code ${code}`, code === 1000);
  await ended;
  check("the stream ended without a reset", stream.rstCode === http2.constants.NGHTTP2_NO_ERROR);
  session.close();
  console.log(`Node ${process.version} http2 client: ${checks} checks passed`);
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
