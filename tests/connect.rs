//! Opening handshakes over other HTTP stacks: HTTP/1.1 in parts, and the extended CONNECT of HTTP/2
//! (RFC 8441) and HTTP/3 (RFC 9220). Ids are those of the requirement and attack tables.

use std::collections::{BTreeMap, HashMap};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use websocket_proto::handshake::{
    AcceptOptions, ClientHandshake, ClientRequest, ENABLE_CONNECT_PROTOCOL,
    FieldFault::{Malformed, Mismatch, Missing, Repeated},
    Fields, HandshakeError,
    HandshakeError::*,
    HeadError, Offer, PseudoHeaders, Request, Response, ServerHandshake, Target,
};
use websocket_proto::{
    Agreed, Client, CloseCode, Config, Connection, Deflate, Event, Failure, Server, Violation,
};

/// A request of HTTP/2: the example of RFC 8441 §5.1, unless changed.
#[derive(Clone)]
struct Asked {
    pseudo: PseudoHeaders<'static>,
    headers: Vec<(String, Vec<u8>)>,
}

fn sample() -> Asked {
    let pseudo = PseudoHeaders::new("CONNECT")
        .protocol("websocket")
        .scheme("https")
        .authority("server.example.com")
        .path("/chat");
    let headers = [
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("sec-websocket-version", "13"),
        ("origin", "http://www.example.com"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into())).to_vec();
    Asked { pseudo, headers }
}

impl Asked {
    fn pseudo(
        mut self,
        change: impl FnOnce(PseudoHeaders<'static>) -> PseudoHeaders<'static>,
    ) -> Self {
        self.pseudo = change(self.pseudo);
        self
    }

    fn without(mut self, name: &str) -> Self {
        let before = self.headers.len();
        self.headers.retain(|(other, _)| other != name);
        assert!(self.headers.len() < before, "{name} is in the sample");
        self
    }

    fn plus(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).plus(name, value)
    }

    /// Returns all properties of the request, if it is valid.
    fn verdict(&self) -> Result<Seen, HandshakeError> {
        let fields = self.headers.iter().map(|(name, value)| (name, value));
        let request = Request::connect(self.pseudo, fields)?;
        assert_eq!(request.method(), "CONNECT");
        // `accept` writes HTTP/1.1, so it refuses an extended CONNECT.
        assert_eq!(request.accept(&AcceptOptions::new(), &mut vec![]), Err(HeadError::NotUpgrade));
        Ok(Seen {
            resource: request.resource().to_string(),
            host: request.host().to_owned(),
            origin: request.origin().map(str::to_owned),
            same_origin: request.is_same_origin(),
            subprotocols: request.subprotocols().map(str::to_owned).collect(),
            extensions: request.extensions().map(|extension| extension.name().to_owned()).collect(),
            headers: request.headers().count(),
        })
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    resource: String,
    host: String,
    origin: Option<String>,
    same_origin: bool,
    subprotocols: Vec<String>,
    extensions: Vec<String>,
    headers: usize,
}

#[track_caller]
fn refused(expected: HandshakeError, asked: Asked) {
    assert_eq!(asked.verdict(), Err(expected));
}

#[track_caller]
fn accepted(asked: Asked) -> Seen {
    asked.verdict().expect("accepted")
}

/// Formats header fields, one a line.
fn lines<'a>(pairs: impl IntoIterator<Item = (&'a str, impl ToString)>) -> Vec<String> {
    pairs.into_iter().map(|(name, value)| format!("{name}: {}", value.to_string())).collect()
}

/// Returns the request of a client of HTTP/2.
fn connect(uri: &'static str, offer: &Offer<'static>) -> Result<ClientRequest<'static>, HeadError> {
    ClientRequest::connect(&Target::parse(uri).unwrap(), offer, true)
}

/// Returns the result of a response for a client that offered `chat` and `superchat`.
fn judged(
    status: u16,
    headers: &[(&'static str, &'static str)],
) -> Result<(u16, Option<String>), HandshakeError> {
    let offer = Offer::new().subprotocols(&["chat", "superchat"]);
    let opening = connect("wss://server.example.com/chat", &offer).unwrap();
    let response = opening.validate(status, (2, 0), headers.iter().map(|(n, v)| (n, v)))?;
    Ok(match response {
        Response::Accepted(accepted) => {
            assert_eq!(accepted.agreed(), Agreed::new());
            assert_eq!(accepted.extensions().count(), 0);
            assert_eq!(accepted.headers().count(), headers.len());
            (status, accepted.subprotocol().map(str::to_owned))
        }
        Response::Refused(refused) => {
            assert_eq!(refused.headers().count(), headers.len());
            (refused.status(), None)
        }
    })
}

