//! Broadcast: a server's message that is encoded once for any number of connections.

use alloc::vec::Vec;

use crate::{
    agreed::{Context, WindowBits},
    codec::Compress,
    connection::Connection,
    deflate::Deflater,
    error::SendError,
    event::{Data, Kind},
    frame::{FrameHeader, first_byte},
    role::Server,
};

/// A message to send to many clients, encoded once for any number of server connections.
///
/// A server's frames are not masked (§5.1), so the same bytes serve all peers. A client connection
/// cannot send it, because it masks each frame with its own key.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Data, Prepared, Server};
///
/// let message = Prepared::new(Data::Text("hello, all"));
/// let connections = [(); 3].map(|()| Connection::new(Server, &Config::new(), Agreed::new()));
/// for connection in &connections {
///     // No copy: all get the same bytes. Write them after the output that waits.
///     let frame = connection.prepared(&message)?;
///     assert_eq!(frame, b"\x81\x0Ahello, all");
/// }
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[doc(alias("broadcast", "publish"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prepared {
    kind: Kind,
    /// The window that is needed to read the message, if it is compressed.
    window: Option<WindowBits>,
    frame: Vec<u8>,
}

impl Prepared {
    /// Creates an uncompressed message.
    #[must_use]
    pub fn new(data: Data<'_>) -> Self {
        Prepared::encode(data.kind(), None, data.as_bytes())
    }

    /// Creates a compressed message for all connections whose peers can read it. These have agreed
    /// on compression without context takeover for the server, and on a window no smaller than
    /// `window` (RFC 7692 §7.1). Short messages are compressed, too. Send the plain message to the
    /// other connections:
    ///
    /// ```
    /// # #[cfg(feature = "deflate")] {
    /// # use websocket_proto::{
    /// #     Agreed, Config, Connection, Data, Deflate, Deflater, Prepared, SendError, Server,
    /// #     WindowBits, ZlibCompress,
    /// # };
    /// # let agreed = Agreed::new().deflate(Deflate::new());
    /// # let connection = Connection::new(Server, &Config::new(), agreed);
    /// let mut deflater = Deflater::shared(ZlibCompress::new(6));
    /// let plain = Prepared::new(Data::Text("hello, hello, hello, all"));
    /// let small = Prepared::compressed(
    ///     Data::Text("hello, hello, hello, all"),
    ///     WindowBits::MAX,
    ///     &mut deflater,
    /// )?;
    /// let frame = match connection.prepared(&small) {
    ///     Err(SendError::NotAgreed) => connection.prepared(&plain)?,
    ///     frame => frame?,
    /// };
    /// assert!(frame.len() < plain.as_ref().len());
    /// # }
    /// # Ok::<(), websocket_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Codec`]; [`SendError::Full`] if there is no memory to compress in.
    pub fn compressed<C: Compress>(
        data: Data<'_>,
        window: WindowBits,
        deflater: &mut Deflater<C>,
    ) -> Result<Self, SendError> {
        deflater.compress_alone(window, data.as_bytes(), |payload| {
            Ok(Prepared::encode(data.kind(), Some(window), payload))
        })
    }

    fn encode(kind: Kind, window: Option<WindowBits>, payload: &[u8]) -> Self {
        // RFC 7692 §6: RSV1 means that the message is compressed.
        let first = first_byte(true, window.is_some(), kind.into());
        let header = FrameHeader::encode(first, payload.len(), None);
        Prepared { kind, window, frame: [&header, payload].concat() }
    }
}

/// Returns the frame, for a queue that writes it after [`prepared`](Connection::prepared) allowed
/// it.
impl AsRef<[u8]> for Prepared {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

/// Bytes out, encoded before.
impl Connection<Server> {
    /// Returns the bytes of a prepared message, if it may be sent now. Write them in full, after
    /// all output so far. An owed Pong is not sent first: call [`transmit`](Connection::transmit)
    /// before.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Connection::send_text); [`SendError::NotAgreed`] if the message is
    /// compressed and the peer could not read it, or could not read later messages.
    pub fn prepared<'p>(&self, message: &'p Prepared) -> Result<&'p [u8], SendError> {
        self.check_message()?;
        if let Some(window) = message.window {
            // RFC 7692 §7.1.1.1: with context takeover the message would change the peer's window,
            // but not ours.
            let context = Context::agreed(self.agreed(), false);
            if !context.is_some_and(|context| !context.takeover && window <= context.window) {
                return Err(SendError::NotAgreed);
            }
        }
        Ok(&message.frame)
    }
}
