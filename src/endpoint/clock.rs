//! What an endpoint knows of the time.

use core::time::Duration;

use crate::deadline::Deadlines;

/// The clock of an endpoint: the time of the latest tick, and what happened since.
///
/// Only a tick begins a limit, because between two ticks the time is not known: what happened
/// since the latest one can be 20 s younger than that. Until the tick, the deadline is now.
pub(super) struct Clock {
    pub(super) deadlines: Deadlines,
    pub(super) now: Duration,
    /// Whether the latest tick found a deadline that had passed.
    pub(super) overdue: bool,
    /// Whether output waited at the latest tick.
    pub(super) waited: bool,
    /// Whether output waited after the latest write since that tick.
    pub(super) waits: Option<bool>,
    /// The number of bytes of output that were written since that tick; the maximum if none waited
    /// after a write, because then the peer is fast enough.
    pub(super) taken: u32,
}

impl Clock {
    /// Records that the transport took `taken` bytes and that `left` more wait.
    #[inline]
    pub(super) const fn written(&mut self, taken: usize, left: usize) {
        let taken = if left == 0 || taken > u32::MAX as usize { u32::MAX } else { taken as u32 };
        self.taken = self.taken.saturating_add(taken);
        self.waits = Some(left > 0);
    }
}
