//! Which side of the connection this is, and where a client's masking keys come from (§5.1, §5.3).

use crate::error::SendError;

/// The side of the connection: [`Server`] or [`Client`]. It decides at compile time who masks.
pub trait Role: sealed::Sealed {
    /// Whether this is the client, whose frames are masked (§5.1).
    #[doc(hidden)]
    const CLIENT: bool;

    /// The key for the next frame; `None` for the side that does not mask.
    #[doc(hidden)]
    fn mask_key(&mut self) -> Result<Option<[u8; 4]>, SendError>;
}

/// The server's side: receives masked frames, sends unmasked ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

/// The client's side: masks every frame with a fresh key from its source.
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection};
///
/// let keys = || [0x37, 0xFA, 0x21, 0x3D]; // a test's source: real ones are unpredictable
/// let mut connection = Connection::new(Client(keys), &Config::new(), Agreed::new());
/// let mut out = Vec::new();
/// connection.send_text("Hello", &mut out)?;
/// assert_eq!(out, b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58");
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<M>(pub M);

/// A source of masking keys for a client (§5.3, §10.3).
///
/// Every frame draws one key. A key must not be predictable from those before it, even for who
/// sees them all, so take them from the operating system ([`SystemMask`]), a hardware generator, or
/// a cryptographic generator seeded by one. Any `FnMut() -> [u8; 4]` is a source that never fails.
pub trait MaskSource {
    /// The next key, or `None` when there is no entropy: the frame is then not sent.
    fn mask_key(&mut self) -> Option<[u8; 4]>;
}

impl<F: FnMut() -> [u8; 4]> MaskSource for F {
    #[inline]
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        Some(self())
    }
}

impl Role for Server {
    const CLIENT: bool = false;

    #[inline]
    fn mask_key(&mut self) -> Result<Option<[u8; 4]>, SendError> {
        Ok(None)
    }
}

impl<M: MaskSource> Role for Client<M> {
    const CLIENT: bool = true;

    #[inline]
    fn mask_key(&mut self) -> Result<Option<[u8; 4]>, SendError> {
        self.0.mask_key().ok_or(SendError::NoMaskKey).map(Some)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Server {}
    impl<M: super::MaskSource> Sealed for super::Client<M> {}
}

/// Masking keys from the operating system, drawn 64 at a time so that one costs nanoseconds.
///
/// It starts empty: the first key asks the operating system. It cannot be cloned, since two
/// connections would then share keys.
#[cfg(feature = "random")]
pub struct SystemMask {
    block: [u8; 256],
    left: usize,
}

#[cfg(feature = "random")]
impl SystemMask {
    /// A source that has drawn nothing yet.
    pub const fn new() -> Self {
        SystemMask { block: [0; 256], left: 0 }
    }
}

#[cfg(feature = "random")]
impl Default for SystemMask {
    fn default() -> Self {
        SystemMask::new()
    }
}

#[cfg(feature = "random")]
impl core::fmt::Debug for SystemMask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SystemMask") // keys to come are nobody's business
    }
}

#[cfg(feature = "random")]
impl MaskSource for SystemMask {
    #[inline]
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        if self.left == 0 {
            getrandom::fill(&mut self.block).ok()?;
            self.left = self.block.len();
        }
        let (_, key) = self.block.get(..self.left)?.split_last_chunk()?;
        self.left -= key.len();
        Some(*key)
    }
}
