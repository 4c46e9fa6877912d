//! Compressed messages (RFC 7692 §6, §7.2). Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

mod common;

use common::blocks::{Bits, Block, FAR, NEAR, Symbol};
use common::deflate::{Mode, drive_inflated};
use common::inflate::inflate;
use common::{Keys, Outcome, cuts, few_cuts, frames, hex, mask, show, unmask};
use websocket_proto::{
    Agreed, Client, Compress, Config, Connection, Data, Decompress, Deflate, Deflater, Event,
    Failure, InflateError, Inflater, InternalError, Message, Messages, Prepared, Progress, Role,
    SendError, Server, SliceOutput, Violation, WindowBits, ZlibCompress, ZlibDecompress,
};

const TAKEOVER: Agreed = Agreed::new().deflate(Deflate {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    ..Deflate::new()
});
const NO_TAKEOVER: Agreed = Agreed::new().deflate(Deflate::new());

/// "Hello" compressed, and once more by a compressor that remembers it (RFC 7692 §7.2.3).
const HELLO: &str = "C1 07 F2 48 CD C9 C9 07 00";
const HELLO_AGAIN: &str = "C1 05 F2 00 11 00 00";

const FAIL_1002: &str = "88 02 03 EA";
const FAIL_1007: &str = "88 02 03 EF";
const FAIL_1009: &str = "88 02 03 F1";
const FAIL_1011: &str = "88 02 03 F3";

/// Runs frames in hex through new connections in both roles, in every mode that `agreed` allows and
/// with every cut, and checks what comes of them as whole messages. What is delivered of a message
/// that fails, `text <...` without an end, shows in pieces only.
fn check(agreed: Agreed, config: &Config, input: &str, events: &[&str], output: &str) {
    let takeover = agreed == TAKEOVER;
    let unfinished = |line: &&str| line.contains(" <") && !line.ends_with('>');
    for mode in Mode::ALL {
        if mode.is_shared() && takeover {
            continue;
        }
        let shown = |line: &&&str| mode == Mode::Pieces || !unfinished(line);
        let events: Vec<_> = events.iter().filter(shown).copied().collect();
        let outcome = |bytes: &[u8], client: bool, chunks: Vec<&[u8]>| {
            let pieces = chunks.len();
            let codec = ZlibDecompress::new();
            let outcome = if client {
                let mut connection = Connection::new(Client(Keys::default()), config, agreed);
                let outcome = drive_inflated(&mut connection, mode, codec, chunks);
                Outcome { output: unmask(&outcome.output), ..outcome }
            } else {
                drive_inflated(&mut Connection::new(Server, config, agreed), mode, codec, chunks)
            };
            let which = format!("{mode:?}, client {client}, {pieces} pieces of {bytes:02X?}");
            assert_eq!(outcome.events, events, "{which}");
            assert_eq!(show(&outcome.output), show(&hex(output)), "{which}");
        };
        for client in [false, true] {
            let bytes = frames(input, !client);
            for chunks in cuts(&bytes) {
                outcome(&bytes, client, chunks);
            }
        }
    }
}

fn check_both(input: &str, events: &[&str], output: &str) {
    check(NO_TAKEOVER, &Config::new(), input, events, output);
    check(TAKEOVER, &Config::new(), input, events, output);
}

/// What a connection sends by `send`, unmasked.
fn sent<R: Role>(
    connection: &mut Connection<R>,
    send: impl FnOnce(&mut Connection<R>, &mut Vec<u8>) -> Result<(), SendError>,
) -> Vec<u8> {
    let mut out = Vec::new();
    send(connection, &mut out).expect("it can be sent");
    out
}

fn server(agreed: Agreed) -> Connection<Server> {
    Connection::new(Server, &Config::new(), agreed)
}

fn client(agreed: Agreed) -> Connection<Client<Keys>> {
    Connection::new(Client(Keys::default()), &Config::new(), agreed)
}

fn deflater() -> ZlibCompress {
    ZlibCompress::new(6)
}

/// The payloads of frames.
fn payloads(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let [_, second, rest @ ..] = frames {
        let width = [0, 2, 8][usize::from(*second).saturating_sub(125)];
        let length = if width == 0 {
            usize::from(*second)
        } else {
            rest[..width].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        payloads.push(rest[width..][..length].to_vec());
        frames = &rest[width + length..];
    }
    payloads
}

#[test]
fn r7692_7_2_2_a_r6455_6_2_c_the_tail_is_put_back() {
    check_both(HELLO, &["text <Hello>"], "");
    check_both("C2 07 F2 48 CD C9 C9 07 00", &["binary <48 65 6C 6C 6F>"], "");
}

#[test]
fn r7692_7_2_2_b_the_window_is_kept_with_takeover_and_empty_if_shared() {
    let twice = [HELLO, HELLO_AGAIN].join(" / ");
    check(TAKEOVER, &Config::new(), &twice, &["text <Hello>", "text <Hello>"], "");
    // Where no takeover was agreed, the window is empty, and there is nothing to refer to.
    let input = &twice;
    check(
        NO_TAKEOVER,
        &Config::new(),
        input,
        &["text <Hello>", "text <H", "failed InvalidPayload"],
        FAIL_1007,
    );
}

#[test]
fn r7692_6_d_t34_messages_that_are_not_compressed_stand_between_and_leave_the_window() {
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
    // A Close in the middle gives the message up.
    check_both("41 03 F2 48 CD / 88 02 03 E8", &["text <He", "close 1000 "], "88 02 03 E8");
}

#[test]
fn r7692_6_b_r7692_6_c_t31_rsv1_stands_on_the_first_frame_of_a_message_alone() {
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
        // stored; two blocks; a final one and what follows it
        "00 05 00 FA FF 48 65 6C 6C 6F 00",
        "F2 48 05 00 00 00 FF FF CA C9 C9 07 00",
        "F3 48 CD C9 C9 07 00 00",
    ] {
        let frame = format!("C1 {:02X} {payload}", hex(payload).len());
        check_both(&frame, &["text <Hello>"], "");
        check_both(&[&frame, HELLO].map(|x| x as &str).join(" / "), &["text <Hello>"; 2], "");
    }
}

/// Payloads of "Hello" that end with a final block, which nothing completes: of fixed codes, stored,
/// behind a block that is not final, of codes of its own, and behind another final one.
const FINAL_HELLO: [&str; 5] = [
    "F3 48 CD C9 C9 07 00",
    "01 05 00 FA FF 48 65 6C 6C 6F",
    "F2 48 05 00 00 00 FF FF CB C9 C9 07 00",
    "05 80 B1 09 00 00 00 82 DE F3 11 37 A1 FF B7 C0 DA 01",
    "F3 48 05 00 CB C9 C9 07 00",
];

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
            // What comes next is compressed by itself, or refers to it.
            check_both(&format!("{message} / {HELLO}"), events, output);
            let again = format!("{message} / {HELLO_AGAIN}");
            check(TAKEOVER, &Config::new(), &again, events, output);
            let both = format!("{message} / C2 01 00 / 81 01 78");
            let events = [&events[..events.len() - 1], &["binary <>", "text <x>"]].concat();
            check_both(&both, &events, output);
        }
        // It fills just what is allowed.
        let message = format!("C1 {:02X} {payload}", bytes.len());
        check(NO_TAKEOVER, &Config::new().max_message(5), &message, &["text <Hello>"], "");
    }
}

