//! A client's request (§4.1), whichever HTTP stack carries it.

use core::fmt::{self, Write};

use arrayvec::ArrayString;

use super::{
    error::{HandshakeError, HeadError},
    fields::{Field, Fields, Form},
    headers::is_token,
    key,
    request::is_origin,
    response::{Criteria, Response},
    target::{Resource, Target},
    write::{FieldValue, check_headers, write_headers},
};
use crate::agreed::Deflate;

/// The setting by which a server of HTTP/2 (RFC 8441 §3) or HTTP/3 (RFC 9220 §3) announces that it
/// accepts extended CONNECT requests: its number and its value. Both RFCs call it
/// SETTINGS_ENABLE_CONNECT_PROTOCOL.
///
/// A server never withdraws this announcement.
pub const ENABLE_CONNECT_PROTOCOL: (u16, u32) = (0x8, 1);

/// The options of a client's request: origin, subprotocols, compression, further headers.
///
/// ```
/// use websocket_proto::{Deflate, handshake::Offer};
///
/// let headers = [("Authorization", "Bearer secret")];
/// let offer = Offer::new()
///     .subprotocols(&["chat.v2", "chat.v1"])
///     .deflate(&Deflate::OFFERS)
///     .headers(&headers);
/// # let _ = offer;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Offer<'o> {
    absolute_form: bool,
    origin: Option<&'o str>,
    pub(crate) subprotocols: &'o [&'o str],
    pub(super) deflate: &'o [Deflate],
    headers: &'o [(&'o str, &'o str)],
}

impl<'o> Offer<'o> {
    /// Creates an offer without an origin, subprotocols, compression or further headers.
    #[must_use]
    pub const fn new() -> Self {
        Offer { absolute_form: false, origin: None, subprotocols: &[], deflate: &[], headers: &[] }
    }

    /// Sets the origin of the page that opens the connection. Only browsers need one (§4.1).
    #[must_use]
    pub const fn origin(mut self, origin: &'o str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Sets the subprotocols, most preferred first. A server may choose one or none.
    #[must_use]
    #[doc(alias("Sec-WebSocket-Protocol", "protocol"))]
    pub const fn subprotocols(mut self, names: &'o [&'o str]) -> Self {
        self.subprotocols = names;
        self
    }

    /// Sets the compression parameters to offer, most preferred first (RFC 7692 §5). Usually these
    /// are [`Deflate::OFFERS`], which work with every kind of server.
    ///
    /// A server may accept one of them, with these parameters or tighter ones, or none. The
    /// response does not say which offer it accepts, so the client honours the restrictions of
    /// every offer that the response matches. Make more than one only if they ask different things
    /// of the server, as those of [`Deflate::OFFERS`] do. The result is in
    /// [`Agreed::deflate`](crate::Agreed::deflate). A client that cannot go on without compression
    /// closes with [`MANDATORY_EXTENSION`](crate::CloseCode::MANDATORY_EXTENSION).
    #[must_use]
    #[doc(alias("permessage-deflate", "compression"))]
    pub const fn deflate(mut self, ways: &'o [Deflate]) -> Self {
        self.deflate = ways;
        self
    }

    /// Sets whether a request of HTTP/1.1 names the whole URI (`GET http://example.com/chat`), as
    /// plain HTTP proxies require (RFC 9112 §3.2.2). By default it names only the path and the
    /// query.
    ///
    /// Send such a request to the proxy instead of the server. If the proxy supports CONNECT, ask
    /// it for a tunnel instead, and send a request in the default form through the tunnel. A `wss`
    /// target always needs a tunnel.
    ///
    /// ```
    /// use websocket_proto::handshake::{ClientHandshake, Offer, Target};
    ///
    /// let target = Target::parse("ws://example.com/chat")?;
    /// let headers = [("Proxy-Authorization", "Basic dXNlcjpzZWNyZXQ=")];
    /// let offer = Offer::new().absolute_form(true).headers(&headers);
    /// let nonce = *b"the sample nonce"; // from `handshake::nonce()`, for example
    /// let mut out = Vec::new();
    /// let handshake = ClientHandshake::start(&target, &offer, nonce, &mut out)?;
    /// assert!(out.starts_with(b"GET http://example.com/chat HTTP/1.1\r\nHost: example.com\r\n"));
    /// # let _ = handshake;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[doc(alias = "proxy")]
    pub const fn absolute_form(mut self, on: bool) -> Self {
        self.absolute_form = on;
        self
    }

    /// Sets the header lines to add, such as a Cookie or an Authorization. In an extended CONNECT
    /// their names have to be in lower case.
    #[must_use]
    pub const fn headers(mut self, headers: &'o [(&'o str, &'o str)]) -> Self {
        self.headers = headers;
        self
    }

    /// Checks the caller's settings. Whatever passes can be written without escaping.
    fn check(&self, form: Form) -> Result<(), HeadError> {
        if self.origin.is_some_and(|origin| !is_origin(origin.as_bytes())) {
            return Err(HeadError::InvalidOrigin);
        }
        let mut names = self.subprotocols.iter();
        while let Some(name) = names.next() {
            // §4.1: each is a token, and no two are equal.
            if !is_token(name.as_bytes()) || names.as_slice().contains(name) {
                return Err(HeadError::InvalidSubprotocol);
            }
        }
        check_headers(form, self.headers)
    }
}

