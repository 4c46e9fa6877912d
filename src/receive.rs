//! The receiving half (§5.4, §5.5, §6.2): bytes to events.
//!
//! Nearly all frames are small, whole, and a message of their own: they take the straight path of
//! [`Receiver::whole_message`], which reads the state and leaves it alone. All others go through the
//! stages, which keep what a read has cut: part of a header or of a control payload in `carry`, a
//! code point in `cut`, the place in the frame in `remaining` and `key`.

use core::mem;

use crate::{
    agreed::Agreed,
    close::CloseFrame,
    config::Config,
    error::Violation,
    event::{Binary, Compressed, ControlPayload, Event, Kind, Place, Repr, Text},
    frame::{Expected, Header, MAX_HEADER, Opcode, Short, first_byte},
    mask, utf8,
};

/// The first byte of a whole text message.
const WHOLE_TEXT: u8 = first_byte(true, false, Opcode::Text);
/// The first byte of a whole binary message.
const WHOLE_BINARY: u8 = first_byte(true, false, Opcode::Binary);

#[derive(Debug)]
pub(crate) struct Receiver {
    /// Payload bytes of the current frame that have not arrived, or how many of the next frame's bytes
    /// were left in the input.
    remaining: u64,
    /// Payload bytes of the current message that were delivered in pieces.
    delivered: u64,
    /// The most payload bytes that a message may have.
    limit: u64,
    /// The key of the current frame, rotated to meet its next byte.
    key: [u8; 4],
    stage: Stage,
    /// Part of a header, or of a control payload.
    carry: ControlPayload,
    /// The code point that ends the text so far, where it is not whole.
    cut: utf8::Cut,
    message: Message,
    agreed: Agreed,
    auto_pong: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A header.
    Header,
    /// A header too, that of a message of which the front was left in the input.
    Left,
    /// The payload of a data frame; `fin` tells whether the message ends with it.
    Data { fin: bool },
    /// The payload of a control frame.
    Control(Opcode),
    /// Nothing: text was found to be invalid behind a piece of it that goes out first.
    InvalidText,
    /// Nothing: what still comes is swallowed.
    Over,
}

/// The message that is being received, or was the last one.
#[derive(Clone, Copy, Debug)]
struct Message {
    /// Whether fragments are still to come.
    open: bool,
    kind: Kind,
    compressed: bool,
}

