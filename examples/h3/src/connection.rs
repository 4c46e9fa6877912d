//! One connection of HTTP/3 with its WebSockets (RFC 9220), for either side.
//!
//! | the WebSocket | its stream |
//! |---|---|
//! | bytes in and out | the payload of DATA frames, as far as flow control lets it |
//! | the end of the transport | FIN |
//! | a transport that is dropped before its end | RESET_STREAM and STOP_SENDING with H3_REQUEST_CANCELLED |
//! | a transport that broke | RESET_STREAM was received, or the connection below has ended |
//!
//! Whoever owns the socket passes each packet to [`Connection::receive`], answers the header
//! sections that this returns, and then calls [`Connection::turn`].

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use quiche::h3::{self, NameValue};
use quiche::{RecvInfo, Shutdown};
use websocket_proto::endpoint::{Ending, Endpoint, Incoming, Sender};
use websocket_proto::{NextStep, Role};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The length of the longest UDP payload that is sent and received.
const MAX_PACKET: usize = 1350;
/// How many bytes may be on their way on a stream when a connection begins. quiche raises it later.
const WINDOW: u64 = 256 << 10;
/// A connection ends if nothing was received for so many milliseconds.
const IDLE: u64 = 60_000;

// RFC 9114 §8.1
pub const H3_NO_ERROR: u64 = 0x100;
const H3_REQUEST_CANCELLED: u64 = 0x10C;
pub const H3_MESSAGE_ERROR: u64 = 0x10E;

/// What both sides set. The certificates come to it.
pub fn config() -> Result<quiche::Config, Error> {
    let mut config = quiche::Config::new(quiche::PROTOCOL_VERSION)?;
    config.set_application_protos(h3::APPLICATION_PROTOCOL)?;
    config.set_max_recv_udp_payload_size(MAX_PACKET);
    config.set_max_send_udp_payload_size(MAX_PACKET);
    config.set_max_idle_timeout(IDLE);
    config.set_initial_max_data(4 * WINDOW);
    config.set_initial_max_stream_data_bidi_local(WINDOW);
    config.set_initial_max_stream_data_bidi_remote(WINDOW);
    config.set_initial_max_stream_data_uni(WINDOW);
    config.set_initial_max_streams_bidi(100);
    // The control stream, and two of QPACK.
    config.set_initial_max_streams_uni(3);
    config.set_disable_active_migration(true);
    Ok(config)
}

pub struct Connection<R> {
    pub quic: quiche::Connection,
    /// There is none before the handshake of QUIC is over.
    pub http: Option<h3::Connection>,
    streams: HashMap<u64, Stream<R>>,
    start: Instant,
}

struct Stream<R> {
    /// A response that is not sent yet.
    head: Option<Vec<h3::Header>>,
    /// If there is none, the stream ends with `page`.
    ws: Option<Endpoint<R>>,
    /// What is not sent yet.
    page: &'static [u8],
    fin: Fin,
}

/// The endpoint asks for it once, and perhaps there is no room for it then.
#[derive(PartialEq)]
enum Fin {
    No,
    Owed,
    Sent,
}

impl<R: Role> Connection<R> {
    pub fn new(quic: quiche::Connection) -> Self {
        Connection { quic, http: None, streams: HashMap::new(), start: Instant::now() }
    }

    /// Adds a WebSocket. A server passes the response that opens it.
    pub fn insert(&mut self, id: u64, head: Option<Vec<h3::Header>>, ws: Endpoint<R>) {
        self.streams.insert(id, Stream { head, ws: Some(ws), page: b"", fin: Fin::No });
    }

    /// Adds a stream that ends with a response of a server.
    pub fn respond(&mut self, id: u64, head: Vec<h3::Header>, page: &'static [u8]) {
        self.streams.insert(id, Stream { head: Some(head), ws: None, page, fin: Fin::No });
    }

    /// Returns the endpoint of an open WebSocket.
    pub fn endpoint(&mut self, id: u64) -> Option<&mut Endpoint<R>> {
        self.streams.get_mut(&id)?.ws.as_mut()
    }

