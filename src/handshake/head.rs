//! The bytes of a head (RFC 9112 §2 to §5): where it ends, its first line, its header block.
//!
//! A head that the [quick path](super::quick) does not take passes three stages:
//!
//! 1. The [`Scanner`] reads each byte once, as the bytes arrive, and finds the end. From then on
//!    the form of every line is known to be valid.
//! 2. [`RequestLine::parse`] or [`StatusLine::parse`] splits off the first line, and
//!    [`parse_headers`] lends the header lines to the rules of the handshake.
//! 3. If the rules hold, [`Scanner::take`] takes the head off the input. Otherwise the input stays
//!    as it was, so that the caller can answer it as plain HTTP.
//!
//! The later stages rely on the first: they split lines at fixed offsets and turn digits into
//! numbers without checks of their own. Header lines that another stack has parsed do not pass
//! through this module.

use core::{mem, slice, str};

use super::{
    error::HandshakeError,
    headers::{is_token, is_token_byte},
    target::Resource,
};

/// The default limit of a head, with all bytes before it: 16 KiB.
const MAX_HEAD: usize = 16 << 10;

/// The two kinds of head. They differ in their first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadKind {
    Request,
    Response,
}

/// Finds the end of a head in a buffer that grows from call to call.
///
/// It validates each byte once, however the head is split into reads, and keeps its position as a
/// count: the buffer may move between calls, but has to begin with the same bytes. Given fewer
/// bytes than before, and after each error, it starts over.
///
/// A byte that no head of HTTP/1 can have at its position is refused at once, because a peer that
/// sends it speaks another protocol and may wait for an answer. The rules of the handshake are
/// checked after the head was fully received.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    kind: HeadKind,
    limit: usize,
    /// How many bytes of the buffer were validated. Never more than `limit`.
    scanned: usize,
    /// Where the head begins: after empty lines and skipped heads. Never more than `scanned`.
    start: usize,
    /// What the byte at `scanned` belongs to. The state depends only on the bytes before, so a new
    /// call goes on where the last one ended.
    state: ScanState,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScanState {
    /// The very first byte of a head.
    Start,
    /// The LF of an empty line before a request.
    EmptyLine,
    /// The method of a request, which has at least one byte already, or the space after it.
    Method,
    /// The first byte of a request's target.
    TargetStart,
    /// The rest of the target, or the space after it.
    Target,
    /// The version, of which this many bytes were received. After all eight, the byte that follows
    /// it.
    Version(u8),
    /// The status code, of which this many digits were received. After three, the byte that follows
    /// it.
    Status(u8),
    Reason,
    /// The LF of a line that was not empty.
    LineEnd,
    /// The first byte of a header line, or of the blank line.
    LineStart,
    /// The name of a header, which has at least one byte already, or its colon.
    HeaderName,
    HeaderValue,
    /// The LF of the blank line.
    BlankLine,
    /// Nothing more: the head was fully received.
    Complete,
}

impl Scanner {
    pub(super) const fn new(kind: HeadKind) -> Self {
        Scanner { kind, limit: MAX_HEAD, scanned: 0, start: 0, state: ScanState::Start }
    }

