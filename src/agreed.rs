//! What the opening handshake agreed (§9.1): the parameters of permessage-deflate (RFC 7692 §7.1).

use core::num::{NonZeroU8, TryFromIntError};

/// What the opening handshake agreed that changes how frames are read and sent (§9.1).
///
/// The default, nothing agreed, is right for every connection without an extension. Handshakes of
/// this crate return this value. After a handshake that was made elsewhere, build it from the
/// response:
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Deflate, Server};
///
/// // permessage-deflate; server_no_context_takeover; client_no_context_takeover
/// let agreed = Agreed::new().deflate(Deflate { client_max_window_bits: None, ..Deflate::new() });
/// let connection = Connection::new(Server, &Config::new(), agreed);
/// # let _ = connection;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Agreed {
    /// The parameters of permessage-deflate, if it is in use (RFC 7692). Messages can then be sent
    /// compressed, and compressed messages arrive as pieces of
    /// [`Event::Compressed`](crate::Event::Compressed).
    pub deflate: Option<Deflate>,
}

impl Agreed {
    /// Nothing was agreed: the plain protocol.
    #[must_use]
    pub const fn new() -> Self {
        Agreed { deflate: None }
    }

    /// Sets the parameters of permessage-deflate that were agreed (RFC 7692 §7.1).
    #[must_use]
    pub const fn deflate(mut self, deflate: Deflate) -> Self {
        self.deflate = Some(deflate);
        self
    }
}

/// The parameters of permessage-deflate (RFC 7692 §7.1), as a side wants them or as both agreed.
///
/// There are parameters for each direction. A compressor with context takeover keeps its window
/// between messages: it compresses better, but both sides need a codec for each connection. A
/// compressor without it can be shared by all connections of a thread.
///
/// The default wants no context takeover in either direction, so that an idle connection costs no
/// more than one without compression. It suits a server; a client offers
/// [`OFFERS`](Deflate::OFFERS).
///
/// ```
/// use websocket_proto::{Deflate, WindowBits};
///
/// // Context takeover both ways, but a window of 4 KiB for what the client sends.
/// let deflate = Deflate {
///     server_no_context_takeover: false,
///     client_no_context_takeover: false,
///     client_max_window_bits: WindowBits::new(12),
///     ..Deflate::new()
/// };
/// # let _ = deflate;
/// ```
///
/// | | in a server's [`AcceptOptions`](crate::handshake::AcceptOptions) | in a client's [`Offer`](crate::handshake::Offer) |
/// |---|---|---|
/// | `server_no_context_takeover` | the server resets its compressor | the server has to |
/// | `client_no_context_takeover` | the client has to reset its compressor | the client will |
/// | `server_max_window_bits` | the server uses no larger window | the server has to use no larger one, or to decline |
/// | `client_max_window_bits` | an offer that does not allow to hold the client to it is declined | `None` does not let the server limit the window; otherwise the client uses no larger one, and may be limited further |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias("permessage-deflate", "compression"))]
pub struct Deflate {
    /// Whether the server begins each message with an empty window (RFC 7692 §7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Whether the client begins each message with an empty window (RFC 7692 §7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The window that the server compresses with (RFC 7692 §7.1.2.1); `None` means the largest.
    pub server_max_window_bits: Option<WindowBits>,
    /// The window that the client compresses with (RFC 7692 §7.1.2.2); `None` means the largest.
    pub client_max_window_bits: Option<WindowBits>,
}

impl Deflate {
    /// The offers for a client to make by default: first without context takeover, then with it.
    ///
    /// The first, [`Deflate::new`], costs an idle connection nothing. Some servers insist on
    /// context takeover, though, or answer without parameters, which means the same. A client that
    /// makes only the first offer cannot connect to them. A client that makes both has to look at
    /// what was agreed:
    ///
    /// ```
    /// use websocket_proto::Deflate;
    /// use websocket_proto::handshake::{ClientRequest, Offer, Response, Target};
    ///
    /// let target = Target::parse("wss://example.com/")?;
    /// let offer = Offer::new().deflate(&Deflate::OFFERS);
    /// let request = ClientRequest::connect(&target, &offer, true)?;
    /// let answer = [("sec-websocket-extensions", "permessage-deflate")];
    /// let fields = answer.iter().map(|(name, value)| (name, value));
    /// if let Response::Accepted(response) = request.validate(200, (2, 0), fields)? {
    ///     let deflate = response.agreed().deflate.ok_or("the server does not compress")?;
    ///     // With context takeover each connection needs codecs of its own, else one pair of them
    ///     // serves all connections of a thread.
    ///     assert!(!deflate.server_no_context_takeover); // `Inflater::own`, not `Inflater::shared`
    ///     assert!(!deflate.client_no_context_takeover); // `Deflater::own`, not `Deflater::shared`
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const OFFERS: [Deflate; 2] = [
        Deflate::new(),
        Deflate {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            ..Deflate::new()
        },
    ];

    /// Creates parameters without context takeover and without limits on the windows. As an offer,
    /// they allow the server to limit the client's window.
    #[must_use]
    pub const fn new() -> Self {
        Deflate {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: None,
            client_max_window_bits: Some(WindowBits::MAX),
        }
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Deflate::new()
    }
}

/// The size of an LZ77 window as the power of two that it is in bytes: 8 to 15, for 256 bytes to
/// 32 KiB (RFC 7692 §7.1.2).
///
/// ```
/// use websocket_proto::WindowBits;
///
/// assert_eq!(WindowBits::new(12).map(WindowBits::bytes), Some(4096));
/// assert!(WindowBits::try_from(16).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(NonZeroU8);

impl WindowBits {
    /// 8: 256 bytes.
    pub const MIN: Self = WindowBits(NonZeroU8::MIN.saturating_add(7));
    /// 15: 32 KiB, the largest that DEFLATE has.
    pub const MAX: Self = WindowBits(NonZeroU8::MIN.saturating_add(14));

    /// Creates a window size; `None` if `bits` is not 8 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match NonZeroU8::new(bits) {
            Some(bits) if 8 <= bits.get() && bits.get() <= 15 => Some(WindowBits(bits)),
            _ => None,
        }
    }

    /// Returns the number: 8 to 15.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Returns the size in bytes: 256 to 32768.
    #[must_use]
    pub const fn bytes(self) -> usize {
        1_usize.wrapping_shl(self.0.get() as u32)
    }
}

impl TryFrom<u8> for WindowBits {
    type Error = TryFromIntError;

    fn try_from(bits: u8) -> Result<Self, TryFromIntError> {
        // If the number is out of range, converting 0 gives the standard library's error.
        WindowBits::new(bits).map_or_else(|| NonZeroU8::try_from(0).map(WindowBits), Ok)
    }
}

/// How the messages of one side are compressed: its half of a [`Deflate`].
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// Whether a message may refer to the messages before it.
    pub(crate) takeover: bool,
    /// How far back a message may refer.
    pub(crate) window: WindowBits,
}

#[cfg(feature = "alloc")]
impl Context {
    /// Returns the half of the client or of the server, if compression was agreed.
    pub(crate) fn agreed(agreed: Agreed, client: bool) -> Option<Self> {
        let deflate = agreed.deflate?;
        let (no_takeover, bits) = if client {
            (deflate.client_no_context_takeover, deflate.client_max_window_bits)
        } else {
            (deflate.server_no_context_takeover, deflate.server_max_window_bits)
        };
        Some(Context { takeover: !no_takeover, window: bits.unwrap_or(WindowBits::MAX) })
    }
}
