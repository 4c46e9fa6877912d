//! UTF-8 as it arrives (§8.1): judged at its first impossible byte, delivered in whole code points.
//!
//! A piece of text is trimmed by the code point that it cuts, if any, then validated once. The cut
//! bytes wait in a [`Cut`] until the next piece brings the rest.

use core::str;

use arrayvec::ArrayString;

/// The first bytes, at most three, of a code point whose end has not arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cut {
    bytes: [u8; 3],
    length: u8,
}

/// A byte that no UTF-8 text can have in its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Impossible;

impl Cut {
    pub(crate) const EMPTY: Self = Cut { bytes: [0; 3], length: 0 };

    /// How many bytes wait here.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.length as usize
    }

    /// How many bytes the code point still lacks; 0 when none waits.
    pub(crate) fn missing(&self) -> usize {
        match self.bytes {
            [lead, ..] if self.length > 0 => width(lead).saturating_sub(self.len()),
            _ => 0,
        }
    }

    /// Takes the next bytes of the code point, no more than are [`missing`](Cut::missing), and
    /// gives it back when it is whole.
    pub(crate) fn extend(&mut self, next: &[u8]) -> Result<Option<ArrayString<4>>, Impossible> {
        let mut bytes = [0; 4];
        let length = self.len().saturating_add(next.len());
        let waiting = self.bytes.get(..self.len()).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(waiting.iter().chain(next)) {
            *to = *from;
        }
        let sequence = bytes.get(..length).ok_or(Impossible)?;
        match str::from_utf8(sequence) {
            Ok(text) => {
                self.length = 0;
                ArrayString::from(text).map(Some).map_err(|_| Impossible)
            }
            // An error without a length says that the bytes so far begin a code point.
            Err(error) if error.error_len().is_none() && error.valid_up_to() == 0 => {
                let [a, b, c, _] = bytes;
                *self = Cut { bytes: [a, b, c], length: length as u8 };
                Ok(None)
            }
            Err(_) => Err(Impossible),
        }
    }
}

/// How many bytes at the end of `text` begin a code point without ending it, as far as the lead
/// byte tells: 0 to 3.
#[inline]
pub(crate) fn cut_length(text: &[u8]) -> usize {
    for (behind, &byte) in text.iter().rev().take(3).enumerate() {
        match byte {
            0x80..=0xBF => {}
            _ if width(byte) > behind + 1 => return behind + 1,
            _ => break,
        }
    }
    0
}

/// `text` as a string, or the length of its valid prefix.
#[inline]
pub(crate) fn validate(text: &[u8]) -> Result<&str, usize> {
    #[cfg(feature = "simd")]
    if let Ok(text) = simdutf8::basic::from_utf8(text) {
        return Ok(text);
    }
    str::from_utf8(text).map_err(|error| error.valid_up_to())
}

/// The length of the sequence that `lead` begins; 1 for a byte that begins none.
#[inline]
const fn width(lead: u8) -> usize {
    match lead {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    }
}
