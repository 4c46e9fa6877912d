//! Text and limits of compressed messages, checked during inflation, for any split of the input.
//! Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

use crate::common::compressed::{
    FAIL_1007, FAIL_1009, HELLO, NO_TAKEOVER, TAKEOVER, check, check_both, client, deflater, sent,
    server,
};
use crate::common::deflate::{Mode, drive_inflated};
use crate::common::{self, Keys, frames, hex, mask, show};
use websocket_proto::{
    Client, Config, Connection, Data, Deflater, Event, Failure, Inflater, Server, Violation,
    ZlibCompress, ZlibDecompress,
};

#[test]
fn r7692_6_f_text_is_validated_as_it_is_inflated() {
    // A stored FF; a message that ends inside a code point.
    check_both("C1 07 00 01 00 FE FF FF 00", &["failed InvalidUtf8"], FAIL_1007);
    check_both("C1 08 00 02 00 FD FF E2 82 00", &["failed InvalidUtf8"], FAIL_1007);
    // A code point that is split in the compressed bytes, and completed by the next block.
    check_both("C1 0E 00 02 00 FD FF E2 82 00 01 00 FE FF AC 00", &["text <€>"], "");
    // An own codec fails before the message ends. A shared one cannot, because it needs all of it.
    let bad = frames("41 06 00 01 00 FE FF FF", true);
    for (mode, events) in [(Mode::Pieces, 1), (Mode::Own, 1), (Mode::Shared, 0)] {
        let chunks = [&bad[..]];
        let outcome = drive_inflated(&mut server(NO_TAKEOVER), mode, ZlibDecompress::new(), chunks);
        assert_eq!(outcome.events, ["failed InvalidUtf8"][..events]);
    }
    // In pieces, the valid prefix comes first.
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

/// Covers T30.
#[test]
fn r7692_6_f_a_bomb_meets_the_limit_at_the_exact_byte() {
    // Ten bytes that do not compress: sixteen in the frame.
    let ten = "C2 10 00 0A 00 F5 FF 61 62 63 64 65 66 67 68 69 6A 00";
    let event = "binary <61 62 63 64 65 66 67 68 69 6A>";
    for agreed in [NO_TAKEOVER, TAKEOVER] {
        check(agreed, &Config::new().max_message(10), ten, &[event], "");
        let nine = "binary <61 62 63 64 65 66 67 68 69";
        let events = [nine, "failed MessageTooBig"];
        check(agreed, &Config::new().max_message(9), ten, &events, FAIL_1009);
        // The last block exceeds the limit by one byte; the blocks before it do not.
        let eleven =
            "42 0F 00 0A 00 F5 FF 61 62 63 64 65 66 67 68 69 6A / 80 07 00 01 00 FE FF 6B 00";
        let config = Config::new().max_message(10);
        let all = event.trim_end_matches('>');
        check(agreed, &config, eleven, &[all, "failed MessageTooBig"], FAIL_1009);
        check(agreed, &Config::new().max_message(0), "C1 01 00", &["text <>"], "");
        check(agreed, &Config::new().max_message(0), HELLO, &["failed MessageTooBig"], FAIL_1009);
    }
    // Compressed a thousand to one: 1 MiB of zeros.
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

/// Covers T10.
#[test]
fn r6455_10_4_a_a_compressed_frame_that_cannot_fit_fails_by_its_header() {
    let config = Config::new().max_message(1000);
    // The limit for compressed bytes is 1000, an eighth of 1000, and 64.
    for agreed in [NO_TAKEOVER, TAKEOVER] {
        check(agreed, &config, "C2 7E 04 A6", &["failed MessageTooBig"], FAIL_1009);
        check(agreed, &config, "C2 7E 04 A5", &[], "");
        check(agreed, &config, "42 01 00 / 80 7E 04 A6", &["failed MessageTooBig"], FAIL_1009);
        let longest = "C2 7F 7F FF FF FF FF FF FF FF";
        check(agreed, &config, longest, &["failed MessageTooBig"], FAIL_1009);
        check(agreed, &config, "82 7E 03 E9", &["failed MessageTooBig"], FAIL_1009);
        // The larger limit of a compressed message does not apply to the next message.
        let input = format!("{HELLO} / 82 7E 03 E9");
        check(agreed, &config, &input, &["text <Hello>", "failed MessageTooBig"], FAIL_1009);
    }
}

/// Each flush adds some bytes, so the length on the wire does not show how much data there is.
/// Covers T13.
#[test]
fn r6455_10_4_b_fine_fragments_of_a_message_within_the_limit() {
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
            // The compressed bytes that a shared codec collects have a limit of their own.
            let expected = if fits { &whole } else { "failed MessageTooBig" };
            assert!(outcome.events == [expected], "{mode:?}, fragments of {size}");
        }
    }
}

/// Code points may be split by pieces of 17 KiB, and by the steps in which a message is inflated.
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

/// Compresses a text into stored blocks of `size` bytes, which split its code points.
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
    // The second text is longer than a piece, so the piece ends inside a code point.
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
fn t30_compressed_bytes_gathered_for_a_shared_codec_are_bounded_exactly() {
    // Data of 24 bytes may take 24 + 24 / 8 + 64 compressed bytes. Here these are empty blocks.
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

/// Returns the events for a compressed text, with its pieces joined.
fn compressed_text(config: &Config, payload: &[u8], mode: Mode, read: usize) -> Vec<String> {
    let wire = common::frame(0xC1, payload);
    let mut connection = Connection::new(Client(Keys::default()), config, NO_TAKEOVER);
    let codec = ZlibDecompress::new();
    drive_inflated(&mut connection, mode, codec, wire.chunks(read)).events
}

/// Compressed text is checked early.
/// Covers R6455-8.1-c, R7692-6-f.
#[test]
fn t09_compressed_text_fails_at_the_first_byte_that_no_code_point_has() {
    // The fragment is not the last one, and the Ping is never received.
    for impossible in ["FF", "C0", "C3 41", "E0 80", "ED A0", "F0 80", "F4 90", "E2 82 41"] {
        let length = 2 + hex(impossible).len();
        let payload = format!("00 {length:02X} 00 {:02X} FF 6F 6B {impossible}", 0xFF - length);
        let input = format!("41 {:02X} {payload} / 89 00", hex(&payload).len());
        // This is not checked with a shared codec, which inflates whole messages only.
        let events = ["text <ok", "failed InvalidUtf8"];
        check(TAKEOVER, &Config::new(), &input, &events, FAIL_1007);
    }
    // Corrupt data fails at once, too, even with valid data before it in the same read.
    let corrupt = "41 08 00 02 00 FD FF 6F 6B 07 / 89 00";
    let events = ["text <ok", "failed InvalidPayload"];
    check(TAKEOVER, &Config::new(), corrupt, &events, FAIL_1007);
    // A truncated code point fails only at the end of its message.
    let cut = "41 0A 00 05 00 FA FF 6F 6B F0 9F 98 / 89 00 / 80 01 00";
    check_both(cut, &["ping ", "text <ok", "failed InvalidUtf8"], "8A 00 88 02 03 EF");
}

#[test]
fn t62_data_within_the_limit_is_validated_before_the_limit_is_reported() {
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
        // Truncated.
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
