//! The server's side of the opening handshake (§4.2).

use core::str;

use arrayvec::ArrayString;

use super::{
    extension::{self, Extension},
    head::{Kind, RequestLine, Scanner, parse_headers},
    headers::{self, Field, Headers, List, Single, elements, is_protocol, is_token},
    key,
    target::{Authority, Resource, default_http_port},
    write::{check_headers, emit, write_header, write_headers},
};
use crate::{
    config::Agreed,
    error::{HandshakeError, HeadError},
    output::Output,
};

/// A server that waits for the head of a request (§4.2).
///
/// `HEADERS` is how many header lines a request may have. Each takes a slot of four words on the
/// stack while the head is parsed.
#[derive(Clone, Debug)]
pub struct ServerHandshake<const HEADERS: usize = 64> {
    scanner: Scanner,
}

impl ServerHandshake {
    /// A head of at most 16 KiB with at most 64 header lines.
    pub const fn new() -> Self {
        ServerHandshake { scanner: Scanner::new(Kind::Request) }
    }
}

impl<const HEADERS: usize> ServerHandshake<HEADERS> {
    /// Sets how many bytes a head may have, with the empty lines in front of it (§10.4).
    ///
    /// With the length of the buffer that it is received in, the handshake fails before the buffer
    /// would have to grow.
    #[must_use]
    pub const fn max_head(self, bytes: usize) -> Self {
        ServerHandshake { scanner: self.scanner.limit(bytes) }
    }

    /// Sets how many header lines a head may have (§10.4).
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

    /// Takes a request off the front of `input`. What stays there was sent behind it and belongs
    /// to the connection.
    ///
    /// `None` means that the head is not whole, and `input` is as it was: keep the bytes, append
    /// what arrives, and call again with all of them from the same first byte. Each byte is judged
    /// once, however the head is cut. After a request the value starts over.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] tells which rule the request breaks, and `input` is as it was: the server
    /// sends the [`answer`](HandshakeError::answer), or takes the request for plain HTTP.
    pub fn receive<'h>(
        &mut self,
        input: &mut &'h mut [u8],
    ) -> Result<Option<Request<'h>>, HandshakeError> {
        let Some(head) = self.scanner.scan(input)? else {
            return Ok(None);
        };
        // Judged before it is taken, so that a bad request stays in the input.
        let (_, block) = RequestLine::parse(head)?;
        let headers = parse_headers::<HEADERS>(block)?;
        let accept = Fields::collect(headers.iter()).judge_upgrade()?;
        // The same lines once more, now borrowed from the caller's buffer.
        let (line, block) = RequestLine::parse(self.scanner.take(input))?;
        Ok(Some(Request { line, headers: Headers::new(block), accept }))
    }
}

impl Default for ServerHandshake {
    fn default() -> Self {
        ServerHandshake::new()
    }
}

/// A valid request for a connection, to be [accepted](Request::accept) or
/// [rejected](super::reject).
///
/// Everything in it comes from a peer that can send what it likes (§10.1).
#[derive(Clone, Debug)]
pub struct Request<'h> {
    line: RequestLine<'h>,
    headers: Headers<'h>,
    accept: ArrayString<28>,
}