    /// Whether there are no streams.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// How long to wait for a packet at most, before the next [`turn`](Connection::turn).
    pub fn timeout(&self) -> Option<Duration> {
        if self.quic.is_closed() {
            return Some(Duration::ZERO); // the next turn ends the streams
        }
        let endpoints = self.streams.values().filter_map(|stream| stream.ws.as_ref());
        let deadline = endpoints.filter_map(Endpoint::deadline).min();
        let left = deadline.map(|at| at.saturating_sub(self.start.elapsed()));
        self.quic.timeout().into_iter().chain(left).min()
    }

    /// Takes a packet, and returns the header sections that are complete by that, each with its
    /// stream: the requests of a client, or the responses of a server.
    pub fn receive(
        &mut self,
        packet: &mut [u8],
        info: RecvInfo,
        config: &h3::Config,
    ) -> Vec<(u64, Vec<h3::Header>)> {
        // After an error, quiche has closed the connection or ignores the packet.
        let _ = self.quic.recv(packet, info);
        if self.http.is_none() && self.quic.is_established() {
            self.http = h3::Connection::with_transport(&mut self.quic, config).ok();
        }
        let mut heads = Vec::new();
        let Some(http) = &mut self.http else { return heads };
        while let Ok((id, event)) = http.poll(&mut self.quic) {
            match event {
                // RFC 9114 §4.4: after a CONNECT there are DATA frames, and no trailers.
                h3::Event::Headers { .. } if self.streams.contains_key(&id) => {
                    reset(&mut self.quic, id, H3_MESSAGE_ERROR);
                }
                h3::Event::Headers { list, .. } => heads.push((id, list)),
                h3::Event::Reset(_) => {
                    let stream = self.streams.get_mut(&id);
                    stream
                        .and_then(|stream| stream.ws.as_mut())
                        .into_iter()
                        .for_each(Endpoint::abort);
                }
                // Each turn reads as much as there is, and finds the end by that.
                _ => {}
            }
        }
        heads
    }

