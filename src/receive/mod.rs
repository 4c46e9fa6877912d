//! The receiving half (§5.4, §5.5, §6.2): bytes in, pieces of messages and control frames out.
//!
//! # Two paths
//!
//! Nearly all frames are small, were fully received, and are a message of their own. They take the
//! straight path, [`Receiver::receive_whole`], which takes whole messages and nothing else. Whatever
//! it does not recognise, good or bad, goes to the general path ([`Receiver::receive`]), which alone
//! names what is wrong with a header. The straight path itself finds one fault only: text that is not
//! UTF-8. The next call then reports that fault ([`Stage::InvalidText`]). Both paths give the same
//! result for a frame that both can take.
//!
//! # Where input may be split
//!
//! A read can end after any byte, and all that arrived is taken, so that the caller's buffer is
//! free. What cannot be delivered yet is kept in the receiver, in one of two fields:
//!
//! ```text
//!   input  ┌────────┬─────────────────────────┬────────┬──────────┬─
//!          │ header │ payload                 │ header │ control  │ ···
//!          └───▲────┴───────▲───────────▲─────┴────────┴────▲─────┴─
//!   split here │            │           │                   │
//!   kept in  `carry`    nothing: a   `partial`: up to     `carry`
//!            (14 bytes) piece ends   3 bytes of a code    (125 bytes)
//!                       here         point
//! ```
//!
//! `carry` serves headers and control payloads, because a frame is in one of the two at a time. After
//! a control frame it holds the payload until the connection takes it, which it does before it
//! receives again. A header is validated byte by byte while it is collected, and text up to its last
//! whole code point, so that every fault is found at the first byte that makes it one.
//!
//! # Order
//!
//! Events come in the order of their bytes, however those were split:
//!
//! - Text before an invalid byte is delivered, and the error by the next call
//!   ([`Stage::InvalidText`]). Otherwise a split before the invalid byte would deliver more text
//!   than a split after it.
//! - A fault in a header is reported when the frame before it was delivered.
//! - After a fault or a Close nothing is read. The [`Connection`](crate::Connection) decides that
//!   with [`Receiver::stop`], because a connection can also fail for reasons of the caller.
//!
//! # The masking key
//!
//! A key belongs to a frame (§5.3) and is stored in the stage of its payload. After each piece it is
//! rotated by the length of the piece, so that it always fits the next byte.

mod left;

use core::{marker::PhantomData, mem};

use arrayvec::ArrayString;

use crate::{
    agreed::Agreed,
    close::CloseFrame,
    config::Config,
    error::{Failure, Violation},
    event::{Binary, Compressed, ControlPayload, Event, Kind, Position, Repr, Text},
    frame::{Expected, Header, Opcode, Open, Short, first_byte},
    mask,
    role::Role,
    utf8,
};

/// The first byte of a whole text message.
const WHOLE_TEXT: u8 = first_byte(true, false, Opcode::Text);
/// The first byte of a whole binary message.
const WHOLE_BINARY: u8 = first_byte(true, false, Opcode::Binary);

/// The receiving half of one side, `R`.
#[derive(Debug)]
pub(crate) struct Receiver<R> {
    stage: Stage,
    /// Payload bytes of the current frame that have not arrived.
    remaining: u64,
    /// The received bytes of a split header or of a control payload. After a control frame was
    /// reported, its payload, until [`take_control`](Receiver::take_control) takes it.
    carry: ControlPayload,
    /// The bytes received of a split code point, which the next piece of text completes.
    partial: utf8::Cut,
    /// The fragmented message that is open: more fragments follow.
    open: Option<Open>,
    /// Payload bytes of the current message that were delivered in pieces.
    delivered: u64,
    /// The most payload bytes that a message may have.
    limit: u64,
    agreed: Agreed,
    role: PhantomData<R>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// A frame header.
    Header,
    /// A frame header whose first `seen` bytes are still in the caller's input: see
    /// [`leave`](Receiver::leave).
    InInput { seen: u32 },
    /// The payload of a data frame.
    Data(DataFrame),
    /// The payload of a control frame; `key` fits its next byte.
    Control { opcode: Opcode, key: [u8; 4] },
    /// Nothing: invalid text follows the valid piece that was just delivered. The next call reports
    /// it.
    InvalidText,
    /// Nothing: after a Close or a failure, all input is discarded.
    Stopped,
}

