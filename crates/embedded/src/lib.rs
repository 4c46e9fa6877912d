#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(unreachable_pub)]

pub mod blocking;
mod memory;
mod sender;
mod time;

use core::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

pub use embedded_io;
pub use embedded_io_async;
pub use websocket_proto::handshake::{
    AcceptOptions, HandshakeError, HeadError, Offer, Request, Response, Target,
};
pub use websocket_proto::{
    self, Client, CloseCode, Closure, Connection, Data, Limit, MaskSource, Message, Role,
    SendError, Server,
};

use embedded_io_async::{Read, Write};
use websocket_proto::handshake::{ClientHandshake, ServerHandshake, reject};
use websocket_proto::{Agreed, Config, Deadlines, Messages, NextStep, Overdue};

use memory::{Input, Queue};
pub use sender::Sender;
pub use time::Clock;
use time::Time;

/// How many header lines a request or a response may have. Each takes four words of the stack while
/// the head is parsed.
const HEADERS: usize = 32;

/// The memory that a [`WebSocket`] works in.
///
/// ```
/// use websocket_proto_embedded::Buffers;
///
/// let (mut input, mut message, mut output) = ([0; 1024], [0; 512], [0; 526]);
/// let buffers = Buffers { input: &mut input, message: &mut message, output: &mut output };
/// # let _ = buffers;
/// ```
#[derive(Debug)]
pub struct Buffers<'b> {
    /// What is read. The head of the peer's handshake has to fit, which takes 1 KiB for requests of
    /// browsers. After the handshake every length but 0 works.
    pub input: &'b mut [u8],
    /// Messages that arrive in several reads or fragments are joined here. The longest message that
    /// is received, in bytes, is the length of this buffer.
    pub message: &'b mut [u8],
    /// What is written. The own head of the handshake has to fit, about 160 bytes and what the
    /// application adds to it. Later, the longest message that is sent has to fit with 14 bytes
    /// more, and a Pong, which takes 131 bytes at most.
    pub output: &'b mut [u8],
}

/// Why a method of a [`WebSocket`] failed. It prints as one line for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The transport failed. The connection has ended.
    Io(E),
    /// The peer exceeded a time limit. Reported exactly once, when the connection has ended: before
    /// that, the peer was told, and had time to answer.
    Limit(Limit),
    /// The peer's handshake breaks a rule. A server has answered with the fitting status.
    Handshake(HandshakeError),
    /// The handshake was refused with this HTTP status: by the server, or by `decide`.
    Refused(u16),
    /// The transport ended before the handshake was done.
    Ended,
    /// The arguments make no request or no response, or it does not fit in the output buffer.
    Head(HeadError),
    /// The call cannot be made now. Nothing was sent.
    Send(SendError),
}

impl<E: fmt::Debug> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Errors of `embedded-io` need not implement `Display`.
            Error::Io(error) => write!(f, "the transport failed: {error:?}"),
            Error::Limit(limit) => limit.fmt(f),
            Error::Handshake(error) => error.fmt(f),
            Error::Refused(status) => write!(f, "the handshake was refused with status {status}"),
            Error::Ended => f.write_str("the transport ended before the handshake was done"),
            Error::Head(error) => error.fmt(f),
            Error::Send(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for Error<E> {}

/// One side of a WebSocket over the transport `T` with the clock `C`: a [`Server`], or a
/// [`Client`].
///
/// Create one with [`server`](WebSocket::server) or [`client`](WebSocket::client), and open it with
/// [`accept`](WebSocket::accept) or [`connect`](WebSocket::connect). Then loop over
/// [`wait`](WebSocket::wait) and [`receive`](WebSocket::receive).
///
/// # Progress
///
/// The value reads, writes, answers Pings and keeps the time limits while one of its methods is
/// awaited, so keep awaiting `wait`. The time in which none is awaited counts as one second at most.
/// An application that takes its time loses no peer.
///
/// # Cancel safety
///
/// The futures of the transport's `read`, `write` and `flush` have to be cancel-safe, because they are
/// dropped at each deadline. Then the futures of `wait` and `send` can be dropped at any time, too. No
/// message is lost, torn or sent twice. A message whose
/// [`send`](WebSocket::send) was dropped is either not sent at all, or is written by the next call.
/// After a dropped `accept` or `connect` the connection has ended.
#[doc(alias("stream", "socket", "embassy"))]
pub struct WebSocket<'b, T, C, R> {
    transport: T,
    time: Time<C>,
    input: Input<'b>,
    messages: Messages<'b>,
    sender: Sender<'b, R>,
    deadlines: Deadlines,
    /// How the writing side is ended. `None` where the transport has no end of stream.
    shutdown: Option<fn(&mut T)>,
    stage: Stage,
    /// The first limit that was exceeded, until it is reported.
    exceeded: Option<Limit>,
    /// A deadline had passed at the latest read. If it still has after what that read brought was
    /// received, it counts.
    late: bool,
    /// The transport failed, or was given up by a deadline.
    lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In the handshake, or its future was dropped or has failed.
    Opening,
    Open,
}

