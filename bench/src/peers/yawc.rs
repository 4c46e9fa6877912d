//! yawc.

use std::hint::black_box;

use futures::SinkExt;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role, WebSocket};

use super::{Keys, Kind, NEEDS_HYPER, Peer, nothing, way};
use crate::{
    loads::{Bench, Load},
    measure::Output,
    wire::{Copies, READ, Wire, at_once},
};

pub const PEER: Peer = Peer {
    name: "yawc",
    kind: Kind::Peer,
    note: "compresses with flate2, memory level 8, with a partial flush and then a sync flush",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer => way(|output| receive(Role::Server, load, output)),
        Bench::ReceiveClient => way(|output| receive(Role::Client, load, output)),
        Bench::SendServer => way(|output| send(Role::Server, load, output)),
        Bench::SendClient => way(|output| send(Role::Client, load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer | Bench::HandshakeClient => Err(NEEDS_HYPER),
        Bench::DeflateReceive => way(|output| receive(Role::Server, load, output)),
        Bench::DeflateSend => way(|output| deflate_send(load, output)),
    },
};

fn socket<'a>(role: Role, load: &Load, wire: Wire<'a>) -> WebSocket<Wire<'a>> {
    let options = Options::default()
        .with_utf8()
        .with_max_payload_read(16 << 20)
        .with_max_read_buffer(32 << 20)
        .with_read_buffer_capacity(READ)
        .with_write_buffer_capacity(READ)
        .with_backpressure_boundary(READ);
    match &load.deflate {
        None => WebSocket::from_stream(wire, role, options.without_compression()),
        Some(deflate) => {
            let level = CompressionLevel::new(deflate.level.into());
            let options = options.with_compression_level(level);
            WebSocket::from_stream_with_extensions(wire, role, Some(deflate.header()), options)
        }
    }
    .unwrap()
}

#[inline(never)]
fn receive(role: Role, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    let mut socket = socket(role, load, Wire::reading(&load.wire, &mut unused));
    at_once(async {
        for _ in 0..load.count {
            output.message(socket.next_frame().await.unwrap().payload());
        }
    });
}

#[inline(never)]
fn send(role: Role, load: &Load, output: &mut Output) {
    let mut keys = Keys::default();
    let mut socket = socket(role, load, Wire::writing(output, Copies::None));
    at_once(async {
        for message in load.in_order() {
            let payload = black_box(message).bytes.clone();
            let mut frame = match message.text {
                Some(_) => Frame::text(payload),
                None => Frame::binary(payload),
            };
            if role == Role::Client {
                frame.set_mask(Some(keys.draw()));
            }
            socket.feed(frame).await.unwrap();
        }
        socket.flush().await.unwrap();
    });
    drop(socket);
    output.messages = load.count;
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let mut socket = socket(Role::Server, load, Wire::new(&load.wire, output, Copies::None));
    at_once(async {
        for _ in 0..load.count {
            let (opcode, _, payload) = socket.next_frame().await.unwrap().into_parts();
            let frame = match opcode {
                OpCode::Text => Frame::text(payload),
                _ => Frame::binary(payload),
            };
            socket.feed(frame).await.unwrap();
        }
        socket.flush().await.unwrap();
    });
    drop(socket);
    output.messages = load.count;
}

#[inline(never)]
fn deflate_send(load: &Load, output: &mut Output) {
    let mut socket = socket(Role::Server, load, Wire::writing(output, Copies::None));
    at_once(async {
        for message in load.in_order() {
            let frame = Frame::text(black_box(message).bytes.clone());
            socket.send(frame).await.unwrap();
        }
    });
    drop(socket);
    output.messages = load.count;
}
