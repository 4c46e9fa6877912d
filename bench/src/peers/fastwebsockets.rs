//! fastwebsockets.

use std::hint::black_box;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};

use super::{Keys, Kind, NEEDS_HYPER, NO_COMPRESSION, NOT_MANY, Peer, Ways, nothing, way};
use crate::{
    loads::{Bench, Load, Message},
    measure::Output,
    wire::{Copies, Wire, at_once, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "fastwebsockets",
    kind: Kind::Peer,
    note: "takes unmasked frames as a server, and lengths that are not the shortest",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer => way(|output| receive(Role::Server, load, output)),
        Bench::ReceiveClient => way(|output| receive(Role::Client, load, output)),
        Bench::PipeServer => piped(Role::Server, load),
        Bench::PipeClient => piped(Role::Client, load),
        Bench::Connections => Err(NOT_MANY),
        Bench::SendServer => way(|output| send_server(load, output)),
        Bench::SendClient => way(|output| send_client(load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer | Bench::HandshakeClient => Err(NEEDS_HYPER),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    },
};

/// The peer reads 8 KiB at a time, so a buffered reader is tried too.
fn piped(role: Role, load: &Load) -> Ways<'_> {
    let buffered = move |output: &mut Output| {
        let mut unused = Output::default();
        let wire = Wire::reading(load, &mut unused);
        receive_over(BufReader::with_capacity(buffer_size(load), wire), role, load, output);
    };
    Ok(vec![Box::new(move |output| receive(role, load, output)), Box::new(buffered)])
}

fn receive(role: Role, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    receive_over(Wire::reading(load, &mut unused), role, load, output);
}

#[inline(never)]
fn receive_over<S>(stream: S, role: Role, load: &Load, output: &mut Output)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, role));
    at_once(async {
        for _ in 0..load.count {
            output.message(&socket.read_frame().await.unwrap().payload);
        }
    });
}

fn opcode(message: &Message) -> OpCode {
    if message.text.is_some() { OpCode::Text } else { OpCode::Binary }
}

/// Long payloads are written from the caller's memory. Short ones are gathered with their headers.
#[inline(never)]
fn send_server(load: &Load, output: &mut Output) {
    let wire = Wire::writing(output, Copies::Vectored);
    let mut socket = WebSocket::after_handshake(wire, Role::Server);
    at_once(async {
        for message in load.in_order() {
            let payload = Payload::Borrowed(&black_box(message).bytes);
            let frame = Frame::new(true, opcode(message), None, payload);
            socket.write_frame(frame).await.unwrap();
        }
    });
    output.messages = load.count;
}

/// Payloads are masked in place, so they are copied to mutable memory first.
#[inline(never)]
fn send_client(load: &Load, output: &mut Output) {
    let mut keys = Keys::default();
    let mut copy = Vec::new();
    let wire = Wire::writing(output, Copies::None);
    let mut socket = WebSocket::after_handshake(wire, Role::Client);
    at_once(async {
        for message in load.in_order() {
            copy.clear();
            copy.extend_from_slice(&black_box(message).bytes);
            let payload = Payload::BorrowedMut(&mut copy);
            let frame = Frame::new(true, opcode(message), Some(keys.draw()), payload);
            socket.write_frame(frame).await.unwrap();
        }
    });
    output.messages = load.count;
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let wire = Wire::new(&load.wire, output, Copies::Vectored);
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(wire, Role::Server));
    at_once(async {
        for _ in 0..load.count {
            let frame = socket.read_frame().await.unwrap();
            socket.write_frame(frame).await.unwrap();
        }
    });
    output.messages = load.count;
}
