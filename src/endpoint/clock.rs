//! What an endpoint knows of the time.

use core::time::Duration;

use crate::deadline::Deadlines;

/// The time as the driver told it last.
///
/// Only a tick begins a limit, because between two ticks the time is not known: what happened
/// since the latest one can be 20 s younger than that. Until the tick, the deadline is now.
pub(super) struct Clock {
    pub(super) deadlines: Deadlines,
    pub(super) now: Duration,
    /// The latest tick has found a deadline that had passed.
    pub(super) overdue: bool,
    /// Output waited at the latest tick.
    pub(super) waited: bool,
    /// Whether output waited after the latest write since that tick.
    pub(super) waits: Option<bool>,
    /// How many bytes of output were written since that tick; as many as can be if none waited
    /// after a write, because such a peer is fast enough.
    pub(super) taken: u32,
}

impl Clock {
    /// Notes that the transport took `taken` bytes and that `left` wait for it.
    #[inline]
    pub(super) const fn written(&mut self, taken: usize, left: usize) {
        let taken = if left == 0 || taken > u32::MAX as usize { u32::MAX } else { taken as u32 };
        self.taken = self.taken.saturating_add(taken);
        self.waits = Some(left > 0);
    }
}
