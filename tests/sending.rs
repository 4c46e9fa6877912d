//! What is sent, byte by byte, and what is refused. An error changes neither state nor output.

use crate::common::{self, Keys, hex, unmask};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Data, Failure, Full, InternalError,
    Kind, Output, Role, SendError, Server, SliceOutput, State, Violation,
};

fn server() -> Connection<Server> {
    Connection::new(Server, &Config::new(), Agreed::new())
}

fn client() -> Connection<Client<Keys>> {
    Connection::new(Client(Keys::default()), &Config::new(), Agreed::new())
}

/// Passes `input` to the connection, without transmitting anything.
fn receive<R: Role>(connection: &mut Connection<R>, mut input: Vec<u8>) {
    let mut input = &mut input[..];
    while connection.receive(&mut input).is_some() {}
}

type Call<R> = fn(&mut Connection<R>, &mut Vec<u8>) -> Result<(), SendError>;

/// All ways to send, by name.
fn calls<R: Role>() -> [(&'static str, Call<R>); 7] {
    [
        ("text", |c, out| c.send_text("x", out)),
        ("binary", |c, out| c.send_binary(b"x", out)),
        ("fragment", |c, out| c.send_fragment(Data::Text("x"), false, out)),
        ("last fragment", |c, out| c.send_fragment(Data::Text("x"), true, out)),
        ("ping", |c, out| c.ping(b"x", out)),
        ("pong", |c, out| c.pong(b"x", out)),
        ("close", |c, out| c.close(None, out)),
    ]
}

/// Returns the calls that are not refused now. Each is tried on a new connection.
fn allowed<R: Role>(make: impl Fn() -> Connection<R>) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for (name, call) in calls::<R>() {
        let (mut connection, mut out) = (make(), b"before".to_vec());
        let before = format!("{:?} {:?}", connection.state(), connection.next_step());
        match call(&mut connection, &mut out) {
            Ok(()) => {
                assert!(out.len() > 6, "{name} sent something");
                allowed.push(name);
            }
            Err(error) => {
                assert_eq!(error, SendError::Closing, "{name}");
                assert_eq!(out, b"before", "{name} wrote nothing");
                let after = format!("{:?} {:?}", connection.state(), connection.next_step());
                assert_eq!(before, after, "{name} changed nothing");
            }
        }
    }
    allowed
}

const ALL: [&str; 7] = ["text", "binary", "fragment", "last fragment", "ping", "pong", "close"];

#[test]
fn r6455_5_1_c_a_server_never_masks() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.send_text("Hello", &mut out).unwrap();
    connection.send_binary(&[1; 126], &mut out).unwrap();
    connection.ping(b"", &mut out).unwrap();
    connection.pong(b"p", &mut out).unwrap();
    connection.close(None, &mut out).unwrap();
    let expected = "81 05 48 65 6C 6C 6F / 82 7E 00 7E 01*126 / 89 00 / 8A 01 70 / 88 00";
    assert_eq!(out, hex(expected));
}

#[test]
fn r6455_5_1_a_a_client_masks_every_frame_empty_and_control_frames_too() {
    let (mut connection, mut out) = (client(), Vec::new());
    connection.ping(b"", &mut out).unwrap();
    assert_eq!(out[..2], [0x89, 0x80]);
    assert_eq!(out.len(), 6);
    connection.send_text("", &mut out).unwrap();
    connection.send_text("Hello", &mut out).unwrap();
    connection.send_fragment(Data::Binary(&[9; 70_000]), false, &mut out).unwrap();
    connection.pong(b"p", &mut out).unwrap();
    let close = CloseFrame::new(CloseCode::NORMAL, "bye").unwrap();
    connection.close(Some(&close), &mut out).unwrap();
    // `unmask` asserts the MASK bit and the key of each frame.
    let expected = "89 00 / 81 00 / 81 05 48 65 6C 6C 6F / 02 7F 00 00 00 00 00 01 11 70 09*70000 \
                    / 8A 01 70 / 88 05 03 E8 62 79 65";
    assert_eq!(unmask(&out), hex(expected));
}

