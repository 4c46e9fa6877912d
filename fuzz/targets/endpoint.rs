//! Compares an endpoint with the core driven by hand. For all input, splits and times, both give
//! the same events, output, steps and deadlines. The driver ticks at each deadline, and never
//! sleeps long enough to count as suspended.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::{mem, time::Duration};

use arbitrary::Arbitrary;
use common::{
    Keys,
    endpoint::{describe, describe_message},
    frame, mask_with,
};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Data, Deadlines, Limit, Messages,
    NextStep, Overdue, Role, SendError, Server, State,
    endpoint::{Endpoint, Incoming, Options},
    handshake::{AcceptOptions, ServerHandshake, reject},
};

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Request,
    Frame(u8, &'a [u8], [u8; 4]),
    Raw(&'a [u8]),
    Eof,
    /// Advances the clock by so many quarters of a second, and ticks up to three times.
    Tick(u8, u8),
    Write(u8),
    WriteAll,
    Text(&'a str),
    Fragment(&'a [u8], bool),
    Close(u16, &'a str),
    NextStep,
    Abort,
}

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The phase of a [`Hand`].
#[derive(PartialEq)]
enum Stage {
    Head,
    Open,
    /// A refusal is written; the flag says whether the writing side was ended after it.
    Refused(bool),
    Over,
}

/// The core, driven as its documentation says.
struct Hand<R> {
    stage: Stage,
    handshake: ServerHandshake,
    head: Vec<u8>,
    connection: Connection<R>,
    messages: Messages<'static>,
    deadlines: Option<(Deadlines, Duration, bool)>,
    out: Vec<u8>,
    eof: bool,
    /// Output was waiting at the latest tick, and no write was reported since.
    unreported: bool,
}

/// Both sides of a comparison.
trait Drive {
    fn receive(&mut self, bytes: &[u8]) -> Vec<String>;
    fn eof(&mut self);
    fn tick(&mut self, now: Duration);
    fn written(&mut self, count: usize);
    fn send(&mut self, data: Data<'_>, whole: bool, last: bool) -> Result<(), SendError>;
    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError>;
    fn next_step(&mut self) -> NextStep;
    fn abort(&mut self);
    fn output(&self) -> Vec<u8>;
    fn deadline(&self) -> Option<Duration>;
}

impl<R: Role> Hand<R> {
    fn new(role: R, open: bool) -> Self {
        Hand {
            stage: if open { Stage::Open } else { Stage::Head },
            handshake: ServerHandshake::new(),
            head: Vec::new(),
            connection: Connection::new(role, &Config::new(), Agreed::new()),
            messages: Messages::new(),
            deadlines: None,
            out: Vec::new(),
            eof: false,
            unreported: false,
        }
    }

    fn refuse(&mut self) {
        self.stage = Stage::Refused(false);
        if let Some((deadlines, now, _)) = &mut self.deadlines {
            deadlines.closing(*now);
        }
    }

    fn settle(&mut self) {
        if self.stage != Stage::Open {
            return;
        }
        self.connection.transmit(&mut self.out).unwrap();
        if self.connection.state() != State::Open {
            if let Some((deadlines, now, _)) = &mut self.deadlines {
                deadlines.update(*now, &self.connection);
            }
        }
        if self.eof && self.out.is_empty() {
            self.connection.receive_eof();
        }
    }

    fn is_over(&self) -> bool {
        match self.stage {
            Stage::Head => false,
            Stage::Open => self.connection.state() == State::Closed,
            Stage::Refused(_) => self.eof && self.out.is_empty(),
            Stage::Over => true,
        }
    }
}

impl<R: Role> Drive for Hand<R> {
    fn receive(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        let mut bytes = bytes.to_vec();
        if self.stage == Stage::Head {
            self.head.extend(&bytes);
            let mut head = mem::take(&mut self.head);
            let mut input = &mut head[..];
            match self.handshake.receive(&mut input) {
                Ok(None) => {
                    self.head = head;
                    return events;
                }
                Ok(Some(request)) => {
                    request.accept(&AcceptOptions::new(), &mut self.out).unwrap();
                    bytes = input.to_vec();
                    self.stage = Stage::Open;
                    events.push("request".into());
                    if let Some((deadlines, now, _)) = &mut self.deadlines {
                        deadlines.update(*now, &self.connection);
                    }
                }
                Err(error) => {
                    error.respond(&mut self.out).unwrap();
                    self.refuse();
                    events.push(format!("{error:?}"));
                }
            }
        }
        if self.stage == Stage::Open {
            let mut input = &mut bytes[..];
            loop {
                let message = self.messages.receive(&mut self.connection, &mut input);
                let Some(message) = message else { break };
                events.push(describe_message(&message));
                self.connection.transmit(&mut self.out).unwrap();
            }
            self.settle();
        }
        events
    }

    fn eof(&mut self) {
        self.eof = true;
        if self.stage == Stage::Head {
            self.abort();
        }
        self.settle();
    }

    fn tick(&mut self, now: Duration) {
        let (deadlines, time, overdue) =
            self.deadlines.get_or_insert_with(|| (Deadlines::new(now), now, false));
        *time = now;
        if self.unreported {
            deadlines.written(now, 0, self.out.len());
        }
        self.unreported = !self.out.is_empty();
        match self.stage {
            Stage::Open => deadlines.update(now, &self.connection),
            Stage::Refused(_) => deadlines.closing(now),
            Stage::Head => {}
            Stage::Over => return,
        }
        let due = deadlines.next().is_some_and(|(at, _)| at <= now);
        if !(mem::replace(overdue, due) && due) {
            self.settle();
            return;
        }
        *overdue = false;
        if self.stage == Stage::Open {
            let overdue = deadlines.enforce(now, &mut self.connection, &mut self.out);
            if matches!(overdue, Some(Overdue::Abort(_))) {
                self.abort();
            }
        } else {
            match deadlines.expired(now) {
                Some(Overdue::Close(Limit::Handshake)) => {
                    reject(408, &[], b"", &mut self.out).unwrap();
                    self.refuse();
                }
                _ => self.abort(),
            }
        }
        self.settle();
    }

    fn written(&mut self, count: usize) {
        self.out.drain(..count);
        self.unreported = false;
        if let Some((deadlines, now, _)) = &mut self.deadlines {
            deadlines.written(*now, count, self.out.len());
        }
        self.settle();
    }

    fn send(&mut self, data: Data<'_>, whole: bool, last: bool) -> Result<(), SendError> {
        match self.stage {
            Stage::Head => Err(SendError::NotOpen),
            Stage::Open if whole => self.connection.send(data, &mut self.out),
            Stage::Open => self.connection.send_fragment(data, last, &mut self.out),
            _ => Err(SendError::Closing),
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        match self.stage {
            Stage::Head => return Err(SendError::NotOpen),
            Stage::Open => {}
            _ => return Err(SendError::Closing),
        }
        self.connection.close(Some(&CloseFrame::new(code, reason)?), &mut self.out)?;
        self.settle();
        Ok(())
    }

    fn next_step(&mut self) -> NextStep {
        if self.is_over() {
            return NextStep::Drop;
        }
        if !self.out.is_empty() {
            return NextStep::Continue;
        }
        match self.stage {
            Stage::Refused(false) => {
                self.stage = Stage::Refused(true);
                NextStep::ShutdownWrite
            }
            Stage::Refused(true) => NextStep::AwaitEof,
            Stage::Open => {
                let step = self.connection.next_step();
                if step == NextStep::ShutdownWrite {
                    self.connection.write_ended();
                }
                step
            }
            _ => NextStep::Continue,
        }
    }

    fn abort(&mut self) {
        self.connection.abort();
        self.out.clear();
        if self.stage != Stage::Open {
            self.stage = Stage::Over;
        }
    }

    fn output(&self) -> Vec<u8> {
        self.out.clone()
    }

    fn deadline(&self) -> Option<Duration> {
        let (deadlines, now, overdue) = self.deadlines.as_ref()?;
        if self.is_over() {
            return None;
        }
        if *overdue { Some(*now) } else { deadlines.next().map(|(at, _)| at) }
    }
}

/// An endpoint, driven in one of several ways.
struct Driven<R> {
    ws: Endpoint<R>,
    /// The length of each part of the input, in bytes.
    part: usize,
    ready: bool,
    buffer: bool,
}

trait Accept: Sized {
    fn accept(_: &mut Endpoint<Self>) {}
}

impl Accept for Server {
    fn accept(ws: &mut Endpoint<Self>) {
        ws.request().unwrap().accept(&AcceptOptions::new()).unwrap();
    }
}

impl Accept for Client<Keys> {}

impl<R: Role + Accept> Driven<R> {
    fn read(&mut self, input: &mut [u8], events: &mut Vec<String>) {
        let mut input = input;
        loop {
            let ready = self.ready.then(|| self.ws.ready(&mut input));
            let Some((incoming, _)) = self.ws.receive(&mut input) else {
                assert_ne!(ready, Some(true));
                break;
            };
            assert_ne!(ready, Some(false));
            match &incoming {
                Incoming::Request => {
                    events.push("request".into());
                    R::accept(&mut self.ws);
                }
                Incoming::HandshakeFailed(error) => events.push(format!("{error:?}")),
                incoming => events.push(describe(incoming).unwrap()),
            }
        }
        assert!(input.is_empty());
    }
}

impl<R: Role + Accept> Drive for Driven<R> {
    fn receive(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        let mut bytes = bytes.to_vec();
        let part = self.part.max(bytes.len() / 64);
        for part in bytes.chunks_mut(part) {
            let mut rest = &mut part[..];
            while self.buffer && !rest.is_empty() {
                let buffer = self.ws.read_buffer();
                let length = buffer.len().min(rest.len());
                let (front, back) = mem::take(&mut rest).split_at_mut(length);
                buffer[..length].copy_from_slice(front);
                self.ws.filled(length);
                self.read(&mut [], &mut events);
                rest = back;
            }
            self.read(rest, &mut events);
        }
        events
    }

    fn eof(&mut self) {
        self.ws.receive_eof();
    }

    fn tick(&mut self, now: Duration) {
        self.ws.tick(now);
    }

    fn written(&mut self, count: usize) {
        self.ws.written(count);
    }

    fn send(&mut self, data: Data<'_>, whole: bool, last: bool) -> Result<(), SendError> {
        if whole { self.ws.send(data) } else { self.ws.fragment(data, last) }
    }

    fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.ws.close(code, reason)
    }

    fn next_step(&mut self) -> NextStep {
        self.ws.next_step()
    }

    fn abort(&mut self) {
        self.ws.abort();
    }

    fn output(&self) -> Vec<u8> {
        self.ws.output().to_vec()
    }

    fn deadline(&self) -> Option<Duration> {
        self.ws.deadline()
    }
}

fn compare(
    mut hand: impl Drive,
    mut ws: impl Drive,
    masks: bool,
    times: usize,
    steps: &[Step<'_>],
) {
    let mut now = Duration::ZERO;
    for step in steps {
        match *step {
            Step::Request | Step::Frame(..) | Step::Raw(_) => {
                let bytes = match *step {
                    Step::Frame(first, payload, key) if masks => {
                        mask_with(&frame(first, &payload.repeat(times)), key)
                    }
                    Step::Frame(first, payload, _) => frame(first, &payload.repeat(times)),
                    Step::Raw(bytes) => bytes.to_vec(),
                    _ => REQUEST.to_vec(),
                };
                assert_eq!(hand.receive(&bytes), ws.receive(&bytes));
            }
            Step::Eof => {
                hand.eof();
                ws.eof();
            }
            Step::Tick(quarters, times) => {
                now += Duration::from_millis(250) * u32::from(quarters);
                if let Some(deadline) = ws.deadline() {
                    now = now.min(deadline + Duration::from_secs(20));
                }
                for _ in 0..=times % 3 {
                    hand.tick(now);
                    ws.tick(now);
                }
            }
            Step::Write(_) | Step::WriteAll => {
                let output = ws.output().len();
                let count =
                    if let Step::Write(count) = *step { usize::from(count) } else { output };
                hand.written(count.min(output));
                ws.written(count.min(output));
            }
            Step::Text(text) => {
                let data = Data::Text(text);
                assert_eq!(hand.send(data, true, true), ws.send(data, true, true));
            }
            Step::Fragment(data, last) => {
                let data = Data::Binary(data);
                assert_eq!(hand.send(data, false, last), ws.send(data, false, last));
            }
            Step::Close(code, reason) => {
                if let Some(code) = CloseCode::new(code) {
                    assert_eq!(hand.close(code, reason), ws.close(code, reason));
                }
            }
            Step::NextStep => {}
            Step::Abort => {
                hand.abort();
                ws.abort();
            }
        }
        if matches!(step, Step::NextStep) {
            assert_eq!(hand.next_step(), ws.next_step());
        }
        assert_eq!(hand.output(), ws.output(), "{step:?}");
        if ws.deadline() == Some(now) && !matches!(step, Step::Tick(..)) {
            hand.tick(now);
            ws.tick(now);
        }
        assert_eq!(hand.deadline(), ws.deadline(), "{step:?}");
    }
    assert_eq!(hand.next_step(), ws.next_step());
}

fuzz_target!(|input: (u8, u8, Vec<Step<'_>>)| {
    let (flags, part, steps) = input;
    let part = usize::from(part).max(1);
    let (ready, buffer) = (flags & 1 != 0, flags & 2 != 0);
    // Only long payloads are read into the memory of their messages.
    let times = if flags & 16 != 0 { 512 } else { 1 };
    // No output reaches these marks.
    let options = Options::new().water_marks(usize::MAX, usize::MAX);
    let open = flags & 4 != 0;
    if flags & 8 != 0 {
        let ws = Endpoint::open(Client(Keys(0)), Agreed::new(), &options).unwrap();
        let ws = Driven { ws, part, ready, buffer };
        compare(Hand::new(Client(Keys(0)), true), ws, false, times, &steps);
    } else {
        let ws = if open {
            Endpoint::open(Server, Agreed::new(), &options).unwrap()
        } else {
            Endpoint::server(&options)
        };
        compare(Hand::new(Server, open), Driven { ws, part, ready, buffer }, true, times, &steps);
    }
});
