//! The settings of a connection, which the caller chooses.

/// The settings of a connection. Every limit is finite until it is lifted here.
///
/// ```
/// use websocket_proto::Config;
///
/// let config = Config::new().max_message(1 << 20).auto_pong(false);
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    pub(crate) max_message: u64,
    pub(crate) auto_pong: bool,
}

impl Config {
    /// Creates the default settings: messages of at most 16 MiB, Pings answered.
    #[must_use]
    pub const fn new() -> Self {
        Config { max_message: 16 << 20, auto_pong: true }
    }

    /// Sets the most bytes that one received message may have, all its fragments together (§10.4):
    /// 16 MiB unless set.
    ///
    /// The limit is compared with the lengths that headers declare, so a message that would exceed
    /// it fails before its payload arrives, with close code 1009. For a compressed message the
    /// limit applies to the inflated size and is enforced during inflation. A compressed frame may
    /// be up to an eighth longer than the limit, because DEFLATE expands incompressible data.
    /// `u64::MAX` lifts the limit.
    #[must_use]
    #[doc(alias = "max_message_size")]
    pub const fn max_message(mut self, bytes: u64) -> Self {
        self.max_message = bytes;
        self
    }

    /// Sets whether each received Ping makes a Pong owed (§5.5.2), as it does by default. If not,
    /// the application answers with [`Connection::pong`](crate::Connection::pong), as the protocol
    /// demands.
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
