//! Arbitrary bytes as a request. However they are split, they give the same result and leave the
//! same bytes after the head, or all bytes if there is no request. Every accepted request gets a
//! 101.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websocket_proto::Deflate;
use websocket_proto::handshake::{AcceptOptions, Request, ServerHandshake};

fn show(request: &Request<'_>) -> String {
    let (mut out, _) = (Vec::new(), request.is_same_origin());
    request.extensions().for_each(|extension| extension.params().for_each(drop));
    let accept =
        request.subprotocols().fold(AcceptOptions::new(), |accept, name| accept.subprotocol(name));
    request.accept(&accept.deflate(Deflate::new()), &mut out).unwrap();
    assert!(out.starts_with(b"HTTP/1.1 101 ") && out.ends_with(b"\r\n\r\n"));
    format!("{request:?}")
}

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let receive = |handshake: &mut ServerHandshake, front: &[u8]| {
        let mut buffer = front.to_vec();
        let mut input = &mut buffer[..];
        let verdict = handshake.receive(&mut input).map(|request| request.as_ref().map(show));
        if !matches!(verdict, Ok(Some(_))) {
            assert_eq!(input, front);
        }
        (verdict, [input, &bytes[front.len()..]].concat())
    };
    let whole = receive(&mut ServerHandshake::new(), bytes);
    // The buffer grows and moves between calls.
    let mut handshake = ServerHandshake::new();
    for end in usize::from(cut).min(bytes.len())..=bytes.len() {
        let result = receive(&mut handshake, &bytes[..end]);
        if end == bytes.len() || result.0 != Ok(None) {
            assert_eq!(result, whole);
            break;
        }
    }
    if let (Err(error), _) = whole {
        error.respond(&mut Vec::new()).unwrap();
    }
});
