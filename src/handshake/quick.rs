//! The quick path: reads a head of the usual form that arrives in one piece, in one pass.
//!
//! Nearly every head is received by one read and has the usual form. The pass splits such a head
//! into lines and records its fields as it goes. All other heads take the strict path, which scans
//! the bytes, splits off the first line and parses the others:
//!
//! ```text
//!             ┌─ quick ──▶ plain_line, PlainLines ─────────────────┐
//!   bytes ────┤              │ unusual, invalid, incomplete        ├─▶ fields, rules ─▶ accepted
//!             └─ strict ─────┴─▶ Scanner ─▶ RequestLine, httparse ─┘     │
//!                                  └──────────────┴──────────────────────┴─▶ refused
//! ```
//!
//! **Every head that the quick path accepts, the strict path accepts with the same result.** The
//! quick path never reports an error. It returns `None` and leaves the input as it was. The strict
//! path then reads the head from its first byte and names the fault. This holds because
//!
//! - a plain line is a run of bytes that are allowed in the value of a header, without tabs, and a
//!   CRLF. A header line is a token, a colon and a plain line. The scanner uses the same runs;
//! - the first line is `GET`, a path and `HTTP/1.1`, or `HTTP/1.1 101` and an optional reason. An
//!   empty line before a request, an absolute URI and another version of HTTP/1 are unusual;
//! - the pass reads only the bytes within the limit of the head. A head with more header lines than
//!   are allowed is left to the strict path;
//! - the rules about paths and fields are the functions that the strict path calls.
//!
//! The two paths differ in time only, so a fault in one shows only in a comparison with the other.
//! A head that comes in two pieces takes the strict path. The tests in `tests/handshake_paths.rs`
//! and the fuzz target `handshake_paths` receive each head in one piece and in two, and compare the
//! results: the head or the error, the fields, the answer, and the bytes that stay in the input.
//!
//! The quick path is tried only while no byte of a head was scanned. So the work stays linear,
//! however a head is split into reads, but an unusual head costs up to twice as much. Without the
//! feature `alloc` all heads take the strict path, because on a microcontroller a kilobyte of code
//! counts for more than time.

use arrayvec::ArrayString;

use super::{
    head::{plain_run, token_run},
    headers::{Headers, trim_ows},
    request::RequestFields,
    response::{Criteria, ResponseFields},
    target::is_path,
};
use crate::agreed::Agreed;

/// Returns the length of the request at the front of `bytes`, and the Sec-WebSocket-Accept that
/// answers it.
pub(super) fn request(bytes: &[u8], max_headers: usize) -> Option<(usize, ArrayString<28>)> {
    let (line, block) = plain_line(bytes)?;
    if !is_path(target(line)?) {
        return None;
    }
    let mut lines = PlainLines { rest: block, left: max_headers };
    let fields = RequestFields::collect(&mut lines);
    let rest = lines.after_blank_line()?;
    let accept_key = fields.validate_upgrade().ok()?;
    Some((bytes.len().checked_sub(rest.len())?, accept_key))
}

/// Returns the length of the 101 response at the front of `bytes`, and what was agreed.
pub(super) fn response(
    bytes: &[u8],
    max_headers: usize,
    criteria: &Criteria<'_>,
) -> Option<(usize, Agreed)> {
    let (line, block) = plain_line(bytes)?;
    let ([] | [b' ', ..]) = line.strip_prefix(b"HTTP/1.1 101")? else {
        return None;
    };
    let mut lines = PlainLines { rest: block, left: max_headers };
    let fields = ResponseFields::collect(&mut lines);
    let rest = lines.after_blank_line()?;
    let headers = Headers::new(block.get(..block.len().checked_sub(rest.len())?)?);
    let agreed = criteria.validate_upgrade(criteria.accept_key.as_ref()?, &fields, headers).ok()?;
    Some((bytes.len().checked_sub(rest.len())?, agreed))
}

/// Splits off a line in which every byte is plain. The CRLF is in neither half.
fn plain_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(plain_run(bytes, b' '))?;
    Some((line, rest.strip_prefix(b"\r\n")?))
}

/// Returns the target of a request line, not validated yet.
fn target(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"GET ")?.strip_suffix(b" HTTP/1.1")
}

/// The header lines before the first one that is not plain, such as the blank line: each line's
/// name and value.
struct PlainLines<'h> {
    /// What follows the last line that was returned.
    rest: &'h [u8],
    /// How many lines may still be returned.
    left: usize,
}

impl<'h> PlainLines<'h> {
    /// Returns what follows the blank line, if all lines before it were returned.
    fn after_blank_line(self) -> Option<&'h [u8]> {
        self.rest.strip_prefix(b"\r\n")
    }
}

impl<'h> Iterator for PlainLines<'h> {
    type Item = (&'h [u8], &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.rest.split_at_checked(token_run(self.rest))?;
        let (value, rest) = plain_line(rest.strip_prefix(b":")?)?;
        if name.is_empty() {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.rest = rest;
        Some((name, trim_ows(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Criteria, request, response};
    use crate::handshake::key::accept_key;

    /// The strict path gives the same result, so only this test shows which heads are quick.
    #[test]
    fn a_usual_head_is_quick() {
        let usual = "GET /chat?room=7 HTTP/1.1\r\nHost: server.example.com\r\nUser-Agent: \u{E9}\r\n\
            Accept: \r\norigin:https://server.example.com  \r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Extensions: permessage-deflate\r\nX: y\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
            Upgrade: websocket\r\n\r\n\x01";
        let answer = accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(request(usual.as_bytes(), 10), Some((usual.len() - 1, answer)));
        assert_eq!(request(usual.as_bytes(), 9), None);

        let criteria = Criteria { accept_key: Some(answer), subprotocols: &["chat"], deflate: &[] };
        for usual in [
            "HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.26.3\r\nConnection: upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x01",
            "HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
             Sec-WebSocket-Protocol: chat\r\n\r\n\x01",
        ] {
            let found = response(usual.as_bytes(), 4, &criteria);
            assert_eq!(found.map(|(length, _)| length), Some(usual.len() - 1));
            assert!(response(usual.as_bytes(), 3, &criteria).is_none());
        }
    }
}
