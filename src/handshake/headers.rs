//! A view of a block of header lines, and the grammar of its parts: tokens and lists (RFC 9110 §5).

use core::{fmt, iter::FusedIterator, str};

/// The header lines of a head that was received, in their order.
///
/// This is a view of the caller's buffer, so copying it copies two words. Names compare without
/// regard to ASCII case (RFC 9110 §5.1). Values are bytes without the whitespace around them.
/// Fields that this crate does not know are kept as they came.
#[doc(alias("header", "HeaderMap", "cookie"))]
#[derive(Clone, Copy)]
pub struct Headers<'h> {
    block: &'h [u8],
}

impl<'h> Headers<'h> {
    /// The lines of a block that was validated, its blank line included.
    pub(super) const fn new(block: &'h [u8]) -> Self {
        Headers { block }
    }

    /// Returns each line's name and value.
    pub const fn iter(&self) -> HeaderLines<'h> {
        HeaderLines { rest: self.block }
    }

    /// Returns the value of the first line with this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&'h [u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
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
        let (line, rest) = split_after(self.rest, b'\n')?;
        let (name, value) = split_after(line.strip_suffix(b"\r\n")?, b':')?;
        self.rest = rest;
        Some((str::from_utf8(name.strip_suffix(b":")?).ok()?, trim_ows(value)))
    }
}

impl FusedIterator for HeaderLines<'_> {}

/// Returns the elements of one line of a comma-separated list, without the empty ones (RFC 9110
/// §5.6.1).
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|&byte| byte == b',').map(trim_ows).filter(|element| !element.is_empty())
}

/// Whether one line of a list has no element: it is blank, or has nothing but commas.
pub(super) fn is_empty_list(value: &[u8]) -> bool {
    elements(value).next().is_none()
}

/// Returns `value` without the spaces and tabs around it (RFC 9110 §5.6.3). A line break stays,
/// because a parser that lets one through has not parsed lines.
pub(super) const fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether this is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Whether a token may have this byte.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether a token may have a byte, for each byte. A look-up takes fewer instructions than the
/// comparisons, and a scan of a head has one for each byte of a header name.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\''
            | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
        byte += 1;
    }
    table
};

/// Whether this names a protocol in Upgrade: a token, and a version after a slash if it has one
/// (RFC 9110 §7.8).
pub(super) fn is_protocol(element: &[u8]) -> bool {
    element.splitn(2, |&byte| byte == b'/').all(is_token)
}

/// Whether a header's value may have these bytes (RFC 9110 §5.5).
pub(super) fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

/// Splits after the first `mark`, which stays at the end of the first half.
fn split_after(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == mark)?;
    bytes.split_at_checked(at.checked_add(1)?)
}