impl<'b, T, C: Clock> WebSocket<'b, T, C, Server> {
    /// Creates the side of a server over a transport that is connected. Call
    /// [`accept`](WebSocket::accept) next, or go on without it if the handshake was made elsewhere.
    pub fn server(transport: T, clock: C, buffers: Buffers<'b>) -> Self {
        WebSocket::new(transport, clock, buffers, Server)
    }
}

impl<'b, T, C: Clock, M: MaskSource> WebSocket<'b, T, C, Client<M>> {
    /// Creates the side of a client over a transport that is connected. Call
    /// [`connect`](WebSocket::connect) next, or go on without it if the handshake was made
    /// elsewhere.
    ///
    /// `masks` returns four random bytes for each frame (§5.3), such as those of the board's
    /// generator. Peers must not be able to predict them.
    pub fn client(transport: T, clock: C, masks: M, buffers: Buffers<'b>) -> Self {
        WebSocket::new(transport, clock, buffers, Client(masks))
    }
}

impl<'b, T, C: Clock, R: Role> WebSocket<'b, T, C, R> {
    fn new(transport: T, clock: C, buffers: Buffers<'b>, role: R) -> Self {
        let Buffers { input, message, output } = buffers;
        // Whether a message is too long must not depend on how it arrives.
        let config = Config::new().max_message(message.len() as u64);
        let mut time = Time::new(clock);
        let now = time.tick();
        WebSocket {
            transport,
            time,
            input: Input::new(input),
            messages: Messages::lent(message),
            sender: Sender::new(Connection::new(role, &config, Agreed::new()), Queue::new(output)),
            deadlines: Deadlines::new(now),
            shutdown: None,
            stage: Stage::Open,
            exceeded: None,
            late: false,
            lost: false,
        }
    }

    /// Sets how long `limit` is, or lifts it with `None`. [`Limit`] has the defaults.
    #[must_use]
    pub fn limit(self, limit: Limit, length: Option<Duration>) -> Self {
        WebSocket { deadlines: self.deadlines.limit(limit, length), ..self }
    }

    /// Sets that the transport has an end of stream, as TCP has, and how a server ends its writing
    /// side. A client never calls `end`, because the server ends the stream first (§7.1.1).
    ///
    /// With this, the connection ends when the end of the peer's stream was read, or at
    /// [`Limit::Close`]. Without it, as on a UART, the connection ends with the closing handshake,
    /// and the application closes the transport.
    ///
    /// ```
    /// use std::net::{Shutdown, TcpStream};
    /// # use websocket_proto_embedded::{Clock, Role, WebSocket};
    /// # struct Socket(TcpStream);
    /// # fn set<C: Clock, R: Role>(ws: WebSocket<'_, Socket, C, R>) -> WebSocket<'_, Socket, C, R> {
    /// ws.shutdown(|socket| _ = socket.0.shutdown(Shutdown::Write))
    /// # }
    /// ```
    #[must_use]
    #[doc(alias = "half-close")]
    pub fn shutdown(mut self, end: fn(&mut T)) -> Self {
        self.shutdown = Some(end);
        self
    }

    /// Returns the connection, for its [state](Connection::state) and, once it has ended, its
    /// [closure](Connection::closure).
    pub const fn connection(&self) -> &Connection<R> {
        &self.sender.connection
    }

