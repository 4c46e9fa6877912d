//! One side of a WebSocket from its first byte to its last: opening handshake, messages,
//! compression, Pings, closing, time and output in one value, without I/O.
//!
//! A driver gives an [`Endpoint`] the bytes that it has read, writes the endpoint's output, waits
//! no longer than the endpoint says, and ends the transport when the endpoint says so:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use websocket_proto::NextStep;
//! use websocket_proto::endpoint::{Endpoint, Ending, Incoming, Options};
//! use websocket_proto::handshake::AcceptOptions;
//!
//! /// Echoes messages until the connection ends.
//! fn serve(stream: &mut (impl Read + Write)) -> io::Result<Option<Ending>> {
//!     let mut ws = Endpoint::server(&Options::new());
//!     let (mut buffer, mut input) = ([0; 4096], &mut [][..]);
//!     loop {
//!         while let Some((incoming, sender)) = ws.receive(&mut input) {
//!             match incoming {
//!                 Incoming::Request => {
//!                     let request = ws.request().expect("it was just reported");
//!                     request.accept(&AcceptOptions::new()).map_err(io::Error::other)?;
//!                 }
//!                 Incoming::Text(text) => sender.text(text).map_err(io::Error::other)?,
//!                 Incoming::Binary(data) => sender.binary(data).map_err(io::Error::other)?,
//!                 _ => {}
//!             }
//!         }
//!         match ws.next_step() {
//!             NextStep::Drop => return Ok(ws.ending()),
//!             NextStep::ShutdownWrite => {} // `TcpStream::shutdown`
//!             _ if ws.wants_write() => _ = ws.write_to(stream),
//!             _ => input = ws.read_from(stream, &mut buffer),
//!         }
//!     }
//! }
//! # struct Pipe(io::Cursor<Vec<u8>>, Vec<u8>);
//! # impl Read for Pipe { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
//! # impl Write for Pipe {
//! #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
//! # let read = [head.as_bytes(), b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xE8"].concat();
//! # let mut pipe = Pipe(io::Cursor::new(read), Vec::new());
//! # assert_eq!(serve(&mut pipe)?.unwrap().to_string(), "closed by the peer: 1000");
//! # assert!(pipe.1.ends_with(b"\x81\x02hi\x88\x02\x03\xE8"));
//! # Ok::<(), io::Error>(())
//! ```
//!
//! A driver that also calls [`tick`](Endpoint::tick) and waits no longer than
//! [`deadline`](Endpoint::deadline) has time limits on everything that a peer can delay. The
//! [guide](crate::guide) has drivers for event loops, threads and async runtimes. Examples of whole
//! programs are in the repository, beginning with `blocking`.
//!
//! # A whole conversation
//!
//! The driver stands in the middle. On its right it moves bytes, on its left it calls the endpoint.
//! Here the endpoint is a server. For a client, the request is in the output from the beginning,
//! and [`Incoming::Opened`] comes in place of [`Incoming::Request`]. The driver calls `tick` in each
//! turn, after the bytes that it has read. The diagram shows the two calls that find a deadline
//! passed.
//!
//! ```text
//! endpoint                           driver                          peer
//!    |                                  |  <-- GET /chat HTTP/1.1 ...  |
//!    |  <-- receive(bytes)              |                              |
//!    |  --> Incoming::Request           |                              |
//!    |  <-- request(), accept(..)       |                              |
//!    |  --> output(): the 101           |                              |
//!    |                                  |  --> HTTP/1.1 101 ...        |
//!    |  <-- written(129)                |                              |
//!    |                                  |                              |
//!    |                                  |  <-- text "hi"               |
//!    |  <-- receive(bytes)              |                              |
//!    |  --> Incoming::Text("hi")        |                              |
//!    |  <-- sender.text("hello")        |                              |
//!    |  --> output(): a text            |                              |
//!    |                                  |  --> text "hello"            |
//!    |  <-- written(7)                  |                              |
//!    |                                  |                              |
//!    |                                  |      (20 s of silence)       |
//!    |  <-- tick(20 s), twice           |                              |
//!    |  --> output(): a Ping            |                              |
//!    |                                  |  --> Ping                    |
//!    |  <-- written(6)                  |                              |
//!    |                                  |  <-- Pong                    |
//!    |  <-- receive(bytes)              |                              |
//!    |  --> Incoming::Pong              |                              |
//!    |                                  |                              |
//!    |                                  |  <-- Ping                    |
//!    |  <-- receive(bytes)              |                              |
//!    |  --> Incoming::Ping              |                              |
//!    |  --> output(): its Pong          |                              |
//!    |                                  |  --> Pong                    |
//!    |  <-- written(3)                  |                              |
//!    |                                  |                              |
//!    |                                  |  <-- Close 1000              |
//!    |  <-- receive(bytes)              |                              |
//!    |  --> Incoming::Close             |                              |
//!    |  --> output(): its answer        |                              |
//!    |                                  |  --> Close 1000              |
//!    |  <-- written(4)                  |                              |
//!    |  --> next_step(): ShutdownWrite  |                              |
//!    |                                  |  --> end of our stream       |
//!    |  --> next_step(): AwaitEof       |                              |
//!    |                                  |  <-- end of the peer's stream|
//!    |  <-- receive_eof()               |                              |
//!    |  --> next_step(): Drop           |                              |
//!    |                                  |      (drop the socket)       |
//!    |  --> ending()                    |                              |
//! ```
//!
//! The same conversation as code, without the socket:
//!
//! ```
//! use core::time::Duration;
//! use websocket_proto::endpoint::{Endpoint, Incoming, Options};
//! use websocket_proto::handshake::AcceptOptions;
//! use websocket_proto::{NextStep, Server};
//!
//! /// One turn: `bytes` were read in the second `now`. Returns what the driver writes.
//! fn turn(ws: &mut Endpoint<Server>, now: u64, bytes: &[u8]) -> Vec<u8> {
//!     let mut read = bytes.to_vec();
//!     let mut input = &mut read[..];
//!     while let Some((incoming, sender)) = ws.receive(&mut input) {
//!         match incoming {
//!             Incoming::Request => {
//!                 let request = ws.request().expect("it was just reported");
//!                 request.accept(&AcceptOptions::new()).expect("the options are valid");
//!             }
//!             Incoming::Text("hi") => sender.text("hello").expect("the connection is open"),
//!             _ => {}
//!         }
//!     }
//!     ws.tick(Duration::from_secs(now));
//!     let written = ws.output().to_vec();
//!     ws.written(written.len());
//!     written
//! }
//!
//! let mut ws = Endpoint::server(&Options::new());
//! let request = b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
//! let response = turn(&mut ws, 0, request);
//! assert!(response.starts_with(b"HTTP/1.1 101 ") && response.len() == 129);
//! assert_eq!(turn(&mut ws, 0, b"\x81\x82\0\0\0\0hi"), b"\x81\x05hello");
//! assert_eq!(ws.deadline(), Some(Duration::from_secs(20)));
//! assert_eq!(turn(&mut ws, 20, b""), b""); // perhaps there are bytes to be read: look again
//! assert_eq!(turn(&mut ws, 20, b""), b"\x89\x04\0\0\0\x01"); // a Ping
//! assert_eq!(turn(&mut ws, 21, b"\x8A\x84\0\0\0\0\0\0\0\x01"), b""); // its Pong
//! assert_eq!(turn(&mut ws, 22, b"\x89\x81\0\0\0\0?"), b"\x8A\x01?");
//! assert_eq!(turn(&mut ws, 23, b"\x88\x82\0\0\0\0\x03\xE8"), b"\x88\x02\x03\xE8");
//! assert_eq!(ws.next_step(), NextStep::ShutdownWrite);
//! assert_eq!(ws.next_step(), NextStep::AwaitEof);
//! ws.receive_eof();
//! assert_eq!(ws.next_step(), NextStep::Drop);
//! assert_eq!(ws.ending().expect("it has ended").to_string(), "closed by the peer: 1000");
//! ```
//!
//! # What it is built on
//!
//! An endpoint is built on [`Connection`](crate::Connection), [`Messages`], the
//! [`handshake`](crate::handshake) and [`Deadlines`](crate::Deadlines). These are for programs that
//! need every byte: on bare metal, in relays, for payloads that are not copied. See
//! [below the endpoint](crate::guide#below-the-endpoint).

