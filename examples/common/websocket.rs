//! A WebSocket over any stream of tokio: TCP, TLS, a pipe in memory.
//!
//! A reader and a writer share one connection behind a lock, which is held for the length of a call
//! and never across an `await`:
//!
//! ```text
//!   stream ──▶ next(), in the caller's task ────┐
//!   send() and close(), in any number of tasks ─┼── lock: connection, deadlines, out
//!   stream ◀── the writer, a task of its own ───┘
//! ```
//!
//! - Bytes leave in the order of `out`, which is the order of the calls. A call that appends to it
//!   wakes the writer. The writer also ends the stream, as [`NextStep`] says.
//! - While much waits to be written, [`send`](Sender::send) waits too, and of the peer's Pings only
//!   the latest is answered: memory is bounded, whatever the peer does.
//! - [`Deadlines`] count while the peer is waited for: in a read or a write that is pending, and
//!   from the first Close on. An application that takes its time loses no peer that is alive,
//!   because the time of a message starts again after a pause between two reads. A peer that
//!   exceeds a deadline is sent a Close before it is dropped.

use std::ops::Range;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{io, mem};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use websocket_proto::handshake::{
    self, AcceptOptions, ClientHandshake, Offer, Response, ServerHandshake, Target,
};
use websocket_proto::{
    Client, CloseFrame, Closure, Config, Connection, Data, Deadlines, MaskSource, Messages,
    NextStep, Role, SendError, Server, State,
};

/// With more bytes than this waiting to be written, `send` waits.
pub const MAX_WAITING: usize = 1 << 20;
const READ_BUFFER: usize = 16 << 10;
/// After a pause between two reads that is longer than this, the time of the message in progress
/// starts again. Shorter pauses do not count, because a caller that drops the future of `next`
/// often would give the peer endless time.
const PAUSE: Duration = Duration::from_secs(1);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client that was refused is waited for.
const CLOSING_LIMIT: Duration = Duration::from_secs(5);

/// A transport: `TcpStream`, `TlsStream`, `DuplexStream`.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

impl Message {
    pub fn data(&self) -> Data<'_> {
        match self {
            Message::Text(text) => Data::Text(text),
            Message::Binary(data) => Data::Binary(data),
        }
    }
}

/// An open WebSocket. [`close`](WebSocket::close) ends it well; dropping it drops what waits to be
/// written.
pub struct WebSocket<R: Role, S> {
    reader: ReadHalf<S>,
    /// The bytes that were read, and the range of those that are still to be received.
    buffer: Vec<u8>,
    input: Range<usize>,
    /// When the latest read ended.
    read: Instant,
    messages: Messages<'static>,
    sender: Sender<R>,
    writer: JoinHandle<()>,
}

/// The sending side, for any number of tasks.
pub struct Sender<R> {
    shared: Arc<Shared<R>>,
}

struct Shared<R> {
    locked: Mutex<Locked<R>>,
    /// The writer has something to do.
    work: Notify,
    /// One of [`Locked::facts`] has changed.
    changed: Notify,
}

struct Locked<R> {
    connection: Connection<R>,
    deadlines: Deadlines,
    /// When the time of `deadlines` was zero.
    origin: Instant,
    /// Bytes to be written, after those that the writer has in hand.
    out: Vec<u8>,
    in_hand: usize,
    /// The reader has met the end of the stream.
    eof: bool,
    /// The writer has ended the stream.
    shut_down: bool,
}

impl<S: Stream> WebSocket<Server, S> {
    /// Answers the opening handshake, of any page: one that trusts cookies has to look at the
    /// request's origin.
    pub async fn accept(mut stream: S, config: &Config) -> io::Result<Self> {
        let (mut handshake, mut out) = (ServerHandshake::new(), Vec::new());
        let head = read_head(&mut stream, |input| match handshake.receive(input) {
            Ok(None) => Ok(None),
            Ok(Some(request)) => {
                request.accept(&AcceptOptions::new(), &mut out).map(Some).map_err(other)
            }
            Err(error) => error.respond(&mut out).map_err(other).and(Err(other(error))),
        });
        let head = timeout(HANDSHAKE_LIMIT, head).await.unwrap_or_else(|elapsed| {
            handshake::reject(408, &[], b"", &mut out).map_err(other).and(Err(elapsed.into()))
        });
        match head {
            Ok((agreed, leftover)) => {
                stream.write_all(&out).await?;
                stream.flush().await?;
                Ok(WebSocket::new(stream, Connection::new(Server, config, agreed), leftover))
            }
            Err(error) => {
                // How the answer fares does not matter any more.
                let _ = timeout(CLOSING_LIMIT, refuse(&mut stream, &out)).await;
                Err(error)
            }
        }
    }
}

