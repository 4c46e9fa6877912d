//! Joining: pieces of messages in, whole messages out (§5.4, §6.2).
//!
//! # The modes
//!
//! Where the bytes of a returned message are depends on how it arrived. [`Messages`] tries the ways
//! that copy nothing first:
//!
//! 1. **In the input.** The frame is a whole message and was fully received. This is the straight
//!    path: one call of the receiver, which changes nothing here.
//! 2. **In the input, later.** The frame would be such a message, but its end has not arrived. With
//!    [`Messages::in_place`] its bytes stay where they are until the caller has appended the rest.
//! 3. **In the storage.** The message came in several pieces: in several frames, in several reads, or
//!    out of an inflater in several steps. Each piece is copied, and unmasked while it is copied.
//!    A driver can also read the rest of a long binary frame into the storage itself
//!    ([`Messages::read_buffer`]); then it is unmasked there.
//! 4. **In the inflater.** The message was compressed and inflates to one piece: it has less than
//!    17 KiB, and the inflater was given all of it at once.
//!
//! ```text
//!                 input                          storage
//!   read 1   ┌────────┬────────────┐
//!            │ header │ payload ···│ ─────────▶ ┌────────────┐
//!            └────────┴────────────┘            │            │
//!   read 2   ┌─────────────┬────────┐           ├────────────┴──┐
//!            │ ··· payload │ header │ ────────▶ │            ···│ = the message
//!            └─────────────┴────────┘           └───────────────┘
//! ```
//!
//! Compressed pieces take one more step. The inflater turns each into ordinary pieces, which are
//! stored by the same function as those of a plain message. A shared inflater serves another
//! connection between two calls, so it can only inflate a message in one go: until then its
//! compressed bytes are collected in memory of their own.
//!
//! # The wrong connection
//!
//! Nothing binds a `Messages` to its connection. If a caller mixes two up in the middle of a
//! message, the storage would join halves of two messages. So each piece is compared with what was
//! stored before: the storage has to hold exactly as many bytes as the piece's offset says, of the
//! same kind. The connection counts the offset, or the inflater if the message is compressed. A
//! difference fails the connection.
//!
//! # Faults
//!
//! A fault never overtakes the messages before it, because those were returned by earlier calls.
//! Pieces of the message that is faulty itself are dropped: half a message is of no use here.

#[cfg(feature = "alloc")]
mod compressed;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::{fmt, mem};

#[cfg(feature = "alloc")]
use crate::{codec::Decompress, inflate::Inflater, storage::Heap};
use crate::{
    connection::Connection,
    error::{Failure, InternalError, Violation},
    event::{Data, Kind, Position},
    mask,
    message::Message,
    output::Full,
    receive::{Received, Whole, close_frame},
    role::Role,
    storage::Storage,
};

/// Joins the pieces of messages that one connection receives into whole messages.
///
/// A message that the input contains completely is returned without a copy. Others are joined in
/// memory that is reused: on the heap (`Messages::new`, feature `alloc`), or in a buffer that the
/// caller lends ([`Messages::lent`]). They can also [stay in the input](Messages::in_place) until
/// they are complete.
///
#[cfg_attr(
    feature = "alloc",
    doc = "[`Endpoint`](crate::endpoint::Endpoint) does this for you, and returns whole messages."
)]
///
/// One `Messages` belongs to one connection. When it is handed to another in the middle of a
/// message, it compares the kind and the length of what it has joined with what that connection has
/// delivered; where they differ it fails that connection ([`InternalError::WrongConnection`]) instead
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
///
/// To store a value that joins on the heap in a struct, use the type `Messages<'static>`.
#[doc(alias("stream", "defragment", "reassemble", "continuation", "buffer"))]
pub struct Messages<'b> {
    storage: Storage<'b>,
    /// The compressed bytes of a message for a shared inflater.
    #[cfg(feature = "alloc")]
    compressed: Vec<u8>,
    stored: Stored,
    /// The most bytes of a frame that may stay in the input until it is complete; 0 if none may.
    in_place: u32,
}

