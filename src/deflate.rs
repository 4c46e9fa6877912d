//! Compressed messages that are sent (RFC 7692 §7.2.1).

use alloc::vec::Vec;
use core::fmt;

use crate::{
    agreed::{Context, WindowBits},
    codec::{Compress, TAIL},
    connection::Connection,
    error::SendError,
    event::Data,
    frame::{Open, first_byte},
    output::Output,
    role::Role,
    send::Frame,
};

/// Compresses the messages that connections send, with a codec and a buffer (RFC 7692 §7.2.1).
///
/// A [shared](Deflater::shared) deflater serves any number of connections and begins each message
/// with an empty window, which every peer can read. An [own](Deflater::own) one belongs to one
/// connection and, if context takeover was agreed, keeps its window between messages: it compresses
/// better, but each connection holds the codec's memory.
///
/// The buffer has room for the largest compressed form of a message: [`bound`](Deflater::bound)
/// bytes. It exists while a message is sent. Afterwards up to [`keeping`](Deflater::keeping) bytes
/// remain.
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// use websocket_proto::{
///     Agreed, Config, Connection, Data, Deflate, Deflater, Server, ZlibCompress,
/// };
///
/// let agreed = Agreed::new().deflate(Deflate::new()); // from the opening handshake
/// let mut connection = Connection::new(Server, &Config::new(), agreed);
/// let mut deflater = Deflater::shared(ZlibCompress::new(6)).threshold(0);
/// let mut out = Vec::new();
/// connection.send_compressed(Data::Text("Hello"), &mut deflater, &mut out)?;
/// assert_eq!(out, b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00");
/// # }
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[doc(alias("permessage-deflate", "compress", "zlib", "gzip", "compression"))]
pub struct Deflater<C> {
    codec: C,
    /// Whether it belongs to one connection.
    own: bool,
    /// Whether the codec was reset for that connection's window.
    ready: bool,
    threshold: usize,
    keep: usize,
    /// Room for a compressed payload, all of it initialised.
    scratch: Vec<u8>,
}

impl<C: Compress> Deflater<C> {
    /// Creates a deflater for any number of connections. It compresses each message independently,
    /// with a window of the size that the connection agreed on.
    pub const fn shared(codec: C) -> Self {
        Deflater::new(codec, false)
    }

    /// Creates a deflater for one connection. If two connections used it, each would reveal to its
    /// peer what the other sends.
    pub const fn own(codec: C) -> Self {
        Deflater::new(codec, true)
    }

    const fn new(codec: C, own: bool) -> Self {
        Deflater { codec, own, ready: false, threshold: 64, keep: 64 << 10, scratch: Vec::new() }
    }

    /// Sets the length from which messages are compressed, in bytes; 64 unless set. Shorter
    /// messages are sent uncompressed. The threshold does not apply to fragments.
    #[must_use]
    pub fn threshold(self, bytes: usize) -> Self {
        Deflater { threshold: bytes, ..self }
    }

    /// Sets how many bytes of the buffer are kept between messages; 64 KiB unless set.
    #[must_use]
    pub fn keeping(self, bytes: usize) -> Self {
        Deflater { keep: bytes, ..self }
    }

    /// Resets the deflater for use with another connection.
    pub const fn reset(&mut self) {
        self.ready = false;
    }

    /// Returns the largest compressed payload that `length` bytes can produce. An [`Output`] needs
    /// this much room plus at most 14 bytes for the frame header.
    #[must_use]
    pub fn bound(&self, length: usize) -> usize {
        self.codec.bound(length).max(TAIL.len())
    }

    /// Compresses a message, or a fragment of one; `first` and `last` say which.
    fn compress(
        &mut self,
        context: Context,
        data: &[u8],
        first: bool,
        last: bool,
    ) -> Result<&[u8], SendError> {
        // RFC 7692 §7.1.1: the window is kept only if context takeover was agreed. RFC 7692 §7.2.1:
        // no reference reaches behind the window. So a shared deflater is reset before each
        // fragment, too, because other connections may have used it since the last one, and it gets
        // the window of this connection.
        if !self.own || first && !context.takeover {
            self.ready = false;
        }
        // RFC 7692 §7.2.3.6: an empty message is the first byte of an empty stored block.
        if data.is_empty() {
            return Ok(if last { &[0x00] } else { &[] });
        }
        let bound = self.bound(data.len());
        if let Some(more) = bound.checked_sub(self.scratch.len()) {
            self.scratch.try_reserve_exact(more).map_err(|_| SendError::Full)?;
            self.scratch.resize(bound, 0);
        }
        if !self.ready {
            self.codec.reset(context.window);
            self.ready = true;
        }
        let length = self.codec.compress(data, &mut self.scratch);
        let payload = length.and_then(|length| self.scratch.get(..length));
        // RFC 7692 §7.2.1: the compressor was flushed, so that the peer can read all of it.
        match payload.and_then(|payload| Some((payload, payload.strip_suffix(&TAIL)?))) {
            Some((_, message)) if last => Ok(message),
            Some((fragment, _)) => Ok(fragment),
            None => {
                self.ready = false;
                Err(SendError::Codec)
            }
        }
    }

