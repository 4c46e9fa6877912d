//! An echo server on io_uring, for any number of connections on one thread:
//!
//! `cargo run --release --manifest-path examples/uring/Cargo.toml [ADDR]`
//!
//! All connections receive into one ring of buffers. An endpoint takes all bytes out of a buffer at
//! once, so the buffer is back with the kernel before the next completion is handled, and an idle
//! connection has none. Output is sent in buffers that the ring owns until it has sent them. A text
//! "goodbye" is answered by a Close.
//!
//! This needs Linux 6.1, for receives that complete many times and completions made on demand.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod ring;

use ring::{BUFFERS, Completion, LENGTH, Received, Ring};
use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use websocket_proto::endpoint::{Endpoint, Incoming, Options};
use websocket_proto::handshake::AcceptOptions;
use websocket_proto::{CloseCode, NextStep, Server};

/// How often deadlines are checked, and a failed `accept` is tried again.
const SWEEP: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let listener =
        TcpListener::bind(std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9003"))?;
    let ring = Ring::new()?;
    println!("listening on ws://{}/", listener.local_addr()?);
    println!("{BUFFERS} buffers of {LENGTH} bytes for all connections");
    let (start, options) = (Instant::now(), Options::new());
    let mut peers: HashMap<u32, Peer> = HashMap::new();
    let (mut last_token, mut next_sweep, mut accepting) = (0, Duration::ZERO, false);
    // The connections that have something to do.
    let mut busy: Vec<u32> = Vec::new();
    loop {
        let now = start.elapsed();
        if now >= next_sweep {
            next_sweep = now + SWEEP;
            if !accepting {
                ring.accept(&listener)?;
                accepting = true;
            }
            let due = |peer: &Peer| peer.ws.deadline().is_some_and(|at| at <= now);
            busy.extend(peers.iter().filter(|(_, peer)| due(peer)).map(|(token, _)| *token));
        }
        ring.wait(if busy.is_empty() { SWEEP } else { Duration::ZERO })?;
        while let Some(completion) = ring.next() {
            let token = match completion {
                Completion::Accept { stream, last } => {
                    accepting &= !last;
                    let Some(stream) = stream else { continue };
                    let _ = stream.set_nodelay(true);
                    last_token += 1;
                    peers.insert(last_token, Peer::new(stream, &options));
                    last_token
                }
                Completion::Receive { token, received, last } => {
                    let Some(peer) = peers.get_mut(&token) else { continue };
                    peer.received(ring, received, last);
                    token
                }
                Completion::Send { token, buffer, sent } => {
                    let Some(peer) = peers.get_mut(&token) else { continue };
                    peer.sent(ring, token, buffer, sent)?;
                    token
                }
            };
            busy.push(token);
        }
        // One turn for each connection, however many completions it has.
        busy.sort_unstable();
        busy.dedup();
        for token in busy.drain(..) {
            let Some(peer) = peers.get_mut(&token) else { continue };
            peer.turn(ring, token, start.elapsed())?;
            if peer.ended && peer.receiving == Receiving::No && peer.sending.is_none() {
                if let Some(ending) = peer.ws.ending() {
                    println!("{ending}");
                }
                peers.remove(&token);
            }
        }
    }
}

/// Whether the ring receives for a connection.
#[derive(Clone, Copy, PartialEq)]
enum Receiving {
    No,
    Yes,
    /// The receive was cancelled, and has not reported its last completion yet.
    Stopping,
}

struct Peer {
    stream: TcpStream,
    ws: Endpoint<Server>,
    receiving: Receiving,
    /// While a buffer is being sent, how many of its bytes were sent before.
    sending: Option<usize>,
    /// Whether the transport was shut down, so that the ring will soon complete its operations.
    ended: bool,
}

impl Peer {
    fn new(stream: TcpStream, options: &Options) -> Self {
        let ws = Endpoint::server(options);
        Peer { stream, ws, receiving: Receiving::No, sending: None, ended: false }
    }

    fn received(&mut self, ring: &mut Ring, received: Received, last: bool) {
        match received {
            Received::Bytes(filled) => ring.lend(filled, |input| self.receive(input)),
            Received::EndOfStream => self.ws.receive_eof(),
            Received::Broken => self.ws.abort(),
            Received::Nothing => {}
        }
        if last {
            self.receiving = Receiving::No;
        }
    }

    fn sent(
        &mut self,
        ring: &mut Ring,
        token: u32,
        buffer: Vec<u8>,
        sent: io::Result<usize>,
    ) -> io::Result<()> {
        let before = self.sending.take().unwrap_or(0);
        match sent {
            Ok(count) => {
                self.ws.written(count);
                self.send(ring, token, buffer, before + count)
            }
            Err(_) => {
                self.ws.abort();
                Ok(())
            }
        }
    }

    fn receive(&mut self, mut input: &mut [u8]) {
        while let Some((incoming, sender)) = self.ws.receive(&mut input) {
            match incoming {
                Incoming::Request => {
                    let Some(request) = self.ws.request() else { continue };
                    if request.accept(&AcceptOptions::new()).is_err() {
                        self.ws.abort(); // no memory for the response
                    }
                }
                Incoming::Text("goodbye") => _ = sender.close(CloseCode::NORMAL, "goodbye"),
                // While the connection closes, a message cannot be answered. That is not an error
                // here.
                Incoming::Text(text) => _ = sender.text(text),
                Incoming::Binary(data) => _ = sender.binary(data),
                _ => {}
            }
        }
    }

    fn turn(&mut self, ring: &mut Ring, token: u32, now: Duration) -> io::Result<()> {
        self.ws.tick(now);
        self.receive(&mut []); // after a send there may be room for events that had to wait
        if self.sending.is_none() {
            let output = self.ws.take_output(Vec::new());
            self.send(ring, token, output, 0)?;
        }
        match self.ws.next_step() {
            NextStep::ShutdownWrite => _ = self.stream.shutdown(Shutdown::Write),
            NextStep::Drop if !self.ended => {
                // This ends all operations of the ring for this connection.
                let _ = self.stream.shutdown(Shutdown::Both);
                self.ended = true;
            }
            _ => {}
        }
        match (self.receiving, self.ws.wants_read()) {
            (Receiving::No, true) => {
                ring.receive(token, &self.stream)?;
                self.receiving = Receiving::Yes;
            }
            (Receiving::Yes, false) => {
                ring.stop_receiving(token)?;
                self.receiving = Receiving::Stopping;
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends `output` without its first `start` bytes.
    fn send(
        &mut self,
        ring: &mut Ring,
        token: u32,
        output: Vec<u8>,
        start: usize,
    ) -> io::Result<()> {
        if start < output.len() {
            ring.send(token, &self.stream, output, start)?;
            self.sending = Some(start);
        }
        Ok(())
    }
}
