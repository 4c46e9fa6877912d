// What the browsers have in common that open WebSockets on streams of HTTP/2 and HTTP/3: conversations with
// the examples `h2`, over TLS, and `h3`. Each agrees to no other version of HTTP.
"use strict";

let checks = 0;
function check(name, truth, seen) {
  if (!truth) throw new Error(`${name} failed: ${JSON.stringify(seen)}`);
  checks += 1;
}

const GREEK = "κόσμε 🦀";

// Each has a WebSocket of its own, which is closed after the last echo: by the page with the given code,
// or by the server, which the page asks to. `noise` is the length of a random message.
const conversations = [
  { name: "short texts", texts: ["", "hello", GREEK], code: 4321 },
  { name: "1 MiB of noise", texts: [], noise: 1 << 20, code: 1000 },
  { name: "1 MiB of noise, closed by the server", texts: [], noise: 1 << 20 },
  { name: "a text of 900 000 bytes", texts: [GREEK.repeat(60_000)], code: 1000 },
  {
    name: "1 000 texts at once, closed by the server",
    texts: Array.from({ length: 1000 }, (_, at) => `${at} ${GREEK}`),
  },
];

// Runs on the page.
async function converse({ texts, noise = 0, code }) {
  const bytes = new Uint8Array(noise);
  for (let at = 0; at < noise; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  const messages = noise ? [bytes] : texts;
  const same = (message, data) =>
    typeof message === "string"
      ? data === message
      : data.byteLength === noise && new Uint8Array(data).every((byte, at) => byte === message[at]);
  const peer = new WebSocket(location.href.replace(/^http/, "ws"));
  peer.binaryType = "arraybuffer";
  let echoes = 0;
  let faithful = true;
  peer.onopen = () => messages.forEach((message) => peer.send(message));
  peer.onmessage = ({ data }) => {
    faithful &&= echoes < messages.length && same(messages[echoes], data);
    echoes += 1;
    if (echoes !== messages.length) return;
    if (code) peer.close(code, "done");
    else peer.send("good bye");
  };
  const closed = await new Promise((resolve) => (peer.onclose = resolve));
  return {
    echoed: faithful && echoes === messages.length,
    code: closed.code,
    clean: closed.wasClean,
    extensions: peer.extensions,
  };
}

// What the page has seen of a conversation. `extensions` is what it should have been shown of them.
function checkConversation({ name, code = 1000 }, seen, extensions) {
  check(`${name}: echo`, seen.echoed, seen);
  check(`${name}: clean close`, seen.clean && seen.code === code, seen);
  check(`${name}: extensions`, seen.extensions.split("; ").sort().join("; ") === extensions, seen);
}

// Ends the process as `outcome` does: with the version of the browser, or with an error. `http` is HTTP/2
// or HTTP/3.
function report(browser, http, outcome, flags) {
  outcome.then(
    (version) => {
      console.log(`${[browser, version, "over", http, ...flags].join(" ")}: ${checks} checks passed`);
      process.exit(0);
    },
    (error) => {
      console.error(`${browser} over ${http}: ${error.stack}`);
      process.exit(1);
    },
  );
}

module.exports = { check, checkConversation, conversations, converse, GREEK, report };
