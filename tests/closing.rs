//! The closing handshake as a table: for each order of events, what the driver sees at the end.

use std::panic::{self, AssertUnwindSafe};

use crate::common::{self, Canonical, Keys, hex, show_closure, unmask};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Initiator, NextStep, Role,
    SendError, Server, SliceOutput, State, Violation,
};

/// A step of a test: an event of the connection, or a call.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Frames arrive, in hex and unmasked. Nothing is transmitted in reply.
    Peer(&'static str),
    /// The application closes with this code, or without a code if it is 0.
    Close(u16),
    Transmit,
    Eof,
    WriteEnded,
    Abort,
    Fail,
}
use Step::{Abort, Close, Eof, Fail, Peer, Transmit, WriteEnded};

struct Row {
    id: &'static str,
    steps: &'static [Step],
    events: &'static [&'static str],
    output: &'static str,
    state: State,
    /// The next step of the server and of the client.
    next: [NextStep; 2],
    /// The closure of both, as `code clean sent initiator`; `-` while the connection is not closed.
    closure: &'static str,
}

const CONTINUE: [NextStep; 2] = [NextStep::Continue; 2];
const DONE: [NextStep; 2] = [NextStep::ShutdownWrite, NextStep::AwaitEof];
const AWAIT: [NextStep; 2] = [NextStep::AwaitEof; 2];
const DROP: [NextStep; 2] = [NextStep::Drop; 2];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // We close first.
    Row { id: "R6455-7.1.4-a", steps: &[Close(1000)], events: &[], output: "88 02 03 E8", state: State::Closing, next: CONTINUE, closure: "-" },
    Row { id: "R6455-7.1.4-a", steps: &[Close(1000), Peer("88 02 03 E8")], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.4-a", steps: &[Close(1000), Peer("88 02 03 E8"), Eof], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1000 clean sent 1000 by Local" },
    Row { id: "R6455-5.5.1-k R6455-7.1.5-c", steps: &[Close(1001), Peer("88 02 0F A0"), Transmit, Eof], events: &["close 4000 "], output: "88 02 03 E9", state: State::Closed, next: DROP, closure: "4000 clean sent 1001 by Local" },
    Row { id: "R6455-7.1.5-b", steps: &[Close(0), Peer("88 00"), Eof], events: &["close"], output: "88 00", state: State::Closed, next: DROP, closure: "1005 clean sent 1005 by Local" },
    Row { id: "R6455-7.1.4-a R6455-7.1.5-b", steps: &[Close(1000), Eof], events: &[], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1006 sent 1000 by Local" },
    // Between our Close and the peer's, messages still arrive and Pings are answered.
    Row { id: "R6455-5.5.2-a", steps: &[Close(0), Peer("81 01 61 / 89 01 70"), Transmit], events: &["text <a>", "ping 70"], output: "88 00 / 8A 01 70", state: State::Closing, next: CONTINUE, closure: "-" },
    // The peer closes first.
    Row { id: "R6455-7.1.4-a", steps: &[Peer("88 02 03 E8")], events: &["close 1000 "], output: "", state: State::Closing, next: CONTINUE, closure: "-" },
    Row { id: "R6455-7.1.4-a", steps: &[Peer("88 02 03 E8"), Transmit], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.4-a T61", steps: &[Peer("88 02 03 E8"), Transmit, Eof], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1000 clean sent 1000 by Peer" },
    Row { id: "R6455-7.1.5-c", steps: &[Peer("88 02 03 E8"), Close(4001), Transmit, Eof], events: &["close 1000 "], output: "88 02 0F A1", state: State::Closed, next: DROP, closure: "1000 clean sent 4001 by Peer" },
    // The Close of the peer drops an owed Pong.
    Row { id: "R6455-5.5.2-c", steps: &[Peer("89 01 70 / 88 00"), Transmit], events: &["ping 70", "close"], output: "88 00", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-5.5.2-c", steps: &[Peer("89 01 70 / 88 00"), Transmit, Transmit], events: &["ping 70", "close"], output: "88 00", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.5-a", steps: &[Peer("88 02 03 E8 / 88 02 03 E9 / FF FF"), Transmit], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.5-a", steps: &[Close(1001), Peer("88 04 03 E8 68 69 / 88 02 03 E9"), Eof], events: &["close 1000 hi"], output: "88 02 03 E9", state: State::Closed, next: DROP, closure: "1000 clean sent 1001 by Local" },
    // The transport ends.
    Row { id: "R6455-7.1.5-b T61", steps: &[Eof], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "T61", steps: &[Peer("81 05 61"), Eof, Transmit], events: &["text <a"], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "T61", steps: &[Peer("89 00"), Eof, Transmit], events: &["ping "], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "T61", steps: &[Eof, Peer("81 01 61 / 88 00"), Eof, Transmit], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    // A Close that is owed when the transport ends can still be sent, unless the end is reported
    // again first.
    Row { id: "T61", steps: &[Peer("88 02 03 E8"), Eof], events: &["close 1000 "], output: "", state: State::Closing, next: CONTINUE, closure: "-" },
    Row { id: "R6455-7.1.4-a T61", steps: &[Peer("88 02 03 E8"), Eof, Transmit], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1000 clean sent 1000 by Peer" },
    Row { id: "T61", steps: &[Peer("88 02 03 E8"), Eof, Close(4001)], events: &["close 1000 "], output: "88 02 0F A1", state: State::Closed, next: DROP, closure: "1000 clean sent 4001 by Peer" },
    Row { id: "R6455-7.1.5-a T61", steps: &[Peer("88 02 03 E8"), Eof, Eof, Transmit], events: &["close 1000 "], output: "", state: State::Closed, next: DROP, closure: "1000 by Peer" },
    Row { id: "R6455-7.1.5-b T61", steps: &[Peer("83 00"), Eof, Eof, Transmit], events: &["failed ReservedOpcode"], output: "", state: State::Closed, next: DROP, closure: "1006 by Local for ReservedOpcode" },
    Row { id: "R6455-7.1.7-b T61", steps: &[Peer("83 00"), Eof, Transmit], events: &["failed ReservedOpcode"], output: "88 02 03 EA", state: State::Closed, next: DROP, closure: "1006 sent 1002 by Local for ReservedOpcode" },
    Row { id: "T61", steps: &[Fail, Eof, Eof], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006 by Local for PolicyViolation" },
    // The writing side was ended.
    Row { id: "R6455-7.1.1-a", steps: &[Peer("88 02 03 E8"), Transmit, WriteEnded, WriteEnded, Peer("81 01 61")], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closing, next: AWAIT, closure: "-" },
    Row { id: "R6455-7.1.1-a", steps: &[Peer("83 00"), Transmit, WriteEnded], events: &["failed ReservedOpcode"], output: "88 02 03 EA", state: State::Closing, next: AWAIT, closure: "-" },
    Row { id: "R6455-7.1.1-a T61", steps: &[Close(1000), Peer("88 02 03 E8"), WriteEnded, Eof, WriteEnded], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1000 clean sent 1000 by Local" },
    Row { id: "R6455-7.1.1-a", steps: &[WriteEnded, Close(1000), WriteEnded, Peer("88 02 03 E8")], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.1-a", steps: &[Peer("88 02 03 E8"), WriteEnded, Transmit], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "T61", steps: &[Abort, WriteEnded], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "R6455-7.1.4-a T61", steps: &[Abort], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "T61", steps: &[Abort, Peer("81 01 61 / 88 00"), Transmit], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "T61", steps: &[Peer("88 02 03 E8"), Abort, Transmit], events: &["close 1000 "], output: "", state: State::Closed, next: DROP, closure: "1000 by Peer" },
    Row { id: "T61", steps: &[Peer("88 02 03 E8"), Transmit, Abort], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1000 clean sent 1000 by Peer" },
    Row { id: "T61", steps: &[Eof, Fail, Transmit], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    Row { id: "T61", steps: &[Abort, Fail, Transmit], events: &[], output: "", state: State::Closed, next: DROP, closure: "1006" },
    // Violations.
    Row { id: "R6455-7.1.7-b", steps: &[Peer("83 00")], events: &["failed ReservedOpcode"], output: "", state: State::Closing, next: CONTINUE, closure: "-" },
    Row { id: "R6455-7.1.7-b", steps: &[Peer("83 00"), Transmit], events: &["failed ReservedOpcode"], output: "88 02 03 EA", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.7-b T61", steps: &[Peer("83 00"), Transmit, Eof], events: &["failed ReservedOpcode"], output: "88 02 03 EA", state: State::Closed, next: DROP, closure: "1006 sent 1002 by Local for ReservedOpcode" },
    Row { id: "R6455-7.1.7-b", steps: &[Close(1000), Peer("83 00"), Transmit], events: &["failed ReservedOpcode"], output: "88 02 03 E8", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-7.1.7-b", steps: &[Peer("83 00"), Abort, Transmit], events: &["failed ReservedOpcode"], output: "", state: State::Closed, next: DROP, closure: "1006 by Local for ReservedOpcode" },
    Row { id: "R6455-7.1.7-c", steps: &[Peer("89 01 70 / 83 00 / 89 00 / 88 02 03 E8"), Transmit, Peer("88 02 03 E8 / 81 01 61"), Transmit, Eof], events: &["ping 70", "failed ReservedOpcode"], output: "88 02 03 EA", state: State::Closed, next: DROP, closure: "1006 sent 1002 by Local for ReservedOpcode" },
    Row { id: "R6455-7.1.7-b", steps: &[Fail, Peer("88 02 03 E8"), Transmit], events: &[], output: "88 02 03 F0", state: State::Closing, next: DONE, closure: "-" },
    Row { id: "R6455-5.5.1-k", steps: &[Peer("88 02 03 E8"), Fail, Transmit, Fail, Eof, Fail], events: &["close 1000 "], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1000 clean sent 1000 by Peer" },
    Row { id: "R6455-7.1.7-b", steps: &[Close(1000), Fail, Transmit, Eof], events: &[], output: "88 02 03 E8", state: State::Closed, next: DROP, closure: "1006 sent 1000 by Local for PolicyViolation" },
];

/// Events, output, state, next step, closure.
type End = (Vec<String>, Vec<u8>, State, NextStep, String);

impl Row {
    /// Runs the row in one role. Returns a description of the outcome if it differs from the row.
    fn failure<R: Role>(
        &self,
        role: R,
        next: NextStep,
        plain: fn(&[u8]) -> Vec<u8>,
    ) -> Option<String> {
        let Row { id, steps, .. } = self;
        let events = self.events.iter().map(|event| (*event).to_owned()).collect();
        let expected = (events, hex(self.output), self.state, next, self.closure.to_owned());
        // A call that is refused panics.
        let run = AssertUnwindSafe(|| Run::new(role, steps).end(plain));
        match panic::catch_unwind(run) {
            Ok(end) if end == expected => None,
            end => Some(format!("{id}: {steps:?}, {next:?}: {end:02X?}")),
        }
    }
}

struct Run<R> {
    connection: Connection<R>,
    events: Vec<String>,
    output: Vec<u8>,
}

impl<R: Role> Run<R> {
    fn new(role: R, steps: &[Step]) -> Self {
        let connection = Connection::new(role, &Config::new(), Agreed::new());
        let mut run = Run { connection, events: Vec::new(), output: Vec::new() };
        steps.iter().for_each(|step| run.step(*step));
        run
    }

    fn step(&mut self, step: Step) {
        let Run { connection, events, output } = self;
        match step {
            Peer(frames) => {
                let masked = connection.wants_mask();
                let mut input = common::frames(frames, masked);
                let mut input = &mut input[..];
                let mut canonical = Canonical::default();
                while let Some(event) = connection.receive(&mut input) {
                    canonical.push(&event);
                }
                assert!(input.is_empty());
                events.extend(canonical.finish());
            }
            Close(0) => connection.close(None, output).unwrap(),
            Close(code) => {
                let close = CloseFrame::new(CloseCode::new(code).unwrap(), "").unwrap();
                connection.close(Some(&close), output).unwrap();
            }
            Transmit => connection.transmit(output).unwrap(),
            Eof => connection.receive_eof(),
            WriteEnded => connection.write_ended(),
            Abort => connection.abort(),
            Fail => connection.fail(Violation::PolicyViolation),
        }
    }

    fn closure(&self) -> String {
        self.connection.closure().as_ref().map_or("-".to_owned(), show_closure)
    }

    /// Returns the outcome in the form of a row, with the output transformed by `plain`.
    fn end(&self, plain: fn(&[u8]) -> Vec<u8>) -> End {
        let Run { connection, events, output } = self;
        let (state, next) = (connection.state(), connection.next_step());
        (events.clone(), plain(output), state, next, self.closure())
    }
}

/// Whether the peer of a connection masks its frames, derived from the type of the role.
trait WantsMask {
    fn wants_mask(&self) -> bool;
}

impl<R: Role> WantsMask for Connection<R> {
    fn wants_mask(&self) -> bool {
        std::any::type_name::<R>() == std::any::type_name::<Server>()
    }
}

#[test]
fn every_row_of_the_table_in_both_roles() {
    let mut failures = Vec::new();
    for row in TABLE {
        failures.extend(row.failure(Server, row.next[0], <[u8]>::to_vec));
        failures.extend(row.failure(Client(Keys::default()), row.next[1], unmask));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A Close that had no room is not lost if the stream ends before the next attempt.
#[test]
fn t61_a_close_that_had_no_room_is_still_owed_after_the_end() {
    fn check<R: Role + Clone>(role: R) {
        for frames in ["88 02 03 E8", "83 00"] {
            let mut run = Run::new(role.clone(), &[Peer(frames), Eof]);
            for _ in 0..3 {
                let mut no_room = SliceOutput::new(&mut []);
                assert_eq!(run.connection.transmit(&mut no_room), Err(SendError::Full));
                run.step(Eof);
                assert_eq!(run.connection.next_step(), NextStep::Continue, "{frames}");
            }
            // The end is reported twice, with no attempt in between.
            run.step(Eof);
            assert_eq!(run.connection.next_step(), NextStep::Drop, "{frames}");
            assert!(!run.closure().contains("clean"));
        }
    }
    check(Server);
    check(Client(Keys::default()));
}

#[test]
fn r6455_7_1_7_b_the_close_of_a_failure_is_not_replaced() {
    let mut run = Run::new(Server, &[Peer("83 00")]);
    let close = CloseFrame::new(CloseCode::NORMAL, "").unwrap();
    assert!(run.connection.close(Some(&close), &mut run.output).is_err());
    run.step(Transmit);
    assert!(run.connection.close(Some(&close), &mut run.output).is_err());
    assert_eq!(run.output, hex("88 02 03 EA"));
}

#[test]
fn who_began_is_who_sent_the_first_close() {
    let peer = Run::new(Server, &[Peer("88 00"), Transmit, Eof]);
    assert_eq!(peer.connection.closure().unwrap().initiator, Some(Initiator::Peer));
    let local = Run::new(Server, &[Close(0), Peer("88 00"), Eof]);
    assert_eq!(local.connection.closure().unwrap().initiator, Some(Initiator::Local));
}
