//! How the messages of endpoints are compressed (RFC 7692), and by which codecs.

use alloc::boxed::Box;
use core::fmt;

use crate::{
    agreed::{Agreed, Deflate, WindowBits},
    codec::{Compress, Decompress, Progress},
    deflate::Deflater,
    inflate::Inflater,
};

/// The compression of endpoints (RFC 7692): with codecs of their own or with shared ones.
///
/// A codec of zlib takes 79 KiB to inflate and 134 to 372 KiB to compress. With
/// [`own`](Compression::own) codecs each open connection has both, and messages can refer to
/// earlier ones (context takeover), so they compress better. With [`shared`](Compression::shared)
/// codecs an idle connection has none.
///
/// ```
/// # #[cfg(all(feature = "std", feature = "deflate"))] {
/// use websocket_proto::endpoint::{Compression, Endpoint, Options, ZlibStock};
///
/// let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
/// let ws = Endpoint::server(&options);
/// # let _ = ws;
/// # }
/// ```
#[doc(alias("permessage-deflate", "deflate", "gzip", "zlib"))]
pub struct Compression {
    pub(super) deflate: Deflate,
    pub(super) threshold: usize,
    /// Whether the codecs serve any number of endpoints.
    pub(super) shared: bool,
    pub(super) codecs: Box<dyn Codecs>,
}

impl Compression {
    /// Creates the setting for codecs that belong to one endpoint each. `decompress` and `compress`
    /// make them when a connection opens that has agreed on compression.
    ///
    /// `deflate` says what a server agrees to. A client offers the same first, and then the same
    /// with context takeover, or without where the first has it: some servers insist on one of them
    /// (see [`Deflate::OFFERS`]).
    ///
    /// ```
    /// # #[cfg(feature = "deflate")] {
    /// use websocket_proto::endpoint::{Compression, Options};
    /// use websocket_proto::{Deflate, ZlibCompress, ZlibDecompress};
    ///
    /// let takeover = Deflate {
    ///     server_no_context_takeover: false,
    ///     client_no_context_takeover: false,
    ///     ..Deflate::new()
    /// };
    /// let own = Compression::own(takeover, ZlibDecompress::new, || ZlibCompress::new(6));
    /// let options = Options::new().compression(own);
    /// # let _ = options;
    /// # }
    /// ```
    pub fn own<D, C>(
        deflate: Deflate,
        decompress: impl Fn() -> D + Clone + Send + Sync + 'static,
        compress: impl Fn() -> C + Clone + Send + Sync + 'static,
    ) -> Self
    where
        D: Decompress + Send + 'static,
        C: Compress + Send + 'static,
    {
        let codecs = Box::new(Factory { decompress, compress });
        Compression { deflate, threshold: 64, shared: false, codecs }
    }

    /// Creates the setting for codecs that are leased from `stock` for one message each. Context
    /// takeover is never agreed to, in either direction, because it needs a codec for each
    /// connection.
    pub fn shared(stock: impl Stock + Clone + Send + Sync + 'static) -> Self {
        Compression {
            deflate: Deflate::new(),
            threshold: 64,
            shared: true,
            codecs: Box::new(Leased(stock)),
        }
    }

    /// Sets the length from which messages are compressed, in bytes; 64 unless set. Shorter
    /// messages are sent uncompressed. The threshold does not apply to fragments.
    #[must_use]
    pub fn threshold(self, bytes: usize) -> Self {
        Compression { threshold: bytes, ..self }
    }

    /// Returns the offers that a client makes.
    pub(super) fn offers(&self) -> [Deflate; 2] {
        let no_context_takeover = self.shared || !self.deflate.server_no_context_takeover;
        let other = Deflate {
            server_no_context_takeover: no_context_takeover,
            client_no_context_takeover: no_context_takeover,
            ..self.deflate
        };
        [self.deflate, other]
    }

    /// Whether there are codecs for what was agreed.
    pub(super) const fn serves(&self, agreed: Deflate, client: bool) -> bool {
        // RFC 7692 §7.1.1: with context takeover the peer refers to earlier messages, which a
        // shared codec has not kept.
        !self.shared
            || if client {
                agreed.server_no_context_takeover
            } else {
                agreed.client_no_context_takeover
            }
    }
}

/// Whether the codecs of `compression` serve what was agreed.
pub(super) fn serves(compression: Option<&Compression>, agreed: Agreed, client: bool) -> bool {
    match (agreed.deflate, compression) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(deflate), Some(compression)) => compression.serves(deflate, client),
    }
}

