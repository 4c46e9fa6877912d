//! How a connection ends: the closing handshake (§5.5.1, §7), and what the driver does next.
//!
//! The state is kept as facts: our Close (not due, owed, sent), the peer's Close, the failure, the
//! transport. [`State`], [`NextStep`] and [`Closure`] are derived from them.
//!
//! ```text
//!                    our Close: not due
//!   ┌──────┐  close() ────────────────────▶ sent  ┌─────────┐
//!   │ Open │  peer's Close ───▶ owed, its code    │ Closing │──┐ transmit(): owed ▶ sent
//!   └──────┘  violation, fail() ▶ owed, its code  └─────────┘◀─┘ a Close is sent once
//!       │                                              │
//!       │ receive_eof(), abort()                       │ abort(), or receive_eof() with none owed;
//!       │                                              │ with one owed: once it was sent, or once
//!       ▼                                              ▼ the end is reported again without a try
//!   Closed: 1006, not clean             Closed: clean if one was sent and one received
//! ```
//!
//! What the transport does next, in `Closing` with nothing owed:
//!
//! ```text
//!             our Close sent, and the peer's     write_ended()
//!             received or the connection failed
//!   Continue ──────────────────────────▶ ShutdownWrite ─────▶ AwaitEof ──▶ Drop
//!             a client goes straight to AwaitEof              receive_eof()
//! ```

use core::fmt;

use crate::{close::CloseCode, error::Failure};

/// The state of a connection (§7.1): open, closing or closed. Before the opening handshake is done
/// there is no [`Connection`](crate::Connection).
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Server, State};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// assert_eq!(connection.state(), State::Open);
/// connection.close(None, &mut Vec::new())?;
/// assert_eq!(connection.state(), State::Closing);
/// connection.receive_eof();
/// assert_eq!(connection.state(), State::Closed);
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages can go both ways.
    Open,
    /// A Close was sent, received or is owed.
    Closing,
    /// The transport has ended: see [`closure`](crate::Connection::closure).
    Closed,
}

/// The next action of the driver, once [`wants_transmit`](crate::Connection::wants_transmit) is
/// false and all output was written.
///
/// The value is level-triggered: it stays the same until the state changes. If separate tasks read
/// and write, wake the writer whenever it changes, even if nothing is owed. For example, when the
/// peer answers our Close, nothing is owed but the writing side must be ended.
///
/// This is the step of a `Connection`. `Endpoint::next_step` differs: it may be called at any time,
/// it returns `ShutdownWrite` once, and it needs neither `wants_transmit` nor `write_ended`.
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use websocket_proto::{Connection, NextStep, Server};
///
/// /// Returns whether to read on. To be called when all output was written.
/// fn follow(connection: &mut Connection<Server>, stream: &TcpStream) -> bool {
///     if connection.next_step() == NextStep::ShutdownWrite {
///         let _ = stream.shutdown(Shutdown::Write);
///         connection.write_ended();
///     }
///     connection.next_step() != NextStep::Drop
/// }
/// # let _ = follow;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Go on: read more.
    Continue,
    /// End the writing side. Then read and discard bytes until the end of stream, within a
    /// deadline. Only a server takes this step, because the server ends the transport first
    /// (§7.1.1).
    ///
    /// With a `Connection`, then call [`write_ended`](crate::Connection::write_ended). With an
    /// `Endpoint` there is nothing to call.
    ///
    /// Ignore an error when you end it, because the connection has not ended. Do not end it again,
    /// because each `shutdown` wakes an edge-triggered epoll, and the loop would spin until the
    /// deadline.
    ShutdownWrite,
    /// Read and discard bytes until the end of stream, within a deadline (§7.1.1). A client takes this
    /// step to wait for the server, and a server after it has ended its writing side.
    AwaitEof,
    /// Close the transport: nothing more will be exchanged.
    Drop,
}

/// How the connection ended (§7.1.4 to §7.1.6).
///
/// A closure prints as one line for a log. It does not have the peer's reason, which
/// [`Event::Close`](crate::Event::Close) has, nor a deadline that has passed, which
/// [`Deadlines::enforce`](crate::Deadlines::enforce) returns.
///
/// ```
/// use websocket_proto::{Agreed, Closure, Config, Connection, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// while connection.receive(&mut &mut b"\x88\x82\0\0\0\0\x0F\xA1".to_vec()[..]).is_some() {}
/// connection.transmit(&mut Vec::new())?;
/// connection.receive_eof();
/// let closure = connection.closure().expect("the transport has ended");
/// assert_eq!((closure.code, closure.clean), (4001, true));
/// assert_eq!(closure.to_string(), "closed by the peer: 4001");
/// assert_eq!(Closure::never_opened().to_string(), "ended without a Close: 1006, not clean");
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Closure {
    /// Whether the closing handshake was completed: a Close sent and a Close received. How the
    /// transport ended after that does not matter.
    ///
    /// A connection that failed is not clean, because nothing is received after a failure. One that
    /// exceeded a time limit is clean if the peer answered the Close that was sent for it.
    pub clean: bool,
    /// The close code of §7.1.5: the peer's; [`NO_STATUS`](Closure::NO_STATUS) if its Close had
    /// none; [`ABNORMAL`](Closure::ABNORMAL) if no Close came or the connection failed.
    pub code: u16,
    /// The code of the Close that was sent, [`NO_STATUS`](Closure::NO_STATUS) for one without;
    /// `None` if none was sent. A Close counts as sent once it was appended to an output, even if
    /// the transport broke before it took that.
    pub sent: Option<u16>,
    /// Who began to close; `None` if the transport ended before anyone did.
    pub initiator: Option<Initiator>,
    /// Why the connection failed, if it did.
    pub failure: Option<Failure>,
}

