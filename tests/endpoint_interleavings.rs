//! The end of an endpoint in every order of events, against a table that follows from RFC 6455
//! §5.5.1, §5.5.2 and §7.1. What an endpoint owes is in its output after each event, so there are
//! fewer situations than for a `Connection`; but output waits, and the end of the stream takes
//! effect when none does.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{self, Keys, endpoint::receive, frame, mask, unmask};
use websocket_proto::{
    Agreed, Client, CloseCode, NextStep, Role, SendError, Server,
    endpoint::{Endpoint, Options},
};

/// What comes of each action in each situation: what is received, what is sent (`+` with the code
/// of a Close, or a Pong) and which situation follows. `Err` is a call that is refused, `.` is
/// nothing.
const ACTIONS: &str = "
            | our Close  | our data | their Close         | their fault         | their data | their ping
open        | +1001 ours | +text    | close +1000 theirs  | failed +1002 fault  | text       | ping +pong
ours        | Err        | Err      | close ours-theirs   | failed ours-fault   | text       | ping +pong
theirs      | Err        | Err      | .                   | .                   | .          | .
fault       | Err        | Err      | .                   | .                   | .          | .
ours-theirs | Err        | Err      | .                   | .                   | .          | .
ours-fault  | Err        | Err      | .                   | .                   | .          | .
";

/// What the driver is to do in each situation when no output waits, and how an endpoint ends from
/// there.
const SIGHTS: &str = "
            | over | ending
open        |      | lost: the transport ended without a Close
ours        |      | closed by this side: 1001 \"bye\", not clean
theirs      | yes  | closed by the peer: 1000
fault       | yes  | failed: frame has a reserved opcode
ours-theirs | yes  | closed by this side: 1001 \"bye\"
ours-fault  | yes  | failed: frame has a reserved opcode
";

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Action {
    OurClose,
    OurData,
    TheirClose,
    TheirFault,
    TheirData,
    TheirPing,
    End,
    Write,
    Step,
}
use Action::*;

const ALL: [Action; 9] =
    [OurClose, OurData, TheirClose, TheirFault, TheirData, TheirPing, End, Write, Step];

type Table = BTreeMap<&'static str, Vec<&'static str>>;

fn rows(table: &'static str) -> Table {
    let rows = table.lines().skip(2).map(|line| {
        let mut cells = line.split('|').map(str::trim);
        (cells.next().unwrap(), cells.collect())
    });
    rows.collect()
}

/// An endpoint on its way, and what is known of it.
struct Walk<'t, R> {
    tables: &'t (Table, Table),
    ws: Endpoint<R>,
    server: bool,
    now: &'static str,
    /// The end of the stream was reported, and took effect.
    end: (bool, bool),
    /// The writing side was ended.
    shut: bool,
    way: Vec<Action>,
}

impl<R: Role> Walk<'_, R> {
    fn step(&mut self, action: Action) {
        self.way.push(action);
        let from = self.now;
        let (row, gone) = (&self.tables.0[from], self.end.1);
        let words = match (action, gone) {
            (End | Write | Step, _) => "",
            (OurClose | OurData, true) => "Err",
            (_, true) => "",
            _ => row[action as usize],
        };
        let (mut refused, mut received, mut sent) = (false, Vec::new(), Vec::new());
        for word in words.split_whitespace() {
            match word {
                "Err" => refused = true,
                "." => {}
                "text" => received.push("text a".to_owned()),
                "ping" => received.push("ping 70".to_owned()),
                "close" => received.push("close 1000 ".to_owned()),
                "failed" => received.push("failed ReservedOpcode".to_owned()),
                "+text" => sent.extend(frame(0x81, b"b")),
                "+pong" => sent.extend(frame(0x8A, b"p")),
                "+1001" => sent.extend(frame(0x88, b"\x03\xE9bye")),
                "+1000" => sent.extend(frame(0x88, b"\x03\xE8")),
                "+1002" => sent.extend(frame(0x88, b"\x03\xEA")),
                next => self.now = next,
            }
        }

        let before = self.ws.output().len();
        let over = self.tables.1[self.now][0] == "yes";
        let (got_refused, got_received) = self.act(action, gone, over);
        let way = &self.way;
        assert_eq!(got_refused, refused, "{way:?}: refused");
        assert_eq!(got_received, received, "{way:?}: received");
        if action != Write {
            let output = &self.ws.output()[before..];
            let output = if self.server { output.to_vec() } else { unmask(output) };
            assert_eq!(output, sent, "{way:?}: sent");
        }

        // The end takes effect when nothing waits.
        let waits = !self.ws.output().is_empty();
        self.end.1 |= self.end.0 && !waits;
        let ending = self.ws.ending().map(|ending| ending.to_string());
        let expected = self.end.1.then(|| self.tables.1[self.now][1].to_owned());
        assert_eq!(ending, expected, "{way:?}: ending");
        assert_eq!(self.ws.wants_read(), !self.end.0, "{way:?}: wants to read");
    }

    /// Whether the call was refused, and what was received.
    fn act(&mut self, action: Action, gone: bool, over: bool) -> (bool, Vec<String>) {
        let bytes = match action {
            OurClose | OurData => {
                let result = match action {
                    OurData => self.ws.text("b"),
                    _ => self.ws.close(CloseCode::GOING_AWAY, "bye"),
                };
                assert!(matches!(result, Ok(()) | Err(SendError::Closing)));
                return (result.is_err(), Vec::new());
            }
            TheirClose => frame(0x88, b"\x03\xE8"),
            TheirFault => frame(0x83, b""),
            TheirData => frame(0x81, b"a"),
            TheirPing => frame(0x89, b"p"),
            End => {
                self.ws.receive_eof();
                self.end.0 = true;
                vec![]
            }
            Write => {
                self.ws.written(self.ws.output().len());
                vec![]
            }
            Step => {
                let expected = if gone {
                    NextStep::Drop
                } else if !self.ws.output().is_empty() || !over {
                    NextStep::Continue
                } else if self.server && !self.shut {
                    self.shut = true;
                    NextStep::ShutdownWrite
                } else {
                    NextStep::AwaitEof
                };
                assert_eq!(self.ws.next_step(), expected, "{:?}", self.way);
                vec![]
            }
        };
        let bytes = if self.server && !bytes.is_empty() { mask(&bytes) } else { bytes };
        (false, receive(&mut self.ws, &bytes))
    }
}

fn walk<R: Role>(role: R, server: bool, tables: &(Table, Table), way: &[Action]) -> &'static str {
    let ws = Endpoint::open(role, Agreed::new(), &Options::new()).unwrap();
    let way_so_far = Vec::new();
    let mut walk =
        Walk { tables, ws, server, now: "open", end: (false, false), shut: false, way: way_so_far };
    way.iter().for_each(|action| walk.step(*action));
    walk.now
}

#[test]
fn every_order_of_five_events_ends_as_the_table_says() {
    let tables = (rows(ACTIONS), rows(SIGHTS));
    let mut seen = BTreeSet::new();
    let length = if common::few_cuts() { 3 } else { 5 };
    for number in 0..ALL.len().pow(length) {
        let way: Vec<_> =
            (0..length).map(|at| ALL[number / ALL.len().pow(at) % ALL.len()]).collect();
        seen.insert(walk(Server, true, &tables, &way));
        walk(Client(Keys::default()), false, &tables, &way);
    }
    assert_eq!(seen.len(), tables.1.len());
}
