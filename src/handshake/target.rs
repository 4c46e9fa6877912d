//! WebSocket URIs (§3), and the parts of them that a request carries: authority and resource name.

use core::{
    fmt::{self, Write},
    net::Ipv6Addr,
};

use super::error::{HandshakeError, TargetError};

/// Where a client connects to: a parsed `ws` or `wss` URI (§3).
///
/// The caller dials [`host`](Target::host) and [`port`](Target::port), and starts TLS with
/// that name when the URI is [`secure`](Target::secure). A target prints as the rebuilt URI, which
/// a proxy configuration may ask for.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias("url", "uri"))]
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
    /// `http` stands for `ws`, and `https` for `wss`. A path and a query are taken as they are
    /// written, also with the characters that browsers leave bare, such as `[`, `|` and a `%`
    /// without digits. Every URI that the crate `url` prints can be read, unless it has a user
    /// name, a fragment, or a host that is neither a name nor an address. A backslash is accepted in
    /// a query and refused in a path, where some programs read it as a slash.
    ///
    /// ```
    /// use websocket_proto::handshake::{Target, TargetError};
    ///
    /// let target = Target::parse("https://example.com/list?ids[]=1|2")?;
    /// assert_eq!(target.to_string(), "wss://example.com/list?ids[]=1|2");
    /// // One program would connect to example.com, another to evil.example.
    /// let error = Target::parse("ws://example.com\\@evil.example/");
    /// assert_eq!(error, Err(TargetError::UserInfo));
    /// # Ok::<(), TargetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TargetError`] names the part that breaks §3 or RFC 3986.
    pub fn parse(uri: &'a str) -> Result<Self, TargetError> {
        // §11.1: conversion to ASCII comes before the URI is used, and is not done here.
        if !uri.is_ascii() {
            return Err(TargetError::NonAscii);
        }
        let (scheme, rest) = uri.split_once("://").ok_or(TargetError::Scheme)?;
        let secure = is_secure(scheme).ok_or(TargetError::Scheme)?;
        // §3: a fragment has no meaning here, so not even an empty one is allowed.
        if rest.contains('#') {
            return Err(TargetError::Fragment);
        }
        let (authority, path) = split_authority(rest);
        let (authority, resource) = (Authority::parse(authority)?, split_query(path));
        // RFC 3986 §3.2.2 lets a name be percent-encoded, but no name in DNS or TLS is, and URL
        // libraries decode it: such a host has two readings.
        if authority.host.contains('%') {
            return Err(TargetError::Host);
        }
        // Some programs read a backslash in a path as a slash, so such a path has two meanings.
        if !is_bare(resource.path.as_bytes()) || resource.path.contains('\\') {
            return Err(TargetError::Path);
        }
        if !is_bare(resource.query.as_bytes()) {
            return Err(TargetError::Query);
        }
        let port = authority.port.unwrap_or(default_port(secure));
        Ok(Target { secure, host: authority.host, port, resource })
    }

    /// Whether the connection runs inside TLS: the scheme is `wss`.
    #[must_use]
    pub const fn secure(&self) -> bool {
        self.secure
    }

    /// Returns the host as it was written, but an IPv6 address without its brackets. Resolve and
    /// dial it with the [`port`](Target::port), and use it as the server's name in TLS.
    ///
    /// ```
    /// use std::net::ToSocketAddrs;
    /// use websocket_proto::handshake::Target;
    ///
    /// let target = Target::parse("ws://[::1]:9001/chat")?;
    /// let addresses = (target.host(), target.port()).to_socket_addrs()?; // to connect to
    /// # assert_eq!(addresses.collect::<Vec<_>>(), ["[::1]:9001".parse()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A URI cannot name the zone of a link-local address (`fe80::1%eth0`), because a zone is known
    /// on one machine only. Leave the zone out of the URI, and dial the address with the index of
    /// its interface:
    ///
    /// ```
    /// use std::net::SocketAddrV6;
    /// use websocket_proto::handshake::Target;
    ///
    /// let target = Target::parse("ws://[fe80::1]:9001/chat")?;
    /// let interface = 2; // the index of eth0, from `if_nametoindex`
    /// let address = SocketAddrV6::new(target.host().parse()?, target.port(), 0, interface);
    /// // Connect to `address`.
    /// # assert_eq!(address.to_string(), "[fe80::1%2]:9001");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The port: the scheme's own, 80 or 443, when the URI names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path and the query.
    #[must_use]
    pub const fn resource(&self) -> Resource<'a> {
        self.resource
    }

    /// Returns what a Host header and an `:authority` say: the host, an IPv6 address in brackets,
    /// and the port if it is not the scheme's own.
    ///
    /// ```
    /// use websocket_proto::handshake::Target;
    ///
    /// let authority = |uri| Target::parse(uri).map(|target| target.authority().to_string());
    /// assert_eq!(authority("wss://example.com:443/chat")?, "example.com");
    /// assert_eq!(authority("ws://[::1]:8080/chat")?, "[::1]:8080");
    /// # Ok::<(), websocket_proto::handshake::TargetError>(())
    /// ```
    #[must_use]
    pub fn authority(&self) -> impl fmt::Display + use<'a> {
        self.parts()
    }

    /// The same as [`authority`](Target::authority), in parts.
    pub(super) fn parts(&self) -> Authority<'a> {
        // §4.1: the port stands in Host only if it is not the scheme's own.
        let port = (self.port != default_port(self.secure)).then_some(self.port);
        Authority { host: self.host, port }
    }
}

impl<'a> TryFrom<&'a str> for Target<'a> {
    type Error = TargetError;

    fn try_from(uri: &'a str) -> Result<Self, TargetError> {
        Target::parse(uri)
    }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "wss://" } else { "ws://" })?;
        self.parts().write(f)?;
        self.resource.write(f)
    }
}

