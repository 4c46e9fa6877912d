//! Arbitrary bytes as a response. Received whole and byte by byte, they give the same result and
//! leave the same bytes after the head, or all bytes if there is no response. Only what was offered
//! is ever accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websocket_proto::Deflate;
use websocket_proto::handshake::{ClientHandshake, Offer, Response, Target};

fn show(response: &Response<'_>) -> String {
    if let Response::Accepted(accepted) = response {
        assert!(matches!(accepted.subprotocol(), None | Some("chat" | "superchat")));
        let agreed = accepted.agreed().deflate;
        assert_eq!(accepted.extensions().count(), agreed.iter().count());
    }
    format!("{response:?}")
}

fuzz_target!(|bytes: &[u8]| {
    let target = Target::parse("ws://example.com/chat").unwrap();
    let ways = [Deflate::new()];
    let offer = Offer::new().subprotocols(&["chat", "superchat"]).deflate(&ways);
    let mut out = Vec::new();
    let mut start =
        || ClientHandshake::<64>::start(&target, &offer, *b"the sample nonce", &mut out).unwrap();
    let receive = |handshake: &mut ClientHandshake<'_>, front: &[u8]| {
        let mut buffer = front.to_vec();
        let mut input = &mut buffer[..];
        let verdict = handshake.receive(&mut input).map(|response| response.as_ref().map(show));
        if !matches!(verdict, Ok(Some(_))) {
            assert_eq!(input, front);
        }
        (verdict, [input, &bytes[front.len()..]].concat())
    };
    let (whole, mut bytewise) = (receive(&mut start(), bytes), start());
    for end in 1..=bytes.len() {
        let result = receive(&mut bytewise, &bytes[..end]);
        if end == bytes.len() || result.0 != Ok(None) {
            assert_eq!(result, whole);
            break;
        }
    }
});