/// Covers T50.
#[test]
fn r6455_5_3_a_one_fresh_key_for_each_frame_in_the_order_of_the_calls() {
    let mut drawn = 0_u8;
    let keys = || {
        drawn += 1;
        [drawn; 4]
    };
    let mut connection = Connection::new(Client(keys), &Config::new(), Agreed::new());
    let mut out = Vec::new();
    connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
    connection.ping(b"", &mut out).unwrap();
    connection.send_fragment(Data::Text("b"), false, &mut out).unwrap();
    connection.send_fragment(Data::Text("c"), true, &mut out).unwrap();
    // An owed Pong and the frame after it, then a frame whose payload the caller writes.
    receive(&mut connection, hex("89 01 70"));
    connection.send_text("d", &mut out).unwrap();
    let mut payload = *b"e";
    let header = connection.frame_in_place(Kind::Text, true, &mut payload).unwrap();
    let expected = "01 81 01*4 60 / 89 80 02*4 / 00 81 03*4 61 / 80 81 04*4 67 \
                    / 8A 81 05*4 75 / 81 81 06*4 62";
    assert_eq!(out, hex(expected));
    assert_eq!([&*header, &payload].concat(), hex("81 81 07*4 62"));
    assert_eq!(drawn, 7);
}

/// Covers R6455-5.2-d, R6455-5.2-e.
#[test]
fn r6455_5_2_c_the_shortest_length_is_sent() {
    let headers = [
        (0, "82 00"),
        (125, "82 7D"),
        (126, "82 7E 00 7E"),
        (65_535, "82 7E FF FF"),
        (65_536, "82 7F 00 00 00 00 00 01 00 00"),
    ];
    for (length, header) in headers {
        let (mut connection, mut out) = (server(), Vec::new());
        connection.send_binary(&vec![7; length], &mut out).unwrap();
        let header = hex(header);
        assert_eq!(out[..header.len()], header);
        assert_eq!(out.len(), header.len() + length);
        let own_payload = server().frame(Data::Binary(&vec![7; length]), true).unwrap();
        assert_eq!(*own_payload, *header);
    }
}

#[test]
fn r6455_2_a_output_follows_the_order_of_the_calls() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.ping(b"1", &mut out).unwrap();
    connection.send_text("2", &mut out).unwrap();
    connection.pong(b"3", &mut out).unwrap();
    connection.send_binary(b"4", &mut out).unwrap();
    assert_eq!(out, hex("89 01 31 / 81 01 32 / 8A 01 33 / 82 01 34"));
}

#[test]
fn r6455_5_1_e_data_goes_at_any_time_while_the_connection_is_open() {
    assert_eq!(allowed(server), ALL);
    assert_eq!(allowed(client), ALL);
}

/// Covers T22.
#[test]
fn r6455_5_5_1_e_after_our_close_nothing_but_pongs() {
    let closed = || {
        let mut connection = server();
        connection.send_fragment(Data::Text("a"), false, &mut Vec::new()).unwrap();
        connection.close(None, &mut Vec::new()).unwrap();
        connection
    };
    assert_eq!(closed().state(), State::Closing);
    assert_eq!(allowed(closed), ["pong"]);
}

/// Covers T22.
#[test]
fn r6455_5_5_1_e_after_our_close_no_payload_of_the_callers_own() {
    let (mut server, mut client, mut payload) = (server(), client(), *b"x");
    server.close(None, &mut Vec::new()).unwrap();
    client.close(None, &mut Vec::new()).unwrap();
    assert_eq!(server.frame(Data::Binary(b"x"), true), Err(SendError::Closing));
    let refused = client.frame_in_place(Kind::Binary, true, &mut payload);
    assert_eq!((refused, payload), (Err(SendError::Closing), *b"x"));
}

/// Covers T22.
#[test]
fn r6455_6_1_a_after_the_peers_close_nothing_but_the_reply() {
    let owed = || {
        let mut connection = server();
        receive(&mut connection, common::mask(&hex("88 02 03 E8")));
        connection
    };
    assert_eq!(allowed(owed), ["close"]);
    let replied = || {
        let mut connection = owed();
        connection.transmit(&mut Vec::new()).unwrap();
        connection
    };
    assert_eq!(allowed(replied), [""; 0]);
}

#[test]
fn r6455_6_1_a_a_failure_in_the_middle_of_a_message_ends_it() {
    let failed = || {
        let mut connection = server();
        connection.send_fragment(Data::Text("a"), false, &mut Vec::new()).unwrap();
        receive(&mut connection, common::mask(&hex("83 00")));
        connection
    };
    assert_eq!(allowed(failed), [""; 0]);
    let mut out = Vec::new();
    failed().transmit(&mut out).unwrap();
    assert_eq!(out, hex("88 02 03 EA"));
}

