//! Each side receives exactly what the other sends, for any operations and any split of the wire.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use arbitrary::Arbitrary;
use common::{Canonical, Keys, drive, show, show_close};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Data, Role, Server,
};

#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    Text(&'a str, bool),
    Binary(&'a [u8], bool),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    Close(u16, &'a str),
}

/// Sends what can be sent. Returns the bytes, and the events that the other side has to see.
fn send<R: Role>(role: R, operations: &[Operation<'_>]) -> (Vec<u8>, Vec<String>) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let (mut out, mut expected, mut sent) = (Vec::new(), Canonical::default(), 0);
    for operation in operations {
        let before = out.len();
        let mut fragment = |what, data: Data<'_>, last| {
            connection.send_fragment(data, last, &mut out)?;
            let (bytes, first) = (data.as_bytes(), sent == 0);
            if last || !bytes.is_empty() {
                expected.piece(what, bytes, first, last);
            }
            sent = if last { 0 } else { sent + bytes.len() };
            Ok(())
        };
        let result = match operation {
            Operation::Text(text, last) => fragment("text", Data::Text(text), *last),
            Operation::Binary(data, last) => fragment("binary", Data::Binary(data), *last),
            Operation::Ping(payload) => connection
                .ping(payload, &mut out)
                .map(|()| expected.line(format!("ping {}", show(payload)))),
            Operation::Pong(payload) => connection
                .pong(payload, &mut out)
                .map(|()| expected.line(format!("pong {}", show(payload)))),
            Operation::Close(code, reason) => {
                let close = CloseCode::new(*code).map(|code| CloseFrame::truncated(code, reason));
                connection.close(close.as_ref(), &mut out).map(|()| {
                    expected.line(show_close(close.as_ref()));
                })
            }
        };
        assert_eq!(result.is_ok(), out.len() > before);
        if matches!((operation, result), (Operation::Close(..), Ok(()))) {
            break; // a Pong may follow, which the other side ignores
        }
    }
    (out, expected.finish())
}

fn check<R: Role, S: Role>(from: R, to: S, operations: &[Operation<'_>], cut: u8) {
    let (wire, expected) = send(from, operations);
    let chunks = wire.chunks(usize::from(cut).max(1));
    let mut receiver = Connection::new(to, &Config::new(), Agreed::new());
    assert_eq!(drive(&mut receiver, chunks).events, expected);
}

fuzz_target!(|input: (u8, Vec<Operation<'_>>)| {
    let (cut, operations) = input;
    check(Client(Keys::default()), Server, &operations, cut);
    check(Server, Client(Keys::default()), &operations, cut);
});
