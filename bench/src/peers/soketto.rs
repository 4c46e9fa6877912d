//! soketto.

use std::{
    hint::black_box,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::BytesMut;
use futures::io::{AsyncRead, AsyncWrite, BufReader};
use soketto::{
    Data, Mode, Receiver, Sender,
    connection::Builder,
    handshake::{Client, Server, ServerResponse, server},
};

use super::{Kind, NOT_MANY, ONE_WAY, Peer, Ways, utf8, way};
use crate::{
    handshakes::{self, HOST, RESOURCE},
    loads::{Bench, Load},
    measure::{Output, set_aside},
    wire::{Copies, READ, Wire, at_once, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "soketto",
    kind: Kind::Peer,
    note: "over a buffered reader of 16 KiB, over a socket of 64; draws keys from `rand`, so the response to its request is made \
           while it waits, of which only two looks at the clock count; compresses with flate2, a new codec a message",
    skips: utf8,
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive(Mode::Server, buffer_size(load), load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive(Mode::Client, buffer_size(load), load, output))
        }
        // As a server, the peer writes payloads from the caller's memory.
        Bench::SendServer => way(|output| send(Mode::Server, Copies::All, load, output)),
        Bench::SendClient => way(|output| send(Mode::Client, Copies::None, load, output)),
        Bench::Echo => way(|output| echo(READ, load, output)),
        Bench::Connections => Err(NOT_MANY),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => way(|output| handshake_client(load, output)),
        Bench::DeflateReceive | Bench::DeflateSend => deflate(load),
    },
};

pub const DEFAULT: Peer = Peer {
    name: "soketto, default",
    note: "over the transport itself: it has no read buffer",
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive(Mode::Server, 0, load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive(Mode::Client, 0, load, output))
        }
        Bench::Echo => way(|output| echo(0, load, output)),
        _ => Err(ONE_WAY),
    },
    ..PEER
};

type Socket<'a> = BufReader<Wire<'a>>;

/// A buffer without capacity passes all reads through.
fn socket(
    mode: Mode,
    capacity: usize,
    wire: Wire<'_>,
) -> (Sender<Socket<'_>>, Receiver<Socket<'_>>) {
    Builder::new(BufReader::with_capacity(capacity, wire), mode).finish()
}

#[inline(never)]
fn receive(mode: Mode, capacity: usize, load: &Load, output: &mut Output) {
    let mut unused = Output::default();
    let (_sender, mut receiver) = socket(mode, capacity, Wire::reading(load, &mut unused));
    let mut message = Vec::new();
    at_once(async {
        for _ in 0..load.count {
            message.clear();
            receiver.receive_data(&mut message).await.unwrap();
            output.message(&message);
        }
    });
}

#[inline(never)]
fn send(mode: Mode, copies: Copies, load: &Load, output: &mut Output) {
    let (mut sender, receiver) = socket(mode, READ, Wire::writing(output, copies));
    at_once(async {
        for message in load.in_order() {
            match &black_box(message).text {
                Some(text) => sender.send_text(text).await.unwrap(),
                None => sender.send_binary(&message.bytes).await.unwrap(),
            }
        }
    });
    drop((sender, receiver));
    output.messages = load.count;
}

#[inline(never)]
fn echo(capacity: usize, load: &Load, output: &mut Output) {
    let wire = Wire::new(&load.wire, output, Copies::All);
    let (mut sender, mut receiver) = socket(Mode::Server, capacity, wire);
    let mut message = Vec::new();
    at_once(async {
        for _ in 0..load.count {
            message.clear();
            match receiver.receive_data(&mut message).await.unwrap() {
                Data::Text(_) => {
                    // The peer sends text only as `str`, so the bench validates it.
                    let text = simdutf8::basic::from_utf8(&message).unwrap();
                    sender.send_text(text).await.unwrap();
                }
                Data::Binary(_) => sender.send_binary(&message).await.unwrap(),
            }
        }
    });
    drop((sender, receiver));
    output.messages = load.count;
}

#[inline(never)]
fn handshake_server(load: &Load, output: &mut Output) {
    let mut buffer = BytesMut::new();
    at_once(async {
        for _ in 0..load.count {
            let mut handshake = Server::new(Wire::new(&load.wire, output, Copies::None));
            handshake.set_buffer(buffer);
            let key = handshake.receive_request().await.unwrap().key();
            let accept = server::Response::Accept { key, protocol: None };
            handshake.send_response(&accept).await.unwrap();
            buffer = handshake.take_buffer();
            output.messages += 1;
        }
    });
}

#[inline(never)]
fn handshake_client(load: &Load, output: &mut Output) {
    let mut buffer = BytesMut::new();
    at_once(async {
        for _ in 0..load.count {
            let mut handshake = Client::new(Answering::new(output), HOST, RESOURCE);
            handshake.set_buffer(buffer);
            let response = handshake.handshake().await.unwrap();
            assert!(matches!(response, ServerResponse::Accepted { .. }));
            buffer = handshake.take_buffer();
            output.messages += 1;
        }
    });
}

/// A transport that answers the request that is written to it.
struct Answering<'a> {
    output: &'a mut Output,
    response: Vec<u8>,
}

impl<'a> Answering<'a> {
    fn new(output: &'a mut Output) -> Self {
        Answering { output, response: Vec::new() }
    }
}

type Done<T = ()> = Poll<std::io::Result<T>>;

impl AsyncRead for Answering<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context, buffer: &mut [u8]) -> Done<usize> {
        let response = &black_box(&self).response;
        buffer[..response.len()].copy_from_slice(response);
        Poll::Ready(Ok(response.len()))
    }
}

impl AsyncWrite for Answering<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context, request: &[u8]) -> Done<usize> {
        self.output.part(request);
        let start = Instant::now();
        self.response = handshakes::response_to(request);
        set_aside(start.elapsed());
        Poll::Ready(Ok(request.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
}

#[cfg(not(feature = "soketto-deflate"))]
fn deflate(_: &Load) -> Ways<'_> {
    Err("compresses with the feature soketto-deflate only")
}

#[cfg(feature = "soketto-deflate")]
fn deflate(load: &Load) -> Ways<'_> {
    let deflate = load.deflate.as_ref().unwrap();
    match load.bench {
        _ if deflate.takeover => Err("has no context takeover"),
        // flate2 needs a final block since 1.1.11, which messages do not have.
        Bench::DeflateReceive => Err("cannot inflate since flate2 1.1.11"),
        _ if deflate.level != 1 => Err("compresses at level 1 only"),
        _ => way(|output| deflate_send(load, output)),
    }
}

#[cfg(feature = "soketto-deflate")]
#[inline(never)]
fn deflate_send(load: &Load, output: &mut Output) {
    use soketto::extension::{Extension, Param, deflate::Deflate};

    let mut deflate = Deflate::new(Mode::Server);
    let agreed = ["server_no_context_takeover", "client_no_context_takeover"].map(Param::new);
    deflate.configure(&agreed).unwrap();
    let mut builder = Builder::new(Wire::writing(output, Copies::None), Mode::Server);
    builder.add_extensions([Box::new(deflate) as _]);
    let (mut sender, receiver) = builder.finish();
    at_once(async {
        for message in load.in_order() {
            sender.send_text(black_box(message).text.as_ref().unwrap()).await.unwrap();
            sender.flush().await.unwrap();
        }
    });
    drop((sender, receiver));
    output.messages = load.count;
}
