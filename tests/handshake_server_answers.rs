//! The answers of the server's side of the opening handshake.
//! Ids are those of the requirement and attack tables.

use std::str;

use crate::requests::{Head, Vector, accepted, answer, check, parsed, sample, with_request};
use websocket_proto::handshake::{
    self, AcceptOptions,
    FieldFault::{Malformed, Repeated},
    HandshakeError::*,
    HeadError,
};
use websocket_proto::{Agreed, Output, SliceOutput};

/// Covers R6455-4.2.2-d, R6455-4.2.2-h.
#[test]
fn r6455_4_2_2_j_the_sample_request_gets_the_sample_answer() {
    let seen = accepted(&sample());
    // R6455-4.2.2-d: the answer is made from the text of the key. R6455-4.2.2-h, R6455-4.2.2-i:
    // nothing was agreed, so neither a subprotocol nor an extension is named.
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

/// Covers R6455-7.2.2-a, T42.
#[test]
fn r6455_4_2_2_e_each_fault_has_its_answer() {
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
    // R6455-4.2.2-e: for any fault of the version, the answer names the supported one.
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
    // R6455-7.2.2-a: the answer ends with its head, without a Close frame.
    let (_, text) = answer(&sample().without("Host"));
    assert!(text.ends_with("\r\n\r\n") && text.is_ascii());
}

/// Covers R6455-4.2.2-h, T46.
#[test]
fn r6455_4_2_2_g_the_subprotocol_is_one_that_was_offered() {
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
    // R6455-4.2.2-h: an empty name is not the same as no subprotocol.
    assert_eq!(choose(""), Err(HeadError::InvalidSubprotocol));
    // T46
    assert_eq!(choose("chat\r\nX: y"), Err(HeadError::InvalidSubprotocol));
    assert_eq!(choose("chat, superchat"), Err(HeadError::InvalidSubprotocol));
    let none = sample().without("Sec-WebSocket-Protocol");
    let unasked =
        with_request(&none, |r| r.accept(&AcceptOptions::new().subprotocol("chat"), &mut vec![]));
    assert_eq!(unasked, Err(HeadError::SubprotocolNotOffered));
}

/// Covers R6455-10.2-a, R6455-4.2.2-c.
#[test]
#[rustfmt::skip]
fn t48_the_origin_is_validated_and_shown() {
    // R6455-10.2-a, R6455-4.2.1-i: without an Origin, the client is no browser or hides its origin.
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
    // The body is larger than one block of output.
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

/// Covers T49.
#[test]
#[rustfmt::skip]
fn t46_no_header_of_the_caller_breaks_out_or_overrides() {
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
    // The length of the body counts.
    let mut whole = Vec::new();
    handshake::reject(403, &[], b"body", &mut whole).unwrap();
    let mut memory = vec![0; whole.len() - 1];
    let mut out = SliceOutput::new(&mut memory);
    assert_eq!(handshake::reject(403, &[], b"body", &mut out), Err(HeadError::Full));
    assert!(out.written().is_empty());

    /// Accepts a reservation without having room for it.
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
