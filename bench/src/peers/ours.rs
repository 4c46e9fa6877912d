//! websocket-proto, used as its documentation shows.

use std::hint::black_box;

use websocket_proto::{
    Agreed, Client, Config, Connection, Data, Deflater, Event, Inflater, Message, Messages, Role,
    SendError, Server, ZlibCompress, ZlibDecompress,
    handshake::{AcceptOptions, ClientHandshake, Offer, Response, ServerHandshake, Target},
};

use super::{Keys, Kind, ONE_WAY, Peer, Ways, nothing, way};
use crate::{
    handshakes::{HOST, NONCE, RESOURCE},
    loads::{self, Bench, Load},
    measure::Output,
    wire::{READ, Source, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "websocket-proto",
    kind: Kind::Ours,
    note: "whole messages; compresses with zlib-rs, memory level 8",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => way(|output| receive(Server, load, output)),
        Bench::ReceiveClient | Bench::PipeClient => way(|output| receive(client(), load, output)),
        Bench::Connections => Err("has a read buffer for each connection"),
        Bench::SendServer => way(|output| send(Server, load, output)),
        Bench::SendClient => way(|output| send(client(), load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::HandshakeServer => way(|output| handshake_server(load, output)),
        Bench::HandshakeClient => way(|output| handshake_client(load, output)),
        Bench::DeflateReceive => way(|output| deflate_receive(load, output)),
        Bench::DeflateSend => way(|output| deflate_send(load, output)),
    },
};

pub const PIECES: Peer = Peer {
    name: "websocket-proto, pieces",
    kind: Kind::Ours,
    note: "messages in the pieces that they arrive in, without `Messages`",
    skips: |_| Some("does not join messages"),
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive_pieces(Server, load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive_pieces(client(), load, output))
        }
        Bench::Connections => connections_in_pieces(load),
        _ => Err(ONE_WAY),
    },
};

pub const SHARED: Peer = Peer {
    name: "websocket-proto, shared buffer",
    kind: Kind::Ours,
    note: "`Messages::receive` out of one read buffer for all connections, so long ones are copied",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::PipeServer => {
            way(|output| receive_shared(Server, load, output))
        }
        Bench::ReceiveClient | Bench::PipeClient => {
            way(|output| receive_shared(client(), load, output))
        }
        Bench::Echo => way(|output| echo_shared(load, output)),
        Bench::Connections => connections(load),
        _ => Err(ONE_WAY),
    },
};

/// The first size of a connection's read buffer, and the limit on it.
const BUFFER: usize = 128 << 10;
const LIMIT: usize = 16 << 20;
/// The memory that is kept between joined messages: that of the longest.
pub(super) const KEEP: usize = 1 << 20;

pub fn client() -> Client<impl FnMut() -> [u8; 4]> {
    let mut keys = Keys::default();
    Client(move || keys.draw())
}

/// Receives into a read buffer, as the documentation shows. `message` takes each message, and
/// `read` is called after each read.
#[inline(always)]
fn receive_in_place<R: Role, S>(
    role: R,
    load: &Load,
    state: &mut S,
    mut message: impl FnMut(&mut S, &mut Connection<R>, Message<'_>),
    mut read: impl FnMut(&mut S),
) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let mut messages = Messages::new().in_place(LIMIT);
    let mut buffer = vec![0; BUFFER];
    let (mut start, mut end) = (0, 0);
    let mut source = Source::of(load);
    loop {
        // The rest moves to the front if it is short, or if no room for a read is left after it.
        if start > 0 && (end - start <= start / 4 || buffer.len() - end < READ) {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
        }
        if buffer.len() - end < READ {
            buffer.resize(2 * buffer.len(), 0);
        }
        let Some(bytes) = source.read(&mut buffer[end..]) else { return };
        end += bytes.len();
        let mut input = &mut buffer[start..end];
        while let Some(received) = messages.receive(&mut connection, &mut input) {
            message(state, &mut connection, received);
        }
        start = end - input.len();
        read(state);
    }
}

#[inline(always)]
fn take(output: &mut Output, message: Message<'_>) {
    match message {
        Message::Text(text) => output.message(text.as_bytes()),
        Message::Binary(data) => output.message(data),
        other => panic!("{other:?}"),
    }
}

#[inline(never)]
fn receive<R: Role>(role: R, load: &Load, output: &mut Output) {
    receive_in_place(role, load, output, |output, _, message| take(output, message), |_| {});
}

#[inline(never)]
fn receive_shared<R: Role>(role: R, load: &Load, output: &mut Output) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let (mut messages, mut buffer) = (Messages::keeping(KEEP), vec![0; buffer_size(load)]);
    let mut source = Source::of(load);
    while let Some(mut input) = source.read(&mut buffer) {
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            take(output, message);
        }
    }
}

#[inline(never)]
fn receive_pieces<R: Role>(role: R, load: &Load, output: &mut Output) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let (mut buffer, mut source) = (vec![0; buffer_size(load)], Source::of(load));
    while let Some(mut input) = source.read(&mut buffer) {
        while let Some(event) = connection.receive(&mut input) {
            let last = match event {
                Event::Text(text) => {
                    output.part(text.as_bytes());
                    text.is_last()
                }
                Event::Binary(data) => {
                    output.part(&data);
                    data.is_last()
                }
                other => panic!("{other:?}"),
            };
            output.messages += usize::from(last);
        }
    }
}

#[inline]
fn send_one<R: Role>(
    connection: &mut Connection<R>,
    message: &loads::Message,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    match &message.text {
        Some(text) => connection.send_text(text, out),
        None => connection.send_binary(&message.bytes, out),
    }
}

