//! The time limits of a connection: when to send a Ping, when to close and when to drop.
//!
//! The caller reads the clock. It passes the time as a `Duration` since any origin that stays the
//! same, and nothing here waits.
//!
//! At most two limits run at once. One is that of the [`Phase`]:
//!
//! ```text
//!                     silence
//!   Handshake ──▶ Idle ─────▶ Pong      any of them ──▶ Close ──▶ Closed
//!                      ◀─────           too late, or the connection closes
//!                  sign of life
//! ```
//!
//! The other is that of the output that waits or, if none waits, of the message in progress. The
//! earlier of the two is the next deadline. [`update`](Deadlines::update) and
//! [`written`](Deadlines::written) record what happened, and so begin limits or begin them again.
//! [`expired`](Deadlines::expired) compares the next deadline with the time.

use core::{fmt, time::Duration};

use crate::{
    close::{CloseCode, CloseFrame},
    closing::State,
    connection::Connection,
    output::Output,
    role::Role,
};

/// The number of received bytes of a message that allow it one more second.
const MESSAGE_RATE: u64 = 4 << 10;
/// The number of bytes that the peer has to take per second while output waits.
const OUTPUT_RATE: u128 = 1 << 10;

/// The time limits of a connection: when to send a Ping, to close and to drop.
///
/// In each turn of the loop, call [`enforce`](Deadlines::enforce) after everything that was read
/// has been received, and write what it appends. Then wait no longer than [`next`](Deadlines::next)
/// says. If some output may have to wait for the peer, also call [`written`](Deadlines::written)
/// after each write.
///
#[cfg_attr(
    feature = "alloc",
    doc = "[`Endpoint`](crate::endpoint::Endpoint) does this for you: tell it the time by `tick`."
)]
///
/// ```
/// use core::time::Duration;
/// use websocket_proto::{Agreed, Config, Connection, Deadlines, Limit, NextStep, Overdue, Server};
///
/// let seconds = Duration::from_secs;
/// let mut deadlines = Deadlines::new(seconds(100)); // the transport is open, the time is 100 s
/// assert_eq!(deadlines.next(), Some((seconds(110), Limit::Handshake)));
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut out = Vec::new();
/// deadlines.enforce(seconds(101), &mut connection, &mut out);
/// assert_eq!(deadlines.next(), Some((seconds(121), Limit::Idle)));
///
/// // Nothing is received. At 121 s a Ping is sent, at 141 s a Close, and at 146 s it is over.
/// deadlines.enforce(seconds(121), &mut connection, &mut out);
/// assert_eq!(out, b"\x89\x04\0\0\0\x01");
/// assert_eq!(deadlines.next(), Some((seconds(141), Limit::Pong)));
/// let done = deadlines.enforce(seconds(141), &mut connection, &mut out);
/// assert_eq!(done, Some(Overdue::Close(Limit::Pong)));
/// assert_eq!(deadlines.next(), Some((seconds(146), Limit::Close)));
/// deadlines.enforce(seconds(146), &mut connection, &mut out);
/// assert_eq!((connection.next_step(), deadlines.next()), (NextStep::Drop, None));
/// ```
///
/// # What to watch for
///
/// - **Read and write first.** A program that was suspended finds its deadlines passed while the
///   peer's bytes lie unread in the transport. Read and receive all of them, and try to write what
///   waits, before you call [`enforce`](Deadlines::enforce) or [`expired`](Deadlines::expired). A
///   peer from which you do not read looks silent and slow. While its own output waits, call
///   [`unread`](Deadlines::unread) in each turn. If you stop reading for another reason, call
///   [`resumed`](Deadlines::resumed) when you go on, or lift [`Limit::Idle`] and
///   [`Limit::Message`], as a relay does.
/// - **Report every write.** [`written`](Deadlines::written) tells a peer that reads slowly from
///   one that is gone. It counts only bytes that had to wait, because a transport buffers bytes for
///   a peer that is gone too. If you report a blocked write, also report the one that ends the
///   wait; otherwise the connection is closed after [`Limit::Output`].
/// - **Deadlines move earlier, too**: to 5 s when closing begins, for example. Ask
///   [`next`](Deadlines::next) in every turn, and set the timer again.
/// - **The handshake's limit** ends with the first call of [`enforce`](Deadlines::enforce) or
///   [`update`](Deadlines::update). Without one of them the connection is overdue after 10 s.
///
/// # Before there is a connection
///
/// During the opening handshake, call [`expired`](Deadlines::expired) in each turn, because
/// [`enforce`](Deadlines::enforce) needs a connection. A client drops the transport when it returns
/// anything. A server says why first:
///
/// ```
/// use core::time::Duration;
/// use websocket_proto::handshake::{self, HeadError};
/// use websocket_proto::{Deadlines, Limit, Overdue};
///
/// /// Returns whether to drop the transport. Write `out`, then end the writing side and read on.
/// fn overdue(deadlines: &mut Deadlines, now: Duration, out: &mut Vec<u8>) -> Result<bool, HeadError> {
///     match deadlines.expired(now) {
///         Some(Overdue::Close(Limit::Handshake)) => handshake::reject(408, &[], b"", out)?,
///         Some(_) => return Ok(true),
///         None => {}
///     }
///     Ok(false)
/// }
///
/// let seconds = Duration::from_secs;
/// let (mut deadlines, mut out) = (Deadlines::new(seconds(0)), Vec::new());
/// assert!(!overdue(&mut deadlines, seconds(10), &mut out)?);
/// assert!(out.starts_with(b"HTTP/1.1 408 "));
/// assert!(overdue(&mut deadlines, seconds(15), &mut out)?); // the client has not ended its side
///
/// // A request that was refused for another reason at 3 s has 5 s to end, too.
/// let mut deadlines = Deadlines::new(seconds(0));
/// deadlines.closing(seconds(3));
/// assert_eq!(deadlines.next(), Some((seconds(8), Limit::Close)));
/// # Ok::<(), HeadError>(())
/// ```
///
/// Keep the same value for the connection that follows.
#[doc(alias = "timeout")]
#[doc(alias = "keepalive")]
#[doc(alias = "heartbeat")]
#[doc(alias = "timer")]
#[derive(Clone, Debug)]
pub struct Deadlines {
    limits: Limits,
    phase: Phase,
    /// The message that was in progress at the latest update.
    message: Option<InProgress>,
    /// Output that waits for the transport, as the latest `written` reported it.
    waiting: Option<Waiting>,
    /// [`Connection::received`] at the latest update.
    received: u32,
    /// The token of the latest Ping; 0 before the first.
    token: u16,
    /// When the latest Ping was asked for, until it is answered. It outlives [`Phase::Pong`], which
    /// any sign of life ends.
    pinged: Option<Duration>,
    round_trip: Option<Duration>,
}

