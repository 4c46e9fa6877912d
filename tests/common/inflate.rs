//! A naive inflater, written from RFC 1951, that also returns how far back the data refers.

/// Reads bits, the lowest of each byte first (RFC 1951 §3.1.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn number(&mut self, bits: usize) -> Option<usize> {
        (0..bits).try_fold(0, |number, at| Some(number | self.bit()? << at))
    }

    fn symbol(&mut self, code: &Code) -> Option<usize> {
        let (mut bits, mut first, mut index) = (0, 0, 0);
        for count in code.counts {
            bits = bits << 1 | self.bit()?;
            if bits - first < count {
                return code.symbols.get(index + bits - first).copied();
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }
}

/// A canonical code (RFC 1951 §3.2.2): the number of symbols of each length from 1 on, and all
/// symbols in order.
struct Code {
    counts: [usize; 15],
    symbols: Vec<usize>,
}

impl Code {
    /// Returns `None` if the code is over-subscribed or incomplete. An incomplete code of at most
    /// one symbol is allowed if `short` is true.
    fn new(lengths: &[usize], short: bool) -> Option<Self> {
        let mut symbols: Vec<_> =
            (0..lengths.len()).filter(|&symbol| lengths[symbol] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[symbol]);
        let mut counts = [0; 15];
        symbols.iter().for_each(|&symbol| counts[lengths[symbol] - 1] += 1);
        let said: usize =
            counts.iter().zip(1..).map(|(count, length)| count << (15 - length)).sum();
        let one = short && counts.iter().sum::<usize>() <= counts[0].min(1);
        match 1_usize << 15 {
            all if said == all || said < all && one => Some(Code { counts, symbols }),
            _ => None,
        }
    }
}

const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The result of inflating complete blocks.
pub struct Blocks {
    /// The distance of the farthest reference.
    pub farthest: usize,
    /// Whether the last block is a final one.
    pub ended: bool,
}

/// Appends the data of all blocks in `data`, even after a final one, to `out`, which is also the
/// window. Returns `None` unless `data` consists of complete blocks; then only the data before the
/// fault is appended.
pub fn inflate(data: &[u8], out: &mut Vec<u8>) -> Option<Blocks> {
    let mut bits = Bits { bytes: data, at: 0 };
    let (mut farthest, mut ended) = (0, false);
    while bits.at < 8 * data.len() {
        let last = bits.bit()? == 1;
        ended = last;
        let (literals, distances) = match bits.number(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let (length, check) = (bits.number(16)?, bits.number(16)?);
                if length != !check & 0xFFFF {
                    return None;
                }
                let stored = data.get(bits.at / 8..)?;
                let (stored, _) = stored.split_at_checked(length).unwrap_or((stored, &[]));
                out.extend_from_slice(stored);
                if stored.len() < length {
                    return None;
                }
                bits.at += 8 * length;
                continue;
            }
            1 => {
                let literals = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                (literals, vec![5; 32])
            }
            2 => {
                let (count, more) = (257 + bits.number(5)?, 1 + bits.number(5)?);
                if count > 286 || more > 30 {
                    return None;
                }
                let mut code = [0; 19];
                for at in 0..4 + bits.number(4)? {
                    code[ORDER[at]] = bits.number(3)?;
                }
                let code = Code::new(&code, false)?;
                let mut lengths = Vec::new();
                while lengths.len() < count + more {
                    match bits.symbol(&code)? {
                        16 => {
                            let before = *lengths.last()?;
                            lengths.extend(vec![before; 3 + bits.number(2)?]);
                        }
                        17 => lengths.extend(vec![0; 3 + bits.number(3)?]),
                        18 => lengths.extend(vec![0; 11 + bits.number(7)?]),
                        length => lengths.push(length),
                    }
                }
                if lengths.len() > count + more || lengths[256] == 0 {
                    return None;
                }
                let distances = lengths.split_off(count);
                (lengths, distances)
            }
            _ => return None,
        };
        let (literals, distances) = (Code::new(&literals, true)?, Code::new(&distances, true)?);
        loop {
            let symbol = bits.symbol(&literals)?;
            if symbol < 256 {
                out.push(symbol as u8);
                continue;
            }
            if symbol == 256 {
                break;
            }
            // RFC 1951 §3.2.5: each number of extra bits belongs to four lengths, or to two
            // distances.
            let length = match symbol - 257 {
                28 => 258,
                29.. => return None,
                at @ ..8 => 3 + at,
                at => {
                    let extra = at / 4 - 1;
                    3 + ((4 + at % 4) << extra) + bits.number(extra)?
                }
            };
            let distance = match bits.symbol(&distances)? {
                at @ ..4 => 1 + at,
                30.. => return None,
                at => {
                    let extra = at / 2 - 1;
                    1 + ((2 + at % 2) << extra) + bits.number(extra)?
                }
            };
            farthest = farthest.max(distance);
            let from = out.len().checked_sub(distance)?;
            for at in from..from + length {
                out.push(out[at]);
            }
        }
        if last {
            bits.at = bits.at.next_multiple_of(8);
        }
    }
    Some(Blocks { farthest, ended })
}