#[inline(never)]
fn send<R: Role>(role: R, load: &Load, output: &mut Output) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let mut out = Vec::new();
    for message in load.in_order() {
        send_one(&mut connection, black_box(message), &mut out).unwrap();
        output.messages += 1;
        if out.len() >= READ {
            output.write(&mut out);
        }
    }
    output.write(&mut out);
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let mut state = (output, Vec::new());
    let message = |(output, out): &mut (&mut Output, Vec<u8>),
                   connection: &mut Connection<Server>,
                   message: Message<'_>| {
        answer(connection, message, out);
        output.messages += 1;
    };
    receive_in_place(Server, load, &mut state, message, |(output, out)| output.write(out));
}

#[inline(always)]
fn answer(connection: &mut Connection<Server>, message: Message<'_>, out: &mut Vec<u8>) {
    match message {
        Message::Text(text) => connection.send_text(text, out),
        Message::Binary(data) => connection.send_binary(data, out),
        other => panic!("{other:?}"),
    }
    .unwrap();
    connection.transmit(out).unwrap();
}

#[inline(never)]
fn echo_shared(load: &Load, output: &mut Output) {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let (mut messages, mut buffer) = (Messages::keeping(KEEP), vec![0; READ]);
    let (mut source, mut out) = (Source::of(load), Vec::new());
    while let Some(mut input) = source.read(&mut buffer) {
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            answer(&mut connection, message, &mut out);
            output.messages += 1;
        }
        output.write(&mut out);
    }
}

/// Echoes on many connections, with one read buffer and one output.
fn connections(load: &Load) -> Ways<'_> {
    let new = |_: &u32| (Connection::new(Server, &Config::new(), Agreed::new()), Messages::new());
    let mut connections: Vec<_> = load.connections.iter().map(new).collect();
    let (mut buffer, mut out) = (vec![0; READ], Vec::new());
    way(move |output| {
        for (number, read) in load.arrivals() {
            let (connection, messages) = &mut connections[number];
            let mut input = &mut buffer[..read.len()];
            input.copy_from_slice(read);
            while let Some(message) = messages.receive(connection, &mut input) {
                answer(connection, message, &mut out);
                output.messages += 1;
            }
            output.write(&mut out);
        }
    })
}

fn connections_in_pieces(load: &Load) -> Ways<'_> {
    let new = |_: &u32| Connection::new(Server, &Config::new(), Agreed::new());
    let mut connections: Vec<_> = load.connections.iter().map(new).collect();
    let (mut buffer, mut out) = (vec![0; READ], Vec::new());
    way(move |output| {
        for (number, read) in load.arrivals() {
            let connection = &mut connections[number];
            let mut input = &mut buffer[..read.len()];
            input.copy_from_slice(read);
            while let Some(event) = connection.receive(&mut input) {
                match event {
                    Event::Binary(data) if data.is_last() => {
                        connection.send_binary(&data, &mut out).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
                connection.transmit(&mut out).unwrap();
                output.messages += 1;
            }
            output.write(&mut out);
        }
    })
}

#[inline(never)]
fn handshake_server(load: &Load, output: &mut Output) {
    let mut buffer = vec![0; READ];
    let mut out = Vec::new();
    for _ in 0..load.count {
        let mut input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        let mut handshake = ServerHandshake::new();
        let request = handshake.receive(&mut input).unwrap().expect("a whole head");
        let agreed = request.accept(&AcceptOptions::new(), &mut out).unwrap();
        black_box(Connection::new(Server, &Config::new(), agreed));
        output.messages += 1;
        output.write(&mut out);
    }
}

#[inline(never)]
fn handshake_client(load: &Load, output: &mut Output) {
    let uri = format!("ws://{HOST}{RESOURCE}");
    let target = Target::parse(&uri).unwrap();
    let mut buffer = vec![0; READ];
    let mut out = Vec::new();
    for _ in 0..load.count {
        let offer = Offer::new();
        let nonce = black_box(NONCE);
        let mut handshake = ClientHandshake::start(&target, &offer, nonce, &mut out).unwrap();
        output.write(&mut out);
        let mut input = &mut buffer[..load.wire.len()];
        input.copy_from_slice(black_box(&load.wire));
        match handshake.receive(&mut input).unwrap() {
            Some(Response::Accepted(response)) => {
                black_box(Connection::new(client(), &Config::new(), response.agreed()));
                output.messages += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[inline(never)]
fn deflate_receive(load: &Load, output: &mut Output) {
    let deflate = load.deflate.as_ref().unwrap();
    let mut connection = Connection::new(Server, &Config::new(), deflate.agreed());
    let mut inflater = match deflate.takeover {
        true => Inflater::own(ZlibDecompress::new()),
        false => Inflater::shared(ZlibDecompress::new()),
    };
    let mut messages = Messages::new();
    let (mut buffer, mut source) = (vec![0; buffer_size(load)], Source::of(load));
    while let Some(mut input) = source.read(&mut buffer) {
        while let Some(message) =
            messages.receive_inflated(&mut connection, &mut inflater, &mut input)
        {
            match message {
                Message::Text(text) => output.message(text.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[inline(never)]
fn deflate_send(load: &Load, output: &mut Output) {
    let deflate = load.deflate.as_ref().unwrap();
    let mut connection = Connection::new(Server, &Config::new(), deflate.agreed());
    let mut deflater = match deflate.takeover {
        true => Deflater::own(ZlibCompress::new(deflate.level)),
        false => Deflater::shared(ZlibCompress::new(deflate.level)),
    };
    let mut out = Vec::new();
    for message in load.in_order() {
        let text = black_box(message).text.as_deref().unwrap();
        connection.send_compressed(Data::Text(text), &mut deflater, &mut out).unwrap();
        output.messages += 1;
        output.write(&mut out);
    }
}