    pub(super) const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Returns the bytes that the [quick path](super::quick) may read; `None` if some were scanned
    /// already, or if that path is left out.
    pub(super) fn quick_input<'a>(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        (cfg!(feature = "alloc") && self.scanned == 0).then(|| self.within_limit(input))
    }

    /// Notes that the first `length` bytes of the input, of which none was scanned, are a head. Call
    /// [`take`](Scanner::take) next.
    pub(super) const fn found(&mut self, length: usize) {
        self.scanned = length;
    }

    /// Returns the head once it was fully received. The result depends on the bytes alone, however
    /// they are split into calls. A call with the same bytes again gives the same result.
    pub(super) fn scan<'a>(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, HandshakeError> {
        // A shorter buffer cannot begin with the bytes that were scanned, so it is a new one. A
        // head that was neither taken nor skipped after the last call was refused, and its owner
        // may have removed bytes from the buffer since.
        if input.len() < self.scanned || self.state == ScanState::Complete {
            self.restart();
        }
        let bytes = self.within_limit(input);
        let (mut state, mut scanned) = (self.state, self.scanned);
        // Each turn takes the run of bytes that need no decision, and then one byte that does.
        while state != ScanState::Complete {
            let (run, next) = state.skim(bytes.get(scanned..).unwrap_or_default());
            (state, scanned) = (next, scanned.saturating_add(run));
            let Some(&byte) = bytes.get(scanned) else {
                break;
            };
            state = state.step(self.kind, byte).inspect_err(|_| self.restart())?;
            scanned = scanned.saturating_add(1);
            // Only the end of an empty line leads back here.
            if state == ScanState::Start {
                self.start = scanned;
            }
        }
        (self.state, self.scanned) = (state, scanned);
        if state == ScanState::Complete {
            Ok(input.get(self.start..scanned))
        } else if scanned >= self.limit {
            self.restart();
            Err(HandshakeError::HeadTooLarge)
        } else {
            Ok(None)
        }
    }

    /// Skips the head that was found, without taking it. The next scan looks for the one after it.
    pub(super) const fn skip(&mut self) {
        self.start = self.scanned;
        self.state = ScanState::Start;
    }

    /// Takes the head that was found off the front of `input`, with everything before it, and
    /// starts over.
    pub(super) fn take<'h>(&mut self, input: &mut &'h mut [u8]) -> &'h [u8] {
        let (head, rest) = mem::take(input).split_at_mut_checked(self.scanned).unwrap_or_default();
        *input = rest;
        let head = head.get(self.start..).unwrap_or_default();
        self.restart();
        head
    }

    /// Returns the front of the input, as much of it as a head may have.
    fn within_limit<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        // §10.4: the limit is on all bytes up to the end of the head.
        input.get(..self.limit).unwrap_or(input)
    }

    const fn restart(&mut self) {
        self.scanned = 0;
        self.start = 0;
        self.state = ScanState::Start;
    }
}

impl ScanState {
    /// Takes many steps at once. Returns how many bytes at the front were covered, which may be
    /// none, and the state after them. [`step`](ScanState::step), byte by byte, leads to the same
    /// state.
    ///
    /// Only valid bytes are covered, so there is no error to return.
    fn skim(self, rest: &[u8]) -> (usize, ScanState) {
        match self {
            ScanState::Method => (token_run(rest), self),
            ScanState::Target => (plain_run(rest, b'!'), self),
            ScanState::Version(0) if rest.starts_with(b"HTTP/1.") => (7, ScanState::Version(7)),
            // A response, whose first byte was a step of its own.
            ScanState::Version(1) if rest.starts_with(b"TTP/1.") => (6, ScanState::Version(7)),
            ScanState::Reason | ScanState::HeaderValue => {
                let run = plain_run(rest, b' ');
                match rest.get(run..) {
                    Some([b'\r', b'\n', ..]) => (run.saturating_add(2), ScanState::LineStart),
                    _ => (run, self),
                }
            }
            ScanState::LineStart | ScanState::HeaderName => {
                let run = token_run(rest);
                let begun = run > 0 || self == ScanState::HeaderName;
                match rest.get(run..) {
                    Some([b':', value @ ..]) if begun => {
                        let (more, state) = ScanState::HeaderValue.skim(value);
                        (run.saturating_add(more).saturating_add(1), state)
                    }
                    _ if begun => (run, ScanState::HeaderName),
                    _ => (0, self),
                }
            }
            _ => (0, self),
        }
    }

    /// Returns the state after `byte`, or which rule forbids it here.
    const fn step(self, kind: HeadKind, byte: u8) -> Result<ScanState, HandshakeError> {
        use ScanState::*;

        Ok(match (self, byte) {
            // RFC 9112 §2.2: a server skips empty lines before a request.
            (Start, b'\r') if matches!(kind, HeadKind::Request) => EmptyLine,
            (EmptyLine, b'\n') => Start,
            // RFC 9112 §3: a method, a target and a version, separated by single spaces.
            (Start, _) if matches!(kind, HeadKind::Request) && is_token_byte(byte) => Method,
            (Method, _) if is_token_byte(byte) => Method,
            (Method, b' ') => TargetStart,
            (TargetStart | Target, b'!'..=b'~' | 0x80..) => Target,
            (Target, b' ') => Version(0),
            (Version(8), b'\r') if matches!(kind, HeadKind::Request) => LineEnd,
            // RFC 9112 §4: a version, a status of three digits and an optional reason.
            (Start, b'H') if matches!(kind, HeadKind::Response) => Version(1),
            (Version(8), b' ') if matches!(kind, HeadKind::Response) => Status(0),
            (Status(0), b'1'..=b'9') => Status(1),
            (Status(seen @ 1..=2), b'0'..=b'9') => Status(seen.saturating_add(1)),
            (Status(3), b' ') | (Reason, b'\t' | b' '..=b'~' | 0x80..) => Reason,
            (Status(3) | Reason, b'\r') => LineEnd,
            (Version(seen), _) if is_version(seen, byte) => Version(seen.saturating_add(1)),
            // RFC 9112 §5: a name, a colon without space before it, and a value. A line that begins
            // with a space would continue the one before it.
            (LineEnd, b'\n') => LineStart,
            (LineStart | HeaderName, _) if is_token_byte(byte) => HeaderName,
            (HeaderName, b':') | (HeaderValue, b'\t' | b' '..=b'~' | 0x80..) => HeaderValue,
            (HeaderValue, b'\r') => LineEnd,
            (LineStart, b'\r') => BlankLine,
            (BlankLine, b'\n') => Complete,
            _ => return Err(self.fault(kind, byte)),
        })
    }

