//! The fields of a request to the server's side of the opening handshake.
//! Ids are those of the requirement and attack tables.

use std::str;

use crate::requests::{Seen, Vector, accepted, check, sample, with_request};
use websocket_proto::handshake::{
    FieldFault::{Malformed, Mismatch, Missing, Repeated},
    HandshakeError::*,
};

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
        // Characters that browsers do not encode, contrary to RFC 3986.
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
        // Host is needed even if the target has an authority.
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
        // R6455-E5498: any ASCII case is accepted, and lower case is sent.
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
        // R6455-2-b: a long s (U+017F) is not an s.
        Vector { id: "R6455-2-b", head: s().with("Upgrade", "web\u{17f}ocket"), expected: Err(InvalidUpgrade(Malformed)) },
        Vector { id: "R6455-2-b", head: s().without("Upgrade").plus("Upgr\u{e4}de: websocket"), expected: Err(MalformedHeader) },
        // A Kelvin sign (U+212A), which Unicode case folding turns into k.
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
        "AAAAAAAAAAAAAAAAAAAAAA=",      // half the padding
        "AAAAAAAAAAAAAAAAAAAAAA===",    // too much padding
        "AAAAAAAAAAAAAAAAAAAAAA==AAAA", // padding in the middle
        "AAAAAAAAAA AAAAAAAAAAAA==",    // R6455-4.3-a: no inner whitespace
        "AAAAAAAAAA-AAAAAAAAAAA==",     // R6455-4.3-a: no URL-safe alphabet
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

/// Covers R6455-4.2.2-d.
#[test]
fn r6455_e3150_padding_bits_of_a_key_are_tolerated_and_its_text_is_hashed() {
    let accept = |key: &str| {
        let answer = accepted(&sample().with("Sec-WebSocket-Key", key)).answer;
        let answer = String::from_utf8(answer).unwrap();
        let line = answer.lines().find(|line| line.starts_with("Sec-WebSocket-Accept: ")).unwrap();
        line.trim_start_matches("Sec-WebSocket-Accept: ").to_owned()
    };
    // Both keys encode the bytes 1 to 16. R6455-4.2.2-d: their texts differ, and so do the answers.
    assert_eq!(accept("AQIDBAUGBwgJCgsMDQ4PEA=="), "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=");
    assert_eq!(accept("AQIDBAUGBwgJCgsMDQ4PEC=="), "OfS0wDaT5NoxF2gqm7Zj2YtetzM=");
    // The whitespace around the key is not part of it.
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
        // Another version may have another form of key.
        Vector { id: "R6455-4.2.2-e", head: version("25").without("Sec-WebSocket-Key"), expected: Err(UnsupportedVersion(25)) },
    ]));
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

/// Covers R6455-11.3-b.
#[test]
#[rustfmt::skip]
fn r6455_4_3_b_lists_skip_empty_elements() {
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
    // R6455-8.1-b: invalid UTF-8 is refused in fields that are read as text, and passed through in
    // others.
    check(bad.into_iter().chain([Vector { id: "R6455-8.1-b", head: sample().without("Sec-WebSocket-Protocol").plus(b"Sec-WebSocket-Protocol: \xC3\x28"), expected: Err(InvalidSubprotocol(Malformed)) }]));
    let seen = accepted(&sample().plus(b"X-Foo: \xC3\x28"));
    assert_eq!(seen.headers.last(), Some(&("X-Foo".to_owned(), b"\xC3\x28".to_vec())));
    // T43: a name may have any length.
    let long = "a".repeat(10_000);
    assert_eq!(accepted(&offer(&long)).subprotocols, [long]);
}

/// Covers R6455-4.3-e, R6455-9-a, R6455-9-b, R6455-4.2.2-i.
#[test]
#[rustfmt::skip]
fn r6455_4_3_c_extensions_have_their_grammar() {
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
        // R6455-9-a, R6455-9-b, R6455-4.2.2-i: the answer names no unknown extension.
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
        // R6455-9.1-a: one invalid element makes the whole field fail.
        let head = sample().plus(format!("Sec-WebSocket-Extensions: {bad}"));
        Vector { id: "R6455-9.1-a", head, expected: Err(InvalidExtensions) }
    });
    check(bad.into_iter().chain([
        Vector { id: "R6455-8.1-b", head: sample().plus(b"Sec-WebSocket-Extensions: x, \xFF"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-8.1-b", head: sample().plus("Sec-WebSocket-Extensions: x").plus(b"Sec-WebSocket-Extensions: \xFF"), expected: Err(InvalidExtensions) },
        Vector { id: "R6455-9.1-a", head: sample().plus("Sec-WebSocket-Extensions: fine").plus("Sec-WebSocket-Extensions: x;"), expected: Err(InvalidExtensions) },
    ]));
}
