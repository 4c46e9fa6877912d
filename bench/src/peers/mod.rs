//! The peers, one a file. Each runs the loads that it supports.

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
    /// A note for the comparison with other peers.
    pub note: &'static str,
    /// The work that others do in this load and this peer does not, if any.
    pub skips: fn(&Load) -> Option<&'static str>,
    /// The ways in which the peer runs the load, or the reason why it does not.
    pub ways: for<'l> fn(&'l Load) -> Ways<'l>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only copies.
    Copy,
    /// Only compresses or inflates.
    Codec,
    /// The crate that is measured.
    Ours,
    /// A peer that it is compared with.
    Peer,
}

/// The part of a run that is timed. What it needs of the load was prepared before.
pub type Run<'l> = Box<dyn FnMut(&mut Output) + 'l>;

pub type Ways<'l> = Result<Vec<Run<'l>>, &'static str>;

/// Returns the only way of a peer.
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

/// The codec of all peers on flate2.
pub const FLATE2: &str = if cfg!(feature = "zlib-ng") {
    "zlib-ng"
} else if cfg!(feature = "soketto-deflate") {
    "zlib in C"
} else {
    "zlib-rs"
};

/// The reason why a second row of a peer is missing.
pub const ONE_WAY: &str = "does the rest in one way";
const NOT_MANY: &str = "works on a transport of its own";
const NO_HANDSHAKE: &str = "has no handshake";
const NO_COMPRESSION: &str = "has no compression";
const NEEDS_HYPER: &str = "its handshake needs hyper";

/// The peer skips nothing.
fn nothing(_: &Load) -> Option<&'static str> {
    None
}

/// The peer does not validate the text that a load receives.
fn utf8(load: &Load) -> Option<&'static str> {
    use crate::loads::Bench::*;
    let sends = matches!(load.bench, SendServer | SendClient | DeflateSend);
    (!sends && load.has_text()).then_some("no look at UTF-8")
}

/// Masking keys at almost no cost, for the peers that take keys.
#[derive(Default)]
struct Keys(u32);

impl Keys {
    #[inline]
    fn draw(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9E37_79B9);
        self.0.to_ne_bytes()
    }
}
