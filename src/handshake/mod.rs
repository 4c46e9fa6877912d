//! The opening handshake (§4): one HTTP/1.1 request and its response, or one extended CONNECT of
//! HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
//!
//! The caller drives these types. The result, an [`Agreed`](crate::Agreed), starts a
//! [`Connection`](crate::Connection).
//!
#![cfg_attr(
    feature = "alloc",
    doc = "[`Endpoint`](crate::endpoint::Endpoint) does this for you, with [`AcceptOptions`],
[`Offer`] and [`Target`]."
)]
//!
//! **A head has to be in one slice.** Until `receive` has returned it, the caller keeps all bytes
//! that arrived and appends to them; the buffer may move in between. A buffer as long as the limit
//! on a head ([`max_head`](ServerHandshake::max_head), 16 KiB unless set) never has to grow. The
//! buffer is needed only until then, because a connection takes its input in pieces of any size.
//!
//! # A server
//!
//! ```
//! use std::io::{self, Read, Write};
//! use websocket_proto::handshake::{self, AcceptOptions, ServerHandshake};
//! use websocket_proto::{Config, Connection, Server};
//!
//! fn serve(stream: &mut (impl Read + Write)) -> io::Result<()> {
//!     let mut buffer = [0; 8192];
//!     let mut filled = 0;
//!     let mut out = Vec::new();
//!     let mut handshake = ServerHandshake::new().max_head(buffer.len());
//!     loop {
//!         match stream.read(&mut buffer[filled..])? {
//!             0 => return Err(io::ErrorKind::UnexpectedEof.into()),
//!             length => filled += length,
//!         }
//!         let mut input = &mut buffer[..filled];
//!         match handshake.receive(&mut input) {
//!             Ok(None) => {} // not fully received yet: read on
//!             Ok(Some(request)) => {
//!                 // Without this, any web page may use the cookies of its visitors here.
//!                 if request.origin().is_some() && !request.is_same_origin() {
//!                     handshake::reject(403, &[], b"", &mut out).map_err(io::Error::other)?;
//!                     return stream.write_all(&out); // then shut down writing, read to the end
//!                 }
//!                 let agreed =
//!                     request.accept(&AcceptOptions::new(), &mut out).map_err(io::Error::other)?;
//!                 stream.write_all(&out)?;
//!                 let connection = Connection::new(Server, &Config::new(), agreed);
//!                 // `input` now holds the bytes after the request: the first frames.
//!                 # let _ = (connection, input);
//!                 return Ok(());
//!             }
//!             Err(error) => {
//!                 error.respond(&mut out).map_err(io::Error::other)?;
//!                 return stream.write_all(&out); // then shut down writing, read to the end
//!             }
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
//! # let mut pipe = Pipe(io::Cursor::new(head.into()), Vec::new());
//! # serve(&mut pipe)?;
//! # assert!(pipe.1.starts_with(b"HTTP/1.1 101 "));
//! # Ok::<(), io::Error>(())
//! ```
//!
//! # A client
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use websocket_proto::handshake::{ClientHandshake, Offer, Response, Target};
//! # fn read(buffer: &mut [u8]) -> usize {
//! #     let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
//! #         Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
//! #     buffer[..head.len()].copy_from_slice(head);
//! #     head.len()
//! # }
//!
//! let target = Target::parse("ws://example.com/chat")?;
//! // Dial `target.host()` and `target.port()`, start TLS if `target.secure()`, then:
//! let offer = Offer::new().subprotocols(&["chat.v2", "chat.v1"]);
//! let nonce = *b"the sample nonce"; // from `handshake::nonce()` or another source of randomness
//! let mut out = Vec::new();
//! let mut handshake = ClientHandshake::start(&target, &offer, nonce, &mut out)?;
//! // Write `out`, then read until the response was fully received:
//! let mut buffer = [0; 8192];
//! handshake = handshake.max_head(buffer.len());
//! let mut filled = 0;
//! let agreed = loop {
//!     match read(&mut buffer[filled..]) {
//!         0 => return Err("the server has gone".into()),
//!         length => filled += length,
//!     }
//!     let mut input = &mut buffer[..filled];
//!     match handshake.receive(&mut input)? {
//!         None => {} // not fully received yet: read on
//!         Some(Response::Accepted(response)) => break response.agreed(),
//!         Some(Response::Refused(response)) => panic!("HTTP status {}", response.status()),
//!     }
//! };
//! # let _ = agreed;
//! # Ok(()) }
//! ```
//!
//! # Behind another HTTP stack
//!
//! If another HTTP stack reads the request, the same rules are applied to the parts that it has
//! parsed. Header fields are passed as that stack stores them ([`Fields`]). Over HTTP/2 and HTTP/3
//! the response is a 200 instead of a 101, no key is needed, and the transport is one stream. The
//! bytes of the WebSocket are the same.
//!
//! | | HTTP/1.1, bytes | HTTP/1.1, parts | HTTP/2 and HTTP/3, parts |
//! |---|---|---|---|
//! | a request comes | [`ServerHandshake::receive`] | [`Request::upgrade`] | [`Request::connect`] |
//! | is accepted | [`Request::accept`] | [`Request::response`] | [`Request::response`] |
//! | breaks a rule | [`HandshakeError::respond`] | [`status`](HandshakeError::status), [`headers`](HandshakeError::headers) | [`connect_status`](HandshakeError::connect_status), [`connect_headers`](HandshakeError::connect_headers) |
//! | is made | [`ClientHandshake::start`] | [`ClientRequest::upgrade`] | [`ClientRequest::connect`] |
//! | the response comes | [`ClientHandshake::receive`] | [`ClientRequest::validate`] | [`ClientRequest::validate`] |
//!
//! On a stream, [`NextStep::ShutdownWrite`](crate::NextStep::ShutdownWrite) means END_STREAM (a FIN
//! in HTTP/3), and so does [`Drop`](crate::NextStep::Drop) after a clean close. `Drop` after any
//! other end means RST_STREAM with CANCEL (H3_REQUEST_CANCELLED). If the peer sends END_STREAM,
//! call [`receive_eof`](crate::Connection::receive_eof). If it resets the stream, call
//! [`abort`](crate::Connection::abort). The examples `hyper` and `h2` of the crate
//! `websocket-proto-tokio` show all of it. For stacks on the crate `http`, such as those two, the
//! feature `http` converts whole requests and responses: `Request::from_parts`,
//! `AcceptResponse::into_response`, `HandshakeError::into_response`, `ClientRequest::to_request`
//! and `ClientRequest::validate_response`.
//!
//! ```
//! use websocket_proto::handshake::{AcceptOptions, HeadError, PseudoHeaders, Request};
//! use websocket_proto::{Config, Connection, Server};
//!
//! # struct Parts<'a> { pseudo: PseudoHeaders<'a>, fields: Vec<(String, String)> }
//! # impl Parts<'_> {
//! #     fn respond<'a>(&self, _: u16, _: impl IntoIterator<Item = (&'a str, &'a str)>) {}
//! # }
//! fn serve(stack: &Parts<'_>) -> Result<Option<Connection<Server>>, HeadError> {
//!     let fields = stack.fields.iter().map(|(name, value)| (name, value));
//!     match Request::connect(stack.pseudo, fields) {
//!         Ok(request) => {
//!             let answer = request.response(&AcceptOptions::new())?;
//!             stack.respond(answer.status(), answer.headers());
//!             Ok(Some(Connection::new(Server, &Config::new(), answer.agreed())))
//!         }
//!         Err(error) => {
//!             let headers = error.connect_headers().iter().copied();
//!             stack.respond(error.connect_status(), headers);
//!             Ok(None)
//!         }
//!     }
//! }
//! # let pseudo = PseudoHeaders::new("CONNECT").protocol("websocket").scheme("https");
//! # let pseudo = pseudo.authority("h").path("/");
//! # let fields = vec![("sec-websocket-version".to_owned(), "13".to_owned())];
//! # assert!(serve(&Parts { pseudo, fields })?.is_some());
//! # Ok::<(), HeadError>(())
//! ```
//!
//! # Security
//!
//! - Do not trust the peer. A client that is not a browser can forge everything in a [`Request`]. A
//!   browser sends true headers, but for a page that may be hostile. The Origin header names that
//!   page: see [`Request::is_same_origin`].
//! - Heads are read strictly. If two programs disagree about the end of a line or the length of a
//!   body, one request can hide in another. So bare CR and LF, folded lines, a space before a
//!   colon, and any declared body are refused. If another stack parsed the head, its own strictness
//!   decides.
//! - Headers that the caller adds are checked as strictly. No value can start another line, and no
//!   header can override one of the handshake.
//! - A deadline on the handshake is the caller's, because this module knows no time:
//!   [`Deadlines`](crate::Deadlines#before-there-is-a-connection) has one.

mod accept;
mod client;
mod deflate;
mod error;
mod extension;
mod fields;
mod head;
mod headers;
mod key;
mod offer;
#[cfg(feature = "http")]
mod parts;
mod quick;
mod request;
mod response;
mod server;
mod target;
mod write;

pub use accept::{AcceptOptions, AcceptResponse};
pub use client::ClientHandshake;
pub use error::{FieldFault, HandshakeError, HeadError, TargetError};
pub use extension::{Extension, Value};
pub use fields::Fields;
pub use headers::{HeaderLines, Headers};
#[cfg(feature = "random")]
pub use key::nonce;
pub use offer::{ClientRequest, ENABLE_CONNECT_PROTOCOL, Offer};
pub use request::{PseudoHeaders, Request};
pub use response::{Accepted, Refused, Response};
pub use server::ServerHandshake;
pub use target::{Resource, Target};
pub use write::reject;
