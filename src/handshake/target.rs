//! WebSocket URIs (§3), and the parts of them that a request carries: authority and resource name.

use core::{
    fmt::{self, Write},
    net::Ipv6Addr,
};

use super::error::{HandshakeError, TargetError};

/// Where a client connects to: a parsed `ws` or `wss` URI (§3).
///
/// The caller dials [`host`](Target::host) and [`port`](Target::port), and starts TLS with
/// that name when the URI is [`secure`](Target::secure). It prints as the rebuilt URI, which a
/// proxy configuration may ask for.
///
/// ```
/// use websocket_proto::handshake::{Target, TargetError};
///
/// let target = Target::parse("wss://example.com/chat?room=1")?;
/// assert!(target.secure());
/// assert_eq!((target.host(), target.port()), ("example.com", 443));
/// assert_eq!(target.resource(), "/chat?room=1");
/// assert_eq!(target.to_string(), "wss://example.com/chat?room=1");
///
/// assert_eq!(Target::parse("ws://example.com/#top"), Err(TargetError::Fragment));
/// # Ok::<(), TargetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    secure: bool,
    host: &'a str,
    port: u16,
    resource: Resource<'a>,
}

impl<'a> Target<'a> {
    /// Reads a URI, which has to be ASCII: international host names in their IDNA form, everything
    /// else percent-encoded.
    ///
    /// # Errors
    ///
    /// [`TargetError`] names the part that is not as §3 and RFC 3986 want it.
    pub fn parse(uri: &'a str) -> Result<Self, TargetError> {
        // §11.1: conversion to ASCII comes before the URI is used, and is not done here.
        if !uri.is_ascii() {
            return Err(TargetError::NonAscii);
        }
        let (scheme, rest) = uri.split_once("://").ok_or(TargetError::Scheme)?;
        let secure = match scheme {
            // §3: the scheme is compared without regard to case.
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(TargetError::Scheme),
        };
        // §3: a fragment has no meaning here, so not even an empty one is allowed.
        if rest.contains('#') {
            return Err(TargetError::Fragment);
        }
        let (authority, resource) = split_authority(rest);
        let authority = Authority::parse(authority)?;
        if !is_encoded(resource.path, b"/:@") {
            return Err(TargetError::Path);
        }
        if !is_encoded(resource.query, b"/:@?") {
            return Err(TargetError::Query);
        }
        let port = authority.port.unwrap_or(default_port(secure));
        Ok(Target { secure, host: authority.host, port, resource })
    }

    /// Whether the connection runs inside TLS: the scheme is `wss`.
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// The host as it was written; an IPv6 address with its brackets.
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The port: the scheme's own, 80 or 443, when the URI names none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path and the query.
    pub const fn resource(&self) -> Resource<'a> {
        self.resource
    }

    /// What a Host header or an `:authority` says.
    pub(super) fn authority(&self) -> Authority<'a> {
        // §4.1: the port stands in Host only if it is not the scheme's own.
        let port = (self.port != default_port(self.secure)).then_some(self.port);
        Authority { host: self.host, port }
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "wss://" } else { "ws://" })?;
        self.authority().write(f)?;
        self.resource.write(f)
    }
}

/// A resource name (§3): a path, and a query if there is one. It prints as both together, and
/// compares with text as it prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    path: &'a str,
    query: &'a str,
}

