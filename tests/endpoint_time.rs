//! When the limits of an endpoint begin, whatever the order of a driver's calls.

use std::time::Duration;

use crate::common::{
    endpoint::{block, fill, receive},
    frame, mask,
};
use websocket_proto::{
    Agreed, CloseCode, Limit, NextStep, Role, Server,
    endpoint::{Endpoint, Options},
};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn open() -> Endpoint<Server> {
    Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap()
}

fn write_all<R: Role>(ws: &mut Endpoint<R>) {
    ws.written(ws.output().len());
}

/// Something that happens in the life of an endpoint.
type Event = fn(&mut Endpoint<Server>);

/// The time was told at 0 s, and nothing happened until 19 s.
fn quiet(mut ws: Endpoint<Server>, event: Event) -> Endpoint<Server> {
    ws.tick(seconds(0));
    event(&mut ws);
    assert_eq!(ws.deadline(), Some(seconds(0)), "the next tick begins a limit");
    ws.tick(seconds(19));
    ws
}

#[test]
fn a_limit_begins_at_the_first_tick_after_its_cause() {
    let close: Event = |ws| ws.close(CloseCode::NORMAL, "bye").unwrap();
    let closed: Event = |ws| drop(receive(ws, &mask(&frame(0x88, b"\x03\xE8"))));
    let failed: Event = |ws| drop(receive(ws, b"\x81\x02hi"));
    let blocked: Event = |ws| {
        ws.text("hi").unwrap();
        ws.written(1);
    };
    let began: Event = |ws| drop(receive(ws, &mask(&frame(0x01, b"h"))));
    let rows = [
        (close, Limit::Close, 5),
        (closed, Limit::Close, 5),
        (failed, Limit::Close, 5),
        (blocked, Limit::Output, 60),
        (began, Limit::Message, 60),
    ];
    for (event, limit, length) in rows {
        // Without the others, the deadline is that of this limit.
        let all = [Limit::Idle, Limit::Message, Limit::Output, Limit::Close];
        let others = all.into_iter().filter(|&other| other != limit);
        let options = others.fold(Options::new(), |options, other| options.limit(other, None));
        let ws = quiet(Endpoint::open(Server, Agreed::new(), &options).unwrap(), event);
        assert_eq!(ws.deadline(), Some(seconds(19 + length)), "{limit:?}");
    }
    let head = |event| quiet(Endpoint::server(&Options::new()), event).deadline();
    assert_eq!(head(|ws| drop(receive(ws, REQUEST))), Some(seconds(19 + 30)));
    assert_eq!(head(|ws| drop(receive(ws, b"GET / HTTP/1.1\r\n\r\n"))), Some(seconds(19 + 5)));
    let refused: Event = |ws| {
        receive(ws, REQUEST);
        ws.request().unwrap().reject(403, &[], b"").unwrap();
    };
    assert_eq!(head(refused), Some(seconds(19 + 5)));
}

/// A tick before what was read is received dates it as well as one behind it, because the driver
/// turns once more.
#[test]
fn the_order_of_tick_and_receive_in_a_turn_does_not_matter() {
    for tick_first in [true, false] {
        let mut ws = open();
        let turn = |ws: &mut Endpoint<Server>, now, read: &[u8]| {
            // A driver wakes at each deadline.
            while let Some(at) = ws.deadline().filter(|&at| at < seconds(now)) {
                ws.tick(at);
                assert!(ws.output().is_empty());
            }
            let mut read = Some(read);
            loop {
                if tick_first {
                    ws.tick(seconds(now));
                }
                receive(ws, read.take().unwrap_or_default());
                if !tick_first {
                    ws.tick(seconds(now));
                }
                let pinged = ws.output().starts_with(b"\x89");
                write_all(ws);
                if pinged || ws.deadline().is_none_or(|at| at > seconds(now)) {
                    return pinged;
                }
            }
        };
        assert!(!turn(&mut ws, 0, b""));
        assert!(turn(&mut ws, 20, b""));
        // The Pong has the same time as the Ping, and the next Ping follows it by 20 s.
        assert!(!turn(&mut ws, 20, &mask(&frame(0x8A, b"\0\0\0\x01"))));
        assert!(turn(&mut ws, 40, b""), "tick first: {tick_first}");
        // A message that begins at 41 s has to end by 101 s.
        assert!(!turn(&mut ws, 41, &mask(&frame(0x01, b"h"))));
        for now in [55, 70, 85, 100] {
            assert!(!turn(&mut ws, now, &mask(&frame(0x00, b"h"))));
        }
        assert_eq!(ws.deadline(), Some(seconds(101)), "tick first: {tick_first}");
    }
}

#[test]
fn output_of_which_nothing_is_reported_is_blocked() {
    let take: Event = |ws| drop(ws.take_output(Vec::new()));
    let leave: Event = |_| {};
    for event in [take, leave] {
        let mut ws = open();
        ws.tick(seconds(0));
        ws.text("hi").unwrap();
        event(&mut ws);
        ws.tick(seconds(1));
        // It is known at 15 s, because it waited at 1 s: it is late at 75 s, closing at 96 s, and
        // given up at 120 s. This driver ticks seldom.
        for now in [15, 30, 45, 60, 75, 96, 110, 120] {
            assert_eq!(ws.ending(), None);
            receive(&mut ws, &mask(&frame(0x8A, b"")));
            ws.tick(seconds(now));
        }
        let ending = ws.ending().map(|ending| ending.to_string());
        assert_eq!(ending.as_deref(), Some("gave up: the peer reads too slowly"));
    }
}

