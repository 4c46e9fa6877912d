//! The one load generator for all servers: messages on many connections, on one thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::{Events, Interest, Poll, Token};
use rustix::net::sockopt;

use crate::load::Load;

/// The size of each socket buffer of the generator, which the kernel doubles.
const SOCKET_BUFFER: usize = 128 << 10;
const READ: usize = 256 << 10;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

pub struct Generator {
    poll: Poll,
    connections: Vec<Connection>,
    depth: usize,
    /// Frames of a client, one more than can be under way.
    requests: Vec<u8>,
    request_length: usize,
    /// The echoes as they come, for more bytes than one read gives.
    echoes: Vec<u8>,
    echo_length: usize,
}

struct Connection {
    stream: mio::net::TcpStream,
    /// Messages of which nothing is written, and that may not be on their way yet.
    unsent: usize,
    /// Bytes that may be written now.
    writable: usize,
    /// Bytes of echoes that are owed to this connection.
    owed: usize,
    /// How many bytes of the current frame are written, and read.
    written: usize,
    read: usize,
}

impl Generator {
    /// Opens the connections.
    pub fn new(address: SocketAddr, load: &Load) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::new();
        for number in 0..load.connections {
            let mut stream = mio::net::TcpStream::from_std(connect(address)?);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), interest)?;
            connections.push(Connection {
                stream,
                unsent: 0,
                writable: 0,
                owed: 0,
                written: 0,
                read: 0,
            });
        }
        let (request, echo) = (load.request(), load.echo());
        Ok(Generator {
            poll,
            connections,
            depth: load.depth,
            requests: request.repeat(load.depth + 1),
            request_length: request.len(),
            echoes: echo.repeat(READ.div_ceil(echo.len()) + 1),
            echo_length: echo.len(),
        })
    }

    /// Has `messages` echoed, as many on each connection. Every byte of the echoes is looked at.
    pub fn run(&mut self, messages: usize) -> io::Result<()> {
        let each = messages / self.connections.len();
        let mut buffer = vec![0; READ];
        let mut unfinished = self.connections.len();
        for number in 0..self.connections.len() {
            let first = each.min(self.depth);
            let connection = &mut self.connections[number];
            connection.unsent = each - first;
            connection.writable = first * self.request_length;
            connection.owed = each * self.echo_length;
            self.write(number)?;
        }
        let mut events = Events::with_capacity(1024);
        while unfinished > 0 {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                let number = event.token().0;
                if self.connections[number].owed > 0 {
                    self.read(number, &mut buffer)?;
                    self.write(number)?;
                    unfinished -= usize::from(self.connections[number].owed == 0);
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<()> {
        let connection = &mut self.connections[number];
        loop {
            let length = match connection.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server has left")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let expected = &self.echoes[connection.read..][..length];
            if buffer[..length] != *expected || length > connection.owed {
                return Err(io::Error::other("this is not an echo"));
            }
            connection.owed -= length;
            let read = connection.read + length;
            connection.read = read % self.echo_length;
            // A message for each that has come back.
            let more = (read / self.echo_length).min(connection.unsent);
            connection.unsent -= more;
            connection.writable += more * self.request_length;
            // A shorter read has emptied the socket, and what comes later is another event.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    fn write(&mut self, number: usize) -> io::Result<()> {
        let connection = &mut self.connections[number];
        while connection.writable > 0 {
            let bytes = &self.requests[connection.written..][..connection.writable];
            match connection.stream.write(bytes) {
                Ok(length) => {
                    connection.writable -= length;
                    connection.written = (connection.written + length) % self.request_length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A connection behind its opening handshake.
fn connect(address: SocketAddr) -> io::Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    sockopt::set_socket_send_buffer_size(&stream, SOCKET_BUFFER)?;
    sockopt::set_socket_recv_buffer_size(&stream, SOCKET_BUFFER)?;
    stream.write_all(REQUEST)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Err(io::Error::other("the server refuses"));
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}