#[test]
fn r6455_6_1_a_nothing_is_sent_after_the_end_of_the_transport() {
    let ended = || {
        let mut connection = client();
        connection.receive_eof();
        connection
    };
    assert_eq!(allowed(ended), [""; 0]);
    let aborted = || {
        let mut connection = client();
        connection.abort();
        connection
    };
    assert_eq!(allowed(aborted), [""; 0]);
}

#[test]
fn r6455_5_4_d_a_second_message_waits_for_the_end_of_the_first() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
    let before = out.clone();
    let binary = Data::Binary(b"x");
    assert_eq!(connection.send_text("b", &mut out), Err(SendError::MessageOpen));
    assert_eq!(connection.send_binary(b"b", &mut out), Err(SendError::MessageOpen));
    assert_eq!(connection.send_fragment(binary, false, &mut out), Err(SendError::MessageOpen));
    assert_eq!(connection.send_fragment(binary, true, &mut out), Err(SendError::MessageOpen));
    assert_eq!(connection.frame(binary, true), Err(SendError::MessageOpen));
    assert_eq!(out, before);
    connection.send_fragment(Data::Text("b"), true, &mut out).unwrap();
    connection.send_binary(b"c", &mut out).unwrap();
    assert_eq!(out, hex("01 01 61 / 80 01 62 / 82 01 63"));
}

#[test]
fn r6455_5_4_f_control_frames_go_between_fragments() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
    connection.ping(b"p", &mut out).unwrap();
    connection.pong(b"q", &mut out).unwrap();
    connection.send_fragment(Data::Text("b"), true, &mut out).unwrap();
    assert_eq!(out, hex("01 01 61 / 89 01 70 / 8A 01 71 / 80 01 62"));
}

#[test]
fn r6455_5_4_h_a_message_is_split_at_any_size_with_fragments() {
    let data = [5; 65_536];
    let (mut connection, mut out) = (server(), Vec::new());
    let pieces = data.chunks(1300).count();
    for (number, piece) in data.chunks(1300).enumerate() {
        connection.send_fragment(Data::Binary(piece), number + 1 == pieces, &mut out).unwrap();
    }
    let mut firsts = Vec::new();
    let mut rest = &out[..];
    while let [first, 126, a, b, ..] = *rest {
        firsts.push(first);
        rest = &rest[4 + usize::from(u16::from_be_bytes([a, b]))..];
    }
    assert!(rest.is_empty());
    let mut expected = vec![0x00; 51];
    (expected[0], expected[50]) = (0x02, 0x80);
    assert_eq!(firsts, expected);
}

#[test]
fn r6455_6_1_b_the_first_frame_has_the_kind_and_the_last_has_fin() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.send_text("a", &mut out).unwrap();
    for (text, last) in [("a", false), ("b", false), ("c", true)] {
        connection.send_fragment(Data::Text(text), last, &mut out).unwrap();
    }
    connection.send_fragment(Data::Binary(b"d"), true, &mut out).unwrap();
    assert_eq!(out, hex("81 01 61 / 01 01 61 / 00 01 62 / 80 01 63 / 82 01 64"));
}

#[test]
fn r6455_5_5_a_a_control_payload_has_at_most_125_bytes() {
    let (mut connection, mut out) = (server(), Vec::new());
    assert_eq!(connection.ping(&[0; 126], &mut out), Err(SendError::ControlTooLong));
    assert_eq!(connection.pong(&[0; 126], &mut out), Err(SendError::ControlTooLong));
    assert!(out.is_empty());
    connection.ping(&[0; 125], &mut out).unwrap();
    assert_eq!(out, hex("89 7D 00*125"));
}

/// Covers T24.
#[test]
fn r6455_5_5_1_c_a_reason_over_123_bytes_is_refused_or_cut_at_a_code_point() {
    let fits = "é".repeat(61) + "a";
    assert_eq!(CloseFrame::new(CloseCode::NORMAL, &fits).unwrap().reason(), fits);
    let long = "a".to_owned() + &fits;
    assert_eq!(CloseFrame::new(CloseCode::NORMAL, &long), Err(SendError::ReasonTooLong));
    let cut = CloseFrame::truncated(CloseCode::NORMAL, &"é".repeat(62));
    assert_eq!(cut.reason(), "é".repeat(61));
    // The reason ends at the first character that does not fit, even if a later one would fit.
    let cut = CloseFrame::truncated(CloseCode::NORMAL, &("é".repeat(61) + "éa"));
    assert_eq!(cut.reason(), "é".repeat(61));
}

