#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod connect;
mod halves;
mod message;

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::{fmt, future::poll_fn, io, mem, num::NonZero, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, error::Elapsed, sleep_until};
use tokio::{sync::mpsc, task::coop};
#[cfg(feature = "tls")]
pub use tokio_rustls;
#[cfg(feature = "deflate")]
pub use websocket_proto::endpoint::ZlibStock;
pub use websocket_proto::endpoint::{
    Cause, Compression, Ending, Endpoint, Incoming, Options, Sender, Waiting,
};
pub use websocket_proto::handshake::{AcceptOptions, HeadError, Offer, Target, TargetError};
pub use websocket_proto::{
    self, Agreed, Client, CloseCode, CloseFrame, Closure, Config, Data, Failure, Limit, Prepared,
    Role, SendError, Server, SystemMask,
};
use websocket_proto::{NextStep, handshake::nonce};

pub use bytes::Bytes;
pub use bytestring::ByteString;
#[cfg(feature = "tls")]
pub use connect::TlsAcceptor;
pub use connect::{
    Builder, Decision, Received, Transport, accept, accept_with, accept_with_async, client, connect,
};
pub use halves::{ReadHalf, WriteHalf};
pub use message::Message;

/// How many bytes are read at a time.
const READ: usize = 32 << 10;
/// How much output may wait when a message is sent. It is less than the
/// [high-water mark](Options::water_marks), so that a task which sends much waits for the socket and
/// not for room.
const ROOM: usize = 64 << 10;
/// How many calls of handles may wait.
const QUEUE: usize = 16;
/// The most that the time counts in which nothing is awaited.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a WebSocket did not open, or why it does not receive or send.
///
/// An error prints as one line for a log. The line says which part failed: the request, which was
/// refused with an HTTP status, the peer, which speaks no WebSocket, TLS, the stream, or the
/// connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer refused or was refused, broke a rule, took too long, or left: see
    /// [`Ending::cause`]. A stream that fails after one of the first three does not change this.
    NotOpened(Box<Ending>),
    /// The stream failed, or the operating system has no entropy for a client.
    Io(io::Error),
    /// The arguments make no request or no response.
    Head(HeadError),
    /// The URL is not one of a WebSocket.
    Url(TargetError),
    /// TLS failed: its handshake, its certificates, the name of the server, or the time limit of a
    /// `TlsAcceptor`.
    Tls(io::Error),
    /// The connection ended without a closing handshake: it failed, exceeded a time limit, or the
    /// peer has gone.
    Ended(Box<Ending>),
    /// The connection is closing or has ended, so that nothing can be sent.
    Closed,
    /// The message cannot be sent.
    Send(SendError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotOpened(ending) | Error::Ended(ending) => ending.fmt(f),
            Error::Io(error) => write!(f, "I/O error: {error}"),
            Error::Head(error) => error.fmt(f),
            Error::Url(error) => write!(f, "not a WebSocket URL: {error}"),
            Error::Tls(error) => write!(f, "TLS error: {error}"),
            Error::Closed => f.write_str("closed: nothing can be sent any more"),
            Error::Send(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(error) | Error::Tls(error) => Some(error),
            Error::Head(error) => Some(error),
            Error::Url(error) => Some(error),
            Error::Send(error) => Some(error),
            Error::NotOpened(_) | Error::Ended(_) | Error::Closed => None,
        }
    }
}

impl Error {
    /// The HTTP status with which the request was refused, by either side.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::NotOpened(ending) => match ending.cause {
                Some(Cause::Status(status)) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        if error == SendError::Closing { Error::Closed } else { Error::Send(error) }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Io(error)
    }
}

/// A limit of [`tokio::time::timeout`] is an [`Error::Io`] of the kind
/// [`TimedOut`](io::ErrorKind::TimedOut).
impl From<Elapsed> for Error {
    fn from(error: Elapsed) -> Self {
        Error::Io(error.into())
    }
}

impl From<HeadError> for Error {
    fn from(error: HeadError) -> Self {
        Error::Head(error)
    }
}

impl From<TargetError> for Error {
    fn from(error: TargetError) -> Self {
        Error::Url(error)
    }
}

