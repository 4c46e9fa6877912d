//! Whole messages out of pieces (§5.4, §6.2).

#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};
use core::fmt;

#[cfg(feature = "alloc")]
use crate::inflate::{Decompress, Inflater};
#[cfg(feature = "alloc")]
use crate::output::Output;
use crate::{
    close::CloseFrame,
    connection::Connection,
    error::{Failure, InternalError, Violation},
    event::{Compressed, ControlPayload, Data, Kind, Position, Repr},
    frame::compressed_limit,
    mask,
    output::Full,
    receive::{Received, Whole, close_frame},
    role::Role,
    utf8,
};

/// A whole message, or a control event that came between two fragments.
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, Message, Messages};
///
/// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
/// let mut messages = Messages::new();
/// let mut buffer = *b"\x81\x02hi\x82\x01\xFF\x89\x00\x88\x02\x03\xE8"; // what was read
/// let mut input = &mut buffer[..];
/// let mut log = Vec::new();
/// while let Some(message) = messages.receive(&mut connection, &mut input) {
///     log.push(match message {
///         Message::Text(text) => format!("text: {text}"),
///         Message::Binary(data) => format!("{} bytes", data.len()),
///         Message::Ping(_) | Message::Pong(_) => "a sign of life".into(),
///         Message::Close(Some(close)) => format!("closed: {close}"),
///         Message::Close(None) => "closed".into(),
///         Message::Failed(failure) => format!("failed: {failure}"),
///         _ => continue,
///     });
/// }
/// assert_eq!(log, ["text: hi", "1 bytes", "a sign of life", "closed: 1000"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message<'m> {
    /// A text message.
    Text(&'m str),
    /// A binary message.
    Binary(&'m [u8]),
    /// As [`Event::Ping`].
    Ping(ControlPayload),
    /// As [`Event::Pong`].
    Pong(ControlPayload),
    /// As [`Event::Close`].
    Close(Option<CloseFrame>),
    /// As [`Event::Failed`].
    Failed(Failure),
}

impl<'m> Message<'m> {
    /// The payload of a text or binary message, `None` for every other event.
    ///
    /// ```
    /// use websocket_proto::{Agreed, Config, Connection, Message, SendError, Server};
    ///
    /// fn echo(
    ///     message: Message<'_>,
    ///     connection: &mut Connection<Server>,
    ///     out: &mut Vec<u8>,
    /// ) -> Result<(), SendError> {
    ///     match message.data() {
    ///         Some(data) => connection.send(data, out),
    ///         None => Ok(()),
    ///     }
    /// }
    /// # let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    /// # let mut out = Vec::new();
    /// # echo(Message::Text("hi"), &mut connection, &mut out)?;
    /// # echo(Message::Close(None), &mut connection, &mut out)?;
    /// # assert_eq!(out, b"\x81\x02hi");
    /// # Ok::<(), SendError>(())
    /// ```
    #[must_use]
    pub const fn data(self) -> Option<Data<'m>> {
        match self {
            Message::Text(text) => Some(Data::Text(text)),
            Message::Binary(data) => Some(Data::Binary(data)),
            _ => None,
        }
    }

    /// Copies the message to the heap, for a queue or another task: see [`OwnedMessage`].
    ///
    /// Like every `clone` of a `Vec`, this aborts the process when there is no memory. A message has
    /// no more bytes than [`Config::max_message`](crate::Config::max_message).
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn into_owned(self) -> OwnedMessage {
        match self {
            Message::Text(text) => OwnedMessage::Text(text.into()),
            Message::Binary(data) => OwnedMessage::Binary(data.into()),
            Message::Ping(payload) => OwnedMessage::Ping(payload),
            Message::Pong(payload) => OwnedMessage::Pong(payload),
            Message::Close(close) => OwnedMessage::Close(close),
            Message::Failed(failure) => OwnedMessage::Failed(failure),
        }
    }
}

