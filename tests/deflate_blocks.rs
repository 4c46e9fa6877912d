//! Receiving compressed messages (RFC 7692 §6.2, §7.2): fragments, every kind of block, final
//! blocks, and invalid DEFLATE data.
//! Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

use crate::common::blocks::{Bits, Block, FAR, NEAR, Symbol};
use crate::common::compressed::{
    FAIL_1002, FAIL_1007, FINAL_HELLO, HELLO, HELLO_AGAIN, NO_TAKEOVER, TAKEOVER, check,
    check_both, client, deflater, sent, server,
};
use crate::common::deflate::{Mode, drive_inflated};
use crate::common::inflate::inflate;
use crate::common::{self, hex, mask, show};
use websocket_proto::{Agreed, Config, Data, Decompress, Deflater, InflateError, ZlibDecompress};

/// Covers R6455-6.2-c.
#[test]
fn r7692_7_2_2_a_the_tail_is_put_back() {
    check_both(HELLO, &["text <Hello>"], "");
    check_both("C2 07 F2 48 CD C9 C9 07 00", &["binary <48 65 6C 6C 6F>"], "");
}

#[test]
fn r7692_7_2_2_b_the_window_is_kept_with_takeover_and_empty_if_shared() {
    let twice = [HELLO, HELLO_AGAIN].join(" / ");
    check(TAKEOVER, &Config::new(), &twice, &["text <Hello>", "text <Hello>"], "");
    // Without takeover the window is empty, so the second message refers to nothing.
    let input = &twice;
    check(
        NO_TAKEOVER,
        &Config::new(),
        input,
        &["text <Hello>", "text <H", "failed InvalidPayload"],
        FAIL_1007,
    );
}

/// Covers T34.
#[test]
fn r7692_6_d_messages_that_are_not_compressed_stand_between_and_leave_the_window() {
    let input = format!("{HELLO} / 81 01 78 / 01 01 79 / 89 00 / 80 01 7A / {HELLO_AGAIN}");
    let events = ["text <Hello>", "text <x>", "ping ", "text <yz>", "text <Hello>"];
    check(TAKEOVER, &Config::new(), &input, &events, "8A 00");
    let input = format!("{HELLO} / 81 01 78 / {HELLO}");
    check_both(&input, &["text <Hello>", "text <x>", "text <Hello>"], "");
}

#[test]
fn r7692_6_e_fragments_are_joined_wherever_they_are_cut() {
    let events = ["ping ", "text <Hello>"];
    check_both("41 03 F2 48 CD / 89 00 / 80 04 C9 C9 07 00", &events, "8A 00");
    check_both("41 00 / 00 03 F2 48 CD / 89 00 / 00 04 C9 C9 07 00 / 80 00", &events, "8A 00");
    let bytes = "41 01 F2 / 00 01 48 / 00 01 CD / 00 01 C9 / 00 01 C9 / 00 01 07 / 80 01 00";
    check_both(bytes, &["text <Hello>"], "");
    // A Close in the middle abandons the message.
    check_both("41 03 F2 48 CD / 88 02 03 E8", &["text <He", "close 1000 "], "88 02 03 E8");
}

/// Covers R7692-6-c, T31.
#[test]
fn r7692_6_b_only_the_first_frame_of_a_message_may_have_rsv1() {
    check_both("41 01 F2 / 40 00", &["failed ReservedBit"], FAIL_1002);
    for frame in ["C9 00", "CA 00", "C8 00"] {
        check_both(frame, &["failed ReservedBit"], FAIL_1002);
        let inside = format!("41 03 F2 48 CD / {frame}");
        check_both(&inside, &["text <He", "failed ReservedBit"], FAIL_1002);
    }
    check(Agreed::new(), &Config::new(), HELLO, &["failed ReservedBit"], FAIL_1002);
}

#[test]
fn r7692_7_2_3_a_every_kind_of_block() {
    for payload in [
        // Stored; two blocks; a final block and a block after it.
        "00 05 00 FA FF 48 65 6C 6C 6F 00",
        "F2 48 05 00 00 00 FF FF CA C9 C9 07 00",
        "F3 48 CD C9 C9 07 00 00",
    ] {
        let frame = format!("C1 {:02X} {payload}", hex(payload).len());
        check_both(&frame, &["text <Hello>"], "");
        check_both(&[&frame, HELLO].map(|x| x as &str).join(" / "), &["text <Hello>"; 2], "");
    }
}

