//! A chat room: every message of a client is sent to all clients, in the same order.
//!
//! `broadcast [ADDR]`
//!
//! Each message is encoded once and shared by all connections. The output of a connection is a
//! queue of such messages and of bytes of its own. A client whose queue is too long is too slow for
//! the room, and is sent a Close.
//!
//! One thread with `mio`; `echo_server` is the same loop without the room.

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};
use websocket_proto::handshake::{self, AcceptOptions, ServerHandshake};
use websocket_proto::{
    CloseCode, CloseFrame, Config, Connection, Data, Deadlines, Full, Limit, Message, Messages,
    NextStep, Output, Overdue, Prepared, Server, State, Violation,
};

const LISTENER: Token = Token(0);
/// The longest message.
const CONFIG: Config = Config::new().max_message(64 << 10);
/// If more bytes or more parts than this wait to be written, a client is too slow.
const MAX_WAITING: usize = 1 << 20;
const MAX_PARTS: usize = 1 << 12;
/// The number of parts that an empty queue keeps room for.
const KEPT_PARTS: usize = 64;
/// How often deadlines are checked, and a failed `accept` is tried again.
const SWEEP: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9005".into());
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on ws://{}/", listener.local_addr()?);

    let start = Instant::now();
    let mut peers: HashMap<Token, Peer> = HashMap::new();
    let mut buffer = vec![0; 64 << 10];
    let mut events = Events::with_capacity(1024);
    let mut last_token = LISTENER;
    // Connections that have more to do now, without another event.
    let mut unfinished: Vec<Token> = Vec::new();
    let mut said: Vec<Rc<Prepared>> = Vec::new();
    let mut last_sweep = Duration::ZERO;
    loop {
        let wait = if unfinished.is_empty() { SWEEP } else { Duration::ZERO };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        let now = start.elapsed();
        let mut ready = std::mem::take(&mut unfinished);
        ready.extend(events.iter().map(Event::token));
        // One turn for each connection, however many events it has.
        ready.sort_unstable();
        ready.dedup();
        for token in ready {
            if token == LISTENER {
                accept(&listener, poll.registry(), &mut last_token, |token, stream| {
                    peers.insert(token, Peer::new(stream, now));
                });
                continue;
            }
            let Some(peer) = peers.get_mut(&token) else { continue };
            match peer.turn(now, &mut buffer, &mut said) {
                Ok(Turn::Wait) => {}
                Ok(Turn::Unfinished) => unfinished.push(token),
                Ok(Turn::Done) | Err(_) => drop(peers.remove(&token)),
            }
            // The sender gets its own message, too.
            if !said.is_empty() {
                peers.retain(|_, peer| matches!(peer.hear(now, &said), Ok(Flushed::Alive)));
                said.clear();
            }
        }
        // Deadlines come after the turns, because bytes that have arrived in time are a sign of
        // life.
        if now >= last_sweep + SWEEP {
            last_sweep = now;
            unfinished.push(LISTENER);
            peers.retain(|token, peer| match peer.keep_time(now) {
                Turn::Wait => true,
                Turn::Unfinished => {
                    unfinished.push(*token);
                    true
                }
                Turn::Done => false,
            });
        }
    }
}

/// Accepts all connections that wait. An error ends at most one of them.
fn accept(
    listener: &TcpListener,
    registry: &Registry,
    last_token: &mut Token,
    mut add: impl FnMut(Token, TcpStream),
) {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                last_token.0 += 1;
                let interest = Interest::READABLE | Interest::WRITABLE;
                if registry.register(&mut stream, *last_token, interest).is_ok() {
                    let _ = stream.set_nodelay(true);
                    add(*last_token, stream);
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // No connection waits, or too many files are open, and the next sweep tries again.
            Err(_) => return,
        }
    }
}

struct Peer {
    stream: TcpStream,
    phase: Phase,
    queue: Queue,
    deadlines: Deadlines,
}

enum Phase {
    /// The head so far, in one slice.
    Handshake {
        handshake: ServerHandshake,
        head: Vec<u8>,
    },
    Open {
        connection: Box<Connection<Server>>,
        messages: Messages<'static>,
    },
    /// The client is sent an HTTP response and nothing after it. Then the transport ends like that
    /// of a connection.
    Answered(NextStep),
}

