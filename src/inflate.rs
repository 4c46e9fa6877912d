//! Compressed messages that are received (RFC 7692 §7.2.2).

use alloc::vec::Vec;
use core::{error, fmt, mem};

use crate::{
    agreed::Context,
    connection::Connection,
    deflate::TAIL,
    error::{Failure, InternalError, Violation},
    event::{Binary, Compressed, Event, Kind, Position, Repr, Text},
    message::Message,
    role::Role,
    utf8,
};

/// A decompressor of raw DEFLATE (RFC 1951), for an [`Inflater`].
///
/// `ZlibDecompress` of the feature `deflate` is one. Implement this trait to bring another.
///
/// ```
/// use websocket_proto::{Decompress, Inflater, Progress};
///
/// /// Counts what another codec inflates.
/// struct Counting<D> {
///     codec: D,
///     inflated: usize,
/// }
///
/// impl<D: Decompress> Decompress for Counting<D> {
///     fn reset(&mut self) {
///         self.codec.reset();
///     }
///     fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
///         let progress = self.codec.decompress(input, output);
///         self.inflated += progress.produced;
///         progress
///     }
///     fn finish(&mut self, end: &[u8]) -> bool {
///         self.codec.finish(end)
///     }
/// }
///
/// # #[cfg(feature = "deflate")] {
/// let codec = Counting { codec: websocket_proto::ZlibDecompress::new(), inflated: 0 };
/// let inflater = Inflater::shared(codec);
/// # }
/// ```
#[doc(alias("codec", "inflate", "zlib", "permessage-deflate"))]
pub trait Decompress {
    /// Resets the decompressor: later input begins a stream with an empty window.
    fn reset(&mut self);

    /// Inflates from `input` into `output`, which is not empty, until all of `input` was taken and
    /// everything that it inflates to was written, or until `output` is full. After a call that
    /// filled `output`, the next `input` may be empty.
    ///
    /// A final block does not end the stream: the next block begins with the next byte, and refers
    /// to the same window (RFC 7692 §7.2.3.5). Because a message may end there, the codec reports
    /// it with [`Progress::ended`].
    ///
    /// An error is reported together with the output before it, or by the next call if `output` was
    /// full. Otherwise the data delivered before the failure would depend on how the input was
    /// split.
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress;

    /// Feeds `end`, the bytes that complete the last block of a message, and returns whether a
    /// block ends exactly there; if not, the message was truncated. `end` produces no output.
    ///
    /// Not called for a message that [`ended`](Progress::ended) with a final block.
    ///
    /// The default implementation hands `end` and an empty stored block to
    /// [`decompress`](Self::decompress). A codec that is inside another block takes them for
    /// something else, nearly always for data of the message or for an error.
    #[must_use]
    fn finish(&mut self, end: &[u8]) -> bool {
        [end, &EMPTY_BLOCK].into_iter().all(|block| {
            let Progress { consumed, produced, fault, .. } = self.decompress(block, &mut [0]);
            (consumed, produced, fault) == (block.len(), 0, None)
        })
    }
}

/// The result of one [`Decompress::decompress`] call.
///
/// ```
/// use websocket_proto::{InflateError, Progress};
///
/// let progress = Progress::new(7, 5).with_ended(true);
/// assert_eq!((progress.consumed, progress.produced, progress.ended), (7, 5, true));
/// let progress = Progress::new(0, 0).with_fault(InflateError::Corrupt);
/// assert_eq!(progress.fault, Some(InflateError::Corrupt));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use]
pub struct Progress {
    /// The number of input bytes that were taken.
    pub consumed: usize,
    /// The number of bytes that were written to the front of the output.
    pub produced: usize,
    /// The error that stopped decompression after those bytes, if any.
    pub fault: Option<InflateError>,
    /// Whether the last byte taken so far, by this call or an earlier one, ends a final block of
    /// which all output was written.
    pub ended: bool,
}

impl Progress {
    /// Creates the report of a call that took `consumed` bytes and wrote `produced`, without a
    /// fault and not at the end of a final block.
    pub const fn new(consumed: usize, produced: usize) -> Self {
        Progress { consumed, produced, fault: None, ended: false }
    }

    /// Sets the error that stopped decompression.
    pub const fn with_fault(mut self, fault: InflateError) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Sets whether the input taken so far ends with a final block.
    pub const fn with_ended(mut self, ended: bool) -> Self {
        self.ended = ended;
        self
    }
}

/// Why compressed bytes were not inflated; a codec reports it by [`Progress::with_fault`].
///
/// ```
/// use websocket_proto::{Failure, InflateError, Violation};
///
/// let error = InflateError::Corrupt;
/// assert_eq!(error.to_string(), "the compressed data is corrupt");
/// assert_eq!(Failure::from(error), Failure::Violation(Violation::InvalidPayload)); // close code 1007
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InflateError {
    /// The input is not valid DEFLATE data (RFC 1951).
    Corrupt,
    /// There is no memory for the codec.
    Memory,
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InflateError::Corrupt => "the compressed data is corrupt",
            InflateError::Memory => "there is no memory for the codec",
        })
    }
}

