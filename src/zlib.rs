//! The built-in codec: DEFLATE by `zlib-rs`.

use alloc::vec::Vec;
use core::fmt;

use arrayvec::ArrayVec;
use zlib_rs::{DeflateConfig, DeflateFlush, InflateFlush, Status, Strategy};

use crate::{
    agreed::WindowBits,
    blocks::reopen,
    codec::{Compress, Decompress, InflateError, Progress},
    output::has_memory,
    send::PART,
};

/// The compressor of the crate `zlib-rs`, for a [`Deflater`](crate::Deflater).
///
/// The compressor allocates on first use. It takes this many KiB, at every level:
///
/// | window bits | memory level 1 | 8 (unless set) | 9 |
/// |---|---|---|---|
/// | 8, 9 | 134 | 246 | 358 |
/// | 11 | 140 | 252 | 364 |
/// | 13 | 164 | 276 | 388 |
/// | 15 | 260 | 372 | 484 |
///
/// A shared compressor reallocates when consecutive messages need different window sizes.
///
/// ```
/// use websocket_proto::{Deflater, ZlibCompress};
///
/// // Quick, and for each connection 134 KiB where the agreed window has 9 bits.
/// let deflater = Deflater::own(ZlibCompress::new(1).memory_level(1));
/// ```
#[doc(alias("zlib", "gzip", "deflate", "compression level", "miniz"))]
pub struct ZlibCompress {
    level: u8,
    memory_level: u8,
    state: Option<(WindowBits, zlib_rs::Deflate)>,
}

impl ZlibCompress {
    /// Creates a compressor with a level from 1, the fastest, to 9, the best. Level 0 stores
    /// without compressing, and a greater one counts as 9. zlib's own default is 6.
    #[must_use]
    pub const fn new(level: u8) -> Self {
        let level = if level > 9 { 9 } else { level };
        ZlibCompress { level, memory_level: 8, state: None }
    }

    /// Sets how much memory is used, from 1 to 9; 8 unless set. Values outside this range count as
    /// the nearest one in it.
    #[must_use]
    pub fn memory_level(self, level: u8) -> Self {
        ZlibCompress { memory_level: level.clamp(1, 9), ..self }
    }

    fn start(&self, window: WindowBits) -> Option<zlib_rs::Deflate> {
        if !has_memory(512 << 10) {
            return None;
        }
        // zlib does not support a window of 256 bytes. With its run-length strategy a match refers
        // to the byte before it, so that it fits any window.
        let (bits, strategy) = match window {
            WindowBits::MIN => (9, Strategy::Rle),
            window => (window.get(), Strategy::Default),
        };
        Some(zlib_rs::Deflate::new_with_config(DeflateConfig {
            level: self.level.into(),
            // Negative means raw DEFLATE, without the header and the checksum of zlib.
            window_bits: -i32::from(bits),
            mem_level: self.memory_level.into(),
            strategy,
            ..DeflateConfig::default()
        }))
    }
}

impl Compress for ZlibCompress {
    fn reset(&mut self, window: WindowBits) {
        match &mut self.state {
            Some((bits, deflate)) if *bits == window => deflate.reset(),
            _ => {
                self.state = None;
                self.state = self.start(window).map(|deflate| (window, deflate));
            }
        }
    }

    fn bound(&self, length: usize) -> usize {
        // Nine bits for each byte, and the ends of blocks. A low memory level makes many blocks.
        length.saturating_add(length / 8).saturating_add(length / 16).saturating_add(64)
    }

    fn compress(&mut self, mut input: &[u8], output: &mut [u8]) -> Option<usize> {
        let (_, deflate) = self.state.as_mut()?;
        let mut written = 0;
        loop {
            let (before_in, before_out) = (deflate.total_in(), deflate.total_out());
            let room = output.get_mut(written..)?;
            // zlib counts a call's bytes in 32 bits.
            let part = input.get(..input.len().min(1 << 30))?;
            let flush = if part.len() == input.len() {
                DeflateFlush::SyncFlush
            } else {
                DeflateFlush::NoFlush
            };
            deflate.compress(part, room, flush).ok().filter(|&status| status == Status::Ok)?;
            let consumed = usize::try_from(deflate.total_in() - before_in).ok()?;
            written += usize::try_from(deflate.total_out() - before_out).ok()?;
            input = input.get(consumed..)?;
            if input.is_empty() {
                // If the output is full, the end may be missing.
                return (written < output.len()).then_some(written);
            }
        }
    }
}

/// The decompressor of the crate `zlib-rs`, for an [`Inflater`](crate::Inflater). It supports every
/// window size.
///
/// The decompressor allocates 79 KiB on first use.
///
/// ```
/// use websocket_proto::{Decompress, Progress, ZlibDecompress};
///
/// let mut codec = ZlibDecompress::new();
/// let mut output = [0; 10];
/// let progress = codec.decompress(b"\xF2\x48\xCD\xC9\xC9\x07\x00", &mut output);
/// assert_eq!((progress, &output[..5]), (Progress::new(7, 5), &b"Hello"[..]));
/// assert!(codec.finish(b"\x00\x00\xFF\xFF"));
/// ```
#[derive(Default)]
#[doc(alias("zlib", "gzip", "inflate", "miniz"))]
pub struct ZlibDecompress {
    state: Option<Inflating>,
}

