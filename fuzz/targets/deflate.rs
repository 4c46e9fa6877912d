//! Arbitrary bytes as compressed messages: every way to receive them gives the same, and a naive
//! inflater agrees.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::deflate::{Mode, drive_inflated};
use common::{Keys, frame, inflate::inflate, show};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{Agreed, Client, Config, Connection, Deflate, ZlibDecompress};

fuzz_target!(|input: (bool, u8, Vec<Vec<&[u8]>>)| {
    let (takeover, cut, messages) = input;
    let deflate = Deflate { server_no_context_takeover: !takeover, ..Deflate::new() };
    let agreed = Agreed { deflate: Some(deflate) };
    let (mut wire, mut window, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for fragments in messages.iter().filter(|fragments| !fragments.is_empty()) {
        for (at, fragment) in fragments.iter().enumerate() {
            let fin = if at + 1 == fragments.len() { 0x80 } else { 0x00 };
            wire.extend(frame(fin | if at == 0 { 0x42 } else { 0x00 }, fragment));
        }
        let mut payload = fragments.concat();
        if !payload.is_empty() && !payload.ends_with(&[0, 0, 0xFF, 0xFF]) {
            payload.extend([0, 0, 0xFF, 0xFF]);
        }
        if !takeover {
            window.clear();
        }
        let start = window.len();
        let valid = inflate(&payload, &mut window).is_some();
        if window.len() - start > 1 << 20 {
            expected.push("failed MessageTooBig".to_owned());
        } else if valid {
            expected.push(format!("binary <{}>", show(&window[start..])));
            continue;
        } else {
            expected.push("failed InvalidPayload".to_owned());
        }
        break;
    }
    for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
        if mode == Mode::Shared && takeover {
            continue;
        }
        for size in [usize::from(cut).max(1), wire.len().max(1)] {
            let config = Config::new().max_message(1 << 20);
            let mut client = Connection::new(Client(Keys::default()), &config, agreed);
            let codec = ZlibDecompress::new();
            let outcome = drive_inflated(&mut client, mode, codec, wire.chunks(size));
            assert_eq!(outcome.events, expected, "{mode:?}, reads of {size}");
        }
    }
});