/// Covers R8441-4-b, R8441-5-e.
#[test]
fn r8441_4_a_the_example_of_the_rfc() {
    let seen = accepted(sample());
    // R8441-4-b: the host is the one that the client asked for. It need not be the address dialled.
    assert_eq!((&*seen.resource, &*seen.host), ("/chat", "server.example.com"));
    assert_eq!((seen.origin.as_deref(), seen.same_origin), (Some("http://www.example.com"), false));
    assert_eq!(seen.subprotocols, ["chat", "superchat"]);
    assert_eq!(seen.extensions, ["permessage-deflate"]);
    assert_eq!(seen.headers, 4);

    let fields = sample();
    let fields = fields.headers.iter().map(|(name, value)| (name, value));
    let request = Request::connect(sample().pseudo, fields).unwrap();
    assert_eq!(request.header("Origin"), Some(&b"http://www.example.com"[..]));
    let answer = request.response(&AcceptOptions::new().subprotocol("chat")).unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(lines(answer.headers()), ["sec-websocket-protocol: chat"]);
}

#[test]
fn r8441_4_a_a_request_has_all_parts_of_its_target() {
    let s = || sample();
    refused(InvalidPseudoHeader, s().pseudo(|p| p.scheme(None)));
    refused(InvalidPseudoHeader, s().pseudo(|p| p.authority(None)));
    refused(InvalidPseudoHeader, s().pseudo(|p| p.path(None)));
    // Host does not replace `:authority`.
    refused(
        InvalidPseudoHeader,
        s().pseudo(|p| p.authority(None)).plus("host", "server.example.com"),
    );
    for path in
        ["", "*", "chat", "?x", "https://server.example.com/chat", "/a b", "/a#b", "/\u{e9}"]
    {
        refused(InvalidTarget, s().pseudo(|p| p.path(path)));
    }
    let seen = accepted(s().pseudo(|p| p.path("/p/[x]?q=1")));
    assert_eq!(seen.resource, "/p/[x]?q=1");
    for authority in ["", ":443", "u@h", "h:x", "h:65536", "a b", "h/x", "[::1", "\u{e9}"] {
        refused(InvalidHost(Malformed), s().pseudo(|p| p.authority(authority)));
    }
    for authority in ["h", "h:8443", "[::1]:1", "H.example:"] {
        assert_eq!(accepted(s().pseudo(|p| p.authority(authority))).host, authority);
    }
    for method in ["GET", "POST", "connect", ""] {
        refused(
            MethodNotAllowed,
            s().pseudo(|_| PseudoHeaders::new(method).protocol("websocket").path("/")),
        );
    }

    // The client sends each of them.
    let opening = connect("wss://server.example.com:444/chat?room=1", &Offer::new()).unwrap();
    assert_eq!((opening.method(), opening.protocol()), ("CONNECT", Some("websocket")));
    assert_eq!(opening.authority().to_string(), "server.example.com:444");
    assert_eq!(opening.resource(), "/chat?room=1");
    let opening = connect("wss://[::1]:443?x", &Offer::new()).unwrap();
    assert_eq!(opening.authority().to_string(), "[::1]");
    assert_eq!(opening.resource(), "/?x");
}

#[test]
fn r8441_5_a_the_scheme_is_http_or_https() {
    for (uri, scheme) in [("ws://h", "http"), ("wss://h", "https"), ("ws://h:443", "http")] {
        assert_eq!(connect(uri, &Offer::new()).unwrap().scheme(), scheme);
    }
    for scheme in ["http", "https", "HTTPS"] {
        accepted(sample().pseudo(|p| p.scheme(scheme)));
    }
    for scheme in ["ws", "wss", "ftp", "", "https:"] {
        refused(InvalidPseudoHeader, sample().pseudo(|p| p.scheme(scheme)));
    }
}

/// Covers R8441-5-a.
#[test]
fn r9220_3_b_another_protocol_is_answered_501() {
    for protocol in ["websocket", "WebSocket"] {
        accepted(sample().pseudo(|p| p.protocol(protocol)));
    }
    for protocol in
        ["foo", "connect-udp", "websocket2", "websocket/13", "", " websocket", "web\u{17f}ocket"]
    {
        refused(UnsupportedProtocol, sample().pseudo(|p| p.protocol(protocol)));
    }
    // Without `:protocol`, a CONNECT asks for a tunnel.
    refused(UnsupportedProtocol, sample().pseudo(|p| p.protocol(None)));
    // That is the error whatever else the request lacks.
    refused(
        UnsupportedProtocol,
        sample().pseudo(|p| p.protocol(None).path(None)).without("sec-websocket-version"),
    );
    assert_eq!((UnsupportedProtocol.connect_status(), UnsupportedProtocol.status()), (501, 501));
    assert!(UnsupportedProtocol.connect_headers().is_empty());
}