    /// Moves what can be moved between the WebSockets and their streams. Calls `on` with each event
    /// of a WebSocket, and `ended` once a WebSocket has ended. Then sends packets.
    pub fn turn(
        &mut self,
        socket: &UdpSocket,
        mut on: impl FnMut(u64, Incoming<'_>, &mut Sender<R>),
        mut ended: impl FnMut(u64, Option<Ending>),
    ) {
        let now = self.start.elapsed();
        let Connection { quic, http, streams, .. } = self;
        let mut buffer = [0; 16 << 10];
        if let Some(http) = http {
            let is_closed = quic.is_closed();
            streams.retain(|&id, stream| {
                if is_closed {
                    stream.ws.iter_mut().for_each(Endpoint::abort);
                }
                let mut body = Body { quic, http, id };
                let on = |incoming: Incoming<'_>, sender: &mut Sender<R>| on(id, incoming, sender);
                // Once the connection has ended, nothing gets the room that it waits for.
                let goes_on = stream.turn(&mut body, &mut buffer, now, on) && !is_closed;
                if !goes_on {
                    ended(id, stream.ws.as_ref().and_then(Endpoint::ending));
                }
                goes_on
            });
        }
        self.flush(socket);
    }

    /// Sends the packets that are due.
    pub fn flush(&mut self, socket: &UdpSocket) {
        self.quic.on_timeout();
        let mut packet = [0; MAX_PACKET];
        // A packet that the system does not take is lost, like others.
        while let Ok((length, info)) = self.quic.send(&mut packet) {
            let _ = socket.send_to(&packet[..length], info.to);
        }
    }
}

impl<R: Role> Stream<R> {
    /// Returns whether the stream goes on.
    fn turn(
        &mut self,
        body: &mut Body<'_>,
        buffer: &mut [u8],
        now: Duration,
        mut on: impl FnMut(Incoming<'_>, &mut Sender<R>),
    ) -> bool {
        if let Some(head) = &self.head {
            match body.http.send_response(body.quic, body.id, head, false) {
                Err(h3::Error::StreamBlocked) => return true,
                Ok(()) => self.head = None,
                Err(_) => self.ws.iter_mut().for_each(Endpoint::abort),
            }
        }
        let Some(ws) = &mut self.ws else {
            let _ = body.quic.stream_shutdown(body.id, Shutdown::Read, H3_NO_ERROR);
            return !body.end(&mut self.page);
        };
        let mut receive = |ws: &mut Endpoint<R>, mut input: &mut [u8]| {
            while let Some((incoming, sender)) = ws.receive(&mut input) {
                on(incoming, sender);
            }
        };
        loop {
            let input = ws.read_from(body, buffer);
            let drained = input.is_empty() && ws.wants_read();
            receive(ws, input);
            ws.tick(now);
            while ws.write_to(body) {
                receive(ws, &mut []); // there may be room for what was held back
            }
            let step = ws.next_step();
            let is_clean = ws.ending().is_some_and(|ending| ending.closure.clean);
            match step {
                NextStep::Drop if !is_clean => {
                    reset(body.quic, body.id, H3_REQUEST_CANCELLED);
                    return false;
                }
                NextStep::ShutdownWrite | NextStep::Drop if self.fin == Fin::No => {
                    self.fin = Fin::Owed;
                }
                _ => {}
            }
            if self.fin == Fin::Owed && body.end(&mut self.page) {
                self.fin = Fin::Sent;
            }
            if step == NextStep::Drop {
                let _ = body.quic.stream_shutdown(body.id, Shutdown::Read, H3_NO_ERROR);
                return self.fin != Fin::Sent;
            }
            if drained || !ws.wants_read() {
                return true;
            }
        }
    }
}

/// Abandons a stream in both directions.
pub fn reset(quic: &mut quiche::Connection, id: u64, code: u64) {
    let _ = quic.stream_shutdown(id, Shutdown::Read, code);
    let _ = quic.stream_shutdown(id, Shutdown::Write, code);
}

/// What a stream carries in DATA frames.
struct Body<'c> {
    quic: &'c mut quiche::Connection,
    http: &'c mut h3::Connection,
    id: u64,
}

impl Body<'_> {
    /// Sends what is left and the FIN, and returns whether there was room for it. A broken stream
    /// needs none.
    fn end(&mut self, left: &mut &[u8]) -> bool {
        match self.http.send_body(self.quic, self.id, left, true) {
            Ok(length) => {
                *left = &left[length..];
                left.is_empty()
            }
            Err(error) => error != h3::Error::Done,
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.http.recv_body(self.quic, self.id, buffer) {
            Err(h3::Error::Done) if self.quic.stream_finished(self.id) => Ok(0),
            result => or_would_block(result),
        }
    }
}

impl Write for Body<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(self.http.send_body(self.quic, self.id, bytes, false))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn or_would_block(result: h3::Result<usize>) -> io::Result<usize> {
    result.map_err(|error| match error {
        h3::Error::Done => ErrorKind::WouldBlock.into(),
        error => io::Error::other(error),
    })
}

/// The pseudo-headers and the fields of a header section.
type Parts<'h, const N: usize> = ([Option<&'h str>; N], Vec<(&'h str, &'h [u8])>);

/// Splits a header section into the pseudo-headers of these names and the fields. `None` if it is
/// malformed (RFC 9114 §4.3): a pseudo-header has another name, is repeated, or is not UTF-8. One
/// that follows a field is left among the fields, where its name is not valid.
pub fn split<'h, const N: usize>(head: &'h [h3::Header], names: [&str; N]) -> Option<Parts<'h, N>> {
    let lines = head.iter().map(|line| Some((str::from_utf8(line.name()).ok()?, line.value())));
    let mut lines: Vec<_> = lines.collect::<Option<_>>()?;
    let fields =
        lines.split_off(lines.iter().take_while(|(name, _)| name.starts_with(':')).count());
    let pseudo = names.map(|wanted| {
        let (_, value) = lines.iter().find(|(name, _)| *name == wanted)?;
        str::from_utf8(value).ok()
    });
    (pseudo.iter().flatten().count() == lines.len()).then_some((pseudo, fields))
}

/// Waits for a packet, no longer than `timeout`.
pub fn wait(
    socket: &UdpSocket,
    timeout: Option<Duration>,
    buffer: &mut [u8],
) -> io::Result<Option<(usize, RecvInfo)>> {
    // Zero would mean for ever.
    socket.set_read_timeout(timeout.map(|timeout| timeout.max(Duration::from_millis(1))))?;
    match socket.recv_from(buffer) {
        Ok((length, from)) => Ok(Some((length, RecvInfo { from, to: socket.local_addr()? }))),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}
