//! What a connection costs: its size, its allocations, its steps.

use crate::allocator::{in_use, measure};
use crate::common::{Keys, hex, mask};
use websocket_proto::{
    Agreed, Client, Config, Connection, Data, Event, Failure, Message, Messages, Role, Server,
    SliceOutput, Violation,
};

/// Returns how often `work` allocates, and its peak in bytes.
fn allocations(work: impl FnOnce()) -> (usize, isize) {
    let ((), memory) = measure(work);
    (memory.times, memory.peak)
}

#[test]
fn the_counter_counts() {
    let (times, peak) = allocations(|| drop(std::hint::black_box(vec![0_u8; 1000])));
    assert_eq!((times, peak), (1, 1000));
}

#[test]
fn sizes() {
    // No byte is left: `Receiver` has 168 bytes without padding, `Connection` has one of padding.
    let sizes = [
        ("Connection<Server>", size_of::<Connection<Server>>()),
        ("Connection<Client<Keys>>", size_of::<Connection<Client<Keys>>>()),
    ];
    for (what, size) in sizes {
        assert!(size <= 320, "{what}: {size} bytes");
    }
    assert!(size_of::<Event<'static>>() <= 160);
}

#[test]
fn auto_traits() {
    fn sendable<T: Send + Sync + Unpin + 'static>() {}
    sendable::<Connection<Server>>();
    sendable::<Connection<Client<Keys>>>();
    sendable::<Messages>();
    sendable::<Event<'static>>();
    sendable::<Message<'static>>();
    sendable::<websocket_proto::SendError>();
    sendable::<websocket_proto::Violation>();
}

#[test]
fn the_path_over_lent_buffers_never_allocates() {
    let inputs: Vec<Vec<u8>> = [
        "81 05 48 65 6C 6C 6F",
        "01 03 61 C3 A9",
        "89 04 70 71 72 73",
        "80 03 E2 82 AC",
        "82 7E 01 00 FE*256",
        "88 07 03 E8 68 65 6C 6C 6F",
    ]
    .iter()
    .flat_map(|frame| mask(&hex(frame)).chunks(3).map(<[u8]>::to_vec).collect::<Vec<_>>())
    .collect();
    let (mut gathered, mut written) = ([0; 512], [0; 2048]);
    let (times, _) = allocations(|| {
        let mut buffer = [0; 64];
        let mut out = SliceOutput::new(&mut written);
        let mut messages = Messages::lent(&mut gathered);
        let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
        let mut seen = 0;
        for bytes in &inputs {
            let mut input = &mut buffer[..bytes.len()];
            input.copy_from_slice(bytes);
            while let Some(message) = messages.receive(&mut connection, &mut input) {
                match message {
                    Message::Text(text) => connection.send_text(text, &mut out).unwrap(),
                    Message::Binary(data) => connection.send_binary(data, &mut out).unwrap(),
                    _ => {}
                }
                connection.transmit(&mut out).unwrap();
                seen += 1;
            }
        }
        assert_eq!(seen, 5);
        let mut client = Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
        client.send_fragment(Data::Text("x"), false, &mut out).unwrap();
        client.close(None, &mut out).unwrap();
    });
    assert_eq!(times, 0);
}

#[test]
fn an_idle_connection_has_no_heap() {
    let (times, _) = allocations(|| {
        let connection = Connection::new(Server, &Config::new(), Agreed::new());
        std::hint::black_box((connection, Messages::new()));
    });
    assert_eq!(times, 0);
}

/// Covers T12.
#[test]
fn r6455_10_4_c_a_million_empty_continuations_cost_nothing() {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut messages = Messages::new();
    let frames = mask(&[0x00, 0x00]).repeat(1000);
    let mut buffer = vec![0; frames.len()];
    let mut feed = |bytes: &[u8]| {
        let mut input = &mut buffer[..bytes.len()];
        input.copy_from_slice(bytes);
        messages.receive(&mut connection, &mut input).map(|message| format!("{message:?}"))
    };
    assert_eq!(feed(&mask(&hex("01 01 61"))), None);
    let (times, _) = allocations(|| {
        for _ in 0..1000 {
            assert_eq!(feed(&frames), None);
        }
    });
    assert_eq!(times, 0);
    assert_eq!(feed(&mask(&hex("80 01 62"))).as_deref(), Some("Text(\"ab\")"));
}

#[test]
fn t11_continuations_that_never_finish_stop_at_the_limit() {
    let config = Config::new().max_message(100_000);
    let mut connection = Connection::new(Server, &config, Agreed::new());
    let mut messages = Messages::new();
    let mut fed = 0;
    let (_, peak) = allocations(|| {
        let mut frame = mask(&[&[0x02, 100][..], &[7; 100]].concat());
        loop {
            let mut buffer = frame.clone();
            let mut input = &mut buffer[..];
            match messages.receive(&mut connection, &mut input) {
                None => fed += 100,
                Some(Message::Failed(failure)) => {
                    assert_eq!(failure, Violation::MessageTooBig.into());
                    break;
                }
                Some(other) => panic!("{other:?}"),
            }
            frame = mask(&[&[0x00, 100][..], &[7; 100]].concat());
        }
    });
    assert_eq!(fed, 100_000);
    // A vector grows by doubling. While it does, both the old and the new buffer are in use.
    assert!(peak < 400_000, "{peak} bytes");
}

#[test]
fn t13_one_byte_fragments_in_one_byte_reads_take_memory_for_the_message_only() {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut messages = Messages::new();
    let first = mask(&hex("02 01 07"));
    let next = mask(&hex("00 01 07"));
    let (_, peak) = allocations(|| {
        for number in 0..50_000 {
            for byte in if number == 0 { &first } else { &next } {
                let mut buffer = [*byte];
                assert!(messages.receive(&mut connection, &mut &mut buffer[..]).is_none());
            }
        }
    });
    assert!(peak < 200_000, "{peak} bytes");
}

#[test]
fn t10_a_declared_length_reserves_nothing() {
    let (times, _) = allocations(|| {
        let config = Config::new().max_message(u64::MAX);
        let mut connection = Connection::new(Server, &config, Agreed::new());
        let mut messages = Messages::new();
        let mut header = [0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4];
        assert!(messages.receive(&mut connection, &mut &mut header[..]).is_none());
    });
    assert_eq!(times, 0);
}

#[test]
fn memory_is_kept_up_to_the_configured_limit() {
    // The lengths of the fragments. If memory doubled after the first, the last two would take 96
    // bytes.
    for (lengths, kept) in
        [(&[64][..], 64), (&[65], 0), (&[24, 24, 16], 64), (&[24, 24, 17], 0), (&[24, 20], 48)]
    {
        for opcode in [0x01, 0x02] {
            let mut connection =
                Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
            let mut messages = Messages::keeping(64);
            let before = in_use();
            let mut frames = Vec::new();
            for (at, &length) in lengths.iter().enumerate() {
                frames.extend([if at == 0 { opcode } else { 0x00 }, length]);
                frames.extend(vec![b'a'; length.into()]);
            }
            frames.extend([0x80, 0]);
            let mut input = &mut frames[..];
            assert!(messages.receive(&mut connection, &mut input).is_some());
            assert!(messages.receive(&mut connection, &mut input).is_none());
            drop(frames);
            assert_eq!(in_use() - before, kept, "a message of {lengths:?}");
        }
    }
}

#[test]
fn text_and_binary_messages_are_joined_in_the_same_memory() {
    let mut connection = Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
    let mut messages = Messages::keeping(64);
    let before = in_use();
    for opcode in [0x01, 0x02, 0x01] {
        let mut frames = [&[opcode, 64][..], &[b'a'; 64], &[0x80, 0]].concat();
        let message = messages.receive(&mut connection, &mut &mut frames[..]);
        assert_eq!(message.and_then(Message::data).map(|data| data.as_bytes().len()), Some(64));
        drop(frames);
        assert_eq!(in_use() - before, 64);
    }
}

#[test]
fn large_storage_is_given_back_between_messages() {
    for opcode in [0x01, 0x02] {
        let mut connection =
            Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
        let mut messages = Messages::keeping(1000);
        let before = in_use();
        for (length, kept) in [(900_usize, 0..1801), (5000, 0..1)] {
            let mut frame = vec![opcode, 126, (length >> 8) as u8, length as u8];
            frame.extend(vec![b'a'; length]);
            frame.extend([0x80, 0]);
            let mut input = &mut frame[..];
            let whole = match messages.receive(&mut connection, &mut input) {
                Some(Message::Binary(data)) => data.len(),
                Some(Message::Text(text)) => text.len(),
                other => panic!("{other:?}"),
            };
            assert_eq!(whole, length);
            assert!(messages.receive(&mut connection, &mut input).is_none());
            drop(frame);
            let left = in_use() - before;
            assert!(kept.contains(&left), "{left} bytes after a message of {length}");
        }
    }
}

#[test]
fn t14_every_limit_is_finite_by_default() {
    let mut connection = Connection::new(Server, &Config::default(), Agreed::new());
    // One byte more than 16 MiB.
    let mut header = mask(&hex("82 7F 00 00 00 00 01 00 00 00"));
    assert!(connection.receive(&mut &mut header[..]).is_none());
    let mut connection = Connection::new(Server, &Config::default(), Agreed::new());
    let mut header = mask(&hex("82 7F 00 00 00 00 01 00 00 01"));
    let event = connection.receive(&mut &mut header[..]);
    assert!(matches!(event, Some(Event::Failed(Failure::Violation(Violation::MessageTooBig)))));
}

#[test]
fn t60_every_call_takes_a_byte_or_says_that_there_is_none() {
    // A generator with a fixed seed makes input that is mostly invalid, but with many valid
    // headers.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..10_000 {
        let bytes: Vec<u8> = (0..random() % 60).map(|_| random() as u8 & 0x8F).collect();
        takes_a_byte(Client(Keys::default()), bytes.clone());
        takes_a_byte(Server, bytes);
    }
}

