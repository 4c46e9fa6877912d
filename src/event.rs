//! The events that [`Connection::receive`](crate::Connection::receive) returns, and their parts.

use core::{
    fmt,
    hash::{Hash, Hasher},
    ops::{Deref, DerefMut},
};

use arrayvec::ArrayString;

use crate::{
    close::CloseFrame,
    error::{Failure, SendError},
};

/// The longest payload of a control frame (§5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// Something that the peer sent, borrowed from the caller's input and never from the connection.
///
/// Messages come in pieces, as their bytes arrive; [`Messages`](crate::Messages) joins them. The
/// pieces of a message come in order, and the first and the last are marked. Only control events
/// can come between them (§5.4).
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Event, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut buffer = *b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x88\x80\0\0\0\0"; // masked with zeros
/// let mut input = &mut buffer[..];
/// let mut log = Vec::new();
/// while let Some(event) = connection.receive(&mut input) {
///     log.push(match event {
///         Event::Text(text) => format!("text: {}", &*text),
///         Event::Binary(data) => format!("{} bytes", data.len()),
///         Event::Ping(_) | Event::Pong(_) => "a sign of life".into(),
///         Event::Close(Some(close)) => format!("closed: {close}"),
///         Event::Close(None) => "closed".into(),
///         Event::Failed(failure) => format!("failed: {failure}"),
///         _ => unreachable!("compression was not agreed"),
///     });
/// }
/// assert_eq!(log, ["text: hi", "a sign of life", "closed"]);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[doc(alias("frame", "opcode"))]
#[non_exhaustive]
pub enum Event<'i> {
    /// A piece of a text message.
    Text(Text<'i>),
    /// A piece of a binary message.
    Binary(Binary<'i>),
    /// A raw piece of a compressed message. It comes only if compression was agreed.
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
    Failed(Failure),
}

/// The kind of a message: text or binary (§5.6).
///
/// ```
/// use websocket_proto::{Data, Kind};
///
/// assert_eq!(Data::Text("hi").kind(), Kind::Text);
/// ```
#[doc(alias("opcode", "message type"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text: UTF-8.
    Text,
    /// Binary: opaque bytes.
    Binary,
}

/// A payload to send, of either kind.
///
/// ```
/// use websocket_proto::Data;
///
/// assert_eq!(Data::from("hi"), Data::Text("hi"));
/// assert_eq!(Data::from(&b"hi"[..]), Data::Binary(b"hi"));
/// assert_eq!(Data::Text("hi").as_bytes(), b"hi");
/// ```
#[doc(alias("payload", "message"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Data<'a> {
    /// Text. Because it is a `str`, it consists of complete code points (§5.6).
    Text(&'a str),
    /// Binary.
    Binary(&'a [u8]),
}

impl<'a> Data<'a> {
    /// Text or binary.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Data::Text(_) => Kind::Text,
            Data::Binary(_) => Kind::Binary,
        }
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        match self {
            Data::Text(text) => text.as_bytes(),
            Data::Binary(data) => data,
        }
    }
}

impl<'a> From<&'a str> for Data<'a> {
    fn from(text: &'a str) -> Self {
        Data::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Data<'a> {
    fn from(data: &'a [u8]) -> Self {
        Data::Binary(data)
    }
}

/// The position of a piece in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// How many bytes of the message were delivered before this piece. Only the last piece can be
    /// empty, so the first is the one at offset 0.
    pub(crate) offset: u64,
    pub(crate) last: bool,
}

impl Position {
    pub(crate) const WHOLE: Self = Position { offset: 0, last: true };

    pub(crate) const fn is_first(self) -> bool {
        self.offset == 0
    }

    pub(crate) const fn is_whole(self) -> bool {
        self.is_first() && self.last
    }
}

/// A piece of a text message. It consists of complete code points. Only the last piece can be
/// empty.
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, Event};
///
/// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
/// let mut message = String::new();
/// let mut buffer = *b"\x81\x03a\xC3\xA9"; // "aé"
/// let (first, second) = buffer.split_at_mut(4); // two reads, between the bytes of "é"
/// for mut input in [first, second] {
///     while let Some(Event::Text(text)) = connection.receive(&mut input) {
///         message.push_str(&text);
///         assert_eq!(text.is_last(), message == "aé");
///     }
/// }
/// assert_eq!(message, "aé");
/// ```
#[doc(alias("fragment", "chunk"))]
#[derive(Debug)]
pub struct Text<'i> {
    pub(crate) text: Repr<'i>,
    pub(crate) position: Position,
}

#[derive(Debug)]
pub(crate) enum Repr<'i> {
    /// Text in the caller's input.
    Slice(&'i str),
    /// One code point that was split between two reads or two frames.
    Joined(ArrayString<4>),
}

impl Text<'_> {
    /// Whether this is the first piece of its message.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.position.is_first()
    }

    /// Whether this is the last piece of its message.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.position.last
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

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Equal if the text and the position in the message are.
impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other && self.position == other.position
    }
}