#[test]
fn r7692_7_2_3_c_a_message_ends_with_a_final_block() {
    for payload in FINAL_HELLO {
        let bytes = hex(payload);
        let whole = format!("C1 {:02X} {payload}", bytes.len());
        let (front, back) = (show(&bytes[..3]), show(&bytes[3..]));
        let fragments = format!("41 03 {front} / 89 00 / 80 {:02X} {back}", bytes.len() - 3);
        let empty_last = format!("41 {:02X} {payload} / 80 00", bytes.len());
        for (message, events, output) in [
            (whole, &["text <Hello>", "text <Hello>"][..], ""),
            (fragments, &["ping ", "text <Hello>", "text <Hello>"], "8A 00"),
            (empty_last, &["text <Hello>", "text <Hello>"], ""),
        ] {
            // The next message is compressed by itself, or refers to this one.
            check_both(&format!("{message} / {HELLO}"), events, output);
            let again = format!("{message} / {HELLO_AGAIN}");
            check(TAKEOVER, &Config::new(), &again, events, output);
            let both = format!("{message} / C2 01 00 / 81 01 78");
            let events = [&events[..events.len() - 1], &["binary <>", "text <x>"]].concat();
            check_both(&both, &events, output);
        }
        // The message has exactly the allowed length.
        let message = format!("C1 {:02X} {payload}", bytes.len());
        check(NO_TAKEOVER, &Config::new().max_message(5), &message, &["text <Hello>"], "");
    }
}

#[test]
fn r7692_7_2_3_c_an_empty_message_is_an_empty_final_block() {
    // Blocks with fixed codes, of which one has padding bits set; stored; with dynamic codes.
    for payload in ["03 00", "03 FC", "01 00 00 FF FF", "05 C0 01 05 00 00 00 00 A0 FF AF 03"] {
        let length = hex(payload).len();
        let input = format!("C1 {length:02X} {payload} / {HELLO}");
        check_both(&input, &["text <>", "text <Hello>"], "");
        let input = format!("{HELLO} / 42 {length:02X} {payload} / 80 00 / {HELLO_AGAIN}");
        let events = ["text <Hello>", "binary <>", "text <Hello>"];
        check(TAKEOVER, &Config::new(), &input, &events, "");
    }
}

#[test]
fn r7692_7_2_3_c_bytes_after_a_final_block_are_another_block() {
    for payload in ["01", "00 00", "55", "FF", "00 00 FF FF", "00 00 00 FF"] {
        let length = 7 + hex(payload).len();
        let input = format!("C1 {length:02X} F3 48 CD C9 C9 07 00 {payload}");
        let fine = payload == "01";
        if fine {
            check_both(&input, &["text <Hello>"], "");
        } else {
            check_both(&input, &["text <Hello", "failed InvalidPayload"], FAIL_1007);
        }
    }
}

/// Messages that end with a final block exactly where a piece is full, or a byte before or after.
#[test]
fn r7692_7_2_3_c_a_final_block_ends_where_the_output_is_full() {
    const PIECE: usize = 17 << 10;
    for length in
        [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, PIECE / 4, PIECE / 2, 4 * PIECE, 8 * PIECE]
    {
        let data = common::random(length);
        let mut payload = Vec::new();
        let mut blocks = data.chunks(60_000).peekable();
        while let Some(block) = blocks.next() {
            let size = block.len() as u16;
            payload.push(u8::from(blocks.peek().is_none()));
            payload.extend([size.to_le_bytes(), (!size).to_le_bytes()].concat());
            payload.extend(block);
        }
        let wire = [common::frame(0xC2, &payload), hex(HELLO)].concat();
        let expected = [format!("binary <{}>", show(&data)), "text <Hello>".into()];
        for mode in Mode::ALL {
            for size in [1 << 20, 1000] {
                let outcome = drive_inflated(
                    &mut client(NO_TAKEOVER),
                    mode,
                    ZlibDecompress::new(),
                    wire.chunks(size),
                );
                assert!(outcome.events == expected, "{length} {mode:?} {size}");
            }
        }
    }
}