impl error::Error for InflateError {}

impl From<InflateError> for Failure {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::Corrupt => Violation::InvalidPayload.into(),
            InflateError::Memory => InternalError::Codec.into(),
        }
    }
}

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
/// For whole messages the buffer holds what the current message inflates to: up to
/// [`Config::max_message`](crate::Config::max_message), and twice that while the buffer grows. An
/// own inflater holds it from the first fragment on, for as long as the message is not finished,
/// and one byte of DEFLATE inflates to more than a thousand: a peer that sends 16 KiB of an
/// unfinished message makes it hold the 16 MiB that are allowed by default. Where many connections
/// have inflaters of their own, lower that limit, or take [pieces](Inflater::inflate), for which 16
/// KiB are enough. Between messages [`keeping`](Inflater::keeping) says how much is held. The
/// window of the codec comes to it.
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
    keep: usize,
    /// Room for what is inflated, all of it initialised.
    buffer: Vec<u8>,
    /// How much of that is inflated bytes of the current message.
    filled: usize,
    /// How much of the front of it was handed out, or found to be text.
    done: usize,
    /// Inflated bytes of the current message that are no longer in the buffer.
    gone: u64,
    /// Compressed bytes of the current message.
    taken: u64,
    /// The last four of them.
    end: [u8; 4],
    /// Whether the codec filled the room that it had, and may have more.
    full: bool,
    /// Whether the compressed bytes so far end with a final block.
    ended: bool,
    /// What is wrong behind the bytes that are in the buffer, or behind `done`: told once what is
    /// in front of it was handed out, so that no cut of the input changes what comes of it.
    fault: Option<Failure>,
    /// Whether the message is handed out in pieces.
    in_pieces: bool,
    /// A count of messages that is never 0, and wraps around.
    serial: u32,
    /// Whether the message was handed out or given up, and so its memory is free.
    over: bool,
}

/// How long a piece is at most.
const PIECE: usize = 16 << 10;

/// How much of a message is inflated before it is looked at.
const STEP: usize = 64 << 10;

/// An empty stored block where it begins with a byte.
const EMPTY_BLOCK: [u8; 5] = [0x00, 0x00, 0x00, 0xFF, 0xFF];

impl<D: Decompress> Inflater<D> {
    /// Creates an inflater for one connection, for pieces or whole messages.
    ///
    /// With context takeover it has to inflate every compressed message to its end: a message that
    /// is left out is missing in the window, and the next is read wrong. Used for two connections,
    /// it would show each what the other sends.
    pub const fn own(codec: D) -> Self {
        Inflater::new(codec, true)
    }

    /// Creates an inflater of whole messages for any number of connections whose peers do not take
    /// their context over; one whose peer does is failed with [`InternalError::NoInflater`].
    pub const fn shared(codec: D) -> Self {
        Inflater::new(codec, false)
    }

    const fn new(codec: D, own: bool) -> Self {
        Inflater {
            codec,
            own,
            keep: 64 << 10,
            buffer: Vec::new(),
            filled: 0,
            done: 0,
            gone: 0,
            taken: 0,
            end: [0xFF; 4],
            full: false,
            ended: false,
            fault: None,
            in_pieces: false,
            serial: 0,
            over: false,
        }
    }

    /// Sets how many bytes of the buffer are kept between messages; 64 KiB unless set. A message
    /// takes [more](Inflater#memory) while it is inflated.
    #[must_use]
    pub fn keeping(self, bytes: usize) -> Self {
        Inflater { keep: bytes, ..self }
    }

    /// Resets the inflater for use with another connection.
    pub fn reset(&mut self) {
        self.codec.reset();
        self.over = true;
        self.release();
        self.forget();
        // A piece that was begun is not gone on with.
        self.serial = self.serial.wrapping_add(1).max(1);
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
        let event = match self.next_piece(connection, piece) {
            Ok(None) => return None,
            Ok(Some((length, place))) => self.event(piece.kind, length, place),
            Err(failure) => Err(failure),
        };
        Some(event.unwrap_or_else(|failure| {
            piece.finish();
            connection.fail(failure);
            Event::Failed(failure)
        }))
    }

