//! What an endpoint costs: its size, and the most memory that a peer can make it hold.

use std::time::Duration;

use crate::allocator::measure;
use crate::common::{Keys, frame, mask};
use websocket_proto::{
    Agreed, Config, Role, Server,
    endpoint::{Endpoint, Incoming, Options},
    handshake::{AcceptOptions, Offer, Target},
};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// Receives `bytes` as one read, out of a buffer that is not counted, and answers what can be
/// answered. Returns how many messages there were.
fn read<R: Role>(
    ws: &mut Endpoint<R>,
    bytes: &mut [u8],
    mut reply: impl FnMut(&mut Endpoint<R>),
) -> usize {
    let (mut input, mut messages) = (bytes, 0);
    while let Some((incoming, sender)) = ws.receive(&mut input) {
        match incoming {
            Incoming::Text(text) => {
                let _ = sender.text(text);
                messages += 1;
            }
            Incoming::Binary(data) => {
                let _ = sender.binary(data);
                messages += 1;
            }
            _ => reply(ws),
        }
    }
    messages
}

fn accept(ws: &mut Endpoint<Server>) {
    if let Some(request) = ws.request() {
        request.accept(&AcceptOptions::new()).unwrap();
    }
}

fn write_all<R: Role>(ws: &mut Endpoint<R>) {
    ws.written(ws.output().len());
}

/// How much more is in use behind `work` than before it, and at most meanwhile.
fn use_of<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let (result, memory) = measure(work);
    (result, memory.kept, memory.peak)
}

/// Nothing comes for 20 s.
fn rest<R: Role>(ws: &mut Endpoint<R>) {
    for time in [1, 21, 21] {
        ws.tick(Duration::from_secs(time));
    }
    assert!(!ws.output().is_empty(), "a Ping");
    write_all(ws);
}

/// A connection that has received and sent messages in every way, and then nothing for 20 s.
fn idle_server(options: &Options) -> Endpoint<Server> {
    let mut ws = Endpoint::server(options);
    ws.tick(Duration::ZERO);
    for part in [&REQUEST.as_bytes()[..50], &REQUEST.as_bytes()[50..], b"\r\n"] {
        read(&mut ws, &mut part.to_vec(), accept);
    }
    write_all(&mut ws);
    let mut frames = mask(&frame(0x01, &[b'a'; 3000]));
    frames.extend(mask(&frame(0x80, &[b'a'; 3000])));
    frames.extend(mask(&frame(0x82, &[7; 9000])));
    for part in frames.chunks(1000) {
        read(&mut ws, &mut part.to_vec(), accept);
    }
    write_all(&mut ws);
    rest(&mut ws);
    ws
}

#[test]
fn an_idle_endpoint_takes_768_bytes_at_most() {
    let options = Options::new();
    let (ws, in_use, _) = use_of(|| idle_server(&options));
    let size = size_of_val(&ws) as isize;
    assert!(in_use + size <= 768, "{size} bytes and {in_use} on the heap");

    let (ws, in_use, _) = use_of(|| {
        let target = Target::parse("ws://h/").unwrap();
        let offer = Offer::new().subprotocols(&["a", "b"]);
        let nonce = *b"the sample nonce";
        let mut ws = Endpoint::client(&target, &offer, nonce, Keys(0), &options).unwrap();
        write_all(&mut ws);
        let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        read(&mut ws, &mut response.to_vec(), |_| {});
        rest(&mut ws);
        ws
    });
    let size = (size_of_val(&ws) - size_of::<Keys>()) as isize;
    assert!(in_use + size <= 768, "{size} bytes and {in_use} on the heap");
    assert_eq!(ws.ending(), None);
}

#[test]
#[cfg(all(feature = "std", feature = "deflate"))]
fn an_idle_endpoint_with_shared_codecs_takes_768_bytes_at_most() {
    use websocket_proto::{
        Deflate,
        endpoint::{Compression, ZlibStock},
    };

    let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
    let converse = || {
        let agreed = Agreed::new().deflate(Deflate::new());
        let mut ws = Endpoint::open(Server, agreed, &options).unwrap();
        ws.tick(Duration::ZERO);
        read(&mut ws, &mut mask(&frame(0xC1, b"\xF2\x48\xCD\xC9\xC9\x07\x00")), |_| {});
        read(&mut ws, &mut mask(&frame(0x81, b"hi")), |_| {});
        ws.text(&"a".repeat(30_000)).unwrap();
        assert!(ws.output().len() < 200, "it is compressed");
        write_all(&mut ws);
        rest(&mut ws);
        ws
    };
    // The codecs stay in the stock.
    drop(converse());
    let (ws, in_use, _) = use_of(converse);
    let size = size_of_val(&ws) as isize;
    assert!(in_use + size <= 768, "{size} bytes and {in_use} on the heap");
}

#[test]
fn a_head_takes_as_much_as_its_limit_and_is_freed_once_it_is_answered() {
    let options = Options::new().max_head(8000);
    let line = b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    for length in [1, 100, 5000] {
        let bytes: Vec<u8> = REQUEST.bytes().chain(line.repeat(1000)).collect();
        let mut parts: Vec<_> = bytes.chunks(length).map(<[u8]>::to_vec).collect();
        let (ws, _, peak) = use_of(|| {
            let mut ws = Endpoint::server(&options);
            for part in &mut parts {
                read(&mut ws, part, accept);
            }
            ws
        });
        assert!(ws.output().starts_with(b"HTTP/1.1 431 "));
        // A vector grows by doubling, and both are in use while one is copied to the other.
        assert!(peak < 8000 * 3 + 1000, "{peak} bytes");
    }
    let mut request: Vec<u8> = REQUEST.bytes().chain(line.repeat(40)).chain(*b"\r\n").collect();
    let (ws, in_use, _) = use_of(|| {
        let mut ws = Endpoint::server(&options);
        read(&mut ws, &mut request, accept);
        write_all(&mut ws);
        ws
    });
    assert!(ws.wants_read());
    assert!(in_use < 300, "{in_use} bytes");
}

