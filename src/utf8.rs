//! UTF-8 as it arrives (§8.1): validated up to the first impossible byte, delivered in complete
//! code points.
//!
//! If a piece of text ends inside a code point, the bytes of that code point are split off and
//! stored in a [`Cut`] until the next piece brings the rest. The other bytes are validated once.

use core::str;

use arrayvec::ArrayString;
#[cfg(feature = "simd")]
use ascii::{AsAsciiStr, AsciiStr};

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

    /// The number of bytes stored here.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.length as usize
    }

    /// The number of bytes that the code point still lacks; 0 if none is stored.
    pub(crate) fn missing(&self) -> usize {
        match self.bytes {
            [lead, ..] if self.length > 0 => width(lead).saturating_sub(self.len()),
            _ => 0,
        }
    }

    /// Stores a code point that [`split_cut`] has split off.
    pub(crate) fn hold(&mut self, cut: &[u8]) {
        for (to, from) in self.bytes.iter_mut().zip(cut) {
            *to = *from;
        }
        self.length = cut.len() as u8;
    }

    /// Takes the next bytes of the code point, at most as many as are [`missing`](Cut::missing),
    /// and returns the code point once it is complete.
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
            Err(_) if is_cut(sequence) => {
                self.hold(sequence);
                Ok(None)
            }
            Err(_) => Err(Impossible),
        }
    }
}

/// Splits off an incomplete code point at the end of `text`. Bytes that cannot begin a code point
/// are not split off, because they are invalid already.
#[inline]
pub(crate) fn split_cut(text: &[u8]) -> (&[u8], &[u8]) {
    for behind in 1..=3 {
        let Some((whole, cut)) = text.len().checked_sub(behind).map(|at| text.split_at(at)) else {
            break;
        };
        match cut {
            [0x80..=0xBF, ..] => {}
            [lead, ..] if width(*lead) > behind && is_cut(cut) => return (whole, cut),
            _ => break,
        }
    }
    (text, &[])
}

/// Whether more bytes can complete a code point that begins with these.
fn is_cut(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Returns `text` as a string, or the length of its valid prefix.
#[inline]
pub(crate) fn validate(text: &[u8]) -> Result<&str, usize> {
    #[cfg(feature = "simd")]
    if let Some(text) = quickly(text) {
        return Ok(text);
    }
    str::from_utf8(text).map_err(|error| error.valid_up_to())
}

/// Returns the first `valid` bytes of `text`, which [`validate`] has found to be UTF-8.
#[cold]
pub(crate) fn prefix(text: &[u8], valid: usize) -> &str {
    text.get(..valid).and_then(|text| validate(text).ok()).unwrap_or_default()
}

/// Returns `text` as a string if a fast check succeeds. Short text is nearly always ASCII, and for
/// it simdutf8 uses no vectors and core checks byte by byte.
#[cfg(feature = "simd")]
#[inline]
fn quickly(text: &[u8]) -> Option<&str> {
    if text.len() < 64 {
        text.as_ascii_str().ok().map(AsciiStr::as_str)
    } else {
        simdutf8::basic::from_utf8(text).ok()
    }
}

/// Returns the length of the sequence that `lead` begins; 1 for a byte that begins none.
#[inline]
const fn width(lead: u8) -> usize {
    match lead {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    }
}

#[cfg(all(test, feature = "simd"))]
mod tests {
    use super::quickly;

    /// Both validators give the same result, so only this test can tell which text takes the fast one.
    #[test]
    fn short_text_is_taken_as_ascii_and_long_text_as_any() {
        let (ascii, other) = ([[b'a'; 2]; 40], [[0xC3, 0xA9]; 40]);
        for (length, any) in [(0, true), (2, false), (62, false), (64, true), (80, true)] {
            let taken = |text: &[u8]| text.get(..length).and_then(quickly).is_some();
            assert!(taken(ascii.as_flattened()), "{length}");
            assert_eq!(taken(other.as_flattened()), any, "{length}");
        }
    }
}
