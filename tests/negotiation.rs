//! The negotiation of permessage-deflate (RFC 7692 §5, §7.1). Ids are those of the requirement and
//! attack tables.

use websocket_proto::handshake::{
    AcceptOptions, ClientHandshake, ClientRequest, FieldFault, Fields, HandshakeError, Offer,
    PseudoHeaders, Request, Response, ServerHandshake, Target,
};
use websocket_proto::{Agreed, Deflate, WindowBits};

/// Context takeover on both sides, and no limit on the windows.
const ANY: Deflate = Deflate {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: None,
};

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn bits(bits: u8) -> Option<WindowBits> {
    Some(WindowBits::new(bits).expect("8 to 15"))
}

/// Returns a server's answer to a request with these lines of offers, which is the same over
/// HTTP/1.1 and HTTP/2, and what the server then takes as agreed.
fn serve(wanted: Option<Deflate>, offers: &[&str]) -> (Option<String>, Option<Deflate>) {
    let lines: String =
        offers.iter().map(|offer| format!("Sec-WebSocket-Extensions: {offer}\r\n")).collect();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    );
    let mut accept = AcceptOptions::new();
    if let Some(wanted) = wanted {
        accept = accept.deflate(wanted);
    }
    let mut input = head.into_bytes();
    let request = ServerHandshake::new().receive(&mut &mut input[..]).expect("valid");
    let request = request.expect("whole");
    let mut out = Vec::new();
    let agreed = request.accept(&accept, &mut out).expect("there is room");
    let head = String::from_utf8(out).expect("text");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut named = head.lines().filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let answer = named.next().map(str::to_owned);
    assert_eq!(named.next(), None);
    assert_eq!(agreed.deflate.is_some(), answer.is_some());

    let mut fields = vec![("sec-websocket-version", "13")];
    fields.extend(offers.iter().map(|offer| ("sec-websocket-extensions", *offer)));
    let pseudo = PseudoHeaders::new("CONNECT")
        .protocol("websocket")
        .scheme("https")
        .authority("h")
        .path("/");
    let fields = fields.iter().map(|(name, value)| (name, value));
    let request = Request::connect(pseudo, fields).expect("valid");
    let connect = request.response(&accept).expect("nothing forbidden");
    assert_eq!(connect.agreed(), agreed);
    let same = connect.headers().find(|(name, _)| *name == "sec-websocket-extensions");
    assert_eq!(same.map(|(_, value)| value), answer.as_deref());

    (answer, agreed.deflate)
}

/// Returns what is agreed for this offer.
fn agreed(wanted: Deflate, offer: &str) -> Option<(String, Deflate)> {
    let (answer, deflate) = serve(Some(wanted), &[offer]);
    answer.zip(deflate)
}

