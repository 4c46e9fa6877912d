//! Header fields that another stack parsed. A request gives the same result as the same head in
//! bytes, if these form a head. The answer to a CONNECT has names in lower case. A response never
//! sets a subprotocol or an extension that was not offered.
#![no_main]

use std::fmt::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use websocket_proto::Deflate;
use websocket_proto::handshake::HandshakeError::{
    ControlByte, HeadTooLarge, MalformedHeader, TooManyHeaders,
};
use websocket_proto::handshake::{
    AcceptOptions, AcceptResponse, ClientRequest, Offer, PseudoHeaders, Request, Response,
    ServerHandshake, Target,
};

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Host,
    Upgrade,
    Connection,
    Key,
    Accept,
    Version,
    Protocol,
    Extensions,
    Origin,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Usual,
    Deflate(u8, bool),
    Any(&'a str),
}

fn field((name, value): &(Name<'_>, Value<'_>)) -> (String, String) {
    let (name, usual) = match name {
        Name::Host => ("host", "h"),
        Name::Upgrade => ("upgrade", "websocket"),
        Name::Connection => ("connection", "Upgrade"),
        Name::Key => ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Name::Accept => ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        Name::Version => ("sec-websocket-version", "13"),
        Name::Protocol => ("sec-websocket-protocol", "chat, superchat"),
        Name::Extensions => ("sec-websocket-extensions", "permessage-deflate"),
        Name::Origin => ("origin", "http://h"),
        Name::Other(name) => (*name, "x"),
    };
    let value = match value {
        Value::Usual => usual.to_owned(),
        Value::Deflate(bits, server) => {
            let side = if *server { "server" } else { "client" };
            format!("permessage-deflate; {side}_max_window_bits={bits}")
        }
        Value::Any(value) => (*value).to_owned(),
    };
    (name.to_owned(), value)
}

fuzz_target!(|fields: Vec<(Name<'_>, Value<'_>)>| {
    let fields: Vec<_> = fields.iter().map(field).collect();
    let lines = || fields.iter().map(|(name, value)| (name, value));
    let accept = AcceptOptions::new().deflate(Deflate::new());
    let summary = |answer: &AcceptResponse<'_>| {
        format!("{:?} {:?}", answer.agreed(), answer.headers().collect::<Vec<_>>())
    };

    let parts = Request::upgrade("GET", (1, 1), "/", lines()).map(|request| {
        let answer = request.response(&accept).unwrap();
        assert_eq!(answer.status(), 101);
        summary(&answer)
    });
    let mut head = String::from("GET / HTTP/1.1\r\n");
    for (name, value) in &fields {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let mut bytes = (head + "\r\n").into_bytes();
    let mut input = &mut bytes[..];
    // In bytes, a colon or a line break would end the name or the value early.
    let ends_early = |(name, value): &(String, String)| {
        name.contains([':', '\r', '\n']) || value.contains(['\r', '\n'])
    };
    if !fields.iter().any(ends_early) {
        match ServerHandshake::new().receive(&mut input) {
            Ok(request) => {
                let request = request.expect("the head is whole");
                assert!(input.is_empty());
                assert_eq!(request.headers().iter().count(), fields.len());
                assert_eq!(parts, Ok(summary(&request.response(&accept).unwrap())));
            }
            // The stack that parsed the fields has checked these rules.
            Err(ControlByte(_) | MalformedHeader | HeadTooLarge | TooManyHeaders) => {}
            Err(error) => assert_eq!(parts, Err(error)),
        }
    }

    let pseudo = PseudoHeaders::new("CONNECT")
        .protocol("websocket")
        .scheme("https")
        .authority("h")
        .path("/");
    if let Ok(request) = Request::connect(pseudo, lines()) {
        let answer = request.response(&accept).unwrap();
        assert!(answer.headers().all(|(name, _)| name == name.to_ascii_lowercase()));
    }

    let target = Target::parse("wss://h/").unwrap();
    let ways = [Deflate::new()];
    let offer = Offer::new().subprotocols(&["chat"]).deflate(&ways);
    let nonce = *b"the sample nonce";
    for (opening, status, version) in [
        (ClientRequest::upgrade(&target, &offer, nonce).unwrap(), 101, (1, 1)),
        (ClientRequest::connect(&target, &offer, true).unwrap(), 200, (2, 0)),
    ] {
        if let Ok(Response::Accepted(response)) = opening.validate(status, version, lines()) {
            assert!(matches!(response.subprotocol(), None | Some("chat")));
            assert_eq!(response.extensions().count(), response.agreed().deflate.iter().count());
        }
    }
});
