//! Time inside an endpoint: which deadline is next, and what is done when it has passed.

use alloc::vec::Vec;
use core::{mem, time::Duration};

use super::{Endpoint, Phase, clock::Clock, report::Cause, sending::Sender};
use crate::{
    closing::Closure,
    deadline::{Limit, Overdue},
    handshake::reject,
    role::Role,
};

/// If the first tick after a deadline comes this late, the program was suspended.
const SUSPENDED: Duration = Duration::from_secs(20);

impl<R: Role> Endpoint<R> {
    /// Sets the time, and does what is due. Call this once in each turn of the driver's loop, and
    /// at [`deadline`](Endpoint::deadline) at the latest. `now` is the time since any origin that
    /// stays the same. Without this call there are no time limits.
    ///
    /// A silent peer is sent a Ping. One that exceeds a [`Limit`] is told so before it is dropped:
    /// by a Close with code 1011 or 1008, or with HTTP status 408 during the handshake. An
    /// application that does not decide about a request in time has the client sent status 503.
    /// Events that are held back when a limit drops the peer are lost.
    ///
    /// A deadline has an effect at the second tick that finds it passed. Until then `deadline` is
    /// now. So bytes that wait in the transport count first, even if the program was suspended.
    /// After a tick that comes more than 20 s late, the message in progress and the output that
    /// waits have all their time again. So a program that pauses reading has to pause its ticks,
    /// too.
    ///
    /// Only a tick begins a limit. Until the next tick, `deadline` is now. Tick after `receive` and
    /// before `output` to save a turn.
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
        // A read into that room may be going on, and its bytes are reported after this tick.
        if inbox.inside.as_ref().is_some_and(|inside| inside.kept.has_room()) {
            return;
        }
        inbox.clear(sender);
        if mem::take(&mut sender.idle) {
            inbox.rest(sender);
        }
    }
}

impl<R: Role> Sender<R> {
    /// Sets the time, and does what is due: see [`Endpoint::tick`]. Use this while only the sender
    /// is available, for example while it waits for room.
    pub fn tick(&mut self, now: Duration) {
        let (waiting, is_blocked) = (self.waiting(), self.is_blocked());
        let clock = self.clock.get_or_insert_with(|| Clock {
            deadlines: self.settings.0.deadlines.restarted(now),
            now,
            overdue: false,
            waited: false,
            waits: None,
            taken: 0,
        });
        clock.now = now.max(clock.now);
        let next = clock.deadlines.next().filter(|_| !clock.overdue);
        if next.is_some_and(|(at, _)| at.saturating_add(SUSPENDED) < clock.now) {
            clock.deadlines.suspended(clock.now);
        }
        // If nothing was reported, output that waited at the previous tick counts as blocked.
        if let Some(waits) = clock.waits.take().or(clock.waited.then_some(waiting > 0)) {
            let taken = mem::take(&mut clock.taken) as usize;
            clock.deadlines.written(clock.now, taken, waits.into());
        }
        clock.waited = waiting > 0;
        match self.phase {
            Phase::Head => {}
            Phase::Deciding => clock.deadlines.deciding(clock.now),
            Phase::Open => {
                clock.deadlines.update(clock.now, &self.connection);
                if is_blocked {
                    clock.deadlines.unread(clock.now);
                }
            }
            Phase::Answered | Phase::Draining => clock.deadlines.closing(clock.now),
            Phase::Ended => return,
        }
        // After the transport broke, there is nothing to wait for.
        let due = !self.broken && clock.deadlines.next().is_some_and(|(at, _)| at <= clock.now);
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
            // Nothing was received for long. The Ping is not measured, because it must not refuse the
            // answer to an event that was received before.
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
                self.abort();
                // A violation or the peer's Close says more than that the transport did not end.
                let closure = self.connection.closure();
                if closure.is_none_or(|it| it.failure.is_none() && it.code == Closure::ABNORMAL) {
                    self.report().cause.get_or_insert(Cause::Limit(limit));
                }
            }
        }
    }

    /// Returns when to [`tick`](Sender::tick) again at the latest. This is the time of the latest
    /// tick if you have to tick at once. `None` means that no limit runs, or that `tick` was never
    /// called; it does not mean that the [next step](Sender::next_step) is to drop the transport.
    /// The deadline can move earlier with every other call, so ask in each turn.
    #[must_use]
    #[doc(alias("timeout", "timer"))]
    pub fn deadline(&self) -> Option<Duration> {
        let clock = self.clock.as_ref()?;
        if self.is_over() {
            return None;
        }
        if clock.overdue || self.broken || self.is_behind(clock) {
            return Some(clock.now);
        }
        clock.deadlines.next().map(|(at, _)| at)
    }

    /// Whether the next tick begins or ends a limit.
    fn is_behind(&self, clock: &Clock) -> bool {
        let waited = clock.deadlines.output_waits();
        let changed = |waits| waits != waited || waited && clock.taken > 0;
        clock.waits.is_some_and(changed)
            || match self.phase {
                Phase::Head | Phase::Ended => false,
                Phase::Deciding => clock.deadlines.awaits_head(),
                Phase::Answered | Phase::Draining => {
                    clock.deadlines.awaits_head() || clock.deadlines.awaits_decision()
                }
                Phase::Open => clock.deadlines.is_behind(&self.connection),
            }
    }
}
