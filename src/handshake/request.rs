//! A client's request and its rules (§4.2.1), whichever HTTP stack parsed it.
//!
//! There is one way into a [`Request`] for each form. Both collect the header fields into a
//! `RequestFields` in one pass, and validate it afterwards. So the error of a request with several
//! faults does not depend on the order of its lines, except for names that a CONNECT may not have.
//! The [quick path](super::quick) collects and validates by the same functions.
//!
//! ```text
//!   bytes ──▶ RequestLine::parse ──┐
//!   parts ──▶ RequestLine::upgrade ┴▶ Request::from_line ─▶ validate_upgrade ─┐
//!   pseudo-headers ─▶ Request::connect ─▶ validate_lines, validate_connect ───┴▶ validate_offer
//! ```

use core::str;

use arrayvec::ArrayString;

use super::{
    accept::{AcceptOptions, AcceptResponse},
    deflate,
    error::{FieldFault, HandshakeError, HeadError},
    extension::{self, Extension},
    fields::{Field, Fields, Form, List, Single, validate_lines},
    head::RequestLine,
    headers::{Headers, elements, is_protocol, is_token},
    key,
    target::{Authority, Origin, Resource, default_http_port},
    write::{check_headers, emit},
};
use crate::{agreed::Agreed, output::Output};

/// A valid request for a connection, to be [accepted](Request::accept) or
/// [rejected](super::reject).
///
/// A [`ServerHandshake`](super::ServerHandshake) makes it from bytes; [`upgrade`](Request::upgrade)
/// and [`connect`](Request::connect) make it from what another HTTP stack has parsed, where `H` is
/// the header fields as that stack stores them. Everything in a request comes from an untrusted
/// peer (§10.1).
#[doc(alias = "upgrade")]
#[derive(Clone, Debug)]
pub struct Request<'h, H = Headers<'h>> {
    pub(super) line: RequestLine<'h>,
    pub(super) headers: H,
    pub(super) form: Form,
    /// The Sec-WebSocket-Accept that answers the key. An Upgrade always has one, and a CONNECT only
    /// if it has a well-formed key.
    pub(super) accept_key: Option<ArrayString<28>>,
}

