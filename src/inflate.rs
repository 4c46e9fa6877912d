//! Inflating (RFC 7692 §7.2.2): compressed pieces in, ordinary pieces out.
//!
//! # One machine
//!
//! [`Inflater::next_piece`] takes compressed bytes until there is a piece to return, and returns
//! its position. The piece is then at the front of the buffer, and is lent in one of two ways:
//! [`Inflater::piece`] as a piece, or [`Inflater::data`] as a message, if it is a whole one. The
//! next call discards it:
//!
//! ```text
//!            0         handed_out  filled    room
//!   buffer   ├──────────────┼────────┼─────────┤
//!            │ the piece    │ split  │ the     │
//!            │ lent last    │ code   │ codec   │
//!            │              │ point  │ writes  │
//!            └──────────────┴────────┴─────────┘
//!   discarded: all inflated bytes that stood there before
//! ```
//!
//! The buffer grows up to one piece, so that a message of many megabytes takes no more memory here
//! than one of 17 KiB. [`Messages`](crate::Messages) joins the pieces.
//!
//! # Why faults wait
//!
//! How much a codec inflates in a call depends on how the input was split and on the room that is
//! left. If a fault were reported at once, it would overtake inflated bytes in one split and not in
//! another. So a fault of the codec, a message over the limit and invalid text are stored in `fault`
//! and reported when the bytes before them were handed out.
//!
//! # The end of a message
//!
//! A compressor leaves out the last four bytes of an empty stored block. [`Inflater::finish`] feeds
//! them to the codec, which returns whether a block ends there. If not, the message was truncated.
//! There are three exceptions, all from real peers: a message that does not leave them out, a message
//! that ends with a final block, and a message of no bytes at all.
//!
//! # Own and shared codecs
//!
//! A shared codec has another connection's window between two messages, so it takes only whole
//! messages and is reset before each. An own codec takes pieces as they come. It is reset before a
//! message unless context takeover was agreed. A message's `serial` and the offset of its pieces show
//! whether the codec gets the pieces of one message, in order and without a gap.

use alloc::vec::Vec;
use core::{fmt, mem};

use crate::{
    agreed::Context,
    codec::{Decompress, EMPTY_BLOCK, Progress, TAIL},
    connection::Connection,
    error::{Failure, InternalError, Violation},
    event::{Compressed, ControlPayload, Data, Event, Kind, Position},
    receive::Received,
    role::Role,
    utf8,
};

/// Inflates the compressed messages that connections receive, with a codec and a buffer (RFC 7692
/// §7.2.2).
///
/// An inflater is own or shared. An [own](Inflater::own) one belongs to one connection: it inflates
/// data as it arrives and, if context takeover was agreed, keeps its window between messages. A
/// [shared](Inflater::shared) one serves any number of connections without context takeover. It
/// needs whole messages, so the compressed bytes of a split message are collected first.
///
/// [`Messages::receive_inflated`](crate::Messages::receive_inflated) takes either, for whole
/// messages. For pieces, pass what [`Connection::receive`] returns to
/// [`inflate`](Inflater::inflate).
///
/// # Memory
///
/// The buffer holds one piece: 17 KiB at most, less as long as no message inflates to so much. The
/// codec's own memory comes on top. [`Messages`](crate::Messages) joins several pieces in its own
/// memory, up to [`Config::max_message`](crate::Config::max_message), and takes twice that while
/// the memory grows.
///
/// A peer that sends compressed data makes this side hold up to a thousand times as much, because
/// one byte of DEFLATE inflates to more than a thousand. With 16 KiB of an unfinished message it
/// fills the 16 MiB that are allowed by default. If many connections have inflaters of their own,
/// lower that limit, or take [pieces](Inflater::inflate).
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// use websocket_proto::{
///     Agreed, Client, Config, Connection, Deflate, Inflater, Message, Messages, ZlibDecompress,
/// };
///
/// let agreed = Agreed::new().deflate(Deflate::new()); // from the opening handshake
/// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), agreed);
/// let mut inflater = Inflater::shared(ZlibDecompress::new());
/// let mut messages = Messages::new();
/// let mut buffer = *b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00";
/// let mut input = &mut buffer[..];
/// match messages.receive_inflated(&mut connection, &mut inflater, &mut input) {
///     Some(Message::Text(text)) => assert_eq!(text, "Hello"),
///     other => panic!("{other:?}"),
/// }
/// # }
/// ```
#[doc(alias("permessage-deflate", "decompress", "zlib", "gzip", "compression"))]
pub struct Inflater<D> {
    codec: D,
    /// Whether it belongs to one connection.
    own: bool,
    /// Memory for inflated bytes. All of it is initialised.
    buffer: Vec<u8>,
    /// How many bytes of `buffer` are inflated bytes of the current message.
    filled: usize,
    /// How many of these were handed out. The next call discards them.
    handed_out: usize,
    /// Inflated bytes of the current message that were discarded, all handed out before.
    discarded: u64,
    /// Compressed bytes of the current message that the codec has taken.
    compressed: u64,
    /// The last four compressed bytes that it has taken.
    last_bytes: [u8; 4],
    /// Whether the codec filled its room in the latest call, so that it may have more output.
    has_more: bool,
    /// Whether the compressed bytes taken so far end with a final block.
    at_final_block: bool,
    /// An error that comes after the buffered bytes. It is reported only once those were handed out,
    /// so that events do not depend on how the input was split.
    fault: Option<Failure>,
    /// A count of messages that is never 0, and wraps around. Pieces of another message have another
    /// one.
    serial: u32,
}

