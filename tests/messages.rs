//! Whole messages: returned without a copy if they are complete in the input, joined if not.

use crate::common::{self, cuts, hex, mask};
use websocket_proto::{
    Agreed, Client, Config, Connection, Deflate, Event, Failure, Message, Messages, Role, Server,
    Violation,
};

fn client() -> Connection<Client<common::Keys>> {
    Connection::new(Client(common::Keys::default()), &Config::new(), Agreed::new())
}

fn show(message: &Message<'_>) -> String {
    match message {
        Message::Text(text) => format!("text {text}"),
        Message::Binary(data) => format!("binary {data:02X?}"),
        other => format!("{other:?}"),
    }
}

fn drive(messages: &mut Messages<'_>, chunks: &[&[u8]]) -> Vec<String> {
    let (mut connection, mut seen) = (client(), Vec::new());
    for chunk in chunks {
        let mut buffer = chunk.to_vec();
        let mut input = &mut buffer[..];
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            seen.push(show(&message));
        }
        assert!(input.is_empty());
    }
    seen
}

#[test]
fn r6455_6_2_b_messages_are_the_same_at_every_cut_in_both_storages() {
    let input = hex(
        "81 05 48 65 6C 6C 6F / 01 03 61 C3 A9 / 89 01 70 / 00 00 / 80 03 E2 82 AC / 82 00 / 81 00 \
         / 02 01 01 / 8A 00 / 80 01 02 / 01 00 / 80 00 / 81 02 C3 A9 / 88 04 03 E8 6F 6B",
    );
    let expected = [
        "text Hello",
        "Ping([112])",
        "text aé€",
        "binary []",
        "text ",
        "Pong([])",
        "binary [01, 02]",
        "text ",
        "text é",
        "Close(Some(CloseFrame { code: CloseCode(1000), reason: \"ok\" }))",
    ];
    for chunks in cuts(&input) {
        assert_eq!(drive(&mut Messages::new(), &chunks), expected, "{chunks:02X?}");
        let mut memory = [0; 6];
        assert_eq!(drive(&mut Messages::lent(&mut memory), &chunks), expected, "{chunks:02X?}");
    }
}

#[test]
fn a_whole_message_is_handed_through_without_a_copy() {
    let (mut connection, mut messages) = (client(), Messages::new());
    let mut buffer = hex("81 02 68 69 / 82 02 01 02");
    let range = buffer.as_ptr_range();
    let mut input = &mut buffer[..];
    let Some(Message::Text(text)) = messages.receive(&mut connection, &mut input) else {
        panic!("a text message is there");
    };
    assert_eq!(text.as_ptr(), range.start.wrapping_add(2));
    let Some(Message::Binary(data)) = messages.receive(&mut connection, &mut input) else {
        panic!("a binary message is there");
    };
    assert_eq!(data.as_ptr(), range.start.wrapping_add(6));

    // A message whose length takes 64 bits is not copied either.
    for first in [0x81, 0x82] {
        let mut buffer = common::frame(first, &[b'a'; 70_000]);
        let start = buffer.as_ptr();
        match messages.receive(&mut connection, &mut &mut buffer[..]) {
            Some(Message::Text(text)) => assert_eq!(text.as_ptr(), start.wrapping_add(10)),
            Some(Message::Binary(data)) => assert_eq!(data.as_ptr(), start.wrapping_add(10)),
            other => panic!("{other:?}"),
        }
    }
}

/// Like [`drive`], but leaves a partly received message in a buffer of `capacity` bytes if it fits.
fn drive_in_place(
    connection: &mut Connection<impl Role>,
    capacity: usize,
    chunks: &[&[u8]],
) -> Vec<String> {
    let (mut messages, mut seen) = (Messages::new().in_place(capacity), Vec::new());
    let (mut buffer, mut total) = (Vec::new(), 0);
    for chunk in chunks {
        let mut rest = *chunk;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(capacity - buffer.len()));
            assert!(!now.is_empty(), "there is room behind what was left");
            buffer.extend_from_slice(now);
            (rest, total) = (later, total + now.len());
            let mut input = &mut buffer[..];
            while let Some(message) = messages.receive(connection, &mut input) {
                seen.push(show(&message));
            }
            // Bytes that were left in the input are counted once, however often they are passed
            // again.
            assert_eq!(connection.received() as usize, total);
            assert!(messages.receive(connection, &mut input).is_none());
            assert_eq!(connection.received() as usize, total);
            let left = input.len();
            buffer.drain(..buffer.len() - left);
        }
    }
    seen
}

