//! An echo server for any number of connections, on one thread with `mio`:
//!
//! `echo_server [ADDR] [--max-message BYTES] [--subprotocol NAME]... [--deflate [--takeover]]`
//!
//! All connections share one read buffer. A browser gets a page to type into. With `--deflate`,
//! which needs the feature `deflate`, messages are compressed if the client offers it.

#[path = "common/compression.rs"]
mod compression;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};
use websocket_proto::endpoint::{Endpoint, Incoming, Options};
use websocket_proto::handshake::{AcceptOptions, HandshakeError};
use websocket_proto::{Config, NextStep, Server};

const PAGE: &[u8] = include_bytes!("echo.html");
const LISTENER: Token = Token(0);
/// The number of reads of one connection before the others have their turn.
const READS_A_TURN: usize = 16;
/// How often deadlines are checked, and a failed `accept` is tried again.
const SWEEP: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let (address, subprotocols, options) = arguments().map_err(io::Error::other)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}/ and ws://{address}/");
    let (start, mut last_sweep, mut last_token) = (Instant::now(), Duration::ZERO, LISTENER);
    let mut peers: HashMap<Token, Box<Peer>> = HashMap::new();
    let mut buffer = vec![0; 128 << 10];
    let mut events = Events::with_capacity(1024);
    // Connections that have more to do now, without another event.
    let mut unfinished: Vec<Token> = Vec::new();
    loop {
        let wait = if unfinished.is_empty() { SWEEP } else { Duration::ZERO };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        let now = start.elapsed();
        // One turn for each connection, however many events it has.
        unfinished.extend(events.iter().map(Event::token));
        unfinished.sort_unstable();
        unfinished.dedup();
        for token in std::mem::take(&mut unfinished) {
            if token == LISTENER {
                loop {
                    let mut stream = match listener.accept() {
                        Ok((stream, _)) => stream,
                        Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                        // No connection waits, or all file handles are in use, and the next sweep
                        // tries again.
                        Err(_) => break,
                    };
                    last_token.0 += 1;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    if poll.registry().register(&mut stream, last_token, interest).is_ok() {
                        let _ = stream.set_nodelay(true);
                        let mut ws = Endpoint::server(&options);
                        ws.tick(now);
                        peers.insert(last_token, Box::new(Peer { stream, ws }));
                    }
                }
            } else if let Some(peer) = peers.get_mut(&token) {
                match peer.turn(&mut buffer, &subprotocols, now) {
                    Turn::Wait => {}
                    Turn::Unfinished => unfinished.push(token),
                    Turn::Done => drop(peers.remove(&token)),
                }
            }
        }
        if now >= last_sweep + SWEEP {
            last_sweep = now;
            let due =
                peers.iter().filter(|(_, peer)| peer.ws.deadline().is_some_and(|at| at <= now));
            unfinished.extend(due.map(|(token, _)| *token).chain([LISTENER]));
        }
    }
}

fn arguments() -> Result<(SocketAddr, Vec<String>, Options), String> {
    let (mut address, mut subprotocols) = (SocketAddr::from(([127, 0, 0, 1], 9001)), Vec::new());
    let (mut config, mut deflate, mut takeover) = (Config::new(), false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--max-message" => {
                let bytes = value()?.parse().map_err(|error| format!("--max-message: {error}"))?;
                config = config.max_message(bytes);
            }
            "--subprotocol" => subprotocols.push(value()?),
            "--deflate" => deflate = true,
            "--takeover" => takeover = true,
            text => address = text.parse().map_err(|error| format!("{text}: {error}"))?,
        }
    }
    // With many connections, each should keep little memory.
    let mut options = Options::new().config(config).keeping(4 << 10);
    if let Some(compression) = compression::of(deflate, takeover)? {
        options = options.compression(compression);
    }
    Ok((address, subprotocols, options))
}

struct Peer {
    stream: TcpStream,
    ws: Endpoint<Server>,
}

/// The result of a turn of one connection.
enum Turn {
    /// There is nothing to do until the next event or deadline.
    Wait,
    /// There may be more to do now, without an event.
    Unfinished,
    Done,
}

impl Peer {
    /// Reads, answers and writes as much as the socket gives and takes.
    fn turn(&mut self, buffer: &mut [u8], subprotocols: &[String], now: Duration) -> Turn {
        for _ in 0..READS_A_TURN {
            let input = self.ws.read_from(&mut self.stream, buffer);
            let drained = input.is_empty() && self.ws.wants_read();
            self.receive(input, subprotocols);
            self.ws.tick(now);
            while self.ws.write_to(&mut self.stream) {
                self.receive(&mut [], subprotocols);
            }
            match self.ws.next_step() {
                NextStep::ShutdownWrite => {
                    // If this fails, the stream has ended already, and a read will report it.
                    let _ = self.stream.shutdown(Shutdown::Write);
                }
                NextStep::Drop => return Turn::Done,
                _ => {}
            }
            // The poller reports a socket only after a read or a write would have blocked.
            if drained || !self.ws.wants_read() {
                return Turn::Wait;
            }
        }
        Turn::Unfinished
    }

    fn receive(&mut self, mut input: &mut [u8], subprotocols: &[String]) {
        while let Some((incoming, sender)) = self.ws.receive(&mut input) {
            match incoming {
                Incoming::Request => {
                    let Some(request) = self.ws.request() else { continue };
                    let known = |offered: &&str| subprotocols.iter().any(|own| own == offered);
                    let mut accept = AcceptOptions::new();
                    if let Some(subprotocol) = request.subprotocols().find(known) {
                        accept = accept.subprotocol(subprotocol);
                    }
                    if request.accept(&accept).is_err() {
                        self.ws.abort(); // no memory for the response
                    }
                }
                Incoming::HandshakeFailed(HandshakeError::UpgradeMissing) => {
                    let _ =
                        sender.respond(200, &[("Content-Type", "text/html; charset=utf-8")], PAGE);
                }
                // While the connection closes, a message cannot be answered. That is not an error
                // here.
                Incoming::Text(text) => _ = sender.text(text),
                Incoming::Binary(data) => _ = sender.binary(data),
                _ => {}
            }
        }
    }
}
