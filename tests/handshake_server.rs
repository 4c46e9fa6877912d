//! The server's side of the opening handshake. Ids are those of the requirement and attack tables.

#![cfg(feature = "alloc")]

use std::{panic, str, sync::mpsc, thread, time::Duration};

use websocket_proto::handshake::{
    self, AcceptOptions,
    FieldFault::{Malformed, Mismatch, Missing, Repeated},
    HandshakeError,
    HandshakeError::*,
    HeadError, Request, ServerHandshake,
};
use websocket_proto::{Agreed, Output, SliceOutput};

/// A request in lines, the sample of RFC 6455 §1.2 unless changed.
#[derive(Clone)]
struct Head {
    line: Vec<u8>,
    headers: Vec<Vec<u8>>,
}

fn sample() -> Head {
    let headers = [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: http://example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Version: 13",
    ];
    let headers = headers.iter().map(|line| line.as_bytes().to_vec()).collect();
    Head { line: b"GET /chat HTTP/1.1".to_vec(), headers }
}

impl Head {
    fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.line = line.as_ref().to_vec();
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
        let mut bytes = self.line.clone();
        for line in &self.headers {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(line);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }
}

/// All that a request shows, owned, and the bytes that stayed behind it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    resource: String,
    host: String,
    origin: Option<String>,
    same_origin: bool,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    headers: Vec<(String, Vec<u8>)>,
    answer: Vec<u8>,
    behind: Vec<u8>,
}

fn see(request: &Request<'_>, behind: Vec<u8>) -> Seen {
    let mut answer = Vec::new();
    assert_eq!(request.accept(&AcceptOptions::new(), &mut answer), Ok(Agreed::new()));
    let extensions = request.extensions().map(|extension| {
        let params = extension.params().map(|(name, value)| match value {
            Some(value) => format!("; {name}={value}"),
            None => format!("; {name}"),
        });
        extension.name().to_owned() + &params.collect::<String>()
    });
    assert_eq!(request.method(), "GET");
    Seen {
        resource: request.resource().to_string(),
        host: request.host().to_owned(),
        origin: request.origin().map(str::to_owned),
        same_origin: request.is_same_origin(),
        subprotocols: request.subprotocols().map(str::to_owned).collect(),
        extensions: extensions.collect(),
        headers: request.headers().iter().map(|(n, v)| (n.to_owned(), v.to_vec())).collect(),
        answer,
        behind,
    }
}

