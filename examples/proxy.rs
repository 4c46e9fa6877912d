//! A proxy in front of a WebSocket server:
//!
//! `proxy [ADDR] BACKEND_URL`, such as `proxy 127.0.0.1:9004 ws://127.0.0.1:9001/`
//!
//! Messages of any size are relayed in constant memory: each piece of a read becomes a fragment on
//! the other side. Pings, Pongs and the Close with its code and reason are relayed as well. A side
//! is read only while little output waits for the other, so that a slow reader slows down only its
//! peer.
//!
//! A thread serves one pair of connections. Both handshakes block. Then one loop waits for both
//! sockets. The proxy sends no Pings of its own, because the two ends check each other, and does
//! not limit the time of a message. It gives up a side that does not take its output.
//!
//! Once a side has sent its Close, or has ended its stream without one, messages that are still on
//! their way to it are dropped. The other side is sent the Close, or one that says that the
//! connection was lost, and its answer ends the pair. So a client that only ends its writing side,
//! which WebSocket does not allow for, gets no more answers.

#[path = "common/blocking.rs"]
mod blocking;

use blocking::{HANDSHAKE_LIMIT, is_timeout, read_before, refuse};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};
use websocket_proto::handshake::{
    self, AcceptOptions, ClientHandshake, Offer, Request, Response, ServerHandshake, Target,
};
use websocket_proto::{
    Client, CloseCode, CloseFrame, Config, Connection, Data, Deadlines, Event, Limit, NextStep,
    Role, SendError, Server, State, SystemMask,
};

/// With more bytes than this waiting to be written to one side, the other is not read from.
const MAX_WAITING: usize = 64 << 10;
/// The headers that are passed on to the backend, besides the host, the origin and the
/// subprotocols.
const HEADERS: [&str; 4] = ["Authorization", "Cookie", "User-Agent", "Accept-Language"];
/// Limits and answers to Pings are left to the two ends.
const CONFIG: Config = Config::new().max_message(u64::MAX).auto_pong(false);