    /// Returns the transport, for its settings. Bytes that are read or written past this value are
    /// missing from the stream.
    pub const fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Returns the transport, to close it. Output that was not written is dropped.
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// Returns the next message or control event of what was read, and what sends. `None` means that
    /// [`wait`](WebSocket::wait) comes next: everything that was read is received, or output has to
    /// be written before more is received.
    ///
    /// So the answer to a message has the whole output buffer. Pings are answered without a call.
    ///
    /// ```
    /// use websocket_proto_embedded::embedded_io_async::{Read, Write};
    /// use websocket_proto_embedded::{Clock, Error, Server, WebSocket};
    ///
    /// async fn echo<T: Read + Write, C: Clock>(
    ///     mut ws: WebSocket<'_, T, C, Server>,
    /// ) -> Result<(), Error<T::Error>> {
    ///     ws.accept(|_| Ok(Default::default())).await?;
    ///     while ws.wait().await? {
    ///         while let Some((message, sender)) = ws.receive() {
    ///             if let Some(data) = message.data() {
    ///                 sender.send(data).map_err(Error::Send)?;
    ///             }
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias("next", "read"))]
    pub fn receive(&mut self) -> Option<(Message<'_>, &mut Sender<'b, R>)> {
        if self.stage != Stage::Open || !self.sender.settle() {
            return None;
        }
        let message = self.input.receive(&mut self.messages, &mut self.sender.connection)?;
        Some((message, &mut self.sender))
    }
}