/// The contents of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nothing,
    /// The pieces so far of a message of this kind.
    Pieces(Kind),
    /// The compressed bytes so far of a message of this kind.
    #[cfg(feature = "alloc")]
    Compressed(Kind),
    /// A complete message, which is returned. The next call clears it.
    Complete,
}

/// A complete message or control frame that was received. The value is small, because several
/// layers move it: the payload of a control frame is still in the connection.
enum Complete<'i> {
    /// A message in the input.
    InInput(Data<'i>),
    /// A message in the storage.
    Joined(Kind),
    Other(Other),
}

/// What was received and is not a data message.
enum Other {
    Ping,
    Pong,
    Close,
    Failed(Failure),
}

/// The result of inflating a compressed piece.
#[cfg(feature = "alloc")]
enum Inflated {
    /// The message is not complete.
    Incomplete,
    /// The message is complete, in the storage.
    Joined,
    /// The message is complete, in the inflater.
    InInflater,
}

#[cfg(feature = "alloc")]
impl Messages<'static> {
    /// Creates a value that joins messages on the heap. An idle one has at most 64 KiB of it, and
    /// none before the first message that has to be joined.
    #[must_use]
    pub const fn new() -> Self {
        Messages::keeping(64 << 10)
    }

    /// Creates a value that joins messages on the heap, and gives memory back between messages when
    /// it has grown above `keep` bytes.
    #[must_use]
    pub const fn keeping(keep: usize) -> Self {
        Messages::with_storage(Storage::Heap(Heap::new(keep)))
    }
}

#[cfg(feature = "alloc")]
impl Default for Messages<'static> {
    fn default() -> Self {
        Messages::new()
    }
}

impl<'b> Messages<'b> {
    /// Creates a value that joins messages in `buffer`. A message that arrives in several reads or
    /// fragments and does not fit there fails the connection with [`Violation::MessageTooBig`]. So
    /// does one that inflates to 17 KiB or more and does not fit there. Set
    /// [`Config::max_message`](crate::Config::max_message) to the length of `buffer` to have such a
    /// message refused by its header already.
    ///
    /// ```
    /// use websocket_proto::Messages;
    ///
    /// let mut memory = [0; 1024]; // the longest message that arrives in several reads
    /// let messages: Messages<'_> = Messages::lent(&mut memory);
    /// # let _ = messages;
    /// ```
    #[must_use]
    pub const fn lent(buffer: &'b mut [u8]) -> Self {
        Messages::with_storage(Storage::Lent { buffer, length: 0 })
    }

    const fn with_storage(storage: Storage<'b>) -> Self {
        Messages {
            storage,
            #[cfg(feature = "alloc")]
            compressed: Vec::new(),
            stored: Stored::Nothing,
            in_place: 0,
        }
    }

    /// Sets that a partly received message stays in the input instead of being copied, if its whole
    /// frame fits in `capacity` bytes. Use this when each connection has its own read buffer.
    ///
    /// When a call then returns `None`, `input` is empty or holds the beginning of a frame. Keep
    /// those bytes as they are, because their payload is unmasked already. Append the next read to them,
    /// and call again. They are always fewer than `capacity`, so a buffer of `capacity` bytes has room
    /// for more.
    ///
    /// The frame header is validated as soon as it arrives, but text is validated only when the
    /// message is complete. Messages that are longer or fragmented are joined as without this.
    ///
    /// ```
    /// # use std::io::{self, Read};
    /// # use websocket_proto::{Agreed, Client, Config, Connection, Message, Messages};
    /// # fn receive(stream: &mut impl Read, seen: &mut Vec<String>) -> io::Result<()> {
    /// # let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    /// const READ: usize = 16 << 10;
    /// let mut messages = Messages::new().in_place(1 << 20);
    /// let mut buffer = vec![0; 4 * READ];
    /// let (mut start, mut end) = (0, 0);
    /// loop {
    ///     // The rest moves to the front if it is short, or if there is no room for a read after it.
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
    ///     while let Some(message) = messages.receive(&mut connection, &mut input) {
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
    #[must_use]
    pub const fn in_place(mut self, capacity: usize) -> Self {
        self.in_place = if capacity > u32::MAX as usize { u32::MAX } else { capacity as u32 };
        self
    }

