//! The output: what waits to be written, and what that means for sending and receiving.

use alloc::vec::Vec;
use core::mem;

use super::{Phase, kept::reclaim, room::Room, sending::Sender};
use crate::role::Role;

impl<R: Role> Sender<R> {
    /// Returns the bytes to be written next. Report with [`written`](Sender::written) how many
    /// were.
    #[inline]
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.out.get(self.written..).unwrap_or_default()
    }

    /// Reports that the transport took `count` bytes of the output. Call it after each write, also
    /// if the transport took nothing now, because that is how a slow peer and one that is gone differ.
    #[doc(alias("flush", "advance"))]
    #[inline]
    pub fn written(&mut self, count: usize) {
        let nothing_before = self.written == 0 && self.handed_out == 0;
        if !(self.plain && nothing_before && count >= self.out.len()) {
            return self.written_otherwise(count);
        }
        // Nearly always, all of it is written at once.
        let taken = self.out.len();
        self.empty();
        if let Some(clock) = &mut self.clock {
            clock.written(taken, 0);
        }
    }

    #[inline(never)]
    fn written_otherwise(&mut self, count: usize) {
        let before = self.waiting();
        let taken = count.min(before);
        let handed_out = taken.min(self.handed_out);
        self.handed_out -= handed_out;
        self.advance(taken - handed_out);
        let waiting = before - taken;
        if let Some(clock) = &mut self.clock {
            clock.written(taken, waiting);
        }
        if waiting <= self.settings().low_water {
            self.make_room();
        }
        self.settle();
    }

    /// Records that a stream has taken `count` bytes of the output, but may not have flushed them.
    #[cfg(feature = "std")]
    pub(super) fn hand_out(&mut self, count: usize) {
        let count = count.min(self.output().len());
        self.handed_out = self.handed_out.saturating_add(count);
        self.advance(count);
    }

    /// Takes `count` bytes off the front of the output.
    fn advance(&mut self, count: usize) {
        self.trace_sent(count);
        self.written = self.written.saturating_add(count);
        if self.written >= self.out.len() {
            self.empty();
        } else {
            let end = reclaim(&mut self.out, &mut self.written);
            self.out.truncate(end);
        }
    }

    /// All of the output was written.
    #[inline]
    fn empty(&mut self) {
        self.written = 0;
        self.out.clear();
        if self.out.capacity() > self.settings.0.keep {
            self.out = Vec::new();
        }
    }

    /// Takes the output in a buffer of its own, for I/O that owns its buffers, such as io_uring.
    /// The memory of `spare` is used for the output that follows, and what it contains is
    /// discarded.
    ///
    /// The bytes wait until they are reported as [`written`](Sender::written), in the order in
    /// which they were taken.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Options};
    /// use websocket_proto::{Agreed, Server};
    ///
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// ws.text("hi")?;
    /// let buffer = ws.take_output(Vec::new()); // give it to the ring
    /// assert_eq!((&buffer[..], ws.output()), (&b"\x81\x02hi"[..], &b""[..]));
    /// ws.written(buffer.len()); // the ring has completed the write
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[doc(alias("io_uring", "completion"))]
    pub fn take_output(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        self.trace_sent(usize::MAX);
        spare.clear();
        if self.written == 0 {
            mem::swap(&mut self.out, &mut spare);
        } else if spare.try_reserve(self.output().len()).is_ok() {
            spare.extend_from_slice(self.output());
            self.out.clear();
            self.written = 0;
        }
        self.handed_out = self.handed_out.saturating_add(spare.len());
        spare
    }

    /// Sending and receiving go on.
    pub(super) fn make_room(&mut self) {
        self.room = Room::Free;
        self.mark = self.settings.0.high_water;
    }

    /// Passes the next `length` bytes of output to the trace.
    fn trace_sent(&mut self, length: usize) {
        let Sender { out, written, trace: Some(trace), phase: Phase::Open, .. } = self else {
            return;
        };
        let output = out.get(*written..).unwrap_or_default();
        trace.sending(output.get(..length).unwrap_or(output));
    }

    /// Returns how many bytes of output wait.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.out.len().wrapping_sub(self.written).wrapping_add(self.handed_out)
    }

    /// Measures the output after something was appended.
    #[inline]
    pub(super) fn measure(&mut self) {
        if self.waiting() > self.mark {
            self.narrow();
        }
    }

    /// Too much output waits.
    #[cold]
    fn narrow(&mut self) {
        self.plain = false;
        match self.room {
            Room::Free => {
                self.room = Room::Full;
                self.mark = self.waiting().saturating_add(self.settings.0.high_water);
            }
            Room::Full => self.room = Room::Blocked,
            // The answer is not refused. It is measured after it was sent.
            Room::Answer | Room::Blocked => {}
        }
    }

    /// Accepts one answer to the event that is handed out.
    pub(super) fn permit_answer(&mut self) {
        if self.room != Room::Free {
            self.room = Room::Answer;
        }
    }

    /// Records that a message was appended to the output.
    pub(super) fn sent(&mut self) {
        if self.room == Room::Answer {
            self.room = Room::Full;
        }
        self.measure();
    }
}