fn takes_a_byte<R: Role>(role: R, mut bytes: Vec<u8>) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let mut input = &mut bytes[..];
    let mut failed = false;
    loop {
        let before = input.len();
        let event = connection.receive(&mut input);
        let Some(event) = event else { break };
        // The failure after a last piece of text may find the input empty already.
        failed = matches!(event, Event::Failed(_));
        assert!(input.len() < before || failed);
    }
    assert!(input.is_empty());
    if failed {
        assert!(connection.receive(&mut input).is_none());
    }
}

/// Tests of growing a `BytesMut`, which aborts the process if there is no memory.
#[cfg(feature = "bytes")]
mod bytes_mut {
    use bytes::{Buf, BytesMut};
    use websocket_proto::{Full, Output};

    use super::*;
    use crate::allocator::refuse_above;

    #[test]
    fn a_reservation_beyond_the_memory_is_refused() {
        for contents in [&b""[..], b"ab"] {
            for room in [
                usize::MAX,
                isize::MAX as usize,
                isize::MAX as usize - 2,
                1_usize.checked_shl(46).unwrap_or(usize::MAX),
            ] {
                let mut out = BytesMut::from(contents);
                assert_eq!(Output::reserve(&mut out, room), Err(Full), "{room}");
                assert_eq!(out, contents);
            }
        }
        let mut out = BytesMut::from(&b"ab"[..]);
        refuse_above(10_000);
        let refused = Output::reserve(&mut out, 20_000);
        let granted = Output::reserve(&mut out, 4_000);
        refuse_above(usize::MAX);
        assert_eq!((refused, granted), (Err(Full), Ok(())));
        out.append(b"cd");
        assert_eq!(out, &b"abcd"[..]);
        assert_eq!(Output::reserve(&mut out, 20_000), Ok(()));
    }

