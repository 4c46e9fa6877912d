//! Handshakes as requests and responses of the crate `http`. They give the same results as
//! handshakes in parts and in bytes. Ids are those of the requirement tables.

#![cfg(feature = "http")]

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode, Uri, Version, request};
use websocket_proto::handshake::{
    AcceptOptions, ClientRequest, FieldFault, HandshakeError, HandshakeError::*, HeadError, Offer,
    Request, Response, Target,
};
use websocket_proto::{Agreed, Deflate};

/// The sample request of RFC 6455 §1.2.
fn upgrade(uri: &str) -> request::Parts {
    let request = http::Request::get(uri)
        .header("Host", "server.example.com")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Origin", "http://example.com")
        .header("Sec-WebSocket-Protocol", "chat, superchat")
        .header("Sec-WebSocket-Version", "13");
    request.body(()).unwrap().into_parts().0
}

/// The same request as an extended CONNECT.
fn connect(uri: &str) -> request::Parts {
    let request = http::Request::connect(uri)
        .version(Version::HTTP_2)
        .header("sec-websocket-protocol", "chat, superchat")
        .header("sec-websocket-version", "13");
    request.body(()).unwrap().into_parts().0
}

/// Returns the fault of a request, if any.
fn fault(parts: &request::Parts, protocol: Option<&str>) -> Option<HandshakeError> {
    Request::from_parts(parts, protocol).err()
}

/// Covers R6455-4.2.2-j.
#[test]
fn r6455_4_2_1_a_an_upgrade_is_read_and_answered() {
    let parts = upgrade("/chat?x");
    let request = Request::from_parts(&parts, None).unwrap();
    assert_eq!((request.method(), request.host()), ("GET", "server.example.com"));
    assert_eq!(request.resource(), "/chat?x");
    assert_eq!(request.origin(), Some("http://example.com"));
    assert!(request.subprotocols().eq(["chat", "superchat"]));
    assert_eq!(request.headers(), &parts.headers);

    let headers = [("Set-Cookie", "a=b"), ("Set-Cookie", "c=\u{e9}")];
    let options = AcceptOptions::new().subprotocol("chat").headers(&headers);
    let response = request.response(&options).unwrap().into_response().unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers();
    assert_eq!(headers.len(), 6);
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(headers[name], value);
    }
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(cookies, ["a=b".as_bytes(), "c=\u{e9}".as_bytes()]);
}

#[test]
fn r6455_4_2_1_c_a_target_is_taken_from_its_parts_as_from_its_bytes() {
    for (uri, host, resource) in [
        ("/", "server.example.com", "/"),
        ("/a|b?c[]=1", "server.example.com", "/a|b?c[]=1"),
        ("http://h/chat", "h", "/chat"),
        ("http://h", "h", "/"),
        ("http://h?x", "h", "/?x"),
        ("ws://h:8080/chat", "h:8080", "/chat"),
        ("wss://[::1]/chat?", "[::1]", "/chat"),
    ] {
        let parts = upgrade(uri);
        let seen = Request::from_parts(&parts, None).unwrap();
        assert_eq!((seen.host(), seen.resource().to_string().as_str()), (host, resource));
        let same = Request::upgrade("GET", (1, 1), uri, &parts.headers).unwrap();
        assert_eq!((same.host(), same.resource()), (host, seen.resource()));
    }
    for uri in ["*", "h", "h:80", "ftp://h/", "http://u@h/", "http://u:p@h", "/\"", "/\u{e9}"] {
        assert_eq!(fault(&upgrade(uri), None), Some(InvalidTarget), "{uri}");
    }
    // An HTTP stack can also build a request that no request line can express.
    let mut parts = upgrade("/");
    parts.uri = Uri::default();
    assert_eq!(fault(&parts, None), None);
    let path = PathAndQuery::from_static("*");
    parts.uri = Uri::builder().scheme("http").authority("h").path_and_query(path).build().unwrap();
    assert_eq!(fault(&parts, None), Some(InvalidTarget));
}