/// How long each [`Limit`] is; `None` where there is none.
#[derive(Clone, Copy, Debug)]
struct Limits {
    handshake: Option<Duration>,
    decision: Option<Duration>,
    idle: Option<Duration>,
    pong: Option<Duration>,
    message: Option<Duration>,
    output: Option<Duration>,
    close: Option<Duration>,
}

/// The event that is awaited, and since when.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Handshake {
        since: Duration,
    },
    /// The application decides about a request.
    Decision {
        since: Duration,
    },
    /// The latest sign of life was at `since`.
    Idle {
        since: Duration,
    },
    /// No sign of life has followed the Ping that was asked for at `since`.
    Pong {
        since: Duration,
    },
    /// Closing began at `since`, even if the driver did not send the Close that was due.
    Close {
        since: Duration,
    },
    Closed,
}

/// A message in progress.
#[derive(Clone, Copy, Debug)]
struct InProgress {
    /// The number of the message: see [`Connection::in_progress`].
    number: u16,
    since: Duration,
    received: u64,
}

/// Output that waits, in a period of its limit.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// When the period began.
    since: Duration,
    /// The number of bytes that the transport took in the period. When they are enough, the next
    /// period begins.
    taken: usize,
}

/// The purpose of a deadline.
///
/// ```
/// use core::time::Duration;
/// use websocket_proto::{Deadlines, Limit};
///
/// let deadlines = Deadlines::new(Duration::ZERO)
///     .limit(Limit::Handshake, Some(Duration::from_secs(3)))
///     .limit(Limit::Message, None); // messages stream for hours
/// assert_eq!(deadlines.next(), Some((Duration::from_secs(3), Limit::Handshake)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The opening handshake has to be done: within 10 s unless set. The limit begins with
    /// [`Deadlines::new`], and for an `Endpoint` with the first `tick`. A client ticks before it
    /// dials if dialling and TLS are to count.
    Handshake,
    /// The application has to accept or to reject a request: within 30 s unless set. The limit begins
    /// with [`Deadlines::deciding`].
    Decision,
    /// After this long without a received byte a Ping is due: 20 s unless set. A byte of output
    /// that had to wait and was taken counts as received.
    ///
    /// While an `Endpoint` receives nothing because too much output waits, no Ping is due, unless
    /// [`Limit::Output`] is lifted.
    #[doc(alias = "keepalive")]
    Idle,
    /// A sign of life has to follow the Ping: 20 s unless set.
    #[doc(alias = "heartbeat")]
    Pong,
    /// A message that has begun has to end: within 60 s unless set, and a second more for each 4
    /// KiB of it that was received. A single frame or header that has begun counts as one, too.
    ///
    /// Without this limit, one byte every 19 s holds a connection for ever. Lift this limit if
    /// messages stream for hours.
    Message,
    /// The peer has to take output that waits at 1 KiB a second at least, on average over this
    /// time: 60 s unless set.
    ///
    /// The time runs in periods. The first begins when output has to wait, and another as soon as
    /// the peer has taken as much as the whole time asks for. So a peer that stops reading is sent
    /// the Close one to two times this limit after output began to wait, because the transport's
    /// buffers may take enough bytes in the first period to begin a second one.
    ///
    /// A peer that is a little faster than that can hold all its output for long, so bound how much
    /// may wait, too.
    #[doc(alias = "backpressure")]
    Output,
    /// The closing handshake and the end of the transport have to follow the first Close or the
    /// failure: 5 s unless set (§7.1.1).
    Close,
}