impl Eq for Text<'_> {}

/// A piece of a binary message, unmasked in the caller's input. You may change its bytes there.
/// Only the last piece can be empty.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Event, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut buffer = *b"\x82\x83\x37\xFA\x21\x3D\x36\xF8\x22"; // what was read
/// if let Some(Event::Binary(data)) = connection.receive(&mut &mut buffer[..]) {
///     assert!(data.is_first() && data.is_last());
///     assert_eq!(data.into_bytes(), [1, 2, 3]); // lies in `buffer`
/// }
/// ```
#[doc(alias("fragment", "chunk"))]
#[derive(Debug)]
pub struct Binary<'i> {
    pub(crate) data: &'i mut [u8],
    pub(crate) position: Position,
}

impl<'i> Binary<'i> {
    /// Whether this is the first piece of its message.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.position.is_first()
    }

    /// Whether this is the last piece of its message.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.position.last
    }

    /// Returns the bytes, which live as long as the caller's input.
    #[must_use]
    pub const fn into_bytes(self) -> &'i mut [u8] {
        self.data
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

impl AsRef<[u8]> for Binary<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Binary<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// Equal if the bytes and the position in the message are.
impl PartialEq for Binary<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other && self.position == other.position
    }
}

impl Eq for Binary<'_> {}

/// A raw piece of a compressed message (RFC 7692 §6).
///
/// `Messages::receive_inflated` and `Inflater::inflate` (feature `alloc`) inflate it. Relays can send
/// it on, and programs with an inflater of their own can use the raw bytes:
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, Deflate, Event, Kind};
///
/// let agreed = Agreed::new().deflate(Deflate::new());
/// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), agreed);
/// let mut buffer = *b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00"; // "Hello"
/// if let Some(Event::Compressed(data)) = connection.receive(&mut &mut buffer[..]) {
///     assert_eq!(data.kind(), Kind::Text);
///     assert_eq!(*data, *b"\xF2\x48\xCD\xC9\xC9\x07\x00");
/// }
/// ```
#[doc(alias("deflate", "permessage-deflate", "rsv1"))]
#[derive(Debug)]
pub struct Compressed<'i> {
    pub(crate) data: &'i mut [u8],
    pub(crate) kind: Kind,
    pub(crate) position: Position,
    /// The serial number that the inflater gave the message; 0 before an inflater took the piece.
    #[cfg(feature = "alloc")]
    pub(crate) serial: u32,
}

impl<'i> Compressed<'i> {
    pub(crate) const fn new(data: &'i mut [u8], kind: Kind, position: Position) -> Self {
        Compressed {
            data,
            kind,
            position,
            #[cfg(feature = "alloc")]
            serial: 0,
        }
    }

    /// Marks the whole piece as inflated.
    #[cfg(feature = "alloc")]
    pub(crate) fn empty(&mut self) {
        self.data = &mut [];
        self.position.last = false;
    }

    /// The kind of the message once it is inflated.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether this is the first piece of its message.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.position.is_first()
    }

    /// Whether this is the last piece of its message.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.position.last
    }
}

impl Deref for Compressed<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.data
    }
}

impl AsRef<[u8]> for Compressed<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Equal if the compressed bytes, the kind and the position in the message are.
impl PartialEq for Compressed<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other && self.kind == other.kind && self.position == other.position
    }
}

impl Eq for Compressed<'_> {}

/// The payload of a Ping or a Pong, at most 125 bytes, by value (§5.5).
///
/// ```
/// use websocket_proto::{ControlPayload, SendError};
///
/// let payload = ControlPayload::new(b"are you there?")?;
/// assert_eq!((&*payload, payload.len()), (&b"are you there?"[..], 14));
/// assert_eq!(ControlPayload::new(&[0; 126]), Err(SendError::ControlTooLong));
/// # Ok::<(), SendError>(())
/// ```
#[doc(alias("ping", "pong"))]
#[derive(Clone, Copy)]
pub struct ControlPayload {
    bytes: [u8; MAX_CONTROL],
    length: u8,
}

impl ControlPayload {
    pub(crate) const EMPTY: Self = ControlPayload { bytes: [0; MAX_CONTROL], length: 0 };

    /// Creates a payload, for example to compare with.
    ///
    /// # Errors
    ///
    /// [`SendError::ControlTooLong`] if `bytes` has more than 125.
    pub fn new(bytes: &[u8]) -> Result<Self, SendError> {
        if bytes.len() > MAX_CONTROL {
            return Err(SendError::ControlTooLong);
        }
        let mut payload = ControlPayload::EMPTY;
        payload.extend(bytes);
        Ok(payload)
    }

    /// Appends as much of `more` as fits.
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

impl Hash for ControlPayload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl AsRef<[u8]> for ControlPayload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
