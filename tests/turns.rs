//! Counts the turns of a loop while a connection ends. Even a loop with a mistake never turns for
//! ever.

use std::time::Duration;

use crate::common::{Keys, frames};
use websocket_proto::{
    Agreed, Client, Closure, Config, Connection, Deadlines, NextStep, Overdue, Role, Server,
};

/// Causes for a connection to end, in hex and unmasked: the peer's Close, a violation, none.
const ENDINGS: [&str; 3] = ["88 02 03 E8", "83 00", ""];

/// The difference between a driver and the README's loop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    /// `transmit` is never called.
    NoTransmit,
    /// The end of the stream is reported once, as soon as it is seen, before `transmit`.
    EndToldOnce,
}

/// Runs a blocking loop on a peer that sends `sent` and then ends the stream. Returns how many
/// turns the loop took after the end, and the closure.
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

/// A socket on an edge-triggered epoll that wakes after each `shutdown`, as Linux does. The peer
/// has sent something and keeps its side open.
struct Socket {
    unread: Vec<u8>,
    wakes: u32,
}

/// Returns how many turns such a loop takes until nothing wakes it.
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
        // A client does not shut down the writing side, so nothing wakes it.
        let client = Client(Keys::default());
        assert_eq!(turns_until_asleep(client, frames(ending, false)), 1, "{ending}");
    }
}

/// A loop that never reports the end makes the same calls as one that wakes now and then while its
/// peer is silent. The connection has to wait in both cases, so only the deadlines end the first.
#[test]
fn a_loop_that_never_reports_the_end_is_ended_by_its_deadlines() {
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
            input = &mut []; // a read at the end of the stream
        }
        unreachable!()
    }
    for (ending, seconds) in ENDINGS.into_iter().zip([5, 5, 45]) {
        assert_eq!(ends(Server, frames(ending, true)).as_secs(), seconds, "{ending}");
        let client = ends(Client(Keys::default()), frames(ending, false));
        assert_eq!(client.as_secs(), seconds, "{ending}");
    }
}