/// A [`Message`] that borrows nothing, for a queue or another task.
///
/// ```
/// use std::sync::mpsc;
/// use websocket_proto::{Data, Message, OwnedMessage};
///
/// let (sender, receiver) = mpsc::channel();
/// sender.send(Message::Text("hi").into_owned())?; // a copy
/// sender.send(OwnedMessage::Binary(vec![1, 2, 3]))?; // none
/// assert_eq!(receiver.recv()?, OwnedMessage::Text("hi".to_owned()));
/// assert_eq!(receiver.recv()?.as_message().data(), Some(Data::Binary(&[1, 2, 3])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnedMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// As [`Event::Ping`].
    Ping(ControlPayload),
    /// As [`Event::Pong`].
    Pong(ControlPayload),
    /// As [`Event::Close`].
    Close(Option<CloseFrame>),
    /// As [`Event::Failed`].
    Failed(Failure),
}

#[cfg(feature = "alloc")]
impl OwnedMessage {
    /// Lends the message.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        match self {
            OwnedMessage::Text(text) => Message::Text(text),
            OwnedMessage::Binary(data) => Message::Binary(data),
            OwnedMessage::Ping(payload) => Message::Ping(*payload),
            OwnedMessage::Pong(payload) => Message::Pong(*payload),
            OwnedMessage::Close(close) => Message::Close(*close),
            OwnedMessage::Failed(failure) => Message::Failed(*failure),
        }
    }
}

#[cfg(feature = "alloc")]
impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        message.into_owned()
    }
}

/// Joins the pieces of one connection into whole messages.
///
/// A message that the input holds completely is handed through without a copy. Others are gathered in
/// storage that is reused: on the heap ([`Messages::new`]), or in a buffer that the caller lends
/// ([`Messages::lent`]). They can also be [left in the input](Messages::receive_in_place) until they
/// are complete.
///
/// One `Messages` belongs to one connection. When it is handed to another in the middle of a
/// message, it compares the kind and the length of what it has gathered with what that connection
/// has delivered; where they differ it fails that connection ([`InternalError::WrongConnection`]) instead
/// of mixing the two. A compressed message fails it too, unless there is a codec for it: see
/// `receive_inflated` (feature `alloc`).
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, Message, Messages};
///
/// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
/// let mut messages = Messages::new();
/// let mut buffer = *b"\x01\x03Hel\x80\x02lo"; // two fragments
/// let mut input = &mut buffer[..];
/// match messages.receive(&mut connection, &mut input) {
///     Some(Message::Text(text)) => assert_eq!(text, "Hello"),
///     other => panic!("{other:?}"),
/// }
/// ```
#[doc(alias("stream", "defragment", "reassemble", "continuation", "buffer"))]
#[derive(Debug)]
pub struct Messages<S = Heap> {
    storage: S,
    holds: Holds,
}

/// What the storage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Nothing,
    /// The pieces of a message so far.
    Part(Kind),
    /// The compressed bytes of a message so far.
    Compressed(Kind),
    /// A message that was handed out: the storage is free.
    Whole,
}

/// Storage on the heap, which grows as pieces arrive and is given back when it has become large.
/// Without the feature `alloc` there is no value of it.
///
/// Text and binary messages have one each, so that gathered text is not validated twice.
///
/// ```
/// use websocket_proto::{Heap, Messages};
///
/// struct Client {
///     messages: Messages<Heap>, // or `Messages`, which is the same
/// }
///
/// let client = Client { messages: Messages::keeping(1 << 20) };
/// # let _ = client.messages;
/// ```
pub struct Heap {
    #[cfg(feature = "alloc")]
    text: String,
    #[cfg(feature = "alloc")]
    data: Vec<u8>,
    #[cfg(feature = "alloc")]
    keep: usize,
    #[cfg(not(feature = "alloc"))]
    _never: core::convert::Infallible,
}

/// Storage in a buffer that the caller lends. Gathered text is validated once more when the message
/// is complete.
///
/// ```
/// use websocket_proto::{Lent, Messages};
///
/// let mut memory = [0; 1024]; // the longest message that arrives in several reads
/// let messages: Messages<Lent<'_>> = Messages::lent(&mut memory);
/// # let _ = messages;
/// ```
pub struct Lent<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

