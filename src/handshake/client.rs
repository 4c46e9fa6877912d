//! The client's side of the opening handshake (§4.1).

use core::str;

use arrayvec::ArrayString;

use super::{
    extension::{self, Extension},
    head::{Kind, Scanner, StatusLine, parse_headers},
    headers::{self, Field, Headers, List, Single, elements, is_protocol, is_token},
    key,
    server::{is_origin, parse_version},
    target::Target,
    write::{check_headers, emit, write_header, write_headers},
};
use crate::{
    config::Agreed,
    error::{HandshakeError, HeadError},
    output::Output,
};

/// A client whose request was written, and that waits for the response (§4.1).
///
/// No [`Connection`](crate::Connection) exists before the response is valid, so nothing can be sent
/// too early. `HEADERS` is how many header lines a response may have. Each takes a slot of four
/// words on the stack while the head is parsed.
#[derive(Clone, Debug)]
pub struct ClientHandshake<'o, const HEADERS: usize = 64> {
    scanner: Scanner,
    accept: ArrayString<28>,
    subprotocols: &'o [&'o str],
}

impl<'o> ClientHandshake<'o> {
    /// Appends the request for `target` to `out`; the response may have 16 KiB and 64 header lines.
    ///
    /// `nonce` is 16 random bytes, drawn for this handshake and no other (§4.1), such as those of
    /// `handshake::nonce`.
    ///
    /// # Errors
    ///
    /// - [`HeadError::InvalidOrigin`], [`HeadError::InvalidSubprotocol`]: they may not be offered.
    /// - [`HeadError::InvalidHeader`], [`HeadError::ProtectedHeader`]: a header may not be sent.
    /// - [`HeadError::Full`]: `out` has no room. In each case nothing was written.
    pub fn start(
        target: &Target<'_>,
        offer: &Offer<'o>,
        nonce: [u8; 16],
        out: &mut (impl Output + ?Sized),
    ) -> Result<Self, HeadError> {
        offer.check()?;
        let key = key::encode_key(nonce);
        emit(out, b"", |head| {
            // §4.1: what a request consists of.
            write!(head, "GET {} HTTP/1.1\r\nHost: ", target.resource())?;
            target.write_authority(head)?;
            head.write_str("\r\n")?;
            write_header(head, "Upgrade", "websocket")?;
            write_header(head, "Connection", "Upgrade")?;
            write_header(head, "Sec-WebSocket-Key", &key)?;
            write_header(head, headers::VERSION, "13")?;
            if let Some(origin) = offer.origin {
                write_header(head, headers::ORIGIN, origin)?;
            }
            if let [first, others @ ..] = offer.subprotocols {
                head.write_str(headers::PROTOCOL)?;
                head.write_str(": ")?;
                head.write_str(first)?;
                for name in others {
                    head.write_str(", ")?;
                    head.write_str(name)?;
                }
                head.write_str("\r\n")?;
            }
            write_headers(head, offer.headers)
        })?;
        Ok(ClientHandshake {
            scanner: Scanner::new(Kind::Response),
            accept: key::accept_for(key.as_bytes()),
            subprotocols: offer.subprotocols,
        })
    }
}

impl<'o, const HEADERS: usize> ClientHandshake<'o, HEADERS> {
    /// Sets how many bytes a response's head may have, with the interim heads in front of it (§10.4).
    ///
    /// With the length of the buffer that it is received in, the handshake fails before the buffer
    /// would have to grow.
    #[must_use]
    pub const fn max_head(self, bytes: usize) -> Self {
        let ClientHandshake { scanner, accept, subprotocols } = self;
        ClientHandshake { scanner: scanner.limit(bytes), accept, subprotocols }
    }

