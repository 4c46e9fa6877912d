//! An echo server for any number of connections, on one thread with `mio`:
//!
//! `echo_server [ADDR] [--max-message BYTES] [--subprotocol NAME]... [--deflate [--takeover]]`
//!
//! All connections share one read buffer, since a connection keeps nothing in it, and one for output.
//! What a socket does not take waits in a buffer of its connection, and while much waits there, nothing
//! is read from it: a peer that does not read its echoes is not served more of them. A silent peer is
//! sent a Ping. One that stays silent, or takes too long for anything else, is sent a Close before it
//! is dropped. A browser gets a page to type into.
//!
//! With `--deflate`, for which the feature `deflate` is needed, messages are compressed where the
//! client offers it: by codecs that all connections share, or with `--takeover` by codecs of each
//! connection's own.

#[allow(dead_code, reason = "clients have theirs too")]
#[path = "common/codecs.rs"]
mod codecs;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};
use websocket_proto::handshake::{self, AcceptOptions, HandshakeError, ServerHandshake};
use websocket_proto::{
    Config, Connection, Data, Deadlines, Deflate, Limit, Message, Messages, NextStep, Overdue,
    Server,
};

const PAGE: &[u8] = include_bytes!("echo.html");
const LISTENER: Token = Token(0);
/// With more bytes than this waiting to be written, a connection is not read from.
const MAX_WAITING: usize = 1 << 20;
/// How many reads of one connection are served before the others have their turn.
const READS_A_TURN: usize = 16;
/// How often deadlines are looked at, and a failed `accept` is tried again.
const SWEEP: Duration = Duration::from_secs(1);

struct Options {
    address: SocketAddr,
    config: Config,
    subprotocols: Vec<String>,
    deflate: &'static [Deflate],
}

fn options() -> Result<Options, String> {
    let address = SocketAddr::from(([127, 0, 0, 1], 9001));
    let mut options =
        Options { address, config: Config::new(), subprotocols: Vec::new(), deflate: &[] };
    let (mut deflate, mut takeover) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--max-message" => {
                let bytes = value()?.parse().map_err(|error| format!("--max-message: {error}"))?;
                options.config = options.config.max_message(bytes);
            }
            "--subprotocol" => options.subprotocols.push(value()?),
            "--deflate" => deflate = true,
            "--takeover" => takeover = true,
            address => {
                options.address = address.parse().map_err(|error| format!("{address}: {error}"))?;
            }
        }
    }
    options.deflate = codecs::ways(deflate, takeover)?;
    Ok(options)
}

fn main() -> io::Result<()> {
    let options = options().map_err(io::Error::other)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(options.address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}/ and ws://{address}/");

    let start = Instant::now();
    let mut peers: HashMap<Token, Peer> = HashMap::new();
    let mut buffer = vec![0; 128 << 10];
    let (codecs, now) = (codecs::Shared::new(), Duration::ZERO);
    let mut common = Common { options, codecs, out: Vec::new(), now };
    let mut events = Events::with_capacity(1024);
    let mut last_token = LISTENER;
    // Those that have more to do now, of which no event will tell.
    let mut unfinished: Vec<Token> = Vec::new();
    let mut last_sweep = Duration::ZERO;
    loop {
        let wait = if unfinished.is_empty() { SWEEP } else { Duration::ZERO };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        let now = start.elapsed();
        common.now = now;
        let mut ready = mem::take(&mut unfinished);
        ready.extend(events.iter().map(Event::token));
        // One turn for each, whatever the reasons for it.
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
            match peer.turn(&mut buffer, &mut common) {
                Ok(Turn::Wait) => {}
                Ok(Turn::Unfinished) => unfinished.push(token),
                Ok(Turn::Done) | Err(_) => drop(peers.remove(&token)),
            }
        }
        // Behind the turns: what has arrived in time is a sign of life.
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

/// Takes all connections that wait to be taken. What fails ends at most one of them.
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
            // Nobody waits; or there are too many open files, and the next sweep tries again.
            Err(_) => return,
        }
    }
}

