//! WebSocket URIs (RFC 6455 §3), targets of requests, and origins. Ids are those of the requirement
//! tables.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use url::Url;
use websocket_proto::handshake::{
    ClientHandshake, ClientRequest, HandshakeError, Offer, Request, ServerHandshake, Target,
    TargetError, TargetError::*,
};

/// Parses a URI, and checks that it parses the same when printed.
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
    // `http` and `https` mean `ws` and `wss`, and are printed as these.
    for (uri, printed) in [
        ("ws://h/", "ws://h/"), ("WS://h/", "ws://h/"), ("wss://h/", "wss://h/"),
        ("WsS://h/", "wss://h/"), ("http://h/", "ws://h/"), ("HTTP://h:443", "ws://h:443/"),
        ("https://h/", "wss://h/"), ("hTTps://h:443/?x", "wss://h/?x"),
    ] {
        let target = parse(uri).unwrap();
        let port = if target.secure() { 443 } else { 80 };
        assert_eq!(target.to_string(), printed);
        assert_eq!(target.secure(), printed.starts_with("wss"));
        assert!(uri.contains(":443") || target.port() == port);
    }
    refused(
        Scheme,
        &[
            "", "h", "/", "://h/", "ws:h", "ws:/h", "http:h", "http:/h", "//h/", " ws://h/",
            "wsx://h/", "w\n://h/", "httpss://h/", "ftp://h/", "file:///h",
        ],
    );
    refused(
        Host,
        &[
            "ws://", "ws:///", "ws://?x", "ws://:80/", "ws://a b/", "ws://[::1/", "ws://[::1]x/",
            "ws://[]/", "ws://[1.2.3.4]/", "ws://[v1.a]/", "ws://[::1%25lo]/", "ws://%/",
            "ws://%4/", "ws://%zz/", "ws://a%20b/", "ws://good%2eevil/", "ws://h\\/", "ws://<h>/", "ws://h\0/", "ws://h\r\nX: y/",
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
        "example.com", "EXAMPLE.com", "127.0.0.1", "a_b-c.~!$&'()*+,;=", "h.",
    ] {
        let uri = format!("ws://{host}");
        let target = parse(&uri).unwrap();
        assert_eq!((target.host(), target.authority().to_string().as_str()), (host, host));
    }
    for address in ["::1", "2001:DB8::7", "::ffff:1.2.3.4"] {
        let uri = format!("ws://[{address}]");
        let target = parse(&uri).unwrap();
        assert_eq!(target.host(), address);
        assert_eq!(target.authority().to_string(), format!("[{address}]"));
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
        ("ws://[::1]:8080", "::1", 8080),
        ("ws://[::1]", "::1", 80),
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
            "ws://h/a b", "ws://h/\"", "ws://h/<", "ws://h/>", "ws://h/\\", "ws://h/a\\b",
            "ws://h/\0", "ws://h/\r\nX: y", "ws://h/\u{7f}", "ws://h/\t",
        ],
    );
    refused(
        Query,
        &[
            "ws://h/?a b", "ws://h/?\"", "ws://h/?<", "ws://h/?>", "ws://h?\r\n", "ws://h/?\0",
            "ws://h/?\u{7f}",
        ],
    );
}

