//! Where outbound bytes go: the caller's storage behind a trait of two methods.

use core::{error, fmt};

/// Storage for outbound bytes, lent by the caller to every method that sends.
///
/// Implemented for `Vec<u8>` (feature `alloc`), for [`SliceOutput`] over a borrowed slice, and for
/// `BytesMut` (feature `bytes`). Methods that send first [`reserve`](Output::reserve) room for all
/// that they will write, then [`append`](Output::append) it; when there is no room they write nothing.
///
/// The other side sees what an implementation makes of this: one that promises room it does not
/// have loses bytes, one that hands back other bytes than it stored leaves a client's frames
/// unmasked. Nothing here panics for it.
pub trait Output {
    /// Makes room for `additional` more bytes, or changes nothing.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no such room.
    fn reserve(&mut self, additional: usize) -> Result<(), Full>;

    /// Appends `bytes` and hands back the stored copy, all of it and nothing else, so that a client
    /// can mask it in place while it is in the processor's cache.
    ///
    /// Called only within the room that was reserved, with at most [`BLOCK`] bytes at a time.
    fn append(&mut self, bytes: &[u8]) -> &mut [u8];
}

/// The most bytes that one [`Output::append`] is called with: 4 KiB.
pub const BLOCK: usize = 4096;

/// An [`Output`] has no room for what should be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// An empty output with room for `memory.len()` bytes.
    pub const fn new(memory: &'b mut [u8]) -> Self {
        SliceOutput { memory, written: 0 }
    }

    /// The bytes appended since the last [`clear`](SliceOutput::clear).
    pub fn written(&self) -> &[u8] {
        self.memory.get(..self.written).unwrap_or_default()
    }

    /// Forgets what was appended: the whole slice is room again.
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

    fn append(&mut self, bytes: &[u8]) -> &mut [u8] {
        let room = self.memory.get_mut(self.written..).unwrap_or_default();
        let length = bytes.len().min(room.len());
        self.written = self.written.saturating_add(length);
        let (stored, _) = room.split_at_mut(length);
        for (to, from) in stored.iter_mut().zip(bytes) {
            *to = *from;
        }
        stored
    }
}

#[cfg(feature = "alloc")]
impl Output for alloc::vec::Vec<u8> {
    #[inline]
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        self.try_reserve(additional).map_err(|_| Full)
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) -> &mut [u8] {
        let start = self.len();
        self.extend_from_slice(bytes);
        self.get_mut(start..).unwrap_or_default()
    }
}

#[cfg(feature = "bytes")]
impl Output for bytes::BytesMut {
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        // `BytesMut` has no reservation that can fail: what no memory could hold is refused here.
        if isize::try_from(self.len().saturating_add(additional)).is_err() {
            return Err(Full);
        }
        bytes::BytesMut::reserve(self, additional);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> &mut [u8] {
        let start = self.len();
        self.extend_from_slice(bytes);
        self.get_mut(start..).unwrap_or_default()
    }
}

/// Appends `bytes` in blocks of at most [`BLOCK`] bytes.
#[inline]
pub(crate) fn append_all(out: &mut (impl Output + ?Sized), bytes: &[u8]) {
    for block in bytes.chunks(BLOCK) {
        out.append(block);
    }
}

#[cfg(all(test, feature = "bytes"))]
mod tests {
    use super::{Full, Output};

    #[test]
    fn bytes_mut_grows_and_refuses_what_no_memory_holds() {
        let mut out = bytes::BytesMut::from(&b"ab"[..]);
        assert_eq!(Output::reserve(&mut out, usize::MAX), Err(Full));
        assert_eq!(Output::reserve(&mut out, isize::MAX as usize), Err(Full));
        assert_eq!(Output::reserve(&mut out, 100), Ok(()));
        assert_eq!(out.append(b"cd"), b"cd");
        assert_eq!(out, &b"abcd"[..]);
    }
}
