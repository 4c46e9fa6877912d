//! The loads: messages, the wire that they arrive on, and their number.

use std::hint::black_box;

use bytes::Bytes;
use websocket_proto::{
    Agreed, Client, Config, Connection, Inflater, Message as Received, Messages, Role, Server,
    ZlibDecompress,
};
use zlib_rs::InflateFlush;

use crate::{
    deflate::Deflate,
    handshakes,
    payloads::{Payload, Random, append_frame, mix},
    peers::Kind,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bench {
    ReceiveServer,
    ReceiveClient,
    SendServer,
    SendClient,
    Echo,
    PipeServer,
    PipeClient,
    Connections,
    HandshakeServer,
    HandshakeClient,
    DeflateReceive,
    DeflateSend,
}

impl Bench {
    pub const ALL: [Bench; 12] = [
        Bench::ReceiveServer,
        Bench::ReceiveClient,
        Bench::SendServer,
        Bench::SendClient,
        Bench::Echo,
        Bench::PipeServer,
        Bench::PipeClient,
        Bench::Connections,
        Bench::HandshakeServer,
        Bench::HandshakeClient,
        Bench::DeflateReceive,
        Bench::DeflateSend,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Bench::ReceiveServer => "receive-server",
            Bench::ReceiveClient => "receive-client",
            Bench::SendServer => "send-server",
            Bench::SendClient => "send-client",
            Bench::Echo => "echo",
            Bench::PipeServer => "pipe-server",
            Bench::PipeClient => "pipe-client",
            Bench::Connections => "connections",
            Bench::HandshakeServer => "handshake-server",
            Bench::HandshakeClient => "handshake-client",
            Bench::DeflateReceive | Bench::DeflateSend => "deflate",
        }
    }

    pub const fn is_handshake(self) -> bool {
        matches!(self, Bench::HandshakeServer | Bench::HandshakeClient)
    }

    /// Whether the wire is read from a socket.
    pub const fn is_piped(self) -> bool {
        matches!(self, Bench::PipeServer | Bench::PipeClient)
    }

    /// Whether messages are received.
    const fn receives(self) -> bool {
        self.is_masked() || matches!(self, Bench::ReceiveClient | Bench::PipeClient)
    }

    /// Whether messages are received by a server.
    const fn is_masked(self) -> bool {
        use Bench::*;
        matches!(self, ReceiveServer | Echo | PipeServer | Connections)
    }
}

/// A message, in the two forms that peers accept.
#[derive(Clone)]
pub struct Message {
    /// The text; `None` for a binary message.
    pub text: Option<String>,
    /// The payload, for peers that share memory.
    pub bytes: Bytes,
}

impl Message {
    pub fn text(text: String) -> Self {
        Message { bytes: Bytes::copy_from_slice(text.as_bytes()), text: Some(text) }
    }
}

impl From<Payload> for Message {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Text(text) => Message::text(text),
            Payload::Binary(data) => Message { text: None, bytes: data.into() },
        }
    }
}

type Make = fn() -> Vec<Payload>;

/// The loads of uncompressed messages: a name, and a function that makes the different messages.
const PLAIN: [(&str, Make); 10] = [
    ("16 B binary", || vec![Payload::binary(16)]),
    ("32 B text", || vec![Payload::ascii(32)]),
    ("125 B text", || vec![Payload::ascii(125)]),
    ("1 KiB text", || vec![Payload::ascii(1 << 10)]),
    ("1 KiB text, multi-byte", || vec![Payload::multibyte(1 << 10)]),
    ("16 KiB text", || vec![Payload::ascii(16 << 10)]),
    ("64 KiB binary", || vec![Payload::binary(64 << 10)]),
    ("1 MiB binary", || vec![Payload::binary(1 << 20)]),
    ("64 KiB text, multi-byte", || vec![Payload::multibyte(64 << 10)]),
    ("mix", mix),
];

/// The loads that arrive through a socket.
const PIPED: [&str; 3] = ["16 KiB text", "64 KiB binary", "1 MiB binary"];

/// The numbers of connections in the bench `connections`, and the length of their messages.
const CONNECTIONS: [usize; 3] = [100, 10_000, 100_000];
const LENGTH: usize = 16;

/// The load that arrives in fragments, and the length of a fragment.
const FRAGMENTED: (&str, usize) = ("64 KiB text, multi-byte", 4 << 10);

/// The size of a run.
pub struct Scale {
    /// The minimal number of bytes of a run, on the wire or before compression.
    pub bytes: usize,
    /// The number of handshakes of a run.
    pub handshakes: usize,
    /// The level of compression.
    pub level: u8,
}