#[cfg(feature = "alloc")]
impl Messages {
    /// Creates a value that gathers on the heap. An idle one has at most 64 KiB of it for each kind
    /// of message, none before the first message that has to be gathered.
    #[must_use]
    pub const fn new() -> Self {
        Messages::keeping(64 << 10)
    }

    /// Creates a value that gathers on the heap, and gives storage back between messages when it has
    /// grown above `keep` bytes.
    #[must_use]
    pub const fn keeping(keep: usize) -> Self {
        let storage = Heap { text: String::new(), data: Vec::new(), keep };
        Messages { storage, holds: Holds::Nothing }
    }
}

#[cfg(feature = "alloc")]
impl Default for Messages {
    fn default() -> Self {
        Messages::new()
    }
}

impl<'b> Messages<Lent<'b>> {
    /// Creates a value that gathers in `buffer`. A message that arrives in several reads or fragments
    /// and does not fit there fails the connection with [`Violation::MessageTooBig`]. Set
    /// [`Config::max_message`](crate::Config::max_message) to the length of `buffer` to have such a
    /// message refused by its header already.
    #[must_use]
    pub const fn lent(buffer: &'b mut [u8]) -> Self {
        Messages { storage: Lent { buffer, length: 0 }, holds: Holds::Nothing }
    }
}

