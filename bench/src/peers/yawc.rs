//! yawc.

use std::hint::black_box;

use futures::SinkExt;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role, WebSocket};

use super::{Keys, Kind, NEEDS_HYPER, NOT_MANY, Peer, Ways, nothing, way};
use crate::{
    loads::{Bench, Load},
    measure::Output,
    wire::{Copies, READ, Wire, at_once, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "yawc",
    kind: Kind::Peer,
    note: "buffers of 16 KiB, over a socket of 64; compresses with flate2, memory level 8, with a \
           partial flush and then a sync flush",
    skips: nothing,
    ways: |load| {
        let options = options().with_read_buffer_capacity(buffer_size(load));
        let options = options.with_write_buffer_capacity(READ).with_backpressure_boundary(READ);
        ways(load, options)
    },
};

pub const DEFAULT: Peer = Peer {
    name: "yawc, default",
    note: "buffers of 8 KiB, its default",
    ways: |load| ways(load, options()),
    ..PEER
};

fn options() -> Options {
    Options::default().with_utf8().with_max_payload_read(16 << 20).with_max_read_buffer(32 << 20)
}

fn ways(load: &Load, options: Options) -> Ways<'_> {
    match load.bench {
        Bench::ReceiveServer | Bench::PipeServer | Bench::DeflateReceive => {
            way(move |output| receive(Role::Server, options.clone(), load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(move |output| receive(Role::Client, options.clone(), load, output))
        }
        Bench::SendServer => way(move |output| send(Role::Server, options.clone(), load, output)),
        Bench::SendClient => way(move |output| send(Role::Client, options.clone(), load, output)),
        Bench::Echo => way(move |output| echo(options.clone(), load, output)),
        Bench::Connections => Err(NOT_MANY),
        Bench::HandshakeServer | Bench::HandshakeClient => Err(NEEDS_HYPER),
        Bench::DeflateSend => way(move |output| deflate_send(options.clone(), load, output)),
    }
}

fn socket<'a>(role: Role, options: Options, load: &Load, wire: Wire<'a>) -> WebSocket<Wire<'a>> {
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
fn receive(role: Role, options: Options, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    let mut socket = socket(role, options, load, Wire::reading(load, &mut unused));
    at_once(async {
        for _ in 0..load.count {
            output.message(socket.next_frame().await.unwrap().payload());
        }
    });
}

#[inline(never)]
fn send(role: Role, options: Options, load: &Load, output: &mut Output) {
    let mut keys = Keys::default();
    let mut socket = socket(role, options, load, Wire::writing(output, Copies::None));
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
fn echo(options: Options, load: &Load, output: &mut Output) {
    let mut socket =
        socket(Role::Server, options, load, Wire::new(&load.wire, output, Copies::None));
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
fn deflate_send(options: Options, load: &Load, output: &mut Output) {
    let mut socket = socket(Role::Server, options, load, Wire::writing(output, Copies::None));
    at_once(async {
        for message in load.in_order() {
            let frame = Frame::text(black_box(message).bytes.clone());
            socket.send(frame).await.unwrap();
        }
    });
    drop(socket);
    output.messages = load.count;
}
