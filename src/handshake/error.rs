//! Errors of the opening handshake, by whose fault they are: a [`HandshakeError`] is the peer's, a
//! [`HeadError`] and a [`TargetError`] the caller's.

use core::{error, fmt};

/// Why the opening handshake failed: the peer's fault (§4.1, §4.2, RFC 9112).
///
/// A server answers it with [`respond`](HandshakeError::respond), or takes the same bytes, which
/// are still in its buffer, for plain HTTP. A client drops the transport (§7.1.4).
///
/// If another HTTP stack writes the response, give it [`status`](HandshakeError::status) and
/// [`headers`](HandshakeError::headers) (HTTP/1.1), or
/// [`connect_status`](HandshakeError::connect_status) and
/// [`connect_headers`](HandshakeError::connect_headers) (HTTP/2 and HTTP/3).
///
/// ```
/// use websocket_proto::handshake::{FieldFault, HandshakeError, ServerHandshake};
///
/// let mut bytes = *b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n";
/// let mut input = &mut bytes[..];
/// match ServerHandshake::new().receive(&mut input) {
///     // No WebSocket was asked for: `input` has all the bytes still, for a server of plain HTTP.
///     Err(HandshakeError::UpgradeMissing) => {}
///     Err(error) => {
///         assert_eq!(error, HandshakeError::InvalidHost(FieldFault::Repeated));
///         assert_eq!(error.to_string(), "Host is repeated");
///         assert_eq!(error.status(), 400);
///         let mut out = Vec::new();
///         error.respond(&mut out)?; // then write `out`, shut down writing, read to the end
///     }
///     Ok(_) => {}
/// }
/// # Ok::<(), websocket_proto::handshake::HeadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A control byte in the head: an LF without a CR before it, a CR without an LF after it (RFC
    /// 9112 §2.2), or another one, such as a NUL (RFC 9110 §5.5).
    ///
    /// In a response, 0x15 is usually the first byte of a TLS alert: the port expects TLS, so use
    /// `wss`. In a request, 0x16 is that of a TLS handshake: the client used `wss` on a port
    /// without TLS.
    ControlByte(u8),
    /// The first line is neither a request line nor a status line (RFC 9112 §3, §4).
    MalformedLine,
    /// A header line is malformed or folded, or has a space before its colon (RFC 9112 §5). Over
    /// HTTP/2 and HTTP/3: a header's name is not a token in lower case (RFC 9113 §8.2.1).
    MalformedHeader,
    /// The head is over the limit (§10.4).
    HeadTooLarge,
    /// The head has more header lines than there are slots for (§10.4).
    TooManyHeaders,
    /// Something that is not an HTTP version (RFC 9112 §2.3). In a response it is usually the
    /// greeting of another protocol, such as SSH or SMTP: the port is wrong.
    InvalidHttpVersion,
    /// HTTP/1.0, which has no Upgrade (§4.2.1); an extended CONNECT that is answered over HTTP/1
    /// (RFC 8441 §4).
    OldHttpVersion,
    /// A major version of HTTP other than 1 (RFC 9112 §2.3).
    UnsupportedHttpVersion,

    /// The request's method is not GET (§4.2.1); over HTTP/2 and HTTP/3, not CONNECT (RFC 8441 §4).
    MethodNotAllowed,
    /// The `:protocol` of a CONNECT is missing, or not `websocket` (RFC 8441 §5, RFC 9220 §3).
    UnsupportedProtocol,
    /// Over HTTP/2 and HTTP/3: `:scheme`, `:authority` or `:path` is missing, or the scheme is
    /// neither `http` nor `https` (RFC 8441 §4, §5).
    InvalidPseudoHeader,
    /// Over HTTP/2 and HTTP/3: a header of HTTP/1.1, such as Connection or Upgrade (RFC 8441 §5,
    /// RFC 9113 §8.2.2).
    ForbiddenHeader,
    /// The request's target is neither a path nor an absolute URI of `http`, `https`, `ws` or `wss`
    /// (§4.2.1).
    InvalidTarget,
    /// Host is missing, repeated or malformed, or `:authority` is malformed (§4.2.1). If the two
    /// differ, the fault is a [`Mismatch`](FieldFault::Mismatch) (RFC 9113 §8.3.1).
    InvalidHost(FieldFault),
    /// The head has no Upgrade: it is plain HTTP (§4.1, §4.2.1).
    UpgradeMissing,
    /// Upgrade is malformed, or repeated in a response (§4.1, §4.2.1). If it does not name
    /// `websocket`, the fault is a [`Mismatch`](FieldFault::Mismatch).
    InvalidUpgrade(FieldFault),
    /// Connection is missing or malformed (§4.1, §4.2.1). If it does not name `Upgrade`, the fault
    /// is a [`Mismatch`](FieldFault::Mismatch).
    InvalidConnection(FieldFault),
    /// The request declares a body (RFC 9112 §6).
    BodyDeclared,
    /// Sec-WebSocket-Version is missing, repeated or malformed (§4.2.1, §4.3).
    InvalidVersion(FieldFault),
    /// The request is for another version of the protocol than 13 (§4.2.2, §4.4).
    UnsupportedVersion(u8),
    /// Sec-WebSocket-Key is missing, repeated, or not 16 bytes in base64 (§4.2.1).
    InvalidKey(FieldFault),
    /// Origin is repeated or malformed (RFC 6454 §7).
    InvalidOrigin(FieldFault),
    /// Sec-WebSocket-Protocol is malformed (§4.3), or repeated in a response (§11.3.4).
    InvalidSubprotocol(FieldFault),
    /// Sec-WebSocket-Extensions is malformed (§9.1).
    InvalidExtensions,

    /// A status below 200 that opens nothing: a 101 to a CONNECT (RFC 8441 §5), an interim response
    /// that another HTTP stack gave for the final one (RFC 9110 §15.2).
    InvalidStatus,
    /// Sec-WebSocket-Accept is missing or repeated (§4.1). If it does not answer the key, the fault
    /// is a [`Mismatch`](FieldFault::Mismatch).
    InvalidAccept(FieldFault),
    /// The server chose a subprotocol that the client did not offer (§4.1).
    SubprotocolNotOffered,
    /// The server chose an extension that the client did not offer (§4.1), or one twice.
    ExtensionNotOffered,
    /// The parameters of the extension that the server chose are unknown, repeated or invalid, or
    /// not such as the client offered (RFC 7692 §7.1).
    InvalidParameters,
}