    /// How much of the front of the buffer may be handed out, and where in the message it stands.
    fn next_piece<R: Role>(
        &mut self,
        connection: &Connection<R>,
        piece: &mut Compressed<'_>,
    ) -> Result<Option<(usize, Position)>, Failure> {
        let spent = piece.data.is_empty() && !piece.position.last;
        let drained = self.fault.is_none() && !self.full;
        if spent && (drained || piece.serial != self.serial) {
            return Ok(None);
        }
        if piece.serial == 0 {
            self.begin(connection, piece.data.len(), piece.position, true)?;
            piece.serial = self.serial;
            piece.position.first = false;
        } else if piece.serial != self.serial {
            // Another message was begun in between.
            return Err(InternalError::WrongConnection.into());
        }
        self.check_fault()?;
        // What was not handed out is a code point that is cut: it goes in front of the rest.
        let rest = self.filled.saturating_sub(self.done);
        if let Some(held) = self.buffer.get_mut(..self.filled) {
            held.copy_within(self.done.min(held.len()).., 0);
        }
        self.filled = rest;
        self.gone = self.gone.saturating_add(self.done as u64);
        self.done = 0;
        self.grow(PIECE)?;
        loop {
            let room = PIECE - self.filled.min(PIECE);
            let (consumed, drained) = self.step(piece.data, room, connection.max_message());
            let (_, rest) = mem::take(&mut piece.data).split_at_mut(consumed);
            piece.data = rest;
            let mut last = drained && piece.position.last;
            if last {
                self.finish();
                piece.finish();
            }
            last &= self.fault.is_none();
            self.done = match piece.kind {
                // §5.6: a message ends with a whole code point; a cut one is judged with the rest.
                Kind::Text if !last => utf8::split_cut(self.contents()).0.len(),
                _ => self.filled,
            };
            if self.done > 0 || last {
                return Ok(Some((self.done, Position { first: self.gone == 0, last })));
            }
            self.check_fault()?;
            if drained {
                return Ok(None);
            }
        }
    }

    /// What is wrong is told once, and nothing comes behind it.
    fn check_fault(&mut self) -> Result<(), Failure> {
        self.full &= self.fault.is_none();
        self.fault.take().map_or(Ok(()), Err)
    }

