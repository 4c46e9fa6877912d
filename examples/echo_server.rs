//! An echo server for any number of connections, on one thread with `mio`:
//!
//! `echo_server [ADDR] [--max-message BYTES] [--subprotocol NAME]...`
//!
//! All connections share one read buffer, since a connection keeps nothing in it. What a socket does
//! not take waits in a buffer of its connection, and while much waits there, nothing is read from
//! it: a peer that does not read its echoes is not served more of them. A browser gets a page to
//! type into.

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};
use websocket_proto::handshake::{self, Accept, HandshakeError, ServerHandshake};
use websocket_proto::{Config, Connection, Message, Messages, NextStep, Server};

const PAGE: &[u8] = include_bytes!("echo.html");
const LISTENER: Token = Token(0);
/// With more bytes than this waiting to be written, a connection is not read from.
const MAX_WAITING: usize = 1 << 20;
/// How many reads of one connection are served before the others have their turn.
const READS_A_TURN: usize = 16;
/// How often deadlines are looked at.
const SWEEP: Duration = Duration::from_secs(1);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

struct Options {
    address: SocketAddr,
    config: Config,
    subprotocols: Vec<String>,
}

fn options() -> Result<Options, String> {
    let address = SocketAddr::from(([127, 0, 0, 1], 9001));
    let mut options = Options { address, config: Config::new(), subprotocols: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--max-message" => {
                let bytes = value()?.parse().map_err(|error| format!("--max-message: {error}"))?;
                options.config = options.config.max_message(bytes);
            }
            "--subprotocol" => options.subprotocols.push(value()?),
            address => {
                options.address = address.parse().map_err(|error| format!("{address}: {error}"))?;
            }
        }
    }
    Ok(options)
}

fn main() -> io::Result<()> {
    let options = options().map_err(io::Error::other)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(options.address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}/ and ws://{address}/");

    let mut peers: HashMap<Token, Peer> = HashMap::new();
    let mut buffer = vec![0; 64 << 10];
    let mut events = Events::with_capacity(1024);
    let mut last_token = LISTENER;
    // Connections that had their turn and may have more to be read: no event will tell.
    let mut unfinished: Vec<Token> = Vec::new();
    let mut last_sweep = Instant::now();
    loop {
        let wait = if unfinished.is_empty() { SWEEP } else { Duration::ZERO };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        if events.iter().map(Event::token).any(|token| token == LISTENER) {
            while let Ok((mut stream, _)) = listener.accept() {
                last_token.0 += 1;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, last_token, interest)?;
                let _ = stream.set_nodelay(true);
                peers.insert(last_token, Peer::new(stream));
            }
        }
        let ready = std::mem::take(&mut unfinished);
        for token in events.iter().map(Event::token).chain(ready) {
            let Some(peer) = peers.get_mut(&token) else { continue };
            match peer.turn(&mut buffer, &options) {
                Ok(Turn::Wait) => {}
                Ok(Turn::Unfinished) => unfinished.push(token),
                Ok(Turn::Done) | Err(_) => drop(peers.remove(&token)),
            }
        }
        let now = Instant::now();
        if now > last_sweep + SWEEP {
            last_sweep = now;
            peers.retain(|_, peer| peer.deadline.is_none_or(|deadline| now < deadline));
        }
    }
}

struct Peer {
    stream: TcpStream,
    phase: Phase,
    /// What is to be written; the first `written` bytes of it were.
    out: Vec<u8>,
    written: usize,
    /// When to give up on the handshake, or on the peer's end of stream.
    deadline: Option<Instant>,
}

enum Phase {
    /// The head so far has to lie in one piece.
    Handshake {
        handshake: ServerHandshake,
        head: Vec<u8>,
    },
    Open {
        connection: Box<Connection<Server>>,
        messages: Messages,
    },
    /// An HTTP response is the last that this peer gets; `eof` tells that its stream has ended.
    Answered {
        eof: bool,
    },
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
    fn new(stream: TcpStream) -> Self {
        let phase = Phase::Handshake { handshake: ServerHandshake::new(), head: Vec::new() };
        let deadline = Some(Instant::now() + HANDSHAKE_LIMIT);
        Peer { stream, phase, out: Vec::new(), written: 0, deadline }
    }