    /// Returns the error for `byte`, which no arm of [`step`](ScanState::step) takes.
    #[cold]
    const fn fault(self, kind: HeadKind, byte: u8) -> HandshakeError {
        use ScanState::*;

        match (self, byte) {
            // RFC 9112 §2.2: a CR must be followed by an LF. An LF without a CR is refused, too,
            // because programs disagree on whether it ends a line, so one head could hide in
            // another.
            (EmptyLine | LineEnd | BlankLine, _) => HandshakeError::ControlByte(b'\r'),
            // RFC 9112 §2.2: only a server skips empty lines.
            (Start, b'\r') => HandshakeError::MalformedLine,
            (LineStart | HeaderName, b'\t' | b'\r' | b' '..=b'~' | 0x80..) => {
                HandshakeError::MalformedHeader
            }
            // RFC 9110 §5.5, RFC 9112 §4: a tab may stand in a header's value and in a reason.
            _ if byte.is_ascii_control() && byte != b'\r' => HandshakeError::ControlByte(byte),
            // RFC 9110 §2.5: a message of another major version is not understood.
            (Version(5), b'0'..=b'9') => HandshakeError::UnsupportedHttpVersion,
            (Version(8), b' ' | b'\r') => HandshakeError::MalformedLine,
            (Version(_), _) => HandshakeError::InvalidHttpVersion,
            (Start, _) if matches!(kind, HeadKind::Response) => HandshakeError::InvalidHttpVersion,
            _ => HandshakeError::MalformedLine,
        }
    }
}

/// Whether `byte` may follow the first `seen` bytes of a version.
const fn is_version(seen: u8, byte: u8) -> bool {
    // RFC 9112 §2.3: the name in capitals, a digit, a dot, a digit. RFC 9110 §2.5: a higher minor
    // version is read like the highest that is known.
    match seen {
        0 => byte == b'H',
        1 | 2 => byte == b'T',
        3 => byte == b'P',
        4 => byte == b'/',
        5 => byte == b'1',
        6 => byte == b'.',
        7 => byte.is_ascii_digit(),
        _ => false,
    }
}

/// Returns how many bytes at the front may stand in a token.
pub(super) fn token_run(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    // Steps of four bytes take half the instructions of single ones.
    while let Some((&[a, b, c, d], tail)) = rest.split_first_chunk() {
        if !(is_token_byte(a) && is_token_byte(b) && is_token_byte(c) && is_token_byte(d)) {
            break;
        }
        rest = tail;
    }
    let run_in_rest = rest.iter().take_while(|&&byte| is_token_byte(byte)).count();
    bytes.len().saturating_sub(rest.len()).saturating_add(run_in_rest)
}

/// Returns how many bytes at the front are neither below `lowest` nor DEL. Eight bytes are compared
/// in one step, as the digits of a word.
pub(super) fn plain_run(bytes: &[u8], lowest: u8) -> usize {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let lowest_of_each = ONES * u64::from(lowest);
    let mut rest = bytes;
    let run_in_rest = loop {
        let Some((word, tail)) = rest.split_first_chunk() else {
            break rest.iter().take_while(|&&byte| byte >= lowest && byte != 0x7F).count();
        };
        let word = u64::from_le_bytes(*word);
        // Subtraction sets the high bit of each byte that is below `lowest`, and of each that is 0
        // after the XOR with 0x7F. Bytes whose high bit was set before are neither, so they are
        // masked out. A borrow spoils only bytes above the one it comes from, so the lowest high
        // bit that is found is right.
        let below = word.wrapping_sub(lowest_of_each);
        let delete = (word ^ (ONES * 0x7F)).wrapping_sub(ONES);
        let found = (below | delete) & !word & HIGH;
        if found != 0 {
            break (found.trailing_zeros() / 8) as usize;
        }
        rest = tail;
    };
    bytes.len().saturating_sub(rest.len()).saturating_add(run_in_rest)
}