impl HandshakeError {
    /// Returns the HTTP status that answers the fault, over HTTP/1.1. Over HTTP/2 and HTTP/3 it is
    /// the [`connect_status`](HandshakeError::connect_status).
    ///
    /// For the faults that only a response can have, the status is 502, which a gateway would send
    /// to its own client.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            HandshakeError::MethodNotAllowed => 405,
            // §4.2.2, RFC 9110 §15.5.22: another protocol, or another version of it, is required.
            HandshakeError::UpgradeMissing | HandshakeError::UnsupportedVersion(_) => 426,
            // RFC 6585 §5: the header fields are too large, each or all together.
            HandshakeError::HeadTooLarge | HandshakeError::TooManyHeaders => 431,
            // RFC 9220 §3: a protocol that the server does not know.
            HandshakeError::UnsupportedProtocol => 501,
            HandshakeError::InvalidStatus
            | HandshakeError::InvalidAccept(_)
            | HandshakeError::SubprotocolNotOffered
            | HandshakeError::ExtensionNotOffered
            | HandshakeError::InvalidParameters => 502,
            HandshakeError::UnsupportedHttpVersion => 505,
            // §4.2.1: whatever else breaks a rule is a bad request.
            HandshakeError::ControlByte(_)
            | HandshakeError::MalformedLine
            | HandshakeError::MalformedHeader
            | HandshakeError::InvalidHttpVersion
            | HandshakeError::OldHttpVersion
            | HandshakeError::InvalidPseudoHeader
            | HandshakeError::ForbiddenHeader
            | HandshakeError::InvalidTarget
            | HandshakeError::InvalidHost(_)
            | HandshakeError::InvalidUpgrade(_)
            | HandshakeError::InvalidConnection(_)
            | HandshakeError::BodyDeclared
            | HandshakeError::InvalidVersion(_)
            | HandshakeError::InvalidKey(_)
            | HandshakeError::InvalidOrigin(_)
            | HandshakeError::InvalidSubprotocol(_)
            | HandshakeError::InvalidExtensions => 400,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use FieldFault::Mismatch;