#[test]
fn r6455_4_2_1_a_a_bad_upgrade_breaks_the_same_rules() {
    let with = |act: fn(&mut request::Parts)| {
        let mut parts = upgrade("/chat");
        act(&mut parts);
        fault(&parts, None)
    };
    assert_eq!(with(|_| {}), None);
    assert_eq!(with(|parts| parts.method = Method::POST), Some(MethodNotAllowed));
    assert_eq!(with(|parts| parts.version = Version::HTTP_10), Some(OldHttpVersion));
    assert_eq!(with(|parts| parts.version = Version::HTTP_09), Some(UnsupportedHttpVersion));
    assert_eq!(with(|parts| drop(parts.headers.remove("upgrade"))), Some(UpgradeMissing));
    assert_eq!(
        with(|parts| drop(parts.headers.remove("host"))),
        Some(InvalidHost(FieldFault::Missing))
    );
    assert_eq!(
        with(|parts| drop(parts.headers.insert("content-length", HeaderValue::from(1)))),
        Some(BodyDeclared)
    );
    // A `:protocol` is ignored in an Upgrade.
    assert_eq!(fault(&upgrade("/"), Some("connect-udp")), None);
}

/// Covers R8441-5-e.
#[test]
fn r8441_4_a_an_extended_connect_is_read_and_answered() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let mut parts = connect("https://example.com:444/chat?x");
        parts.version = version;
        let request = Request::from_parts(&parts, Some("websocket")).unwrap();
        assert_eq!((request.method(), request.host()), ("CONNECT", "example.com:444"));
        assert_eq!(request.resource(), "/chat?x");
        let options = AcceptOptions::new().subprotocol("superchat");
        let response = request.response(&options).unwrap().into_response().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers()["sec-websocket-protocol"], "superchat");
    }
    let parts = connect("https://example.com/");
    assert_eq!(fault(&parts, Some("connect-udp")), Some(UnsupportedProtocol));
    assert_eq!(fault(&parts, None), Some(UnsupportedProtocol));
    // A plain CONNECT has no scheme and no path.
    assert_eq!(fault(&connect("example.com:443"), Some("websocket")), Some(InvalidPseudoHeader));
    let mut get = connect("https://example.com/");
    get.method = Method::GET;
    assert_eq!(fault(&get, None), Some(MethodNotAllowed));
}

/// Covers R8441-5-d, R9220-3-b.
#[test]
fn r6455_4_2_2_e_a_fault_becomes_a_response() {
    for (error, version, status, headers) in [
        (
            UpgradeMissing,
            Version::HTTP_11,
            426,
            &[("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", "13")]
                [..],
        ),
        (MethodNotAllowed, Version::HTTP_11, 405, &[("allow", "GET")]),
        (MethodNotAllowed, Version::HTTP_10, 405, &[("allow", "GET")]),
        (InvalidKey(FieldFault::Missing), Version::HTTP_11, 400, &[]),
        (MethodNotAllowed, Version::HTTP_2, 405, &[("allow", "CONNECT")]),
        (UnsupportedVersion(8), Version::HTTP_2, 400, &[("sec-websocket-version", "13")]),
        (UnsupportedVersion(8), Version::HTTP_3, 400, &[("sec-websocket-version", "13")]),
        (UnsupportedProtocol, Version::HTTP_3, 501, &[]),
    ] {
        let response = error.into_response(version);
        assert_eq!(response.status(), status, "{error}");
        let seen = response.headers().iter();
        let seen: Vec<_> =
            seen.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(seen, headers, "{error}");
    }
}

