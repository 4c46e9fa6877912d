//! tungstenite.

use std::hint::black_box;

use tungstenite::{
    Message, Utf8Bytes, WebSocket,
    client::IntoClientRequest,
    handshake::{client::Request, derive_accept_key, machine::TryParse, server},
    protocol::{Role, WebSocketConfig},
};

use super::{Kind, NO_COMPRESSION, Peer, Ways, nothing, way};
use crate::{
    handshakes::{HOST, KEY, RESOURCE},
    loads::{Bench, Load},
    measure::Output,
    wire::{Copies, READ, Wire},
};

pub const PEER: Peer = Peer {
    name: "tungstenite",
    kind: Kind::Peer,
    note: "draws masking keys from `rand`",
    skips: nothing,
    ways,
};

fn ways(load: &Load) -> Ways<'_> {
    match load.bench {
        Bench::ReceiveServer => way(|output| receive(Role::Server, load, output)),
        Bench::ReceiveClient => way(|output| receive(Role::Client, load, output)),
        Bench::SendServer => send(Role::Server, load),
        Bench::SendClient => send(Role::Client, load),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer => Ok(vec![
            Box::new(|output| accept(load, output)),
            Box::new(|output| accept_in_parts(load, output)),
        ]),
        Bench::HandshakeClient => handshake_client(load),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(READ).write_buffer_size(READ)
}

#[inline(never)]
fn receive(role: Role, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    let wire = Wire::reading(&load.wire, &mut unused);
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config()));
    for _ in 0..load.count {
        match socket.read().unwrap() {
            Message::Text(text) => output.message(text.as_bytes()),
            Message::Binary(data) => output.message(&data),
            other => panic!("{other:?}"),
        }
    }
}

fn send(role: Role, load: &Load) -> Ways<'_> {
    let message = |message: &crate::loads::Message| match &message.text {
        Some(text) => Message::Text(Utf8Bytes::from(text)),
        None => Message::Binary(message.bytes.clone()),
    };
    let messages: Vec<_> = load.messages.iter().map(message).collect();
    way(move |output| {
        let wire = Wire::writing(output, Copies::None);
        let mut socket = WebSocket::from_raw_socket(wire, role, Some(config()));
        for message in load.order(&messages) {
            socket.write(black_box(message).clone()).unwrap();
        }
        socket.flush().unwrap();
        output.messages = load.count;
    })
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let wire = Wire::new(&load.wire, output, Copies::None);
    let mut socket = WebSocket::from_raw_socket(wire, Role::Server, Some(config()));
    for _ in 0..load.count {
        let message = socket.read().unwrap();
        socket.write(message).unwrap();
    }
    socket.flush().unwrap();
    output.messages = load.count;
}

/// As a server does it, with the socket that comes out.
#[inline(never)]
fn accept(load: &Load, output: &mut Output) {
    for _ in 0..load.count {
        let wire = Wire::new(&load.wire, output, Copies::None);
        black_box(tungstenite::accept_with_config(wire, Some(config())).unwrap());
        output.messages += 1;
    }
}

/// Only the heads.
#[inline(never)]
fn accept_in_parts(load: &Load, output: &mut Output) {
    let mut buffer = vec![0; READ];
    let mut out = Vec::new();
    for _ in 0..load.count {
        let input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        let (_, request) = server::Request::try_parse(input).unwrap().expect("a whole head");
        let response = server::create_response(&request).unwrap();
        server::write_response(&mut out, &response).unwrap();
        output.messages += 1;
        output.write(&mut out);
    }
}

fn handshake_client(load: &Load) -> Ways<'_> {
    let mut request: Request = format!("ws://{HOST}{RESOURCE}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Key", KEY.parse().unwrap());
    assert!(load.wire.windows(28).any(|part| part == derive_accept_key(KEY.as_bytes()).as_bytes()));
    way(move |output| {
        for _ in 0..load.count {
            let wire = Wire::new(&load.wire, output, Copies::None);
            let request = black_box(&request).clone();
            let opened = tungstenite::client::client_with_config(request, wire, Some(config()));
            black_box(opened.unwrap());
            output.messages += 1;
        }
    })
}