/// A message that lay whole in the input, unmasked.
pub(crate) enum Whole<'i> {
    Text(&'i str),
    Binary(&'i mut [u8]),
    /// It should be text, but only this much of its front is. The stages tell the rest.
    Invalid(&'i str),
}

impl Receiver {
    pub(crate) const fn new(config: &Config, agreed: Agreed) -> Self {
        Receiver {
            remaining: 0,
            delivered: 0,
            limit: config.max_message,
            key: [0; 4],
            stage: Stage::Header,
            carry: ControlPayload::EMPTY,
            cut: utf8::Cut::EMPTY,
            message: Message { open: false, kind: Kind::Binary, compressed: false },
            agreed,
            auto_pong: config.auto_pong,
        }
    }

    /// From now on everything is swallowed.
    pub(crate) const fn stop(&mut self) {
        self.stage = Stage::Over;
    }

    /// Whether a received Ping makes a Pong owed.
    pub(crate) const fn auto_pong(&self) -> bool {
        self.auto_pong
    }

    /// What the opening handshake agreed.
    pub(crate) const fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// The most payload bytes that a message may have.
    pub(crate) const fn limit(&self) -> u64 {
        self.limit
    }

    /// How many bytes have come in and were left in the input.
    #[inline]
    pub(crate) const fn left(&self) -> u32 {
        match self.stage {
            Stage::Left => self.remaining as u32,
            _ => 0,
        }
    }

    /// How many bytes were received of the message that has begun and has not ended; `None` between two
    /// messages. A header or a control frame that has begun there counts as a message of no bytes.
    pub(crate) fn in_progress(&self) -> Option<u64> {
        match self.stage {
            Stage::Over => None,
            Stage::Left => Some(self.remaining),
            Stage::Data { .. } | Stage::InvalidText => Some(self.delivered),
            Stage::Header | Stage::Control(_) if self.message.open => Some(self.delivered),
            Stage::Header if self.carry.is_empty() => None,
            Stage::Header | Stage::Control(_) => Some(0),
        }
    }

    /// How many bytes of the current message were delivered in pieces.
    pub(crate) const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The straight path: a message in one frame of up to 64 KiB that lies whole at the front of
    /// `input`. Where it gives `None`, [`receive`](Receiver::receive) goes on.
    #[inline]
    pub(crate) fn whole_message<'i>(
        &mut self,
        masked: bool,
        input: &mut &'i mut [u8],
    ) -> Option<Whole<'i>> {
        if !self.is_between_messages() {
            return None;
        }
        let Short { first, header, length, key } = Short::decode(input, masked)?;
        if !matches!(first, WHOLE_TEXT | WHOLE_BINARY)
            || length as u64 > self.limit
            || input.len() < header + length
        {
            return None;
        }
        let (frame, rest) = mem::take(input).split_at_mut_checked(header + length)?;
        *input = rest;
        let (_, payload) = frame.split_at_mut_checked(header)?;
        if masked {
            mask::apply(payload, key);
        }
        if first == WHOLE_BINARY {
            return Some(Whole::Binary(payload));
        }
        Some(match utf8::validate(payload) {
            Ok(text) => Whole::Text(text),
            Err(valid) => Whole::Invalid(self.invalid_message(payload, valid)),
        })
    }

    /// Leaves the input as it is if it is the front of a message that will lie whole in `capacity` bytes:
    /// in one frame, not compressed, cut by the end of the input. Tells whether it is.
    #[inline(never)]
    pub(crate) fn leave(&mut self, masked: bool, input: &[u8], capacity: usize) -> bool {
        if self.stage == Stage::Left {
            self.stage = Stage::Header;
        }
        if !self.is_between_messages() || !matches!(input, [WHOLE_TEXT | WHOLE_BINARY, ..]) {
            return false;
        }
        let whole = match Header::decode(input, self.expected(masked)) {
            Ok(Some((header, length))) => header.length.saturating_add(length as u64),
            Ok(None) => MAX_HEADER as u64,
            Err(_) => return false,
        };
        let leave = whole <= capacity as u64 && whole > input.len() as u64;
        if leave {
            self.stage = Stage::Left;
            self.remaining = input.len() as u64;
        }
        leave
    }

    #[inline]
    pub(crate) fn is_between_messages(&self) -> bool {
        self.stage == Stage::Header && !self.message.open && self.carry.is_empty()
    }

    /// A message of text of which only the first `valid` bytes are UTF-8: these. What is wrong is
    /// found by the next step.
    #[cold]
    fn invalid_message<'i>(&mut self, data: &'i [u8], valid: usize) -> &'i str {
        self.stage = Stage::InvalidText;
        data.get(..valid).and_then(|text| utf8::validate(text).ok()).unwrap_or_default()
    }

    /// The next event, by way of the stages; a piece of a binary message is not unmasked yet. Behind
    /// a Close or a failure it is the connection that [stops](Receiver::stop) this.
    pub(crate) fn receive<'i>(
        &mut self,
        masked: bool,
        input: &mut &'i mut [u8],
    ) -> Option<Event<'i>> {
        match self.next(masked, input) {
            Ok(event) => event,
            Err(violation) => {
                mem::take(input);
                Some(Event::Failed(violation.into()))
            }
        }
    }

    fn next<'i>(
        &mut self,
        masked: bool,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'i>>, Violation> {
        loop {
            let event = match self.stage {
                Stage::Header => match self.header(masked, input)? {
                    Some(header) => {
                        self.begin(header);
                        None
                    }
                    None => return Ok(None),
                },
                Stage::Left => {
                    self.stage = Stage::Header;
                    None
                }
                Stage::Data { .. } | Stage::Control(_)
                    if self.remaining > 0 && input.is_empty() =>
                {
                    return Ok(None);
                }
                Stage::Data { fin } => self.data(fin, input)?,
                Stage::Control(opcode) => self.control(opcode, input)?,
                Stage::InvalidText => return Err(Violation::InvalidUtf8),
                // §7.1.7: nothing is read after a failure; §5.5.1: nor after the peer's Close.
                Stage::Over => {
                    mem::take(input);
                    return Ok(None);
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// The next header, or `None` when the input ends before it does.
    fn header(&mut self, masked: bool, input: &mut &mut [u8]) -> Result<Option<Header>, Violation> {
        let expected = self.expected(masked);
        if self.carry.is_empty() {
            if let Some((header, length)) = Header::decode(input, expected)? {
                take(input, length);
                return Ok(Some(header));
            }
        }
        // The header is cut. It is at most 14 bytes, each judged as it comes.
        while !input.is_empty() {
            self.carry.extend(take(input, 1));
            if let Some((header, _)) = Header::decode(&self.carry, expected)? {
                self.carry.clear();
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// What the next header is judged against.
    fn expected(&self, masked: bool) -> Expected {
        // Between two frames, what has arrived was delivered but for a code point that is cut.
        let Message { open, compressed, .. } = self.message;
        let arrived = if open { self.delivered.saturating_add(self.cut.len() as u64) } else { 0 };
        Expected {
            mask: masked,
            compression: self.agreed.deflate.is_some(),
            continuation: open,
            compressed: open && compressed,
            arrived,
            limit: self.limit,
        }
    }

    fn begin(&mut self, header: Header) {
        self.key = header.key;
        self.remaining = header.length;
        let kind = match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                self.stage = Stage::Control(header.opcode);
                return;
            }
            Opcode::Continuation => None,
            Opcode::Text => Some(Kind::Text),
            Opcode::Binary => Some(Kind::Binary),
        };
        self.stage = Stage::Data { fin: header.fin };
        // §5.4: a continuation has the kind of the first fragment.
        if let Some(kind) = kind {
            self.delivered = 0;
            self.message = Message { open: true, kind, compressed: header.rsv1 };
        }
        // §5.4: FIN ends the message.
        self.message.open = !header.fin;
    }

    /// Takes up to `most` payload bytes of the current frame, and the key that unmasks them.
    fn payload<'i>(&mut self, most: usize, input: &mut &'i mut [u8]) -> (&'i mut [u8], [u8; 4]) {
        let payload = take(input, most.min(usize::try_from(self.remaining).unwrap_or(usize::MAX)));
        let key = self.key;
        // §5.3: the key goes on with the next byte of the frame, wherever that comes.
        self.key = mask::rotate(key, payload.len());
        self.remaining = self.remaining.saturating_sub(payload.len() as u64);
        (payload, key)
    }

    fn data<'i>(
        &mut self,
        fin: bool,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'i>>, Violation> {
        let joining = self.cut.missing();
        let (data, key) = self.payload(if joining > 0 { joining } else { usize::MAX }, input);
        let last = fin && self.remaining == 0;
        if self.remaining == 0 {
            self.stage = Stage::Header;
        }
        // §5.4: an empty fragment changes nothing.
        if data.is_empty() && !last {
            return Ok(None);
        }
        let Message { kind, compressed, .. } = self.message;
        if kind == Kind::Binary && !compressed {
            // Unmasked by who hands it on, or while it is copied.
            let place = self.place(data.len(), last);
            return Ok(Some(Event::Binary(Binary { data, key, place })));
        }
        mask::unmask(data, key);
        if joining > 0 {
            return self.joined_text(data, last);
        }
        if compressed {
            let place = self.place(data.len(), last);
            return Ok(Some(Event::Compressed(Compressed {
                data,
                kind,
                place,
                #[cfg(feature = "alloc")]
                serial: 0,
            })));
        }
        self.text(data, last)
    }

    /// A piece of text behind a whole code point.
    fn text<'i>(&mut self, data: &'i [u8], last: bool) -> Result<Option<Event<'i>>, Violation> {
        // §5.6: a message ends with a whole code point; the cut one is judged with the rest.
        let (whole, cut) = if last { (data, [].as_slice()) } else { utf8::split_cut(data) };
        let text = match utf8::validate(whole) {
            Ok(text) => text,
            Err(valid) => return Ok(self.invalid_text(whole, valid)),
        };
        self.cut.hold(cut);
        if text.is_empty() && !last {
            return Ok(None);
        }
        Ok(Some(self.text_event(Repr::Slice(text), last)))
    }

    /// The rest of a cut code point, or more of it.
    fn joined_text<'i>(&mut self, rest: &[u8], last: bool) -> Result<Option<Event<'i>>, Violation> {
        match self.cut.extend(rest) {
            Ok(Some(text)) => Ok(Some(self.text_event(Repr::Joined(text), last))),
            Ok(None) if !last => Ok(None),
            // §8.1: an impossible byte, or a message that ends inside a code point.
            _ => Err(Violation::InvalidUtf8),
        }
    }

    /// Text of which only the first `valid` bytes are UTF-8: they are a piece, if there are any,
    /// and what is wrong is found by the next step.
    #[cold]
    fn invalid_text<'i>(&mut self, data: &'i [u8], valid: usize) -> Option<Event<'i>> {
        self.stage = Stage::InvalidText;
        let text = utf8::validate(data.get(..valid)?).ok().filter(|text| !text.is_empty())?;
        Some(self.text_event(Repr::Slice(text), false))
    }

    fn text_event<'i>(&mut self, text: Repr<'i>, last: bool) -> Event<'i> {
        let length = match &text {
            Repr::Slice(text) => text.len(),
            Repr::Joined(text) => text.len(),
        };
        Event::Text(Text { text, place: self.place(length, last) })
    }

    /// Where the piece stands that is now delivered, of `length` bytes. A piece is never empty but
    /// for the last, so the first is the one with nothing in front of it.
    fn place(&mut self, length: usize, last: bool) -> Place {
        let first = self.delivered == 0;
        self.delivered = self.delivered.saturating_add(length as u64);
        Place { first, last }
    }

    // Not inlined: its copies of a payload stay off the stack of data.
    #[inline(never)]
    fn control<'i>(
        &mut self,
        opcode: Opcode,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'i>>, Violation> {
        let (data, key) = self.payload(usize::MAX, input);
        mask::unmask(data, key);
        self.carry.extend(data);
        let whole = self.remaining == 0;
        let close = match opcode {
            // §5.5.1: judged as it comes, like all text.
            Opcode::Close => CloseFrame::decode(&self.carry, whole)?,
            _ => None,
        };
        if !whole {
            return Ok(None);
        }
        let payload = mem::replace(&mut self.carry, ControlPayload::EMPTY);
        self.stage = Stage::Header;
        Ok(Some(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => Event::Close(close),
        }))
    }
}

/// Takes up to `most` bytes off the front of `input`.
#[inline]
fn take<'i>(input: &mut &'i mut [u8], most: usize) -> &'i mut [u8] {
    let whole = mem::take(input);
    let (front, rest) = whole.split_at_mut(most.min(whole.len()));
    *input = rest;
    front
}
