//! The peers, each of which does one run of a load.

use std::{
    hint::black_box,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use tokio::io::ReadBuf;
use websocket_proto::{
    Config, Connection, Data, Deflater, Inflater, Message, Messages, Server, ZlibCompress,
    ZlibDecompress,
};
use zlib_rs::{DeflateFlush, InflateFlush};

use crate::load::{Direction, Load};

/// The bytes of a read, at most.
const READ: usize = 16 << 10;
/// The most bytes that a message may have.
const LIMIT: usize = 1 << 20;

pub struct Peer {
    pub name: &'static str,
    /// What has to be known to compare it with the others.
    pub note: &'static str,
    /// Why it cannot do a load, if it cannot.
    pub lacks: fn(&Load) -> Option<&'static str>,
    pub receive: fn(&Load, &mut Output),
    pub send: fn(&Load, &mut Output),
    /// Whether what it sends is in frames.
    pub framed: bool,
}

/// What came out of a run: text that was received, or bytes that were sent.
#[derive(Default)]
pub struct Output {
    pub messages: usize,
    pub bytes: usize,
    /// All of it, for the run that is looked at.
    pub kept: Option<Vec<u8>>,
}

impl Output {
    fn message(&mut self, bytes: &[u8]) {
        self.messages += 1;
        self.part(bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        self.bytes += black_box(bytes).len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }
}

/// What all peers on flate2 compress with.
pub const FLATE2: &str = if cfg!(feature = "zlib-ng") {
    "zlib-ng"
} else if cfg!(feature = "soketto") {
    "zlib in C"
} else {
    "zlib-rs"
};

pub const PEERS: &[Peer] = &[
    Peer {
        name: "codec",
        note: "zlib-rs, no frames; a compressed message lies whole in memory, with its tail",
        lacks: |_| None,
        receive: |load, output| codec_receive(load, output, |text| black_box(text).len()),
        send: codec_send,
        framed: false,
    },
    Peer {
        name: "codec + utf-8",
        note: "the same, and the text is looked at",
        lacks: |load| (load.direction == Direction::Send).then_some("no text to look at"),
        receive: |load, output| {
            codec_receive(load, output, |text| simdutf8::basic::from_utf8(text).unwrap().len());
        },
        send: codec_send,
        framed: false,
    },
    Peer {
        name: "websocket-proto",
        note: "zlib-rs",
        lacks: |_| None,
        receive: ours_receive,
        send: ours_send,
        framed: true,
    },
    Peer {
        name: "yawc",
        note: "flate2, memory level 8; compresses with a partial flush and then a sync flush",
        lacks: |_| None,
        receive: yawc_receive,
        send: yawc_send,
        framed: true,
    },
    Peer {
        name: "sockudo-ws",
        note: "inflates with zlib-rs, compresses with flate2, memory level 8; without takeover a \
               full flush instead of a reset",
        lacks: |_| None,
        receive: sockudo_receive,
        send: sockudo_send,
        framed: true,
    },
    #[cfg(feature = "soketto")]
    Peer {
        name: "soketto",
        note: "flate2, memory level 8; a new codec for each message, and text is not looked at",
        lacks: |load| match load.direction {
            _ if load.takeover => Some("has no context takeover"),
            // What it calls wants a final block since then, which messages do not have.
            Direction::Receive => Some("cannot inflate since flate2 1.1.11"),
            Direction::Send if load.level != 1 => Some("compresses at level 1 only"),
            Direction::Send => None,
        },
        receive: soketto_receive,
        send: soketto_send,
        framed: true,
    },
];

#[inline(never)]
fn codec_receive(load: &Load, output: &mut Output, look: impl Fn(&[u8]) -> usize) {
    let mut codec = zlib_rs::Inflate::new(false, 15);
    // Room to spare: near its end zlib-rs writes byte by byte.
    let mut room = vec![0; 2 * load.size];
    for message in load.compressed() {
        if !load.takeover {
            codec.reset(false);
        }
        let before = codec.total_out();
        codec.decompress(black_box(message), &mut room, InflateFlush::NoFlush).unwrap();
        let text = &room[..(codec.total_out() - before) as usize];
        look(text);
        output.message(text);
    }
}

#[inline(never)]
fn codec_send(load: &Load, output: &mut Output) {
    let mut codec = load.codec();
    let mut room = vec![0; 2 * load.size];
    for text in load.messages() {
        if !load.takeover {
            codec.reset();
        }
        let before = codec.total_out();
        codec.compress(black_box(text).as_bytes(), &mut room, DeflateFlush::SyncFlush).unwrap();
        output.message(&room[..(codec.total_out() - before) as usize]);
    }
}

#[inline(never)]
fn ours_receive(load: &Load, output: &mut Output) {
    let mut connection = Connection::new(Server, &Config::new(), load.agreed());
    let mut inflater = match load.takeover {
        true => Inflater::own(ZlibDecompress::new()),
        false => Inflater::shared(ZlibDecompress::new()),
    };
    let mut messages = Messages::new();
    let mut buffer = vec![0; READ];
    for read in load.wire.chunks(READ) {
        let mut input = &mut buffer[..read.len()];
        input.copy_from_slice(black_box(read));
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
fn ours_send(load: &Load, output: &mut Output) {
    let mut connection = Connection::new(Server, &Config::new(), load.agreed());
    let mut deflater = match load.takeover {
        true => Deflater::own(ZlibCompress::new(load.level)),
        false => Deflater::shared(ZlibCompress::new(load.level)),
    };
    let mut out = Vec::new();
    for text in load.messages() {
        connection.send_compressed(Data::Text(black_box(text)), &mut deflater, &mut out).unwrap();
        output.message(&out);
        out.clear();
    }
}

/// The header of an answer that both sides agreed on.
fn extensions(load: &Load) -> &'static str {
    match load.takeover {
        true => "permessage-deflate",
        false => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    }
}

fn yawc<'a>(load: &Load, wire: Wire<'a>) -> yawc::WebSocket<Wire<'a>> {
    let options = yawc::Options::default()
        .with_compression_level(yawc::CompressionLevel::new(load.level.into()))
        .with_utf8()
        .with_read_buffer_capacity(READ);
    let extensions = Some(extensions(load));
    yawc::WebSocket::from_stream_with_extensions(wire, yawc::Role::Server, extensions, options)
        .unwrap()
}

#[inline(never)]
fn yawc_receive(load: &Load, output: &mut Output) {
    let mut written = Output::default();
    let mut socket = yawc(load, Wire { input: &load.wire, output: &mut written });
    at_once(async {
        for _ in 0..load.count {
            output.message(socket.next_frame().await.unwrap().payload());
        }
    });
}

#[inline(never)]
fn yawc_send(load: &Load, output: &mut Output) {
    let texts = texts(load);
    let mut socket = yawc(load, Wire { input: &[], output });
    at_once(async {
        for text in texts.iter().cycle().take(load.count) {
            socket.send(yawc::Frame::text(black_box(text).clone())).await.unwrap();
        }
    });
    drop(socket);
    output.messages = load.count;
}

fn sockudo(load: &Load) -> sockudo_ws::CompressedProtocol {
    let config = sockudo_ws::DeflateConfig {
        server_no_context_takeover: !load.takeover,
        client_no_context_takeover: !load.takeover,
        compression_level: load.level.into(),
        ..sockudo_ws::DeflateConfig::default()
    };
    sockudo_ws::CompressedProtocol::server(LIMIT, LIMIT, config)
}

#[inline(never)]
fn sockudo_receive(load: &Load, output: &mut Output) {
    let mut protocol = sockudo(load);
    let mut buffer = BytesMut::with_capacity(READ);
    let mut messages = Vec::new();
    for read in load.wire.chunks(READ) {
        buffer.extend_from_slice(black_box(read));
        protocol.process_into(&mut buffer, &mut messages).unwrap();
        for message in messages.drain(..) {
            assert!(message.is_text());
            output.message(message.as_bytes());
        }
    }
}

#[inline(never)]
fn sockudo_send(load: &Load, output: &mut Output) {
    let texts: Vec<_> = texts(load).into_iter().map(sockudo_ws::Message::Text).collect();
    let mut protocol = sockudo(load);
    let mut out = BytesMut::new();
    for text in texts.iter().cycle().take(load.count) {
        protocol.encode_message(black_box(text), &mut out).unwrap();
        output.message(&out);
        out.clear();
    }
}

#[cfg(feature = "soketto")]
fn soketto<'a>(wire: Wire<'a>) -> (soketto::Sender<Wire<'a>>, soketto::Receiver<Wire<'a>>) {
    use soketto::{
        Mode,
        connection::Builder,
        extension::{Extension, Param, deflate::Deflate},
    };

    let mut deflate = Deflate::new(Mode::Server);
    let agreed = ["server_no_context_takeover", "client_no_context_takeover"].map(Param::new);
    deflate.configure(&agreed).unwrap();
    let mut builder = Builder::new(wire, Mode::Server);
    builder.add_extensions([Box::new(deflate) as _]);
    builder.finish()
}