impl<'b, T: Read + Write, C: Clock, R: Role> WebSocket<'b, T, C, R> {
    /// Writes the output, and reads if everything that was read before is received. Returns `true`
    /// when there may be something to [`receive`](WebSocket::receive), and `false` once the
    /// connection has ended.
    ///
    /// Call `receive` until it returns `None` before the next call, because a call with input that
    /// is not received returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Limit`], once. The connection has ended then, and later calls return
    /// `false`. What was read but not received is dropped when the transport fails.
    #[doc(alias("poll", "flush"))]
    pub async fn wait(&mut self) -> Result<bool, Error<T::Error>> {
        let Awaited(ws) = &mut Awaited::new(self);
        while ws.stage == Stage::Open {
            ws.flush().await?;
            if !ws.input.is_empty() && !ws.lost {
                return Ok(true);
            }
            ws.deadlines.update(ws.time.tick(), &ws.sender.connection);
            match (ws.sender.connection.next_step(), ws.shutdown) {
                (NextStep::Drop, _) => return ws.exceeded().map(|()| false),
                (NextStep::ShutdownWrite, Some(end)) => {
                    end(&mut ws.transport);
                    ws.sender.connection.write_ended();
                }
                // The transport has no end of stream, so this is the end of the connection.
                (NextStep::ShutdownWrite | NextStep::AwaitEof, None) => {
                    ws.sender.connection.receive_eof();
                }
                (NextStep::Continue | NextStep::AwaitEof, _) => {
                    ws.input.clear();
                    if ws.read().await? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Writes the output that waits, makes `call`, and writes what that sends.
    ///
    /// Nothing is received meanwhile. A peer that does not read either is ended by
    /// [`Limit::Output`].
    ///
    /// ```
    /// # use websocket_proto_embedded::embedded_io_async::{Read, Write};
    /// # use websocket_proto_embedded::{Clock, Error, Role, WebSocket};
    /// # async fn send<T: Read + Write, C: Clock, R: Role>(
    /// #     mut ws: WebSocket<'_, T, C, R>,
    /// # ) -> Result<(), Error<T::Error>> {
    /// ws.send(|sender| sender.text("23.5")).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Send`] with the error of `call`, or with [`SendError::Closing`] once the connection
    /// has ended; [`Error::Io`] and [`Error::Limit`] as for [`wait`](WebSocket::wait).
    #[doc(alias("write", "text", "binary"))]
    pub async fn send(
        &mut self,
        call: impl FnOnce(&mut Sender<'b, R>) -> Result<(), SendError>,
    ) -> Result<(), Error<T::Error>> {
        let Awaited(ws) = &mut Awaited::new(self);
        if ws.stage != Stage::Open {
            return Err(Error::Send(SendError::Closing));
        }
        ws.flush().await?;
        ws.still_there()?;
        call(&mut ws.sender).map_err(Error::Send)?;
        ws.flush().await?;
        ws.still_there()
    }

    /// Starts the closing handshake and drives the connection to its end (§7.1.2). Messages that
    /// still arrive are discarded. A `reason` that is too long for a Close is cut.
    ///
    /// # Errors
    ///
    /// As for [`wait`](WebSocket::wait), and [`SendError::InvalidCloseCode`] for 1010 from a server.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error<T::Error>> {
        match self.send(|sender| sender.close(code, reason)).await {
            // It is closing already, or a message to the peer waits for its last fragment.
            Ok(()) | Err(Error::Send(SendError::Closing)) => {}
            error => return error,
        }
        while self.wait().await? {
            while self.receive().is_some() {}
        }
        Ok(())
    }

    /// Writes all output, and has the transport pass it on. What the protocol owes goes with it.
    async fn flush(&mut self) -> Result<(), Error<T::Error>> {
        self.sender.settle();
        while !self.lost && !self.sender.is_flushed() {
            match self.write().await {
                // The deadline has passed, and the transport still takes nothing.
                None => {
                    self.blocked();
                    self.enforce();
                }
                Some(Ok(Some(0))) => self.give_up(),
                Some(Ok(Some(length))) => {
                    self.sender.written(length);
                    let waiting = self.sender.out.len();
                    self.deadlines.written(self.time.tick(), length, waiting);
                }
                // No byte of the peer says that it has read anything.
                Some(Ok(None)) => {
                    self.sender.flushed();
                    self.deadlines.written(self.time.tick(), 0, 0);
                }
                Some(Err(error)) => return self.failed(error),
            }
        }
        Ok(())
    }

    /// Writes once, or flushes the transport (`Ok(None)`) if all is written. Returns `None` at the
    /// next deadline.
    async fn write(&mut self) -> Option<Result<Option<usize>, T::Error>> {
        let WebSocket { transport, time, sender, deadlines, .. } = self;
        let (bytes, waiting) = (sender.out.bytes(), sender.out.len().max(1));
        let write = async {
            match bytes {
                [] => transport.flush().await.map(|()| None),
                bytes => transport.write(bytes).await.map(Some),
            }
        };
        let mut write = pin!(write);
        // Only a write that is not done at once has to wait for the peer.
        let first = poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await;
        if let Poll::Ready(written) = first {
            return Some(written);
        }
        let now = time.tick();
        deadlines.written(now, 0, waiting);
        deadlines.unread(now);
        let deadline = deadlines.next();
        within(write, time.until(deadline)).await
    }

    /// Notes that output waits for the peer, from which nothing is read meanwhile.
    fn blocked(&mut self) {
        let now = self.time.tick();
        self.deadlines.written(now, 0, self.sender.out.len().max(1));
        self.deadlines.unread(now);
    }

    /// Reads once into the free input. Returns `false` at the end of the stream and when a deadline
    /// has changed something.
    async fn read(&mut self) -> Result<bool, Error<T::Error>> {
        let now = self.time.tick();
        let deadline = self.deadlines.next();
        // What lies unread in the transport counts before a deadline that has passed.
        let late = deadline.is_some_and(|(at, _)| at <= now);
        if late && self.late {
            self.enforce();
            return Ok(false);
        }
        self.late = late;
        let WebSocket { transport, time, input, .. } = self;
        match within(transport.read(input.room()), time.until(deadline)).await {
            None => {
                self.enforce();
                Ok(false)
            }
            Some(Ok(0)) => {
                // What is still owed cannot be sent: the output has no room for it, or there is no
                // key. The end would be read again and again.
                if self.sender.connection.wants_transmit() {
                    self.give_up();
                }
                self.sender.connection.receive_eof();
                Ok(false)
            }
            Some(Ok(length)) => {
                self.input.filled(length);
                Ok(true)
            }
            Some(Err(error)) => self.failed(error).map(|()| false),
        }
    }

    /// Ends the connection because the transport failed. The reason that is reported is the limit that
    /// was exceeded before, if there is one. After a Close went each way, a failure is how some
    /// peers end the transport, and no error (§7.1.4).
    fn failed(&mut self, error: T::Error) -> Result<(), Error<T::Error>> {
        self.give_up();
        self.exceeded()?;
        match self.sender.connection.closure() {
            Some(closure) if closure.clean => Ok(()),
            _ => Err(Error::Io(error)),
        }
    }

    /// Does what is due. Its caller has found that the transport has nothing for us now.
    fn enforce(&mut self) {
        self.late = false;
        let now = self.time.tick();
        let overdue = match self.stage {
            Stage::Opening => self.deadlines.expired(now),
            Stage::Open => {
                let Sender { connection, out, .. } = &mut self.sender;
                self.deadlines.enforce(now, connection, out)
            }
        };
        match overdue {
            Some(Overdue::Close(limit)) => _ = self.exceeded.get_or_insert(limit),
            Some(Overdue::Abort(limit)) => {
                self.exceeded.get_or_insert(limit);
                self.give_up();
            }
            _ => {}
        }
    }

    /// Ends the connection without the transport.
    fn give_up(&mut self) {
        self.lost = true;
        self.sender.connection.abort();
        self.sender.clear();
        self.input.clear();
    }

    /// Reports a limit that was exceeded, once.
    fn exceeded(&mut self) -> Result<(), Error<T::Error>> {
        self.exceeded.take().map_or(Ok(()), |limit| Err(Error::Limit(limit)))
    }

    /// Whether the connection has not ended.
    fn still_there(&mut self) -> Result<(), Error<T::Error>> {
        if self.lost {
            self.exceeded()?;
            return Err(Error::Send(SendError::Closing));
        }
        Ok(())
    }

    /// Goes on after a handshake that has succeeded, with the input after its first `head` bytes.
    async fn opened(&mut self, head: usize) -> Result<(), Error<T::Error>> {
        self.input.take(head);
        self.flush().await?;
        if self.lost {
            self.exceeded()?;
            return Err(Error::Ended);
        }
        self.deadlines.update(self.time.tick(), &self.sender.connection);
        self.stage = Stage::Open;
        Ok(())
    }

    /// Reads more of a head. Returns an error if no more comes.
    async fn read_head(&mut self) -> Result<(), Error<T::Error>> {
        if self.read().await? {
            return Ok(());
        }
        self.exceeded()?;
        match self.sender.connection.next_step() {
            NextStep::Drop => Err(Error::Ended),
            _ => Ok(()),
        }
    }
}

impl<'b, T: Read + Write, C: Clock> WebSocket<'b, T, C, Server> {
    /// Makes the opening handshake of a server (§4.2). `decide` looks at the request, and returns
    /// how to accept it, or the HTTP status that refuses it.
    ///
    /// A server that trusts cookies has to check the [origin](Request::is_same_origin). Agree to no
    /// compression here, because this crate has none.
    ///
    /// ```
    /// # use websocket_proto_embedded::embedded_io_async::{Read, Write};
    /// # use websocket_proto_embedded::{AcceptOptions, Clock, Error, Server, WebSocket};
    /// # async fn accept<T: Read + Write, C: Clock>(
    /// #     mut ws: WebSocket<'_, T, C, Server>,
    /// # ) -> Result<(), Error<T::Error>> {
    /// ws.accept(|request| match request.resource().path() {
    ///     "/sensor" => Ok(AcceptOptions::new()),
    ///     _ => Err(404),
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Error::Handshake`] and [`Error::Refused`], after the client was sent the status.
    /// - [`Error::Limit`] for a client that takes too long, after it was sent status 408.
    /// - [`Error::Head`]: what `decide` returned makes no response, or it does not fit.
    /// - [`Error::Ended`] and [`Error::Io`].
    ///
    /// The connection has ended then: close the transport.
    #[doc(alias("upgrade", "reject"))]
    pub async fn accept(
        &mut self,
        decide: impl for<'h> FnOnce(&Request<'h>) -> Result<AcceptOptions<'h>, u16>,
    ) -> Result<(), Error<T::Error>> {
        let Awaited(ws) = &mut Awaited::new(self);
        ws.stage = Stage::Opening;
        let handshake = ServerHandshake::new().max_head(ws.input.capacity());
        let mut handshake = handshake.max_headers::<HEADERS>();
        loop {
            let out = &mut ws.sender.out;
            let mut rest = ws.input.bytes();
            let length = rest.len();
            let refused = match handshake.receive(&mut rest) {
                Ok(Some(request)) => match decide(&request) {
                    Ok(options) => {
                        request.accept(&options, out).map_err(Error::Head)?;
                        let head = length.saturating_sub(rest.len());
                        return ws.opened(head).await;
                    }
                    Err(status) => {
                        reject(status, &[], b"", out).map_err(Error::Head)?;
                        Error::Refused(status)
                    }
                },
                Ok(None) => match ws.read_head().await {
                    Ok(()) => continue,
                    Err(Error::Limit(Limit::Handshake)) => {
                        reject(408, &[], b"", &mut ws.sender.out).map_err(Error::Head)?;
                        Error::Limit(Limit::Handshake)
                    }
                    error => return error,
                },
                Err(error) => {
                    error.respond(out).map_err(Error::Head)?;
                    Error::Handshake(error)
                }
            };
            ws.refuse().await;
            return Err(refused);
        }
    }

    /// Writes the response that refuses a handshake, and ends the transport as far as it has an end.
    /// The limit of closing counts, and errors say nothing more than the refusal.
    async fn refuse(&mut self) {
        self.deadlines.closing(self.time.tick());
        let flushed = self.flush().await;
        if let (Ok(()), false, Some(end)) = (flushed, self.lost, self.shutdown) {
            end(&mut self.transport);
            while self.sender.connection.next_step() != NextStep::Drop {
                self.input.clear();
                _ = self.read().await;
            }
        }
        self.give_up();
        self.exceeded = None;
    }
}

impl<'b, T: Read + Write, C: Clock, M: MaskSource> WebSocket<'b, T, C, Client<M>> {
    /// Makes the opening handshake of a client (§4.1) over a transport that is connected to the
    /// [host](Target::host) and the port of `target`.
    ///
    /// `nonce` is 16 random bytes, drawn for this handshake and no other. `seen` is called with the
    /// response, for the subprotocol or the headers of a refusal. Compression that `offer` names is
    /// not offered, because this crate has none.
    ///
    /// ```
    /// # use websocket_proto_embedded::embedded_io_async::{Read, Write};
    /// # use websocket_proto_embedded::{Client, Clock, Error, MaskSource, Offer, Target, WebSocket};
    /// # async fn connect<T: Read + Write, C: Clock, M: MaskSource>(
    /// #     mut ws: WebSocket<'_, T, C, Client<M>>,
    /// #     nonce: [u8; 16],
    /// # ) -> Result<(), Error<T::Error>> {
    /// let target = Target::parse("ws://example.com/sensor").expect("a valid target");
    /// ws.connect(&target, &Offer::new(), nonce, |_| ()).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`Error::Handshake`]: the response breaks a rule. [`Error::Refused`]: it is no acceptance.
    /// - [`Error::Head`]: the arguments make no request, or it does not fit in the output.
    /// - [`Error::Limit`], [`Error::Ended`] and [`Error::Io`].
    ///
    /// The connection has ended then: close the transport.
    pub async fn connect(
        &mut self,
        target: &Target<'_>,
        offer: &Offer<'_>,
        nonce: [u8; 16],
        seen: impl FnOnce(&Response<'_>),
    ) -> Result<(), Error<T::Error>> {
        let Awaited(ws) = &mut Awaited::new(self);
        ws.stage = Stage::Opening;
        let offer = offer.deflate(&[]);
        let handshake = ClientHandshake::start(target, &offer, nonce, &mut ws.sender.out);
        let handshake = handshake.map_err(Error::Head)?.max_head(ws.input.capacity());
        let mut handshake = handshake.max_headers::<HEADERS>();
        ws.flush().await?;
        loop {
            let mut rest = ws.input.bytes();
            let length = rest.len();
            if let Some(response) = handshake.receive(&mut rest).map_err(Error::Handshake)? {
                seen(&response);
                if let Response::Refused(refused) = response {
                    return Err(Error::Refused(refused.status()));
                }
                let head = length.saturating_sub(rest.len());
                return ws.opened(head).await;
            }
            ws.read_head().await?;
        }
    }
}

/// Waits for `io`, but not longer than for `end`.
async fn within<F: Future>(io: F, end: impl Future<Output = ()>) -> Option<F::Output> {
    let (mut io, mut end) = (pin!(io), pin!(end));
    poll_fn(|context| match io.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// Counts the time until the future of a method is ready or dropped. The time before it began counts
/// as one second at most, because the application had no method awaited then.
struct Awaited<'a, 'b, T, C: Clock, R>(&'a mut WebSocket<'b, T, C, R>);

impl<'a, 'b, T, C: Clock, R> Awaited<'a, 'b, T, C, R> {
    fn new(ws: &'a mut WebSocket<'b, T, C, R>) -> Self {
        ws.time.resume();
        Awaited(ws)
    }
}

impl<T, C: Clock, R> Drop for Awaited<'_, '_, T, C, R> {
    fn drop(&mut self) {
        self.0.time.tick();
    }
}

impl<T, C, R> fmt::Debug for WebSocket<'_, T, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("stage", &self.stage).finish_non_exhaustive()
    }
}