        f.write_str(match self {
            HandshakeError::ControlByte(b'\n') => "a line of the head ends with LF alone",
            HandshakeError::ControlByte(b'\r') => "a CR in the head has no LF after it",
            HandshakeError::ControlByte(byte) => {
                return write!(f, "the head has the control byte {byte:#04x}");
            }
            HandshakeError::MalformedLine => "the first line of the head is malformed",
            HandshakeError::MalformedHeader => "a header line is malformed",
            HandshakeError::HeadTooLarge => "the head is over the limit",
            HandshakeError::TooManyHeaders => "the head has too many header lines",
            HandshakeError::InvalidHttpVersion => "the HTTP version is malformed",
            HandshakeError::OldHttpVersion => "the HTTP version is too old for the handshake",
            HandshakeError::UnsupportedHttpVersion => "the HTTP version is not 1.x",
            HandshakeError::MethodNotAllowed => "the method is not the one of a handshake",
            HandshakeError::UnsupportedProtocol => "the protocol of the CONNECT is not websocket",
            HandshakeError::InvalidPseudoHeader => "a pseudo-header is missing or malformed",
            HandshakeError::ForbiddenHeader => "a header of HTTP/1.1 came over HTTP/2 or HTTP/3",
            HandshakeError::InvalidTarget => "the request target is malformed",
            HandshakeError::InvalidHost(Mismatch) => "Host differs from :authority",
            HandshakeError::InvalidHost(fault) => return write!(f, "Host {fault}"),
            HandshakeError::UpgradeMissing => "Upgrade is missing",
            HandshakeError::InvalidUpgrade(Mismatch) => "Upgrade does not name websocket",
            HandshakeError::InvalidUpgrade(fault) => return write!(f, "Upgrade {fault}"),
            HandshakeError::InvalidConnection(Mismatch) => "Connection does not name Upgrade",
            HandshakeError::InvalidConnection(fault) => return write!(f, "Connection {fault}"),
            HandshakeError::BodyDeclared => "the request declares a body",
            HandshakeError::InvalidVersion(fault) => {
                return write!(f, "Sec-WebSocket-Version {fault}");
            }
            HandshakeError::UnsupportedVersion(version) => {
                return write!(f, "version {version} of the protocol is not supported");
            }
            HandshakeError::InvalidKey(fault) => return write!(f, "Sec-WebSocket-Key {fault}"),
            HandshakeError::InvalidOrigin(fault) => return write!(f, "Origin {fault}"),
            HandshakeError::InvalidSubprotocol(fault) => {
                return write!(f, "Sec-WebSocket-Protocol {fault}");
            }
            HandshakeError::InvalidExtensions => "Sec-WebSocket-Extensions is malformed",
            HandshakeError::InvalidStatus => "the status is not one of a final response",
            HandshakeError::InvalidAccept(Mismatch) => {
                "Sec-WebSocket-Accept does not answer the key"
            }
            HandshakeError::InvalidAccept(fault) => {
                return write!(f, "Sec-WebSocket-Accept {fault}");
            }
            HandshakeError::SubprotocolNotOffered => "the subprotocol was not offered",
            HandshakeError::ExtensionNotOffered => "the extension was not offered",
            HandshakeError::InvalidParameters => "the extension's parameters are not as offered",
        })
    }
}

impl error::Error for HandshakeError {}

/// What is wrong with the header field that a [`HandshakeError`] names.
///
/// It prints as the second half of a sentence:
///
/// ```
/// use websocket_proto::handshake::{FieldFault, HandshakeError};
///
/// assert_eq!(FieldFault::Repeated.to_string(), "is repeated");
/// let error = HandshakeError::InvalidUpgrade(FieldFault::Repeated);
/// assert_eq!(error.to_string(), "Upgrade is repeated");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldFault {
    /// The field is not there.
    Missing,
    /// The field is there more than once, or has several values where one is allowed.
    Repeated,
    /// The value does not have the form that the field prescribes.
    Malformed,
    /// The value is well formed, but not the one that the handshake needs.
    Mismatch,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FieldFault::Missing => "is missing",
            FieldFault::Repeated => "is repeated",
            FieldFault::Malformed => "is malformed",
            FieldFault::Mismatch => "has another value",
        })
    }
}

