//! Deadlines: a driver that calls only `update` and `expired` gets all four right.

#![cfg(feature = "alloc")]

mod common;

use std::time::Duration;

use common::{hex, mask};
use websocket_proto::{Agreed, Config, Connection, Deadlines, Limit, Overdue, Server, State};

/// A server connection in a world with a clock, driven by `update` and `expired` alone.
struct World {
    now: u64,
    connection: Connection<Server>,
    deadlines: Deadlines,
    /// What happened by itself, with its second.
    log: Vec<String>,
    wire: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let connection = Connection::new(Server, &Config::new(), Agreed::new());
        let deadlines = Deadlines::new(Duration::ZERO);
        World { now: 0, connection, deadlines, log: Vec::new(), wire: Vec::new() }
    }

    /// A turn of the loop: bytes that were read, in hex, unmasked; `open` once a handshake is done.
    fn turn(&mut self, frames: &str, open: bool) {
        let mut input = if frames.is_empty() { Vec::new() } else { mask(&hex(frames)) };
        let mut input = &mut input[..];
        while self.connection.receive(&mut input).is_some() {
            self.connection.transmit(&mut self.wire).unwrap();
        }
        if open {
            self.deadlines.update(Duration::from_secs(self.now), &self.connection);
        }
        match self.deadlines.expired(Duration::from_secs(self.now)) {
            Some(Overdue::Ping(payload)) => {
                self.log.push(format!("{} ping", self.now));
                self.connection.ping(&payload, &mut self.wire).unwrap();
            }
            Some(Overdue::GiveUp(limit)) => {
                self.log.push(format!("{} {limit:?}", self.now));
                self.connection.abort();
            }
            None => {}
        }
    }

    /// Sleeps until the next deadline, or until second `until`, again and again.
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
    assert_eq!(world.log, ["10 Handshake"]);
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let mut world = World::new();
    world.turn("", true);
    world.sleep(100, true);
    assert_eq!(world.log, ["20 ping", "40 Pong"]);
    world.turn("", true);
    assert_eq!(world.deadlines.next(), None);
    assert_eq!(world.deadlines.round_trip(), None);
}

#[test]
fn a_peer_that_answers_is_pinged_again_and_its_round_trip_is_known() {
    let mut world = World::new();
    world.turn("", true);
    for ping in 1..=3 {
        world.sleep(world.now + 20, true);
        world.now += ping;
        // the same payload, masked
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
        // the answer may still come, behind other bytes
        world.now = 30;
        world.turn("8A 04 00 00 00 01", true);
        assert_eq!(world.deadlines.round_trip(), Some(Duration::from_secs(10)));
        // a peer that fell silent is asked again before it is given up
        world.sleep(100, true);
        assert_eq!(world.log, ["20 ping", "50 ping", "70 Pong"]);
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
    assert_eq!(world.log, ["20 ping", "40 Pong"]);
    assert_eq!(world.deadlines.round_trip(), None);
}

#[test]
fn output_that_is_taken_is_a_sign_of_life_and_puts_off_the_end_of_closing() {
    let mut world = World::new();
    world.turn("", true);
    world.sleep(30, true);
    world.deadlines.progress(Duration::from_secs(30));
    assert_eq!(world.deadlines.next(), Some((Duration::from_secs(50), Limit::Idle)));
    world.deadlines.progress(Duration::from_secs(31));
    assert_eq!(world.deadlines.next(), Some((Duration::from_secs(51), Limit::Idle)));
    world.connection.close(None, &mut world.wire).unwrap();
    world.now = 32;
    world.turn("", true);
    world.deadlines.progress(Duration::from_secs(36));
    assert_eq!(world.deadlines.next(), Some((Duration::from_secs(41), Limit::Close)));
    // it neither ends the handshake nor brings back what has ended
    let mut deadlines = Deadlines::new(Duration::ZERO);
    deadlines.progress(Duration::from_secs(5));
    assert_eq!(deadlines.next(), Some((Duration::from_secs(10), Limit::Handshake)));
    world.connection.abort();
    world.turn("", true);
    world.deadlines.progress(Duration::from_secs(37));
    assert_eq!(world.deadlines.next(), None);
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
        assert_eq!(world.log, ["12 Close"], "{begin}");
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
    let mut world = World::new();
    world.deadlines = Deadlines::new(Duration::ZERO).limit(Limit::Close, second);
    world.turn("88 00", true);
    world.sleep(100, true);
    assert_eq!(world.log, ["1 Close"]);
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