#[test]
fn t62_messages_are_the_same_where_they_may_be_left_in_the_input() {
    let frames = "81 05 48 65 6C 6C 6F / 01 03 61 C3 A9 / 89 01 70 / 80 03 E2 82 AC / 82 00 / 81 00 \
         / 02 01 01 / 80 01 02 / 82 0E 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E / 81 02 C3 A9";
    for end in [
        "88 02 03 E8",
        "81 02 61 FF",
        "81 7E 00 01",
        "83 00",
        "80 00",
        "82 7F 00 00 00 01 00 00 00 00",
    ] {
        for masked in [false, true] {
            let input = common::frames(&format!("{frames} / {end}"), masked);
            let (config, agreed) = (Config::new(), Agreed::new());
            let drive_both = |capacity: usize, chunks: &[&[u8]]| match masked {
                true => {
                    drive_in_place(&mut Connection::new(Server, &config, agreed), capacity, chunks)
                }
                false => drive_in_place(&mut client(), capacity, chunks),
            };
            let unmasked = common::frames(&format!("{frames} / {end}"), false);
            let expected = drive(&mut Messages::new(), &[&unmasked]);
            assert_eq!(expected.len(), 9, "{expected:?}");
            for chunks in cuts(&input) {
                for capacity in [1, 2, 7, 14, 16, 20, 22, 100] {
                    assert_eq!(drive_both(capacity, &chunks), expected, "{capacity} {chunks:02X?}");
                }
            }
        }
    }
}