#[test]
fn r7692_7_2_3_c_an_empty_message_is_an_empty_final_block() {
    // Of fixed codes, with bits set that nobody reads; stored; of codes of its own.
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
fn r7692_7_2_3_c_bytes_behind_a_final_block_are_another_block() {
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

/// A message that ends with a final block where a piece of it is full, and one that ends a byte
/// sooner or later.
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
fn t33_the_window_is_kept_behind_a_final_block() {
    // "Hello" in a final block, then a message that refers to it.
    let input = format!("C1 08 F3 48 CD C9 C9 07 00 00 / {HELLO_AGAIN}");
    check(TAKEOVER, &Config::new(), &input, &["text <Hello>"; 2], "");
    // Where the block that the tail completes is a final one.
    let input = format!("{HELLO} / C1 01 01 / {HELLO_AGAIN}");
    check(TAKEOVER, &Config::new(), &input, &["text <Hello>", "text <>", "text <Hello>"], "");
    // Both in one message, and with a message in front that only the second refers to.
    let both = "C1 0C F3 48 CD C9 C9 07 00 F2 00 11 00 00";
    check_both(both, &["text <HelloHello>"], "");
    let input = format!("{HELLO} / C1 03 03 00 00 / {HELLO_AGAIN}");
    check(TAKEOVER, &Config::new(), &input, &["text <Hello>", "text <>", "text <Hello>"], "");
}

/// Short blocks of every kind, many of them final, corrupt here and there, refer to each other and to
/// a window in front of them, or to what is none. A naive inflater tells what they are.
#[test]
fn t33_short_final_blocks_inflate_as_they_would_alone() {
    let random = common::random(1 << 15);
    let (mut sound, mut corrupt) = (0, 0);
    for (seed, seeds) in random.chunks(256).enumerate() {
        let mut seeds = seeds.iter().copied();
        let mut byte = || u32::from(seeds.next().unwrap_or_default());
        let mut number = |below: u32| ((byte() << 8 | byte()) * below) >> 16;
        let mut bits = Bits::default();
        // A window that is empty, about to be filled, or full.
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

/// A final block far into a long stream: the window behind it is the last 32 KiB, wherever zlib and
/// the ring that remembers it have come to.
#[test]
fn t33_the_window_is_kept_whole_behind_a_final_block() {
    for length in [100, 32_767, 32_768, 32_769, 50_000, 65_536, 70_001] {
        let text: String = common::text(length);
        let mut compressor = Deflater::own(deflater());
        let mut peer = client(TAKEOVER);
        let mut wire = sent(&mut peer, |peer, out| {
            peer.send_compressed(Data::Text(&text), &mut compressor, out)
        });
        // An empty final block moves nothing in the window.
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

#[test]
fn r7692_7_2_3_b_t33_an_empty_message() {
    check_both("C1 01 00", &["text <>"], "");
    // The same in no bytes at all, and in none but fragments.
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
fn t33_what_is_corrupt_cut_short_or_followed_by_garbage_is_1007() {
    for (payload, delivered) in [
        // the reserved type of block; a stored block whose lengths differ; a distance too far
        ("07", ""),
        ("00 05 00 FA FE 48 65 6C 6C 6F 00", ""),
        ("F2 00 11 00 00", "48"),
        // cut short: inside the last block, inside a stored one, in front of the empty one, inside
        // the codes of a block, which would take anything for more of them
        ("44 07", ""),
        ("F2 48 CD C9 C9 07", "48 65 6C 6C 6F"),
        ("F2 48 CD C9", "48 65 6C"),
        ("00 05 00 FA FF 48 65", "48 65"),
        ("F3 48 CD C9 C9 07", "48 65 6C 6C 6F"),
        // garbage behind the end
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

#[test]
fn r7692_6_f_text_is_judged_as_it_is_inflated() {
    // FF, stored; and a code point that the message ends in.
    check_both("C1 07 00 01 00 FE FF FF 00", &["failed InvalidUtf8"], FAIL_1007);
    check_both("C1 08 00 02 00 FD FF E2 82 00", &["failed InvalidUtf8"], FAIL_1007);
    // Whole over a cut in the compressed bytes, and one that is completed by the next block.
    check_both("C1 0E 00 02 00 FD FF E2 82 00 01 00 FE FF AC 00", &["text <€>"], "");
    // An own codec does not wait for the end; a shared one cannot know before.
    let bad = frames("41 06 00 01 00 FE FF FF", true);
    for (mode, events) in [(Mode::Pieces, 1), (Mode::Own, 1), (Mode::Shared, 0)] {
        let chunks = [&bad[..]];
        let outcome = drive_inflated(&mut server(NO_TAKEOVER), mode, ZlibDecompress::new(), chunks);
        assert_eq!(outcome.events, ["failed InvalidUtf8"][..events]);
    }
    // In pieces, what is valid comes first.
    let mut bad = frames("C1 0A 00 04 00 FB FF 61 C3 A9 FF 00", true);
    let mut connection = server(NO_TAKEOVER);
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    let Some(Event::Compressed(mut piece)) = connection.receive(&mut &mut bad[..]) else {
        panic!("no piece")
    };
    let event = inflater.inflate(&mut connection, &mut piece);
    let Some(Event::Text(text)) = event else { panic!("{event:?}") };
    assert_eq!((&*text, text.is_first(), text.is_last()), ("aé", true, false));
    let event = inflater.inflate(&mut connection, &mut piece);
    assert!(
        matches!(event, Some(Event::Failed(Failure::Violation(Violation::InvalidUtf8)))),
        "{event:?}"
    );
    assert!(inflater.inflate(&mut connection, &mut piece).is_none());
}

#[test]
fn r7692_6_f_t30_a_bomb_meets_the_limit_at_the_exact_byte() {
    // Ten bytes that do not compress: twelve on the wire.
    let ten = "C2 10 00 0A 00 F5 FF 61 62 63 64 65 66 67 68 69 6A 00";
    let event = "binary <61 62 63 64 65 66 67 68 69 6A>";
    for agreed in [NO_TAKEOVER, TAKEOVER] {
        check(agreed, &Config::new().max_message(10), ten, &[event], "");
        let nine = "binary <61 62 63 64 65 66 67 68 69";
        let events = [nine, "failed MessageTooBig"];
        check(agreed, &Config::new().max_message(9), ten, &events, FAIL_1009);
        // One byte over in the last block, which the blocks in front of it do not tell.
        let eleven =
            "42 0F 00 0A 00 F5 FF 61 62 63 64 65 66 67 68 69 6A / 80 07 00 01 00 FE FF 6B 00";
        let config = Config::new().max_message(10);
        let all = event.trim_end_matches('>');
        check(agreed, &config, eleven, &[all, "failed MessageTooBig"], FAIL_1009);
        check(agreed, &Config::new().max_message(0), "C1 01 00", &["text <>"], "");
        check(agreed, &Config::new().max_message(0), HELLO, &["failed MessageTooBig"], FAIL_1009);
    }
    // A thousand to one: 1 MiB of zeros.
    let mut bomb = Deflater::own(ZlibCompress::new(9));
    let mut peer = client(TAKEOVER);
    let mut wire = sent(&mut peer, |peer, out| {
        let zeros = vec![0; 1 << 20];
        peer.send_compressed(Data::Binary(&zeros), &mut bomb, out)
    });
    assert!(wire.len() < 1100, "{}", wire.len());
    wire.extend(mask(&hex("81 01 78")));
    for (mode, agreed) in
        [(Mode::Pieces, TAKEOVER), (Mode::Own, TAKEOVER), (Mode::Shared, NO_TAKEOVER)]
    {
        for (limit, fits) in [(1 << 20, true), ((1 << 20) - 1, false), (1000, false)] {
            let config = Config::new().max_message(limit);
            let mut connection = Connection::new(Server, &config, agreed);
            let outcome =
                drive_inflated(&mut connection, mode, ZlibDecompress::new(), wire.chunks(100));
            let last = outcome.events.last().map(String::as_str);
            let expected = if fits { "text <x>" } else { "failed MessageTooBig" };
            assert_eq!(last, Some(expected), "{mode:?} {limit}");
        }
    }
}

#[test]
fn r6455_10_4_a_t10_a_compressed_frame_that_cannot_fit_fails_by_its_header() {
    let config = Config::new().max_message(1000);
    // 1000, an eighth of it, and 64.
    for agreed in [NO_TAKEOVER, TAKEOVER] {
        check(agreed, &config, "C2 7E 04 A6", &["failed MessageTooBig"], FAIL_1009);
        check(agreed, &config, "C2 7E 04 A5", &[], "");
        check(agreed, &config, "42 01 00 / 80 7E 04 A6", &["failed MessageTooBig"], FAIL_1009);
        let longest = "C2 7F 7F FF FF FF FF FF FF FF";
        check(agreed, &config, longest, &["failed MessageTooBig"], FAIL_1009);
        check(agreed, &config, "82 7E 03 E9", &["failed MessageTooBig"], FAIL_1009);
        // The room of a compressed message does not pass to the next.
        let input = format!("{HELLO} / 82 7E 03 E9");
        check(agreed, &config, &input, &["text <Hello>", "failed MessageTooBig"], FAIL_1009);
    }
}

/// Each flush adds some bytes, so how much is on the wire does not tell how much there is.
#[test]
fn r6455_10_4_b_t13_fine_fragments_of_a_message_within_the_limit() {
    let config = Config::new().max_message(1000);
    let data = common::random(1000);
    for (size, shared_too) in [(1, false), (10, false), (100, true)] {
        let mut deflater = Deflater::own(deflater());
        let (mut peer, mut wire) = (client(NO_TAKEOVER), Vec::new());
        for part in data.chunks(size) {
            let part = Data::Binary(part);
            peer.send_compressed_fragment(part, false, &mut deflater, &mut wire).unwrap();
        }
        let end = Data::Binary(b"");
        peer.send_compressed_fragment(end, true, &mut deflater, &mut wire).unwrap();
        let whole = format!("binary <{}>", show(&data));
        for (mode, fits) in [(Mode::Pieces, true), (Mode::Own, true), (Mode::Shared, shared_too)] {
            let mut connection = Connection::new(Server, &config, NO_TAKEOVER);
            let codec = ZlibDecompress::new();
            let outcome = drive_inflated(&mut connection, mode, codec, wire.chunks(64));
            // What is gathered before it is inflated has a limit of its own.
            let expected = if fits { &whole } else { "failed MessageTooBig" };
            assert!(outcome.events == [expected], "{mode:?}, fragments of {size}");
        }
    }
}

#[test]
fn r7692_7_2_1_a_r7692_7_1_1_a_r7692_7_1_1_c_r7692_8_a_the_payload_and_the_choice() {
    let hello = Data::Text("Hello");
    for own in [false, true] {
        let make = || {
            let codec = deflater();
            if own { Deflater::own(codec) } else { Deflater::shared(codec) }.threshold(0)
        };
        // No takeover, by each side: the same bytes twice.
        let (mut deflater, mut connection) = (make(), server(NO_TAKEOVER));
        for _ in 0..2 {
            let out = sent(&mut connection, |server, out| {
                server.send_compressed(hello, &mut deflater, out)
            });
            assert_eq!(out, hex(HELLO));
        }
        let (mut deflater, mut connection) = (make(), client(NO_TAKEOVER));
        for _ in 0..2 {
            let out = sent(&mut connection, |client, out| {
                client.send_compressed(hello, &mut deflater, out)
            });
            assert_eq!(unmask(&out), hex(HELLO));
        }
        // Takeover: the second refers to the first, unless the codec is not the connection's own.
        let (mut deflater, mut connection) = (make(), server(TAKEOVER));
        for again in [false, own] {
            let out = sent(&mut connection, |server, out| {
                server.send_compressed(hello, &mut deflater, out)
            });
            assert_eq!(out, hex(if again { HELLO_AGAIN } else { HELLO }), "{own}");
        }
        // The choice for each message: as it is, and the window does not see it.
        let out = sent(&mut connection, |server, out| server.send_text("Hello", out));
        assert_eq!(out, b"\x81\x05Hello");
        // Not agreed: as it is.
        let out = sent(&mut server(Agreed::new()), |server, out| {
            server.send_compressed(hello, &mut make(), out)
        });
        assert_eq!(out, b"\x81\x05Hello");
    }
}

#[test]
fn messages_under_the_threshold_are_sent_as_they_are() {
    let mut deflater = Deflater::shared(deflater()).threshold(10);
    let mut connection = server(NO_TAKEOVER);
    for (text, rsv1) in [("aaaaaaaaa", false), ("aaaaaaaaaa", true)] {
        let out = sent(&mut connection, |server, out| {
            server.send_compressed(Data::Text(text), &mut deflater, out)
        });
        assert_eq!(out[0], if rsv1 { 0xC1 } else { 0x81 });
    }
    let mut by_default = Deflater::shared(ZlibCompress::new(1));
    for (length, first) in [(63, 0x82), (64, 0xC2)] {
        let out = sent(&mut connection, |server, out| {
            server.send_compressed(Data::Binary(&vec![0; length]), &mut by_default, out)
        });
        assert_eq!(out[0], first);
    }
}

#[test]
fn r7692_7_2_1_b_the_window_of_a_shared_deflater_is_forgotten_between_fragments() {
    let mut deflater = Deflater::shared(deflater());
    let (mut one, mut two) = (server(NO_TAKEOVER), server(NO_TAKEOVER));
    let mut send = |connection: &mut Connection<Server>, text, last| {
        let data = Data::Text(text);
        sent(connection, |connection, out| {
            connection.send_compressed_fragment(data, last, &mut deflater, out)
        })
    };
    // What the other connection sends in between would be worth a reference.
    let secret = "the quick brown fox jumps over the lazy dog";
    let mut wire = send(&mut one, "first, ", false);
    send(&mut two, secret, false);
    wire.extend(send(&mut one, secret, true));
    let codec = ZlibDecompress::new();
    let outcome = drive_inflated(&mut client(NO_TAKEOVER), Mode::Own, codec, [&wire[..]]);
    assert_eq!(outcome.events, [format!("text <first, {secret}>")]);
}

#[test]
fn r7692_6_a_the_first_fragment_alone_has_rsv1() {
    for kind in
        [Data::Text as fn(&'static str) -> Data<'static>, |text| Data::Binary(text.as_bytes())]
    {
        for (own, agreed) in
            [(true, TAKEOVER), (true, NO_TAKEOVER), (false, TAKEOVER), (false, NO_TAKEOVER)]
        {
            let codec = deflater();
            let mut deflater = if own { Deflater::own(codec) } else { Deflater::shared(codec) };
            let mut connection = server(agreed);
            let mut wire = Vec::new();
            for _ in 0..2 {
                for (part, last) in [("Hello, ", false), ("Hello, ", false), ("Hello", true)] {
                    let mut out = Vec::new();
                    connection
                        .send_compressed_fragment(kind(part), last, &mut deflater, &mut out)
                        .unwrap();
                    connection.ping(b"", &mut out).unwrap();
                    wire.push(out);
                }
            }
            let firsts: Vec<u8> = wire.iter().map(|frame| frame[0]).collect();
            let opcode = if matches!(kind(""), Data::Text(_)) { 0x41 } else { 0x42 };
            assert_eq!(firsts, [opcode, 0x00, 0x80, opcode, 0x00, 0x80]);
            // Each fragment can be read in full when it arrives.
            let mut peer = client(agreed);
            let mut inflater = Inflater::own(ZlibDecompress::new());
            for (frame, part) in
                wire.iter().zip(["Hello, ", "Hello, ", "Hello"].into_iter().cycle())
            {
                let mut buffer = frame.clone();
                let mut input = &mut buffer[..];
                let mut read = Vec::new();
                while let Some(event) = peer.receive(&mut input) {
                    let Event::Compressed(mut piece) = event else { continue };
                    while let Some(event) = inflater.inflate(&mut peer, &mut piece) {
                        match event {
                            Event::Text(text) => read.extend_from_slice(text.as_bytes()),
                            Event::Binary(data) => read.extend_from_slice(&data),
                            other => panic!("{other:?}"),
                        }
                    }
                }
                assert_eq!(read, part.as_bytes());
            }
        }
    }
}

/// Also where nothing of the first fragment went through the codec.
#[test]
fn r7692_7_1_1_a_an_empty_first_fragment_begins_the_message() {
    let mut deflater = Deflater::own(deflater());
    let mut connection = server(NO_TAKEOVER);
    for _ in 0..3 {
        let out = sent(&mut connection, |server, out| {
            server.send_compressed_fragment(Data::Text(""), false, &mut deflater, out)?;
            server.send_compressed_fragment(Data::Text("Hello"), false, &mut deflater, out)?;
            server.send_compressed_fragment(Data::Text(""), true, &mut deflater, out)
        });
        assert_eq!(out, hex("41 00 / 00 0B F2 48 CD C9 C9 07 00 00 00 FF FF / 80 01 00"));
    }
}

#[test]
fn a_message_is_compressed_in_all_its_fragments_or_in_none() {
    let mut deflater = Deflater::own(deflater());
    let mut connection = server(TAKEOVER);
    let mut out = Vec::new();
    connection.send_compressed_fragment(Data::Text("a"), false, &mut deflater, &mut out).unwrap();
    let length = out.len();
    let open = Err(SendError::MessageOpen);
    assert_eq!(connection.send_fragment(Data::Text("b"), true, &mut out), open);
    assert_eq!(connection.frame(Data::Text("b"), true).map(|_| ()), open);
    assert_eq!(connection.send_text("b", &mut out), open);
    assert_eq!(
        connection.send_compressed(Data::Text(&"b".repeat(99)), &mut deflater, &mut out),
        open
    );
    let other = Data::Binary(b"b");
    assert_eq!(connection.send_compressed_fragment(other, true, &mut deflater, &mut out), open);
    assert_eq!(out.len(), length);
    connection.send_compressed_fragment(Data::Text("b"), true, &mut deflater, &mut out).unwrap();
    // One that began plain goes on plain, and so does all where compression was not agreed.
    for agreed in [TAKEOVER, Agreed::new()] {
        let mut connection = server(agreed);
        let mut out = Vec::new();
        if agreed == TAKEOVER {
            connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
        } else {
            connection
                .send_compressed_fragment(Data::Text("a"), false, &mut deflater, &mut out)
                .unwrap();
        }
        connection
            .send_compressed_fragment(Data::Text("b"), true, &mut deflater, &mut out)
            .unwrap();
        assert_eq!(out, b"\x01\x01a\x80\x01b");
    }
    // After a Close nothing is compressed.
    let mut connection = server(TAKEOVER);
    connection.close(None, &mut out).unwrap();
    let closing = Err(SendError::Closing);
    let text = "b".repeat(99);
    assert_eq!(connection.send_compressed(Data::Text(&text), &mut deflater, &mut out), closing);
    let fragment =
        connection.send_compressed_fragment(Data::Text(""), true, &mut deflater, &mut out);
    assert_eq!(fragment, closing);
}

#[test]
fn without_room_nothing_was_compressed_and_the_next_message_can_be_read() {
    let (first, lost, third) = ("one ".repeat(50), "two ".repeat(50), "one two ".repeat(50));
    let mut deflater = Deflater::own(deflater());
    let mut connection = client(TAKEOVER);
    let mut wire = Vec::new();
    connection.send_compressed(Data::Text(&first), &mut deflater, &mut wire).unwrap();
    let mut memory = [0; 64];
    let mut small = SliceOutput::new(&mut memory);
    let full = Err(SendError::Full);
    assert_eq!(connection.send_compressed(Data::Text(&lost), &mut deflater, &mut small), full);
    let fragment =
        connection.send_compressed_fragment(Data::Text(&lost), false, &mut deflater, &mut small);
    assert_eq!(fragment, full);
    assert!(small.written().is_empty());
    connection.send_compressed(Data::Text(&third), &mut deflater, &mut wire).unwrap();
    let outcome =
        drive_inflated(&mut server(TAKEOVER), Mode::Own, ZlibDecompress::new(), [&wire[..]]);
    assert_eq!(outcome.events, [format!("text <{first}>"), format!("text <{third}>")]);

    // The same where there is no key to mask with.
    struct Dry(bool);
    impl websocket_proto::MaskSource for Dry {
        fn mask_key(&mut self) -> Option<[u8; 4]> {
            self.0 = !self.0;
            self.0.then_some([1, 2, 3, 4])
        }
    }
    let mut deflater = Deflater::own(ZlibCompress::new(6));
    let mut connection = Connection::new(Client(Dry(false)), &Config::new(), TAKEOVER);
    let mut wire = Vec::new();
    let verdicts = [&first, &lost, &third]
        .map(|text| connection.send_compressed(Data::Text(text), &mut deflater, &mut wire));
    assert_eq!(verdicts, [Ok(()), Err(SendError::NoMaskKey), Ok(())]);
    let outcome =
        drive_inflated(&mut server(TAKEOVER), Mode::Own, ZlibDecompress::new(), [&wire[..]]);
    assert_eq!(outcome.events, [format!("text <{first}>"), format!("text <{third}>")]);
}

#[test]
fn r7692_7_2_1_b_references_stay_within_the_agreed_window() {
    let texts: Vec<String> = (0..3).map(|at| common::text(20_000 + at * 4_000)).collect();
    for bits in 8..=15 {
        let window = WindowBits::new(bits);
        let deflate = Deflate {
            server_max_window_bits: window,
            client_max_window_bits: window,
            ..TAKEOVER.deflate.unwrap()
        };
        for no_takeover in [false, true] {
            let deflate = Deflate { server_no_context_takeover: no_takeover, ..deflate };
            for level in 1..=9 {
                let mut deflater = Deflater::own(ZlibCompress::new(level));
                let mut connection = server(Agreed::new().deflate(deflate));
                let (mut history, mut farthest) = (Vec::new(), 0);
                for text in &texts {
                    let out = sent(&mut connection, |server, out| {
                        server.send_compressed(Data::Text(text), &mut deflater, out)
                    });
                    let payload = [&payloads(&out)[0][..], &[0, 0, 0xFF, 0xFF]].concat();
                    if no_takeover {
                        history.clear();
                    }
                    let start = history.len();
                    let blocks = inflate(&payload, &mut history).expect("DEFLATE");
                    farthest = farthest.max(blocks.farthest);
                    assert_eq!(&history[start..], text.as_bytes());
                }
                assert!(farthest <= 1 << bits, "{farthest} at {bits} bits, level {level}");
                // The window is used: what is said of it is not empty.
                assert!(bits == 8 || farthest > 1 << (bits - 2), "{farthest} at {bits} bits");
            }
        }
    }
}

/// A shared codec compresses for one connection, then for another with a smaller window.
#[test]
fn r7692_7_2_1_b_a_shared_codec_follows_the_window_of_each_connection() {
    let text = common::text(40_000);
    let mut deflater = Deflater::shared(ZlibCompress::new(6));
    for bits in [15, 9, 8, 12, 9, 15] {
        let deflate = Deflate { client_max_window_bits: WindowBits::new(bits), ..Deflate::new() };
        let out = sent(&mut client(Agreed::new().deflate(deflate)), |client, out| {
            client.send_compressed(Data::Text(&text), &mut deflater, out)
        });
        let payload = [&payloads(&unmask(&out))[0][..], &[0, 0, 0xFF, 0xFF]].concat();
        let mut plain = Vec::new();
        let farthest = inflate(&payload, &mut plain).expect("DEFLATE").farthest;
        assert_eq!(plain, text.as_bytes());
        assert!(farthest <= 1 << bits, "{farthest} at {bits} bits");
    }
}

#[test]
fn t35_what_zlib_compressed_is_inflated_at_any_cut() {
    let mut plain = std::collections::HashMap::new();
    let mut vectors = 0;
    for line in include_str!("zlib.txt").lines().filter(|line| !line.starts_with('#')) {
        let (head, bytes) = line.split_once(": ").expect("a name and bytes");
        let words: Vec<&str> = head.split(' ').collect();
        match words[..] {
            ["plain", name] => drop(plain.insert(name, hex(bytes))),
            ["window", bits, "level", level, "takeover", takeover, ref names @ ..] => {
                vectors += 1;
                let takeover = takeover == "yes";
                let agreed = Deflate {
                    client_no_context_takeover: !takeover,
                    client_max_window_bits: WindowBits::new(bits.parse().unwrap()),
                    ..Deflate::new()
                };
                let agreed = Agreed::new().deflate(agreed);
                let messages: Vec<Vec<u8>> = bytes.split(" | ").map(hex).collect();
                assert_eq!(messages.len(), names.len());
                let mut wire = Vec::new();
                for payload in &messages {
                    wire.extend(mask(&common::frame(0xC2, payload)));
                }
                let expected: Vec<String> =
                    names.iter().map(|name| format!("binary <{}>", show(&plain[name]))).collect();
                let which = format!("window {bits}, level {level}, {takeover}");
                for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
                    if mode.is_shared() && takeover {
                        continue;
                    }
                    let all = [1, usize::MAX, 2, 3, 7, 64, 300, 1000];
                    let sizes = if few_cuts() { &all[..2] } else { &all[..] };
                    for &size in sizes {
                        let mut connection = server(agreed);
                        let chunks = wire.chunks(size);
                        let outcome =
                            drive_inflated(&mut connection, mode, ZlibDecompress::new(), chunks);
                        assert!(outcome.events == expected, "{which}, {mode:?}, reads of {size}");
                    }
                    for at in (1..wire.len()).step_by(17).filter(|_| !few_cuts()) {
                        let (front, back) = wire.split_at(at);
                        let mut connection = server(agreed);
                        let outcome = drive_inflated(
                            &mut connection,
                            mode,
                            ZlibDecompress::new(),
                            [front, back],
                        );
                        assert!(outcome.events == expected, "{which}, {mode:?}, cut at {at}");
                    }
                }
            }
            _ => panic!("{head}"),
        }
    }
    // Windows 9 to 15, levels 1, 6 and 9, with takeover and without.
    assert_eq!(vectors, 7 * 3 * 2);
}

#[test]
fn t35_round_trips_both_ways_with_and_without_takeover() {
    let random = common::random(20_000);
    let texts = [common::text(1), common::text(300), common::text(100_000), "é€😀".repeat(900)];
    for bits in 8..=15 {
        for (server_resets, client_resets) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let agreed = Agreed::new().deflate(Deflate {
                server_no_context_takeover: server_resets,
                client_no_context_takeover: client_resets,
                server_max_window_bits: WindowBits::new(bits),
                client_max_window_bits: WindowBits::new(23 - bits),
            });
            for level in [1, 6, 9] {
                let (mut one, mut two) = (server(agreed), client(agreed));
                let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
                let mut server_deflater = Deflater::own(ZlibCompress::new(level)).threshold(0);
                let mut client_deflater =
                    Deflater::own(ZlibCompress::new(level).memory_level(1)).threshold(0);
                let mut expected = Vec::new();
                for text in &texts {
                    for data in [Data::Text(text), Data::Binary(&random)] {
                        one.send_compressed(data, &mut server_deflater, &mut to_client).unwrap();
                        two.send_compressed(data, &mut client_deflater, &mut to_server).unwrap();
                        expected.push(match data {
                            Data::Text(text) => format!("text <{text}>"),
                            Data::Binary(data) => format!("binary <{}>", show(data)),
                        });
                    }
                }
                for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
                    let codec = ZlibDecompress::new;
                    if !mode.is_shared() || client_resets {
                        let outcome =
                            drive_inflated(&mut one, mode, codec(), to_server.chunks(4096));
                        assert!(outcome.events == expected, "{bits} {level} {mode:?}");
                    }
                    if !mode.is_shared() || server_resets {
                        let outcome =
                            drive_inflated(&mut two, mode, codec(), to_client.chunks(4096));
                        assert!(outcome.events == expected, "{bits} {level} {mode:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn t35_payloads_that_do_not_compress_stay_within_what_was_reserved() {
    for level in 0..=9 {
        for memory_level in [1, 8, 9] {
            let mut codec = ZlibCompress::new(level).memory_level(memory_level);
            for length in [1, 2, 100, 127, 128, 1000, 5000, 16_383, 65_535, 65_536, 200_000] {
                let data = common::random(length);
                codec.reset(WindowBits::MAX);
                let mut output = vec![0; codec.bound(length)];
                let written = codec.compress(&data, &mut output).expect("there is room");
                assert!(output[..written].ends_with(&[0, 0, 0xFF, 0xFF]));
                let mut plain = Vec::new();
                inflate(&output[..written], &mut plain).expect("DEFLATE");
                assert_eq!(plain, data, "{level} {memory_level} {length}");
            }
        }
    }
}

#[test]
fn two_cut_messages_of_two_connections_on_one_codec_never_mix() {
    let (mut one, mut two) = (server(NO_TAKEOVER), server(NO_TAKEOVER));
    let (mut of_one, mut of_two) = (Messages::new(), Messages::new());
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    let (first, second) = (common::text(50_000), common::text(60_000).replace('a', "b"));
    let wire = |text: &str| {
        sent(&mut client(NO_TAKEOVER), |client, out| {
            client.send_compressed(Data::Text(text), &mut Deflater::shared(deflater()), out)
        })
    };
    let (first_wire, second_wire) = (wire(&first), wire(&second));
    let (mut read, mut chunks) =
        (Vec::new(), first_wire.chunks(700).zip(second_wire.chunks(700)).collect::<Vec<_>>());
    let longest = first_wire.chunks(700).len().max(second_wire.chunks(700).len());
    for at in chunks.len()..longest {
        let empty: &[u8] = &[];
        chunks.push((
            first_wire.chunks(700).nth(at).unwrap_or(empty),
            second_wire.chunks(700).nth(at).unwrap_or(empty),
        ));
    }
    for (a, b) in chunks {
        for (connection, messages, chunk) in
            [(&mut one, &mut of_one, a), (&mut two, &mut of_two, b)]
        {
            let mut buffer = chunk.to_vec();
            let mut input = &mut buffer[..];
            while let Some(message) =
                messages.receive_inflated(connection, &mut inflater, &mut input)
            {
                let Message::Text(text) = message else { panic!("{message:?}") };
                read.push(text.to_owned());
            }
        }
    }
    read.sort();
    let mut expected = [first, second];
    expected.sort();
    assert!(read == expected);
}

#[test]
fn two_long_pieces_of_two_connections_on_one_codec_never_mix() {
    let (mut one, mut two) = (server(NO_TAKEOVER), server(NO_TAKEOVER));
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    // The same lengths all the way, so that no count tells them apart.
    let wire = |letter: &str| {
        sent(&mut client(NO_TAKEOVER), |client, out| {
            let text = letter.repeat(100_000);
            client.send_compressed(Data::Text(&text), &mut Deflater::shared(deflater()), out)
        })
    };
    let (mut first, mut second) = (wire("a"), wire("b"));
    let (mut first, mut second) = (&mut first[..], &mut second[..]);
    let (Some(Event::Compressed(mut a)), Some(Event::Compressed(mut b))) =
        (one.receive(&mut first), two.receive(&mut second))
    else {
        panic!("two pieces")
    };
    assert!(
        matches!(inflater.inflate(&mut one, &mut a), Some(Event::Text(text)) if text.starts_with('a'))
    );
    assert!(
        matches!(inflater.inflate(&mut two, &mut b), Some(Event::Text(text)) if text.starts_with('b'))
    );
    let event = inflater.inflate(&mut one, &mut a);
    assert!(
        matches!(event, Some(Event::Failed(Failure::Internal(InternalError::WrongConnection)))),
        "{event:?}"
    );
    assert!(inflater.inflate(&mut one, &mut a).is_none());
    // The one that began last goes on.
    let mut rest = 0;
    while let Some(event) = inflater.inflate(&mut two, &mut b) {
        let Event::Text(text) = event else { panic!("{event:?}") };
        assert!(text.bytes().all(|byte| byte == b'b'));
        rest += text.len();
    }
    assert_eq!(rest, 100_000 - (17 << 10));
}

#[test]
fn a_message_is_inflated_in_pieces_or_as_a_whole() {
    let data = common::random(40_000);
    let mut deflater = Deflater::own(deflater());
    let mut peer = client(TAKEOVER);
    let mut fragment = |part, last| {
        let data = Data::Binary(part);
        sent(&mut peer, |peer, out| peer.send_compressed_fragment(data, last, &mut deflater, out))
    };
    let (front, back) = data.split_at(33_000);
    let (mut front, mut back) = (fragment(front, false), fragment(back, true));
    // What was taken in pieces is missing in the message.
    let mut connection = server(TAKEOVER);
    let mut inflater = Inflater::own(ZlibDecompress::new());
    let (mut first, mut rest) = (front.clone(), back.clone());
    let Some(Event::Compressed(mut piece)) = connection.receive(&mut &mut first[..]) else {
        panic!()
    };
    while inflater.inflate(&mut connection, &mut piece).is_some() {}
    let mut messages = Messages::new();
    match messages.receive_inflated(&mut connection, &mut inflater, &mut &mut rest[..]) {
        Some(Message::Failed(failure)) => {
            assert_eq!(failure, InternalError::WrongConnection.into());
        }
        _ => panic!("half a message"),
    }
    front.append(&mut back);
    let mut connection = server(TAKEOVER);
    let outcome =
        drive_inflated(&mut connection, Mode::Pieces, ZlibDecompress::new(), [&front[..]]);
    assert!(outcome.events == [format!("binary <{}>", show(&data))]);
}

/// Pieces of 17 KiB end anywhere in the text, and so do the steps of a message.
#[test]
fn r7692_6_f_code_points_are_cut_by_pieces_and_steps() {
    for shift in 0..4 {
        let text = format!("{}{}", &"xyz"[..shift.min(3)], "é€😀".repeat(25_000));
        for size in [1000, usize::MAX] {
            let mut deflater = Deflater::own(deflater());
            let wire = sent(&mut client(NO_TAKEOVER), |client, out| {
                client.send_compressed(Data::Text(&text), &mut deflater, out)
            });
            for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
                let codec = ZlibDecompress::new();
                let chunks = wire.chunks(size);
                let outcome = drive_inflated(&mut server(NO_TAKEOVER), mode, codec, chunks);
                assert!(outcome.events == [format!("text <{text}>")], "{mode:?} {shift} {size}");
            }
        }
    }
}

#[test]
fn a_shared_codec_is_refused_where_it_cannot_serve() {
    // A peer that takes its context over.
    let hello = frames(HELLO, true);
    let outcome =
        drive_inflated(&mut server(TAKEOVER), Mode::Shared, ZlibDecompress::new(), [&hello[..]]);
    assert_eq!(outcome.events, ["failed NoInflater"]);
    assert_eq!(show(&outcome.output), show(&hex(FAIL_1011)));
    // A piece that is not a whole message.
    let mut connection = server(NO_TAKEOVER);
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    let mut buffer = frames("41 03 F2 48 CD", true);
    let mut input = &mut buffer[..];
    let Some(Event::Compressed(mut piece)) = connection.receive(&mut input) else { panic!() };
    let event = inflater.inflate(&mut connection, &mut piece);
    assert!(
        matches!(event, Some(Event::Failed(Failure::Internal(InternalError::NoInflater)))),
        "{event:?}"
    );
    assert!(inflater.inflate(&mut connection, &mut piece).is_none());
}

#[test]
fn t65_compressed_bytes_of_two_connections_are_never_collected_together() {
    let (mut one, mut two) = (server(NO_TAKEOVER), server(NO_TAKEOVER));
    let (mut messages, mut others_messages) = (Messages::new(), Messages::new());
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    let mut first = frames("41 03 F2 48 CD", true);
    assert!(messages.receive_inflated(&mut one, &mut inflater, &mut &mut first[..]).is_none());
    let mut other = frames("41 02 F2 48", true);
    let message = others_messages.receive_inflated(&mut two, &mut inflater, &mut &mut other[..]);
    assert!(message.is_none());
    let mut rest = frames("80 04 C9 C9 07 00", true);
    let message = messages.receive_inflated(&mut two, &mut inflater, &mut &mut rest[..]);
    assert!(
        matches!(message, Some(Message::Failed(Failure::Internal(InternalError::WrongConnection)))),
        "{message:?}"
    );
}

#[test]
fn t65_pieces_of_two_connections_are_never_inflated_together() {
    fn inflate(
        connection: &mut Connection<Server>,
        inflater: &mut Inflater<ZlibDecompress>,
        bytes: &str,
    ) -> Option<Failure> {
        let mut bytes = frames(bytes, true);
        let Some(Event::Compressed(mut piece)) = connection.receive(&mut &mut bytes[..]) else {
            panic!("a piece")
        };
        let mut failed = None;
        while let Some(event) = inflater.inflate(connection, &mut piece) {
            if let Event::Failed(failure) = event {
                failed = Some(failure);
            }
        }
        failed
    }
    let (mut one, mut two) = (server(TAKEOVER), server(TAKEOVER));
    let mut ones = Inflater::own(ZlibDecompress::new());
    let mut twos = Inflater::own(ZlibDecompress::new());
    assert_eq!(inflate(&mut one, &mut ones, "41 03 F2 48 CD"), None);
    assert_eq!(inflate(&mut two, &mut twos, "41 02 F2 48"), None);
    let failure = inflate(&mut two, &mut ones, "80 05 CD C9 C9 07 00");
    assert_eq!(failure, Some(InternalError::WrongConnection.into()));
}

#[test]
fn t65_a_codec_that_is_handed_the_pieces_of_another_connection_notices() {
    let (mut one, mut two) = (server(TAKEOVER), server(TAKEOVER));
    let mut inflater = Inflater::own(ZlibDecompress::new());
    let (mut messages, mut others_messages) = (Messages::new(), Messages::new());
    let mut first = frames("41 03 F2 48 CD", true);
    assert!(messages.receive_inflated(&mut one, &mut inflater, &mut &mut first[..]).is_none());
    let mut other = frames("41 02 F2 48", true);
    let mut others = Inflater::own(ZlibDecompress::new());
    let message = others_messages.receive_inflated(&mut two, &mut others, &mut &mut other[..]);
    assert!(message.is_none());
    let mut rest = frames("80 05 CD C9 C9 07 00", true);
    let message = others_messages.receive_inflated(&mut two, &mut inflater, &mut &mut rest[..]);
    assert!(
        matches!(message, Some(Message::Failed(Failure::Internal(InternalError::WrongConnection)))),
        "{message:?}"
    );
    assert!(two.wants_transmit());
}

#[test]
fn own_codecs_serve_one_connection_after_the_other() {
    let mut deflater = Deflater::own(deflater()).threshold(0);
    let mut inflater = Inflater::own(ZlibDecompress::new());
    for bits in [15, 9, 15] {
        let deflate =
            Deflate { client_max_window_bits: WindowBits::new(bits), ..TAKEOVER.deflate.unwrap() };
        let agreed = Agreed::new().deflate(deflate);
        let (mut peer, mut connection) = (client(agreed), server(agreed));
        deflater.reset();
        inflater.reset();
        for again in [false, true] {
            let mut wire = sent(&mut peer, |peer, out| {
                peer.send_compressed(Data::Text("Hello"), &mut deflater, out)
            });
            assert_eq!(unmask(&wire), hex(if again { HELLO_AGAIN } else { HELLO }));
            let message = Messages::new()
                .receive_inflated(&mut connection, &mut inflater, &mut &mut wire[..])
                .map(|message| format!("{message:?}"));
            assert_eq!(message.as_deref(), Some("Text(\"Hello\")"));
        }
        // The next connection begins in the middle of a message of this one.
        let mut cut = mask(&hex("41 03 F2 48 CD"));
        let mut messages = Messages::new();
        let input = &mut &mut cut[..];
        assert!(messages.receive_inflated(&mut connection, &mut inflater, input).is_none());
    }
}

#[test]
fn a_prepared_message_is_compressed_for_those_who_can_read_it() {
    let text = common::text(500);
    let mut deflater = Deflater::shared(deflater());
    let twelve = WindowBits::new(12).unwrap();
    let small = Prepared::compressed(Data::Text(&text), twelve, &mut deflater).unwrap();
    let agree = |no_takeover, bits| {
        Agreed::new().deflate(Deflate {
            server_no_context_takeover: no_takeover,
            server_max_window_bits: bits,
            ..Deflate::new()
        })
    };
    for (agreed, readable) in [
        (agree(true, None), true),
        (agree(true, WindowBits::new(12)), true),
        (agree(true, WindowBits::new(11)), false),
        (agree(false, None), false),
        (Agreed::new(), false),
    ] {
        let mut connection = server(agreed);
        let frame = connection.prepared(&small);
        if !readable {
            assert_eq!(frame, Err(SendError::NotAgreed));
            assert_eq!(connection.state(), websocket_proto::State::Open);
            continue;
        }
        let frame = frame.expect("it was agreed").to_vec();
        assert_eq!(frame, small.as_ref());
        assert!(frame[0] == 0xC1 && frame.len() < text.len());
        let outcome = drive_inflated(
            &mut client(agreed),
            Mode::Shared,
            ZlibDecompress::new(),
            [&frame[..], &frame],
        );
        assert!(outcome.events == [format!("text <{text}>"), format!("text <{text}>")]);
        connection.close(None, &mut Vec::new()).unwrap();
        assert_eq!(connection.prepared(&small), Err(SendError::Closing));
    }
    // An own codec that was used for it begins anew, so the connection's peer can read on.
    let mut own = Deflater::own(ZlibCompress::new(6)).threshold(0);
    let mut connection = server(TAKEOVER);
    let mut wire = Vec::new();
    connection.send_compressed(Data::Text(&text), &mut own, &mut wire).unwrap();
    Prepared::compressed(Data::Text("another text"), twelve, &mut own).unwrap();
    connection.send_compressed(Data::Text("another text"), &mut own, &mut wire).unwrap();
    let outcome =
        drive_inflated(&mut client(TAKEOVER), Mode::Own, ZlibDecompress::new(), [&wire[..]]);
    assert!(outcome.events == [format!("text <{text}>"), "text <another text>".into()]);
}

/// A codec of a user's: it stores, and can be made to fail.
#[derive(Default)]
struct Store {
    fail: bool,
    resets: usize,
}

impl Compress for Store {
    fn reset(&mut self, _: WindowBits) {
        self.resets += 1;
    }

    fn bound(&self, length: usize) -> usize {
        length + 10
    }

    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        if self.fail {
            return None;
        }
        let length = u16::try_from(input.len()).ok()?;
        let (low, high) = (length.to_le_bytes(), (!length).to_le_bytes());
        let stored = [&[0], &low[..], &high, input, &[0, 0, 0, 0xFF, 0xFF]].concat();
        output[..stored.len()].copy_from_slice(&stored);
        Some(stored.len())
    }
}

#[test]
fn a_codec_that_fails_or_lies_sends_nothing_and_harms_nothing() {
    let text = "text ".repeat(20);
    for agreed in [TAKEOVER, NO_TAKEOVER] {
        let mut connection = server(agreed);
        let mut out = Vec::new();
        let mut failing = Deflater::own(Store { fail: true, resets: 0 });
        for _ in 0..2 {
            let sent = connection.send_compressed(Data::Text(&text), &mut failing, &mut out);
            assert_eq!(sent, Err(SendError::Codec));
            let sent =
                connection.send_compressed_fragment(Data::Text("a"), false, &mut failing, &mut out);
            assert_eq!(sent, Err(SendError::Codec));
        }
        assert!(out.is_empty());
        let mut working = Deflater::own(Store::default());
        connection.send_compressed(Data::Text(&text), &mut working, &mut out).unwrap();
        let outcome =
            drive_inflated(&mut client(agreed), Mode::Own, ZlibDecompress::new(), [&out[..]]);
        assert_eq!(outcome.events, [format!("text <{text}>")]);
    }

    /// Writes less than it says, more than there is room for, or no end.
    struct Liar(usize);
    impl Compress for Liar {
        fn reset(&mut self, _: WindowBits) {}
        fn bound(&self, _: usize) -> usize {
            0
        }
        fn compress(&mut self, _: &[u8], _: &mut [u8]) -> Option<usize> {
            Some(self.0)
        }
    }
    for length in [0, 1, 4, 5, usize::MAX] {
        let mut connection = server(TAKEOVER);
        let mut liar = Deflater::own(Liar(length));
        let mut out = Vec::new();
        let sent = connection.send_compressed(Data::Text(&text), &mut liar, &mut out);
        assert_eq!((sent, out.len()), (Err(SendError::Codec), 0));
    }

    /// Claims progress that it did not make, or none.
    struct Teller(usize, usize);
    impl Decompress for Teller {
        fn reset(&mut self) {}
        fn decompress(&mut self, _: &[u8], _: &mut [u8]) -> Progress {
            Progress::new(self.0, self.1)
        }
    }
    let hello = frames(HELLO, true);
    for (consumed, produced) in
        [(0, 0), (usize::MAX, 0), (0, usize::MAX), (usize::MAX, usize::MAX), (1, 1)]
    {
        for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
            let config = Config::new().max_message(1000);
            let mut connection = Connection::new(Server, &config, NO_TAKEOVER);
            let outcome = drive_inflated(
                &mut connection,
                mode,
                Teller(consumed, produced),
                [&hello[..], &hello],
            );
            let last = outcome.events.last().map(String::as_str);
            assert!(last.is_some_and(|last| last.starts_with("failed")), "{last:?}");
        }
    }
}

/// A codec of a user's: it keeps the window where it inflates.
struct Miniz {
    state: Box<miniz_oxide::inflate::core::DecompressorOxide>,
    window: Box<[u8; 1 << 15]>,
    at: usize,
    /// Bytes in front of `at` that were not handed out yet.
    due: usize,
    /// Whether a final block was the last that it saw.
    ended: bool,
}

impl Miniz {
    fn new() -> Self {
        let window = Box::new([0; 1 << 15]);
        Miniz { state: Box::default(), window, at: 0, due: 0, ended: false }
    }
}

impl Decompress for Miniz {
    fn reset(&mut self) {
        *self = Miniz::new();
    }

    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        use miniz_oxide::inflate::{TINFLStatus, core::decompress, core::inflate_flags::*};
        let (mut consumed, mut produced) = (0, 0);
        loop {
            let give = self.due.min(output.len() - produced);
            let start = self.at - self.due;
            output[produced..produced + give].copy_from_slice(&self.window[start..start + give]);
            self.due -= give;
            produced += give;
            let progress = Progress::new(consumed, produced);
            if self.due > 0 {
                return progress;
            }
            if produced == output.len() || self.ended && consumed == input.len() {
                return progress.with_ended(self.ended && consumed == input.len());
            }
            self.at %= self.window.len();
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let rest = &input[consumed..];
            let (status, taken, made) =
                decompress(&mut self.state, rest, &mut self.window[..], self.at, flags);
            consumed += taken;
            (self.at, self.due) = (self.at + made, made);
            self.ended = status == TINFLStatus::Done;
            match status {
                // The window stays where it is.
                TINFLStatus::Done => *self.state = Default::default(),
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if made == 0 => {
                    return Progress::new(consumed, produced);
                }
                TINFLStatus::NeedsMoreInput => {}
                _ => {
                    return Progress::new(consumed, produced).with_fault(InflateError::Corrupt);
                }
            }
        }
    }
}

#[test]
fn t09_a_fault_behind_a_full_output_needs_no_more_input() {
    /// Fills what it is given once, and finds the fault in what it then has left.
    #[derive(Default)]
    struct Full(bool);
    impl Decompress for Full {
        fn reset(&mut self) {}
        fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
            let again = std::mem::replace(&mut self.0, true);
            let produced = if again { 1 } else { output.len() };
            output[..produced].fill(b'a');
            let progress = Progress::new(input.len(), produced);
            if again { progress.with_fault(InflateError::Corrupt) } else { progress }
        }
    }
    // A fragment that is not the last, and a Ping that is never read.
    let wire = frames("42 01 00 / 89 00", true);
    let mut connection = Connection::new(Server, &Config::new(), TAKEOVER);
    let outcome = drive_inflated(&mut connection, Mode::Pieces, Full::default(), [&wire[..]]);
    assert_eq!(outcome.events, ["binary <61*4353", "failed InvalidPayload"]);
    assert_eq!(show(&outcome.output), FAIL_1007);
}

#[test]
fn another_codec_can_be_brought() {
    let text = common::text(100_000);
    let mut deflater = Deflater::own(deflater());
    let mut peer = client(TAKEOVER);
    let mut wire = Vec::new();
    for _ in 0..3 {
        peer.send_compressed(Data::Text(&text), &mut deflater, &mut wire).unwrap();
    }
    for mode in [Mode::Pieces, Mode::Own] {
        for size in [1, 999, usize::MAX] {
            let outcome =
                drive_inflated(&mut server(TAKEOVER), mode, Miniz::new(), wire.chunks(size));
            assert!(outcome.events == vec![format!("text <{text}>"); 3], "{mode:?} {size}");
        }
    }
    let hello = frames(HELLO, true);
    let outcome =
        drive_inflated(&mut server(NO_TAKEOVER), Mode::Shared, Miniz::new(), [&hello[..], &hello]);
    assert_eq!(outcome.events, ["text <Hello>", "text <Hello>"]);
    for payload in FINAL_HELLO {
        let message = format!("C1 {:02X} {payload}", hex(payload).len());
        let wire = frames(&format!("{message} / {HELLO_AGAIN} / C1 02 03 00"), true);
        for mode in [Mode::Pieces, Mode::Own] {
            for size in [1, 2, usize::MAX] {
                let chunks = wire.chunks(size);
                let outcome = drive_inflated(&mut server(TAKEOVER), mode, Miniz::new(), chunks);
                assert_eq!(outcome.events, ["text <Hello>", "text <Hello>", "text <>"]);
            }
        }
    }
    let corrupt = frames("C1 01 07", true);
    let outcome = drive_inflated(&mut server(TAKEOVER), Mode::Own, Miniz::new(), [&corrupt[..]]);
    assert_eq!(outcome.events, ["failed InvalidPayload"]);
}

#[test]
fn t35_the_room_of_a_codec_is_an_eighth_and_a_sixteenth_more_and_one_that_is_full_lacks_the_end() {
    let mut codec = deflater();
    for length in [0, 16, 1600, 1 << 20] {
        assert_eq!(codec.bound(length), length + length / 8 + length / 16 + 64);
    }
    let text = common::text(2000);
    let mut room = vec![0; codec.bound(text.len())];
    let mut compress = |room: &mut [u8]| {
        codec.reset(WindowBits::MAX);
        codec.compress(text.as_bytes(), room)
    };
    let written = compress(&mut room).unwrap();
    assert_eq!(compress(&mut room[..written + 1]), Some(written));
    assert_eq!(compress(&mut room[..written]), None);
}

#[test]
fn a_level_of_0_stores_and_a_higher_one_makes_less_of_a_text() {
    let text = common::text(20_000);
    let payload = |level| {
        let mut deflater = Deflater::own(ZlibCompress::new(level));
        let out = sent(&mut server(TAKEOVER), |server, out| {
            server.send_compressed(Data::Text(&text), &mut deflater, out)
        });
        payloads(&out).concat()
    };
    let stored = payload(0);
    assert!(stored.windows(1000).any(|part| part == &text.as_bytes()[..1000]));
    assert!(payload(1).len() < stored.len() && payload(9).len() < payload(1).len());
    assert_eq!(payload(10), payload(9));
}

#[test]
fn a_deflater_keeps_as_much_memory_as_it_was_told() {
    let bound = Deflater::shared(ZlibCompress::new(1)).bound(1000);
    for (keep, kept) in [(0, 0), (bound - 1, 0), (bound, bound), (bound + 1, bound)] {
        let mut deflater = Deflater::shared(ZlibCompress::new(1)).keeping(keep);
        let agreed = Agreed::new().deflate(Deflate::new());
        let mut connection = Connection::new(Server, &Config::new(), agreed);
        let data = Data::Binary(&[7; 1000]);
        connection.send_compressed(data, &mut deflater, &mut Vec::new()).unwrap();
        assert_eq!(format!("{deflater:?}"), format!("Deflater(shared, {kept} bytes of scratch)"));
    }
}

#[test]
fn pieces_are_short_also_in_the_memory_of_a_long_message() {
    let (mut sender, mut receiver) = (server(NO_TAKEOVER), client(NO_TAKEOVER));
    let (mut deflater, mut inflater) =
        (Deflater::own(deflater()), Inflater::own(ZlibDecompress::new()));
    let data = Data::Binary(&[7; 60_000]);
    let (mut out, mut messages) = (Vec::new(), Messages::new());
    sender.send_compressed(data, &mut deflater, &mut out).unwrap();
    let message = messages.receive_inflated(&mut receiver, &mut inflater, &mut &mut out[..]);
    assert!(matches!(message, Some(Message::Binary(whole)) if whole.len() == 60_000));

    out.clear();
    sender.send_compressed(data, &mut deflater, &mut out).unwrap();
    let Some(Event::Compressed(mut piece)) = receiver.receive(&mut &mut out[..]) else {
        panic!("it is compressed");
    };
    let mut lengths = Vec::new();
    while let Some(event) = inflater.inflate(&mut receiver, &mut piece) {
        let Event::Binary(data) = event else { panic!("{event:?}") };
        lengths.push(data.len());
    }
    assert_eq!(lengths, [17_408, 17_408, 17_408, 7776]);
}

#[test]
fn a_lent_buffer_has_to_hold_what_inflates_to_several_pieces() {
    let piece = 17 << 10;
    // A shared inflater makes one piece of a short message, an own one a piece of each read.
    for (shared, split, length, needed) in [
        (true, false, piece - 1, 0),
        (true, true, piece - 1, 0),
        (false, false, piece - 1, 0),
        (false, true, piece - 1, piece - 1),
        (true, false, piece, piece),
        (true, true, piece, piece),
        (false, false, piece, piece),
    ] {
        let data = common::random(length);
        let mut deflater = Deflater::shared(deflater()).threshold(0);
        let wire = sent(&mut client(NO_TAKEOVER), |client, out| {
            client.send_compressed(Data::Binary(&data), &mut deflater, out)
        });
        for room in [needed, needed.saturating_sub(1)] {
            let codec = ZlibDecompress::new();
            let mut inflater = if shared { Inflater::shared(codec) } else { Inflater::own(codec) };
            let mut connection = server(NO_TAKEOVER);
            let (mut memory, mut wire) = (vec![0; room], wire.clone());
            let mut messages = Messages::lent(&mut memory);
            let (first, rest) = wire.split_at_mut(if split { 9000 } else { 0 });
            let message =
                messages.receive_inflated(&mut connection, &mut inflater, &mut &mut *first);
            assert!(message.is_none() || room < needed);
            if message.is_some() {
                continue;
            }
            match messages.receive_inflated(&mut connection, &mut inflater, &mut &mut *rest) {
                Some(Message::Binary(whole)) => assert!(whole == data && room >= needed),
                Some(Message::Failed(failure)) => {
                    assert_eq!((failure, room < needed), (Violation::MessageTooBig.into(), true));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_inflater_has_memory_for_one_piece() {
    let mut inflater = Inflater::shared(ZlibDecompress::new());
    for (length, buffer) in [(1, 4352), (5000, 8704), (1, 8704), (9000, 17_408), (1 << 20, 17_408)]
    {
        let (mut sender, mut receiver) = (server(NO_TAKEOVER), client(NO_TAKEOVER));
        let (mut out, data) = (Vec::new(), vec![7; length]);
        let mut deflater = Deflater::shared(deflater()).threshold(0);
        sender.send_compressed(Data::Binary(&data), &mut deflater, &mut out).unwrap();
        let mut messages = Messages::new();
        let message = messages.receive_inflated(&mut receiver, &mut inflater, &mut &mut out[..]);
        assert!(matches!(message, Some(Message::Binary(received)) if received == data));
        assert_eq!(format!("{inflater:?}"), format!("Inflater(shared, {buffer} bytes of buffer)"));
    }
}

/// A compressed text of stored blocks of `size` bytes, which cut its code points.
fn stored(text: &str, size: u16) -> Vec<u8> {
    let mut payload = Vec::new();
    for block in text.as_bytes().chunks(size.into()) {
        let length = block.len() as u16;
        payload.push(0);
        payload.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        payload.extend(block);
    }
    payload.push(0);
    payload
}

#[test]
fn t09_compressed_code_points_are_cut_anywhere() {
    // The second is longer than a piece, which then ends inside a code point.
    for text in ["aκ€😀".to_owned(), format!("a{}", "€".repeat(8000))] {
        for block in [1, 2, 3, 5, 20_000] {
            let payload = stored(&text, block);
            let wire = common::frame(0xC1, &payload);
            for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
                for read in [1, 7, wire.len()] {
                    let mut connection =
                        Connection::new(Client(Keys::default()), &Config::new(), NO_TAKEOVER);
                    let codec = ZlibDecompress::new();
                    let outcome = drive_inflated(&mut connection, mode, codec, wire.chunks(read));
                    let mut whole = common::Canonical::default();
                    whole.piece("text", text.as_bytes(), true, true);
                    assert_eq!(outcome.events, whole.finish(), "{mode:?}, {block}, {read}");
                }
            }
        }
    }
}

#[test]
fn t30_what_is_gathered_for_a_shared_codec_is_bounded_exactly() {
    // 24 bytes may take 24 + 24 / 8 + 64 compressed, here blocks of nothing.
    let whole = [&[0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(18)[..], &[0x00]].concat();
    assert_eq!(whole.len(), 91);
    for (payload, events) in
        [(whole.clone(), ["binary <>"]), ([&whole[..], &[0x00]].concat(), ["failed MessageTooBig"])]
    {
        let (front, back) = payload.split_at(40);
        let wire = [common::frame(0x42, front), common::frame(0x80, back)].concat();
        let config = Config::new().max_message(24);
        let mut connection = Connection::new(Client(Keys::default()), &config, NO_TAKEOVER);
        let codec = ZlibDecompress::new();
        let outcome = drive_inflated(&mut connection, Mode::Shared, codec, [&wire[..]]);
        assert_eq!(outcome.events, events);
    }
}

#[test]
fn without_a_codec_the_first_compressed_byte_fails_the_connection() {
    let mut connection = Connection::new(Client(Keys::default()), &Config::new(), NO_TAKEOVER);
    let mut bytes = hex("41 03 F2");
    let mut messages = Messages::new();
    let message = messages.receive(&mut connection, &mut &mut bytes[..]);
    assert!(
        matches!(message, Some(Message::Failed(Failure::Internal(InternalError::NoInflater)))),
        "{message:?}"
    );
}

/// Stored blocks, and events of text pieces that were joined.
fn compressed_text(config: &Config, payload: &[u8], mode: Mode, read: usize) -> Vec<String> {
    let wire = common::frame(0xC1, payload);
    let mut connection = Connection::new(Client(Keys::default()), config, NO_TAKEOVER);
    let codec = ZlibDecompress::new();
    drive_inflated(&mut connection, mode, codec, wire.chunks(read)).events
}

#[test]
fn t09_compressed_text_fails_at_the_first_byte_that_no_code_point_has() {
    // A fragment that is not the last, and a Ping that is never read.
    for impossible in ["FF", "C0", "C3 41", "E0 80", "ED A0", "F0 80", "F4 90", "E2 82 41"] {
        let length = 2 + hex(impossible).len();
        let payload = format!("00 {length:02X} 00 {:02X} FF 6F 6B {impossible}", 0xFF - length);
        let input = format!("41 {:02X} {payload} / 89 00", hex(&payload).len());
        // Not with a shared codec, which is given whole messages only.
        let events = ["text <ok", "failed InvalidUtf8"];
        check(TAKEOVER, &Config::new(), &input, &events, FAIL_1007);
    }
    // So does what is corrupt, whether or not something came in front of it in the same read.
    let corrupt = "41 08 00 02 00 FD FF 6F 6B 07 / 89 00";
    let events = ["text <ok", "failed InvalidPayload"];
    check(TAKEOVER, &Config::new(), corrupt, &events, FAIL_1007);
    // One that is only cut fails where its message ends.
    let cut = "41 0A 00 05 00 FA FF 6F 6B F0 9F 98 / 89 00 / 80 01 00";
    check_both(cut, &["ping ", "text <ok", "failed InvalidUtf8"], "8A 00 88 02 03 EF");
}

#[test]
fn t62_what_fits_is_judged_in_front_of_what_does_not_at_any_cut() {
    let block = |bytes: &[u8]| {
        let length = bytes.len() as u16;
        [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat()
    };
    let end = [0x00];
    // A block of the reserved type.
    let corrupt = [0x07];
    for (limit, payload, in_pieces, whole) in [
        (
            5,
            [block(b"\xFFaaaaaaa"), end.into()].concat(),
            vec!["failed InvalidUtf8"],
            "InvalidUtf8",
        ),
        (
            5,
            [block(b"aaaa\xFFaaa"), end.into()].concat(),
            vec!["text <aaaa", "failed InvalidUtf8"],
            "InvalidUtf8",
        ),
        (
            5,
            [block(b"aaaaa\xFFaa"), end.into()].concat(),
            vec!["text <aaaaa", "failed MessageTooBig"],
            "MessageTooBig",
        ),
        (
            5,
            [block(b"aaaaaaaa"), end.into()].concat(),
            vec!["text <aaaaa", "failed MessageTooBig"],
            "MessageTooBig",
        ),
        (
            5,
            [block("aaaaé".as_bytes()), end.into()].concat(),
            vec!["text <aaaa", "failed MessageTooBig"],
            "MessageTooBig",
        ),
        (
            9,
            [block(b"ok\xFF"), corrupt.into()].concat(),
            vec!["text <ok", "failed InvalidUtf8"],
            "InvalidUtf8",
        ),
        (
            9,
            [block(b"ok"), corrupt.into()].concat(),
            vec!["text <ok", "failed InvalidPayload"],
            "InvalidPayload",
        ),
        // Cut short.
        (9, block(b"ok")[..6].to_vec(), vec!["text <o", "failed InvalidPayload"], "InvalidPayload"),
    ] {
        let config = Config::new().max_message(limit);
        for read in [1, 2, 3, 5, 100] {
            let outcome = |mode| compressed_text(&config, &payload, mode, read);
            assert_eq!(outcome(Mode::Pieces), in_pieces, "{payload:02X?}, reads of {read}");
            for mode in [Mode::Own, Mode::Shared] {
                assert_eq!(outcome(mode), [format!("failed {whole}")], "{payload:02X?}, {mode:?}");
            }
        }
    }
}