/// A valid first line of a request (RFC 9112 §3), or the pseudo-header fields that take its place
/// (RFC 9113 §8.3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine<'h> {
    pub(super) method: &'h str,
    /// The authority of a target in absolute form, or that of a CONNECT.
    pub(super) authority: Option<&'h str>,
    pub(super) resource: Resource<'h>,
}

impl<'h> RequestLine<'h> {
    /// Splits a scanned head into its first line and the block of header lines after it.
    pub(super) fn parse(head: &'h [u8]) -> Result<(Self, &'h [u8]), HandshakeError> {
        let (line, block) = split_line(head)?;
        // The scanner found three parts separated by single spaces, and a version of HTTP/1. So the
        // last nine bytes are a space and `HTTP/1.1`, or another minor version.
        let split = line.split_last_chunk::<9>().and_then(|(line, version)| {
            let (method, target) = line.split_at_checked(line.iter().position(|&b| b == b' ')?)?;
            Some((method, target.get(1..)?, version))
        });
        let Some((method, target, [.., minor])) = split else {
            return Err(HandshakeError::MalformedLine);
        };
        let method = str::from_utf8(method).map_err(|_| HandshakeError::MalformedLine)?;
        let target = str::from_utf8(target).map_err(|_| HandshakeError::InvalidTarget)?;
        Ok((RequestLine::upgrade(method, (1, minor & 0x0F), target)?, block))
    }

    /// Validates the parts of a line, whichever HTTP stack parsed it.
    pub(super) fn upgrade(
        method: &'h str,
        version: (u8, u8),
        target: &'h str,
    ) -> Result<Self, HandshakeError> {
        // §4.2.1: HTTP/1.1 or higher. The version says how to read the rest, so it is validated
        // first.
        if minor_version(version)? == 0 {
            return Err(HandshakeError::OldHttpVersion);
        }
        // §4.2.1: the method is GET. RFC 9110 §9.1: methods are case-sensitive.
        if method != "GET" {
            return Err(if is_token(method.as_bytes()) {
                HandshakeError::MethodNotAllowed
            } else {
                HandshakeError::MalformedLine
            });
        }
        let (authority, resource) = Resource::of_request(target)?;
        Ok(RequestLine { method, authority, resource })
    }
}

/// The first line of a response (RFC 9112 §4).
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusLine {
    /// The major version, which is 1, and the minor one.
    pub(super) version: (u8, u8),
    pub(super) status: u16,
}

impl StatusLine {
    /// Splits a scanned head into its first line and the block of header lines after it.
    pub(super) fn parse(head: &[u8]) -> Result<(Self, &[u8]), HandshakeError> {
        let (line, block) = split_line(head)?;
        // The scanner found a version of HTTP/1, a space and three digits. The reason is ignored.
        let &[_, _, _, _, _, _, _, minor, _, hundreds, tens, ones, ..] = line else {
            return Err(HandshakeError::MalformedLine);
        };
        let number = |digit: u8| u16::from(digit & 0x0F);
        let status = 100 * number(hundreds) + 10 * number(tens) + number(ones);
        let version = (1, minor & 0x0F);
        Ok((StatusLine { version, status }, block))
    }
}

/// Header lines that were parsed: each line's name and value.
#[derive(Clone)]
pub(super) struct Parsed<'s, 'h>(slice::Iter<'s, httparse::Header<'h>>);

impl<'h> Iterator for Parsed<'_, 'h> {
    type Item = (&'h str, &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|line| (line.name, line.value))
    }
}

/// Parses a block of at most `HEADERS` header lines, and calls `validate` with them. They cannot be
/// returned, because their slots are on the stack of this call.
pub(super) fn parse_headers<'h, const HEADERS: usize, T>(
    block: &'h [u8],
    validate: impl FnOnce(Parsed<'_, 'h>) -> Result<T, HandshakeError>,
) -> Result<T, HandshakeError> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS];
    match httparse::parse_headers(block, &mut slots) {
        // The scanner decided where the head ends, and the parser has to find the same end.
        // Otherwise bytes of the head would be taken for frames. The scanner has also validated
        // each line, so the parser refuses nothing but too many lines.
        Ok(httparse::Status::Complete((length, lines))) if length == block.len() => {
            validate(Parsed(lines.iter()))
        }
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::TooManyHeaders),
        _ => Err(HandshakeError::MalformedHeader),
    }
}

