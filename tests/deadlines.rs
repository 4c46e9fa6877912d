//! Deadlines: a driver that calls only `update`, `expired` and `written` enforces all limits.

use std::time::Duration;

use crate::common::{frame, hex, mask};
use websocket_proto::{
    Agreed, CloseCode, Config, Connection, Deadlines, Limit, Messages, NextStep, Overdue, Server,
    SliceOutput, State,
};

/// A server connection with a simulated clock, driven by `update` and `expired` alone.
struct World {
    now: u64,
    connection: Connection<Server>,
    deadlines: Deadlines,
    /// The events that the deadlines caused, with their second.
    log: Vec<String>,
    wire: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let connection = Connection::new(Server, &Config::new(), Agreed::new());
        let deadlines = Deadlines::new(Duration::ZERO);
        World { now: 0, connection, deadlines, log: Vec::new(), wire: Vec::new() }
    }

    /// A turn of the loop with the bytes that were read, in hex and unmasked. `open` is whether the
    /// handshake is complete.
    fn turn(&mut self, frames: &str, open: bool) {
        // `receive` is not called without frames: an empty input would mean that no bytes were
        // left.
        if !frames.is_empty() {
            let mut input = mask(&hex(frames));
            let mut input = &mut input[..];
            while self.connection.receive(&mut input).is_some() {
                self.connection.transmit(&mut self.wire).unwrap();
            }
        }
        if open {
            self.deadlines.update(Duration::from_secs(self.now), &self.connection);
        }
        match self.deadlines.expired(Duration::from_secs(self.now)) {
            Some(Overdue::Ping(payload)) => {
                self.log.push(format!("{} ping", self.now));
                self.connection.ping(&payload, &mut self.wire).unwrap();
            }
            Some(Overdue::Close(limit)) => {
                self.log.push(format!("{} Close {limit:?}", self.now));
                if open {
                    self.connection.close(Some(&limit.close_frame()), &mut self.wire).unwrap();
                }
            }
            Some(Overdue::Abort(limit)) => {
                self.log.push(format!("{} Abort {limit:?}", self.now));
                self.connection.abort();
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }

    /// Receives one byte unchanged, and takes a turn.
    fn byte(&mut self, byte: u8) {
        assert!(self.connection.receive(&mut &mut [byte][..]).is_none());
        self.turn("", true);
    }

    /// Plays a peer that sends one byte every 19 seconds: first those of `front`, then those of
    /// `again`, repeatedly.
    fn drip(&mut self, front: &[u8], again: &[u8]) {
        self.turn("", true);
        for byte in front.iter().chain(again.iter().cycle()) {
            self.sleep(self.now + 19, true);
            if self.connection.state() != State::Open {
                break;
            }
            let _ = self.connection.receive(&mut &mut [*byte][..]);
            self.connection.transmit(&mut self.wire).unwrap();
            self.turn("", true);
            assert!(self.now < 10_000, "held for ever");
        }
        self.sleep(self.now + 100, true);
    }

    /// Sleeps from deadline to deadline, until second `until`.
    fn sleep(&mut self, until: u64, open: bool) {
        while let Some((at, _)) = self.deadlines.next() {
            assert_eq!(at.subsec_nanos(), 0);
            if at.as_secs() > until || self.connection.state() == State::Closed {
                break;
            }
            self.now = at.as_secs();
            self.turn("", open);
        }
        self.now = until;
    }
}

#[test]
fn a_handshake_that_takes_too_long_is_given_up() {
    let mut world = World::new();
    world.sleep(9, false);
    assert_eq!(world.log, [""; 0]);
    world.sleep(60, false);
    assert_eq!(world.log, ["10 Close Handshake", "15 Abort Close"]);
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let mut world = World::new();
    world.turn("", true);
    world.sleep(100, true);
    assert_eq!(world.log, ["20 ping", "40 Close Pong", "45 Abort Close"]);
    assert_eq!(world.wire[..8], hex("89 04 00 00 00 01 88 15"));
    assert_eq!(world.wire[8..], *b"\x03\xF3no answer to a Ping");
    world.turn("", true);
    assert_eq!(world.deadlines.next(), None);
    assert_eq!(world.deadlines.round_trip(), None);
}

/// Such a peer may only have been disconnected for a while.
#[test]
fn a_peer_that_answers_the_close_of_a_deadline_ends_cleanly() {
    let mut world = World::new();
    world.turn("", true);
    world.sleep(43, true);
    world.turn("88 02 03 F3", true);
    assert_eq!(world.connection.next_step(), NextStep::ShutdownWrite);
    world.connection.receive_eof();
    world.turn("", true);
    assert!(world.connection.closure().unwrap().clean);
    assert_eq!(world.deadlines.next(), None);
}

#[test]
fn a_peer_that_answers_is_pinged_again_and_its_round_trip_is_known() {
    let mut world = World::new();
    world.turn("", true);
    for ping in 1..=3 {
        world.sleep(world.now + 20, true);
        world.now += ping;
        // The Pong has the payload of the Ping.
        let payload = world.wire.split_off(world.wire.len() - 4);
        let payload: Vec<_> = payload.iter().map(|byte| format!("{byte:02X}")).collect();
        world.turn(&format!("8A 04 {}", payload.join(" ")), true);
        assert_eq!(world.deadlines.round_trip(), Some(Duration::from_secs(ping)));
    }
    assert_eq!(world.log, ["20 ping", "41 ping", "63 ping"]);
}

#[test]
fn only_the_pong_of_the_latest_ping_is_an_answer_but_every_byte_is_a_sign_of_life() {
    for other in ["8A 00", "8A 04 FF FF FF FF", "8A 05 00 00 00 01 00", "8A 04 00 00 00 00"] {
        let mut world = World::new();
        world.turn("", true);
        world.sleep(25, true);
        assert_eq!(world.deadlines.next(), Some((Duration::from_secs(40), Limit::Pong)));
        world.turn(other, true);
        assert_eq!(world.deadlines.round_trip(), None, "{other}");
        assert_eq!(world.deadlines.next(), Some((Duration::from_secs(45), Limit::Idle)));
        // The Pong may still come after other bytes.
        world.now = 30;
        world.turn("8A 04 00 00 00 01", true);
        assert_eq!(world.deadlines.round_trip(), Some(Duration::from_secs(10)));
        // A peer that falls silent again is pinged again before it is given up.
        world.sleep(100, true);
        assert_eq!(world.log, ["20 ping", "50 ping", "70 Close Pong", "75 Abort Close"]);
    }
}

#[test]
fn one_byte_without_an_event_is_a_sign_of_life() {
    let mut world = World::new();
    world.turn("", true);
    world.sleep(39, true);
    assert!(world.connection.receive(&mut &mut [0x81][..]).is_none());
    world.turn("", true);
    assert_eq!(world.deadlines.next(), Some((Duration::from_secs(59), Limit::Idle)));
}

#[test]
fn a_pong_from_before_the_ping_is_no_answer() {
    let mut world = World::new();
    world.turn("8A 04 00 00 00 01", true);
    world.sleep(100, true);
    assert_eq!(world.log, ["20 ping", "40 Close Pong", "45 Abort Close"]);
    assert_eq!(world.deadlines.round_trip(), None);
}

/// Output that is taken while none is waiting went into the transport's own buffer.
#[test]
fn output_that_is_taken_while_it_waits_is_a_sign_of_life() {
    let seconds = Duration::from_secs;
    let mut world = World::new();
    world.turn("", true);
    world.sleep(30, true);
    world.deadlines.written(seconds(30), 5000, 0);
    assert_eq!(world.deadlines.next(), Some((seconds(40), Limit::Pong)));
    world.deadlines.written(seconds(31), 70_000, 10_000);
    world.deadlines.written(seconds(32), 0, 10_000);
    assert_eq!(world.deadlines.next(), Some((seconds(40), Limit::Pong)));
    world.deadlines.written(seconds(33), 1, 9_999);
    assert_eq!(world.deadlines.next(), Some((seconds(53), Limit::Idle)));
    world.deadlines.written(seconds(34), 9_999, 0);
    assert_eq!(world.deadlines.next(), Some((seconds(54), Limit::Idle)));
    world.deadlines.written(seconds(35), 10, 0);
    assert_eq!(world.deadlines.next(), Some((seconds(54), Limit::Idle)));
}

#[test]
fn output_that_is_taken_puts_off_the_end_of_closing() {
    let seconds = Duration::from_secs;
    let mut world = World::new();
    world.turn("", true);
    world.connection.close(None, &mut world.wire).unwrap();
    world.now = 32;
    world.turn("", true);
    world.deadlines.written(seconds(32), 70_000, 10_000);
    assert_eq!(world.deadlines.next(), Some((seconds(37), Limit::Close)));
    world.deadlines.written(seconds(36), 5000, 5000);
    assert_eq!(world.deadlines.next(), Some((seconds(41), Limit::Close)));
    // Such output does not end the handshake, and brings no deadline back after the end.
    let mut deadlines = Deadlines::new(Duration::ZERO);
    deadlines.written(seconds(4), 0, 10);
    deadlines.written(seconds(5), 1, 9);
    assert_eq!(deadlines.next(), Some((seconds(10), Limit::Handshake)));
    world.connection.abort();
    world.turn("", true);
    world.deadlines.written(seconds(37), 1, 4999);
    assert_eq!(world.deadlines.next(), None);
}

/// An open connection with much output, of which the peer takes `bytes` every `every` seconds. The
/// peer also sends a byte now and then.
fn reader(world: &mut World, bytes: usize, every: u64) {
    world.turn("", true);
    let (mut waiting, begun) = (1 << 30, world.now);
    world.deadlines.written(Duration::from_secs(world.now), 60_000, waiting);
    while world.now < begun + 3600 && world.connection.state() != State::Closed {
        world.sleep(world.now + every, true);
        if world.connection.state() == State::Open {
            world.turn("82 01 07", true);
        }
        waiting = waiting.saturating_sub(bytes);
        world.deadlines.written(Duration::from_secs(world.now), bytes, waiting);
    }
    world.log.retain(|line| !line.ends_with("ping"));
}

#[test]
fn t25_a_peer_that_takes_less_than_a_kibibyte_a_second_is_closed_and_dropped() {
    // No output is taken; one byte at a time; 4 KiB every 5 s, which is four fifths of the minimum.
    for (bytes, every, log) in [
        (0, 5, ["60 Close Output", "65 Abort Close"]),
        // Each byte extends the time of closing, but not beyond the limit for waiting output.
        (1, 4, ["60 Close Output", "120 Abort Output"]),
        (4096, 5, ["60 Close Output", "65 Abort Close"]),
    ] {
        let mut world = World::new();
        reader(&mut world, bytes, every);
        assert_eq!(world.log, log, "{bytes} bytes every {every} s");
        assert!(world.wire.ends_with(b"\x88\x1B\x03\xF0the peer reads too slowly"));
    }
    // 4 KiB every 3 s are enough, even with 1 GiB waiting: other limits bound its amount.
    for (bytes, every) in [(1100, 1), (4096, 3), (20 << 10, 19), (1 << 20, 19)] {
        let mut world = World::new();
        reader(&mut world, bytes, every);
        assert_eq!(world.log, [""; 0], "{bytes} bytes every {every} s");
    }
    // The rate is an average over the limit's duration.
    let mut world = World::new();
    world.deadlines =
        Deadlines::new(Duration::ZERO).limit(Limit::Output, Some(Duration::from_secs(10)));
    reader(&mut world, 10 << 10, 9);
    assert_eq!(world.log, [""; 0]);
    reader(&mut world, 9 << 10, 9);
    assert_eq!(world.log[0], "3610 Close Output");
    let mut world = World::new();
    world.deadlines = Deadlines::new(Duration::ZERO).limit(Limit::Output, None);
    reader(&mut world, 1, 4);
    assert_eq!(world.log, [""; 0]);
}

/// Each of these is the beginning of a message or frame that never ends.
#[test]
fn t64_a_message_of_which_a_byte_comes_every_19_seconds_is_ended() {
    let masked = |first: u8, length: u8| [first, 0x80 | length, 0, 0, 0, 0];
    let long = [0x82, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0];
    let text = [0x81, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0];
    let fragment = masked(0x02, 0);
    let ping = masked(0x89, 1);
    let cases: [(&str, &[u8], &[u8]); 7] = [
        ("payload", &long, &[7]),
        ("text", &text, b"a"),
        ("half a code point", &[&masked(0x01, 1)[..], &[0xC3]].concat(), &masked(0x00, 0)),
        ("empty fragments", &fragment, &masked(0x00, 0)),
        ("pings between fragments", &fragment, &[&ping[..], b"p"].concat()),
        ("header", &[0x82, 0xFF, 0, 0, 0, 0], &[0]),
        ("ping", &masked(0x89, 125), &[7]),
    ];
    for (what, front, again) in cases {
        let mut world = World::new();
        world.drip(front, again);
        // The first byte comes at 19 s, and a message of a few bytes has a minute.
        assert_eq!(world.log, ["79 Close Message", "84 Abort Close"], "{what}");
        let close = b"\x88\x19\x03\xF0a message took too long";
        assert!(world.wire.ends_with(close), "{what}: {:02X?}", world.wire);
    }
}

#[test]
fn t64_a_message_that_is_left_in_the_input_is_ended_too() {
    let mut world = World::new();
    let mut messages = Messages::new().in_place(1 << 16);
    let frame = mask(&frame(0x82, &[7; 100]));
    for length in 1..100 {
        world.now += 1;
        let mut front = frame[..length].to_vec();
        let mut input = &mut front[..];
        assert!(messages.receive(&mut world.connection, &mut input).is_none());
        assert_eq!(input.len(), length);
        world.turn("", true);
        if world.connection.state() != State::Open {
            break;
        }
    }
    assert_eq!(world.log, ["61 Close Message"]);
}

#[test]
fn a_second_more_is_allowed_for_each_4_kib_received_of_a_message() {
    // 1 MiB at 8 KiB a second takes 128 s, and is never too slow.
    let mut world = World::new();
    world.turn("", true);
    let steadily = |world: &mut World, payload: usize| {
        let begun = world.now;
        let mut message = mask(&frame(0x82, &vec![7; 1 << 20]));
        for read in message.chunks_mut(payload) {
            world.now += 1;
            let mut input = read;
            while world.connection.receive(&mut input).is_some() {}
            world.turn("", true);
            if world.connection.state() != State::Open {
                break;
            }
        }
        world.now - begun
    };
    assert_eq!((steadily(&mut world, 8 << 10), &world.log[..]), (129, &[][..]));
    // At 3 KiB a second, the time left shrinks by a quarter of a second each second.
    assert_eq!(steadily(&mut world, 3 << 10), 240);
    assert_eq!(world.log, ["369 Close Message"]);
}

/// At every turn a message has begun, but never the same one, however messages are received.
#[test]
fn t64_a_busy_peer_that_is_always_within_a_message_is_never_too_slow() {
    let message = mask(&frame(0x82, &[7; 50]));
    // Two fragments with a Ping between them.
    let fragments = [frame(0x02, &[7; 50]), frame(0x89, b"p"), frame(0x80, &[7; 50])];
    let fragments: Vec<u8> = fragments.iter().flat_map(|frame| mask(frame)).collect();
    for one in [message, fragments] {
        // Each turn ends the message of the one before and begins another. Some have whole messages
        // between.
        for (between, cut) in
            (0..3).flat_map(|between| (1..one.len()).map(move |cut| (between, cut)))
        {
            let (mut pieces, mut whole, mut in_place) = (World::new(), World::new(), World::new());
            let (mut messages, mut others) = (Messages::new(), Messages::new().in_place(4096));
            let mut read = one[..cut].to_vec();
            let mut left = Vec::new();
            for _ in 0..15 {
                for world in [&mut pieces, &mut whole, &mut in_place] {
                    world.now += 10;
                }
                let mut bytes = read.clone();
                let mut input = &mut bytes[..];
                while pieces.connection.receive(&mut input).is_some() {}
                let mut bytes = read.clone();
                let mut input = &mut bytes[..];
                while messages.receive(&mut whole.connection, &mut input).is_some() {}
                let mut bytes = [left, read].concat();
                let mut input = &mut bytes[..];
                while others.receive(&mut in_place.connection, &mut input).is_some() {}
                left = input.to_vec();
                for world in [&mut pieces, &mut whole, &mut in_place] {
                    world.turn("", true);
                    assert_eq!(world.log, [""; 0], "{between} between, cut at {cut}");
                }
                read = [&one[cut..], &one.repeat(between), &one[..cut]].concat();
            }
        }
    }
}

/// A driver does not read while output waits, so that time does not count for the message.
#[test]
fn a_message_is_not_too_slow_while_output_waits() {
    let seconds = Duration::from_secs;
    let mut world = World::new();
    world.turn("", true);
    world.byte(0x82);
    world.deadlines.written(seconds(0), 0, 1 << 20);
    for second in 1..=200 {
        world.now = second;
        world.deadlines.written(seconds(second), 4 << 10, 1 << 20);
        world.turn("", true);
    }
    world.deadlines.written(seconds(200), 1 << 20, 0);
    for second in [215, 230, 245, 259] {
        world.now = second;
        world.byte(if second == 215 { 0xFF } else { 0 });
        assert_eq!(world.log, [""; 0]);
    }
    world.sleep(300, true);
    assert_eq!(world.log, ["260 Close Message", "265 Abort Close"]);
}

#[test]
fn t25_a_peer_that_is_not_read_from_is_held_to_the_limit_of_output_alone() {
    let seconds = Duration::from_secs;
    let connection = Connection::new(Server, &Config::new(), Agreed::new());
    let turn = |deadlines: &mut Deadlines, now| {
        deadlines.update(seconds(now), &connection);
        deadlines.unread(seconds(now));
        deadlines.expired(seconds(now))
    };
    let mut blocked = Deadlines::new(seconds(0));
    blocked.update(seconds(0), &connection);
    blocked.written(seconds(1), 0, 500);
    for now in [15, 30, 45, 60] {
        assert_eq!(turn(&mut blocked, now), None);
    }
    assert_eq!(turn(&mut blocked, 61), Some(Overdue::Close(Limit::Output)));
    // The time of closing does not start again.
    assert_eq!(turn(&mut blocked, 66), Some(Overdue::Abort(Limit::Close)));

    // If no limit applies to waiting output, or no output waits, a silent peer is pinged.
    let mut lifted = Deadlines::new(seconds(0)).limit(Limit::Output, None);
    lifted.update(seconds(0), &connection);
    lifted.written(seconds(1), 0, 500);
    let mut idle = Deadlines::new(seconds(0));
    idle.update(seconds(0), &connection);
    for deadlines in [&mut lifted, &mut idle] {
        assert_eq!(turn(deadlines, 15), None);
        assert!(matches!(turn(deadlines, 20), Some(Overdue::Ping(_))));
    }
}

#[test]
fn received_bytes_put_off_the_ping() {
    let mut world = World::new();
    world.turn("", true);
    for second in [5, 15, 34] {
        world.now = second;
        world.turn("82 01 07", true);
    }
    world.sleep(60, true);
    assert_eq!(world.log, ["54 ping"]);
}

#[test]
fn closing_takes_five_seconds_at_most_whatever_still_arrives() {
    for begin in ["88 02 03 E8", "83 00", ""] {
        let mut world = World::new();
        world.turn("", true);
        world.now = 7;
        if begin.is_empty() {
            world.connection.close(None, &mut world.wire).unwrap();
        }
        world.turn(begin, true);
        world.now = 10;
        world.turn("82 01 07", true);
        assert_eq!(world.deadlines.next(), Some((Duration::from_secs(12), Limit::Close)));
        world.sleep(60, true);
        assert_eq!(world.log, ["12 Abort Close"], "{begin}");
    }
}

#[test]
fn limits_are_set_and_lifted_one_by_one() {
    let second = Some(Duration::from_secs(1));
    let deadlines = Deadlines::new(Duration::ZERO);
    assert_eq!(deadlines.clone().limit(Limit::Handshake, None).next(), None);
    let mut world = World::new();
    world.deadlines = deadlines.limit(Limit::Idle, second).limit(Limit::Pong, None);
    world.turn("", true);
    world.sleep(100, true);
    assert_eq!(world.log, ["1 ping"]);
    for (message, log) in [(second, &["20 Close Message", "25 Abort Close"][..]), (None, &[])] {
        let mut world = World::new();
        world.deadlines = Deadlines::new(Duration::ZERO).limit(Limit::Message, message);
        world.turn("", true);
        world.now = 19;
        world.byte(0x82);
        for second in (20..1000).step_by(19) {
            world.sleep(second, true);
            if world.connection.state() == State::Open {
                world.turn("", true);
                let _ = world.connection.receive(&mut &mut [0xFE, 0xFF, 0xFF, 7, 7, 7, 7][..1]);
            }
        }
        assert_eq!(world.log, log);
    }
    let mut world = World::new();
    world.deadlines = Deadlines::new(Duration::ZERO).limit(Limit::Close, second);
    world.turn("88 00", true);
    world.sleep(100, true);
    assert_eq!(world.log, ["1 Abort Close"]);
}

#[test]
fn a_clock_at_its_end_does_no_harm() {
    let mut deadlines = Deadlines::new(Duration::MAX);
    assert_eq!(deadlines.next(), Some((Duration::MAX, Limit::Handshake)));
    assert_eq!(deadlines.expired(Duration::ZERO), None);
    let connection = Connection::new(Server, &Config::new(), Agreed::new());
    deadlines.update(Duration::MAX, &connection);
    assert!(matches!(deadlines.expired(Duration::MAX), Some(Overdue::Ping(_))));
    deadlines.update(Duration::ZERO, &connection);
}

#[test]
fn a_ping_and_a_close_are_reported_once_and_an_abort_until_it_is_done() {
    let seconds = Duration::from_secs;
    let connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut deadlines = Deadlines::new(seconds(0));
    deadlines.update(seconds(0), &connection);
    assert!(matches!(deadlines.expired(seconds(20)), Some(Overdue::Ping(_))));
    assert_eq!(deadlines.expired(seconds(20)), None);
    assert_eq!(deadlines.expired(seconds(40)), Some(Overdue::Close(Limit::Pong)));
    // The driver does not send the Close. The time of closing runs all the same.
    for second in 40..45 {
        deadlines.update(seconds(second), &connection);
        assert_eq!(deadlines.expired(seconds(second)), None);
    }
    for second in 45..48 {
        deadlines.update(seconds(second), &connection);
        assert_eq!(deadlines.expired(seconds(second)), Some(Overdue::Abort(Limit::Close)));
    }
}

#[test]
fn a_refused_handshake_has_the_time_of_closing() {
    let seconds = Duration::from_secs;
    let mut deadlines = Deadlines::new(seconds(0));
    deadlines.closing(seconds(9));
    assert_eq!(deadlines.next(), Some((seconds(14), Limit::Close)));
    deadlines.closing(seconds(12));
    assert_eq!(deadlines.expired(seconds(14)), Some(Overdue::Abort(Limit::Close)));
    // On an open connection `closing` has no effect, because its own Close starts that time.
    let mut world = World::new();
    world.turn("", true);
    world.deadlines.closing(seconds(1));
    assert_eq!(world.deadlines.next(), Some((seconds(20), Limit::Idle)));
}

#[test]
fn each_limit_says_with_which_close() {
    for (limit, code) in [
        (Limit::Pong, CloseCode::INTERNAL_ERROR),
        (Limit::Idle, CloseCode::INTERNAL_ERROR),
        (Limit::Message, CloseCode::POLICY_VIOLATION),
        (Limit::Output, CloseCode::POLICY_VIOLATION),
        (Limit::Decision, CloseCode::POLICY_VIOLATION),
        (Limit::Handshake, CloseCode::POLICY_VIOLATION),
        (Limit::Close, CloseCode::POLICY_VIOLATION),
    ] {
        let close = limit.close_frame();
        assert_eq!((close.code(), close.reason()), (code, limit.to_string().as_str()));
    }
}

#[test]
fn overdue_actions_are_done_by_one_call() {
    let seconds = Duration::from_secs;
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut deadlines = Deadlines::new(seconds(0));
    let mut out = Vec::new();
    // The first call ends the handshake, however late the call is.
    assert_eq!(deadlines.enforce(seconds(15), &mut connection, &mut out), None);
    let ping = deadlines.enforce(seconds(35), &mut connection, &mut out);
    assert_eq!(
        (ping, &out[..]),
        (Some(Overdue::Ping([0, 0, 0, 1])), &hex("89 04 00 00 00 01")[..])
    );
    let close = deadlines.enforce(seconds(55), &mut connection, &mut out);
    assert_eq!(close, Some(Overdue::Close(Limit::Pong)));
    assert_eq!((&out[6..10], connection.state()), (&hex("88 15 03 F3")[..], State::Closing));
    assert_eq!(deadlines.enforce(seconds(59), &mut connection, &mut out), None);
    let abort = deadlines.enforce(seconds(60), &mut connection, &mut out);
    assert_eq!((abort, out.len()), (Some(Overdue::Abort(Limit::Close)), 29));
    assert_eq!((connection.next_step(), deadlines.next()), (NextStep::Drop, None));
    assert_eq!(deadlines.enforce(seconds(90), &mut connection, &mut out), None);
}

#[test]
fn a_close_without_room_in_the_output_becomes_an_abort() {
    let seconds = Duration::from_secs;
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut deadlines = Deadlines::new(seconds(0));
    let mut full = SliceOutput::new(&mut []);
    assert_eq!(deadlines.enforce(seconds(0), &mut connection, &mut full), None);
    let ping = deadlines.enforce(seconds(20), &mut connection, &mut full);
    assert_eq!((ping, connection.state()), (Some(Overdue::Ping([0, 0, 0, 1])), State::Open));
    let abort = deadlines.enforce(seconds(40), &mut connection, &mut full);
    assert_eq!((abort, deadlines.next()), (Some(Overdue::Abort(Limit::Pong)), None));
    assert_eq!(connection.next_step(), NextStep::Drop);
}

/// The end of the stream closes the connection while output waits for a peer that has stopped
/// reading.
#[test]
fn t25_output_that_waits_after_the_end_of_the_stream_has_the_time_of_closing() {
    let seconds = Duration::from_secs;
    for sent in ["", "88 82 00 00 00 00 03 E8"] {
        let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
        let (mut deadlines, mut out) = (Deadlines::new(seconds(0)), Vec::new());
        deadlines.enforce(seconds(0), &mut connection, &mut out);
        deadlines.written(seconds(1), 0, 100_000);
        let mut read = hex(sent);
        let mut input = &mut read[..];
        while connection.receive(&mut input).is_some() {
            connection.transmit(&mut out).unwrap();
        }
        connection.receive_eof();
        assert_eq!(deadlines.enforce(seconds(2), &mut connection, &mut out), None);
        assert_eq!(connection.next_step(), NextStep::Drop); // once all output was written
        assert_eq!(deadlines.next(), Some((seconds(7), Limit::Close)));
        // The peer reads on.
        deadlines.written(seconds(6), 1000, 99_000);
        assert_eq!(deadlines.next(), Some((seconds(11), Limit::Close)));
        let mut written = deadlines.clone();
        written.written(seconds(7), 99_000, 0);
        written.update(seconds(7), &connection);
        assert_eq!(written.next(), None);
        // The peer stops reading.
        let overdue = deadlines.enforce(seconds(11), &mut connection, &mut out);
        assert_eq!(overdue, Some(Overdue::Abort(Limit::Close)));
        assert_eq!(deadlines.next(), None);
        // An end that is reported after the abort restores no deadline.
        connection.receive_eof();
        deadlines.update(seconds(12), &connection);
        assert_eq!(deadlines.next(), None);
    }
}
