//! Frame headers as bytes (§5.2): decoding with every rule that a header alone can break, encoding
//! in the shortest form. The functions are pure: the state of the connection is passed as
//! [`Expected`].

use core::ops::Deref;

use arrayvec::ArrayVec;

use crate::{
    error::Violation,
    event::{Kind, MAX_CONTROL},
};

/// FIN: this frame ends its message.
const FIN: u8 = 0x80;
/// The first reserved bit, which RFC 7692 gives to compressed messages.
const RSV1: u8 = 0x40;
/// The reserved bits that no extension of this crate uses.
const RSV2_RSV3: u8 = 0x30;
/// MASK: the payload is masked, its key ends the header.
pub(crate) const MASK: u8 = 0x80;

/// The longest header: two bytes, a length of 64 bits, a masking key.
pub(crate) const MAX_HEADER: usize = 14;

/// The opcode of a frame (§5.2), with its value on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

impl Opcode {
    const fn new(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// The first byte of a frame.
#[inline]
pub(crate) const fn first_byte(fin: bool, rsv1: bool, opcode: Opcode) -> u8 {
    let fin = if fin { FIN } else { 0 };
    let rsv1 = if rsv1 { RSV1 } else { 0 };
    fin | rsv1 | opcode as u8
}

impl From<Kind> for Opcode {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        }
    }
}

/// What the first frame of a message says about all its fragments (§5.4, RFC 7692 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) kind: Kind,
    pub(crate) compressed: bool,
}

impl Open {
    /// A message that is not compressed.
    pub(crate) const fn plain(kind: Kind) -> Self {
        Open { kind, compressed: false }
    }
}

/// The header of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) rsv1: bool,
    pub(crate) opcode: Opcode,
    pub(crate) length: u64,
    /// The masking key. It is zero, which changes nothing, if the frame is not masked.
    pub(crate) key: [u8; 4],
}

/// What the connection's state says about the next header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Whether the peer has to mask (§5.1).
    pub(crate) mask: bool,
    /// Whether RSV1 was agreed for the first frame of a message.
    pub(crate) compression: bool,
    /// Whether a fragmented message is open (§5.4).
    pub(crate) continuation: bool,
    /// Whether that message is compressed.
    pub(crate) compressed: bool,
    /// How many payload bytes of that message have arrived.
    pub(crate) arrived: u64,
    /// How many payload bytes a message may have.
    pub(crate) limit: u64,
}

