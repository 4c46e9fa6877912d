//! The bytes of a head (RFC 9112 §2 to §5): where it ends, its first line, its header block.

use core::{mem, slice, str};

use super::{error::HandshakeError, headers::is_token, target::Resource};

/// The default limit of a head, with all that comes in front of it: 16 KiB.
const MAX_HEAD: usize = 16 << 10;

/// Which of the two kinds of head is read: they differ in a few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// Finds the end of a head in a buffer that grows from call to call.
///
/// It validates each byte once, however the head is split into reads, and keeps its place as a count:
/// the buffer may move between calls, but has to begin with the same bytes. Given fewer bytes than
/// before, it starts over with these.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    kind: Kind,
    limit: usize,
    /// How many bytes of the buffer were judged. Never more than `limit`.
    scanned: usize,
    /// Where the head begins: behind empty lines and skipped heads. Never more than `scanned`.
    start: usize,
    place: Place,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The very first byte of a head.
    Start,
    /// The LF of an empty line in front of a request.
    EmptyLine,
    FirstLine,
    /// The LF of a line that was not empty.
    LineEnd,
    /// The first byte of a header line, or of the blank line.
    LineStart,
    HeaderLine,
    /// The LF of the blank line.
    BlankLine,
    /// Nothing more: the head is whole.
    Behind,
}

impl Scanner {
    pub(super) const fn new(kind: Kind) -> Self {
        Scanner { kind, limit: MAX_HEAD, scanned: 0, start: 0, place: Place::Start }
    }

    pub(super) const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The head, once it is whole. The verdict is a function of the bytes, not of their cut into
    /// calls; asked again, it is the same.
    pub(super) fn scan<'a>(&mut self, input: &'a [u8]) -> Result<Option<&'a [u8]>, HandshakeError> {
        // A shorter buffer cannot begin with the bytes that were scanned: it is a new one.
        if input.len() < self.scanned {
            self.restart();
        }
        while self.place != Place::Behind {
            if matches!(self.place, Place::FirstLine | Place::HeaderLine) {
                let end = input.len().min(self.limit);
                let run = plain_run(input.get(self.scanned..end).unwrap_or_default());
                self.scanned = self.scanned.saturating_add(run);
            }
            // §10.4: the limit is on all bytes up to the end of the head.
            if self.scanned >= self.limit {
                return Err(HandshakeError::HeadTooLarge);
            }
            let Some(&byte) = input.get(self.scanned) else {
                return Ok(None);
            };
            let next = self.step(byte)?;
            self.scanned = self.scanned.saturating_add(1);
            if next == Place::Start {
                self.start = self.scanned;
            }
            self.place = next;
        }
        Ok(input.get(self.start..self.scanned))
    }

    /// Leaves the head that was found behind, without taking it: the next one is looked for.
    pub(super) const fn skip(&mut self) {
        self.start = self.scanned;
        self.place = Place::Start;
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

    const fn restart(&mut self) {
        self.scanned = 0;
        self.start = 0;
        self.place = Place::Start;
    }

    /// What follows `byte`, if it may stand here.
    const fn step(&self, byte: u8) -> Result<Place, HandshakeError> {
        Ok(match (self.place, byte) {
            // RFC 9112 §2.2: a server skips empty lines in front of a request.
            (Place::Start, b'\r') if matches!(self.kind, Kind::Request) => Place::EmptyLine,
            (Place::EmptyLine, b'\n') => Place::Start,
            (Place::FirstLine | Place::HeaderLine, b'\r') => Place::LineEnd,
            (Place::LineEnd, b'\n') => Place::LineStart,
            (Place::LineStart, b'\r') => Place::BlankLine,
            (Place::BlankLine, b'\n') => Place::Behind,
            // RFC 9112 §2.2: a CR stands in front of an LF and nowhere else. We want the converse
            // too: where one program sees the end of a line and the next does not, heads are
            // smuggled.
            (Place::EmptyLine | Place::LineEnd | Place::BlankLine, _) => {
                return Err(HandshakeError::ControlByte(b'\r'));
            }
            // RFC 9110 §5.5, RFC 9112 §4: a tab may stand in a header's value and in a reason.
            (Place::LineStart | Place::HeaderLine, b'\t') => Place::HeaderLine,
            (Place::FirstLine, b'\t') if matches!(self.kind, Kind::Response) => Place::FirstLine,
            _ if byte.is_ascii_control() => return Err(HandshakeError::ControlByte(byte)),
            (Place::LineStart | Place::HeaderLine, _) => Place::HeaderLine,
            _ => Place::FirstLine,
        })
    }
}

/// How many bytes at the front are no control bytes: eight are looked at in one step.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGH: u64 = ONES << 7;
    let mut run = 0_usize;
    while let Some(word) = bytes.get(run..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*word);
        // The lowest high bit set here is that of the first byte below 0x20, or equal to 0x7F: a borrow
        // goes to the bytes above only.
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = word ^ (ONES * 0x7F);
        let found = (below | delete.wrapping_sub(ONES) & !delete) & HIGH;
        if found != 0 {
            return run.saturating_add((found.trailing_zeros() / 8) as usize);
        }
        run = run.saturating_add(8);
    }
    let tail = bytes.get(run..).unwrap_or_default();
    run.saturating_add(tail.iter().take_while(|byte| !byte.is_ascii_control()).count())
}

