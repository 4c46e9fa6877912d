//! The sending half (§5.4, §5.5, §6.1): frames in order, all of one call or nothing.

use crate::{
    error::SendError,
    event::{ControlPayload, Data},
    frame::{Opcode, Open, encode, first_byte},
    output::Output,
    role::Role,
};

#[derive(Debug)]
pub(crate) struct Sender {
    pong: Pong,
    way: Way,
}

/// What prevents sending a message in one frame. Most sends check only this.
#[derive(Clone, Copy, Debug)]
enum Way {
    Free,
    /// The owed Pong, which goes first.
    Pong,
    /// Another message, whose last fragment was not sent. A Pong may be owed too.
    Message(Open),
    /// Our Close was sent or is owed, or the connection has ended: no data may be sent.
    Closed,
}

/// The answer to the latest received Ping (§5.5.2). Only the latest needs one (§5.5.3), so this has
/// room for one payload.
#[derive(Debug)]
enum Pong {
    /// The caller answers Pings itself.
    Manual,
    /// No Ping waits for an answer.
    Sent,
    /// The Ping with this payload waits for its answer.
    Owed(ControlPayload),
}

impl Pong {
    const fn owed(&self) -> Option<&ControlPayload> {
        match self {
            Pong::Owed(payload) => Some(payload),
            Pong::Manual | Pong::Sent => None,
        }
    }
}

/// The masking keys of frames that will be appended. Only [`Sender::reserve`] creates them, so they
/// prove that there is room for the frames.
pub(crate) struct Keys {
    pong: Option<[u8; 4]>,
    frame: Option<[u8; 4]>,
}

/// A frame to send.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// FIN, RSV1 and the opcode.
    pub(crate) first: u8,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A message in one frame.
    #[inline(always)]
    pub(crate) fn whole(data: Data<'a>) -> Self {
        Frame { first: first_byte(true, false, data.kind().into()), payload: data.as_bytes() }
    }

    /// A control frame: never fragmented (§5.5).
    pub(crate) const fn control(opcode: Opcode, payload: &'a [u8]) -> Self {
        Frame { first: first_byte(true, false, opcode), payload }
    }

    /// Appends this frame alone: all of it or nothing.
    #[inline(always)]
    pub(crate) fn emit<R: Role>(
        self,
        role: &mut R,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        out.reserve(size::<R>(self.payload.len()))?;
        // §5.3: a fresh key for every frame.
        self.append(role.mask_key()?, out);
        Ok(())
    }

    #[inline(always)]
    fn append(self, key: Option<[u8; 4]>, out: &mut (impl Output + ?Sized)) {
        encode(self.first, self.payload.len(), key, |header| out.append(header));
        match key {
            Some(key) => out.append_masked(self.payload, key),
            None if self.payload.len() <= PART => out.append(self.payload),
            None => append_long(self.payload, out),
        }
    }
}

/// The most bytes that glibc always copies with vectors. It may copy more by `rep movsb`. Some
/// processors, such as Zen 4, run that at a sixteenth of the speed if the destination lies 1 to 15
/// bytes more than a multiple of 4 KiB after the source, as the output of an echo often does.
pub(crate) const PART: usize = 2 << 10;

#[inline(never)]
fn append_long(payload: &[u8], out: &mut (impl Output + ?Sized)) {
    payload.chunks(PART).for_each(|part| out.append(part));
}

