//! The end of an endpoint: what to do with the transport, and how it ended.

use alloc::vec::Vec;
use core::fmt;

use super::{Phase, boxed, sending::Sender};
use crate::{
    close::{CloseCode, CloseFrame},
    closing::{Closure, Initiator, NextStep, State},
    deadline::Limit,
    handshake::HandshakeError,
    role::Role,
};

/// What is known of the end. It is kept on the heap, because it exists only once the end has begun.
#[derive(Default)]
pub(super) struct Report {
    pub(super) received: Option<CloseFrame>,
    pub(super) sent: Option<CloseFrame>,
    pub(super) cause: Option<Cause>,
}

/// Why a connection did not open, or which time limit ended it.
///
/// A limit can come together with a Close or a failure: it called for our Close, and then the peer
/// answered or broke a rule. A limit that passes after the peer's Close or a failure is no cause,
/// because it says only that the transport did not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A time limit was exceeded.
    Limit(Limit),
    /// The opening handshake broke a rule.
    Handshake(HandshakeError),
    /// The request was refused with this HTTP status, by either side.
    Status(u16),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Limit(limit) => fmt::Display::fmt(limit, f),
            Cause::Handshake(error) => fmt::Display::fmt(error, f),
            Cause::Status(status) => write!(f, "refused with HTTP status {status}"),
        }
    }
}

/// How an endpoint ended (§7.1.4 to §7.1.6). It prints as one line for a log.
///
/// ```
/// use websocket_proto::endpoint::{Endpoint, Options};
/// use websocket_proto::{Agreed, Server};
///
/// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
/// let mut read = *b"\x88\x85\0\0\0\0\x0F\xA1bye";
/// let mut input = &mut read[..];
/// while ws.receive(&mut input).is_some() {}
/// ws.written(ws.output().len());
/// ws.receive_eof();
/// let ending = ws.ending().expect("it has ended");
/// assert_eq!((ending.closure.code, ending.closure.clean), (4001, true));
/// assert_eq!(ending.to_string(), r#"closed by the peer: 4001 "bye""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias("closure", "close reason", "disconnect"))]
#[non_exhaustive]
pub struct Ending {
    /// Whether the opening handshake was completed. Otherwise there never was a connection, which
    /// counts as closed with 1006 (§7.1.5).
    pub opened: bool,
    /// The codes, who began, whether it was clean, and the failure if there was one.
    pub closure: Closure,
    /// The Close that was received, with its reason; `None` if there was none, or one without a
    /// code.
    pub received: Option<CloseFrame>,
    /// The Close that was sent, with its reason; `None` if there was none, or one without a code.
    /// The answer to the peer's Close and the Close for a failure have no reason. A Close counts as
    /// sent once it is in the output, even if the transport broke before it took that.
    pub sent: Option<CloseFrame>,
    /// Why the connection did not open, or which time limit ended it.
    pub cause: Option<Cause>,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ending { opened, closure, received, sent, cause } = self;
        match (cause, closure.failure, closure.initiator) {
            (Some(cause), ..) if !opened => return write!(f, "not opened: {cause}"),
            _ if !opened => return f.write_str("not opened: the transport has ended"),
            (Some(cause), ..) if !closure.clean => return write!(f, "gave up: {cause}"),
            (_, Some(failure), _) => return write!(f, "failed: {failure}"),
            (_, None, None) => return f.write_str("lost: the transport ended without a Close"),
            (_, None, Some(Initiator::Peer)) => {
                f.write_str("closed by the peer: ")?;
                write_close(f, received.as_ref())?;
            }
            (_, None, Some(Initiator::Local)) => {
                f.write_str("closed by this side: ")?;
                write_close(f, sent.as_ref())?;
            }
        }
        f.write_str(if closure.clean { "" } else { ", not clean" })
    }
}

fn write_close(f: &mut fmt::Formatter<'_>, close: Option<&CloseFrame>) -> fmt::Result {
    match close {
        Some(close) => fmt::Display::fmt(close, f),
        None => f.write_str("no code"),
    }
}

impl<R: Role> Sender<R> {
    /// What is known of the end.
    pub(super) fn report(&mut self) -> &mut Report {
        self.report.get_or_insert_with(|| boxed(Report::default()))
    }

    /// The head broke a rule: a server answers, a client has nothing to say.
    pub(super) fn fail_opening(&mut self, error: HandshakeError) {
        let cause = Cause::Handshake(error);
        if !R::CLIENT && error.respond(&mut self.out).is_ok() {
            self.refuse(cause);
        } else {
            self.never_open(cause);
        }
    }

    /// A response that refuses is in the output, and nothing follows it.
    pub(super) fn refuse(&mut self, cause: Cause) {
        self.phase = Phase::Answered;
        self.report().cause = Some(cause);
    }