/// A data frame whose payload is being received.
#[derive(Clone, Copy, Debug)]
struct DataFrame {
    message: Open,
    /// The masking key, rotated to fit the next byte.
    key: [u8; 4],
}

/// A message that was fully received in one frame, unmasked.
pub(crate) enum Whole<'i> {
    Text(&'i str),
    Binary(&'i mut [u8]),
    /// Text that is not UTF-8, with its valid prefix. The next call reports the error.
    Invalid(&'i str),
}

/// The meaning of the next bytes. The value is small, because every layer moves it: a control
/// payload, up to 125 bytes, stays in the [`Receiver`] until it is taken.
pub(crate) enum Received<'i> {
    /// A piece of a text message.
    Text {
        text: &'i str,
        position: Position,
    },
    /// A piece of a text message that is one code point, which arrived in two inputs.
    CodePoint {
        text: ArrayString<4>,
        position: Position,
    },
    /// A piece of a binary message that is still masked. [`Connection::receive`] unmasks it in place,
    /// [`Messages`] while it copies, which saves a pass over the payload.
    ///
    /// [`Connection::receive`]: crate::Connection::receive
    /// [`Messages`]: crate::Messages
    Masked {
        data: &'i mut [u8],
        key: [u8; 4],
        position: Position,
    },
    Compressed(Compressed<'i>),
    Ping,
    Pong,
    Close,
    Failed(Failure),
}

impl<'i> Received<'i> {
    /// Returns the public event. `control` is called for the payload of a control frame.
    pub(crate) fn into_event(self, control: impl FnOnce() -> ControlPayload) -> Event<'i> {
        match self {
            Received::Text { text, position } => {
                Event::Text(Text { text: Repr::Slice(text), position })
            }
            Received::CodePoint { text, position } => {
                Event::Text(Text { text: Repr::Joined(text), position })
            }
            Received::Masked { data, key, position } => {
                mask::unmask(data, key);
                Event::Binary(Binary { data, position })
            }
            Received::Compressed(piece) => Event::Compressed(piece),
            Received::Ping => Event::Ping(control()),
            Received::Pong => Event::Pong(control()),
            Received::Close => Event::Close(close_frame(&control())),
            Received::Failed(failure) => Event::Failed(failure),
        }
    }
}

/// Returns the Close frame with this body, which the receiver has validated as it arrived.
pub(crate) fn close_frame(body: &[u8]) -> Option<CloseFrame> {
    CloseFrame::decode(body, true).unwrap_or_default()
}

impl<R: Role> Receiver<R> {
    /// Whether the peer has to mask its frames (§5.1): a client has to, a server must not.
    const MASKED: bool = !R::CLIENT;

    pub(crate) const fn new(config: &Config, agreed: Agreed) -> Self {
        Receiver {
            stage: Stage::Header,
            remaining: 0,
            carry: ControlPayload::EMPTY,
            partial: utf8::Cut::EMPTY,
            open: None,
            delivered: 0,
            limit: config.max_message,
            agreed,
            role: PhantomData,
        }
    }

    /// Discards all further input.
    pub(crate) const fn stop(&mut self) {
        self.stage = Stage::Stopped;
    }

    /// What the opening handshake agreed.
    pub(crate) const fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Sets what the opening handshake agreed.
    #[cfg(feature = "alloc")]
    pub(crate) const fn agree(&mut self, agreed: Agreed) {
        self.agreed = agreed;
    }

    /// The most payload bytes that a message may have.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many bytes were received of the message that has begun and has not ended; `None` between two
    /// messages. A header or a control frame that has begun there counts as a message of no bytes.
    pub(crate) fn in_progress(&self) -> Option<u64> {
        match self.stage {
            Stage::Stopped => None,
            Stage::InInput { seen } => Some(seen.into()),
            Stage::Data(_) | Stage::InvalidText => Some(self.delivered),
            Stage::Header | Stage::Control { .. } if self.open.is_some() => Some(self.delivered),
            Stage::Header if self.carry.is_empty() => None,
            Stage::Header | Stage::Control { .. } => Some(0),
        }
    }

    /// The number of bytes that have not arrived of a binary frame that is not compressed, if the next
    /// byte is one of them.
    pub(crate) const fn rest_of_binary(&self) -> u64 {
        match self.stage {
            Stage::Data(DataFrame {
                message: Open { kind: Kind::Binary, compressed: false },
                ..
            }) => self.remaining,
            _ => 0,
        }
    }

    /// Returns the payload of the control frame that was just reported.
    pub(crate) const fn control(&self) -> &ControlPayload {
        &self.carry
    }

    /// Takes the payload of the control frame that was just reported. It has to be taken before the
    /// next call of [`receive`](Receiver::receive), because its memory is used for split headers.
    pub(crate) fn take_control(&mut self) -> ControlPayload {
        let payload = self.carry;
        self.carry.clear();
        payload
    }

    /// The straight path: returns an uncompressed message of up to 64 KiB in one frame that lies
    /// fully at the front of `input`. For all other input it returns `None` and consumes nothing;
    /// [`receive`](Receiver::receive) then finds out what it is.
    #[inline]
    pub(crate) fn receive_whole<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Whole<'i>> {
        if !self.is_between_messages() {
            return None;
        }
        let Short { first, header, length, key } = Short::decode(input, Self::MASKED)?;
        if !self.is_whole(first, header, length, input) {
            return None;
        }
        let (frame, rest) = mem::take(input).split_at_mut_checked(header + length)?;
        *input = rest;
        let (_, payload) = frame.split_at_mut_checked(header)?;
        if Self::MASKED {
            mask::apply(payload, key);
        }
        if first == WHOLE_BINARY {
            return Some(Whole::Binary(payload));
        }
        // §8.1: UTF-8 is checked early: as on the general path, the text in front of an invalid byte
        // is delivered.
        Some(match utf8::validate(payload) {
            Ok(text) => Whole::Text(text),
            Err(valid) => Whole::Invalid(self.invalid_prefix(payload, valid)),
        })
    }

    /// Whether the straight path takes the frame with this header. The fields are separate
    /// arguments, because passing a `Short` costs 29 instructions.
    #[inline(always)]
    const fn is_whole(&self, first: u8, header: usize, length: usize, input: &[u8]) -> bool {
        matches!(first, WHOLE_TEXT | WHOLE_BINARY)
            && length as u64 <= self.limit
            && input.len() >= header + length
    }

    /// Whether [`receive_whole`](Receiver::receive_whole) takes what is next.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn has_whole_message(&self, input: &[u8]) -> bool {
        self.is_between_messages()
            && Short::decode(input, Self::MASKED).is_some_and(
                |Short { first, header, length, .. }| self.is_whole(first, header, length, input),
            )
    }

    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        matches!(self.stage, Stage::Header) && self.open.is_none() && self.carry.is_empty()
    }

    /// Returns the valid prefix of text that is not UTF-8 and makes the next call report
    /// [`Violation::InvalidUtf8`].
    #[cold]
    fn invalid_prefix<'i>(&mut self, data: &'i [u8], valid: usize) -> &'i str {
        self.stage = Stage::InvalidText;
        utf8::prefix(data, valid)
    }

    /// The general path: returns what the next bytes of `input` are, or `None` when all of them were
    /// taken. The connection [stops](Receiver::stop) this after a Close or a failure.
    ///
    /// The functions that this calls for a payload return the same type as it does, so that the
    /// compiler can build the value in the caller's memory.
    pub(crate) fn receive<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Received<'i>> {
        loop {
            let received = match self.stage {
                Stage::Header => match self.header(input) {
                    Ok(Some(header)) => {
                        self.begin(header);
                        None
                    }
                    Ok(None) => return None,
                    Err(violation) => failed(violation),
                },
                Stage::InInput { .. } if input.is_empty() => return None,
                Stage::InInput { .. } => {
                    self.mask_seen(input);
                    None
                }
                Stage::Data(_) | Stage::Control { .. }
                    if self.remaining > 0 && input.is_empty() =>
                {
                    return None;
                }
                Stage::Data(frame) => self.data(frame, input),
                Stage::Control { opcode, key } => self.receive_control(opcode, key, input),
                Stage::InvalidText => failed(Violation::InvalidUtf8),
                // §7.1.7: nothing is read after a failure; §5.5.1: nor after the peer's Close.
                Stage::Stopped => {
                    mem::take(input);
                    return None;
                }
            };
            if received.is_some() {
                return received;
            }
        }
    }

    /// Returns the next header; `None` if the input ends before it does.
    fn header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Violation> {
        let expected = self.expected();
        if self.carry.is_empty()
            && let Some((header, length)) = Header::decode(input, expected)?
        {
            take(input, length);
            return Ok(Some(header));
        }
        // The header is split. It has at most 14 bytes; each is validated as it arrives.
        while !input.is_empty() {
            self.carry.extend(take(input, 1));
            if let Some((header, _)) = Header::decode(&self.carry, expected)? {
                self.carry.clear();
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// What the next header is validated against.
    fn expected(&self) -> Expected {
        // What has arrived was delivered or is part of a split code point. If no message is open,
        // `delivered` belongs to the last one.
        let arrived = self.delivered.saturating_add(self.partial.len() as u64);
        Expected {
            mask: Self::MASKED,
            compression: self.agreed.deflate.is_some(),
            continuation: self.open.is_some(),
            compressed: self.open.is_some_and(|message| message.compressed),
            arrived: if self.open.is_some() { arrived } else { 0 },
            limit: self.limit,
        }
    }

    fn begin(&mut self, header: Header) {
        let Header { fin, rsv1, opcode, length, key } = header;
        self.remaining = length;
        let kind = match opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                self.stage = Stage::Control { opcode, key };
                return;
            }
            Opcode::Text => Kind::Text,
            Opcode::Binary | Opcode::Continuation => Kind::Binary,
        };
        // §5.4: a continuation has the kind of the first fragment. If no message is open, there is
        // no continuation, because `Header::decode` refuses it.
        let message = self.open.unwrap_or_else(|| {
            self.delivered = 0;
            Open { kind, compressed: rsv1 }
        });
        // §5.4: FIN ends the message.
        self.open = (!fin).then_some(message);
        self.stage = Stage::Data(DataFrame { message, key });
    }

    /// Takes up to `most` payload bytes of the current frame. They are still masked.
    fn payload<'i>(&mut self, most: usize, input: &mut &'i mut [u8]) -> &'i mut [u8] {
        let payload = take(input, most.min(usize::try_from(self.remaining).unwrap_or(usize::MAX)));
        self.remaining = self.remaining.saturating_sub(payload.len() as u64);
        payload
    }

    fn data<'i>(&mut self, frame: DataFrame, input: &mut &'i mut [u8]) -> Option<Received<'i>> {
        let DataFrame { message, key } = frame;
        // A split code point is completed by itself, because its bytes are in two inputs.
        let missing = self.partial.missing();
        let data = self.payload(if missing > 0 { missing } else { usize::MAX }, input);
        // §5.4: FIN has closed the message already when the frame began.
        let last = self.open.is_none() && self.remaining == 0;
        self.stage = match self.remaining {
            0 => Stage::Header,
            // §5.3: the key continues with the next byte of the frame, in whatever read that comes.
            _ => Stage::Data(DataFrame { key: mask::rotate(key, data.len()), ..frame }),
        };
        // §5.4: an empty fragment changes nothing.
        if data.is_empty() && !last {
            return None;
        }
        let Open { kind, compressed } = message;
        if kind == Kind::Binary && !compressed {
            let position = self.position(data.len(), last);
            return Some(Received::Masked { data, key, position });
        }
        mask::unmask(data, key);
        // Only plain text is ever split inside a code point: compressed bytes are not looked at.
        if missing > 0 {
            return self.joined_text(data, last);
        }
        if compressed {
            let position = self.position(data.len(), last);
            return Some(Received::Compressed(Compressed::new(data, kind, position)));
        }
        self.text(data, last)
    }

    /// Returns a piece of text that begins with a complete code point.
    fn text<'i>(&mut self, data: &'i [u8], last: bool) -> Option<Received<'i>> {
        // §8.1: UTF-8 is checked early, as text arrives. §5.6: a message ends with a complete code
        // point. A split one is checked together with its rest.
        let (whole, partial) = if last { (data, [].as_slice()) } else { utf8::split_cut(data) };
        let (text, last) = match utf8::validate(whole) {
            Ok(text) => (text, last),
            // Nothing but the error comes after an invalid byte.
            Err(valid) => (self.invalid_prefix(whole, valid), false),
        };
        self.partial.hold(partial);
        if text.is_empty() && !last {
            return None;
        }
        let position = self.position(text.len(), last);
        Some(Received::Text { text, position })
    }

    /// Completes a split code point, or adds more bytes to it.
    fn joined_text<'i>(&mut self, rest: &[u8], last: bool) -> Option<Received<'i>> {
        match self.partial.extend(rest) {
            Ok(Some(text)) => {
                let position = self.position(text.len(), last);
                Some(Received::CodePoint { text, position })
            }
            Ok(None) if !last => None,
            // §8.1: an impossible byte, or a message that ends inside a code point.
            _ => failed(Violation::InvalidUtf8),
        }
    }

    /// The position of the next piece, which has `length` bytes.
    fn position(&mut self, length: usize, last: bool) -> Position {
        let offset = self.delivered;
        self.delivered = self.delivered.saturating_add(length as u64);
        Position { offset, last }
    }

    /// Collects the payload of a control frame in `carry`, which is empty when this is first called:
    /// a header is cleared from there once it is complete.
    fn receive_control<'i>(
        &mut self,
        opcode: Opcode,
        key: [u8; 4],
        input: &mut &'i mut [u8],
    ) -> Option<Received<'i>> {
        let data = self.payload(usize::MAX, input);
        mask::unmask(data, key);
        self.carry.extend(data);
        let complete = self.remaining == 0;
        if opcode == Opcode::Close {
            // §5.5.1: validated as it arrives, like all text.
            if let Err(violation) = CloseFrame::decode(&self.carry, complete) {
                return failed(violation);
            }
        }
        if !complete {
            self.stage = Stage::Control { opcode, key: mask::rotate(key, data.len()) };
            return None;
        }
        self.stage = Stage::Header;
        Some(match opcode {
            Opcode::Ping => Received::Ping,
            Opcode::Pong => Received::Pong,
            _ => Received::Close,
        })
    }
}

#[cold]
fn failed<'i>(violation: Violation) -> Option<Received<'i>> {
    Some(Received::Failed(violation.into()))
}

/// Takes up to `most` bytes off the front of `input`.
#[inline]
fn take<'i>(input: &mut &'i mut [u8], most: usize) -> &'i mut [u8] {
    let whole = mem::take(input);
    let (front, rest) = whole.split_at_mut(most.min(whole.len()));
    *input = rest;
    front
}