impl<S: Storage> Messages<S> {
    /// Returns the next complete message or control event; `None` means that `input` is now empty.
    ///
    /// This drives [`Connection::receive`]. The message borrows the input or this value, never the
    /// connection, so that the application can send while it looks at the message.
    #[inline]
    pub fn receive<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        self.receive_by(connection, NoCodec, input, 0)
    }

    /// Like [`receive`](Messages::receive), but leaves a partly received message in `input` instead of
    /// copying it, if its whole frame fits in `capacity` bytes. Use it when each connection has its own
    /// read buffer.
    ///
    /// When this returns `None`, `input` is empty or holds the beginning of a frame. Keep those bytes,
    /// append the next read to them, and call again. They are always fewer than `capacity`, so a buffer
    /// of `capacity` bytes has room for more.
    ///
    /// The frame header is validated as soon as it arrives, but text is validated only when the message
    /// is complete. Messages that are longer or fragmented are gathered, as by
    /// [`receive`](Messages::receive). A connection that agreed on compression needs `receive_inflated`.
    ///
    /// ```
    /// # use std::io::{self, Read};
    /// # use websocket_proto::{Agreed, Client, Config, Connection, Message, Messages};
    /// # fn receive(stream: &mut impl Read, seen: &mut Vec<String>) -> io::Result<()> {
    /// # let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    /// # let mut messages = Messages::new();
    /// const READ: usize = 16 << 10;
    /// let mut buffer = vec![0; 4 * READ];
    /// let (mut start, mut end) = (0, 0);
    /// loop {
    ///     // What is left moves to the front where it is little, or has no room for a read behind it.
    ///     if start > 0 && (end - start <= start / 4 || buffer.len() - end < READ) {
    ///         buffer.copy_within(start..end, 0);
    ///         (start, end) = (0, end - start);
    ///     }
    ///     // The buffer grows by what has arrived, not by what a header says.
    ///     if buffer.len() - end < READ {
    ///         buffer.resize(2 * buffer.len(), 0);
    ///     }
    ///     match stream.read(&mut buffer[end..])? {
    ///         0 => break,
    ///         length => end += length,
    ///     }
    ///     let mut input = &mut buffer[start..end];
    ///     while let Some(message) =
    ///         messages.receive_in_place(&mut connection, &mut input, 1 << 20)
    ///     {
    ///         // ...
    /// #       if let Message::Text(text) = message { seen.push(text.into()) }
    ///     }
    ///     start = end - input.len();
    /// }
    /// # Ok(()) }
    /// # let mut seen = Vec::new();
    /// # let stream = &b"\x81\x05He"[..];
    /// # receive(&mut stream.chain(&b"llo\x81\x02hi"[..]), &mut seen)?;
    /// # assert_eq!(seen, ["Hello", "hi"]);
    /// # Ok::<(), io::Error>(())
    /// ```
    #[inline]
    pub fn receive_in_place<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        input: &mut &'i mut [u8],
        capacity: usize,
    ) -> Option<Message<'m>> {
        self.receive_by(connection, NoCodec, input, capacity)
    }

    /// Like [`receive`](Messages::receive), for connections that agreed on compression (RFC 7692
    /// §7.2.2). A compressed message is inflated in the memory of `inflater`, which it then borrows.
    ///
    /// With a [shared](crate::Inflater::shared) inflater, the compressed bytes of a message are gathered
    /// here until all have arrived: up to an eighth more than
    /// [`Config::max_message`](crate::Config::max_message). A message that does not inflate fails the
    /// connection with [`Violation::InvalidPayload`].
    #[cfg(feature = "alloc")]
    pub fn receive_inflated<'m, 'i: 'm, R: Role, D: Decompress>(
        &'m mut self,
        connection: &mut Connection<R>,
        inflater: &'m mut Inflater<D>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        inflater.release();
        self.receive_by(connection, inflater, input, 0)
    }

    #[inline]
    fn receive_by<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        codec: impl Codec<'m>,
        input: &mut &'i mut [u8],
        capacity: usize,
    ) -> Option<Message<'m>> {
        if self.holds != Holds::Nothing {
            self.clear_whole();
        }
        if self.holds == Holds::Nothing {
            match connection.receive_whole(input) {
                Some(Whole::Text(text)) => return Some(Message::Text(text)),
                Some(Whole::Binary(data)) => return Some(Message::Binary(data)),
                // What is valid of a message that is not is of no use as a whole one.
                Some(Whole::Invalid(_)) => {}
                None if capacity > 0 && connection.leave(input, capacity) => return None,
                None => {}
            }
        }
        self.receive_pieces(connection, codec, input)
    }

    #[inline(never)]
    fn receive_pieces<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        mut codec: impl Codec<'m>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        let limit = connection.max_message();
        loop {
            let gathered = match connection.receive_piece(input)? {
                Received::Text(text) => {
                    let place = text.position;
                    match text.text {
                        Repr::Slice(text)
                            if place.is_whole() && matches!(self.holds, Holds::Nothing) =>
                        {
                            return Some(Message::Text(text));
                        }
                        _ => {}
                    }
                    let push = |storage: &mut S| storage.push_text(&text, limit);
                    match self.gather(connection, Holds::Part(Kind::Text), place, push) {
                        Ok(()) if place.last => return Some(Message::Text(self.storage.text())),
                        gathered => gathered,
                    }
                }
                Received::Masked { data, key, position: place } => {
                    if place.is_whole() && matches!(self.holds, Holds::Nothing) {
                        mask::unmask(data, key);
                        return Some(Message::Binary(data));
                    }
                    let push = |storage: &mut S| storage.push_data(data, key, limit);
                    match self.gather(connection, Holds::Part(Kind::Binary), place, push) {
                        Ok(()) if place.last => return Some(Message::Binary(self.storage.data())),
                        gathered => gathered,
                    }
                }
                Received::Compressed(piece) => {
                    let kind = piece.kind;
                    match self.inflate(connection, &mut codec, piece) {
                        // The connection has failed if this is an error, and this has ended.
                        Ok(true) => match codec.message(kind) {
                            Ok(message) => return Some(message),
                            Err(failure) => return Some(self.fail(connection, failure)),
                        },
                        Ok(false) => Ok(()),
                        Err(failure) => Err(failure),
                    }
                }
                Received::Ping => return Some(Message::Ping(connection.take_control())),
                Received::Pong => return Some(Message::Pong(connection.take_control())),
                Received::Close => {
                    // §5.4: the message that is open is never finished.
                    self.clear();
                    return Some(Message::Close(close_frame(&connection.take_control())));
                }
                Received::Failed(failure) => Err(failure),
            };
            if let Err(failure) = gathered {
                return Some(self.fail(connection, failure));
            }
        }
    }

    fn fail<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        failure: Failure,
    ) -> Message<'static> {
        self.clear();
        connection.fail(failure);
        Message::Failed(failure)
    }

    /// Hands a piece to the codec, or keeps it until the message is whole; tells whether it is.
    #[inline(never)]
    fn inflate<'m, R: Role>(
        &mut self,
        connection: &Connection<R>,
        codec: &mut impl Codec<'m>,
        piece: Compressed<'_>,
    ) -> Result<bool, Failure> {
        let Compressed { data, kind, position: place, .. } = piece;
        if codec.takes_pieces() || place.is_whole() && self.holds == Holds::Nothing {
            return codec.inflate(connection, data, kind, place);
        }
        let most = compressed_limit(connection.max_message());
        if (self.storage.len() as u64).saturating_add(data.len() as u64) > most {
            return Err(Violation::MessageTooBig.into());
        }
        let push = |storage: &mut S| storage.push_data(data, [0; 4], most);
        self.gather(connection, Holds::Compressed(kind), place, push)?;
        if place.last {
            codec.inflate(connection, self.storage.data(), kind, Position::WHOLE)
        } else {
            Ok(false)
        }
    }

    #[inline(never)]
    fn gather<R: Role>(
        &mut self,
        connection: &Connection<R>,
        part: Holds,
        position: Position,
        push: impl FnOnce(&mut S) -> Result<(), Full>,
    ) -> Result<(), Failure> {
        let fits = if position.first { Holds::Nothing } else { part };
        push(&mut self.storage).map_err(|Full| Violation::MessageTooBig)?;
        // What is gathered is what this connection delivered, or it began on another one.
        if self.holds != fits || self.storage.len() as u64 != connection.delivered() {
            return Err(InternalError::WrongConnection.into());
        }
        self.holds = if position.last { Holds::Whole } else { part };
        Ok(())
    }

    /// What was handed out is not needed any more.
    #[cold]
    fn clear_whole(&mut self) {
        if self.holds == Holds::Whole {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.storage.clear();
        self.holds = Holds::Nothing;
    }
}

