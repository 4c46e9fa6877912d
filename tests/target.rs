//! WebSocket URIs (RFC 6455 §3). Ids are those of the requirement tables.

#![cfg(feature = "alloc")]

use websocket_proto::handshake::{ClientHandshake, Offer, Target, TargetError, TargetError::*};

/// Parses a URI, and checks that what it prints means the same.
#[track_caller]
fn parse(uri: &str) -> Result<Target<'_>, TargetError> {
    let target = Target::parse(uri)?;
    let rebuilt = target.to_string();
    assert_eq!(Target::parse(&rebuilt), Ok(target), "{uri} is rebuilt as {rebuilt}");
    Ok(target)
}

#[track_caller]
fn refused(expected: TargetError, uris: &[&str]) {
    let parsed = uris.iter().map(|uri| (*uri, parse(uri)));
    let failures: Vec<_> = parsed.filter(|(_, parsed)| *parsed != Err(expected)).collect();
    assert!(failures.is_empty(), "{expected:?} expected: {failures:?}");
}

#[test]
#[rustfmt::skip]
fn r6455_3_a_only_ws_and_wss_uris_in_authority_form() {
    for (uri, secure) in
        [("ws://h/", false), ("WS://h/", false), ("wss://h/", true), ("WsS://h/", true)]
    {
        assert_eq!(parse(uri).map(|target| target.secure()), Ok(secure));
    }
    refused(
        Scheme,
        &[
            "", "h", "/", "://h/", "http://h/", "https://h/", "ws:h", "ws:/h", "//h/", " ws://h/",
            "wsx://h/", "w\n://h/",
        ],
    );
    refused(
        Host,
        &[
            "ws://", "ws:///", "ws://?x", "ws://:80/", "ws://a b/", "ws://[::1/", "ws://[::1]x/",
            "ws://[]/", "ws://[1.2.3.4]/", "ws://[v1.a]/", "ws://[::1%25lo]/", "ws://%/",
            "ws://%4/", "ws://%zz/", "ws://h\\/", "ws://<h>/", "ws://h\0/", "ws://h\r\nX: y/",
            "ws://\t/",
        ],
    );
    refused(UserInfo, &["ws://u@h/", "ws://u:p@h/", "ws://@h/", "ws://a@b@h/"]);
    refused(
        Port,
        &[
            "ws://h:99999/", "ws://h:65536/", "ws://h:x/", "ws://h:-1/", "ws://h:+1/",
            "ws://h:80:80/", "ws://h: /", "ws://h:18446744073709551617/",
        ],
    );
    for host in [
        "example.com", "EXAMPLE.com", "127.0.0.1", "[::1]", "[2001:DB8::7]", "[::ffff:1.2.3.4]",
        "a_b-c.~!$&'()*+,;=", "a%20b",
    ] {
        assert_eq!(
            parse(&format!("ws://{host}")).map(|target| target.host().to_owned()),
            Ok(host.to_owned())
        );
    }
}

#[test]
fn r6455_3_b_the_port_is_optional() {
    for (uri, host, port) in [
        ("ws://h", "h", 80),
        ("wss://h", "h", 443),
        ("ws://h:/", "h", 80),
        ("wss://h:", "h", 443),
        ("ws://h:443?x", "h", 443),
        ("ws://[::1]:8080", "[::1]", 8080),
        ("ws://[::1]", "[::1]", 80),
        ("ws://h:0080/", "h", 80),
        ("ws://h:65535/", "h", 65535),
    ] {
        let target = parse(uri).unwrap();
        assert_eq!((target.host(), target.port()), (host, port), "{uri}");
    }
}

#[test]
#[rustfmt::skip]
fn r6455_3_c_the_resource_name_is_the_path_and_the_query() {
    for (uri, resource, path, query) in [
        ("ws://h", "/", "/", None),
        ("ws://h/", "/", "/", None),
        ("ws://h?x=1", "/?x=1", "/", Some("x=1")),
        ("ws://h/p?", "/p", "/p", None),
        ("ws://h?", "/", "/", None),
        ("ws://h/p/q/?a=/b?c:d@e", "/p/q/?a=/b?c:d@e", "/p/q/", Some("a=/b?c:d@e")),
        ("ws://h//p", "//p", "//p", None),
        ("ws://h/%C3%a9~:@!$&'()*+,;=", "/%C3%a9~:@!$&'()*+,;=", "/%C3%a9~:@!$&'()*+,;=", None),
        ("ws://h/a://b", "/a://b", "/a://b", None),
        ("ws://h/a@b:c", "/a@b:c", "/a@b:c", None),
    ] {
        let name = parse(uri).unwrap().resource();
        assert_eq!((name.path(), name.query()), (path, query), "{uri}");
        assert_eq!(name.to_string(), resource);
        assert!(name == resource && name == *resource);
        for other in [
            "", "/x", "/p/", "/p/q/", "/?", "/?x", "/p?",
        &format!("{resource}x"),
            &format!("{resource}?"),
        ] {
            assert!(name != *other && name != other, "{resource} is not {other}");
        }
    }
    refused(
        Path,
        &[
            "ws://h/a b", "ws://h/%", "ws://h/%4", "ws://h/%g0", "ws://h/[", "ws://h/|",
            "ws://h/\"", "ws://h/\\", "ws://h/\0", "ws://h/\r\nX: y", "ws://h/\u{7f}",
        ],
    );
    refused(
        Query,
        &["ws://h/?a b", "ws://h/?%", "ws://h/?[]", "ws://h/?|", "ws://h/?\r\n", "ws://h/?x%2"],
    );
}

#[test]
fn r6455_3_d_fragments_are_refused() {
    refused(Fragment, &["ws://h/a#b", "ws://h/a#", "ws://h#", "ws://h/?a#b", "ws://h#@u/"]);
    assert_eq!(parse("ws://h/a%23b").unwrap().resource(), "/a%23b");
}

#[test]
fn r6455_11_1_a_other_alphabets_are_to_be_encoded_first() {
    refused(
        NonAscii,
        &["ws://é.fr/", "ws://h/é", "ws://h/?é", "wß://h/", "ws://h:８０/", "ws://h/#é"],
    );
}

#[test]
fn r6455_4_1_e_a_target_prints_as_its_uri() {
    for (uri, rebuilt) in [
        ("WSS://h:444/p?q", "wss://h:444/p?q"),
        ("wss://h:443", "wss://h/"),
        ("ws://h:80?", "ws://h/"),
        ("ws://[::1]:443/", "ws://[::1]:443/"),
    ] {
        assert_eq!(parse(uri).unwrap().to_string(), rebuilt);
    }
}

#[test]
#[rustfmt::skip]
fn t43_no_text_panics_and_no_target_breaks_a_request() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let pieces = [
        "ws", "wss", "://", ":", "/", "?", "#", "@", "[", "]", "::1", "h", ".", "%", "%20", "80",
        "é", " ", "\r\n", "\0",
    ];
    let mut parsed = 0;
    for _ in 0..200_000 {
        let tail: String = (0..random(8)).map(|_| pieces[random(pieces.len())]).collect();
        let uri = if random(4) == 0 { tail } else { format!("ws://h{tail}") };
        if let Ok(target) = parse(&uri) {
            parsed += 1;
            let mut out = Vec::new();
            ClientHandshake::start(&target, &Offer::new(), [0; 16], &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.matches("\r\n").count(), 7, "{uri}");
            assert_eq!(text.lines().next().map(|line| line.matches(' ').count()), Some(2), "{uri}");
        }
    }
    assert!(parsed > 1000, "{parsed}");
}