/// Returns the minor version of HTTP/1.
pub(super) const fn minor_version(version: (u8, u8)) -> Result<u8, HandshakeError> {
    match version {
        // RFC 9110 §2.5: a higher minor version is read like the highest that is known.
        (1, minor) => Ok(minor),
        // RFC 9110 §2.5: a message of another major version is not understood.
        _ => Err(HandshakeError::UnsupportedHttpVersion),
    }
}

/// Splits off the first line, without its CRLF.
pub(super) fn split_line(head: &[u8]) -> Result<(&[u8], &[u8]), HandshakeError> {
    let mut parts = head.splitn(2, |&byte| byte == b'\n');
    let (Some(line), Some(block)) = (parts.next(), parts.next()) else {
        return Err(HandshakeError::MalformedLine);
    };
    Ok((line.strip_suffix(b"\r").unwrap_or(line), block))
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "alloc")]
    use super::{HeadKind, Scanner};
    use super::{ScanState::*, plain_run};

    /// Both paths give the same results, so only this test shows when the quick one is tried.
    #[cfg(feature = "alloc")]
    #[test]
    fn a_head_may_be_quick_until_a_byte_of_it_was_scanned() {
        let mut scanner = Scanner::new(HeadKind::Request).limit(3);
        assert_eq!(scanner.quick_input(b"GET /"), Some(&b"GET"[..]));
        assert_eq!(scanner.quick_input(b"GE"), Some(&b"GE"[..]));
        assert_eq!(scanner.scan(b"G"), Ok(None));
        assert_eq!(scanner.quick_input(b"GET /"), None);
    }

    /// Steps of one byte give the same results, so only this test shows how far a skim gets.
    #[test]
    fn a_skim_ends_with_a_line_or_at_an_unusual_byte() {
        for (state, rest, expected) in [
            (Method, "ET / HTTP", (2, Method)),
            (Method, "ET", (2, Method)),
            (Target, "chat HTTP/1.1", (4, Target)),
            (Version(0), "HTTP/1.1\r\n", (7, Version(7))),
            (Version(0), "HTTP/2.0\r\n", (0, Version(0))),
            (Version(0), "HTTP/1", (0, Version(0))),
            (Reason, "OK \r\nA: b", (5, LineStart)),
            (Reason, "OK", (2, Reason)),
            (Version(1), "TTP/1.1 101", (6, Version(7))),
            (HeaderName, "ost: h\r\n", (8, LineStart)),
            (HeaderName, "ost: h", (6, HeaderValue)),
            (HeaderName, ": h", (3, HeaderValue)),
            (HeaderName, "ost", (3, HeaderName)),
            (HeaderName, "ost : h", (3, HeaderName)),
            (HeaderValue, " h\r\nA", (4, LineStart)),
            (HeaderValue, " h\r", (2, HeaderValue)),
            (HeaderValue, " h\tA", (2, HeaderValue)),
            (LineStart, "A: b\r\nB: c\r\n", (6, LineStart)),
            (LineStart, "A", (1, HeaderName)),
            (LineStart, ": b", (0, LineStart)),
            (LineStart, "\r\n", (0, LineStart)),
            (LineStart, "", (0, LineStart)),
        ] {
            assert_eq!(state.skim(rest.as_bytes()), expected, "{state:?} {rest:?}");
        }
    }

    /// A run that ends too early gives the same results, so only this test shows how far one gets.
    #[test]
    fn a_run_ends_at_the_first_control_byte() {
        for lowest in [b' ', b'!'] {
            let plain: [u8; 40] = core::array::from_fn(|at| {
                *[lowest, b'~', b'a', 0x80, 0xFF, b'!'].get(at % 6).unwrap()
            });
            for end in 0..=plain.len() {
                assert_eq!(plain_run(&plain[..end], lowest), end);
                for control in [0x00, b'\t', b'\r', 0x1F, lowest - 1, 0x7F] {
                    for at in 0..end {
                        let mut bytes = plain;
                        bytes[at] = control;
                        let run = plain_run(&bytes[..end], lowest);
                        assert_eq!(run, at, "{control:#x} in {end} from {lowest:#x}");
                    }
                }
            }
        }
    }
}
