//! What the flags `--deflate` and `--takeover` ask for.

use websocket_proto_tokio::websocket_proto::{Deflate, ZlibCompress, ZlibDecompress};
use websocket_proto_tokio::{Builder, Compression, ZlibStock};

pub fn builder(flags: &[&str]) -> Result<Builder, String> {
    let compression = match flags {
        [] => return Ok(Builder::new()),
        ["--deflate"] => Compression::shared(ZlibStock::new(2)),
        ["--deflate", "--takeover"] => {
            Compression::own(Deflate::OFFERS[1], ZlibDecompress::new, || ZlibCompress::new(2))
        }
        other => return Err(format!("unknown flags: {other:?}")),
    };
    // Also the shortest message is compressed, to show it. A real program leaves the threshold.
    Ok(Builder::new().compression(compression.threshold(0)))
}
