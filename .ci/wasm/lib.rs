//! What the feature `random` adds, with entropy from the page's `crypto.getRandomValues`.

use websocket_proto::{MaskSource, SystemMask, handshake};

/// Whether the page has entropy for a handshake and for the frames after it.
#[unsafe(no_mangle)]
pub extern "C" fn has_entropy() -> bool {
    handshake::nonce().is_some() && SystemMask::new().mask_key().is_some()
}
