//! The server's side of WebSockets as a module for WebAssembly, which imports nothing. `server.cjs`
//! connects it to the sockets of Node.js.
//!
//! A connection is a number. Bytes are exchanged in the linear memory of the module: a span is the
//! address of some bytes, times 2^32, plus their number. It is valid until the next call.
//!
//! There is no `unsafe` code. The attribute of each function only declares that its name is unique.

use std::cell::RefCell;
use std::{str, time::Duration};
use websocket_proto::endpoint::{Endpoint, Incoming, Options};
use websocket_proto::handshake::AcceptOptions;
use websocket_proto::{CloseCode, NextStep, Server};

struct Module {
    options: Options,
    /// The connections, by number. `None` is a number that is free.
    connections: Vec<Option<Endpoint<Server>>>,
    /// The message that was received last, or is sent next.
    message: Vec<u8>,
}

thread_local! {
    static MODULE: RefCell<Module> = RefCell::new(Module {
        options: Options::new(),
        connections: Vec::new(),
        message: Vec::new(),
    });
}

/// Calls `act` with a connection and the message. Does nothing if the connection does not exist.
fn with<T: Default>(
    number: usize,
    act: impl FnOnce(&mut Endpoint<Server>, &mut Vec<u8>) -> T,
) -> T {
    MODULE.with_borrow_mut(|Module { connections, message, .. }| {
        let connection = connections.get_mut(number).and_then(Option::as_mut);
        connection.map(|ws| act(ws, message)).unwrap_or_default()
    })
}

/// Returns the span of bytes that JavaScript reads or fills.
fn span(bytes: &mut [u8]) -> u64 {
    (bytes.as_mut_ptr().expose_provenance() as u64) << 32 | bytes.len() as u64
}

/// Creates a connection, and returns its number.
#[unsafe(no_mangle)]
pub extern "C" fn ws_open() -> usize {
    MODULE.with_borrow_mut(|Module { options, connections, .. }| {
        let number = connections.iter().position(Option::is_none).unwrap_or(connections.len());
        if number == connections.len() {
            connections.push(None);
        }
        connections[number] = Some(Endpoint::server(options));
        number
    })
}

/// Frees a connection and its number.
#[unsafe(no_mangle)]
pub extern "C" fn ws_free(number: usize) {
    MODULE.with_borrow_mut(|module| {
        if let Some(connection) = module.connections.get_mut(number) {
            *connection = None;
        }
    });
}

/// Returns the span to read into. Report the bytes by `ws_filled`, and call `ws_receive`.
#[unsafe(no_mangle)]
pub extern "C" fn ws_read_buffer(number: usize) -> u64 {
    with(number, |ws, _| span(ws.read_buffer()))
}

/// Reports that so many bytes were put into the read buffer.
#[unsafe(no_mangle)]
pub extern "C" fn ws_filled(number: usize, length: usize) {
    with(number, |ws, _| ws.filled(length));
}

/// Returns the kind of the next message: 1 for a request, whose path is the message, 2 for text, 3
/// for a binary message. 0 means that all bytes were taken.
#[unsafe(no_mangle)]
pub extern "C" fn ws_receive(number: usize) -> u32 {
    with(number, |ws, message| {
        message.clear();
        while let Some((incoming, _)) = ws.receive(&mut &mut [][..]) {
            match incoming {
                Incoming::Request => {
                    let request = ws.request();
                    let path = request.as_ref().map_or("", |request| request.resource().path());
                    message.extend_from_slice(path.as_bytes());
                    return 1;
                }
                Incoming::Text(text) => {
                    message.extend_from_slice(text.as_bytes());
                    return 2;
                }
                Incoming::Binary(data) => {
                    message.extend_from_slice(data);
                    return 3;
                }
                _ => {} // Pings, Closes and violations are answered inside
            }
        }
        0
    })
}

/// Answers the request: 101 opens the connection, another status from 200 to 599 refuses it.
#[unsafe(no_mangle)]
pub extern "C" fn ws_answer(number: usize, status: u16) -> bool {
    with(number, |ws, _| {
        ws.request().is_some_and(|request| match status {
            101 => request.accept(&AcceptOptions::new()).is_ok(),
            _ => request.reject(status, &[], b"").is_ok(),
        })
    })
}