/// What inflates the compressed messages of one call.
trait Codec<'m> {
    /// Whether it takes them in pieces.
    fn takes_pieces(&self) -> bool;

    /// Takes a piece; tells whether the message is whole.
    fn inflate<R: Role>(
        &mut self,
        connection: &Connection<R>,
        data: &[u8],
        kind: Kind,
        position: Position,
    ) -> Result<bool, Failure>;

    /// The whole message.
    fn message(self, kind: Kind) -> Result<Message<'m>, Failure>;
}

/// Used when the caller passed no inflater: a compressed message is an error.
struct NoCodec;

impl<'m> Codec<'m> for NoCodec {
    fn takes_pieces(&self) -> bool {
        true
    }

    fn inflate<R: Role>(
        &mut self,
        _: &Connection<R>,
        _: &[u8],
        _: Kind,
        _: Position,
    ) -> Result<bool, Failure> {
        Err(InternalError::NoInflater.into())
    }

    fn message(self, _: Kind) -> Result<Message<'m>, Failure> {
        Err(InternalError::NoInflater.into())
    }
}

#[cfg(feature = "alloc")]
impl<'m, D: Decompress> Codec<'m> for &'m mut Inflater<D> {
    fn takes_pieces(&self) -> bool {
        self.is_own()
    }

    fn inflate<R: Role>(
        &mut self,
        connection: &Connection<R>,
        data: &[u8],
        kind: Kind,
        position: Position,
    ) -> Result<bool, Failure> {
        self.gather(connection, data, kind, position)
    }

    fn message(self, kind: Kind) -> Result<Message<'m>, Failure> {
        Inflater::message(self, kind)
    }
}

/// The storage in which [`Messages`] gathers: [`Heap`] or [`Lent`].
///
/// Use it as a bound for code that serves both. Other types cannot implement it.
///
/// ```
/// use websocket_proto::{Connection, Message, Messages, Server, Storage};
///
/// fn text<'m, 'i: 'm>(
///     messages: &'m mut Messages<impl Storage>,
///     connection: &mut Connection<Server>,
///     input: &mut &'i mut [u8],
/// ) -> Option<&'m str> {
///     match messages.receive(connection, input) {
///         Some(Message::Text(text)) => Some(text),
///         _ => None,
///     }
/// }
/// # use websocket_proto::{Agreed, Config};
/// # let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// # let mut buffer = *b"\x81\x82\0\0\0\0hi";
/// # assert_eq!(text(&mut Messages::new(), &mut connection, &mut &mut buffer[..]), Some("hi"));
/// ```
pub trait Storage: sealed::Storage {}