#[test]
fn a_driver_whose_writes_fail_does_not_spin() {
    let mut ws = open();
    ws.tick(seconds(0));
    ws.text("hi").unwrap();
    let mut now = seconds(0);
    let mut turns = 0;
    while ws.next_step() != NextStep::Drop {
        ws.tick(now);
        ws.written(0);
        now = ws.deadline().unwrap_or(now);
        turns += 1;
        assert!(turns < 20, "{now:?}");
    }
    assert_eq!(now, seconds(20 + 20 + 5));
}

#[test]
fn output_of_each_turn_that_is_written_whole_never_waits_too_long() {
    let mut ws = open();
    for now in 0..200 {
        receive(&mut ws, &mask(&frame(0x89, b"?")));
        ws.tick(seconds(now));
        assert_eq!(ws.output(), frame(0x8A, b"?"));
        write_all(&mut ws);
    }
    // Also if it has to wait sometimes, but is drained each time.
    for now in 200..400 {
        receive(&mut ws, &mask(&frame(0x89, b"?")));
        ws.tick(seconds(now));
        ws.written(1);
        write_all(&mut ws);
        ws.ping(b"").unwrap();
        ws.written(0);
    }
    assert_eq!(ws.ending(), None);
    assert_eq!(ws.next_step(), NextStep::Continue);
}

/// A program was suspended for 100 s. What it could not do meanwhile is not held against the peer.
#[test]
fn what_takes_long_has_its_time_again_after_a_suspension() {
    let options = Options::new().limit(Limit::Idle, None);
    let new = || {
        let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
        ws.tick(seconds(0));
        ws
    };
    let mut message = new();
    receive(&mut message, b"\x82\xFF\0\0\0\0\0\x10\0\0\0\0\0\0and so on");
    let mut output = new();
    output.binary(&[0; 900_000]).unwrap();
    output.written(50_000);
    for mut ws in [message, output] {
        ws.tick(seconds(0));
        assert_eq!(ws.deadline(), Some(seconds(60)));
        ws.tick(seconds(100));
        assert_eq!(ws.deadline(), Some(seconds(160)));
        // A driver that ticks seldom was not suspended.
        ws.tick(seconds(180));
        ws.tick(seconds(180));
        assert_eq!(ws.ending(), None);
        assert_eq!(
            ws.text("more").map_err(|error| error.to_string()),
            Err("connection is closing or closed".into())
        );
    }
}

/// While too much output waits, nothing is read, so no Pong can come.
#[test]
fn a_peer_that_takes_nothing_is_told_that_it_is_too_slow() {
    for pause in [59, 60] {
        let mut ws = open();
        ws.tick(seconds(0));
        fill(&mut ws, 1 << 20);
        block(&mut ws, 1 << 20);
        assert!(!ws.wants_read());
        ws.written(1000);
        for now in (0..=pause).step_by(5).chain([pause, pause]) {
            ws.tick(seconds(now));
            ws.written(0);
        }
        write_all(&mut ws);
        ws.tick(seconds(pause));
        assert_eq!(ws.text("more").is_err(), pause == 60);
        ws.tick(seconds(65));
        ws.tick(seconds(65));
        let ending = ws.ending().map(|ending| ending.to_string());
        let slow = Some("gave up: the peer reads too slowly");
        assert_eq!(ending.as_deref(), slow.filter(|_| pause == 60));
    }
}

#[test]
fn a_peer_that_does_not_end_the_transport_does_not_hide_why_it_ended() {
    let rows: [(Event, &str); 3] = [
        (|ws| drop(receive(ws, &mask(&frame(0x83, b"")))), "failed: frame has a reserved opcode"),
        (
            |ws| drop(receive(ws, &mask(&frame(0x88, b"\x0F\xA1bye")))),
            r#"closed by the peer: 4001 "bye""#,
        ),
        (|ws| ws.close(CloseCode::NORMAL, "").unwrap(), "gave up: closing took too long"),
    ];
    for (event, expected) in rows {
        let mut ws = open();
        ws.tick(seconds(0));
        event(&mut ws);
        write_all(&mut ws);
        for now in [1, 6, 6] {
            ws.tick(seconds(now));
        }
        let ending = ws.ending().expect("it has ended");
        assert_eq!(ending.to_string(), expected);
        assert_eq!(ending.cause.is_some(), expected.starts_with("gave up"));
    }
}

#[test]
fn what_can_be_sent_is_known_before() {
    let mut ws = Endpoint::server(&Options::new().water_marks(0, 2000));
    let mut check = |event: Event| {
        event(&mut ws);
        let known = ws.can_send();
        assert_eq!(known, ws.text(""));
        known
    };
    use websocket_proto::{SendError, handshake::AcceptOptions};
    assert_eq!(check(|ws| drop(receive(ws, REQUEST))), Err(SendError::NotOpen));
    assert_eq!(check(|ws| ws.request().unwrap().accept(&AcceptOptions::new()).unwrap()), Ok(()));
    assert_eq!(check(|ws| ws.binary(&[0; 2000]).unwrap()), Err(SendError::Full));
    assert_eq!(check(write_all), Ok(()));
    assert_eq!(check(|ws| ws.close(CloseCode::NORMAL, "").unwrap()), Err(SendError::Closing));
    assert_eq!(check(|ws| ws.abort()), Err(SendError::Closing));
}
