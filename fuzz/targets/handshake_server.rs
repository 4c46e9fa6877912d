//! Arbitrary bytes as a request: the same verdict at any cut, and whatever is accepted gets a 101.
#![no_main]

use libfuzzer_sys::fuzz_target;
use websocket_proto::Deflate;
use websocket_proto::handshake::{Accept, ServerHandshake};

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let mut whole = bytes.to_vec();
    let verdict = ServerHandshake::new().receive(&mut &mut whole[..]).map(|request| {
        request.map(|request| {
            let (mut out, _) = (Vec::new(), request.is_same_origin());
            request.extensions().for_each(|extension| extension.params().for_each(drop));
            let accept =
                request.subprotocols().fold(Accept::new(), |accept, name| accept.subprotocol(name));
            let accept = accept.deflate(Deflate::new());
            request.accept(&accept, &mut out).unwrap();
            assert!(out.starts_with(b"HTTP/1.1 101 ") && out.ends_with(b"\r\n\r\n"));
            format!("{request:?}")
        })
    });
    // A buffer that grows, and moves as it does.
    let mut handshake = ServerHandshake::new();
    for end in usize::from(cut).min(bytes.len())..=bytes.len() {
        let mut front = bytes[..end].to_vec();
        let result = handshake.receive(&mut &mut front[..]);
        if end == bytes.len() || !matches!(result, Ok(None)) {
            assert_eq!(
                result.map(|request| request.map(|request| format!("{request:?}"))),
                verdict
            );
            break;
        }
    }
    if let Err(error) = verdict {
        error.answer(&mut Vec::new()).unwrap();
    }
});