/// A load before it is built.
pub struct Plan {
    pub bench: Bench,
    pub name: String,
    how: How,
}

enum How {
    Plain { make: Make, fragment: usize },
    Connections(usize),
    Handshake,
    Deflate { size: usize, takeover: bool },
}

impl Plan {
    /// Returns all loads of `bench`.
    pub fn of(bench: Bench) -> Vec<Plan> {
        let plan = |name, how| Plan { bench, name, how };
        match bench {
            Bench::HandshakeServer => vec![plan("request of a browser".into(), How::Handshake)],
            Bench::HandshakeClient => vec![plan("response of a server".into(), How::Handshake)],
            Bench::DeflateReceive | Bench::DeflateSend => {
                let verb = if bench == Bench::DeflateReceive { "receive" } else { "send" };
                let loads = [(1, true), (1, false), (16, true), (16, false)];
                let deflate = |(kib, takeover): (usize, bool)| {
                    let how = if takeover { "takeover" } else { "no takeover" };
                    let name = format!("{verb} {kib} KiB {how}");
                    plan(name, How::Deflate { size: kib << 10, takeover })
                };
                loads.into_iter().map(deflate).collect()
            }
            Bench::PipeServer | Bench::PipeClient => {
                let piped = PLAIN.into_iter().filter(|(name, _)| PIPED.contains(name));
                let how = |make| How::Plain { make, fragment: usize::MAX };
                piped.map(|(name, make)| plan(name.into(), how(make))).collect()
            }
            Bench::Connections => {
                let many = |number| plan(format!("{number} of them"), How::Connections(number));
                CONNECTIONS.into_iter().map(many).collect()
            }
            _ => {
                let sends = matches!(bench, Bench::SendServer | Bench::SendClient);
                let plain = |(name, make): (&str, Make)| match FRAGMENTED {
                    (fragmented, fragment) if name == fragmented && !sends => {
                        let name = format!("{name}, in {} KiB fragments", fragment >> 10);
                        plan(name, How::Plain { make, fragment })
                    }
                    _ => plan(name.into(), How::Plain { make, fragment: usize::MAX }),
                };
                PLAIN.into_iter().map(plain).collect()
            }
        }
    }

    pub fn build(self, scale: &Scale) -> Load {
        let Plan { bench, name, how } = self;
        let mut load = Load {
            bench,
            name,
            messages: Vec::new(),
            count: 0,
            fragmented: false,
            wire: Vec::new(),
            connections: Vec::new(),
            deflate: None,
        };
        match how {
            How::Plain { make, fragment } => load.plain(make(), fragment, scale.bytes),
            How::Connections(number) => load.connections(number, scale.bytes),
            How::Handshake => {
                load.count = scale.handshakes;
                load.wire = match bench {
                    Bench::HandshakeServer => handshakes::REQUEST.into(),
                    _ => handshakes::response(handshakes::KEY),
                };
            }
            How::Deflate { size, takeover } => {
                load.deflate(Deflate::new(size, takeover, scale.level), scale.bytes);
            }
        }
        load
    }
}

pub struct Load {
    pub bench: Bench,
    pub name: String,
    /// The different messages. They are repeated in the same order.
    pub messages: Vec<Message>,
    /// The number of messages, or handshakes, of a run.
    pub count: usize,
    /// Whether messages arrive in fragments.
    pub fragmented: bool,
    /// The bytes that are received: messages in frames, or the head of each handshake.
    pub wire: Vec<u8>,
    /// In the bench `connections` only: the numbers of all connections, in the order in which their
    /// messages arrive. The order is repeated.
    pub connections: Vec<u32>,
    /// In the bench `deflate` only.
    pub deflate: Option<Deflate>,
}

impl Load {
    fn plain(&mut self, payloads: Vec<Payload>, fragment: usize, bytes: usize) {
        let messages: Vec<Message> = payloads.into_iter().map(Message::from).collect();
        let masked = self.bench.is_masked();
        let mut random = Random(1);
        let mut length = 0;
        for message in messages.iter().cycle() {
            if length >= bytes {
                break;
            }
            self.count += 1;
            length += message.bytes.len() + 2;
            if !self.bench.receives() {
                continue;
            }
            let mut first = if message.text.is_some() { 0x01 } else { 0x02 };
            let mut fragments = message.bytes.chunks(fragment).peekable();
            while let Some(payload) = fragments.next() {
                let fin = if fragments.peek().is_some() { 0 } else { 0x80 };
                let key = (random.below(1 << 32) as u32).to_ne_bytes();
                append_frame(first | fin, payload, masked.then_some(key), &mut self.wire);
                first = 0;
            }
        }
        self.fragmented = fragment < usize::MAX;
        self.messages = messages;
    }