#[test]
fn t60_a_message_that_fits_the_buffer_is_left_in_the_input() {
    let left = |bytes: &str, capacity| {
        let (mut connection, mut messages) = (client(), Messages::new().in_place(capacity));
        let mut bytes = hex(bytes);
        let mut input = &mut bytes[..];
        assert!(messages.receive(&mut connection, &mut input).is_none());
        !input.is_empty()
    };
    // A frame of 7 bytes, and beginnings of it; headers that are incomplete.
    assert!(left("82 05 01 02 03 04", 7));
    assert!(left("82 05", 7));
    assert!(left("82", 14));
    assert!(left("81 7E 00", 14));
    assert!(left("81 7F 00 00 00 00 00 01 00 00 61", 65546));
    // A frame that exceeds the buffer, or may do so; a fragment; a control frame.
    assert!(!left("82 05 01 02 03 04", 6));
    assert!(!left("82", 13));
    assert!(!left("81 7F 00 00 00 00 00 01 00 00 61", 65545));
    assert!(!left("02 05 01 02 03 04", 100));
    assert!(!left("89 05 01 02 03 04", 100));
    // Between fragments a message is being gathered already, so the next frame is added to it.
    assert!(!left("02 00 / 80 05 01 02 03 04", 100));

    // When it is fully received, it is returned from the input.
    let mut bytes = hex("81 05 48 65 6C 6C 6F");
    let (mut connection, mut messages) = (client(), Messages::new().in_place(bytes.len()));
    let (start, end) = (bytes.as_ptr(), bytes.as_ptr_range().end);
    let mut input = &mut bytes[..4];
    assert!(messages.receive(&mut connection, &mut input).is_none());
    assert_eq!(input.as_ptr(), start);
    let mut input = &mut bytes[..];
    match messages.receive(&mut connection, &mut input) {
        Some(Message::Text("Hello")) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(input.as_ptr(), end.cast_mut());
    assert_eq!(connection.received(), 7);
}

#[test]
fn t60_a_long_message_that_is_complete_in_the_input_is_returned() {
    for first in [0x81, 0x82] {
        for length in [65_535, 65_536, 70_000] {
            let wire = common::mask(&common::frame(first, &vec![b'a'; length]));
            for capacity in [wire.len(), usize::MAX] {
                let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
                let mut messages = Messages::new().in_place(capacity);
                let mut bytes = wire.clone();
                let mut input = &mut bytes[..];
                match messages.receive(&mut connection, &mut input) {
                    Some(Message::Text(text)) => assert_eq!(text.len(), length),
                    Some(Message::Binary(data)) => assert!(*data == vec![b'a'; length]),
                    other => panic!("{length}: {other:?}"),
                }
                assert!(input.is_empty());
            }
        }
    }
}

#[test]
fn bytes_left_in_the_input_may_be_received_by_any_call() {
    // Whichever call receives the bytes again, they count once, and the next ones count too. Bytes
    // that were unmasked in the input are not unmasked again.
    let wire = mask(&hex("82 07 61 62 63 64 65 66 67 / 8A 04 00 00 00 01"));
    let (whole, total) = (13, wire.len());
    for seen in 1..whole {
        for way in 0..4 {
            let mut bytes = wire.clone();
            let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
            let mut messages = Messages::new().in_place(100);
            let mut input = &mut bytes[..seen];
            assert!(messages.receive(&mut connection, &mut input).is_none());
            assert_eq!((input.len(), connection.received() as usize), (seen, seen));
            let (mut front, mut behind) = bytes.split_at_mut(whole);
            let data = match way {
                0 => match connection.receive(&mut front) {
                    Some(Event::Binary(piece)) => piece.to_vec(),
                    other => panic!("{other:?}"),
                },
                _ => {
                    match way {
                        1 => {}
                        2 => messages = messages.in_place(7),
                        _ => messages = Messages::new(),
                    }
                    match messages.receive(&mut connection, &mut front) {
                        Some(Message::Binary(data)) => data.to_vec(),
                        other => panic!("{other:?}"),
                    }
                }
            };
            assert_eq!(data, b"abcdefg", "{seen} {way}");
            assert_eq!(connection.received() as usize, whole);
            messages.receive(&mut connection, &mut behind).expect("a pong");
            assert_eq!(connection.received() as usize, total);
        }
    }
    // An empty input does not change the bytes that were left.
    let mut bytes = wire[..whole].to_vec();
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut messages = Messages::new().in_place(100);
    assert!(messages.receive(&mut connection, &mut &mut bytes[..9]).is_none());
    assert!(messages.receive(&mut connection, &mut &mut [][..]).is_none());
    assert!(connection.receive(&mut &mut [][..]).is_none());
    assert_eq!(connection.received(), 9);
    let message = messages.receive(&mut connection, &mut &mut bytes[..]);
    assert_eq!(message, Some(Message::Binary(b"abcdefg")));
    // After a Close nothing is left in the input, whatever follows.
    let (mut connection, mut messages) = (client(), Messages::new().in_place(100));
    let mut bytes = hex("88 00 / 82 05 61");
    let mut input = &mut bytes[..];
    assert!(messages.receive(&mut connection, &mut input).is_some());
    assert!(messages.receive(&mut connection, &mut input).is_none());
    assert!(input.is_empty());
}

#[test]
fn t51_long_binary_messages_are_unmasked_while_they_are_gathered() {
    let payload = common::random(9_000);
    for start in [0, 1, 2, 3] {
        let mut wire = common::mask(&common::frame(0x02, &payload[..start]));
        wire.extend(common::mask_with(&common::frame(0x80, &payload[start..]), [9, 8, 7, 6]));
        for read in [1, 3, 1000, 2048, 2049, 4095, 8191] {
            let mut memory = vec![0; payload.len()];
            assert_eq!(gathered(Messages::new(), &wire, read), payload, "{start} {read}");
            assert_eq!(
                gathered(Messages::lent(&mut memory), &wire, read),
                payload,
                "{start} {read}"
            );
        }
    }
}

fn gathered(mut messages: Messages<'_>, wire: &[u8], read: usize) -> Vec<u8> {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    for chunk in wire.chunks(read) {
        let mut buffer = chunk.to_vec();
        match messages.receive(&mut connection, &mut &mut buffer[..]) {
            None => {}
            Some(Message::Binary(data)) => return data.to_vec(),
            other => panic!("{other:?}"),
        }
    }
    panic!("the message is whole");
}

#[test]
fn t11_a_message_that_does_not_fit_the_lent_buffer_fails_with_1009() {
    let mut memory = [0; 4];
    let chunks: [&[u8]; 2] = [&hex("02 03 01 02 03 / 80 02 04"), &hex("05 / 81 01 61")];
    let seen = drive(&mut Messages::lent(&mut memory), &chunks);
    assert_eq!(seen, ["Failed(Violation(MessageTooBig))"]);

    let (mut connection, mut out) = (client(), Vec::new());
    let mut messages = Messages::lent(&mut memory);
    let mut input = hex("02 05 01 02 03 04 05");
    let mut input = &mut input[..];
    let failed = messages.receive(&mut connection, &mut input);
    assert!(matches!(failed, Some(Message::Failed(Failure::Violation(Violation::MessageTooBig)))));
    connection.transmit(&mut out).unwrap();
    assert_eq!(common::unmask(&out), hex("88 02 03 F1"));
}

