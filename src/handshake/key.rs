//! `Sec-WebSocket-Key` and `Sec-WebSocket-Accept`: the proof that the server read this request as
//! an opening handshake (§1.3).

use arrayvec::ArrayString;
use base64::{
    Engine as _, alphabet,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD},
};

/// The GUID that is appended to the key before hashing (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The sample key that §4.1 prints has bits set in its padding (erratum 3150), so peers send such
/// keys. Such keys are accepted, but never sent.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Returns 16 random bytes from the operating system, for one handshake of a client; `None` if the
/// system has none to give.
#[doc(alias = "Sec-WebSocket-Key")]
#[cfg(feature = "random")]
#[must_use]
pub fn nonce() -> Option<[u8; 16]> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok().map(|()| nonce)
}

/// Returns the text of a Sec-WebSocket-Key (§4.1).
pub(super) fn encode_key(nonce: [u8; 16]) -> ArrayString<24> {
    // 16 bytes make 22 characters, and the padding is there already.
    let mut text = [b'='; 24];
    let _ = STANDARD_NO_PAD.encode_slice(nonce, &mut text);
    ArrayString::from_byte_string(&text).unwrap_or_default()
}

/// Whether the text of a Sec-WebSocket-Key stands for 16 bytes (§4.2.1).
pub(super) fn is_key(text: &[u8]) -> bool {
    // §4.3: the standard alphabet, padded; one byte more or less does not fit the array.
    TOLERANT.decode_slice(text, &mut [0; 16]) == Ok(16)
}

/// Returns the Sec-WebSocket-Accept that answers a key. It is made from the key's text, not from
/// the bytes that the text stands for (§4.2.2).
pub(super) fn accept_key(key: &[u8]) -> ArrayString<28> {
    // 20 bytes make 27 characters, and the padding is there already.
    let mut text = [b'='; 28];
    let _ = STANDARD_NO_PAD.encode_slice(hash(key), &mut text);
    ArrayString::from_byte_string(&text).unwrap_or_default()
}

/// Returns the SHA-1 of the key followed by the GUID.
#[cfg(not(feature = "sha1"))]
fn hash(key: &[u8]) -> [u8; 20] {
    let mut hash = sha1_smol::Sha1::new();
    hash.update(key);
    hash.update(GUID);
    hash.digest().bytes()
}

/// Returns the SHA-1 of the key followed by the GUID.
#[cfg(feature = "sha1")]
fn hash(key: &[u8]) -> [u8; 20] {
    use sha1::Digest as _;

    sha1::Sha1::new().chain_update(key).chain_update(GUID).finalize().into()
}
