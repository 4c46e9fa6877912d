//! tokio-websockets.

use std::hint::black_box;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio_websockets::{ClientBuilder, Config, Message, ServerBuilder, WebSocketStream};

use super::{Kind, NO_COMPRESSION, NOT_MANY, ONE_WAY, Peer, Run, Ways, nothing, way};
use crate::{
    handshakes::{self, HOST, RESOURCE},
    loads::{Bench, Load},
    measure::Output,
    wire::{Copies, READ, Wire, at_once, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "tokio-websockets",
    kind: Kind::Peer,
    note: "draws masking keys from `fastrand`; SHA-1 by aws-lc; gathers 16 KiB before it writes",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer => way(|output| receive(server, load, output)),
        Bench::ReceiveClient => way(|output| receive(client, load, output)),
        Bench::PipeServer => piped(|stream| ServerBuilder::new().serve(stream), load),
        Bench::PipeClient => piped(|stream| ClientBuilder::new().take_over(stream), load),
        // Payloads are written from the caller's memory.
        Bench::SendServer => send(load, server, Copies::Vectored),
        Bench::SendClient => send(load, client, Copies::None),
        Bench::Echo => way(|output| echo(server, load, output)),
        Bench::Connections => Err(NOT_MANY),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => handshake_client(load),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    },
};

pub const DEFAULT: Peer = Peer {
    name: "tokio-websockets, default",
    note: "gathers 8 KiB before it writes, its default",
    ways: |load| match load.bench {
        Bench::SendServer => send(load, |wire| ServerBuilder::new().serve(wire), Copies::Vectored),
        Bench::SendClient => send(load, |wire| ClientBuilder::new().take_over(wire), Copies::None),
        Bench::Echo => way(|output| echo(|wire| ServerBuilder::new().serve(wire), load, output)),
        _ => Err(ONE_WAY),
    },
    ..PEER
};

type Socket<'a> = WebSocketStream<Wire<'a>>;
type Make = for<'a> fn(Wire<'a>) -> Socket<'a>;

fn server(wire: Wire<'_>) -> Socket<'_> {
    ServerBuilder::new().config(Config::default().flush_threshold(READ)).serve(wire)
}

fn client(wire: Wire<'_>) -> Socket<'_> {
    ClientBuilder::new().config(Config::default().flush_threshold(READ)).take_over(wire)
}

fn receive(make: Make, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    receive_from(make(Wire::reading(load, &mut unused)), load, output);
}

type Buffered<'a> = BufReader<Wire<'a>>;

/// The peer reads 8 KiB at a time, so a buffered reader is tried too.
fn piped<'l>(make: fn(Buffered<'_>) -> WebSocketStream<Buffered<'_>>, load: &'l Load) -> Ways<'l> {
    let over = move |capacity: usize| {
        Box::new(move |output: &mut Output| {
            let mut unused = Output::default();
            let wire = Wire::reading(load, &mut unused);
            receive_from(make(BufReader::with_capacity(capacity, wire)), load, output);
        }) as Run
    };
    // A buffer of one byte passes all reads through.
    Ok(vec![over(1), over(buffer_size(load))])
}

#[inline(never)]
fn receive_from<S>(mut socket: WebSocketStream<S>, load: &Load, output: &mut Output)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    at_once(async {
        for _ in 0..load.count {
            output.message(socket.next().await.unwrap().unwrap().as_payload());
        }
    });
}

fn send(load: &Load, make: Make, copies: Copies) -> Ways<'_> {
    let message = |message: &crate::loads::Message| match message.text {
        Some(_) => Message::text(message.bytes.clone()),
        None => Message::binary(message.bytes.clone()),
    };
    let messages: Vec<_> = load.messages.iter().map(message).collect();
    way(move |output| {
        let mut socket = make(Wire::writing(output, copies));
        at_once(async {
            for message in load.order(&messages) {
                socket.feed(black_box(message).clone()).await.unwrap();
            }
            socket.flush().await.unwrap();
        });
        output.messages = load.count;
    })
}

#[inline(never)]
fn echo(make: Make, load: &Load, output: &mut Output) {
    let mut socket = make(Wire::new(&load.wire, output, Copies::Vectored));
    at_once(async {
        for _ in 0..load.count {
            let message = socket.next().await.unwrap().unwrap();
            socket.feed(message).await.unwrap();
        }
        socket.flush().await.unwrap();
    });
    output.messages = load.count;
}

#[inline(never)]
fn handshake_server(load: &Load, output: &mut Output) {
    at_once(async {
        for _ in 0..load.count {
            let wire = Wire::new(&load.wire, output, Copies::None);
            black_box(ServerBuilder::new().accept(wire).await.unwrap());
            output.messages += 1;
        }
    });
}

/// The seed of the key, so that the response can be prepared.
const SEED: u64 = 42;

fn handshake_client(load: &Load) -> Ways<'_> {
    let builder = ClientBuilder::new().uri(&format!("ws://{HOST}{RESOURCE}")).unwrap();
    let mut asked = Output { kept: Some(Vec::new()), ..Output::default() };
    fastrand::seed(SEED);
    let unanswered = at_once(builder.connect_on(Wire::writing(&mut asked, Copies::None)));
    assert!(unanswered.is_err());
    let response = handshakes::response_to(&asked.kept.unwrap());
    way(move |output| {
        at_once(async {
            for _ in 0..load.count {
                fastrand::seed(SEED);
                let wire = Wire::new(&response, output, Copies::None);
                black_box(builder.connect_on(wire).await.unwrap());
                output.messages += 1;
            }
        });
    })
}