    /// There will be no connection, and there is nothing to be written.
    pub(super) fn never_open(&mut self, cause: Cause) {
        self.report().cause = Some(cause);
        self.abort();
    }

    /// Whether nothing more will be exchanged.
    pub(super) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Head | Phase::Deciding => false,
            Phase::Open => self.connection.state() == State::Closed,
            Phase::Answered | Phase::Draining => self.eof && !self.holding && self.waiting() == 0,
            Phase::Ended => true,
        }
    }

    /// Reports the end of the peer's stream (§7.1.4): a read of zero bytes, or END_STREAM, once or
    /// often. First pass all bytes that were read before it to
    /// [`receive`](super::Endpoint::receive), until that returns `None`. Bytes that come later can
    /// be discarded.
    ///
    /// The report takes effect when nothing waits inside that can still be received or written. A
    /// peer whose stream ends before its request or its response was received never opens a
    /// connection.
    #[doc(alias("shutdown", "half-close"))]
    pub fn receive_eof(&mut self) {
        self.eof = true;
        if self.phase == Phase::Head && !self.holding {
            self.abort();
        }
        self.settle();
    }

    /// Reports that the transport broke: a reset, a failure of TLS, a write that failed. Nothing
    /// more will be read or written, and the output is discarded. Pass what was read before to
    /// [`receive`](super::Endpoint::receive) first. What waits inside, because too much output
    /// waited, is still received, and only then is the next step to drop the transport. Until then
    /// the [deadline](Sender::deadline) is now.
    #[doc(alias = "reset")]
    pub fn abort(&mut self) {
        (self.out, self.written, self.handed_out) = (Vec::new(), 0, 0);
        (self.eof, self.broken, self.full) = (true, true, false);
        self.mark();
        if self.phase != Phase::Open {
            self.connection.abort();
            self.phase = Phase::Ended;
        }
        self.settle();
    }

    /// What to do with the transport now.
    ///
    /// While output waits this is [`Continue`](NextStep::Continue): write it, and read if that is
    /// [wanted](super::Endpoint::wants_read). [`ShutdownWrite`](NextStep::ShutdownWrite) is
    /// returned once, and from then on [`AwaitEof`](NextStep::AwaitEof). At last it is
    /// [`Drop`](NextStep::Drop).
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Options};
    /// use websocket_proto::{Agreed, NextStep, Server};
    ///
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// assert_eq!(ws.next_step(), NextStep::Continue);
    /// let mut read = *b"\x88\x80\0\0\0\0";
    /// let mut input = &mut read[..];
    /// while ws.receive(&mut input).is_some() {}
    /// assert_eq!(ws.next_step(), NextStep::Continue); // a Close is to be written
    /// ws.written(ws.output().len());
    /// assert_eq!(ws.next_step(), NextStep::ShutdownWrite);
    /// assert_eq!(ws.next_step(), NextStep::AwaitEof);
    /// ws.receive_eof();
    /// assert_eq!(ws.next_step(), NextStep::Drop);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_step(&mut self) -> NextStep {
        if self.is_over() {
            return NextStep::Drop;
        }
        if self.waiting() > 0 {
            return NextStep::Continue;
        }
        match self.phase {
            Phase::Head | Phase::Deciding => NextStep::Continue,
            Phase::Open => {
                let step = self.connection.next_step();
                self.connection.write_ended();
                step
            }
            Phase::Answered => {
                self.phase = Phase::Draining;
                NextStep::ShutdownWrite
            }
            Phase::Draining => NextStep::AwaitEof,
            Phase::Ended => NextStep::Drop,
        }
    }

    /// How the endpoint ended; `None` while there is a connection or one may still open. There is an
    /// ending once the [next step](Sender::next_step) is to drop the transport.
    #[must_use]
    #[doc(alias = "closure")]
    pub fn ending(&self) -> Option<Ending> {
        let opened = self.phase == Phase::Open;
        let closure = match self.phase {
            Phase::Head | Phase::Deciding => return None,
            Phase::Open => self.connection.closure()?,
            Phase::Answered | Phase::Draining | Phase::Ended => Closure::never_opened(),
        };
        let report = self.report.as_deref();
        // What is sent as an answer, or for a failure, has no reason.
        let code = closure.sent.and_then(CloseCode::new);
        let sent = report.and_then(|report| report.sent);
        let sent = code.map(|code| match sent {
            Some(sent) if sent.code() == code => sent,
            _ => CloseFrame::truncated(code, ""),
        });
        let received = report.and_then(|report| report.received);
        let cause = report.and_then(|report| report.cause);
        Some(Ending { opened, closure, received, sent, cause })
    }
}
