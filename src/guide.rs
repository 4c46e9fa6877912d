//! A guide to building on this crate. The module has no items, only this text.
//!
//! An [`Endpoint`](crate::endpoint::Endpoint) is one side of a WebSocket, server or client. Read
//! the first chapter, and then what you need:
//!
//! - [Driving an endpoint](#driving-an-endpoint)
//! - [Answering a request](#answering-a-request)
//! - [A client and its errors](#a-client-and-its-errors)
//! - [Sending much](#sending-much)
//! - [Compression](#compression)
//! - [Time limits](#time-limits)
//! - [Closing](#closing)
//! - [Async runtimes](#async-runtimes)
//! - [Threads](#threads)
//! - [Sending one message to many](#sending-one-message-to-many)
//! - [Reconnecting and shutting down](#reconnecting-and-shutting-down)
//! - [Scaling](#scaling)
//! - [Security](#security)
//! - [Behind a proxy](#behind-a-proxy)
//! - [The rules that are yours](#the-rules-that-are-yours)
//! - [Limits and what each protects from](#limits-and-what-each-protects-from)
//! - [Fuzzing an application](#fuzzing-an-application)
//! - [Below the endpoint](#below-the-endpoint): the core, [event
//!   loops](#the-turn-of-an-event-loop), [bare metal](#without-an-operating-system),
//!   [codecs](#codecs)
//!
//! # Driving an endpoint
//!
//! An endpoint does no I/O. Your program, the driver, moves bytes between the endpoint and a
//! transport: a TCP socket, a TLS stream, a stream of HTTP/2. The driver has five things to do:
//!
//! | the endpoint says | the driver |
//! |---|---|
//! | [`wants_read`](crate::endpoint::Endpoint::wants_read) | reads, passes the bytes to [`receive`](crate::endpoint::Endpoint::receive), and acts on each event until there is none |
//! | [`output`](crate::endpoint::Endpoint::output) is not empty | writes it, and reports by [`written`](crate::endpoint::Endpoint::written) how many bytes the transport took |
//! | [`deadline`](crate::endpoint::Endpoint::deadline) | waits no longer than that, and tells the time by [`tick`](crate::endpoint::Endpoint::tick) |
//! | [`next_step`](crate::endpoint::Endpoint::next_step) is `ShutdownWrite` | ends the writing side of the transport |
//! | [`next_step`](crate::endpoint::Endpoint::next_step) is `Drop` | drops the transport, and logs the [`ending`](crate::endpoint::Endpoint::ending) |
//!
//! Over a stream of the standard library, [`read_from`](crate::endpoint::Endpoint::read_from) and
//! [`write_to`](crate::endpoint::Endpoint::write_to) make the reads, the writes and their reports.
//! Over other transports, call one method for each result of the transport. Pass bytes to
//! `receive`. At the end of the stream, call
//! [`receive_eof`](crate::endpoint::Endpoint::receive_eof), once `receive` has taken the bytes
//! before it. After an error, call [`abort`](crate::endpoint::Endpoint::abort). An error that only
//! means "try again" changes nothing; after a write, report it as `written(0)`. `abort` discards
//! the output. First pass what was read before to `receive`.
//!
//! This is one turn of a loop over non-blocking sockets, with epoll, `mio` or `polling`. Call it
//! first when the connection is new. Call it again when the socket is readable or writable, when the
//! deadline has come, and after you have sent something. One `buffer` serves all connections. The
//! next chapter has [`answer`](#answering-a-request).
//!
//! ```
//! // use mio::net::TcpStream; or that of std::net, after `set_nonblocking(true)`
//! use std::{net::Shutdown, time::Duration};
//! use websocket_proto::endpoint::{Endpoint, Incoming};
//! use websocket_proto::{NextStep, Server};
//!
//! type Ws = Endpoint<Server>;
//!
//! /// `None` is the end: drop the stream. Else wait for the socket, or until `ws.deadline()`.
//! /// `Some(true)` says that there may be more to read at once.
//! fn turn(ws: &mut Ws, stream: &mut TcpStream, buffer: &mut [u8], now: Duration) -> Option<bool> {
//!     let input = ws.read_from(stream, buffer);
//!     let drained = input.is_empty() && ws.wants_read();
//!     receive(ws, input);
//!     ws.tick(now);
//!     while ws.write_to(stream) {
//!         receive(ws, &mut []); // there may be room for what was held back
//!     }
//!     match ws.next_step() {
//!         NextStep::Drop => return None,
//!         NextStep::ShutdownWrite => _ = stream.shutdown(Shutdown::Write),
//!         _ => {}
//!     }
//!     Some(!drained && ws.wants_read())
//! }
//!
//! fn receive(ws: &mut Ws, mut input: &mut [u8]) {
//!     while let Some((incoming, sender)) = ws.receive(&mut input) {
//!         match incoming {
//!             Incoming::Request => _ = answer(ws),
//!             Incoming::Text(text) => _ = sender.text(text), // an error: it is closing
//!             _ => {}
//!         }
//!     }
//! }
//! # use std::io::{self, ErrorKind, Read, Write};
//! # use websocket_proto::Limit;
//! # use websocket_proto::endpoint::Options;
//! # use websocket_proto::handshake::{AcceptOptions, HeadError};
//! # fn answer(ws: &mut Ws) -> Result<(), HeadError> {
//! #     ws.request().unwrap().accept(&AcceptOptions::new())
//! # }
//! # /// What is to be read, what was written, the end of the first, whether a write would block.
//! # struct TcpStream(Vec<u8>, Vec<u8>, bool, bool);
//! # impl TcpStream {
//! #     fn shutdown(&self, _: Shutdown) -> io::Result<()> { Ok(()) }
//! # }
//! # impl Read for TcpStream {
//! #     fn read(&mut self, b: &mut [u8]) -> io::Result<usize> {
//! #         if self.0.is_empty() && !self.2 { return Err(ErrorKind::WouldBlock.into()); }
//! #         let n = self.0.len().min(b.len());
//! #         b[..n].copy_from_slice(&self.0[..n]);
//! #         self.0.drain(..n);
//! #         Ok(n)
//! #     }
//! # }
//! # impl Write for TcpStream {
//! #     fn write(&mut self, b: &[u8]) -> io::Result<usize> {
//! #         if self.3 { return Err(ErrorKind::WouldBlock.into()); }
//! #         self.1.write(b)
//! #     }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let head = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
//! # let options = Options::new().water_marks(0, 1); // a second message waits for room
//! # let turns = |ws: &mut Ws, stream: &mut TcpStream, buffer: &mut [u8], now| loop {
//! #     match turn(ws, stream, buffer, now) {
//! #         Some(true) => {}
//! #         other => return other.is_some(),
//! #     }
//! # };
//! # let mut pipe = TcpStream(head.to_vec(), vec![], false, false);
//! # let mut ws = Endpoint::server(&options);
//! # let mut buffer = [0; 64];
//! # assert!(turns(&mut ws, &mut pipe, &mut buffer, Duration::ZERO));
//! # assert_eq!(ws.deadline(), Some(Duration::from_secs(20)));
//! # pipe.0.extend_from_slice(b"\x81\x82\0\0\0\0ho\x81\x82\0\0\0\0hi");
//! # pipe.3 = true;
//! # assert!(turns(&mut ws, &mut pipe, &mut buffer, Duration::ZERO));
//! # pipe.3 = false;
//! # assert!(turns(&mut ws, &mut pipe, &mut buffer, Duration::ZERO));
//! # assert!(pipe.1.ends_with(b"\x81\x02ho\x81\x02hi"));
//! # // The program was suspended: what waits in the socket counts before the time.
//! # for _ in 0..2 { assert!(turns(&mut ws, &mut pipe, &mut buffer, Duration::from_secs(21))); }
//! # assert!(pipe.1.ends_with(b"\x89\x04\0\0\0\x01"));
//! # pipe.0.extend_from_slice(b"\x8A\x84\0\0\0\0\0\0\0\x01");
//! # ws.text("late").unwrap();
//! # assert!(turns(&mut ws, &mut pipe, &mut buffer, Duration::from_secs(1000)));
//! # assert!(pipe.1.ends_with(b"late"));
//! # pipe.0.extend_from_slice(b"\x88\x80\0\0\0\0");
//! # pipe.2 = true;
//! # assert!(!turns(&mut ws, &mut pipe, &mut buffer, Duration::from_secs(1000)));
//! # assert!(pipe.1.ends_with(b"late\x88\x00"));
//! # assert_eq!(ws.ending().unwrap().to_string(), "closed by the peer: no code");
//! # // Without limits there is no deadline, and the connection goes on.
//! # use Limit::{Close, Decision, Handshake, Idle, Message, Output, Pong};
//! # let all = [Close, Decision, Handshake, Idle, Message, Output, Pong];
//! # let options = all.into_iter().fold(options, |options, limit| options.limit(limit, None));
//! # let mut ws = Endpoint::server(&options);
//! # let mut pipe = TcpStream(head.to_vec(), vec![], false, false);
//! # assert!(turns(&mut ws, &mut pipe, &mut buffer, Duration::ZERO));
//! # assert_eq!(ws.deadline(), None);
//! ```
//!
//! A client's turn has an `Endpoint<Client<SystemMask>>`, and no request to answer.
//!
//! **Many deadlines.** To find the next of all connections, keep an entry of each in one set:
//!
//! ```
//! use std::{collections::BTreeSet, time::Duration};
//!
//! /// Call this after each turn. `entry` is the connection's: `(Duration::ZERO, key)` at first.
//! fn schedule(
//!     set: &mut BTreeSet<(Duration, usize)>,
//!     entry: &mut (Duration, usize),
//!     deadline: Option<Duration>,
//! ) {
//!     let at = deadline.unwrap_or(Duration::MAX);
//!     // If it has moved to a later time, the turn at the earlier one finds that.
//!     if at < entry.0 || !set.contains(entry) {
//!         set.remove(entry);
//!         entry.0 = at;
//!         set.insert(*entry);
//!     }
//! }
//! # let seconds = Duration::from_secs;
//! # let (mut set, mut one, mut two) = (BTreeSet::new(), (Duration::ZERO, 1), (Duration::ZERO, 2));
//! # schedule(&mut set, &mut one, Some(seconds(20)));
//! # schedule(&mut set, &mut two, None);
//! # schedule(&mut set, &mut one, Some(seconds(30)));
//! # assert_eq!((set.len(), set.pop_first()), (2, Some((seconds(20), 1))));
//! # schedule(&mut set, &mut one, Some(seconds(30)));
//! # schedule(&mut set, &mut one, Some(seconds(25)));
//! # assert_eq!((set.len(), set.pop_first()), (2, Some((seconds(25), 1))));
//! # assert_eq!(set.pop_first(), Some((Duration::MAX, 2)));
//! ```
//!
//! Sleep until the time of `set.first()`. Then take each entry whose time has come by `pop_first`,
//! and make a turn of its connection. When you drop a connection, remove its entry.
//!
//! With `mio` or another edge-triggered poller, register for reading and writing once. Such a
//! poller wakes you only when something new has happened. So after `Some(true)` make another turn
//! before you wait, but first let other connections have theirs. With a level-triggered poller,
//! `Some(true)` can be ignored. Wait for reading while `wants_read` is true, and for writing while
//! `wants_write` is.
//!
//! **TLS.** A TLS stream keeps what it has encrypted, and what it has decrypted. So after
//! `Some(true)` make another turn with every poller. While `wants_write` is true, wait for what the
//! TLS stream wants: during its handshake, that can be to read. Offer `http/1.1` by ALPN, because a
//! server that chooses `h2` expects HTTP/2. A stream that ends without close_notify, which rustls
//! reports as `UnexpectedEof`, is an end of stream: `receive_eof`, not `abort`. The peer's Close
//! shows whether something is missing at the end.
//!
//! With rustls over blocking sockets, move the bytes of TLS yourself (`read_tls`,
//! `process_new_packets`, `write_tls`), and give `read_from` and `write_to` its `reader()` and
//! `writer()`. A call of `rustls::Stream` can read many times, so that the time limit of a read does
//! not bound it, and it does not read while a write waits. An error of TLS, such as a certificate
//! that is not trusted, comes from `process_new_packets`: to the endpoint it is an `abort`.
//!
//! **If only writing broke**, the peer's Close may still be in the socket. The turn above does not
//! read it. To know its code, stop writing, and discard the output by
//! `ws.written(ws.output().len())`, so that no events are held back. Then read and receive until a
//! read ends, fails or would block, and call `abort`.
//!
//! The README has the shortest whole driver, over blocking sockets. The [module
//! `endpoint`](crate::endpoint#a-whole-conversation) shows a conversation step by step.
//!
//! **Events borrow.** A text is lent until the next call. It is in your buffer if the whole message
//! is there. The `sender` that comes with an event is the endpoint's sending half, so that you can
//! answer while you hold the event. Copy what you want to keep. A message for a queue or another
//! task is an [`OwnedMessage`](crate::OwnedMessage), which also lends the [`Data`](crate::Data)
//! that `send` and `Prepared` take:
//!
//! ```
//! use websocket_proto::endpoint::Incoming;
//! use websocket_proto::{Data, OwnedMessage};
//!
//! fn to_owned(incoming: Incoming) -> Option<OwnedMessage> {
//!     match incoming {
//!         Incoming::Text(text) => Some(OwnedMessage::Text(text.to_owned())),
//!         Incoming::Binary(data) => Some(OwnedMessage::Binary(data.to_owned())),
//!         _ => None,
//!     }
//! }
//!
//! let message = to_owned(Incoming::Text("hi")).expect("a text is a message");
//! assert_eq!(message.as_message().data(), Some(Data::Text("hi")));
//! ```
//!
//! **A buffer of the endpoint's.** If you have none to lend,
//! [`read_buffer`](crate::endpoint::Endpoint::read_buffer) and
//! [`filled`](crate::endpoint::Endpoint::filled) take the place of yours. With many connections,
//! one buffer for all takes less memory: each endpoint keeps up to 64 KiB after long reads.
//!
//! # Answering a request
//!
//! A server's first event is [`Incoming::Request`](crate::endpoint::Incoming::Request): the
//! client's request was fully received and is valid.
//! [`request`](crate::endpoint::Endpoint::request) returns it, with all of its parts, and is
//! answered by `accept` or `reject`. Invalid requests are answered inside, and reported as
//! [`HandshakeFailed`](crate::endpoint::Incoming::HandshakeFailed).
//!
//! ```
//! use websocket_proto::Server;
//! use websocket_proto::endpoint::{Endpoint, Options};
//! use websocket_proto::handshake::{AcceptOptions, HeadError};
//!
//! fn answer(ws: &mut Endpoint<Server>) -> Result<(), HeadError> {
//!     let Some(request) = ws.request() else { return Ok(()) };
//!     // Without this, any web page may use the cookies of its visitors here.
//!     if request.origin().is_some() && !request.is_same_origin() {
//!         return request.reject(403, &[], b"");
//!     }
//!     if request.resource().path() != "/chat" {
//!         return request.reject(404, &[], b"");
//!     }
//!     let mut accept = AcceptOptions::new();
//!     if let Some(name) = request.choose_subprotocol(&["chat.v2", "chat.v1"]) {
//!         accept = accept.subprotocol(name);
//!     }
//!     request.accept(&accept)
//! }
//! # let mut ws = Endpoint::server(&Options::new());
//! # let mut read = *b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
//! #     Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n";
//! # assert!(ws.receive(&mut &mut read[..]).is_some());
//! # answer(&mut ws)?;
//! # assert!(String::from_utf8_lossy(ws.output()).contains("Sec-WebSocket-Protocol: chat.v2\r\n"));
//! # Ok::<(), HeadError>(())
//! ```
//!
//! **Later.** You need not answer in the turn that reports the request. Copy what the decision
//! needs, such as a cookie, ask your database, and call `request` again when the result is there.
//! Meanwhile `wants_read` is false. After [`Limit::Decision`](crate::Limit::Decision), 30 s unless
//! set, the client is sent status 503, and `request` returns `None`.
//!
//! **Behind another HTTP stack** (hyper, h2, HTTP/3) that stack has read the request. The
//! [handshake module](crate::handshake#behind-another-http-stack) checks it and makes the response,
//! and [`Endpoint::open`](crate::endpoint::Endpoint::open) begins with what was agreed.
//! `hyper` and `h2`, in `crates/tokio/examples`, show it.
//!
//! # A client and its errors
//!
//! [`Endpoint::client`](crate::endpoint::Endpoint::client) has the request in its output. Dial
//! `host()` and `port()` of the [`Target`](crate::handshake::Target) first, begin TLS if it is
//! `secure()`, and then drive the endpoint like a server. The time for the handshake begins with
//! the first `tick`, so tick before you dial if dialling and TLS are to count. Send nothing before
//! [`Incoming::Opened`](crate::endpoint::Incoming::Opened): it would be refused with
//! [`SendError::NotOpen`](crate::SendError::NotOpen).
//!
//! A connection that does not open ends with `NextStep::Drop`. The event says why, and so does the
//! [`Ending`](crate::endpoint::Ending), whose `opened` is false:
//!
//! | what happened | event | [`Ending::cause`](crate::endpoint::Ending::cause) |
//! |---|---|---|
//! | dialling is refused, or takes too long | none | none: your dialler's `io::Error` |
//! | TLS fails, such as by the certificate | none | none: the TLS library's error |
//! | the server refuses (404, 503) | `Refused`, with `response.status()` and the `body` so far | `Cause::Status` |
//! | it wants a password (401) | `Refused`; `response.headers().first("WWW-Authenticate")` | `Cause::Status` |
//! | it redirects (302) | `Refused`; `response.headers().first("Location")` | `Cause::Status` |
//! | another Sec-WebSocket-Accept than for this key | `HandshakeFailed(InvalidAccept(Mismatch))` | `Cause::Handshake` |
//! | it is no HTTP server, such as SSH or TLS | `HandshakeFailed(InvalidHttpVersion)`, or `MalformedLine` | `Cause::Handshake` |
//! | a 101 that breaks another rule | `HandshakeFailed` with that rule | `Cause::Handshake` |
//! | no response in time | none | `Cause::Limit(Limit::Handshake)` |
//! | the transport ends or breaks before the response | none | `None` |
//!
//! A client does not follow redirects and knows no passwords, because only your program knows whom
//! it trusts. Make a new endpoint for each attempt.
//!
//! ```
//! use websocket_proto::Limit;
//! use websocket_proto::endpoint::{Cause, Ending};
//!
//! /// Returns what to tell the user.
//! fn explain(ending: &Ending) -> String {
//!     match ending.cause {
//!         Some(Cause::Status(401 | 403)) => "the password is wrong".to_owned(),
//!         Some(Cause::Status(status)) => format!("the server refused with HTTP status {status}"),
//!         Some(Cause::Handshake(error)) => format!("this is no WebSocket server: {error}"),
//!         Some(Cause::Limit(Limit::Handshake)) => "the server does not answer".to_owned(),
//!         _ => ending.to_string(), // such as `closed by the peer: 1001 "restart"`
//!     }
//! }
//! # use websocket_proto::endpoint::{Endpoint, Incoming, Options};
//! # use websocket_proto::handshake::{FieldFault, HandshakeError, Offer, Target};
//! # fn client() -> Endpoint<websocket_proto::Client<impl FnMut() -> [u8; 4]>> {
//! #     let target = Target::parse("ws://h/").unwrap();
//! #     Endpoint::client(&target, &Offer::new(), *b"the sample nonce", || [0; 4], &Options::new()).unwrap()
//! # }
//! # let explained = |response: &str| {
//! #     let (mut ws, mut read) = (client(), response.as_bytes().to_vec());
//! #     let mut failed = None;
//! #     if let Some((Incoming::HandshakeFailed(error), _)) = ws.receive(&mut &mut read[..]) {
//! #         failed = Some(error);
//! #     }
//! #     assert_eq!(ws.next_step(), websocket_proto::NextStep::Drop);
//! #     (explain(&ws.ending().unwrap()), failed)
//! # };
//! # assert_eq!(explained("HTTP/1.1 401 No\r\n\r\n").0, "the password is wrong");
//! # assert_eq!(explained("HTTP/1.1 302 No\r\n\r\n").0, "the server refused with HTTP status 302");
//! # assert_eq!(explained("SSH-2.0-OpenSSH").1, Some(HandshakeError::InvalidHttpVersion));
//! # let wrong = explained("HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #     Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
//! # assert_eq!(wrong.1, Some(HandshakeError::InvalidAccept(FieldFault::Mismatch)));
//! # let mut ws = client();
//! # ws.receive_eof();
//! # assert_eq!(ws.ending().unwrap().cause, None);
//! # let mut ws = client();
//! # let seconds = core::time::Duration::from_secs;
//! # [0, 10, 10].map(|at| ws.tick(seconds(at)));
//! # assert_eq!(explain(&ws.ending().unwrap()), "the server does not answer");
//! ```
//!
//! # Sending much
//!
//! What you send is appended to the output, and the driver writes it. If more waits than the upper
//! [water mark](crate::endpoint::Options::water_marks), 512 KiB unless set, sending a further
//! message returns [`SendError::Full`](crate::SendError::Full), and nothing was sent. Keep the
//! message, or drop a peer that falls too far behind. `Full` lasts until no more waits than the
//! lower mark, 128 KiB.
//!
//! Messages are received meanwhile, and after each event one message is accepted, such as the
//! answer. But a peer that does not read our answers must not make us collect more and more of them.
//! So when they have made the output longer by another 512 KiB, the endpoint returns no events, and
//! `wants_read` is false, until no more waits than the lower mark.
//!
//! So after a write call `receive` again, with an empty input if nothing was read: it returns the
//! events that were held back. The turn above does so.
//!
//! To send a large file, send fragments with [`fragment`](crate::endpoint::Endpoint::fragment), and
//! the next one only when the output is short:
//!
//! ```
//! use websocket_proto::endpoint::Endpoint;
//! use websocket_proto::{Data, SendError, Server};
//!
//! /// Call this in each turn. `rest` is what is still to be sent of a file.
//! fn send_more(ws: &mut Endpoint<Server>, rest: &mut &[u8]) -> Result<(), SendError> {
//!     while !rest.is_empty() && ws.output().len() < 64 << 10 {
//!         let (part, others) = rest.split_at(rest.len().min(16 << 10));
//!         ws.fragment(Data::Binary(part), others.is_empty())?;
//!         *rest = others;
//!     }
//!     Ok(())
//! }
//! # use websocket_proto::{Agreed, endpoint::Options};
//! # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
//! # let mut rest = &[0; 100_000][..];
//! # while !rest.is_empty() {
//! #     send_more(&mut ws, &mut rest)?;
//! #     ws.written(ws.output().len());
//! # }
//! # Ok::<(), SendError>(())
//! ```
//!
//! **Two sides that send before they read** do not wait for each other, however long their messages
//! are, because an endpoint reads while its own messages wait. A driver over blocking sockets does
//! wait, because it cannot read while it writes. If it sends much, it writes from a [second
//! thread](#threads).
//!
//! # Compression
//!
//! With permessage-deflate (RFC 7692) JSON shrinks to between a half and a quarter. It takes the
//! processor some ten times longer to receive, and a hundred times longer to send, than without.
//! Compression is off until [`Options::compression`](crate::endpoint::Options::compression) turns
//! it on, and is used if the peer agrees. Received messages look the same, compressed or not. There
//! are two kinds of [`Compression`](crate::endpoint::Compression):
//!
//! | | [`shared`](crate::endpoint::Compression::shared) | [`own`](crate::endpoint::Compression::own) |
//! |---|---|---|
//! | a codec is | leased from a stock for one message | the endpoint's, as long as it is open |
//! | an idle endpoint needs | nothing more | 79 KiB to inflate, 134 to 372 KiB to compress, and buffers |
//! | a message can refer to earlier ones | no | yes, if the peer agrees (context takeover) |
//! | of 1 KiB of JSON is left | a half | a quarter |
//!
//! ```
//! # #[cfg(all(feature = "std", feature = "deflate"))] {
//! use websocket_proto::endpoint::{Compression, Options, ZlibStock};
//!
//! // Create it once: all endpoints share the options and the stock.
//! let options = Options::new().compression(Compression::shared(ZlibStock::new(6)).threshold(256));
//! # let _ = options;
//! # }
//! ```
//!
//! Messages below the threshold are sent as they are. Use
//! [`send_uncompressed`](crate::endpoint::Sender::send_uncompressed) for what is compressed
//! already, and for [secrets](#security).
//!
//! **A bomb** stops at [`Config::max_message`](crate::Config::max_message), because the limit
//! counts what a message inflates to. Choose a limit that you can afford for every connection,
//! because with own codecs a peer can fill 16 MiB by sending 16 KiB of a message that it never
//! ends, until [`Limit::Message`](crate::Limit::Message) ends it.
//!
//! **Safari 15** (macOS 12, iOS 15) ignores `client_no_context_takeover`. Its messages refer to
//! earlier ones even if it agreed that they do not, so with shared codecs its second compressed
//! message can fail with close code 1007. Nor does Safari 15 support `client_max_window_bits`. The
//! setting that survives is `Compression::own` with `Deflate { client_no_context_takeover: false,
//! ..Deflate::new() }`. The server's own messages may still go without context takeover.
//!
//! # Time limits
//!
//! The clock is yours. Call [`tick`](crate::endpoint::Endpoint::tick) in each turn with the time
//! since any fixed moment, and wait no longer than
//! [`deadline`](crate::endpoint::Endpoint::deadline). Ask for the deadline in each turn, because it
//! can move to an earlier time. A driver that never calls `tick` has no time limits.
//!
//! [`Limit`](crate::Limit) lists what is limited, with the defaults.
//! [`Options::limit`](crate::endpoint::Options::limit) sets one, or lifts it with `None`. A silent
//! peer is sent a Ping first. A peer that exceeds a limit is told by a Close or an HTTP status, and
//! has the time of [`Limit::Close`](crate::Limit::Close) to end. Then the next step is `Drop`, and
//! the cause is in the [`Ending`](crate::endpoint::Ending). Events that were held back until then
//! are lost.
//!
//! **A peer that takes nothing** is sent a Close when output has waited for
//! [`Limit::Output`](crate::Limit::Output), 60 s, and is dropped after the shorter of
//! `Limit::Output` and `Limit::Close` more: 65 s in all. The buffers of the system can delay the
//! Close by up to 60 s more, because what they take counts as taken. `Limit::Close` also runs while
//! output waits, and begins again with each byte that is taken.
//!
//! A deadline acts at the second `tick` that finds it passed, and in between `deadline` is now. So
//! a program that was suspended first reads the bytes that wait in the socket, and does not mistake
//! a peer that has sent bytes for a silent one. Lift `Limit::Message` if messages stream for hours.
//!
//! # Closing
//!
//! Call [`close`](crate::endpoint::Endpoint::close) with a code and a reason, and go on driving.
//! The peer's Close is answered inside. A connection ends cleanly when each side has sent a Close
//! and received one, and then the transport ends (§7.1.1). The server ends it first, so that the
//! state which TCP keeps for minutes after the first end stays with the server.
//! [`next_step`](crate::endpoint::Endpoint::next_step) says what to do:
//!
//! - [`ShutdownWrite`](crate::NextStep::ShutdownWrite), on a server, once: end the writing side.
//!   This is `shutdown` on TCP, `close_notify` and then `shutdown` on TLS, END_STREAM on HTTP/2. If
//!   it fails, go on: what ends the connection is the end of the peer's stream.
//! - [`AwaitEof`](crate::NextStep::AwaitEof): go on reading until the end. Do not close the socket,
//!   because closing with input unread makes TCP send a reset, which can destroy the Close that the
//!   peer has not read yet.
//! - [`Drop`](crate::NextStep::Drop): close the transport. A stream of HTTP/2 ends with END_STREAM
//!   if the closure is clean, and is reset with CANCEL if not.
//!
//! TCP can end in one direction only. A WebSocket cannot: the end of the stream without a Close is
//! the end of the connection, reported as 1006 and not clean. Output that waits is still written.
//!
//! [`ending`](crate::endpoint::Endpoint::ending) has both codes, both reasons, who began, and what
//! went wrong. It prints as one line: `closed by the peer: 4001 "bye"`, or `failed: frame from the
//! client is not masked`, or `lost: the transport ended without a Close`.
//!
//! # Async runtimes
//!
//! The package `websocket-proto-tokio`, in `crates/tokio` of the repository, is the wrapper for
//! tokio. The rest of this chapter is for other runtimes, and for wrappers of your own. There are
//! two shapes.
//!
//! **Lending**: `next` returns an event that borrows the wrapper. The borrow checker refuses a loop
//! that returns the event of `receive` or reads on, so ask
//! [`ready`](crate::endpoint::Endpoint::ready) first. It says whether the next `receive` has an
//! event:
//!
//! ```
//! use std::io;
//! use std::ops::Range;
//! use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
//! use websocket_proto::endpoint::{Endpoint, Incoming};
//! use websocket_proto::{NextStep, Role};
//!
//! struct Socket<S, R> {
//!     stream: S,
//!     ws: Endpoint<R>,
//!     buffer: Box<[u8]>,
//!     /// What of the buffer was read, but not received yet.
//!     read: Range<usize>,
//! }
//!
//! impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Socket<S, R> {
//!     /// Returns the next event, or `None` at the end.
//!     async fn next(&mut self) -> io::Result<Option<Incoming<'_>>> {
//!         loop {
//!             let mut input = &mut self.buffer[self.read.clone()];
//!             let ready = self.ws.ready(&mut input);
//!             self.read.start = self.read.end - input.len();
//!             if ready {
//!                 let mut input = &mut self.buffer[self.read.clone()];
//!                 let event = self.ws.receive(&mut input);
//!                 self.read.start = self.read.end - input.len();
//!                 return Ok(event.map(|(incoming, _)| incoming));
//!             }
//!             if !self.ws.output().is_empty() {
//!                 let count = self.stream.write(self.ws.output()).await?;
//!                 self.ws.written(count);
//!                 continue;
//!             }
//!             match self.ws.next_step() {
//!                 NextStep::Drop => return Ok(None),
//!                 // If this fails, the end of the peer's stream still comes.
//!                 NextStep::ShutdownWrite => _ = self.stream.shutdown().await,
//!                 _ => {
//!                     self.read = 0..self.stream.read(&mut self.buffer).await?;
//!                     if self.read.is_empty() {
//!                         self.ws.receive_eof();
//!                     }
//!                 }
//!             }
//!         }
//!     }
//! }
//! # use websocket_proto::{Agreed, Server, endpoint::Options};
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! #     let (mut peer, stream) = tokio::io::duplex(64);
//! #     let ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
//! #     let mut socket = Socket { stream, ws, buffer: vec![0; 64].into(), read: 0..0 };
//! #     peer.write_all(b"\x81\x82\0\0\0\0hi\x81\x82\0\0\0\0ho\x88\x80\0\0\0\0").await?;
//! #     assert!(matches!(socket.next().await?, Some(Incoming::Text("hi"))));
//! #     assert!(matches!(socket.next().await?, Some(Incoming::Text("ho"))));
//! #     assert!(matches!(socket.next().await?, Some(Incoming::Close(None))));
//! #     drop(peer);
//! #     let _ = socket.next().await;
//! #     Ok::<(), io::Error>(())
//! # })?;
//! # Ok::<(), io::Error>(())
//! ```
//!
//! Answer a request before the next call of `next`. For time limits, call `tick` in the loop after
//! the events, and put `timeout_at` around each `await`: when it elapses, go on with the loop.
//! Nothing that is awaited holds state of the endpoint, so a `next` that is cancelled while it
//! reads or writes loses nothing.
//!
//! **`Stream` and `Sink`** hand out owned messages, with `futures` or without. All functions drive
//! the connection by `poll_turn`, so that the time limits run whichever of them is polled. Only
//! `poll_next` receives: poll it until it returns `None`, also while you only send. A server's
//! endpoint has to be open already, because a request that comes here is not answered, and gets
//! status 503 after 30 s.
//!
//! ```
//! use std::future::Future;
//! use std::io::{self, ErrorKind};
//! use std::ops::Range;
//! use std::pin::Pin;
//! use std::task::{Context, Poll, ready};
//! use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
//! use tokio::time::{Instant, Sleep};
//! use websocket_proto::endpoint::{Endpoint, Incoming};
//! use websocket_proto::{CloseCode, Data, NextStep, OwnedMessage, Role, SendError};
//!
//! struct Socket<S, R> {
//!     stream: S,
//!     ws: Endpoint<R>,
//!     start: Instant,
//!     timer: Pin<Box<Sleep>>,
//!     buffer: Box<[u8]>,
//!     read: Range<usize>,
//!     /// The next step is `ShutdownWrite` only once, but `poll_shutdown` can take several polls.
//!     shutting_down: bool,
//! }
//!
//! impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> Socket<S, R> {
//!     /// Ready if something was written or read, or if time has passed: look again.
//!     fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
//!         self.ws.tick(self.start.elapsed());
//!         let mut progress = false;
//!         while !self.ws.output().is_empty() {
//!             match Pin::new(&mut self.stream).poll_write(cx, self.ws.output())? {
//!                 Poll::Ready(count) => self.ws.written(count),
//!                 Poll::Pending => {
//!                     self.ws.written(0);
//!                     break;
//!                 }
//!             }
//!             progress = true;
//!         }
//!         let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
//!         let step = self.ws.next_step();
//!         if step == NextStep::Drop {
//!             return Poll::Ready(Err(ErrorKind::NotConnected.into()));
//!         }
//!         self.shutting_down |= step == NextStep::ShutdownWrite;
//!         if self.shutting_down {
//!             self.shutting_down = Pin::new(&mut self.stream).poll_shutdown(cx).is_pending();
//!         }
//!         if self.read.is_empty() && self.ws.wants_read() {
//!             let mut read = ReadBuf::new(&mut self.buffer);
//!             if Pin::new(&mut self.stream).poll_read(cx, &mut read)?.is_ready() {
//!                 self.read = 0..read.filled().len();
//!                 if self.read.is_empty() {
//!                     self.ws.receive_eof();
//!                 }
//!                 progress = true;
//!             }
//!         }
//!         if progress {
//!             cx.waker().wake_by_ref(); // another function may wait for this
//!             return Poll::Ready(Ok(()));
//!         }
//!         let Some(at) = self.ws.deadline() else { return Poll::Pending };
//!         self.timer.as_mut().reset(self.start + at);
//!         self.timer.as_mut().poll(cx).map(Ok)
//!     }
//!
//!     /// `Stream::poll_next`. How the connection ended is in `ending`.
//!     fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<OwnedMessage>> {
//!         loop {
//!             let mut input = &mut self.buffer[self.read.clone()];
//!             let mut message = None;
//!             while message.is_none() {
//!                 message = match self.ws.receive(&mut input).map(|(incoming, _)| incoming) {
//!                     Some(Incoming::Text(text)) => Some(OwnedMessage::Text(text.into())),
//!                     Some(Incoming::Binary(data)) => Some(OwnedMessage::Binary(data.into())),
//!                     Some(_) => None,
//!                     None => break,
//!                 };
//!             }
//!             self.read.start = self.read.end - input.len();
//!             if message.is_some() {
//!                 return Poll::Ready(message);
//!             }
//!             if ready!(self.poll_turn(cx)).is_err() {
//!                 if self.ws.next_step() == NextStep::Drop {
//!                     return Poll::Ready(None);
//!                 }
//!                 self.ws.abort(); // messages that were held back come now
//!             }
//!         }
//!     }
//!
//!     /// `Sink::poll_ready`: waits until there is room in the output.
//!     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
//!         while let Err(SendError::Full) = self.ws.can_send() {
//!             ready!(self.poll_turn(cx))?;
//!         }
//!         Poll::Ready(self.ws.can_send().map_err(io::Error::other))
//!     }
//!
//!     /// `Sink::start_send`.
//!     fn start_send(&mut self, data: Data<'_>) -> io::Result<()> {
//!         self.ws.send(data).map_err(io::Error::other)
//!     }
//!
//!     /// `Sink::poll_flush`: writes all output.
//!     fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
//!         while !self.ws.output().is_empty()
//!             || Pin::new(&mut self.stream).poll_flush(cx)?.is_pending()
//!         {
//!             ready!(self.poll_turn(cx))?;
//!         }
//!         Poll::Ready(Ok(()))
//!     }
//!
//!     /// `Sink::poll_close`: sends a Close. `poll_next` goes on to the end.
//!     fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
//!         let _ = self.ws.close(CloseCode::NORMAL, ""); // an error says that it is closing
//!         self.poll_flush(cx)
//!     }
//! }
//! # use websocket_proto::{Agreed, Server, endpoint::Options};
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
//! # use std::future::poll_fn;
//! # use std::time::Duration;
//! # fn open(options: &Options) -> (DuplexStream, Socket<DuplexStream, Server>) {
//! #     let (peer, stream) = tokio::io::duplex(64);
//! #     let ws = Endpoint::open(Server, Agreed::new(), options).unwrap();
//! #     let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
//! #     let (start, buffer) = (Instant::now(), vec![0; 64].into());
//! #     (peer, Socket { stream, ws, start, timer, buffer, read: 0..0, shutting_down: false })
//! # }
//! # let mut runtime = tokio::runtime::Builder::new_current_thread();
//! # runtime.enable_time().start_paused(true).build()?.block_on(async {
//! #     let (mut peer, mut socket) = open(&Options::new());
//! #     peer.write_all(b"\x81\x82\0\0\0\0hi\x82\x82\0\0\0\0ho\x88\x80\0\0\0\0").await?;
//! #     let message = poll_fn(|cx| socket.poll_next(cx)).await;
//! #     assert_eq!(message, Some(OwnedMessage::Text("hi".into())));
//! #     poll_fn(|cx| socket.poll_ready(cx)).await?;
//! #     socket.start_send(Data::Text("hi"))?;
//! #     let message = poll_fn(|cx| socket.poll_next(cx)).await;
//! #     assert_eq!(message, Some(OwnedMessage::Binary(b"ho".into())));
//! #     let end = tokio::join!(poll_fn(|cx| socket.poll_next(cx)), async {
//! #         let mut all = Vec::new();
//! #         peer.read_to_end(&mut all).await.unwrap();
//! #         assert_eq!(all, b"\x81\x02hi\x88\x00");
//! #         drop(peer);
//! #     }).0;
//! #     assert!(end.is_none());
//! #     let ending = socket.ws.ending().unwrap();
//! #     assert_eq!(ending.to_string(), "closed by the peer: no code");
//! #     // A message that comes after our Close is received.
//! #     let (mut peer, mut socket) = open(&Options::new());
//! #     poll_fn(|cx| socket.poll_close(cx)).await?;
//! #     poll_fn(|cx| socket.poll_close(cx)).await?;
//! #     peer.write_all(b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xE8").await?;
//! #     let message = poll_fn(|cx| socket.poll_next(cx)).await;
//! #     assert_eq!(message, Some(OwnedMessage::Text("hi".into())));
//! #     drop(peer);
//! #     assert_eq!(poll_fn(|cx| socket.poll_next(cx)).await, None);
//! #     assert!(socket.ws.ending().unwrap().closure.clean);
//! #     // The stream breaks while messages are held back: all of them come, and then the end.
//! #     let (mut peer, mut socket) = open(&Options::new().water_marks(0, 1));
//! #     peer.write_all(&b"\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b\x81\x81\0\0\0\0c"[..]).await?;
//! #     let mut received = Vec::new();
//! #     received.push(poll_fn(|cx| socket.poll_next(cx)).await);
//! #     socket.start_send(Data::Binary(&[0; 1000]))?;
//! #     drop(peer);
//! #     for _ in 0..4 { received.push(poll_fn(|cx| socket.poll_next(cx)).await); }
//! #     let text = |text: &str| Some(OwnedMessage::Text(text.into()));
//! #     assert_eq!(received, [text("a"), text("b"), text("c"), None, None]);
//! #     // A peer that never reads ends both functions of the sink.
//! #     for flush in [false, true] {
//! #         let (_peer, mut socket) = open(&Options::new().water_marks(1, 2));
//! #         socket.start_send(Data::Binary(&[0; 1000]))?;
//! #         let sent = match flush {
//! #             true => poll_fn(|cx| socket.poll_flush(cx)).await,
//! #             false => poll_fn(|cx| socket.poll_ready(cx)).await,
//! #         };
//! #         assert!(sent.is_err());
//! #         assert!(socket.start.elapsed() >= Duration::from_secs(40));
//! #         assert_eq!(poll_fn(|cx| socket.poll_next(cx)).await, None);
//! #         assert!(socket.ws.ending().unwrap().to_string().starts_with("gave up: "));
//! #     }
//! #     Ok::<(), io::Error>(())
//! # })?;
//! # Ok::<(), io::Error>(())
//! ```
//!
//! - **Two tasks lose wake-ups.** A transport keeps one waker for each direction, and the timer
//!   keeps one, too: the half that polled last is woken, and the other sleeps on. So do not move
//!   the halves of `StreamExt::split` into two tasks. Poll both in one task with `join!` or
//!   `select!`, or use the package for tokio. In a wrapper of your own, keep a waker of each half,
//!   poll with one that wakes both, and wake both after any progress.
//! - **A Close is answered when it is received**, and then nothing more can be sent. The
//!   `SplitSink` of `StreamExt::split` keeps an item until it is polled again, so the last reply
//!   can come too late, and `forward` returns an error. Send and flush the reply to a message
//!   before you poll for the next. After [`SendError::Closing`](crate::SendError::Closing), poll
//!   `poll_next` to the end.
//! - **Closing takes both**: after `poll_close`, poll `poll_next` until it returns `None`. It
//!   returns the messages that the peer sent before its Close.
//!
//! **Sending from other tasks.** There are no halves to split an endpoint into, because a Pong and
//! a Close concern both directions. Give each connection a bounded channel. Its task waits for the
//! channel, for the transport and for the deadline, whichever comes first, and sends what comes out
//! of the channel while there is room.
//!
//! **io_uring** and other I/O that owns its buffers:
//! [`take_output`](crate::endpoint::Endpoint::take_output) swaps the output for an empty buffer,
//! which the ring writes. Report the completion by `written`. Bytes that the ring has read are lent
//! to `receive` as they are.
//!
//! # Threads
//!
//! With blocking sockets, one thread for each connection is the simplest server: see the README. It
//! writes before it reads, so two such peers that both send more than the sockets hold wait for
//! each other until a time limit ends the connection.
//!
//! To send from other threads too, put the endpoint into a `Mutex`. One thread reads from the
//! stream, and another writes to a `try_clone` of it. No thread holds the lock while it reads or
//! writes:
//!
//! - The reader reads without the lock, then locks, receives, unlocks and notifies the writer.
//! - Any thread sends: it locks, sends, unlocks and notifies the writer.
//! - The writer locks, calls `take_output`, unlocks, writes all of it, then locks and reports
//!   `written`. If there is no output, it calls `tick`, follows `next_step`, and waits on a
//!   `Condvar` until the deadline. On an error it calls `abort` and shuts the stream down both
//!   ways, which wakes the reader.
//!
//! # Sending one message to many
//!
//! Encode the message once as [`Prepared`](crate::Prepared), and pass it to
//! [`prepared`](crate::endpoint::Endpoint::prepared) of each server's endpoint, which copies the
//! bytes. An event borrows its endpoint, so collect what is to be sent while you receive, and send
//! it to all after that loop:
//!
//! ```
//! use websocket_proto::endpoint::{Endpoint, Incoming};
//! use websocket_proto::{Data, Prepared, SendError, Server};
//!
//! /// Sends all what one of them has sent.
//! fn relay(all: &mut [Endpoint<Server>], from: usize, mut input: &mut [u8]) {
//!     let mut messages = Vec::new();
//!     while let Some((incoming, _)) = all[from].receive(&mut input) {
//!         if let Incoming::Text(text) = incoming {
//!             messages.push(Prepared::new(Data::Text(text)));
//!         }
//!     }
//!     for message in &messages {
//!         for ws in &mut *all {
//!             if ws.prepared(message) == Err(SendError::Full) {
//!                 ws.abort(); // its peer has fallen too far behind
//!             }
//!         }
//!     }
//! }
//! # use websocket_proto::{Agreed, NextStep, endpoint::Options};
//! # let options = Options::new().water_marks(0, 1);
//! # let new = || Endpoint::open(Server, Agreed::new(), &options).unwrap();
//! # let mut all = [new(), new(), new()];
//! # all[2].text("slow")?;
//! # relay(&mut all, 0, &mut *b"\x81\x82\0\0\0\0hi".to_vec());
//! # assert_eq!((all[0].output(), all[1].output()), (&b"\x81\x02hi"[..], &b"\x81\x02hi"[..]));
//! # assert_eq!(all[2].next_step(), NextStep::Drop);
//! # Ok::<(), SendError>(())
//! ```
//!
//! Then make a turn of each, because its output or its next step has changed. If messages arrive
//! faster than turns are made, `Full` can also mean that nothing was written in between. So first
//! write, and try again as long as the socket takes something: `while ws.prepared(&message) ==
//! Err(SendError::Full) && ws.write_to(&mut stream) {}`.
//!
//! `Full` lasts until no more than the lower water mark waits. To skip a slow peer for a few
//! messages instead of ending it, ignore the error and set both marks alike:
//! `.water_marks(512 << 10, 512 << 10)`.
//!
//! Between threads, keep the message behind an `Arc`. For many large messages the copies take time.
//! Below the endpoint, a connection's queue can hold the `Arc` itself: see `examples/broadcast.rs`.
//!
//! # Reconnecting and shutting down
//!
//! **A client reconnects** after a random delay of some seconds, and after a longer one each time
//! that this fails (§7.2.3). The [`Ending`](crate::endpoint::Ending) says whether another attempt
//! is worth it. The first row that fits counts:
//!
//! | outcome | try again |
//! |---|---|
//! | dialling or TLS failed | yes, unless the certificate is not valid |
//! | a `closure.failure` | no, unless the application knows better |
//! | `Cause::Limit` | yes |
//! | `Cause::Status(503)`, or 429 | yes, after the Retry-After of `Refused`: seconds or a date |
//! | `Cause::Status` with 3xx, 401, 403 or 404 | no: something has to change first |
//! | `Cause::Handshake` | no: this is not the server that was meant |
//! | not `opened`, without a cause | yes |
//! | `closure.code` is 1001, 1006, 1012 or 1013 | yes |
//! | another code | no, unless the application knows better |
//!
//! ```
//! use websocket_proto::endpoint::{Cause, Ending};
//!
//! fn try_again(ending: &Ending) -> bool {
//!     match (ending.closure.failure, ending.cause) {
//!         (Some(_), _) => false,
//!         (None, Some(Cause::Limit(_) | Cause::Status(429 | 503))) => true,
//!         (None, Some(_)) => false,
//!         (None, None) => matches!(ending.closure.code, 1001 | 1006 | 1012 | 1013),
//!     }
//! }
//! # use websocket_proto::{Agreed, Server, endpoint::{Endpoint, Options}};
//! # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
//! # ws.abort();
//! # assert!(try_again(&ws.ending().unwrap()));
//! # // A client that was told of a limit, and then broke a rule.
//! # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
//! # [0, 20, 20, 40, 40].map(|at| ws.tick(core::time::Duration::from_secs(at)));
//! # assert!(ws.receive(&mut &mut b"\x81\x02hi".to_vec()[..]).is_some());
//! # ws.abort();
//! # assert!(ws.ending().unwrap().cause.is_some());
//! # assert!(!try_again(&ws.ending().unwrap()));
//! ```
//!
//! **Which messages arrived** is not known when a connection is lost, because `written` says only
//! that the transport took them. If it matters, number the messages, let the peer acknowledge them
//! in your protocol, and send those that are not acknowledged once more.
//!
//! **A server shuts down** in three steps. It stops accepting. It calls
//! [`close`](crate::endpoint::Endpoint::close) with [`GOING_AWAY`](crate::CloseCode::GOING_AWAY) on
//! each endpoint. It then runs its loop until each next step is `Drop`, which takes no longer than
//! [`Limit::Close`](crate::Limit::Close) after the peer has taken the output that waited. For many
//! clients, close a part of them at a time, so that they do not all reconnect at once.
//!
//! # Scaling
//!
//! An idle server's endpoint takes at most 768 bytes, heap included, with shared compression too. A
//! million of them are less than 768 megabytes before the operating system's share, which is
//! larger. A client also holds its source of masking keys, 264 bytes for `SystemMask`. Create
//! [`Options`](crate::endpoint::Options) once: endpoints share it. One read buffer serves all
//! connections of a thread, because an endpoint keeps what it needs.
//!
//! One thread for each core, with connections and a loop of its own, needs no lock. The listening
//! socket is shared (`SO_REUSEPORT`). Between processes and machines, messages go through a broker:
//! each process subscribes once for all its connections, and prepares each message once.
//!
//! # Security
//!
//! **Origin.** A browser lets every page open a WebSocket to every server, with the user's cookies.
//! A server that trusts cookies has to look at Origin: see
//! [`Request::is_same_origin`](crate::handshake::Request::is_same_origin), and for servers behind a
//! proxy [`Request::is_origin_in`](crate::handshake::Request::is_origin_in). Programs that are not
//! browsers can send any Origin: it protects users from pages, not servers from programs.
//!
//! **Masking** (§10.3) keeps a script from choosing the bytes that cross the network, which could
//! poison the caches of proxies that mistake them for HTTP. This depends on keys that the script
//! cannot predict, with a fresh key for each frame. Never use a counter or a constant outside of
//! tests.
//!
//! **TLS** protects against everyone between the peers. Masking does not. Use `wss`.
//!
//! **The peer's text** in close reasons and messages is the peer's: log it escaped, and do not show
//! a close reason to users.
//!
//! **Compression and secrets.** If compressed messages mix a secret with text that an attacker
//! chooses, their length reveals the secret. Send such messages by
//! [`send_uncompressed`](crate::endpoint::Sender::send_uncompressed). With context takeover that
//! holds for all messages of a connection together.
//!
//! # Behind a proxy
//!
//! A reverse proxy passes a WebSocket on only if its configuration allows the upgrade. The lines
//! below are the ones that matter. They were tried with nginx 1.22, HAProxy 2.6, Apache 2.4.71,
//! Caddy 2.6 and Envoy 1.40.
//!
//! nginx:
//!
//! ```text
//! location / {
//!   proxy_pass http://127.0.0.1:9001;
//!   proxy_http_version 1.1;
//!   proxy_set_header Upgrade $http_upgrade;
//!   proxy_set_header Connection upgrade;
//!   proxy_set_header Host $http_host;
//! }
//! ```
//!
//! HAProxy, with a server that speaks HTTP/1.1 and one that speaks HTTP/2:
//!
//! ```text
//! defaults
//!   mode http
//!   timeout connect 5s
//!   timeout client 60s
//!   timeout server 60s
//!   timeout tunnel 1h
//! backend http1
//!   server one 127.0.0.1:9001
//! backend http2
//!   server one 127.0.0.1:9002 proto h2 ws h2
//! ```
//!
//! Apache, with the modules `proxy` and `proxy_http`:
//!
//! ```text
//! ProxyPreserveHost On
//! ProxyPass / http://127.0.0.1:9001/ upgrade=websocket
//! ```
//!
//! Caddy:
//!
//! ```text
//! reverse_proxy 127.0.0.1:9001
//! ```
//!
//! Envoy needs three lines, in this order: in the `HttpConnectionManager`, in its route
//! configuration, and in the `HttpProtocolOptions` of a cluster that speaks HTTP/2:
//!
//! ```text
//! upgrade_configs: [{ upgrade_type: websocket }]
//! routes: [{ match: { prefix: "/" }, route: { cluster: echo } }]
//! explicit_http_config: { http2_protocol_options: { allow_connect: true } }
//! ```
//!
//! **Host.** nginx and Apache replace Host by the address that they connect to, unless the
//! configuration says otherwise. [`is_same_origin`] is then false for every page, and a server that
//! checks it refuses all browsers. Pass Host on: `proxy_set_header Host $http_host` in nginx
//! (`$host` loses the port), `ProxyPreserveHost On` in Apache. The alternative is a list of allowed
//! origins with [`is_origin_in`], which does not depend on Host. HAProxy, Caddy and Envoy pass Host
//! on by themselves. Do not trust X-Forwarded-Host for this check unless your proxy sets it,
//! because any client can send it.
//!
//! **Idle connections.** A proxy closes a connection on which nothing has moved for some time, and
//! the client reports 1006. The Ping of [`Limit::Idle`](crate::Limit::Idle) prevents this because
//! it is due after 20 seconds of silence. If you raise that limit, or send no Pings, raise the
//! limit of the proxy too:
//!
//! | proxy | setting | a silent connection |
//! |---|---|---|
//! | nginx | `proxy_read_timeout` | closed after 60 s by default |
//! | Apache | `Timeout`, `ProxyTimeout` | closed after 60 s by default; Debian sets 300 s |
//! | HAProxy | `timeout tunnel`, or `client` and `server` if it is not set | closed after the time that is set |
//! | Envoy | `stream_idle_timeout` | closed after 300 s by default |
//! | Caddy | none by default | open after 330 s |
//!
//! **Closing.** When the server closes while the client is still sending, nginx and HAProxy may
//! drop the server's Close, and the client reports 1006 instead of the code. This happens with a
//! message that is too long, for example.
//!
//! **HTTP/2.** A WebSocket over HTTP/2 looks unclean when its tab is closed or leaves the page.
//! Chromium sends the Close and RST_STREAM together, and the server may see only the reset: its
//! [`ending`](crate::endpoint::Endpoint::ending) has 1006. Do not log this as a failure.
//!
//! [`is_same_origin`]: crate::handshake::Request::is_same_origin
//! [`is_origin_in`]: crate::handshake::Request::is_origin_in
//!
//! # The rules that are yours
//!
//! Some rules of RFC 6455 speak of transports, clocks and policies. For each there is a signal that
//! says what to do:
//!
//! | rule | signal |
//! |---|---|
//! | non-ASCII hosts are converted first (§11.1) | [`TargetError::NonAscii`](crate::handshake::TargetError) |
//! | one attempt per address at a time (§4.1) | a client's endpoint lives as long as its attempt: count them |
//! | whom to dial, TLS before the first byte (§4.1, §10.6) | [`Target`](crate::handshake::Target): `host`, `port`, `secure`; it prints as the URI for a proxy |
//! | the transport or TLS fails (§4.1, §4.2.2, §7.2.1) | [`abort`](crate::endpoint::Endpoint::abort) |
//! | a response other than 101 is plain HTTP (§4.1, §4.4) | [`Incoming::Refused`](crate::endpoint::Incoming::Refused): status, headers, `versions`, the beginning of the body |
//! | origin, resource, authentication (§4.2.2, §10.1, §10.2) | [`Incoming::Request`](crate::endpoint::Incoming::Request): all of it is untrusted; [`reject`](crate::endpoint::Waiting::reject) |
//! | unpredictable keys (§5.3) | [`MaskSource`](crate::MaskSource) |
//! | all output is written, once and in order (§6.1) | [`output`](crate::endpoint::Endpoint::output), [`written`](crate::endpoint::Endpoint::written) |
//! | when the transport ends, and who ends it (§5.5.1, §7.1.1) | [`next_step`](crate::endpoint::Endpoint::next_step) |
//! | the peer's reason is not for users (§5.5.1) | it stands in [`Incoming::Close`](crate::endpoint::Incoming::Close) and in [`Ending::received`](crate::endpoint::Ending::received) |
//! | a failure is logged (§7.1.7) | [`Incoming::Failed`](crate::endpoint::Incoming::Failed), [`ending`](crate::endpoint::Endpoint::ending) |
//! | applications close when they like, with their codes (§7.3, §7.4.1) | [`close`](crate::endpoint::Endpoint::close) |
//! | extended CONNECT only where the server allows it (RFC 8441 §3) | [`ClientRequest::connect`](crate::handshake::ClientRequest::connect) asks for it |
//! | streams end with END_STREAM or FIN, and are reset by an abort (RFC 8441 §5, RFC 9220 §3) | [`next_step`](crate::endpoint::Endpoint::next_step) |
//! | secrets are not compressed beside what others choose (RFC 7692 §8) | [`send_uncompressed`](crate::endpoint::Sender::send_uncompressed), a choice for each message |
//! | a client reconnects with growing delays (§7.2.3) | [`ending`](crate::endpoint::Endpoint::ending): see [above](#reconnecting-and-shutting-down) |
//!
//! # Limits and what each protects from
//!
//! | limit | protects from |
//! |---|---|
//! | [`Config::max_message`](crate::Config::max_message) | messages, or endless fragments of one, that fill the memory, also those that inflate to much |
//! | [`Options::max_head`](crate::endpoint::Options::max_head), and at most 64 header lines | heads that never end |
//! | [`Options::water_marks`](crate::endpoint::Options::water_marks) | peers that make us collect answers which they do not read |
//! | [`Limit::Handshake`](crate::Limit::Handshake) | peers that connect and say nothing, or one byte a minute |
//! | [`Limit::Decision`](crate::Limit::Decision) | an application that forgets a request |
//! | [`Limit::Idle`](crate::Limit::Idle), [`Limit::Pong`](crate::Limit::Pong) | peers that are gone without a word, and middleboxes that forget idle connections |
//! | [`Limit::Message`](crate::Limit::Message) | peers that send a byte of a message now and then |
//! | [`Limit::Output`](crate::Limit::Output) | peers that read nothing, or less than 1 KiB a second |
//! | [`Limit::Close`](crate::Limit::Close) | peers that never finish closing |
//! | your bound on connections, per address and in all | peers that open many |
//!
//! # Fuzzing an application
//!
//! An endpoint is a pure function of its calls, so a fuzz target needs no sockets. Random bytes
//! hardly ever become a complete masked frame, so a target that feeds them in directly exercises
//! this crate and never reaches your code. Let the fuzzer choose messages instead, and let a client
//! of this crate frame them with a mask key of zero: the fuzzer's bytes then reach your handler
//! unchanged. Raw bytes in between show what your handler does when the peer breaks the protocol.
//!
//! After `cargo fuzz init`, run `cargo add --manifest-path fuzz/Cargo.toml websocket-proto`, and put
//! the target into `fuzz/fuzz_targets/fuzz_target_1.rs`. It begins with `#![no_main]` and ends with
//! `libfuzzer_sys::fuzz_target!(|input: (u8, Vec<Result<&str, &[u8]>>)| fuzz(input.0, &input.1));`:
//!
//! ```
//! use websocket_proto::endpoint::{Endpoint, Incoming, Options};
//! use websocket_proto::{Agreed, Client, Config, Connection, NextStep, Server};
//!
//! /// The client sends whole messages (`Ok`) and raw bytes. A read takes `cut` of its bytes.
//! fn fuzz(cut: u8, steps: &[Result<&str, &[u8]>]) {
//!     let mut client = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
//!     let mut server = Endpoint::open(Server, Agreed::new(), &Options::new()).expect("no codec");
//!     let mut stream = Vec::new();
//!     for step in steps {
//!         match step {
//!             Ok(text) => client.send_text(text, &mut stream).expect("it is open"),
//!             Err(raw) => stream.extend_from_slice(raw),
//!         }
//!     }
//!     let (mut stream, mut buffer) = (&stream[..], vec![0; cut.max(1).into()]);
//!     while server.next_step() != NextStep::Drop {
//!         let mut input = server.read_from(&mut stream, &mut buffer);
//!         while let Some((incoming, sender)) = server.receive(&mut input) {
//!             if let Incoming::Text(text) = incoming {
//!                 let _ = sender.text(&your_application(text)); // an error: it is closing
//!             }
//!         }
//!         server.write_to(&mut std::io::sink());
//!     }
//! }
//! # thread_local!(static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
//! # fn your_application(text: &str) -> String {
//! #     CALLS.with(|calls| calls.set(calls.get() + 1));
//! #     text.repeat(1 << 20)
//! # }
//! # let steps = [Ok("one"), Err(&b"\x81\x81\0\0"[..]), Err(b"\0\0a"), Ok("two"), Ok("three")];
//! # for cut in [0, 1, 7, 255] {
//! #     fuzz(cut, &steps);
//! #     fuzz(cut, &[Ok("four"), Err(b"\x89\x80\0\0\0\0\x83\0")]);
//! #     fuzz(cut, &[Err(b"\x88\x80\0\0\0\0"), Ok("late")]);
//! # }
//! # assert_eq!(CALLS.get(), 4 * 5); // each time one, a, two, three, and four
//! ```
//!
//! For binary messages, let `Ok` have a `&[u8]`, and send that by `send_binary`.
//!
//! Run it with `cargo +nightly fuzz run fuzz_target_1 -- -dict=words.dict -timeout=10`. The first
//! build takes some minutes. The dictionary has a line for each word of your commands, with the
//! separator behind it, such as `"restart "`. Without it, a command of a few letters is hardly ever
//! found; with it, in seconds. To see that your handler is reached, let it panic at one command first.
//!
//! # Below the endpoint
//!
//! An endpoint is made of parts that are public too. Use them if you need what an endpoint does not
//! give: no heap, pieces of messages that are larger than the memory, payloads that are not copied.
//!
//! | part | does |
//! |---|---|
//! | [`handshake`](crate::handshake) | opens a connection: over bytes, or behind another HTTP stack |
//! | [`Connection`](crate::Connection) | receives and sends frames, and closes; needs no allocation |
//! | [`Messages`](crate::Messages) | joins the pieces of messages |
//! | [`Deadlines`](crate::Deadlines) | says when a time limit has passed, and what is due then |
//! | [`Inflater`](crate::Inflater), [`Deflater`](crate::Deflater) | compress |
//! | [`Output`](crate::Output) | a buffer of yours, which frames are appended to |
//!
//! ## The turn of an event loop
//!
//! The opening handshake comes first, under the same
//! [`Deadlines`](crate::Deadlines#before-there-is-a-connection). Then every loop does the same in a
//! turn:
//!
//! 1. Give the connection what was read, and act on the events until there is none.
//! 2. After each event, [`transmit`](crate::Connection::transmit) what the protocol owes.
//! 3. Let the [`Deadlines`](crate::Deadlines) do what is due.
//! 4. Write the output; keep what the transport does not take, in order. Report each write by
//!    [`Deadlines::written`](crate::Deadlines::written).
//! 5. Once all of it is written, do what [`next_step`](crate::Connection::next_step) says. After
//!    [`ShutdownWrite`](crate::NextStep::ShutdownWrite) call
//!    [`write_ended`](crate::Connection::write_ended), or the loop spins.
//!
//! ```
//! use std::time::Duration;
//! use websocket_proto::{Connection, Deadlines, Event, NextStep, SendError, Server};
//!
//! /// One turn: `input` was read at the time `now`; what is to be written is appended to `out`.
//! fn turn(
//!     connection: &mut Connection<Server>,
//!     deadlines: &mut Deadlines,
//!     now: Duration,
//!     mut input: &mut [u8],
//!     out: &mut Vec<u8>,
//! ) -> Result<NextStep, SendError> {
//!     while let Some(event) = connection.receive(&mut input) {
//!         match event {
//!             Event::Text(text) => println!("{}", &*text),
//!             Event::Failed(violation) => println!("the peer broke a rule: {violation}"),
//!             _ => {}
//!         }
//!         connection.transmit(out)?;
//!     }
//!     if let Some(overdue) = deadlines.enforce(now, connection, out) {
//!         println!("{overdue}"); // a Ping, a Close or an abort
//!     }
//!     Ok(connection.next_step()) // to be followed when `out` was written
//! }
//! # use websocket_proto::{Agreed, Config};
//! # let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
//! # let mut deadlines = Deadlines::new(Duration::ZERO);
//! # let mut frame = *b"\x81\x80\0\0\0\0";
//! # let step = turn(&mut connection, &mut deadlines, Duration::ZERO, &mut frame, &mut Vec::new());
//! # assert_eq!(step, Ok(NextStep::Continue));
//! ```
//!
//! The end of the stream is [`receive_eof`](crate::Connection::receive_eof), called as soon as it
//! is seen, once or at each read. Call `transmit` after it, because a Close that is owed can still
//! be sent. A transport that broke is [`abort`](crate::Connection::abort), and so is a write that
//! failed, because what was appended to `out` counts as written.
//!
//! **Backpressure** is up to you here, because you own the buffers. Bound the output that waits for
//! a peer, and stop reading from that peer only while the bound is exceeded. A Ping from a peer
//! that does not read costs nothing: only the answer to the latest is owed, and only once.
//!
//! **Two tasks.** Put the connection and its output under one lock. Hold the lock for the length of
//! a call and never across an `await`. The writer takes the whole output and writes it without the
//! lock, so frames leave in the order of the calls.
//!
//! ## Pieces, messages, and where they lie
//!
//! [`Connection::receive`](crate::Connection::receive) returns pieces as they arrive, of messages
//! of any size, in constant memory: for files, parsers, and relays such as `examples/proxy.rs`.
//! [`Messages`](crate::Messages) joins them; use one per connection.
//!
//! Because nothing stays in the input, one read buffer serves all connections, and a message that
//! arrives in several reads is joined by a second copy. If connections are few or messages are
//! long, a buffer for each connection saves that copy: with
//! [`Messages::in_place`](crate::Messages::in_place) a message stays there until it is complete,
//! compressed or not. Its text is then validated when it is complete, not as it arrives.
//!
//! ## Without an operating system
//!
//! Without features the crate needs no allocator. A connection is 320 bytes at most, besides a
//! client's source of masking keys. The buffers are what you lend: for reading any size, one byte
//! if need be; for messages that arrive in pieces the length of the longest
//! ([`Messages::lent`](crate::Messages::lent)); for output the longest frame with its header
//! ([`SliceOutput`](crate::SliceOutput)). Only the opening handshake has to see its whole head at
//! once. `examples/bare.rs` runs in 1 KiB, and in 4 KiB with the handshake and the stack. A
//! client's masking keys come from the board's generator, through
//! [`MaskSource`](crate::MaskSource).
//!
//! The crate `websocket-proto-embedded` drives all this over `embedded-io` and `embedded-io-async`.
//!
//! **A line that has no end of stream,** such as a UART, never reports that the peer has gone. So
//! treat [`NextStep::ShutdownWrite`](crate::NextStep::ShutdownWrite) and
//! [`NextStep::AwaitEof`](crate::NextStep::AwaitEof) as the end: once all output is written, call
//! [`receive_eof`](crate::Connection::receive_eof) and drop the connection. Use
//! [`Deadlines`](crate::Deadlines), because they alone end a connection whose peer was unplugged.
//! Before the next handshake, discard input until the line has been silent for a while, because
//! bytes of the old connection may still arrive. If the line can lose bytes, put a protocol that
//! repeats them below: a lost byte shifts all frames after it, and fails the connection.
//!
//! With an allocator but without an operating system, an endpoint works too (feature `alloc`).
//!
//! ## Codecs
//!
//! A server says by [`AcceptOptions::deflate`](crate::handshake::AcceptOptions::deflate), and a
//! client by [`Offer::deflate`](crate::handshake::Offer::deflate) with
//! [`Deflate::OFFERS`](crate::Deflate::OFFERS), that it wants compression. What they agreed on is
//! in [`Agreed`](crate::Agreed) and goes into the connection, which from then on returns compressed
//! messages as [`Event::Compressed`](crate::Event::Compressed).
//!
//! **Choose the codecs by what was agreed**, not by what was wanted. Without context takeover,
//! which is what [`Deflate::new`](crate::Deflate::new) asks for, one `Inflater::shared` and one
//! `Deflater::shared` serve all connections of a thread. With it, each connection needs an
//! `Inflater::own`, a `Deflater::own`, or both, each direction as it was agreed. A server can
//! demand that neither side takes its context over. A client cannot, because some servers insist on
//! it. `ZlibCompress` has a table of a codec's memory. In addition there are buffers: up to 17 KiB
//! to inflate, and up to 64 KiB that are kept between messages to compress.
//!
//! **While a message is inflated**, `Messages` holds it: up to
//! [`Config::max_message`](crate::Config::max_message), and twice that while memory grows. Or take
//! pieces as they come ([`Inflater::inflate`](crate::Inflater::inflate)): messages of any size then
//! pass through 17 KiB.
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use websocket_proto::{
//!     Connection, Data, Deflater, Inflater, Message, Messages, SendError, Server, ZlibCompress,
//!     ZlibDecompress,
//! };
//!
//! fn echo(
//!     connection: &mut Connection<Server>,
//!     messages: &mut Messages,
//!     inflater: &mut Inflater<ZlibDecompress>,
//!     deflater: &mut Deflater<ZlibCompress>,
//!     mut input: &mut [u8],
//!     out: &mut Vec<u8>,
//! ) -> Result<(), SendError> {
//!     while let Some(message) = messages.receive_inflated(connection, inflater, &mut input) {
//!         let _ = match message {
//!             Message::Text(text) => connection.send_compressed(Data::Text(text), deflater, out),
//!             Message::Binary(data) => connection.send_binary(data, out), // not worth it, say
//!             _ => Ok(()),
//!         };
//!         connection.transmit(out)?;
//!     }
//!     Ok(())
//! }
//! # use websocket_proto::{Agreed, Config, Deflate};
//! # let agreed = Agreed::new().deflate(Deflate::new());
//! # let mut connection = Connection::new(Server, &Config::new(), agreed);
//! # let mut frame = *b"\xC1\x87\0\0\0\0\xF2\x48\xCD\xC9\xC9\x07\x00";
//! # let mut out = Vec::new();
//! # echo(
//! #     &mut connection,
//! #     &mut Messages::new(),
//! #     &mut Inflater::shared(ZlibDecompress::new()),
//! #     &mut Deflater::shared(ZlibCompress::new(6)),
//! #     &mut frame,
//! #     &mut out,
//! # )?;
//! # assert_eq!(out, b"\x81\x05Hello"); // under the threshold
//! # }
//! # Ok::<(), websocket_proto::SendError>(())
//! ```
//!
//! ## Frames that are not copied
//!
//! [`Prepared`](crate::Prepared) gives the same bytes to any number of server connections. Keep
//! them behind an `Arc` in each connection's queue, as `examples/broadcast.rs` does.
//! [`Connection::frame`](crate::Connection::frame) returns a header alone, for a payload that you
//! write from its own memory. [`frame_in_place`](crate::Connection::frame_in_place) masks a
//! client's payload in its own memory.

#![cfg_attr(
    not(feature = "alloc"),
    allow(rustdoc::broken_intra_doc_links, reason = "there is no endpoint to link to")
)]
