//! Bytes that were read and wait inside an endpoint, and the room to read more.

use alloc::vec::Vec;
use core::mem;

use crate::output::Full;

/// The length in bytes of a first read. A read of this length is long, and another is likely to
/// follow.
const READ: usize = 16 << 10;
/// The greatest length of a read.
pub(super) const MOST: usize = 4 * READ;

/// Bytes that were read and wait. The opening handshake leaves its head in front of them:
///
/// ```text
/// | head, or what was received | waits | room for a read | initialised memory |
/// 0                          start   end          end + room          bytes.len()
/// ```
#[derive(Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// Never more than `end`.
    pub(super) start: usize,
    /// Never more than `bytes.len()`.
    pub(super) end: usize,
    /// The length of the room for a read that may be going on; 0 if there is none.
    room: usize,
    /// The length of the next read, if the one before was long; otherwise 0.
    next: usize,
}

impl Kept {
    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The number of bytes that wait.
    pub(super) const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is room for a read.
    pub(super) const fn has_room(&self) -> bool {
        self.room > 0
    }

    /// Whether to keep the memory for the next read: the one before was long, and the memory is no
    /// more than may be kept.
    pub(super) const fn is_busy(&self, keep: usize) -> bool {
        self.next > 0 && self.bytes.capacity() <= keep
    }

    /// Records that no further read is expected soon.
    pub(super) const fn rest(&mut self) {
        self.next = 0;
    }

    /// Appends `input` to what waits.
    pub(super) fn push(&mut self, input: &[u8]) -> Result<(), Full> {
        self.close_room();
        self.bytes.truncate(self.end);
        self.bytes.try_reserve(input.len()).map_err(|_| Full)?;
        self.bytes.extend_from_slice(input);
        self.end = self.bytes.len();
        Ok(())
    }

    /// Returns room for a read of at most `most` bytes, after those that wait; an empty slice if
    /// there is no memory. The room doubles while reads fill it, so that a long message takes fewer
    /// reads.
    pub(super) fn room(&mut self, most: usize) -> &mut [u8] {
        let length = self.next.max(READ).min(most);
        let end = self.end.saturating_add(length);
        let missing = end.saturating_sub(self.bytes.len());
        if missing > 0 && self.bytes.try_reserve(missing).is_ok() {
            self.bytes.resize(end, 0);
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let length = length.min(room.len());
        self.room = length;
        room.get_mut(..length).unwrap_or_default()
    }

    /// Records that so many bytes of the room were filled.
    pub(super) fn filled(&mut self, length: usize) {
        let room = mem::take(&mut self.room);
        let length = length.min(room);
        self.end = self.end.saturating_add(length);
        self.next = match length {
            ..READ => 0,
            _ if length < room => room,
            _ => room.saturating_mul(2).min(MOST),
        };
    }

    /// Ends a read into the room of which nothing was reported.
    pub(super) const fn close_room(&mut self) {
        if self.room > 0 {
            (self.room, self.next) = (0, 0);
        }
    }

    /// Returns the bytes that were received and those that wait.
    pub(super) fn split(&mut self) -> (&mut [u8], &mut [u8]) {
        let bytes = self.bytes.get_mut(..self.end).unwrap_or_default();
        bytes.split_at_mut_checked(self.start).unwrap_or_default()
    }

    /// Discards the head, or the bytes that were received.
    pub(super) fn reclaim(&mut self) {
        self.close_room();
        let bytes = self.bytes.get_mut(..self.end).unwrap_or_default();
        self.end = reclaim(bytes, &mut self.start);
    }
}

/// Moves the bytes after the first `start` to the front, if this costs less than writing those
/// `start` bytes did. So all moves together cost no more than the writes. Returns where the bytes
/// end now.
pub(super) fn reclaim(bytes: &mut [u8], start: &mut usize) -> usize {
    let length = bytes.len();
    let (front, rest) = bytes.split_at_mut_checked(*start).unwrap_or_default();
    if rest.len() > front.len() {
        return length;
    }
    front.iter_mut().zip(&*rest).for_each(|(to, from)| *to = *from);
    *start = 0;
    rest.len()
}
