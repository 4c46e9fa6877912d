//! The settings of endpoints.

// Reference counting needs an atomic compare-and-swap. On targets without it, each endpoint has a
// copy of the settings.
#[cfg(not(target_has_atomic = "ptr"))]
use alloc::boxed::Box as Shared;
#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc as Shared;
use core::{fmt, time::Duration};

use super::compression::Compression;
use crate::{
    config::Config,
    deadline::{Deadlines, Limit},
};

/// The settings of an [`Endpoint`](super::Endpoint). Create them once and pass them to all
/// endpoints, which share them instead of copying them.
///
/// ```
/// use core::time::Duration;
/// use websocket_proto::endpoint::{Endpoint, Options};
/// use websocket_proto::{Config, Limit};
///
/// let options = Options::new()
///     .config(Config::new().max_message(1 << 20))
///     .limit(Limit::Handshake, Some(Duration::from_secs(3)));
/// let one = Endpoint::server(&options);
/// let another = Endpoint::server(&options);
/// # let _ = (one, another);
/// ```
#[derive(Clone)]
#[doc(alias("settings", "builder"))]
pub struct Options(pub(super) Shared<Settings>);

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    /// A template. Only its limits are used.
    pub(super) deadlines: Deadlines,
    pub(super) max_head: usize,
    pub(super) high_water: usize,
    pub(super) low_water: usize,
    pub(super) keep: usize,
    pub(super) compression: Option<Compression>,
}

#[inline(never)]
fn share(settings: Settings) -> Shared<Settings> {
    Shared::new(settings)
}

impl Options {
    /// Creates the default settings: those of [`Config`] and of [`Deadlines`], heads of at most 16
    /// KiB, at most 512 KiB of output that waits and as much in answers, and no compression.
    #[must_use]
    pub fn new() -> Self {
        Options(share(Settings {
            config: Config::new(),
            deadlines: Deadlines::new(Duration::ZERO),
            max_head: 16 << 10,
            high_water: 512 << 10,
            low_water: 128 << 10,
            keep: 64 << 10,
            compression: None,
        }))
    }

    /// Sets how messages are received: how long one may be, and whether Pings are answered.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        self.with(|settings| settings.config = config)
    }

    /// Sets how long `limit` is, or lifts it with `None`. [`Limit`] has the defaults.
    #[must_use]
    #[doc(alias = "timeout")]
    pub fn limit(self, limit: Limit, length: Option<Duration>) -> Self {
        self.with(|settings| settings.deadlines = settings.deadlines.clone().limit(limit, length))
    }

    /// Sets how many bytes the head of a request or a response may have; 16 KiB unless set (§10.4).
    #[must_use]
    pub fn max_head(self, bytes: usize) -> Self {
        self.with(|settings| settings.max_head = bytes)
    }

    /// Sets how many bytes of output may wait to be written: 128 KiB and 512 KiB unless set.
    ///
    /// When more than `high` bytes wait, messages to send are refused with
    /// [`SendError::Full`](crate::SendError::Full), until no more than `low` bytes wait. Messages
    /// are still received, and after each event one message is accepted, such as the answer. If
    /// these make the output longer by another `high` bytes, the peer does not read them, and no
    /// messages are received either, until no more than `low` bytes wait. A `low` that is greater
    /// than `high` counts as `high`.
    ///
    /// So the output of a peer that does not read is at most as long as your own messages up to the
    /// one that passed `high`, `high` bytes of answers, one answer more and a few control frames.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Options};
    /// use websocket_proto::{Agreed, SendError, Server};
    ///
    /// let options = Options::new().water_marks(0, 100);
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &options)?;
    /// ws.binary(&[7; 1000])?;
    /// assert_eq!(ws.text("more"), Err(SendError::Full));
    /// let mut read = *b"\x81\x82\0\0\0\0hi";
    /// let mut input = &mut read[..];
    /// while let Some((_, sender)) = ws.receive(&mut input) {
    ///     sender.text("hello")?; // an answer
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[doc(alias("backpressure", "high water", "max_write_buffer_size"))]
    pub fn water_marks(self, low: usize, high: usize) -> Self {
        self.with(|settings| {
            settings.low_water = low.min(high);
            settings.high_water = high;
        })
    }

    /// Sets how many bytes each buffer of an endpoint may keep between messages; 64 KiB unless set.
    ///
    /// A larger buffer is freed as soon as it is empty. The others are freed when the connection is
    /// idle, which is when [`Limit::Idle`] calls for a Ping.
    #[must_use]
    pub fn keeping(self, bytes: usize) -> Self {
        self.with(|settings| settings.keep = bytes)
    }

    /// Sets how messages are compressed (RFC 7692). Without this call they are not.
    #[must_use]
    #[doc(alias = "permessage-deflate")]
    pub fn compression(self, compression: Compression) -> Self {
        self.with(|settings| settings.compression = Some(compression))
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::clone(&self.0);
        change(&mut settings);
        Options(share(settings))
    }
}

impl Default for Options {
    fn default() -> Self {
        Options::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { config, max_head, low_water, high_water, keep, compression, .. } = &*self.0;
        f.debug_struct("Options")
            .field("config", config)
            .field("max_head", max_head)
            .field("water_marks", &(low_water..high_water))
            .field("keep", keep)
            .field("compression", compression)
            .finish_non_exhaustive()
    }
}
