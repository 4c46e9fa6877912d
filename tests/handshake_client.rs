//! The client's side of the opening handshake. Ids are those of the requirement and attack tables.

use std::{panic, str};

use crate::grammar::{almost_heads, are_fields};
use websocket_proto::handshake::{
    ClientHandshake, ClientRequest,
    FieldFault::{Malformed, Mismatch, Missing, Repeated},
    HandshakeError,
    HandshakeError::*,
    HeadError, Offer, Response, Target,
};
use websocket_proto::{Agreed, SliceOutput};

const NONCE: [u8; 16] = *b"the sample nonce";

/// A response in lines: the sample of RFC 6455 §1.2, unless changed.
#[derive(Clone)]
struct Head {
    /// Whole heads before it.
    interim: Vec<u8>,
    line: Vec<u8>,
    headers: Vec<Vec<u8>>,
}

fn sample() -> Head {
    let headers = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: chat",
    ];
    let headers = headers.iter().map(|line| line.as_bytes().to_vec()).collect();
    Head { interim: vec![], line: b"HTTP/1.1 101 Switching Protocols".to_vec(), headers }
}

impl Head {
    fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.line = line.as_ref().to_vec();
        self
    }

    fn behind(mut self, interim: impl AsRef<[u8]>) -> Self {
        self.interim.extend_from_slice(interim.as_ref());
        self
    }

    fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|line| !line.starts_with(format!("{name}:").as_bytes()));
        assert!(self.headers.len() < before, "{name} is in the sample");
        self
    }

    fn plus(mut self, line: impl AsRef<[u8]>) -> Self {
        self.headers.push(line.as_ref().to_vec());
        self
    }

    /// Replaces the line of this name.
    fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let line = [name.as_bytes(), b": ", value.as_ref()].concat();
        self.without(name).plus(line)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.interim[..], &self.line].concat();
        for line in &self.headers {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(line);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }
}

/// All properties of a response, owned, and the bytes left in the input after it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    status: u16,
    subprotocol: Option<String>,
    extensions: usize,
    versions: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    behind: Vec<u8>,
}

fn see(response: &Response<'_>, behind: Vec<u8>) -> Seen {
    let headers = match response {
        Response::Accepted(accepted) => accepted.headers(),
        Response::Refused(refused) => refused.headers(),
    };
    let headers = headers.into_iter().map(|(n, v)| (n.to_owned(), v.to_vec())).collect();
    match response {
        Response::Accepted(accepted) => {
            assert_eq!(accepted.agreed(), Agreed::new());
            Seen {
                status: 101,
                subprotocol: accepted.subprotocol().map(str::to_owned),
                extensions: accepted.extensions().count(),
                versions: vec![],
                headers,
                behind,
            }
        }
        Response::Refused(refused) => Seen {
            status: refused.status(),
            subprotocol: None,
            extensions: 0,
            versions: refused.versions().collect(),
            headers,
            behind,
        },
    }
}

/// Feeds `bytes` in reads that end at `cuts`, each time in another buffer.
fn feed<const N: usize>(
    mut handshake: ClientHandshake<'_, N>,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<Seen>, HandshakeError> {
    for cut in cuts.into_iter().chain([bytes.len()]) {
        let mut buffer = bytes[..cut].to_vec();
        let mut input = &mut buffer[..];
        match handshake.receive(&mut input) {
            Ok(None) => assert_eq!(input, &bytes[..cut], "the input is as it was"),
            Ok(Some(response)) => {
                let behind = [input, &bytes[cut..]].concat();
                return Ok(Some(see(&response, behind)));
            }
            Err(error) => {
                assert_eq!(input, &bytes[..cut], "the input is as it was");
                assert_eq!(handshake.receive(&mut input).err(), Some(error), "asked again");
                return Err(error);
            }
        }
    }
    Ok(None)
}

/// Returns the result for `bytes`, which is the same whole, in each two reads, and byte by byte.
fn verdict_of<const N: usize>(
    handshake: &ClientHandshake<'_, N>,
    bytes: &[u8],
) -> Result<Option<Seen>, HandshakeError> {
    let whole = feed(handshake.clone(), bytes, []);
    // Long heads are split at a hundred places only.
    let step = if bytes.len() < 1000 { 1 } else { bytes.len() / 100 };
    for cut in (0..bytes.len()).step_by(step) {
        assert_eq!(feed(handshake.clone(), bytes, [cut]), whole, "cut at {cut}");
    }
    assert_eq!(feed(handshake.clone(), bytes, (0..bytes.len()).step_by(step)), whole, "in bytes");
    whole
}

