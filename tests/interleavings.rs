//! The closing handshake in every order of events, with and without a `transmit` after each of
//! them, compared with a table that follows from RFC 6455 §5.5.1, §5.5.2 and §7.1.

use std::{
    array,
    collections::{BTreeMap, BTreeSet},
};

use crate::common::{Canonical, Keys, frame, mask, show_closure, unmask};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Event, NextStep, Role, SendError,
    Server, State,
};

/// The effect of each action in each situation.
///
/// A cell lists the events that come, the frames that are sent (`+` with the code of a Close, or a
/// Pong) and the situation that follows; `.` means that the situation stays the same. `Err` is a call
/// that is refused. If the roles differ, the server's cell is before the `/`, because only a server ends
/// the writing side.
///
/// The name of a situation says what happened, in order: `ours` and `theirs` are Closes, `echo` is
/// a reply with the peer's code, `fault` is a violation by the peer and `told` the Close that
/// reports it. A `+` means that a Pong or the answering Close is owed, a `~` that the writing side
/// was ended, and a full stop that the connection is closed.
const ACTIONS: &str = "
             | our Close          | their Close       | end          | their fault       | their data | their ping | writing ended    | transmit           | because of
open         | +1001 ours         | close theirs+     | open.        | failed fault+     | text .     | ping open+ | .                | .                  | §5.5.2, §5.6, §7.1.2, §7.1.4, §7.1.7
open+        | +pong +1001 ours   | close theirs+     | open.        | failed fault+     | text .     | ping .     | .                | +pong open         | §5.5.2, §5.5.3: the pong, of the latest ping; none after a Close or a fault
ours         | Err                | close ours-theirs | ours.        | failed ours-fault | text .     | ping ours+ | .                | .                  | §5.5.1: one Close each; data goes on until the peer's; §7.1.7
ours+        | Err                | close ours-theirs | ours.        | failed ours-fault | text .     | ping .     | .                | +pong ours         | §5.5.2, §5.5.3, as for open+
theirs+      | +1001 theirs-ours  | .                 | theirs+eof   | .                 | .          | .          | .                | +1000 theirs-echo  | §5.5.1: the reply, of the same code or the application's; §1.4: nothing else
theirs+eof   | +1001 theirs-ours. | .                 | theirs.      | .                 | .          | .          | .                | +1000 theirs-echo. | §7.1.4: after the reply there is nothing to wait for
fault+       | Err                | .                 | fault+eof    | .                 | .          | .          | .                | +1002 fault-told   | §7.1.7: a Close that says why, and nothing else
fault+eof    | Err                | .                 | fault.       | .                 | .          | .          | .                | +1002 fault-told.  | §7.1.4: after the Close there is nothing to wait for
ours-theirs  | Err                | .                 | ours-theirs. | .                 | .          | .          | ours-theirs~ / . | .                  | §5.5.1: no second Close; §1.4: what follows a Close is dropped
theirs-ours  | Err                | .                 | theirs-ours. | .                 | .          | .          | theirs-ours~ / . | .                  | the same
theirs-echo  | Err                | .                 | theirs-echo. | .                 | .          | .          | theirs-echo~ / . | .                  | the same
fault-told   | Err                | .                 | fault-told.  | .                 | .          | .          | fault-told~ / .  | .                  | §7.1.7: nothing more is processed, not even a Close
ours-fault   | Err                | .                 | ours-fault.  | .                 | .          | .          | ours-fault~ / .  | .                  | §7.1.7, §5.5.1: no second Close
ours-theirs~ | Err                | .                 | ours-theirs. | .                 | .          | .          | .                | .                  | §7.1.1: only the end is still waited for
theirs-ours~ | Err                | .                 | theirs-ours. | .                 | .          | .          | .                | .                  | the same
theirs-echo~ | Err                | .                 | theirs-echo. | .                 | .          | .          | .                | .                  | the same
fault-told~  | Err                | .                 | fault-told.  | .                 | .          | .          | .                | .                  | the same
ours-fault~  | Err                | .                 | ours-fault.  | .                 | .          | .          | .                | .                  | the same
.            | Err                | .                 | .            | .                 | .          | .          | .                | .                  | §7.1.4: every situation that ends in a full stop
";

