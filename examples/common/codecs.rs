//! Codecs of compressed messages, for the examples that take `--deflate [--takeover]`.
//!
//! One pair of codecs serves all connections of the thread. A connection has one of its own for
//! each direction in which it was agreed that a message may refer to those before it.

#[cfg(not(feature = "deflate"))]
use self::without::{ZlibCompress, ZlibDecompress};
use websocket_proto::{Agreed, Deflate};
#[cfg(feature = "deflate")]
use websocket_proto::{ZlibCompress, ZlibDecompress};

pub type Inflater = websocket_proto::Inflater<ZlibDecompress>;
pub type Deflater = websocket_proto::Deflater<ZlibCompress>;

/// A message may refer to those before it, in both directions.
const TAKEOVER: Deflate = Deflate::OFFERS[1];
/// The level of compression.
const LEVEL: u8 = 6;

/// What the flags ask for: the ways to compress, of which a server takes the first. Without
/// `--takeover` a client also offers it, for servers that insist on it.
pub fn ways(deflate: bool, takeover: bool) -> Result<&'static [Deflate], &'static str> {
    match (deflate, takeover) {
        (false, false) => Ok(&[]),
        (false, true) => Err("--takeover needs --deflate"),
        (true, _) if !cfg!(feature = "deflate") => {
            Err("--deflate needs an example that was built with the feature deflate")
        }
        (true, false) => Ok(&Deflate::OFFERS),
        (true, true) => Ok(&[TAKEOVER]),
    }
}

/// The codecs of all connections.
pub struct Shared {
    pub inflater: Inflater,
    pub deflater: Deflater,
}

impl Shared {
    pub fn new() -> Self {
        let inflater = Inflater::shared(ZlibDecompress::new());
        // Also the shortest message is compressed, to show it. A real server leaves the threshold.
        let deflater = Deflater::shared(ZlibCompress::new(LEVEL)).threshold(0);
        Shared { inflater, deflater }
    }
}

/// The codecs that one connection has for itself.
pub struct Own {
    inflater: Option<Box<Inflater>>,
    deflater: Option<Box<Deflater>>,
}

impl Own {
    pub fn of_server(agreed: Agreed) -> Self {
        Own::new(client_takes_over(agreed), server_takes_over(agreed))
    }

    pub fn of_client(agreed: Agreed) -> Self {
        Own::new(server_takes_over(agreed), client_takes_over(agreed))
    }

    fn new(receives: bool, sends: bool) -> Self {
        let inflater = || Box::new(Inflater::own(ZlibDecompress::new()));
        let deflater = || Box::new(Deflater::own(ZlibCompress::new(LEVEL)).threshold(0));
        Own { inflater: receives.then(inflater), deflater: sends.then(deflater) }
    }

    /// The codecs to use: its own where it has them.
    pub fn or<'c>(&'c mut self, shared: &'c mut Shared) -> (&'c mut Inflater, &'c mut Deflater) {
        let inflater = self.inflater.as_deref_mut().unwrap_or(&mut shared.inflater);
        let deflater = self.deflater.as_deref_mut().unwrap_or(&mut shared.deflater);
        (inflater, deflater)
    }
}

fn client_takes_over(agreed: Agreed) -> bool {
    agreed.deflate.is_some_and(|deflate| !deflate.client_no_context_takeover)
}

fn server_takes_over(agreed: Agreed) -> bool {
    agreed.deflate.is_some_and(|deflate| !deflate.server_no_context_takeover)
}

/// Without the feature nothing is agreed on, and no codec is ever asked for anything.
#[cfg(not(feature = "deflate"))]
mod without {
    use websocket_proto::{Compress, Decompress, InflateError, Progress, WindowBits};

    pub struct ZlibCompress;
    pub struct ZlibDecompress;

    impl ZlibCompress {
        pub fn new(_: u8) -> Self {
            ZlibCompress
        }
    }

    impl ZlibDecompress {
        pub fn new() -> Self {
            ZlibDecompress
        }
    }

    impl Compress for ZlibCompress {
        fn reset(&mut self, _: WindowBits) {}
        fn bound(&self, length: usize) -> usize {
            length
        }
        fn compress(&mut self, _: &[u8], _: &mut [u8]) -> Option<usize> {
            None
        }
    }

    impl Decompress for ZlibDecompress {
        fn reset(&mut self) {}
        fn decompress(&mut self, _: &[u8], _: &mut [u8]) -> Progress {
            Progress::new(0, 0).with_fault(InflateError::Corrupt)
        }
    }
}