#[test]
fn t33_the_window_is_kept_after_a_final_block() {
    // "Hello" in a final block, then a message that refers to it.
    let input = format!("C1 08 F3 48 CD C9 C9 07 00 00 / {HELLO_AGAIN}");
    check(TAKEOVER, &Config::new(), &input, &["text <Hello>"; 2], "");
    // The block that the tail completes is a final one.
    let input = format!("{HELLO} / C1 01 01 / {HELLO_AGAIN}");
    check(TAKEOVER, &Config::new(), &input, &["text <Hello>", "text <>", "text <Hello>"], "");
    // Both cases in one message; an empty message between two, of which the second refers to the
    // first.
    let both = "C1 0C F3 48 CD C9 C9 07 00 F2 00 11 00 00";
    check_both(both, &["text <HelloHello>"], "");
    let input = format!("{HELLO} / C1 03 03 00 00 / {HELLO_AGAIN}");
    check(TAKEOVER, &Config::new(), &input, &["text <Hello>", "text <>", "text <Hello>"], "");
}

/// Short blocks of every kind refer to each other, to the window before them, or to no data. Many
/// are final, some are corrupt. A naive inflater gives the expected result.
#[test]
fn t33_short_final_blocks_inflate_as_they_would_alone() {
    let random = common::random(1 << 15);
    let (mut sound, mut corrupt) = (0, 0);
    for (seed, seeds) in random.chunks(256).enumerate() {
        let mut seeds = seeds.iter().copied();
        let mut byte = || u32::from(seeds.next().unwrap_or_default());
        let mut number = |below: u32| ((byte() << 8 | byte()) * below) >> 16;
        let mut bits = Bits::default();
        // The window is empty, almost full, or full.
        let history = &common::random(40_000)[..[0, 300, 32_760, 40_000][seed % 4]];
        bits.block(true, false, Block::Stored(history));
        for _ in 0..12 {
            let (last, padding) = (number(3) > 0, number(2) > 0);
            let symbols: Vec<_> = (0..number(6))
                .map(|_| match number(40) {
                    0 => Symbol::Reference { length: number(31), distance: number(32), more: 0 },
                    1..20 => Symbol::Literal(number(256) as u8),
                    20..24 => NEAR,
                    24 if history.len() > 32_000 => FAR,
                    _ => {
                        let distance = number(if history.is_empty() { 3 } else { 15 });
                        let more = number(256) << 8 | number(256);
                        Symbol::Reference { length: number(29), distance, more }
                    }
                })
                .collect();
            match number(8) {
                0 => bits.block(last, padding, Block::Stored(b"stored")),
                1 => bits.block(last, padding, Block::Stored(b"")),
                2 => bits.block(last, padding, Block::Empty),
                _ => bits.block(last, padding, Block::Fixed(&symbols)),
            }
        }
        bits.block(true, false, Block::Stored(b"end"));
        let payload = bits.bytes();
        let mut data = Vec::new();
        let whole = inflate(&payload, &mut data).is_some();
        *if whole { &mut sound } else { &mut corrupt } += 1;
        for size in [1, 5, 33, 300] {
            let (mut codec, mut rest, mut inflated) = (ZlibDecompress::new(), &payload[..], vec![]);
            let mut output = vec![0; size];
            let progress = loop {
                let progress = codec.decompress(rest, &mut output);
                inflated.extend_from_slice(&output[..progress.produced]);
                rest = &rest[progress.consumed..];
                let done = rest.is_empty() && progress.produced < size;
                if done || progress.fault.is_some() {
                    break progress;
                }
            };
            assert!(inflated == data, "{seed}, {size}");
            let fault = (!whole).then_some(InflateError::Corrupt);
            assert_eq!((progress.fault, progress.ended), (fault, whole), "{seed}, {size}");
        }
        let wire = common::frame(0xC2, &payload);
        let (front, back) = wire.split_at(wire.len() - payload.len() + 5 + history.len());
        for mode in Mode::ALL {
            for size in [1, 3, usize::MAX] {
                let codec = ZlibDecompress::new();
                let chunks = std::iter::once(front).chain(back.chunks(size));
                let mut outcome = drive_inflated(&mut client(NO_TAKEOVER), mode, codec, chunks);
                if !whole {
                    let failed = outcome.events.pop();
                    assert_eq!(failed.as_deref(), Some("failed InvalidPayload"), "{seed}");
                }
                let mut expected = common::Canonical::default();
                if whole || mode == Mode::Pieces && !data.is_empty() {
                    expected.piece("binary", &data, true, whole);
                }
                let expected = expected.finish();
                assert!(outcome.events == expected, "{seed} {mode:?} {size}");
            }
        }
    }
    assert!(sound > 25 && corrupt > 25, "{sound} and {corrupt}");
}