/// Feeds `bytes` cut at `cuts`, each time in a buffer at another place.
fn feed<const N: usize>(
    mut handshake: ServerHandshake<N>,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<Option<Seen>, HandshakeError> {
    for cut in cuts.into_iter().chain([bytes.len()]) {
        let mut buffer = bytes[..cut].to_vec();
        let mut input = &mut buffer[..];
        match handshake.receive(&mut input) {
            Ok(None) => assert_eq!(input, &bytes[..cut], "the input is as it was"),
            Ok(Some(request)) => {
                let behind = [input, &bytes[cut..]].concat();
                return Ok(Some(see(&request, behind)));
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

/// The verdict on `bytes`: the same whole, at each two-way cut, and byte by byte.
fn verdict_of<const N: usize>(
    handshake: &ServerHandshake<N>,
    bytes: &[u8],
) -> Result<Option<Seen>, HandshakeError> {
    let whole = feed(handshake.clone(), bytes, []);
    // Of heads that only their length makes long, a hundred cuts.
    let step = if bytes.len() < 1000 { 1 } else { bytes.len() / 100 };
    for cut in (0..bytes.len()).step_by(step) {
        assert_eq!(feed(handshake.clone(), bytes, [cut]), whole, "cut at {cut}");
    }
    assert_eq!(feed(handshake.clone(), bytes, (0..bytes.len()).step_by(step)), whole, "in bytes");
    whole
}

fn verdict(bytes: &[u8]) -> Result<Option<Seen>, HandshakeError> {
    verdict_of(&ServerHandshake::new(), bytes)
}

#[track_caller]
fn accepted(head: &Head) -> Seen {
    verdict(&head.bytes()).expect("accepted").expect("whole")
}

/// Takes a request and does something with it.
fn with_request<T>(head: &Head, act: impl FnOnce(&Request<'_>) -> T) -> T {
    let mut bytes = head.bytes();
    act(&ServerHandshake::new().receive(&mut &mut bytes[..]).unwrap().unwrap())
}

/// A request and the rule that it breaks, if any.
struct Vector {
    /// The rows of the tables that it checks.
    id: &'static str,
    head: Head,
    expected: Result<(), HandshakeError>,
}

/// Runs all vectors and then tells of all that failed, each with its id.
fn check(vectors: impl IntoIterator<Item = Vector>) {
    let mut failures = Vec::new();
    for Vector { id, head, expected } in vectors {
        let bytes = head.bytes();
        // It panics where the verdict depends on the cut.
        let seen = panic::catch_unwind(|| verdict(&bytes));
        match &seen {
            Ok(Ok(Some(_))) if expected.is_ok() => {}
            Ok(Err(error)) if expected == Err(*error) => {}
            _ => failures.push(format!("{id}: {}: {seen:?}", bytes.escape_ascii())),
        }
        // Where the bytes are a request to another parser too, its parts get the same verdict.
        let parsed = parsed(&bytes)
            .filter(|_| !matches!(expected, Err(MalformedLine | MalformedHeader | ControlByte(_))));
        let ours = seen
            .ok()
            .and_then(Result::transpose)
            .map(|seen| seen.map(|seen| [seen.host.into(), seen.resource.into(), seen.answer]));
        if parsed.is_some() && parsed != ours {
            failures.push(format!("{id}: {}: as parts: {parsed:?}", bytes.escape_ascii()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The verdict on a request that something else has parsed: its host, its resource and the answer.
/// `None` where the bytes are none to it.
fn parsed(bytes: &[u8]) -> Option<Result<[Vec<u8>; 3], HandshakeError>> {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut slots);
    parsed.parse(bytes).ok().filter(httparse::Status::is_complete)?;
    let headers: Vec<_> = parsed.headers.iter().map(|line| (line.name, line.value)).collect();
    let fields = headers.iter().map(|(name, value)| (name, value));
    let request = Request::upgrade(parsed.method?, (1, parsed.version?), parsed.path?, fields);
    Some(request.map(|request| {
        let mut answer = Vec::new();
        request.accept(&AcceptOptions::new(), &mut answer).unwrap();
        [request.host().into(), request.resource().to_string().into(), answer]
    }))
}

/// The status of the answer to a request that breaks a rule, and its text.
fn answer(head: &Head) -> (u16, String) {
    let error = verdict(&head.bytes()).expect_err("refused");
    let mut out = Vec::new();
    error.respond(&mut out).unwrap();
    (error.status(), String::from_utf8(out).unwrap())
}

#[test]
fn r6455_4_2_2_j_r6455_4_2_2_d_r6455_4_2_2_h_the_sample_request_gets_the_sample_answer() {
    let seen = accepted(&sample());
    // R6455-4.2.2-d: from the text of the key. R6455-4.2.2-h, R6455-4.2.2-i: nothing agreed, so
    // neither a subprotocol nor an extension is named.
    let golden = "HTTP/1.1 101 Switching Protocols\r\n\
                  Upgrade: websocket\r\n\
                  Connection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                  \r\n";
    assert_eq!(String::from_utf8(seen.answer).unwrap(), golden);
    assert_eq!(seen.resource, "/chat");
    assert_eq!(seen.host, "server.example.com");
    assert_eq!(seen.origin.as_deref(), Some("http://example.com"));
    assert_eq!(seen.subprotocols, ["chat", "superchat"]);
    assert_eq!(seen.extensions, [""; 0]);
    assert!(matches!(parsed(&sample().bytes()), Some(Ok(_))));

    let accept =
        AcceptOptions::new().subprotocol("chat").headers(&[("Set-Cookie", "a=b"), ("X", "")]);
    let mut out = Vec::new();
    with_request(&sample(), |request| request.accept(&accept, &mut out)).unwrap();
    let golden = "HTTP/1.1 101 Switching Protocols\r\n\
                  Upgrade: websocket\r\n\
                  Connection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                  Sec-WebSocket-Protocol: chat\r\n\
                  Set-Cookie: a=b\r\n\
                  X: \r\n\
                  \r\n";
    assert_eq!(String::from_utf8(out).unwrap(), golden);
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_a_each_breach_of_a_rule_is_an_http_error() {
    let s = sample;
    check([
        Vector { id: "R6455-4.2.1-a", head: s(), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-b T42", head: s().line("POST /chat HTTP/1.1"), expected: Err(MethodNotAllowed) },
        Vector { id: "R6455-4.2.1-b T42", head: s().line("get /chat HTTP/1.1"), expected: Err(MethodNotAllowed) },
        Vector { id: "R6455-4.2.1-b T42", head: s().line("GETS /chat HTTP/1.1"), expected: Err(MethodNotAllowed) },
        Vector { id: "R6455-4.2.1-b T42", head: s().line("GE\u{7c}T /chat HTTP/1.1"), expected: Err(MethodNotAllowed) },
        Vector { id: "R6455-4.2.1-b T42", head: s().line("G@T /chat HTTP/1.1"), expected: Err(MalformedLine) },
        Vector { id: "R6455-4.2.1-b T42", head: s().line("GET /chat HTTP/1.0"), expected: Err(OldHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/1.2"), expected: Ok(()) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/1.9"), expected: Ok(()) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/2.0"), expected: Err(UnsupportedHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("PRI * HTTP/2.0"), expected: Err(UnsupportedHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/0.9"), expected: Err(UnsupportedHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat http/1.1"), expected: Err(InvalidHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/1.10"), expected: Err(InvalidHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/1"), expected: Err(InvalidHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/11"), expected: Err(InvalidHttpVersion) },
        Vector { id: "R9112-2.3-a", head: s().line("GET /chat HTTP/1.x"), expected: Err(InvalidHttpVersion) },
        Vector { id: "T42", head: s().line("POST /chat HTTP/1.0"), expected: Err(OldHttpVersion) },
        Vector { id: "T42", head: s().line("GET /chat"), expected: Err(MalformedLine) },
        Vector { id: "T42", head: s().line("GET"), expected: Err(MalformedLine) },
        Vector { id: "T42", head: s().line("GET  /chat HTTP/1.1"), expected: Err(MalformedLine) },
        Vector { id: "T42", head: s().line("GET /chat HTTP/1.1 "), expected: Err(MalformedLine) },
        Vector { id: "T42", head: s().line(" GET /chat HTTP/1.1"), expected: Err(MalformedLine) },
        Vector { id: "T42", head: s().line("GET /a b HTTP/1.1"), expected: Err(InvalidHttpVersion) },
    ]);
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_c_the_target_is_a_resource_name_or_an_absolute_uri() {
    for (target, resource, host) in [
        ("/", "/", "server.example.com"),
        ("/chat?a=1&b=2", "/chat?a=1&b=2", "server.example.com"),
        ("/chat?a?b", "/chat?a?b", "server.example.com"),
        ("/chat?", "/chat", "server.example.com"),
        ("//chat", "//chat", "server.example.com"),
        ("/?u=http://x/", "/?u=http://x/", "server.example.com"),
        // What browsers leave bare, against RFC 3986.
        ("/[a|b]?{c}^`\\%", "/[a|b]?{c}^`\\%", "server.example.com"),
        ("http://h/chat", "/chat", "h"),
        ("HTTPS://h:8080/chat?x", "/chat?x", "h:8080"),
        ("http://h", "/", "h"),
        ("http://h?x=1", "/?x=1", "h"),
        ("http://[::1]:80/", "/", "[::1]:80"),
    ] {
        let seen = accepted(&sample().line(format!("GET {target} HTTP/1.1")));
        assert_eq!((&*seen.resource, &*seen.host), (resource, host), "{target}");
    }
    let bad = [
        "*", "chat", "h:80", "/a#b", "/a#", "/\"", "/<", "/>", "/é", "ftp://h/",
        "http:/chat", "http:///chat", "http://u@h/", "http://h:x/", "http://h:65536/",
        "http://[::1/",
    ];
    check(bad.map(|target| {
        let head = sample().line(format!("GET {target} HTTP/1.1"));
        Vector { id: "R6455-4.2.1-c T42", head, expected: Err(InvalidTarget) }
    }));
    let path_and_query = with_request(&sample().line("GET /p?q HTTP/1.1"), |request| {
        let resource = request.resource();
        (resource.path().to_owned(), resource.query().map(str::to_owned), resource == "/p?q")
    });
    assert_eq!(path_and_query, ("/p".to_owned(), Some("q".to_owned()), true));
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_d_exactly_one_host() {
    let s = sample;
    for host in
        ["h", "H.example:80", "h:", "127.0.0.1:1", "[::1]", "[2001:DB8::1]:443", "a%20b", "h!"]
    {
        assert_eq!(accepted(&s().with("Host", host)).host, host);
    }
    let missing_or_repeated = [
        Vector { id: "R6455-4.2.1-d", head: s().without("Host"), expected: Err(InvalidHost(Missing)) },
        Vector { id: "R6455-4.2.1-d", head: s().plus("Host: server.example.com"), expected: Err(InvalidHost(Repeated)) },
        // Also where the target names the authority.
        Vector { id: "R6455-4.2.1-d", head: s().line("GET http://h/ HTTP/1.1").without("Host"), expected: Err(InvalidHost(Missing)) },
        Vector { id: "T43", head: s().with("Host", b"\xFF\xFE"), expected: Err(InvalidHost(Malformed)) },
    ];
    let bad = [
        "", ":80", "h:x", "h:+1", "h:65536", "h:99999999999999999999", "a b", "u@h", "h/x", "h?x",
        "h#x", "h:80:80", "::1", "[::1", "[::1]x", "[]", "[1.2.3.4]", "[v1.x]", "[::1%25lo]", "%",
        "%4", "%zz", "h\\", "\"h\"", "é",
    ];
    let bad = bad.map(|host| {
        Vector { id: "T43", head: s().with("Host", host), expected: Err(InvalidHost(Malformed)) }
    });
    check(bad.into_iter().chain(missing_or_repeated));
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_e_upgrade_lists_websocket() {
    let s = sample;
    check([
        // R6455-E5498: any ASCII case is accepted, lower case is written.
        Vector { id: "R6455-4.2.1-e R6455-E5498", head: s().with("Upgrade", "WebSocket"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "foo, WebSocket"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "websocket, foo"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", ",foo/1 ,\t,WEBSOCKET\t,"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "foo").plus("upgrade: websocket"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "websocket2"), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "websocket/13"), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "web socket"), expected: Err(InvalidUpgrade(Malformed)) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "\"websocket\""), expected: Err(InvalidUpgrade(Malformed)) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "websocket, @"), expected: Err(InvalidUpgrade(Malformed)) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", "h2c"), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.2.1-e", head: s().with("Upgrade", ""), expected: Err(InvalidUpgrade(Mismatch)) },
        Vector { id: "R6455-4.2.1-e", head: s().without("Upgrade"), expected: Err(UpgradeMissing) },
        // R6455-2-b: a long s is no s.
        Vector { id: "R6455-2-b", head: s().with("Upgrade", "web\u{17f}ocket"), expected: Err(InvalidUpgrade(Malformed)) },
        Vector { id: "R6455-2-b", head: s().without("Upgrade").plus("Upgr\u{e4}de: websocket"), expected: Err(MalformedHeader) },
        // A KELVIN SIGN, which folds to k outside ASCII.
        Vector { id: "R6455-2-b", head: s().with("Upgrade", "websoc\u{212a}et"), expected: Err(InvalidUpgrade(Malformed)) },
    ]);
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_f_connection_lists_upgrade() {
    let s = sample;
    check([
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", "keep-alive, upgrade"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", "Upgrade, keep-alive"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", "close").plus("CONNECTION: UPGRADE"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", "keep-alive"), expected: Err(InvalidConnection(Mismatch)) },
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", "upgraded"), expected: Err(InvalidConnection(Mismatch)) },
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", "upgrade; x"), expected: Err(InvalidConnection(Malformed)) },
        Vector { id: "R6455-4.2.1-f", head: s().with("Connection", ""), expected: Err(InvalidConnection(Mismatch)) },
        Vector { id: "R6455-4.2.1-f", head: s().without("Connection"), expected: Err(InvalidConnection(Missing)) },
    ]);
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_g_the_key_is_16_bytes_in_base64() {
    let key = |value: &str| sample().with("Sec-WebSocket-Key", value);
    let bad = [
        "", "!!!", "=", "==", "A", "AAAA",
        "AAAAAAAAAAAAAAAAAAAA",         // 15 bytes
        "AAAAAAAAAAAAAAAAAAAAAAA=",     // 17 bytes
        "AAAAAAAAAAAAAAAAAAAAAAAA",     // 18 bytes
        "AAAAAAAAAAAAAAAAAAAAAA",       // no padding
        "AAAAAAAAAAAAAAAAAAAAAA=",      // half of it
        "AAAAAAAAAAAAAAAAAAAAAA===",    // more than it
        "AAAAAAAAAAAAAAAAAAAAAA==AAAA", // in the middle
        "AAAAAAAAAA AAAAAAAAAAAA==",    // R6455-4.3-a: no inner whitespace
        "AAAAAAAAAA-AAAAAAAAAAA==",     // R6455-4.3-a: not the alphabet for URLs
        "AAAAAAAAAA_AAAAAAAAAAA==",
        "AAAAAAAAAA\u{e9}AAAAAAAAAA==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let bad = bad.map(|bad| {
        Vector { id: "R6455-4.3-a R6455-4.2.1-g T42", head: key(bad), expected: Err(InvalidKey(Malformed)) }
    });
    check(bad.into_iter().chain([
        Vector { id: "R6455-4.2.1-g", head: sample().without("Sec-WebSocket-Key"), expected: Err(InvalidKey(Missing)) },
        Vector { id: "R6455-11.3-a", head: sample().plus("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), expected: Err(InvalidKey(Repeated)) },
        Vector { id: "R6455-4.3-a", head: key(" \t+/AAAAAAAAAAAAAAAAAAAA== \t"), expected: Ok(()) },
        Vector { id: "T43", head: key(&"A".repeat(10_000)), expected: Err(InvalidKey(Malformed)) },
    ]));
}

#[test]
fn r6455_e3150_r6455_4_2_2_d_padding_bits_of_a_key_are_tolerated_and_its_text_is_hashed() {
    let accept = |key: &str| {
        let answer = accepted(&sample().with("Sec-WebSocket-Key", key)).answer;
        let answer = String::from_utf8(answer).unwrap();
        let line = answer.lines().find(|line| line.starts_with("Sec-WebSocket-Accept: ")).unwrap();
        line.trim_start_matches("Sec-WebSocket-Accept: ").to_owned()
    };
    // Both stand for the bytes 1 to 16. R6455-4.2.2-d: the texts differ, so the answers do.
    assert_eq!(accept("AQIDBAUGBwgJCgsMDQ4PEA=="), "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=");
    assert_eq!(accept("AQIDBAUGBwgJCgsMDQ4PEC=="), "OfS0wDaT5NoxF2gqm7Zj2YtetzM=");
    // The whitespace around it is not part of the text.
    assert_eq!(accept("  dGhlIHNhbXBsZSBub25jZQ==\t"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
#[rustfmt::skip]
fn r6455_4_2_1_h_the_version_is_13() {
    let version = |value: &str| sample().with("Sec-WebSocket-Version", value);
    let malformed =
        ["", "013", "256", "+13", "-1", "13 8", "13, 8", "1e1", "0x0d", "00", "1300", "١٣"];
    let malformed = malformed.map(|malformed| {
        Vector { id: "R6455-4.3-d", head: version(malformed), expected: Err(InvalidVersion(Malformed)) }
    });
    check(malformed.into_iter().chain([
        Vector { id: "R6455-4.2.1-h", head: version(" 13\t"), expected: Ok(()) },
        Vector { id: "R6455-4.2.1-h T42", head: sample().without("Sec-WebSocket-Version"), expected: Err(InvalidVersion(Missing)) },
        Vector { id: "R6455-11.3-a", head: sample().plus("Sec-WebSocket-Version: 13"), expected: Err(InvalidVersion(Repeated)) },
        Vector { id: "R6455-4.2.2-e", head: version("8"), expected: Err(UnsupportedVersion(8)) },
        Vector { id: "R6455-4.2.2-e", head: version("0"), expected: Err(UnsupportedVersion(0)) },
        Vector { id: "R6455-4.2.2-e", head: version("255"), expected: Err(UnsupportedVersion(255)) },
        // Another version may have another key.
        Vector { id: "R6455-4.2.2-e", head: version("25").without("Sec-WebSocket-Key"), expected: Err(UnsupportedVersion(25)) },
    ]));
}

#[test]
fn r6455_4_2_2_e_r6455_7_2_2_a_t42_each_fault_has_its_answer() {
    let golden = |head: Head, text: &str| {
        let (status, answer) = answer(&head);
        assert_eq!(answer, text);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")));
    };
    let upgrade_required = "HTTP/1.1 426 Upgrade Required\r\n\
                            Upgrade: websocket\r\n\
                            Connection: Upgrade, close\r\n\
                            Sec-WebSocket-Version: 13\r\n\
                            Content-Length: 0\r\n\
                            \r\n";
    golden(sample().with("Sec-WebSocket-Version", "25"), upgrade_required);
    golden(sample().without("Upgrade"), upgrade_required);
    // R6455-4.2.2-e: whatever is wrong with the version, the answer names the one that is supported.
    let bad_version = "HTTP/1.1 400 Bad Request\r\n\
                       Connection: close\r\n\
                       Content-Length: 0\r\n\
                       Sec-WebSocket-Version: 13\r\n\
                       \r\n";
    for version in ["", " ", "013", "256", "13, 8", "x", "\u{e9}"] {
        golden(sample().with("Sec-WebSocket-Version", version), bad_version);
    }
    golden(sample().without("Sec-WebSocket-Version"), bad_version);
    golden(sample().plus("Sec-WebSocket-Version: 13"), bad_version);
    golden(
        sample().line("POST / HTTP/1.1"),
        "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\nAllow: GET\r\n\r\n",
    );
    golden(
        sample().without("Host"),
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    golden(
        sample().line("GET / HTTP/2.0"),
        "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    golden(
        sample().plus("X: y\r\n".repeat(64).trim_end()),
        "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    // R6455-7.2.2-a: no Close frame: the last bytes are those of the head.
    let (_, text) = answer(&sample().without("Host"));
    assert!(text.ends_with("\r\n\r\n") && text.is_ascii());
}

#[test]
fn r6455_4_2_1_j_order_and_unknown_headers_do_not_matter() {
    let mut shuffled = sample().plus("X-Foo: bar").plus("Sec-WebSocket-Foo: bar");
    shuffled.headers.reverse();
    let (seen, plain) = (accepted(&shuffled), accepted(&sample()));
    assert_eq!(seen.subprotocols, ["chat", "superchat"]);
    assert_eq!(seen.headers.len(), plain.headers.len() + 2);
    assert_eq!(Seen { headers: plain.headers.clone(), ..seen }, plain);
    with_request(&shuffled, |request| {
        assert_eq!(request.header("x-FOO"), Some(&b"bar"[..]));
        assert_eq!(request.header("absent"), None);
    });
}

#[test]
fn r6455_4_2_2_g_r6455_4_2_2_h_t46_the_subprotocol_is_one_that_was_offered() {
    let choose = |name: &str| {
        let mut out = vec![1];
        let result = with_request(&sample(), |r| {
            r.accept(&AcceptOptions::new().subprotocol(name), &mut out)
        });
        assert_eq!(result.is_err(), out == [1], "all or nothing");
        result.map(|_| String::from_utf8(out).unwrap().matches("Sec-WebSocket-Protocol").count())
    };
    assert_eq!(choose("superchat"), Ok(1));
    assert_eq!(choose("x"), Err(HeadError::SubprotocolNotOffered));
    assert_eq!(choose("Chat"), Err(HeadError::SubprotocolNotOffered));
    // R6455-4.2.2-h: the empty string is not the absence of a subprotocol.
    assert_eq!(choose(""), Err(HeadError::InvalidSubprotocol));
    // T46
    assert_eq!(choose("chat\r\nX: y"), Err(HeadError::InvalidSubprotocol));
    assert_eq!(choose("chat, superchat"), Err(HeadError::InvalidSubprotocol));
    let none = sample().without("Sec-WebSocket-Protocol");
    let unasked =
        with_request(&none, |r| r.accept(&AcceptOptions::new().subprotocol("chat"), &mut vec![]));
    assert_eq!(unasked, Err(HeadError::SubprotocolNotOffered));
}

#[test]
#[rustfmt::skip]
fn r6455_4_3_b_r6455_11_3_b_lists_skip_empty_elements() {
    let offer = |value: &str| sample().with("Sec-WebSocket-Protocol", value);
    assert_eq!(accepted(&offer(", chat,,x")).subprotocols, ["chat", "x"]);
    assert_eq!(accepted(&offer("\t a\t,\t ,b ,")).subprotocols, ["a", "b"]);
    // R6455-11.3-b: several lines are one list.
    assert_eq!(
        accepted(&offer("a").plus("Sec-WebSocket-Protocol: b, c")).subprotocols,
        ["a", "b", "c"]
    );
    assert_eq!(accepted(&offer("").plus("Sec-WebSocket-Protocol: b")).subprotocols, ["b"]);
    let extensions = sample()
        .plus("Sec-WebSocket-Extensions: foo")
        .plus("Sec-WebSocket-Extensions: bar; baz=2, q");
    assert_eq!(accepted(&extensions).extensions, ["foo", "bar; baz=2", "q"]);
    let bad = ["a b", ",;", "a;b", "a/b", "\"a\"", "chat, \u{e9}", "a=b", "(a)"];
    let bad = bad.map(|bad| {
        Vector { id: "R6455-4.3-b", head: offer(bad), expected: Err(InvalidSubprotocol(Malformed)) }
    });
    // R6455-8.1-b: not UTF-8 where text is read is refused; elsewhere it is handed through.
    check(bad.into_iter().chain([Vector { id: "R6455-8.1-b", head: sample().without("Sec-WebSocket-Protocol").plus(b"Sec-WebSocket-Protocol: \xC3\x28"), expected: Err(InvalidSubprotocol(Malformed)) }]));
    let seen = accepted(&sample().plus(b"X-Foo: \xC3\x28"));
    assert_eq!(seen.headers.last(), Some(&("X-Foo".to_owned(), b"\xC3\x28".to_vec())));
    // T43: of any length.
    let long = "a".repeat(10_000);
    assert_eq!(accepted(&offer(&long)).subprotocols, [long]);
}

#[test]
#[rustfmt::skip]
fn r6455_4_3_c_r6455_4_3_e_r6455_9_a_r6455_9_b_r6455_4_2_2_i_extensions_have_their_grammar() {
    for (value, expected) in [
        ("x", "x"),
        ("x; a", "x; a"),
        ("x;a=1;b", "x; a=1; b"),
        (r#"x; a="1\0""#, "x; a=10"),
        (r#"x; a="\1\0""#, "x; a=10"),
        (r#"x; a="10""#, "x; a=10"),
        (r#"x; a="10"; b="c" ; d"#, "x; a=10; b=c; d"),
        // R6455-4.3-e: whitespace around commas, semicolons and equals signs.
        (
            "permessage-deflate ; server_max_window_bits = 10",
            "permessage-deflate; server_max_window_bits=10",
        ),
        ("\tx\t;\ta\t=\t\"b\"\t", "x; a=b"),
        (",, x ,,", "x"),
    ] {
        let seen = accepted(&sample().plus(format!("Sec-WebSocket-Extensions: {value}")));
        assert_eq!(seen.extensions, [expected], "{value}");
        // R6455-9-a, R6455-9-b, R6455-4.2.2-i: what is not known is not named in the answer.
        assert!(!seen.answer.windows(10).any(|part| part == b"Extensions"));
    }
    // R6455-9.1-c: the order is the client's preference.
    let seen = accepted(&sample().plus("Sec-WebSocket-Extensions: foo; a, bar;b, foo"));
    assert_eq!(seen.extensions, ["foo; a", "bar; b", "foo"]);
    let bad = [
        ";", ",;", "x;", "x; =1", "x; a=", "x; a=;b", "x; a=,y", "x; a=\"b c\"", "x; a=\"\"",
        "x; a=\"b", "x; a=\"b\\\"", "x; a=\"b\\", "x; a=\"b,c\"", "x; a=\"b;c\"", "x; a=\"\\\\\"", "x; a=\"\\\\b\"",
        "x; a=\"\\\"\"", "x; a=b\"c\"", "x; a=\"b\"c", "x y", "x; a b", "x=1", "x; a==1",
        "x; a=b=c", "\"x\"", "x; \"a\"", "x; a='b c'", "x\u{e9}", "x; a=\"\u{e9}\"",
        "permessage-deflate, ;x", "permessage-deflate; client_max_window_bits, x y",
    ];
    let bad = bad.map(|bad| {
        // R6455-9.1-a: all of the header fails, whatever else is in it.
        let head = sample().plus(format!("Sec-WebSocket-Extensions: {bad}"));
        Vector { id: "R6455-9.1-a", head, expected: Err(InvalidExtensions) }
    });
    check(bad.into_iter().chain([
        Vector { id: "R6455-8.1-b", head: sample().plus(b"Sec-WebSocket-Extensions: x, \xFF"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-8.1-b", head: sample().plus("Sec-WebSocket-Extensions: x").plus(b"Sec-WebSocket-Extensions: \xFF"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-9.1-a", head: sample().plus("Sec-WebSocket-Extensions: fine").plus("Sec-WebSocket-Extensions: x;"), expected: Err(InvalidExtensions) },
    ]));
}

#[test]
fn r9112_2_a_t45_the_cut_of_the_head_does_not_matter_and_what_follows_is_left() {
    // T45: the leftovers are exact; nothing of them is read as frames here.
    let mut bytes = sample().bytes();
    bytes.extend_from_slice(b"\x81\x80\0\0\0\0GET");
    let seen = verdict(&bytes).unwrap().unwrap();
    assert_eq!(seen.behind, b"\x81\x80\0\0\0\0GET");

    // What is left is the caller's to write to, as the connection does when it unmasks.
    let mut buffer = bytes.clone();
    let mut input = &mut buffer[..];
    let request = ServerHandshake::new().receive(&mut input).unwrap().unwrap();
    input.fill(7);
    assert_eq!(request.host(), "server.example.com");

    // After a request the value starts over.
    let mut handshake = ServerHandshake::new();
    let other = sample().line("GET /other/and/longer HTTP/1.1").bytes();
    let mut twice = [sample().bytes(), other].concat();
    let mut input = &mut twice[..];
    assert_eq!(handshake.receive(&mut input).unwrap().unwrap().resource(), "/chat");
    assert_eq!(handshake.receive(&mut input).unwrap().unwrap().resource(), "/other/and/longer");
    assert!(input.is_empty());

    // And the limit stays.
    let (mut first, mut second) = (sample().bytes(), sample().bytes());
    let mut handshake = ServerHandshake::new().max_head(first.len());
    assert!(handshake.receive(&mut &mut first[..]).unwrap().is_some());
    second.insert(second.len() - 4, b'+');
    assert_eq!(handshake.receive(&mut &mut second[..]).err(), Some(HeadTooLarge));
}

#[test]
fn r9112_2_2_a_empty_lines_in_front_are_skipped_and_a_bare_cr_is_not() {
    let bytes = [b"\r\n\r\n".to_vec(), sample().bytes()].concat();
    assert_eq!(verdict(&bytes), verdict(&sample().bytes()));
    for (bytes, expected) in [
        (&b"\r\n"[..], Ok(None)),
        (b"", Ok(None)),
        (b"\r", Ok(None)),
        (b"\n", Err(ControlByte(b'\n'))),
        (b"\r\r\n", Err(ControlByte(b'\r'))),
        (b"\rGET", Err(ControlByte(b'\r'))),
        (b"GET /\rX HTTP/1.1\r\n\r\n", Err(MalformedLine)),
        (b"GET / HTTP/1.1\rX\r\n\r\n", Err(ControlByte(b'\r'))),
        (b" \r\n\r\n", Err(MalformedLine)),
        (b"\tGET / HTTP/1.1\r\n\r\n", Err(ControlByte(b'\t'))),
    ] {
        assert_eq!(verdict(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
#[rustfmt::skip]
fn r9112_5_a_folds_and_a_space_in_front_of_the_colon_are_refused() {
    let s = sample;
    check([
        Vector { id: "R9112-5-a", head: s().plus("X-Foo : bar"), expected: Err(MalformedHeader) },
        Vector { id: "R9112-5-a", head: s().plus("X-Foo\t: bar"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo: bar\r\n baz"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo: bar\r\n\tbaz"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo:\r\n bar"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().line("GET /chat HTTP/1.1\r\n X: y"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus(": bar"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X Foo: bar"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X(Foo: bar"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus(b"X\xFFFoo: bar"), expected: Err(MalformedHeader) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo:bar"), expected: Ok(()) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo:\t bar\tbaz \t"), expected: Ok(()) },
        Vector { id: "T44 R9112-5-a", head: s().plus("X-Foo:"), expected: Ok(()) },
    ]);
    let seen = accepted(&s().plus("X-Foo:\t bar\tbaz \t"));
    assert_eq!(seen.headers.last().unwrap().1, b"bar\tbaz");
}

#[test]
fn t44_control_bytes_are_refused_where_they_stand() {
    let good = sample().bytes();
    let (line, header) = (5, good.windows(7).position(|part| part == b"example").unwrap());
    for byte in (0..0x20).chain([0x7F]) {
        for at in [line, header] {
            let mut bytes = good.clone();
            bytes.insert(at, byte);
            // A tab is whitespace within a header's value, and makes this Host malformed.
            let is_value = byte == b'\t' && at == header;
            let is_short_line = byte == b'\r' && at == line;
            let expected = match byte {
                _ if is_value => InvalidHost(Malformed),
                _ if is_short_line => MalformedLine,
                _ => ControlByte(byte),
            };
            assert_eq!(verdict(&bytes), Err(expected), "{byte:#04x} at {at}");
            if !is_value {
                // At the offending byte, without waiting for the head's end; behind a CR it is the
                // byte that should have been an LF.
                let length = if byte == b'\r' && !is_short_line { at + 2 } else { at + 1 };
                assert_eq!(verdict(&bytes[..length]), Err(expected), "{byte:#04x} at {at}");
                assert_eq!(verdict(&bytes[..length - 1]), Ok(None), "{byte:#04x} at {at}");
            }
        }
    }
    // Bare LF, at each line's end.
    for at in (0..good.len()).filter(|&at| good[at] == b'\r') {
        let mut bytes = good.clone();
        bytes.remove(at);
        assert_eq!(verdict(&bytes), Err(ControlByte(b'\n')), "LF at {at}");
    }
}

#[test]
#[rustfmt::skip]
fn r9112_6_a_a_declared_body_is_refused() {
    let s = sample;
    check([
        Vector { id: "R9112-6-a", head: s().plus("Content-Length: 0"), expected: Ok(()) },
        Vector { id: "R9112-6-a", head: s().plus("Content-Length: 5"), expected: Err(BodyDeclared) },
        Vector { id: "R9112-6-a", head: s().plus("Transfer-Encoding: chunked"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("transfer-encoding: identity"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Transfer-Encoding:"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Content-Length: 00"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Content-Length: +0"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Content-Length: 0, 0"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Content-Length:"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Content-Length: 0").plus("Content-Length: 5"), expected: Err(BodyDeclared) },
        Vector { id: "T45 R9112-6-a", head: s().plus("Content-Length: 5").plus("Content-Length: 0"), expected: Err(BodyDeclared) },
    ]);
}

#[test]
#[rustfmt::skip]
fn t48_r6455_10_2_a_r6455_4_2_2_c_origin_stands_in_front_of_the_user() {
    // R6455-10.2-a, R6455-4.2.1-i: absent means that it is no browser, or says nothing.
    let none = accepted(&sample().without("Origin"));
    assert_eq!((none.origin, none.same_origin), (None, false));
    for (origin, host, same) in [
        ("http://h", "h", true),
        ("HTTP://H", "h", true),
        ("http://h", "h:80", true),
        ("http://h:80", "h", true),
        ("https://h", "h:443", true),
        ("https://h", "h", true),
        ("https://h:8443", "h:8443", true),
        ("http://[::1]:8080", "[::1]:8080", true),
        ("https://h", "h:80", false),
        ("http://h", "h:443", false),
        ("http://h:8080", "h", false),
        ("http://h", "h:8080", false),
        ("http://evil", "h", false),
        ("http://h.evil", "h", false),
        ("http://evil.h", "h", false),
        ("http://evilh", "h", false),
        ("http://h@evil", "h", false),
        ("http://evil@h", "h", false),
        ("http://h/", "h", false),
        ("http://h http://evil", "h", false),
        ("http://evil http://h", "h", false),
        ("ftp://h", "h", false),
        ("chrome-extension://h", "h", false),
        ("//h", "h", false),
        ("h", "h", false),
        ("null", "null", false),
    ] {
        let seen = accepted(&sample().with("Origin", origin).with("Host", host));
        assert_eq!(
            (seen.origin.as_deref(), seen.same_origin),
            (Some(origin), same),
            "{origin} {host}"
        );
    }
    check([
        Vector { id: "T48", head: sample().plus("Origin: http://example.com"), expected: Err(InvalidOrigin(Repeated)) },
        Vector { id: "T48", head: sample().with("Origin", ""), expected: Err(InvalidOrigin(Malformed)) },
        Vector { id: "T48", head: sample().with("Origin", "http://\u{e9}"), expected: Err(InvalidOrigin(Malformed)) },
        Vector { id: "T48", head: sample().with("Origin", "http://a\tb"), expected: Err(InvalidOrigin(Malformed)) },
    ]);
    // R6455-4.2.2-c: the refusal is an HTTP error, and no frame follows it (R6455-7.2.2-a).
    let mut out = Vec::new();
    handshake::reject(403, &[], b"", &mut out).unwrap();
    assert_eq!(out, b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn r6455_4_2_2_b_any_http_answer_can_refuse() {
    let golden = |status, headers: &[(&str, &str)], body: &[u8], text: &str| {
        let mut out = Vec::new();
        handshake::reject(status, headers, body, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), text);
    };
    golden(
        401,
        &[("WWW-Authenticate", "Basic realm=\"x\""), ("Content-Type", "text/plain")],
        b"who?",
        "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 4\r\n\
         WWW-Authenticate: Basic realm=\"x\"\r\nContent-Type: text/plain\r\n\r\nwho?",
    );
    golden(
        307,
        &[("Location", "/there")],
        b"",
        "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n",
    );
    // R6455-4.2.2-f
    golden(
        404,
        &[],
        b"",
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    golden(599, &[], b"", "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    golden(204, &[], b"", "HTTP/1.1 204 \r\nConnection: close\r\n\r\n");
    golden(304, &[], b"", "HTTP/1.1 304 \r\nConnection: close\r\n\r\n");
    // A body larger than one block of output.
    let mut out = Vec::new();
    handshake::reject(200, &[], &[b'x'; 10_000], &mut out).unwrap();
    assert!(out.ends_with(&[b'x'; 10_000]) && !out.ends_with(&[b'x'; 10_001]));

    let refused = |status, body: &[u8]| {
        let mut out = Vec::new();
        let error = handshake::reject(status, &[], body, &mut out).unwrap_err();
        assert!(out.is_empty());
        error
    };
    for status in [0, 99, 100, 101, 103, 199, 600, 999, u16::MAX] {
        assert_eq!(refused(status, b""), HeadError::InvalidStatus);
    }
    for status in [204, 205, 304] {
        assert_eq!(refused(status, b"x"), HeadError::UnexpectedBody);
    }
}

#[test]
#[rustfmt::skip]
fn t46_t49_no_header_of_the_caller_breaks_out_or_overrides() {
    let both = |name: &str, value: &str| {
        let headers = [("X-Fine", "y"), (name, value)];
        let mut out = Vec::new();
        let rejected = handshake::reject(403, &headers, b"", &mut out);
        let accept = AcceptOptions::new().headers(&headers);
        let accepted = with_request(&sample(), |request| request.accept(&accept, &mut out));
        assert_eq!(accepted.err(), rejected.err());
        assert_eq!(out.is_empty(), rejected.is_err(), "all or nothing");
        rejected
    };
    assert_eq!(both("X", "\u{e9}\t\"~"), Ok(()));
    assert_eq!(both("X", ""), Ok(()));
    for value in ["a\r\nX: y", "a\r", "\n", "\0", "a\u{7f}", "\u{1}", "\u{1b}[0m"] {
        assert_eq!(both("X", value), Err(HeadError::InvalidHeader(1)), "{value:?}");
    }
    for name in ["", " ", "X Y", "X:", "X\r\nY", "X\0", "\u{e9}", "X\t", "(X)", "Host:", "Upgrade "]
    {
        assert_eq!(both(name, "y"), Err(HeadError::InvalidHeader(1)), "{name:?}");
    }
    for name in [
        "Upgrade", "upgrade", "CONNECTION", "Content-Length", "Transfer-encoding", "Host", "Origin",
        "Sec-WebSocket-Key", "Sec-WebSocket-Accept", "sec-websocket-protocol",
        "Sec-WebSocket-Version", "Sec-WebSocket-Extensions", "SEC-WEBSOCKET-ANYTHING",
    ] {
        assert_eq!(both(name, "y"), Err(HeadError::ProtectedHeader(1)), "{name}");
    }
    assert_eq!(both("Sec-WebSocke", "y"), Ok(()));
    assert_eq!(both("Sec-WebSocketé", "y"), Err(HeadError::InvalidHeader(1)));
}

#[test]
fn r6455_10_4_d_t14_t40_head_size_is_bounded_exactly() {
    // T14: the defaults are finite: 16 KiB, 64 lines.
    let padded = |length: usize| {
        let plain = sample().plus("X: ").bytes().len();
        sample().plus(format!("X: {}", "x".repeat(length - plain))).bytes()
    };
    assert_eq!(padded(16 << 10).len(), 16 << 10);
    assert!(verdict(&padded(16 << 10)).unwrap().is_some());
    assert_eq!(verdict(&padded((16 << 10) + 1)), Err(HeadTooLarge));
    assert_eq!(verdict(&[b'x'; 64 << 10]), Err(HeadTooLarge));
    assert_eq!(verdict(&b"\r\n".repeat(32 << 10)), Err(HeadTooLarge));
    let endless = [&b"GET / HTTP/1.1\r\n"[..], &b"X: y\r\n".repeat(16 << 10)].concat();
    assert_eq!(verdict(&endless), Err(HeadTooLarge));
    let endless = [&b"GET /"[..], &b"x".repeat(16 << 10)].concat();
    assert_eq!(verdict(&endless), Err(HeadTooLarge));
    assert_eq!(HeadTooLarge.status(), 431);
    // As soon as the bytes allow it: no byte more is waited for.
    assert_eq!(verdict(&[b'x'; (16 << 10) - 1]), Ok(None));
    assert_eq!(verdict(&[b'x'; 16 << 10]), Err(HeadTooLarge));

    let head = sample().bytes();
    let with_empty_line = [b"\r\n".to_vec(), head.clone()].concat();
    let limit = |bytes| ServerHandshake::new().max_head(bytes);
    assert!(verdict_of(&limit(head.len()), &head).unwrap().is_some());
    assert_eq!(verdict_of(&limit(head.len() - 1), &head), Err(HeadTooLarge));
    assert_eq!(verdict_of(&limit(head.len()), &with_empty_line), Err(HeadTooLarge));
    assert!(verdict_of(&limit(head.len() + 2), &with_empty_line).unwrap().is_some());
    assert_eq!(verdict_of(&limit(0), &head), Err(HeadTooLarge));
    // What is behind the head is not counted.
    let behind = [head.clone(), vec![0; 100]].concat();
    assert!(verdict_of(&limit(head.len()), &behind).unwrap().is_some());
}

#[test]
fn r6455_10_4_d_t43_header_lines_are_bounded_exactly() {
    let lines = |count: usize| {
        let mut head = sample();
        head.headers.resize(count, b"X: y".to_vec());
        head.bytes()
    };
    assert_eq!(verdict(&lines(64)).unwrap().unwrap().headers.len(), 64);
    assert_eq!(verdict(&lines(65)), Err(TooManyHeaders));
    assert_eq!(TooManyHeaders.status(), 431);
    let few: ServerHandshake<7> = ServerHandshake::new().max_headers();
    assert!(verdict_of(&few, &lines(7)).unwrap().is_some());
    assert_eq!(verdict_of(&few, &lines(8)), Err(TooManyHeaders));
    let many = ServerHandshake::new().max_headers::<500>();
    assert!(verdict_of(&many, &lines(500)).unwrap().is_some());
    let none = ServerHandshake::new().max_headers::<0>();
    assert_eq!(verdict_of(&none, &lines(7)), Err(TooManyHeaders));
}

#[test]
fn t40_each_byte_of_a_head_is_looked_at_once_while_it_grows() {
    // Bytes that were judged are hidden behind NULs: a scan that starts over would stumble.
    let head = sample().bytes();
    for step in [1, 2, 3, 7, 100] {
        let mut handshake = ServerHandshake::new();
        for end in (step..head.len()).step_by(step) {
            let mut buffer = head[..end].to_vec();
            buffer[..end - step].fill(0);
            assert!(handshake.receive(&mut &mut buffer[..]).unwrap().is_none());
        }
        let mut buffer = head.clone();
        assert!(handshake.receive(&mut &mut buffer[..]).unwrap().is_some());
    }
}

#[test]
fn t40_a_buffer_that_shrank_is_read_from_its_start() {
    let head = sample().bytes();
    for length in [0, 1, 19] {
        let mut handshake = ServerHandshake::new();
        let mut other = sample().line("GET /other/and/longer HTTP/1.1").bytes();
        assert_eq!(handshake.receive(&mut &mut other[..20]).map(|_| ()), Ok(()));
        let mut buffer = head.clone();
        assert!(handshake.receive(&mut &mut buffer[..length]).unwrap().is_none());
        let seen = handshake.receive(&mut &mut buffer[..]).unwrap().unwrap();
        assert_eq!(seen.resource(), "/chat");
    }
    // Bytes that were accepted before are checked again, and the limit on their number stays.
    let mut handshake = ServerHandshake::new().max_head(30);
    let mut buffer = head.clone();
    assert!(handshake.receive(&mut &mut buffer[..20]).unwrap().is_none());
    assert_eq!(handshake.receive(&mut &mut [0][..]).err(), Some(ControlByte(0)));
    assert_eq!(handshake.receive(&mut &mut buffer[..]).err(), Some(HeadTooLarge));
}

#[test]
fn t40_an_error_leaves_nothing_behind() {
    let whole = sample().bytes();
    let lines_end_with_lf = String::from_utf8(sample().bytes()).unwrap().replace("\r\n", "\n");
    let plain = |length: usize| {
        let head = "GET / HTTP/1.1\r\nA: \r\n\r\n";
        head.replace("A: ", &format!("A: {}", "x".repeat(length - head.len())))
    };
    for (before, expected) in [
        // Empty lines, and then something else.
        ([&b"\r\n".repeat(300)[..], b"\0"].concat(), ControlByte(0)),
        // Too long.
        (b"GET /".iter().copied().chain([b'x'; 1000]).collect(), HeadTooLarge),
        // A whole head that is no handshake, with others behind it that are served next.
        (plain(whole.len() - 1).into_bytes(), InvalidHost(Missing)),
        (plain(lines_end_with_lf.len()).into_bytes(), InvalidHost(Missing)),
    ] {
        for (next, verdict) in
            [(&whole[..], Ok(true)), (lines_end_with_lf.as_bytes(), Err(ControlByte(b'\n')))]
        {
            let mut handshake = ServerHandshake::new().max_head(1000);
            for cut in [before.len(), before.len() / 2] {
                let mut all = [&before[..], next].concat();
                let _ = handshake.receive(&mut &mut all[..cut]);
                assert_eq!(handshake.receive(&mut &mut all[..]).err(), Some(expected));
                let seen = handshake.receive(&mut &mut all[before.len()..]);
                assert_eq!(seen.map(|request| request.is_some()), verdict, "after {expected}");
            }
        }
    }
}

#[test]
fn t47_bait_for_quadratic_parsers_is_read_in_linear_work() {
    // Linear work takes seconds, work that grows with the square would take hours.
    let (done, wait) = mpsc::channel();
    let work = thread::spawn(move || {
        baits();
        done.send(())
    });
    let verdict = wait.recv_timeout(Duration::from_secs(120));
    assert_ne!(verdict, Err(mpsc::RecvTimeoutError::Timeout), "more than linear work");
    assert!(work.join().is_ok());
}

/// Heads with 1 MiB of bait in them.
fn baits() {
    const LENGTH: usize = 1 << 20;
    let handshake = ServerHandshake::new().max_head(usize::MAX).max_headers::<2000>();
    let bait = |line: Vec<u8>| {
        feed(handshake.clone(), &sample().plus(line).bytes(), []).map(|seen| seen.is_some())
    };
    let value = |name: &str, unit: &str| {
        format!("{name}: a{}", unit.repeat(LENGTH / unit.len())).into_bytes()
    };
    assert_eq!(bait(value("X", " ")), Ok(true));
    assert_eq!(bait(value("X", " b")), Ok(true));
    assert_eq!(bait(format!("X: b{}x", " ".repeat(LENGTH)).into_bytes()), Ok(true));
    assert_eq!(
        bait(format!("Upgrade: b{}x", " ".repeat(LENGTH)).into_bytes()),
        Err(InvalidUpgrade(Malformed))
    );
    assert_eq!(bait(value("Connection", ",")), Ok(true));
    assert_eq!(bait(value("Sec-WebSocket-Protocol", ",b")), Ok(true));
    assert_eq!(
        bait(
            format!("Sec-WebSocket-Extensions: a; b=\"{}\"", "\\c".repeat(LENGTH / 2)).into_bytes()
        ),
        Ok(true)
    );
    assert_eq!(
        bait(format!("Sec-WebSocket-Extensions: a; b=\"{}", "\\c".repeat(LENGTH / 2)).into_bytes()),
        Err(InvalidExtensions)
    );
    assert_eq!(bait(value("Sec-WebSocket-Extensions", ";b")), Ok(true));
    assert_eq!(bait(value("Sec-WebSocket-Extensions", ",b;c=\"d\"")), Ok(true));
    assert_eq!(bait(value("Sec-WebSocket-Extensions", ",")), Ok(true));
    assert_eq!(
        bait(format!("Sec-WebSocket-Protocol: {}", ",".repeat(LENGTH)).into_bytes()),
        Ok(true)
    );
    assert_eq!(bait(value("Sec-WebSocket-Extensions", " ")), Ok(true));
    assert_eq!(
        bait(format!("Sec-WebSocket-Extensions: a{}", ",a=".repeat(LENGTH / 3)).into_bytes()),
        Err(InvalidExtensions)
    );
    let lines = ["Sec-WebSocket-Protocol: b"; 1500].join("\r\n");
    assert_eq!(bait(lines.into_bytes()), Ok(true));
}

#[test]
fn t43_no_mutation_of_a_request_panics_or_depends_on_its_cut() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let rich =
        sample().plus("Sec-WebSocket-Extensions: a; b=\"1\\0\", c").plus("X-Foo: bar").bytes();
    for _ in 0..3000 {
        let mut bytes = rich.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            let special = b"\r\n\t \0\x7F\xFF:,;=\"\\/@[]%#?0H"[random(22)];
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] = special,
                2 => bytes.insert(at, special),
                _ => drop(bytes.drain(at..(at + random(30)).min(bytes.len()))),
            }
        }
        let whole = feed(ServerHandshake::new(), &bytes, []);
        assert_eq!(feed(ServerHandshake::new(), &bytes, 0..bytes.len()), whole);
        assert_eq!(feed(ServerHandshake::new(), &bytes, [random(bytes.len())]), whole);
    }
}

#[test]
fn heads_are_written_whole_or_not_at_all() {
    let accept = AcceptOptions::new().subprotocol("chat").headers(&[("Set-Cookie", "a=b")]);
    let mut whole = Vec::new();
    with_request(&sample(), |request| request.accept(&accept, &mut whole)).unwrap();
    for room in 0..=whole.len() {
        let mut memory = vec![0; room];
        let mut out = SliceOutput::new(&mut memory);
        let result = with_request(&sample(), |request| request.accept(&accept, &mut out));
        if room < whole.len() {
            assert_eq!(result, Err(HeadError::Full));
            assert!(out.written().is_empty());
            assert_eq!(
                UnsupportedVersion(1).respond(&mut SliceOutput::new(&mut [0; 100])),
                Err(HeadError::Full)
            );
        } else {
            assert_eq!(result, Ok(Agreed::new()));
            assert_eq!(out.written(), whole);
        }
    }
    assert_eq!(
        handshake::reject(403, &[], b"", &mut SliceOutput::new(&mut [])),
        Err(HeadError::Full)
    );
    // The body counts.
    let mut whole = Vec::new();
    handshake::reject(403, &[], b"body", &mut whole).unwrap();
    let mut memory = vec![0; whole.len() - 1];
    let mut out = SliceOutput::new(&mut memory);
    assert_eq!(handshake::reject(403, &[], b"body", &mut out), Err(HeadError::Full));
    assert!(out.written().is_empty());

    /// Promises room and has none.
    struct Liar;
    impl Output for Liar {
        fn reserve(&mut self, _: usize) -> Result<(), websocket_proto::Full> {
            Ok(())
        }
        fn append(&mut self, _: &[u8]) {}
    }
    assert_eq!(handshake::reject(403, &[], b"body", &mut Liar), Ok(()));
    assert!(with_request(&sample(), |request| request.accept(&accept, &mut Liar)).is_ok());
}

#[test]
fn r9112_2_1_a_other_protocols_are_refused_early() {
    for (bytes, at, expected) in [
        (&b"EHLO x\r\n"[..], 6, MalformedLine),
        (b"get / http/1.1\r\n", 6, InvalidHttpVersion),
        // A ClientHello of TLS.
        (b"\x16\x03\x01\x00\xF8\x01\x00\x00\xF4\x03\x03", 0, ControlByte(0x16)),
        (b"SSH-2.0-OpenSSH_9.6\r\n", 19, MalformedLine),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 11, UnsupportedHttpVersion),
        (b"\xFF\xFB\x01", 0, MalformedLine),
        (b" GET / HTTP/1.1", 0, MalformedLine),
        (b"G@T / HTTP/1.1", 1, MalformedLine),
        (b"GET  / HTTP/1.1", 4, MalformedLine),
        (b"GET /a b HTTP/1.1", 7, InvalidHttpVersion),
        (b"GET /\r\n", 5, MalformedLine),
        (b"GET / \r\n", 6, InvalidHttpVersion),
        (b"GET / HTTP/11", 12, InvalidHttpVersion),
        (b"GET / HTTP/1.10", 14, InvalidHttpVersion),
        (b"GET / HTTP/1.1 ", 14, MalformedLine),
        (b"GET / HTTP/1.1\r\n a", 16, MalformedHeader),
        (b"GET / HTTP/1.1\r\n\ta", 16, MalformedHeader),
        (b"GET / HTTP/1.1\r\nA\r\n", 17, MalformedHeader),
        (b"GET / HTTP/1.1\r\nA : b", 17, MalformedHeader),
        (b"GET / HTTP/1.1\r\nA: b\r\n: b", 22, MalformedHeader),
        (b"GET / HTTP/1.1\r\nA\x80: b", 17, MalformedHeader),
    ] {
        assert_eq!(verdict(&bytes[..at]), Ok(None), "{}", bytes.escape_ascii());
        assert_eq!(verdict(&bytes[..=at]), Err(expected), "{}", bytes.escape_ascii());
        assert_eq!(verdict(bytes), Err(expected), "{}", bytes.escape_ascii());
    }
}

/// Whether this is the head of a request, nothing before or after it: the grammar of RFC 9112, without
/// regard to what a server makes of it.
fn is_head(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Some(text) = text.strip_suffix("\r\n\r\n") else { return false };
    let text = text.trim_start_matches("\r\n");
    let mut lines = text.split("\r\n");
    let plain = |text: &str| !text.chars().any(|c| c.is_ascii_control());
    let parts: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = parts[..] else { return false };
    let minor = version.strip_prefix("HTTP/1.").unwrap_or_default();
    let line_is_fine = token(method)
        && !target.is_empty()
        && plain(target)
        && minor.len() == 1
        && minor.bytes().all(|byte| byte.is_ascii_digit());
    let lines_are_fine = lines.all(|line| {
        line.split_once(':')
            .is_some_and(|(name, value)| token(name) && plain(&value.replace('\t', "")))
    });
    line_is_fine && lines_are_fine
}

fn token(text: &str) -> bool {
    let mark = |c| "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || mark(c))
}

/// Whether there is a head that begins with these bytes: any such can end as this one does.
fn can_become_a_head(bytes: &[u8]) -> bool {
    const USUAL: &[u8] = b"GET / HTTP/1.1\r\nA: b\r\n\r\n";
    (0..=USUAL.len()).any(|at| {
        is_head(&[bytes, &USUAL[at..]].concat()) || is_head(&[bytes, b"\n", USUAL].concat())
    })
}

#[test]
fn r9112_2_1_a_the_first_byte_that_rules_a_head_out_is_refused() {
    let mut random = {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        }
    };
    let (mut refused, mut whole) = (0, 0);
    for _ in 0..2000 {
        let mut bytes = [
            &sample().bytes()[..],
            b"\r\nGET /a HTTP/1.1\r\nA: b\r\nC:\r\n\r\n",
            b"POST /a?b HTTP/1.0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"EHLO x\r\n",
            b"get / http/1.1\r\n",
        ][random(6)]
        .to_vec();
        for _ in 0..random(3) {
            let at = random(bytes.len());
            let byte = b"\r\n\t \0\x16:/.,0129AHhT@\"<\x7F"[random(22)];
            match random(4) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at + 1),
            }
        }
        let mut handshake = ServerHandshake::new();
        for end in 0..=bytes.len() {
            let seen =
                handshake.receive(&mut &mut bytes[..end].to_vec()[..]).map(|seen| seen.is_some());
            if is_head(&bytes[..end]) {
                // What it says has been judged: that is not the matter here.
                assert_ne!(seen, Ok(false), "{}", bytes[..end].escape_ascii());
                whole += 1;
                break;
            }
            if can_become_a_head(&bytes[..end]) {
                assert_eq!(seen, Ok(false), "{}", bytes[..end].escape_ascii());
                continue;
            }
            let error = seen.expect_err(&bytes[..end].escape_ascii().to_string());
            // Whatever follows, and however it is split.
            assert_eq!(
                feed(ServerHandshake::new(), &bytes, []),
                Err(error),
                "{}",
                bytes.escape_ascii()
            );
            refused += 1;
            break;
        }
    }
    assert!(refused > 500 && whole > 200, "{refused} {whole}");
}
