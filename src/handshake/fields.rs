//! Header fields, whichever HTTP stack parsed them: how they are passed, which of them the
//! handshake knows, and how several lines of one field combine (RFC 9110 §5).
//!
//! Requests and responses read their fields in two steps. First each line is recorded in a
//! [`Single`] or a [`List`], which keeps only what the rules need. Recording never fails. Then the
//! rules are checked, in an order that does not depend on that of the lines.

use super::{
    error::{FieldFault, HandshakeError},
    headers::{elements, is_token, trim_ows},
};

/// The header fields of a request or a response: pairs of a name and a value, whoever parsed them.
///
/// [`Headers`](super::Headers), which this crate parsed itself, are such fields. So is every
/// iterable of pairs of references that is `Clone`, which is needed because the fields are read
/// more than once: a `&HeaderMap` of the crate `http` or a reference to a map of the standard
/// library, or another collection through `iter` and `map`:
///
/// ```
/// use websocket_proto::handshake::{HandshakeError, Request};
///
/// fn take(headers: &[(String, Vec<u8>)]) -> Result<(), HandshakeError> {
///     let fields = headers.iter().map(|(name, value)| (name, value));
///     let request = Request::upgrade("GET", (1, 1), "/chat", fields)?;
///     # assert_eq!(request.host(), "h");
///     # let _ = request;
///     Ok(())
/// }
/// # let key = "dGhlIHNhbXBsZSBub25jZQ==";
/// # let headers = [("Host", "h"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
/// #     ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13")];
/// # take(&headers.map(|(name, value)| (name.to_owned(), value.into())))?;
/// # Ok::<(), HandshakeError>(())
/// ```
///
/// The order of the lines matters only among those with the same name. Names compare without
/// regard to ASCII case, and spaces and tabs around a value are not part of it.
pub trait Fields<'h>: Lines<'h> {}

impl<'h, H, N, V> Fields<'h> for H
where
    H: IntoIterator<Item = (&'h N, &'h V)> + Clone,
    N: AsRef<str> + ?Sized + 'h,
    V: AsRef<[u8]> + ?Sized + 'h,
{
}

/// The methods that the handshake needs of fields. The trait cannot be named outside of the crate,
/// so [`Fields`] cannot be implemented there.
pub trait Lines<'h>: Clone {
    /// Returns each line's name and value, without the spaces and tabs around the value. Names are
    /// as they came.
    fn lines(self) -> impl Iterator<Item = (&'h str, &'h [u8])>;

    /// Returns the values of all lines of a field.
    fn values(self, field: Field) -> impl Iterator<Item = &'h [u8]> {
        self.lines()
            .filter(move |(name, _)| field.is_named(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Returns the value of the first line with this name.
    fn value_of(self, name: &str) -> Option<&'h [u8]> {
        self.lines().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'h, H, N, V> Lines<'h> for H
where
    H: IntoIterator<Item = (&'h N, &'h V)> + Clone,
    N: AsRef<str> + ?Sized + 'h,
    V: AsRef<[u8]> + ?Sized + 'h,
{
    fn lines(self) -> impl Iterator<Item = (&'h str, &'h [u8])> {
        self.into_iter().map(|(name, value)| (name.as_ref(), trim_ows(value.as_ref())))
    }
}

/// The form of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// An Upgrade of HTTP/1.1 (§4).
    Upgrade,
    /// An extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
    Connect,
}

impl Form {
    /// Returns the name of a field as it is written.
    pub(super) const fn name(self, field: Field) -> &'static str {
        let (title, lower) = field.names();
        match self {
            Form::Upgrade => title,
            // RFC 9113 §8.2.1, RFC 9114 §4.2: in lower case.
            Form::Connect => lower,
        }
    }
}

/// The fields that the handshake reads or writes itself, and those that end at the next hop. A
/// caller may add none of them: see [`is_protected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Accept,
    Connection,
    ContentLength,
    Extensions,
    Host,
    KeepAlive,
    Key,
    Origin,
    Protocol,
    ProxyConnection,
    Te,
    TransferEncoding,
    Upgrade,
    Version,
}

impl Field {
    /// The name as HTTP/1.1 usually has it, and in lower case.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Field::Accept => ("Sec-WebSocket-Accept", "sec-websocket-accept"),
            Field::Connection => ("Connection", "connection"),
            Field::ContentLength => ("Content-Length", "content-length"),
            Field::Extensions => ("Sec-WebSocket-Extensions", "sec-websocket-extensions"),
            Field::Host => ("Host", "host"),
            Field::KeepAlive => ("Keep-Alive", "keep-alive"),
            Field::Key => ("Sec-WebSocket-Key", "sec-websocket-key"),
            Field::Origin => ("Origin", "origin"),
            Field::Protocol => ("Sec-WebSocket-Protocol", "sec-websocket-protocol"),
            Field::ProxyConnection => ("Proxy-Connection", "proxy-connection"),
            Field::Te => ("TE", "te"),
            Field::TransferEncoding => ("Transfer-Encoding", "transfer-encoding"),
            Field::Upgrade => ("Upgrade", "upgrade"),
            Field::Version => ("Sec-WebSocket-Version", "sec-websocket-version"),
        }
    }

    /// Whether this is the field's name.
    fn is_named(self, name: &[u8]) -> bool {
        let (title, lower) = self.names();
        // Most heads have the usual spelling, which is compared in much less time.
        // §2, RFC 9110 §5.1: case is folded for ASCII letters and for nothing else.
        name == title.as_bytes() || name.eq_ignore_ascii_case(lower.as_bytes())
    }

    /// Returns the field of this name, if the handshake knows it.
    pub(super) fn of(name: &[u8]) -> Option<Field> {
        // By its length a name is compared with at most two. This runs for every line of a head.
        let same_length: &[Field] = match name.len() {
            2 => &[Field::Te],
            4 => &[Field::Host],
            6 => &[Field::Origin],
            7 => &[Field::Upgrade],
            10 => &[Field::Connection, Field::KeepAlive],
            14 => &[Field::ContentLength],
            16 => &[Field::ProxyConnection],
            17 => &[Field::Key, Field::TransferEncoding],
            20 => &[Field::Accept],
            21 => &[Field::Version],
            22 => &[Field::Protocol],
            24 => &[Field::Extensions],
            _ => &[],
        };
        same_length.iter().copied().find(|field| field.is_named(name))
    }

    /// Whether the field speaks about the connection of HTTP/1.1 that it came on.
    const fn is_of_connection(self) -> bool {
        matches!(
            self,
            Field::Connection
                | Field::KeepAlive
                | Field::ProxyConnection
                | Field::TransferEncoding
                | Field::Upgrade
        )
    }
}

