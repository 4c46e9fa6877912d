//! Codecs that connections share or use one after the other, and the memory of codecs.
//! Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

use crate::common::compressed::{
    FAIL_1011, HELLO, HELLO_AGAIN, NO_TAKEOVER, TAKEOVER, client, deflater, payloads, sent, server,
};
use crate::common::deflate::{Mode, drive_inflated};
use crate::common::inflate::inflate;
use crate::common::{self, frames, hex, mask, show, unmask};
use websocket_proto::{
    Agreed, Config, Connection, Data, Deflate, Deflater, Event, Failure, Inflater, InternalError,
    Message, Messages, Server, Violation, WindowBits, ZlibCompress, ZlibDecompress,
};

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
    // Both messages have the same lengths throughout, so no count distinguishes them.
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
    // The connection that began last goes on.
    let mut rest = 0;
    while let Some(event) = inflater.inflate(&mut two, &mut b) {
        let Event::Text(text) = event else { panic!("{event:?}") };
        assert!(text.bytes().all(|byte| byte == b'b'));
        rest += text.len();
    }
    assert_eq!(rest, 100_000 - (17 << 10));
}

#[test]
fn a_shared_codec_is_refused_where_it_cannot_serve() {
    // The peer uses context takeover.
    let hello = frames(HELLO, true);
    let outcome =
        drive_inflated(&mut server(TAKEOVER), Mode::Shared, ZlibDecompress::new(), [&hello[..]]);
    assert_eq!(outcome.events, ["failed NoInflater"]);
    assert_eq!(show(&outcome.output), show(&hex(FAIL_1011)));
    // The piece is not a whole message.
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
        // The next connection begins while this one is in the middle of a message.
        let mut cut = mask(&hex("41 03 F2 48 CD"));
        let mut messages = Messages::new();
        let input = &mut &mut cut[..];
        assert!(messages.receive_inflated(&mut connection, &mut inflater, input).is_none());
    }
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
    // A shared inflater turns a short message into one piece, an own one into one piece for each
    // read.
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