#[test]
fn r6455_7_1_2_a_closing_starts_with_a_close_of_code_and_reason() {
    let (mut connection, mut out) = (server(), Vec::new());
    let close = CloseFrame::new(CloseCode::GOING_AWAY, "bye").unwrap();
    connection.close(Some(&close), &mut out).unwrap();
    assert_eq!(out, hex("88 05 03 E9 62 79 65"));
    assert_eq!(connection.state(), State::Closing);
}

#[test]
fn r6455_7_4_a_code_and_reason_are_optional() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.close(None, &mut out).unwrap();
    assert_eq!(out, hex("88 00"));
    let (mut connection, mut out) = (server(), Vec::new());
    connection.close(Some(&CloseFrame::new(CloseCode::NORMAL, "").unwrap()), &mut out).unwrap();
    assert_eq!(out, hex("88 02 03 E8"));
}

#[test]
fn t23_only_codes_that_may_travel_can_be_sent() {
    // R6455-7.4.1-d, -e, R6455-7.4.2-a to -d, IANA-CC-a: one table for both directions.
    for code in 0..=u16::MAX {
        let may = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let built = CloseCode::new(code);
        assert_eq!(built.is_some(), may, "{code}");
        assert_eq!(built.map_or(code, CloseCode::get), code);
    }
    let (mut connection, mut out) = (server(), Vec::new());
    let restart = CloseFrame::new(CloseCode::SERVICE_RESTART, "").unwrap();
    connection.close(Some(&restart), &mut out).unwrap();
    assert_eq!(out, hex("88 02 03 F4"));
}

#[test]
fn r6455_7_4_1_f_1010_is_the_clients_code() {
    let close = CloseFrame::new(CloseCode::MANDATORY_EXTENSION, "permessage-deflate").unwrap();
    let (mut connection, mut out) = (server(), Vec::new());
    assert_eq!(connection.close(Some(&close), &mut out), Err(SendError::InvalidCloseCode));
    assert_eq!((connection.state(), out.len()), (State::Open, 0));
    let (mut connection, mut out) = (client(), Vec::new());
    connection.close(Some(&close), &mut out).unwrap();
    assert_eq!(unmask(&out)[..4], hex("88 14 03 F2"));
}

#[test]
fn r6455_5_6_c_text_is_whole_code_points_in_every_frame() {
    // `&str` guarantees this, except for a client that masks bytes in place.
    let mut connection = client();
    let mut cut = *b"\xC3";
    let refused = connection.frame_in_place(Kind::Text, false, &mut cut);
    assert_eq!((refused, cut), (Err(SendError::InvalidUtf8), *b"\xC3"));
    let mut whole = "é".as_bytes().to_vec();
    let header = connection.frame_in_place(Kind::Text, true, &mut whole).unwrap();
    assert_eq!(unmask(&[&header, &whole[..]].concat()), hex("81 02 C3 A9"));
    let mut bytes = *b"\xC3";
    let header = connection.frame_in_place(Kind::Binary, true, &mut bytes).unwrap();
    assert_eq!(unmask(&[&header, &bytes[..]].concat()), hex("82 01 C3"));
}

#[test]
fn r6455_5_4_a_frames_whose_payload_the_caller_writes_are_fragments_too() {
    let (mut connection, mut wire) = (client(), Vec::new());
    for (payload, last) in [(*b"ab", false), (*b"cd", false), (*b"ef", true)] {
        let mut payload = payload;
        wire.extend(&*connection.frame_in_place(Kind::Text, last, &mut payload).unwrap());
        wire.extend(payload);
    }
    assert_eq!(unmask(&wire), hex("01 02 61 62 / 00 02 63 64 / 80 02 65 66"));
    let (mut connection, mut wire) = (server(), Vec::<u8>::new());
    for (data, last) in [(Data::Text("a"), false), (Data::Text("b"), true)] {
        wire.extend(&*connection.frame(data, last).unwrap());
        wire.extend(data.as_bytes());
    }
    assert_eq!(wire, hex("01 01 61 / 80 01 62"));
}