impl<'h, H: Fields<'h>> Request<'h, H> {
    /// Creates a request from what another stack received over HTTP/1.1: its method, the version of
    /// HTTP (major, minor), its target and its header fields.
    ///
    /// The target is that of the request line: a path with a query, or an absolute URI.
    ///
    /// ```
    /// use websocket_proto::handshake::{AcceptOptions, HandshakeError, Request};
    ///
    /// let headers = [
    ///     ("host", "server.example.com"),
    ///     ("upgrade", "websocket"),
    ///     ("connection", "Upgrade"),
    ///     ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ///     ("sec-websocket-version", "13"),
    /// ];
    /// let fields = headers.iter().map(|(name, value)| (name, value));
    /// let request = Request::upgrade("GET", (1, 1), "/chat", fields)?;
    /// let answer = request.response(&AcceptOptions::new())?;
    /// assert_eq!(answer.status(), 101);
    /// assert!(answer.headers().any(|(name, value)| {
    ///     name == "Sec-WebSocket-Accept" && value == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    /// }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which rule the request breaks. The server answers with its
    /// [`status`](HandshakeError::status) and its [`headers`](HandshakeError::headers), or takes
    /// the request for plain HTTP.
    pub fn upgrade(
        method: &'h str,
        version: (u8, u8),
        target: &'h str,
        headers: H,
    ) -> Result<Self, HandshakeError> {
        Request::from_line(RequestLine::upgrade(method, version, target)?, headers)
    }

    /// Creates a request from what another stack received as an extended CONNECT, over HTTP/2 (RFC
    /// 8441 §5) or HTTP/3 (RFC 9220 §3).
    ///
    /// The server has to have announced
    /// [`ENABLE_CONNECT_PROTOCOL`](super::ENABLE_CONNECT_PROTOCOL). It serves the WebSocket on this
    /// stream itself. It does not connect to `:authority`, as it would for a plain CONNECT.
    ///
    /// A Sec-WebSocket-Key is not checked (RFC 8441 §5). Gateways such as HAProxy and Envoy leave
    /// it in the request of a client of HTTP/1.1, so a well-formed key is answered with a
    /// Sec-WebSocket-Accept, see [`AcceptResponse::headers`].
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which rule the request breaks. The server answers with its
    /// [`connect_status`](HandshakeError::connect_status) and its
    /// [`connect_headers`](HandshakeError::connect_headers).
    pub fn connect(pseudo: PseudoHeaders<'h>, headers: H) -> Result<Self, HandshakeError> {
        let (line, authority, port) = pseudo.validate()?;
        validate_lines(headers.clone())?;
        let fields = RequestFields::collect(headers.clone().lines());
        fields.validate_connect(authority, port)?;
        // RFC 8441 §5: the key is not processed, so a malformed one is only not answered.
        Ok(Request { line, headers, form: Form::Connect, accept_key: fields.accept_key().ok() })
    }

    /// Creates a request of HTTP/1.1 from a valid line and its header fields.
    pub(super) fn from_line(line: RequestLine<'h>, headers: H) -> Result<Self, HandshakeError> {
        let accept_key = RequestFields::collect(headers.clone().lines()).validate_upgrade()?;
        Ok(Request { line, headers, form: Form::Upgrade, accept_key: Some(accept_key) })
    }

    /// Returns the method: GET, or CONNECT.
    #[must_use]
    pub const fn method(&self) -> &'h str {
        self.line.method
    }

    /// Returns the path and the query that are asked for. Answer with a 404 if they lead nowhere.
    ///
    /// A request target is not held to every rule of RFC 3986: browsers leave characters such as
    /// `|` and `[` as they are.
    #[must_use]
    pub const fn resource(&self) -> Resource<'h> {
        self.line.resource
    }

    /// Returns the host that the client believes to talk to, with a port if one was sent.
    #[must_use]
    pub fn host(&self) -> &'h str {
        // RFC 9112 §3.2.2, RFC 9113 §8.3.1: the authority of the target goes before Host.
        self.line.authority.or_else(|| self.text(Field::Host)).unwrap_or_default()
    }

    /// Returns the origin of the page whose script asks, as its browser reports it. Other clients
    /// may send none, or any (§10.2). See [`is_same_origin`](Request::is_same_origin).
    #[must_use]
    pub fn origin(&self) -> Option<&'h str> {
        self.text(Field::Origin)
    }

    /// Whether the request comes from a page of this same host: an `http` or `https` Origin is
    /// there, and its host and port are those of [`host`](Request::host).
    ///
    /// A browser lets any page open a connection to any server and sends the user's cookies along.
    /// If a server identifies users by cookies and does not check Origin, every page that they
    /// visit can use their sessions. This is cross-site WebSocket hijacking. Unless a server is
    /// meant for all pages, it refuses foreign origins (§10.2):
    ///
    /// ```
    /// use websocket_proto::Agreed;
    /// use websocket_proto::handshake::{self, AcceptOptions, HeadError, Request};
    ///
    /// fn decide(request: &Request<'_>, out: &mut Vec<u8>) -> Result<Option<Agreed>, HeadError> {
    ///     if request.origin().is_some() && !request.is_same_origin() {
    ///         handshake::reject(403, &[], b"", out)?;
    ///         return Ok(None);
    ///     }
    ///     request.accept(&AcceptOptions::new(), out).map(Some)
    /// }
    /// # let _ = decide;
    /// ```
    ///
    /// The example accepts clients that send no Origin, which no browser does. The scheme is not
    /// compared, because behind a TLS terminator the server does not know its own. A missing port
    /// is the default of the origin's scheme. Host is chosen by the client, so compare it with the
    /// names that the server is meant to have. Otherwise an attacker can point a name of their own
    /// at its address (DNS rebinding), and that name then equals its own origin.
    ///
    /// Behind a proxy this may be false for every page, because nginx and Apache by default replace
    /// Host by the name of the backend. List the allowed origins instead, with
    /// [`is_origin_in`](Request::is_origin_in).
    #[must_use]
    #[doc(alias = "cors")]
    #[doc(alias = "csrf")]
    pub fn is_same_origin(&self) -> bool {
        let Some(origin) = self.origin().and_then(Origin::parse) else { return false };
        let (Some(port), Ok(ours)) =
            (default_http_port(origin.scheme), Authority::parse(self.host()))
        else {
            return false;
        };
        origin.authority.is_same(ours, port)
    }

    /// Whether the request comes from a page of one of the origins in `allowed`, such as
    /// `https://example.com` or `http://localhost:3000` (§10.2). [`is_same_origin`] describes the
    /// attack that this check prevents.
    ///
    /// The check does not look at Host, so it also works behind a proxy. It compares scheme, host
    /// and port, the first two without regard to ASCII case. An origin of `http` without a port has
    /// port 80, one of `https` has 443. There are no wildcards. A missing Origin, the opaque origin
    /// `null` and a malformed one match no entry. An entry that is malformed matches no origin:
    /// write it without a slash at the end.
    ///
    /// [`is_same_origin`]: Request::is_same_origin
    ///
    /// ```
    /// use websocket_proto::handshake::Request;
    ///
    /// fn is_allowed(request: &Request<'_>) -> bool {
    ///     // The first condition admits programs other than browsers, which send no Origin.
    ///     request.origin().is_none() || request.is_origin_in(&["https://example.com"])
    /// }
    /// # let _ = is_allowed;
    /// ```
    #[must_use]
    #[doc(alias = "cors")]
    pub fn is_origin_in(&self, allowed: &[&str]) -> bool {
        let Some(origin) = self.origin().and_then(Origin::parse) else { return false };
        allowed.iter().filter_map(|text| Origin::parse(text)).any(|other| origin.is_same(other))
    }

    /// Returns the subprotocols that the client offers, most preferred first (§4.2.1).
    ///
    /// A name that the client offers twice is returned twice.
    #[doc(alias = "Sec-WebSocket-Protocol")]
    pub fn subprotocols(&self) -> impl Iterator<Item = &'h str> + use<'h, H> {
        // §11.3.4: several lines are one list, in the order of the lines. All elements are tokens,
        // so none is lost here.
        let lines = self.headers.clone().values(Field::Protocol);
        lines.flat_map(elements).filter_map(|element| str::from_utf8(element).ok())
    }

    /// Returns the first subprotocol of `supported` that the client offers too, so the server's
    /// order decides (§4.2.2). If this returns `None`, accept the request without a subprotocol, or
    /// reject it.
    ///
    /// ```
    /// use websocket_proto::Agreed;
    /// use websocket_proto::handshake::{AcceptOptions, HeadError, Request};
    ///
    /// fn accept(request: &Request<'_>, out: &mut Vec<u8>) -> Result<Agreed, HeadError> {
    ///     let mut options = AcceptOptions::new();
    ///     if let Some(name) = request.choose_subprotocol(&["chat.v2", "chat.v1"]) {
    ///         options = options.subprotocol(name);
    ///     }
    ///     request.accept(&options, out)
    /// }
    /// # let _ = accept;
    /// ```
    #[must_use]
    pub fn choose_subprotocol<'s>(&self, supported: &[&'s str]) -> Option<&'s str> {
        let mut supported = supported.iter().copied();
        supported.find(|name| self.subprotocols().any(|offered| offered == *name))
    }

    /// Returns the extensions that the client offers, most preferred first (§9.1).
    #[doc(alias = "Sec-WebSocket-Extensions")]
    #[doc(alias = "permessage-deflate")]
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'h>> + use<'h, H> {
        self.headers.clone().values(Field::Extensions).flat_map(extension::extensions).flatten()
    }

    /// Returns all header fields.
    #[must_use]
    pub fn headers(&self) -> H {
        self.headers.clone()
    }

    /// Returns the value of the first header field with this name. HTTP/2 and HTTP/3 may split a
    /// Cookie into several fields (RFC 9113 §8.2.3): [`headers`](Request::headers) has them all.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.headers.clone().value_of(name)
    }

    /// Returns the response that opens the connection, for another stack to write: of HTTP/1.1
    /// (§4.2.2), or of HTTP/2 and HTTP/3 (RFC 8441 §5).
    ///
    /// # Errors
    ///
    /// - [`HeadError::InvalidSubprotocol`], [`HeadError::SubprotocolNotOffered`]: the subprotocol
    ///   is not a token, or not one of [`subprotocols`](Request::subprotocols).
    /// - [`HeadError::InvalidHeader`], [`HeadError::ProtectedHeader`]: a header may not be sent.
    pub fn response<'a>(
        &self,
        options: &AcceptOptions<'a>,
    ) -> Result<AcceptResponse<'a>, HeadError> {
        if let Some(subprotocol) = options.subprotocol {
            // §4.2.2: the empty string is not the same as no subprotocol.
            if !is_token(subprotocol.as_bytes()) {
                return Err(HeadError::InvalidSubprotocol);
            }
            // §4.2.2: one from the client's list.
            if !self.subprotocols().any(|offered| offered == subprotocol) {
                return Err(HeadError::SubprotocolNotOffered);
            }
        }
        check_headers(self.form, options.headers)?;
        let wanted = options.deflate.as_ref();
        let deflate = wanted.and_then(|wanted| deflate::choose(wanted, self.extensions()));
        Ok(AcceptResponse::new(options, self.form, self.accept_key, deflate))
    }

    /// Appends the 101 that opens the connection (§4.2.2), and returns what was agreed, for the
    /// [`Connection`](crate::Connection). Frames may follow at once: the bytes that stayed in the
    /// input are the first of the connection.
    ///
    /// # Errors
    ///
    /// - Those of [`response`](Request::response).
    /// - [`HeadError::NotUpgrade`]: the request came as an extended CONNECT.
    /// - [`HeadError::Full`]: `out` has no room. In each case nothing was written.
    pub fn accept(
        &self,
        options: &AcceptOptions<'_>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<Agreed, HeadError> {
        // RFC 8441 §5: the response to a CONNECT is no 101, and is not written as HTTP/1.1.
        if self.form == Form::Connect {
            return Err(HeadError::NotUpgrade);
        }
        let answer = self.response(options)?;
        emit(out, b"", |head| answer.write(head))?;
        Ok(answer.agreed())
    }

    fn text(&self, field: Field) -> Option<&'h str> {
        self.headers.clone().values(field).next().and_then(|value| str::from_utf8(value).ok())
    }
}