/// The longest piece: the most bytes that the buffer has room for. This is more than 16 KiB, a
/// usual size of messages, because a message that fills the buffer has to be joined, and codecs are
/// slow at the end of their room.
const PIECE: usize = 17 << 10;

/// The number of bytes that the buffer has room for at first. It is small, so that short messages
/// take little memory.
const FIRST_ROOM: usize = PIECE / 4;

impl<D: Decompress> Inflater<D> {
    /// Creates an inflater for one connection, for pieces or whole messages.
    ///
    /// With context takeover, pass it every compressed message to its end. If one is left out, it
    /// is missing in the window, and later messages are inflated wrongly. If two connections used
    /// the inflater, each could see what the other receives.
    pub const fn own(codec: D) -> Self {
        Inflater::new(codec, true)
    }

    /// Creates an inflater of whole messages for any number of connections without context
    /// takeover. A connection whose peer takes its context over is failed with
    /// [`InternalError::NoInflater`].
    pub const fn shared(codec: D) -> Self {
        Inflater::new(codec, false)
    }

    const fn new(codec: D, own: bool) -> Self {
        Inflater {
            codec,
            own,
            buffer: Vec::new(),
            filled: 0,
            handed_out: 0,
            discarded: 0,
            compressed: 0,
            last_bytes: [0xFF; 4],
            has_more: false,
            at_final_block: false,
            fault: None,
            serial: 0,
        }
    }

    /// Resets the inflater for use with another connection.
    pub fn reset(&mut self) {
        self.codec.reset();
        self.begin();
    }

