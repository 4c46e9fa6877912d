//! The client's side of the opening handshake (§4.1), over the bytes of HTTP/1.1.

use super::{
    error::{HandshakeError, HeadError},
    head::{HeadKind, Scanner, StatusLine, parse_headers, split_line},
    headers::Headers,
    offer::{ClientRequest, Offer},
    quick,
    response::{Criteria, Response},
    target::Target,
    write::emit,
};
#[cfg(feature = "alloc")]
use crate::agreed::Deflate;
use crate::output::Output;

/// A client's handshake, from the request to the response (§4.1).
///
/// A [`Connection`](crate::Connection) exists only after the response was validated, so nothing can
/// be sent too early. `HEADERS` is how many header lines a response may have. Each takes a slot of
/// four words on the stack while the head is parsed.
///
/// ```
/// use websocket_proto::handshake::{ClientHandshake, Offer, Response, Target};
///
/// let target = Target::parse("ws://example.com/chat")?;
/// let nonce = *b"the sample nonce"; // 16 random bytes, new for each connection
/// let mut out = Vec::new();
/// let mut handshake = ClientHandshake::start(&target, &Offer::new(), nonce, &mut out)?;
/// assert!(out.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
/// // Write `out` and read the response:
/// let mut buffer = *b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";
/// let mut input = &mut buffer[..];
/// match handshake.receive(&mut input)? {
///     Some(Response::Accepted(_)) => {} // go on with a `Connection`
///     Some(Response::Refused(refused)) => assert_eq!(refused.status(), 404),
///     None => {} // not fully received yet: read on
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "connect")]
#[doc(alias = "upgrade")]
#[derive(Clone, Debug)]
pub struct ClientHandshake<'o, const HEADERS: usize = 64> {
    scanner: Scanner,
    criteria: Criteria<'o>,
}

impl<'o> ClientHandshake<'o> {
    /// Appends the request for `target` to `out`. The response may have 16 KiB and 64 header lines.
    ///
    /// `nonce` is 16 random bytes, drawn for this handshake alone (§4.1), such as those of
    /// `handshake::nonce`.
    ///
    /// # Errors
    ///
    /// - [`HeadError::InvalidOrigin`], [`HeadError::InvalidSubprotocol`]: a part of `offer` may not
    ///   be offered.
    /// - [`HeadError::InvalidHeader`], [`HeadError::ProtectedHeader`]: a header may not be sent.
    /// - [`HeadError::Full`]: `out` has no room. In each case nothing was written.
    pub fn start(
        target: &Target<'_>,
        offer: &Offer<'o>,
        nonce: [u8; 16],
        out: &mut (impl Output + ?Sized),
    ) -> Result<Self, HeadError> {
        let opening = ClientRequest::upgrade(target, offer, nonce)?;
        emit(out, b"", |head| opening.write(head))?;
        // The offer outlives the target.
        let Offer { subprotocols, deflate, .. } = *offer;
        let criteria = Criteria { subprotocols, deflate, ..opening.criteria() };
        Ok(ClientHandshake { scanner: Scanner::new(HeadKind::Response), criteria })
    }
}

impl<'o, const HEADERS: usize> ClientHandshake<'o, HEADERS> {
    /// Sets how many bytes a response's head may have, together with the interim heads before it
    /// (§10.4). The default is 16 KiB.
    ///
    /// With the length of your receive buffer as the limit, the handshake fails before the buffer
    /// would have to grow.
    #[must_use]
    pub const fn max_head(self, bytes: usize) -> Self {
        let ClientHandshake { scanner, criteria } = self;
        ClientHandshake { scanner: scanner.limit(bytes), criteria }
    }

    /// Sets how many header lines a response's head may have (§10.4). The default is 64.
    #[must_use]
    pub const fn max_headers<const N: usize>(self) -> ClientHandshake<'o, N> {
        let ClientHandshake { scanner, criteria } = self;
        ClientHandshake { scanner, criteria }
    }

    /// Returns the same handshake with another copy of the lists that were offered.
    #[cfg(feature = "alloc")]
    pub(crate) fn with_lists<'n>(
        &self,
        subprotocols: &'n [&'n str],
        deflate: &'n [Deflate],
    ) -> ClientHandshake<'n, HEADERS> {
        let criteria = Criteria { accept_key: self.criteria.accept_key, subprotocols, deflate };
        ClientHandshake { scanner: self.scanner.clone(), criteria }
    }

    /// Takes a response off the front of `input`. Bytes that stay there were sent after it: the
    /// first frames, or the body of a refusal.
    ///
    /// `None` means that the head was not fully received, and `input` is unchanged. Keep the bytes,
    /// append what arrives, and call again with all of them from the same first byte. The work is
    /// linear in the length of the head, however it is split into reads. A buffer that is shorter
    /// than in the call before counts as a new one and is read from its start. Interim responses
    /// (1xx) are skipped. After an error the next call starts over.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which rule the response breaks, and `input` is unchanged. The client
    /// drops the transport, because there is no connection yet to close (§7.1.4).
    pub fn receive<'h>(
        &mut self,
        input: &mut &'h mut [u8],
    ) -> Result<Option<Response<'h>>, HandshakeError> {
        // On both paths the response is validated before it is taken, so that an invalid one stays
        // in the input. While the parsed lines borrow the input, the head cannot be taken, so only
        // what was agreed is kept. Then the same head is split a second time, borrowed for as long
        // as the caller's buffer lives. The head is valid, so this cannot fail.
        let bytes = self.scanner.quick_input(input);
        let quick = bytes.and_then(|bytes| quick::response(bytes, HEADERS, &self.criteria));
        let (status, agreed) = if let Some((length, agreed)) = quick {
            self.scanner.found(length);
            (101, agreed)
        } else {
            loop {
                let Some(head) = self.scanner.scan(input)? else {
                    return Ok(None);
                };
                let (line, block) = StatusLine::parse(head)?;
                let agreed = parse_headers::<HEADERS, _>(block, |lines| {
                    // RFC 9110 §15.2: an interim response other than a 101 announces the final one.
                    if matches!(line.status, 100 | 102..=199) {
                        return Ok(None);
                    }
                    self.criteria.validate(line.status, line.version, lines).map(Some)
                })?;
                if let Some(agreed) = agreed {
                    break (line.status, agreed);
                }
                self.scanner.skip();
            }
        };
        let (_, block) = split_line(self.scanner.take(input))?;
        let headers = Headers::new(block);
        Ok(Some(Response::new(self.criteria.form(), status, agreed, headers)))
    }
}
