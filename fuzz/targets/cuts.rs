//! Any cut of the same bytes gives the same events and the same output.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{Keys, drive};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{Agreed, Client, Config, Connection, Deflate, Role, Server};

fn compare<R: Role>(role: fn() -> R, agreed: Agreed, bytes: &[u8], cuts: &[u8]) {
    let new = || Connection::new(role(), &Config::new().max_message(1000), agreed);
    let whole = drive(&mut new(), [bytes]);
    assert_eq!(whole, drive(&mut new(), bytes.chunks(1)));
    let (mut chunks, mut rest) = (Vec::new(), bytes);
    for cut in cuts {
        let (chunk, behind) = rest.split_at(usize::from(*cut).min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    assert_eq!(whole, drive(&mut new(), chunks));
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (cuts, bytes) = input;
    for compression in [false, true] {
        let agreed = Agreed { deflate: compression.then(Deflate::new) };
        compare(|| Server, agreed, bytes, cuts);
        compare(|| Client(Keys::default()), agreed, bytes, cuts);
    }
});
