//! sockudo-ws, by its protocol without I/O.

use std::hint::black_box;

use bytes::BytesMut;
use sockudo_ws::{
    CompressedProtocol, DeflateConfig, Message, Role,
    handshake::{
        build_request_with_headers, build_response, generate_accept_key, parse_request,
        parse_response, validate_accept_key,
    },
    protocol::Protocol,
};
use tokio::io::AsyncReadExt;

use super::{Kind, Peer, Ways, nothing, way};
use crate::{
    handshakes::{HOST, KEY, RESOURCE},
    loads::{Bench, Load},
    measure::Output,
    wire::{READ, Wire, at_once, buffer_size, reads},
};

pub const PEER: Peer = Peer {
    name: "sockudo-ws",
    kind: Kind::Peer,
    note: "draws masking keys from `fastrand`; inflates with zlib-rs, compresses with flate2, \
           memory level 8; without takeover a full flush instead of a reset",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer => way(|output| receive(Role::Server, load, output)),
        Bench::ReceiveClient => way(|output| receive(Role::Client, load, output)),
        Bench::PipeServer => way(|output| receive_piped(Role::Server, load, output)),
        Bench::PipeClient => way(|output| receive_piped(Role::Client, load, output)),
        Bench::Connections => connections(load),
        Bench::SendServer => send(Role::Server, load),
        Bench::SendClient => send(Role::Client, load),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => way(|output| handshake_client(load, output)),
        Bench::DeflateReceive => way(|output| deflate_receive(load, output)),
        Bench::DeflateSend => deflate_send(load),
    },
};

/// The limit on the bytes of a message.
const LIMIT: usize = 16 << 20;

#[inline(never)]
fn receive(role: Role, load: &Load, output: &mut Output) {
    let mut protocol = Protocol::new(role, LIMIT, LIMIT);
    let mut buffer = BytesMut::with_capacity(READ);
    let mut messages = Vec::new();
    for read in reads(&load.wire) {
        buffer.extend_from_slice(read);
        protocol.process_into(&mut buffer, &mut messages).unwrap();
        for message in messages.drain(..) {
            output.message(message.as_bytes());
        }
    }
}

/// Reads into the peer's buffer, as its own streams do.
#[inline(never)]
fn receive_piped(role: Role, load: &Load, output: &mut Output) {
    let mut protocol = Protocol::new(role, LIMIT, LIMIT);
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    let mut unused = Output::default();
    let mut wire = Wire::reading(load, &mut unused);
    loop {
        buffer.reserve(buffer_size(load));
        if at_once(wire.read_buf(&mut buffer)).unwrap() == 0 {
            break;
        }
        protocol.process_into(&mut buffer, &mut messages).unwrap();
        for message in messages.drain(..) {
            output.message(message.as_bytes());
        }
    }
}

/// Echoes on many connections, with one read buffer and one output.
fn connections(load: &Load) -> Ways<'_> {
    let new = |_: &u32| Protocol::new(Role::Server, LIMIT, LIMIT);
    let mut connections: Vec<_> = load.connections.iter().map(new).collect();
    let (mut buffer, mut out) = (BytesMut::with_capacity(READ), BytesMut::new());
    let mut messages = Vec::new();
    way(move |output| {
        for (number, read) in load.arrivals() {
            let protocol = &mut connections[number];
            buffer.extend_from_slice(read);
            protocol.process_into(&mut buffer, &mut messages).unwrap();
            for message in messages.drain(..) {
                protocol.encode_message(&message, &mut out).unwrap();
                output.messages += 1;
            }
            output.part(&out);
            out.clear();
        }
    })
}

fn messages(load: &Load) -> Vec<Message> {
    let message = |message: &crate::loads::Message| match message.text {
        Some(_) => Message::Text(message.bytes.clone()),
        None => Message::Binary(message.bytes.clone()),
    };
    load.messages.iter().map(message).collect()
}

fn send(role: Role, load: &Load) -> Ways<'_> {
    let messages = messages(load);
    way(move |output| {
        let mut protocol = Protocol::new(role, LIMIT, LIMIT);
        let mut out = BytesMut::new();
        for message in load.order(&messages) {
            protocol.encode_message(black_box(message), &mut out).unwrap();
            output.messages += 1;
            if out.len() >= READ {
                output.part(&out);
                out.clear();
            }
        }
        output.part(&out);
    })
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let mut protocol = Protocol::new(Role::Server, LIMIT, LIMIT);
    let mut buffer = BytesMut::with_capacity(READ);
    let mut messages = Vec::new();
    let mut out = BytesMut::new();
    for read in reads(&load.wire) {
        buffer.extend_from_slice(read);
        protocol.process_into(&mut buffer, &mut messages).unwrap();
        for message in messages.drain(..) {
            protocol.encode_message(&message, &mut out).unwrap();
            output.messages += 1;
        }
        output.part(&out);
        out.clear();
    }
}

#[inline(never)]
fn handshake_server(load: &Load, output: &mut Output) {
    let mut buffer = vec![0; READ];
    for _ in 0..load.count {
        let input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        let (request, _) = parse_request(input).unwrap().expect("a whole head");
        let accept = generate_accept_key(request.key);
        output.part(&build_response(&accept, None, None));
        output.messages += 1;
    }
}

#[inline(never)]
fn handshake_client(load: &Load, output: &mut Output) {
    let mut buffer = vec![0; READ];
    for _ in 0..load.count {
        let key = black_box(KEY);
        let request = build_request_with_headers(HOST, RESOURCE, key, None, None, None);
        output.part(&request.unwrap());
        let input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        let (response, _) = parse_response(input).unwrap().expect("a whole head");
        assert!(validate_accept_key(key, response.accept.unwrap()));
        output.messages += 1;
    }
}

fn compressed(load: &Load) -> CompressedProtocol {
    let deflate = load.deflate.as_ref().unwrap();
    let config = DeflateConfig {
        server_no_context_takeover: !deflate.takeover,
        client_no_context_takeover: !deflate.takeover,
        compression_level: deflate.level.into(),
        ..DeflateConfig::default()
    };
    CompressedProtocol::server(LIMIT, LIMIT, config)
}

#[inline(never)]
fn deflate_receive(load: &Load, output: &mut Output) {
    let mut protocol = compressed(load);
    let mut buffer = BytesMut::with_capacity(READ);
    let mut messages = Vec::new();
    for read in reads(&load.wire) {
        buffer.extend_from_slice(read);
        protocol.process_into(&mut buffer, &mut messages).unwrap();
        for message in messages.drain(..) {
            assert!(message.is_text());
            output.message(message.as_bytes());
        }
    }
}

fn deflate_send(load: &Load) -> Ways<'_> {
    let messages = messages(load);
    way(move |output| {
        let mut protocol = compressed(load);
        let mut out = BytesMut::new();
        for message in load.order(&messages) {
            protocol.encode_message(black_box(message), &mut out).unwrap();
            output.messages += 1;
            output.part(&out);
            out.clear();
        }
    })
}