#[test]
fn a_message_dropped_by_a_close_or_a_failure_leaves_no_bytes() {
    let mut messages = Messages::new();
    for end in ["88 00", "83 00"] {
        let chunks: [&[u8]; 2] = [&hex("01 02 61 62"), &hex(end)];
        assert_eq!(drive(&mut messages, &chunks).len(), 1);
        // The buffer is free for another connection.
        assert_eq!(drive(&mut messages, &[&hex("01 01 63 / 80 01 64")]), ["text cd"]);
    }
}

#[test]
fn r6455_8_1_a_text_that_goes_bad_fails_with_1007_however_it_is_gathered() {
    let inputs =
        ["81 02 61 FF", "81 03 61 E2 82", "01 02 61 C3 / 80 02 A9 FF", "01 03 61 62 63 / 80 01 C3"];
    for input in inputs.map(hex) {
        for chunks in cuts(&input) {
            assert_eq!(
                drive(&mut Messages::new(), &chunks),
                ["Failed(Violation(InvalidUtf8))"],
                "{chunks:02X?}"
            );
        }
    }
}

/// Returns the result of the second connection if two use one `Messages`.
fn mixed(first: &str, second: &str) -> Vec<String> {
    let mut messages = Messages::new();
    assert_eq!(drive(&mut messages, &[&hex(first)]), [""; 0]);
    drive(&mut messages, &[&hex(second)])
}

#[test]
fn t65_pieces_of_two_connections_are_never_mixed() {
    let failed = ["Failed(Internal(WrongConnection))"];
    assert_eq!(mixed("01 02 61 62", "01 02 63 64 / 80 01 65"), failed);
    assert_eq!(mixed("01 02 61 62", "81 02 63 64"), failed);
    assert_eq!(mixed("01 02 61 62", "82 02 63 64"), failed);
    assert_eq!(mixed("02 02 61 62", "02 02 63 64"), failed);
    // The same number of bytes, of another kind.
    assert_eq!(mixed("01 02 61 62", "02 02 63 64 / 80 01 65"), failed);
    // Each connection is in the middle of a message, of the same kind or not.
    for (one, two) in [
        ("01 02 61 62", "01 03 63 64 65"),
        ("01 02 61 62", "02 02 FF FF"),
        ("02 02 FF FF", "01 02 61 62"),
    ] {
        let (mut memory, mut other) = ([0; 9], [0; 9]);
        failing_in_the_middle(Messages::new(), Messages::new(), one, two);
        failing_in_the_middle(Messages::lent(&mut memory), Messages::lent(&mut other), one, two);
    }
}

fn failing_in_the_middle(
    mut messages: Messages<'_>,
    mut others: Messages<'_>,
    one: &str,
    two: &str,
) {
    let (mut first, mut second) = (client(), client());
    let (mut one, mut two) = (hex(one), hex(two));
    assert!(messages.receive(&mut first, &mut &mut one[..]).is_none());
    assert!(others.receive(&mut second, &mut &mut two[..]).is_none());
    let mut input = hex("80 01 66");
    let message = messages.receive(&mut second, &mut &mut input[..]).map(|m| show(&m));
    assert_eq!(message.as_deref(), Some("Failed(Internal(WrongConnection))"));
}

#[test]
fn a_compressed_message_needs_a_codec_first() {
    let agreed = Agreed::new().deflate(Deflate::new());
    let mut connection = Connection::new(Client(common::Keys::default()), &Config::new(), agreed);
    let mut messages = Messages::new();
    let mut input = hex("C1 01 00");
    let message = messages.receive(&mut connection, &mut &mut input[..]).map(|m| show(&m));
    assert_eq!(message.as_deref(), Some("Failed(Internal(NoInflater))"));
}

#[test]
fn messages_over_lent_storage_can_be_named() {
    fn named(messages: Messages<'_>) -> String {
        format!("{messages:?}")
    }
    let mut memory = [0; 9];
    assert!(named(Messages::lent(&mut memory)).contains("0 of 9 bytes"));
}
