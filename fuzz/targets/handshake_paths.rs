//! Arbitrary bytes as a head, received whole (the quick path) and with the first byte before the
//! others (the strict path). For all limits, both paths give the same result, return the same head,
//! answer with the same bytes and leave the same bytes in the input.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::heads::{request, response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (limits, max_head, bytes) = input;
    // The default limit, any limit, or one near the length.
    let max_head = match limits >> 6 {
        0 => 16 << 10,
        1 => usize::from(max_head),
        _ => bytes.len().saturating_sub(usize::from(max_head % 8)),
    };
    let _ = match limits & 7 {
        0 => request::<64>(bytes, max_head),
        1 => request::<5>(bytes, max_head),
        2 => request::<8>(bytes, max_head),
        3 => request::<0>(bytes, max_head),
        4 => response::<64>(bytes, max_head),
        5 => response::<3>(bytes, max_head),
        6 => response::<6>(bytes, max_head),
        _ => response::<0>(bytes, max_head),
    };
});