/// What all connections have in common.
struct Common {
    options: Options,
    codecs: codecs::Shared,
    /// The output of the connection whose turn it is.
    out: Vec<u8>,
    /// The time when the turns began.
    now: Duration,
}

struct Peer {
    stream: TcpStream,
    phase: Phase,
    /// What is to be written; the first `written` bytes of it were.
    out: Vec<u8>,
    written: usize,
    deadlines: Deadlines,
}

enum Phase {
    /// The head so far has to lie in one piece.
    Handshake {
        handshake: ServerHandshake,
        head: Vec<u8>,
    },
    Open {
        connection: Box<Connection<Server>>,
        messages: Messages<'static>,
        codecs: codecs::Own,
    },
    /// An HTTP response is the last that this peer gets. It ends as a connection does.
    Answered(NextStep),
}

/// How a turn of one connection ended.
enum Turn {
    /// An event will tell when there is more to do.
    Wait,
    /// There may be more to do now.
    Unfinished,
    Done,
}

impl Peer {
    fn new(stream: TcpStream, now: Duration) -> Self {
        let phase = Phase::Handshake { handshake: ServerHandshake::new(), head: Vec::new() };
        let deadlines = Deadlines::new(now);
        let out = Vec::new();
        Peer { stream, phase, out, written: 0, deadlines }
    }

    /// A turn, in the output of all unless something waits in that of this connection.
    fn turn(&mut self, buffer: &mut [u8], common: &mut Common) -> io::Result<Turn> {
        if self.out.is_empty() {
            mem::swap(&mut self.out, &mut common.out);
        }
        let turn = self.write_and_read(buffer, common);
        if self.out.is_empty() {
            mem::swap(&mut self.out, &mut common.out);
        }
        turn
    }

    /// Writes and reads as much as the socket takes and gives.
    fn write_and_read(&mut self, buffer: &mut [u8], common: &mut Common) -> io::Result<Turn> {
        for _ in 0..READS_A_TURN {
            self.write(common.now)?;
            if self.out.len() - self.written > MAX_WAITING {
                return Ok(Turn::Wait);
            }
            if self.out.is_empty() {
                match self.next_step() {
                    NextStep::Continue | NextStep::AwaitEof => {}
                    NextStep::ShutdownWrite => self.shut_down(),
                    NextStep::Drop => return Ok(Turn::Done),
                }
            }
            match self.stream.read(buffer) {
                // A peer that has ended only its writing side still gets its echoes, within the
                // deadlines. Once they are written, the end is read again.
                Ok(0) if !self.out.is_empty() => return Ok(Turn::Wait),
                Ok(0) => self.receive_eof(),
                Ok(length) => self.receive(&mut buffer[..length], common)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Wait),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Unfinished)
    }

    fn write(&mut self, now: Duration) -> io::Result<()> {
        let before = self.written;
        let mut blocked = false;
        while !blocked && self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.deadlines.written(now, self.written - before, self.out.len() - self.written);
        if blocked {
            // What was written goes, or a peer that always lags a little fills the memory. Moving no
            // more than was written keeps the work linear.
            if self.written >= self.out.len() - self.written {
                self.out.drain(..self.written);
                self.written = 0;
            }
            return Ok(());
        }
        self.written = 0;
        if self.out.capacity() > MAX_WAITING {
            self.out = Vec::new()
        } else {
            self.out.clear()
        }
        Ok(())
    }