/// The driver's view of each situation; empty if a role never reaches it.
const SIGHTS: &str = "
             | state   | owes | server        | client   | closure                                    | because of
open         | Open    |      | Continue      | Continue |                                            |
open+        | Open    | yes  | Continue      | Continue |                                            |
ours         | Closing |      | Continue      | Continue |                                            | §7.1.3: one Close is enough for that
ours+        | Closing | yes  | Continue      | Continue |                                            |
theirs+      | Closing | yes  | Continue      | Continue |                                            |
theirs+eof   | Closing | yes  | Continue      | Continue |                                            | the reply can still be sent
fault+       | Closing | yes  | Continue      | Continue |                                            |
fault+eof    | Closing | yes  | Continue      | Continue |                                            | the same for the Close that says why
ours-theirs  | Closing |      | ShutdownWrite | AwaitEof |                                            | §7.1.1: the server ends the transport first
theirs-ours  | Closing |      | ShutdownWrite | AwaitEof |                                            |
theirs-echo  | Closing |      | ShutdownWrite | AwaitEof |                                            |
fault-told   | Closing |      | ShutdownWrite | AwaitEof |                                            | §7.1.7
ours-fault   | Closing |      | ShutdownWrite | AwaitEof |                                            |
ours-theirs~ | Closing |      | AwaitEof      |          |                                            | §7.1.1: writing ends once
theirs-ours~ | Closing |      | AwaitEof      |          |                                            |
theirs-echo~ | Closing |      | AwaitEof      |          |                                            |
fault-told~  | Closing |      | AwaitEof      |          |                                            |
ours-fault~  | Closing |      | AwaitEof      |          |                                            |
open.        | Closed  |      | Drop          | Drop     | 1006                                       | §7.1.5: no Close received
ours.        | Closed  |      | Drop          | Drop     | 1006 sent 1001 by Local                    | the same
theirs.      | Closed  |      | Drop          | Drop     | 1000 by Peer                               | §7.1.5: the peer's code, though the reply was never sent
fault.       | Closed  |      | Drop          | Drop     | 1006 by Local for ReservedOpcode           | §7.1.5, §7.1.7: no Close received
ours-theirs. | Closed  |      | Drop          | Drop     | 1000 clean sent 1001 by Local              | §7.1.4, §7.1.5: the peer's code
theirs-ours. | Closed  |      | Drop          | Drop     | 1000 clean sent 1001 by Peer               | the same
theirs-echo. | Closed  |      | Drop          | Drop     | 1000 clean sent 1000 by Peer               | the same
fault-told.  | Closed  |      | Drop          | Drop     | 1006 sent 1002 by Local for ReservedOpcode | §7.1.5, §7.1.7: no Close received
ours-fault.  | Closed  |      | Drop          | Drop     | 1006 sent 1001 by Local for ReservedOpcode | the same
";

/// The columns of `ACTIONS`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Action {
    OurClose,
    TheirClose,
    End,
    TheirFault,
    TheirData,
    TheirPing,
    WritingEnded,
    Transmit,
}
use Action::{End, OurClose, TheirClose, TheirData, TheirFault, TheirPing, Transmit, WritingEnded};

const HAPPENINGS: [Action; 7] =
    [OurClose, TheirClose, End, TheirFault, TheirData, TheirPing, WritingEnded];
/// How many of them a way has.
const CHOICES: usize = 5;

/// One cell of `ACTIONS`.
#[derive(Default)]
struct Reaction {
    refused: bool,
    received: Option<&'static str>,
    sent: Vec<&'static str>,
    next: Option<&'static str>,
}

/// One row of `SIGHTS`, for one role.
struct Sight {
    state: State,
    owes: bool,
    step: Option<NextStep>,
    closure: &'static str,
}

/// Both tables, for one role.
struct Table {
    reactions: BTreeMap<&'static str, Vec<Reaction>>,
    sights: BTreeMap<&'static str, Sight>,
    /// The peer's bytes for each action, by the number of its pings so far.
    inputs: Vec<[Vec<u8>; 1 + CHOICES]>,
}