impl Header {
    /// Decodes the header at the front of `bytes`, and returns it with its length; `None` if it has
    /// not fully arrived.
    ///
    /// A header that has not fully arrived is validated as far as it goes, byte by byte. So a fault
    /// is found at the same byte, however the header is split.
    pub(crate) fn decode(
        bytes: &[u8],
        expected: Expected,
    ) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&first, bytes)) = bytes.split_first() else { return Ok(None) };
        // §5.2: opcodes 3 to 7 and B to F are reserved.
        let opcode = Opcode::new(first & 0x0F).ok_or(Violation::ReservedOpcode)?;
        let fin = first & FIN != 0;
        let rsv1 = first & RSV1 != 0;
        // §5.2: a reserved bit needs an extension. RFC 7692 §6: only the first frame of a message may
        // have RSV1, so RSV1 on a continuation or a control frame is refused.
        let may_compress = expected.compression && matches!(opcode, Opcode::Text | Opcode::Binary);
        if first & RSV2_RSV3 != 0 || rsv1 && !may_compress {
            return Err(Violation::ReservedBit);
        }
        match opcode {
            // §5.4: a continuation continues an open message.
            Opcode::Continuation if !expected.continuation => {
                return Err(Violation::UnexpectedContinuation);
            }
            // §5.4: no message begins inside another.
            Opcode::Text | Opcode::Binary if expected.continuation => {
                return Err(Violation::ExpectedContinuation);
            }
            // §5.5: control frames are never fragmented.
            Opcode::Close | Opcode::Ping | Opcode::Pong if !fin => {
                return Err(Violation::FragmentedControl);
            }
            _ => {}
        }

        let Some((&second, bytes)) = bytes.split_first() else { return Ok(None) };
        // §5.1: a client masks every frame, a server none.
        match (expected.mask, second & MASK != 0) {
            (true, false) => return Err(Violation::UnmaskedFrame),
            (false, true) => return Err(Violation::MaskedFrame),
            _ => {}
        }
        let short = second & !MASK;
        // §5.5: a control payload has at most 125 bytes, so its length is always the short form.
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(Violation::ControlTooLong);
        }
        // §5.5.1: the body of a Close is empty or begins with a code of two bytes.
        if opcode == Opcode::Close && short == 1 {
            return Err(Violation::TruncatedCloseCode);
        }

        let (width, minimum) = match short {
            126 => (2, 126),
            127 => (8, 0x1_0000),
            _ => (0, 0),
        };
        // Length bytes that have not arrived leave a range: the length is at least `low` and at
        // most `high`.
        let (mut low, mut high) = (0_u64, 0_u64);
        if width == 0 {
            (low, high) = (u64::from(short), u64::from(short));
        }
        for at in 0..width {
            let byte = bytes.get(at).copied();
            low = low << 8 | u64::from(byte.unwrap_or(0x00));
            high = high << 8 | u64::from(byte.unwrap_or(0xFF));
        }
        // §5.2: the top bit of a 64-bit length is zero.
        if low >> 63 != 0 {
            return Err(Violation::LengthOverflow);
        }
        // §5.2: a length takes the shortest form that holds it.
        if high < minimum {
            return Err(Violation::LengthNotMinimal);
        }
        // §10.4: a message that would exceed the limit is refused by its header, before any
        // payload. Faults of the header itself come first.
        let room = if rsv1 || expected.compressed {
            // The limit counts inflated bytes, which no header declares. `Inflater` checks them, and
            // `Messages` what it collects, so here only a single frame is checked.
            compressed_limit(expected.limit)
        } else {
            expected.limit.saturating_sub(expected.arrived)
        };
        if !opcode.is_control() && low > room {
            return Err(Violation::MessageTooBig);
        }

        let Some(bytes) = bytes.get(width..) else { return Ok(None) };
        let mut header = Header { fin, rsv1, opcode, length: low, key: [0; 4] };
        if !expected.mask {
            return Ok(Some((header, 2 + width)));
        }
        let Some(key) = bytes.first_chunk() else { return Ok(None) };
        header.key = *key;
        Ok(Some((header, 2 + width + key.len())))
    }
}

/// The header of a frame whose length has 7 or 16 bits. Only the length and MASK were checked.
pub(crate) struct Short {
    pub(crate) first: u8,
    /// The length of the header.
    pub(crate) header: usize,
    /// The length of the payload.
    pub(crate) length: usize,
    pub(crate) key: [u8; 4],
}

impl Short {
    /// Decodes the header at the front of `bytes`; `None` if it has not fully arrived, has a 64-bit
    /// length, or breaks a rule about MASK or length. [`Header::decode`] finds out which.
    #[inline(always)]
    pub(crate) fn decode(bytes: &[u8], masked: bool) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        // A wrong MASK bit makes this a length over 127.
        let (width, length) = match second ^ if masked { MASK } else { 0 } {
            short @ 0..=125 => (0, short.into()),
            126 => (2, u16::from_be_bytes(*rest.first_chunk()?)),
            _ => return None,
        };
        // §5.2: a length takes the shortest form that holds it.
        if width > 0 && length <= 125 {
            return None;
        }
        let mut header = Short { first, header: 2 + width, length: length.into(), key: [0; 4] };
        if masked {
            header.key = *rest.get(width..)?.first_chunk()?;
            header.header += 4;
        }
        Some(header)
    }
}

/// Returns how long a compressed frame may be if its inflated message may have `limit` bytes.
/// DEFLATE turns a byte that does not compress into at most nine bits, and adds some for each
/// block.
pub(crate) const fn compressed_limit(limit: u64) -> u64 {
    limit.saturating_add(limit / 8).saturating_add(64)
}

