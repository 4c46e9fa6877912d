//! Short DEFLATE blocks behind a final one (RFC 1951 §3.2.3).
//!
//! zlib ends its stream at a final block, and forgets its window. To go on behind it, as RFC 7692
//! §7.2.3.5 wants, the whole window is copied back: some 600 ns. A block takes two bytes at least, so
//! a peer that sends nothing but final blocks would make that the price of two bytes.
//!
//! A block that follows a final one begins at a byte, so the bit that makes it final can be found and
//! cleared before zlib sees it. What a final block has and another has not is that the next one begins
//! at a byte again. An empty stored block does that too, so one is appended. Where it has to be appended
//! is known once the end of the block is known, by the bit: that is easy for stored blocks and for those
//! of fixed codes. Blocks of dynamic codes take twelve bytes at least, and are left as they are.

use arrayvec::ArrayVec;

use crate::deflate::TAIL;

/// How many bytes of input are looked at. For a block that is longer a copy of the window is cheap.
const SHORT: usize = 64;

/// Blocks of which none is final.
pub(crate) struct Reopened {
    /// The blocks, which end at a byte.
    pub(crate) blocks: ArrayVec<u8, { SHORT + 1 + TAIL.len() }>,
    /// How many bytes of the input they stand for.
    pub(crate) consumed: usize,
}

/// The blocks at the beginning of `input`, up to the first that is final, so changed that it is not,
/// but the next block still begins at a byte.
///
/// `None` if there is no such block, if it or one before it has dynamic codes, if they are long or not
/// fully received, or if they inflate to more than `room` bytes.
pub(crate) fn reopen(input: &[u8], room: usize) -> Option<Reopened> {
    let mut bits = Bits { bytes: input.get(..SHORT).unwrap_or(input), at: 0 };
    let mut produced = 0;
    loop {
        let start = bits.at;
        let last = bits.take(1)? == 1;
        produced += match bits.take(2)? {
            0 => bits.stored()?,
            1 => bits.fixed()?,
            _ => return None,
        };
        if produced > room {
            return None;
        }
        if last {
            let consumed = bits.at.div_ceil(8);
            let padding = 8 * consumed - bits.at;
            let mut blocks = ArrayVec::new();
            blocks.try_extend_from_slice(input.get(..consumed)?).ok()?;
            *blocks.get_mut(start / 8)? &= !(1 << (start % 8));
            // The header of the stored block is three zeros, and more of them up to the next byte.
            *blocks.last_mut()? &= 0xFF >> padding;
            if padding < 3 {
                blocks.try_push(0x00).ok()?;
            }
            blocks.try_extend_from_slice(&TAIL).ok()?;
            return Some(Reopened { blocks, consumed });
        }
    }
}

/// A position in bytes, which are read from their lowest bit on (RFC 1951 §3.1.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits as a number, the lowest first.
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut number = 0;
        for at in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number |= usize::from(byte >> (self.at % 8) & 1) << at;
            self.at += 1;
        }
        Some(number)
    }

    /// As codes have them: the highest first.
    fn code(&mut self, count: usize) -> Option<usize> {
        (0..count).try_fold(0, |code, _| Some(code << 1 | self.take(1)?))
    }

    /// Passes a stored block behind its header, and returns its length (RFC 1951 §3.2.4).
    fn stored(&mut self) -> Option<usize> {
        self.at = self.at.next_multiple_of(8);
        let length = self.take(16)?;
        self.at += 16 + 8 * length;
        (self.at <= 8 * self.bytes.len()).then_some(length)
    }

    /// Passes a block of fixed codes behind its header, and returns to how many bytes it inflates
    /// (RFC 1951 §3.2.5, §3.2.6).
    fn fixed(&mut self) -> Option<usize> {
        let mut produced = 0;
        loop {
            // Seven bits tell a literal, of eight bits or nine, and which of the lengths it is.
            let length = match self.code(7)? {
                0 => return Some(produced),
                code @ 1..24 => code - 1,
                code @ 96..100 => 23 + (code - 96) * 2 + self.take(1)?,
                code => {
                    self.take(if code < 96 { 1 } else { 2 })?;
                    produced += 1;
                    continue;
                }
            };
            // From the eighth on, four lengths, and from the fourth on two distances, have as many
            // further bits each.
            produced += match length {
                0..8 => 3 + length,
                8..28 => {
                    let more = length / 4 - 1;
                    3 + ((4 + length % 4) << more) + self.take(more)?
                }
                28 => 258,
                _ => return None,
            };
            match self.code(5)? {
                0..4 => {}
                distance @ 4..30 => drop(self.take(distance / 2 - 1)?),
                _ => return None,
            }
        }
    }
}
