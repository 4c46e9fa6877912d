//! Connections of the peers, each of which has echoed a message and waits for the next. All have
//! their default settings.

use fastwebsockets::{FragmentCollector, OpCode};
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};

use crate::wire::{Wire, at_once};

/// Sets the size of the read buffer, if one is given.
pub fn tungstenite(read_buffer: Option<usize>) -> tungstenite::WebSocket<Wire> {
    let role = tungstenite::protocol::Role::Server;
    let config = read_buffer.map(|size| WebSocketConfig::default().read_buffer_size(size));
    let mut socket = tungstenite::WebSocket::from_raw_socket(Wire::default(), role, config);
    let message = socket.read().expect("a message");
    socket.send(message).expect("an echo");
    assert!(matches!(socket.read(), Err(tungstenite::Error::Io(_))));
    socket
}

pub fn tokio_tungstenite() -> tokio_tungstenite::WebSocketStream<Wire> {
    let role = tungstenite::protocol::Role::Server;
    let socket = tokio_tungstenite::WebSocketStream::from_raw_socket(Wire::default(), role, None);
    let mut socket = at_once(socket).expect("no wait");
    let message = at_once(socket.next()).flatten().expect("a message").expect("a message");
    at_once(socket.send(message)).expect("no wait").expect("an echo");
    assert!(at_once(socket.next()).is_none());
    socket
}

pub fn fastwebsockets() -> FragmentCollector<Wire> {
    let role = fastwebsockets::Role::Server;
    let socket = fastwebsockets::WebSocket::after_handshake(Wire::default(), role);
    let mut socket = FragmentCollector::new(socket);
    let frame = at_once(socket.read_frame()).expect("no wait").expect("a message");
    assert_eq!(frame.opcode, OpCode::Text);
    at_once(socket.write_frame(frame)).expect("no wait").expect("an echo");
    assert!(at_once(socket.read_frame()).is_none());
    socket
}

pub fn tokio_websockets() -> tokio_websockets::WebSocketStream<Wire> {
    let mut socket = tokio_websockets::ServerBuilder::new().serve(Wire::default());
    let message = at_once(socket.next()).flatten().expect("a message").expect("a message");
    at_once(socket.send(message)).expect("no wait").expect("an echo");
    assert!(at_once(socket.next()).is_none());
    socket
}

/// The caller owns the memory of a message, which is not counted.
pub fn soketto() -> (soketto::Sender<Wire>, soketto::Receiver<Wire>) {
    let builder = soketto::connection::Builder::new(Wire::default(), soketto::Mode::Server);
    let (mut sender, mut receiver) = builder.finish();
    let mut message = Vec::new();
    let data = at_once(receiver.receive_data(&mut message)).expect("no wait").expect("a message");
    assert!(data.is_text());
    at_once(async {
        sender.send_text(str::from_utf8(&message).expect("text")).await.expect("an echo");
        sender.flush().await.expect("an echo");
    })
    .expect("no wait");
    message.clear();
    assert!(at_once(receiver.receive_data(&mut message)).is_none());
    (sender, receiver)
}

pub fn sockudo() -> sockudo_ws::WebSocketStream<Wire> {
    let config = sockudo_ws::Config::default();
    let mut socket = sockudo_ws::WebSocketStream::server(Wire::default(), config);
    let message = at_once(socket.next()).flatten().expect("a message").expect("a message");
    at_once(socket.send(message)).expect("no wait").expect("an echo");
    assert!(at_once(socket.next()).is_none());
    socket
}

pub fn yawc() -> yawc::WebSocket<Wire> {
    let (role, options) = (yawc::Role::Server, yawc::Options::default());
    let mut socket = yawc::WebSocket::from_stream(Wire::default(), role, options).expect("valid");
    let frame = at_once(socket.next_frame()).expect("no wait").expect("a message");
    at_once(socket.send(frame)).expect("no wait").expect("an echo");
    assert!(at_once(socket.next_frame()).is_none());
    socket
}