    /// Does what is due by now. Whether the connection goes on, and with a turn.
    fn keep_time(&mut self, now: Duration) -> Turn {
        let overdue = match &mut self.phase {
            Phase::Open { connection, .. } => {
                self.deadlines.enforce(now, connection, &mut self.out)
            }
            _ => self.deadlines.expired(now),
        };
        match overdue {
            None => Turn::Wait,
            Some(Overdue::Abort(_)) => Turn::Done,
            Some(Overdue::Close(Limit::Handshake)) => {
                self.phase = Phase::Answered(NextStep::ShutdownWrite);
                match handshake::reject(408, &[], b"", &mut self.out) {
                    Ok(()) => Turn::Unfinished,
                    Err(_) => Turn::Done,
                }
            }
            Some(_) => Turn::Unfinished,
        }
    }

    fn next_step(&self) -> NextStep {
        match &self.phase {
            Phase::Handshake { .. } => NextStep::Continue,
            Phase::Open { connection, .. } => connection.next_step(),
            Phase::Answered(step) => *step,
        }
    }

    /// Ends the writing side, once: each `shutdown` is an event, which leads to another turn.
    fn shut_down(&mut self) {
        // A stream that cannot be shut down is down, and its end will be read.
        let _ = self.stream.shutdown(Shutdown::Write);
        match &mut self.phase {
            Phase::Open { connection, .. } => connection.write_ended(),
            phase => *phase = Phase::Answered(NextStep::AwaitEof),
        }
    }

    fn receive_eof(&mut self) {
        match &mut self.phase {
            Phase::Open { connection, .. } => connection.receive_eof(),
            phase => *phase = Phase::Answered(NextStep::Drop),
        }
    }

    fn receive(&mut self, mut input: &mut [u8], common: &mut Common) -> io::Result<()> {
        match &mut self.phase {
            Phase::Answered(_) => {} // read and dropped
            Phase::Handshake { .. } => self.shake_hands(input, common)?,
            Phase::Open { connection, messages, codecs } => {
                let (inflater, deflater) = codecs.or(&mut common.codecs);
                while let Some(message) =
                    messages.receive_inflated(connection, inflater, &mut input)
                {
                    let echo = match message {
                        Message::Text(text) => Some(Data::Text(text)),
                        Message::Binary(data) => Some(Data::Binary(data)),
                        _ => None,
                    };
                    if let Some(data) = echo {
                        // Once we are closing, a message cannot be answered any more.
                        let _ = connection.send_compressed(data, deflater, &mut self.out);
                    }
                    connection.transmit(&mut self.out).map_err(io::Error::other)?;
                }
            }
        }
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &[u8], common: &mut Common) -> io::Result<()> {
        let Phase::Handshake { handshake, head } = &mut self.phase else { return Ok(()) };
        head.extend(bytes);
        let mut input = &mut head[..];
        match handshake.receive(&mut input) {
            Ok(None) => Ok(()),
            Ok(Some(request)) => {
                let Options { config, subprotocols, deflate, .. } = &common.options;
                let known = |offered: &&str| subprotocols.iter().any(|own| own == offered);
                let mut accept = AcceptOptions::new();
                if let Some(subprotocol) = request.subprotocols().find(known) {
                    accept = accept.subprotocol(subprotocol);
                }
                if let Some(deflate) = deflate.first() {
                    accept = accept.deflate(*deflate);
                }
                let agreed = request.accept(&accept, &mut self.out).map_err(io::Error::other)?;
                let connection = Box::new(Connection::new(Server, config, agreed));
                let mut leftover = input.to_vec();
                let (messages, codecs) = (Messages::new(), codecs::Own::of_server(agreed));
                self.phase = Phase::Open { connection, messages, codecs };
                self.receive(&mut leftover, common)
            }
            Err(error) => {
                let page = error == HandshakeError::UpgradeMissing && head.starts_with(b"GET / ");
                let answered = if page {
                    let headers = [("Content-Type", "text/html; charset=utf-8")];
                    handshake::reject(200, &headers, PAGE, &mut self.out)
                } else {
                    error.respond(&mut self.out)
                };
                self.phase = Phase::Answered(NextStep::ShutdownWrite);
                self.deadlines.closing(common.now);
                answered.map_err(io::Error::other)
            }
        }
    }
}