#[test]
#[cfg(feature = "random")]
fn t50_the_systems_keys_differ_from_frame_to_frame_and_from_source_to_source() {
    use websocket_proto::{MaskSource, SystemMask};
    // Three blocks of 64 keys from each source. Some pair of the 384 is equal by chance once in 58
    // 000 runs, so two repetitions are allowed.
    let mut sources = [SystemMask::new(), SystemMask::new()];
    let keys: Vec<_> = sources
        .iter_mut()
        .flat_map(|source| std::iter::repeat_with(|| source.mask_key().unwrap()).take(192))
        .collect();
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert!(distinct.len() >= keys.len() - 2, "{keys:02X?}");
    assert!(keys.iter().filter(|key| **key == [0; 4]).count() <= 1);
}

#[test]
fn r6455_10_3_a_a_payload_is_frozen_when_its_frame_starts() {
    // A message that grows while it is sent consists of fragments. Each is complete when its frame
    // is made, and has a key of its own.
    let (mut connection, mut out) = (client(), Vec::new());
    let mut data = vec![1];
    connection.send_fragment(Data::Binary(&data), false, &mut out).unwrap();
    data[0] = 2;
    connection.send_fragment(Data::Binary(&data), true, &mut out).unwrap();
    assert_eq!(unmask(&out), hex("02 01 01 / 80 01 02"));
    assert_ne!(out[2..6], out[9..13]);
}

/// A later Ping drops the Pong that is owed for an earlier one.
/// Covers T20.
#[test]
fn r6455_5_5_3_b_of_a_million_pings_one_pong_is_owed() {
    let mut connection = server();
    let header = hex("89 84 00 00 00 00");
    for number in 0..1_000_000_u32 {
        receive(&mut connection, [&header[..], &number.to_be_bytes()].concat());
    }
    let mut out = Vec::new();
    connection.transmit(&mut out).unwrap();
    assert_eq!(out, hex("8A 04 00 0F 42 3F"));
    assert!(!connection.wants_transmit());
    connection.transmit(&mut out).unwrap();
    assert_eq!(out.len(), 6);
}

#[test]
fn r6455_5_5_2_c_an_owed_pong_is_dropped_by_a_close_a_fault_and_an_end() {
    for (then, output) in [("88 00", "88 00"), ("83 00", "88 02 03 EA"), ("", "")] {
        let (mut connection, mut out) = (client(), Vec::new());
        receive(&mut connection, hex("89 01 70"));
        assert!(connection.wants_transmit());
        match then {
            "" => connection.receive_eof(),
            frame => receive(&mut connection, hex(frame)),
        }
        connection.transmit(&mut out).unwrap();
        assert_eq!(unmask(&out), hex(output), "{then}");
    }
}

#[test]
fn t21_the_applications_pong_does_not_take_the_place_of_the_owed_one() {
    let (mut connection, mut out) = (server(), Vec::new());
    receive(&mut connection, common::mask(&hex("89 01 61")));
    connection.pong(b"own", &mut out).unwrap();
    assert_eq!(out, hex("8A 01 61 / 8A 03 6F 77 6E"));
    assert!(!connection.wants_transmit());
}

#[test]
fn r6455_5_5_2_b_an_owed_pong_goes_ahead_of_data_and_between_fragments() {
    let (mut connection, mut out) = (client(), Vec::new());
    connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
    receive(&mut connection, hex("89 01 70"));
    connection.send_fragment(Data::Text("b"), true, &mut out).unwrap();
    assert_eq!(unmask(&out), hex("01 01 61 / 8A 01 70 / 80 01 62"));
}

#[test]
fn r6455_5_5_2_a_without_automatic_pongs_the_application_answers() {
    let mut connection = Connection::new(Server, &Config::new().auto_pong(false), Agreed::new());
    receive(&mut connection, common::mask(&hex("89 01 70")));
    assert!(!connection.wants_transmit());
    let mut out = Vec::new();
    connection.pong(b"p", &mut out).unwrap();
    assert_eq!(out, hex("8A 01 70"));
}

#[test]
fn r6455_5_5_2_d_pings_go_while_the_connection_is_open() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.ping(b"p", &mut out).unwrap();
    connection.close(None, &mut out).unwrap();
    assert_eq!(connection.ping(b"p", &mut out), Err(SendError::Closing));
    assert_eq!(out, hex("89 01 70 / 88 00"));
}