/// One side of a WebSocket over the stream `S`: a [`Server`], or a [`Client`].
///
/// Create one with [`accept`](WebSocket::accept), [`connect`](WebSocket::connect) or
/// [`new`](WebSocket::new). End it with [`close`](WebSocket::close). Dropping the value drops the
/// stream, and the output that waits.
///
/// # Progress
///
/// There is no task behind it: it reads, writes, answers Pings and keeps the time limits while one
/// of its methods is awaited. Keep a task in [`next`](WebSocket::next), because only `next` receives.
///
/// The runtime needs its time driver (`enable_time`). Without it, these methods panic.
///
/// The time in which nothing is awaited counts as one second at most, so an application that takes
/// its time loses no peer.
///
/// # Cancel safety
///
/// Every future of this crate can be dropped at any time, as `select!` and `timeout` do. No message
/// is lost, torn or sent twice. A message whose `send` was not ready is not sent.
///
/// ```
/// use std::time::Duration;
/// use tokio::io::{AsyncRead, AsyncWrite};
/// use websocket_proto_tokio::{Server, WebSocket};
///
/// /// Sends the time as well as it receives.
/// async fn clock<S>(mut ws: WebSocket<S, Server>) -> Result<(), Box<dyn std::error::Error>>
/// where
///     S: AsyncRead + AsyncWrite + Unpin,
/// {
///     let mut seconds = tokio::time::interval(Duration::from_secs(1));
///     loop {
///         tokio::select! {
///             event = ws.next() => match event? {
///                 Some((incoming, _)) => println!("{incoming:?}"),
///                 None => return Ok(()),
///             },
///             now = seconds.tick() => {
///                 let text = format!("{now:?}");
///                 ws.send(text).await?;
///             }
///         }
///     }
/// }
/// # let _ = clock::<tokio::io::DuplexStream>;
/// ```
#[doc(alias("split", "stream", "tungstenite"))]
pub struct WebSocket<S, R> {
    stream: S,
    endpoint: Endpoint<R>,
    io: Io,
    /// Exists once there is a handle.
    queue: Option<Queue<R>>,
    /// Exists once a `Stream`, a `Sink` or a half is polled.
    shared: Option<Box<halves::Shared>>,
    subprotocol: Option<Box<str>>,
    /// The time zero of the endpoint.
    origin: Instant,
    /// When a method was last awaited.
    awaited: Instant,
}

/// How far reading, writing and waiting are.
#[derive(Default)]
struct Io {
    /// What was read last. Its first `received` bytes were received.
    input: Vec<u8>,
    received: usize,
    /// The latest turn has read, so the next one writes.
    read: bool,
    /// The end of the stream was read.
    eof: bool,
    /// The stream holds nothing that was written.
    flushed: bool,
    /// The writing side is to be ended.
    shutdown: bool,
    /// Why the stream failed, until that is returned.
    error: Option<io::Error>,
    /// Why a write of `send` failed, until the next turn fails with it.
    broken: Option<io::Error>,
    /// The messages have ended, and that was returned.
    terminated: bool,
    /// Something has changed that the other side of a split may wait for.
    changed: bool,
    /// Exists once there is a deadline.
    timer: Option<Pin<Box<Sleep>>>,
}

type Queue<R> = (mpsc::Sender<Call<R>>, mpsc::Receiver<Call<R>>);