impl Clone for Compression {
    fn clone(&self) -> Self {
        Compression { codecs: self.codecs.boxed(), ..*self }
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression")
            .field("deflate", &self.deflate)
            .field("threshold", &self.threshold)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// A decompressor of any type.
pub(super) type AnyDecompress = Box<dyn Decompress + Send>;
pub(super) type Codec = Inflater<AnyDecompress>;
/// A compressor of any type.
pub(super) type AnyCompress = Box<dyn Compress + Send>;

/// Creates the codecs of an endpoint.
pub(super) trait Codecs: Send + Sync {
    fn inflater(&self) -> Codec;
    fn deflater(&self, keep: usize) -> Deflater<AnyCompress>;
    fn boxed(&self) -> Box<dyn Codecs>;
}

#[derive(Clone)]
struct Factory<D, C> {
    decompress: D,
    compress: C,
}

impl<D, C, FD, FC> Codecs for Factory<FD, FC>
where
    D: Decompress + Send + 'static,
    C: Compress + Send + 'static,
    FD: Fn() -> D + Clone + Send + Sync + 'static,
    FC: Fn() -> C + Clone + Send + Sync + 'static,
{
    fn inflater(&self) -> Codec {
        Inflater::own(Box::new((self.decompress)()) as AnyDecompress)
    }

    fn deflater(&self, keep: usize) -> Deflater<AnyCompress> {
        Deflater::own(Box::new((self.compress)()) as AnyCompress).threshold(0).keeping(keep)
    }

    fn boxed(&self) -> Box<dyn Codecs> {
        Box::new(self.clone())
    }
}

/// A stock of codecs that endpoints share, for [`Compression::shared`].
///
/// `ZlibStock` (features `std` and `deflate`) implements this trait. Implement it yourself to use
/// other codecs, or a lock that works without `std`, such as a critical section. Hold the lock only
/// to take a codec out and to put it back. A codec works outside of the stock, so no endpoint waits
/// for another.
///
/// ```
/// # #[cfg(feature = "deflate")] {
/// use std::sync::{Arc, Mutex};
/// use websocket_proto::endpoint::{Compression, Stock};
/// use websocket_proto::{ZlibCompress, ZlibDecompress};
///
/// #[derive(Clone, Default)]
/// struct Fastest(Arc<(Mutex<Vec<ZlibDecompress>>, Mutex<Vec<ZlibCompress>>)>);
///
/// impl Stock for Fastest {
///     type Decompress = ZlibDecompress;
///     type Compress = ZlibCompress;
///
///     fn take_decompress(&self) -> ZlibDecompress {
///         self.0.0.lock().unwrap().pop().unwrap_or_default()
///     }
///     fn put_decompress(&self, codec: ZlibDecompress) {
///         self.0.0.lock().unwrap().push(codec);
///     }
///     fn take_compress(&self) -> ZlibCompress {
///         self.0.1.lock().unwrap().pop().unwrap_or(ZlibCompress::new(1))
///     }
///     fn put_compress(&self, codec: ZlibCompress) {
///         self.0.1.lock().unwrap().push(codec);
///     }
/// }
///
/// let compression = Compression::shared(Fastest::default());
/// # let _ = compression;
/// # }
/// ```
#[doc(alias("pool", "lease"))]
pub trait Stock {
    /// The codec that inflates.
    type Decompress: Decompress + Send;
    /// The codec that compresses.
    type Compress: Compress + Send;

    /// Returns a codec that was put back, or a new one.
    fn take_decompress(&self) -> Self::Decompress;
    /// Takes a codec back that was used for one message.
    fn put_decompress(&self, codec: Self::Decompress);
    /// Returns a codec that was put back, or a new one.
    fn take_compress(&self) -> Self::Compress;
    /// Takes a codec back that was used for one message.
    fn put_compress(&self, codec: Self::Compress);
}

#[derive(Clone)]
struct Leased<S>(S);

impl<S: Stock + Clone + Send + Sync + 'static> Codecs for Leased<S> {
    fn inflater(&self) -> Codec {
        let codec = LeasedDecompress { stock: self.0.clone(), codec: None };
        Inflater::shared(Box::new(codec) as AnyDecompress)
    }

    fn deflater(&self, keep: usize) -> Deflater<AnyCompress> {
        let codec = LeasedCompress { codec: Some(self.0.take_compress()), stock: self.0.clone() };
        Deflater::shared(Box::new(codec) as AnyCompress).threshold(0).keeping(keep)
    }

    fn boxed(&self) -> Box<dyn Codecs> {
        Box::new(self.clone())
    }
}

/// Takes its codec out of the stock when a message begins, and puts it back when the message ends,
/// or is given up and this is dropped.
struct LeasedDecompress<S: Stock> {
    stock: S,
    codec: Option<S::Decompress>,
}

impl<S: Stock> LeasedDecompress<S> {
    fn put_back(&mut self) {
        if let Some(codec) = self.codec.take() {
            self.stock.put_decompress(codec);
        }
    }
}

impl<S: Stock> Decompress for LeasedDecompress<S> {
    fn reset(&mut self) {
        self.codec.get_or_insert_with(|| self.stock.take_decompress()).reset();
    }

    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        let codec = self.codec.get_or_insert_with(|| self.stock.take_decompress());
        codec.decompress(input, output)
    }