#[test]
fn r8441_5_b_nothing_of_a_connection_of_http_1_1() {
    for (name, value) in [
        ("connection", "upgrade"),
        ("connection", ""),
        ("upgrade", "websocket"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ] {
        refused(ForbiddenHeader, sample().plus(name, value));
    }
    for (name, value) in [
        // RFC 9113 §8.2.1: all names are in lower case.
        ("Origin", "https://server.example.com"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("x-Foo", "bar"),
        // RFC 9113 §8.2.1, §8.3: names are tokens, and pseudo-header fields come first.
        (":path", "/"),
        ("x foo", "bar"),
        ("x-f\u{e9}", "bar"),
        ("", "bar"),
    ] {
        refused(MalformedHeader, sample().plus(name, value));
    }
    accepted(sample().plus("te", "Trailers").plus("x-foo", b"\xC3\x28"));
}

#[test]
fn r8441_5_b_host_gives_way_to_the_authority() {
    let s = || sample().pseudo(|p| p.authority("h:443"));
    for host in ["h:443", "h", "H", " h\t", "h:"] {
        assert_eq!(accepted(s().plus("host", host)).host, "h:443");
    }
    for host in ["evil", "h:80", "h.evil"] {
        refused(InvalidHost(Mismatch), s().plus("host", host));
    }
    for host in ["", "h:x", "u@h", "\u{e9}"] {
        refused(InvalidHost(Malformed), s().plus("host", host));
    }
    refused(InvalidHost(Repeated), s().plus("host", "h").plus("host", "h"));
    // A missing port means the default port of the scheme.
    let plain = || s().pseudo(|p| p.scheme("http"));
    refused(InvalidHost(Mismatch), plain().plus("host", "h"));
    accepted(plain().pseudo(|p| p.authority("h")).plus("host", "h:80"));
}

#[test]
fn r8441_5_b_the_client_writes_lower_case_and_nothing_of_http_1_1() {
    let opening = connect("wss://h:444/p", &Offer::new()).unwrap();
    assert_eq!(lines(opening.headers()), ["sec-websocket-version: 13"]);
    let offer = Offer::new()
        .origin("https://h")
        .subprotocols(&["b", "a"])
        .headers(&[("cookie", "a=b"), ("authorization", "Basic eDp5")]);
    assert_eq!(
        lines(connect("wss://h/p", &offer).unwrap().headers()),
        [
            "sec-websocket-version: 13",
            "origin: https://h",
            "sec-websocket-protocol: b, a",
            "cookie: a=b",
            "authorization: Basic eDp5",
        ]
    );
}

/// Covers T46, T49.
#[test]
#[rustfmt::skip]
fn r8441_5_b_no_header_of_the_caller_breaks_out_or_overrides() {
    let both = |name, value| {
        let headers = [("x-fine", "y"), (name, value)];
        let fields = sample();
        let fields = fields.headers.iter().map(|(name, value)| (name, value));
        let request = Request::connect(sample().pseudo, fields).unwrap();
        let answered = request.response(&AcceptOptions::new().headers(&headers)).map(drop);
        let target = Target::parse("ws://h").unwrap();
        let asked = ClientRequest::connect(&target, &Offer::new().headers(&headers), true).map(drop);
        assert_eq!(asked, answered);
        asked
    };
    assert_eq!(both("set-cookie", "a=b"), Ok(()));
    for name in ["Set-Cookie", "x-Foo", "X", "", "x y", ":path", "\u{e9}", "Connection"] {
        assert_eq!(both(name, "y"), Err(HeadError::InvalidHeader(1)), "{name:?}");
    }
    for value in ["a\r\nx: y", "\r", "\n", "\0", "\u{7f}"] {
        assert_eq!(both("x", value), Err(HeadError::InvalidHeader(1)), "{value:?}");
    }
    for name in [
        "host", "origin", "connection", "upgrade", "transfer-encoding", "keep-alive", "te",
        "proxy-connection", "content-length", "sec-websocket-key", "sec-websocket-accept",
        "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions",
    ] {
        assert_eq!(both(name, "y"), Err(HeadError::ProtectedHeader(1)), "{name}");
    }
    // These fields may not be added to an HTTP/1.1 request either.
    for name in ["Keep-Alive", "Proxy-Connection", "TE"] {
        let target = Target::parse("ws://h").unwrap();
        let headers = [(name, "y")];
        let offer = Offer::new().headers(&headers);
        let error = ClientRequest::upgrade(&target, &offer, [0; 16]).unwrap_err();
        assert_eq!(error, HeadError::ProtectedHeader(0), "{name}");
    }
}

/// Returns the answer to the sample with these keys: its status and its lines.
fn answered(keys: &[&str]) -> (u16, Vec<String>) {
    let asked = keys.iter().fold(sample(), |asked, key| asked.plus("sec-websocket-key", key));
    // A key adds one header line and changes nothing else.
    let seen = accepted(asked.clone());
    assert_eq!(Seen { headers: 4, ..seen }, accepted(sample()));
    let fields = asked.headers.iter().map(|(name, value)| (name, value));
    let request = Request::connect(asked.pseudo, fields).unwrap();
    let answer = request
        .response(&AcceptOptions::new().subprotocol("chat").headers(&[("set-cookie", "a=b")]))
        .unwrap();
    (answer.status(), lines(answer.headers()))
}

#[test]
fn r8441_5_c_a_key_is_not_checked_and_answered_if_it_is_well_formed() {
    let plain = ["sec-websocket-protocol: chat", "set-cookie: a=b"].map(str::to_owned);
    assert_eq!(answered(&[]), (200, plain.to_vec()));
    // Gateways that turn HTTP/1.1 into HTTP/2 leave the key in and wait for its answer.
    let (status, lines) = answered(&["dGhlIHNhbXBsZSBub25jZQ=="]);
    assert_eq!((status, &lines[1..]), (200, &plain[..]));
    assert_eq!(lines[0], "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let (status, lines) = answered(&["\tAQIDBAUGBwgJCgsMDQ4PEC== "]);
    assert_eq!((status, &lines[1..]), (200, &plain[..]));
    assert_eq!(lines[0], "sec-websocket-accept: OfS0wDaT5NoxF2gqm7Zj2YtetzM=");
    // Other keys are no error, but get no answer.
    for malformed in ["", " ", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==,", "\u{e9}"]
    {
        assert_eq!(answered(&[malformed]), (200, plain.to_vec()), "{malformed:?}");
    }
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for repeated in [[key, key], [key, ""], ["", key], ["x", "y"]] {
        assert_eq!(answered(&repeated), (200, plain.to_vec()), "{repeated:?}");
    }
    // A Sec-WebSocket-Accept in a request is ignored.
    accepted(sample().plus("sec-websocket-accept", "x"));
    // A client sends no key, and ignores a Sec-WebSocket-Accept.
    assert_eq!(judged(200, &[]), Ok((200, None)));
    for accept in ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "x", ""] {
        assert_eq!(judged(200, &[("sec-websocket-accept", accept)]), Ok((200, None)));
    }
}

#[test]
fn r8441_5_c_a_client_sends_a_key_if_one_is_set() {
    let opening = connect("wss://h/p", &Offer::new().origin("https://h")).unwrap();
    let opening = opening.key(*b"the sample nonce");
    assert_eq!((opening.method(), opening.protocol()), ("CONNECT", Some("websocket")));
    assert_eq!(
        lines(opening.headers()),
        [
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-version: 13",
            "origin: https://h",
        ]
    );
    // RFC 8441 §5: the client does not check the answer to the key.
    for accept in [&[][..], &[("sec-websocket-accept", "x")], &[("sec-websocket-accept", "")]] {
        let fields = accept.iter().map(|(name, value)| (name, value));
        let response = opening.validate(200, (2, 0), fields).unwrap();
        assert!(matches!(response, Response::Accepted(_)), "{response:?}");
    }
    // Over HTTP/1.1 it does.
    let target = Target::parse("ws://h").unwrap();
    let opening = ClientRequest::upgrade(&target, &Offer::new(), [0; 16]).unwrap();
    let opening = opening.key(*b"the sample nonce");
    assert!(
        lines(opening.headers())
            .contains(&"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==".to_owned())
    );
    let accept = |accept: &'static str| {
        let fields =
            [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", accept)];
        opening.validate(101, (1, 1), fields.iter().map(|(name, value)| (name, value))).map(drop)
    };
    assert_eq!(accept("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), Ok(()));
    assert_eq!(accept("x"), Err(InvalidAccept(Mismatch)));
}

#[test]
fn r8441_5_d_the_version_is_13() {
    let version = |value: &str| sample().with("sec-websocket-version", value);
    accepted(version(" 13\t"));
    for malformed in ["", "013", "256", "13, 8", "+13", "13\r", "13\n"] {
        refused(InvalidVersion(Malformed), version(malformed));
    }
    refused(InvalidVersion(Missing), sample().without("sec-websocket-version"));
    refused(InvalidVersion(Repeated), sample().plus("sec-websocket-version", "13"));
    assert_eq!(InvalidVersion(Malformed).connect_headers(), [("sec-websocket-version", "13")]);
    for other in [0, 12, 255] {
        let error = UnsupportedVersion(other);
        refused(error, version(&other.to_string()));
        // HTTP/2 has no Upgrade, and therefore no 426.
        assert_eq!(error.connect_status(), 400);
        assert_eq!(error.connect_headers(), [("sec-websocket-version", "13")]);
    }
}

/// Covers T48.
#[test]
fn r8441_5_d_the_origin_is_validated_and_shown() {
    for (origin, same) in [
        ("https://server.example.com", true),
        ("https://server.example.com:443", true),
        ("https://example.com", false),
        ("null", false),
    ] {
        let seen = accepted(sample().with("origin", origin));
        assert_eq!((seen.origin.as_deref(), seen.same_origin), (Some(origin), same));
    }
    assert_eq!(accepted(sample().without("origin")).origin, None);
    for bad in ["", "https://\u{e9}", "https://a\tb", "https://h\n"] {
        refused(InvalidOrigin(Malformed), sample().with("origin", bad));
    }
    refused(InvalidOrigin(Repeated), sample().plus("origin", "null"));
    // A client's own origin is checked, too.
    let offer = |origin| Offer::new().origin(origin);
    assert_eq!(connect("ws://h", &offer("a\r\nb")).unwrap_err(), HeadError::InvalidOrigin);
}

#[test]
fn r8441_5_d_subprotocols_and_extensions_have_their_rules() {
    let offer = |name: &str, value: &[u8]| sample().with(name, value);
    let (protocol, extensions) = ("sec-websocket-protocol", "sec-websocket-extensions");
    assert_eq!(
        accepted(offer(protocol, b", a,,b").plus(protocol, "c")).subprotocols,
        ["a", "b", "c"]
    );
    assert_eq!(accepted(offer(extensions, b"x;a=1").plus(extensions, "y")).extensions, ["x", "y"]);
    for bad in [&b"a b"[..], b",;", b"a;b", b"\xC3\x28", b"a\n", b"\n"] {
        refused(InvalidSubprotocol(Malformed), offer(protocol, bad));
    }
    for bad in [&b";"[..], b"x;", b"x y", b"x; a=\"b", b"x, ;y", b"\xFF"] {
        refused(InvalidExtensions, offer(extensions, bad));
    }

    let fields = sample();
    let fields = fields.headers.iter().map(|(name, value)| (name, value));
    let request = Request::connect(sample().pseudo, fields).unwrap();
    let choose = |name| {
        request.response(&AcceptOptions::new().subprotocol(name)).map(|a| lines(a.headers()))
    };
    assert_eq!(choose("superchat"), Ok(vec!["sec-websocket-protocol: superchat".to_owned()]));
    assert_eq!(choose("Chat"), Err(HeadError::SubprotocolNotOffered));
    assert_eq!(choose(""), Err(HeadError::InvalidSubprotocol));

    for (headers, expected) in [
        (&[(protocol, "chat")][..], Ok((200, Some("chat".to_owned())))),
        (&[(protocol, "other")], Err(SubprotocolNotOffered)),
        (&[(protocol, "Chat")], Err(SubprotocolNotOffered)),
        (&[(protocol, "")], Ok((200, None))),
        (&[(protocol, "chat, superchat")], Err(InvalidSubprotocol(Malformed))),
        (&[(protocol, "chat"), (protocol, "chat")], Err(InvalidSubprotocol(Repeated))),
        (&[(extensions, "permessage-deflate")], Err(ExtensionNotOffered)),
        (&[(extensions, "x;")], Err(InvalidExtensions)),
    ] {
        assert_eq!(judged(200, headers), expected);
    }
    let twice = Offer::new().subprotocols(&["a", "a"]);
    assert_eq!(connect("ws://h", &twice).unwrap_err(), HeadError::InvalidSubprotocol);
}

#[test]
fn r8441_5_d_a_declared_body_is_refused() {
    // Even a length of 0 is refused, because the HTTP stack would hold the stream to it.
    for length in ["0", "5", "", "00", "0, 0"] {
        refused(BodyDeclared, sample().plus("content-length", length));
    }
}

#[test]
fn r8441_5_e_success_is_any_2xx() {
    for status in [200, 201, 204, 299] {
        assert_eq!(judged(status, &[("set-cookie", "a=b")]), Ok((status, None)));
        // The choice is validated only in a response that opens the connection.
        let other = [("sec-websocket-protocol", "other")];
        assert_eq!(judged(status, &other), Err(SubprotocolNotOffered));
    }
    for status in [300, 302, 400, 401, 403, 404, 501, 599, 999] {
        let other = [("sec-websocket-protocol", "other"), ("connection", "close")];
        assert_eq!(judged(status, &other), Ok((status, None)));
    }
    // RFC 9113 §8.6: there is no 101. An interim response is not the answer.
    for status in [0, 99, 100, 101, 103, 199] {
        assert_eq!(judged(status, &[]), Err(InvalidStatus));
    }
    // RFC 9113 §8.2: a malformed response does not open the connection.
    for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
        assert_eq!(judged(200, &[(name, value)]), Err(ForbiddenHeader));
    }
    assert_eq!(judged(200, &[("X-Foo", "bar")]), Err(MalformedHeader));
    // RFC 9110 §9.3.6: a 2xx to a CONNECT has no body, whatever its Content-Length says.
    assert_eq!(judged(200, &[("content-length", "5")]), Ok((200, None)));

    // The header fields of a refusal can be read, such as the supported versions.
    let opening = connect("ws://h", &Offer::new()).unwrap();
    let headers = [("sec-websocket-version", "13, 8")];
    let response = opening.validate(400, (3, 0), headers.iter().map(|(n, v)| (n, v)));
    let Ok(Response::Refused(refused)) = response else { panic!("{response:?}") };
    assert_eq!(refused.versions().collect::<Vec<_>>(), [13, 8]);
    // HTTP/1.1 has no extended CONNECT.
    for version in [(1, 0), (1, 1), (0, 9)] {
        let response = opening.validate(200, version, headers.iter().map(|(n, v)| (n, v)));
        assert_eq!(response.map(drop), Err(OldHttpVersion));
    }
}

#[test]
fn r8441_5_f_the_stream_carries_the_same_frames() {
    let (headers, answer) = (HeaderMap::new(), HeaderMap::new());
    let target = Target::parse("wss://h/p").unwrap();
    let opening = ClientRequest::connect(&target, &Offer::new(), true).unwrap();
    let response = opening.validate(200, (2, 0), &answer).unwrap();
    let Response::Accepted(response) = response else { panic!("{response:?}") };
    let mut client = Connection::new(Client(|| [1, 2, 3, 4]), &Config::new(), response.agreed());

    let headers = sample().headers.iter().fold(headers, |mut headers, (name, value)| {
        headers
            .append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value).unwrap());
        headers
    });
    let request = Request::connect(sample().pseudo, &headers).unwrap();
    let agreed = request.response(&AcceptOptions::new()).unwrap().agreed();
    let server = || Connection::new(Server, &Config::new(), agreed);

    // A client masks its frames, and a server requires this.
    let mut out = Vec::new();
    client.send_text("hi", &mut out).unwrap();
    assert_eq!(out, [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]);
    let (mut first, mut second) = (server(), server());
    let event = first.receive(&mut &mut out[..]);
    assert!(matches!(event, Some(Event::Text(text)) if &*text == "hi"));
    let mut unmasked = *b"\x81\x02hi";
    let event = second.receive(&mut &mut unmasked[..]);
    assert!(matches!(event, Some(Event::Failed(Failure::Violation(Violation::UnmaskedFrame)))));
    let mut out = Vec::new();
    second.transmit(&mut out).unwrap();
    assert_eq!(out[..4], [0x88, out[1], 0x03, 0xEA]);
    assert_eq!(Violation::UnmaskedFrame.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn r8441_3_a_not_before_the_server_has_enabled_it() {
    assert_eq!(ENABLE_CONNECT_PROTOCOL, (0x8, 1));
    let target = Target::parse("ws://h").unwrap();
    let error = ClientRequest::connect(&target, &Offer::new(), false).unwrap_err();
    assert_eq!(error, HeadError::ConnectNotEnabled);
}

#[test]
fn every_fault_has_an_answer_in_both_versions_of_http() {
    let pairs = |pairs: &[(&'static str, &'static str)]| lines(pairs.iter().copied());
    for (error, status, headers, connect_status, connect_headers) in [
        (
            UnsupportedVersion(8),
            426,
            &["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"][..],
            400,
            &["sec-websocket-version: 13"][..],
        ),
        (
            UpgradeMissing,
            426,
            &["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
            400,
            &[],
        ),
        (
            InvalidVersion(Repeated),
            400,
            &["Sec-WebSocket-Version: 13"],
            400,
            &["sec-websocket-version: 13"],
        ),
        (MethodNotAllowed, 405, &["Allow: GET"], 405, &["allow: CONNECT"]),
        (UnsupportedProtocol, 501, &[], 501, &[]),
        (MalformedLine, 400, &[], 400, &[]),
        (MalformedHeader, 400, &[], 400, &[]),
        (ForbiddenHeader, 400, &[], 400, &[]),
        (InvalidPseudoHeader, 400, &[], 400, &[]),
        (InvalidHost(Missing), 400, &[], 400, &[]),
        (BodyDeclared, 400, &[], 400, &[]),
        (UnsupportedHttpVersion, 505, &[], 505, &[]),
        (InvalidStatus, 502, &[], 502, &[]),
        (SubprotocolNotOffered, 502, &[], 502, &[]),
    ] {
        assert_eq!((error.status(), error.connect_status()), (status, connect_status), "{error}");
        assert_eq!(pairs(error.headers()), headers, "{error}");
        assert_eq!(pairs(error.connect_headers()), connect_headers, "{error}");
        // The response in bytes has the same status and lines, and says that it is the last one.
        let mut out = Vec::new();
        error.respond(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        for line in headers {
            assert!(text.contains(&format!("\r\n{line}")), "{text}");
        }
        assert!(text.contains("Connection: close\r\n") || text.contains(", close\r\n"), "{text}");
    }
}

/// The sample request of RFC 6455 §1.2, in the type that hyper uses.
fn upgrade() -> HeaderMap {
    [
        ("host", "server.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "http://example.com"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-version", "13"),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
    .collect()
}

/// Covers R6455-4.2.2-j.
#[test]
fn r6455_4_2_1_a_a_request_that_another_stack_parsed() {
    let headers = upgrade();
    let request = Request::upgrade("GET", (1, 1), "/chat?x", &headers).unwrap();
    assert_eq!((request.method(), request.host()), ("GET", "server.example.com"));
    assert_eq!(request.resource(), "/chat?x");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    assert_eq!(request.headers(), &headers);

    let said = [("Set-Cookie", "a=b")];
    let accept = AcceptOptions::new().subprotocol("chat").headers(&said);
    let answer = request.response(&accept).unwrap();
    assert_eq!((answer.status(), answer.agreed()), (101, Agreed::new()));
    assert_eq!(
        lines(answer.headers()),
        [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: chat",
            "Set-Cookie: a=b",
        ]
    );
    // The request in bytes gives the same result.
    let mut out = Vec::new();
    assert_eq!(request.accept(&accept, &mut out), Ok(Agreed::new()));
    let text = lines(answer.headers()).join("\r\n");
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("HTTP/1.1 101 Switching Protocols\r\n{text}\r\n\r\n")
    );
}

#[test]
fn header_fields_come_in_as_any_stack_holds_them() {
    fn accepted<'h>(headers: impl Fields<'h>) {
        let request = Request::upgrade("GET", (1, 1), "/chat", headers).unwrap();
        assert_eq!(request.origin(), Some("http://example.com"));
        assert!(request.subprotocols().eq(["chat", "superchat"]));
    }
    let map = upgrade();
    accepted(&map);
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let pairs: Vec<(String, String)> =
        map.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    accepted(pairs.iter().map(|(name, value)| (name, value)));
    accepted(&pairs.iter().cloned().collect::<BTreeMap<_, _>>());
    accepted(&pairs.iter().cloned().collect::<HashMap<_, _>>());

    // This crate's own header type.
    let mut bytes = b"GET /chat HTTP/1.1\r\n".to_vec();
    for (name, value) in &pairs {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    let request = ServerHandshake::new().receive(&mut &mut bytes[..]).unwrap().unwrap();
    accepted(request.headers());
}

#[test]
fn r6455_4_2_1_b_the_line_of_a_request_that_another_stack_parsed() {
    let headers = upgrade();
    for (method, version, target, expected) in [
        ("GET", (1, 2), "/", Ok(())),
        ("GET", (1, 1), "http://h:80/", Ok(())),
        ("GET", (1, 0), "/", Err(OldHttpVersion)),
        ("GET", (0, 9), "/", Err(UnsupportedHttpVersion)),
        ("GET", (2, 0), "/", Err(UnsupportedHttpVersion)),
        ("CONNECT", (2, 0), "/", Err(UnsupportedHttpVersion)),
        ("POST", (1, 1), "/", Err(MethodNotAllowed)),
        ("get", (1, 1), "/", Err(MethodNotAllowed)),
        ("G T", (1, 1), "/", Err(MalformedLine)),
        ("", (1, 1), "/", Err(MalformedLine)),
        ("GET", (1, 1), "", Err(InvalidTarget)),
        ("GET", (1, 1), "h:80", Err(InvalidTarget)),
        ("GET", (1, 1), "/a\r\nb", Err(InvalidTarget)),
    ] {
        let verdict = Request::upgrade(method, version, target, &headers).map(drop);
        assert_eq!(verdict, expected, "{method} {target} {version:?}");
    }
}

#[test]
fn r6455_4_2_1_g_a_line_break_around_a_value_is_not_trimmed() {
    // Parsers should refuse line breaks. If one does not, this crate does.
    let with = |name: &str, value: &'static [u8]| {
        let mut headers: Vec<(String, Vec<u8>)> = upgrade()
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        headers.retain(|(other, _)| other != name);
        headers.push((name.to_owned(), value.to_vec()));
        let fields = headers.iter().map(|(name, value)| (name, value));
        Request::upgrade("GET", (1, 1), "/", fields).map(drop)
    };
    assert_eq!(with("sec-websocket-key", b" dGhlIHNhbXBsZSBub25jZQ==\t"), Ok(()));
    assert_eq!(
        with("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==\n"),
        Err(InvalidKey(Malformed))
    );
    assert_eq!(with("sec-websocket-version", b"\r13"), Err(InvalidVersion(Malformed)));
    assert_eq!(with("host", b"h\r\n"), Err(InvalidHost(Malformed)));
    assert_eq!(with("upgrade", b"websocket\n"), Err(InvalidUpgrade(Malformed)));
    assert_eq!(with("connection", b"a, Upgrade\x0C"), Err(InvalidConnection(Malformed)));
    assert_eq!(with("sec-websocket-protocol", b"a,\nb"), Err(InvalidSubprotocol(Malformed)));
}

#[test]
fn r6455_4_1_z_a_response_that_another_stack_parsed() {
    let target = Target::parse("ws://server.example.com/chat").unwrap();
    let offer = Offer::new().subprotocols(&["chat"]);
    let opening = ClientRequest::upgrade(&target, &offer, *b"the sample nonce").unwrap();
    assert_eq!((opening.method(), opening.protocol(), opening.scheme()), ("GET", None, "http"));
    assert_eq!(
        lines(opening.headers()),
        [
            "Host: server.example.com",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: chat",
        ]
    );
    // The request in bytes has the same fields.
    let offer = offer.origin("http://example.com").deflate(&Deflate::OFFERS);
    let offer = offer.headers(&[("Cookie", "a=b")]);
    let fields = lines(ClientRequest::upgrade(&target, &offer, [7; 16]).unwrap().headers());
    let mut out = Vec::new();
    ClientHandshake::start(&target, &offer, [7; 16], &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("GET /chat HTTP/1.1\r\n{}\r\n\r\n", fields.join("\r\n"))
    );
    let judge = |status, version, accept: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        headers.insert("sec-websocket-accept", HeaderValue::from_static(accept));
        opening.validate(status, version, &headers).map(|response| match response {
            Response::Accepted(accepted) => {
                assert_eq!(accepted.subprotocol(), None);
                101
            }
            Response::Refused(refused) => refused.status(),
        })
    };
    let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(judge(101, (1, 1), accept), Ok(101));
    assert_eq!(judge(101, (1, 1), "x"), Err(InvalidAccept(Mismatch)));
    assert_eq!(judge(101, (1, 0), accept), Err(OldHttpVersion));
    assert_eq!(judge(101, (2, 0), accept), Err(UnsupportedHttpVersion));
    // R9110-15.2-a: the HTTP stack has to skip interim responses.
    for status in [0, 100, 102, 199] {
        assert_eq!(judge(status, (1, 1), accept), Err(InvalidStatus));
    }
    for status in [200, 204, 302, 426] {
        assert_eq!(judge(status, (1, 0), accept), Ok(status));
    }
}

#[test]
fn both_sides_of_this_crate_understand_each_other() {
    let target = Target::parse("wss://example.com:444/p?q=1").unwrap();
    let offer = Offer::new()
        .origin("https://example.com:444")
        .subprotocols(&["a", "b"])
        .headers(&[("cookie", "c=d")]);
    for opening in [
        ClientRequest::connect(&target, &offer, true).unwrap(),
        ClientRequest::upgrade(&target, &offer, [9; 16]).unwrap(),
    ] {
        let asked: Vec<_> = opening.headers().map(|(n, v)| (n, v.to_string())).collect();
        let fields = asked.iter().map(|(name, value)| (name, value));
        let (resource, authority) = (opening.resource().to_string(), opening.authority());
        let authority = authority.to_string();
        let request = match opening.protocol() {
            None => Request::upgrade(opening.method(), (1, 1), &resource, fields).unwrap(),
            protocol => {
                let pseudo = PseudoHeaders::new(opening.method())
                    .protocol(protocol)
                    .scheme(opening.scheme())
                    .authority(&*authority)
                    .path(&*resource);
                Request::connect(pseudo, fields).unwrap()
            }
        };
        assert_eq!(request.resource(), target.resource());
        assert_eq!(request.host(), "example.com:444");
        assert!(request.is_same_origin());
        assert!(request.subprotocols().eq(["a", "b"]));
        assert_eq!(request.header("Cookie"), Some(&b"c=d"[..]));
        let answer = request.response(&AcceptOptions::new().subprotocol("b")).unwrap();
        let version = if answer.status() == 101 { (1, 1) } else { (2, 0) };
        let said: Vec<_> = answer.headers().collect();
        let fields = said.iter().map(|(name, value)| (name, value));
        match opening.validate(answer.status(), version, fields).unwrap() {
            Response::Accepted(accepted) => assert_eq!(accepted.subprotocol(), Some("b")),
            Response::Refused(refused) => panic!("{refused:?}"),
        }
    }
}