    #[test]
    fn room_doubles_and_is_reused() {
        let mut out = BytesMut::new();
        let (times, peak) = allocations(|| {
            for _ in 0..100_000 {
                Output::reserve(&mut out, 10).unwrap();
                out.append(b"0123456789");
            }
        });
        assert!(times < 60 && peak < 5_000_000, "{times} allocations, {peak} bytes");
        let (times, _) = allocations(|| {
            for _ in 0..100_000 {
                Output::reserve(&mut out, 10).unwrap();
                out.append(b"0123456789");
                out.advance(if out.len() > 900_000 { 900_000 } else { 0 });
            }
        });
        assert!(times < 3, "{times} allocations");
    }
}

/// Tests of the costs of compressed messages (RFC 7692).
#[cfg(feature = "deflate")]
mod compressed {
    use websocket_proto::{
        Compress, Decompress, Deflate, Deflater, Inflater, InternalError, SendError, Violation,
        WindowBits, ZlibCompress, ZlibDecompress,
    };

    use super::*;
    use crate::{allocator::refuse_above, common};

    const NO_TAKEOVER: Agreed = Agreed::new().deflate(Deflate::new());
    const TAKEOVER: Agreed = Agreed::new().deflate(Deflate {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        ..Deflate::new()
    });

    /// Returns a client's frames that inflate to `length` zeros, compressed about a thousand to
    /// one.
    fn bomb(length: usize, fragments: bool) -> Vec<u8> {
        let mut peer = Connection::new(Client(Keys::default()), &Config::new(), TAKEOVER);
        let mut deflater = Deflater::own(ZlibCompress::new(9));
        let zeros = vec![0; length];
        let mut wire = Vec::new();
        if fragments {
            for part in zeros.chunks(100_000) {
                peer.send_compressed_fragment(Data::Binary(part), false, &mut deflater, &mut wire)
                    .unwrap();
            }
            peer.send_compressed_fragment(Data::Binary(b""), true, &mut deflater, &mut wire)
                .unwrap();
        } else {
            peer.send_compressed(Data::Binary(&zeros), &mut deflater, &mut wire).unwrap();
        }
        assert!(wire.len() < length / 500, "{} bytes of wire", wire.len());
        wire
    }