impl<'h> Request<'h> {
    /// The method: GET.
    pub const fn method(&self) -> &'h str {
        self.line.method
    }

    /// The path and the query that are asked for. Where they lead nowhere, the answer is a 404.
    ///
    /// A request target is not held to every rule of RFC 3986: browsers leave characters such as
    /// `|` and `[` as they are.
    pub const fn resource(&self) -> Resource<'h> {
        self.line.resource
    }

    /// The host, with a port if one was sent, that the client believes to talk to.
    pub fn host(&self) -> &'h str {
        // RFC 9112 §3.2.2: the authority of an absolute target goes before Host.
        self.line.authority.or_else(|| self.text(headers::HOST)).unwrap_or_default()
    }

    /// The origin of the page whose script asks, as its browser tells; other clients may send none,
    /// or any (§10.2). See [`is_same_origin`](Request::is_same_origin).
    pub fn origin(&self) -> Option<&'h str> {
        self.text(headers::ORIGIN)
    }

    /// Whether the request comes from a page of this same host: an `http` or `https` Origin is
    /// there, and its host and port are those of [`host`](Request::host).
    ///
    /// A browser lets any page open a connection to any server and sends the user's cookies along.
    /// A server that knows its users by cookies, and does not look at Origin, hands their sessions
    /// to every page that they visit: cross-site WebSocket hijacking. Unless it is meant for
    /// strangers, it refuses foreign origins (§10.2):
    ///
    /// ```
    /// use websocket_proto::Agreed;
    /// use websocket_proto::handshake::{self, Accept, HeadError, Request};
    ///
    /// fn decide(request: &Request<'_>, out: &mut Vec<u8>) -> Result<Option<Agreed>, HeadError> {
    ///     if request.origin().is_some() && !request.is_same_origin() {
    ///         handshake::reject(403, &[], b"", out)?;
    ///         return Ok(None);
    ///     }
    ///     request.accept(&Accept::new(), out).map(Some)
    /// }
    /// # let _ = decide;
    /// ```
    ///
    /// The example lets clients pass that send no Origin, which no browser does. The scheme is not
    /// compared, and a port that is not written is the one of the origin's scheme, since behind a TLS
    /// terminator the server cannot tell its own. Host is the client's word: compare it with the
    /// names that the server is meant to have, or a name that an attacker points at its address
    /// (DNS rebinding) is the same origin as itself.
    pub fn is_same_origin(&self) -> bool {
        let Some((scheme, authority)) = self.origin().and_then(|origin| origin.split_once("://"))
        else {
            return false;
        };
        let (Some(port), Ok(theirs), Ok(ours)) =
            (default_http_port(scheme), Authority::parse(authority), Authority::parse(self.host()))
        else {
            return false;
        };
        theirs.host.eq_ignore_ascii_case(ours.host)
            && theirs.port.unwrap_or(port) == ours.port.unwrap_or(port)
    }

    /// The subprotocols that the client offers, the one it likes best first (§4.2.1).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> + Clone + use<'h> {
        // §11.3.4: several lines are one list, in the order of the lines.
        let lines = self.headers.all(headers::PROTOCOL);
        lines.flat_map(elements).filter_map(|element| str::from_utf8(element).ok())
    }

    /// The extensions that the client offers, the one it likes best first (§9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'h>> + Clone + use<'h> {
        self.headers.all(headers::EXTENSIONS).flat_map(extension::extensions).flatten()
    }

    /// All header lines.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The value of the first header line with this name.
    pub fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.headers.first(name)
    }

    /// Appends the 101 that opens the connection (§4.2.2). Frames may follow at once: the result
    /// goes into the [`Connection`](crate::Connection), with what stayed in the input.
    ///
    /// # Errors
    ///
    /// - [`HeadError::InvalidSubprotocol`], [`HeadError::SubprotocolNotOffered`]: the subprotocol is
    ///   not a token, or not one of [`subprotocols`](Request::subprotocols).
    /// - [`HeadError::InvalidHeader`], [`HeadError::ProtectedHeader`]: a header may not be sent.
    /// - [`HeadError::Full`]: `out` has no room. In each case nothing was written.
    pub fn accept(
        &self,
        accept: &Accept<'_>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<Agreed, HeadError> {
        if let Some(subprotocol) = accept.subprotocol {
            // §4.2.2: the empty string is not the same as no subprotocol.
            if !is_token(subprotocol.as_bytes()) {
                return Err(HeadError::InvalidSubprotocol);
            }
            // §4.2.2: one from the client's list.
            if !self.subprotocols().any(|offered| offered == subprotocol) {
                return Err(HeadError::SubprotocolNotOffered);
            }
        }
        check_headers(accept.headers)?;
        emit(out, b"", |head| {
            // §4.2.2: what an acceptance consists of.
            head.write_str("HTTP/1.1 101 Switching Protocols\r\n")?;
            write_header(head, "Upgrade", "websocket")?;
            write_header(head, "Connection", "Upgrade")?;
            write_header(head, "Sec-WebSocket-Accept", &self.accept)?;
            if let Some(subprotocol) = accept.subprotocol {
                write_header(head, headers::PROTOCOL, subprotocol)?;
            }
            // §9.1: an extension that is not known is declined by not being named.
            write_headers(head, accept.headers)
        })?;
        Ok(Agreed::new())
    }

    fn text(&self, name: &str) -> Option<&'h str> {
        self.headers.first(name).and_then(|value| str::from_utf8(value).ok())
    }
}

/// What a server says in its acceptance: nothing, unless told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accept<'a> {
    subprotocol: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
}

impl<'a> Accept<'a> {
    /// No subprotocol and no further headers.
    pub const fn new() -> Self {
        Accept { subprotocol: None, headers: &[] }
    }

    /// The subprotocol: one of those that the client offered.
    #[must_use]
    pub const fn subprotocol(mut self, name: &'a str) -> Self {
        self.subprotocol = Some(name);
        self
    }