    /// Returns the next complete message or control event; `None` means that `input` is now empty, or
    /// holds what stays there [in place](Messages::in_place).
    ///
    /// The messages are those that [`Connection::receive`] returns in pieces. A message borrows the
    /// input or this value, never the connection, so that the application can send while it looks at
    /// the message.
    #[inline]
    pub fn receive<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        self.receive_in_input(connection, input, Messages::receive_pieces)
    }

    /// Like [`receive`](Messages::receive), for connections that agreed on compression (RFC 7692
    /// §7.2.2). A message that does not inflate fails the connection with
    /// [`Violation::InvalidPayload`].
    ///
    /// A message that inflates to less than 17 KiB is lent by `inflater` if it is inflated at once.
    /// Any other is joined by this value. An [own](crate::Inflater::own) inflater inflates what has
    /// arrived. For a [shared](crate::Inflater::shared) one, the compressed bytes of a message are
    /// collected here until all have arrived: up to an eighth more than
    /// [`Config::max_message`](crate::Config::max_message), always on the heap.
    #[cfg(feature = "alloc")]
    pub fn receive_inflated<'m, 'i: 'm, R: Role, D: Decompress>(
        &'m mut self,
        connection: &mut Connection<R>,
        inflater: &'m mut Inflater<D>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        self.receive_in_input(connection, input, |messages, connection, input| {
            messages.inflate_pieces(connection, inflater, input)
        })
    }

    /// Returns memory to read the next bytes of the stream into, if they belong to a long binary
    /// message. This saves a copy. Report how many bytes were read with
    /// [`receive_read`](Messages::receive_read). `None` means that the next read goes to a buffer
    /// of yours.
    ///
    /// On the heap, memory is offered while at least 16 KiB of the frame are still to come. The
    /// memory is about as long as the message so far, between 16 and 64 KiB, so that it grows with
    /// what has arrived. In a [lent](Messages::lent) buffer it is the whole free room, for every
    /// binary frame. It is never longer than the rest of the frame.
    ///
    /// ```
    /// # use std::io::{self, Read};
    /// use websocket_proto::{Connection, Message, Messages, Role};
    ///
    /// fn receive<R: Role>(
    ///     connection: &mut Connection<R>,
    ///     messages: &mut Messages<'_>,
    ///     stream: &mut impl Read,
    ///     buffer: &mut [u8], // one for all connections
    ///     mut each: impl FnMut(Message<'_>),
    /// ) -> io::Result<()> {
    ///     if let Some(memory) = messages.read_buffer(connection) {
    ///         let length = stream.read(memory)?;
    ///         if let Some(message) = messages.receive_read(connection, length) {
    ///             each(message);
    ///         }
    ///         return Ok(());
    ///     }
    ///     let length = stream.read(buffer)?;
    ///     let mut input = &mut buffer[..length];
    ///     while let Some(message) = messages.receive(connection, &mut input) {
    ///         each(message);
    ///     }
    ///     Ok(())
    /// }
    /// # use websocket_proto::{Agreed, Client, Config};
    /// # let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
    /// # let mut messages = Messages::new();
    /// # let wire = [&b"\x82\x7F\0\0\0\0\0\x02\0\0"[..], &[7; 0x20000]].concat();
    /// # let (mut stream, mut buffer, mut length) = (&wire[..], [0; 4096], 0);
    /// # while !stream.is_empty() {
    /// #     receive(&mut connection, &mut messages, &mut stream, &mut buffer, |message| {
    /// #         if let Message::Binary(data) = message { length += data.len() }
    /// #     })?;
    /// # }
    /// # assert_eq!(length, 0x20000);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn read_buffer<R: Role>(&mut self, connection: &Connection<R>) -> Option<&mut [u8]> {
        let rest = connection.rest_of_binary();
        if rest == 0 {
            return None;
        }
        // If the input ended with the header, the storage still has the message before.
        if self.stored == Stored::Complete {
            self.clear();
        }
        self.storage.room(rest, connection.max_message())
    }

    /// Receives the `length` bytes that were read into the front of the
    /// [`read_buffer`](Messages::read_buffer), and returns the message if it is complete with them.
    /// A greater `length` than the buffer has counts as all of it.
    pub fn receive_read<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        length: usize,
    ) -> Option<Message<'_>> {
        let memory = self.read_buffer(connection)?;
        let length = length.min(memory.len());
        let mut read = memory.get_mut(..length).filter(|read| !read.is_empty())?;
        let Received::Masked { data, key, position } = connection.receive_piece(&mut read)? else {
            return None;
        };
        mask::unmask(data, key);
        let length = data.len();
        let complete =
            match self.check_order(Stored::Pieces(Kind::Binary), self.storage.len(), position) {
                Ok(()) => {
                    self.storage.grow(length);
                    match self.advance(Kind::Binary, position) {
                        Some(kind) => Complete::Joined(kind),
                        None => return None,
                    }
                }
                Err(failure) => Complete::Other(Other::Failed(failure)),
            };
        self.message(connection, complete)
    }

    /// Returns a message that was fully received in the input, if the next one was. It borrows only
    /// the input.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn receive_whole<'i, R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        input: &mut &'i mut [u8],
    ) -> Option<Data<'i>> {
        if self.stored != Stored::Nothing && !self.clear_complete() {
            return None;
        }
        match connection.receive_whole(input)? {
            Whole::Text(text) => Some(Data::Text(text)),
            Whole::Binary(data) => Some(Data::Binary(data)),
            Whole::Invalid(_) => None,
        }
    }

    /// Returns a message that was fully received in the input, or `None` if it is to stay there.
    /// Anything else is left to `otherwise`.
    #[inline(always)]
    fn receive_in_input<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        input: &mut &'i mut [u8],
        otherwise: impl FnOnce(
            &'m mut Self,
            &mut Connection<R>,
            &mut &'i mut [u8],
        ) -> Option<Message<'m>>,
    ) -> Option<Message<'m>> {
        if self.stored == Stored::Nothing || self.clear_complete() {
            match connection.receive_whole(input) {
                Some(Whole::Text(text)) => return Some(Message::Text(text)),
                Some(Whole::Binary(data)) => return Some(Message::Binary(data)),
                // The valid prefix of an invalid message is not returned as a message.
                Some(Whole::Invalid(_)) => {}
                None if self.in_place > 0 && connection.leave(input, self.in_place) => return None,
                None => {}
            }
        }
        otherwise(self, connection, input)
    }

    #[inline(never)]
    fn receive_pieces<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        input: &mut &'i mut [u8],
    ) -> Option<Message<'m>> {
        loop {
            let mut received = connection.receive_piece(input);
            if let Some(complete) = self.join(connection, received.as_mut()?) {
                return self.message(connection, complete);
            }
        }
    }

    /// Handles what the connection has received, and returns what is complete now; `None` if a
    /// message is not complete yet.
    fn join<'i, R: Role>(
        &mut self,
        connection: &Connection<R>,
        received: &mut Received<'i>,
    ) -> Option<Complete<'i>> {
        let is_empty = matches!(self.stored, Stored::Nothing);
        let joined = match received {
            Received::Text { text, position } if is_empty && position.is_whole() => {
                return Some(Complete::InInput(Data::Text(text)));
            }
            Received::Masked { data, key, position } if is_empty && position.is_whole() => {
                mask::unmask(data, *key);
                let data: &mut [u8] = mem::take(data);
                return Some(Complete::InInput(Data::Binary(data)));
            }
            Received::Compressed(_) => Err(InternalError::NoInflater.into()),
            Received::Ping => return Some(Complete::Other(Other::Ping)),
            Received::Pong => return Some(Complete::Other(Other::Pong)),
            Received::Close => return Some(Complete::Other(Other::Close)),
            Received::Failed(failure) => Err(*failure),
            piece => self.store(connection, piece),
        };
        match joined {
            Ok(complete) => complete.map(Complete::Joined),
            Err(failure) => Some(Complete::Other(Other::Failed(failure))),
        }
    }

    /// Appends a piece of text or binary data to the storage, and returns the kind of the message if
    /// it is now complete.
    fn store<R: Role>(
        &mut self,
        connection: &Connection<R>,
        piece: &Received<'_>,
    ) -> Result<Option<Kind>, Failure> {
        let (data, key, position) = match piece {
            Received::Text { text, position } => (Data::Text(text), [0; 4], *position),
            Received::CodePoint { text, position } => (Data::Text(text), [0; 4], *position),
            Received::Masked { data, key, position } => (Data::Binary(data), *key, *position),
            _ => return Ok(None),
        };
        let kind = data.kind();
        self.check_order(Stored::Pieces(kind), self.storage.len(), position)?;
        let pushed = self.storage.push(data, key, connection.max_message());
        pushed.map_err(|Full| Violation::MessageTooBig)?;
        Ok(self.advance(kind, position))
    }

    /// Records that a piece of a message of this kind is stored, and returns the kind if the
    /// message is now complete.
    const fn advance(&mut self, kind: Kind, position: Position) -> Option<Kind> {
        self.stored = if position.last { Stored::Complete } else { Stored::Pieces(kind) };
        if position.last { Some(kind) } else { None }
    }

    /// Checks that a piece at this position follows the `length` bytes that memory has. If the piece
    /// is not the first, that memory has to be in the state `stored`.
    fn check_order(
        &self,
        stored: Stored,
        length: usize,
        position: Position,
    ) -> Result<(), Failure> {
        let expected = if position.is_first() { Stored::Nothing } else { stored };
        if self.stored == expected && length as u64 == position.offset {
            Ok(())
        } else {
            Err(InternalError::WrongConnection.into())
        }
    }

    #[inline(always)]
    fn message<'m, 'i: 'm, R: Role>(
        &'m mut self,
        connection: &mut Connection<R>,
        complete: Complete<'i>,
    ) -> Option<Message<'m>> {
        match complete {
            Complete::InInput(data) => Some(data.into()),
            Complete::Joined(kind) => Some(self.storage.data(kind).into()),
            Complete::Other(other) => self.other(connection, other),
        }
    }

    /// Makes the message for a control frame or a failure. A Close and a failure discard the open
    /// message. This is not inlined, because then every other message would be moved with as many
    /// bytes as a control payload has.
    #[inline(never)]
    fn other<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        other: Other,
    ) -> Option<Message<'static>> {
        Some(match other {
            Other::Ping => Message::Ping(connection.take_control()),
            Other::Pong => Message::Pong(connection.take_control()),
            Other::Close => {
                // §5.4: the message that is open is never finished.
                self.clear();
                Message::Close(close_frame(&connection.take_control()))
            }
            Other::Failed(failure) => {
                self.clear();
                connection.fail(failure);
                Message::Failed(failure)
            }
        })
    }

    /// Whether nothing is stored: neither a message in progress nor one that was returned.
    #[cfg(feature = "alloc")]
    pub(crate) fn is_empty(&self) -> bool {
        self.stored == Stored::Nothing
    }

    /// Whether the storage has the beginning of a message.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_joining(&self) -> bool {
        matches!(self.stored, Stored::Pieces(_))
    }

    /// Returns the message that was returned last, if it is in the storage. `kind` is its kind.
    #[cfg(feature = "alloc")]
    pub(crate) fn joined(&self, kind: Kind) -> Option<Data<'_>> {
        (self.stored == Stored::Complete).then(|| self.storage.data(kind))
    }

    /// Clears a message that was returned by an earlier call. Returns whether nothing is stored
    /// now.
    #[cold]
    fn clear_complete(&mut self) -> bool {
        if self.stored == Stored::Complete {
            self.clear();
        }
        self.stored == Stored::Nothing
    }

    fn clear(&mut self) {
        self.storage.clear();
        #[cfg(feature = "alloc")]
        self.clear_compressed();
        self.stored = Stored::Nothing;
    }
}

/// Shows sizes, but no bytes of a message.
impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Messages");
        fields.field("storage", &self.storage);
        #[cfg(feature = "alloc")]
        fields.field("compressed", &format_args!("{} bytes", self.compressed.len()));
        fields.field("stored", &self.stored).field("in_place", &self.in_place).finish()
    }
}