    /// Plans a message of 16 bytes on each of `number` connections in turn.
    fn connections(&mut self, number: usize, bytes: usize) {
        // A few frames are repeated, so that the connections fill the caches and not the frames.
        self.plain(vec![Payload::binary(LENGTH)], usize::MAX, 4 << 10);
        self.count = bytes / (2 * LENGTH);
        self.connections = (0..number as u32).collect();
        Random(2).shuffle(&mut self.connections);
    }

    /// Returns the messages of the bench `connections` as they arrive: the number of the
    /// connection, and the frame.
    pub fn arrivals(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let frames = self.wire.chunks(LENGTH + 6).map(black_box).cycle();
        let order = self.connections.iter().map(|&number| number as usize).cycle();
        order.zip(frames).take(self.count)
    }

    fn deflate(&mut self, mut deflate: Deflate, bytes: usize) {
        self.messages = deflate.texts();
        self.count = bytes.div_ceil(deflate.size);
        if self.bench == Bench::DeflateReceive {
            deflate.compress(self.in_order());
            for payload in deflate.payloads() {
                append_frame(0xC1, payload, Some([0x37, 0xFA, 0x21, 0x3D]), &mut self.wire);
            }
        }
        self.deflate = Some(deflate);
    }

    /// Returns the messages of a run, in order.
    pub fn in_order(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().cycle().take(self.count)
    }

    /// Repeats `prepared`, which has an element for each different message, in the order of a run.
    pub fn order<'a, T>(&self, prepared: &'a [T]) -> impl Iterator<Item = &'a T> {
        prepared.iter().cycle().take(self.count)
    }

    pub fn has_text(&self) -> bool {
        self.messages.iter().any(|message| message.text.is_some())
    }

    /// Whether `output`, the whole output of a run, is correct.
    pub fn is_answered_by(&self, kind: Kind, mut output: Vec<u8>) -> bool {
        use Bench::*;
        match (self.bench, kind) {
            (ReceiveServer | ReceiveClient | PipeServer | PipeClient, Kind::Copy) => {
                output == self.wire
            }
            (ReceiveServer | ReceiveClient | PipeServer | PipeClient | DeflateReceive, _)
            | (_, Kind::Copy) => self.is_all_payloads(&output),
            (SendServer | Echo | Connections, _) => {
                self.is_in_frames(Client(|| [0; 4]), Agreed::new(), &mut output)
            }
            (SendClient, _) => self.is_in_frames(Server, Agreed::new(), &mut output),
            // Messages with their tails form one stream, with and without context takeover.
            (DeflateSend, Kind::Codec) => {
                let total: usize = self.in_order().map(|message| message.bytes.len()).sum();
                let mut inflated = vec![0; total + 1];
                let mut codec = zlib_rs::Inflate::new(false, 15);
                codec.decompress(&output, &mut inflated, InflateFlush::NoFlush).unwrap();
                inflated.truncate(codec.total_out() as usize);
                self.is_all_payloads(&inflated)
            }
            (DeflateSend, _) => {
                let agreed = self.deflate.as_ref().unwrap().agreed();
                self.is_in_frames(Client(|| [0; 4]), agreed, &mut output)
            }
            (HandshakeServer, _) => handshakes::are_responses(&output, self.count),
            (HandshakeClient, _) => handshakes::are_requests(&output, self.count),
        }
    }

    fn is_all_payloads(&self, mut output: &[u8]) -> bool {
        for message in self.in_order() {
            match output.strip_prefix(&*message.bytes) {
                Some(rest) => output = rest,
                None => return false,
            }
        }
        output.is_empty()
    }

    /// Whether a connection with this role receives the messages from `wire`.
    fn is_in_frames(&self, role: impl Role, agreed: Agreed, mut wire: &mut [u8]) -> bool {
        let mut connection = Connection::new(role, &Config::new(), agreed);
        let mut inflater = Inflater::own(ZlibDecompress::new());
        let mut messages = Messages::new();
        let mut expected = self.in_order();
        while let Some(message) =
            messages.receive_inflated(&mut connection, &mut inflater, &mut wire)
        {
            let right = match (message, expected.next()) {
                (Received::Text(text), Some(message)) => message.text.as_deref() == Some(text),
                (Received::Binary(data), Some(message)) => {
                    message.text.is_none() && *message.bytes == *data
                }
                _ => false,
            };
            if !right {
                return false;
            }
        }
        expected.next().is_none()
    }
}
