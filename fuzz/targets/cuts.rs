//! Events and output do not depend on how the input is split. Neither do messages, whether they are
//! gathered, left in the input until they are complete, or read into their own memory.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{Keys, drive};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{Agreed, Client, Config, Connection, Deflate, Messages, Role, Server};

fn compare<R: Role>(role: fn() -> R, agreed: Agreed, bytes: &[u8], cuts: &[u8]) {
    let new = || Connection::new(role(), &Config::new().max_message(1000), agreed);
    let whole = drive(&mut new(), [bytes]);
    assert_eq!(whole, drive(&mut new(), bytes.chunks(1)));
    let (mut chunks, mut rest) = (Vec::new(), bytes);
    for cut in cuts {
        let (chunk, behind) = rest.split_at(usize::from(*cut).min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks.push(rest);
    let capacity = 14 + cuts.iter().map(|cut| usize::from(*cut)).sum::<usize>();
    let (gathered, _) = messages(&mut new(), None, &chunks);
    assert_eq!(gathered, read(&mut new(), &chunks));
    let (mut seen, is_left) = messages(&mut new(), Some(capacity), &chunks);
    // A message that stays in the input fails for these reasons only when it is complete.
    const LATE: [&str; 2] = ["Failed(Violation(InvalidUtf8))", "Failed(Internal(NoInflater))"];
    if is_left && gathered.len() == seen.len() + 1 {
        seen.extend(gathered.last().filter(|last| LATE.contains(&&***last)).cloned());
    }
    assert_eq!(gathered, seen);
    assert_eq!(whole, drive(&mut new(), chunks));
}

/// Returns the messages that are received, and whether part of one is still in the input. With a
/// `capacity`, a partly received message stays in an input buffer of so many bytes.
fn messages<R: Role>(
    connection: &mut Connection<R>,
    capacity: Option<usize>,
    chunks: &[&[u8]],
) -> (Vec<String>, bool) {
    let mut messages = Messages::new().in_place(capacity.unwrap_or(0));
    let (mut seen, mut buffer) = (Vec::new(), Vec::new());
    for chunk in chunks {
        for read in chunk.chunks(capacity.map_or(1000, |capacity| capacity / 2)) {
            buffer.extend_from_slice(read);
            let mut input = &mut buffer[..];
            while let Some(message) = messages.receive(connection, &mut input) {
                seen.push(format!("{message:?}"));
            }
            let left = input.len();
            assert!(left < capacity.unwrap_or(1));
            buffer.drain(..buffer.len() - left);
        }
    }
    (seen, !buffer.is_empty())
}

/// Returns the messages that are received if binary payloads are read into the message's memory.
fn read<R: Role>(connection: &mut Connection<R>, chunks: &[&[u8]]) -> Vec<String> {
    let (mut memory, mut seen) = ([0; 1000], Vec::new());
    let mut messages = Messages::lent(&mut memory);
    for mut chunk in chunks.iter().copied() {
        while !chunk.is_empty() {
            if let Some(memory) = messages.read_buffer(connection) {
                let (now, later) = chunk.split_at(memory.len().min(chunk.len()));
                memory[..now.len()].copy_from_slice(now);
                let message = messages.receive_read(connection, now.len());
                seen.extend(message.map(|message| format!("{message:?}")));
                chunk = later;
                continue;
            }
            let (now, later) = chunk.split_at(chunk.len().min(20));
            let mut buffer = now.to_vec();
            let mut input = &mut buffer[..];
            while let Some(message) = messages.receive(connection, &mut input) {
                seen.push(format!("{message:?}"));
            }
            chunk = later;
        }
    }
    seen
}

fuzz_target!(|input: (&[u8], &[u8])| {
    let (cuts, bytes) = input;
    for compression in [false, true] {
        let mut agreed = Agreed::new();
        agreed.deflate = compression.then(Deflate::new);
        compare(|| Server, agreed, bytes, cuts);
        compare(|| Client(Keys::default()), agreed, bytes, cuts);
    }
});
