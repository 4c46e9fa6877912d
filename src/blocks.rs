//! Short DEFLATE blocks after a final one (RFC 1951 §3.2.3).
//!
//! zlib ends its stream at a final block and forgets its window. RFC 7692 §7.2.3.5 lets blocks
//! follow that refer to this window, so the whole window has to be copied back, which takes some
//! 600 ns. A final block can be two bytes long, so a peer that sends nothing else would cost 300 ns
//! a byte.
//!
//! After a final block, the next block begins on a byte boundary. [`reopen`] rewrites it into the
//! same block that is not final, followed by an empty stored block, which also makes the next block
//! begin on a byte boundary. zlib then keeps its window:
//!
//! ```text
//! received   1 01 codes padding
//! rewritten  0 01 codes 0 00 zeros  00 00 FF FF
//! ```
//!
//! Two bits have to be found for this. The first bit of the block is found because the block before
//! it was final, too. The bit after its last code is found by reading the codes, which is simple
//! for stored blocks and for fixed codes. A block of dynamic codes is left as it is: such a block
//! has twelve bytes or more, which is long enough to be worth a copy.

use arrayvec::ArrayVec;

use crate::codec::TAIL;

/// The number of bytes of input that are read. Longer blocks are worth a copy of the window.
const SHORT: usize = 64;

/// Rewritten blocks, of which none is final.
pub(crate) struct Reopened {
    /// The blocks, which end at a byte.
    pub(crate) blocks: ArrayVec<u8, { SHORT + 1 + TAIL.len() }>,
    /// How many bytes of the input they stand for.
    pub(crate) consumed: usize,
}

/// Rewrites the blocks at the beginning of `input` up to the first final one, so that none is final
/// and the next block still begins on a byte boundary.
///
/// Returns `None` if there is no final block, if it or a block before it has dynamic codes, if they
/// are long or not fully received, or unless `room` is more than they inflate to: zlib then reads
/// all of them in one call.
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
        if produced >= room {
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
    /// Returns the next `count` bits as a number, the lowest first.
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut number = 0;
        for at in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number |= usize::from(byte >> (self.at % 8) & 1) << at;
            self.at += 1;
        }
        Some(number)
    }

    /// Returns the next `count` bits of a Huffman code, which begins with the highest.
    fn code(&mut self, count: usize) -> Option<usize> {
        (0..count).try_fold(0, |code, _| Some(code << 1 | self.take(1)?))
    }

    /// Skips a stored block after its header, and returns its length (RFC 1951 §3.2.4).
    fn stored(&mut self) -> Option<usize> {
        self.at = self.at.next_multiple_of(8);
        let length = self.take(16)?;
        self.at += 16 + 8 * length;
        (self.at <= 8 * self.bytes.len()).then_some(length)
    }

    /// Skips a block of fixed codes after its header, and returns to how many bytes it inflates
    /// (RFC 1951 §3.2.5, §3.2.6).
    fn fixed(&mut self) -> Option<usize> {
        let mut produced = 0;
        loop {
            // Seven bits tell a literal of eight or nine bits from a length, and one length from
            // another.
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