    /// Frees the memory that a long message took.
    fn release(&mut self) {
        if self.scratch.capacity() > self.keep {
            self.scratch = Vec::new();
        }
    }

    /// Compresses a whole message independently, and passes it to `then`.
    pub(crate) fn compress_alone<T>(
        &mut self,
        window: WindowBits,
        data: &[u8],
        then: impl FnOnce(&[u8]) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let context = Context { takeover: false, window };
        let result = self.compress(context, data, true, true).and_then(then);
        // An own compressor has now seen a message that its peer will not receive.
        self.ready = false;
        self.release();
        result
    }
}

impl<C> fmt::Debug for Deflater<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.own { "own" } else { "shared" };
        write!(f, "Deflater({whose}, {} bytes of scratch)", self.scratch.capacity())
    }
}

/// Bytes out, compressed (RFC 7692 §7.2.1).
impl<R: Role> Connection<R> {
    /// Appends a message in one compressed frame, after the Pong that may be owed (RFC 7692
    /// §7.2.1).
    ///
    /// The message is sent uncompressed if compression was not agreed, or if the message is shorter
    /// than the [threshold](Deflater::threshold). Send a message that mixes a secret with what
    /// others may choose by [`send_text`](Connection::send_text), because the compressed length
    /// would reveal the secret (RFC 7692 §8).
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Connection::send_text), and [`SendError::Codec`]. `out` needs room for
    /// the largest compressed form of the message: see [`Deflater::bound`]. If there is no room,
    /// the codec has not seen the message, so the peer can read later ones.
    pub fn send_compressed<C: Compress>(
        &mut self,
        data: Data<'_>,
        deflater: &mut Deflater<C>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        let plain = data.as_bytes();
        let context = match Context::agreed(self.agreed(), R::CLIENT) {
            Some(context) if plain.len() >= deflater.threshold => context,
            _ => return self.send(data, out),
        };
        self.check_message()?;
        let bound = deflater.bound(plain.len());
        let (role, sender) = self.sending();
        let keys = sender.reserve(Some(bound), role, out)?;
        let payload = deflater.compress(context, plain, true, true);
        // RFC 7692 §6: RSV1 means that the message is compressed.
        let first = first_byte(true, true, data.kind().into());
        let sent = payload.map(|payload| sender.append(keys, Some(Frame { first, payload }), out));
        deflater.release();
        sent
    }

    /// Appends one fragment of a compressed message, the last one if `last` (RFC 7692 §7.2.1). The
    /// compressor is flushed, so the peer can read all of it when it arrives.
    ///
    /// If compression was not agreed, or the open message is not compressed, this is the same as
    /// [`send_fragment`](Connection::send_fragment). A message is compressed in all its fragments
    /// or in none.
    ///
    /// # Errors
    ///
    /// As for [`send_fragment`](Connection::send_fragment) and
    /// [`send_compressed`](Connection::send_compressed).
    #[doc(alias = "flush")]
    pub fn send_compressed_fragment<C: Compress>(
        &mut self,
        data: Data<'_>,
        last: bool,
        deflater: &mut Deflater<C>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        let open = self.sending().1.open();
        let context = match Context::agreed(self.agreed(), R::CLIENT) {
            Some(context) if open.is_none_or(|open| open.compressed) => context,
            _ => return self.send_fragment(data, last, out),
        };
        self.check_open()?;
        let message = Open { kind: data.kind(), compressed: true };
        let first = self.sending().1.first_byte(message, last)?;
        let bound = deflater.bound(data.as_bytes().len());
        let (role, sender) = self.sending();
        let keys = sender.reserve(Some(bound), role, out)?;
        let payload = deflater.compress(context, data.as_bytes(), open.is_none(), last);
        let sent = payload.map(|payload| {
            sender.append(keys, Some(Frame { first, payload }), out);
            sender.sent(message, last);
        });
        deflater.release();
        sent
    }
}
