//! The heads of the opening handshake for the benches `handshake-server` and `handshake-client`.

use tungstenite::handshake::derive_accept_key;

/// The client's request.
pub const HOST: &str = "server.example.com";
pub const RESOURCE: &str = "/chat?room=42";

/// The sample of RFC 6455 §1.3: the random bytes, their key, and the answer to the key.
pub const NONCE: [u8; 16] = *b"the sample nonce";
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The request of a browser, with 12 header lines.
pub const REQUEST: &str = "GET /chat?room=42 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: */*\r\n\
    Accept-Language: en-GB,en;q=0.8\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Origin: http://server.example.com\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    \r\n";

/// Returns a server's response to a request with `key`.
pub fn response(key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Server: nginx/1.26.3\r\n\
         Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
         Connection: upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\
         \r\n",
        derive_accept_key(key.as_bytes())
    )
    .into()
}

/// Returns a server's response to `request`, which contains the key.
pub fn response_to(request: &[u8]) -> Vec<u8> {
    let request = str::from_utf8(request).unwrap();
    let (_, key) = request.split_once("Sec-WebSocket-Key: ").expect("a key");
    response(&key[..KEY.len()])
}

pub fn are_responses(output: &[u8], count: usize) -> bool {
    let output = str::from_utf8(output).unwrap();
    output.matches("HTTP/1.1 101 ").count() == count && output.matches(ACCEPT).count() == count
}

pub fn are_requests(output: &[u8], count: usize) -> bool {
    let output = str::from_utf8(output).unwrap();
    let line = format!("GET {RESOURCE} HTTP/1.1\r\n");
    output.matches(&line).count() == count
        && output.matches("\r\nSec-WebSocket-Key: ").count() == count
        && output.matches("\r\n\r\n").count() == count
}