mod clock;
mod compression;
mod end;
mod incoming;
mod inside;
#[cfg(feature = "std")]
mod io;
mod kept;
mod opening;
mod options;
mod output;
mod receiving;
mod report;
mod room;
mod sending;
mod time;
mod trace;

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, time::Duration};

use compression::Codec;
#[cfg(all(feature = "std", feature = "deflate"))]
pub use compression::ZlibStock;
pub use compression::{Compression, Stock};
pub use incoming::Incoming;
use inside::{Inside, Opening};
pub use opening::Waiting;
pub use options::Options;
pub use report::{Cause, Ending};
pub use sending::Sender;
pub use trace::Frame;

use crate::{
    close::CloseCode,
    closing::NextStep,
    error::SendError,
    event::Data,
    handshake::HeadError,
    join::Messages,
    prepared::Prepared,
    role::{Role, Server},
};

/// One side of a WebSocket from its first byte to its last. The [module](self) shows how to drive
/// it.
///
/// Create one with [`Endpoint::server`], [`Endpoint::client`] or [`Endpoint::open`].
///
/// # Memory
///
/// An idle endpoint takes at most 768 bytes, heap included, without the mask source of a client and
/// the codecs of its [own](Compression::own). A busy one also holds at most one head, one message,
/// the rest of one read while output waits, the output, and up to 64 KiB to read into, if the driver
/// uses its [read buffer](Endpoint::read_buffer). [`Options`] limits the others, and how much of each
/// buffer is [kept](Options::keeping) after use.
#[doc(alias("WebSocket", "WebSocketStream", "stream", "split", "tokio", "async"))]
pub struct Endpoint<R> {
    inbox: Inbox,
    sender: Sender<R>,
}