/// Whether a header of this name is the handshake's own, so that no caller may add one.
pub(super) fn is_protected(name: &str) -> bool {
    const PREFIX: &str = "Sec-WebSocket-";
    let prefix = name.get(..PREFIX.len());
    Field::of(name.as_bytes()).is_some()
        || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

/// Whether a field of this name is well formed for HTTP/2 and HTTP/3: a token in lower case.
pub(super) fn is_lower_token(name: &str) -> bool {
    is_token(name.as_bytes()) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Validates the names that a message of HTTP/2 or HTTP/3 may have. Another stack parsed the
/// message and may not have done so.
pub(super) fn validate_lines<'h>(headers: impl Fields<'h>) -> Result<(), HandshakeError> {
    for (name, value) in headers.lines() {
        let allowed = match Field::of(name.as_bytes()) {
            // RFC 8441 §5, RFC 9113 §8.2.2: no Connection, no Upgrade, nothing else of HTTP/1.1.
            Some(field) if field.is_of_connection() => false,
            // RFC 9113 §8.2.2: the only value of TE that is allowed is `trailers`.
            Some(Field::Te) => value.eq_ignore_ascii_case(b"trailers"),
            _ => true,
        };
        if !allowed {
            return Err(HandshakeError::ForbiddenHeader);
        }
        // RFC 9113 §8.2.1, RFC 9114 §4.2: a name with an upper-case letter is malformed.
        if !is_lower_token(name) {
            return Err(HandshakeError::MalformedHeader);
        }
    }
    Ok(())
}

/// The recorded lines of a field that may appear only once.
#[derive(Clone, Copy, Default)]
pub(super) struct Single<'h> {
    /// The value of the last line. Used only if it is the only one.
    value: Option<&'h [u8]>,
    repeated: bool,
}

impl<'h> Single<'h> {
    pub(super) const fn record(&mut self, value: &'h [u8]) {
        self.repeated |= self.value.is_some();
        self.value = Some(value);
    }

    /// Returns what `parse` reads in the value, if there is exactly one line. `None` from `parse`
    /// means that the value is malformed.
    pub(super) fn once<T>(
        self,
        parse: impl FnOnce(&'h [u8]) -> Option<T>,
    ) -> Result<T, FieldFault> {
        // A field that comes twice, such as Sec-WebSocket-Accept, is refused.
        if self.repeated {
            return Err(FieldFault::Repeated);
        }
        self.value
            .ok_or(FieldFault::Missing)
            .and_then(|value| parse(value).ok_or(FieldFault::Malformed))
    }

    pub(super) const fn is_absent(self) -> bool {
        self.value.is_none()
    }
}

/// The recorded lines of a list field: together they are one list (RFC 9110 §5.3).
#[derive(Clone, Copy, Default)]
pub(super) struct List {
    /// Whether there is a line, which may have no element.
    present: bool,
    /// Whether an element is malformed.
    malformed: bool,
    /// How many elements there are. Empty ones do not count.
    elements: usize,
    /// Whether one of them is the element that was looked for.
    named: bool,
}

impl List {
    /// Records a line of comma-separated elements, each of which has to fulfil `grammar`. `name` is
    /// looked for among them without regard to ASCII case. An empty `name` matches no element.
    pub(super) fn record(&mut self, value: &[u8], grammar: fn(&[u8]) -> bool, name: &str) {
        self.present = true;
        for element in elements(value) {
            self.record_element(grammar(element));
            self.named |= element.eq_ignore_ascii_case(name.as_bytes());
        }
    }

    /// Records a line whose elements were validated elsewhere: for each, whether it is well formed.
    pub(super) fn record_validated(&mut self, elements: impl Iterator<Item = bool>) {
        self.present = true;
        elements.for_each(|well_formed| self.record_element(well_formed));
    }

    const fn record_element(&mut self, well_formed: bool) {
        self.elements = self.elements.saturating_add(1);
        self.malformed |= !well_formed;
    }

    pub(super) const fn is_absent(self) -> bool {
        !self.present
    }

    /// Whether all elements are well formed. A list without an element counts as absent.
    pub(super) const fn is_valid(self) -> bool {
        !self.malformed
    }

    /// Checks that the list is well formed and has the element that was looked for.
    pub(super) const fn require_named(self) -> Result<(), FieldFault> {
        if !self.present {
            Err(FieldFault::Missing)
        } else if self.malformed {
            Err(FieldFault::Malformed)
        } else if !self.named {
            Err(FieldFault::Mismatch)
        } else {
            Ok(())
        }
    }

    /// Checks that the element that was looked for is the only one.
    pub(super) fn require_only(self) -> Result<(), FieldFault> {
        self.require_named()?;
        if self.elements == 1 { Ok(()) } else { Err(FieldFault::Repeated) }
    }
}