    /// The event for the front of the buffer. Text that is none comes after what is in front of it.
    fn event(&mut self, kind: Kind, length: usize, place: Position) -> Result<Event<'_>, Failure> {
        let data = self.buffer.get_mut(..length).unwrap_or_default();
        if kind == Kind::Binary {
            return Ok(Event::Binary(Binary { data, position: place }));
        }
        let data: &[u8] = data;
        match utf8::validate(data) {
            Ok(text) => Ok(Event::Text(Text { text: Repr::Slice(text), position: place })),
            Err(valid) => {
                self.full = false;
                self.fault = (valid > 0).then_some(Violation::InvalidUtf8.into());
                let text = data.get(..valid).and_then(|text| utf8::validate(text).ok());
                let text = text.filter(|text| !text.is_empty()).ok_or(Violation::InvalidUtf8)?;
                let place = Position { last: false, ..place };
                Ok(Event::Text(Text { text: Repr::Slice(text), position: place }))
            }
        }
    }

    /// Checks that this may go on with a piece of `length` compressed bytes.
    fn begin<R: Role>(
        &mut self,
        connection: &Connection<R>,
        length: usize,
        place: Position,
        in_pieces: bool,
    ) -> Result<(), Failure> {
        let context = Context::agreed(connection.agreed(), !R::CLIENT);
        let context = context.ok_or(InternalError::WrongConnection)?;
        if place.first {
            // What a shared codec has seen last is of another connection.
            if !self.own && (context.takeover || !place.last) {
                return Err(InternalError::NoInflater.into());
            }
            // RFC 7692 §7.1.1: the peer began with an empty window.
            if !context.takeover {
                self.codec.reset();
            }
            self.forget();
            self.in_pieces = in_pieces;
            self.serial = self.serial.wrapping_add(1).max(1);
        }
        // What was taken is what this connection has delivered, or it began on another one.
        let delivered = self.taken.saturating_add(length as u64);
        if delivered == connection.delivered() && in_pieces == self.in_pieces {
            Ok(())
        } else {
            Err(InternalError::WrongConnection.into())
        }
    }

    /// Inflates some of `input` into as much of the room behind what is there: how many bytes were
    /// taken, and whether there is nothing left to be done for `input`, for one because of a fault.
    fn step(&mut self, input: &[u8], most: usize, limit: u64) -> (usize, bool) {
        if input.is_empty() && !self.full {
            return (0, true);
        }
        // §10.4: one byte over the limit is enough to know.
        let left = limit.saturating_sub(self.inflated()).saturating_add(1);
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let most = most.min(room.len()).min(usize::try_from(left).unwrap_or(usize::MAX));
        let (output, _) = room.split_at_mut(most);
        let Progress { consumed, produced, fault, ended } = self.codec.decompress(input, output);
        let (consumed, produced) = (consumed.min(input.len()), produced.min(most));
        self.full = produced == most;
        self.ended = ended;
        self.filled = self.filled.saturating_add(produced);
        let drained = consumed == input.len() && !self.full;
        if self.inflated() > limit {
            self.filled = self.filled.saturating_sub(1);
            self.fault = Some(Violation::MessageTooBig.into());
        } else if let Some(fault) = fault {
            self.fault = Some(fault.into());
        } else if consumed == 0 && produced == 0 && !drained {
            // A codec that does nothing and is not done will never be.
            self.fault = Some(InternalError::Codec.into());
        }
        self.taken = self.taken.saturating_add(consumed as u64);
        for &byte in input.get(consumed.saturating_sub(TAIL.len())..consumed).unwrap_or_default() {
            let [_, b, c, d] = self.end;
            self.end = [b, c, d, byte];
        }
        (consumed, drained || self.fault.is_some())
    }

    /// The compressed bytes of the message end here.
    fn finish(&mut self) {
        // A message of no bytes at all is empty, and a final block needs no end: many senders leave
        // nothing behind it.
        if self.taken == 0 || self.ended || self.fault.is_some() {
            return;
        }
        // RFC 7692 §7.2.2: what the sender has left out, unless it did not. A message that leaves
        // it out ends with the type of a stored block, so its last byte is never FF.
        let end = if self.end == TAIL { &EMPTY_BLOCK[..] } else { &TAIL };
        if !self.codec.finish(end) {
            self.fault = Some(Violation::InvalidPayload.into());
        }
    }

    /// Takes the compressed bytes of a message, all of them or a piece, and tells whether the
    /// message is whole now: see [`message`](Inflater::message).
    pub(crate) fn gather<R: Role>(
        &mut self,
        connection: &Connection<R>,
        input: &[u8],
        kind: Kind,
        place: Position,
    ) -> Result<bool, Failure> {
        let whole = self.gather_piece(connection, input, kind, place);
        self.over = !matches!(whole, Ok(false));
        whole
    }

    fn gather_piece<R: Role>(
        &mut self,
        connection: &Connection<R>,
        mut input: &[u8],
        kind: Kind,
        place: Position,
    ) -> Result<bool, Failure> {
        self.begin(connection, input.len(), place, false)?;
        loop {
            if self.filled == self.buffer.len() {
                let limit = usize::try_from(connection.max_message()).unwrap_or(usize::MAX);
                let double = self.filled.saturating_mul(2).max(4 << 10);
                self.grow(double.min(limit.saturating_add(1)))?;
            }
            let (consumed, drained) = self.step(input, STEP, connection.max_message());
            input = input.get(consumed..).unwrap_or_default();
            let last = drained && place.last;
            if last {
                self.finish();
            }
            if kind == Kind::Text && (!last || self.fault.is_some()) {
                // RFC 7692 §6.2, §8.1: judged while it is inflated.
                let fresh = self.contents().get(self.done..).unwrap_or_default();
                let (whole, _) = utf8::split_cut(fresh);
                utf8::validate(whole).map_err(|_| Violation::InvalidUtf8)?;
                self.done = self.done.saturating_add(whole.len());
            }
            self.check_fault()?;
            if drained {
                return Ok(last);
            }
        }
    }

    /// The whole message.
    pub(crate) fn message(&self, kind: Kind) -> Result<Message<'_>, Failure> {
        match kind {
            Kind::Binary => Ok(Message::Binary(self.contents())),
            Kind::Text => match utf8::validate(self.contents()) {
                Ok(text) => Ok(Message::Text(text)),
                Err(_) => Err(Violation::InvalidUtf8.into()),
            },
        }
    }

    /// Whether it takes pieces of a message.
    pub(crate) const fn is_own(&self) -> bool {
        self.own
    }

    /// Gives memory back that a long message took, once it is over.
    pub(crate) fn release(&mut self) {
        if self.over && self.buffer.capacity() > self.keep {
            self.forget();
            self.buffer = Vec::new();
        }
    }

    fn forget(&mut self) {
        (self.filled, self.done, self.gone, self.taken) = (0, 0, 0, 0);
        (self.end, self.full, self.ended) = ([0xFF; 4], false, false);
        (self.fault, self.over) = (None, false);
    }

    fn grow(&mut self, length: usize) -> Result<(), Failure> {
        if let Some(more) = length.checked_sub(self.buffer.len()) {
            self.buffer.try_reserve_exact(more).map_err(|_| Violation::MessageTooBig)?;
            self.buffer.resize(length, 0);
        }
        Ok(())
    }

    fn contents(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// How long the message is so far.
    const fn inflated(&self) -> u64 {
        self.gone.saturating_add(self.filled as u64)
    }
}

impl<D> fmt::Debug for Inflater<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "own" } else { "shared" };
        write!(f, "Inflater({whose}, {} bytes of buffer)", self.buffer.len())
    }
}