impl Table {
    fn new(server: bool) -> Self {
        let input = |action, pings| {
            let bytes = match action {
                TheirClose => frame(0x88, &1000_u16.to_be_bytes()),
                TheirFault => frame(0x83, b""),
                TheirData => frame(0x81, b"a"),
                TheirPing => frame(0x89, &[pings]),
                OurClose | End | WritingEnded | Transmit => vec![],
            };
            if server { mask(&bytes) } else { bytes }
        };
        let actions = HAPPENINGS.into_iter().chain([Transmit]);
        let inputs = actions.map(|action| array::from_fn(|pings| input(action, pings as u8)));
        let reactions = rows(ACTIONS).map(|(name, cells)| {
            let cells = cells[..=Transmit as usize].iter().map(|cell| match cell.split_once('/') {
                Some((side, _)) if server => Reaction::new(side),
                Some((_, side)) => Reaction::new(side),
                None => Reaction::new(cell),
            });
            (name, cells.collect())
        });
        let sights = rows(SIGHTS).map(|(name, cells)| {
            let state = match cells[0] {
                "Open" => State::Open,
                "Closing" => State::Closing,
                _ => State::Closed,
            };
            let step = match cells[if server { 2 } else { 3 }] {
                "" => None,
                "Continue" => Some(NextStep::Continue),
                "ShutdownWrite" => Some(NextStep::ShutdownWrite),
                "AwaitEof" => Some(NextStep::AwaitEof),
                _ => Some(NextStep::Drop),
            };
            (name, Sight { state, owes: cells[1] == "yes", step, closure: cells[4] })
        });
        Self { reactions: reactions.collect(), sights: sights.collect(), inputs: inputs.collect() }
    }

    fn reaction(&self, now: &str, action: Action) -> &Reaction {
        &self.reactions[if now.ends_with('.') { "." } else { now }][action as usize]
    }
}

/// The rows of a table: the name of a situation, and its cells.
fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    table.lines().skip(2).map(|line| {
        let mut cells = line.split('|').map(str::trim);
        (cells.next().unwrap(), cells.collect())
    })
}

impl Reaction {
    fn new(cell: &'static str) -> Self {
        let mut reaction = Self::default();
        for word in cell.split_whitespace() {
            match word.strip_prefix('+') {
                Some(sent) => reaction.sent.push(sent),
                None if word == "." => {}
                None if word == "Err" => reaction.refused = true,
                None if ["text", "ping", "close", "failed"].contains(&word) => {
                    reaction.received = Some(word);
                }
                None => reaction.next = Some(word),
            }
        }
        reaction
    }
}

/// A connection that is walked through the table.
struct Walk<'t, R> {
    table: &'t Table,
    connection: Connection<R>,
    plain: fn(&[u8]) -> Vec<u8>,
    now: &'static str,
    pings: u8,
    /// The actions so far.
    way: Vec<Action>,
}

impl<'t, R: Role> Walk<'t, R> {
    fn new(table: &'t Table, role: R, plain: fn(&[u8]) -> Vec<u8>) -> Self {
        let connection = Connection::new(role, &Config::new(), Agreed::new());
        Self { table, connection, plain, now: "open", pings: 0, way: Vec::new() }
    }

    /// Takes one step, and compares its effects with the table.
    fn step(&mut self, action: Action) {
        let from = self.now;
        let expected = self.table.reaction(from, action);
        self.now = expected.next.unwrap_or(from);
        let mut received = Canonical::default();
        let (refused, sent) = self.act(action, |event| received.push(event));
        let (received, sent) = (received.finish(), (self.plain)(&sent));
        let pings = self.pings;
        let event = expected.received.map(|received| match received {
            "text" => "text <a>".to_owned(),
            "close" => "close 1000 ".to_owned(),
            "failed" => "failed ReservedOpcode".to_owned(),
            _ => format!("ping {pings:02X}"),
        });
        let frames = expected.sent.iter().flat_map(|sent| match sent.parse::<u16>() {
            Ok(code) => frame(0x88, &code.to_be_bytes()),
            Err(_) => frame(0x8A, &[pings]),
        });
        let way = &self.way;
        assert_eq!(refused, expected.refused, "{from:?} by {way:?}: refused");
        assert_eq!(received, Vec::from_iter(event), "{from:?} by {way:?}: received");
        assert_eq!(sent, frames.collect::<Vec<_>>(), "{from:?} by {way:?}: sent");

        let (now, connection) = (self.now, &self.connection);
        let Sight { state, owes, step, closure } = &self.table.sights[now];
        assert_eq!(connection.state(), *state, "{now:?} by {way:?}");
        assert_eq!(connection.wants_transmit(), *owes, "{now:?} by {way:?}: owes");
        assert_eq!(Some(connection.next_step()), *step, "{now:?} by {way:?}");
        assert_eq!(self.closure(), *closure, "{now:?} by {way:?}");
    }

