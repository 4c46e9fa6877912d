//! Drivers that ignore a signal, against peers of every kind: each ends within the deadlines, and
//! no turn is without effect.

use std::time::Duration;

use crate::common::{frame, mask};
use websocket_proto::{
    CloseCode, NextStep,
    endpoint::{Endpoint, Incoming, Options},
    handshake::AcceptOptions,
};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// When the application closes what is still open.
const CLOSING: u64 = 300;

/// What a driver ignores.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ignored {
    Nothing,
    /// It reads also when no input is wanted.
    WantsRead,
    /// It does not report the end of the stream.
    Eof,
    /// It reports the end of the stream in every turn.
    EofOnce,
    /// It does not report that the transport took nothing.
    WrittenNothing,
    /// It does not end its writing side.
    ShutdownWrite,
    /// It receives only when something was read, not after a write.
    ReceiveAfterWrite,
    /// It receives nothing at all.
    Receive,
    /// It writes nothing.
    Output,
}

/// What a peer does. It sends a part each `every` seconds, and reads so many bytes in a second.
struct Peer {
    name: &'static str,
    /// What it sends first, at 0 s.
    first: Vec<u8>,
    /// What it sends then, over and over, in parts of so many bytes.
    then: Vec<u8>,
    part: usize,
    every: u64,
    /// When its stream ends, if not before.
    end: u64,
    /// Whether its stream ends a second after that of the driver.
    polite: bool,
    reads: usize,
}

fn peers() -> Vec<Peer> {
    let request = REQUEST.as_bytes().to_vec();
    let with = |frames: &[u8]| [REQUEST.as_bytes(), frames].concat();
    let never = u64::MAX;
    let peer = |name, first: &[u8], then: Vec<u8>, part, every, end, reads| Peer {
        name,
        first: first.to_vec(),
        then,
        part,
        every,
        end,
        polite: name.contains("breaks"),
        reads,
    };
    let text = mask(&frame(0x81, &[b'a'; 100]));
    let long = mask(&frame(0x82, &[7; 60_000]));
    let close = mask(&frame(0x88, &[0x03, 0xE8]));
    vec![
        peer("silent from the start", b"", vec![], 1, 1, never, 1000),
        peer("head by the byte", b"", request.clone(), 1, 1, never, 1000),
        peer("bad request", b"GET / HTTP/1.1\r\n\r\n", vec![b'x'], 1, 1, never, 1000),
        peer("bad request, does not read", b"GET / HTTP/1.1\r\n\r\n", vec![b'x'], 1, 1, never, 0),
        peer("gone after the request", &request, vec![], 1, 1, 1, 1000),
        peer("silent after the request", &request, vec![], 1, 1, never, 1000),
        peer("talks for ever", &request, text.clone(), text.len(), 1, never, 1000),
        peer("talks, and does not read", &request, text.repeat(20), 2000, 1, never, 0),
        peer("talks, and reads slowly", &request, text.repeat(20), 2000, 1, never, 10),
        peer("a message by the byte", &request, long, 1, 19, never, 1000),
        peer("closes, and stays", &with(&close), vec![], 1, 1, never, 1000),
        peer("closes, and goes", &with(&close), vec![], 1, 1, 2, 1000),
        peer("breaks a rule, and talks on", &with(&[0xFF; 9]), text, 7, 1, never, 1000),
    ]
}

