//! The sending half (§5.4, §5.5, §6.1): frames in order, all of one call or nothing.

use crate::{
    error::SendError,
    event::{ControlPayload, Kind},
    frame::{FIN, FrameHeader, Opcode},
    mask,
    output::{BLOCK, Output},
    role::Role,
};

#[derive(Debug)]
pub(crate) struct Sender {
    /// The Pong that is owed: the answer to the latest Ping (§5.5.3).
    pong: Option<ControlPayload>,
    /// The kind of the fragmented message that is open, if one is.
    message: Option<Kind>,
}

/// A frame to send.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// FIN and the opcode.
    pub(crate) first: u8,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A control frame: never fragmented (§5.5).
    pub(crate) const fn control(opcode: Opcode, payload: &'a [u8]) -> Self {
        Frame { first: FIN | opcode as u8, payload }
    }

    /// Its bytes on the wire, header included.
    #[inline]
    fn size<R: Role>(self) -> usize {
        let header = match self.payload.len() {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        self.payload.len().saturating_add(header + if R::CLIENT { 4 } else { 0 })
    }

    #[inline]
    fn append(self, key: Option<[u8; 4]>, out: &mut (impl Output + ?Sized)) {
        out.append(&FrameHeader::encode(self.first, self.payload.len(), key));
        for block in self.payload.chunks(BLOCK) {
            let stored = out.append(block);
            if let Some(key) = key {
                // §5.3: every block but the last is a multiple of four, so the key stays in step.
                mask::apply(stored, key);
            }
        }
    }
}

impl Sender {
    pub(crate) const fn new() -> Self {
        Sender { pong: None, message: None }
    }

    /// §5.5.3: only the latest Ping needs an answer, so one place is enough for any number.
    pub(crate) const fn owe_pong(&mut self, payload: ControlPayload) {
        self.pong = Some(payload);
    }

    pub(crate) const fn forget_pong(&mut self) {
        self.pong = None;
    }

    #[inline]
    pub(crate) const fn owes_pong(&self) -> bool {
        self.pong.is_some()
    }

    /// The first byte of the next data frame. §5.4: the first frame of a message tells its kind,
    /// all others continue it, the last has FIN.
    #[inline]
    pub(crate) fn first_byte(&self, kind: Kind, last: bool) -> Result<u8, SendError> {
        let opcode = match self.message {
            None => Opcode::from(kind),
            Some(open) if open == kind => Opcode::Continuation,
            Some(_) => return Err(SendError::MessageOpen),
        };
        Ok(opcode as u8 | if last { FIN } else { 0 })
    }

    /// The first byte of a message in one frame, which no other may be open for (§5.4).
    #[inline]
    pub(crate) fn whole_first_byte(&self, kind: Kind) -> Result<u8, SendError> {
        match self.message {
            None => Ok(FIN | Opcode::from(kind) as u8),
            Some(_) => Err(SendError::MessageOpen),
        }
    }

    /// Notes that a fragment was sent.
    #[inline]
    pub(crate) fn sent(&mut self, kind: Kind, last: bool) {
        self.message = (!last).then_some(kind);
    }

    /// Appends the Pong that is owed and then `frame`: both or nothing.
    #[inline]
    pub(crate) fn emit<R: Role>(
        &mut self,
        frame: Option<Frame<'_>>,
        role: &mut R,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        let pong = self.pong.as_ref().map(|payload| Frame::control(Opcode::Pong, payload));
        let size = |frame: Option<Frame<'_>>| frame.map_or(0, Frame::size::<R>);
        out.reserve(size(pong).saturating_add(size(frame)))?;
        // §5.3: a fresh key for every frame; all are drawn before a byte is written.
        let mut keyed = |frame: Option<Frame<'_>>| match frame {
            Some(_) => role.mask_key(),
            None => Ok(None),
        };
        let (pong_key, frame_key) = (keyed(pong)?, keyed(frame)?);
        if let Some(pong) = pong {
            pong.append(pong_key, out);
            self.pong = None;
        }
        if let Some(frame) = frame {
            frame.append(frame_key, out);
        }
        Ok(())
    }
}
