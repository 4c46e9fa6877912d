//! Dialling, and the turn of a loop, for the examples that are clients.

#[allow(dead_code, reason = "servers refuse")]
#[path = "blocking.rs"]
mod blocking;

use self::blocking::{HANDSHAKE_LIMIT, is_timeout, read_before};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use websocket_proto::handshake::{self, ClientHandshake, Offer, Response, Target};
use websocket_proto::{Client, Config, Connection, Deadlines, NextStep, Overdue, SystemMask};

/// An open connection, its transport, and the bytes that came after the server's response.
pub struct Dialled {
    pub transport: Transport,
    pub connection: Connection<Client<SystemMask>>,
    pub leftover: Vec<u8>,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

/// Opens a connection to a `ws://` URL, within 10 seconds once its host name is resolved. The
/// standard library has no limit for that.
pub fn dial(url: &str, offer: &Offer<'_>) -> io::Result<Dialled> {
    let target = Target::parse(url).map_err(io::Error::other)?;
    if target.secure() {
        return Err(io::Error::other("this example has no TLS"));
    }
    let addresses = (target.host(), target.port()).to_socket_addrs()?;
    let end = Instant::now() + HANDSHAKE_LIMIT;
    let mut connected = Err(io::ErrorKind::NotFound.into());
    for address in addresses {
        connected = connected.or_else(|_: io::Error| {
            let left = end.saturating_duration_since(Instant::now());
            TcpStream::connect_timeout(&address, left)
        });
    }
    let mut stream = connected?;
    stream.set_nodelay(true)?;

    let nonce = handshake::nonce().ok_or_else(|| io::Error::other("no entropy"))?;
    let mut out = Vec::new();
    let mut handshake =
        ClientHandshake::start(&target, offer, nonce, &mut out).map_err(io::Error::other)?;
    stream.write_all(&out)?;

    let mut head = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        match read_before(&stream, end, &mut head[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => filled += length,
        }
        let mut input = &mut head[..filled];
        match handshake.receive(&mut input).map_err(io::Error::other)? {
            None => {}
            Some(Response::Accepted(response)) => {
                let role = Client(SystemMask::new());
                let connection = Connection::new(role, &Config::new(), response.agreed());
                return Ok(Dialled {
                    transport: Transport::new(stream),
                    connection,
                    leftover: input.to_vec(),
                    subprotocol: response.subprotocol().map(str::to_owned),
                });
            }
            Some(Response::Refused(response)) => {
                return Err(io::Error::other(format!("refused: HTTP {}", response.status())));
            }
        }
    }
}

/// A blocking socket and the time limits of its connection.
pub struct Transport {
    stream: TcpStream,
    start: Instant,
    deadlines: Deadlines,
}

impl Transport {
    fn new(stream: TcpStream) -> Self {
        let deadlines = Deadlines::new(Duration::ZERO);
        Transport { stream, start: Instant::now(), deadlines }
    }

    /// Writes from `out` if there is something to be written, and reads otherwise. Returns what was
    /// read; nothing if a deadline was sooner; `None` once the connection has ended.
    pub fn turn<'b>(
        &mut self,
        connection: &mut Connection<Client<SystemMask>>,
        out: &mut Vec<u8>,
        buffer: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        let now = self.start.elapsed();
        if let Some(Overdue::Abort(_)) = self.deadlines.enforce(now, connection, out) {
            return None;
        }
        if out.is_empty() && connection.next_step() == NextStep::Drop {
            return None;
        }
        // Zero would mean no limit.
        let left = |at: Duration| at.saturating_sub(now).max(Duration::from_millis(1));
        let left = self.deadlines.next().map(|(at, _)| left(at));
        let done = if out.is_empty() {
            self.stream.set_read_timeout(left).and_then(|()| self.stream.read(buffer))
        } else {
            self.stream.set_write_timeout(left).and_then(|()| self.stream.write(out))
        };
        match done {
            Ok(written) if !out.is_empty() => {
                out.drain(..written);
                self.deadlines.written(self.start.elapsed(), written, out.len());
            }
            Ok(0) => connection.receive_eof(),
            Ok(length) => return buffer.get_mut(..length),
            Err(error) if is_timeout(&error) => {
                self.deadlines.written(self.start.elapsed(), 0, out.len());
            }
            // Neither a byte nor a deadline: the next turn tries again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A server may reset a transport that is no longer needed. Whether anything was lost is
            // in `Connection::closure`.
            Err(_) => {
                connection.abort();
                out.clear();
            }
        }
        Some(&mut [])
    }
}