impl Closure {
    /// 1005: the Close had no code. Never sent.
    pub const NO_STATUS: u16 = 1005;
    /// 1006: the connection ended without the peer's Close. Never sent.
    pub const ABNORMAL: u16 = 1006;
    /// 1015: TLS failed. Never sent, and never set by this crate, for which such a transport has
    /// just broken. The constant is for applications that report TLS failures.
    pub const TLS_HANDSHAKE: u16 = 1015;

    /// Returns the closure of a connection whose opening handshake failed or was refused: 1006, not
    /// clean, begun by neither side (§7.1.5). Use this in programs that report every end as a
    /// closure.
    #[must_use]
    pub const fn never_opened() -> Self {
        Closure {
            clean: false,
            code: Closure::ABNORMAL,
            sent: None,
            initiator: None,
            failure: None,
        }
    }
}

/// Writes who began to close, the code, the code that was sent if it is another, and whether the
/// closing handshake was not completed.
impl fmt::Display for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failure, self.initiator) {
            (Some(failure), _) => write!(f, "failed: {failure}; {}", self.code)?,
            (None, Some(Initiator::Local)) => write!(f, "closed by this side: {}", self.code)?,
            (None, Some(Initiator::Peer)) => write!(f, "closed by the peer: {}", self.code)?,
            (None, None) => write!(f, "ended without a Close: {}", self.code)?,
        }
        match self.sent {
            Some(sent) if sent == self.code => {}
            Some(Closure::NO_STATUS) => f.write_str(", sent no code")?,
            Some(sent) => write!(f, ", sent {sent}")?,
            None => {}
        }
        f.write_str(if self.clean { "" } else { ", not clean" })
    }
}

/// Who began to close.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Initiator, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// connection.close(None, &mut Vec::new())?;
/// connection.abort();
/// let closure = connection.closure().expect("it was aborted");
/// assert_eq!(closure.initiator, Some(Initiator::Local));
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// This side: by [`close`](crate::Connection::close), by [`fail`](crate::Connection::fail) or
    /// for a violation.
    Local,
    /// The other side.
    Peer,
}

/// The facts about the end of a connection.
///
/// [`Connection`](crate::Connection) records here what was sent, received and reported. It stops
/// its receiver as soon as [`is_receiving`](ClosingHandshake::is_receiving) is false.
#[derive(Debug)]
pub(crate) struct ClosingHandshake {
    ours: OurClose,
    /// The peer's Close, with its code if it has one. The receiver stops then, so there is at most
    /// one.
    theirs: Option<Option<CloseCode>>,
    /// Set when `ours` first became due, and never changed.
    initiator: Option<Initiator>,
    /// Why the connection failed. Never set together with `theirs`, because either of them stops
    /// the receiver.
    failure: Option<Failure>,
    transport: Transport,
}

/// Our one Close (§5.5.1), with its code if it has one.
#[derive(Clone, Copy, Debug)]
enum OurClose {
    NotDue,
    /// The peer's Close or a failure calls for it.
    Owed(Option<CloseCode>),
    /// It was appended to an output. No other may follow.
    Sent(Option<CloseCode>),
}

/// How far the transport has ended, as the caller reports it.
#[derive(Clone, Copy, Debug)]
enum Transport {
    Up,
    /// The caller ended its writing side, as [`NextStep::ShutdownWrite`] says.
    WriteEnded,
    /// The peer ended its side. `tried` says whether sending the owed Close was attempted since
    /// that was last reported.
    Eof {
        tried: bool,
    },
    /// The caller gave the transport up. This is final.
    Aborted,
}

impl ClosingHandshake {
    pub(crate) const fn new() -> Self {
        ClosingHandshake {
            ours: OurClose::NotDue,
            theirs: None,
            initiator: None,
            failure: None,
            transport: Transport::Up,
        }
    }

    /// Records the peer's Close.
    pub(crate) fn receive_close(&mut self, code: Option<CloseCode>) {
        self.theirs = Some(code);
        // §5.5.1: it is answered with its code, unless we closed first.
        self.owe(code);
        self.initiator.get_or_insert(Initiator::Peer);
    }