    /// Sets how many header lines a response's head may have (§10.4).
    #[must_use]
    pub const fn max_headers<const N: usize>(self) -> ClientHandshake<'o, N> {
        let ClientHandshake { scanner, accept, subprotocols } = self;
        ClientHandshake { scanner, accept, subprotocols }
    }

    /// Takes a response off the front of `input`. What stays there was sent behind it: the first
    /// frames, or the body of a refusal.
    ///
    /// `None` means that the head is not whole, and `input` is as it was: keep the bytes, append
    /// what arrives, and call again with all of them from the same first byte. Each byte is judged
    /// once, however the head is cut. Interim responses (1xx) are skipped.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] tells which rule the response breaks, and `input` is as it was. The client
    /// drops the transport: there is no connection that could be closed (§7.1.4).
    pub fn receive<'h>(
        &mut self,
        input: &mut &'h mut [u8],
    ) -> Result<Option<Response<'h>>, HandshakeError> {
        loop {
            let Some(head) = self.scanner.scan(input)? else {
                return Ok(None);
            };
            // Judged before it is taken, so that a bad response stays in the input.
            let (line, block) = StatusLine::parse(head)?;
            let headers = parse_headers::<HEADERS>(block)?;
            match line.status {
                101 => self.judge(line, headers)?,
                // RFC 9110 §15.2: other interim responses announce the final one.
                100..=199 => {
                    self.scanner.skip();
                    continue;
                }
                _ => {}
            }
            // The same lines once more, now borrowed from the caller's buffer.
            let (line, block) = StatusLine::parse(self.scanner.take(input))?;
            let headers = Headers::new(block);
            return Ok(Some(match line.status {
                101 => Response::Accepted(Accepted { headers }),
                status => Response::Refused(Refused { status, headers }),
            }));
        }
    }

    /// The rules of a 101.
    fn judge(&self, line: StatusLine, headers: Headers<'_>) -> Result<(), HandshakeError> {
        // §4.1, RFC 9110 §15.2: HTTP/1.0 knows no 101.
        if line.minor == 0 {
            return Err(HandshakeError::InvalidHttpVersion);
        }
        Fields::collect(headers.iter()).judge(&self.accept, self.subprotocols)
    }
}

/// What a client offers to the server: nothing, unless told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'o> {
    origin: Option<&'o str>,
    subprotocols: &'o [&'o str],
    headers: &'o [(&'o str, &'o str)],
}

impl<'o> Offer<'o> {
    /// No origin, no subprotocols and no further headers.
    pub const fn new() -> Self {
        Offer { origin: None, subprotocols: &[], headers: &[] }
    }

    /// The origin of the page that asks; a client that is not a browser needs none (§4.1).
    #[must_use]
    pub const fn origin(mut self, origin: &'o str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The subprotocols, the one that is liked best first. A server may choose one or none.
    #[must_use]
    pub const fn subprotocols(mut self, names: &'o [&'o str]) -> Self {
        self.subprotocols = names;
        self
    }

    /// Header lines to add, such as a Cookie or an Authorization.
    #[must_use]
    pub const fn headers(mut self, headers: &'o [(&'o str, &'o str)]) -> Self {
        self.headers = headers;
        self
    }

    fn check(&self) -> Result<(), HeadError> {
        if self.origin.is_some_and(|origin| !is_origin(origin.as_bytes())) {
            return Err(HeadError::InvalidOrigin);
        }
        let mut names = self.subprotocols.iter();
        while let Some(name) = names.next() {
            // §4.1: each is a token, and none is there twice.
            if !is_token(name.as_bytes()) || names.as_slice().contains(name) {
                return Err(HeadError::InvalidSubprotocol);
            }
        }
        check_headers(self.headers)
    }
}

/// A server's answer to an opening handshake.
#[derive(Clone, Debug)]
pub enum Response<'h> {
    /// A valid 101: the connection is open.
    Accepted(Accepted<'h>),
    /// A final response other than 101: there is no connection, and HTTP goes on.
    Refused(Refused<'h>),
}

/// A valid 101, all of it checked against the request (§4.1).
#[derive(Clone, Debug)]
pub struct Accepted<'h> {
    headers: Headers<'h>,
}

impl<'h> Accepted<'h> {
    /// What the [`Connection`](crate::Connection) has to know.
    pub const fn agreed(&self) -> Agreed {
        Agreed::new()
    }

