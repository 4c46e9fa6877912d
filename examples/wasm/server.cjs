// An echo server of Node.js. Its sockets speak WebSocket by a module for WebAssembly:
//
//     cargo build --release --manifest-path examples/wasm/Cargo.toml --target wasm32-unknown-unknown
//     node examples/wasm/server.cjs examples/wasm/target/wasm32-unknown-unknown/release/websocket_proto_wasm.wasm 9006
//
// A text "goodbye" is answered by a Close. lib.rs describes each function of the module.
"use strict";

const fs = require("node:fs");
const net = require("node:net");

const [REQUEST, TEXT] = [1, 2];
const [SHUTDOWN_WRITE, DROP] = [1, 3];
const NORMAL = 1000;
// The most bytes to write at a time, so that progress is reported often.
const MOST = 32 << 10;

// The module imports nothing.
const { exports: wasm } = new WebAssembly.Instance(new WebAssembly.Module(fs.readFileSync(process.argv[2])));

// Returns the bytes of a span. They are looked up each time, because linear memory moves when it
// grows.
function bytes(span) {
  return new Uint8Array(wasm.memory.buffer, Number(span >> 32n), Number(span & 0xffff_ffffn));
}

function message() {
  return Buffer.from(bytes(wasm.ws_message()));
}

function compose(payload) {
  bytes(wasm.ws_compose(payload.length)).set(payload);
}

// The application: handles one message.
function answer(kind, payload, { send, close }) {
  if (kind === TEXT && payload.toString() === "goodbye") close(NORMAL, payload);
  else send(kind, payload);
}

// Connects a socket to a connection of the module.
function join(socket) {
  const number = wasm.ws_open();
  let [open, writing, timer] = [true, false, undefined];
  const peer = {
    // While the connection closes, a message cannot be sent. That is not an error here.
    send: (kind, payload) => (compose(payload), wasm.ws_send(number, kind)),
    close: (code, reason) => (compose(reason), wasm.ws_close(number, code)),
  };

  function receive() {
    for (let kind; (kind = wasm.ws_receive(number)); ) {
      if (kind === REQUEST) wasm.ws_answer(number, 101);
      else answer(kind, message(), peer);
    }
  }

  // Does all that is possible now.
  function turn() {
    if (!open) return;
    wasm.ws_tick(number, performance.now());
    write();
    const step = wasm.ws_next_step(number);
    if (step === SHUTDOWN_WRITE) socket.end();
    if (step === DROP) return drop();
    if (wasm.ws_wants_read(number)) socket.resume();
    else socket.pause();
    clearTimeout(timer);
    const deadline = wasm.ws_deadline(number);
    if (deadline < Infinity) timer = setTimeout(turn, deadline - performance.now());
  }

  // The socket takes the output piece by piece.
  function write() {
    // The piece is copied, because linear memory can move before it was written.
    if (writing) return;
    const output = Buffer.from(bytes(wasm.ws_output(number)).subarray(0, MOST));
    if (output.length === 0) return;
    writing = true;
    socket.write(output, (error) => {
      writing = false;
      if (error || !open) return;
      wasm.ws_written(number, output.length);
      receive(); // there may be room for messages that had to wait
      turn();
    });
  }

  function drop() {
    open = false;
    clearTimeout(timer);
    wasm.ws_ending(number);
    console.log(message().toString());
    wasm.ws_free(number);
    socket.destroy();
  }

  socket.on("data", (data) => {
    while (open && data.length > 0) {
      const buffer = bytes(wasm.ws_read_buffer(number));
      if (buffer.length === 0) throw new Error("no memory");
      const part = data.subarray(0, buffer.length);
      data = data.subarray(part.length);
      buffer.set(part);
      wasm.ws_filled(number, part.length);
      receive();
    }
    turn();
  });
  socket.on("end", () => {
    if (open) wasm.ws_receive_eof(number);
    turn();
  });
  socket.on("error", () => {
    if (!open) return;
    wasm.ws_abort(number);
    receive();
    turn();
  });
  turn();
}

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, join);
server.listen({ host: "127.0.0.1", port: Number(process.argv[3] ?? 9006), backlog: 1024 });