#[cfg(feature = "alloc")]
impl Storage for Heap {}
impl Storage for Lent<'_> {}

mod sealed {
    use crate::output::Full;

    pub trait Storage {
        fn len(&self) -> usize;
        fn clear(&mut self);
        /// Appends to what can become `limit` bytes.
        fn push_text(&mut self, piece: &str, limit: u64) -> Result<(), Full>;
        /// Unmasks what it appends.
        fn push_data(&mut self, piece: &[u8], key: [u8; 4], limit: u64) -> Result<(), Full>;
        /// What was pushed with `push_text`.
        fn text(&self) -> &str;
        /// What was pushed with `push_data`.
        fn data(&self) -> &[u8];
    }
}

#[cfg(feature = "alloc")]
impl sealed::Storage for Heap {
    fn len(&self) -> usize {
        self.text.len() + self.data.len()
    }

    fn clear(&mut self) {
        self.text.clear();
        self.data.clear();
        if self.text.capacity() > self.keep {
            self.text = String::new();
        }
        if self.data.capacity() > self.keep {
            self.data = Vec::new();
        }
    }

    fn push_text(&mut self, piece: &str, limit: u64) -> Result<(), Full> {
        let more = self.growth(self.text.len(), self.text.capacity(), piece.len(), limit);
        self.text.try_reserve_exact(more).map_err(|_| Full)?;
        self.text.push_str(piece);
        Ok(())
    }

    fn push_data(&mut self, piece: &[u8], key: [u8; 4], limit: u64) -> Result<(), Full> {
        let more = self.growth(self.data.len(), self.data.capacity(), piece.len(), limit);
        self.data.try_reserve_exact(more).map_err(|_| Full)?;
        match key {
            [0, 0, 0, 0] => self.data.extend_from_slice(piece),
            key => self.data.append_masked(piece, key),
        }
        Ok(())
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn data(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(feature = "alloc")]
impl Heap {
    /// How much room to make for `more` bytes behind `length`: storage grows by doubling, but not
    /// beyond the limit, nor beyond what may be kept as long as a message fits there.
    fn growth(&self, length: usize, capacity: usize, more: usize, limit: u64) -> usize {
        let needed = length.saturating_add(more);
        if needed <= capacity {
            return more;
        }
        let most = if needed <= self.keep { self.keep } else { usize::MAX };
        let most = most.min(usize::try_from(limit).unwrap_or(usize::MAX));
        capacity.saturating_mul(2).min(most).max(needed).saturating_sub(length)
    }
}

impl sealed::Storage for Lent<'_> {
    fn len(&self) -> usize {
        self.length
    }

    fn clear(&mut self) {
        self.length = 0;
    }

    fn push_text(&mut self, piece: &str, limit: u64) -> Result<(), Full> {
        self.push_data(piece.as_bytes(), [0; 4], limit)
    }

    fn push_data(&mut self, piece: &[u8], key: [u8; 4], _: u64) -> Result<(), Full> {
        let room = self.buffer.get_mut(self.length..).ok_or(Full)?;
        let (place, _) = room.split_at_mut_checked(piece.len()).ok_or(Full)?;
        place.copy_from_slice(piece);
        mask::unmask(place, key);
        self.length = self.length.saturating_add(piece.len());
        Ok(())
    }

    fn text(&self) -> &str {
        // Only whole strings were pushed, which the type of a byte buffer does not remember.
        utf8::validate(self.data()).unwrap_or_default()
    }

    fn data(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

#[cfg(feature = "alloc")]
impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heap({} bytes)", sealed::Storage::len(self))
    }
}

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lent({} of {} bytes)", self.length, self.buffer.len())
    }
}