/// What a handle sends.
type Call<R> = Box<dyn FnOnce(&mut Endpoint<R>) -> Result<(), SendError> + Send>;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S, Server> {
    /// Makes the opening handshake of a server, and accepts clients of every origin, resource and
    /// subprotocol. A server that trusts cookies has to check the origin: see
    /// [`accept_with`](WebSocket::accept_with).
    ///
    /// # Errors
    ///
    /// [`Error::NotOpened`], after the client was sent the HTTP status that says why, and
    /// [`Error::Io`].
    pub async fn accept(stream: S, options: &Options) -> Result<Self, Error> {
        Self::accept_with(stream, options, |request| request.accept(&AcceptOptions::new())).await
    }

    /// Makes the opening handshake of a server. `decide` accepts or rejects the request. If it does
    /// neither, the client is sent status 503 at the end of
    /// [`Limit::Decision`].
    ///
    /// To decide asynchronously, use [`new`](WebSocket::new).
    ///
    /// ```
    /// use websocket_proto_tokio::{AcceptOptions, Error, Options, Server, WebSocket};
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    ///
    /// async fn open<S>(stream: S, options: &Options) -> Result<WebSocket<S, Server>, Error>
    /// where
    ///     S: AsyncRead + AsyncWrite + Unpin,
    /// {
    ///     let decided = WebSocket::accept_with(stream, options, |request| {
    ///         match request.resource().path() {
    ///             "/chat" => request.accept(&AcceptOptions::new().subprotocol("chat")),
    ///             _ => request.reject(404, &[], b"no such room"),
    ///         }
    ///     });
    ///     decided.await
    /// }
    /// # let _ = open::<tokio::io::DuplexStream>;
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`accept`](WebSocket::accept), and [`Error::Head`] with the error of `decide`.
    #[doc(alias("reject", "upgrade"))]
    pub async fn accept_with(
        stream: S,
        options: &Options,
        decide: impl FnOnce(Waiting<'_>) -> Result<(), HeadError>,
    ) -> Result<Self, Error> {
        let mut ws = WebSocket::new(stream, Endpoint::server(options));
        let first = ws.next().await.map(drop);
        ws.endpoint.request().map_or(Ok(()), decide).map_err(Error::Head)?;
        ws.opened(first).await
    }

    /// Drives the connection while its request waits for an answer. Returns when the answer is no
    /// longer of use, because it came too late or the client has left.
    async fn undecided(&mut self) -> io::Result<()> {
        let mut early = false;
        while self.endpoint.request().is_some() {
            self.resume();
            let Awaited(ws) = &mut Awaited(self);
            let turn = poll_fn(|cx| {
                if !early && let Poll::Ready(bytes) = ws.poll_early(cx)? {
                    early = bytes;
                    return Poll::Ready(Ok(()));
                }
                ws.poll_turn(cx).map_ok(drop)
            });
            turn.await.inspect_err(|_| ws.endpoint.abort())?;
        }
        Ok(())
    }

    /// Reads one byte that a client sends before the answer, to notice the end of the stream, which
    /// ends the connection. More stays in the stream, because there is no room for it.
    fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            self.endpoint.abort();
        }
        self.io.input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(!buffer.filled().is_empty()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S, Client<SystemMask>> {
    /// Makes the opening handshake of a client over `stream`, which is connected to the
    /// [host](Target::host) and port of `target`, through TLS if the target is
    /// [secure](Target::secure).
    ///
    /// To see the headers of the response, use [`new`](WebSocket::new).
    ///
    /// ```no_run
    /// use tokio::net::TcpStream;
    /// use websocket_proto_tokio::{CloseCode, Offer, Options, Target, WebSocket};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let target = Target::parse("ws://example.com/chat")?;
    /// let stream = TcpStream::connect((target.host(), target.port())).await?;
    /// let mut ws = WebSocket::connect(stream, &target, &Offer::new(), &Options::new()).await?;
    /// ws.send("hello").await?;
    /// if let Some((incoming, _)) = ws.next().await? {
    ///     println!("{incoming:?}");
    /// }
    /// println!("{}", ws.close(CloseCode::NORMAL, "bye").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotOpened`] and [`Error::Io`]; [`Error::Head`] if `offer` is not valid.
    pub async fn connect(
        stream: S,
        target: &Target<'_>,
        offer: &Offer<'_>,
        options: &Options,
    ) -> Result<Self, Error> {
        let nonce = nonce().ok_or(Error::Io(io::ErrorKind::Unsupported.into()))?;
        let endpoint = Endpoint::client(target, offer, nonce, SystemMask::new(), options);
        let mut ws = WebSocket::new(stream, endpoint.map_err(Error::Head)?);
        let mut chosen = None;
        let first = ws.next().await.map(|event| {
            if let Some((Incoming::Opened(response), _)) = event {
                chosen = response.subprotocol().map(Box::from);
            }
        });
        ws.subprotocol = chosen;
        ws.opened(first).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Role> WebSocket<S, R> {
    /// Drives any endpoint over `stream`: one that is [open](Endpoint::open), because hyper or a
    /// stream of HTTP/2 made the handshake, or one whose handshake the caller wants to see as
    /// [events](Incoming).
    ///
    /// ```
    /// use tokio::net::TcpStream;
    /// use websocket_proto_tokio::{AcceptOptions, Endpoint, Incoming, Options, WebSocket};
    ///
    /// # type Error = Box<dyn std::error::Error>;
    /// async fn serve(stream: TcpStream) -> Result<(), Error> {
    ///     let mut ws = WebSocket::new(stream, Endpoint::server(&Options::new()));
    ///     while let Some((incoming, _)) = ws.next().await? {
    ///         if let Incoming::Request = incoming {
    ///             let request = ws.endpoint().request().expect("it was just reported");
    ///             let path = request.resource().path().to_owned();
    ///             let known = is_known(&path).await; // asks a database
    ///             let Some(request) = ws.endpoint().request() else { continue };
    ///             match known {
    ///                 true => request.accept(&AcceptOptions::new())?,
    ///                 false => request.reject(404, &[], b"")?,
    ///             }
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # async fn is_known(path: &str) -> bool { path == "/" }
    /// ```
    #[cfg_attr(not(feature = "tracing"), allow(unused_mut, reason = "the hook needs it"))]
    pub fn new(stream: S, mut endpoint: Endpoint<R>) -> Self {
        // Frames are looked at only where somebody listens when the connection begins.
        #[cfg(feature = "tracing")]
        if tracing::enabled!(tracing::Level::TRACE) {
            endpoint.trace(|frame| tracing::trace!("{frame}"));
        }
        let now = Instant::now();
        WebSocket {
            stream,
            endpoint,
            io: Io::default(),
            queue: None,
            shared: None,
            subprotocol: None,
            origin: now,
            awaited: now,
        }
    }

    /// Waits for the next event, and lends it with the [`Sender`] that answers it. `None` says that
    /// the connection has ended: [`Endpoint::ending`] says how.
    ///
    /// An answer goes to the output, and is written while the next method is awaited:
    /// [`flush`](WebSocket::flush) before a longer wait for something else. It finds room if it is
    /// the first to its message. This call writes only when nothing that was read is left to receive,
    /// so the answers to all messages of one read leave together.
    ///
    /// # Errors
    ///
    /// The error of the stream, if it failed. It is returned once, after all events that were read
    /// before, and the connection has ended then.
    #[doc(alias("read", "receive", "recv"))]
    pub async fn next(&mut self) -> io::Result<Option<(Incoming<'_>, &mut Sender<R>)>> {
        self.wait(Self::ready).await;
        let (length, mut rest) = (self.io.input.len(), &mut self.io.input[self.io.received..]);
        let event = self.endpoint.receive(&mut rest);
        self.io.received = length - rest.len();
        event.map(Ok).or_else(|| self.io.error.take().map(Err)).transpose()
    }

    /// Waits for the next text or binary message, and copies it. `None` is the end of the
    /// connection, which [`Endpoint::ending`] describes. Other events are dropped: Pings are
    /// answered all the same.
    ///
    /// ```
    /// use tokio::io::{AsyncRead, AsyncWrite};
    /// use websocket_proto_tokio::{Error, Server, WebSocket};
    ///
    /// async fn echo<S>(mut ws: WebSocket<S, Server>) -> Result<(), Error>
    /// where
    ///     S: AsyncRead + AsyncWrite + Unpin,
    /// {
    ///     while let Some(message) = ws.message().await? {
    ///         ws.send(message).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = echo::<tokio::io::DuplexStream>;
    /// ```
    ///
    /// # Errors
    ///
    /// If the connection ends without a closing handshake, the reason is returned once, after all
    /// messages that were read before: [`Error::Io`] if the stream failed, otherwise
    /// [`Error::Ended`].
    pub async fn message(&mut self) -> Result<Option<Message>, Error> {
        self.resume();
        let Awaited(ws) = &mut Awaited(self);
        poll_fn(|cx| ws.poll_message(cx)).await.transpose()
    }

    /// Sends a message: waits for room, and writes as much as the stream takes at once. The rest is
    /// written while another method is awaited.
    ///
    /// There is room while at most 64 KiB of output wait, and not more than the
    /// [water marks](Options::water_marks) allow.
    ///
    /// If the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the stream failed, and [`Error::Closed`] if the connection is closing or
    /// has ended, so a program that only sends learns of both. [`Error::Send`] for a message that
    /// cannot be sent now, such as in the middle of fragments.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        match self.send_with(|ws| ws.send(message.as_data())).await {
            Err(SendError::Closing) => Err(self.closed()),
            sent => sent.map_err(Error::Send),
        }
    }

    /// Sends by `call` as soon as there is room, as for [`send`](WebSocket::send), and writes as much
    /// as the stream takes at once. The rest is written while another method is awaited.
    ///
    /// `call` is a method of the endpoint that sends, such as `|ws| ws.text("hi")`.
    ///
    /// # Errors
    ///
    /// Those of `call`: [`SendError::Closing`] if the connection is closing or has ended, or if the
    /// stream failed. Why it failed is returned by [`flush`](WebSocket::flush) and
    /// [`next`](WebSocket::next).
    #[doc(alias("write"))]
    pub async fn send_with(
        &mut self,
        call: impl FnOnce(&mut Endpoint<R>) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        // If the stream fails meanwhile, `call` returns an error.
        self.wait(|ws| ws.io.broken.is_some() || !ws.holds() && ws.room() != Err(SendError::Full))
            .await;
        if self.io.broken.is_some() {
            return Err(SendError::Closing);
        }
        let sent = call(&mut self.endpoint);
        // What was read before is received before the next turn fails with this.
        if let Poll::Ready(Err(error)) = poll_fn(|cx| Poll::Ready(self.poll_write(cx))).await {
            self.io.broken = Some(error);
            return sent.and(Err(SendError::Closing));
        }
        sent
    }

    /// Waits until all that was sent is written, or the connection has ended. A program that calls
    /// [`next`](WebSocket::next) again need not call it.
    ///
    /// # Errors
    ///
    /// The error of the stream, if it failed. Output was lost then. What was read before is still
    /// returned by [`next`](WebSocket::next).
    pub async fn flush(&mut self) -> io::Result<()> {
        let flushed = self.until(|ws| !ws.holds() && ws.flushed()).await;
        let clean = self.endpoint.ending().is_some_and(|ending| ending.closure.clean);
        let flushed = if clean { Ok(()) } else { flushed };
        let error = self.io.error.take().or_else(|| self.io.broken.take());
        flushed.and(error.map_or(Ok(()), Err))
    }

    /// Sends a Close after all that was sent, and waits for the end of the connection, no longer than
    /// [`Limit::Close`].
    ///
    /// Messages that were not received yet, or still arrive, are dropped. To see them, call
    /// [`Endpoint::close`] and then [`next`](WebSocket::next). Calls that wait in the queue of a
    /// [`Handle`] send nothing. If the stream fails, its error is dropped. Whether the closing
    /// handshake was completed is in [`Ending::closure`].
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::close`], but for [`SendError::Closing`]. Nothing was sent then.
    #[doc(alias = "shutdown")]
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Ending, SendError> {
        self.wait(|ws| !ws.holds()).await;
        let closed = self.endpoint.close(code, reason);
        closed.or_else(|error| if error == SendError::Closing { Ok(()) } else { Err(error) })?;
        while let Ok(Some(_)) = self.next().await {}
        self.endpoint.ending().ok_or(SendError::Closing)
    }

    /// Returns the subprotocol that the opening handshake has chosen (§1.9), if a client or a
    /// [`Builder`] made it. A server that uses [`accept_with`](WebSocket::accept_with) or
    /// [`new`](WebSocket::new) has chosen it itself.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the endpoint, for requests, Pings, fragments, [`ending`](Endpoint::ending) and the
    /// like. Its input, output, time and next step are this type's.
    pub fn endpoint(&mut self) -> &mut Endpoint<R> {
        &mut self.endpoint
    }

    /// Returns a handle that sends from other tasks.
    pub fn handle(&mut self) -> Handle<R> {
        // Once nothing can be sent, a handle gets a queue that is dropped here, which closes it.
        let late = self.endpoint.can_send() == Err(SendError::Closing);
        let queue = if late { &mut None } else { &mut self.queue };
        Handle(queue.get_or_insert_with(|| mpsc::channel(QUEUE)).0.clone())
    }

    /// Ends the opening handshake. A connection that does not open is driven to its end, so that
    /// the peer receives what it is told.
    async fn opened(mut self, first: io::Result<()>) -> Result<Self, Error> {
        let opened = self.until(|ws| {
            let decided = ws.endpoint.can_send() != Err(SendError::NotOpen);
            decided && ws.flushed() && ws.endpoint.ending().is_none()
        });
        let opened = first.and(opened.await);
        match self.endpoint.ending().filter(|it| opened.is_ok() || it.cause.is_some()) {
            Some(ending) => Err(Error::NotOpened(Box::new(ending))),
            None => opened.map(|()| self).map_err(Error::Io),
        }
    }

    /// Like `until`, but ends the connection if the stream fails. Only for a `done` that is false
    /// because no event is ready or the output is full: then the endpoint has taken what was read,
    /// and `next` returns what it holds back before the error.
    async fn wait(&mut self, done: impl FnMut(&mut Self) -> bool) {
        if let Err(error) = self.until(done).await {
            self.fail(error);
        }
    }

    /// Ends the connection, because the stream failed. After a Close went each way, that is how
    /// some peers end the stream, and no error (§7.1.4).
    fn fail(&mut self, error: io::Error) {
        self.endpoint.abort();
        let clean = self.endpoint.ending().is_some_and(|ending| ending.closure.clean);
        (self.io.error, self.queue) = ((!clean).then_some(error), None);
    }

    /// Drives the connection until something is `done`, or to its end.
    async fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> io::Result<()> {
        while !done(self) && self.turn().await? {}
        Ok(())
    }

    /// Makes one turn: see `poll_turn`.
    async fn turn(&mut self) -> io::Result<bool> {
        self.resume();
        let Awaited(ws) = &mut Awaited(self);
        poll_fn(|cx| ws.poll_turn(cx)).await
    }

    /// Leaves out the time in which nothing was awaited.
    fn resume(&mut self) {
        self.origin += self.awaited.elapsed().saturating_sub(PAUSE);
    }

    /// Makes one turn. Ready if that has changed something; `false` is the end of the connection.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // No stream of tokio is ready for a task that has to let others run. That is not the peer's
        // fault. Other streams may always be ready, so a turn counts, too.
        let budget = ready!(coop::poll_proceed(cx));
        let turn = self.poll_inside(cx);
        if turn.is_ready() {
            budget.made_progress();
        }
        turn
    }

    fn poll_inside(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Reads and writes take turns, because a peer may write without end. Between two reads, the
        // endpoint receives what the first has brought before it is told the time.
        let mut more = mem::take(&mut self.io.read);
        if !self.ready() && !more && !self.io.eof && self.endpoint.wants_read() {
            if let Poll::Ready(length) = self.poll_read(cx)? {
                (self.io.read, self.io.eof) = (true, length == 0);
                return Poll::Ready(Ok(true));
            }
            // An idle connection keeps no buffer.
            self.io.input = Vec::new();
        }
        if self.io.eof && self.flushed() {
            // Only now, because a Close that the stream holds is still owed.
            self.endpoint.receive_eof();
        }
        let before = self.endpoint.output().len();
        self.endpoint.tick(self.origin.elapsed());
        more |= self.send_held();
        // The calls of handles, while there is room in the output.
        for _ in 0..QUEUE {
            let room = self.room();
            let Some((_, queue)) = &mut self.queue else { break };
            match room {
                Err(SendError::Closing) => queue.close(),
                Err(_) => break,
                Ok(()) => {}
            }
            let Poll::Ready(Some(call)) = queue.poll_recv(cx) else { break };
            (more, _) = (true, call(&mut self.endpoint));
        }
        let step = self.endpoint.next_step();
        let clean = || self.endpoint.ending().is_some_and(|ending| ending.closure.clean);
        let ends = step == NextStep::ShutdownWrite || step == NextStep::Drop && clean();
        // If this fails, the end of the peer's stream still comes.
        self.io.shutdown =
            (self.io.shutdown || ends) && Pin::new(&mut self.stream).poll_shutdown(cx).is_pending();
        if step == NextStep::Drop {
            return Poll::Ready(Ok(false));
        }
        let flushed = self.flushed();
        let _ = self.poll_write(cx)?;
        if more || flushed != self.io.flushed || before != self.endpoint.output().len() {
            return Poll::Ready(Ok(true));
        }
        let at = self.endpoint.deadline().and_then(|at| self.origin.checked_add(at));
        let Some(at) = at else { return Poll::Pending };
        let timer = self.io.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        timer.as_mut().reset(at);
        timer.as_mut().poll(cx).map(|()| Ok(true))
    }

    /// The next event of what was read.
    fn take_event(&mut self) -> Option<(Incoming<'_>, &mut Sender<R>)> {
        let (length, mut rest) = (self.io.input.len(), &mut self.io.input[self.io.received..]);
        let event = self.endpoint.receive(&mut rest);
        self.io.received = length - rest.len();
        event
    }

    /// Reads once: into the memory of a long message, or else into a buffer, and returns how much.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.io.input.clear();
        self.io.received = 0;
        if let Some(memory) = self.endpoint.message_buffer() {
            let mut buffer = ReadBuf::new(memory);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            let length = buffer.filled().len();
            self.endpoint.filled(length);
            return Poll::Ready(Ok(length));
        }
        self.io.input.reserve(READ);
        pin!(self.stream.read_buf(&mut self.io.input)).poll(cx)
    }

    /// Whether the next call of `receive` has an event. Otherwise all that was read is received, or
    /// held back by the endpoint.
    fn ready(&mut self) -> bool {
        let (length, mut rest) = (self.io.input.len(), &mut self.io.input[self.io.received..]);
        let ready = self.endpoint.ready(&mut rest);
        self.io.received = length - rest.len();
        ready
    }

    /// Whether a message may be sent now, or the error that it would get.
    fn room(&self) -> Result<(), SendError> {
        self.endpoint.can_send()?;
        if self.endpoint.output().len() > ROOM { Err(SendError::Full) } else { Ok(()) }
    }

    /// Whether all that was sent is written, and the stream has passed it on.
    fn flushed(&mut self) -> bool {
        self.io.flushed && self.endpoint.output().is_empty()
    }

    /// Writes all output, and has the stream pass it on.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.flushed = false;
        if let Some(error) = self.io.broken.take() {
            return Poll::Ready(Err(error));
        }
        let mut stream = Pin::new(&mut self.stream);
        while !self.endpoint.output().is_empty() {
            let written = stream.as_mut().poll_write(cx, self.endpoint.output());
            if written.is_ready() || coop::has_budget_remaining() {
                self.endpoint.written(if let Poll::Ready(Ok(count)) = written { count } else { 0 });
            }
            NonZero::new(ready!(written)?).ok_or(io::ErrorKind::WriteZero)?;
        }
        stream.poll_flush(cx).map_ok(|()| self.io.flushed = true)
    }
}

/// Notes when a future that waits is ready or dropped.
struct Awaited<'a, S, R>(&'a mut WebSocket<S, R>);

impl<S, R> Drop for Awaited<'_, S, R> {
    fn drop(&mut self) {
        self.0.awaited = Instant::now();
    }
}

/// Nothing is pinned inside.
impl<S, R> Unpin for WebSocket<S, R> {}

impl<S, R> fmt::Debug for WebSocket<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Sends from any number of tasks, through a queue for 16 messages.
///
/// What is in the queue is sent while a method of the [`WebSocket`] is awaited. It is lost if the
/// connection closes or ends before.
///
/// ```
/// use tokio::io::{AsyncRead, AsyncWrite};
/// use websocket_proto_tokio::{CloseCode, Server, WebSocket};
///
/// # async fn example<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S, Server>) {
/// let handle = ws.handle();
/// tokio::spawn(async move {
///     let text = "from another task".to_owned();
///     handle.send_with(move |ws| ws.text(&text)).await?;
///     handle.send_with(|ws| ws.close(CloseCode::NORMAL, "bye")).await
/// });
/// while let Ok(Some((incoming, _))) = ws.next().await {
///     println!("{incoming:?}");
/// }
/// # }
/// # let _ = example::<tokio::io::DuplexStream>;
/// ```
#[derive(Debug)]
pub struct Handle<R>(mpsc::Sender<Call<R>>);

impl<R> Handle<R> {
    /// Puts `call` into the queue, as soon as there is room. The call is made when the connection
    /// is open and there is room for a message, as for [`send`](WebSocket::send).
    ///
    /// `Ok` does not say that anything was sent, because the result of `call` is dropped. It can be
    /// any error of the method that is called, such as [`SendError::MessageOpen`] while a message
    /// that is sent in fragments is not complete. To learn the result, have `call` send it through
    /// a [`oneshot`](tokio::sync::oneshot) channel. A call that is still queued when the connection
    /// closes gets [`SendError::Closing`], or is dropped without being made.
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`] if the connection is closing or has ended.
    pub async fn send_with(
        &self,
        call: impl FnOnce(&mut Endpoint<R>) -> Result<(), SendError> + Send + 'static,
    ) -> Result<(), SendError> {
        self.0.send(Box::new(call)).await.map_err(|_| SendError::Closing)
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Handle(self.0.clone())
    }
}