/// The result of a turn of one connection.
enum Turn {
    /// There is nothing to do until the next event.
    Wait,
    /// There may be more to do now, without an event.
    Unfinished,
    Done,
}

/// Whether a connection goes on once its output was written.
enum Flushed {
    Alive,
    Ended,
}

impl Peer {
    fn new(stream: TcpStream, now: Duration) -> Self {
        let phase = Phase::Handshake { handshake: ServerHandshake::new(), head: Vec::new() };
        Peer { stream, phase, queue: Queue::default(), deadlines: Deadlines::new(now) }
    }

    /// Writes as much as the socket takes, and reads once.
    fn turn(
        &mut self,
        now: Duration,
        buffer: &mut [u8],
        said: &mut Vec<Rc<Prepared>>,
    ) -> io::Result<Turn> {
        if let Flushed::Ended = self.flush(now)? {
            return Ok(Turn::Done);
        }
        match self.stream.read(buffer) {
            // Output that waits is still written, within the deadlines. Then the end is read again.
            Ok(0) if self.queue.waiting > 0 => return Ok(Turn::Wait),
            Ok(0) => match &mut self.phase {
                Phase::Open { connection, .. } => connection.receive_eof(),
                phase => *phase = Phase::Answered(NextStep::Drop),
            },
            Ok(length) => self.receive(now, &mut buffer[..length], said)?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Wait),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(Turn::Unfinished)
    }

    /// Queues a message without a copy, and writes as much as the socket takes.
    fn hear(&mut self, now: Duration, said: &[Rc<Prepared>]) -> io::Result<Flushed> {
        if let Phase::Open { connection, .. } = &mut self.phase {
            for message in said {
                // No message can be sent while the connection closes.
                if connection.prepared(message).is_ok() {
                    self.queue.push(Part::Shared(Rc::clone(message)));
                }
            }
        }
        self.flush(now)
    }

    fn flush(&mut self, now: Duration) -> io::Result<Flushed> {
        let before = self.queue.waiting;
        self.queue.write_to(&mut self.stream)?;
        self.deadlines.written(now, before - self.queue.waiting, self.queue.waiting);
        if self.queue.waiting == 0 {
            match self.next_step() {
                NextStep::Continue | NextStep::AwaitEof => {}
                NextStep::ShutdownWrite => self.shut_down(),
                NextStep::Drop => return Ok(Flushed::Ended),
            }
        }
        if self.queue.waiting > MAX_WAITING || self.queue.parts.len() > MAX_PARTS {
            let close = CloseFrame::truncated(CloseCode::TRY_AGAIN_LATER, "too slow");
            match &mut self.phase {
                Phase::Open { connection, .. } if connection.state() == State::Open => {
                    self.queue.forget();
                    connection.close(Some(&close), &mut self.queue).map_err(io::Error::other)?;
                }
                _ => return Ok(Flushed::Ended),
            }
        }
        Ok(Flushed::Alive)
    }

    fn next_step(&self) -> NextStep {
        match &self.phase {
            Phase::Handshake { .. } => NextStep::Continue,
            Phase::Open { connection, .. } => connection.next_step(),
            Phase::Answered(step) => *step,
        }
    }

    /// Ends the writing side, once: because each `shutdown` causes an event, which leads to another
    /// turn.
    fn shut_down(&mut self) {
        // If this fails, the stream has ended already, and a read will report it.
        let _ = self.stream.shutdown(Shutdown::Write);
        match &mut self.phase {
            Phase::Open { connection, .. } => connection.write_ended(),
            phase => *phase = Phase::Answered(NextStep::AwaitEof),
        }
    }

    fn receive(
        &mut self,
        now: Duration,
        mut input: &mut [u8],
        said: &mut Vec<Rc<Prepared>>,
    ) -> io::Result<()> {
        match &mut self.phase {
            Phase::Answered(_) => {} // read and dropped
            Phase::Handshake { .. } => self.shake_hands(now, input, said)?,
            Phase::Open { connection, messages } => {
                while let Some(message) = messages.receive(connection, &mut input) {
                    match message {
                        Message::Text(text) => {
                            said.push(Rc::new(Prepared::new(Data::Text(text))));
                        }
                        Message::Binary(_) => connection.fail(Violation::UnsupportedData),
                        _ => {}
                    }
                    connection.transmit(&mut self.queue).map_err(io::Error::other)?;
                }
            }
        }
        Ok(())
    }

