//! The traits by which a DEFLATE library works for [`Deflater`](crate::Deflater) and
//! [`Inflater`](crate::Inflater).

use alloc::boxed::Box;
use core::{error, fmt};

use crate::{
    agreed::WindowBits,
    error::{Failure, InternalError, Violation},
};

/// The end of an empty stored block, which each message leaves out (RFC 7692 §7.2.1).
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// An empty stored block that starts on a byte boundary.
pub(crate) const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xFF, 0xFF];

/// A compressor to raw DEFLATE (RFC 1951), for a [`Deflater`](crate::Deflater).
///
/// `ZlibCompress` (feature `deflate`) implements this trait. Implement it yourself to use another
/// library.
///
/// ```
/// use websocket_proto::{Compress, Deflater, WindowBits};
///
/// /// Stores its input in blocks that are not compressed.
/// struct Store;
///
/// impl Compress for Store {
///     fn reset(&mut self, _: WindowBits) {}
///     fn bound(&self, length: usize) -> usize {
///         length + 5 * (length / 0xFFFF + 2)
///     }
///     fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
///         let mut stored = Vec::new();
///         for block in input.chunks(0xFFFF).chain([&[][..]]) {
///             let length = u16::try_from(block.len()).ok()?;
///             stored.push(0x00);
///             stored.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
///             stored.extend(block);
///         }
///         output.get_mut(..stored.len())?.copy_from_slice(&stored);
///         Some(stored.len())
///     }
/// }
///
/// let deflater = Deflater::shared(Store);
/// assert_eq!(deflater.bound(10), 20);
/// ```
#[doc(alias("codec", "deflate", "zlib", "permessage-deflate"))]
pub trait Compress {
    /// Resets the compressor. Later output must not refer to earlier input, and no match may reach
    /// back farther than `window`. A compressor that cannot use so small a window may emit literals
    /// only.
    fn reset(&mut self, window: WindowBits);

    /// Returns the most bytes that [`compress`](Compress::compress) can produce from `length`
    /// bytes.
    #[must_use]
    fn bound(&self, length: usize) -> usize;

    /// Compresses all of `input`, which is not empty, into the front of `output`, and returns how
    /// many bytes it wrote. `output` has at least [`bound`](Compress::bound) bytes.
    ///
    /// No block is final, and the last is an empty stored one, as a "sync flush" leaves it: the
    /// output ends with `00 00 FF FF` (RFC 7692 §7.2.1). Returns `None` if the compressor failed;
    /// the next call is then [`reset`](Compress::reset).
    #[doc(alias = "flush")]
    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize>;
}

impl<C: Compress + ?Sized> Compress for Box<C> {
    fn reset(&mut self, window: WindowBits) {
        (**self).reset(window);
    }

    fn bound(&self, length: usize) -> usize {
        (**self).bound(length)
    }

    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        (**self).compress(input, output)
    }
}

/// A decompressor of raw DEFLATE (RFC 1951), for an [`Inflater`](crate::Inflater).
///
/// `ZlibDecompress` (feature `deflate`) implements this trait. Implement it yourself to use another
/// library.
///
/// ```
/// use websocket_proto::{Decompress, Inflater, Progress};
///
/// /// Counts what another codec inflates.
/// struct Counting<D> {
///     codec: D,
///     inflated: usize,
/// }
///
/// impl<D: Decompress> Decompress for Counting<D> {
///     fn reset(&mut self) {
///         self.codec.reset();
///     }
///     fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
///         let progress = self.codec.decompress(input, output);
///         self.inflated += progress.produced;
///         progress
///     }
///     fn finish(&mut self, end: &[u8]) -> bool {
///         self.codec.finish(end)
///     }
/// }
///
/// # #[cfg(feature = "deflate")] {
/// let codec = Counting { codec: websocket_proto::ZlibDecompress::new(), inflated: 0 };
/// let inflater = Inflater::shared(codec);
/// # }
/// ```
#[doc(alias("codec", "inflate", "zlib", "permessage-deflate"))]
pub trait Decompress {
    /// Resets the decompressor: later input begins a stream with an empty window.
    fn reset(&mut self);

