//! A client and a server of this crate in memory, from the first byte of the handshake to the end
//! of the transport, over a wire that splits anywhere.

use crate::common::Keys;
use websocket_proto::handshake::{
    AcceptOptions, ClientHandshake, FieldFault, HandshakeError, Offer, Response, ServerHandshake,
    Target,
};
use websocket_proto::{
    Client, CloseCode, CloseFrame, Config, Connection, Data, Message, Messages, NextStep, Role,
    Server, State,
};

/// One side: its connection, the messages it received, and its bytes on the wire.
struct Side<R> {
    connection: Connection<R>,
    messages: Messages<'static>,
    received: Vec<String>,
    wire: Vec<u8>,
}

impl<R: Role> Side<R> {
    fn new(connection: Connection<R>) -> Self {
        Side { connection, messages: Messages::new(), received: Vec::new(), wire: Vec::new() }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        let mut input = &mut buffer[..];
        while let Some(message) = self.messages.receive(&mut self.connection, &mut input) {
            self.received.push(match &message {
                Message::Text(text) => format!("text {}", text.len()),
                Message::Binary(data) => format!("binary {}", data.len()),
                other => format!("{other:?}"),
            });
            self.connection.transmit(&mut self.wire).unwrap();
        }
    }
}

struct Pair {
    client: Side<Client<Keys>>,
    server: Side<Server>,
}

impl Pair {
    /// Opens a connection, with heads and frames split into reads of `cut` bytes.
    fn open(cut: usize) -> Self {
        let target = Target::parse("ws://example.com/chat?room=1").unwrap();
        let offer = Offer::new().subprotocols(&["superchat", "chat"]);
        let (mut request, mut response) = (Vec::new(), Vec::new());
        let mut client_handshake: ClientHandshake<'_> =
            ClientHandshake::start(&target, &offer, *b"the sample nonce", &mut request).unwrap();

        let mut server_handshake = ServerHandshake::new();
        let agreed = (cut..)
            .step_by(cut)
            .find_map(|end| {
                let mut head = request[..end.min(request.len())].to_vec();
                let mut input = &mut head[..];
                let request = server_handshake.receive(&mut input).unwrap()?;
                assert_eq!(request.resource().to_string(), "/chat?room=1");
                assert!(input.is_empty());
                Some(
                    request
                        .accept(&AcceptOptions::new().subprotocol("chat"), &mut response)
                        .unwrap(),
                )
            })
            .unwrap();
        let server = Connection::new(Server, &Config::new(), agreed);

        let agreed = (cut..)
            .step_by(cut)
            .find_map(|end| {
                let mut head = response[..end.min(response.len())].to_vec();
                match client_handshake.receive(&mut &mut head[..]).unwrap()? {
                    Response::Accepted(accepted) => {
                        assert_eq!(accepted.subprotocol(), Some("chat"));
                        Some(accepted.agreed())
                    }
                    Response::Refused(refused) => panic!("refused with {}", refused.status()),
                }
            })
            .unwrap();
        let client = Connection::new(Client(Keys::default()), &Config::new(), agreed);
        Pair { client: Side::new(client), server: Side::new(server) }
    }

    /// Delivers the bytes on the wire, in pieces of `cut` bytes, until there are none.
    fn exchange(&mut self, cut: usize) {
        while !self.client.wire.is_empty() || !self.server.wire.is_empty() {
            let wire = std::mem::take(&mut self.client.wire);
            wire.chunks(cut).for_each(|bytes| self.server.receive(bytes));
            let wire = std::mem::take(&mut self.server.wire);
            wire.chunks(cut).for_each(|bytes| self.client.receive(bytes));
        }
    }
}

#[test]
fn a_conversation_over_a_wire_that_cuts() {
    for cut in [1, 2, 3, 7, 64, 5000, 1 << 20] {
        let mut pair = Pair::open(cut);
        let (client, server) = (&mut pair.client, &mut pair.server);
        client.connection.send_text(&"é".repeat(3000), &mut client.wire).unwrap();
        client.connection.ping(b"are you there", &mut client.wire).unwrap();
        server.connection.send_fragment(Data::Text("a"), false, &mut server.wire).unwrap();
        server.connection.ping(b"and you", &mut server.wire).unwrap();
        server.connection.send_fragment(Data::Text("b"), true, &mut server.wire).unwrap();
        server.connection.send_binary(&[0; 70_000], &mut server.wire).unwrap();
        pair.exchange(cut);
        let shown = |bytes: &[u8]| format!("{bytes:?}");
        let ping = format!("Ping({})", shown(b"are you there"));
        let pong = format!("Pong({})", shown(b"and you"));
        assert_eq!(pair.server.received, ["text 6000".to_owned(), ping, pong], "cut {cut}");
        let ping = format!("Ping({})", shown(b"and you"));
        let pong = format!("Pong({})", shown(b"are you there"));
        let expected = [ping, "text 2".to_owned(), "binary 70000".to_owned(), pong];
        assert_eq!(pair.client.received, expected, "cut {cut}");
    }
}