/// Returns how many bytes a frame with a payload of `length` has on the wire.
#[inline]
const fn size<R: Role>(length: usize) -> usize {
    let header = match length {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    length.saturating_add(header + if R::CLIENT { 4 } else { 0 })
}

impl Sender {
    /// Creates the sending half; `auto_pong` is whether received Pings are answered.
    pub(crate) const fn new(auto_pong: bool) -> Self {
        let pong = if auto_pong { Pong::Sent } else { Pong::Manual };
        Sender { pong, way: Way::Free }
    }

    /// Updates `way` by whether a Pong is owed. An open message or our Close takes precedence.
    const fn settle(&mut self) {
        if matches!(self.way, Way::Free | Way::Pong) {
            self.way = if self.owes_pong() { Way::Pong } else { Way::Free };
        }
    }

    /// Whether a message in one frame can be sent directly: data may be sent, no other message is
    /// open, and no Pong is owed.
    #[inline]
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.way, Way::Free)
    }

    /// Records that no data may be sent any more.
    pub(crate) const fn close(&mut self) {
        self.way = Way::Closed;
    }

    /// Records a received Ping with this payload. A later Ping drops the Pong that is still owed for
    /// an earlier one (§5.5.3).
    pub(crate) const fn record_ping(&mut self, payload: ControlPayload) {
        if !matches!(self.pong, Pong::Manual) {
            self.pong = Pong::Owed(payload);
            self.settle();
        }
    }

    /// Records that no Pong is owed any more: it was appended, or is dropped because a Close or a
    /// failure has ended the reading (§5.5.2).
    pub(crate) const fn forget_pong(&mut self) {
        if self.owes_pong() {
            self.pong = Pong::Sent;
            self.settle();
        }
    }

    #[inline]
    pub(crate) const fn owes_pong(&self) -> bool {
        matches!(self.pong, Pong::Owed(_))
    }

    /// Returns the message that the next fragment belongs to, if it is not the first of its own.
    pub(crate) const fn open(&self) -> Option<Open> {
        match self.way {
            Way::Message(open) => Some(open),
            Way::Free | Way::Pong | Way::Closed => None,
        }
    }

    /// Returns the first byte of the next data frame. §5.4: the first frame of a message has its
    /// kind, all others continue it, the last has FIN. RFC 7692 §6: RSV1 on the first means that
    /// the message is compressed.
    #[inline]
    pub(crate) fn first_byte(&self, message: Open, last: bool) -> Result<u8, SendError> {
        let opcode = match self.open() {
            None => Opcode::from(message.kind),
            Some(open) if open == message => Opcode::Continuation,
            Some(_) => return Err(SendError::MessageOpen),
        };
        Ok(first_byte(last, message.compressed && self.open().is_none(), opcode))
    }

    /// Refuses a message in one frame while another message is open (§5.4).
    #[inline]
    pub(crate) const fn check_whole(&self) -> Result<(), SendError> {
        match self.open() {
            None => Ok(()),
            Some(_) => Err(SendError::MessageOpen),
        }
    }

    /// Records that a fragment was sent.
    #[inline]
    pub(crate) fn sent(&mut self, message: Open, last: bool) {
        self.way = if last { Way::Free } else { Way::Message(message) };
        self.settle();
    }

    /// Appends the owed Pong and then a data frame: both or nothing.
    #[inline]
    pub(crate) fn emit_data<R: Role>(
        &mut self,
        frame: Frame<'_>,
        role: &mut R,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        // The usual case is inlined into the caller: one frame and no Pong.
        if self.owes_pong() {
            return self.emit(Some(frame), role, out);
        }
        frame.emit(role, out)
    }

    /// Appends the owed Pong and then `frame`: both or nothing.
    #[inline(never)]
    pub(crate) fn emit<R: Role>(
        &mut self,
        frame: Option<Frame<'_>>,
        role: &mut R,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        let keys = self.reserve(frame.map(|frame| frame.payload.len()), role, out)?;
        self.append(keys, frame, out);
        Ok(())
    }

    /// Makes room for the owed Pong and for a frame with a payload of at most `length` bytes, and
    /// draws the keys of both. All that can fail is done here, so that a failed call changes
    /// nothing.
    pub(crate) fn reserve<R: Role>(
        &self,
        length: Option<usize>,
        role: &mut R,
        out: &mut (impl Output + ?Sized),
    ) -> Result<Keys, SendError> {
        let pong = self.pong.owed().map(|payload| payload.len());
        let size = |length: Option<usize>| length.map_or(0, size::<R>);
        out.reserve(size(pong).saturating_add(size(length)))?;
        // §5.3: a fresh key for every frame. All are drawn before a byte is written.
        let mut key = |length: Option<usize>| match length {
            Some(_) => role.mask_key(),
            None => Ok(None),
        };
        Ok(Keys { pong: key(pong)?, frame: key(length)? })
    }

    /// Appends the owed Pong and then `frame`, for which room was made. Neither changes between
    /// `reserve` and this call, so `keys` fit.
    pub(crate) fn append(
        &mut self,
        keys: Keys,
        frame: Option<Frame<'_>>,
        out: &mut (impl Output + ?Sized),
    ) {
        let pong = self.pong.owed().map(|payload| Frame::control(Opcode::Pong, payload));
        for (frame, key) in [(pong, keys.pong), (frame, keys.frame)] {
            if let Some(frame) = frame {
                frame.append(key, out);
            }
        }
        self.forget_pong();
    }
}