/// The header of a frame to send, to be written right before its payload. It has 2 to 14 bytes.
///
/// Returned by [`Connection::frame`](crate::Connection::frame) and
/// [`Connection::frame_in_place`](crate::Connection::frame_in_place). It derefs to the bytes.
///
/// The frame counts as sent once its header was made: write the header and its payload in full.
///
/// ```
/// use std::io::{IoSlice, Write};
/// use websocket_proto::{Agreed, Config, Connection, Data, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let payload = [7; 300];
/// let header = connection.frame(Data::Binary(&payload), true)?;
/// # let mut stream = Vec::new();
/// let written = stream.write_vectored(&[IoSlice::new(&header), IoSlice::new(&payload)])?;
/// assert_eq!(written, header.len() + payload.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("frame", "opcode", "fin"))]
#[must_use = "the frame counts as sent: write this header and its payload"]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FrameHeader(ArrayVec<u8, MAX_HEADER>);

impl FrameHeader {
    /// `first` is the header's first byte: FIN and the opcode.
    pub(crate) fn encode(first: u8, length: usize, key: Option<[u8; 4]>) -> Self {
        let mut header = ArrayVec::new();
        // Room for 14 bytes is always enough.
        encode(first, length, key, |bytes| {
            let _ = header.try_extend_from_slice(bytes);
        });
        FrameHeader(header)
    }
}

/// Passes the bytes of a header to `put`, in one slice whose length is a constant once this is
/// inlined.
#[inline(always)]
pub(crate) fn encode(first: u8, length: usize, key: Option<[u8; 4]>, put: impl FnOnce(&[u8])) {
    let long = length as u64;
    let [a, b, c, d, e, f, g, h] = long.to_be_bytes();
    // §5.2: the shortest form that holds the length.
    match (long, key) {
        (0..=125, None) => put(&[first, h]),
        (0..=125, Some([w, x, y, z])) => put(&[first, MASK | h, w, x, y, z]),
        (126..=0xFFFF, None) => put(&[first, 126, g, h]),
        (126..=0xFFFF, Some([w, x, y, z])) => put(&[first, MASK | 126, g, h, w, x, y, z]),
        (_, None) => put(&[first, 127, a, b, c, d, e, f, g, h]),
        (_, Some([w, x, y, z])) => {
            put(&[first, MASK | 127, a, b, c, d, e, f, g, h, w, x, y, z]);
        }
    }
}

impl Clone for FrameHeader {
    fn clone(&self) -> Self {
        // `ArrayVec`'s own `clone` would link a panic in, for more bytes than there is room for.
        FrameHeader(ArrayVec::try_from(&**self).unwrap_or_default())
    }
}

impl Deref for FrameHeader {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for FrameHeader {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameHeader, Short};

    /// The fast path and the general path give the same result, so only this test can tell that the
    /// fast path is used.
    #[test]
    fn the_straight_path_takes_each_length_in_its_shortest_form() {
        for masked in [false, true] {
            let key = masked.then_some([1, 2, 3, 4]);
            for length in [0, 1, 125, 126, 127, 0xFFFF] {
                let bytes = FrameHeader::encode(0x82, length, key);
                let header = Short::decode(&bytes, masked).expect("a short header");
                assert_eq!((header.first, header.length), (0x82, length));
                assert_eq!((header.header, header.key), (bytes.len(), key.unwrap_or_default()));
                assert!(Short::decode(&bytes, !masked).is_none());
                let (_, cut) = bytes.split_last().expect("bytes");
                assert!(Short::decode(cut, masked).is_none());
            }
            let mask = if masked { 0x80 } else { 0 };
            for length in [[126, 0, 125], [127, 0, 0]] {
                let [form, a, b] = length;
                let bytes = [0x82, mask | form, a, b, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
                assert!(Short::decode(&bytes, masked).is_none(), "{length:?}");
            }
        }
    }
}