    /// Writes and reads as much as the socket takes and gives.
    fn turn(&mut self, buffer: &mut [u8], options: &Options) -> io::Result<Turn> {
        for _ in 0..READS_A_TURN {
            self.write()?;
            if self.out.len() - self.written > MAX_WAITING {
                return Ok(Turn::Wait);
            }
            if self.out.is_empty() {
                match self.next_step() {
                    NextStep::Continue | NextStep::AwaitEof => {}
                    NextStep::ShutdownWrite => {
                        self.stream.shutdown(Shutdown::Write)?;
                        self.deadline.get_or_insert(Instant::now() + CLOSE_LIMIT);
                    }
                    NextStep::Drop => return Ok(Turn::Done),
                }
            }
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.receive_eof();
                    if !self.out.is_empty() {
                        return Ok(Turn::Wait);
                    }
                }
                Ok(length) => self.receive(&mut buffer[..length], options)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Wait),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::Unfinished)
    }

    fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        if self.out.capacity() > MAX_WAITING {
            self.out = Vec::new()
        } else {
            self.out.clear()
        }
        Ok(())
    }

    fn next_step(&self) -> NextStep {
        match &self.phase {
            Phase::Handshake { .. } => NextStep::Continue,
            Phase::Open { connection, .. } => connection.next_step(),
            Phase::Answered { eof: false } => NextStep::ShutdownWrite,
            Phase::Answered { eof: true } => NextStep::Drop,
        }
    }

    fn receive_eof(&mut self) {
        match &mut self.phase {
            Phase::Open { connection, .. } => connection.receive_eof(),
            phase => *phase = Phase::Answered { eof: true },
        }
    }

    fn receive(&mut self, mut input: &mut [u8], options: &Options) -> io::Result<()> {
        match &mut self.phase {
            Phase::Answered { .. } => {} // read and dropped
            Phase::Handshake { .. } => self.shake_hands(input, options)?,
            Phase::Open { connection, messages } => {
                while let Some(message) = messages.receive(connection, &mut input) {
                    // Once we are closing, a message cannot be answered any more.
                    let _ = match message {
                        Message::Text(text) => connection.send_text(text, &mut self.out),
                        Message::Binary(data) => connection.send_binary(data, &mut self.out),
                        _ => Ok(()),
                    };
                    connection.transmit(&mut self.out).map_err(io::Error::other)?;
                }
            }
        }
        Ok(())
    }

    fn shake_hands(&mut self, bytes: &[u8], options: &Options) -> io::Result<()> {
        let Phase::Handshake { handshake, head } = &mut self.phase else { return Ok(()) };
        head.extend(bytes);
        let mut input = &mut head[..];
        match handshake.receive(&mut input) {
            Ok(None) => Ok(()),
            Ok(Some(request)) => {
                let known = |offered: &&str| options.subprotocols.iter().any(|own| own == offered);
                let accept = match request.subprotocols().find(known) {
                    Some(subprotocol) => Accept::new().subprotocol(subprotocol),
                    None => Accept::new(),
                };
                let agreed = request.accept(&accept, &mut self.out).map_err(io::Error::other)?;
                let connection = Box::new(Connection::new(Server, &options.config, agreed));
                let mut leftover = input.to_vec();
                self.phase = Phase::Open { connection, messages: Messages::new() };
                self.deadline = None;
                self.receive(&mut leftover, options)
            }
            Err(error) => {
                let page = error == HandshakeError::UpgradeMissing && head.starts_with(b"GET / ");
                let answered = if page {
                    let headers = [("Content-Type", "text/html; charset=utf-8")];
                    handshake::reject(200, &headers, PAGE, &mut self.out)
                } else {
                    error.answer(&mut self.out)
                };
                self.phase = Phase::Answered { eof: false };
                answered.map_err(io::Error::other)
            }
        }
    }
}
