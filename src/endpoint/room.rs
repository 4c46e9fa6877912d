//! How much room the output has.

/// What may still be sent and received, by how much output waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// No more waits than the high-water mark, or more did and was written down to the low one.
    Free,
    /// More waits. No message can be sent, but reading goes on, because what waits can be one long
    /// message of the application's own.
    Full,
    /// As before, but one message is accepted: the answer to the last event.
    Answer,
    /// Since then answers have made the output longer by the high-water mark again, so the peer does
    /// not read them. No message is received.
    Blocked,
}

impl Room {
    /// Whether messages are refused.
    pub(super) const fn is_full(self) -> bool {
        matches!(self, Room::Full | Room::Blocked)
    }
}