/// A client's opening handshake in parts, for use with another HTTP stack: the request, and the
/// validation of the response.
///
/// [`ClientHandshake`](super::ClientHandshake) does the same in the bytes of HTTP/1.1.
///
/// ```
/// use websocket_proto::handshake::{Offer, ClientRequest, Response, Target};
///
/// let target = Target::parse("wss://example.com/chat?room=1")?;
/// let offer = Offer::new().subprotocols(&["chat.v2", "chat.v1"]);
/// let enabled = true; // whether the server's SETTINGS had `ENABLE_CONNECT_PROTOCOL`
/// let opening = ClientRequest::connect(&target, &offer, enabled)?;
///
/// assert_eq!(opening.method(), "CONNECT");
/// assert_eq!(opening.protocol(), Some("websocket"));
/// assert_eq!(opening.scheme(), "https");
/// assert_eq!(opening.authority().to_string(), "example.com");
/// assert_eq!(opening.resource().to_string(), "/chat?room=1");
/// let headers: Vec<_> = opening.headers().map(|(name, value)| format!("{name}: {value}")).collect();
/// assert_eq!(headers, ["sec-websocket-version: 13", "sec-websocket-protocol: chat.v2, chat.v1"]);
///
/// // The stack sends that, and receives a response:
/// let answer = [("sec-websocket-protocol", "chat.v1")];
/// match opening.validate(200, (2, 0), answer.iter().map(|(name, value)| (name, value)))? {
///     Response::Accepted(response) => assert_eq!(response.subprotocol(), Some("chat.v1")),
///     Response::Refused(response) => panic!("HTTP status {}", response.status()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("upgrade", "connect"))]
pub struct ClientRequest<'o> {
    target: Target<'o>,
    offer: Offer<'o>,
    form: Form,
    /// The Sec-WebSocket-Key. An Upgrade always has one, and a CONNECT only if the caller set it.
    key: Option<ArrayString<24>>,
}

impl<'o> ClientRequest<'o> {
    /// Creates an Upgrade of HTTP/1.1.
    ///
    /// `nonce` is 16 random bytes, drawn for this handshake alone (§4.1), such as those of
    /// `handshake::nonce`.
    ///
    /// # Errors
    ///
    /// - [`HeadError::InvalidOrigin`], [`HeadError::InvalidSubprotocol`]: a part of `offer` may not
    ///   be offered.
    /// - [`HeadError::InvalidHeader`], [`HeadError::ProtectedHeader`]: a header may not be sent.
    pub fn upgrade(
        target: &Target<'o>,
        offer: &Offer<'o>,
        nonce: [u8; 16],
    ) -> Result<Self, HeadError> {
        offer.check(Form::Upgrade)?;
        let opening =
            ClientRequest { target: *target, offer: *offer, form: Form::Upgrade, key: None };
        Ok(opening.key(nonce))
    }

    /// Creates an extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220). `enabled` says
    /// whether the server has announced [`ENABLE_CONNECT_PROTOCOL`].
    ///
    /// # Errors
    ///
    /// - [`HeadError::ConnectNotEnabled`]: `enabled` is false. A server without the setting would
    ///   take the request for a malformed one.
    /// - Those of [`upgrade`](ClientRequest::upgrade); [`HeadError::InvalidHeader`] also if the
    ///   name of a header has an upper-case letter.
    pub fn connect(
        target: &Target<'o>,
        offer: &Offer<'o>,
        enabled: bool,
    ) -> Result<Self, HeadError> {
        // RFC 8441 §3, RFC 9220 §3: only after the server's setting was received.
        if !enabled {
            return Err(HeadError::ConnectNotEnabled);
        }
        offer.check(Form::Connect)?;
        // RFC 8441 §5: no key.
        Ok(ClientRequest { target: *target, offer: *offer, form: Form::Connect, key: None })
    }

    /// Sets the 16 random bytes that are sent as the Sec-WebSocket-Key.
    ///
    /// An [`upgrade`](ClientRequest::upgrade) has a key already. A
    /// [`connect`](ClientRequest::connect) needs none, because RFC 8441 §5 leaves the key out. Set
    /// one for gateways that translate the request to HTTP/1.1 and do not make a key themselves.
    /// The answer to the key of a CONNECT is not checked.
    #[must_use]
    pub fn key(mut self, nonce: [u8; 16]) -> Self {
        self.key = Some(key::encode_key(nonce));
        self
    }

