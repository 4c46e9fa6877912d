//! The memory in which [`Messages`](crate::Messages) joins the pieces of a message.
//!
//! There are two kinds: a buffer that the caller lends, and the heap. On the heap, text is joined in a
//! `String`, because then it needs no second validation: each piece was validated when it arrived.
//! Text and binary messages share one allocation, which changes its type between messages.
//!
//! After a binary message there may be room that a driver reads into. The room was initialised with
//! zeros or by an earlier message. It becomes part of the message with [`grow`](Storage::grow):
//!
//! ```text
//! | the message so far | room          | not initialised |
//! 0                  length     data.len()     data.capacity()
//! ```

#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};
use core::fmt;
#[cfg(feature = "alloc")]
use core::mem;

#[cfg(feature = "alloc")]
use crate::output::Output;
use crate::{
    event::{Data, Kind},
    mask,
    output::Full,
    utf8,
};

pub(crate) enum Storage<'b> {
    #[cfg(feature = "alloc")]
    Heap(Heap),
    Lent {
        buffer: &'b mut [u8],
        length: usize,
    },
}

impl Storage<'_> {
    /// The number of bytes joined so far.
    pub(crate) fn len(&self) -> usize {
        match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(heap) => heap.len(),
            Storage::Lent { length, .. } => *length,
        }
    }

    /// Discards the message, and frees heap memory if it has more capacity than is kept.
    pub(crate) fn clear(&mut self) {
        match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(heap) => heap.clear(),
            Storage::Lent { length, .. } => *length = 0,
        }
    }

    /// Returns how many more bytes of heap memory may be kept between messages, besides the
    /// storage's own.
    #[cfg(feature = "alloc")]
    pub(crate) fn spare(&self) -> usize {
        match self {
            Storage::Heap(heap) => heap.keep.saturating_sub(heap.capacity()),
            Storage::Lent { .. } => 0,
        }
    }

    /// Appends a piece of a message, and unmasks it with `key`. All pieces of a message have the same
    /// kind. `limit` caps how far memory grows ahead; the connection has checked the length.
    #[cfg_attr(not(feature = "alloc"), expect(unused_variables))]
    pub(crate) fn push(&mut self, piece: Data<'_>, key: [u8; 4], limit: u64) -> Result<(), Full> {
        match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(heap) => heap.push(piece, key, limit),
            Storage::Lent { buffer, length } => {
                let piece = piece.as_bytes();
                let room = buffer.get_mut(*length..).ok_or(Full)?;
                let (room, _) = room.split_at_mut_checked(piece.len()).ok_or(Full)?;
                room.copy_from_slice(piece);
                mask::unmask(room, key);
                *length = length.saturating_add(piece.len());
                Ok(())
            }
        }
    }

    /// Returns memory after the message, to read more of the message into. It has at most `most`
    /// bytes, which is what the frame has still to come. `None` if there is no room, or too little
    /// to be worth a separate read.
    #[cfg_attr(not(feature = "alloc"), expect(unused_variables))]
    pub(crate) fn room(&mut self, most: u64, limit: u64) -> Option<&mut [u8]> {
        match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(heap) => heap.room(most, limit),
            Storage::Lent { buffer, length } => {
                let room = buffer.get_mut(*length..)?;
                let most = room.len().min(usize::try_from(most).unwrap_or(usize::MAX));
                room.get_mut(..most).filter(|room| !room.is_empty())
            }
        }
    }

    /// Appends the first `more` bytes of the [room](Storage::room). They have to be unmasked
    /// already.
    pub(crate) const fn grow(&mut self, more: usize) {
        let length = match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(Heap { memory: Memory::Binary { length, .. }, .. }) => length,
            #[cfg(feature = "alloc")]
            Storage::Heap(_) => return,
            Storage::Lent { length, .. } => length,
        };
        *length = length.saturating_add(more);
    }

    /// Returns the joined message, whose pieces had this kind.
    pub(crate) fn data(&self, kind: Kind) -> Data<'_> {
        match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(heap) => heap.data(kind),
            Storage::Lent { buffer, length } => {
                let bytes = buffer.get(..*length).unwrap_or_default();
                match kind {
                    Kind::Binary => Data::Binary(bytes),
                    // All pieces were valid text, but a byte buffer loses that fact, so it is
                    // validated again.
                    Kind::Text => Data::Text(utf8::validate(bytes).unwrap_or_default()),
                }
            }
        }
    }
}

/// Memory on the heap, which grows as pieces arrive.
#[cfg(feature = "alloc")]
pub(crate) struct Heap {
    memory: Memory,
    /// How many bytes of capacity are kept between messages.
    keep: usize,
}

/// One allocation, with the type of the latest message.
#[cfg(feature = "alloc")]
enum Memory {
    Text(String),
    /// The message is the first `length` bytes. The others are room to read into.
    Binary {
        data: Vec<u8>,
        length: usize,
    },
}

/// The least number of bytes of a read into the heap. The greatest is four times as many.
#[cfg(feature = "alloc")]
const READ: usize = 16 << 10;

