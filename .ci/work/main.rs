//! `work` prints the names of the loads, `work NAME LENGTH` does one that is so many bytes long, but
//! for what is constant. What happens in [`counted`] counts.

#[path = "../../tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use common::blocks::{Bits, Block, FAR, NEAR};
use common::{Keys, mask};
use websocket_proto::handshake::{AcceptOptions, ClientHandshake, Offer, ServerHandshake, Target};
use websocket_proto::{
    Agreed, Client, Config, Connection, Data, Deflate, Deflater, Event, Inflater, Message,
    Messages, Role, Server, SliceOutput, ZlibCompress, ZlibDecompress,
};

const NO_TAKEOVER: Agreed = Agreed::new().deflate(Deflate::new());
const TAKEOVER: Agreed =
    Agreed::new().deflate(Deflate { client_no_context_takeover: false, ..Deflate::new() });

/// Prepares a load of this length.
type Load = fn(usize) -> Box<dyn FnOnce()>;

/// The control has to be found to be more than linear.
const LOADS: &[(&str, Load)] = &[
    ("control", |length| {
        let bytes = vec![1_u8; length];
        Box::new(move || {
            for end in (0..length).step_by(64) {
                black_box(bytes[..end].iter().map(|byte| u64::from(*byte)).sum::<u64>());
            }
        })
    }),
    ("T11-one-message-of-small-fragments", |n| messages(fragments(1, n), 4096)),
    ("T12-empty-continuations", |n| messages(fragments(0, n), 4096)),
    ("T13-one-byte-fragments", |n| messages(fragments(1, n), 4096)),
    ("T13-one-byte-fragments-in-one-byte-reads", |n| messages(fragments(1, n), 1)),
    ("T13-one-frame-in-one-byte-reads", |n| messages(frame(0x82, &vec![b'a'; n]), 1)),
    ("T09-text-in-one-byte-reads", |n| messages(frame(0x81, "é".repeat(n / 2).as_bytes()), 1)),
    ("T09-text-in-events-of-one-byte", |n| events(frame(0x81, "é".repeat(n / 2).as_bytes()), 1)),
    ("T20-pings-that-nobody-answers", |n| events(mask(&[0x89, 1, 7]).repeat(n / 7), 4096)),
    ("T20-pings-and-a-full-output", |n| {
        let mut wire = mask(&[0x89, 1, 7]).repeat(n / 7);
        Box::new(move || {
            let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
            let mut memory = [0; 4096];
            let (mut out, mut input) = (SliceOutput::new(&mut memory), &mut wire[..]);
            while connection.receive(&mut input).is_some() {
                let _ = black_box(connection.transmit(&mut out));
            }
        })
    }),
    ("sent-in-one-byte-fragments", |n| {
        Box::new(move || {
            let role = Client(Keys::default());
            let mut connection = Connection::new(role, &Config::new(), Agreed::new());
            let mut out = Vec::new();
            for at in 0..n / 7 {
                let end = at + 1 == n / 7;
                connection.send_fragment(Data::Text("a"), end, &mut out).unwrap();
            }
            black_box(out);
        })
    }),
    ("T30-bomb-own", |n| inflated(bomb(n), Inflater::own(ZlibDecompress::new()), 4096)),
    ("T30-bomb-shared", |n| inflated(bomb(n), Inflater::shared(ZlibDecompress::new()), 4096)),
    ("T30-one-byte-fragments-own", |n| {
        inflated(compressed_fragments(n), Inflater::own(ZlibDecompress::new()), 4096)
    }),
    ("T30-one-byte-fragments-shared", |n| {
        inflated(compressed_fragments(n), Inflater::shared(ZlibDecompress::new()), 4096)
    }),
    ("T30-one-byte-reads-own", |n| {
        inflated(compressed_fragments(n), Inflater::own(ZlibDecompress::new()), 1)
    }),
    ("T30-one-byte-fragments-in-pieces", |n| {
        let mut wire = compressed_fragments(n);
        Box::new(move || {
            let mut connection = connection(Server, NO_TAKEOVER);
            let mut inflater = Inflater::own(ZlibDecompress::new());
            for chunk in wire.chunks_mut(3) {
                let mut input = chunk;
                while let Some(event) = connection.receive(&mut input) {
                    let Event::Compressed(mut piece) = event else { panic!("{event:?}") };
                    while let Some(event) = inflater.inflate(&mut connection, &mut piece) {
                        assert!(matches!(event, Event::Text(_)), "{event:?}");
                    }
                }
            }
        })
    }),
    ("T33-final-fixed", |n| one_frame(blocks(true, &[Block::Fixed(&[])], n), 4096)),
    ("T33-final-fixed-near", |n| one_frame(blocks(true, &[Block::Fixed(&[NEAR])], n), 4096)),
    ("T33-final-fixed-far", |n| one_frame(blocks(true, &[Block::Fixed(&[FAR])], n), 4096)),
    ("T33-final-stored", |n| one_frame(blocks(true, &[Block::Stored(b"")], n), 4096)),
    ("T33-final-stored-byte", |n| one_frame(blocks(true, &[Block::Stored(b"a")], n), 4096)),
    ("T33-final-dynamic", |n| one_frame(blocks(true, &[Block::Empty], n), 4096)),
    ("T33-final-of-every-kind", |n| {
        let kinds = [Block::Fixed(&[FAR]), Block::Stored(b""), Block::Fixed(&[]), Block::Empty];
        one_frame(blocks(true, &kinds, n), 4096)
    }),
    ("T33-final-fixed-in-one-byte-fragments", |n| {
        one_byte_fragments(blocks(true, &[Block::Fixed(&[])], n / 7))
    }),
    ("T33-final-fixed-in-one-byte-reads", |n| one_frame(blocks(true, &[Block::Fixed(&[])], n), 1)),
    ("T33-final-fixed-messages", |n| {
        let window = [&stored(&[b'a'; 40_000])[..], &[0]].concat();
        let wire = [frame(0xC2, &window), mask(&[0xC2, 2, 3, 0]).repeat(n / 8)].concat();
        inflated_by(TAKEOVER, wire, Inflater::own(ZlibDecompress::new()), 0, 4096)
    }),
    ("T33-fixed", |n| one_frame(blocks(false, &[Block::Fixed(&[])], n), 4096)),
    ("T33-fixed-far", |n| one_frame(blocks(false, &[Block::Fixed(&[FAR])], n), 4096)),
    ("T33-stored", |n| one_frame(blocks(false, &[Block::Stored(b"")], n), 4096)),
    ("T33-stored-in-one-byte-reads", |n| one_frame(blocks(false, &[Block::Stored(b"")], n), 1)),
    ("T33-dynamic", |n| one_frame(blocks(false, &[Block::Empty], n), 4096)),
    ("T33-empty-messages", |n| {
        let wire = mask(&[0xC2, 1, 0]).repeat(n / 7);
        inflated(wire, Inflater::own(ZlibDecompress::new()), 4096)
    }),
    ("T40-request-in-one-byte-reads", |n| request(&format!("X: {}", "a".repeat(n)), 1)),
    ("T40-endless-header", |n| request(&format!("X: {}", "a".repeat(n)), 4096)),
    ("T40-empty-lines-in-front", |n| server_head("\r\n".repeat(n / 2), 64)),
    ("T40-header-lines-in-one-byte-reads", |n| request(&vec!["X: y"; n / 6].join("\r\n"), 1)),
    ("T40-endless-header-lines", |n| request(&vec!["X: y"; n / 6].join("\r\n"), 4096)),
    ("T40-response-in-one-byte-reads", |n| response(&format!("X: {}", "a".repeat(n)), 1)),
    ("T40-interim-responses", |n| client_head("HTTP/1.1 100 Continue\r\n\r\n".repeat(n / 25), 64)),
    ("T40-interim-responses-in-one-byte-reads", |n| {
        client_head("HTTP/1.1 100 Continue\r\n\r\n".repeat(n / 25), 1)
    }),
    ("T47-spaces-behind", |n| value("X", " ", n)),
    ("T47-words", |n| value("X", " b", n)),
    ("T47-spaces-within", |n| request(&format!("X: b{}x", " ".repeat(n)), 4096)),
    ("T47-spaces-in-upgrade", |n| request(&format!("Upgrade: b{}x", " ".repeat(n)), 4096)),
    ("T47-commas-in-connection", |n| value("Connection", ",", n)),
    ("T47-subprotocols", |n| value("Sec-WebSocket-Protocol", ",b", n)),
    ("T47-subprotocol-lines", |n| {
        request(&vec!["Sec-WebSocket-Protocol: b"; n / 27].join("\r\n"), 4096)
    }),
    ("T47-quoted-pairs", |n| {
        let pairs = "\\c".repeat(n / 2);
        request(&format!("Sec-WebSocket-Extensions: a; b=\"{pairs}\""), 4096)
    }),
    ("T47-quoted-pairs-without-end", |n| {
        request(&format!("Sec-WebSocket-Extensions: a; b=\"{}", "\\c".repeat(n / 2)), 4096)
    }),
    ("T47-parameters", |n| value("Sec-WebSocket-Extensions", ";b", n)),
    ("T47-extensions", |n| value("Sec-WebSocket-Extensions", ",b;c=\"d\"", n)),
    ("T47-offers-of-compression", |n| {
        value("Sec-WebSocket-Extensions", ",permessage-deflate;server_max_window_bits=7", n)
    }),
    ("T47-parameters-of-compression", |n| {
        request(
            &format!(
                "Sec-WebSocket-Extensions: permessage-deflate{}",
                ";client_max_window_bits".repeat(n / 23)
            ),
            4096,
        )
    }),
    ("T47-empty-extensions", |n| value("Sec-WebSocket-Extensions", ",", n)),
    ("T47-spaces-for-extensions", |n| value("Sec-WebSocket-Extensions", " ", n)),
    // Twice the bytes, since making room for the lines of a head takes as much as 15 000 of them.
    ("T47-invalid-extensions", |n| value("Sec-WebSocket-Extensions", ",a=", 2 * n)),
    ("T47-response-extensions", |n| {
        response(&format!("Sec-WebSocket-Extensions: a{}", ",b".repeat(n / 2)), 4096)
    }),
    ("T47-response-connection", |n| response(&format!("Connection: {}", ",b".repeat(n / 2)), 4096)),
    ("compressed-and-sent", |n| {
        let text = "work ".repeat(n / 5);
        Box::new(move || {
            let mut connection = Connection::new(Server, &Config::new(), NO_TAKEOVER);
            let mut deflater = Deflater::own(ZlibCompress::new(6));
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(50) {
                connection
                    .send_compressed_fragment(Data::Binary(piece), false, &mut deflater, &mut out)
                    .unwrap();
            }
            black_box(out);
        })
    }),
];

