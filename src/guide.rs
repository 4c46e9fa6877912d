//! How to build on this crate: a guide, with no code of its own.
//!
//! - [Driving the machine from an event loop](#driving-the-machine-from-an-event-loop)
//! - [Wrapping it for an async runtime](#wrapping-it-for-an-async-runtime)
//! - [Without an operating system](#without-an-operating-system)
//! - [Compression](#compression)
//! - [Closing, half-close and who closes first](#closing-half-close-and-who-closes-first)
//! - [Reconnecting and shutting down](#reconnecting-and-shutting-down)
//! - [The rules that are yours](#the-rules-that-are-yours)
//! - [Limits and what each protects from](#limits-and-what-each-protects-from)
//! - [Security](#security)
//! - [Behind a proxy](#behind-a-proxy)
//! - [Scaling](#scaling)
//! - [Fuzzing an application built on it](#fuzzing-an-application-built-on-it)
//!
//! # Driving the machine from an event loop
//!
//! A connection has one input, one output and no opinion about time. Every loop around it does the
//! same five things in a turn, whatever wakes it. The [opening handshake](crate::handshake) comes
//! first, under the same [`Deadlines`](crate::Deadlines#before-there-is-a-connection):
//!
//! 1. Give it what was read, and act on the events until there is none.
//! 2. After each event, [`transmit`](crate::Connection::transmit) what the protocol owes.
//! 3. Write the output; keep what the transport does not take, in order.
//! 4. Once all of it is written, do what [`next_step`](crate::Connection::next_step) says.
//! 5. Let its [`Deadlines`](crate::Deadlines) do what is due, and wait for the next one.
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
//! What the transport tells becomes one call each: bytes are `receive`, the end of stream is
//! [`receive_eof`](crate::Connection::receive_eof), and every error is
//! [`abort`](crate::Connection::abort), unless it only says to try again (`WouldBlock`, `TimedOut`,
//! `Interrupted`). A write that fails is an `abort` too: what was handed to
//! `out` counts as written. A deadline that has passed is told to the peer with a Close, 1011 for
//! silence and 1008 for slowness, and ends with an `abort` if no answer comes in time.
//!
//! **Backpressure** is yours, since the buffers are. Bound the output that waits for a peer, and stop
//! reading from that peer only while the bound is exceeded. `examples/echo_server.rs` shows it with
//! `mio`. Do not wait for all output to be written before each read. If the peer does the same and each
//! side has more to write than the buffers of the transport hold, both wait until a deadline ends
//! them. A loop over a blocking socket cannot avoid such a wait alone: queue a little at a time, or
//! write from a [second thread](#wrapping-it-for-an-async-runtime). A Ping from a peer that does not
//! read costs nothing: only the answer to the latest is owed, and only once. Report each write by
//! [`Deadlines::written`](crate::Deadlines::written): then a peer that reads slowly is told from one
//! that is gone, and one that hardly reads is ended.
//!
//! **Pieces or messages.** [`Connection::receive`](crate::Connection::receive) hands out pieces as
//! they arrive, of messages of any size, in constant memory: for files, proxies, parsers.
//! [`Messages`](crate::Messages) joins them: for everything else. Use one `Messages` per connection.
//!
//! **One buffer, or one for each connection.** Since nothing stays in the input, one read buffer serves all
//! connections, and a message that arrives in several reads is joined by a second copy. If connections are
//! few or messages are long, a buffer for each connection saves that copy: with
//! [`Messages::in_place`](crate::Messages::in_place) a message stays there until it is complete, compressed
//! or not. Its text is then validated when it is complete, not as it arrives.
//!
//! # Wrapping it for an async runtime
//!
//! Put the connection and its output under one lock, share it between a task that reads and one that
//! writes, and hold the lock for the length of a call and never across an `await`:
//!
//! - The reader awaits bytes, locks, receives, transmits, unlocks, and wakes the writer.
//! - Whoever sends locks, sends into the output, unlocks, and wakes the writer.
//! - The writer locks, takes the whole output away, unlocks, and writes it. Since there is one
//!   output, frames leave in the order of the calls, and a Pong never tears a message apart.
//!
//! There are no halves to split a connection into: a closing handshake and a Pong concern both
//! directions, so halves would have to talk to each other behind your back. Nothing that is awaited
//! holds any of the connection's state, so a read that is cancelled loses nothing.
//! `examples/tokio.rs` is such a wrapper, with deadlines and TLS.
//!
//! **Threads and blocking sockets** work alike. One thread reads from the stream and another writes to
//! a `try_clone` of it, with a `Mutex` around the connection and its output and a `Condvar` for the
//! writer. Any thread can send: it locks, sends into the output, unlocks and notifies the writer, as the
//! reader does after each read. The writer takes the whole output away under the lock and writes it without the lock. Once nothing is
//! left, the writer follows [`next_step`](crate::Connection::next_step). On an error it calls
//! [`abort`](crate::Connection::abort) and shuts the stream down both ways, which wakes the reader.
//!
//! # Without an operating system
//!
//! Without features the crate needs no allocator. A connection is 320 bytes at most, besides a
//! client's source of masking keys; the buffers are what you lend: for reading any size, one byte if need be; for messages that arrive in pieces the
//! length of the longest ([`Messages::lent`](crate::Messages::lent)); for output the longest frame
//! with its header ([`SliceOutput`](crate::SliceOutput)). Only the opening handshake has to see its
//! whole head at once. `examples/bare.rs` runs in 1 KiB, and in 4 KiB with the handshake and the
//! stack. A client's masking keys come from the board's generator, through
//! [`MaskSource`](crate::MaskSource).
//!
//! # Compression
//!
//! With permessage-deflate (RFC 7692) JSON shrinks to between a half and a quarter. It takes the
//! processor some ten times longer to receive, and a hundred times longer to send, than without: see
//! `bench`. It is off until both sides want it: a server
//! by [`AcceptOptions::deflate`](crate::handshake::AcceptOptions::deflate), a client by
//! [`Offer::deflate`](crate::handshake::Offer::deflate) with
//! [`Deflate::OFFERS`](crate::Deflate::OFFERS). What they agreed on is in
//! [`Agreed`](crate::Agreed) and goes into the connection, which from then on hands out compressed
//! messages as [`Event::Compressed`](crate::Event::Compressed). The codecs are values of their own,
//! with the feature `deflate` or brought by you; where they live decides what compression costs.
//!
//! **Shared codecs.** Without context takeover, which is what [`Deflate::new`](crate::Deflate::new)
//! asks for, each message stands alone. One `Inflater::shared` and one `Deflater::shared` serve all
//! connections of a thread, and an idle connection costs no more than one without compression.
//!
//! **Own codecs.** With context takeover a message may refer to those before it: of 1 KiB of JSON a
//! quarter is left, and half without. Each connection then has an `Inflater::own`, a `Deflater::own`, or
//! both, each direction as it was agreed: 79 KiB to inflate and 134 to 372 KiB to compress (the
//! table is at `ZlibCompress`). Buffers come to it: up to 17 KiB to inflate, and up to 64 KiB that
//! are kept between messages to compress.
//!
//! **While a message is inflated**, `Messages` holds it: up to
//! [`Config::max_message`](crate::Config::max_message), and twice that while memory grows. With an
//! own inflater it is held from its first fragment to its last, and a byte of DEFLATE inflates to
//! more than a thousand. So with the default limit a peer fills 16 MiB by sending 16 KiB of a
//! message that it never ends. Set the limit so that you can afford it for every connection, or
//! take pieces as they come ([`Inflater::inflate`](crate::Inflater::inflate)): messages of any size
//! then pass through 17 KiB.
//!
//! **Choose the codecs by what was agreed**, not by what was wanted. A server can demand that
//! neither side takes its context over. A client cannot, because some servers insist on it: with
//! [`Deflate::OFFERS`](crate::Deflate::OFFERS) a client needs own codecs for those servers.
//!
//! **Safari 15** (macOS 12, iOS 15) ignores `client_no_context_takeover`. Its messages refer to
//! earlier ones even if it agreed that they do not, so with a shared inflater its second compressed
//! message can fail with close code 1007. Nor does Safari 15 support `client_max_window_bits`.
//! The setting that survives is an own inflater for each connection and
//! `Deflate { client_no_context_takeover: false, ..Deflate::new() }`; the server's own messages may
//! still go without context takeover.
//!
//! A loop looks the same for all of them:
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
//! [`Config::max_message`](crate::Config::max_message) counts what a message inflates to, so a bomb
//! stops at the limit. Compression is a choice for each message: what is short, or compressed
//! already, or mixes a [secret](#security) with what others choose, goes by `send_text`.
//!
//! # Closing, half-close and who closes first
//!
//! A connection ends cleanly when each side has sent a Close and received one, and then the
//! transport ends (§7.1.1). The server ends it first, so that the state which TCP keeps for minutes
//! after the first close stays with the server, and a client can reconnect from the same port:
//!
//! - [`NextStep::ShutdownWrite`](crate::NextStep::ShutdownWrite), on a server: end the writing side
//!   (`shutdown` on TCP, `close_notify` and then `shutdown` on TLS, END_STREAM on HTTP/2), once, and
//!   call [`write_ended`](crate::Connection::write_ended). Each `shutdown` wakes an edge-triggered
//!   epoll, so a loop that repeats it spins.
//! - [`NextStep::AwaitEof`](crate::NextStep::AwaitEof), on a client, and on a server after that: go on
//!   reading until the end, and drop what comes. Closing with input unread makes TCP send a reset,
//!   which can destroy the Close that the peer has not read yet.
//! - Both within the time of [`Limit::Close`](crate::Limit::Close): a peer that never ends would hold
//!   the transport for ever.
//! - [`NextStep::Drop`](crate::NextStep::Drop): close it. A stream of HTTP/2 ends with END_STREAM if
//!   the [`closure`](crate::Connection::closure) is clean and is reset with CANCEL if not.
//!
//! TCP can end in one direction only. A WebSocket cannot: the end of stream without a Close is the
//! end of the connection, reported as 1006 and not clean. One thing can still be sent after the
//! peer's end of stream: the Close that is owed. The next
//! [`transmit`](crate::Connection::transmit) appends it, and then the step is to drop the transport.
//! Call [`receive_eof`](crate::Connection::receive_eof) as soon as the end is seen, once or at each
//! read, and `transmit` after it.
//!
//! # Reconnecting and shutting down
//!
//! **A client reconnects** after a random delay of some seconds, and after a longer one each time that
//! this fails (§7.2.3). What makes another attempt worth it is the outcome of the last one:
//!
//! | outcome | try again |
//! |---|---|
//! | dialling or TLS failed, or a deadline passed | yes, unless the certificate is not valid |
//! | [`Refused`](crate::handshake::Refused) with 503, or with 429: not before its Retry-After | yes |
//! | [`Refused`](crate::handshake::Refused) with 3xx, 401, 403 or 404 | no: something has to change first |
//! | a [`HandshakeError`](crate::handshake::HandshakeError) | no: this is not the server that was meant |
//! | [`Closure::code`](crate::Closure::code) is 1001, 1006 without a `failure`, 1012 or 1013 | yes |
//! | another code, or a [`failure`](crate::Closure::failure) | no, unless the application knows better |
//!
//! **A server shuts down** in three steps. It stops accepting. It calls
//! [`close`](crate::Connection::close) with [`GOING_AWAY`](crate::CloseCode::GOING_AWAY) on each
//! connection and writes the output. It then runs its loop until each connection has a
//! [`closure`](crate::Connection::closure), which takes no longer than
//! [`Limit::Close`](crate::Limit::Close) after the peer has taken the output that waited. For many
//! clients, close a part of them at a time, so that they do not all reconnect at once.
//!
//! # The rules that are yours
//!
//! Some rules of RFC 6455 speak of transports, clocks and policies. For each there is a signal that
//! tells what to do:
//!
//! | rule | signal |
//! |---|---|
//! | non-ASCII hosts are converted first (§11.1) | [`TargetError::NonAscii`](crate::handshake::TargetError) |
//! | one attempt per address at a time (§4.1) | a [`ClientHandshake`](crate::handshake::ClientHandshake) lives as long as its attempt: count them |
//! | whom to dial, TLS before the first byte (§4.1, §10.6) | [`Target`](crate::handshake::Target): `host`, `port`, `secure`; it prints as the URI for a proxy |
//! | the transport or TLS fails (§4.1, §4.2.2, §7.2.1) | drop the handshake value; [`abort`](crate::Connection::abort) a connection |
//! | a response other than 101 is plain HTTP (§4.1, §4.4) | [`Refused`](crate::handshake::Refused): status, headers, `versions`; the body stays in the input |
//! | origin, resource, authentication (§4.2.2, §10.1, §10.2) | [`Request`](crate::handshake::Request), all of it untrusted, and [`reject`](crate::handshake::reject) |
//! | unpredictable keys (§5.3) | [`MaskSource`](crate::MaskSource) |
//! | all output is written, once and in order (§6.1) | the bytes appended to [`Output`](crate::Output) |
//! | when the transport ends, and who ends it (§5.5.1, §7.1.1) | [`next_step`](crate::Connection::next_step); [`write_ended`](crate::Connection::write_ended) says that it was followed |
//! | the peer's reason is not for users (§5.5.1) | it stands in [`Event::Close`](crate::Event::Close) only |
//! | a failure is logged (§7.1.7) | [`Event::Failed`](crate::Event::Failed) |
//! | applications close when they like, with their codes (§7.3, §7.4.1) | [`close`](crate::Connection::close) |
//! | extended CONNECT only where the server allows it (RFC 8441 §3) | [`ClientRequest::connect`](crate::handshake::ClientRequest::connect) asks for it |
//! | streams end with END_STREAM or FIN, and are reset by an abort (RFC 8441 §5, RFC 9220 §3) | [`next_step`](crate::Connection::next_step) |
//! | secrets are not compressed beside what others choose (RFC 7692 §8) | the choice for each message: `send_compressed`, or [`send_text`](crate::Connection::send_text) |
//! | a client reconnects with growing delays (§7.2.3) | [`closure`](crate::Connection::closure): see [above](#reconnecting-and-shutting-down) |
//!
//! # Limits and what each protects from
//!
//! | limit | protects from |
//! |---|---|
//! | [`Config::max_message`](crate::Config::max_message) | messages, or endless fragments of one, that fill the memory, also those that inflate to much |
//! | [`max_head`](crate::handshake::ServerHandshake::max_head), [`max_headers`](crate::handshake::ServerHandshake::max_headers) | heads that never end |
//! | [`Limit::Handshake`](crate::Limit::Handshake) | peers that connect and say nothing, or one byte a minute |
//! | [`Limit::Idle`](crate::Limit::Idle), [`Limit::Pong`](crate::Limit::Pong) | peers that are gone without a word, and middleboxes that forget idle connections |
//! | [`Limit::Message`](crate::Limit::Message) | peers that send a byte of a message now and then |
//! | [`Limit::Output`](crate::Limit::Output) | peers that read nothing, or less than 1 KiB a second |
//! | [`Limit::Close`](crate::Limit::Close) | peers that never finish closing |
//! | your bound on waiting output | peers that read slowly, and hold all of it for long |
//! | your bound on connections, per address and in all | peers that open many |
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
//! poison caches of proxies that take them for HTTP. It depends on keys that the script cannot
//! foresee, a fresh one for each frame: never a counter or a constant outside of tests.
//!
//! **TLS** protects against everybody on the way; masking does not. Use `wss`.
//!
//! **The peer's text** in close reasons and messages is the peer's: log it escaped, and do not show a
//! close reason to users.
//!
//! **Compression and secrets.** Where compressed messages mix a secret with text that an attacker
//! chooses, their length tells about the secret. Send such messages uncompressed. With context
//! takeover that holds for all messages of a connection together.
//!
//! # Behind a proxy
//!
//! A reverse proxy passes a WebSocket on only if its configuration allows the upgrade. The lines below
//! are the ones that matter. They were tried with nginx 1.22, HAProxy 2.6, Apache 2.4.71, Caddy 2.6 and
//! Envoy 1.40.
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
//! Envoy, in the `HttpConnectionManager`, in its route, and in the `HttpProtocolOptions` of a cluster
//! that speaks HTTP/2:
//!
//! ```text
//! upgrade_configs: [{ upgrade_type: websocket }]
//! routes: [{ match: { prefix: "/" }, route: { cluster: echo } }]
//! explicit_http_config: { http2_protocol_options: { allow_connect: true } }
//! ```
//!
//! **Host.** nginx and Apache replace Host by the address that they connect to, unless the
//! configuration says otherwise. [`is_same_origin`] is then false for every page, and a server that
//! checks it refuses all browsers. Pass Host on: `proxy_set_header Host $http_host` in nginx (`$host`
//! loses the port), `ProxyPreserveHost On` in Apache. The alternative is a list of allowed origins
//! with [`is_origin_in`], which does not depend on Host. HAProxy, Caddy and Envoy pass Host on by themselves. Do not trust
//! X-Forwarded-Host for this check unless your proxy sets it, because any client can send it.
//!
//! **Idle connections.** A proxy closes a connection on which nothing has moved for some time, and the
//! client reports 1006. The Ping of [`Limit::Idle`](crate::Limit::Idle) prevents this because it is
//! due after 20 seconds of silence. If you raise that limit, or send no Pings, raise the limit of the
//! proxy too:
//!
//! | proxy | setting | a silent connection |
//! |---|---|---|
//! | nginx | `proxy_read_timeout` | closed after 60 s by default |
//! | Apache | `Timeout`, `ProxyTimeout` | closed after 60 s by default; Debian sets 300 s |
//! | HAProxy | `timeout tunnel`, or `client` and `server` if it is not set | closed after the time that is set |
//! | Envoy | `stream_idle_timeout` | closed after 300 s by default |
//! | Caddy | none by default | open after 330 s |
//!
//! **Closing.** When the server closes while the client is still sending, nginx and HAProxy may drop
//! the server's Close, and the client reports 1006 instead of the code. This happens with a message
//! that is too long, for example.
//!
//! **HTTP/2.** A WebSocket over HTTP/2 looks unclean when its tab is closed or leaves the page. Chromium
//! sends the Close and RST_STREAM together, and the server may see only the reset: its
//! [`closure`](crate::Connection::closure) is 1006. Do not log this as a failure.
//!
//! [`is_same_origin`]: crate::handshake::Request::is_same_origin
//! [`is_origin_in`]: crate::handshake::Request::is_origin_in
//!
//! # Scaling
//!
//! An idle server connection is a value of at most 320 bytes and has no heap; `Messages` and
//! `Deadlines` beside it are about 300 more: a million of them are 600 megabytes before the
//! operating system's share, which is larger; [compression](#compression) adds nothing to it without
//! context takeover. (A client also holds its source of masking keys, 264
//! bytes for `SystemMask`.) One read buffer serves all connections of a
//! thread, since nothing stays in it when `receive` returns `None`.
//!
//! To send one message to many, encode it once: `Prepared` hands the same bytes to any number of
//! server connections; keep them behind an `Arc` in each connection's queue
//! (`examples/broadcast.rs`). Drop a subscriber that falls too far behind.
//!
//! One thread per core with connections of its own, each with its own loop, needs no lock; the
//! listening socket is shared (`SO_REUSEPORT`). Between processes and machines, messages go through a
//! broker: each process subscribes once for all its connections, and prepares each message once.
//!
//! # Fuzzing an application built on it
//!
//! The machine is a pure function of its calls, so a fuzz target needs no sockets. Random bytes
//! hardly ever become a complete masked frame, so a target that feeds them in directly exercises this
//! crate and never reaches your code. Let the fuzzer choose messages instead, and let a client of this
//! crate frame them with a mask key of zero: the fuzzer's bytes then reach your handler unchanged. Raw
//! bytes in between show what your handler does when the peer breaks the protocol.
//!
//! After `cargo fuzz init`, add `websocket-proto` to `fuzz/Cargo.toml`, so that it has:
//!
//! ```toml
//! [dependencies]
//! libfuzzer-sys = "0.4"
//! websocket-proto = "0.1"
//! your-application = { path = ".." }
//! ```
//!
//! Put the target into `fuzz/fuzz_targets/fuzz_target_1.rs`. Run it with
//! `cargo +nightly fuzz run fuzz_target_1`. The first build takes some minutes. The target begins with
//! `#![no_main]` and ends with
//! `libfuzzer_sys::fuzz_target!(|steps: Vec<(bool, &[u8])>| fuzz(&steps));`:
//!
//! ```
//! use std::str;
//! use websocket_proto::{Agreed, Client, Config, Connection, Message, Messages, Server};
//!
//! /// Each step is what one read returns: a whole message if the flag is set, else raw bytes.
//! fn fuzz(steps: &[(bool, &[u8])]) {
//!     let mut client = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
//!     let mut server = Connection::new(Server, &Config::new(), Agreed::new());
//!     let (mut messages, mut out) = (Messages::new(), Vec::new());
//!     for &(is_message, bytes) in steps {
//!         let mut read = Vec::new();
//!         match (is_message, str::from_utf8(bytes)) {
//!             (true, Ok(text)) => client.send_text(text, &mut read).expect("the client is open"),
//!             (true, Err(_)) => client.send_binary(bytes, &mut read).expect("the client is open"),
//!             (false, _) => read.extend_from_slice(bytes),
//!         }
//!         let mut input = &mut read[..];
//!         while let Some(message) = messages.receive(&mut server, &mut input) {
//!             if let Message::Text(text) = message {
//!                 let answer = your_application(text);
//!                 // Once the server is closing, it refuses to send.
//!                 let _ = server.send_text(&answer, &mut out);
//!             }
//!             server.transmit(&mut out).expect("a vector has room");
//!         }
//!     }
//! }
//! # thread_local!(static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
//! # fn your_application(text: &str) -> String {
//! #     CALLS.with(|calls| calls.set(calls.get() + 1));
//! #     text.to_uppercase()
//! # }
//! # fuzz(&[(true, b"one"), (false, b"\x81\x81\0\0"), (false, b"\0\0a"), (true, b"two"), (true, b"\xFF")]);
//! # assert_eq!(CALLS.get(), 3); // the whole messages, and the one that was split by hand
//! ```
