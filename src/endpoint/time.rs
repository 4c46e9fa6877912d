//! Time inside an endpoint: which deadline is next, and what is done when it has passed.

use alloc::vec::Vec;
use core::{mem, time::Duration};

use super::{Endpoint, Phase, end::Cause, sending::Sender};
use crate::{
    deadline::{Deadlines, Limit, Overdue},
    handshake::reject,
    role::Role,
};

/// The time as the driver told it last.
pub(super) struct Clock {
    pub(super) deadlines: Deadlines,
    pub(super) now: Duration,
    /// The latest tick has found a deadline that had passed.
    overdue: bool,
}

impl<R: Role> Endpoint<R> {
    /// Tells the time, and does what is due: once in each turn of the driver's loop, and at
    /// [`deadline`](Endpoint::deadline) at the latest. `now` is the time since any origin that
    /// stays the same. Without this call there are no time limits.
    ///
    /// A silent peer is sent a Ping. One that exceeds a [`Limit`] is told so before it is dropped:
    /// by a Close with code 1011 or 1008, or with HTTP status 408 during the handshake. An
    /// application that does not decide about a request in time has the client sent status 503.
    ///
    /// A deadline has an effect at the second tick that finds it passed. Until then `deadline` is
    /// now. So bytes that wait in the transport count first, even if the program was suspended.
    ///
    /// ```
    /// use core::time::Duration;
    /// use websocket_proto::endpoint::{Endpoint, Options};
    /// use websocket_proto::{Agreed, Server};
    ///
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// ws.tick(Duration::from_secs(100));
    /// assert_eq!(ws.deadline(), Some(Duration::from_secs(120)));
    /// ws.tick(Duration::from_secs(120)); // read what there is, then tick again
    /// assert_eq!(ws.deadline(), Some(Duration::from_secs(120)));
    /// ws.tick(Duration::from_secs(120));
    /// assert_eq!(ws.output(), b"\x89\x04\0\0\0\x01"); // a Ping
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("timeout", "timer", "keepalive", "heartbeat"))]
    pub fn tick(&mut self, now: Duration) {
        let Endpoint { inbox, sender } = self;
        sender.tick(now);
        inbox.clear(sender);
        if mem::take(&mut sender.idle) {
            inbox.rest(sender);
        }
    }
}

impl<R: Role> Sender<R> {
    /// Tells the time, and does what is due: see [`Endpoint::tick`]. Use it where the sender is
    /// lent, for example while it waits for room.
    pub fn tick(&mut self, now: Duration) {
        let new =
            || Clock { deadlines: self.settings.0.deadlines.restarted(now), now, overdue: false };
        let clock = self.clock.get_or_insert_with(new);
        clock.now = now.max(clock.now);
        match self.phase {
            Phase::Head => {}
            Phase::Deciding => clock.deadlines.deciding(clock.now),
            Phase::Open => clock.deadlines.update(clock.now, &self.connection),
            Phase::Answered | Phase::Draining => clock.deadlines.closing(clock.now),
            Phase::Ended => return,
        }
        let due = clock.deadlines.next().is_some_and(|(at, _)| at <= clock.now);
        if mem::replace(&mut clock.overdue, due) && due {
            clock.overdue = false;
            if self.out.is_empty() {
                self.out = Vec::new();
            }
            self.enforce();
        }
        self.settle();
    }

    /// Does what is due for the deadline that has passed.
    fn enforce(&mut self) {
        let Some(Clock { deadlines, now, .. }) = &mut self.clock else { return };
        let overdue = if self.phase == Phase::Open {
            deadlines.enforce(*now, &mut self.connection, &mut self.out)
        } else {
            deadlines.expired(*now)
        };
        match overdue {
            None => {}
            // Nothing was received for long.
            Some(Overdue::Ping(_)) => {
                self.idle = true;
            }
            Some(Overdue::Close(limit)) if self.phase == Phase::Open => {
                let report = self.report();
                report.cause = Some(Cause::Limit(limit));
                report.sent = Some(limit.close_frame());
                self.measure();
            }
            Some(Overdue::Close(limit)) if !R::CLIENT => {
                // It is not the client's fault that the application has not decided.
                let status = if limit == Limit::Decision { 503 } else { 408 };
                match reject(status, &[], b"", &mut self.out) {
                    Ok(()) => self.refuse(Cause::Limit(limit)),
                    Err(_) => self.never_open(Cause::Limit(limit)),
                }
            }
            Some(Overdue::Close(limit) | Overdue::Abort(limit)) => {
                self.report().cause.get_or_insert(Cause::Limit(limit));
                self.abort();
            }
        }
    }

    /// The application decides from now on.
    pub(super) fn decide(&mut self) {
        self.phase = Phase::Deciding;
        if let Some(clock) = &mut self.clock {
            clock.deadlines.deciding(clock.now);
        }
    }

    /// When to [`tick`](Sender::tick) again at the latest; `None` if nothing is waited for, or if
    /// the time was never told. The deadline can move earlier with every other call, so ask in each
    /// turn.
    #[must_use]
    #[doc(alias("timeout", "timer"))]
    pub fn deadline(&self) -> Option<Duration> {
        let clock = self.clock.as_ref()?;
        if self.is_over() {
            return None;
        }
        if clock.overdue {
            return Some(clock.now);
        }
        clock.deadlines.next().map(|(at, _)| at)
    }
}