/// The first line of a request (RFC 9112 §3), or the pseudo-header fields that stand in its place
/// (RFC 9113 §8.3.1), once it has been judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine<'h> {
    pub(super) method: &'h str,
    /// The authority of a target in absolute form, or that of a CONNECT.
    pub(super) authority: Option<&'h str>,
    pub(super) resource: Resource<'h>,
}

impl<'h> RequestLine<'h> {
    /// The first line of a head, and the block of header lines behind it.
    pub(super) fn parse(head: &'h [u8]) -> Result<(Self, &'h [u8]), HandshakeError> {
        let (line, block) = split_line(head)?;
        // RFC 9112 §3: three parts with one space between them.
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HandshakeError::MalformedLine);
        };
        let version = parse_version(version)?;
        let method = str::from_utf8(method).map_err(|_| HandshakeError::MalformedLine)?;
        let target = str::from_utf8(target).map_err(|_| HandshakeError::InvalidTarget)?;
        Ok((RequestLine::upgrade(method, version, target)?, block))
    }

    /// The rules of a line, whoever parsed it.
    pub(super) fn upgrade(
        method: &'h str,
        version: (u8, u8),
        target: &'h str,
    ) -> Result<Self, HandshakeError> {
        // §4.2.1: HTTP/1.1 or higher. The version says how to read the rest, so it is judged first.
        if minor_version(version)? == 0 {
            return Err(HandshakeError::OldHttpVersion);
        }
        if !is_token(method.as_bytes()) {
            return Err(HandshakeError::MalformedLine);
        }
        // §4.2.1: the method is GET. RFC 9110 §9.1: methods are case-sensitive.
        if method != "GET" {
            return Err(HandshakeError::MethodNotAllowed);
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
    /// The first line of a head, and the block of header lines behind it.
    pub(super) fn parse(head: &[u8]) -> Result<(Self, &[u8]), HandshakeError> {
        let (line, block) = split_line(head)?;
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let version = parse_version(parts.next().unwrap_or_default())?;
        minor_version(version)?;
        // RFC 9112 §4: three digits. The reason says nothing, and its space is often left out.
        let status = match parts.next() {
            Some([hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => {
                let number = |digit: &u8| u16::from(digit & 0x0F);
                100 * number(hundreds) + 10 * number(tens) + number(ones)
            }
            _ => return Err(HandshakeError::MalformedLine),
        };
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

/// Parses a block of header lines, with room for `HEADERS` of them, and judges what they say.
pub(super) fn parse_headers<'h, const HEADERS: usize, T>(
    block: &'h [u8],
    judge: impl FnOnce(Parsed<'_, 'h>) -> Result<T, HandshakeError>,
) -> Result<T, HandshakeError> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS];
    match httparse::parse_headers(block, &mut slots) {
        // The scanner decided where the head ends, and the parser has to see the same end.
        Ok(httparse::Status::Complete((length, lines))) if length == block.len() => {
            judge(Parsed(lines.iter()))
        }
        Err(httparse::Error::TooManyHeaders) => Err(HandshakeError::TooManyHeaders),
        // RFC 9112 §5.1, §5.2: no space in front of the colon, no folded line.
        _ => Err(HandshakeError::MalformedHeader),
    }
}

/// The minor version of HTTP/1.
pub(super) const fn minor_version(version: (u8, u8)) -> Result<u8, HandshakeError> {
    match version {
        // RFC 9110 §2.5: a higher minor version is read like the highest that is known.
        (1, minor) => Ok(minor),
        // RFC 9110 §2.5: a message of another major version is not understood.
        _ => Err(HandshakeError::UnsupportedHttpVersion),
    }
}

fn parse_version(version: &[u8]) -> Result<(u8, u8), HandshakeError> {
    // RFC 9112 §2.3: the name in capitals, a digit, a dot, a digit.
    match version.strip_prefix(b"HTTP/") {
        Some([major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9']) => Ok((major - b'0', minor - b'0')),
        _ => Err(HandshakeError::InvalidHttpVersion),
    }
}

/// Splits off the first line, without its CRLF.
fn split_line(head: &[u8]) -> Result<(&[u8], &[u8]), HandshakeError> {
    let mut parts = head.splitn(2, |&byte| byte == b'\n');
    let (Some(line), Some(block)) = (parts.next(), parts.next()) else {
        return Err(HandshakeError::MalformedLine);
    };
    Ok((line.strip_suffix(b"\r").unwrap_or(line), block))
}

#[cfg(test)]
mod tests {
    use super::plain_run;

    /// It is only quicker than one byte after the other, so nothing but this shows how far it gets.
    #[test]
    fn a_run_ends_at_the_first_control_byte() {
        let plain: [u8; 40] =
            core::array::from_fn(|at| *b" ~a\x80\xFF\x7E!".get(at % 7).unwrap_or(&0));
        for end in 0..=plain.len() {
            assert_eq!(plain_run(&plain[..end]), end);
            for control in [0x00, b'\t', b'\r', 0x1F, 0x7F] {
                for at in 0..end {
                    let mut bytes = plain;
                    bytes[at] = control;
                    assert_eq!(plain_run(&bytes[..end]), at, "{control:#x} in {end}");
                }
            }
        }
    }
}