    fn shake_hands(
        &mut self,
        now: Duration,
        bytes: &[u8],
        said: &mut Vec<Rc<Prepared>>,
    ) -> io::Result<()> {
        let Phase::Handshake { handshake, head } = &mut self.phase else { return Ok(()) };
        head.extend(bytes);
        let mut input = &mut head[..];
        match handshake.receive(&mut input) {
            Ok(None) => Ok(()),
            Ok(Some(request)) => {
                let agreed = request
                    .accept(&AcceptOptions::new(), &mut self.queue)
                    .map_err(io::Error::other)?;
                let connection = Box::new(Connection::new(Server, &CONFIG, agreed));
                let mut leftover = input.to_vec();
                self.phase = Phase::Open { connection, messages: Messages::new() };
                self.receive(now, &mut leftover, said)
            }
            Err(error) => {
                self.phase = Phase::Answered(NextStep::ShutdownWrite);
                self.deadlines.closing(now);
                error.respond(&mut self.queue).map_err(io::Error::other)
            }
        }
    }

    /// Does what is due now. Returns whether the connection goes on, and whether it needs a turn.
    fn keep_time(&mut self, now: Duration) -> Turn {
        let overdue = match &mut self.phase {
            Phase::Open { connection, .. } => {
                self.deadlines.enforce(now, connection, &mut self.queue)
            }
            _ => self.deadlines.expired(now),
        };
        match overdue {
            None => Turn::Wait,
            Some(Overdue::Abort(_)) => Turn::Done,
            Some(Overdue::Close(Limit::Handshake)) => {
                self.phase = Phase::Answered(NextStep::ShutdownWrite);
                match handshake::reject(408, &[], b"", &mut self.queue) {
                    Ok(()) => Turn::Unfinished,
                    Err(_) => Turn::Done,
                }
            }
            Some(_) => Turn::Unfinished,
        }
    }
}

/// The output that waits to be written to one client.
#[derive(Default)]
struct Queue {
    parts: VecDeque<Part>,
    /// The number of bytes of the first part that were written.
    written: usize,
    /// The bytes of all parts that were not written.
    waiting: usize,
}

enum Part {
    /// A message, which others get as well.
    Shared(Rc<Prepared>),
    /// Frames for this client alone, or the response of its handshake.
    Own(Vec<u8>),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            // The connection allowed the message when it was queued.
            Part::Shared(message) => message.as_ref().as_ref(),
            Part::Own(bytes) => bytes,
        }
    }
}

impl Queue {
    fn push(&mut self, part: Part) {
        self.waiting += part.bytes().len();
        self.parts.push_back(part);
    }

    /// Discards the parts of which nothing was written. These are whole frames.
    fn forget(&mut self) {
        self.parts.truncate(usize::from(self.written > 0));
        self.waiting = self.parts.iter().map(|part| part.bytes().len()).sum();
        self.waiting -= self.written;
    }

    fn write_to(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while self.waiting > 0 {
            let mut slices = [IoSlice::new(&[]); 64];
            let mut skipped = self.written;
            for (slice, part) in slices.iter_mut().zip(&self.parts) {
                *slice = IoSlice::new(&part.bytes()[skipped..]);
                skipped = 0;
            }
            match stream.write_vectored(&slices) {
                Ok(length) => self.advance(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, length: usize) {
        self.waiting -= length;
        self.written += length;
        while let Some(part) = self.parts.pop_front() {
            let length = part.bytes().len();
            if self.written < length {
                self.parts.push_front(part);
                return;
            }
            self.written -= length;
        }
        // Otherwise every client would keep the memory of a burst.
        if self.parts.capacity() > KEPT_PARTS {
            self.parts = VecDeque::new();
        }
    }
}

/// Bytes of one connection are appended after the parts that wait.
impl Output for Queue {
    fn reserve(&mut self, _: usize) -> Result<(), Full> {
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) {
        self.waiting += bytes.len();
        // Nothing is appended to a part that is being written, because it might then never be
        // finished.
        let begun = self.parts.len() == 1 && self.written > 0;
        if begun || !matches!(self.parts.back(), Some(Part::Own(_))) {
            self.parts.push_back(Part::Own(Vec::new()));
        }
        if let Some(Part::Own(own)) = self.parts.back_mut() {
            own.extend(bytes);
        }
    }
}