    /// Returns the method: GET, or CONNECT.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self.form {
            Form::Upgrade => "GET",
            Form::Connect => "CONNECT",
        }
    }

    /// Returns the `:protocol` of a CONNECT.
    #[must_use]
    pub const fn protocol(&self) -> Option<&'static str> {
        match self.form {
            Form::Upgrade => None,
            // RFC 8441 §5: the protocol is `websocket`.
            Form::Connect => Some("websocket"),
        }
    }

    /// Returns the HTTP scheme, which is the value of `:scheme`: `https` or `http`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        // RFC 8441 §5: `https` for `wss`, `http` for `ws`.
        if self.target.secure() { "https" } else { "http" }
    }

    /// Returns the host, and the port if it is not the scheme's default: the value of Host and of
    /// `:authority`.
    #[must_use]
    pub fn authority(&self) -> impl fmt::Display + use<'o> {
        self.target.authority()
    }

    /// Returns the path and the query: the target of a GET and the value of `:path`. A plain HTTP
    /// proxy requires the whole URI, so put [`scheme`](ClientRequest::scheme) and
    /// [`authority`](ClientRequest::authority) before the path.
    #[must_use]
    pub const fn resource(&self) -> Resource<'o> {
        self.target.resource()
    }

    /// Returns the header fields, those of [`Offer`] last. In a CONNECT all names are in lower
    /// case, and there is no Host.
    pub fn headers(&self) -> impl Iterator<Item = (&str, impl fmt::Display)> {
        let name = |field| self.form.name(field);
        // §4.1: the fields of a request. RFC 8441 §5: a CONNECT has none of these three.
        let upgrade = (self.form == Form::Upgrade).then(|| {
            [
                ("Host", FieldValue::Authority(self.target.parts())),
                ("Upgrade", FieldValue::Text("websocket")),
                ("Connection", FieldValue::Text("Upgrade")),
            ]
        });
        let key = self.key.as_ref().map(|key| (name(Field::Key), FieldValue::Text(key)));
        let version = [(name(Field::Version), FieldValue::Text("13"))];
        upgrade.into_iter().flatten().chain(key).chain(version).chain(self.offers())
    }

    /// Writes the target of a request line.
    pub(super) fn write_target(&self, out: &mut dyn Write) -> fmt::Result {
        // RFC 9112 §3.2.1, §3.2.2: the origin form, or for a proxy the absolute one.
        // RFC 8441 §4: a CONNECT has all parts of a URI.
        if self.offer.absolute_form || self.form == Form::Connect {
            out.write_str(self.scheme())?;
            out.write_str("://")?;
            self.target.parts().write(out)?;
        }
        self.resource().write(out)
    }

    /// Writes the head of an Upgrade: the request line and the [`headers`](Self::headers). The
    /// constant ones are written together, because each piece takes time.
    pub(super) fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str("GET ")?;
        self.write_target(out)?;
        out.write_str(" HTTP/1.1\r\nHost: ")?;
        self.target.parts().write(out)?;
        out.write_str("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ")?;
        out.write_str(self.key.as_deref().unwrap_or_default())?;
        out.write_str("\r\nSec-WebSocket-Version: 13\r\n")?;
        write_headers(out, self.offers())
    }

    /// Returns the header fields of [`Offer`] in a type that can be written without `fmt`.
    fn offers(&self) -> impl Iterator<Item = (&str, FieldValue<'_>)> {
        let Offer { origin, subprotocols, deflate, headers, .. } = self.offer;
        let name = |field| self.form.name(field);
        let origin = origin.map(|origin| (name(Field::Origin), FieldValue::Text(origin)));
        let subprotocols = (!subprotocols.is_empty())
            .then(|| (name(Field::Protocol), FieldValue::List(subprotocols)));
        let extensions = (!deflate.is_empty())
            .then(|| (name(Field::Extensions), FieldValue::Extensions(deflate)));
        let headers = headers.iter().map(|&(name, value)| (name, FieldValue::Text(value)));
        origin.into_iter().chain(subprotocols).chain(extensions).chain(headers)
    }

    /// Validates a response that the stack has received: its status, the version of HTTP (major,
    /// minor) and its header fields.
    ///
    /// A 101 opens the connection, and so does any 2xx to a CONNECT. A Sec-WebSocket-Accept in the
    /// answer to a CONNECT is not checked (RFC 8441 §5), because a 2xx to an extended CONNECT
    /// proves by itself that the server understood it.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which rule the response breaks. The client drops the transport, or
    /// resets the stream, because there is no connection yet to close (§7.1.4). An interim
    /// response, which the stack should not have passed on, is an
    /// [`InvalidStatus`](HandshakeError::InvalidStatus).
    pub fn validate<'h, H: Fields<'h>>(
        &self,
        status: u16,
        version: (u8, u8),
        headers: H,
    ) -> Result<Response<'h, H>, HandshakeError> {
        let agreed = self.criteria().validate(status, version, headers.clone())?;
        Ok(Response::new(self.form, status, agreed, headers))
    }

    /// Returns the criteria for responses to this request. The key of a CONNECT is left out,
    /// because its answer is not checked.
    pub(super) fn criteria(&self) -> Criteria<'o> {
        let key = self.key.as_ref().filter(|_| self.form == Form::Upgrade);
        let accept_key = key.map(|key| key::accept_key(key.as_bytes()));
        let Offer { subprotocols, deflate, .. } = self.offer;
        Criteria { accept_key, subprotocols, deflate }
    }
}
