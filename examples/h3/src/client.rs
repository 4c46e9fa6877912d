//! A client: one connection of HTTP/3, with any number of WebSockets.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use quiche::{ConnectionId, h3};
use websocket_proto::endpoint::{Ending, Endpoint, Incoming, Options, Sender};
use websocket_proto::handshake::{ClientRequest, Offer, Response, Target, nonce};
use websocket_proto::{Client as Role, SystemMask};

use crate::connection::{Connection, Error, H3_NO_ERROR, config, split, wait};

pub type Side = Role<SystemMask>;

pub struct Client {
    socket: UdpSocket,
    http: h3::Config,
    connection: Connection<Side>,
}

/// What a server answered.
pub enum Answer {
    Opened { id: u64, subprotocol: Option<String>, compressed: bool },
    Refused { status: u16 },
}

impl Client {
    /// Connects to a server with this name, whose certificate is issued by `certificate`, a PEM
    /// file, and waits for the server's SETTINGS.
    pub fn connect(server: SocketAddr, name: &str, certificate: &Path) -> Result<Self, Error> {
        let mut settings = config()?;
        settings.verify_peer(true);
        let certificate = certificate.to_str().ok_or("not UTF-8")?;
        settings.load_verify_locations_from_file(certificate)?;
        let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse()?;
        let socket = UdpSocket::bind(any)?;
        let id = nonce().ok_or("no random numbers")?;
        let id = ConnectionId::from_ref(&id);
        let local = socket.local_addr()?;
        let quic = quiche::connect(Some(name), &id, local, server, &mut settings)?;
        let (http, connection) = (h3::Config::new()?, Connection::new(quic));
        let mut client = Client { socket, http, connection };
        let has_settings = |http: &h3::Connection| http.peer_settings_raw().is_some();
        while !client.connection.http.as_ref().is_some_and(has_settings) {
            client.wait()?;
        }
        Ok(client)
    }

    /// Asks for a WebSocket, and waits for the answer. Meanwhile, what comes for other WebSockets
    /// stays in quiche.
    pub fn open(
        &mut self,
        target: &Target<'_>,
        offer: &Offer<'_>,
        options: &Options,
    ) -> Result<Answer, Error> {
        let http = self.connection.http.as_ref().ok_or("not connected")?;
        // RFC 9220 §3: only a server that announces it may be asked.
        let may_ask = http.extended_connect_enabled_by_peer();
        let request = ClientRequest::connect(target, offer, may_ask)?;
        let mut head = vec![
            h3::Header::new(b":method", request.method().as_bytes()),
            h3::Header::new(b":protocol", request.protocol().unwrap_or_default().as_bytes()),
            h3::Header::new(b":scheme", request.scheme().as_bytes()),
            h3::Header::new(b":authority", request.authority().to_string().as_bytes()),
            h3::Header::new(b":path", request.resource().to_string().as_bytes()),
        ];
        for (name, value) in request.headers() {
            head.push(h3::Header::new(name.as_bytes(), value.to_string().as_bytes()));
        }
        let id = loop {
            let Connection { http: Some(http), quic, .. } = &mut self.connection else { continue };
            match http.send_request(quic, &head, false) {
                Err(h3::Error::StreamBlocked) => _ = self.wait()?,
                result => break result?,
            }
        };
        loop {
            for (_, head) in self.wait()?.iter().filter(|(stream, _)| *stream == id) {
                let ([status], fields) = split(head, [":status"]).ok_or("malformed response")?;
                let status = status.ok_or("no status")?.parse()?;
                if let 100..200 = status {
                    continue;
                }
                let fields = fields.iter().map(|(name, value)| (*name, *value));
                return Ok(match request.validate(status, (3, 0), fields)? {
                    Response::Refused(refused) => Answer::Refused { status: refused.status() },
                    Response::Accepted(accepted) => {
                        let agreed = accepted.agreed();
                        let ws = Endpoint::open(Role(SystemMask::new()), agreed, options)?;
                        self.connection.insert(id, None, ws);
                        let subprotocol = accepted.subprotocol().map(str::to_owned);
                        Answer::Opened { id, subprotocol, compressed: agreed.deflate.is_some() }
                    }
                });
            }
        }
    }

    /// Returns the endpoint of an open WebSocket, for sending.
    pub fn endpoint(&mut self, id: u64) -> Option<&mut Endpoint<Side>> {
        self.connection.endpoint(id)
    }

    /// Waits until all WebSockets have ended, and returns how each of them has. Calls `on` with each
    /// event.
    pub fn run(
        &mut self,
        mut on: impl FnMut(u64, Incoming<'_>, &mut Sender<Side>),
    ) -> Result<Vec<(u64, Ending)>, Error> {
        let mut endings = Vec::new();
        loop {
            self.connection.turn(&self.socket, &mut on, |id, ending| {
                endings.extend(ending.map(|ending| (id, ending)));
            });
            if self.connection.is_idle() {
                return Ok(endings);
            }
            self.wait()?;
        }
    }

    /// Sends what is due, waits for a packet, and returns the header sections in it, each with its
    /// stream.
    fn wait(&mut self) -> Result<Vec<(u64, Vec<h3::Header>)>, Error> {
        self.connection.flush(&self.socket);
        let Client { socket, http, connection } = self;
        if connection.quic.is_closed() && connection.is_idle() {
            let quic = &connection.quic;
            return Err(format!("closed: {:?}, {:?}", quic.local_error(), quic.peer_error()).into());
        }
        let mut packet = [0; 1 << 16];
        Ok(match wait(socket, connection.timeout(), &mut packet)? {
            Some((length, info)) => connection.receive(&mut packet[..length], info, http),
            None => Vec::new(),
        })
    }
}

/// The server is told that the connection ends.
impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.connection.quic.close(true, H3_NO_ERROR, b"");
        self.connection.flush(&self.socket);
    }
}
