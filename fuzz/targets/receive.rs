//! Arbitrary bytes into both roles: every call makes progress, and no event follows the last one.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::Keys;
use libfuzzer_sys::fuzz_target;
use websocket_proto::{Agreed, Client, Config, Connection, Deflate, Event, Role, Server, State};

fn receive<R: Role>(role: R, agreed: Agreed, bytes: &[u8]) {
    let mut connection = Connection::new(role, &Config::new().max_message(1000), agreed);
    let (mut bytes, mut out) = (bytes.to_vec(), Vec::new());
    let mut input = &mut bytes[..];
    let (mut before, mut over) = (input.len(), false);
    while let Some(event) = connection.receive(&mut input) {
        let failed = matches!(event, Event::Failed(_));
        assert!(!over && (input.len() < before || failed));
        (before, over) = (input.len(), failed || matches!(event, Event::Close(_)));
        connection.transmit(&mut out).unwrap();
        assert!(!connection.wants_transmit());
    }
    assert!(input.is_empty());
    assert_eq!(over, connection.state() == State::Closing);
}

fuzz_target!(|bytes: &[u8]| {
    for compression in [false, true] {
        let mut agreed = Agreed::new();
        agreed.deflate = compression.then(Deflate::new);
        receive(Server, agreed, bytes);
        receive(Client(Keys::default()), agreed, bytes);
    }
});