fn main() {
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        return LOADS.iter().for_each(|(name, _)| println!("{name}"));
    };
    let length = words.next().expect("a length").parse().expect("a length");
    let (_, load) = LOADS.iter().find(|load| load.0 == name).expect("a load of this name");
    counted(load(length));
}

#[inline(never)]
fn counted(work: Box<dyn FnOnce()>) {
    work();
}

// --- frames ----------------------------------------------------------------------------------------

/// One frame from a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("not that long");
    let header = match u16::try_from(length) {
        Ok(length) => [&[first, 126], &length.to_be_bytes()[..]].concat(),
        Err(_) => [&[first, 127], &u64::from(length).to_be_bytes()[..]].concat(),
    };
    mask(&[&header, payload].concat())
}

/// A message that does not end, in `length` bytes of frames of `size`.
fn fragments(size: u8, length: usize) -> Vec<u8> {
    let piece = |first| mask(&[&[first, size][..], &vec![b'a'; size.into()]].concat());
    let (first, next) = (piece(0x01), piece(0x00));
    let count = length / next.len();
    [first, next.repeat(count)].concat()
}

/// So many bytes of compressed zeros in one message.
fn bomb(length: usize) -> Vec<u8> {
    let role = Client(Keys::default());
    let mut connection = Connection::new(role, &Config::new(), NO_TAKEOVER);
    let mut deflater = Deflater::own(ZlibCompress::new(9));
    let mut wire = Vec::new();
    connection
        .send_compressed(Data::Binary(&vec![0; length * 100]), &mut deflater, &mut wire)
        .unwrap();
    wire
}

