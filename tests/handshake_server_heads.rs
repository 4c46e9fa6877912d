//! The grammar of a request's head, for any split of it.
//! Ids are those of the requirement and attack tables.

use std::str;

use crate::grammar::{almost_heads, are_fields, plain, token};
use crate::requests::{Vector, accepted, check, feed, sample, verdict};
use websocket_proto::handshake::{FieldFault::Malformed, HandshakeError::*, ServerHandshake};

/// Covers T45.
#[test]
fn r9112_2_a_any_split_of_the_head_is_the_same_and_later_bytes_are_left() {
    // T45: exactly the bytes after the head are left, and none is read as a frame.
    let mut bytes = sample().bytes();
    bytes.extend_from_slice(b"\x81\x80\0\0\0\0GET");
    let seen = verdict(&bytes).unwrap().unwrap();
    assert_eq!(seen.behind, b"\x81\x80\0\0\0\0GET");

    // The caller may write to the bytes that are left, as a connection does when it unmasks.
    let mut buffer = bytes.clone();
    let mut input = &mut buffer[..];
    let request = ServerHandshake::new().receive(&mut input).unwrap().unwrap();
    input.fill(7);
    assert_eq!(request.host(), "server.example.com");

    // After a request the next call starts over.
    let mut handshake = ServerHandshake::new();
    let other = sample().line("GET /other/and/longer HTTP/1.1").bytes();
    let mut twice = [sample().bytes(), other].concat();
    let mut input = &mut twice[..];
    assert_eq!(handshake.receive(&mut input).unwrap().unwrap().resource(), "/chat");
    assert_eq!(handshake.receive(&mut input).unwrap().unwrap().resource(), "/other/and/longer");
    assert!(input.is_empty());

    // The limit still applies.
    let (mut first, mut second) = (sample().bytes(), sample().bytes());
    let mut handshake = ServerHandshake::new().max_head(first.len());
    assert!(handshake.receive(&mut &mut first[..]).unwrap().is_some());
    second.insert(second.len() - 4, b'+');
    assert_eq!(handshake.receive(&mut &mut second[..]).err(), Some(HeadTooLarge));
}

#[test]
fn r9112_2_2_a_empty_lines_before_a_head_are_skipped_and_a_bare_cr_is_not() {
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
fn r9112_5_a_folds_and_a_space_before_the_colon_are_refused() {
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
            // A tab is whitespace within a header's value, so it makes this Host malformed.
            let is_value = byte == b'\t' && at == header;
            let is_short_line = byte == b'\r' && at == line;
            let expected = match byte {
                _ if is_value => InvalidHost(Malformed),
                _ if is_short_line => MalformedLine,
                _ => ControlByte(byte),
            };
            assert_eq!(verdict(&bytes), Err(expected), "{byte:#04x} at {at}");
            if !is_value {
                // The error comes with the offending byte, before the head ends. After a CR that is
                // the byte that should have been an LF.
                let length = if byte == b'\r' && !is_short_line { at + 2 } else { at + 1 };
                assert_eq!(verdict(&bytes[..length]), Err(expected), "{byte:#04x} at {at}");
                assert_eq!(verdict(&bytes[..length - 1]), Ok(None), "{byte:#04x} at {at}");
            }
        }
    }
    // A bare LF, at the end of each line.
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
fn r9112_2_1_a_other_protocols_are_refused_early() {
    for (bytes, at, expected) in [
        (&b"EHLO x\r\n"[..], 6, MalformedLine),
        (b"get / http/1.1\r\n", 6, InvalidHttpVersion),
        // A TLS ClientHello.
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

/// Whether this is exactly the head of a request by the grammar of RFC 9112, whatever a server
/// thinks of its contents.
fn is_head(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Some(text) = text.strip_suffix("\r\n\r\n") else { return false };
    let text = text.trim_start_matches("\r\n");
    let mut lines = text.split("\r\n");
    let parts: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = parts[..] else { return false };
    let minor = version.strip_prefix("HTTP/1.").unwrap_or_default();
    let line_is_fine = token(method)
        && !target.is_empty()
        && plain(target)
        && minor.len() == 1
        && minor.bytes().all(|byte| byte.is_ascii_digit());
    line_is_fine && are_fields(lines)
}

/// Whether a head can begin with these bytes. If one can, then one that ends like `USUAL`.
fn can_become_a_head(bytes: &[u8]) -> bool {
    const USUAL: &[u8] = b"GET / HTTP/1.1\r\nA: b\r\n\r\n";
    is_head(&[bytes, b"\n", USUAL].concat())
        || (0..=USUAL.len()).any(|at| is_head(&[bytes, &USUAL[at..]].concat()))
}

#[test]
fn r9112_2_1_a_the_first_byte_that_rules_a_head_out_is_refused() {
    let (mut refused, mut whole) = (0, 0);
    let sample = sample().bytes();
    for bytes in almost_heads([
        &sample[..],
        b"\r\nGET /a HTTP/1.1\r\nA: b\r\nC:\r\n\r\n",
        b"POST /a?b HTTP/1.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"EHLO x\r\n",
        b"get / http/1.1\r\n",
    ]) {
        let mut handshake = ServerHandshake::new();
        for end in 0..=bytes.len() {
            let seen =
                handshake.receive(&mut &mut bytes[..end].to_vec()[..]).map(|seen| seen.is_some());
            if is_head(&bytes[..end]) {
                // Whether the contents are valid does not matter here.
                assert_ne!(seen, Ok(false), "{}", bytes[..end].escape_ascii());
                whole += 1;
                break;
            }
            if can_become_a_head(&bytes[..end]) {
                assert_eq!(seen, Ok(false), "{}", bytes[..end].escape_ascii());
                continue;
            }
            let error = seen.err().unwrap_or_else(|| panic!("{}", bytes[..end].escape_ascii()));
            // The error is the same for any split, and with the bytes that follow.
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