#[cfg(feature = "alloc")]
impl Memory {
    const EMPTY: Self = Memory::Binary { data: Vec::new(), length: 0 };

    /// Converts the memory to the type for messages of this kind.
    #[inline]
    fn turn_into(&mut self, kind: Kind) {
        match (kind, &*self) {
            (Kind::Text, Memory::Text(_)) | (Kind::Binary, Memory::Binary { .. }) => {}
            _ => *self = mem::replace(self, Memory::EMPTY).turned(),
        }
    }

    fn turned(self) -> Self {
        match self {
            Memory::Text(text) => {
                let length = text.len();
                Memory::Binary { data: text.into_bytes(), length }
            }
            Memory::Binary { mut data, length } => {
                // The memory is empty here, because it is converted at the first piece of a
                // message.
                data.truncate(length);
                Memory::Text(String::from_utf8(data).unwrap_or_default())
            }
        }
    }
}

#[cfg(feature = "alloc")]
impl Heap {
    pub(crate) const fn new(keep: usize) -> Self {
        Heap { memory: Memory::EMPTY, keep }
    }

    const fn len(&self) -> usize {
        match &self.memory {
            Memory::Text(text) => text.len(),
            Memory::Binary { length, .. } => *length,
        }
    }

    const fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Text(text) => text.capacity(),
            Memory::Binary { data, .. } => data.capacity(),
        }
    }

    fn clear(&mut self) {
        if self.capacity() > self.keep {
            *self = Heap::new(self.keep);
        }
        match &mut self.memory {
            Memory::Text(text) => text.clear(),
            Memory::Binary { length, .. } => *length = 0,
        }
    }

    fn push(&mut self, piece: Data<'_>, key: [u8; 4], limit: u64) -> Result<(), Full> {
        let more = piece.as_bytes().len();
        let more = growth(self.len(), self.capacity(), more, self.keep, limit);
        self.memory.turn_into(piece.kind());
        match (&mut self.memory, piece) {
            (Memory::Text(text), Data::Text(piece)) => {
                text.try_reserve_exact(more).map_err(|_| Full)?;
                text.push_str(piece);
            }
            (Memory::Binary { data, length }, Data::Binary(piece)) => {
                data.truncate(*length);
                data.try_reserve_exact(more).map_err(|_| Full)?;
                match key {
                    [0, 0, 0, 0] => data.extend_from_slice(piece),
                    key => data.append_masked(piece, key),
                }
                *length = data.len();
            }
            // The memory has the type that fits the piece.
            _ => {}
        }
        Ok(())
    }

    /// Returns room as long as the message so far, but between one and four times [`READ`]. The
    /// room is shorter if the memory has less, so that memory only doubles. If less than [`READ`]
    /// of the frame is to come, this returns `None`, and the frame is received like any other.
    /// Calling it again returns the same room.
    fn room(&mut self, most: u64, limit: u64) -> Option<&mut [u8]> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if most < READ {
            return None;
        }
        self.memory.turn_into(Kind::Binary);
        let Memory::Binary { data, length } = &mut self.memory else { return None };
        let mut most = most.min((*length).clamp(READ, 4 * READ));
        let spare = data.capacity().saturating_sub(*length);
        if spare >= READ {
            most = most.min(spare);
        }
        let more = growth(*length, data.capacity(), most, self.keep, limit);
        let end = length.saturating_add(most);
        let missing = length.saturating_add(more).saturating_sub(data.len());
        if data.len() < end {
            data.try_reserve_exact(missing).ok()?;
            data.resize(end, 0);
        }
        data.get_mut(*length..end)
    }

    /// Returns the message, which may be empty.
    fn data(&self, kind: Kind) -> Data<'_> {
        match (kind, &self.memory) {
            (Kind::Text, Memory::Text(text)) => Data::Text(text),
            (Kind::Text, Memory::Binary { .. }) => Data::Text(""),
            (Kind::Binary, Memory::Binary { data, length }) => {
                Data::Binary(data.get(..*length).unwrap_or_default())
            }
            (Kind::Binary, Memory::Text(_)) => Data::Binary(&[]),
        }
    }
}

/// Returns how many bytes to reserve for `more` bytes after `length`. Capacity doubles, but only up
/// to `limit`, and only up to `keep` while the message fits there.
#[cfg(feature = "alloc")]
pub(crate) fn growth(
    length: usize,
    capacity: usize,
    more: usize,
    keep: usize,
    limit: u64,
) -> usize {
    let needed = length.saturating_add(more);
    if needed <= capacity {
        return more;
    }
    let most = if needed <= keep { keep } else { usize::MAX };
    let most = most.min(usize::try_from(limit).unwrap_or(usize::MAX));
    capacity.saturating_mul(2).min(most).max(needed).saturating_sub(length)
}

impl fmt::Debug for Storage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "alloc")]
            Storage::Heap(heap) => write!(f, "Heap({} bytes)", heap.len()),
            Storage::Lent { buffer, length } => {
                write!(f, "Lent({length} of {} bytes)", buffer.len())
            }
        }
    }
}
