//! What [`Connection::receive`](crate::Connection::receive) hands out, and what it is made of.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};

use arrayvec::ArrayString;

use crate::{close::CloseFrame, error::Violation, mask};

/// The longest payload of a control frame (§5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// Something that the peer sent, borrowed from the caller's input and never from the connection.
///
/// Messages arrive in pieces, as their bytes do; [`Messages`](crate::Messages) joins them. Pieces
/// of one message come in order, the first and the last are marked, and between them only
/// control events can stand (§5.4).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A piece of a text message.
    Text(Text<'i>),
    /// A piece of a binary message.
    Binary(Binary<'i>),
    /// A raw piece of a compressed message; only when compression was agreed.
    Compressed(Compressed<'i>),
    /// A Ping (§5.5.2). Unless switched off, the Pong that answers it is owed: see
    /// [`transmit`](crate::Connection::transmit).
    Ping(ControlPayload),
    /// A Pong (§5.5.3), asked for or not.
    Pong(ControlPayload),
    /// The peer's Close (§5.5.1), `None` for one without a code. It is the last event; unless we
    /// closed first, a reply is owed.
    Close(Option<CloseFrame>),
    /// The peer broke the protocol. It is the last event; unless we closed first, a Close that says
    /// why is owed.
    Failed(Violation),
}

/// Text or binary (§5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text: UTF-8.
    Text,
    /// Binary: opaque bytes.
    Binary,
}

/// A payload to send, of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Data<'a> {
    /// Text. Being a `str`, it never cuts a code point (§5.6).
    Text(&'a str),
    /// Binary.
    Binary(&'a [u8]),
}

impl<'a> Data<'a> {
    /// Text or binary.
    pub const fn kind(self) -> Kind {
        match self {
            Data::Text(_) => Kind::Text,
            Data::Binary(_) => Kind::Binary,
        }
    }

    /// The payload.
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Data::Text(text) => text.as_bytes(),
            Data::Binary(data) => data,
        }
    }
}

/// Where in its message a piece stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first: bool,
    pub(crate) last: bool,
}

impl Place {
    pub(crate) const WHOLE: Self = Place { first: true, last: true };

    pub(crate) const fn is_whole(self) -> bool {
        self.first && self.last
    }
}

/// A piece of a text message: whole code points, never empty unless it is the last one.
#[derive(Debug)]
pub struct Text<'i> {
    pub(crate) text: Repr<'i>,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) enum Repr<'i> {
    /// Lies in the caller's input.
    Slice(&'i str),
    /// One code point that was cut, by a read or between two frames.
    Joined(ArrayString<4>),
}

impl Text<'_> {
    /// Whether this is the first piece of its message.
    pub const fn is_first(&self) -> bool {
        self.place.first
    }

    /// Whether this is the last piece of its message.
    pub const fn is_last(&self) -> bool {
        self.place.last
    }
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.text {
            Repr::Slice(text) => text,
            Repr::Joined(text) => text,
        }
    }
}

/// A piece of a binary message, unmasked in the caller's input and free to be changed there. Never
/// empty unless it is the last one.
pub struct Binary<'i> {
    pub(crate) data: &'i mut [u8],
    /// What is still to be done to it before a caller sees it: zeros once it is unmasked.
    pub(crate) key: [u8; 4],
    pub(crate) place: Place,
}

impl<'i> Binary<'i> {
    /// A piece that is not masked.
    pub(crate) const fn new(data: &'i mut [u8], place: Place) -> Self {
        Binary { data, key: [0; 4], place }
    }

    /// Unmasks it where it lies.
    pub(crate) fn unmask(&mut self) {
        mask::unmask(self.data, self.key);
        self.key = [0; 4];
    }

    /// Whether this is the first piece of its message.
    pub const fn is_first(&self) -> bool {
        self.place.first
    }

    /// Whether this is the last piece of its message.
    pub const fn is_last(&self) -> bool {
        self.place.last
    }

    /// The bytes, for as long as the input is lent.
    pub const fn into_bytes(self) -> &'i mut [u8] {
        self.data
    }
}

impl fmt::Debug for Binary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binary").field("data", &self.data).field("place", &self.place).finish()
    }
}

impl Deref for Binary<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.data
    }
}

impl DerefMut for Binary<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.data
    }
}

/// A raw piece of a compressed message (RFC 7692 §6), to be inflated: see
/// `Inflater::inflate` (feature `alloc`), or bring all of it yourself.
#[derive(Debug)]
pub struct Compressed<'i> {
    pub(crate) data: &'i mut [u8],
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    /// The message, as the inflater that began with this piece counts them; 0 before.
    #[cfg(feature = "alloc")]
    pub(crate) serial: u32,
}

impl Compressed<'_> {
    /// All of it was inflated.
    #[cfg(feature = "alloc")]
    pub(crate) fn end(&mut self) {
        self.data = &mut [];
        self.place.last = false;
    }

    /// What the message is once inflated.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether this is the first piece of its message.
    pub const fn is_first(&self) -> bool {
        self.place.first
    }

    /// Whether this is the last piece of its message.
    pub const fn is_last(&self) -> bool {
        self.place.last
    }
}

impl Deref for Compressed<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.data
    }
}

/// The payload of a Ping or Pong, by value: at most 125 bytes (§5.5).
#[derive(Clone, Copy)]
pub struct ControlPayload {
    bytes: [u8; MAX_CONTROL],
    length: u8,
}

impl ControlPayload {
    pub(crate) const EMPTY: Self = ControlPayload { bytes: [0; MAX_CONTROL], length: 0 };

    /// Appends as much of `more` as there is room for.
    pub(crate) fn extend(&mut self, more: &[u8]) {
        let room = self.bytes.get_mut(usize::from(self.length)..).unwrap_or_default();
        let added = room.len().min(more.len());
        for (to, from) in room.iter_mut().zip(more) {
            *to = *from;
        }
        self.length = self.length.saturating_add(added as u8);
    }

    pub(crate) const fn clear(&mut self) {
        self.length = 0;
    }
}

impl Deref for ControlPayload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl PartialEq for ControlPayload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ControlPayload {}

impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