/// Returns the result for a client with these offers if the answer has these lines. It is the same
/// over HTTP/1.1 (in parts and in bytes) and over HTTP/2.
fn judge(offers: &[Deflate], lines: &[&str]) -> Result<Option<Deflate>, HandshakeError> {
    let target = Target::parse("wss://h/").expect("valid");
    let offer = Offer::new().deflate(offers);
    let nonce = *b"the sample nonce";
    let verdict =
        |opening: &ClientRequest<'_>, status, version, fields: &[(&str, &str)]| match opening
            .validate(status, version, fields.iter().map(|(name, value)| (name, value)))?
        {
            Response::Accepted(response) => Ok(response.agreed().deflate),
            Response::Refused(_) => panic!("{status} is an acceptance"),
        };
    let lines = || lines.iter().map(|line| ("sec-websocket-extensions", *line));

    let mut fields =
        vec![("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT)];
    fields.extend(lines());
    let opening = ClientRequest::upgrade(&target, &offer, nonce).expect("valid");
    let result = verdict(&opening, 101, (1, 1), &fields);

    let connect = ClientRequest::connect(&target, &offer, true).expect("valid");
    let fields_of_connect: Vec<_> = lines().collect();
    assert_eq!(verdict(&connect, 200, (2, 0), &fields_of_connect), result);

    let mut handshake =
        ClientHandshake::start(&target, &offer, nonce, &mut Vec::new()).expect("valid");
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &fields {
        head += &format!("{name}: {value}\r\n");
    }
    let mut head = (head + "\r\n").into_bytes();
    let in_bytes = match handshake.receive(&mut &mut head[..]) {
        Ok(Some(Response::Accepted(response))) => Ok(response.agreed().deflate),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(in_bytes, result);
    result
}

/// Returns the offers as they are written.
fn written(offers: &[Deflate]) -> Option<String> {
    let target = Target::parse("ws://h/").expect("valid");
    let offer = Offer::new().deflate(offers);
    let opening = ClientRequest::upgrade(&target, &offer, [0; 16]).expect("valid");
    let mut lines = opening.headers().filter(|(name, _)| *name == "Sec-WebSocket-Extensions");
    let line = lines.next().map(|(_, value)| value.to_string());
    assert!(lines.next().is_none());
    line
}

#[test]
fn nothing_is_agreed_unless_both_want_it() {
    assert_eq!(serve(None, &["permessage-deflate"]), (None, None));
    assert_eq!(serve(Some(ANY), &[]), (None, None));
    assert_eq!(serve(Some(ANY), &["permessage-bzip2", "x-webkit-deflate-frame"]), (None, None));
    assert_eq!(judge(&[ANY], &[]), Ok(None));
    assert_eq!(written(&[]), None);
    assert_eq!(Agreed::default(), Agreed::new());
    assert_eq!(Agreed::new().deflate(ANY).deflate, Some(ANY));
}

/// Examples and documentation use [`Deflate::OFFERS`].
#[test]
fn r7692_5_c_the_offers_open_with_servers_that_insist_on_takeover_and_with_those_that_do_not() {
    let [alone, takeover] = Deflate::OFFERS;
    assert_eq!(
        (alone, takeover),
        (Deflate::new(), Deflate { client_max_window_bits: bits(15), ..ANY })
    );
    let in_words = [
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits",
        "permessage-deflate; client_max_window_bits",
    ];
    assert_eq!(written(&Deflate::OFFERS), Some(in_words.join(", ")));

    // The answers of servers that can do without takeover, of servers that insist on it or know
    // nothing else, and of servers that decide for each direction.
    let flags = |server, client, window| Deflate {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        client_max_window_bits: window,
        ..ANY
    };
    for (answer, agreed) in [
        ("; server_no_context_takeover; client_no_context_takeover", flags(true, true, None)),
        ("", flags(false, false, None)),
        ("; client_no_context_takeover", flags(false, true, None)),
        // The answer may accept the first offer, so the client keeps that offer's promise.
        ("; server_no_context_takeover", flags(true, true, None)),
        ("; client_max_window_bits=10", flags(false, false, bits(10))),
        (
            "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=9",
            flags(true, true, bits(9)),
        ),
    ] {
        let answer = format!("permessage-deflate{answer}");
        assert_eq!(judge(&Deflate::OFFERS, &[&answer]), Ok(Some(agreed)), "{answer}");
    }
    // The first offer alone excludes servers that insist on takeover.
    let invalid = Err(HandshakeError::InvalidParameters);
    assert_eq!(judge(&[alone], &["permessage-deflate"]), invalid);

    // A server of this crate accepts the first offer in any case, so no context is kept.
    for wanted in [alone, takeover, ANY] {
        let (answer, at_server) = serve(Some(wanted), &[&in_words.join(", ")]);
        let at_client = judge(&Deflate::OFFERS, &[&answer.unwrap()]).unwrap().unwrap();
        for deflate in [at_client, at_server.unwrap()] {
            assert!(deflate.server_no_context_takeover && deflate.client_no_context_takeover);
        }
    }
}

#[test]
fn r7692_5_a_several_offers_the_first_that_can_be_served() {
    let wanted = Deflate { client_max_window_bits: bits(12), ..ANY };
    // The first offer does not allow a limit on the client's window. The second does.
    let answer = "permessage-deflate; client_max_window_bits=12";
    for offers in [
        &[
            "permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits",
        ][..],
        &["permessage-deflate", "foo; bar", "permessage-deflate; client_max_window_bits=13"],
        &["permessage-deflate; foo, permessage-deflate; client_max_window_bits"],
    ] {
        let agreed = Deflate { client_max_window_bits: bits(12), ..ANY };
        assert_eq!(serve(Some(wanted), offers), (Some(answer.to_owned()), Some(agreed)));
    }
    // If both offers can be served, the first is accepted.
    let both = "permessage-deflate; server_max_window_bits=10, permessage-deflate";
    let (answer, _) = serve(Some(ANY), &[both]);
    assert_eq!(answer.as_deref(), Some("permessage-deflate; server_max_window_bits=10"));

    // A client writes its offers in order, and accepts the answer to any of them.
    let ten = Deflate { server_max_window_bits: bits(10), ..ANY };
    assert_eq!(
        written(&[ten, Deflate::new()]).as_deref(),
        Some(
            "permessage-deflate; server_max_window_bits=10, permessage-deflate; \
             server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
        )
    );
    let offers = [ten, ANY];
    let nine = Deflate { server_max_window_bits: bits(9), ..ANY };
    assert_eq!(judge(&offers, &["permessage-deflate; server_max_window_bits=9"]), Ok(Some(nine)));
    assert_eq!(judge(&offers, &["permessage-deflate"]), Ok(Some(ANY)));
    assert_eq!(judge(&[ten], &["permessage-deflate"]), Err(HandshakeError::InvalidParameters));
}

/// Covers R6455-9.1-c.
#[test]
fn r7692_5_b_no_two_extensions_at_once() {
    let both = "permessage-deflate, permessage-deflate";
    let (answer, _) = serve(Some(ANY), &[both, "permessage-deflate"]);
    assert_eq!(answer.as_deref(), Some("permessage-deflate"));
    for lines in [
        &[both][..],
        &["permessage-deflate", "permessage-deflate"],
        &["permessage-deflate, foo"],
        &["foo, permessage-deflate"],
        &["foo"],
        &["Permessage-Deflate"],
    ] {
        assert_eq!(
            judge(&[ANY, ANY], lines),
            Err(HandshakeError::ExtensionNotOffered),
            "{lines:?}"
        );
    }
    assert_eq!(judge(&[], &["permessage-deflate"]), Err(HandshakeError::ExtensionNotOffered));
}

/// Parameters that are invalid in every element.
const INVALID: [&str; 24] = [
    "foo",
    "foo=1",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=99",
    "server_max_window_bits=08",
    "server_max_window_bits=010",
    "server_max_window_bits=+9",
    "server_max_window_bits=0x9",
    "server_max_window_bits=\"7\"",
    "server_max_window_bits=1",
    "server_max_window_bits=9; server_max_window_bits=9",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=4294967305",
    "client_max_window_bits=09",
    "client_max_window_bits=-9",
    "client_max_window_bits; client_max_window_bits",
    "server_no_context_takeover=1",
    "server_no_context_takeover=true",
    "client_no_context_takeover=\"x\"",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
];

/// Covers T32.
#[test]
fn r7692_7_a_an_invalid_offer_is_declined_and_the_next_is_looked_at() {
    for parameter in INVALID {
        let offer = format!("permessage-deflate; {parameter}");
        assert_eq!(agreed(ANY, &offer), None, "{parameter}");
        let (answer, _) = serve(Some(ANY), &[&offer, "permessage-deflate"]);
        assert_eq!(answer.as_deref(), Some("permessage-deflate"), "{parameter}");
    }
}

/// Covers T32.
#[test]
fn r7692_7_b_an_invalid_answer_fails_the_handshake() {
    let offers = [Deflate { client_max_window_bits: bits(15), ..ANY }, ANY, Deflate::new()];
    for parameter in INVALID {
        let answer = format!("permessage-deflate; {parameter}");
        let verdict = judge(&offers, &[&answer]);
        assert_eq!(verdict, Err(HandshakeError::InvalidParameters), "{parameter}");
    }
    // The grammar has no empty value.
    let verdict = judge(&offers, &["permessage-deflate; server_max_window_bits=\"\""]);
    assert_eq!(verdict, Err(HandshakeError::InvalidExtensions));
    let verdict = judge(&offers, &["permessage-deflate; server_max_window_bits="]);
    assert_eq!(verdict, Err(HandshakeError::InvalidExtensions));
    // Annex A 19: in an answer, the client's window has a value.
    let verdict = judge(&offers, &["permessage-deflate; client_max_window_bits"]);
    assert_eq!(verdict, Err(HandshakeError::InvalidParameters));
}

#[test]
fn r7692_7_1_2_a_window_bits_are_8_to_15_in_decimal() {
    for number in 8..=15 {
        for form in [format!("{number}"), format!("\"{number}\"")] {
            let offer = format!("permessage-deflate; server_max_window_bits={form}");
            let answer = format!("permessage-deflate; server_max_window_bits={number}");
            let deflate = Deflate { server_max_window_bits: bits(number), ..ANY };
            assert_eq!(agreed(ANY, &offer), Some((answer, deflate)));
            assert_eq!(judge(&[ANY], &[&offer]), Ok(Some(deflate)));
        }
        assert_eq!(WindowBits::new(number).map(WindowBits::get), Some(number));
        assert_eq!(WindowBits::new(number).map(WindowBits::bytes), Some(1 << number));
    }
    assert_eq!([0, 7, 16, 255].map(WindowBits::new), [None; 4]);
    assert_eq!((WindowBits::MIN.get(), WindowBits::MAX.get()), (8, 15));
    assert_eq!(WindowBits::try_from(12), Ok(bits(12).unwrap()));
    let error = WindowBits::try_from(7).unwrap_err();
    assert_eq!(error, u8::try_from(256).unwrap_err());
}

#[test]
fn r7692_7_1_2_b_the_window_of_the_server_is_as_offered_or_smaller() {
    for (wanted, offered, said) in [
        (None, None, None),
        (None, Some(10), Some(10)),
        (None, Some(15), Some(15)),
        (Some(9), Some(10), Some(9)),
        (Some(12), Some(10), Some(10)),
        (Some(12), None, Some(12)),
        (Some(15), None, Some(15)),
        (Some(15), Some(8), Some(8)),
    ] {
        let parameter = |number: Option<u8>| {
            number.map_or(String::new(), |n| format!("; server_max_window_bits={n}"))
        };
        let wanted = Deflate { server_max_window_bits: wanted.and_then(WindowBits::new), ..ANY };
        let offer = format!("permessage-deflate{}", parameter(offered));
        let answer = format!("permessage-deflate{}", parameter(said));
        let deflate = Deflate { server_max_window_bits: said.and_then(WindowBits::new), ..ANY };
        assert_eq!(agreed(wanted, &offer), Some((answer, deflate)));
    }

    let ten = [Deflate { server_max_window_bits: bits(10), ..ANY }];
    let nine = Deflate { server_max_window_bits: bits(9), ..ANY };
    let invalid = Err(HandshakeError::InvalidParameters);
    assert_eq!(judge(&ten, &["permessage-deflate; server_max_window_bits=9"]), Ok(Some(nine)));
    assert_eq!(judge(&ten, &["permessage-deflate; server_max_window_bits=10"]), Ok(Some(ten[0])));
    assert_eq!(judge(&ten, &["permessage-deflate; server_max_window_bits=11"]), invalid);
    assert_eq!(judge(&ten, &["permessage-deflate"]), invalid);
    assert_eq!(judge(&[ANY], &["permessage-deflate; server_max_window_bits=9"]), Ok(Some(nine)));
}

#[test]
fn r7692_7_1_2_c_the_window_of_the_client_is_limited_only_if_it_offered_that() {
    for (wanted, offer, said) in [
        (None, "", Some("")),
        (None, "; client_max_window_bits", Some("")),
        (None, "; client_max_window_bits=10", Some("; client_max_window_bits=10")),
        (Some(15), "; client_max_window_bits", Some("")),
        (Some(12), "; client_max_window_bits", Some("; client_max_window_bits=12")),
        (Some(12), "; client_max_window_bits=10", Some("; client_max_window_bits=10")),
        (Some(12), "; client_max_window_bits=13", Some("; client_max_window_bits=12")),
        (Some(12), "", None),
        (Some(15), "", Some("")),
    ] {
        let wanted = Deflate { client_max_window_bits: wanted.and_then(WindowBits::new), ..ANY };
        let answer = agreed(wanted, &format!("permessage-deflate{offer}"));
        let said = said.map(|said| format!("permessage-deflate{said}"));
        assert_eq!(answer.map(|(answer, _)| answer), said, "{wanted:?} {offer}");
    }

    let invalid = Err(HandshakeError::InvalidParameters);
    let with = |number| Deflate { client_max_window_bits: number, ..ANY };
    let says = |number: u8| format!("permessage-deflate; client_max_window_bits={number}");
    assert_eq!(judge(&[ANY], &[&says(15)]), invalid);
    assert_eq!(judge(&[ANY], &[&says(8)]), invalid);
    assert_eq!(judge(&[with(bits(10))], &[&says(11)]), invalid);
    assert_eq!(judge(&[with(bits(10))], &[&says(10)]), Ok(Some(with(bits(10)))));
    assert_eq!(judge(&[with(bits(15))], &[&says(9)]), Ok(Some(with(bits(9)))));
    // A client that offered a limit keeps it, even if the answer does not repeat it.
    assert_eq!(judge(&[with(bits(10))], &["permessage-deflate"]), Ok(Some(with(bits(10)))));
    assert_eq!(judge(&[with(bits(15))], &["permessage-deflate"]), Ok(Some(ANY)));
    let bare = "permessage-deflate; client_max_window_bits";
    assert_eq!(written(&[with(bits(15))]).as_deref(), Some(bare));
    assert_eq!(written(&[with(bits(8))]).as_deref(), Some(&*says(8)));
}

/// Covers R7692-7.1.1-b, R7692-7.1.1-c.
#[test]
fn r7692_7_1_1_a_context_takeover_of_each_side_is_negotiated() {
    let flags = |server, client| Deflate {
        server_no_context_takeover: server,
        client_no_context_takeover: client,
        ..ANY
    };
    let text = |server, client| {
        let server = if server { "; server_no_context_takeover" } else { "" };
        let client = if client { "; client_no_context_takeover" } else { "" };
        format!("permessage-deflate{server}{client}")
    };
    let all = [(false, false), (false, true), (true, false), (true, true)];
    for (server, client) in all {
        for (server_asked, client_hints) in all {
            // The server does what the client asks for, and may add restrictions of its own.
            let agreed = agreed(flags(server, client), &text(server_asked, client_hints));
            let (s, c) = (server || server_asked, client || client_hints);
            assert_eq!(agreed, Some((text(s, c), flags(s, c))));

            // The server has to confirm what the client asked for. The client keeps the
            // restrictions of the answer and of its offer.
            let verdict = judge(&[flags(server_asked, client_hints)], &[&text(server, client)]);
            let expected = if server_asked && !server {
                Err(HandshakeError::InvalidParameters)
            } else {
                Ok(Some(flags(server, client || client_hints)))
            };
            assert_eq!(verdict, expected);
        }
        assert_eq!(written(&[flags(server, client)]), Some(text(server, client)));
    }
}

/// Covers R7692-7.1.2-c.
#[test]
fn r7692_7_1_1_c_an_answer_to_either_offer_holds_the_client_to_both() {
    let loose = Deflate { client_max_window_bits: bits(15), ..ANY };
    let tight = Deflate {
        client_no_context_takeover: true,
        client_max_window_bits: bits(9),
        server_max_window_bits: bits(9),
        ..ANY
    };
    for offers in [[loose, tight], [tight, loose]] {
        let verdict = judge(&offers, &["permessage-deflate; server_max_window_bits=9"]);
        assert_eq!(verdict, Ok(Some(tight)));
        // This answer matches the loose offer alone, because the tight one asked for a smaller
        // window.
        let alone = judge(&offers, &["permessage-deflate"]).unwrap().unwrap();
        assert!(!alone.client_no_context_takeover);
        assert_eq!(alone.server_max_window_bits, None);
    }
}

#[test]
fn the_longest_answer_has_room() {
    let wanted = Deflate {
        server_max_window_bits: bits(14),
        client_max_window_bits: bits(13),
        ..Deflate::new()
    };
    let (answer, deflate) = agreed(wanted, "permessage-deflate; client_max_window_bits").unwrap();
    assert_eq!(deflate, wanted);
    assert_eq!(
        answer,
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=14; client_max_window_bits=13"
    );
}

#[test]
fn a_server_and_a_client_of_this_crate_agree_on_the_same() {
    let windows = [None, bits(8), bits(12), bits(15)];
    let mut ways = Vec::new();
    for server_max_window_bits in windows {
        for client_max_window_bits in windows {
            for flags in 0..4 {
                ways.push(Deflate {
                    server_no_context_takeover: flags & 1 != 0,
                    client_no_context_takeover: flags & 2 != 0,
                    server_max_window_bits,
                    client_max_window_bits,
                });
            }
        }
    }
    let window = |bits: Option<WindowBits>| bits.unwrap_or(WindowBits::MAX);
    let mut declined = 0;
    for wanted in &ways {
        for offer in &ways {
            let (answer, at_server) = serve(Some(*wanted), &[&written(&[*offer]).unwrap()]);
            let Some((answer, at_server)) = answer.zip(at_server) else {
                assert!(offer.client_max_window_bits.is_none());
                assert!(window(wanted.client_max_window_bits) < WindowBits::MAX);
                declined += 1;
                continue;
            };
            let at_client = judge(&[*offer], &[&answer]).expect("valid").expect("agreed");
            let facts = |deflate: Deflate| {
                (
                    deflate.server_no_context_takeover,
                    deflate.client_no_context_takeover,
                    window(deflate.server_max_window_bits),
                    window(deflate.client_max_window_bits),
                )
            };
            assert_eq!(facts(at_server), facts(at_client), "{wanted:?} {offer:?}");
            for held in [wanted, offer] {
                assert!(
                    window(at_client.server_max_window_bits) <= window(held.server_max_window_bits)
                );
                assert!(
                    window(at_client.client_max_window_bits) <= window(held.client_max_window_bits)
                );
                assert!(at_client.server_no_context_takeover >= held.server_no_context_takeover);
                assert!(at_client.client_no_context_takeover >= held.client_no_context_takeover);
            }
        }
    }
    assert_eq!(declined, 2 * 16 * 16);
}

const PROTOCOL: &str = "sec-websocket-protocol";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// Returns what a server reads in these lines of a field: its subprotocols, its extensions, and the
/// lines of the response. The result is the same over HTTP/1.1, in bytes and in parts, and over
/// HTTP/2.
fn asked(name: &str, lines: &[String]) -> Result<[Vec<String>; 3], HandshakeError> {
    fn shown<'h>(request: &Request<'h, impl Fields<'h>>) -> [Vec<String>; 3] {
        let accept = AcceptOptions::new().deflate(ANY);
        let response = request.response(&accept).expect("nothing forbidden");
        let headers = response.headers().filter(|(name, _)| name.eq_ignore_ascii_case(EXTENSIONS));
        [
            request.subprotocols().map(str::to_owned).collect(),
            request.extensions().map(|extension| extension.name().to_owned()).collect(),
            headers.map(|(_, value)| value.to_owned()).collect(),
        ]
    }
    let offered = lines.iter().map(|line| (name, &**line));
    let mut fields = vec![
        ("host", "h"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];
    fields.extend(offered.clone());
    let pairs = || fields.iter().map(|(name, value)| (name, value));
    let parts = Request::upgrade("GET", (1, 1), "/", pairs()).map(|request| shown(&request));

    let mut head = String::from("GET / HTTP/1.1\r\n");
    for (name, value) in &fields {
        head += &format!("{name}:{value}\r\n");
    }
    let mut head = (head + "\r\n").into_bytes();
    let bytes = ServerHandshake::new().receive(&mut &mut head[..]);
    assert_eq!(bytes.map(|request| shown(&request.expect("whole"))), parts, "{head:?}");

    let mut fields = vec![("sec-websocket-version", "13")];
    fields.extend(offered);
    let fields = fields.iter().map(|(name, value)| (name, value));
    let pseudo = PseudoHeaders::new("CONNECT")
        .protocol("websocket")
        .scheme("https")
        .authority("h")
        .path("/");
    assert_eq!(Request::connect(pseudo, fields).map(|request| shown(&request)), parts);
    parts
}

/// Returns what a client that offered the subprotocols `a` and `b` and compression reads in these
/// lines of a field: the subprotocol, the number of extensions, and the compression. The result is
/// the same over HTTP/1.1, in bytes and in parts, and over HTTP/2.
fn chosen(
    name: &str,
    lines: &[String],
) -> Result<(Option<String>, usize, Option<Deflate>), HandshakeError> {
    fn shown<'h>(
        response: Response<'h, impl Fields<'h>>,
    ) -> (Option<String>, usize, Option<Deflate>) {
        let Response::Accepted(response) = response else { panic!("an acceptance") };
        let subprotocol = response.subprotocol().map(str::to_owned);
        (subprotocol, response.extensions().count(), response.agreed().deflate)
    }
    let target = Target::parse("wss://h/").expect("valid");
    let offer = Offer::new().subprotocols(&["a", "b"]).deflate(&[ANY]);
    let nonce = *b"the sample nonce";
    let said: Vec<_> = lines.iter().map(|line| (name, &**line)).collect();

    let connect = ClientRequest::connect(&target, &offer, true).expect("valid");
    let fields = said.iter().map(|(name, value)| (name, value));
    let parts = connect.validate(200, (2, 0), fields).map(shown);

    let mut fields =
        vec![("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT)];
    fields.extend(said);
    let upgrade = ClientRequest::upgrade(&target, &offer, nonce).expect("valid");
    let pairs = fields.iter().map(|(name, value)| (name, value));
    assert_eq!(upgrade.validate(101, (1, 1), pairs).map(shown), parts);

    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in &fields {
        head += &format!("{name}:{value}\r\n");
    }
    let mut head = (head + "\r\n").into_bytes();
    let mut handshake =
        ClientHandshake::start(&target, &offer, nonce, &mut Vec::new()).expect("valid");
    let bytes =
        handshake.receive(&mut &mut head[..]).map(|response| shown(response.expect("whole")));
    assert_eq!(bytes, parts);
    parts
}

#[test]
fn r6455_4_3_b_a_list_without_an_element_counts_as_absent() {
    let mut random = random();
    for _ in 0..500 {
        let mut line = || (0..random(7)).map(|_| [' ', '\t', ','][random(3)]).collect::<String>();
        let lines: Vec<_> = (0..4).map(|_| line()).collect();
        let lines = &lines[random(4)..];
        for name in [PROTOCOL, EXTENSIONS] {
            assert_eq!(asked(name, lines), Ok([const { Vec::new() }; 3]), "{name} {lines:?}");
            assert_eq!(chosen(name, lines), Ok((None, 0, None)), "{name} {lines:?}");
        }
    }
}

/// Covers R6455-11.3-b.
#[test]
fn r6455_4_3_b_empty_elements_change_nothing() {
    let mut random = random();
    for _ in 0..500 {
        let mut elements = Vec::new();
        let mut line = || {
            let mut line = String::new();
            for _ in 0..random(5) {
                line += [" ", "\t", ",", ",", "", " ,\t"][random(6)];
                if random(3) == 0 {
                    let element = ["a", "b", "c"][random(3)];
                    elements.push(element.to_owned());
                    line += &format!("{element},");
                }
            }
            line
        };
        let lines: Vec<_> = (0..3).map(|_| line()).collect();
        let seen = asked(PROTOCOL, &lines).expect("a list");
        assert_eq!(seen, [elements.clone(), vec![], vec![]], "{lines:?}");
        let seen = asked(EXTENSIONS, &lines).expect("a list");
        assert_eq!(seen, [vec![], elements.clone(), vec![]], "{lines:?}");
        // An acceptance names one subprotocol, so it has no list of them.
        if !elements.is_empty() {
            let verdict = chosen(PROTOCOL, &lines);
            assert!(matches!(verdict, Err(HandshakeError::InvalidSubprotocol(_))), "{lines:?}");
            let other = Err(HandshakeError::ExtensionNotOffered);
            assert_eq!(chosen(EXTENSIONS, &lines), other, "{lines:?}");
        }
    }
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    for (said, subprotocol) in [
        (&["a"][..], Ok("a")),
        (&[" b\t"], Ok("b")),
        (&["", "a"], Ok("a")),
        (&["a", ", ,", ""], Ok("a")),
        (&["a", "a"], Err(HandshakeError::InvalidSubprotocol(FieldFault::Repeated))),
        (&["a", "", "b"], Err(HandshakeError::InvalidSubprotocol(FieldFault::Repeated))),
        (&["a,"], Err(HandshakeError::InvalidSubprotocol(FieldFault::Malformed))),
        (&[",a"], Err(HandshakeError::InvalidSubprotocol(FieldFault::Malformed))),
        (&["a,,b"], Err(HandshakeError::InvalidSubprotocol(FieldFault::Malformed))),
        (&["c"], Err(HandshakeError::SubprotocolNotOffered)),
    ] {
        let seen = chosen(PROTOCOL, &lines(said));
        assert_eq!(seen, subprotocol.map(|name| (Some(name.to_owned()), 0, None)), "{said:?}");
    }
    let deflate = Some(ANY);
    for said in
        [&["permessage-deflate"][..], &[",", "permessage-deflate", ""], &[",permessage-deflate ,,"]]
    {
        assert_eq!(chosen(EXTENSIONS, &lines(said)), Ok((None, 1, deflate)), "{said:?}");
        let seen = asked(EXTENSIONS, &lines(said)).expect("an offer");
        assert_eq!(seen[2], ["permessage-deflate"], "{said:?}");
    }
}

#[test]
fn r6455_4_2_1_k_a_subprotocol_may_be_offered_twice() {
    for lines in [&["a, a"][..], &["a", "a"], &["a,", ",a,,"]] {
        let lines: Vec<_> = lines.iter().map(|&line| line.to_owned()).collect();
        let [subprotocols, ..] = asked(PROTOCOL, &lines).expect("one reading");
        assert_eq!(subprotocols, ["a", "a"], "{lines:?}");
    }
}

/// Returns a generator of numbers below the given one, the same in each run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    }
}