/// A client that offered `chat` and `superchat` and waits for the response.
fn client() -> ClientHandshake<'static> {
    let target = Target::parse("ws://server.example.com/chat").unwrap();
    let offer = Offer::new().subprotocols(&["chat", "superchat"]);
    ClientHandshake::start(&target, &offer, NONCE, &mut Vec::new()).unwrap()
}

fn verdict(bytes: &[u8]) -> Result<Option<Seen>, HandshakeError> {
    verdict_of(&client(), bytes)
}

#[track_caller]
fn seen(head: &Head) -> Seen {
    verdict(&head.bytes()).expect("accepted").expect("whole")
}

/// A response and the rule that it breaks, if any.
struct Vector {
    /// The ids of the rows that it covers.
    id: &'static str,
    head: Head,
    expected: Result<(), HandshakeError>,
}

/// Runs all vectors, then reports all failures, each with its id.
fn check(vectors: impl IntoIterator<Item = Vector>) {
    let mut failures = Vec::new();
    for Vector { id, head, expected } in vectors {
        let bytes = head.bytes();
        // `verdict` panics if the result depends on how the bytes are split.
        let verdict = panic::catch_unwind(|| verdict(&bytes).map(|seen| seen.is_some()));
        match verdict {
            Ok(verdict) if verdict == expected.map(|()| true) => {}
            _ => failures.push(format!("{id}: {}: {verdict:?}", bytes.escape_ascii())),
        }
        // If another parser accepts the bytes as a response, its parts give the same result.
        let parsed = parsed(&bytes)
            .filter(|_| !matches!(expected, Err(MalformedLine | MalformedHeader | ControlByte(_))));
        if parsed.is_some_and(|parsed| parsed != expected) {
            failures.push(format!("{id}: {}: as parts: {parsed:?}", bytes.escape_ascii()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Returns the result for a response that another parser has parsed; `None` if that parser refuses
/// it, or if it is an interim response.
fn parsed(bytes: &[u8]) -> Option<Result<(), HandshakeError>> {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Response::new(&mut slots);
    parsed.parse(bytes).ok().filter(httparse::Status::is_complete)?;
    let status = parsed.code.filter(|status| !matches!(status, 100 | 102..=199))?;
    let headers: Vec<_> = parsed.headers.iter().map(|line| (line.name, line.value)).collect();
    let fields = headers.iter().map(|(name, value)| (name, value));
    let target = Target::parse("ws://server.example.com/chat").unwrap();
    let offer = Offer::new().subprotocols(&["chat", "superchat"]);
    let opening = ClientRequest::upgrade(&target, &offer, NONCE).unwrap();
    Some(opening.validate(status, (1, parsed.version?), fields).map(drop))
}

fn request(uri: &str, offer: &Offer<'_>) -> Result<String, HeadError> {
    let mut out = vec![b'>'];
    let started = ClientHandshake::start(&Target::parse(uri).unwrap(), offer, NONCE, &mut out);
    assert_eq!(started.is_err(), out == b">", "all or nothing");
    started.map(|_| String::from_utf8(out).unwrap()[1..].to_owned())
}

/// Covers R6455-4.1-i, R6455-4.1-l, R6455-4.1-o.
#[test]
fn r6455_4_1_b_the_request_byte_for_byte() {
    // R6455-4.1-j: the resource name is the target. R6455-E5498: lower case is written.
    let plain = "GET /chat HTTP/1.1\r\n\
                 Host: example.com\r\n\
                 Upgrade: websocket\r\n\
                 Connection: Upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Version: 13\r\n\
                 \r\n";
    assert_eq!(request("ws://example.com/chat", &Offer::new()).unwrap(), plain);
    let offer = Offer::new()
        .origin("http://example.com")
        .subprotocols(&["b", "a"])
        .headers(&[("Cookie", "a=b"), ("Authorization", "Basic eDp5")]);
    let full = "GET /chat?room=1 HTTP/1.1\r\n\
                Host: example.com:81\r\n\
                Upgrade: websocket\r\n\
                Connection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Version: 13\r\n\
                Origin: http://example.com\r\n\
                Sec-WebSocket-Protocol: b, a\r\n\
                Cookie: a=b\r\n\
                Authorization: Basic eDp5\r\n\
                \r\n";
    assert_eq!(request("wss://example.com:81/chat?room=1", &offer).unwrap(), full);
}

#[test]
fn r6455_4_1_j_the_target_is_the_resource_name() {
    for (uri, line) in [
        ("ws://h", "GET / HTTP/1.1\r\n"),
        ("ws://h?x=1", "GET /?x=1 HTTP/1.1\r\n"),
        ("ws://h/a%23b?", "GET /a%23b HTTP/1.1\r\n"),
    ] {
        assert!(request(uri, &Offer::new()).unwrap().starts_with(line), "{uri}");
    }
}

#[test]
fn r6455_4_1_k_host_has_the_port_only_if_it_is_not_the_default() {
    for (uri, host) in [
        ("ws://h:8080", "h:8080"),
        ("wss://h:443", "h"),
        ("ws://h:80", "h"),
        ("ws://h:443", "h:443"),
        ("wss://h:80", "h:80"),
        ("wss://[::1]", "[::1]"),
        ("ws://[::1]:1", "[::1]:1"),
    ] {
        let request = request(uri, &Offer::new()).unwrap();
        assert_eq!(request.matches("Host: ").count(), 1);
        assert!(request.contains(&format!("\r\nHost: {host}\r\n")), "{uri}");
    }
}

#[test]
fn r6455_4_1_m_the_key_is_the_nonce_in_base64() {
    let nonce: [u8; 16] = std::array::from_fn(|at| at as u8 + 1);
    let mut out = Vec::new();
    let target = Target::parse("ws://h").unwrap();
    let client = ClientHandshake::start(&target, &Offer::new(), nonce, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    // R6455-E3150: the bits of the padding are zero.
    assert!(out.contains("\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"));
    let answer = sample().without("Sec-WebSocket-Protocol");
    assert_eq!(verdict_of(&client, &answer.bytes()), Err(InvalidAccept(Mismatch)));
    let answer = answer.with("Sec-WebSocket-Accept", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=");
    assert!(verdict_of(&client, &answer.bytes()).unwrap().is_some());
}

#[cfg(feature = "random")]
#[test]
fn r6455_4_1_m_each_connection_draws_its_own_key() {
    use websocket_proto::handshake::nonce;
    let (one, two) = (nonce().unwrap(), nonce().unwrap());
    assert!(one != two && one != [0; 16]);
}

#[test]
fn r6455_4_1_n_an_origin_is_sent_if_it_is_given() {
    let origin = |origin| request("ws://h", &Offer::new().origin(origin));
    assert!(origin("null").unwrap().contains("\r\nOrigin: null\r\n"));
    assert!(!request("ws://h", &Offer::new()).unwrap().contains("Origin"));
    for bad in ["", "http://h\r\nX: y", "a\0", "\t", "http://\u{e9}"] {
        assert_eq!(origin(bad), Err(HeadError::InvalidOrigin), "{bad:?}");
    }
}

#[test]
fn r6455_4_1_p_subprotocols_are_tokens_and_none_is_twice() {
    let offer = |names: &[&str]| request("ws://h", &Offer::new().subprotocols(names));
    let line = |text: &str| format!("\r\nSec-WebSocket-Protocol: {text}\r\n");
    assert!(offer(&["b", "a"]).unwrap().contains(&line("b, a")));
    assert!(offer(&["a", "A"]).unwrap().contains(&line("a, A")));
    assert!(!offer(&[]).unwrap().contains("Protocol"));
    for bad in [
        &["a", "a"][..],
        &["a", "b", "a"],
        &[""],
        &["a", ""],
        &["a b"],
        &["a,b"],
        &["a\r\nX: y"],
        &["\u{e9}"],
        &["a/b"],
    ] {
        assert_eq!(offer(bad), Err(HeadError::InvalidSubprotocol), "{bad:?}");
    }
}

/// Covers R6455-4.1-q, T46, T49.
#[test]
#[rustfmt::skip]
fn r6455_4_1_h_no_header_of_the_caller_breaks_out_or_overrides() {
    let send = |name, value| request("ws://h", &Offer::new().headers(&[("X-Fine", "y"), (name, value)]));
    assert!(send("Cookie", "a=b").unwrap().ends_with("\r\nCookie: a=b\r\n\r\n"));
    for value in ["a\r\nX: y", "\r", "\n", "\0", "\u{7f}", "\u{1b}"] {
        assert_eq!(send("X", value), Err(HeadError::InvalidHeader(1)), "{value:?}");
    }
    for name in ["", "X Y", "X:", "X\r\nY", "\u{e9}"] {
        assert_eq!(send(name, "y"), Err(HeadError::InvalidHeader(1)), "{name:?}");
    }
    for name in [
        "Host", "host", "UPGRADE", "Connection", "Origin", "Content-Length", "Transfer-Encoding",
        "Sec-WebSocket-Key", "sec-websocket-version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Accept", "Sec-WebSocket-",
    ] {
        assert_eq!(send(name, "y"), Err(HeadError::ProtectedHeader(1)), "{name}");
    }
}

#[test]
fn r6455_4_1_z_the_sample_response_opens_the_connection() {
    let response = seen(&sample().plus("Set-Cookie: a=b").plus(b"X-Foo: \xC3\x28"));
    assert_eq!((response.status, response.subprotocol.as_deref()), (101, Some("chat")));
    assert_eq!((response.extensions, &response.behind[..]), (0, &b""[..]));
    assert_eq!(parsed(&sample().bytes()), Some(Ok(())));
    assert!(response.headers.contains(&("Set-Cookie".to_owned(), b"a=b".to_vec())));
    assert!(response.headers.contains(&("X-Foo".to_owned(), b"\xC3\x28".to_vec())));
    // A subprotocol was offered, but none was chosen.
    assert_eq!(seen(&sample().without("Sec-WebSocket-Protocol")).subprotocol, None);
}

/// Covers R6455-7.1.4-b, T41.
#[test]
#[rustfmt::skip]
fn r6455_4_1_y_each_breach_of_a_rule_fails_the_handshake() {
    // R6455-7.1.4-b: the error is all that remains, because there is no connection to close.
    let s = sample;
    const ACCEPT: &str = "Sec-WebSocket-Accept";
    check([
        Vector { id: "R6455-4.1-t R6455-E5498", head: s().with("Upgrade", "WebSocket"), expected: Ok(()) },
        Vector { id: "R6455-4.1-t", head: s().with("Upgrade", "h2c"), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.1-t", head: s().with("Upgrade", ""), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.1-t", head: s().with("Upgrade", "websocket/13"), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.1-t", head: s().with("Upgrade", "websocket, h2c"), expected: Err(InvalidUpgrade(Repeated)) },
        Vector { id: "R6455-4.1-t", head: s().plus("Upgrade: websocket"), expected: Err(InvalidUpgrade(Repeated)) },
        Vector { id: "R6455-4.1-t", head: s().without("Upgrade"), expected: Err(UpgradeMissing) },
        Vector { id: "R6455-2-b", head: s().with("Upgrade", "web\u{17f}ocket"), expected: Err(InvalidUpgrade(Malformed)) },
        Vector { id: "R6455-4.1-u", head: s().with("Connection", "keep-alive, UPGRADE"), expected: Ok(()) },
        Vector { id: "R6455-4.1-u", head: s().with("Connection", "close").plus("connection: upgrade"), expected: Ok(()) },
        Vector { id: "R6455-4.1-u", head: s().with("Connection", "Upgraded"), expected: Err(InvalidConnection(Mismatch)) },
        Vector { id: "R6455-4.1-u", head: s().with("Connection", ""), expected: Err(InvalidConnection(Mismatch)) },
        Vector { id: "R6455-4.1-u", head: s().with("Connection", "Upgrade, @"), expected: Err(InvalidConnection(Malformed)) },
        Vector { id: "R6455-4.1-u", head: s().without("Connection"), expected: Err(InvalidConnection(Missing)) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, " \ts3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t "), expected: Ok(()) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, "s3pplmbitxaq9kygzzhzrbk+xoo="), expected: Err(InvalidAccept(Mismatch)) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo"), expected: Err(InvalidAccept(Mismatch)) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=="), expected: Err(InvalidAccept(Mismatch)) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="), expected: Err(InvalidAccept(Mismatch)) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, "dGhlIHNhbXBsZSBub25jZQ=="), expected: Err(InvalidAccept(Mismatch)) },
        Vector { id: "R6455-4.1-v", head: s().with(ACCEPT, ""), expected: Err(InvalidAccept(Mismatch)) },
        Vector { id: "R6455-4.1-v", head: s().without(ACCEPT), expected: Err(InvalidAccept(Missing)) },
        // Sec-WebSocket-Accept twice is refused, and so is a subprotocol.
        Vector { id: "R6455-11.3-c", head: s().plus("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), expected: Err(InvalidAccept(Repeated)) },
        Vector { id: "R6455-11.3-c", head: s().plus("Sec-WebSocket-Protocol: chat"), expected: Err(InvalidSubprotocol(Repeated)) },
        Vector { id: "R6455-4.1-x", head: s().with("Sec-WebSocket-Protocol", "superchat"), expected: Ok(()) },
        Vector { id: "R6455-4.1-x", head: s().with("Sec-WebSocket-Protocol", "Chat"), expected: Err(SubprotocolNotOffered) },
        Vector { id: "R6455-4.1-x", head: s().with("Sec-WebSocket-Protocol", "other"), expected: Err(SubprotocolNotOffered) },
        Vector { id: "R6455-4.1-x", head: s().with("Sec-WebSocket-Protocol", "cha"), expected: Err(SubprotocolNotOffered) },
        Vector { id: "R6455-4.1-x", head: s().with("Sec-WebSocket-Protocol", "chat, superchat"), expected: Err(InvalidSubprotocol(Malformed)) },
        Vector { id: "R6455-4.3-b", head: s().with("Sec-WebSocket-Protocol", ""), expected: Ok(()) },
        Vector { id: "R6455-4.3-b", head: s().plus("Sec-WebSocket-Protocol: , ,"), expected: Ok(()) },
        Vector { id: "R6455-8.1-b", head: s().with("Sec-WebSocket-Protocol", b"\xC3\x28"), expected: Err(InvalidSubprotocol(Malformed)) },
        Vector { id: "R6455-4.1-w", head: s().plus("Sec-WebSocket-Extensions: permessage-deflate"), expected: Err(ExtensionNotOffered) },
        // R6455-E3433: several lines are one list, which is validated as a whole.
        Vector { id: "R6455-E3433 R6455-4.1-w", head: s().plus("Sec-WebSocket-Extensions: a").plus("Sec-WebSocket-Extensions: b; c"), expected: Err(ExtensionNotOffered) },
        Vector { id: "R6455-E3433", head: s().plus("Sec-WebSocket-Extensions: a").plus("Sec-WebSocket-Extensions:"), expected: Err(ExtensionNotOffered) },
        Vector { id: "R6455-E3433 R6455-9.1-a", head: s().plus("Sec-WebSocket-Extensions: a").plus("Sec-WebSocket-Extensions: ;"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-9.1-a", head: s().plus("Sec-WebSocket-Extensions: permessage-deflate, ;x"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-9.1-a", head: s().plus("Sec-WebSocket-Extensions: x; a="), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-4.3-b", head: s().plus("Sec-WebSocket-Extensions: ,"), expected: Ok(()) },
        Vector { id: "R6455-4.3-b", head: s().plus("Sec-WebSocket-Extensions:"), expected: Ok(()) },
        Vector { id: "R6455-8.1-b", head: s().plus(b"Sec-WebSocket-Extensions: \xFF"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-4.1-y", head: s().line("HTTP/1.0 101 Switching Protocols"), expected: Err(OldHttpVersion) },
        Vector { id: "R6455-4.1-y", head: s().without(ACCEPT).plus("sec-websocket-ACCEPT:s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), expected: Ok(()) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.2 101 "), expected: Ok(()) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1 101"), expected: Ok(()) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1 101 a b\tc \u{e9}"), expected: Ok(()) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/2.0 101 x"), expected: Err(UnsupportedHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("http/1.1 101 x"), expected: Err(InvalidHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1"), expected: Err(MalformedLine) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1 10 x"), expected: Err(MalformedLine) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1 1010 x"), expected: Err(MalformedLine) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1 099 x"), expected: Err(MalformedLine) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1  101 x"), expected: Err(MalformedLine) },
        Vector { id: "R9112-2.3-a", head: s().line("HTTP/1.1 +10 x"), expected: Err(MalformedLine) },
        Vector { id: "R9112-2.3-a", head: s().line("\u{81}\u{2}hi"), expected: Err(InvalidHttpVersion) },
        Vector { id: "R9112-5-a", head: s().plus("X-Foo : bar"), expected: Err(MalformedHeader) },
        Vector { id: "R9112-5-a T44", head: s().plus("X-Foo: bar\r\n baz"), expected: Err(MalformedHeader) },
        Vector { id: "R9112-5-a T44", head: s().plus("X-Foo: \0"), expected: Err(ControlByte(0)) },
        Vector { id: "R9112-5-a T44", head: s().plus("X-Foo: \rbar"), expected: Err(ControlByte(b'\r')) },
        Vector { id: "R9112-5-a T44", head: s().plus("X-Foo: \nbar: baz"), expected: Err(ControlByte(b'\n')) },
        // RFC 9112 §2.2 lets a server skip empty lines, and only a server.
        Vector { id: "R9112-2.2-a", head: s().behind("\r\n"), expected: Err(MalformedLine) },
    ]);
    // T41: nothing was offered.
    let target = Target::parse("ws://h").unwrap();
    let plain = ClientHandshake::start(&target, &Offer::new(), NONCE, &mut vec![]).unwrap();
    assert_eq!(verdict_of(&plain, &s().bytes()), Err(SubprotocolNotOffered));
    // T41: an answer to another key.
    let other = ClientHandshake::start(&target, &Offer::new(), [7; 16], &mut vec![]).unwrap();
    assert_eq!(verdict_of(&other, &s().without("Sec-WebSocket-Protocol").bytes()), Err(InvalidAccept(Mismatch)));
}

/// Covers R9110-15.2-b.
#[test]
fn r9112_2_a_the_byte_after_a_101_starts_a_frame() {
    let head = sample().plus("Content-Length: 4").plus("Transfer-Encoding: chunked");
    let bytes = [&head.bytes()[..], b"\x81\x02hi"].concat();
    let response = verdict(&bytes).unwrap().unwrap();
    assert_eq!((response.status, &response.behind[..]), (101, &b"\x81\x02hi"[..]));
}

#[test]
#[rustfmt::skip]
fn r9110_15_2_a_interim_responses_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    let plain = seen(&sample());
    assert_eq!(seen(&sample().behind(early)), plain);
    assert_eq!(seen(&sample().behind(proceed).behind(early).behind(early)), plain);
    let refusal = sample().line("HTTP/1.1 404 Not Found").behind(early);
    assert_eq!(seen(&refusal).status, 404);
    check([
        // The fields of an interim head do not belong to the answer.
        Vector { id: "R9110-15.2-a", head: sample().without("Upgrade").behind("HTTP/1.1 102 x\r\nUpgrade: websocket\r\n\r\n"), expected: Err(UpgradeMissing) },
        Vector { id: "R9110-15.2-a", head: sample().behind("HTTP/1.1 103\r\n folded\r\n\r\n"), expected: Err(MalformedHeader) },
        Vector { id: "R9110-15.2-a", head: sample().behind("HTTP/1.1 103 x\r\n\r\n\r\n"), expected: Err(MalformedLine) },
    ]);
    assert_eq!(verdict(early.as_bytes()), Ok(None));
}

/// Covers R6455-4.1-s, R6455-4.4-a.
#[test]
fn r6455_4_1_b_any_other_status_is_plain_http() {
    let found =
        b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 4\r\n\r\n\x81\x02hi".to_vec();
    let response = verdict(&found).unwrap().unwrap();
    assert_eq!((response.status, &response.behind[..]), (302, &b"\x81\x02hi"[..]));
    assert_eq!(response.headers[0], ("Location".to_owned(), b"/there".to_vec()));
    for (line, status) in [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.1 401 x", 401),
        ("HTTP/1.0 403 Forbidden", 403),
        ("HTTP/1.1 599", 599),
        ("HTTP/1.1 999 x", 999),
    ] {
        // A refusal may even have all lines of an acceptance.
        assert_eq!(seen(&sample().line(line)).status, status);
    }
    let versions = |head: Head| seen(&head.line("HTTP/1.1 400 Bad Request")).versions;
    let listed = sample().plus("Sec-WebSocket-Version: 13").plus("Sec-WebSocket-Version: 8, 7");
    assert_eq!(versions(listed), [13, 8, 7]);
    assert_eq!(versions(sample().plus("Sec-WebSocket-Version: 013, ,256,x,0, 25")), [0, 25]);
    assert_eq!(versions(sample()), [0; 0]);
}

/// Covers T14, T40.
#[test]
fn r6455_10_4_d_head_size_is_bounded_exactly() {
    let long = |length| [&b"HTTP/1.1 101 "[..], &vec![b'x'; length]].concat()[..length].to_vec();
    assert_eq!(verdict(&long(64 << 10)), Err(HeadTooLarge));
    assert_eq!(verdict(&long((16 << 10) - 1)), Ok(None));
    assert_eq!(verdict(&long(16 << 10)), Err(HeadTooLarge));
    let early = b"HTTP/1.1 103 x\r\n\r\n";
    assert_eq!(verdict(&early.repeat(2000)), Err(HeadTooLarge));

    let head = sample().behind(early).bytes();
    let limit = |bytes| client().max_head(bytes);
    assert!(verdict_of(&limit(head.len()), &head).unwrap().is_some());
    assert_eq!(verdict_of(&limit(head.len() - 1), &head), Err(HeadTooLarge));
    assert_eq!(verdict_of(&limit(early.len()), &head), Err(HeadTooLarge));
    let behind = [head.clone(), vec![0; 100]].concat();
    assert!(verdict_of(&limit(head.len()), &behind).unwrap().is_some());

    let lines = |count: usize| {
        let mut head = sample();
        head.headers.resize(count, b"X: y".to_vec());
        head.bytes()
    };
    assert!(verdict(&lines(64)).unwrap().is_some());
    assert_eq!(verdict(&lines(65)), Err(TooManyHeaders));
    assert!(verdict_of(&client().max_headers::<4>(), &lines(4)).unwrap().is_some());
    assert_eq!(verdict_of(&client().max_headers::<4>(), &lines(5)), Err(TooManyHeaders));
}

#[test]
fn t40_each_byte_of_a_head_is_looked_at_once_while_it_grows() {
    // Skipped heads are overwritten with NULs, which a scan from the start would refuse.
    let early = b"HTTP/1.1 103 x\r\nA: b\r\n\r\n";
    let (skipped, head) = (early.repeat(3), sample().bytes());
    let bytes = [&skipped[..], &head].concat();
    let mut handshake = client();
    for end in 1..bytes.len() {
        let mut buffer = bytes[..end].to_vec();
        let whole =
            if end > skipped.len() { skipped.len() } else { (end - 1) / early.len() * early.len() };
        buffer[..whole].fill(0);
        assert!(handshake.receive(&mut &mut buffer[..]).unwrap().is_none());
    }
    assert!(handshake.receive(&mut &mut bytes.clone()[..]).unwrap().is_some());
}

#[test]
fn t40_a_buffer_that_shrank_is_read_from_its_start() {
    let mut bytes = sample().behind("HTTP/1.1 103 x\r\n\r\n").bytes();
    for length in [0, 1, 19, 25] {
        let mut handshake = client();
        assert!(handshake.receive(&mut &mut bytes[..30]).unwrap().is_none());
        assert!(handshake.receive(&mut &mut bytes[..length]).unwrap().is_none());
        assert!(handshake.receive(&mut &mut bytes[..]).unwrap().is_some());
    }
}

#[test]
fn t41_no_mutation_of_a_response_panics_or_depends_on_its_cut() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let good = sample().behind("HTTP/1.1 103 x\r\nA: b\r\n\r\n").bytes();
    for _ in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.insert(at, b"\r\n\t \0:,0"[random(8)]),
                _ => drop(bytes.drain(at..(at + random(30)).min(bytes.len()))),
            }
        }
        let whole = feed(client(), &bytes, []);
        assert_eq!(feed(client(), &bytes, 0..bytes.len()), whole);
        assert_eq!(feed(client(), &bytes, [random(bytes.len())]), whole);
        // A response that opens the connection has the answer to this key.
        if matches!(&whole, Ok(Some(seen)) if seen.status == 101) {
            assert!(bytes.windows(28).any(|part| part == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        }
    }
}

#[test]
fn requests_are_written_whole_or_not_at_all() {
    let target = Target::parse("ws://h:81/p?q").unwrap();
    let offer = Offer::new().origin("null").subprotocols(&["a", "b"]).headers(&[("X", "y")]);
    let mut whole = Vec::new();
    ClientHandshake::start(&target, &offer, NONCE, &mut whole).unwrap();
    for room in 0..=whole.len() {
        let mut memory = vec![0; room];
        let mut out = SliceOutput::new(&mut memory);
        let started = ClientHandshake::start(&target, &offer, NONCE, &mut out);
        if room < whole.len() {
            assert_eq!(started.err(), Some(HeadError::Full));
            assert!(out.written().is_empty());
        } else {
            assert!(started.is_ok());
            assert_eq!(out.written(), whole);
        }
    }
}

#[test]
fn both_sides_of_this_crate_understand_each_other() {
    use websocket_proto::handshake::{AcceptOptions, ServerHandshake};
    let target = Target::parse("wss://example.com:444/p?q=1").unwrap();
    let offer = Offer::new()
        .origin("https://example.com:444")
        .subprotocols(&["a", "b"])
        .headers(&[("Cookie", "c=d")]);
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    let mut client = ClientHandshake::start(&target, &offer, [9; 16], &mut asked).unwrap();
    let request = ServerHandshake::new().receive(&mut &mut asked[..]).unwrap().unwrap();
    assert_eq!(request.resource(), target.resource());
    assert!(request.is_same_origin());
    assert!(request.subprotocols().eq(["a", "b"]));
    assert_eq!(request.header("cookie"), Some(&b"c=d"[..]));
    request.accept(&AcceptOptions::new().subprotocol("b"), &mut answered).unwrap();
    match client.receive(&mut &mut answered[..]).unwrap().unwrap() {
        Response::Accepted(accepted) => assert_eq!(accepted.subprotocol(), Some("b")),
        Response::Refused(refused) => panic!("{refused:?}"),
    }
}

#[test]
fn r9112_2_1_a_other_protocols_are_refused_early() {
    for (bytes, at, expected) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], 0, InvalidHttpVersion),
        (b"220 smtp\r\n", 0, InvalidHttpVersion),
        (b"http/1.1 101 x\r\n", 0, InvalidHttpVersion),
        (b"\x15\x03\x01\x00\x02", 0, ControlByte(0x15)),
        (b"\x81\x02hi", 0, InvalidHttpVersion),
        (b"\r\n", 0, MalformedLine),
        (b"HTTPS/1.1 101 x", 4, InvalidHttpVersion),
        (b"HTTP/2 200", 5, UnsupportedHttpVersion),
        (b"HTTP/1.10 200", 8, InvalidHttpVersion),
        (b"HTTP/1.1\r\n", 8, MalformedLine),
        (b"HTTP/1.1\t101", 8, ControlByte(b'\t')),
        (b"HTTP/1.1 099", 9, MalformedLine),
        (b"HTTP/1.1 10 x", 11, MalformedLine),
        (b"HTTP/1.1 1010", 12, MalformedLine),
        (b"HTTP/1.1 101 x\r\nA : b", 17, MalformedHeader),
        (b"HTTP/1.1 103 x\r\n\r\nSSH", 18, InvalidHttpVersion),
    ] {
        assert_eq!(verdict(&bytes[..at]), Ok(None), "{}", bytes.escape_ascii());
        assert_eq!(verdict(&bytes[..=at]), Err(expected), "{}", bytes.escape_ascii());
        assert_eq!(verdict(bytes), Err(expected), "{}", bytes.escape_ascii());
    }
}

/// Whether this is exactly the head of a response by the grammar of RFC 9112, whatever a client
/// thinks of its contents.
fn is_head(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Some(text) = text.strip_suffix("\r\n\r\n") else { return false };
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default().as_bytes();
    let (version, line) = line.split_at_checked(9).unwrap_or_default();
    let (status, reason) = line.split_at_checked(3).unwrap_or_default();
    let line_is_fine =
        matches!(version, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9', b' '])
            && matches!(status, [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'])
            && matches!(reason, [] | [b' ', ..])
            && reason.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control());
    line_is_fine && are_fields(lines)
}

/// Whether a head can begin with these bytes. If one can, then one that ends like `USUAL`.
fn can_become_a_head(bytes: &[u8]) -> bool {
    const USUAL: &[u8] = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
    (0..=USUAL.len()).any(|at| is_head(&[bytes, &USUAL[at..]].concat()))
}

#[test]
fn r9112_2_1_a_the_first_byte_that_rules_a_head_out_is_refused() {
    let (mut refused, mut whole) = (0, 0);
    let sample = sample().bytes();
    for bytes in almost_heads([
        &sample[..],
        b"HTTP/1.1 404\r\nA: b\r\nC:\r\n\r\n",
        b"HTTP/1.0 200 O\tK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 smtp\r\n",
    ]) {
        let mut handshake = client();
        for end in 0..=bytes.len() {
            let seen =
                handshake.receive(&mut &mut bytes[..end].to_vec()[..]).map(|seen| seen.is_some());
            if is_head(&bytes[..end]) {
                // Whether the contents are valid does not matter here.
                let interim = bytes[9] == b'1';
                assert!(interim || seen != Ok(false), "{}", bytes[..end].escape_ascii());
                whole += 1;
                break;
            }
            if can_become_a_head(&bytes[..end]) {
                assert_eq!(seen, Ok(false), "{}", bytes[..end].escape_ascii());
                continue;
            }
            let error = seen.err().unwrap_or_else(|| panic!("{}", bytes[..end].escape_ascii()));
            // The error is the same for any split, and with the bytes that follow.
            assert_eq!(feed(client(), &bytes, []), Err(error), "{}", bytes.escape_ascii());
            refused += 1;
            break;
        }
    }
    assert!(refused > 500 && whole > 200, "{refused} {whole}");
}
