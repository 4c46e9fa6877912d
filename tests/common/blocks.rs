//! DEFLATE blocks, written bit by bit (RFC 1951 §3.2), as no compressor writes them.

#[derive(Clone, Copy)]
pub enum Block<'a> {
    Stored(&'a [u8]),
    /// With fixed codes.
    Fixed(&'a [Symbol]),
    /// With dynamic codes, and no data.
    Empty,
}

#[derive(Clone, Copy)]
pub enum Symbol {
    Literal(u8),
    /// The index of the length and of the distance in the tables of RFC 1951 §3.2.5, and the value
    /// of their extra bits. There are 29 lengths and 30 distances. Higher indices can be written,
    /// but are invalid.
    Reference {
        length: u32,
        distance: u32,
        more: u32,
    },
}

/// Three bytes from 1 byte back.
pub const NEAR: Symbol = Symbol::Reference { length: 0, distance: 0, more: 0 };
/// Three bytes from 24 577 bytes back.
pub const FAR: Symbol = Symbol::Reference { length: 0, distance: 29, more: 0 };

/// Bits, from the lowest of each byte to the highest.
#[derive(Clone, Default)]
pub struct Bits(Vec<bool>);

impl Bits {
    pub fn len(&self) -> usize {
        self.0.len().div_ceil(8)
    }

    pub fn number(&mut self, number: u32, bits: u32) -> &mut Self {
        self.0.extend((0..bits).map(|at| number >> at & 1 == 1));
        self
    }

    /// Appends a Huffman code, from its highest bit to its lowest.
    fn code(&mut self, code: u32, bits: u32) -> &mut Self {
        self.0.extend((0..bits).rev().map(|at| code >> at & 1 == 1));
        self
    }

    fn align(&mut self, padding: bool) {
        self.0.resize(self.0.len().next_multiple_of(8), padding);
    }

    /// Appends a block. After a `last` block, bits of `padding` complete the byte.
    pub fn block(&mut self, last: bool, padding: bool, block: Block<'_>) {
        self.number(last.into(), 1);
        match block {
            Block::Stored(bytes) => {
                let length = bytes.len() as u32;
                self.number(0, 2).align(padding);
                self.number(length, 16).number(!length, 16);
                for byte in bytes {
                    self.number((*byte).into(), 8);
                }
            }
            Block::Fixed(symbols) => {
                self.number(1, 2);
                for symbol in symbols {
                    self.fixed(*symbol);
                }
                self.code(0, 7);
            }
            Block::Empty => {
                // 257 literals and lengths, one distance, and the lengths of 18 code-length codes.
                self.number(2, 2).number(0, 5).number(0, 5).number(18 - 4, 4);
                for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1] {
                    self.number([2, 2].get(symbol).copied().unwrap_or((symbol == 18).into()), 3);
                }
                // 138 zeros and 118 zeros, then the end has a code of one bit, and the distance has
                // none.
                self.code(0, 1).number(138 - 11, 7).code(0, 1).number(118 - 11, 7);
                self.code(0b11, 2).code(0b10, 2).code(0, 1);
            }
        }
        if last {
            self.align(padding);
        }
    }

    fn fixed(&mut self, symbol: Symbol) {
        let (length, distance, more) = match symbol {
            Symbol::Literal(byte) => {
                match byte {
                    ..144 => self.code(0x30 + u32::from(byte), 8),
                    144.. => self.code(0x190 + u32::from(byte) - 144, 9),
                };
                return;
            }
            Symbol::Reference { length, distance, more } => (length, distance, more),
        };
        match length {
            ..23 => self.code(1 + length, 7),
            _ => self.code(0xC0 + length - 23, 8),
        };
        let further = if matches!(length, 8..28) { length / 4 - 1 } else { 0 };
        self.number(more, further).code(distance, 5);
        self.number(more >> further, (distance / 2).saturating_sub(1));
    }

    pub fn bytes(mut self) -> Vec<u8> {
        self.align(false);
        let byte = |bits: &[bool]| bits.iter().rfold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).collect()
    }
}