    /// Records that the connection failed. Only the first failure counts, and none after the peer's
    /// Close.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if !self.is_receiving() {
            return;
        }
        self.failure = Some(failure);
        // §7.1.7: say why, unless a Close was sent before.
        self.owe(Some(failure.close_code()));
        self.initiator.get_or_insert(Initiator::Local);
    }

    const fn owe(&mut self, code: Option<CloseCode>) {
        if self.sent().is_none() {
            self.ours = OurClose::Owed(code);
        }
    }

    /// Records that a Close is about to be appended to an output, which may fail.
    pub(crate) const fn record_attempt(&mut self) {
        if let Transport::Eof { tried } = &mut self.transport {
            *tried = true;
        }
    }

    /// Records that a Close was appended to an output.
    pub(crate) fn record_sent(&mut self, code: Option<CloseCode>) {
        self.ours = OurClose::Sent(code);
        self.initiator.get_or_insert(Initiator::Local);
    }

    /// Records the end of the peer's stream.
    ///
    /// An owed Close can still be sent afterwards. A driver that reports the end again and has not
    /// tried to send it never will, so the connection ends instead of keeping the driver in a loop.
    pub(crate) const fn receive_eof(&mut self) {
        match self.transport {
            Transport::Aborted => {}
            Transport::Eof { tried: false } if self.owed().is_some() => self.abort(),
            _ => self.transport = Transport::Eof { tried: false },
        }
    }

    /// Records that the caller ended its writing side, if that was the next step.
    pub(crate) const fn write_ended(&mut self, client: bool) {
        if matches!(self.next_step(client), NextStep::ShutdownWrite) {
            self.transport = Transport::WriteEnded;
        }
    }

    /// Records that the caller gave the transport up. A Close that was owed cannot be sent any
    /// more.
    pub(crate) const fn abort(&mut self) {
        if self.owed().is_some() {
            self.ours = OurClose::NotDue;
        }
        self.transport = Transport::Aborted;
    }

    /// Whether what the peer sends still counts: it has not closed, and the connection has not
    /// failed.
    pub(crate) const fn is_receiving(&self) -> bool {
        self.theirs.is_none() && self.failure.is_none() && !self.has_ended()
    }

    /// Whether the application may send a Close.
    pub(crate) const fn may_close(&self) -> bool {
        // §5.5.1: one Close, and the one that reports a failure is not replaced.
        self.sent().is_none() && self.failure.is_none() && !self.has_ended()
    }

    /// The code of the Close that is owed, if one is.
    #[inline]
    pub(crate) const fn owed(&self) -> Option<Option<CloseCode>> {
        match self.ours {
            OurClose::Owed(code) => Some(code),
            OurClose::NotDue | OurClose::Sent(_) => None,
        }
    }

    /// The code of the Close that was sent, if one was.
    pub(crate) const fn sent(&self) -> Option<Option<CloseCode>> {
        match self.ours {
            OurClose::Sent(code) => Some(code),
            OurClose::NotDue | OurClose::Owed(_) => None,
        }
    }

    #[inline]
    pub(crate) const fn state(&self) -> State {
        if self.has_ended() {
            State::Closed
        } else if matches!(self.ours, OurClose::NotDue) {
            // The peer's Close and every failure make ours due, so they need not be checked here.
            State::Open
        } else {
            State::Closing
        }
    }

    pub(crate) const fn next_step(&self, client: bool) -> NextStep {
        if self.has_ended() {
            return NextStep::Drop;
        }
        // The peer may have something to send after our Close, and an owed Close is sent first.
        if self.is_receiving() || self.sent().is_none() {
            return NextStep::Continue;
        }
        match self.transport {
            // §7.1.1: the server ends the stream first, so that TIME_WAIT stays with the server.
            Transport::Up if !client => NextStep::ShutdownWrite,
            _ => NextStep::AwaitEof,
        }
    }

    pub(crate) fn closure(&self) -> Option<Closure> {
        if !self.has_ended() {
            return None;
        }
        let number = |code: Option<CloseCode>| code.map_or(Closure::NO_STATUS, CloseCode::get);
        Some(Closure {
            // §7.1.4: clean once a Close went each way.
            clean: self.sent().is_some() && self.theirs.is_some(),
            code: self.theirs.map_or(Closure::ABNORMAL, number),
            sent: self.sent().map(number),
            initiator: self.initiator,
            failure: self.failure,
        })
    }

    /// Whether the caller gave the transport up.
    pub(crate) const fn is_aborted(&self) -> bool {
        matches!(self.transport, Transport::Aborted)
    }

    /// Whether the transport has ended and nothing is owed.
    #[inline]
    const fn has_ended(&self) -> bool {
        match self.transport {
            Transport::Up | Transport::WriteEnded => false,
            // TCP can end in one direction, so an owed Close can still be sent.
            Transport::Eof { .. } => self.owed().is_none(),
            Transport::Aborted => true,
        }
    }
}
