//! How often a loop turns while a connection ends: no loop turns for ever, even one with a mistake.

#![cfg(feature = "alloc")]

mod common;

use std::time::Duration;

use common::{Keys, frames};
use websocket_proto::{
    Agreed, Client, Closure, Config, Connection, Deadlines, NextStep, Overdue, Role, Server,
};

/// What makes a connection end, in hex and unmasked: the peer's Close, a violation, nothing.
const ENDINGS: [&str; 3] = ["88 02 03 E8", "83 00", ""];

/// What a driver does otherwise than the README's loop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    /// `transmit` is never called.
    NoTransmit,
    /// The end of the stream is told as soon as it is seen, before `transmit`, and not again.
    EndToldOnce,
}

/// Runs a blocking loop on a peer that sends `sent` and then ends the stream. Returns how often the
/// loop went round after it had read the end, and how the connection ended.
fn turns_after_the_end<R: Role>(role: R, sent: Vec<u8>, mistake: Mistake) -> (u32, Closure) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let mut reads = vec![sent];
    let (mut turns, mut told, mut out) = (0, false, Vec::new());
    loop {
        let mut read = reads.pop().unwrap_or_default();
        let ended = read.is_empty();
        let mut input = &mut read[..];
        if ended {
            turns += 1;
            assert!(turns < 100, "{mistake:?}: the loop spins");
        }
        while connection.receive(&mut input).is_some() {
            if mistake == Mistake::None {
                connection.transmit(&mut out).unwrap();
            }
        }
        match mistake {
            Mistake::EndToldOnce if !told => {
                told = true;
                connection.receive_eof();
                connection.transmit(&mut out).unwrap();
            }
            Mistake::None | Mistake::NoTransmit if ended => connection.receive_eof(),
            _ => {}
        }
        match connection.next_step() {
            NextStep::Continue | NextStep::AwaitEof => {}
            NextStep::ShutdownWrite => connection.write_ended(),
            NextStep::Drop => return (turns, connection.closure().unwrap()),
        }
    }
}

#[test]
fn t61_a_loop_ends_within_two_turns_of_the_end_of_the_stream() {
    for mistake in [Mistake::None, Mistake::NoTransmit, Mistake::EndToldOnce] {
        for ending in ENDINGS {
            let server = turns_after_the_end(Server, frames(ending, true), mistake);
            let client = Client(Keys::default());
            let client = turns_after_the_end(client, frames(ending, false), mistake);
            for (turns, closure) in [server, client] {
                assert!(turns <= 2, "{mistake:?}, {ending:?}: {turns} turns");
                let closed = ending == ENDINGS[0] && mistake != Mistake::NoTransmit;
                assert_eq!(closure.clean, closed, "{mistake:?}, {ending:?}");
            }
        }
    }
}

/// A socket that tells an edge-triggered epoll of each `shutdown`, as Linux does. The peer has sent
/// something and holds its side open.
struct Socket {
    unread: Vec<u8>,
    wakes: u32,
}

/// How often such a loop turns until nothing wakes it any more.
fn turns_until_asleep<R: Role>(role: R, sent: Vec<u8>) -> u32 {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let mut socket = Socket { unread: sent, wakes: 1 };
    let (mut turns, mut out) = (0, Vec::new());
    while socket.wakes > 0 {
        socket.wakes -= 1;
        turns += 1;
        assert!(turns < 100, "the loop spins");
        let mut read = std::mem::take(&mut socket.unread);
        let mut input = &mut read[..];
        while connection.receive(&mut input).is_some() {
            connection.transmit(&mut out).unwrap();
        }
        if connection.next_step() == NextStep::ShutdownWrite {
            socket.wakes += 1; // shutdown(SHUT_WR)
            connection.write_ended();
        }
    }
    turns
}

#[test]
fn r6455_7_1_1_a_a_loop_that_is_woken_by_its_own_shutdown_sleeps_after_it() {
    for ending in ["88 02 03 E8", "83 00"] {
        assert_eq!(turns_until_asleep(Server, frames(ending, true)), 2, "{ending}");
        // A client ends nothing, so nothing wakes it.
        let client = Client(Keys::default());
        assert_eq!(turns_until_asleep(client, frames(ending, false)), 1, "{ending}");
    }
}

/// A loop that never tells the end makes the calls of one that wakes now and then while its peer is
/// silent, so the connection has to be patient with both. Time tells them apart.
#[test]
fn a_loop_that_never_tells_the_end_is_ended_by_its_deadlines() {
    fn ends<R: Role>(role: R, mut sent: Vec<u8>) -> Duration {
        let mut connection = Connection::new(role, &Config::new(), Agreed::new());
        let (mut deadlines, mut out) = (Deadlines::new(Duration::ZERO), Vec::new());
        let mut input = &mut sent[..];
        for now in (0..).map(Duration::from_millis) {
            while connection.receive(&mut input).is_some() {
                connection.transmit(&mut out).unwrap();
            }
            let overdue = deadlines.enforce(now, &mut connection, &mut out);
            match connection.next_step() {
                NextStep::ShutdownWrite => connection.write_ended(),
                NextStep::Drop => {
                    assert!(matches!(overdue, Some(Overdue::Abort(_))));
                    return now;
                }
                _ => {}
            }
            assert!(now < Duration::from_secs(60), "the loop spins");
            input = &mut []; // what a read at the end gives
        }
        unreachable!()
    }
    for (ending, seconds) in ENDINGS.into_iter().zip([5, 5, 45]) {
        assert_eq!(ends(Server, frames(ending, true)).as_secs(), seconds, "{ending}");
        let client = ends(Client(Keys::default()), frames(ending, false));
        assert_eq!(client.as_secs(), seconds, "{ending}");
    }
}
