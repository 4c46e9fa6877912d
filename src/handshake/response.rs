//! A server's response and its rules (§4.1), whichever HTTP stack parsed it.
//!
//! [`Criteria`] remember what the request asked for. If a response refuses, only its version and
//! its status are validated. If it accepts, its header fields are collected in one pass and
//! validated afterwards, so that the error does not depend on the order of the lines.

use core::{marker::PhantomData, str};

use arrayvec::ArrayString;

use super::{
    deflate,
    error::{FieldFault, HandshakeError},
    extension::{self, Extension},
    fields::{Field, Fields, Form, List, Single, validate_lines},
    head::minor_version,
    headers::{Headers, elements, is_empty_list, is_protocol, is_token},
    request::parse_version,
};
use crate::agreed::{Agreed, Deflate};

/// A server's response to an opening handshake. `H` is the type in which the HTTP stack keeps the
/// header fields that it parsed.
///
/// ```
/// use websocket_proto::handshake::Response;
///
/// fn outcome(response: &Response<'_>) -> String {
///     match response {
///         Response::Accepted(accepted) => format!("open, {:?}", accepted.subprotocol()),
///         Response::Refused(refused) => match refused.headers().first("Location") {
///             Some(to) => format!("{}, to {}", refused.status(), to.escape_ascii()),
///             None => format!("{}", refused.status()),
///         },
///     }
/// }
/// # let _ = outcome;
/// ```
#[derive(Clone, Debug)]
pub enum Response<'h, H = Headers<'h>> {
    /// A valid acceptance: the connection is open.
    Accepted(Accepted<'h, H>),
    /// Another final response: there is no connection, and HTTP goes on.
    Refused(Refused<'h, H>),
}

impl<'h, H> Response<'h, H> {
    /// Creates a final response whose parts [`Criteria::validate`] found valid.
    pub(super) fn new(form: Form, status: u16, agreed: Agreed, headers: H) -> Self {
        if is_acceptance(form, status) {
            Response::Accepted(Accepted { agreed, headers, lifetime: PhantomData })
        } else {
            Response::Refused(Refused { status, headers, lifetime: PhantomData })
        }
    }
}

/// A valid 101 response, or a valid 2xx response to a CONNECT, checked against the request (§4.1).
///
/// ```
/// use websocket_proto::handshake::Accepted;
/// use websocket_proto::{Client, Config, Connection, MaskSource};
///
/// fn open<M: MaskSource>(accepted: &Accepted<'_>, masks: M) -> Connection<Client<M>> {
///     println!("subprotocol: {}", accepted.subprotocol().unwrap_or("none"));
///     Connection::new(Client(masks), &Config::new(), accepted.agreed())
/// }
/// # let _ = open::<fn() -> [u8; 4]>;
/// ```
#[derive(Clone, Debug)]
pub struct Accepted<'h, H = Headers<'h>> {
    agreed: Agreed,
    headers: H,
    lifetime: PhantomData<&'h ()>,
}

impl<'h, H: Fields<'h>> Accepted<'h, H> {
    /// Returns what was agreed, for the [`Connection`](crate::Connection).
    #[must_use]
    pub const fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Returns the subprotocol that the server chose among those offered; `None` if it chose none.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'h str> {
        let mut lines = self.headers.clone().values(Field::Protocol);
        lines.find(|line| !is_empty_list(line)).and_then(|name| str::from_utf8(name).ok())
    }

    /// Returns the extensions in use, in the order in which they handle data (§9.1).
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'h>> + use<'h, H> {
        self.headers.clone().values(Field::Extensions).flat_map(extension::extensions).flatten()
    }

    /// Returns all header fields, such as a Set-Cookie.
    #[must_use]
    pub fn headers(&self) -> H {
        self.headers.clone()
    }
}

