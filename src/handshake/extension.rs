//! The grammar of `Sec-WebSocket-Extensions` (§9.1), the same for all extensions.

use core::{fmt, str};

use super::headers::is_token_byte;

/// One element of a `Sec-WebSocket-Extensions` list: a name and its parameters (§9.1).
///
/// ```
/// # use websocket_proto::handshake::ServerHandshake;
/// # let mut head = *b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
/// #     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
/// #     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: foo, bar; a; b=\"1\\0\"\r\n\r\n";
/// # let request = ServerHandshake::new().receive(&mut &mut head[..])?.expect("whole");
/// // Sec-WebSocket-Extensions: foo, bar; a; b="1\0"
/// let bar = request.extensions().find(|extension| extension.name() == "bar").expect("offered");
/// let mut params = bar.params();
/// assert!(matches!(params.next(), Some(("a", None))));
/// assert!(matches!(params.next(), Some(("b", Some(value))) if value == "10"));
/// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
/// ```
#[doc(alias = "Sec-WebSocket-Extensions")]
#[derive(Clone, Copy, Debug)]
pub struct Extension<'h> {
    name: &'h str,
    /// From the first semicolon to the end of the element.
    params: &'h str,
}

impl<'h> Extension<'h> {
    /// Returns the extension's name.
    #[must_use]
    pub const fn name(&self) -> &'h str {
        self.name
    }

    /// Returns the name of each parameter, and its value if it has one, in their order.
    pub fn params(&self) -> impl Iterator<Item = (&'h str, Option<Value<'h>>)> + Clone + use<'h> {
        let mut cursor = Cursor(self.params);
        core::iter::from_fn(move || cursor.param().ok().flatten())
    }
}

/// The value of an extension's parameter: a token, possibly sent as a quoted string.
///
/// A value is compared and printed in its unescaped form.
#[derive(Clone, Copy, Debug)]
pub struct Value<'h> {
    escaped: &'h str,
}

impl<'h> Value<'h> {
    /// Returns the characters of the token, unescaped. All of them are ASCII.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + use<'h> {
        // A token has no backslash, so each one here is an escape.
        self.escaped.chars().filter(|&character| character != '\\')
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, text: &str) -> bool {
        self.chars().eq(text.chars())
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

/// The error for text that does not have the form of an extension list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Malformed;

/// Returns the extensions of one header line, up to the first that is malformed.
pub(super) fn extensions(
    value: &[u8],
) -> impl Iterator<Item = Result<Extension<'_>, Malformed>> + Clone {
    // §8.1: a line that is not UTF-8 is malformed.
    let text = str::from_utf8(value);
    let mut cursor = Cursor(text.unwrap_or_default());
    let not_text = text.is_err().then_some(Err(Malformed));
    not_text.into_iter().chain(core::iter::from_fn(move || {
        let element = cursor.element();
        if element.is_err() {
            cursor.0 = "";
        }
        element.transpose()
    }))
}

/// The rest of a line. Each step takes characters off the front and never looks back, so the work
/// is linear.
#[derive(Clone, Copy)]
struct Cursor<'h>(&'h str);

impl<'h> Cursor<'h> {
    /// Takes the next element; `None` at the end of the line.
    fn element(&mut self) -> Result<Option<Extension<'h>>, Malformed> {
        // RFC 9110 §5.6.1: empty elements are skipped.
        self.0 = self.0.trim_start_matches([' ', '\t', ',']);
        if self.0.is_empty() {
            return Ok(None);
        }
        let name = self.token()?;
        let after_name = self.0;
        while self.param()?.is_some() {}
        let length = after_name.len().saturating_sub(self.0.len());
        let params = after_name.get(..length).unwrap_or_default();
        // Only a comma or the end of the line follows an element.
        if !self.0.is_empty() && !self.eat(',') {
            return Err(Malformed);
        }
        Ok(Some(Extension { name, params }))
    }

    /// Takes the next parameter of the element; `None` at its end.
    fn param(&mut self) -> Result<Option<(&'h str, Option<Value<'h>>)>, Malformed> {
        if !self.eat(';') {
            return Ok(None);
        }
        let name = self.token()?;
        if !self.eat('=') {
            return Ok(Some((name, None)));
        }
        let escaped = if self.eat('"') { self.quoted()? } else { self.token()? };
        Ok(Some((name, Some(Value { escaped }))))
    }

    /// Takes the rest of a quoted string after its first quote. Returns the text between both.
    fn quoted(&mut self) -> Result<&'h str, Malformed> {
        let mut escape = false;
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                b'\\' if !escape => escape = true,
                b'"' if !escape && at > 0 => {
                    let (inside, rest) = self.0.split_at_checked(at).ok_or(Malformed)?;
                    self.0 = rest.strip_prefix('"').ok_or(Malformed)?;
                    self.skip_whitespace();
                    return Ok(inside);
                }
                // §9.1: the text between the quotes, unescaped, is a token.
                byte if is_token_byte(byte) => escape = false,
                _ => return Err(Malformed),
            }
        }
        Err(Malformed)
    }

    /// Takes a token of at least one character, and the whitespace around it (§4.3: implied
    /// whitespace).
    fn token(&mut self) -> Result<&'h str, Malformed> {
        self.skip_whitespace();
        let end = self.0.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end).ok_or(Malformed)?;
        if token.is_empty() {
            return Err(Malformed);
        }
        self.0 = rest;
        self.skip_whitespace();
        Ok(token)
    }

    /// Takes whitespace, and `mark` if it comes next. Returns whether it did.
    fn eat(&mut self, mark: char) -> bool {
        self.skip_whitespace();
        match self.0.strip_prefix(mark) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn skip_whitespace(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}