/// A final block far into a long stream. After it the window is the last 32 KiB, at any position of
/// zlib's window and of the ring that remembers it.
#[test]
fn t33_the_whole_window_is_kept_after_a_final_block() {
    for length in [100, 32_767, 32_768, 32_769, 50_000, 65_536, 70_001] {
        let text: String = common::text(length);
        let mut compressor = Deflater::own(deflater());
        let mut peer = client(TAKEOVER);
        let mut wire = sent(&mut peer, |peer, out| {
            peer.send_compressed(Data::Text(&text), &mut compressor, out)
        });
        // An empty final block does not change the window.
        wire.extend(mask(&hex("C2 03 03 00 00")));
        let end = &text[text.len().saturating_sub(32_000)..];
        wire.extend(sent(&mut peer, |peer, out| {
            peer.send_compressed(Data::Text(end), &mut compressor, out)
        }));
        for mode in [Mode::Pieces, Mode::Own] {
            for size in [1 << 20, 1000] {
                let outcome = drive_inflated(
                    &mut server(TAKEOVER),
                    mode,
                    ZlibDecompress::new(),
                    wire.chunks(size),
                );
                let expected =
                    [format!("text <{text}>"), "binary <>".into(), format!("text <{end}>")];
                assert!(outcome.events == expected, "{length} {mode:?} {size}");
            }
        }
    }
}

/// Covers T33.
#[test]
fn r7692_7_2_3_b_an_empty_message() {
    check_both("C1 01 00", &["text <>"], "");
    // The same message in no bytes at all, and in empty fragments only.
    for empty in ["C1 00", "41 00 / 80 00", "41 00 / 80 01 00", "41 01 00 / 80 00"] {
        check_both(&format!("{empty} / {HELLO}"), &["text <>", "text <Hello>"], "");
    }
    for last in [true, false] {
        let mut deflater = Deflater::own(deflater()).threshold(0);
        let mut connection = server(TAKEOVER);
        for text in ["", "Hello", "", ""] {
            let out = sent(&mut connection, |connection, out| {
                if last {
                    return connection.send_compressed(Data::Text(text), &mut deflater, out);
                }
                connection.send_compressed_fragment(Data::Text(""), false, &mut deflater, out)?;
                connection.send_compressed_fragment(Data::Text(text), true, &mut deflater, out)
            });
            let empty = if last { "C1 01 00" } else { "41 00 80 01 00" };
            assert_eq!(out == hex(empty), text.is_empty(), "{text:?}");
        }
    }
}

#[test]
fn t33_corrupt_truncated_or_trailing_data_is_1007() {
    for (payload, delivered) in [
        // The reserved block type; a stored block whose lengths differ; a distance that is too far.
        ("07", ""),
        ("00 05 00 FA FE 48 65 6C 6C 6F 00", ""),
        ("F2 00 11 00 00", "48"),
        // Truncated: inside the last block, inside a stored one, before the empty one, inside the
        // codes of a block, after which any bytes would be valid codes.
        ("44 07", ""),
        ("F2 48 CD C9 C9 07", "48 65 6C 6C 6F"),
        ("F2 48 CD C9", "48 65 6C"),
        ("00 05 00 FA FF 48 65", "48 65"),
        ("F3 48 CD C9 C9 07", "48 65 6C 6C 6F"),
        // Garbage after the end.
        ("F2 48 CD C9 C9 07 00 55", "48 65 6C 6C 6F"),
        ("F3 48 CD C9 C9 07 00 00 FF", "48 65 6C 6C 6F"),
    ] {
        let frame = format!("C2 {:02X} {payload}", hex(payload).len());
        let piece = format!("binary <{delivered}");
        let events = [&*piece, "failed InvalidPayload"];
        check_both(&frame, &events[usize::from(delivered.is_empty())..], FAIL_1007);
    }
}

#[test]
fn t33_a_message_that_kept_its_tail_is_read_and_so_is_the_next() {
    let untrimmed = "C1 0B F2 48 CD C9 C9 07 00 00 00 FF FF";
    check_both(&format!("{untrimmed} / {HELLO}"), &["text <Hello>"; 2], "");
    let fragments = "41 09 F2 48 CD C9 C9 07 00 00 00 / 80 02 FF FF";
    check(
        TAKEOVER,
        &Config::new(),
        &format!("{fragments} / {HELLO_AGAIN}"),
        &["text <Hello>"; 2],
        "",
    );
}