    fn finish(&mut self, end: &[u8]) -> bool {
        let finished = self.codec.as_mut().is_some_and(|codec| codec.finish(end));
        self.put_back();
        finished
    }
}

impl<S: Stock> Drop for LeasedDecompress<S> {
    fn drop(&mut self) {
        self.put_back();
    }
}

/// Holds a codec from the stock from its creation until it is dropped.
struct LeasedCompress<S: Stock> {
    stock: S,
    codec: Option<S::Compress>,
}

impl<S: Stock> Compress for LeasedCompress<S> {
    fn reset(&mut self, window: WindowBits) {
        if let Some(codec) = &mut self.codec {
            codec.reset(window);
        }
    }

    fn bound(&self, length: usize) -> usize {
        self.codec.as_ref().map_or(0, |codec| codec.bound(length))
    }

    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        self.codec.as_mut()?.compress(input, output)
    }
}

impl<S: Stock> Drop for LeasedCompress<S> {
    fn drop(&mut self) {
        if let Some(codec) = self.codec.take() {
            self.stock.put_compress(codec);
        }
    }
}

#[cfg(all(feature = "std", feature = "deflate"))]
mod zlib {
    extern crate std;

    use alloc::{sync::Arc, vec::Vec};
    use core::fmt;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::Stock;
    use crate::{ZlibCompress, ZlibDecompress};

    /// How many codecs of each kind are kept. More are in use only while more threads work at a
    /// time.
    const MOST: usize = 64;

    /// A [`Stock`] of zlib's codecs, of which it keeps at most 64 of each kind. Cloning it is
    /// cheap, and the clones are the same stock.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Compression, Options, ZlibStock};
    ///
    /// let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
    /// # let _ = options;
    /// ```
    #[derive(Clone)]
    pub struct ZlibStock(Arc<Lists>);

    struct Lists {
        level: u8,
        decompress: Mutex<Vec<ZlibDecompress>>,
        compress: Mutex<Vec<ZlibCompress>>,
    }

    impl ZlibStock {
        /// Creates an empty stock whose compressors have this [level](ZlibCompress::new).
        #[must_use]
        pub fn new(level: u8) -> Self {
            let (decompress, compress) = (Mutex::default(), Mutex::default());
            ZlibStock(Arc::new(Lists { level, decompress, compress }))
        }
    }

    impl Stock for ZlibStock {
        type Decompress = ZlibDecompress;
        type Compress = ZlibCompress;

        fn take_decompress(&self) -> ZlibDecompress {
            lock(&self.0.decompress).pop().unwrap_or_default()
        }

        fn put_decompress(&self, codec: ZlibDecompress) {
            put(&self.0.decompress, codec);
        }

        fn take_compress(&self) -> ZlibCompress {
            lock(&self.0.compress).pop().unwrap_or_else(|| ZlibCompress::new(self.0.level))
        }

        fn put_compress(&self, codec: ZlibCompress) {
            put(&self.0.compress, codec);
        }
    }

    /// Nothing that runs under the lock panics.
    fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
        list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put<T>(list: &Mutex<Vec<T>>, codec: T) {
        let mut list = lock(list);
        if list.len() < MOST && list.try_reserve(1).is_ok() {
            list.push(codec);
        }
    }

    impl fmt::Debug for ZlibStock {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "ZlibStock(level {})", self.0.level)
        }
    }
}
#[cfg(all(feature = "std", feature = "deflate"))]
pub use zlib::ZlibStock;
