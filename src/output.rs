//! Where outbound bytes go: a buffer of the caller's, behind a trait.

use core::{error, fmt};

use crate::mask;

/// A buffer for outbound bytes, which the caller passes to every method that sends.
///
/// Implemented for `Vec<u8>` (feature `alloc`), for [`SliceOutput`] over a borrowed slice, and for
/// `BytesMut` (feature `bytes`). Methods that send first [`reserve`](Output::reserve) room for all
/// bytes, and then [`append`](Output::append) them. If there is no room, they write nothing.
///
/// If an implementation accepts a reservation that it cannot honour, output is lost; this crate
/// does not panic.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Full, Output, SendError, Server};
///
/// /// Holds at most 1 KiB for a peer that does not read.
/// struct Bounded(Vec<u8>);
///
/// impl Output for Bounded {
///     fn reserve(&mut self, additional: usize) -> Result<(), Full> {
///         if additional > 1024 - self.0.len() { Err(Full) } else { Ok(()) }
///     }
///     fn append(&mut self, bytes: &[u8]) {
///         self.0.extend_from_slice(bytes);
///     }
/// }
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut out = Bounded(Vec::new());
/// connection.send_text("Hello", &mut out)?;
/// assert_eq!(connection.send_binary(&[0; 1024], &mut out), Err(SendError::Full));
/// assert_eq!(out.0, b"\x81\x05Hello");
/// # Ok::<(), SendError>(())
/// ```
#[doc(alias("buffer", "sink", "backpressure", "write"))]
pub trait Output {
    /// Makes room for `additional` more bytes, or changes nothing.
    ///
    /// # Errors
    ///
    /// [`Full`] if there is no room.
    fn reserve(&mut self, additional: usize) -> Result<(), Full>;

    /// Appends `bytes`, within the room that was reserved. A long payload comes in parts of some
    /// KiB.
    fn append(&mut self, bytes: &[u8]);

    /// Appends `bytes` masked: each XORed with the byte of `key` at its position modulo four
    /// (§5.3), within the room that was reserved.
    ///
    /// The default implementation calls [`append`](Output::append) for each block of at most 256
    /// bytes.
    #[inline]
    fn append_masked(&mut self, bytes: &[u8], key: [u8; 4]) {
        mask::copy(bytes, key, |block| self.append(block));
    }
}

/// The error of an [`Output`] without room for the bytes to write. Methods that send report it as
/// [`SendError::Full`](crate::SendError::Full), and then wrote nothing.
///
/// ```
/// use websocket_proto::{Full, Output, SliceOutput};
///
/// let mut memory = [0; 4];
/// assert_eq!(SliceOutput::new(&mut memory).reserve(5), Err(Full));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the output has no room")
    }
}

impl error::Error for Full {}

/// An [`Output`] over a slice that the caller lends; it never grows.
///
/// ```
/// use websocket_proto::{Output, SliceOutput};
///
/// let mut memory = [0; 4];
/// let mut out = SliceOutput::new(&mut memory);
/// out.reserve(3)?;
/// out.append(b"abc");
/// assert_eq!(out.written(), b"abc");
/// assert!(out.reserve(2).is_err());
/// out.clear();
/// assert!(out.reserve(4).is_ok());
/// # Ok::<(), websocket_proto::Full>(())
/// ```
#[derive(Debug)]
pub struct SliceOutput<'b> {
    memory: &'b mut [u8],
    written: usize,
}

impl<'b> SliceOutput<'b> {
    /// Creates an empty output with room for `memory.len()` bytes.
    #[must_use]
    pub const fn new(memory: &'b mut [u8]) -> Self {
        SliceOutput { memory, written: 0 }
    }

    /// Returns the bytes appended since the last [`clear`](SliceOutput::clear).
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.memory.get(..self.written).unwrap_or_default()
    }

    /// Discards the appended bytes. The whole slice can then be written again.
    pub const fn clear(&mut self) {
        self.written = 0;
    }
}

impl Output for SliceOutput<'_> {
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        if additional <= self.memory.len().saturating_sub(self.written) {
            Ok(())
        } else {
            Err(Full)
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = self.memory.get_mut(self.written..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.written = self.written.saturating_add(bytes.len().min(room.len()));
    }
}

#[cfg(feature = "alloc")]
impl Output for alloc::vec::Vec<u8> {
    #[inline]
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        self.try_reserve(additional).map_err(|_| Full)
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn append_masked(&mut self, bytes: &[u8], key: [u8; 4]) {
        if bytes.len() < 256 {
            append_short(self, bytes, key);
        } else if bytes.len() < mask::LONG_COPY {
            append_words(self, bytes, key);
        } else {
            let end = self.as_ptr().wrapping_add(self.len());
            mask::copy_long(bytes, key, end, |block| self.extend_from_slice(block));
        }
    }
}

/// Appends less than 256 bytes masked.
#[cfg(feature = "alloc")]
#[inline(never)]
fn append_short(out: &mut alloc::vec::Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    match bytes.len() {
        ..=16 => mask::copy(bytes, key, |block| out.extend_from_slice(block)),
        17..32 => append_ends::<16>(out, bytes, key),
        32..64 => append_ends::<32>(out, bytes, key),
        64..128 => append_ends::<64>(out, bytes, key),
        _ => append_ends::<128>(out, bytes, key),
    }
}

/// Appends `N` to `2 * N` bytes masked, as two blocks. The second overlaps the end of the first.
/// This takes fewer steps than ever smaller blocks.
#[cfg(feature = "alloc")]
#[inline(always)]
fn append_ends<const N: usize>(out: &mut alloc::vec::Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<N>(), bytes.last_chunk::<N>()) {
        let end = out.len().saturating_add(bytes.len());
        mask::copy_blocks::<N>(first, key, |block| out.extend_from_slice(block));
        out.truncate(end.saturating_sub(N));
        let key = mask::rotate(key, bytes.len());
        mask::copy_blocks::<N>(last, key, |block| out.extend_from_slice(block));
    }
}

/// Appends what is masked in one pass.
#[cfg(feature = "alloc")]
#[inline(never)]
fn append_words(out: &mut alloc::vec::Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    let (words, rest) = mask::words(bytes, key);
    out.extend(words.flatten());
    mask::copy(rest, key, |block| out.extend_from_slice(block));
}

/// Whether about `bytes` of memory can be allocated. Ask before calling a dependency that panics or
/// aborts without memory.
#[cfg(any(feature = "bytes", feature = "deflate"))]
pub(crate) fn has_memory(bytes: usize) -> bool {
    let mut memory = alloc::vec::Vec::<u8>::new();
    let reserved = memory.try_reserve_exact(bytes).is_ok();
    // `black_box` keeps the compiler from removing an allocation that is not used.
    core::hint::black_box(&memory);
    reserved
}

#[cfg(feature = "bytes")]
impl Output for bytes::BytesMut {
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        if additional > self.capacity() - self.len() && !self.try_reclaim(additional) {
            // `BytesMut` has no reservation that can fail, and it doubles its memory. So this first
            // checks that as much can be allocated.
            let length = self.len().checked_add(additional).ok_or(Full)?;
            if !has_memory(length.saturating_mul(2)) {
                return Err(Full);
            }
            bytes::BytesMut::reserve(self, additional);
        }
        Ok(())
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