    /// Returns the next inflated piece of what [`Connection::receive`] returned, as the events of a
    /// message that is not compressed; `None` when all of `piece` was taken.
    ///
    /// Call it until then, before the connection receives more, with the same inflater for all
    /// pieces of a message. Text is validated while it is inflated, and the message limit counts
    /// inflated bytes. After an [`Event::Failed`], which fails the connection, the rest is
    /// discarded.
    ///
    /// A [shared](Inflater::shared) inflater takes only pieces that are whole messages.
    ///
    /// ```
    /// # #[cfg(feature = "deflate")] {
    /// use websocket_proto::{
    ///     Agreed, Client, Config, Connection, Deflate, Event, Inflater, ZlibDecompress,
    /// };
    ///
    /// let agreed = Agreed::new().deflate(Deflate::new());
    /// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), agreed);
    /// let mut inflater = Inflater::own(ZlibDecompress::new());
    /// let mut buffer = *b"\x41\x03\xF2\x48\xCD\x80\x04\xC9\xC9\x07\x00"; // two fragments
    /// let mut input = &mut buffer[..];
    /// let mut text = String::new();
    /// while let Some(event) = connection.receive(&mut input) {
    ///     if let Event::Compressed(mut piece) = event {
    ///         while let Some(event) = inflater.inflate(&mut connection, &mut piece) {
    ///             match event {
    ///                 Event::Text(piece) => text += &piece,
    ///                 other => panic!("{other:?}"),
    ///             }
    ///         }
    ///     }
    /// }
    /// assert_eq!(text, "Hello");
    /// # }
    /// ```
    pub fn inflate<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        piece: &mut Compressed<'_>,
    ) -> Option<Event<'_>> {
        let inflated = match self.next_piece(connection, piece) {
            Ok(None) => return None,
            Ok(Some(position)) => self.piece(piece.kind, position),
            Err(failure) => Err(failure),
        };
        let received = inflated.unwrap_or_else(|failure| {
            piece.empty();
            connection.fail(failure);
            Received::Failed(failure)
        });
        // No control frame comes out of a compressed message.
        Some(received.into_event(|| ControlPayload::EMPTY))
    }

    /// Inflates until there is a piece, which [`piece`](Inflater::piece) or [`data`](Inflater::data)
    /// then lends, and returns its position; `None` when all of `input` was taken.
    pub(crate) fn next_piece<R: Role>(
        &mut self,
        connection: &Connection<R>,
        input: &mut Compressed<'_>,
    ) -> Result<Option<Position>, Failure> {
        // The caller passes a piece again after it was taken completely, until this returns `None`.
        // There is more output only if the codec has some, or an error waits, and if it is of this
        // message.
        let is_taken = input.data.is_empty() && !input.position.last;
        let is_idle = self.fault.is_none() && !self.has_more;
        if is_taken && (is_idle || input.serial != self.serial) {
            return Ok(None);
        }
        if input.serial == 0 {
            self.check_input(connection, input)?;
            input.serial = self.serial;
        } else if input.serial != self.serial {
            // Another message was begun in between.
            return Err(InternalError::WrongConnection.into());
        }
        self.check_fault()?;
        self.discard_handed_out();
        loop {
            self.make_room(connection.max_message())?;
            let (consumed, drained) = self.step(input.data, connection.max_message());
            input.data = mem::take(&mut input.data).get_mut(consumed..).unwrap_or_default();
            let mut last = drained && input.position.last;
            if last {
                self.finish();
                input.empty();
            }
            last &= self.fault.is_none();
            // A buffer that can grow is grown before a piece is returned.
            if !drained && self.buffer.len() < PIECE {
                continue;
            }
            self.handed_out = match input.kind {
                // §5.6: a message ends with a whole code point. A split code point stays in the
                // buffer, and is validated together with its rest.
                Kind::Text if !last => utf8::split_cut(self.contents()).0.len(),
                _ => self.filled,
            };
            if self.handed_out > 0 || last {
                return Ok(Some(Position { offset: self.discarded, last }));
            }
            self.check_fault()?;
            if drained {
                return Ok(None);
            }
        }
    }

    /// Lends the piece that [`next_piece`](Inflater::next_piece) has announced. If its text is not
    /// UTF-8, this lends the valid prefix and leaves the error for the next call.
    pub(crate) fn piece(
        &mut self,
        kind: Kind,
        mut position: Position,
    ) -> Result<Received<'_>, Failure> {
        let data = self.buffer.get_mut(..self.handed_out).unwrap_or_default();
        if kind == Kind::Binary {
            return Ok(Received::Masked { data, key: [0; 4], position });
        }
        let data: &[u8] = data;
        // §8.1, RFC 7692 §6: UTF-8 is checked early, as text is inflated.
        let text = match utf8::validate(data) {
            Ok(text) => text,
            Err(valid) => {
                self.handed_out = valid;
                self.has_more = false;
                self.fault = (valid > 0).then_some(Violation::InvalidUtf8.into());
                position.last = false;
                match utf8::prefix(data, valid) {
                    "" => return Err(Violation::InvalidUtf8.into()),
                    text => text,
                }
            }
        };
        Ok(Received::Text { text, position })
    }

    /// Lends the message that [`next_piece`](Inflater::next_piece) has announced as one piece.
    pub(crate) fn data(&self, kind: Kind) -> Result<Data<'_>, Failure> {
        match kind {
            Kind::Binary => Ok(Data::Binary(self.contents())),
            // §8.1, RFC 7692 §6: UTF-8 is checked in the whole message at its end, because none
            // of it was handed out before.
            Kind::Text => match utf8::validate(self.contents()) {
                Ok(text) => Ok(Data::Text(text)),
                Err(_) => Err(Violation::InvalidUtf8.into()),
            },
        }
    }

    /// Whether the inflater is an own one, which takes pieces of a message.
    pub(crate) const fn is_own(&self) -> bool {
        self.own
    }

    /// Checks that `input` continues the current message, or begins one if it is a first piece.
    fn check_input<R: Role>(
        &mut self,
        connection: &Connection<R>,
        input: &Compressed<'_>,
    ) -> Result<(), Failure> {
        let context = Context::agreed(connection.agreed(), !R::CLIENT);
        let context = context.ok_or(InternalError::WrongConnection)?;
        let Position { offset, last } = input.position;
        if input.position.is_first() {
            // The last message of a shared codec came from another connection.
            if !self.own && (context.takeover || !last) {
                return Err(InternalError::NoInflater.into());
            }
            // RFC 7692 §7.1.1: without takeover, as for a shared inflater, the window is empty.
            if !context.takeover {
                self.codec.reset();
            }
            self.begin();
        }
        // The codec has taken all that was delivered before, unless the message began on another
        // connection or with another inflater.
        if self.compressed == offset { Ok(()) } else { Err(InternalError::WrongConnection.into()) }
    }

    /// Resets everything that belongs to one message, and counts a new one.
    fn begin(&mut self) {
        (self.filled, self.handed_out) = (0, 0);
        (self.discarded, self.compressed) = (0, 0);
        self.last_bytes = [0xFF; 4];
        (self.has_more, self.at_final_block) = (false, false);
        self.fault = None;
        self.serial = self.serial.wrapping_add(1).max(1);
    }

    /// Returns the stored error, if there is one. No output comes after it.
    fn check_fault(&mut self) -> Result<(), Failure> {
        self.has_more &= self.fault.is_none();
        self.fault.take().map_or(Ok(()), Err)
    }

    /// Discards the bytes that were handed out, and moves the others, a split code point, to the
    /// front of the buffer.
    fn discard_handed_out(&mut self) {
        if let Some(held) = self.buffer.get_mut(..self.filled) {
            held.copy_within(self.handed_out.min(held.len()).., 0);
        }
        self.filled = self.filled.saturating_sub(self.handed_out);
        self.discarded = self.discarded.saturating_add(self.handed_out as u64);
        self.handed_out = 0;
    }

    /// Grows the buffer if it is full: up to the longest piece, and no further than the message
    /// limit.
    fn make_room(&mut self, limit: u64) -> Result<(), Failure> {
        let length = self.buffer.len();
        if self.filled < length || length >= PIECE {
            return Ok(());
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let room = length.saturating_mul(2).clamp(FIRST_ROOM, PIECE).min(limit);
        let more = room.saturating_sub(length);
        self.buffer.try_reserve_exact(more).map_err(|_| InternalError::Codec)?;
        self.buffer.resize(length.saturating_add(more), 0);
        Ok(())
    }

    /// Inflates some of `input` into the free part of the buffer. Returns how many bytes were
    /// taken, and whether this input is finished: either all of it was taken and the codec has no
    /// more output, or there is an error.
    fn step(&mut self, input: &[u8], limit: u64) -> (usize, bool) {
        if input.is_empty() && !self.has_more {
            return (0, true);
        }
        // §10.4, RFC 7692 §6: a compressed bomb is stopped here. One byte over the limit is enough
        // to refuse it below.
        let allowed = limit.saturating_sub(self.inflated()).saturating_add(1);
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let most = room.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let (output, _) = room.split_at_mut(most);
        let Progress { consumed, produced, fault, ended } = self.codec.decompress(input, output);
        let (consumed, produced) = (consumed.min(input.len()), produced.min(most));
        self.has_more = produced == most;
        self.at_final_block = ended;
        self.filled = self.filled.saturating_add(produced);
        let drained = consumed == input.len() && !self.has_more;
        if self.inflated() > limit {
            self.filled = self.filled.saturating_sub(1);
            self.fault = Some(Violation::MessageTooBig.into());
        } else if let Some(fault) = fault {
            self.fault = Some(fault.into());
        } else if consumed == 0 && produced == 0 && !drained {
            // A codec that makes no progress now never will.
            self.fault = Some(InternalError::Codec.into());
        }
        self.compressed = self.compressed.saturating_add(consumed as u64);
        for &byte in input.get(consumed.saturating_sub(TAIL.len())..consumed).unwrap_or_default() {
            let [_, b, c, d] = self.last_bytes;
            self.last_bytes = [b, c, d, byte];
        }
        (consumed, drained || self.fault.is_some())
    }

    /// Completes the message: all its compressed bytes were taken.
    fn finish(&mut self) {
        // A message of no bytes at all is empty, and a final block needs no end: many senders leave
        // nothing after it.
        if self.compressed == 0 || self.at_final_block || self.fault.is_some() {
            return;
        }
        // RFC 7692 §7.2.2: append the four bytes that the sender left out, unless it sent them. A
        // message without them ends with the header of a stored block, so its last byte is never
        // FF.
        let end = if self.last_bytes == TAIL { &EMPTY_BLOCK[..] } else { &TAIL };
        if !self.codec.finish(end) {
            self.fault = Some(Violation::InvalidPayload.into());
        }
    }

    fn contents(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Returns the inflated length of the message so far.
    const fn inflated(&self) -> u64 {
        self.discarded.saturating_add(self.filled as u64)
    }
}

impl<D> fmt::Debug for Inflater<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "own" } else { "shared" };
        write!(f, "Inflater({whose}, {} bytes of buffer)", self.buffer.len())
    }
}
