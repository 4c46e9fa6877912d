//! Dialling, for the examples that are clients.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use websocket_proto::handshake::{self, ClientHandshake, Offer, Response, Target};
use websocket_proto::{Client, Config, Connection, SystemMask};

/// An open connection, its transport, and the bytes that came behind the server's response.
pub struct Dialled {
    pub stream: TcpStream,
    pub connection: Connection<Client<SystemMask>>,
    pub leftover: Vec<u8>,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

/// Opens a connection to a `ws://` URL.
pub fn dial(url: &str, offer: &Offer<'_>) -> io::Result<Dialled> {
    let target = Target::parse(url).map_err(io::Error::other)?;
    if target.secure() {
        return Err(io::Error::other("this example has no TLS"));
    }
    let mut stream = TcpStream::connect((target.host(), target.port()))?;
    stream.set_nodelay(true)?;

    let nonce = handshake::nonce().ok_or_else(|| io::Error::other("no entropy"))?;
    let mut out = Vec::new();
    let mut handshake =
        ClientHandshake::start(&target, offer, nonce, &mut out).map_err(io::Error::other)?;
    stream.write_all(&out)?;

    let mut head = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        match stream.read(&mut head[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => filled += length,
        }
        let mut input = &mut head[..filled];
        match handshake.receive(&mut input).map_err(io::Error::other)? {
            None => {}
            Some(Response::Accepted(response)) => {
                let role = Client(SystemMask::new());
                let connection = Connection::new(role, &Config::new(), response.agreed());
                let subprotocol = response.subprotocol().map(str::to_owned);
                return Ok(Dialled { stream, connection, leftover: input.to_vec(), subprotocol });
            }
            Some(Response::Refused(response)) => {
                return Err(io::Error::other(format!("refused: HTTP {}", response.status())));
            }
        }
    }
}
