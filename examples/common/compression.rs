//! The flags `--deflate [--takeover]` of examples.

use websocket_proto::endpoint::Compression;

/// Returns the codecs for the flags: codecs that all connections share, or with `--takeover` codecs
/// of each connection's own, whose messages may refer to earlier ones.
/// Both work at the quickest level that adapts its codes to the data.
#[cfg(feature = "deflate")]
pub fn of(deflate: bool, takeover: bool) -> Result<Option<Compression>, &'static str> {
    use websocket_proto::endpoint::ZlibStock;
    use websocket_proto::{Deflate, ZlibCompress, ZlibDecompress};

    let compression = match (deflate, takeover) {
        (false, false) => return Ok(None),
        (false, true) => return Err("--takeover needs --deflate"),
        (true, false) => Compression::shared(ZlibStock::new(2)),
        (true, true) => {
            Compression::own(Deflate::OFFERS[1], ZlibDecompress::new, || ZlibCompress::new(2))
        }
    };
    // Even the shortest message is compressed, as a demonstration. A real program keeps the
    // threshold.
    Ok(Some(compression.threshold(0)))
}

#[cfg(not(feature = "deflate"))]
pub fn of(deflate: bool, takeover: bool) -> Result<Option<Compression>, &'static str> {
    match deflate || takeover {
        false => Ok(None),
        true => Err("--deflate needs an example that was built with the feature deflate"),
    }
}
