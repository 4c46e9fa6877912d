// Headless Firefox as a client of the example `h2` over TLS: WebSockets over HTTP/2 (RFC 8441).
//
// Usage: NODE_PATH=path/to/node_modules node firefox_http2.cjs https://127.0.0.1:PORT/ path/to/firefox PROFILE [--deflate]
//
// PROFILE is a directory, which is emptied first. The flag is that of the server under test, which
// agrees to HTTP/2 alone: a WebSocket that opens is a stream of HTTP/2. Firefox is told what to do by
// WebDriver BiDi.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const { once } = require("node:events");
const readline = require("node:readline");
const WebSocket = require("ws");
const { check, checkConversation, conversations, converse, report } = require("./browser_streams.cjs");

// What would ask servers of Mozilla for something.
const PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.getAddons.cache.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,#remote-settings-dummy/v1",
};

// Where Firefox listens for commands.
async function listening(firefox) {
  for await (const line of readline.createInterface(firefox.stderr)) {
    const address = /^WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
    if (address) return address;
  }
  throw new Error("Firefox has ended");
}

// A function that sends a command and returns its result.
async function commands(address) {
  const peer = new WebSocket(`${address}/session`);
  await once(peer, "open");
  const waiting = new Map();
  peer.on("message", (data) => {
    const { id, type, result, message } = JSON.parse(data);
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (type === "success") resolve?.(result);
    else reject?.(new Error(message));
  });
  peer.on("close", () => waiting.forEach(({ reject }) => reject(new Error("Firefox has ended"))));
  let last = 0;
  return (method, params) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      peer.send(JSON.stringify({ id: last, method, params }));
    });
}

async function main(url, path, profile, ...flags) {
  fs.rmSync(profile, { recursive: true, force: true });
  fs.mkdirSync(profile, { recursive: true });
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  fs.writeFileSync(`${profile}/user.js`, lines.join(""));
  const options = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
  const firefox = spawn(path, options, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(firefox, "exit");
  try {
    const command = await commands(await listening(firefox));
    // What else Firefox writes is of no use, but it must not have to wait.
    firefox.stderr.resume();
    const { capabilities } = await command("session.new", {
      capabilities: { alwaysMatch: { acceptInsecureCerts: true } },
    });
    const { contexts } = await command("browsingContext.getTree", {});
    const { context } = contexts[0];
    // Runs a function on the page; what goes in and out is JSON.
    const run = async (code, value) => {
      const functionDeclaration = `async (text) => JSON.stringify(await (${code})(JSON.parse(text)))`;
      const argument = { type: "string", value: JSON.stringify(value) };
      const parameters = { functionDeclaration, awaitPromise: true, target: { context }, arguments: [argument] };
      const { type, result, exceptionDetails } = await command("script.callFunction", parameters);
      if (type !== "success") throw new Error(exceptionDetails.text);
      return JSON.parse(result.value);
    };

    await command("browsingContext.navigate", { context, url, wait: "complete" });
    const version = await run(() => performance.getEntriesByType("navigation")[0].nextHopProtocol, null);
    check("the page comes over HTTP/2", version === "h2", version);
    // Firefox shows no parameters.
    const extensions = flags.includes("--deflate") ? "permessage-deflate" : "";
    for (const conversation of conversations) {
      checkConversation(conversation, await run(converse, conversation), extensions);
    }
    return capabilities.browserVersion;
  } finally {
    firefox.kill();
    await ended;
  }
}

const [, , url, path, profile, ...flags] = process.argv;
report("Firefox", "HTTP/2", main(url, path, profile, ...flags), flags);