fn main() -> io::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let url = arguments.pop().ok_or_else(|| io::Error::other("proxy [ADDR] BACKEND_URL"))?;
    let backend = Target::parse(url.leak()).map_err(io::Error::other)?;
    if backend.secure() || backend.resource().query().is_some() {
        return Err(io::Error::other("no TLS here, and no query in the URL of the backend"));
    }
    let address = arguments.first().map_or("127.0.0.1:9004", String::as_str);
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let serve = |stream| thread::Builder::new().spawn(move || serve(stream, backend));
        if let Err(error) = stream.and_then(serve) {
            // Too many files or threads are in use, so some have to end first.
            eprintln!("{error}");
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// Serves one client to its end.
fn serve(stream: TcpStream, backend: Target<'_>) -> io::Result<()> {
    // Both handshakes together have the time of one.
    let end = Instant::now() + HANDSHAKE_LIMIT;
    let mut handshake = ServerHandshake::new();
    let mut head = vec![0; 16 << 10];
    let (mut filled, mut out) = (0, Vec::new());
    let refused = loop {
        match read_before(&stream, end, &mut head[filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => filled += length,
            Err(error) if is_timeout(&error) => break handshake::reject(408, &[], b"", &mut out),
            Err(error) => return Err(error),
        }
        let mut input = &mut head[..filled];
        match handshake.receive(&mut input) {
            Ok(None) => {}
            Ok(Some(request)) => match dial(&request, &stream, backend, end) {
                Ok(Dialled { mut back, subprotocol, mut leftover }) => {
                    let accept =
                        subprotocol.as_deref().map(|name| AcceptOptions::new().subprotocol(name));
                    let agreed = request
                        .accept(&accept.unwrap_or_default(), &mut out)
                        .map_err(io::Error::other)?;
                    stream.set_nodelay(true)?;
                    let connection = Connection::new(Server, &CONFIG, agreed);
                    let mut front = Side::new(stream, connection, CloseCode::GOING_AWAY)?;
                    front.out = out;
                    pass_on(&mut front, &mut back, input);
                    pass_on(&mut back, &mut front, &mut leftover);
                    return relay(front, back);
                }
                Err(status) => break handshake::reject(status, &[], b"", &mut out),
            },
            Err(error) => break error.respond(&mut out),
        }
    };
    refused.map_err(io::Error::other)?;
    refuse(&stream, &out)
}

struct Dialled {
    back: Side<Client<SystemMask>>,
    /// The subprotocol that the backend chose.
    subprotocol: Option<String>,
    /// The bytes that came after the backend's response.
    leftover: Vec<u8>,
}

/// Repeats the client's request to the backend. The error is the HTTP status that describes the
/// failure.
fn dial(
    request: &Request<'_>,
    front: &TcpStream,
    backend: Target<'_>,
    end: Instant,
) -> Result<Dialled, u16> {
    // A request may have a path with a backslash, but a URI may not.
    let resource = request.resource().to_string().replace('\\', "%5C");
    // The client's host is passed on, because backends compare it with the origin.
    let path = backend.resource().path().trim_end_matches('/');
    let url = format!("ws://{}{path}{resource}", request.host());
    let target = Target::parse(&url).map_err(|_| 400_u16)?;
    let client = front.peer_addr().map_err(status)?.ip().to_string();
    let mut headers = vec![("X-Forwarded-For", client.as_str())];
    for (name, value) in request.headers() {
        if HEADERS.iter().any(|passed| passed.eq_ignore_ascii_case(name)) {
            headers.push((name, std::str::from_utf8(value).map_err(|_| 400_u16)?));
        }
    }
    let subprotocols: Vec<_> = request.subprotocols().collect();
    let mut offer = Offer::new().subprotocols(&subprotocols).headers(&headers);
    if let Some(origin) = request.origin() {
        offer = offer.origin(origin);
    }
    let nonce = handshake::nonce().ok_or(500_u16)?;
    let mut out = Vec::new();
    let mut handshake =
        ClientHandshake::start(&target, &offer, nonce, &mut out).map_err(|_| 400_u16)?;

    let mut stream = connect(backend, end).map_err(status)?;
    stream.set_nodelay(true).map_err(status)?;
    stream.write_all(&out).map_err(status)?;
    let mut head = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        match read_before(&stream, end, &mut head[filled..]).map_err(status)? {
            0 => return Err(502),
            length => filled += length,
        }
        let mut input = &mut head[..filled];
        match handshake.receive(&mut input).map_err(|_| 502_u16)? {
            None => {}
            Some(Response::Refused(response)) => {
                let status = response.status();
                return Err(if matches!(status, 400..=599) { status } else { 502 });
            }
            Some(Response::Accepted(response)) => {
                let role = Client(SystemMask::new());
                let connection = Connection::new(role, &CONFIG, response.agreed());
                let back = Side::new(stream, connection, CloseCode::BAD_GATEWAY);
                return Ok(Dialled {
                    back: back.map_err(status)?,
                    subprotocol: response.subprotocol().map(str::to_owned),
                    leftover: input.to_vec(),
                });
            }
        }
    }
}

/// Returns a gateway's status for an error of the backend.
fn status(error: io::Error) -> u16 {
    if is_timeout(&error) { 504 } else { 502 }
}

fn connect(backend: Target<'_>, end: Instant) -> io::Result<TcpStream> {
    let mut stream = Err(ErrorKind::NotFound.into());
    for address in (backend.host(), backend.port()).to_socket_addrs()? {
        let left = end.saturating_duration_since(Instant::now());
        stream = stream.or_else(|_: io::Error| TcpStream::connect_timeout(&address, left));
    }
    stream
}

/// One of the two connections of a pair.
struct Side<R> {
    /// `None` once the connection has ended.
    stream: Option<mio::net::TcpStream>,
    connection: Connection<R>,
    out: Vec<u8>,
    deadlines: Deadlines,
    /// The code that the other side is sent if this one fails, or ends without a Close.
    lost: CloseCode,
}

/// Relays until both connections have ended.
fn relay(mut front: Side<Server>, mut back: Side<Client<SystemMask>>) -> io::Result<()> {
    let start = Instant::now();
    let mut poll = Poll::new()?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    for (stream, token) in [(&mut front.stream, Token(0)), (&mut back.stream, Token(1))] {
        if let Some(stream) = stream {
            poll.registry().register(stream, token, interest)?;
        }
    }
    let mut events = Events::with_capacity(2);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let now = start.elapsed();
        front.turn(now);
        back.turn(now);
        let more = receive(&mut front, &mut back, &mut buffer)
            | receive(&mut back, &mut front, &mut buffer);
        if front.stream.is_none() && back.stream.is_none() {
            return Ok(());
        }
        if !more {
            let deadlines = [front.deadlines.next(), back.deadlines.next()];
            let next = deadlines.iter().flatten().map(|(at, _)| at.saturating_sub(now)).min();
            match poll.poll(&mut events, next) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}

/// Reads once from one side. Returns whether there may be more to do before a socket is ready
/// again.
fn receive<A: Role, B: Role>(from: &mut Side<A>, to: &mut Side<B>, buffer: &mut [u8]) -> bool {
    let Some(stream) = &mut from.stream else {
        return to.close(Some(&CloseFrame::truncated(from.lost, "the connection was lost")));
    };
    // Backpressure. A side that is closing takes nothing more, but its other side still has to be
    // read.
    if to.connection.state() == State::Open && to.out.len() > MAX_WAITING {
        return false;
    }
    match stream.read(buffer) {
        // The answer to its Close was not written yet. Then the end is read again.
        Ok(0) if from.connection.state() == State::Closing && !from.out.is_empty() => return false,
        Ok(0) => from.connection.receive_eof(),
        Ok(length) => pass_on(from, to, &mut buffer[..length]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        Err(_) => from.connection.abort(),
    }
    true
}

/// Relays the messages that one side has sent.
fn pass_on<A: Role, B: Role>(from: &mut Side<A>, to: &mut Side<B>, mut input: &mut [u8]) {
    while let Some(event) = from.connection.receive(&mut input) {
        let passed = match &event {
            Event::Text(piece) => {
                to.connection.send_fragment(Data::Text(piece), piece.is_last(), &mut to.out)
            }
            Event::Binary(piece) => {
                to.connection.send_fragment(Data::Binary(piece), piece.is_last(), &mut to.out)
            }
            Event::Ping(payload) => match to.connection.ping(payload, &mut to.out) {
                // The other end can no longer answer, but until its Close this side may send Pings.
                // A side that sends Pings and does not read gets no more answers.
                Err(SendError::Closing) if from.out.len() <= MAX_WAITING => {
                    from.connection.pong(payload, &mut from.out)
                }
                passed => passed,
            },
            Event::Pong(payload) if to.connection.state() == State::Open => {
                to.connection.pong(payload, &mut to.out)
            }
            Event::Close(close) => {
                to.close(close.as_ref());
                Ok(())
            }
            Event::Failed(violation) => {
                to.close(Some(&CloseFrame::truncated(from.lost, &violation.to_string())));
                Ok(())
            }
            _ => Ok(()),
        };
        // Messages to a side that is closing are dropped.
        if passed.is_err_and(|error| error != SendError::Closing) {
            to.connection.abort();
        }
        if from.connection.transmit(&mut from.out).is_err() {
            from.connection.abort();
        }
    }
}

impl<R: Role> Side<R> {
    fn new(stream: TcpStream, connection: Connection<R>, lost: CloseCode) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = Some(mio::net::TcpStream::from_std(stream));
        let deadlines = Deadlines::new(Duration::ZERO).limit(Limit::Idle, None);
        let deadlines = deadlines.limit(Limit::Message, None);
        Ok(Side { stream, connection, out: Vec::new(), deadlines, lost })
    }

    /// Sends a Close, unless one was sent before. Returns whether it did.
    fn close(&mut self, close: Option<&CloseFrame>) -> bool {
        match self.connection.close(close, &mut self.out) {
            Ok(()) => return true,
            Err(SendError::Closing) => return false,
            // Only a client may send 1010, but a backend may have sent it nevertheless.
            Err(SendError::InvalidCloseCode) => {
                let reason = close.map_or("", CloseFrame::reason);
                return self.close(Some(&CloseFrame::truncated(CloseCode::BAD_GATEWAY, reason)));
            }
            Err(_) => self.connection.abort(),
        }
        true
    }

    /// Writes as much as the socket takes, enforces the deadlines, and continues closing.
    fn turn(&mut self, now: Duration) {
        let Some(stream) = &mut self.stream else { return };
        let before = self.out.len();
        if write(stream, &mut self.out).is_err() {
            self.connection.abort();
        }
        self.deadlines.written(now, before - self.out.len(), self.out.len());
        self.deadlines.enforce(now, &mut self.connection, &mut self.out);
        match self.connection.next_step() {
            NextStep::ShutdownWrite if self.out.is_empty() => {
                // If this fails, the stream has ended already. It is done only once, because each
                // `shutdown` causes an event that wakes the loop.
                let _ = stream.shutdown(Shutdown::Write);
                self.connection.write_ended();
            }
            NextStep::Drop => self.stream = None,
            _ => {}
        }
    }
}

fn write(stream: &mut mio::net::TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    while !out.is_empty() {
        match stream.write(out) {
            Ok(length) => drop(out.drain(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
