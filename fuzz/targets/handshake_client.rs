//! Arbitrary bytes as a response: the same verdict whole and byte by byte, and nothing that was not
//! offered is ever accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websocket_proto::Deflate;
use websocket_proto::handshake::{ClientHandshake, Offer, Response, Target};

fuzz_target!(|bytes: &[u8]| {
    let target = Target::parse("ws://example.com/chat").unwrap();
    let ways = [Deflate::new()];
    let offer = Offer::new().subprotocols(&["chat", "superchat"]).deflate(&ways);
    let mut out = Vec::new();
    let mut start =
        || ClientHandshake::<64>::start(&target, &offer, *b"the sample nonce", &mut out).unwrap();
    let show = |response: Option<Response<'_>>| {
        response.map(|response| {
            if let Response::Accepted(accepted) = &response {
                assert!(matches!(accepted.subprotocol(), None | Some("chat" | "superchat")));
                let agreed = accepted.agreed().deflate;
                assert_eq!(accepted.extensions().count(), agreed.iter().count());
            }
            format!("{response:?}")
        })
    };
    let (mut whole, mut bytewise) = (bytes.to_vec(), start());
    let verdict = start().receive(&mut &mut whole[..]).map(show);
    for end in 1..=bytes.len() {
        let mut front = bytes[..end].to_vec();
        let result = bytewise.receive(&mut &mut front[..]).map(show);
        if end == bytes.len() || result != Ok(None) {
            assert_eq!(result, verdict);
            break;
        }
    }
});