/// The pseudo-header fields of a request over HTTP/2 or HTTP/3 (RFC 9113 §8.3.1, RFC 8441 §4), as
/// the HTTP stack holds them.
///
/// ```
/// use websocket_proto::handshake::{HandshakeError, PseudoHeaders, Request};
///
/// # let (authority, path) = (Some("server.example.com"), Some("/chat"));
/// let pseudo = PseudoHeaders::new("CONNECT")
///     .protocol("websocket")
///     .scheme("https")
///     .authority(authority) // an `Option` does as well
///     .path(path);
/// let fields = [("sec-websocket-version", "13")];
/// let request = Request::connect(pseudo, fields.iter().map(|(name, value)| (name, value)))?;
/// assert_eq!(request.host(), "server.example.com");
///
/// // A tunnel to somewhere else is no handshake.
/// let tunnel = PseudoHeaders::new("CONNECT").authority("h:25");
/// let fields = fields.iter().map(|(name, value)| (name, value));
/// assert_eq!(Request::connect(tunnel, fields).err(), Some(HandshakeError::UnsupportedProtocol));
/// # Ok::<(), HandshakeError>(())
/// ```
#[doc(alias = "rfc8441")]
#[doc(alias = ":protocol")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PseudoHeaders<'h> {
    method: &'h str,
    protocol: Option<&'h str>,
    scheme: Option<&'h str>,
    authority: Option<&'h str>,
    path: Option<&'h str>,
}

