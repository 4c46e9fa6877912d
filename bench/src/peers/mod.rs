//! The peers, one a file, each of which does the loads that it can.

mod codec;
mod copy;
mod endpoint;
mod fastwebsockets;
mod ours;
mod shiguredo_websocket;
mod sockudo_ws;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod websocket_sans_io;
#[cfg(feature = "wslay")]
#[allow(unsafe_code)]
mod wslay;
mod yawc;

use crate::{loads::Load, measure::Output};

pub struct Peer {
    pub name: &'static str,
    pub kind: Kind,
    /// What has to be known to compare it with the others.
    pub note: &'static str,
    /// What others do and it does not in this load, if there is such a thing.
    pub skips: fn(&Load) -> Option<&'static str>,
    /// The ways in which it does the load, or why it does not.
    pub ways: for<'l> fn(&'l Load) -> Ways<'l>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only copies.
    Copy,
    /// Only compresses or inflates.
    Codec,
    /// What is measured.
    Ours,
    /// What it is compared with.
    Peer,
}

/// What is timed; what it needs of the load was made ready before.
pub type Run<'l> = Box<dyn FnMut(&mut Output) + 'l>;

pub type Ways<'l> = Result<Vec<Run<'l>>, &'static str>;

/// The only way of a peer.
fn way<'l>(run: impl FnMut(&mut Output) + 'l) -> Ways<'l> {
    Ok(vec![Box::new(run)])
}

pub const PEERS: &[&Peer] = &[
    &copy::PEER,
    &codec::PEER,
    &codec::LOOKING,
    &ours::PEER,
    &ours::SHARED,
    &ours::PIECES,
    &endpoint::PEER,
    &endpoint::INSIDE,
    &tungstenite::PEER,
    &tungstenite::DEFAULT,
    &fastwebsockets::PEER,
    &tokio_websockets::PEER,
    &tokio_websockets::DEFAULT,
    &sockudo_ws::PEER,
    &websocket_sans_io::PEER,
    &shiguredo_websocket::PEER,
    &soketto::PEER,
    &soketto::DEFAULT,
    &web_socket::PEER,
    &yawc::PEER,
    &yawc::DEFAULT,
    #[cfg(feature = "wslay")]
    &wslay::PEER,
];

/// What all peers on flate2 compress with.
pub const FLATE2: &str = if cfg!(feature = "zlib-ng") {
    "zlib-ng"
} else if cfg!(feature = "soketto-deflate") {
    "zlib in C"
} else {
    "zlib-rs"
};

/// Why a second row of a peer is not there.
pub const ONE_WAY: &str = "does the rest in one way";
const NOT_MANY: &str = "works on a transport of its own";
const NO_HANDSHAKE: &str = "has no handshake";
const NO_COMPRESSION: &str = "has no compression";
const NEEDS_HYPER: &str = "its handshake needs hyper";

/// Nothing is skipped.
fn nothing(_: &Load) -> Option<&'static str> {
    None
}

/// The text that a load receives is not looked at.
fn utf8(load: &Load) -> Option<&'static str> {
    use crate::loads::Bench::*;
    let sends = matches!(load.bench, SendServer | SendClient | DeflateSend);
    (!sends && load.has_text()).then_some("no look at UTF-8")
}

/// Masking keys that cost next to nothing, for the peers that take keys.
#[derive(Default)]
struct Keys(u32);

impl Keys {
    #[inline]
    fn draw(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9E37_79B9);
        self.0.to_ne_bytes()
    }
}