#[test]
fn r6455_5_5_1_g_the_reply_to_a_close_goes_before_messages_not_begun() {
    let (mut connection, mut out) = (server(), Vec::new());
    connection.send_fragment(Data::Text("a"), false, &mut out).unwrap();
    receive(&mut connection, common::mask(&hex("88 02 03 E8")));
    // A message that was begun is abandoned. A new one is refused.
    assert_eq!(connection.send_fragment(Data::Text("b"), true, &mut out), Err(SendError::Closing));
    connection.transmit(&mut out).unwrap();
    assert_eq!(out, hex("01 01 61 / 88 02 03 E8"));
}

#[test]
fn t52_no_byte_reaches_the_output_that_was_not_given() {
    for length in 0..40 {
        let data: Vec<u8> = (0..length).collect();
        let (mut connection, mut out) = (server(), vec![0xEE; 3]);
        out.reserve(100);
        connection.send_binary(&data, &mut out).unwrap();
        assert_eq!(out[..5], [0xEE, 0xEE, 0xEE, 0x82, length]);
        assert_eq!(out[5..], data);
    }
}

#[test]
fn an_output_without_room_changes_nothing() {
    // The Ping makes an owed Pong go first. Both frames are sent, or none is.
    let frame = |text: &str| common::mask(&hex(text));
    let whole = {
        let (mut connection, mut out) = (server(), Vec::new());
        receive(&mut connection, frame("89 01 70"));
        connection.send_text("Hello", &mut out).unwrap();
        out
    };
    for room in 0..=whole.len() {
        let mut memory = vec![0; room];
        let mut out = SliceOutput::new(&mut memory);
        let mut connection = server();
        receive(&mut connection, frame("89 01 70"));
        let result = connection.send_text("Hello", &mut out);
        if room < whole.len() {
            assert_eq!(result, Err(SendError::Full), "room {room}");
            assert_eq!(out.written(), b"");
            assert!(connection.wants_transmit(), "the pong is still owed");
        } else {
            assert_eq!(result, Ok(()));
            assert_eq!(out.written(), whole);
        }
    }
    // A Close without room is still owed. A fragment without room opens no message.
    let mut none = SliceOutput::new(&mut []);
    let mut connection = server();
    receive(&mut connection, frame("83 00"));
    assert_eq!(connection.transmit(&mut none), Err(SendError::Full));
    assert!(connection.wants_transmit());
    let mut connection = server();
    assert_eq!(connection.send_fragment(Data::Text("a"), false, &mut none), Err(SendError::Full));
    assert_eq!(connection.close(None, &mut none), Err(SendError::Full));
    assert_eq!(connection.state(), State::Open);
    let mut out = Vec::new();
    connection.send_text("b", &mut out).unwrap();
    assert_eq!(out, hex("81 01 62"));
}

#[test]
fn a_mask_source_without_entropy_changes_nothing() {
    struct Dry(Option<[u8; 4]>);
    impl websocket_proto::MaskSource for Dry {
        fn mask_key(&mut self) -> Option<[u8; 4]> {
            self.0.take()
        }
    }
    let calls = calls::<Client<Dry>>();
    for (name, call) in calls {
        let mut connection = Connection::new(Client(Dry(None)), &Config::new(), Agreed::new());
        let mut out = Vec::new();
        assert_eq!(call(&mut connection, &mut out), Err(SendError::NoMaskKey), "{name}");
        assert_eq!((connection.state(), out.len()), (State::Open, 0), "{name}");
        assert_eq!(connection.frame_in_place(Kind::Text, true, &mut []), Err(SendError::NoMaskKey));
        // No fragmented message was opened.
        connection = Connection::new(Client(Dry(Some([1; 4]))), &Config::new(), Agreed::new());
        connection.send_binary(b"", &mut out).unwrap();
        assert_eq!(out, hex("82 80 01*4"));
    }
    // With one key for two frames, neither is sent.
    let mut connection = Connection::new(Client(Dry(Some([1; 4]))), &Config::new(), Agreed::new());
    receive(&mut connection, hex("89 00"));
    let mut out = Vec::new();
    assert_eq!(connection.send_text("a", &mut out), Err(SendError::NoMaskKey));
    assert!(out.is_empty() && connection.wants_transmit());
}

