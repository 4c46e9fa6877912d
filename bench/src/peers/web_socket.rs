//! web-socket.

use std::hint::black_box;

use tokio::io::BufReader;
use web_socket::{DataType, Event, Frame, MessageType, Role, Stream, WebSocket};

use super::{Kind, NO_COMPRESSION, NO_HANDSHAKE, NOT_MANY, Peer, utf8, way};
use crate::{
    loads::{Bench, Load},
    measure::Output,
    wire::{Copies, READ, Wire, at_once, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "web-socket",
    kind: Kind::Peer,
    note: "over a buffered reader; hands out fragments one by one; draws masking keys from `rand`",
    skips: |load| utf8(load).or(load.fragmented.then_some("does not join fragments")),
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive(Role::Server, load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive(Role::Client, load, output))
        }
        Bench::Connections => Err(NOT_MANY),
        // As a server, the peer writes payloads from the caller's memory.
        Bench::SendServer => way(|output| send(Role::Server, Copies::Vectored, load, output)),
        Bench::SendClient => way(|output| send(Role::Client, Copies::None, load, output)),
        Bench::Echo if load.fragmented => Err("does not join fragments"),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer | Bench::HandshakeClient => Err(NO_HANDSHAKE),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    },
};

#[inline(never)]
fn receive(role: Role, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    let wire = Wire::reading(load, &mut unused);
    let mut socket = WebSocket::from((BufReader::with_capacity(buffer_size(load), wire), role));
    at_once(async {
        while output.messages < load.count {
            match socket.recv().await.unwrap() {
                Event::Data {
                    ty: DataType::Complete(_) | DataType::Stream(Stream::End(_)),
                    data,
                } => {
                    output.message(&data);
                }
                Event::Data { data, .. } => output.part(&data),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[inline(never)]
fn send(role: Role, copies: Copies, load: &Load, output: &mut Output) {
    let mut socket = WebSocket::from((BufReader::new(Wire::writing(output, copies)), role));
    at_once(async {
        for message in load.in_order() {
            match &black_box(message).text {
                Some(text) => socket.send(text.as_str()).await.unwrap(),
                None => socket.send(&*message.bytes).await.unwrap(),
            }
        }
    });
    drop(socket);
    output.messages = load.count;
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let wire = Wire::new(&load.wire, output, Copies::Vectored);
    let mut socket = WebSocket::server(BufReader::with_capacity(READ, wire));
    at_once(async {
        for _ in 0..load.count {
            match socket.recv().await.unwrap() {
                Event::Data { ty: DataType::Complete(kind), data } => {
                    // Text is sent as the bytes that were received.
                    let opcode = if kind == MessageType::Text { 1 } else { 2 };
                    let frame = Frame { fin: true, opcode, data: &data };
                    socket.send(frame).await.unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    });
    drop(socket);
    output.messages = load.count;
}
