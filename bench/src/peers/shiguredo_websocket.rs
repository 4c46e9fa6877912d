//! shiguredo_websocket.

use std::hint::black_box;

use shiguredo_websocket::{
    ClientConnectionOptions, ConnectionEvent, ConnectionOutput, PerMessageDeflateConfig,
    RandomSource, ServerConnectionOptions, Timestamp, WebSocketClientConnection,
    WebSocketServerConnection,
};

use super::{Keys, Kind, Peer, way};
use crate::{
    handshakes::{self, HOST, KEY, NONCE, REQUEST, RESOURCE},
    loads::{Bench, Load, Message},
    measure::Output,
    wire::reads,
};

pub const PEER: Peer = Peer {
    name: "shiguredo_websocket",
    kind: Kind::Peer,
    note: "copies reads into a buffer of its own, which is the copy that all make; compresses with \
           a codec of its own, without levels",
    skips: |load| (load.bench == Bench::DeflateSend).then_some("compresses with other effort"),
    ways: |load| match load.bench {
        Bench::ReceiveServer => way(|output| receive(server(load), load, output)),
        Bench::ReceiveClient => way(|output| receive(client(), load, output)),
        Bench::PipeServer | Bench::PipeClient => Err("does not read"),
        Bench::Connections => Err("is measured with few"),
        Bench::SendServer => way(|output| send(server(load), load, output)),
        Bench::SendClient => way(|output| send(client(), load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => way(|output| handshake_client(load, output)),
        Bench::DeflateReceive => way(|output| receive(server(load), load, output)),
        Bench::DeflateSend => way(|output| send(server(load), load, output)),
    },
};

/// The peer's two types of connections, which have the same methods.
trait Connection {
    fn feed(&mut self, bytes: &[u8]);
    fn event(&mut self) -> Option<ConnectionEvent>;
    fn output(&mut self) -> Option<ConnectionOutput>;
    fn send_text(&mut self, text: &str);
    fn send_binary(&mut self, data: &[u8]);

    /// Returns the next bytes to write.
    #[inline]
    fn written(&mut self) -> Option<Vec<u8>> {
        loop {
            if let ConnectionOutput::SendData(bytes) = self.output()? {
                return Some(bytes);
            }
        }
    }
}

impl Connection for WebSocketServerConnection {
    fn feed(&mut self, bytes: &[u8]) {
        self.feed_recv_buf(bytes).unwrap();
    }
    fn event(&mut self) -> Option<ConnectionEvent> {
        self.poll_event()
    }
    fn output(&mut self) -> Option<ConnectionOutput> {
        self.poll_output()
    }
    fn send_text(&mut self, text: &str) {
        WebSocketServerConnection::send_text(self, text).unwrap();
    }
    fn send_binary(&mut self, data: &[u8]) {
        WebSocketServerConnection::send_binary(self, data).unwrap();
    }
}

impl Connection for WebSocketClientConnection<Keys> {
    fn feed(&mut self, bytes: &[u8]) {
        self.feed_recv_buf(bytes, Timestamp::from_millis(0)).unwrap();
    }
    fn event(&mut self) -> Option<ConnectionEvent> {
        self.poll_event()
    }
    fn output(&mut self) -> Option<ConnectionOutput> {
        self.poll_output()
    }
    fn send_text(&mut self, text: &str) {
        WebSocketClientConnection::send_text(self, text).unwrap();
    }
    fn send_binary(&mut self, data: &[u8]) {
        WebSocketClientConnection::send_binary(self, data).unwrap();
    }
}

impl RandomSource for Keys {
    fn masking_key(&mut self) -> [u8; 4] {
        self.draw()
    }
    fn nonce(&mut self) -> [u8; 16] {
        NONCE
    }
}

/// Returns a server after the handshake.
fn server(load: &Load) -> WebSocketServerConnection {
    let mut options = ServerConnectionOptions::new();
    if let Some(deflate) = &load.deflate {
        let mut config = PerMessageDeflateConfig::new();
        if !deflate.takeover {
            config = config.server_no_context_takeover().client_no_context_takeover();
        }
        options = options.deflate(config);
    }
    let mut connection = WebSocketServerConnection::new(options);
    connection.feed(REQUEST.as_bytes());
    connection.accept_handshake_auto().unwrap();
    drain(&mut connection);
    connection
}

/// Returns a client after the handshake.
fn client() -> WebSocketClientConnection<Keys> {
    let mut connection = new_client();
    connection.connect().unwrap();
    connection.feed(&handshakes::response(KEY));
    drain(&mut connection);
    connection
}

fn new_client() -> WebSocketClientConnection<Keys> {
    WebSocketClientConnection::new(ClientConnectionOptions::new(HOST, RESOURCE), Keys::default())
}

fn drain(connection: &mut impl Connection) {
    while connection.event().is_some() {}
    while connection.output().is_some() {}
}

#[inline(never)]
fn receive(mut connection: impl Connection, load: &Load, output: &mut Output) {
    for read in reads(&load.wire) {
        connection.feed(read);
        while let Some(event) = connection.event() {
            match event {
                ConnectionEvent::TextMessage(text) => output.message(text.as_bytes()),
                ConnectionEvent::BinaryMessage(data) => output.message(&data),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[inline(never)]
fn send(mut connection: impl Connection, load: &Load, output: &mut Output) {
    for message in load.in_order() {
        let Message { text, bytes } = black_box(message);
        match text {
            Some(text) => connection.send_text(text),
            None => connection.send_binary(bytes),
        }
        output.messages += 1;
        while let Some(bytes) = connection.written() {
            output.part(&bytes);
        }
    }
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let mut connection = server(load);
    for read in reads(&load.wire) {
        connection.feed(read);
        while let Some(event) = connection.event() {
            match event {
                ConnectionEvent::TextMessage(text) => Connection::send_text(&mut connection, &text),
                ConnectionEvent::BinaryMessage(data) => {
                    Connection::send_binary(&mut connection, &data);
                }
                other => panic!("{other:?}"),
            }
            output.messages += 1;
        }
        while let Some(bytes) = connection.written() {
            output.part(&bytes);
        }
    }
}

#[inline(never)]
fn handshake_server(load: &Load, output: &mut Output) {
    for _ in 0..load.count {
        let mut connection = WebSocketServerConnection::new(ServerConnectionOptions::new());
        connection.feed(black_box(&load.wire));
        connection.accept_handshake_auto().unwrap();
        output.part(&connection.written().expect("a response"));
        output.messages += 1;
        black_box(connection);
    }
}

#[inline(never)]
fn handshake_client(load: &Load, output: &mut Output) {
    for _ in 0..load.count {
        let mut connection = new_client();
        connection.connect().unwrap();
        output.part(&connection.written().expect("a request"));
        connection.feed(black_box(&load.wire));
        let opened = |event| matches!(event, ConnectionEvent::Connected { .. });
        while !opened(connection.event().expect("an open connection")) {}
        output.messages += 1;
    }
}