    #[test]
    fn t30_a_bomb_takes_the_limit_and_a_window_and_twice_it_while_it_grows() {
        const WINDOW: isize = 32 << 10;
        for limit in [10_000, 100_000, 1_000_000] {
            for fragments in [false, true] {
                let mut wire = bomb(10_000_000, fragments);
                let config = Config::new().max_message(limit);
                for (mut inflater, agreed) in [
                    (Inflater::own(ZlibDecompress::new()), TAKEOVER),
                    (Inflater::shared(ZlibDecompress::new()), NO_TAKEOVER),
                ] {
                    // The codec allocates once, whatever is inflated.
                    let mut connection = Connection::new(Server, &config, agreed);
                    let mut messages = Messages::new();
                    let mut hello = mask(&hex("C1 07 F2 48 CD C9 C9 07 00"));
                    let input = &mut &mut hello[..];
                    let hello = messages.receive_inflated(&mut connection, &mut inflater, input);
                    assert!(matches!(hello, Some(Message::Text("Hello"))));

                    let (_, peak) = allocations(|| {
                        let mut wire = wire.clone();
                        let length = wire.len() as isize;
                        let before = in_use();
                        for read in wire.chunks_mut(4096) {
                            let mut input = &mut read[..];
                            if let Some(message) = messages.receive_inflated(
                                &mut connection,
                                &mut inflater,
                                &mut input,
                            ) {
                                let expected = Failure::Violation(Violation::MessageTooBig);
                                assert!(matches!(message, Message::Failed(v) if v == expected));
                            }
                        }
                        assert!(connection.wants_transmit());
                        assert!(in_use() - before <= limit as isize + WINDOW, "{length}");
                    });
                    let wire = wire.len() as isize;
                    // While memory grows, the old half is in use too.
                    let most = 2 * limit as isize + WINDOW + wire;
                    assert!(peak <= most, "{peak} bytes for a limit of {limit}, {wire} of wire");
                }

                // Inflating in pieces takes no memory but the room for one piece.
                let mut connection = Connection::new(Server, &config, TAKEOVER);
                let mut inflater = Inflater::own(ZlibDecompress::new());
                let mut input = &mut wire[..];
                let (mut delivered, mut failed) = (0, None);
                while let Some(event) = connection.receive(&mut input) {
                    let Event::Compressed(mut piece) = event else { continue };
                    while let Some(event) = inflater.inflate(&mut connection, &mut piece) {
                        match event {
                            Event::Binary(data) => delivered += data.len() as u64,
                            Event::Failed(failure) => failed = Some(failure),
                            other => panic!("{other:?}"),
                        }
                    }
                }
                assert_eq!(failed, Some(Violation::MessageTooBig.into()));
                // Inflating stops within one step of the limit.
                assert!(delivered <= limit && delivered + (17 << 10) >= limit, "{delivered}");
            }
        }
    }

