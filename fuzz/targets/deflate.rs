//! Arbitrary bytes as compressed messages, received in every way and with several splits. The
//! results equal those of a naive inflater and of the standard library's UTF-8 validation.
//!
//! Data before an error is delivered up to the limit, and text only up to its first invalid byte.
//! Then the connection fails. The reason is that byte, else the limit if the data exceeds it, else
//! the error.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::deflate::{Mode, drive_inflated};
use common::{Canonical, Keys, frame, inflate::inflate};
use libfuzzer_sys::fuzz_target;
use websocket_proto::Violation::{self, InvalidPayload, InvalidUtf8, MessageTooBig};
use websocket_proto::{Agreed, Client, Config, Connection, Deflate, ZlibDecompress};

const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Returns which part of a message that inflates to `data` is delivered, and how the message fails.
/// `whole` says that no error follows the data.
fn judge(text: bool, data: &[u8], limit: usize, whole: bool) -> (&[u8], Option<Violation>) {
    let fits = &data[..limit.min(data.len())];
    let error = if text { str::from_utf8(fits).err() } else { None };
    let delivered = error.map_or(fits, |error| &fits[..error.valid_up_to()]);
    let failed = match error {
        Some(error) if error.error_len().is_some() => Some(InvalidUtf8),
        _ if data.len() > limit => Some(MessageTooBig),
        _ if !whole => Some(InvalidPayload),
        error => error.map(|_| InvalidUtf8),
    };
    (delivered, failed)
}

#[derive(Default)]
struct Expected {
    messages: Vec<String>,
    /// The delivered part of the message that fails.
    part: Vec<String>,
    /// The violations that it may fail with.
    failed: Vec<String>,
}

fn expect(messages: &[(bool, Vec<&[u8]>)], takeover: bool, shared: bool, limit: usize) -> Expected {
    let (mut expected, mut window) = (Expected::default(), Vec::new());
    // The limit on the compressed bytes of a frame, and of a message gathered for a shared codec.
    let most = limit + limit / 8 + 64;
    for (text, fragments) in messages {
        let refused = match fragments.iter().position(|fragment| fragment.len() > most) {
            _ if shared && fragments.concat().len() > most => Some(0),
            refused => refused,
        };
        let payload = fragments[..refused.unwrap_or(fragments.len())].concat();
        if !takeover {
            window.clear();
        }
        let mut again = window.clone();
        let start = window.len();
        let blocks = inflate(&payload, &mut window);
        let mut whole = blocks.is_some();
        if !payload.is_empty()
            && !payload.ends_with(&TAIL)
            && !blocks.is_some_and(|blocks| blocks.ended)
        {
            // The bytes that the sender left out complete a block without adding data.
            whole = inflate(&[&payload, &TAIL[..]].concat(), &mut again).is_some()
                && again.len() == window.len();
        }
        let (delivered, failed) = judge(*text, &window[start..], limit, whole && refused.is_none());
        let failed = match (failed, refused) {
            // The naive inflater cannot distinguish corrupt data from truncated data.
            (Some(InvalidPayload), Some(_)) if !whole => vec![InvalidPayload, MessageTooBig],
            (Some(InvalidPayload), Some(_)) => vec![MessageTooBig],
            (failed, _) => Vec::from_iter(failed),
        };
        if failed.is_empty() || !delivered.is_empty() {
            let (kind, mut line) = (if *text { "text" } else { "binary" }, Canonical::default());
            line.piece(kind, delivered, true, failed.is_empty());
            expected.part = line.finish();
        }
        if !failed.is_empty() {
            let show = |violation: &Violation| format!("failed {violation:?}");
            expected.failed = failed.iter().map(show).collect();
            break;
        }
        expected.messages.append(&mut expected.part);
    }
    expected
}

fuzz_target!(|input: (u8, u8, Vec<Vec<&[u8]>>)| {
    let (flags, cut, messages) = input;
    let takeover = flags & 1 != 0;
    let limit = match usize::from(flags >> 3) {
        0 => 1 << 20,
        tens => 10 * (tens - 1),
    };
    let messages: Vec<_> = messages
        .into_iter()
        .filter(|fragments| !fragments.is_empty())
        .zip([flags & 2 != 0, flags & 4 != 0].into_iter().cycle())
        .map(|(fragments, text)| (text, fragments))
        .collect();
    let mut wire = Vec::new();
    for (text, fragments) in &messages {
        for (at, fragment) in fragments.iter().enumerate() {
            let first = if at > 0 {
                0x00
            } else if *text {
                0x41
            } else {
                0x42
            };
            let fin = if at + 1 == fragments.len() { 0x80 } else { 0x00 };
            wire.extend(frame(fin | first, fragment));
        }
    }
    let deflate = Deflate { server_no_context_takeover: !takeover, ..Deflate::new() };
    let (agreed, config) =
        (Agreed::new().deflate(deflate), Config::new().max_message(limit as u64));
    let own = expect(&messages, takeover, false, limit);
    let shared = (!takeover).then(|| expect(&messages, takeover, true, limit));
    let modes =
        [(Mode::Pieces, Some(&own)), (Mode::Own, Some(&own)), (Mode::Shared, shared.as_ref())];
    for (mode, expected) in modes {
        let Some(expected) = expected else { continue };
        for size in [1, usize::from(cut).max(1), wire.len().max(1)] {
            let mut client = Connection::new(Client(Keys::default()), &config, agreed);
            let codec = ZlibDecompress::new();
            let mut events =
                drive_inflated(&mut client, mode, codec, wire.chunks(size)).events.into_iter();
            let part = if mode == Mode::Pieces { &expected.part[..] } else { &[] };
            for event in expected.messages.iter().chain(part) {
                assert_eq!(events.next().as_ref(), Some(event), "{mode:?}, reads of {size}");
            }
            if !expected.failed.is_empty() {
                let event = events.next().unwrap_or_default();
                assert!(expected.failed.contains(&event), "{event}, {mode:?}, reads of {size}");
            }
            assert_eq!(events.next(), None, "{mode:?}, reads of {size}");
        }
    }
});