#[test]
fn r6455_7_1_4_a_both_sides_close_cleanly_and_the_server_ends_the_transport_first() {
    for client_closes in [true, false] {
        let mut pair = Pair::open(100);
        let close = CloseFrame::new(CloseCode::GOING_AWAY, "bye").unwrap();
        if client_closes {
            pair.client.connection.close(Some(&close), &mut pair.client.wire).unwrap();
        } else {
            pair.server.connection.close(Some(&close), &mut pair.server.wire).unwrap();
        }
        pair.exchange(1);
        assert_eq!(pair.server.connection.next_step(), NextStep::ShutdownWrite);
        assert_eq!(pair.client.connection.next_step(), NextStep::AwaitEof);
        pair.client.connection.receive_eof();
        assert_eq!(pair.client.connection.next_step(), NextStep::Drop);
        pair.server.connection.receive_eof();
        assert_eq!(pair.server.connection.next_step(), NextStep::Drop);
        for closure in [pair.client.connection.closure(), pair.server.connection.closure()] {
            let closure = closure.unwrap();
            assert_eq!((closure.clean, closure.code, closure.sent), (true, 1001, Some(1001)));
        }
    }
}

#[test]
fn r6455_5_5_1_k_closes_that_cross_complete_the_handshake() {
    let mut pair = Pair::open(100);
    let (client, server) = (&mut pair.client, &mut pair.server);
    let going = CloseFrame::new(CloseCode::GOING_AWAY, "").unwrap();
    let normal = CloseFrame::new(CloseCode::NORMAL, "").unwrap();
    client.connection.close(Some(&going), &mut client.wire).unwrap();
    server.connection.close(Some(&normal), &mut server.wire).unwrap();
    let sent = (client.wire.len(), server.wire.len());
    pair.exchange(1);
    assert_eq!(sent, (8, 4));
    assert_eq!(pair.server.received.len() + pair.client.received.len(), 2);
    pair.client.connection.receive_eof();
    let closure = pair.client.connection.closure().unwrap();
    assert_eq!((closure.clean, closure.code, closure.sent), (true, 1000, Some(1001)));
}

#[test]
fn r6455_4_2_2_k_the_server_may_send_right_after_its_101() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut head = request.as_bytes().to_vec();
    let mut out = Vec::new();
    let mut handshake = ServerHandshake::new();
    let request = handshake.receive(&mut &mut head[..]).unwrap().unwrap();
    let agreed = request.accept(&AcceptOptions::new(), &mut out).unwrap();
    let mut connection = Connection::new(Server, &Config::new(), agreed);
    assert_eq!(connection.state(), State::Open);
    connection.send_text("hi", &mut out).unwrap();
    assert!(out.starts_with(b"HTTP/1.1 101 ") && out.ends_with(b"\r\n\r\n\x81\x02hi"));
}

#[test]
fn r6455_4_1_r_the_client_sends_nothing_between_its_request_and_the_answer() {
    // Before the response is validated there is no connection to send with: `start` appends the
    // request alone, `receive` has no output, and an invalid answer gives no connection.
    let target = Target::parse("ws://example.com/").unwrap();
    let mut out = Vec::new();
    let mut handshake: ClientHandshake<'_> =
        ClientHandshake::start(&target, &Offer::new(), *b"the sample nonce", &mut out).unwrap();
    assert!(out.starts_with(b"GET / HTTP/1.1\r\n") && out.ends_with(b"\r\n\r\n"));
    assert_eq!(out.windows(4).filter(|window| window == b"\r\n\r\n").count(), 1);
    let mut answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
        .to_vec();
    let answer = handshake.receive(&mut &mut answer[..]).map(|_| ());
    assert_eq!(answer, Err(HandshakeError::InvalidAccept(FieldFault::Mismatch)));
}

#[test]
fn frames_after_the_handshake_are_not_lost() {
    let mut pair = Pair::open(1 << 20);
    let (client, server) = (&mut pair.client, &mut pair.server);
    client.connection.send_text("early", &mut client.wire).unwrap();
    server.receive(&client.wire);
    assert_eq!(server.received, ["text 5"]);
}