/// A final response that opens no connection: a challenge, a redirect, an error.
///
/// ```
/// use websocket_proto::handshake::Refused;
///
/// /// Returns where a redirect leads. Dial only targets that the application trusts.
/// fn redirect<'h>(refused: &Refused<'h>) -> Option<&'h [u8]> {
///     let location = refused.headers().first("Location");
///     location.filter(|_| (300..400).contains(&refused.status()))
/// }
/// # let _ = redirect;
/// ```
#[derive(Clone, Debug)]
pub struct Refused<'h, H = Headers<'h>> {
    status: u16,
    headers: H,
    lifetime: PhantomData<&'h ()>,
}

impl<'h, H: Fields<'h>> Refused<'h, H> {
    /// Returns the status code, 200 or above.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns all header fields, such as a Location or a WWW-Authenticate.
    #[must_use]
    pub fn headers(&self) -> H {
        self.headers.clone()
    }

    /// Returns the versions of the protocol that the server says it supports (§4.4).
    pub fn versions(&self) -> impl Iterator<Item = u8> + use<'h, H> {
        self.headers.clone().values(Field::Version).flat_map(elements).filter_map(parse_version)
    }
}

/// The parts of a request that decide which responses are valid.
#[derive(Clone, Debug)]
pub(super) struct Criteria<'o> {
    /// The Sec-WebSocket-Accept that answers an Upgrade; `None` if the request was a CONNECT, even
    /// one with a key.
    pub(super) accept_key: Option<ArrayString<28>>,
    pub(super) subprotocols: &'o [&'o str],
    pub(super) deflate: &'o [Deflate],
}

impl Criteria<'_> {
    pub(super) const fn form(&self) -> Form {
        if self.accept_key.is_some() { Form::Upgrade } else { Form::Connect }
    }

    /// Validates a final response, and returns what was agreed: nothing, if the response refuses.
    pub(super) fn validate<'h>(
        &self,
        status: u16,
        version: (u8, u8),
        headers: impl Fields<'h>,
    ) -> Result<Agreed, HandshakeError> {
        match &self.accept_key {
            Some(accept_key) => {
                // The version says how to read the rest, so it is validated first, also in a
                // refusal.
                let minor = minor_version(version)?;
                if is_acceptance(Form::Upgrade, status) {
                    // §4.1, RFC 9110 §15.2: HTTP/1.0 has no 101.
                    if minor == 0 {
                        return Err(HandshakeError::OldHttpVersion);
                    }
                    let fields = ResponseFields::collect(headers.clone().lines());
                    return self.validate_upgrade(accept_key, &fields, headers);
                }
            }
            None => {
                // RFC 8441 §4: HTTP/1.1 has no extended CONNECT.
                if version < (2, 0) {
                    return Err(HandshakeError::OldHttpVersion);
                }
                if is_acceptance(Form::Connect, status) {
                    // RFC 8441 §5: a Sec-WebSocket-Accept is not checked, because it proves no more
                    // than the status of an extended CONNECT does.
                    validate_lines(headers.clone())?;
                    let fields = ResponseFields::collect(headers.clone().lines());
                    return self.validate_choice(&fields, headers);
                }
            }
        }
        // RFC 9110 §15.2: an interim response is not the answer. RFC 9113 §8.6: a 101 never answers
        // a CONNECT.
        if status < 200 { Err(HandshakeError::InvalidStatus) } else { Ok(Agreed::new()) }
    }

    /// Validates a 101 response of HTTP/1.1, and returns what was agreed. `fields` were collected
    /// from `headers`, and `accept_key` is that of the criteria.
    pub(super) fn validate_upgrade<'h>(
        &self,
        accept_key: &str,
        fields: &ResponseFields<'_>,
        headers: impl Fields<'h>,
    ) -> Result<Agreed, HandshakeError> {
        fields.validate_acceptance(accept_key)?;
        self.validate_choice(fields, headers)
    }

    /// Validates what does not depend on the version of HTTP, and returns what was agreed.
    ///
    /// `fields` were collected from `headers`. The extensions are read a second time, because a
    /// [`List`] keeps no elements.
    fn validate_choice<'h>(
        &self,
        fields: &ResponseFields<'_>,
        headers: impl Fields<'h>,
    ) -> Result<Agreed, HandshakeError> {
        if !fields.subprotocol.is_absent() {
            // §4.3, §11.3.4: one line, one token.
            let chosen = fields.subprotocol.once(|name| is_token(name).then_some(name));
            let chosen = chosen.map_err(HandshakeError::InvalidSubprotocol)?;
            // §4.1: one of those offered, compared with regard to case.
            if !self.subprotocols.iter().any(|offered| offered.as_bytes() == chosen) {
                return Err(HandshakeError::SubprotocolNotOffered);
            }
        }
        // §9.1: the whole list has to be well formed.
        if !fields.extensions.is_valid() {
            return Err(HandshakeError::InvalidExtensions);
        }
        // Most responses have no extensions, and need not be read a second time.
        if fields.extensions.is_absent() {
            return Ok(Agreed::new());
        }
        // The list is well formed, so `flatten` drops no element.
        let extensions = headers.values(Field::Extensions).flat_map(extension::extensions);
        Ok(Agreed { deflate: deflate::validate(self.deflate, extensions.flatten())? })
    }
}

