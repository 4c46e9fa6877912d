//! websocket-proto by its `Endpoint`.

use std::{hint::black_box, time::Duration};

use websocket_proto::{
    Agreed, Data, Role, Server, ZlibCompress, ZlibDecompress,
    endpoint::{Compression, Endpoint, Incoming, Options, Sender, ZlibStock},
    handshake::{AcceptOptions, Offer, Target},
};

use super::{
    Kind, ONE_WAY, Peer, Ways, nothing,
    ours::{KEEP, client},
    way,
};
use crate::{
    handshakes::{HOST, NONCE, RESOURCE},
    loads::{Bench, Load},
    measure::Output,
    wire::{READ, Source, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "websocket-proto, endpoint",
    kind: Kind::Ours,
    note: "`Endpoint`, which is told the time at each read; one read buffer for all connections",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive(open(Server, load), load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive(open(client(), load), load, output))
        }
        Bench::SendServer => way(|output| send(open(Server, load), load, output)),
        Bench::SendClient => way(|output| send(open(client(), load), load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::Connections => connections(load),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => way(|output| handshake_client(load, output)),
        Bench::DeflateReceive => way(|output| receive(open(Server, load), load, output)),
        Bench::DeflateSend => way(|output| send(open(Server, load), load, output)),
    },
};

pub const INSIDE: Peer = Peer {
    name: "websocket-proto, endpoint's buffer",
    kind: Kind::Ours,
    note: "the same, read into `Endpoint::read_buffer`",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive_inside(open(Server, load), load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive_inside(open(client(), load), load, output))
        }
        Bench::Echo => way(|output| echo_inside(load, output)),
        Bench::DeflateReceive => way(|output| receive_inside(open(Server, load), load, output)),
        _ => Err(ONE_WAY),
    },
};

/// The limit on output before it is written, which exceeds a load's longest message.
const WAITING: usize = 4 << 20;

fn open<R: Role>(role: R, load: &Load) -> Endpoint<R> {
    // The memory of a long message is kept for the next one, as the peers keep their buffers.
    let options = Options::new().water_marks(0, WAITING).keeping(KEEP);
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

/// A clock without cost: a tenth of a microsecond passes between two reads.
#[derive(Default)]
struct Time(u64);

impl Time {
    #[inline]
    fn next(&mut self) -> Duration {
        self.0 += 100;
        Duration::from_nanos(self.0)
    }
}

/// Writes all output.
fn write<R: Role>(ws: &mut Endpoint<R>, output: &mut Output) {
    output.part(ws.output());
    ws.written(ws.output().len());
}

#[inline(never)]
fn receive<R: Role>(mut ws: Endpoint<R>, load: &Load, output: &mut Output) {
    let (mut buffer, mut source) = (vec![0; buffer_size(load)], Source::of(load));
    let mut time = Time::default();
    while let Some(mut input) = source.read(&mut buffer) {
        ws.tick(time.next());
        while let Some((incoming, _)) = ws.receive(&mut input) {
            take(output, incoming);
        }
    }
}

/// Reads into the endpoint's buffer.
#[inline(never)]
fn receive_inside<R: Role>(mut ws: Endpoint<R>, load: &Load, output: &mut Output) {
    let (mut source, mut time) = (Source::of(load), Time::default());
    while let Some(read) = source.read(ws.read_buffer()) {
        let length = read.len();
        ws.filled(length);
        ws.tick(time.next());
        while let Some((incoming, _)) = ws.receive(&mut &mut [][..]) {
            take(output, incoming);
        }
    }
}

#[inline(always)]
fn take(output: &mut Output, incoming: Incoming<'_>) {
    match incoming {
        Incoming::Text(text) => output.message(text.as_bytes()),
        Incoming::Binary(data) => output.message(data),
        other => panic!("{other:?}"),
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
    let (mut buffer, mut source) = (vec![0; READ], Source::of(load));
    let mut time = Time::default();
    while let Some(mut input) = source.read(&mut buffer) {
        ws.tick(time.next());
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            answer(sender, incoming);
            output.messages += 1;
        }
        write(&mut ws, output);
    }
}

#[inline(never)]
fn echo_inside(load: &Load, output: &mut Output) {
    let mut ws = open(Server, load);
    let (mut source, mut time) = (Source::of(load), Time::default());
    while let Some(read) = source.read(ws.read_buffer()) {
        let length = read.len();
        ws.filled(length);
        ws.tick(time.next());
        while let Some((incoming, sender)) = ws.receive(&mut &mut [][..]) {
            answer(sender, incoming);
            output.messages += 1;
        }
        write(&mut ws, output);
    }
}

#[inline(always)]
fn answer(sender: &mut Sender<Server>, incoming: Incoming<'_>) {
    match incoming {
        Incoming::Text(text) => sender.send(Data::Text(text)),
        Incoming::Binary(data) => sender.send(Data::Binary(data)),
        other => panic!("{other:?}"),
    }
    .unwrap();
}

/// Echoes on many connections, with one read buffer.
fn connections(load: &Load) -> Ways<'_> {
    let mut connections: Vec<_> = load.connections.iter().map(|_| open(Server, load)).collect();
    let (mut buffer, mut time) = (vec![0; READ], Time::default());
    way(move |output| {
        for (number, read) in load.arrivals() {
            let ws = &mut connections[number];
            ws.tick(time.next());
            let mut input = &mut buffer[..read.len()];
            input.copy_from_slice(read);
            while let Some((incoming, sender)) = ws.receive(&mut input) {
                answer(sender, incoming);
                output.messages += 1;
            }
            write(ws, output);
        }
    })
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