/// A resource name (§3): a path, and a query if there is one. It prints as both together, and
/// compares with text as it prints.
///
/// ```
/// use websocket_proto::handshake::Target;
///
/// let resource = Target::parse("ws://example.com/chat?room=1")?.resource();
/// assert_eq!((resource.path(), resource.query()), ("/chat", Some("room=1")));
/// assert_eq!(resource, "/chat?room=1");
/// # Ok::<(), websocket_proto::handshake::TargetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource<'a> {
    path: &'a str,
    query: &'a str,
}

impl<'a> Resource<'a> {
    /// The path, `/` at least, percent-encoded as it came.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// What is behind the question mark; `None` when that is nothing.
    #[must_use]
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
        if is_path(target.as_bytes()) {
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
        // §4.2.1: the other form is an absolute URI, from which the resource is taken.
        let (scheme, rest) = target.split_once("://").ok_or(HandshakeError::InvalidTarget)?;
        let (authority, path) = split_authority(rest);
        Resource::of_parts(Some(scheme), Some(authority), path)
    }

    /// Like [`of_request`](Resource::of_request), for a target that another stack has split.
    pub(super) fn of_parts(
        scheme: Option<&str>,
        authority: Option<&'a str>,
        path: &'a str,
    ) -> Result<(Option<&'a str>, Resource<'a>), HandshakeError> {
        let (scheme, authority) = match (scheme, authority) {
            (None, None) => return Ok((None, Resource::of_path(path)?)),
            (Some(scheme), Some(authority)) => (scheme, authority),
            _ => return Err(HandshakeError::InvalidTarget),
        };
        // RFC 9112 §3.2.2: old clients and those behind a plain proxy name their own scheme.
        if is_secure(scheme).is_none() {
            return Err(HandshakeError::InvalidTarget);
        }
        // RFC 3986 §3.3: behind an authority there is a path that begins with a slash, or none.
        let begins = path.is_empty() || path.starts_with(['/', '?']);
        if Authority::parse(authority).is_err() || !begins || !is_bare(path.as_bytes()) {
            return Err(HandshakeError::InvalidTarget);
        }
        Ok((Some(authority), split_query(path)))
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
    /// A name or an address; one of IPv6 without its brackets.
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
                let (address, port) = literal.split_once(']').ok_or(TargetError::Host)?;
                if address.parse::<Ipv6Addr>().is_err() {
                    return Err(TargetError::Host);
                }
                (address, port)
            }
            None => {
                let length = text.bytes().position(|byte| byte == b':').unwrap_or(text.len());
                let (host, port) = text.split_at_checked(length).ok_or(TargetError::Host)?;
                // RFC 3986 §3.2.2: a name or an IPv4 address; RFC 9110 §4.2.1: not an empty one.
                if host.is_empty() || !is_encoded(host) {
                    return Err(TargetError::Host);
                }
                (host, port)
            }
        };
        Ok(Authority { host, port: parse_port(port)? })
    }

    pub(super) fn write(self, out: &mut dyn Write) -> fmt::Result {
        // RFC 3986 §3.2.2: a colon tells an IPv6 address from a name, which has none.
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        out.write_str(open)?;
        out.write_str(self.host)?;
        out.write_str(close)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }

    /// Whether both are the same, where `port` stands for one that is not written.
    pub(super) fn is_same(self, other: Authority<'_>, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(port) == other.port.unwrap_or(port)
    }
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// The origin of a page (RFC 6454 §4).
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: Authority<'a>,
}

impl<'a> Origin<'a> {
    /// `None` if it is opaque (`null`) or malformed.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        // RFC 3986 §3.1: a letter, and then letters, digits and three more characters.
        let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let authority = Authority::parse(authority).ok().filter(|_| named)?;
        Some(Origin { scheme, authority })
    }

    pub(super) fn is_same(self, other: Origin<'_>) -> bool {
        // Schemes that are not of HTTP have no port of their own: 0 stands for none.
        let port = default_http_port(self.scheme).unwrap_or(0);
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.authority.is_same(other.authority, port)
    }
}

/// Whether this is a target in origin form: a path, and a query if there is one.
pub(super) fn is_path(target: &[u8]) -> bool {
    target.starts_with(b"/") && is_bare(target)
}

/// Whether a path and a query may have these characters.
fn is_bare(text: &[u8]) -> bool {
    // RFC 9112 §3.2: visible ASCII without a fragment. Browsers leave more characters bare than
    // RFC 3986 has it, such as `|`, `[` and a lone `%`, so only what none of them leaves bare is
    // refused.
    text.iter().all(|byte| byte.is_ascii_graphic() && !b"\"#<>".contains(byte))
}

/// Whether a URI of this scheme asks for TLS; `None` if the scheme is not one of a WebSocket.
fn is_secure(scheme: &str) -> Option<bool> {
    // §3: schemes are compared without regard to case. Browsers read `http` as `ws` and `https` as
    // `wss`, and redirects name those.
    let schemes = [("ws", false), ("wss", true), ("http", false), ("https", true)];
    let known = schemes.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known));
    known.map(|&(_, secure)| secure)
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
fn split_authority(text: &str) -> (&str, &str) {
    let length = text.find(['/', '?']).unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, ""))
}

fn split_query(text: &str) -> Resource<'_> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    // §3: an empty path stands for the root.
    Resource { path: if path.is_empty() { "/" } else { path }, query }
}

/// Whether these are characters that RFC 3986 lets a host name have: unreserved ones (§2.3),
/// sub-delimiters (§2.2), and whole percent-encoded bytes (§2.1).
fn is_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|hex| hex.is_some_and(|hex| hex.is_ascii_hexdigit())),
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fine {
            return false;
        }
    }
    true
}