    /// Header lines to add, such as a Set-Cookie.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }
}

/// What the header fields of a request say, before any of it is judged. It does not matter which
/// HTTP stack parsed them.
#[derive(Default)]
struct Fields<'h> {
    host: Single<'h>,
    upgrade: List,
    connection: List,
    body: bool,
    key: Single<'h>,
    version: Single<'h>,
    origin: Single<'h>,
    subprotocols: List,
    extensions: List,
}

impl<'h> Fields<'h> {
    fn collect(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut fields = Fields::default();
        for (name, value) in headers {
            match Field::of(name) {
                Some(Field::Host) => fields.host.see(value),
                Some(Field::Upgrade) => fields.upgrade.see(value, is_protocol, "websocket"),
                Some(Field::Connection) => fields.connection.see(value, is_token, "Upgrade"),
                Some(Field::ContentLength) => fields.body |= value != b"0",
                Some(Field::TransferEncoding) => fields.body = true,
                Some(Field::Key) => fields.key.see(value),
                Some(Field::Version) => fields.version.see(value),
                Some(Field::Origin) => fields.origin.see(value),
                Some(Field::Protocol) => fields.subprotocols.see(value, is_token, ""),
                Some(Field::Extensions) => {
                    let elements = extension::extensions(value);
                    fields.extensions.see_judged(elements.map(|element| element.is_ok()));
                }
                // RFC 9110 §5.1: what is not known is not looked at.
                Some(Field::Accept) | None => {}
            }
        }
        fields
    }

    /// The rules of a request that upgrades an HTTP/1.1 connection; the Sec-WebSocket-Accept that
    /// answers it.
    fn judge_upgrade(&self) -> Result<ArrayString<28>, HandshakeError> {
        // §4.2.1, RFC 9112 §3.2: exactly one Host, even where the target names the authority.
        let host = self.host.once().and_then(|host| str::from_utf8(host).ok());
        if host.and_then(|host| Authority::parse(host).ok()).is_none() {
            return Err(HandshakeError::InvalidHost);
        }
        // §4.2.1: Upgrade lists `websocket`. A version behind it makes it another protocol.
        if self.upgrade.is_absent() {
            return Err(HandshakeError::UpgradeMissing);
        }
        if !self.upgrade.names_it() {
            return Err(HandshakeError::InvalidUpgrade);
        }
        // §4.2.1: Connection lists `Upgrade`.
        if !self.connection.names_it() {
            return Err(HandshakeError::InvalidConnection);
        }
        // RFC 9112 §6: the bytes of a body would be taken for frames.
        if self.body {
            return Err(HandshakeError::BodyDeclared);
        }
        self.judge_offer()?;
        // §4.2.1, §11.3.1: exactly one key, of 16 bytes.
        match self.key.once() {
            Some(key) if key::is_key(key) => Ok(key::accept_for(key)),
            _ => Err(HandshakeError::InvalidKey),
        }
    }

    /// The rules that do not depend on the version of HTTP.
    fn judge_offer(&self) -> Result<(), HandshakeError> {
        // §4.2.1, §11.3.5: exactly one version, and it is 13.
        match self.version.once().and_then(parse_version) {
            Some(13) => {}
            Some(version) => return Err(HandshakeError::UnsupportedVersion(version)),
            None => return Err(HandshakeError::InvalidVersion),
        }
        // RFC 6454 §7.3: one Origin at most, in visible ASCII.
        let origin = self.origin.once().is_some_and(is_origin);
        if !origin && !self.origin.is_absent() {
            return Err(HandshakeError::InvalidOrigin);
        }
        // §4.3: a list of tokens with at least one element.
        if !self.subprotocols.is_valid() {
            return Err(HandshakeError::InvalidSubprotocol);
        }
        // §9.1: the whole list has to be well formed, whatever of it is of use.
        if !self.extensions.is_valid() {
            return Err(HandshakeError::InvalidExtensions);
        }
        Ok(())
    }
}

/// Reads a version of the protocol: 0 to 255 in decimal, without leading zeros (§4.3).
pub(super) fn parse_version(text: &[u8]) -> Option<u8> {
    match text {
        [b'0'] => Some(0),
        // `parse` alone would take a plus sign and leading zeros.
        [b'1'..=b'9', ..] => str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// Whether this may be an origin: what it looks like inside is for who compares it.
pub(super) fn is_origin(text: &[u8]) -> bool {
    // RFC 6454 §7.1: `null`, or origins with a space between them.
    !text.is_empty() && text.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic())
}
