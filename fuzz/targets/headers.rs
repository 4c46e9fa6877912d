//! Header fields of another stack: the verdict is that on the same head in bytes, and what is
//! agreed follows from what was offered.
#![no_main]

use std::fmt::Write;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use websocket_proto::Deflate;
use websocket_proto::handshake::{
    Accept, Answer, Offer, Opening, PseudoHeaders, Request, Response, ServerHandshake, Target,
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
    let accept = Accept::new().deflate(Deflate::new());
    let summary = |answer: &Answer<'_>| {
        format!("{:?} {:?}", answer.agreed(), answer.headers().collect::<Vec<_>>())
    };

    let parts = Request::upgrade("GET", (1, 1), "/", lines()).map(|request| {
        let answer = request.answer(&accept).unwrap();
        assert_eq!(answer.status(), 101);
        summary(&answer)
    });
    let mut head = String::from("GET / HTTP/1.1\r\n");
    for (name, value) in &fields {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let mut bytes = (head + "\r\n").into_bytes();
    let mut input = &mut bytes[..];
    // What is no header line was never parsed by another stack either.
    if let Ok(Some(request)) = ServerHandshake::new().receive(&mut input) {
        if input.is_empty() && request.headers().iter().count() == fields.len() {
            let answer = request.answer(&accept).unwrap();
            assert_eq!(parts, Ok(summary(&answer)));
        }
    }

    let pseudo = PseudoHeaders {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("h"),
        path: Some("/"),
    };
    if let Ok(request) = Request::connect(pseudo, lines()) {
        let answer = request.answer(&accept).unwrap();
        assert!(answer.headers().all(|(name, _)| name == name.to_ascii_lowercase()));
    }

    let target = Target::parse("wss://h/").unwrap();
    let ways = [Deflate::new()];
    let offer = Offer::new().subprotocols(&["chat"]).deflate(&ways);
    let nonce = *b"the sample nonce";
    for (opening, status, version) in [
        (Opening::upgrade(&target, &offer, nonce).unwrap(), 101, (1, 1)),
        (Opening::connect(&target, &offer, true).unwrap(), 200, (2, 0)),
    ] {
        if let Ok(Response::Accepted(response)) = opening.judge(status, version, lines()) {
            assert!(matches!(response.subprotocol(), None | Some("chat")));
            assert_eq!(response.extensions().count(), response.agreed().deflate.iter().count());
        }
    }
});