    /// The subprotocol that the server chose among those offered; `None` if it chose none.
    pub fn subprotocol(&self) -> Option<&'h str> {
        self.headers.first(headers::PROTOCOL).and_then(|name| str::from_utf8(name).ok())
    }

    /// The extensions in use, in the order in which they handle data (§9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'h>> + Clone + use<'h> {
        self.headers.all(headers::EXTENSIONS).flat_map(extension::extensions).flatten()
    }

    /// All header lines, such as a Set-Cookie.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }
}

/// A final response other than 101: a challenge, a redirect, an error.
#[derive(Clone, Debug)]
pub struct Refused<'h> {
    status: u16,
    headers: Headers<'h>,
}

impl<'h> Refused<'h> {
    /// The status code, 200 or above.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// All header lines, such as a Location or a WWW-Authenticate.
    pub const fn headers(&self) -> Headers<'h> {
        self.headers
    }

    /// The versions of the protocol that the server says it supports (§4.4).
    pub fn versions(&self) -> impl Iterator<Item = u8> + Clone + use<'h> {
        self.headers.all(headers::VERSION).flat_map(elements).filter_map(parse_version)
    }
}

/// What the header fields of a response say, before any of it is judged. It does not matter which
/// HTTP stack parsed them.
#[derive(Default)]
struct Fields<'h> {
    upgrade: List,
    connection: List,
    accept: Single<'h>,
    subprotocol: Single<'h>,
    extensions: List,
}

impl<'h> Fields<'h> {
    fn collect(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut fields = Fields::default();
        for (name, value) in headers {
            match Field::of(name) {
                Some(Field::Upgrade) => fields.upgrade.see(value, is_protocol, "websocket"),
                Some(Field::Connection) => fields.connection.see(value, is_token, "Upgrade"),
                Some(Field::Accept) => fields.accept.see(value),
                Some(Field::Protocol) => fields.subprotocol.see(value),
                Some(Field::Extensions) => {
                    let elements = extension::extensions(value);
                    fields.extensions.see_judged(elements.map(|element| element.is_ok()));
                }
                // RFC 9110 §15.2.2: a 101 has no body, whatever a Content-Length says.
                _ => {}
            }
        }
        fields
    }

    /// The rules of a response that upgrades an HTTP/1.1 connection.
    fn judge(&self, accept: &str, subprotocols: &[&str]) -> Result<(), HandshakeError> {
        // §4.1: Upgrade is `websocket`, and not a list of several.
        if !self.upgrade.is_only_it() {
            return Err(HandshakeError::InvalidUpgrade);
        }
        // §4.1: Connection lists `Upgrade`.
        if !self.connection.names_it() {
            return Err(HandshakeError::InvalidConnection);
        }
        // §4.1, §11.3.3: exactly one Accept, the one that this key asks for.
        if self.accept.once() != Some(accept.as_bytes()) {
            return Err(HandshakeError::InvalidAccept);
        }
        self.judge_choice(subprotocols)
    }

    /// The rules that do not depend on the version of HTTP.
    fn judge_choice(&self, subprotocols: &[&str]) -> Result<(), HandshakeError> {
        if !self.subprotocol.is_absent() {
            // §4.3, §11.3.4: one line, one token.
            let chosen = self.subprotocol.once().filter(|name| is_token(name));
            let chosen = chosen.ok_or(HandshakeError::InvalidSubprotocol)?;
            // §4.1: one of those offered, in the same letters.
            if !subprotocols.iter().any(|offered| offered.as_bytes() == chosen) {
                return Err(HandshakeError::SubprotocolNotOffered);
            }
        }
        // §9.1: the whole list has to be well formed.
        if !self.extensions.is_valid() {
            return Err(HandshakeError::InvalidExtensions);
        }
        // §4.1: no extension that was not offered, and none is.
        if !self.extensions.is_absent() {
            return Err(HandshakeError::ExtensionNotOffered);
        }
        Ok(())
    }
}