impl<'h> PseudoHeaders<'h> {
    /// Creates the fields of a request that has a `:method` only.
    #[must_use]
    pub const fn new(method: &'h str) -> Self {
        PseudoHeaders { method, protocol: None, scheme: None, authority: None, path: None }
    }

    /// Sets `:protocol`, which RFC 8441 adds to CONNECT.
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<Option<&'h str>>) -> Self {
        self.protocol = protocol.into();
        self
    }

    /// Sets `:scheme`.
    #[must_use]
    pub fn scheme(mut self, scheme: impl Into<Option<&'h str>>) -> Self {
        self.scheme = scheme.into();
        self
    }

    /// Sets `:authority`: the host, and the port if it is not the scheme's own.
    #[must_use]
    pub fn authority(mut self, authority: impl Into<Option<&'h str>>) -> Self {
        self.authority = authority.into();
        self
    }

    /// Sets `:path`: the path and the query.
    #[must_use]
    pub fn path(mut self, path: impl Into<Option<&'h str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Returns the fields as a line, the authority in its parts, and the port that the authority
    /// has if it names none.
    fn validate(self) -> Result<(RequestLine<'h>, Authority<'h>, u16), HandshakeError> {
        let PseudoHeaders { method, protocol, scheme, authority, path } = self;
        // RFC 8441 §4: the method is CONNECT.
        if method != "CONNECT" {
            return Err(HandshakeError::MethodNotAllowed);
        }
        // RFC 8441 §5: the protocol is `websocket`. RFC 9220 §3: there is an answer to any other.
        if !protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
            return Err(HandshakeError::UnsupportedProtocol);
        }
        // RFC 8441 §4: unlike a plain CONNECT, it has all parts of a target.
        let (Some(scheme), Some(name), Some(path)) = (scheme, authority, path) else {
            return Err(HandshakeError::InvalidPseudoHeader);
        };
        // RFC 8441 §5: `http` stands for `ws`, `https` for `wss`.
        let port = default_http_port(scheme).ok_or(HandshakeError::InvalidPseudoHeader)?;
        let parts = Authority::parse(name)
            .map_err(|_| HandshakeError::InvalidHost(FieldFault::Malformed))?;
        // RFC 9113 §8.3.1: a path and a query, and the path is not empty.
        let resource = Resource::of_path(path)?;
        Ok((RequestLine { method, authority, resource }, parts, port))
    }
}

