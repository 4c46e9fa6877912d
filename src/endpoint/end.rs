//! The end of an endpoint: what to do with the transport, and how it ended.

use alloc::vec::Vec;

use super::{
    Phase, boxed,
    report::{Cause, Ending, Report},
    sending::Sender,
};
use crate::{
    close::{CloseCode, CloseFrame},
    closing::{Closure, NextStep, State},
    handshake::HandshakeError,
    role::Role,
};

impl<R: Role> Sender<R> {
    /// Returns the facts about the end.
    pub(super) fn report(&mut self) -> &mut Report {
        self.report.get_or_insert_with(|| boxed(Report::default()))
    }

    /// Ends the handshake because the head broke a rule. A server answers, a client does not.
    pub(super) fn fail_opening(&mut self, error: HandshakeError) {
        let cause = Cause::Handshake(error);
        if !R::CLIENT && error.respond(&mut self.out).is_ok() {
            self.refuse(cause);
        } else {
            self.never_open(cause);
        }
    }

    /// Ends the handshake with the refusal that is in the output.
    pub(super) fn refuse(&mut self, cause: Cause) {
        self.phase = Phase::Answered;
        self.report().cause = Some(cause);
    }

    /// Ends the handshake without a response.
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
        (self.eof, self.broken) = (true, true);
        self.make_room();
        if self.phase != Phase::Open {
            self.connection.abort();
            self.phase = Phase::Ended;
        }
        self.settle();
    }

    /// Returns what to do with the transport now.
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

    /// Returns how the endpoint ended; `None` while there is a connection or one may still open.
    /// There is an ending once the [next step](Sender::next_step) is to drop the transport.
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
        // The answer to the peer's Close and the Close for a failure have no reason.
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