/// A stored block.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("one block");
    [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
}

/// A compressed message that fills the window, and then has these blocks again and again, final ones
/// or not.
fn blocks(last: bool, kinds: &[Block<'_>], length: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    while bits.len() < length {
        kinds.iter().for_each(|block| bits.block(last, false, *block));
    }
    // What the tail completes.
    bits.number(0, 3);
    [&stored(&[b'a'; 40_000])[..], &bits.bytes()].concat()
}

/// In one frame, of which the window is one read.
fn one_frame(payload: Vec<u8>, read: usize) -> Box<dyn FnOnce()> {
    let codec = ZlibDecompress::new();
    inflated_by(NO_TAKEOVER, frame(0xC2, &payload), Inflater::own(codec), 40_000, read)
}

/// In fragments of a byte behind the window.
fn one_byte_fragments(payload: Vec<u8>) -> Box<dyn FnOnce()> {
    let (window, rest) = payload.split_at(5 + 40_000);
    let mut wire = frame(0x42, window);
    for byte in rest {
        wire.extend(mask(&[0x00, 1, *byte]));
    }
    wire.extend(mask(&[0x80, 0]));
    inflated(wire, Inflater::own(ZlibDecompress::new()), 4096)
}

/// One compressed message of stored blocks, in fragments of a byte.
fn compressed_fragments(length: usize) -> Vec<u8> {
    let payload = stored(b"a").repeat(length / 6 / 7);
    let mut wire = Vec::new();
    for (at, byte) in payload.iter().enumerate() {
        wire.extend(mask(&[if at == 0 { 0x41 } else { 0x00 }, 1, *byte]));
    }
    wire.extend(mask(&[0x80, 1, 0]));
    wire
}

