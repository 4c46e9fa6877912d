//! tungstenite.

use std::hint::black_box;

use tungstenite::{
    Message, Utf8Bytes, WebSocket,
    client::IntoClientRequest,
    handshake::{client::Request, derive_accept_key, machine::TryParse, server},
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use super::{Kind, NO_COMPRESSION, Peer, Ways, nothing, way};
use crate::{
    handshakes::{HOST, KEY, RESOURCE},
    loads::{Bench, Load},
    measure::Output,
    wire::{Copies, READ, Wire, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "tungstenite",
    kind: Kind::Peer,
    note: "draws masking keys from `rand`; buffers of 16 KiB, over a socket of 64",
    skips: nothing,
    ways: |load| {
        let size = buffer_size(load);
        let config = WebSocketConfig::default().read_buffer_size(size).write_buffer_size(READ);
        ways(load, config)
    },
};

pub const DEFAULT: Peer = Peer {
    name: "tungstenite, default",
    note: "buffers of 128 KiB, its default",
    ways: |load| match load.bench {
        Bench::Connections => Err("100 000 read buffers of 128 KiB are too much"),
        _ => ways(load, WebSocketConfig::default()),
    },
    ..PEER
};

/// The read buffer of each of many connections.
const SMALL: usize = 256;

fn ways(load: &Load, config: WebSocketConfig) -> Ways<'_> {
    match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(move |output| receive(Role::Server, config, load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(move |output| receive(Role::Client, config, load, output))
        }
        Bench::SendServer => send(Role::Server, config, load),
        Bench::SendClient => send(Role::Client, config, load),
        Bench::Echo => way(move |output| echo(config, load, output)),
        Bench::Connections => connections(config, load),
        Bench::HandshakeServer => Ok(vec![
            Box::new(move |output| accept(config, load, output)),
            Box::new(move |output| accept_in_parts(load, output)),
        ]),
        Bench::HandshakeClient => handshake_client(config, load),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    }
}

#[inline(never)]
fn receive(role: Role, config: WebSocketConfig, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    let wire = Wire::reading(load, &mut unused);
    let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
    for _ in 0..load.count {
        match socket.read().unwrap() {
            Message::Text(text) => output.message(text.as_bytes()),
            Message::Binary(data) => output.message(&data),
            other => panic!("{other:?}"),
        }
    }
}

fn send(role: Role, config: WebSocketConfig, load: &Load) -> Ways<'_> {
    let message = |message: &crate::loads::Message| match &message.text {
        Some(text) => Message::Text(Utf8Bytes::from(text)),
        None => Message::Binary(message.bytes.clone()),
    };
    let messages: Vec<_> = load.messages.iter().map(message).collect();
    way(move |output| {
        let wire = Wire::writing(output, Copies::None);
        let mut socket = WebSocket::from_raw_socket(wire, role, Some(config));
        for message in load.order(&messages) {
            socket.write(black_box(message).clone()).unwrap();
        }
        socket.flush().unwrap();
        output.messages = load.count;
    })
}

#[inline(never)]
fn echo(config: WebSocketConfig, load: &Load, output: &mut Output) {
    let wire = Wire::new(&load.wire, output, Copies::None);
    let mut socket = WebSocket::from_raw_socket(wire, Role::Server, Some(config));
    for _ in 0..load.count {
        let message = socket.read().unwrap();
        socket.write(message).unwrap();
    }
    socket.flush().unwrap();
    output.messages = load.count;
}

/// Echoes on many connections, each with the smallest read buffer that performs well.
fn connections(config: WebSocketConfig, load: &Load) -> Ways<'_> {
    let config = config.read_buffer_size(SMALL);
    let new = |_: &u32| WebSocketContext::new(Role::Server, Some(config));
    let mut connections: Vec<_> = load.connections.iter().map(new).collect();
    way(move |output| {
        for (number, read) in load.arrivals() {
            let socket = &mut connections[number];
            let mut wire = Wire::new(read, output, Copies::None);
            let message = socket.read(&mut wire).unwrap();
            socket.write(&mut wire, message).unwrap();
            socket.flush(&mut wire).unwrap();
            output.messages += 1;
        }
    })
}

/// Runs the handshake of a server, including the socket that it returns.
#[inline(never)]
fn accept(config: WebSocketConfig, load: &Load, output: &mut Output) {
    for _ in 0..load.count {
        let wire = Wire::new(&load.wire, output, Copies::None);
        black_box(tungstenite::accept_with_config(wire, Some(config)).unwrap());
        output.messages += 1;
    }
}

/// Runs only the heads.
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

fn handshake_client(config: WebSocketConfig, load: &Load) -> Ways<'_> {
    let mut request: Request = format!("ws://{HOST}{RESOURCE}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Key", KEY.parse().unwrap());
    assert!(load.wire.windows(28).any(|part| part == derive_accept_key(KEY.as_bytes()).as_bytes()));
    way(move |output| {
        for _ in 0..load.count {
            let wire = Wire::new(&load.wire, output, Copies::None);
            let request = black_box(&request).clone();
            let opened = tungstenite::client::client_with_config(request, wire, Some(config));
            black_box(opened.unwrap());
            output.messages += 1;
        }
    })
}