impl<'a> Resource<'a> {
    /// The path, `/` at least, percent-encoded as it came.
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// What is behind the question mark; `None` when that is nothing.
    pub const fn query(&self) -> Option<&'a str> {
        // §3: an empty query is not part of the resource name.
        if self.query.is_empty() { None } else { Some(self.query) }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(self.path())?;
        match self.query() {
            Some(query) => {
                out.write_str("?")?;
                out.write_str(query)
            }
            None => Ok(()),
        }
    }

    /// The resource name of a target in origin form: a path and a query.
    pub(super) fn of_path(target: &'a str) -> Result<Self, HandshakeError> {
        if target.starts_with('/') && is_bare(target) {
            Ok(split_query(target))
        } else {
            Err(HandshakeError::InvalidTarget)
        }
    }

    /// The resource name and, in the absolute form, the authority of a request's target.
    pub(super) fn of_request(
        target: &'a str,
    ) -> Result<(Option<&'a str>, Resource<'a>), HandshakeError> {
        if target.starts_with('/') {
            return Ok((None, Resource::of_path(target)?));
        }
        if !is_bare(target) {
            return Err(HandshakeError::InvalidTarget);
        }
        // §4.2.1: the other form is an absolute URI of HTTP, from which the resource is taken.
        let (scheme, rest) = target.split_once("://").ok_or(HandshakeError::InvalidTarget)?;
        if default_http_port(scheme).is_none() {
            return Err(HandshakeError::InvalidTarget);
        }
        let (authority, resource) = split_authority(rest);
        match Authority::parse(authority) {
            Ok(_) => Ok((Some(authority), resource)),
            Err(_) => Err(HandshakeError::InvalidTarget),
        }
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl PartialEq<str> for Resource<'_> {
    fn eq(&self, text: &str) -> bool {
        match (text.strip_prefix(self.path()), self.query()) {
            (Some(rest), Some(query)) => rest.strip_prefix('?') == Some(query),
            (rest, None) => rest == Some(""),
            (None, _) => false,
        }
    }
}

impl PartialEq<&str> for Resource<'_> {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

/// A host and a port, of a URI or of a Host header (RFC 3986 §3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, TargetError> {
        // §3: no user name; RFC 9110 §4.2.4 wants one treated as an error.
        if text.contains('@') {
            return Err(TargetError::UserInfo);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(literal) => {
                // RFC 3986 §3.2.2: brackets hold an IPv6 address.
                let (address, _) = literal.split_once(']').ok_or(TargetError::Host)?;
                if address.parse::<Ipv6Addr>().is_err() {
                    return Err(TargetError::Host);
                }
                let length = address.len().saturating_add("[]".len());
                text.split_at_checked(length).ok_or(TargetError::Host)?
            }
            None => {
                let length = text.find(':').unwrap_or(text.len());
                let (host, port) = text.split_at_checked(length).ok_or(TargetError::Host)?;
                // RFC 3986 §3.2.2: a name or an IPv4 address; RFC 9110 §4.2.1: not an empty one.
                if host.is_empty() || !is_encoded(host, b"") {
                    return Err(TargetError::Host);
                }
                (host, port)
            }
        };
        Ok(Authority { host, port: parse_port(port)? })
    }

    pub(super) fn write(self, out: &mut dyn Write) -> fmt::Result {
        out.write_str(self.host)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }

    /// Whether both are the same, where `port` stands for one that is not written.
    pub(super) fn is_same(self, other: Authority<'_>, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(port) == other.port.unwrap_or(port)
    }
}

/// Whether a request's target may have these characters.
fn is_bare(target: &str) -> bool {
    // RFC 9112 §3.2: visible ASCII without a fragment. Browsers leave more characters bare than
    // RFC 3986 has it, such as `|` and `[`, so only what none of them leaves bare is refused.
    target.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"#<>".contains(&byte))
}

/// The port of `http` and `https`; `None` for any other scheme.
pub(super) fn default_http_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(default_port(false))
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(default_port(true))
    } else {
        None
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Reads what follows a host: nothing, or a colon and digits, which may be missing.
fn parse_port(text: &str) -> Result<Option<u16>, TargetError> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(':').ok_or(TargetError::Host)?;
    // §3: an empty port means the same as none.
    if digits.is_empty() {
        return Ok(None);
    }
    // `parse` would take a plus sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TargetError::Port);
    }
    digits.parse().map(Some).map_err(|_| TargetError::Port)
}

/// Splits what follows `://` into the authority and the rest.
fn split_authority(text: &str) -> (&str, Resource<'_>) {
    let length = text.find(['/', '?']).unwrap_or(text.len());
    let (authority, rest) = text.split_at_checked(length).unwrap_or((text, ""));
    (authority, split_query(rest))
}

fn split_query(text: &str) -> Resource<'_> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    // §3: an empty path stands for the root.
    Resource { path: if path.is_empty() { "/" } else { path }, query }
}

/// Whether these are the characters that RFC 3986 leaves bare everywhere (§2.2, §2.3: unreserved
/// ones and sub-delimiters), those in `more`, and whole percent-encoded bytes (§2.1).
fn is_encoded(text: &str, more: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|hex| hex.is_some_and(|hex| hex.is_ascii_hexdigit())),
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            _ => byte.is_ascii_alphanumeric() || more.contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}