/// What a server makes of these bytes, as whole messages.
fn messages(mut wire: Vec<u8>, read: usize) -> Box<dyn FnOnce()> {
    Box::new(move || {
        let mut connection = connection(Server, Agreed::new());
        let mut messages = Messages::new();
        for chunk in wire.chunks_mut(read) {
            let mut input = chunk;
            while let Some(message) = messages.receive(&mut connection, &mut input) {
                assert!(!matches!(message, Message::Failed(_)), "{message:?}");
            }
        }
    })
}

/// As events.
fn events(mut wire: Vec<u8>, read: usize) -> Box<dyn FnOnce()> {
    Box::new(move || {
        let mut connection = connection(Server, Agreed::new());
        for chunk in wire.chunks_mut(read) {
            let mut input = chunk;
            while let Some(event) = connection.receive(&mut input) {
                assert!(!matches!(event, Event::Failed(_)), "{event:?}");
            }
        }
    })
}

/// As messages that may be compressed.
fn inflated(wire: Vec<u8>, inflater: Inflater<ZlibDecompress>, read: usize) -> Box<dyn FnOnce()> {
    inflated_by(NO_TAKEOVER, wire, inflater, 0, read)
}

fn inflated_by(
    agreed: Agreed,
    mut wire: Vec<u8>,
    mut inflater: Inflater<ZlibDecompress>,
    first: usize,
    read: usize,
) -> Box<dyn FnOnce()> {
    Box::new(move || {
        let mut connection = connection(Server, agreed);
        let mut messages = Messages::new();
        let (front, back) = wire.split_at_mut(first);
        for chunk in std::iter::once(front).chain(back.chunks_mut(read)) {
            let mut input = chunk;
            while let Some(message) =
                messages.receive_inflated(&mut connection, &mut inflater, &mut input)
            {
                assert!(!matches!(message, Message::Failed(_)), "{message:?}");
            }
        }
    })
}

fn connection<R: Role>(role: R, agreed: Agreed) -> Connection<R> {
    Connection::new(role, &Config::new().max_message(u64::MAX), agreed)
}

// --- heads -----------------------------------------------------------------------------------------

/// A header of this name whose value is so long.
fn value(name: &str, unit: &str, length: usize) -> Box<dyn FnOnce()> {
    request(&format!("{name}: a{}", unit.repeat(length / unit.len())), 4096)
}

/// A request with these lines, read by a server that also looks at all of it.
fn request(lines: &str, read: usize) -> Box<dyn FnOnce()> {
    let head = format!(
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n\r\n"
    );
    server_head(head, read)
}

fn server_head(head: String, read: usize) -> Box<dyn FnOnce()> {
    let mut buffer = head.into_bytes();
    Box::new(move || {
        let mut handshake = ServerHandshake::new().max_head(usize::MAX).max_headers::<20000>();
        for end in ends(buffer.len(), read) {
            match handshake.receive(&mut &mut buffer[..end]) {
                Ok(None) => {}
                Ok(Some(request)) => {
                    let accept = AcceptOptions::new().deflate(Deflate::new());
                    black_box(request.response(&accept).is_ok());
                    black_box(request.subprotocols().count());
                    black_box(request.extensions().map(|e| e.params().count()).sum::<usize>());
                    black_box(request.is_same_origin());
                }
                Err(error) => {
                    black_box(error);
                    return;
                }
            }
        }
    })
}

fn response(lines: &str, read: usize) -> Box<dyn FnOnce()> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{lines}\r\n\r\n"
    );
    client_head(head, read)
}

fn client_head(head: String, read: usize) -> Box<dyn FnOnce()> {
    let mut buffer = head.into_bytes();
    Box::new(move || {
        let offer = Offer::new();
        let target = Target::parse("ws://example.com/").unwrap();
        let mut handshake =
            ClientHandshake::start(&target, &offer, *b"the sample nonce", &mut Vec::new())
                .unwrap()
                .max_head(usize::MAX)
                .max_headers::<20000>();
        for end in ends(buffer.len(), read) {
            if black_box(handshake.receive(&mut &mut buffer[..end])).is_err() {
                return;
            }
        }
    })
}

fn ends(length: usize, read: usize) -> impl Iterator<Item = usize> {
    (read..length).step_by(read).chain([length])
}
