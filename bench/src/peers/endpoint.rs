//! websocket-proto once more, by the machine that does everything.

use std::{hint::black_box, time::Duration};

use websocket_proto::{
    Agreed, Data, Role, Server, ZlibCompress, ZlibDecompress,
    endpoint::{Compression, Endpoint, Incoming, Options, ZlibStock},
    handshake::{AcceptOptions, Offer, Target},
};

use super::{Kind, Peer, nothing, ours::client, way};
use crate::{
    handshakes::{HOST, NONCE, RESOURCE},
    loads::{Bench, Load},
    measure::Output,
    wire::{READ, reads},
};

pub const PEER: Peer = Peer {
    name: "websocket-proto, endpoint",
    kind: Kind::Ours,
    note: "`Endpoint`, which is told the time at each read; one read buffer for all connections",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer => way(|output| receive(open(Server, load), load, output)),
        Bench::ReceiveClient => way(|output| receive(open(client(), load), load, output)),
        Bench::SendServer => way(|output| send(open(Server, load), load, output)),
        Bench::SendClient => way(|output| send(open(client(), load), load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => way(|output| handshake_client(load, output)),
        Bench::DeflateReceive => way(|output| receive(open(Server, load), load, output)),
        Bench::DeflateSend => way(|output| send(open(Server, load), load, output)),
    },
};

/// What can be sent before it is written: all of a load's longest message.
const WAITING: usize = 4 << 20;

fn open<R: Role>(role: R, load: &Load) -> Endpoint<R> {
    let options = Options::new().water_marks(0, WAITING);
    match &load.deflate {
        None => Endpoint::open(role, Agreed::new(), &options).unwrap(),
        Some(deflate) => {
            let (agreed, level) = (deflate.agreed(), deflate.level);
            let compression = match deflate.takeover {
                true => Compression::own(agreed.deflate.unwrap(), ZlibDecompress::new, move || {
                    ZlibCompress::new(level)
                }),
                false => Compression::shared(ZlibStock::new(level)),
            };
            Endpoint::open(role, agreed, &options.compression(compression)).unwrap()
        }
    }
}

/// Writes all that waits.
fn write<R: Role>(ws: &mut Endpoint<R>, output: &mut Output) {
    output.part(ws.output());
    ws.written(ws.output().len());
}

#[inline(never)]
fn receive<R: Role>(mut ws: Endpoint<R>, load: &Load, output: &mut Output) {
    let mut buffer = vec![0; READ];
    for (turn, read) in reads(&load.wire).enumerate() {
        ws.tick(Duration::from_micros(turn as u64));
        let mut input = &mut buffer[..read.len()];
        input.copy_from_slice(read);
        while let Some((incoming, _)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Text(text) => output.message(text.as_bytes()),
                Incoming::Binary(data) => output.message(data),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[inline(never)]
fn send<R: Role>(mut ws: Endpoint<R>, load: &Load, output: &mut Output) {
    for message in load.in_order() {
        let message = black_box(message);
        match &message.text {
            Some(text) => ws.text(text),
            None => ws.binary(&message.bytes),
        }
        .unwrap();
        output.messages += 1;
        if ws.output().len() >= READ {
            write(&mut ws, output);
        }
    }
    write(&mut ws, output);
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let mut ws = open(Server, load);
    let mut buffer = vec![0; READ];
    for (turn, read) in reads(&load.wire).enumerate() {
        ws.tick(Duration::from_micros(turn as u64));
        let mut input = &mut buffer[..read.len()];
        input.copy_from_slice(read);
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Text(text) => sender.send(Data::Text(text)),
                Incoming::Binary(data) => sender.send(Data::Binary(data)),
                other => panic!("{other:?}"),
            }
            .unwrap();
            output.messages += 1;
        }
        write(&mut ws, output);
    }
}

#[inline(never)]
fn handshake_server(load: &Load, output: &mut Output) {
    let options = Options::new();
    let mut buffer = vec![0; READ];
    for _ in 0..load.count {
        let mut ws = Endpoint::server(&options);
        let mut input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        while let Some((incoming, _)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Request => {
                    ws.request().unwrap().accept(&AcceptOptions::new()).unwrap();
                    output.messages += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        write(&mut ws, output);
    }
}

#[inline(never)]
fn handshake_client(load: &Load, output: &mut Output) {
    let uri = format!("ws://{HOST}{RESOURCE}");
    let target = Target::parse(&uri).unwrap();
    let options = Options::new();
    let mut buffer = vec![0; READ];
    for _ in 0..load.count {
        let nonce = black_box(NONCE);
        let mut ws = Endpoint::client(&target, &Offer::new(), nonce, client().0, &options).unwrap();
        write(&mut ws, output);
        let mut input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        while let Some((incoming, _)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Opened(_) => output.messages += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}