    /// Returns whether our Close was refused, and what was sent.
    fn act(&mut self, action: Action, mut received: impl FnMut(&Event<'_>)) -> (bool, Vec<u8>) {
        self.way.push(action);
        self.pings += u8::from(action == TheirPing);
        let (mut refused, mut out) = (false, Vec::new());
        match action {
            OurClose => {
                let close = CloseFrame::new(CloseCode::GOING_AWAY, "").unwrap();
                let result = self.connection.close(Some(&close), &mut out);
                refused = result == Err(SendError::Closing);
                assert!(refused || result == Ok(()));
            }
            End => self.connection.receive_eof(),
            WritingEnded => self.connection.write_ended(),
            Transmit => self.connection.transmit(&mut out).unwrap(),
            TheirClose | TheirFault | TheirData | TheirPing => {}
        }
        let mut input = self.table.inputs[action as usize][usize::from(self.pings)].clone();
        let mut input = &mut input[..];
        while let Some(event) = self.connection.receive(&mut input) {
            received(&event);
        }
        assert!(input.is_empty());
        (refused, out)
    }

    fn closure(&self) -> String {
        self.connection.closure().as_ref().map(show_closure).unwrap_or_default()
    }
}

/// Tries five actions in every order, each any number of times, with `transmit` after any of them:
/// after all, as drivers do, after the last only, and every selection between. Shorter sequences
/// are the beginnings of these.
fn every_way<R: Role>(role: impl Fn() -> R, server: bool, plain: fn(&[u8]) -> Vec<u8>) {
    let table = Table::new(server);
    let mut tried = BTreeSet::new();
    let choices = 2 * HAPPENINGS.len();
    // The situation after each choice of the way before.
    let mut trail = ["open"; CHOICES];
    for number in 0..choices.pow(CHOICES as u32) {
        let mut walk = Walk::new(&table, role(), plain);
        for (at, place) in (0..CHOICES as u32).rev().enumerate() {
            let choice = number / choices.pow(place) % choices;
            let transmit = (choice % 2 == 1).then_some(Transmit);
            let actions = [HAPPENINGS[choice / 2]].into_iter().chain(transmit);
            // Ways are tried in the order of their choices. The beginning that this one shares
            // with the one before was compared there already.
            if number % choices.pow(place) > 0 {
                actions.for_each(|action| _ = walk.act(action, |_| {}));
                walk.now = trail[at];
                continue;
            }
            for action in actions {
                tried.insert((walk.now, action));
                walk.step(action);
            }
            trail[at] = walk.now;
        }
    }
    // Every row was tried in full, except those that this role never reaches.
    for (name, sight) in &table.sights {
        let count = tried.iter().filter(|(now, _)| now == name).count();
        assert_eq!(count, if sight.step.is_none() { 0 } else { 8 }, "{name}");
    }
}

/// Covers R6455-5.5.1-h, R6455-5.5.1-k, R6455-7.1.4-a, T61.
#[test]
fn r6455_5_5_1_f_every_way_of_a_server() {
    every_way(|| Server, true, <[u8]>::to_vec);
}

/// Covers R6455-5.5.1-k, R6455-7.1.4-a, T61.
#[test]
fn r6455_5_5_1_j_every_way_of_a_client() {
    every_way(|| Client(Keys::default()), false, unmask);
}
