//! An endpoint, and the core driven by hand as an endpoint should drive it.

use websocket_proto::{
    Agreed, Client, Config, Connection, Message, Messages, Role, Server,
    endpoint::{Endpoint, Incoming, Options},
};

use super::{Keys, frame, mask, name, show, show_close, unmask};

/// What came of some input: the events, and the output.
pub type Outcome = (Vec<String>, Vec<u8>);

/// Sends so much that only the answer to an event can be sent. That can be [`block`].
pub fn fill<R: Role>(ws: &mut Endpoint<R>, length: usize) {
    ws.binary(&vec![7; length]).unwrap();
    let pong = frame(0x8A, b"");
    let mut read = if R::CLIENT { pong } else { mask(&pong) };
    assert!(matches!(ws.receive(&mut &mut read[..]), Some((Incoming::Pong(_), _))));
    assert!(ws.wants_read());
}

/// Sends so long an answer after [`fill`] that nothing is received.
pub fn block<R: Role>(ws: &mut Endpoint<R>, length: usize) {
    ws.binary(&vec![7; length]).unwrap();
    assert!(!ws.wants_read());
}

/// A line for a message; `None` for an event of the handshake.
pub fn describe(incoming: &Incoming<'_>) -> Option<String> {
    Some(match incoming {
        Incoming::Text(text) => format!("text {text}"),
        Incoming::Binary(data) => format!("binary {}", show(data)),
        Incoming::Ping(payload) => format!("ping {}", show(payload)),
        Incoming::Pong(payload) => format!("pong {}", show(payload)),
        Incoming::Close(close) => show_close(close.as_ref()),
        Incoming::Failed(failure) => format!("failed {}", name(*failure)),
        _ => return None,
    })
}

/// The same for what `Messages` returns.
pub fn describe_message(message: &Message<'_>) -> String {
    let incoming = match *message {
        Message::Text(text) => Incoming::Text(text),
        Message::Binary(data) => Incoming::Binary(data),
        Message::Ping(payload) => Incoming::Ping(payload),
        Message::Pong(payload) => Incoming::Pong(payload),
        Message::Close(close) => Incoming::Close(close),
        Message::Failed(failure) => Incoming::Failed(failure),
        ref other => panic!("unknown message {other:?}"),
    };
    describe(&incoming).expect("a message")
}

/// Receives all of `input`, and returns a line for each event.
pub fn receive<R: Role>(ws: &mut Endpoint<R>, input: &[u8]) -> Vec<String> {
    let (mut events, mut buffer) = (Vec::new(), input.to_vec());
    let mut input = &mut buffer[..];
    while let Some((incoming, _)) = ws.receive(&mut input) {
        events.extend(describe(&incoming));
    }
    assert!(input.is_empty(), "`None` means that the input is empty");
    events
}

fn endpoint<R: Role>(role: R, config: &Config, chunks: &[&[u8]]) -> Outcome {
    let mut ws = Endpoint::open(role, Agreed::new(), &Options::new().config(*config)).unwrap();
    let events = chunks.iter().flat_map(|chunk| receive(&mut ws, chunk)).collect();
    (events, ws.output().to_vec())
}

fn core<R: Role>(role: R, config: &Config, chunks: &[&[u8]]) -> Outcome {
    let mut connection = Connection::new(role, config, Agreed::new());
    let (mut messages, mut events, mut out) = (Messages::new(), Vec::new(), Vec::new());
    for chunk in chunks {
        let mut buffer = chunk.to_vec();
        let mut input = &mut buffer[..];
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            events.push(describe_message(&message));
            connection.transmit(&mut out).expect("a vector has room");
        }
    }
    (events, out)
}

/// Checks that an endpoint gives the same events and the same output as the core driven by hand.
pub fn check(client: bool, config: &Config, chunks: &[&[u8]]) {
    let (got, expected) = if client {
        let role = || Client(Keys::default());
        let (got, expected) = (endpoint(role(), config, chunks), core(role(), config, chunks));
        ((got.0, unmask(&got.1)), (expected.0, unmask(&expected.1)))
    } else {
        (endpoint(Server, config, chunks), core(Server, config, chunks))
    };
    assert_eq!(got, expected, "{chunks:02X?}");
}
