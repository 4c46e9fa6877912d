//! Which side of the connection this is, and where a client's masking keys come from (§5.1, §5.3).

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

use crate::error::SendError;

/// The side of a connection: [`Server`] or [`Client`], which decides at compile time who masks.
///
/// Use this trait as a bound for code that serves both sides. Other types cannot implement it.
///
/// ```
/// use websocket_proto::{Connection, Role, State};
///
/// fn is_open<R: Role>(connection: &Connection<R>) -> bool {
///     connection.state() == State::Open
/// }
/// # use websocket_proto::{Agreed, Config, Server};
/// # assert!(is_open(&Connection::new(Server, &Config::new(), Agreed::new())));
/// ```
pub trait Role: sealed::Role {}

/// The server's side: receives masked frames, sends unmasked ones (§5.1).
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut out = Vec::new();
/// connection.send_text("Hello", &mut out)?;
/// assert_eq!(out, b"\x81\x05Hello");
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Server;

/// The client's side: masks every frame with a fresh key from its source (§5.1, §5.3).
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
#[doc(alias = "masking")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client<M>(pub M);

/// A source of masking keys for a client (§5.3, §10.3).
///
/// Every frame draws one key. Keys must be unpredictable even to someone who has seen all earlier
/// ones. Take them from the operating system (`SystemMask`, feature `random`), from a hardware
/// generator, or from a cryptographic generator that is seeded by one.
///
/// Any `FnMut() -> [u8; 4]` is a source that never fails. `Box<dyn MaskSource>` (feature `alloc`)
/// and `&mut dyn MaskSource` are sources too, with or without `Send`. A program that chooses its
/// source at run time names one type with them:
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, MaskSource};
///
/// /// A generator on a board, which may not be ready.
/// struct Board;
///
/// impl MaskSource for Board {
///     fn mask_key(&mut self) -> Option<[u8; 4]> {
///         // ...
/// #       Some([7; 4])
///     }
/// }
///
/// let keys: Box<dyn MaskSource + Send> = Box::new(Board);
/// let connection: Connection<Client<Box<dyn MaskSource + Send>>> =
///     Connection::new(Client(keys), &Config::new(), Agreed::new());
/// ```
#[doc(alias("masking", "masking key", "rng", "random", "entropy"))]
pub trait MaskSource {
    /// Returns the next key; `None` if there is no entropy, and then the frame is not sent.
    fn mask_key(&mut self) -> Option<[u8; 4]>;
}

impl<F: FnMut() -> [u8; 4]> MaskSource for F {
    #[inline]
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        Some(self())
    }
}

// These are only for `dyn MaskSource`. For every `M` they would overlap with the closures above,
// because `&mut F` and `Box<F>` are closures if `F` is one.
macro_rules! forward {
    ($($(#[$cfg:meta])? $source:ty,)+) => {$(
        $(#[$cfg])?
        impl MaskSource for $source {
            fn mask_key(&mut self) -> Option<[u8; 4]> {
                (**self).mask_key()
            }
        }
    )+};
}

forward! {
    &mut (dyn MaskSource + '_),
    &mut (dyn MaskSource + Send + '_),
    #[cfg(feature = "alloc")]
    Box<dyn MaskSource + '_>,
    #[cfg(feature = "alloc")]
    Box<dyn MaskSource + Send + '_>,
}

impl Role for Server {}
impl<M: MaskSource> Role for Client<M> {}

pub(crate) mod sealed {
    use super::{Client, MaskSource, SendError, Server};

    pub trait Role {
        /// Whether this is the client, whose frames are masked (§5.1).
        const CLIENT: bool;

        /// Returns the key for the next frame; `None` on the side that does not mask.
        fn mask_key(&mut self) -> Result<Option<[u8; 4]>, SendError>;
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
}

/// Masking keys from the operating system, drawn 64 at a time so that one costs nanoseconds.
///
/// A new source has no keys, and asks the operating system for the first. The type is not `Clone`,
/// because two connections would then share keys.
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, SystemMask};
///
/// let role = Client(SystemMask::new());
/// let mut connection = Connection::new(role, &Config::new(), Agreed::new());
/// # let mut out = Vec::new();
/// connection.send_text("Hello", &mut out)?;
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[doc(alias("random", "getrandom", "rng"))]
#[cfg(feature = "random")]
pub struct SystemMask {
    block: [u8; 256],
    /// The number of bytes at the front of the block that are not used yet.
    unused: usize,
}

#[cfg(feature = "random")]
impl SystemMask {
    /// Creates a source that has drawn nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        SystemMask { block: [0; 256], unused: 0 }
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
        f.write_str("SystemMask") // its keys are secret until they are used
    }
}

#[cfg(feature = "random")]
impl MaskSource for SystemMask {
    #[inline]
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        if self.unused == 0 {
            getrandom::fill(&mut self.block).ok()?;
            self.unused = self.block.len();
        }
        let (_, key) = self.block.get(..self.unused)?.split_last_chunk()?;
        self.unused -= key.len();
        Some(*key)
    }
}