/// 64 KiB of one-byte messages, over and over, to an endpoint whose output nobody takes.
#[test]
fn output_for_a_peer_that_does_not_read_is_bounded() {
    let options = Options::new().water_marks(10_000, 20_000);
    for first in [0x82, 0x89] {
        let one = mask(&frame(first, b"a"));
        let mut bytes = one.repeat((64 << 10) / one.len());
        let all = bytes.clone();
        let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
        let (received, _, peak) = use_of(|| {
            let mut received = 0;
            for _ in 0..20 {
                if !ws.wants_read() {
                    break;
                }
                bytes.copy_from_slice(&all);
                received += read(&mut ws, &mut bytes, |_| {});
                assert!(ws.output().len() <= 2 * (20_000 + 127));
            }
            received
        });
        assert!(!ws.wants_read());
        assert!(peak < 6 * 20_000 + (64 << 10) + 1000, "{peak} bytes");
        // The peer reads after all: everything that was read before is received, once.
        let mut received = received;
        let mut answered = 0;
        while !ws.output().is_empty() {
            let count = ws.output().len().min(1000);
            answered += count;
            ws.written(count);
            received += read(&mut ws, &mut [], |_| {});
        }
        let messages = all.len() / one.len();
        let times = if first == 0x82 { received / messages } else { answered / 3 / messages };
        assert!(times >= 1);
        assert_eq!(answered, 3 * messages * times);
        assert!(ws.wants_read());
    }
}

#[test]
fn a_message_takes_its_own_length_and_its_memory_is_given_back() {
    let options = Options::new().config(Config::new().max_message(100_000)).keeping(1000);
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    let mut parts: Vec<_> =
        mask(&frame(0x82, &[7; 100_000])).chunks(777).map(<[u8]>::to_vec).collect();
    let ((), in_use, peak) = use_of(|| {
        for part in &mut parts {
            read(&mut ws, part, |_| {});
        }
        write_all(&mut ws);
    });
    assert!(peak < 400_000, "{peak} bytes");
    assert!(in_use < 3000, "{in_use} bytes");
    // So is that of the copy of a message that was waited for.
    let mut parts: Vec<_> =
        mask(&frame(0x82, &[7; 100_000])).chunks(777).map(<[u8]>::to_vec).collect();
    let (messages, in_use, _) = use_of(|| {
        let mut messages = 0;
        for part in &mut parts {
            let mut input = &mut part[..];
            while ws.ready(&mut input) {
                messages += usize::from(ws.receive(&mut input).is_some());
            }
        }
        messages
    });
    assert_eq!(messages, 1);
    assert!(in_use < 3000, "{in_use} bytes");
    // A declared length alone takes nothing.
    let mut header = mask(&frame(0x82, &[7; 99_999]))[..8].to_vec();
    let ((), _, peak) = use_of(|| _ = read(&mut ws, &mut header, |_| {}));
    assert_eq!(peak, 0);
}

#[test]
fn small_messages_are_handled_without_an_allocation() {
    let options = Options::new();
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    let all = mask(&frame(0x81, b"0123456789abcdef")).repeat(10);
    let mut bytes = all.clone();
    read(&mut ws, &mut bytes, |_| {});
    write_all(&mut ws);
    let ((), in_use, peak) = use_of(|| {
        for _ in 0..100 {
            bytes.copy_from_slice(&all);
            assert_eq!(read(&mut ws, &mut bytes, |_| {}), 10);
            write_all(&mut ws);
        }
    });
    assert_eq!((in_use, peak), (0, 0));
}

#[test]
fn an_ended_endpoint_holds_next_to_nothing() {
    let mut ws = idle_server(&Options::new());
    read(&mut ws, &mut mask(&frame(0x88, &[0x03, 0xE8])), |_| {});
    write_all(&mut ws);
    let mut junk = vec![7; 100_000];
    let ((), in_use, _) = use_of(|| _ = read(&mut ws, &mut junk, |_| {}));
    assert_eq!(in_use, 0);
    // Nor does one that never opened hold the head that it refused.
    let options = Options::new();
    let mut head = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
    head.extend(b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(50));
    head.extend(b"\r\n");
    let (ws, in_use, _) = use_of(|| {
        let mut ws = Endpoint::server(&options);
        read(&mut ws, &mut head, |_| {});
        write_all(&mut ws);
        ws
    });
    assert!(ws.ending().is_some());
    assert!(in_use < 1000, "{in_use} bytes");
}

/// Some input is always inside, so that nothing frees all of it at once.
#[test]
fn a_driver_that_reads_before_all_was_received_makes_nothing_grow() {
    let options = Options::new().water_marks(100, 10_000);
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    let one = mask(&frame(0x82, &[7; 1000]));
    // The answers to 20 messages are too much output.
    let ((), _, peak) = use_of(|| {
        let mut first = one.repeat(22);
        assert_eq!(read(&mut ws, &mut first, |_| {}), 20);
    });
    assert!(peak < 100_000, "{peak} bytes");
    let all = one.repeat(20);
    let mut bytes = all.clone();
    let ((), _, peak) = use_of(|| {
        for _ in 0..1000 {
            write_all(&mut ws);
            bytes.copy_from_slice(&all);
            assert_eq!(read(&mut ws, &mut bytes, |_| {}), 20);
        }
    });
    assert!(peak < 100_000, "{peak} bytes");
    write_all(&mut ws);
    assert_eq!(read(&mut ws, &mut [], |_| {}), 2);
}
