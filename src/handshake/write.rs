//! Writing heads: the checks of the caller's header lines, and the responses that refuse.
//!
//! A head is checked first, then counted, then written, so that an error leaves nothing in the
//! output. Nothing is escaped, because all parts were checked before: the caller's lines by
//! [`check_headers`], a target when it was parsed, an offer and a choice by their own checks.

use core::fmt::{self, Write};

use super::{
    deflate::InOffer,
    error::{HandshakeError, HeadError},
    fields::{Form, is_lower_token, is_protected},
    headers::{is_field_value, is_token},
    target::Authority,
};
use crate::{
    agreed::Deflate,
    output::{Full, Output},
};

/// Appends a response that refuses the handshake: an authentication challenge, a redirect, 403 for
/// a foreign origin, 404 for an unknown path (§4.2.2).
///
/// `Connection: close` and `Content-Length` are added. A 426 also names the protocol and the
/// version that are supported (§4.4). Afterwards write the output, shut down the writing side of
/// the transport, and drop the transport when the peer has closed its side. No Close frame is sent
/// (§7.2.2).
///
/// ```
/// let mut out = Vec::new();
/// websocket_proto::handshake::reject(403, &[("Content-Type", "text/plain")], b"no", &mut out)?;
/// assert_eq!(
///     out,
///     b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\
///       Content-Type: text/plain\r\n\r\nno",
/// );
/// # Ok::<(), websocket_proto::handshake::HeadError>(())
/// ```
///
/// # Errors
///
/// - [`HeadError::InvalidStatus`]: `status` is below 200 or above 599.
/// - [`HeadError::UnexpectedBody`]: `status` is 204, 205 or 304, and `body` is not empty.
/// - [`HeadError::InvalidHeader`], [`HeadError::ProtectedHeader`]: one of `headers` may not be
///   sent.
/// - [`HeadError::Full`]: `out` has no room. In each case nothing was written.
pub fn reject(
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    out: &mut (impl Output + ?Sized),
) -> Result<(), HeadError> {
    // RFC 9110 §15: a final status; a 101 would be an acceptance.
    if !matches!(status, 200..=599) {
        return Err(HeadError::InvalidStatus);
    }
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        return Err(HeadError::UnexpectedBody);
    }
    check_headers(Form::Upgrade, headers)?;
    refuse(status, headers, body, out)
}

/// Appends a response that refuses the handshake. `headers` are the library's own, or have passed
/// [`check_headers`].
fn refuse(
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    out: &mut (impl Output + ?Sized),
) -> Result<(), HeadError> {
    emit(out, body, |head| {
        write!(head, "HTTP/1.1 {status} {}\r\n", reason(status))?;
        if status == 426 {
            for (name, value) in UPGRADE_REQUIRED {
                // RFC 9112 §9.6: this response is the last one of its HTTP connection.
                let close = if name == "Connection" { ", close" } else { "" };
                write!(head, "{name}: {value}{close}\r\n")?;
            }
        } else {
            head.write_str("Connection: close\r\n")?;
        }
        // RFC 9110 §8.6: a 204 has no length, and a 304 would state that of another response.
        if !matches!(status, 204 | 304) {
            write!(head, "Content-Length: {}\r\n", body.len())?;
        }
        write_headers(head, headers.iter().copied())
    })?;
    Ok(())
}

/// The fields of a 426: the protocol (RFC 9110 §15.5.22) and the supported version (§4.2.2, §4.4).
const UPGRADE_REQUIRED: [(&str, &str); 3] =
    [("Upgrade", "websocket"), ("Connection", "Upgrade"), SUPPORTED_VERSION];

const SUPPORTED_VERSION: (&str, &str) = ("Sec-WebSocket-Version", "13");

