//! A hook that sees each frame, for logs.

use alloc::boxed::Box;
use core::fmt;

use arrayvec::ArrayVec;

use super::{Endpoint, Phase, boxed};
use crate::{frame::MAX_HEADER, role::Role};

/// A frame as it goes over the wire: see [`Endpoint::trace`]. It prints as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Frame {
    /// Whether it was sent; otherwise it was received.
    pub sent: bool,
    /// The four bits of the opcode, also if they have no meaning (§5.2).
    pub opcode: u8,
    /// Whether it is the last frame of its message.
    pub fin: bool,
    /// The three reserved bits. The first, 0b100, is that of a compressed message (RFC 7692 §6).
    pub rsv: u8,
    /// Whether the payload is masked.
    pub masked: bool,
    /// The length of the payload in bytes.
    pub length: u64,
}

/// Such as "received text, final, compressed, 100 bytes".
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.sent { "sent " } else { "received " })?;
        match self.opcode {
            0x0 => f.write_str("continuation")?,
            0x1 => f.write_str("text")?,
            0x2 => f.write_str("binary")?,
            0x8 => f.write_str("Close")?,
            0x9 => f.write_str("Ping")?,
            0xA => f.write_str("Pong")?,
            opcode => write!(f, "opcode {opcode:#X}")?,
        }
        f.write_str(if self.fin { ", final" } else { "" })?;
        match self.rsv {
            0 => {}
            0b100 => f.write_str(", compressed")?,
            rsv => write!(f, ", reserved bits {rsv:#05b}")?,
        }
        write!(f, ", {} bytes", self.length)
    }
}

/// The hook, and the position in each direction.
pub(super) struct Trace {
    hook: Box<dyn FnMut(Frame) + Send>,
    sent: Walker,
    received: Walker,
    /// The number of bytes at the end of the input that were walked through, but not received yet.
    ahead: usize,
}

/// The position in the frames of one direction.
#[derive(Default)]
struct Walker {
    /// The number of bytes to skip, because they belong to no header.
    skip: u64,
    header: ArrayVec<u8, MAX_HEADER>,
}

impl Walker {
    /// Walks through the next bytes of its direction. Nothing is validated here: the connection
    /// does that.
    fn walk(&mut self, mut bytes: &[u8], sent: bool, hook: &mut dyn FnMut(Frame)) {
        loop {
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip = self.skip.saturating_sub(skipped as u64);
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((&byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            // There is room, because a complete header is removed at once.
            let _ = self.header.try_push(byte);
            if let Some(frame) = decode(&self.header, sent) {
                self.header.clear();
                self.skip = frame.length;
                hook(frame);
            }
        }
    }
}

/// Returns the frame with this header; `None` until the header is complete.
fn decode(header: &[u8], sent: bool) -> Option<Frame> {
    let (&[first, second], rest) = header.split_first_chunk()?;
    let masked = second & 0x80 != 0;
    let (length, rest) = match second & 0x7F {
        126 => {
            rest.split_first_chunk().map(|(long, rest)| (u16::from_be_bytes(*long).into(), rest))?
        }
        127 => rest.split_first_chunk().map(|(long, rest)| (u64::from_be_bytes(*long), rest))?,
        short => (u64::from(short), rest),
    };
    let rsv = first >> 4 & 0b111;
    let frame = Frame { sent, opcode: first & 0x0F, fin: first & 0x80 != 0, rsv, masked, length };
    (!masked || rest.len() >= 4).then_some(frame)
}

impl Trace {
    /// Walks through the bytes of `input` that were not seen before. They are about to be received.
    pub(super) fn before_receiving(&mut self, input: &[u8]) {
        let new = input.len().saturating_sub(self.ahead);
        let new = input.get(input.len().saturating_sub(new)..).unwrap_or_default();
        self.received.walk(new, false, &mut self.hook);
    }

    /// Records that `left` bytes of the input are left.
    pub(super) const fn after_receiving(&mut self, left: usize) {
        self.ahead = left;
    }

    /// Records that so many bytes of the current frame were read into its message.
    pub(super) const fn skip(&mut self, payload: usize) {
        self.received.skip = self.received.skip.saturating_sub(payload as u64);
    }

    /// Walks through output that is written or handed out.
    pub(super) fn sending(&mut self, output: &[u8]) {
        self.sent.walk(output, true, &mut self.hook);
    }

    /// Records that the connection is open, and that the next `handshake` bytes of output are not
    /// frames.
    pub(super) const fn opened(&mut self, handshake: usize) {
        self.sent.skip = handshake as u64;
    }
}

impl<R: Role> Endpoint<R> {
    /// Sets a hook that sees each frame: one that is received before the events of the read that it
    /// came in, one that is sent when it leaves the output. Set it before anything is received or
    /// sent. Without a hook there is no cost.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use websocket_proto::endpoint::{Endpoint, Options};
    /// use websocket_proto::{Agreed, Server};
    ///
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// let (log, lines) = mpsc::channel();
    /// ws.trace(move |frame| _ = log.send(frame.to_string()));
    /// let mut read = *b"\x89\x81\0\0\0\0?";
    /// let mut input = &mut read[..];
    /// while ws.receive(&mut input).is_some() {}
    /// ws.written(ws.output().len());
    /// let lines: Vec<String> = lines.try_iter().collect();
    /// assert_eq!(lines, ["received Ping, final, 1 bytes", "sent Pong, final, 1 bytes"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("log", "tracing", "debug", "frame"))]
    pub fn trace(&mut self, hook: impl FnMut(Frame) + Send + 'static) {
        let (sent, received) = (Walker::default(), Walker::default());
        let mut trace = Trace { hook: Box::new(hook), sent, received, ahead: 0 };
        if self.sender.phase == Phase::Open {
            trace.opened(self.sender.output().len());
        }
        self.sender.trace = Some(boxed(trace));
        self.sender.plain = false;
    }
}
