//! Connections of websocket-proto. They share the buffers of the caller.

use websocket_proto::{
    Agreed, Config, Connection, Data, Deflate, Deflater, Inflater, Message, Messages, Server,
    ZlibCompress, ZlibDecompress,
};

use websocket_proto_tokio::{Endpoint, Incoming, Options, WebSocket};

use crate::wire::{ECHO, HELLO, Wire, at_once};

/// The same text in a compressed message (RFC 7692 §7.2.3.1), with a masking key of zeroes.
const COMPRESSED: [u8; 13] = [0xC1, 0x87, 0, 0, 0, 0, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

pub fn new() -> Connection<Server> {
    Connection::new(Server, &Config::new(), Agreed::new())
}

/// Returns a connection that has echoed a message, and the `Messages` for its fragments.
pub fn echoed() -> (Connection<Server>, Messages<'static>) {
    let (mut connection, mut messages) = (new(), Messages::new());
    let mut memory = [0; 16];
    let mut out = websocket_proto::SliceOutput::new(&mut memory);
    let mut read = HELLO;
    let mut input = &mut read[..];
    match messages.receive(&mut connection, &mut input) {
        Some(Message::Text(text)) => connection.send_text(text, &mut out).expect("room"),
        other => panic!("{other:?}"),
    }
    assert_eq!(out.written(), ECHO);
    (connection, messages)
}

/// Does the same with compression without context takeover, so the codecs are shared too.
pub fn compressed() -> impl FnMut() -> (Connection<Server>, Messages<'static>) {
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    let mut deflater = Deflater::shared(ZlibCompress::new(6)).threshold(0);
    let mut out = Vec::with_capacity(1024);
    let deflate = Deflate {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..Deflate::new()
    };
    let agreed = Agreed::new().deflate(deflate);
    move || {
        let mut connection = Connection::new(Server, &Config::new(), agreed);
        let mut messages = Messages::new();
        let mut read = COMPRESSED;
        let mut input = &mut read[..];
        match messages.receive_inflated(&mut connection, &mut inflater, &mut input) {
            Some(Message::Text(text)) => {
                out.clear();
                connection
                    .send_compressed(Data::Text(text), &mut deflater, &mut out)
                    .expect("room");
                assert_eq!(out[0], 0xC1);
            }
            other => panic!("{other:?}"),
        }
        (connection, messages)
    }
}

/// Returns a connection of `websocket-proto-tokio` that has echoed a message and waits for the
/// next, with its timer, and its read buffer if it has one. All connections share the options.
pub fn tokio() -> impl FnMut() -> WebSocket<Wire, Server> {
    let options = Options::new();
    move || {
        let endpoint = Endpoint::open(Server, Agreed::new(), &options).expect("no compression");
        let mut ws = WebSocket::new(Wire::default(), endpoint);
        match at_once(ws.next()).expect("no wait") {
            Ok(Some((Incoming::Text(text), sender))) => sender.text(text).expect("room"),
            other => panic!("{other:?}"),
        }
        assert!(at_once(ws.next()).is_none());
        ws
    }
}
