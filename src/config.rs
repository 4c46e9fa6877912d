//! What the caller sets, and what the opening handshake agreed.

/// The settings of a connection. Every limit is finite until it is lifted here.
///
/// ```
/// use websocket_proto::Config;
///
/// let config = Config::new().max_message(1 << 20).auto_pong(false);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) max_message: u64,
    pub(crate) auto_pong: bool,
}

impl Config {
    /// The defaults: messages of at most 16 MiB, pings answered.
    pub const fn new() -> Self {
        Config { max_message: 16 << 20, auto_pong: true }
    }

    /// The most bytes that one received message may have, all its fragments together (§10.4).
    ///
    /// It is held against the lengths that headers declare, so a message that would exceed it
    /// fails before its payload arrives, with close code 1009. Of a compressed message it counts the
    /// compressed bytes. `u64::MAX` lifts the limit.
    #[must_use]
    pub const fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self
    }

    /// Whether each received Ping makes a Pong owed (§5.5.2). Without it the application answers
    /// with [`Connection::pong`](crate::Connection::pong), as the protocol demands.
    #[must_use]
    pub const fn auto_pong(mut self, on: bool) -> Self {
        self.auto_pong = on;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::new()
    }
}

/// What the opening handshake agreed that changes how frames are read (§9.1).
///
/// The default, nothing agreed, is right for every connection without an extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    pub(crate) compression: bool,
}

impl Agreed {
    /// Nothing was agreed: the plain protocol.
    pub const fn new() -> Self {
        Agreed { compression: false }
    }

    /// Whether the first frame of a message may set RSV1 (RFC 7692 §6): such a message arrives as
    /// pieces of [`Event::Compressed`](crate::Event::Compressed), for the caller to inflate.
    #[must_use]
    pub const fn compression(mut self, on: bool) -> Self {
        self.compression = on;
        self
    }
}