#[cfg(feature = "soketto")]
#[inline(never)]
fn soketto_receive(load: &Load, output: &mut Output) {
    let mut written = Output::default();
    let (_sender, mut receiver) = soketto(Wire { input: &load.wire, output: &mut written });
    let mut message = Vec::new();
    at_once(async {
        for _ in 0..load.count {
            message.clear();
            assert!(receiver.receive_data(&mut message).await.unwrap().is_text());
            output.message(&message);
        }
    });
}

#[cfg(feature = "soketto")]
#[inline(never)]
fn soketto_send(load: &Load, output: &mut Output) {
    let (mut sender, receiver) = soketto(Wire { input: &[], output });
    at_once(async {
        for text in load.messages() {
            sender.send_text(black_box(text)).await.unwrap();
            sender.flush().await.unwrap();
        }
    });
    drop((sender, receiver));
    output.messages = load.count;
}

/// The messages that differ, for peers that share their memory.
fn texts(load: &Load) -> Vec<Bytes> {
    load.texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

/// What `future` gives, which never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// A transport that reads in pieces of at most 16 KiB and writes all that it is given.
struct Wire<'a> {
    input: &'a [u8],
    output: &'a mut Output,
}

impl Wire<'_> {
    fn read(&mut self, most: usize) -> &[u8] {
        let (now, rest) = self.input.split_at(self.input.len().min(READ).min(most));
        self.input = rest;
        black_box(now)
    }
}

type Done<T = ()> = Poll<io::Result<T>>;

impl tokio::io::AsyncRead for Wire<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context, buffer: &mut ReadBuf) -> Done {
        buffer.put_slice(self.read(buffer.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Wire<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Done<usize> {
        self.get_mut().output.part(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
}

#[cfg(feature = "soketto")]
impl futures::io::AsyncRead for Wire<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context, buffer: &mut [u8]) -> Done<usize> {
        let read = self.read(buffer.len());
        buffer[..read.len()].copy_from_slice(read);
        Poll::Ready(Ok(read.len()))
    }
}

#[cfg(feature = "soketto")]
impl futures::io::AsyncWrite for Wire<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Done<usize> {
        self.get_mut().output.part(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
}
