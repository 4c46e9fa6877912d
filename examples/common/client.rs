//! Dials a server and drives the connection to its end, for the examples that are clients.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use websocket_proto::endpoint::{Ending, Endpoint, Incoming, Options, Sender};
use websocket_proto::handshake::{Offer, Target, nonce};
use websocket_proto::{Client, NextStep, SystemMask};

/// The limit on dialling, after the name of the host is resolved. The standard library has no limit
/// on resolving.
const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// Opens a connection to a `ws://` URL, passes each event to `act`, and returns how it ended.
pub fn run(
    url: &str,
    offer: &Offer<'_>,
    options: &Options,
    mut act: impl FnMut(Incoming<'_>, &mut Sender<Client<SystemMask>>),
) -> io::Result<Option<Ending>> {
    let target = Target::parse(url).map_err(io::Error::other)?;
    if target.secure() {
        return Err(io::Error::other("this example has no TLS"));
    }
    let nonce = nonce().ok_or_else(|| io::Error::other("no entropy"))?;
    let mut ws = Endpoint::client(&target, offer, nonce, SystemMask::new(), options)
        .map_err(io::Error::other)?;
    let addresses = (target.host(), target.port()).to_socket_addrs()?;
    let start = Instant::now();
    ws.tick(Duration::ZERO);
    let mut dialled = Err(ErrorKind::NotFound.into());
    for address in addresses {
        dialled = dialled.or_else(|_: io::Error| {
            // A time-out of zero would be an error.
            let left = DIAL_LIMIT.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
            TcpStream::connect_timeout(&address, left)
        });
    }
    let mut stream = dialled?;
    stream.set_nodelay(true)?;

    let mut buffer = vec![0; 64 << 10];
    let mut input = &mut buffer[..0];
    loop {
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            act(incoming, sender);
        }
        ws.tick(start.elapsed());
        // Neither a write nor a read may take longer than until the next deadline.
        let left = |at: Duration| at.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        stream.set_write_timeout(ws.deadline().map(left))?;
        stream.set_read_timeout(ws.deadline().map(left))?;
        match ws.next_step() {
            NextStep::Drop => return Ok(ws.ending()),
            NextStep::ShutdownWrite => _ = stream.shutdown(Shutdown::Write),
            _ if ws.wants_write() => _ = ws.write_to(&mut stream),
            _ => input = ws.read_from(&mut stream, &mut buffer),
        }
    }
}
