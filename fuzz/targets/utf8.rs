//! Text in any fragments and reads gives the result of the standard library, and invalid text fails
//! at its first impossible byte.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{frame, mask};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{Agreed, Config, Connection, Event, Server, Violation};

fuzz_target!(|input: (u8, Vec<&[u8]>)| {
    let (cut, fragments) = input;
    let text = fragments.concat();
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let (mut received, mut failed, mut fed, mut whole) = (String::new(), None, 0, false);
    for (at, fragment) in fragments.iter().enumerate() {
        let fin = if at + 1 == fragments.len() { 0x80 } else { 0x00 };
        let wire = mask(&frame(fin | if at == 0 { 0x01 } else { 0x00 }, fragment));
        let header = wire.len() - fragment.len();
        for (at, read) in wire.chunks(usize::from(cut).max(1)).enumerate() {
            let end = (at * usize::from(cut).max(1) + read.len()).saturating_sub(header);
            let mut buffer = read.to_vec();
            let mut input = &mut buffer[..];
            while let Some(event) = connection.receive(&mut input) {
                match event {
                    Event::Text(piece) => {
                        received += &piece;
                        whole = piece.is_last();
                    }
                    Event::Failed(failure) => {
                        assert_eq!(failure, Violation::InvalidUtf8.into());
                        failed.get_or_insert(fed + end);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        fed += fragment.len();
    }
    let verdict = std::str::from_utf8(&text);
    assert_eq!(whole, verdict.is_ok() && !fragments.is_empty());
    match verdict {
        Ok(text) => assert_eq!((received.as_str(), failed), (text, None)),
        Err(error) => {
            assert_eq!(received.as_bytes(), &text[..error.valid_up_to()]);
            let failed = failed.expect("a violation");
            // The first byte that no UTF-8 text can have at its position.
            let bad = (error.valid_up_to()..text.len())
                .find(|&at| {
                    let seen = std::str::from_utf8(&text[..=at]);
                    seen.is_err_and(|error| error.error_len().is_some())
                })
                .unwrap_or(text.len());
            // The failure comes with the read that brought this byte.
            assert!(failed <= bad + usize::from(cut).max(1), "{failed} {bad}");
        }
    }
});