struct Inflating {
    inflate: zlib_rs::Inflate,
    /// The window, as a ring buffer, because zlib drops its own after a final block.
    history: Vec<u8>,
    /// The position of the next byte in the ring.
    next: usize,
    /// Whether the input so far ends with a final block.
    ended: bool,
    /// Whether zlib has noticed that the block was final, and so has no window.
    bare: bool,
}

impl ZlibDecompress {
    /// Creates a decompressor. It allocates on first use.
    #[must_use]
    pub const fn new() -> Self {
        ZlibDecompress { state: None }
    }
}

impl Inflating {
    fn new() -> Option<Self> {
        let bits = WindowBits::MAX;
        let mut history = Vec::new();
        history.try_reserve_exact(bits.bytes()).ok()?;
        has_memory(48 << 10).then(|| Inflating {
            inflate: zlib_rs::Inflate::new(false, bits.get()),
            history,
            next: 0,
            ended: false,
            bare: false,
        })
    }

    fn reset(&mut self) {
        self.inflate.reset(false);
        self.history.clear();
        self.next = 0;
        (self.ended, self.bare) = (false, false);
    }

    /// Copies the end of the inflated bytes into the ring.
    fn remember(&mut self, output: &[u8]) {
        let size = WindowBits::MAX.bytes();
        let end = output.get(output.len().saturating_sub(size)..).unwrap_or_default();
        // The ring is filled first. After that, its oldest bytes are overwritten.
        let (fresh, over) = end.split_at(end.len().min(size - self.history.len()));
        self.history.extend_from_slice(fresh);
        let (back, front) = over.split_at(over.len().min(self.history.len() - self.next));
        for (part, at) in [(back, self.next), (front, 0)] {
            if let Some(place) = self.history.get_mut(at..at + part.len()) {
                place.copy_from_slice(part);
            }
        }
        self.next = (self.next + over.len()) % size;
    }

    /// Restarts zlib after a final block, with the window from before (RFC 7692 §7.2.3.5).
    fn restart(&mut self) -> Result<(), zlib_rs::InflateError> {
        self.bare = false;
        self.inflate.reset(false);
        let (newer, older) = self.history.split_at(self.next.min(self.history.len()));
        // The window is copied in parts, because long copies are slow at some distances, and the
        // peer chooses the distance.
        let mut parts = older.chunks(PART).chain(newer.chunks(PART));
        parts.try_for_each(|part| self.inflate.set_dictionary(part).map(drop))
    }
}

impl Decompress for ZlibDecompress {
    fn reset(&mut self) {
        if let Some(state) = &mut self.state {
            state.reset();
        }
    }

    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        if self.state.is_none() {
            self.state = Inflating::new();
        }
        let mut progress = Progress::new(0, 0);
        let Some(state) = &mut self.state else {
            return progress.with_fault(InflateError::Memory);
        };
        loop {
            let (rest, room) =
                (input.get(progress.consumed..), output.get_mut(progress.produced..));
            let (rest, room) = (rest.unwrap_or_default(), room.unwrap_or_default());
            if state.ended && rest.is_empty() {
                return progress.with_ended(true);
            }
            if state.bare && state.restart().is_err() {
                return progress.with_fault(InflateError::Corrupt);
            }
            let reopened = if state.ended { reopen(rest, room.len()) } else { None };
            let blocks = reopened.as_ref().map_or(rest, |reopened| &reopened.blocks);
            let (before_in, before_out) = (state.inflate.total_in(), state.inflate.total_out());
            let status = state.inflate.decompress(blocks, room, InflateFlush::NoFlush);
            let taken = (state.inflate.total_in() - before_in) as usize;
            let made = (state.inflate.total_out() - before_out) as usize;
            state.bare = status == Ok(Status::StreamEnd);
            state.ended = state.bare || reopened.is_some();
            let taken = reopened.map_or(taken, |reopened| reopened.consumed);
            state.remember(room.get(..made).unwrap_or_default());
            progress.consumed += taken;
            progress.produced += made;
            if status.is_err() {
                return progress.with_fault(InflateError::Corrupt);
            }
            // The end of the final block may have been noticed by an earlier call.
            let stuck = taken + made == 0 && !state.ended;
            if progress.consumed >= input.len() || progress.produced >= output.len() || stuck {
                return progress.with_ended(state.ended);
            }
        }
    }

    fn finish(&mut self, end: &[u8]) -> bool {
        let Some(state) = &mut self.state else { return false };
        let mut input = ArrayVec::<u8, 8>::new();
        if input.try_extend_from_slice(end).is_err() || input.try_push(0x00).is_err() {
            return false;
        }
        let (before_in, before_out) = (state.inflate.total_in(), state.inflate.total_out());
        // With this flush mode, zlib stops after a block, before the byte that was added.
        let status = state.inflate.decompress(&input, &mut [0], InflateFlush::Block);
        status.is_ok()
            && state.inflate.total_in() - before_in == end.len() as u64
            && state.inflate.total_out() == before_out
    }
}

impl fmt::Debug for ZlibCompress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = self.state.as_ref().map(|(window, _)| window.get());
        f.debug_struct("ZlibCompress")
            .field("level", &self.level)
            .field("memory_level", &self.memory_level)
            .field("window", &window)
            .finish()
    }
}

impl fmt::Debug for ZlibDecompress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZlibDecompress").field("used", &self.state.is_some()).finish()
    }
}
