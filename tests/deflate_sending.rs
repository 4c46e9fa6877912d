//! Sending compressed messages (RFC 7692 §6.1, §7.2.1): the bits of their frames, windows, room.
//! Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

use crate::common::compressed::{
    HELLO, HELLO_AGAIN, NO_TAKEOVER, TAKEOVER, client, deflater, payloads, sent, server,
};
use crate::common::deflate::{Mode, drive_inflated};
use crate::common::inflate::inflate;
use crate::common::{self, hex, unmask};
use websocket_proto::{
    Agreed, Client, Compress, Config, Connection, Data, Deflate, Deflater, Event, Inflater,
    Prepared, SendError, Server, SliceOutput, WindowBits, ZlibCompress, ZlibDecompress,
};

/// Covers R7692-7.1.1-a, R7692-7.1.1-c, R7692-8-a.
#[test]
fn r7692_7_2_1_a_the_payload_and_the_choice() {
    let hello = Data::Text("Hello");
    for own in [false, true] {
        let make = || {
            let codec = deflater();
            if own { Deflater::own(codec) } else { Deflater::shared(codec) }.threshold(0)
        };
        // Without takeover, either side sends the same bytes twice.
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
        // With takeover the second message refers to the first, unless the codec is shared.
        let (mut deflater, mut connection) = (make(), server(TAKEOVER));
        for again in [false, own] {
            let out = sent(&mut connection, |server, out| {
                server.send_compressed(hello, &mut deflater, out)
            });
            assert_eq!(out, hex(if again { HELLO_AGAIN } else { HELLO }), "{own}");
        }
        // A message may be sent uncompressed. It does not enter the window.
        let out = sent(&mut connection, |server, out| server.send_text("Hello", out));
        assert_eq!(out, b"\x81\x05Hello");
        // If compression was not agreed, the message is sent uncompressed.
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
    // The other connection sends data in between that this one could refer to.
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
            // Each fragment can be inflated in full when it arrives.
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

/// This holds even if no data of the first fragment went through the codec.
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
    // A message that began uncompressed stays so, and so do all if compression was not agreed.
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
    // After a Close no message is compressed.
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

    // The same holds if there is no masking key.
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
                // The window is used, so this test is not vacuous.
                assert!(bits == 8 || farthest > 1 << (bits - 2), "{farthest} at {bits} bits");
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
    // A message prepared with an own codec resets it, so the connection's peer can read on.
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