/// The half of an endpoint that received messages borrow from.
struct Inbox {
    messages: Messages<'static>,
    /// The endpoint's own inflater, or one that is leased until the next call.
    inflater: Option<Box<Codec>>,
    inside: Option<Box<Inside>>,
}

/// The phase of an endpoint's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head of the handshake has not fully arrived.
    Head,
    /// A request waits for the application.
    Deciding,
    /// The connection exists, and its state says the rest.
    Open,
    /// A response that refuses is in the output.
    Answered,
    /// The refusal was written, and only the end of the client's stream is awaited.
    Draining,
    /// The handshake failed, so there is no connection.
    Ended,
}

/// Moves a value to the heap. Without memory the process aborts, as with every `Box`. This is used
/// for small values only: memory whose size a peer decides is reserved in ways that can fail.
#[inline(never)]
fn boxed<T>(value: T) -> Box<T> {
    Box::new(value)
}

impl<R: Role> Endpoint<R> {
    fn new(role: R, options: &Options, opening: Option<Opening>) -> Self {
        let phase = if opening.is_some() { Phase::Head } else { Phase::Open };
        let inside =
            opening.map(|opening| boxed(Inside { opening: Some(opening), ..Inside::default() }));
        let messages = Messages::keeping(options.0.keep);
        Endpoint {
            inbox: Inbox { messages, inflater: None, inside },
            sender: Sender::new(role, options, phase),
        }
    }
}

/// `Deref` to the sender would be shorter, but `ws.written(ws.output().len())` does not compile
/// through it.
macro_rules! forward {
    ($role:ty, [$($generics:tt)*], $errors:literal: $(
        fn $name:ident(&mut self $(, $argument:ident: $type:ty)*) $(-> $result:ty)?;
    )*) => {
        impl<$($generics)*> Endpoint<$role> {
            $(
                #[doc = concat!("The same as [`Sender::", stringify!($name), "`].", $errors)]
                #[inline]
                pub fn $name(&mut self $(, $argument: $type)*) $(-> $result)? {
                    self.sender.$name($($argument),*)
                }
            )*
        }
    };
}

forward! { R, [R: Role], "\n\n# Errors\n\nAs there.":
    fn text(&mut self, text: &str) -> Result<(), SendError>;
    fn binary(&mut self, data: &[u8]) -> Result<(), SendError>;
    fn send(&mut self, data: Data<'_>) -> Result<(), SendError>;
    fn send_uncompressed(&mut self, data: Data<'_>) -> Result<(), SendError>;
    fn fragment(&mut self, data: Data<'_>, last: bool) -> Result<(), SendError>;
    fn ping(&mut self, payload: &[u8]) -> Result<(), SendError>;
    fn pong(&mut self, payload: &[u8]) -> Result<(), SendError>;
    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError>;
}

forward! { R, [R: Role], "":
    fn written(&mut self, count: usize);
    fn receive_eof(&mut self);
    fn abort(&mut self);
    fn next_step(&mut self) -> NextStep;
}

forward! { Server, [], "\n\n# Errors\n\nAs there.":
    fn prepared(&mut self, message: &Prepared) -> Result<(), SendError>;
    fn respond(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8])
        -> Result<(), HeadError>;
}

impl<R: Role> Endpoint<R> {
    /// Returns the bytes to be written next. The same as [`Sender::output`].
    #[inline]
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.sender.output()
    }

    /// Whether output waits: to be written, or to be reported as [`written`](Endpoint::written).
    #[must_use]
    #[doc(alias("writable"))]
    pub fn wants_write(&self) -> bool {
        self.sender.waiting() > 0
    }

    /// Takes the output in a buffer of its own, for io_uring for example. The same as
    /// [`Sender::take_output`].
    #[must_use]
    pub fn take_output(&mut self, spare: Vec<u8>) -> Vec<u8> {
        self.sender.take_output(spare)
    }

    /// Returns the time until which to wait at most. The same as [`Sender::deadline`].
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.sender.deadline()
    }

    /// Returns whether a message can be sent now. The same as [`Sender::can_send`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn can_send(&self) -> Result<(), SendError> {
        self.sender.can_send()
    }

    /// Returns how the endpoint ended. The same as [`Sender::ending`].
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.sender.ending()
    }
}

impl<R> fmt::Debug for Endpoint<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Sender<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("phase", &self.phase)
            .field("output", &self.out.len())
            .finish_non_exhaustive()
    }
}