/// Returns the span of the message: the one that was received, or the line of `ws_ending`.
#[unsafe(no_mangle)]
pub extern "C" fn ws_message() -> u64 {
    MODULE.with_borrow_mut(|module| span(&mut module.message))
}

/// Sets the length of the message, and returns its span, to be filled before `ws_send` or
/// `ws_close`.
#[unsafe(no_mangle)]
pub extern "C" fn ws_compose(length: usize) -> u64 {
    MODULE.with_borrow_mut(|module| {
        module.message.resize(length, 0);
        span(&mut module.message)
    })
}

/// Sends the message, as text (2) or as a binary one (3). Returns whether that was possible.
#[unsafe(no_mangle)]
pub extern "C" fn ws_send(number: usize, kind: u32) -> bool {
    with(number, |ws, message| match (kind, str::from_utf8(message)) {
        (2, Ok(text)) => ws.text(text).is_ok(),
        (3, _) => ws.binary(message).is_ok(),
        _ => false,
    })
}

/// Begins to close, with the message as the reason. Returns whether that was possible.
#[unsafe(no_mangle)]
pub extern "C" fn ws_close(number: usize, code: u16) -> bool {
    with(number, |ws, message| match (CloseCode::new(code), str::from_utf8(message)) {
        (Some(code), Ok(reason)) => ws.close(code, reason).is_ok(),
        _ => false,
    })
}

/// Returns the span of the bytes to write.
#[unsafe(no_mangle)]
pub extern "C" fn ws_output(number: usize) -> u64 {
    with(number, |ws, _| {
        let output = ws.output();
        (output.as_ptr().expose_provenance() as u64) << 32 | output.len() as u64
    })
}

/// Reports how many bytes of the output the transport took.
#[unsafe(no_mangle)]
pub extern "C" fn ws_written(number: usize, count: usize) {
    with(number, |ws, _| ws.written(count));
}

/// Returns whether the driver should read.
#[unsafe(no_mangle)]
pub extern "C" fn ws_wants_read(number: usize) -> bool {
    with(number, |ws, _| ws.wants_read())
}

/// Reports that the peer has ended its stream.
#[unsafe(no_mangle)]
pub extern "C" fn ws_receive_eof(number: usize) {
    with(number, |ws, _| ws.receive_eof());
}

/// Reports that the transport broke.
#[unsafe(no_mangle)]
pub extern "C" fn ws_abort(number: usize) {
    with(number, |ws, _| ws.abort());
}

/// Sets the current time, in milliseconds of a clock that never goes back.
#[unsafe(no_mangle)]
pub extern "C" fn ws_tick(number: usize, now: f64) {
    with(number, |ws, _| {
        let now = Duration::try_from_secs_f64(now / 1000.0).unwrap_or_default();
        ws.tick(now);
    });
}

/// Returns when to call `ws_tick` at the latest. Infinity means never.
#[unsafe(no_mangle)]
pub extern "C" fn ws_deadline(number: usize) -> f64 {
    with(number, |ws, _| ws.deadline().map(|at| at.as_secs_f64() * 1000.0)).unwrap_or(f64::INFINITY)
}

/// Returns the next step for the transport: 0 to go on, 1 to end the writing side, 2 to read to its
/// end, 3 to drop it.
#[unsafe(no_mangle)]
pub extern "C" fn ws_next_step(number: usize) -> u32 {
    with(number, |ws, _| match ws.next_step() {
        NextStep::Continue => 0,
        NextStep::ShutdownWrite => 1,
        NextStep::AwaitEof => 2,
        NextStep::Drop => 3,
    })
}

/// Sets the message to a line that describes how the connection ended.
#[unsafe(no_mangle)]
pub extern "C" fn ws_ending(number: usize) {
    with(number, |ws, message| {
        *message = ws.ending().map(|ending| ending.to_string()).unwrap_or_default().into();
    });
}