    /// Inflates from `input` into `output`, which is not empty, until all of `input` was taken and
    /// everything that it inflates to was written, or until `output` is full. After a call that
    /// filled `output`, the next `input` may be empty.
    ///
    /// A final block does not end the stream: the next block begins with the next byte, and refers
    /// to the same window (RFC 7692 §7.2.3.5). Because a message may end there, the codec reports
    /// it with [`Progress::ended`].
    ///
    /// An error is reported together with the output before it, or by the next call if `output` was
    /// full. Otherwise the data delivered before the failure would depend on how the input was
    /// split.
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress;

    /// Feeds `end`, the bytes that complete the last block of a message, and returns whether a
    /// block ends exactly there; if not, the message was truncated. `end` produces no output.
    ///
    /// Not called for a message that [`ended`](Progress::ended) with a final block.
    ///
    /// The default implementation passes `end` and an empty stored block to
    /// [`decompress`](Self::decompress), and returns `false` if they produce output or an error. A
    /// codec that is in the middle of a block nearly always reads them as one of the two.
    #[must_use]
    fn finish(&mut self, end: &[u8]) -> bool {
        [end, &EMPTY_BLOCK].into_iter().all(|block| {
            let Progress { consumed, produced, fault, .. } = self.decompress(block, &mut [0]);
            (consumed, produced, fault) == (block.len(), 0, None)
        })
    }
}

impl<D: Decompress + ?Sized> Decompress for Box<D> {
    fn reset(&mut self) {
        (**self).reset();
    }

    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        (**self).decompress(input, output)
    }

    fn finish(&mut self, end: &[u8]) -> bool {
        (**self).finish(end)
    }
}

/// The result of one [`Decompress::decompress`] call.
///
/// ```
/// use websocket_proto::{InflateError, Progress};
///
/// let progress = Progress::new(7, 5).with_ended(true);
/// assert_eq!((progress.consumed, progress.produced, progress.ended), (7, 5, true));
/// let progress = Progress::new(0, 0).with_fault(InflateError::Corrupt);
/// assert_eq!(progress.fault, Some(InflateError::Corrupt));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub struct Progress {
    /// The number of input bytes that were taken.
    pub consumed: usize,
    /// The number of bytes that were written to the front of the output.
    pub produced: usize,
    /// The error that stopped decompression after those bytes, if any.
    pub fault: Option<InflateError>,
    /// Whether the last byte taken so far, by this call or an earlier one, ends a final block of
    /// which all output was written.
    pub ended: bool,
}

impl Progress {
    /// Creates the report of a call that took `consumed` bytes and wrote `produced`, without a
    /// fault and not at the end of a final block.
    pub const fn new(consumed: usize, produced: usize) -> Self {
        Progress { consumed, produced, fault: None, ended: false }
    }

    /// Sets the error that stopped decompression.
    pub const fn with_fault(mut self, fault: InflateError) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Sets whether the input taken so far ends with a final block.
    pub const fn with_ended(mut self, ended: bool) -> Self {
        self.ended = ended;
        self
    }
}

/// Why compressed bytes were not inflated. A codec reports it with [`Progress::with_fault`].
///
/// ```
/// use websocket_proto::{Failure, InflateError, Violation};
///
/// let error = InflateError::Corrupt;
/// assert_eq!(error.to_string(), "the compressed data is corrupt");
/// assert_eq!(Failure::from(error), Failure::Violation(Violation::InvalidPayload)); // close code 1007
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InflateError {
    /// The input is not valid DEFLATE data (RFC 1951).
    Corrupt,
    /// There is no memory for the codec.
    Memory,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InflateError::Corrupt => "the compressed data is corrupt",
            InflateError::Memory => "there is no memory for the codec",
        })
    }
}

impl error::Error for InflateError {}

impl From<InflateError> for Failure {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::Corrupt => Violation::InvalidPayload.into(),
            InflateError::Memory => InternalError::Codec.into(),
        }
    }
}