/// Sends the answer to a request that is refused, then reads until the client ends the stream: a
/// transport that is closed with input unread is reset, which can destroy the answer on its way.
async fn refuse(stream: &mut impl Stream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    while stream.read(&mut [0; 4096]).await? > 0 {}
    Ok(())
}

impl<M: MaskSource + Send + 'static, S: Stream> WebSocket<Client<M>, S> {
    /// Makes the opening handshake, with a nonce from `handshake::nonce` and a `SystemMask`.
    pub async fn connect(
        mut stream: S,
        target: &Target<'_>,
        offer: &Offer<'_>,
        nonce: [u8; 16],
        mask: M,
    ) -> io::Result<Self> {
        let mut out = Vec::new();
        let mut handshake =
            ClientHandshake::start(target, offer, nonce, &mut out).map_err(other)?;
        stream.write_all(&out).await?;
        stream.flush().await?;
        let head =
            read_head(&mut stream, |input| match handshake.receive(input).map_err(other)? {
                None => Ok(None),
                Some(Response::Accepted(response)) => Ok(Some(response.agreed())),
                Some(Response::Refused(response)) => {
                    Err(io::Error::other(format!("refused: HTTP {}", response.status())))
                }
            });
        let (agreed, leftover) = timeout(HANDSHAKE_LIMIT, head).await??;
        Ok(WebSocket::new(stream, Connection::new(Client(mask), &Config::new(), agreed), leftover))
    }
}

/// Reads until `receive` has found a head; also returns the bytes that came after it.
async fn read_head<T>(
    stream: &mut (impl AsyncRead + Unpin),
    mut receive: impl FnMut(&mut &mut [u8]) -> io::Result<Option<T>>,
) -> io::Result<(T, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut input = &mut head[..];
        if let Some(found) = receive(&mut input)? {
            return Ok((found, input.to_vec()));
        }
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

impl<R: Role + Send + 'static, S: Stream> WebSocket<R, S> {
    /// Goes on from a handshake; `leftover` are the bytes that came after it. Starts the writer.
    pub fn new(stream: S, connection: Connection<R>, leftover: Vec<u8>) -> Self {
        let locked = Locked {
            connection,
            deadlines: Deadlines::new(Duration::ZERO),
            origin: Instant::now(),
            out: Vec::new(),
            in_hand: 0,
            eof: false,
            shut_down: false,
        };
        let shared = Arc::new(Shared {
            locked: Mutex::new(locked),
            work: Notify::new(),
            changed: Notify::new(),
        });
        let (reader, writer) = tokio::io::split(stream);
        let writer = tokio::spawn(write(Arc::clone(&shared), writer));
        let (input, mut buffer) = (0..leftover.len(), leftover);
        buffer.resize(READ_BUFFER.max(buffer.len()), 0);
        let (messages, sender) = (Messages::new(), Sender { shared });
        WebSocket { reader, buffer, input, read: Instant::now(), messages, sender, writer }
    }
}