/// The contents of a request's header fields, not validated yet.
#[derive(Default)]
pub(super) struct RequestFields<'h> {
    host: Single<'h>,
    upgrade: List,
    connection: List,
    /// Whether a field declares a body.
    body: bool,
    /// Whether there is a Content-Length, also one of 0.
    length: bool,
    key: Single<'h>,
    version: Single<'h>,
    origin: Single<'h>,
    subprotocols: List,
    extensions: List,
}

impl<'h> RequestFields<'h> {
    pub(super) fn collect(lines: impl Iterator<Item = (impl AsRef<[u8]>, &'h [u8])>) -> Self {
        let mut fields = RequestFields::default();
        for (name, value) in lines {
            match Field::of(name.as_ref()) {
                Some(Field::Host) => fields.host.record(value),
                Some(Field::Upgrade) => fields.upgrade.record(value, is_protocol, "websocket"),
                Some(Field::Connection) => fields.connection.record(value, is_token, "Upgrade"),
                Some(Field::ContentLength) => {
                    fields.length = true;
                    fields.body |= value != b"0";
                }
                Some(Field::TransferEncoding) => fields.body = true,
                Some(Field::Key) => fields.key.record(value),
                Some(Field::Version) => fields.version.record(value),
                Some(Field::Origin) => fields.origin.record(value),
                Some(Field::Protocol) => fields.subprotocols.record(value, is_token, ""),
                Some(Field::Extensions) => {
                    let elements = extension::extensions(value);
                    fields.extensions.record_validated(elements.map(|element| element.is_ok()));
                }
                // RFC 9110 §5.1: unknown fields are ignored.
                Some(Field::Accept | Field::KeepAlive | Field::ProxyConnection | Field::Te)
                | None => {}
            }
        }
        fields
    }

    /// Validates a request that upgrades an HTTP/1.1 connection, and returns the
    /// Sec-WebSocket-Accept that answers it.
    pub(super) fn validate_upgrade(&self) -> Result<ArrayString<28>, HandshakeError> {
        // §4.2.1, RFC 9112 §3.2: exactly one Host, even where the target names the authority.
        self.parse_host()?;
        // §4.2.1: Upgrade lists `websocket`. A version after it makes it another protocol. Only a
        // request without the field is plain HTTP, which the server may serve instead.
        if self.upgrade.is_absent() {
            return Err(HandshakeError::UpgradeMissing);
        }
        self.upgrade.require_named().map_err(HandshakeError::InvalidUpgrade)?;
        // §4.2.1: Connection lists `Upgrade`.
        self.connection.require_named().map_err(HandshakeError::InvalidConnection)?;
        self.validate_offer()?;
        // §4.2.1, §11.3.1: exactly one key, of 16 bytes. It comes last, so that nothing is hashed
        // for a request that is refused.
        self.accept_key().map_err(HandshakeError::InvalidKey)
    }

    /// Returns the Sec-WebSocket-Accept that answers the key, if there is one key, of 16 bytes.
    fn accept_key(&self) -> Result<ArrayString<28>, FieldFault> {
        self.key.once(|key| key::is_key(key).then(|| key::accept_key(key)))
    }

    /// Validates a request that turns a stream into a connection. Its lines passed
    /// `validate_lines`, so there is no Upgrade, no Connection and no Transfer-Encoding.
    fn validate_connect(&self, authority: Authority<'_>, port: u16) -> Result<(), HandshakeError> {
        // RFC 9113 §8.3.1: Host, if it is there at all, says the same as `:authority`.
        if !self.host.is_absent() && !self.parse_host()?.is_same(authority, port) {
            return Err(HandshakeError::InvalidHost(FieldFault::Mismatch));
        }
        // RFC 9113 §8.1.1: the stream would be held to the length, and its first frame break it.
        if self.length {
            return Err(HandshakeError::BodyDeclared);
        }
        self.validate_offer()
    }

    /// Validates what does not depend on the version of HTTP.
    fn validate_offer(&self) -> Result<(), HandshakeError> {
        // RFC 9112 §6, RFC 9110 §9.3.6: the bytes of a body would be taken for frames.
        if self.body {
            return Err(HandshakeError::BodyDeclared);
        }
        // §4.2.1, §11.3.5: exactly one version, and it is 13.
        match self.version.once(parse_version).map_err(HandshakeError::InvalidVersion)? {
            13 => {}
            version => return Err(HandshakeError::UnsupportedVersion(version)),
        }
        // RFC 6454 §7.3: one Origin at most, in visible ASCII.
        if !self.origin.is_absent() {
            let origin = self.origin.once(|origin| is_origin(origin).then_some(()));
            origin.map_err(HandshakeError::InvalidOrigin)?;
        }
        // §4.3: a list of tokens. Some clients send the field without a name in it, which offers
        // nothing.
        if !self.subprotocols.is_valid() {
            return Err(HandshakeError::InvalidSubprotocol(FieldFault::Malformed));
        }
        // §9.1: the whole list has to be well formed, also extensions that are not known here.
        if !self.extensions.is_valid() {
            return Err(HandshakeError::InvalidExtensions);
        }
        Ok(())
    }

    fn parse_host(&self) -> Result<Authority<'h>, HandshakeError> {
        let host = self.host.once(|host| Authority::parse(str::from_utf8(host).ok()?).ok());
        host.map_err(HandshakeError::InvalidHost)
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

/// Whether `text` has the characters of an Origin. Its parts are not checked here, because
/// `is_same_origin` and `is_origin_in` parse it.
pub(super) fn is_origin(text: &[u8]) -> bool {
    // RFC 6454 §7.1: `null`, or origins with a space between them.
    !text.is_empty() && text.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic())
}
