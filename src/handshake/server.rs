//! The server's side of the opening handshake (§4.2), over the bytes of HTTP/1.1.

use super::{
    error::HandshakeError,
    fields::Form,
    head::{HeadKind, RequestLine, Scanner, parse_headers},
    headers::Headers,
    quick,
    request::Request,
};

/// Receives the head of a client's request (§4.2).
///
/// `HEADERS` is how many header lines a request may have. Each takes a slot of four words on the
/// stack while the head is parsed.
///
/// ```
/// use websocket_proto::handshake::{AcceptOptions, ServerHandshake};
///
/// let mut handshake = ServerHandshake::new().max_head(4096);
/// let mut buffer = b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n".to_vec();
/// assert!(handshake.receive(&mut &mut buffer[..])?.is_none()); // not fully received yet
/// buffer.extend(
///     b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///       Sec-WebSocket-Version: 13\r\n\r\n\x81\x80\0\0\0\0",
/// );
/// let mut input = &mut buffer[..];
/// let request = handshake.receive(&mut input)?.expect("fully received");
/// assert_eq!(request.resource(), "/chat");
/// let mut out = Vec::new();
/// let agreed = request.accept(&AcceptOptions::new(), &mut out)?;
/// // Write `out` and go on with a `Connection`; its first bytes are here already:
/// assert_eq!(input, b"\x81\x80\0\0\0\0");
/// # let _ = agreed;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "upgrade")]
#[doc(alias = "101")]
#[derive(Clone, Debug)]
pub struct ServerHandshake<const HEADERS: usize = 64> {
    scanner: Scanner,
}

impl ServerHandshake {
    /// Creates a handshake that accepts a head of at most 16 KiB with at most 64 header lines.
    #[must_use]
    pub const fn new() -> Self {
        ServerHandshake { scanner: Scanner::new(HeadKind::Request) }
    }
}

impl<const HEADERS: usize> ServerHandshake<HEADERS> {
    /// Sets how many bytes a head may have, together with the empty lines before it (§10.4). The
    /// default is 16 KiB.
    ///
    /// With the length of your receive buffer as the limit, the handshake fails before the buffer
    /// would have to grow.
    #[must_use]
    pub const fn max_head(self, bytes: usize) -> Self {
        ServerHandshake { scanner: self.scanner.limit(bytes) }
    }

    /// Sets how many header lines a head may have (§10.4). The default is 64.
    ///
    /// ```
    /// use websocket_proto::handshake::ServerHandshake;
    ///
    /// let handshake: ServerHandshake<16> = ServerHandshake::new().max_headers();
    /// # let _ = handshake;
    /// ```
    #[must_use]
    pub const fn max_headers<const N: usize>(self) -> ServerHandshake<N> {
        ServerHandshake { scanner: self.scanner }
    }

    /// Takes a request off the front of `input`. Bytes that stay there were sent after it and
    /// belong to the connection.
    ///
    /// `None` means that the head was not fully received, and `input` is unchanged. Keep the bytes,
    /// append what arrives, and call again with all of them from the same first byte. The work is
    /// linear in the length of the head, however it is split into reads. A buffer that is shorter
    /// than in the call before counts as a new one and is read from its start. After a request, and
    /// after an error, the next call starts over.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which rule the request breaks, and `input` is unchanged. The server
    /// answers with [`respond`](HandshakeError::respond), or handles the request as plain HTTP.
    pub fn receive<'h>(
        &mut self,
        input: &mut &'h mut [u8],
    ) -> Result<Option<Request<'h>>, HandshakeError> {
        // On both paths the request is validated before it is taken, so that an invalid one stays
        // in the input. While the parsed lines borrow the input, the head cannot be taken, so only
        // the answer to the key is kept. Then the same head is split a second time, borrowed for as
        // long as the caller's buffer lives. The head is valid, so this cannot fail.
        let bytes = self.scanner.quick_input(input);
        let quick = bytes.and_then(|bytes| quick::request(bytes, HEADERS));
        let accept_key = if let Some((length, accept_key)) = quick {
            self.scanner.found(length);
            Some(accept_key)
        } else {
            let Some(head) = self.scanner.scan(input)? else {
                return Ok(None);
            };
            let (line, block) = RequestLine::parse(head)?;
            parse_headers::<HEADERS, _>(block, |lines| {
                Request::from_line(line, lines).map(|request| request.accept_key)
            })?
        };
        let (line, block) = RequestLine::parse(self.scanner.take(input))?;
        Ok(Some(Request { line, headers: Headers::new(block), form: Form::Upgrade, accept_key }))
    }
}

impl Default for ServerHandshake {
    fn default() -> Self {
        ServerHandshake::new()
    }
}
