//! All three servers do the job: they hold the same conversation, for any split into reads.

use footprint::bare::{self, Link};
use footprint::{End, embedded, sans_io};
use websocket_proto::{Agreed, Client, Config, Connection, Data, SliceOutput};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: device\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
/// The answer to the sample key (RFC 6455 §1.3).
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A peer that sends its input in reads of `most` bytes, and keeps the answers.
struct Script<'s> {
    input: &'s [u8],
    most: usize,
    output: Vec<u8>,
}

impl Link for Script<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let length = self.input.len().min(buffer.len()).min(self.most);
        let (now, later) = self.input.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.input = later;
        length
    }
    fn write(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
    }
    fn shutdown(&mut self) {}
}

/// Returns whether the connection ended well for every split of `input`, and the bytes after the
/// answer.
fn play(serve: impl Fn(&mut Script) -> bool, input: &[u8]) -> (bool, Vec<u8>) {
    let mut played: Vec<_> = (1..=input.len())
        .map(|most| {
            let mut script = Script { input, most, output: Vec::new() };
            let ended_well = serve(&mut script);
            let behind = script.output.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
            let (answer, frames) = script.output.split_at(behind);
            let answer = str::from_utf8(answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(ACCEPT), "{answer}");
            (ended_well, frames.to_vec())
        })
        .collect();
    played.dedup();
    assert_eq!(played.len(), 1, "what is answered depends on the cuts");
    played.remove(0)
}

fn of_all(input: &[u8]) -> [(bool, Vec<u8>); 3] {
    [play(ours, input), play(with_embedded, input), play(with_sans_io, input)]
}

fn ours(link: &mut Script) -> bool {
    bare::serve(link).is_some_and(|closure| closure.clean)
}

fn with_embedded(link: &mut Script) -> bool {
    embedded::serve(link) == End::Closed
}

fn with_sans_io(link: &mut Script) -> bool {
    sans_io::serve(link) == End::Closed
}

/// Returns the bytes that a client sends, from its request on.
fn client(
    frames: impl FnOnce(&mut Connection<Client<fn() -> [u8; 4]>>, &mut SliceOutput),
) -> Vec<u8> {
    let mut memory = [0; 1024];
    let mut out = SliceOutput::new(&mut memory);
    let keys: fn() -> [u8; 4] = || [0x37, 0xFA, 0x21, 0x3D];
    frames(&mut Connection::new(Client(keys), &Config::new(), Agreed::new()), &mut out);
    [REQUEST, out.written()].concat()
}

#[test]
fn all_serve_the_same_conversation() {
    let input = client(|client, out| {
        client.send_text("on", out).unwrap();
        client.send_binary(&[0xA5; 100], out).unwrap();
        client.ping(b"alive?", out).unwrap();
        client.send_binary(&[0x5A; 128], out).unwrap();
        client.close(None, out).unwrap();
    });
    let expected = [
        &b"\x81\x02on"[..],
        b"\x82\x64",
        &[0xA5; 100],
        b"\x8A\x06alive?",
        b"\x82\x7E\x00\x80",
        &[0x5A; 128],
        b"\x88\x00",
    ]
    .concat();
    for answered in of_all(&input) {
        assert_eq!(answered, (true, expected.clone()));
    }
}

#[test]
fn fragments_are_gathered() {
    let input = client(|client, out| {
        client.send_fragment(Data::Text("frag"), false, out).unwrap();
        client.send_fragment(Data::Text("ments"), true, out).unwrap();
        client.close(None, out).unwrap();
    });
    let expected = b"\x81\x09fragments\x88\x00".to_vec();
    assert_eq!(play(ours, &input), (true, expected.clone()));
    assert_eq!(play(with_sans_io, &input), (true, expected.clone()));
    // embedded-websocket accepts only the last fragment of a message if a read has split it.
    let mut script = Script { input: &input, most: input.len(), output: Vec::new() };
    assert!(with_embedded(&mut script) && script.output.ends_with(&expected));
}

#[test]
fn all_refuse_what_is_too_long() {
    let input = client(|client, out| client.send_binary(&[0; 129], out).unwrap());
    for (ended_well, frames) in of_all(&input) {
        assert!(!ended_well);
        assert_eq!(frames[..1], [0x88]);
        assert_eq!(frames[2..4], 1009_u16.to_be_bytes());
    }
}

#[test]
fn all_look_at_text() {
    let input = [REQUEST, &[0x81, 0x82, 0, 0, 0, 0, 0xC3, 0x28]].concat();
    for (ended_well, frames) in of_all(&input) {
        assert!(!ended_well);
        assert_eq!(frames[..1], [0x88]);
        assert_eq!(frames[2..4], 1007_u16.to_be_bytes());
    }
}