    /// A message of the longest allowed length that does not compress, in reads that split it.
    #[test]
    fn r6455_10_4_a_a_gathered_message_takes_twice_the_limit_at_most_while_memory_grows() {
        for limit in [100_000, 1_060_000, 4_300_000] {
            let noise = common::random(limit);
            let config = Config::new().max_message(limit as u64);
            // A shared inflater collects the whole compressed message first, so that is in use too.
            let eighth = limit + limit / 8 + 64;
            for (agreed, own, most) in [
                (Agreed::new(), true, 2 * limit),
                (TAKEOVER, true, 2 * limit),
                (NO_TAKEOVER, false, 2 * limit + eighth),
            ] {
                let mut peer = Connection::new(Client(Keys::default()), &Config::new(), agreed);
                let mut wire = Vec::new();
                if agreed.deflate.is_some() {
                    let mut deflater = Deflater::own(ZlibCompress::new(1)).threshold(0);
                    peer.send_compressed(Data::Binary(&noise), &mut deflater, &mut wire).unwrap();
                } else {
                    peer.send_binary(&noise, &mut wire).unwrap();
                }
                let codec = ZlibDecompress::new();
                let mut inflater = if own { Inflater::own(codec) } else { Inflater::shared(codec) };
                let mut connection = Connection::new(Server, &config, agreed);
                let (_, peak) = allocations(|| {
                    let mut messages = Messages::new();
                    let mut whole = 0;
                    for read in wire.chunks_mut(4096) {
                        match messages.receive_inflated(
                            &mut connection,
                            &mut inflater,
                            &mut &mut read[..],
                        ) {
                            None => {}
                            Some(Message::Binary(data)) => whole += data.len(),
                            other => panic!("{other:?}"),
                        }
                    }
                    assert_eq!(whole, limit);
                });
                // The codec, and room for a piece.
                let codec = if agreed.deflate.is_some() { (80 + 16) << 10 } else { 0 };
                assert!(peak <= (most + codec) as isize, "{peak} bytes for {limit}, own {own}");
            }
        }
    }

