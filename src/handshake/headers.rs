//! Header fields: tokens and lists (RFC 9110 §5), and the view of a block of header lines.

use core::{fmt, iter::FusedIterator, str};

/// The header lines of a head that was received, in their order.
///
/// A view of the caller's buffer: copying it copies two words. Names compare without regard to
/// ASCII case (RFC 9110 §5.1). Values are bytes without the whitespace around them; what this
/// crate does not know of is handed through as it came.
#[derive(Clone, Copy)]
pub struct Headers<'h> {
    block: &'h [u8],
}

impl<'h> Headers<'h> {
    /// The lines of a block that was validated, its blank line included.
    pub(super) const fn new(block: &'h [u8]) -> Self {
        Headers { block }
    }

    /// Each line's name and value.
    pub const fn iter(&self) -> HeaderLines<'h> {
        HeaderLines { rest: self.block }
    }

    /// The value of the first line with this name.
    pub fn first(&self, name: &str) -> Option<&'h [u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The values of all lines with this name.
    pub(super) fn all<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = &'h [u8]> + Clone + use<'h, 'n> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl<'h> IntoIterator for Headers<'h> {
    type Item = (&'h str, &'h [u8]);
    type IntoIter = HeaderLines<'h>;

    fn into_iter(self) -> HeaderLines<'h> {
        self.iter()
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in *self {
            map.entry(&name, &format_args!("\"{}\"", value.escape_ascii()));
        }
        map.finish()
    }
}

/// The iterator over [`Headers`]: each line's name and value.
#[derive(Clone, Debug)]
pub struct HeaderLines<'h> {
    rest: &'h [u8],
}

impl<'h> Iterator for HeaderLines<'h> {
    type Item = (&'h str, &'h [u8]);

    // The block was validated: each line has its colon and its end, and the first that has no
    // colon is the blank one.
    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = split_behind(self.rest, b'\n')?;
        let (name, value) = split_behind(line, b':')?;
        self.rest = rest;
        Some((str::from_utf8(name.strip_suffix(b":")?).ok()?, value.trim_ascii()))
    }
}

impl FusedIterator for HeaderLines<'_> {}

pub(super) const ORIGIN: &str = "Origin";
pub(super) const HOST: &str = "Host";
pub(super) const PROTOCOL: &str = "Sec-WebSocket-Protocol";
pub(super) const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
pub(super) const VERSION: &str = "Sec-WebSocket-Version";

/// The fields that the handshake reads, and writes by itself.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Accept,
    Connection,
    ContentLength,
    Extensions,
    Host,
    Key,
    Origin,
    Protocol,
    TransferEncoding,
    Upgrade,
    Version,
}

impl Field {
    const NAMES: [(&'static str, Field); 11] = [
        (HOST, Field::Host),
        ("Upgrade", Field::Upgrade),
        ("Connection", Field::Connection),
        ("Sec-WebSocket-Key", Field::Key),
        ("Sec-WebSocket-Accept", Field::Accept),
        (VERSION, Field::Version),
        (PROTOCOL, Field::Protocol),
        (EXTENSIONS, Field::Extensions),
        (ORIGIN, Field::Origin),
        ("Content-Length", Field::ContentLength),
        ("Transfer-Encoding", Field::TransferEncoding),
    ];

    /// The field of this name, if the handshake knows it.
    pub(super) fn of(name: &str) -> Option<Field> {
        // §2, RFC 9110 §5.1: case is folded for ASCII letters and for nothing else.
        let known = Field::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, field)| *field)
    }
}

/// Whether a header of this name is the handshake's own, so that no caller may add one.
pub(super) fn is_protected(name: &str) -> bool {
    const PREFIX: &str = "Sec-WebSocket-";
    let prefix = name.get(..PREFIX.len());
    Field::of(name).is_some() || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

/// What the lines of a field say that has one value.
#[derive(Clone, Copy, Default)]
pub(super) struct Single<'h> {
    value: Option<&'h [u8]>,
    repeated: bool,
}

impl<'h> Single<'h> {
    pub(super) fn see(&mut self, value: &'h [u8]) {
        self.repeated |= self.value.is_some();
        self.value = Some(value.trim_ascii());
    }

    /// The value, if there is exactly one.
    pub(super) fn once(self) -> Option<&'h [u8]> {
        self.value.filter(|_| !self.repeated)
    }

    pub(super) const fn is_absent(self) -> bool {
        self.value.is_none()
    }
}

/// What the lines of a list field say: together they are one list (RFC 9110 §5.3).
#[derive(Clone, Copy, Default)]
pub(super) struct List {
    present: bool,
    malformed: bool,
    elements: usize,
    named: bool,
}

impl List {
    /// One more line of comma-separated elements, each of which has to fulfil `grammar`; `name` is
    /// looked for among them without regard to ASCII case.
    pub(super) fn see(&mut self, value: &[u8], grammar: fn(&[u8]) -> bool, name: &str) {
        self.present = true;
        for element in elements(value) {
            self.see_element(grammar(element));
            self.named |= element.eq_ignore_ascii_case(name.as_bytes());
        }
    }

    /// One more line, whose elements something else has judged.
    pub(super) fn see_judged(&mut self, elements: impl Iterator<Item = bool>) {
        self.present = true;
        elements.for_each(|well_formed| self.see_element(well_formed));
    }

    const fn see_element(&mut self, well_formed: bool) {
        self.elements = self.elements.saturating_add(1);
        self.malformed |= !well_formed;
    }

    pub(super) const fn is_absent(self) -> bool {
        !self.present
    }

    /// Whether the field is absent, or a list of at least one element, all of them well formed.
    pub(super) const fn is_valid(self) -> bool {
        // RFC 9110 §5.6.1: empty elements do not count, and a list of nothing else is none.
        !self.present || (self.elements > 0 && !self.malformed)
    }

    /// Whether the list is well formed and has the element that was looked for.
    pub(super) const fn names_it(self) -> bool {
        self.named && !self.malformed
    }

    /// Whether the element that was looked for is the only one.
    pub(super) const fn is_only_it(self) -> bool {
        self.names_it() && self.elements == 1
    }
}

/// The elements of one line of a comma-separated list, without the empty ones (RFC 9110 §5.6.1).
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether this is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Whether a token may have this byte.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\''
        | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Whether this names a protocol in Upgrade: a token, and a version behind a slash if it has one
/// (RFC 9110 §7.8).
pub(super) fn is_protocol(element: &[u8]) -> bool {
    element.splitn(2, |&byte| byte == b'/').all(is_token)
}

/// Whether a header's value may have these bytes (RFC 9110 §5.5).
pub(super) fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

/// Splits behind the first `mark`, which stays at the end of the first half.
fn split_behind(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == mark)?;
    bytes.split_at_checked(at.checked_add(1)?)
}