impl Limit {
    /// Returns the Close that tells the peer which limit it has exceeded (§7.4.1): 1011 if there
    /// was no sign of life, otherwise 1008, because it was too slow.
    ///
    /// ```
    /// use websocket_proto::{CloseCode, Limit};
    ///
    /// assert_eq!(Limit::Pong.close_frame().code(), CloseCode::INTERNAL_ERROR);
    /// assert_eq!(Limit::Message.close_frame().code(), CloseCode::POLICY_VIOLATION);
    /// ```
    #[must_use]
    pub fn close_frame(self) -> CloseFrame {
        let code = match self {
            Limit::Idle | Limit::Pong => CloseCode::INTERNAL_ERROR,
            Limit::Handshake | Limit::Decision | Limit::Message | Limit::Output | Limit::Close => {
                CloseCode::POLICY_VIOLATION
            }
        };
        CloseFrame::truncated(code, self.text())
    }

    const fn text(self) -> &'static str {
        match self {
            Limit::Handshake => "the opening handshake took too long",
            Limit::Decision => "the request was not decided on",
            Limit::Idle => "nothing was received",
            Limit::Pong => "no answer to a Ping",
            Limit::Message => "a message took too long",
            Limit::Output => "the peer reads too slowly",
            Limit::Close => "closing took too long",
        }
    }
}

/// Writes what happened when the limit was exceeded.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// An action that is due because of a deadline that has passed.
///
/// [`Deadlines::enforce`] does it and returns this value, which prints as one line for a log:
///
/// ```
/// use websocket_proto::{Limit, Overdue};
///
/// assert_eq!(Overdue::Ping([0, 0, 0, 1]).to_string(), "Ping is due");
/// assert_eq!(Overdue::Close(Limit::Pong).to_string(), "closing: no answer to a Ping");
/// assert_eq!(Overdue::Abort(Limit::Close).to_string(), "aborted: closing took too long");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overdue {
    /// Send a [`ping`](Connection::ping) with this payload, by which its Pong is recognised.
    /// Reported once for each Ping.
    Ping([u8; 4]),
    /// Tell the peer that it has exceeded this limit, with [`Limit::close_frame`]. Reported once:
    /// from then on [`Limit::Close`] counts, whether the Close was sent or not.
    ///
    /// [`Limit::Handshake`] means that there is no connection yet: a server answers with status 408
    /// ([`reject`](crate::handshake::reject)) and ends its writing side, a client drops the
    /// transport.
    Close(Limit),
    /// [`abort`](Connection::abort) the connection and drop the transport. Reported until an
    /// [`update`](Deadlines::update) finds the connection closed.
    Abort(Limit),
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overdue::Ping(_) => f.write_str("Ping is due"),
            Overdue::Close(limit) => write!(f, "closing: {limit}"),
            Overdue::Abort(limit) => write!(f, "aborted: {limit}"),
        }
    }
}