impl HandshakeError {
    /// Returns the header fields that belong to the [`status`](Self::status), for another stack to
    /// write over HTTP/1.1.
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // RFC 9110 §15.5.6: a 405 lists the methods that are allowed.
            HandshakeError::MethodNotAllowed => &[("Allow", "GET")],
            // §4.2.2: the version was not understood, so the answer names the supported one.
            HandshakeError::InvalidVersion(_) => &[SUPPORTED_VERSION],
            HandshakeError::UpgradeMissing | HandshakeError::UnsupportedVersion(_) => {
                &UPGRADE_REQUIRED
            }
            _ => &[],
        }
    }

    /// Returns the status to answer with over HTTP/2 and HTTP/3.
    #[must_use]
    pub const fn connect_status(self) -> u16 {
        match self.status() {
            // RFC 9110 §15.5.22: a 426 has an Upgrade field, which only HTTP/1.1 allows.
            426 => 400,
            status => status,
        }
    }

    /// Returns the header fields that belong to the [`connect_status`](Self::connect_status).
    #[must_use]
    pub const fn connect_headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            HandshakeError::MethodNotAllowed => &[("allow", "CONNECT")],
            // §4.2.2, §4.4: the answer names the supported version.
            HandshakeError::InvalidVersion(_) | HandshakeError::UnsupportedVersion(_) => {
                &[("sec-websocket-version", "13")]
            }
            _ => &[],
        }
    }

    /// Appends the HTTP/1.1 response to a request with this fault: the [`status`](Self::status) and
    /// the [`headers`](Self::headers) that belong to it. Go on as after [`reject`].
    ///
    /// # Errors
    ///
    /// [`HeadError::Full`]: `out` has no room. Nothing was written.
    pub fn respond(self, out: &mut (impl Output + ?Sized)) -> Result<(), HeadError> {
        // `refuse` writes the headers of a 426.
        let headers = if self.status() == 426 { &[] } else { self.headers() };
        refuse(self.status(), headers, b"", out)
    }
}

/// Appends what `write` writes, and `body`: all of it or nothing.
///
/// `write` runs twice, once to count its bytes and once to write them into the reserved room, so it
/// has to write the same both times.
pub(super) fn emit(
    out: &mut (impl Output + ?Sized),
    body: &[u8],
    write: impl Fn(&mut dyn Write) -> fmt::Result,
) -> Result<(), Full> {
    let mut head = Count(0);
    // Neither writer fails, so only `reserve` reports an output without room.
    write(&mut head).map_err(|_| Full)?;
    out.reserve(head.0.saturating_add(body.len()))?;
    write(&mut Append(out)).map_err(|_| Full)?;
    out.append(body);
    Ok(())
}

/// Checks the header lines that a caller adds. Whatever passes can be written without escaping.
pub(super) fn check_headers(form: Form, headers: &[(&str, &str)]) -> Result<(), HeadError> {
    for (index, (name, value)) in headers.iter().enumerate() {
        // RFC 9110 §5.1, §5.5: a CR or LF let through here would start a line of its own.
        if !is_token(name.as_bytes()) || !is_field_value(value.as_bytes()) {
            return Err(HeadError::InvalidHeader(index));
        }
        // RFC 9113 §8.2.1, RFC 9114 §4.2: an upper-case letter would make the message malformed.
        if form == Form::Connect && !is_lower_token(name) {
            return Err(HeadError::InvalidHeader(index));
        }
        // §4.1: the caller's lines never override those of the handshake.
        if is_protected(name) {
            return Err(HeadError::ProtectedHeader(index));
        }
    }
    Ok(())
}

/// Writes header lines and the blank line.
pub(super) fn write_headers<'a>(
    head: &mut dyn Write,
    headers: impl Iterator<Item = (&'a str, impl Into<FieldValue<'a>>)>,
) -> fmt::Result {
    for (name, value) in headers {
        head.write_str(name)?;
        head.write_str(": ")?;
        value.into().write(head)?;
        head.write_str("\r\n")?;
    }
    head.write_str("\r\n")
}

/// The value of a field in a head that is written. `Display` gives the same text.
#[derive(Clone, Copy)]
pub(super) enum FieldValue<'a> {
    Text(&'a str),
    List(&'a [&'a str]),
    Extensions(&'a [Deflate]),
    Authority(Authority<'a>),
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        FieldValue::Text(text)
    }
}

impl FieldValue<'_> {
    /// Writes the value. Text goes straight to `out`, because formatting takes several times as
    /// long.
    fn write(self, out: &mut dyn Write) -> fmt::Result {
        match self {
            FieldValue::Text(text) => out.write_str(text),
            FieldValue::List(elements) => write_list(out, elements.iter()),
            FieldValue::Extensions(ways) => write_list(out, ways.iter().map(InOffer)),
            FieldValue::Authority(authority) => authority.write(out),
        }
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Writes elements separated by commas (RFC 9110 §5.6.1).
fn write_list(
    out: &mut dyn Write,
    elements: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    elements
        .enumerate()
        .try_for_each(|(at, element)| write!(out, "{}{element}", if at == 0 { "" } else { ", " }))
}

/// A writer that only counts bytes.
struct Count(usize);

impl Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// A writer that appends to an output, within the reserved room.
struct Append<'o, O: ?Sized>(&'o mut O);

impl<O: Output + ?Sized> Write for Append<'_, O> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.append(text.as_bytes());
        Ok(())
    }
}

/// Returns the usual reason phrase for a status. It has no meaning and may be empty (RFC 9112 §4).
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
