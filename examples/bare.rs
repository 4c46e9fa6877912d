//! A WebSocket server for a microcontroller: no heap, no operating system, every buffer lent.
//!
//! On a target without an operating system this is a program without `std`, whose `serve` the
//! board's own code calls with its [`Link`]. On a host it plays a conversation:
//! `cargo run --example bare`.

#![cfg_attr(target_os = "none", no_std, no_main)]

use core::ops::Range;
use websocket_proto::handshake::{AcceptOptions, ServerHandshake};
use websocket_proto::{
    Agreed, Closure, Config, Connection, Message, Messages, NextStep, Server, SliceOutput,
};

/// The longest message that is accepted.
const MESSAGE: usize = 128;
/// The longest request that is accepted, and the most header lines that it may have.
const HEAD: usize = 1024;
const HEADERS: usize = 16;
/// The longest answer to a message or control frame: a header of 4 bytes and an echo, or a Pong.
const OUT: usize = 4 + MESSAGE;
/// The size of a read. Any size works.
const READ: usize = 64;

/// All memory of an open connection fits in 1 KiB.
const _: () = assert!(
    size_of::<Connection<Server>>() + size_of::<Messages<'_>>() + MESSAGE + OUT + READ <= 1024
);

/// A byte stream to one peer, such as a socket of a TCP stack.
pub trait Link {
    /// Waits for bytes and reads some; 0 at the end of the stream.
    fn read(&mut self, buffer: &mut [u8]) -> usize;
    /// Writes all bytes.
    fn write(&mut self, bytes: &[u8]);
    /// Ends the writing side.
    fn shutdown(&mut self);
}

/// Serves one peer from its request to its end; `None` if there was no handshake.
pub fn serve(link: &mut impl Link) -> Option<Closure> {
    let config = Config::new().max_message(MESSAGE as u64);
    let mut gathered = [0; MESSAGE];
    let mut messages = Messages::lent(&mut gathered);
    let mut connection = Connection::new(Server, &config, Agreed::new());
    shake_hands(link, &mut connection, &mut messages)?;
    let mut buffer = [0; READ];
    loop {
        match connection.next_step() {
            NextStep::Continue | NextStep::AwaitEof => {}
            NextStep::ShutdownWrite => link.shutdown(),
            NextStep::Drop => return connection.closure(),
        }
        match link.read(&mut buffer) {
            0 => connection.receive_eof(),
            length => echo(link, &mut connection, &mut messages, &mut buffer[..length]),
        }
    }
}

/// Reads the request, answers it, and serves the bytes that came after it. Its buffer is freed
/// then.
#[inline(never)]
fn shake_hands(
    link: &mut impl Link,
    connection: &mut Connection<Server>,
    messages: &mut Messages<'_>,
) -> Option<()> {
    let mut head = [0; HEAD];
    let leftover = answer(link, &mut head)?;
    echo(link, connection, messages, head.get_mut(leftover)?);
    Some(())
}

/// The position in `head` of the bytes that came after the request.
#[inline(never)]
fn answer(link: &mut impl Link, head: &mut [u8; HEAD]) -> Option<Range<usize>> {
    let handshake = ServerHandshake::new().max_head(HEAD);
    let mut handshake: ServerHandshake<HEADERS> = handshake.max_headers();
    let mut memory = [0; 256];
    let mut out = SliceOutput::new(&mut memory);
    let mut filled = 0;
    loop {
        match link.read(head.get_mut(filled..)?) {
            0 => return None,
            length => filled += length,
        }
        let mut input = head.get_mut(..filled)?;
        let answered = match handshake.receive(&mut input) {
            Ok(None) => continue,
            // No extension was agreed to, so the result is not needed.
            Ok(Some(request)) => {
                request.accept(&AcceptOptions::new(), &mut out).ok().map(|_| input.len())
            }
            Err(error) => error.respond(&mut out).ok().and(None),
        };
        link.write(out.written());
        return answered.map(|leftover| filled - leftover..filled);
    }
}

fn echo(
    link: &mut impl Link,
    connection: &mut Connection<Server>,
    messages: &mut Messages<'_>,
    mut input: &mut [u8],
) {
    let mut memory = [0; OUT];
    while let Some(message) = messages.receive(connection, &mut input) {
        let mut out = SliceOutput::new(&mut memory);
        // While the connection closes, a message cannot be answered. That is not an error here.
        let _ = match message {
            Message::Text(text) => connection.send_text(text, &mut out),
            Message::Binary(data) => connection.send_binary(data, &mut out),
            _ => Ok(()),
        };
        link.write(out.written());
        // A Pong or a Close, which always has room in an empty buffer of this size.
        out.clear();
        let _ = connection.transmit(&mut out);
        link.write(out.written());
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(not(target_os = "none"))]
fn main() {
    use websocket_proto::{Client, CloseCode, CloseFrame};

    /// A peer that sends a fixed conversation, in reads of at most 50 bytes, and prints the
    /// answers.
    struct Script<'s>(&'s [u8]);

    impl Link for Script<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> usize {
            let length = self.0.len().min(buffer.len()).min(50);
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            length
        }
        fn write(&mut self, bytes: &[u8]) {
            if !bytes.is_empty() {
                println!("{}", bytes.escape_ascii());
            }
        }
        fn shutdown(&mut self) {}
    }

    let mut script = [0; 1024];
    let mut out = SliceOutput::new(&mut script);
    websocket_proto::Output::append(
        &mut out,
        b"GET / HTTP/1.1\r\nHost: device\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    let keys = || [0x37, 0xFA, 0x21, 0x3D];
    let mut client = Connection::new(Client(keys), &Config::new(), Agreed::new());
    let close = CloseFrame::truncated(CloseCode::NORMAL, "done");
    client.send_text("on", &mut out).expect("room");
    client.send_binary(&[0xA5; 100], &mut out).expect("room");
    client.ping(b"alive?", &mut out).expect("room");
    client.close(Some(&close), &mut out).expect("room");
    let closure = serve(&mut Script(out.written()));
    println!("{closure:?}");
    assert!(closure.is_some_and(|closure| closure.clean));
}