impl Deadlines {
    /// Creates the default limits, for a transport that was opened `now` and has its handshake to
    /// come. To limit the time for dialling too, create the value before. A connection without a
    /// handshake needs nothing else, because the first [`enforce`](Deadlines::enforce) ends that
    /// limit.
    #[must_use]
    pub const fn new(now: Duration) -> Self {
        Deadlines {
            limits: Limits {
                handshake: Some(Duration::from_secs(10)),
                decision: Some(Duration::from_secs(30)),
                idle: Some(Duration::from_secs(20)),
                pong: Some(Duration::from_secs(20)),
                message: Some(Duration::from_secs(60)),
                output: Some(Duration::from_secs(60)),
                close: Some(Duration::from_secs(5)),
            },
            phase: Phase::Handshake { since: now },
            message: None,
            waiting: None,
            received: 0,
            token: 0,
            pinged: None,
            round_trip: None,
        }
    }

    /// Sets how long `limit` is, or lifts it with `None`.
    #[must_use]
    pub const fn limit(mut self, limit: Limit, length: Option<Duration>) -> Self {
        match limit {
            Limit::Handshake => self.limits.handshake = length,
            Limit::Decision => self.limits.decision = length,
            Limit::Idle => self.limits.idle = length,
            Limit::Pong => self.limits.pong = length,
            Limit::Message => self.limits.message = length,
            Limit::Output => self.limits.output = length,
            Limit::Close => self.limits.close = length,
        }
        self
    }

    /// Records the state of the connection, does what is due `now`, and returns what was done, for
    /// a log. Call it once in each turn of the loop, after everything that was read has been
    /// received, and write what it appends to `out`.
    ///
    /// This is [`update`](Deadlines::update), [`expired`](Deadlines::expired) and the call that the
    /// latter asks for. If `out` has no room, a Ping is left out, and a connection that should be
    /// sent a Close is aborted.
    pub fn enforce<R: Role>(
        &mut self,
        now: Duration,
        connection: &mut Connection<R>,
        out: &mut (impl Output + ?Sized),
    ) -> Option<Overdue> {
        self.update(now, connection);
        let mut overdue = self.expired(now)?;
        match overdue {
            // If there is no room for the Ping, no Pong will come, as if the peer were gone.
            Overdue::Ping(payload) => {
                let _ = connection.ping(&payload, out);
            }
            Overdue::Close(limit) if connection.close(Some(&limit.close_frame()), out).is_ok() => {}
            Overdue::Close(limit) | Overdue::Abort(limit) => {
                connection.abort();
                self.phase = Phase::Closed;
                overdue = Overdue::Abort(limit);
            }
        }
        Some(overdue)
    }

    /// Records the state of the connection. Call it once in each turn of the loop, after the
    /// connection was given what was received.
    ///
    /// Any received byte is a sign of life, also within a message that takes long.
    pub fn update<R: Role>(&mut self, now: Duration, connection: &Connection<R>) {
        // The count wraps, but it cannot reach the same value again within one turn of a loop.
        let alive = connection.received() != self.received;
        self.received = connection.received();
        // Each Ping has its own token, so a late Pong that answers an earlier one does not match.
        if let (Some(pinged), true) = (self.pinged, alive && self.is_answered(connection)) {
            // `Duration::saturating_sub` would link a panic in, though one that is never reached.
            let nanos = now.as_nanos().saturating_sub(pinged.as_nanos());
            self.round_trip = Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
            self.pinged = None;
        }
        // If the same message is still in progress, its time goes on. For another message, the time
        // begins.
        self.message = connection.in_progress().map(|(number, received)| {
            let same = self.message.filter(|message| message.number == number);
            InProgress { number, since: same.map_or(now, |message| message.since), received }
        });
        // Waiting output can outlive the connection, because it is still written after the end of
        // the peer's stream.
        let drained = self.waiting.is_none() || connection.is_aborted();
        self.phase = match (connection.state(), self.phase) {
            (State::Closed, _) if drained => Phase::Closed,
            // Received bytes do not begin this limit again. The connection is still open if the
            // driver did not send the Close that was due.
            (_, phase @ Phase::Close { .. }) => phase,
            (State::Closing | State::Closed, _) => Phase::Close { since: now },
            (State::Open, phase @ (Phase::Idle { .. } | Phase::Pong { .. })) if !alive => phase,
            (State::Open, _) => Phase::Idle { since: now },
        };
    }

