//! The quick path of a handshake compared with the strict one. Both read generated heads. Every
//! difference between their results is a fault, because the quick path may only save time.

use std::mem;

use crate::common::{
    Random,
    heads::{self, Verdict},
};

/// Requests with 7, 10 and 13 header lines, and what follows them.
const REQUESTS: [&str; 3] = [
    "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
     Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n\x01\x00GET /",
    "GET http://h:81/?q HTTP/1.1\r\nhost: h:81\r\nupgrade: WebSocket\r\nconnection: upgrade\r\n\
     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nx: a\tb\r\n\
     content-length: 0\r\ncookie: a=b\r\ncookie: c=d\r\nte: trailers\r\n\r\n\r\n\r\n",
    "GET /chat?room=42 HTTP/1.1\r\nHost: server.example.com:80\r\nUser-Agent: Mozilla/5.0 (X11)\r\n\
     Accept: */*\r\nAccept-Language: en-GB,en;q=0.8\r\nAccept-Encoding: gzip, deflate\r\n\
     Sec-WebSocket-Version: 13\r\nOrigin: null\r\nSec-WebSocket-Extensions: permessage-deflate; \
     client_max_window_bits\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nPragma: no-cache\r\n\
     Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nX: \u{E9}  \r\n\r\n",
];

/// Responses with 3, 7 and 10 header lines, one after an interim response.
const RESPONSES: [&str; 3] = [
    "HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x01\x00HTTP/1.1",
    "HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.26.3\r\nDate: Mon, 23 Nov 2026\r\n\
     Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate; \
     server_no_context_takeover; client_no_context_takeover\r\nSec-WebSocket-Protocol: chat\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\r\n\r\n",
    "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.2 101 \r\nconnection: keep-alive, Upgrade\r\n\
     upgrade: WebSocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nx: a\tb\r\n\
     content-length: 0\r\nsec-websocket-protocol: \r\nset-cookie: a\r\nset-cookie: b\r\n\r\n",
];

/// Lines to insert into a head, or to replace its lines with.
const LINES: [&str; 26] = [
    "",
    " folded",
    ": no name",
    "no colon",
    "Space : before the colon",
    "X:",
    "X: \t y \t ",
    "Host: other",
    "Host: a@b",
    "Upgrade: h2c",
    "Upgrade: websocket/1",
    "Upgrade: h2c, websocket",
    "Connection: close",
    "Connection: Upgrade;q=1",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Origin: http://\u{E9}",
    "Sec-WebSocket-Key: c2hvcnQ=",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Protocol: chat",
    "Sec-WebSocket-Protocol: a b",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8",
    "Sec-WebSocket-Extensions: foo; a=\"",
];

/// First lines to replace that of a head with.
const FIRST_LINES: [&str; 10] = [
    "GET / HTTP/1.0",
    "GET / HTTP/1.2",
    "GET / HTTP/2.0",
    "get / HTTP/1.1",
    "GET / HTTP/1.1 HTTP/1.1",
    "HTTP/1.0 101",
    "HTTP/1.1 1010",
    "HTTP/1.1 102",
    "HTTP/1.1 200",
    "HTTP/2.0 101",
];

impl Random {
    /// Changes one part of a head.
    fn mutate_head(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let special = b"\r\n\t \0\x1F\x7F\x80\xFF:,;=\"\\/@[]%#?01HX"[self.below(26)];
        match self.below(10) {
            0 => bytes[at] = self.below(256) as u8,
            1 => bytes[at] = special,
            2 => bytes.insert(at, special),
            3 => drop(bytes.drain(at..(at + self.below(30)).min(bytes.len()))),
            4 => bytes[at] ^= 0x20,
            5 => bytes.truncate(at + 1),
            6 => self.replace_first_line(bytes),
            7 => self.remove_cr(bytes),
            _ => self.mutate_lines(bytes),
        }
    }

    fn replace_first_line(&mut self, bytes: &mut Vec<u8>) {
        let length = bytes.iter().position(|&byte| byte == b'\r').unwrap_or(0);
        bytes.splice(..length, FIRST_LINES[self.below(10)].bytes());
    }

    fn remove_cr(&mut self, bytes: &mut Vec<u8>) {
        let ends: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at] == b'\r').collect();
        if !ends.is_empty() {
            bytes.remove(ends[self.below(ends.len())]);
        }
    }

    fn mutate_lines(&mut self, bytes: &mut Vec<u8>) {
        let text = mem::take(bytes);
        let mut lines: Vec<_> = text.split(|&byte| byte == b'\n').collect();
        let at = self.below(lines.len());
        let line = [LINES[self.below(LINES.len())].as_bytes(), b"\r"].concat();
        match self.below(4) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[self.below(lines.len())]),
            2 => lines[at] = &line,
            _ => lines.insert(at, &line),
        }
        *bytes = lines.join(&b'\n');
    }

    /// Returns one of `heads` with some changes, and a limit near its length or far from it.
    fn head(&mut self, heads: &[&str]) -> (Vec<u8>, usize) {
        let mut bytes = heads[self.below(heads.len())].as_bytes().to_vec();
        for _ in 0..self.below(4) {
            self.mutate_head(&mut bytes);
            if bytes.is_empty() {
                break;
            }
        }
        let end = bytes.windows(4).rposition(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
        let limit = if self.below(4) == 0 { (end + 1).saturating_sub(self.below(3)) } else { 9999 };
        (bytes, limit)
    }
}

/// Counts the results for generated heads: accepted, incomplete, refused.
fn count(seed: u64, heads: &[&str], verdict: impl Fn(&[u8], usize, usize) -> Verdict) -> [u32; 3] {
    let mut random = Random(seed);
    let mut counts = [0; 3];
    for _ in 0..6000 {
        let (bytes, limit) = random.head(heads);
        match verdict(&bytes, limit, random.below(4)) {
            Ok(Some(_)) => counts[0] += 1,
            Ok(None) => counts[1] += 1,
            Err(_) => counts[2] += 1,
        }
    }
    counts
}

/// Covers T43.
#[test]
fn t42_a_request_is_the_same_to_both_paths() {
    let counts = count(0x9E37_79B9_7F4A_7C15, &REQUESTS, |bytes, limit, lines| match lines {
        0 => heads::request::<7>(bytes, limit),
        1 => heads::request::<10>(bytes, limit),
        2 => heads::request::<13>(bytes, limit),
        _ => heads::request::<64>(bytes, limit),
    });
    assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
}

#[test]
fn t41_a_response_is_the_same_to_both_paths() {
    let counts = count(0x2545_F491_4F6C_DD1D, &RESPONSES, |bytes, limit, lines| match lines {
        0 => heads::response::<3>(bytes, limit),
        1 => heads::response::<7>(bytes, limit),
        2 => heads::response::<10>(bytes, limit),
        _ => heads::response::<64>(bytes, limit),
    });
    assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
}