/// Covers R6455-4.1-j, R6455-4.1-l.
#[test]
fn r6455_4_1_i_a_client_asks_and_reads_the_answer() {
    let target = Target::parse("ws://example.com:8080/chat?x").unwrap();
    let headers = [("Cookie", "a=b"), ("X-Name", "\u{e9}")];
    let offer = Offer::new().subprotocols(&["a", "b"]).deflate(&Deflate::OFFERS).headers(&headers);
    let opening = ClientRequest::upgrade(&target, &offer, *b"the sample nonce").unwrap();
    let request = opening.to_request().unwrap();
    assert_eq!((request.method(), request.version()), (&Method::GET, Version::HTTP_11));
    assert_eq!(request.uri(), "/chat?x");
    let lines = |request: &http::Request<()>| -> Vec<(String, Vec<u8>)> {
        let lines = request.headers().iter();
        lines.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
    };
    let said = |opening: &ClientRequest<'_>| -> Vec<(String, Vec<u8>)> {
        let lines = opening.headers();
        lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_string().into())).collect()
    };
    assert_eq!(lines(&request), said(&opening));
    // A server of this crate accepts the request, and the client its answer.
    let (parts, ()) = request.into_parts();
    let asked = Request::from_parts(&parts, None).unwrap();
    let options = AcceptOptions::new().subprotocol("b").deflate(Deflate::new());
    let answer = asked.response(&options).unwrap();
    let response = answer.into_response().unwrap();
    match opening.validate_response(&response).unwrap() {
        Response::Accepted(accepted) => {
            assert_eq!(accepted.subprotocol(), Some("b"));
            assert!(accepted.agreed().deflate.is_some() && answer.agreed().deflate.is_some());
        }
        Response::Refused(refused) => panic!("{}", refused.status()),
    }
    let error = opening.validate_response(&respond(101, Version::HTTP_11)).unwrap_err();
    assert_eq!(error, UpgradeMissing);
    assert_eq!(
        opening.validate_response(&respond(101, Version::HTTP_10)).unwrap_err(),
        OldHttpVersion
    );
    let refused = respond(403, Version::HTTP_11);
    assert!(matches!(opening.validate_response(&refused), Ok(Response::Refused(_))));

    // The request to a proxy.
    let offer = offer.absolute_form(true);
    let opening = ClientRequest::upgrade(&target, &offer, [0; 16]).unwrap();
    let uri = opening.to_request().unwrap().into_parts().0.uri;
    assert_eq!(uri, "http://example.com:8080/chat?x");
}

/// Covers R8441-5-a, R8441-5-e.
#[test]
fn r8441_4_a_a_client_asks_for_a_stream() {
    let target = Target::parse("wss://example.com/chat?x").unwrap();
    let opening = ClientRequest::connect(&target, &Offer::new(), true).unwrap();
    let request = opening.to_request().unwrap();
    assert_eq!((request.method(), request.version()), (&Method::CONNECT, Version::HTTP_2));
    assert_eq!(request.uri(), "https://example.com/chat?x");
    assert_eq!(request.headers().len(), 1);
    assert_eq!(request.headers()["sec-websocket-version"], "13");
    let (parts, ()) = request.into_parts();
    let asked = Request::from_parts(&parts, opening.protocol()).unwrap();
    assert_eq!((asked.host(), asked.resource().to_string()), ("example.com", "/chat?x".into()));

    for version in [Version::HTTP_2, Version::HTTP_3] {
        let response = respond(200, version);
        let validated = opening.validate_response(&response).unwrap();
        assert!(
            matches!(validated, Response::Accepted(accepted) if accepted.agreed() == Agreed::new())
        );
    }
    let error = opening.validate_response(&respond(200, Version::HTTP_11)).unwrap_err();
    assert_eq!(error, OldHttpVersion);
}

/// If the crate `http` refuses a part, the result is an error and no panic.
#[test]
fn r6455_4_1_h_parts_that_the_crate_http_refuses_are_an_error() {
    let target = Target::parse("ws://h/`").unwrap();
    let opening = ClientRequest::upgrade(&target, &Offer::new(), [0; 16]).unwrap();
    assert!(opening.to_request().is_err());

    let target = Target::parse("ws://h/").unwrap();
    let long = "x".repeat(1 << 16);
    let many = vec![("x", "y"); 1 << 16];
    for headers in [&[(long.as_str(), "y")][..], &many] {
        let offer = Offer::new().headers(headers);
        let opening = ClientRequest::upgrade(&target, &offer, [0; 16]).unwrap();
        assert_eq!(opening.to_request().is_err(), headers.len() == 1);
        let parts = upgrade("/");
        let options = AcceptOptions::new().headers(headers);
        let answer = Request::from_parts(&parts, None).unwrap().response(&options).unwrap();
        assert_eq!(answer.into_response().is_err(), headers.len() == 1);
    }
    let names: Vec<_> = (0..1 << 15).map(|at| format!("x{at}")).collect();
    let headers: Vec<_> = names.iter().map(|name| (name.as_str(), "y")).collect();
    let offer = Offer::new().headers(&headers);
    let opening = ClientRequest::upgrade(&target, &offer, [0; 16]).unwrap();
    assert!(opening.to_request().is_err());
    let bad = [("x", "a\r\nb")];
    let error = ClientRequest::upgrade(&target, &Offer::new().headers(&bad), [0; 16]).unwrap_err();
    assert_eq!(error, HeadError::InvalidHeader(0));
}

fn respond(status: u16, version: Version) -> http::Response<()> {
    http::Response::builder().status(status).version(version).body(()).unwrap()
}
