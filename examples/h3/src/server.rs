//! A server: an echo at `/echo`, and a page for it, for any number of connections on one thread.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::UdpSocket;
use std::path::Path;

use quiche::h3;
use quiche::{ConnectionId, Header, Type};
use websocket_proto::endpoint::{
    Compression, Ending, Endpoint, Incoming, Options, Sender, ZlibStock,
};
use websocket_proto::handshake::{AcceptOptions, PseudoHeaders, Request};
use websocket_proto::{CloseCode, Deflate, Server};

use crate::connection::{Connection, Error, H3_MESSAGE_ERROR, config, reset, split, wait};

/// The subprotocol that the server speaks, if a client offers it.
const SUBPROTOCOL: &str = "echo";

/// What a browser is shown, which then opens a WebSocket at the same address.
const PAGE: &[u8] = include_bytes!("../../echo.html");

/// The length of the ids that packets to a connection carry.
const ID_LENGTH: usize = 8;

/// Serves for ever, and calls `ended` with how each WebSocket ended. `certificate` and `key` are PEM
/// files.
pub fn serve(
    socket: &UdpSocket,
    certificate: &Path,
    key: &Path,
    mut ended: impl FnMut(Ending),
) -> Result<(), Error> {
    let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
    let mut settings = config()?;
    settings.load_cert_chain_from_pem_file(certificate.to_str().ok_or("not UTF-8")?)?;
    settings.load_priv_key_from_pem_file(key.to_str().ok_or("not UTF-8")?)?;
    let mut http = h3::Config::new()?;
    // RFC 9220 §3: without this setting, no client may ask.
    http.enable_extended_connect(true);

    let secret = RandomState::new();
    let mut peers: HashMap<ConnectionId<'static>, Connection<Server>> = HashMap::new();
    let mut packet = [0; 1 << 16];
    loop {
        // A server with many connections would keep their deadlines in order, and would give a turn
        // only to those with a packet or with a deadline that has come.
        let timeout = peers.values().filter_map(Connection::timeout).min();
        if let Some((length, info)) = wait(socket, timeout, &mut packet)? {
            let packet = &mut packet[..length];
            let Ok(header) = Header::from_slice(packet, ID_LENGTH) else { continue };
            // The first packets carry an id that the client chose. The later ones carry ours, which
            // follows from that one.
            let derived = secret.hash_one(&header.dcid[..]).to_be_bytes();
            let id = match ConnectionId::from_vec(derived.into()) {
                _ if peers.contains_key(&header.dcid) => header.dcid.clone(),
                id if peers.contains_key(&id) => id,
                id if header.ty == Type::Initial => {
                    let accepted = quiche::accept(&id, None, info.to, info.from, &mut settings);
                    let Ok(quic) = accepted else { continue };
                    peers.insert(id.clone(), Connection::new(quic));
                    id
                }
                _ => continue,
            };
            let Some(peer) = peers.get_mut(&id) else { continue };
            for (stream, head) in peer.receive(packet, info, &http) {
                answer(peer, stream, &head, &options)?;
            }
        }
        for peer in peers.values_mut() {
            peer.turn(socket, echo, |_, ending| ending.into_iter().for_each(&mut ended));
        }
        peers.retain(|_, peer| !(peer.quic.is_closed() && peer.is_idle()));
    }
}

fn echo(_: u64, incoming: Incoming<'_>, sender: &mut Sender<Server>) {
    // Once the connection closes, a message cannot be answered: not an error here.
    let _ = match incoming {
        Incoming::Text("good bye") => sender.close(CloseCode::NORMAL, "goodbye"),
        Incoming::Text("reset me") => return sender.abort(),
        Incoming::Text(text) => sender.text(text),
        Incoming::Binary(data) => sender.binary(data),
        _ => Ok(()),
    };
}

/// Answers a request. Only a response of ours that is not well formed is an error.
fn answer(
    peer: &mut Connection<Server>,
    id: u64,
    head: &[h3::Header],
    options: &Options,
) -> Result<(), Error> {
    let names = [":method", ":protocol", ":scheme", ":authority", ":path"];
    let Some(([method, protocol, scheme, authority, path], fields)) = split(head, names) else {
        reset(&mut peer.quic, id, H3_MESSAGE_ERROR);
        return Ok(());
    };
    if (method, protocol, path) == (Some("GET"), None, Some("/echo")) {
        let head = response(200, [("content-type", "text/html")].into_iter());
        peer.respond(id, head, PAGE);
        return Ok(());
    }
    let pseudo = PseudoHeaders::new(method.unwrap_or_default())
        .protocol(protocol)
        .scheme(scheme)
        .authority(authority)
        .path(path);
    let fields = fields.iter().map(|(name, value)| (*name, *value));
    let request = match Request::connect(pseudo, fields) {
        Ok(request) => request,
        Err(error) => {
            let headers = error.connect_headers().iter().copied();
            peer.respond(id, response(error.connect_status(), headers), b"");
            return Ok(());
        }
    };
    // A server that trusts cookies looks at the origin first.
    if request.resource().path() != "/echo" {
        peer.respond(id, response(404, [].into_iter()), b"");
        return Ok(());
    }
    let mut accept = AcceptOptions::new().deflate(Deflate::new());
    if request.subprotocols().any(|offered| offered == SUBPROTOCOL) {
        accept = accept.subprotocol(SUBPROTOCOL);
    }
    let accepted = request.response(&accept)?;
    let head = response(accepted.status(), accepted.headers());
    peer.insert(id, Some(head), Endpoint::open(Server, accepted.agreed(), options)?);
    Ok(())
}

fn response<'a>(status: u16, headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<h3::Header> {
    let status = h3::Header::new(b":status", status.to_string().as_bytes());
    let headers = headers.map(|(name, value)| h3::Header::new(name.as_bytes(), value.as_bytes()));
    [status].into_iter().chain(headers).collect()
}