#[test]
fn an_output_is_called_within_its_contract_and_one_that_lies_does_no_harm() {
    /// Accepts every reservation, and keeps no bytes.
    struct Liar {
        reserved: usize,
        appended: usize,
    }
    impl Output for Liar {
        fn reserve(&mut self, additional: usize) -> Result<(), Full> {
            self.reserved += additional;
            Ok(())
        }
        fn append(&mut self, bytes: &[u8]) {
            self.appended += bytes.len();
            assert!(self.appended <= self.reserved);
        }
    }
    let mut out = Liar { reserved: 0, appended: 0 };
    let mut connection = client();
    // The trait object behaves in the same way.
    let dynamic: &mut dyn Output = &mut out;
    connection.send_binary(&[7; 10_007], dynamic).unwrap();
    connection.send_text("Hello", dynamic).unwrap();
    connection.close(None, dynamic).unwrap();
    assert_eq!(out.appended, out.reserved, "room is asked for to the byte");
}

#[test]
fn a_long_payload_is_appended_in_parts_of_some_kib() {
    /// Records the length of each part.
    struct Parts(Vec<usize>);
    impl Output for Parts {
        fn reserve(&mut self, _: usize) -> Result<(), Full> {
            Ok(())
        }
        fn append(&mut self, bytes: &[u8]) {
            self.0.push(bytes.len());
        }
    }
    let mut out = Parts(Vec::new());
    server().send_binary(&[7; 100_000], &mut out).unwrap();
    assert_eq!(out.0.iter().sum::<usize>(), 100_010);
    assert!(out.0.iter().all(|&part| part <= 4096), "{:?}", out.0);
}

#[test]
fn t51_masking_into_an_output_is_the_same_at_every_place_and_length() {
    /// Uses the default implementation of masking.
    struct Plain(Vec<u8>);
    impl Output for Plain {
        fn reserve(&mut self, _: usize) -> Result<(), Full> {
            Ok(())
        }
        fn append(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }
    let payload = common::random(2200);
    for length in (0..300).chain(2040..2070).chain([2200]) {
        for place in 0..17 {
            let (payload, before) = (&payload[..length], vec![7; place]);
            let frame = common::mask_with(&common::frame(0x82, payload), [1, 2, 3, 4]);
            let expected = [&before[..], &frame].concat();
            let send = |out: &mut dyn Output| {
                let mut connection =
                    Connection::new(Client(|| [1, 2, 3, 4]), &Config::new(), Agreed::new());
                connection.send_binary(payload, out).unwrap();
            };
            let mut vector = before.clone();
            send(&mut vector);
            assert!(vector == expected, "{length} behind {place}");
            let mut plain = Plain(before.clone());
            send(&mut plain);
            assert!(plain.0 == expected, "{length} behind {place}");
            let mut memory = vec![0; expected.len()];
            let mut slice = SliceOutput::new(&mut memory);
            slice.append(&before);
            send(&mut slice);
            assert!(slice.written() == expected, "{length} behind {place}");
        }
    }
}

#[test]
fn fail_owes_the_close_of_its_failure_once() {
    let codes: [(Failure, &str); 5] = [
        (Violation::InvalidPayload.into(), "88 02 03 EF"),
        (Violation::UnsupportedData.into(), "88 02 03 EB"),
        (Violation::PolicyViolation.into(), "88 02 03 F0"),
        (InternalError::Application.into(), "88 02 03 F3"),
        (Violation::MessageTooBig.into(), "88 02 03 F1"),
    ];
    for (failure, close) in codes {
        let (mut connection, mut out) = (server(), Vec::new());
        connection.fail(failure);
        connection.fail(Violation::ReservedBit);
        assert!(connection.wants_transmit());
        connection.transmit(&mut out).unwrap();
        connection.fail(failure);
        connection.transmit(&mut out).unwrap();
        assert_eq!(out, hex(close));
        let mut input = common::mask(&hex("81 01 61"));
        let mut input = &mut input[..];
        assert!(connection.receive(&mut input).is_none() && input.is_empty());
        connection.abort();
        assert_eq!(connection.closure().unwrap().failure, Some(failure));
    }
}

#[test]
fn a_vector_makes_room_or_says_that_it_cannot() {
    let mut out = vec![7];
    assert_eq!(Output::reserve(&mut out, 1000), Ok(()));
    assert!(out.capacity() >= 1001);
    assert_eq!(Output::reserve(&mut out, usize::MAX), Err(Full));
    Output::append(&mut out, b"ab");
    assert_eq!(out, [7, b'a', b'b']);
}