    #[test]
    fn an_idle_connection_without_takeover_costs_what_one_without_compression_does() {
        let mut inflater = Inflater::shared(ZlibDecompress::new());
        let mut deflater = Deflater::shared(ZlibCompress::new(6)).threshold(0);
        let mut out = Vec::with_capacity(4096);
        let mut serve = |count| {
            let mut kept = Vec::with_capacity(count);
            for _ in 0..count {
                let mut connection = Connection::new(Server, &Config::new(), NO_TAKEOVER);
                let mut messages = Messages::new();
                let mut wire = [0xC1, 0x87, 0, 0, 0, 0, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
                let mut input = &mut wire[..];
                match messages.receive_inflated(&mut connection, &mut inflater, &mut input) {
                    Some(Message::Text(text)) => {
                        out.clear();
                        let text = Data::Text(text);
                        connection.send_compressed(text, &mut deflater, &mut out).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
                kept.push((connection, messages));
            }
            kept.len()
        };
        assert_eq!(serve(1), 1);
        let one = size_of::<(Connection<Server>, Messages)>();
        let (times, peak) = allocations(|| assert_eq!(serve(1000), 1000));
        assert_eq!((times, peak), (1, 1000 * one as isize));
    }

    /// A shared inflater collects the compressed message, and joins the data that it inflates to.
    #[test]
    fn collected_and_joined_memory_share_what_is_kept() {
        const KEEP: usize = 64 << 10;
        let noise = common::random(60_000);
        let mut inflater = Inflater::shared(ZlibDecompress::new());
        let mut idle = Vec::with_capacity(2);
        for mut messages in [Messages::new(), Messages::keeping(KEEP)] {
            let before = in_use();
            for length in [20_000, 60_000, 60_000, 20_000] {
                let mut peer =
                    Connection::new(Client(Keys::default()), &Config::new(), NO_TAKEOVER);
                let mut deflater = Deflater::shared(ZlibCompress::new(1)).threshold(0);
                let mut wire = Vec::new();
                peer.send_compressed(Data::Binary(&noise[..length]), &mut deflater, &mut wire)
                    .unwrap();
                let mut connection = Connection::new(Server, &Config::new(), NO_TAKEOVER);
                let mut whole = 0;
                for read in wire.chunks_mut(4096) {
                    let input = &mut &mut read[..];
                    while let Some(message) =
                        messages.receive_inflated(&mut connection, &mut inflater, input)
                    {
                        whole += message.data().map_or(0, |data| data.as_bytes().len());
                    }
                }
                assert_eq!(whole, length);
            }
            idle.push((in_use() - before, messages));
        }
        // The first message also brought the codec and the room for a piece.
        let kept = idle[1].0;
        assert!((1..=KEEP as isize).contains(&kept), "{kept} bytes");
    }

    #[test]
    fn memory_of_a_long_message_is_given_back() {
        let text = "long ".repeat(100_000);
        let mut deflater = Deflater::own(ZlibCompress::new(6));
        let mut inflater = Inflater::own(ZlibDecompress::new());
        let mut peer = Connection::new(Client(Keys::default()), &Config::new(), TAKEOVER);
        let mut connection = Connection::new(Server, &Config::new(), TAKEOVER);
        let mut messages = Messages::new();
        let mut exchange = |text: &str| {
            let mut wire = Vec::new();
            peer.send_compressed(Data::Text(text), &mut deflater, &mut wire).unwrap();
            for read in wire.chunks_mut(100) {
                let mut input = read;
                if let Some(message) =
                    messages.receive_inflated(&mut connection, &mut inflater, &mut input)
                {
                    assert!(matches!(message, Message::Text(read) if read == text));
                }
            }
        };
        let short = "short ".repeat(20);
        exchange(&short);
        let before = in_use();
        exchange(&text);
        exchange(&short);
        let kept = in_use() - before;
        assert!(kept <= 64 << 10, "{kept} bytes");
    }

    #[test]
    fn memory_is_given_back_where_nothing_was_sent_or_a_message_was_cut() {
        const KEEP: isize = 64 << 10;
        let long = "long ".repeat(2_000_000);
        let mut peer = Connection::new(Client(Keys::default()), &Config::new(), TAKEOVER);
        let mut deflater = Deflater::own(ZlibCompress::new(6));
        peer.send_compressed(Data::Text(&"a".repeat(100)), &mut deflater, &mut Vec::new()).unwrap();
        let before = in_use();
        let mut memory = [0; 100];
        let mut full = SliceOutput::new(&mut memory);
        assert!(peer.send_compressed(Data::Text(&long), &mut deflater, &mut full).is_err());
        assert!(in_use() - before <= KEEP);
        for length in [30_000, 36_000, 60_000, 57_000] {
            let mut out = Vec::new();
            peer.send_compressed(Data::Text(&long[..length]), &mut deflater, &mut out).unwrap();
            drop(out);
            assert!(in_use() - before <= KEEP, "{length}");
        }

        let mut wire = Vec::new();
        peer.send_compressed(
            Data::Text(&long),
            &mut Deflater::shared(ZlibCompress::new(6)),
            &mut wire,
        )
        .unwrap();
        let mut inflater = Inflater::own(ZlibDecompress::new());
        let mut connection = Connection::new(Server, &Config::new(), TAKEOVER);
        let (length, before) = (wire.len() - 1, in_use());
        let mut input = &mut wire[..length];
        let mut messages = Messages::new();
        let message = messages.receive_inflated(&mut connection, &mut inflater, &mut input);
        assert!(message.is_none());
        assert!(in_use() - before > KEEP);
        // The joined data belongs to `messages`, so only the codec and the room for a piece remain.
        drop(messages);
        assert!(in_use() - before <= (79 + 17) << 10);
    }

    #[test]
    fn without_memory_for_a_codec_there_is_an_error_and_no_panic() {
        let mut connection = Connection::new(Server, &Config::new(), NO_TAKEOVER);
        let mut inflater = Inflater::shared(ZlibDecompress::new());
        let mut deflater = Deflater::shared(ZlibCompress::new(6)).threshold(0);
        let mut messages = Messages::new();
        let mut out = Vec::with_capacity(1000);
        let hello = mask(&hex("C1 07 F2 48 CD C9 C9 07 00"));
        for largest in [20_000, 40_000] {
            refuse_above(largest);
            let sent = connection.send_compressed(Data::Text("Hello"), &mut deflater, &mut out);
            assert_eq!((sent, out.len()), (Err(SendError::Codec), 0));
            let mut peer = Connection::new(Server, &Config::new(), NO_TAKEOVER);
            let mut wire = hello.clone();
            let mut input = &mut wire[..];
            let message = messages.receive_inflated(&mut peer, &mut inflater, &mut input);
            assert!(matches!(
                message,
                Some(Message::Failed(Failure::Internal(InternalError::Codec)))
            ));
        }
        refuse_above(usize::MAX);
        connection.send_compressed(Data::Text("Hello"), &mut deflater, &mut out).unwrap();
        let mut wire = hello;
        let mut input = &mut wire[..];
        let message = messages.receive_inflated(&mut connection, &mut inflater, &mut input);
        assert!(matches!(message, Some(Message::Text("Hello"))));
    }

    #[test]
    fn without_memory_for_a_piece_there_is_an_error_and_no_panic() {
        let mut inflater = Inflater::shared(ZlibDecompress::new());
        let mut deflater = Deflater::shared(ZlibCompress::new(1)).threshold(0);
        for (largest, length, fits) in
            [(usize::MAX, 1, true), (5000, 4095, true), (5000, 5000, false)]
        {
            let mut peer = Connection::new(Client(Keys::default()), &Config::new(), NO_TAKEOVER);
            let mut connection = Connection::new(Server, &Config::new(), NO_TAKEOVER);
            let (mut wire, data) = (Vec::new(), vec![7; length]);
            peer.send_compressed(Data::Binary(&data), &mut deflater, &mut wire).unwrap();
            refuse_above(largest);
            let mut messages = Messages::new();
            let message =
                messages.receive_inflated(&mut connection, &mut inflater, &mut &mut wire[..]);
            refuse_above(usize::MAX);
            let expected = match fits {
                true => Message::Binary(&data),
                false => Message::Failed(InternalError::Codec.into()),
            };
            assert_eq!(message, Some(expected));
        }
    }

    /// The figures in the codec's documentation, in KiB. They are not exceeded with 32-bit
    /// pointers.
    #[test]
    fn the_memory_of_the_codec_is_as_documented() {
        for (bits, documented) in [
            (8, [134, 246, 358]),
            (9, [134, 246, 358]),
            (11, [140, 252, 364]),
            (13, [164, 276, 388]),
            (15, [260, 372, 484]),
        ] {
            for (memory_level, documented) in [1, 8, 9].into_iter().zip(documented) {
                for level in [1, 6, 9] {
                    let mut codec = ZlibCompress::new(level).memory_level(memory_level);
                    let window = WindowBits::new(bits).unwrap();
                    let before = in_use();
                    codec.reset(window);
                    is_documented(before, documented);
                }
            }
        }
        let mut codec = ZlibDecompress::new();
        let before = in_use();
        assert!(codec.decompress(&[0], &mut [0]).fault.is_none());
        is_documented(before, 79);
    }

    fn is_documented(before: isize, documented: isize) {
        let taken = (in_use() - before + 1023) / 1024;
        let exact = taken == documented || cfg!(target_pointer_width = "32");
        assert!(exact && taken <= documented, "{taken} KiB, not {documented}");
    }
}