    /// Reports that reading goes on after a pause that this side made, for example because the
    /// application was busy. The time of the message in progress starts again: see
    /// [`Limit::Message`]. Without this call the pause counts against the peer.
    ///
    /// ```
    /// use core::time::Duration;
    /// use websocket_proto::{Agreed, Config, Connection, Deadlines, Limit, Server};
    ///
    /// let seconds = Duration::from_secs;
    /// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    /// let mut deadlines = Deadlines::new(seconds(0)).limit(Limit::Idle, None);
    /// let mut part = *b"\x81\x85\0\0"; // the beginning of a message
    /// assert!(connection.receive(&mut &mut part[..]).is_none());
    /// deadlines.update(seconds(1), &connection);
    /// assert_eq!(deadlines.next(), Some((seconds(61), Limit::Message)));
    ///
    /// // The application looks at something else until 100 s, and then reads on.
    /// deadlines.resumed(seconds(100));
    /// assert_eq!(deadlines.next(), Some((seconds(160), Limit::Message)));
    /// ```
    pub const fn resumed(&mut self, now: Duration) {
        if let Some(message) = &mut self.message {
            message.since = now;
        }
    }

    /// Reports that the transport took `taken` bytes of the output and that `waiting` more wait for
    /// it. Call it after each attempt to write, also if nothing was taken; several writes of one
    /// turn may be reported as one. A driver whose writes block until all is written has nothing to
    /// report.
    ///
    /// Output that waits has to drain: see [`Limit::Output`]. Bytes taken of output that had to
    /// wait are a sign of life as good as a received byte, because the peer reads. They also put
    /// off the end of closing, so that a Close after much output is not cut off while the peer
    /// reads that output. While output waits, [`Limit::Message`] does not run, because a driver
    /// should not read then. It begins again when all of the output was taken.
    ///
    /// ```
    /// use core::time::Duration;
    /// use websocket_proto::{Agreed, Config, Connection, Deadlines, Limit, Server};
    ///
    /// let seconds = Duration::from_secs;
    /// let mut deadlines = Deadlines::new(seconds(0));
    /// deadlines.update(seconds(0), &Connection::new(Server, &Config::new(), Agreed::new()));
    /// deadlines.written(seconds(1), 70_000, 30_000); // blocked
    /// deadlines.written(seconds(15), 10_000, 20_000); // the peer reads
    /// assert_eq!(deadlines.next(), Some((seconds(35), Limit::Idle)));
    /// ```
    #[doc(alias = "progress")]
    #[doc(alias = "flush")]
    #[doc(alias = "backpressure")]
    pub const fn written(&mut self, now: Duration, taken: usize, waiting: usize) {
        // Only bytes that had to wait are a sign of life: others may lie in the transport's buffer.
        if let (Some(_), true) = (self.waiting, taken > 0) {
            self.phase = match self.phase {
                Phase::Idle { .. } | Phase::Pong { .. } => Phase::Idle { since: now },
                Phase::Close { .. } => Phase::Close { since: now },
                phase @ (Phase::Handshake { .. } | Phase::Decision { .. } | Phase::Closed) => phase,
            };
        }
        self.waiting = match (self.waiting, waiting) {
            (None, 0) => None,
            // The first period begins. `taken` went into the transport's buffer before output
            // waited.
            (None, _) => Some(Waiting { since: now, taken: 0 }),
            // All was taken. The message in progress had no limit meanwhile, so its time begins
            // again.
            (Some(_), 0) => {
                if let Some(message) = &mut self.message {
                    message.since = now;
                }
                None
            }
            (Some(Waiting { since, taken: before }), _) => {
                let taken = before.saturating_add(taken);
                Some(if self.is_enough(taken) {
                    Waiting { since: now, taken: 0 }
                } else {
                    Waiting { since, taken }
                })
            }
        };
    }

