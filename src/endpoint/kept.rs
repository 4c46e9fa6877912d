//! Bytes that were read and wait inside an endpoint.

use alloc::vec::Vec;

use crate::output::Full;

/// Bytes that were read and wait. The opening handshake leaves its head in front of them:
///
/// ```text
/// | head, or what was received | waits | room for a read |
/// 0                          start   end          bytes.len()
/// ```
#[derive(Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// Never more than `end`.
    pub(super) start: usize,
    /// Never more than `bytes.len()`.
    pub(super) end: usize,
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
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() > self.end
    }

    /// Appends `input` to what waits.
    pub(super) fn push(&mut self, input: &[u8]) -> Result<(), Full> {
        self.bytes.truncate(self.end);
        self.bytes.try_reserve(input.len()).map_err(|_| Full)?;
        self.bytes.extend_from_slice(input);
        self.end = self.bytes.len();
        Ok(())
    }

    /// Returns room for `length` bytes after those that wait; an empty slice if there is no memory.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        let most = self.end.saturating_add(length);
        if most > self.bytes.len() && self.bytes.try_reserve(most - self.bytes.len()).is_ok() {
            self.bytes.resize(most, 0);
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let length = length.min(room.len());
        room.get_mut(..length).unwrap_or_default()
    }

    /// Records that so many bytes of the room were filled.
    pub(super) fn filled(&mut self, length: usize) {
        self.end = self.end.saturating_add(length).min(self.bytes.len());
    }

    /// Returns the bytes that were received and those that wait.
    pub(super) fn split(&mut self) -> (&mut [u8], &mut [u8]) {
        let bytes = self.bytes.get_mut(..self.end).unwrap_or_default();
        bytes.split_at_mut_checked(self.start).unwrap_or_default()
    }

    /// Discards the head, or the bytes that were received.
    pub(super) fn reclaim(&mut self) {
        self.bytes.truncate(self.end);
        reclaim(&mut self.bytes, &mut self.start);
        self.end = self.bytes.len();
    }
}

/// Moves the bytes after the first `start` to the front, if this costs less than writing those
/// `start` bytes did. So all moves together cost no more than the writes.
pub(super) fn reclaim(bytes: &mut Vec<u8>, start: &mut usize) {
    let (front, rest) = bytes.split_at_mut_checked(*start).unwrap_or_default();
    if rest.len() > front.len() {
        return;
    }
    front.iter_mut().zip(&*rest).for_each(|(to, from)| *to = *from);
    let length = rest.len();
    bytes.truncate(length);
    *start = 0;
}
