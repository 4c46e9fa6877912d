//! Messages that stay in the caller's input until they have fully arrived.

use core::ops::Range;

use super::{Receiver, Stage, WHOLE_BINARY, WHOLE_TEXT, take};
use crate::{
    frame::{Header, MAX_HEADER, Opcode, first_byte},
    mask,
    role::Role,
};

/// The first byte of a whole text message that is compressed (RFC 7692 §6).
const COMPRESSED_TEXT: u8 = first_byte(true, true, Opcode::Text);
/// The first byte of a whole binary message that is compressed (RFC 7692 §6).
const COMPRESSED_BINARY: u8 = first_byte(true, true, Opcode::Binary);

impl<R: Role> Receiver<R> {
    /// The number of bytes that have arrived and are still in the caller's input.
    #[inline]
    pub(crate) const fn in_input(&self) -> u32 {
        match self.stage {
            Stage::InInput { seen } => seen,
            _ => 0,
        }
    }

    /// Leaves a single-frame message in `input` if it fits in `capacity` bytes but has not fully
    /// arrived. Returns whether it does, and then remembers how many bytes were there.
    ///
    /// The bytes that have arrived are unmasked at once, while they are in the processor's cache.
    /// The header stays in the input, too, so nothing else has to be remembered. When the message
    /// is complete, its header is taken off, and [`receive`](Receiver::receive) gets a payload that
    /// is not masked.
    #[inline(never)]
    pub(crate) fn leave(&mut self, input: &mut &mut [u8], capacity: u32) -> bool {
        // An empty input does not show what was left.
        if input.is_empty() && self.in_input() > 0 {
            return true;
        }
        let seen = self.take_seen();
        let is_one_frame = matches!(
            **input,
            [WHOLE_TEXT | WHOLE_BINARY | COMPRESSED_TEXT | COMPRESSED_BINARY, ..]
        );
        if !is_one_frame || !self.is_between_messages() {
            return false;
        }
        let (header, length) = match Header::decode(input, self.expected()) {
            Ok(Some(header)) => header,
            // The length is unknown, because the header is split: leave it if the longest header fits.
            Ok(None) => {
                let leave = MAX_HEADER as u64 <= u64::from(capacity);
                if leave {
                    self.stage = Stage::InInput { seen: input.len() as u32 };
                }
                return leave;
            }
            Err(_) => return false,
        };
        let end = header.length.saturating_add(length as u64);
        if end > u64::from(capacity) {
            mask(input, length, header.key, 0..seen);
            return false;
        }
        let end = end as usize;
        if end > input.len() {
            mask(input, length, header.key, seen..input.len());
            self.stage = Stage::InInput { seen: input.len() as u32 };
            return true;
        }
        if seen > 0 {
            mask(input, length, header.key, seen..end);
            take(input, length);
            self.begin(Header { key: [0; 4], ..header });
        }
        false
    }

    /// Returns how many bytes [`leave`](Receiver::leave) has seen, and makes the next byte that of a
    /// header again.
    fn take_seen(&mut self) -> usize {
        let seen = self.in_input();
        if seen > 0 {
            self.stage = Stage::Header;
        }
        seen as usize
    }

    /// Masks again the bytes that [`leave`](Receiver::leave) has unmasked. This is needed if the
    /// caller continues with a call that does not know about them.
    #[cold]
    pub(super) fn mask_seen(&mut self, input: &mut [u8]) {
        let seen = self.take_seen();
        if let Ok(Some((header, length))) = Header::decode(input, self.expected()) {
            mask(input, length, header.key, 0..seen);
        }
    }
}

/// Masks or unmasks those bytes of a frame that are payload and lie in `range`. The frame has a header
/// of `length` bytes with this key.
fn mask(frame: &mut [u8], length: usize, key: [u8; 4], range: Range<usize>) {
    let start = range.start.max(length);
    if let Some(payload) = frame.get_mut(start..range.end) {
        mask::unmask(payload, mask::rotate(key, start - length));
    }
}