impl<R: Role, S: AsyncRead> WebSocket<R, S> {
    /// The next message; `None` once the connection has ended: see [`closure`](Sender::closure).
    ///
    /// Its future can be dropped at any time, and nothing is lost. Only this call reads, so without
    /// it no Ping is answered and no Close noticed.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.receive() {
                return Some(message);
            }
            let shared = &*self.sender.shared;
            if self.read.elapsed() > PAUSE {
                shared.with(|locked| locked.deadlines.resumed(locked.now()));
            }
            let reading = Reading(&mut self.read);
            let read = shared.in_time(self.reader.read(&mut self.buffer)).await;
            drop(reading);
            match read {
                Some(Ok(length @ 1..)) => self.input = 0..length,
                Some(Ok(0)) => {
                    shared.with(|locked| locked.eof = true);
                    shared.work.notify_one();
                    break;
                }
                Some(Err(_)) => shared.with(|locked| locked.connection.abort()),
                None => break,
            }
        }
        // The peer may still read: it gets what it is owed, such as our Close.
        if !self.writer.is_finished() {
            let _ = (&mut self.writer).await;
        }
        None
    }

    fn receive(&mut self) -> Option<Message> {
        use websocket_proto::Message as Received;
        let mut input = &mut self.buffer[self.input.clone()];
        let message = self.sender.shared.with(|locked| {
            loop {
                let message = match self.messages.receive(&mut locked.connection, &mut input)? {
                    Received::Text(text) => Some(Message::Text(text.to_owned())),
                    Received::Binary(data) => Some(Message::Binary(data.to_owned())),
                    _ => None,
                };
                // §5.5.3: a peer that does not read gets the Pong for its latest Ping only.
                if !locked.is_full() {
                    locked.transmit();
                }
                if message.is_some() {
                    return message;
                }
            }
        });
        self.input.start = self.input.end - input.len();
        message
    }

    /// Sends a Close after all that was sent and waits for the end, for 5 seconds at most.
    ///
    /// What still comes is dropped: to see it, call [`Sender::close`] and then `next`.
    pub async fn close(&mut self, close: &CloseFrame) -> Option<Closure> {
        // An error says that the connection is closing already.
        let _ = self.sender.close(close);
        while self.next().await.is_some() {}
        self.sender.closure()
    }

    /// The sending side, to be cloned.
    pub fn sender(&self) -> &Sender<R> {
        &self.sender
    }
}

/// A read that is pending. Notes when it ends, also if its future is dropped.
struct Reading<'a>(&'a mut Instant);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        *self.0 = Instant::now();
    }
}

impl<R: Role, S> Drop for WebSocket<R, S> {
    fn drop(&mut self) {
        self.sender.shared.with(|locked| locked.connection.abort());
    }
}

impl<R: Role> Sender<R> {
    /// Sends a message as soon as there is room for it. A future that is dropped has sent nothing.
    pub async fn send(&self, data: Data<'_>) -> Result<(), SendError> {
        loop {
            let changed = self.shared.changed.notified();
            let sent = self.shared.with(|locked| match data {
                _ if locked.is_full() => None,
                Data::Text(text) => Some(locked.connection.send_text(text, &mut locked.out)),
                Data::Binary(data) => Some(locked.connection.send_binary(data, &mut locked.out)),
            });
            match sent {
                Some(sent) => return sent,
                None => changed.await,
            }
        }
    }

    /// Sends a Close after all that was sent. The rest is up to [`next`](WebSocket::next).
    pub fn close(&self, close: &CloseFrame) -> Result<(), SendError> {
        self.shared.with(|locked| locked.connection.close(Some(close), &mut locked.out))
    }

    /// How the connection ended; `None` while it has not.
    pub fn closure(&self) -> Option<Closure> {
        self.shared.with(|locked| locked.connection.closure())
    }
}

impl<R> Clone for Sender<R> {
    fn clone(&self) -> Self {
        Sender { shared: Arc::clone(&self.shared) }
    }
}

/// What the writer does next.
enum Turn {
    Write,
    ShutDown,
    Wait,
    /// As `Wait`, while the peer has to do its part in time.
    WaitInTime,
    End,
}

async fn write<R: Role, S: AsyncWrite>(shared: Arc<Shared<R>>, mut stream: WriteHalf<S>) {
    let mut lot = Vec::new();
    loop {
        let done = match shared.with(|locked| locked.turn(&mut lot)) {
            Turn::Write => write_all(&shared, &mut stream, &lot).await,
            Turn::ShutDown => shared.in_time(stream.shutdown()).await,
            Turn::Wait => {
                shared.work.notified().await;
                continue;
            }
            Turn::WaitInTime => shared.in_time(shared.work.notified()).await.map(Ok),
            Turn::End => return,
        };
        if let Some(Err(_)) = done {
            shared.with(|locked| locked.connection.abort());
        }
    }
}

