//! Time, which a connection knows nothing of: when to ping, and when to give up.
//!
//! The caller reads the clock. It tells the time as a `Duration` since any origin that stays the
//! same, and nothing here waits.

use core::time::Duration;

use crate::{
    connection::{Connection, State},
    role::Role,
};

/// The four time limits of a connection, watched from outside of it.
///
/// Call [`update`](Deadlines::update) once per turn of the loop, wait no longer than
/// [`next`](Deadlines::next) says, and ask [`expired`](Deadlines::expired) what to do when that
/// time has come. Nothing else has to be told: what happened is read off the connection.
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
/// deadlines.update(seconds(101), &connection);
/// assert_eq!(deadlines.next(), Some((seconds(121), Limit::Idle)));
///
/// // Nothing is received. At 121 s:
/// if let Some(Overdue::Ping(payload)) = deadlines.expired(seconds(121)) {
///     connection.ping(&payload, &mut out)?;
/// }
/// assert_eq!(deadlines.next(), Some((seconds(141), Limit::Pong)));
///
/// // Still nothing. At 141 s:
/// if let Some(Overdue::GiveUp(limit)) = deadlines.expired(seconds(141)) {
///     assert_eq!(limit, Limit::Pong);
///     connection.abort();
/// }
/// assert_eq!(connection.next_step(), NextStep::Drop);
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deadlines {
    limits: Limits,
    phase: Phase,
    /// The counter of received bytes, as it was last seen.
    received: u32,
    /// The token of the latest Ping; 0 before the first.
    token: u32,
    /// When the latest Ping was asked for, until it is answered.
    pinged: Option<Duration>,
    round_trip: Option<Duration>,
}

/// How long each [`Limit`] is; `None` where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    handshake: Option<Duration>,
    idle: Option<Duration>,
    pong: Option<Duration>,
    close: Option<Duration>,
}

/// What is waited for, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake {
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
    Close {
        since: Duration,
    },
    Closed,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The opening handshake has to be done: 10 s unless set.
    Handshake,
    /// After this long without a received byte a Ping is due: 20 s unless set.
    Idle,
    /// A sign of life has to follow the Ping: 20 s unless set.
    Pong,
    /// The closing handshake and the end of the transport have to follow the first Close or the
    /// failure: 5 s unless set (§7.1.1).
    Close,
}

/// What is to be done about a deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Send a [`ping`](Connection::ping) with this payload, by which its Pong is known again.
    Ping([u8; 4]),
    /// [`abort`](Connection::abort) the connection and drop the transport.
    GiveUp(Limit),
}

impl Deadlines {
    /// The default limits, for a transport that was opened `now` and has its handshake to come. A
    /// connection without one needs nothing else: the first [`update`](Deadlines::update) ends it.
    pub const fn new(now: Duration) -> Self {
        Deadlines {
            limits: Limits {
                handshake: Some(Duration::from_secs(10)),
                idle: Some(Duration::from_secs(20)),
                pong: Some(Duration::from_secs(20)),
                close: Some(Duration::from_secs(5)),
            },
            phase: Phase::Handshake { since: now },
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
            Limit::Idle => self.limits.idle = length,
            Limit::Pong => self.limits.pong = length,
            Limit::Close => self.limits.close = length,
        }
        self
    }

    /// Looks at the connection, after it was given what was received: once per turn of the loop.
    ///
    /// Any received byte is a sign of life, also in the middle of a message that takes long.
    pub fn update<R: Role>(&mut self, now: Duration, connection: &Connection<R>) {
        let alive = connection.received() != self.received;
        self.received = connection.received();
        if let (Some(pinged), true) = (self.pinged, alive && self.is_answered(connection)) {
            // `Duration::saturating_sub` would have a panic in it, though one that is never reached.
            let nanos = now.as_nanos().saturating_sub(pinged.as_nanos());
            self.round_trip = Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
            self.pinged = None;
        }
        self.phase = match (connection.state(), self.phase) {
            (State::Closed, _) => Phase::Closed,
            (State::Closing, Phase::Close { since }) => Phase::Close { since },
            (State::Closing, _) => Phase::Close { since: now },
            (State::Open, phase @ (Phase::Idle { .. } | Phase::Pong { .. })) if !alive => phase,
            (State::Open, _) => Phase::Idle { since: now },
        };
    }

    /// Tells that the transport took bytes of output that it had refused before: the peer reads, a
    /// sign of life as good as a received byte. It also puts off the end of closing, so that a Close
    /// behind much output is not cut off while that is read.
    ///
    /// A driver whose output never waits has nothing to tell.
    pub const fn progress(&mut self, now: Duration) {
        self.phase = match self.phase {
            Phase::Idle { .. } | Phase::Pong { .. } => Phase::Idle { since: now },
            Phase::Close { .. } => Phase::Close { since: now },
            phase @ (Phase::Handshake { .. } | Phase::Closed) => phase,
        };
    }

    /// Whether the latest Pong answers the latest Ping.
    fn is_answered<R: Role>(&self, connection: &Connection<R>) -> bool {
        connection.pong_token().is_some_and(|token| token.get() == self.token)
    }

    /// The next deadline: when it is, and what for. `None` while there is none.
    pub const fn next(&self) -> Option<(Duration, Limit)> {
        let (since, length, limit) = match self.phase {
            Phase::Handshake { since } => (since, self.limits.handshake, Limit::Handshake),
            Phase::Idle { since } => (since, self.limits.idle, Limit::Idle),
            Phase::Pong { since } => (since, self.limits.pong, Limit::Pong),
            Phase::Close { since } => (since, self.limits.close, Limit::Close),
            Phase::Closed => return None,
        };
        match length {
            Some(length) => Some((since.saturating_add(length), limit)),
            None => None,
        }
    }

    /// What is to be done `now`; `None` when no deadline has passed.
    ///
    /// [`Overdue::Ping`] is told once for each Ping, [`Overdue::GiveUp`] until the connection ends.
    pub fn expired(&mut self, now: Duration) -> Option<Overdue> {
        let (at, limit) = self.next()?;
        if now < at {
            return None;
        }
        if limit != Limit::Idle {
            return Some(Overdue::GiveUp(limit));
        }
        self.token = self.token.wrapping_add(1).max(1);
        self.phase = Phase::Pong { since: now };
        self.pinged = Some(now);
        Some(Overdue::Ping(self.token.to_be_bytes()))
    }

    /// How long the latest answered Ping took, from [`expired`](Deadlines::expired) to
    /// [`update`](Deadlines::update); `None` before the first answer.
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}
