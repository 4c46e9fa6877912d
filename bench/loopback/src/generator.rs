//! The one load generator for all servers and clients: sends messages on many connections, on one
//! thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt;
use websocket_proto::handshake::{AcceptOptions, ServerHandshake};

use crate::load::{Cycle, Load, Role};
use crate::payloads::Payload;
use crate::process::Process;

/// The size of each socket buffer of the generator, which the kernel doubles.
const SOCKET_BUFFER: usize = 128 << 10;
const READ: usize = 256 << 10;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

pub struct Generator<'l> {
    poll: Poll,
    connections: Vec<Connection>,
    depth: usize,
    requests: Cycle,
    echoes: Echoes<'l>,
}

struct Connection {
    stream: mio::net::TcpStream,
    /// Messages of which nothing was written, and which may not be sent yet.
    unsent: usize,
    /// Messages that may be written now, including the one that is partly written.
    writable: usize,
    /// Echoes that are owed to this connection, including the one that is partly read.
    owed: usize,
    /// The message that is being written, and how many bytes of the cycle were written.
    writing: usize,
    written: usize,
    /// The echo that is being read, how many bytes of its frame were read, and its masking key.
    reading: usize,
    read: usize,
    key: [u8; 4],
}

impl<'l> Generator<'l> {
    /// Opens the connections.
    pub fn new(process: &mut Process, load: &'l Load) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::new();
        let requests = load.cycle();
        for number in 0..load.connections {
            let stream = match load.role {
                Role::Server => open(process.connect()?)?,
                Role::Client => accept(process.accept()?)?,
            };
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), interest)?;
            // Connections begin with different messages.
            let first = number * load.payloads.len() / load.connections;
            connections.push(Connection {
                stream,
                unsent: 0,
                writable: 0,
                owed: 0,
                writing: first,
                written: first.checked_sub(1).map_or(0, |before| requests.ends[before]),
                reading: first,
                read: 0,
                key: [0; 4],
            });
        }
        let echoes = Echoes {
            payloads: &load.payloads,
            headers: load.headers(),
            key: if load.role == Role::Client { 4 } else { 0 },
        };
        Ok(Generator { poll, connections, depth: load.depth, requests, echoes })
    }

    /// Sends `messages`, equally many on each connection, and checks every byte of their echoes.
    pub fn run(&mut self, messages: usize) -> io::Result<()> {
        let each = messages / self.connections.len();
        let mut buffer = vec![0; READ];
        let mut unfinished = self.connections.len();
        for connection in &mut self.connections {
            let first = each.min(self.depth);
            connection.unsent = each - first;
            connection.writable = first;
            connection.owed = each;
            connection.write(&self.requests)?;
        }
        let mut events = Events::with_capacity(1024);
        while unfinished > 0 {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let connection = &mut self.connections[event.token().0];
                if connection.owed > 0 {
                    connection.read(&self.echoes, &mut buffer)?;
                    connection.write(&self.requests)?;
                    unfinished -= usize::from(connection.owed == 0);
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    fn read(&mut self, echoes: &Echoes, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("the other side has left")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            echoes.check(self, &mut buffer[..length])?;
            // A shorter read has emptied the socket. Later bytes cause another event.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    fn write(&mut self, requests: &Cycle) -> io::Result<()> {
        while self.writable > 0 {
            let last = (self.writing + self.writable).min(requests.ends.len()) - 1;
            let bytes = &requests.requests[self.written..requests.ends[last]];
            match self.stream.write(bytes) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            while self.writing <= last && requests.ends[self.writing] <= self.written {
                self.writing += 1;
                self.writable -= 1;
            }
            if self.writing == requests.ends.len() {
                (self.writing, self.written) = (0, 0);
            }
        }
        Ok(())
    }
}

/// The expected echoes.
struct Echoes<'l> {
    payloads: &'l [Payload],
    /// The beginning of each frame.
    headers: Vec<Vec<u8>>,
    /// The length of the masking key after it.
    key: usize,
}

impl Echoes<'_> {
    /// Compares `bytes` with the next echoes of `connection`.
    fn check(&self, connection: &mut Connection, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() && connection.owed > 0 {
            let header = &self.headers[connection.reading];
            let payload = self.payloads[connection.reading].bytes();
            let start = header.len() + self.key;
            let (expected, offset) = match connection.read {
                read if read < header.len() => (&header[read..], None),
                read if read < start => (&[][..], None),
                read => (&payload[read - start..], Some(read - start)),
            };
            let length = match expected {
                [] if connection.read < start => 1,
                expected => expected.len().min(bytes.len()),
            };
            let (now, rest) = std::mem::take(&mut bytes).split_at_mut(length);
            match offset {
                Some(offset) if self.key > 0 => unmask(now, connection.key, offset),
                None if expected.is_empty() => {
                    connection.key[connection.read - header.len()] = now[0];
                }
                _ => {}
            }
            if !expected.is_empty() && *now != expected[..length] {
                return Err(io::Error::other("this is not an echo"));
            }
            connection.read += length;
            if connection.read == start + payload.len() {
                connection.reading = (connection.reading + 1) % self.payloads.len();
                connection.read = 0;
                connection.owed -= 1;
                // Each echo allows another message.
                if connection.unsent > 0 {
                    connection.unsent -= 1;
                    connection.writable += 1;
                }
            }
            bytes = rest;
        }
        if bytes.is_empty() { Ok(()) } else { Err(io::Error::other("this is more than an echo")) }
    }
}

/// Unmasks the part of a payload that begins at `offset`.
fn unmask(bytes: &mut [u8], mut key: [u8; 4], offset: usize) {
    key.rotate_left(offset % 4);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(key)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Makes the opening handshake with a server.
fn open(mut stream: TcpStream) -> io::Result<TcpStream> {
    set_options(&stream)?;
    stream.write_all(REQUEST)?;
    let head = read_head(&mut stream)?;
    match head.starts_with(b"HTTP/1.1 101 ") {
        true => Ok(stream),
        false => Err(io::Error::other("the server refuses")),
    }
}

/// Makes the opening handshake with a client.
fn accept(mut stream: TcpStream) -> io::Result<TcpStream> {
    set_options(&stream)?;
    let mut head = read_head(&mut stream)?;
    let mut handshake = ServerHandshake::new();
    let request = handshake.receive(&mut &mut head[..]).map_err(io::Error::other)?;
    let request = request.ok_or_else(|| io::Error::other("the client asks for nothing"))?;
    let mut answer = Vec::new();
    request.accept(&AcceptOptions::new(), &mut answer).map_err(io::Error::other)?;
    stream.write_all(&answer)?;
    Ok(stream)
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_send_buffer_size(stream, SOCKET_BUFFER)?;
    Ok(sockopt::set_socket_recv_buffer_size(stream, SOCKET_BUFFER)?)
}

fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}