/// Writes everything in time; `None` when the connection has ended.
async fn write_all<R: Role, S: AsyncWrite>(
    shared: &Shared<R>,
    stream: &mut WriteHalf<S>,
    mut lot: &[u8],
) -> Option<io::Result<()>> {
    while !lot.is_empty() {
        match shared.in_time(stream.write(lot)).await? {
            Ok(0) => return Some(Err(io::ErrorKind::WriteZero.into())),
            Ok(length) => {
                lot = &lot[length..];
                shared.with(|locked| locked.written(length));
            }
            Err(error) => return Some(Err(error)),
        }
    }
    shared.in_time(stream.flush()).await
}

impl<R: Role> Shared<R> {
    /// Runs `call` under the lock, and wakes the tasks that wait for its outcome.
    fn with<T>(&self, call: impl FnOnce(&mut Locked<R>) -> T) -> T {
        let mut locked = self.locked.lock().unwrap();
        let before = locked.facts();
        let result = call(&mut locked);
        let now = locked.now();
        let Locked { connection, deadlines, out, in_hand, .. } = &mut *locked;
        deadlines.update(now, connection);
        // A writer that has bytes in hand looks for more by itself.
        if *in_hand == 0 && (connection.wants_transmit() || !out.is_empty()) {
            self.work.notify_one();
        }
        if locked.facts() != before {
            self.work.notify_one();
            self.changed.notify_waiters();
        }
        result
    }

    /// Waits for what is up to the peer, as long as the deadlines let it; `None` when the
    /// connection has ended.
    async fn in_time<T>(&self, event: impl Future<Output = T>) -> Option<T> {
        let mut event = pin!(event);
        loop {
            let changed = self.changed.notified();
            let left = self.with(|locked| locked.time_left())?;
            tokio::select! {
                biased; // what has come already was in time
                value = &mut event => return Some(value),
                () = changed => {}
                () = sleep(left) => self.with(Locked::expire),
            }
        }
    }
}

impl<R: Role> Locked<R> {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The facts that others wait for: senders for room, the writer for its next step, and all for
    /// the state, which the deadline depends on.
    fn facts(&self) -> (State, NextStep, bool) {
        (self.connection.state(), self.connection.next_step(), self.is_full())
    }

    /// Whether a message has to wait. Where none can be sent any more, it does not.
    fn is_full(&self) -> bool {
        self.connection.state() == State::Open && self.out.len() + self.in_hand > MAX_WAITING
    }

    /// Reports that the transport took `length` bytes of those that the writer has in hand.
    fn written(&mut self, length: usize) {
        self.in_hand -= length;
        self.deadlines.written(self.now(), length, self.in_hand + self.out.len());
    }

    fn transmit(&mut self) {
        if self.connection.transmit(&mut self.out).is_err() {
            self.connection.abort();
        }
    }

    /// Returns what the writer does now that `lot` was written.
    fn turn(&mut self, lot: &mut Vec<u8>) -> Turn {
        self.in_hand = 0;
        lot.clear();
        if lot.capacity() > MAX_WAITING {
            *lot = Vec::new();
        }
        if self.connection.next_step() == NextStep::Drop {
            return Turn::End;
        }
        self.transmit();
        if !self.out.is_empty() {
            mem::swap(lot, &mut self.out);
            self.in_hand = lot.len();
            return Turn::Write;
        }
        let over = self.eof || self.connection.next_step() == NextStep::ShutdownWrite;
        if over && !mem::replace(&mut self.shut_down, true) {
            self.connection.write_ended();
            return Turn::ShutDown;
        }
        // Reported only now, because our Close is still sent after the peer's end of stream.
        if self.eof {
            self.connection.receive_eof();
        }
        match self.connection.state() {
            State::Open => Turn::Wait,
            State::Closing => Turn::WaitInTime,
            State::Closed => Turn::End,
        }
    }

    /// How long the peer has; `None` when the connection has ended.
    fn time_left(&self) -> Option<Duration> {
        if self.connection.state() == State::Closed {
            return None;
        }
        let next = self.deadlines.next();
        Some(next.map_or(Duration::MAX, |(at, _)| at.saturating_sub(self.now())))
    }

    fn expire(&mut self) {
        let now = self.now();
        if self.in_hand > 0 {
            // A write is pending.
            self.deadlines.written(now, 0, self.in_hand + self.out.len());
        }
        self.deadlines.enforce(now, &mut self.connection, &mut self.out);
    }
}