/// Whether this status opens the connection.
fn is_acceptance(form: Form, status: u16) -> bool {
    match form {
        // §4.1: only a 101 does.
        Form::Upgrade => status == 101,
        // RFC 8441 §5, RFC 9110 §9.3.6: every 2xx does.
        Form::Connect => matches!(status, 200..=299),
    }
}

/// The contents of a response's header fields, not validated yet.
#[derive(Default)]
pub(super) struct ResponseFields<'h> {
    upgrade: List,
    connection: List,
    /// The Sec-WebSocket-Accept that the server sent.
    accept_key: Single<'h>,
    subprotocol: Single<'h>,
    extensions: List,
}

impl<'h> ResponseFields<'h> {
    pub(super) fn collect(lines: impl Iterator<Item = (impl AsRef<[u8]>, &'h [u8])>) -> Self {
        let mut fields = ResponseFields::default();
        for (name, value) in lines {
            match Field::of(name.as_ref()) {
                Some(Field::Upgrade) => fields.upgrade.record(value, is_protocol, "websocket"),
                Some(Field::Connection) => fields.connection.record(value, is_token, "Upgrade"),
                Some(Field::Accept) => fields.accept_key.record(value),
                // §4.3: some servers send the field without a name in it, which chooses nothing.
                Some(Field::Protocol) if is_empty_list(value) => {}
                Some(Field::Protocol) => fields.subprotocol.record(value),
                Some(Field::Extensions) => {
                    let elements = extension::extensions(value);
                    fields.extensions.record_validated(elements.map(|element| element.is_ok()));
                }
                // RFC 9110 §15.2.2, §9.3.6: a response that opens a connection has no body,
                // whatever its Content-Length says.
                _ => {}
            }
        }
        fields
    }

    /// Validates a response that upgrades an HTTP/1.1 connection. `expected` is the
    /// Sec-WebSocket-Accept that answers our key.
    fn validate_acceptance(&self, expected: &str) -> Result<(), HandshakeError> {
        // §4.1: Upgrade is `websocket`, and not a list of several.
        if self.upgrade.is_absent() {
            return Err(HandshakeError::UpgradeMissing);
        }
        self.upgrade.require_only().map_err(HandshakeError::InvalidUpgrade)?;
        // §4.1: Connection lists `Upgrade`.
        self.connection.require_named().map_err(HandshakeError::InvalidConnection)?;
        // §4.1, §11.3.3: there is exactly one Sec-WebSocket-Accept. One that comes twice is refused.
        // It answers this key.
        let received = self.accept_key.once(Some).map_err(HandshakeError::InvalidAccept)?;
        if received != expected.as_bytes() {
            return Err(HandshakeError::InvalidAccept(FieldFault::Mismatch));
        }
        Ok(())
    }
}
