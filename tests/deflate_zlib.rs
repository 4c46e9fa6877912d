//! Messages compressed by zlib itself, and round trips.
//! Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

use crate::common::compressed::{TAKEOVER, client, deflater, sent, server};
use crate::common::deflate::{Mode, drive_inflated};
use crate::common::{self, few_cuts, hex, mask, show};
use websocket_proto::{
    Agreed, Data, Deflate, Deflater, Event, Inflater, InternalError, Message, Messages, WindowBits,
    ZlibCompress, ZlibDecompress,
};

#[test]
fn t35_messages_of_zlib_are_inflated_with_any_split() {
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
    for bits in (8..=15).step_by(if few_cuts() { 7 } else { 1 }) {
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
    // Data that was taken in pieces is missing in the message.
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