/// Why a head was not written: the caller's fault, or its output's. Nothing was written.
///
/// ```
/// use websocket_proto::handshake::{HeadError, reject};
///
/// let headers = [("Retry-After", "5"), ("Connection", "keep-alive")];
/// let error = reject(503, &headers, b"", &mut Vec::new()).unwrap_err();
/// assert_eq!(error, HeadError::ProtectedHeader(1));
/// assert_eq!(error.to_string(), "the header at index 1 belongs to the handshake");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadError {
    /// The name of the header at this index is not a token, or its value has a control byte (RFC
    /// 9110 §5.1, §5.5); over HTTP/2 and HTTP/3 also a name with an upper-case letter (RFC 9113
    /// §8.2.1). The index counts from 0 in the list that the caller gave.
    InvalidHeader(usize),
    /// The header at this index is one that the handshake writes itself, such as Upgrade or any
    /// Sec-WebSocket one (§4.1), or one that would need a Connection to go with it, such as
    /// Keep-Alive (RFC 9110 §7.6.1). The index counts from 0 in the list that the caller gave.
    ProtectedHeader(usize),
    /// An origin that is empty, or not visible ASCII (RFC 6454 §7.1).
    InvalidOrigin,
    /// A subprotocol that is not a token, or is offered twice (§4.1).
    InvalidSubprotocol,
    /// A chosen subprotocol that the client did not offer (§4.2.2).
    SubprotocolNotOffered,
    /// The server has not announced that it takes extended CONNECT requests (RFC 8441 §3).
    ConnectNotEnabled,
    /// A response in the bytes of HTTP/1.1 to a request that came as an extended CONNECT.
    NotUpgrade,
    /// A status that cannot refuse a handshake: below 200 or above 599 (RFC 9110 §15).
    InvalidStatus,
    /// A body after a status that has none: 204, 205 or 304 (RFC 9110 §6.4.1, §15.3.6).
    UnexpectedBody,
    /// There is no response that could be replaced, or some of it has left.
    AlreadyAnswered,
    /// The output has no room for the whole head.
    Full,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadError::InvalidHeader(index) => {
                return write!(f, "the name or value of the header at index {index} is malformed");
            }
            HeadError::ProtectedHeader(index) => {
                return write!(f, "the header at index {index} belongs to the handshake");
            }
            HeadError::InvalidOrigin => "the origin is malformed",
            HeadError::InvalidSubprotocol => "a subprotocol is malformed or repeated",
            HeadError::SubprotocolNotOffered => "the subprotocol was not offered",
            HeadError::ConnectNotEnabled => "the server has not enabled extended CONNECT",
            HeadError::NotUpgrade => "the request is not of HTTP/1.1",
            HeadError::InvalidStatus => "the status cannot refuse a handshake",
            HeadError::UnexpectedBody => "the status has no body",
            HeadError::AlreadyAnswered => "the response has left, or there is none",
            HeadError::Full => "the output has no room",
        })
    }
}

impl error::Error for HeadError {}

impl From<crate::output::Full> for HeadError {
    fn from(_: crate::output::Full) -> Self {
        HeadError::Full
    }
}

/// Why a text is not a WebSocket URI (§3): the caller's fault.
///
/// ```
/// use websocket_proto::handshake::{Target, TargetError};
///
/// let error = Target::parse("wss://münchen.example/").unwrap_err();
/// assert_eq!(error, TargetError::NonAscii);
/// assert_eq!(error.to_string(), "the URI has a character outside ASCII");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetError {
    /// A character outside ASCII: a host needs IDNA, the rest percent-encoded UTF-8 (§11.1).
    NonAscii,
    /// The URI begins with none of `ws://`, `wss://`, `http://` and `https://`.
    Scheme,
    /// It has a user name or a password, which §3 does not allow.
    UserInfo,
    /// The host is empty, or neither a name nor an address (RFC 3986 §3.2.2).
    Host,
    /// The port is not a number of 16 bits.
    Port,
    /// The path has a character that must be percent-encoded (RFC 3986 §3.3).
    Path,
    /// The query has a character that must be percent-encoded (RFC 3986 §3.4).
    Query,
    /// It has a fragment; a `#` that is not one is written `%23`.
    Fragment,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetError::NonAscii => "the URI has a character outside ASCII",
            TargetError::Scheme => {
                "the URI begins with none of ws://, wss://, http:// and https://"
            }
            TargetError::UserInfo => "the URI carries a user name or password",
            TargetError::Host => "the host is malformed",
            TargetError::Port => "the port is malformed",
            TargetError::Path => "the path is malformed",
            TargetError::Query => "the query is malformed",
            TargetError::Fragment => "the URI has a fragment",
        })
    }
}

impl error::Error for TargetError {}