/// Characters that browsers and the crate `url` do not encode are kept.
#[test]
fn r6455_3_e_a_path_and_a_query_are_taken_as_they_are_written() {
    for resource in [
        "/?a[]=1", "/?x=a|b", "/?q={1}", "/?q=a^b", "/?t=100%", "/?`", "/?a\\b", "/?%zz%4", "/?'",
        "/[", "/]", "/{1}", "/a|b", "/a^b", "/`", "/100%", "/%4", "/%g0", "/%/?%",
    ] {
        for scheme in ["ws", "wss", "http", "https"] {
            let uri = format!("{scheme}://h{resource}");
            let target = parse(&uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
            assert_eq!(target.resource(), resource);
            // A server of this crate receives the same text.
            let (_, seen) = served(&format!("GET {resource} HTTP/1.1")).unwrap();
            assert_eq!(seen, resource);
        }
    }
    // Some programs read a backslash as a slash, so it is refused wherever it could end a host or a
    // segment.
    refused(
        Host,
        &["ws://h\\/", "ws://h\\", "ws://\\h/", "ws:///\\h/", "ws://h\\?", "ws://h\\x:80/"],
    );
    refused(Port, &["ws://h:80\\/"]);
    refused(UserInfo, &["ws://h\\@evil/", "ws://evil\\@h/?\\", "wss://h\\u:p@evil"]);
    refused(Path, &["ws://h/\\evil/", "ws://h/a\\..\\b", "ws://h/\\?\\"]);
}

#[test]
fn r6455_3_e_urls_of_the_crate_url_are_accepted_with_the_same_meaning() {
    let mut random = random();
    let pieces = [
        "ws",
        "://",
        ":",
        "/",
        "//",
        "?",
        "@",
        "[",
        "]",
        "[::1]",
        "h",
        "h.example",
        "127.1",
        ".",
        "..",
        "%",
        "%20",
        "80",
        "443",
        "8080",
        "é",
        " ",
        "\t",
        "\\",
        "|",
        "^",
        "`",
        "{",
        "}",
        "'",
        "\"",
        "<",
        ">",
        "a=b",
        "&",
        ";",
        "~",
        "\0",
        "\u{7f}",
        "+",
        "#",
    ];
    let [mut taken, mut refused] = [0; 2];
    for _ in 0..30_000 {
        let scheme = ["ws", "wss", "http", "https"][random(4)];
        let host = ["h", "[::1]", "10.0.0.1", ""][random(4)];
        let tail: String = (0..random(8)).map(|_| pieces[random(pieces.len())]).collect();
        let text = format!("{scheme}://{host}{tail}");
        let Ok(url) = Url::parse(&text) else { continue };

        // The normalised URL is accepted, or refused for a reason that its parts show.
        let written = url.as_str();
        let host = url.host_str().unwrap();
        let with_user = !url.username().is_empty() || url.password().is_some();
        let odd =
            |byte: u8| !byte.is_ascii_alphanumeric() && !b"-.[]:_~!$&'()*+,;=".contains(&byte);
        match parse(written) {
            Err(Fragment) => assert!(url.fragment().is_some(), "{written}"),
            Err(UserInfo) => assert!(with_user, "{written}"),
            Err(Host) => assert!(host.bytes().any(odd), "{written}"),
            Err(error) => panic!("{written}: {error}"),
            Ok(target) => {
                assert!(url.fragment().is_none() && !with_user);
                assert_eq!(bracketed(target.host()), host, "{written}");
                assert_eq!(Some(target.port()), url.port_or_known_default());
                assert_eq!(target.secure(), matches!(url.scheme(), "wss" | "https"));
                assert_eq!(target.resource().path(), url.path());
                assert_eq!(target.resource().query().unwrap_or(""), url.query().unwrap_or(""));
                taken += 1;
            }
        }

        // If the original text is accepted, this crate and `url` read the same host, port and query
        // in it.
        match parse(&text) {
            Ok(target) => {
                let ours = Url::parse(&format!("ws://{}/", bracketed(target.host()))).unwrap();
                assert_eq!(ours.host(), url.host(), "{text}");
                assert_eq!(Some(target.port()), url.port_or_known_default(), "{text}");
                let query = url.query().unwrap_or("").replace("%27", "'");
                assert_eq!(target.resource().query().unwrap_or("").replace("%27", "'"), query);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 3_000 && refused > 3_000, "{taken} {refused}");
}

#[test]
fn r6455_4_1_g_host_and_port_can_be_dialled() {
    for (uri, address) in [
        ("ws://127.0.0.1:9", "127.0.0.1:9"),
        ("ws://[::1]:9/", "[::1]:9"),
        ("wss://[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]:443"),
    ] {
        let target = parse(uri).unwrap();
        let address: SocketAddr = address.parse().unwrap();
        let mut addresses = (target.host(), target.port()).to_socket_addrs().unwrap();
        assert_eq!((addresses.next(), addresses.next()), (Some(address), None));
        assert_eq!(target.host().parse::<IpAddr>(), Ok(address.ip()));
    }
}

#[test]
fn r6455_4_1_k_an_authority_has_brackets_and_a_port_that_is_not_the_default() {
    for (uri, authority) in [
        ("ws://h", "h"),
        ("ws://h:80", "h"),
        ("wss://h:80", "h:80"),
        ("https://h:443", "h"),
        ("wss://[::1]:443", "[::1]"),
        ("ws://[::1]:443", "[::1]:443"),
    ] {
        let target = parse(uri).unwrap();
        assert_eq!(target.authority().to_string(), authority);
        let request = ClientRequest::connect(&target, &Offer::new(), true).unwrap();
        assert_eq!(request.authority().to_string(), authority);
        let mut out = Vec::new();
        ClientHandshake::start(&target, &Offer::new(), [0; 16], &mut out).unwrap();
        let head = String::from_utf8(out).unwrap();
        assert!(head.contains(&format!("\r\nHost: {authority}\r\n")), "{head}");
    }
}

#[test]
fn r6455_4_1_j_a_request_to_a_plain_proxy_names_the_whole_uri() {
    for (uri, absolute, origin) in [
        ("ws://h/chat?x", "http://h/chat?x", "/chat?x"),
        ("ws://h:8080", "http://h:8080/", "/"),
        ("ws://[::1]:8080/", "http://[::1]:8080/", "/"),
        ("wss://h/a|b", "https://h/a|b", "/a|b"),
    ] {
        let target = parse(uri).unwrap();
        let line = |offer: &Offer<'_>| {
            let mut out = Vec::new();
            ClientHandshake::start(&target, offer, [0; 16], &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(&format!("\r\nHost: {}\r\n", target.authority())), "{text}");
            text.lines().next().unwrap().to_owned()
        };
        let to_proxy = line(&Offer::new().absolute_form(true));
        assert_eq!(to_proxy, format!("GET {absolute} HTTP/1.1"));
        assert_eq!(served(&to_proxy), Ok((target.authority().to_string(), origin.to_owned())));
        // RFC 9112 §3.2.1: otherwise the target is the path and the query.
        let direct = format!("GET {origin} HTTP/1.1");
        assert_eq!(line(&Offer::new()), direct);
        assert_eq!(line(&Offer::new().absolute_form(true).absolute_form(false)), direct);
    }
}

#[test]
fn targets_are_values() {
    let hash = |target: Target<'_>| {
        let mut hasher = DefaultHasher::new();
        target.hash(&mut hasher);
        hasher.finish()
    };
    let target = Target::try_from("wss://h/x?y").unwrap();
    assert_eq!(hash(target), hash(Target::parse("https://h:443/x?y").unwrap()));
    assert_eq!(Target::try_from("h"), Err(Scheme));
}

#[test]
fn r6455_4_2_1_c_a_target_may_be_a_ws_or_wss_uri() {
    for scheme in ["ws", "wss", "http", "https", "WS", "Wss"] {
        for (target, authority, resource) in [
            ("h/chat", "h", "/chat"),
            ("h", "h", "/"),
            ("h?x", "h", "/?x"),
            ("h:444/chat?a|b", "h:444", "/chat?a|b"),
            ("[::1]:8080/", "[::1]:8080", "/"),
        ] {
            let line = format!("GET {scheme}://{target} HTTP/1.1");
            let (host, seen) = served(&line).unwrap();
            assert_eq!((host.as_str(), seen.as_str()), (authority, resource), "{line}");
        }
        for target in
            ["u@h/", "h\\@evil/", "h\\/", "", "/chat", "h:x/", "h:99999/", "h/#a", "h/\"", "[h]/"]
        {
            let line = format!("GET {scheme}://{target} HTTP/1.1");
            assert_eq!(served(&line), Err(HandshakeError::InvalidTarget), "{line}");
        }
    }
    for target in ["wsx://h/", "ftp://h/", "://h/", "ws:/h/", "ws:h", "*", "h/chat"] {
        let line = format!("GET {target} HTTP/1.1");
        assert_eq!(served(&line), Err(HandshakeError::InvalidTarget), "{line}");
    }
}

/// Covers R6455-10.2-a.
#[test]
fn r6455_4_2_1_c_a_port_that_the_target_leaves_out_is_that_of_the_scheme() {
    for (target, origin, same) in [
        ("ws://h/chat", "http://h", true),
        ("ws://h/chat", "http://h:80", true),
        ("wss://h/chat", "https://h", true),
        ("wss://h/chat", "https://h:443", true),
        ("wss://h:443/chat", "https://h", true),
        ("ws://h/chat", "http://h:8080", false),
        ("ws://h/chat", "http://host.example", false),
    ] {
        let bytes = head(&format!("GET {target} HTTP/1.1"), &format!("Origin: {origin}\r\n"));
        with_request(bytes, |request| {
            assert_eq!(request.unwrap().is_same_origin(), same, "{target} {origin}");
        });
    }
}

#[test]
fn r6455_10_2_a_an_origin_is_found_in_a_list() {
    let allowed = [
        "https://example.com",
        "https://www.Example.com:443",
        "http://localhost:3000",
        "https://[2001:db8::1]",
        "http://plain.example",
        "app://example.com",
        // A text that is no valid origin matches nothing, not even itself.
        "null",
        "",
        "://empty",
        "https://slash.example/",
        "https://u@user.example",
        "1x://scheme.example",
        "*",
    ];
    for (origin, found) in [
        ("https://example.com", true),
        ("HTTPS://EXAMPLE.com", true),
        ("https://example.com:443", true),
        ("https://www.example.com", true),
        ("http://localhost:3000", true),
        ("https://[2001:DB8::1]:443", true),
        ("app://example.com", true),
        ("http://plain.example:80", true),
        ("http://plain.example:443", false),
        ("http://example.com", false),
        ("http://example.com:443", false),
        ("https://example.com:8443", false),
        ("https://sub.example.com", false),
        ("https://example.com.evil.example", false),
        ("https://evil-example.com", false),
        ("https://example.com@evil.example", false),
        ("https://evil.example https://example.com", false),
        ("https://example.com https://example.com", false),
        ("http://localhost", false),
        ("http://localhost:30000", false),
        ("app://example.com:1", false),
        ("example.com", false),
        ("null", false),
        ("://empty", false),
        ("https://slash.example/", false),
        ("https://slash.example", false),
        ("https://u@user.example", false),
        ("1x://scheme.example", false),
        ("*", false),
    ] {
        let bytes = head("GET / HTTP/1.1", &format!("Origin: {origin}\r\n"));
        with_request(bytes, |request| {
            let request = request.unwrap();
            assert_eq!(request.origin(), Some(origin));
            assert_eq!(request.is_origin_in(&allowed), found, "{origin}");
            assert!(!request.is_origin_in(&[]));
        });
    }
    // A client that is no browser sends no origin, so none in the list matches.
    with_request(head("GET / HTTP/1.1", ""), |request| {
        assert!(!request.unwrap().is_origin_in(&allowed));
    });
}

#[test]
fn r6455_4_2_2_g_the_subprotocol_that_the_server_likes_best() {
    for (offered, supported, chosen) in [
        ("a, b", &["b", "a"][..], Some("b")),
        ("a, b", &["a", "b"], Some("a")),
        ("a\r\nSec-WebSocket-Protocol: b", &["b"], Some("b")),
        ("a, b", &["c", "b"], Some("b")),
        ("a", &["b"], None),
        // §4.1: names are compared with regard to case.
        ("A", &["a"], None),
        ("a", &[], None),
    ] {
        let bytes = head("GET / HTTP/1.1", &format!("Sec-WebSocket-Protocol: {offered}\r\n"));
        let found: Option<&'static str> =
            with_request(bytes, |request| request.unwrap().choose_subprotocol(supported));
        assert_eq!(found, chosen, "{offered} {supported:?}");
    }
    with_request(head("GET / HTTP/1.1", ""), |request| {
        assert_eq!(request.unwrap().choose_subprotocol(&["a", ""]), None);
    });
}

/// Returns a request to `host.example` with this request line.
fn head(line: &str, more: &str) -> Vec<u8> {
    format!(
        "{line}\r\nHost: host.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
    .into_bytes()
}

fn with_request<T>(
    mut bytes: Vec<u8>,
    act: impl FnOnce(Result<Request<'_>, HandshakeError>) -> T,
) -> T {
    let mut input = &mut bytes[..];
    act(ServerHandshake::new().receive(&mut input).map(|request| request.expect("a whole head")))
}

/// Returns the host and the resource of a request with this line.
fn served(line: &str) -> Result<(String, String), HandshakeError> {
    with_request(head(line, ""), |request| {
        request.map(|request| (request.host().to_owned(), request.resource().to_string()))
    })
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// Returns a generator of numbers below the given one, the same in each run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
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
    let mut random = random();
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