    /// Whether the peer has to take no more than `taken` bytes in the whole time of
    /// [`Limit::Output`]. Then a new period may begin before that time has passed.
    const fn is_enough(&self, taken: usize) -> bool {
        match self.limits.output {
            // In bytes and milliseconds, so that a fraction of a second counts. `u128` holds both.
            Some(length) => taken as u128 * 1000 >= length.as_millis() * OUTPUT_RATE,
            None => true,
        }
    }

    /// Begins [`Limit::Close`] for a transport that gets no connection, because the handshake
    /// failed or was refused: the answer is written and the peer has to end its side.
    ///
    /// After [`expired`](Deadlines::expired) returned [`Overdue::Close`] this is not needed and has
    /// no effect, because that limit has begun. A connection that closes needs no such call either.
    pub const fn closing(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Handshake { .. } | Phase::Decision { .. }) {
            self.phase = Phase::Close { since: now };
        }
    }

    /// Begins [`Limit::Decision`] in place of [`Limit::Handshake`], because a valid request was received
    /// and the application decides about it. A server whose application exceeds that limit answers with
    /// status 503.
    ///
    /// ```
    /// use core::time::Duration;
    /// use websocket_proto::{Deadlines, Limit};
    ///
    /// let seconds = Duration::from_secs;
    /// let mut deadlines = Deadlines::new(seconds(0));
    /// deadlines.deciding(seconds(3)); // the database is asked whether the client may connect
    /// assert_eq!(deadlines.next(), Some((seconds(33), Limit::Decision)));
    /// ```
    pub const fn deciding(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Handshake { .. }) {
            self.phase = Phase::Decision { since: now };
        }
    }

    /// Returns the same limits, for a transport that was opened `now`.
    #[cfg(feature = "alloc")]
    pub(crate) const fn restarted(&self, now: Duration) -> Self {
        let mut deadlines = Deadlines::new(now);
        deadlines.limits = self.limits;
        deadlines
    }

    /// Reports that the program was suspended for long. Limits that run begin again.
    #[cfg(feature = "alloc")]
    pub(crate) const fn suspended(&mut self, now: Duration) {
        self.resumed(now);
        if self.waiting.is_some() {
            self.waiting = Some(Waiting { since: now, taken: 0 });
        }
    }

    /// Reports that nothing is read now, because output waits. Call it in each turn before
    /// [`enforce`](Deadlines::enforce), after [`written`](Deadlines::written) has reported that
    /// output waits.
    ///
    /// A peer from which nothing is read can only show that it is alive by taking output. So while
    /// output waits, [`Limit::Idle`] and [`Limit::Pong`] begin again with each call, and
    /// [`Limit::Output`] limits how long the peer may take. If that limit is lifted, or if no output
    /// waits, the call has no effect.
    ///
    /// ```
    /// use core::time::Duration;
    /// use websocket_proto::{Agreed, Config, Connection, Deadlines, Limit, Server};
    ///
    /// let seconds = Duration::from_secs;
    /// let connection = Connection::new(Server, &Config::new(), Agreed::new());
    /// let mut deadlines = Deadlines::new(seconds(0));
    /// deadlines.update(seconds(0), &connection);
    /// deadlines.written(seconds(1), 0, 500); // blocked, and the driver reads nothing meanwhile
    /// deadlines.unread(seconds(20));
    /// assert_eq!(deadlines.next(), Some((seconds(40), Limit::Idle)));
    /// deadlines.unread(seconds(45));
    /// assert_eq!(deadlines.next(), Some((seconds(61), Limit::Output)));
    /// ```
    #[doc(alias = "backpressure")]
    pub const fn unread(&mut self, now: Duration) {
        if let (Phase::Idle { .. } | Phase::Pong { .. }, Some(_), Some(_)) =
            (self.phase, self.waiting, self.limits.output)
        {
            self.phase = Phase::Idle { since: now };
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn awaits_head(&self) -> bool {
        matches!(self.phase, Phase::Handshake { .. })
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn awaits_decision(&self) -> bool {
        matches!(self.phase, Phase::Decision { .. })
    }

    /// Whether output waited at the latest report.
    #[cfg(feature = "alloc")]
    pub(crate) const fn output_waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether an update would begin a limit, or end the limit for a Pong.
    #[cfg(feature = "alloc")]
    pub(crate) fn is_behind<R: Role>(&self, connection: &Connection<R>) -> bool {
        let number = |message: InProgress| message.number;
        let message = connection.in_progress().map(|(number, _)| number);
        match (connection.state(), self.phase) {
            (_, Phase::Close { .. } | Phase::Closed) => false,
            (State::Open, Phase::Pong { .. }) if connection.received() != self.received => true,
            (State::Open, Phase::Idle { .. } | Phase::Pong { .. }) => {
                message.is_some() && message != self.message.map(number)
            }
            _ => true,
        }
    }

    /// Whether the latest Pong answers the latest Ping.
    fn is_answered<R: Role>(&self, connection: &Connection<R>) -> bool {
        connection.pong_token().is_some_and(|token| token.get() == self.token)
    }

    /// Returns the next deadline and what it is for; `None` while there is none.
    #[must_use]
    pub fn next(&self) -> Option<(Duration, Limit)> {
        let Limits { handshake, decision, idle, pong, message, output, close } = self.limits;
        let (since, length, limit) = match self.phase {
            Phase::Handshake { since } => (since, handshake, Limit::Handshake),
            Phase::Decision { since } => (since, decision, Limit::Decision),
            Phase::Idle { since } => (since, idle, Limit::Idle),
            Phase::Pong { since } => (since, pong, Limit::Pong),
            Phase::Close { since } => (since, close, Limit::Close),
            Phase::Closed => return None,
        };
        // A limit may be as long as a `Duration` can be.
        let at = |since: Duration, length: Duration, limit| (since.saturating_add(length), limit);
        let open = matches!(self.phase, Phase::Idle { .. } | Phase::Pong { .. });
        // Waiting output suspends the limit of the message, because the driver may not be reading.
        // A connection that closes discards its message.
        let other = match (self.waiting, self.message) {
            (Some(Waiting { since, .. }), _) => output.map(|most| at(since, most, Limit::Output)),
            (None, Some(InProgress { since, received, .. })) if open => message.map(|most| {
                let more = Duration::from_secs(received / MESSAGE_RATE);
                at(since, most.saturating_add(more), Limit::Message)
            }),
            (None, _) => None,
        };
        let first = length.map(|most| at(since, most, limit));
        match (first, other) {
            (Some(first), Some(other)) if other.0 < first.0 => Some(other),
            (first, other) => first.or(other),
        }
    }

    /// Returns the action that is due `now`; `None` if no deadline has passed.
    /// [`enforce`](Deadlines::enforce) does it.
    ///
    /// [`Overdue::Ping`] and [`Overdue::Close`] are reported once, [`Overdue::Abort`] until the
    /// connection is closed.
    #[must_use]
    pub fn expired(&mut self, now: Duration) -> Option<Overdue> {
        let (at, limit) = self.next()?;
        if now < at {
            return None;
        }
        // The phase stays, so this is reported until `update` finds the connection closed. Below,
        // the phase changes, so a Ping or a Close is reported once.
        if matches!(self.phase, Phase::Close { .. }) {
            return Some(Overdue::Abort(limit));
        }
        if limit == Limit::Idle {
            // The token is never 0, which `Connection::pong_token` takes for no token.
            self.token = self.token.wrapping_add(1).max(1);
            self.phase = Phase::Pong { since: now };
            self.pinged = Some(now);
            return Some(Overdue::Ping(u32::from(self.token).to_be_bytes()));
        }
        self.phase = Phase::Close { since: now };
        // A peer that reads gets the whole time of closing for the output before the Close.
        self.waiting = self.waiting.map(|_| Waiting { since: now, taken: 0 });
        Some(Overdue::Close(limit))
    }

    /// Returns how long the latest answered Ping took, from [`expired`](Deadlines::expired) to
    /// [`update`](Deadlines::update); `None` before the first answer.
    ///
    /// A peer can forge this value, because it can predict the payload of a Ping and send the Pong
    /// in advance. Do not base trust on it.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}