/// Runs until the transport is dropped. Returns when that is, and how many turns were taken.
fn drive(peer: &Peer, ignored: Ignored) -> (u64, u32) {
    let seconds = Duration::from_secs;
    let mut ws = Endpoint::server(&Options::new().water_marks(1000, 3000));
    let (mut unread, mut first) = (peer.first.clone(), true);
    let mut then = peer.then.iter().copied().cycle();
    let (mut now, mut next_part, mut room, mut last_room) = (0, peer.every, peer.reads, 0);
    let (mut stream_end, mut ended, mut turns, mut closed) = (peer.end, false, 0, false);
    loop {
        turns += 1;
        assert!(turns < 10_000, "the driver spins at {now} s");
        ws.tick(seconds(now));
        // Read.
        let mut read = Vec::new();
        if (ws.wants_read() || ignored == Ignored::WantsRead) && ignored != Ignored::Receive {
            read = std::mem::take(&mut unread);
        }
        if !read.is_empty() || first || ignored != Ignored::ReceiveAfterWrite {
            first = false;
            let mut input = &mut read[..];
            while let (true, Some((incoming, sender))) =
                (ignored != Ignored::Receive, ws.receive(&mut input))
            {
                match incoming {
                    Incoming::Request => {
                        ws.request().unwrap().accept(&AcceptOptions::new()).unwrap();
                    }
                    Incoming::Text(text) => _ = sender.text(text),
                    _ => {}
                }
            }
        }
        if unread.is_empty() && now >= stream_end && ignored != Ignored::Eof {
            if !ended || ignored != Ignored::EofOnce {
                ws.receive_eof();
            }
            ended = true;
        }
        if now >= CLOSING && !closed {
            let _ = ws.close(CloseCode::GOING_AWAY, "");
            closed = true;
        }
        // Write.
        let count = ws.output().len().min(room);
        if ignored != Ignored::Output && (count > 0 || ignored != Ignored::WrittenNothing) {
            ws.written(count);
            room -= count;
        }
        match ws.next_step() {
            NextStep::Drop => return (now, turns),
            NextStep::ShutdownWrite if peer.polite && ignored != Ignored::ShutdownWrite => {
                stream_end = now + 1;
            }
            _ => {}
        }
        // Wait for the deadline, the peer or the application.
        let deadline = ws.deadline().map_or(u64::MAX, |at| at.as_secs());
        let room_comes = if ws.output().is_empty() || peer.reads == 0 { u64::MAX } else { now + 1 };
        let application = if closed { u64::MAX } else { CLOSING };
        let end = if ended || now >= stream_end { u64::MAX } else { stream_end };
        let part = if peer.then.is_empty() { u64::MAX } else { next_part };
        let wake = [deadline, room_comes, application, end, part].into_iter().min().unwrap();
        assert!(wake < u64::MAX, "the driver waits for ever");
        now = wake.max(now);
        if now >= next_part {
            next_part = now + peer.every;
            // The transport buffers only so much.
            if unread.len() < 100_000 {
                unread.extend(then.by_ref().take(peer.part));
            }
        }
        if now > last_room {
            room = peer.reads.saturating_mul((now - last_room) as usize);
            last_room = now;
        }
    }
}

#[test]
fn a_driver_that_ignores_a_signal_still_ends() {
    use Ignored::*;
    let all = [
        Nothing,
        WantsRead,
        Eof,
        EofOnce,
        WrittenNothing,
        ShutdownWrite,
        ReceiveAfterWrite,
        Receive,
        Output,
    ];
    for peer in peers() {
        for ignored in all {
            let (end, turns) = drive(&peer, ignored);
            let (name, every) = (peer.name, peer.every);
            // The closing handshake takes 5 s, and as long again for output that has to wait.
            assert!(end <= CLOSING + 70, "{name}, {ignored:?}: at {end} s");
            // A turn for each second in which a byte moves, and a few for each deadline.
            let most = 2 * end / every + 2 * end + 30;
            assert!(u64::from(turns) <= most, "{name}, {ignored:?}: {turns} turns in {end} s");
        }
    }
}

#[test]
fn peers_that_hold_a_connection_are_dropped_in_time() {
    let ends = |name: &str| {
        let peers = peers();
        let peer = peers.iter().find(|peer| peer.name == name).unwrap();
        drive(peer, Ignored::Nothing).0
    };
    assert_eq!(ends("silent from the start"), 15);
    assert_eq!(ends("head by the byte"), 15);
    assert_eq!(ends("bad request"), 5);
    assert_eq!(ends("bad request, does not read"), 5);
    assert_eq!(ends("gone after the request"), 1);
    assert_eq!(ends("silent after the request"), 45);
    assert_eq!(ends("talks for ever"), 305);
    assert_eq!(ends("talks, and does not read"), 65);
    assert_eq!(ends("a message by the byte"), 84);
    assert_eq!(ends("closes, and stays"), 5);
    assert_eq!(ends("closes, and goes"), 2);
    assert_eq!(ends("breaks a rule, and talks on"), 1);
}
