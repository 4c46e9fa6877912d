//! Long messages that are read directly into their final memory.

use std::{collections::VecDeque, sync::mpsc, time::Duration};

use crate::allocator::{in_use, measure};
use crate::common::{self, Keys, endpoint::fill, frame, mask};
use websocket_proto::{
    Agreed, Client, CloseCode, Config, Connection, Failure, InternalError, Message, Messages,
    NextStep, Role, SendError, Server, Violation,
    endpoint::{Endpoint, Incoming, Options},
};

const KIB: usize = 1 << 10;

/// Messages of all kinds and lengths, in one frame and in several, with control frames between.
fn wire(masked: bool) -> Vec<u8> {
    let data = common::random(200 * KIB);
    let text = common::text(40 * KIB);
    let frames = [
        frame(0x82, &data[..100]),
        frame(0x82, &data[..40 * KIB]),
        frame(0x81, text.as_bytes()),
        frame(0x02, &data[..20 * KIB]),
        frame(0x89, b"ping"),
        frame(0x00, &[]),
        frame(0x00, &data[20 * KIB..90 * KIB]),
        frame(0x80, &data[90 * KIB..]),
        frame(0x82, &[]),
        frame(0x02, &data[..16 * KIB]),
        frame(0x80, &[]),
        frame(0x82, &data),
        frame(0x88, b"\x03\xE8"),
    ];
    frames.iter().flat_map(|frame| if masked { mask(frame) } else { frame.clone() }).collect()
}

/// Describes an event in a line, with the length and a checksum of a message.
fn describe(incoming: &Incoming<'_>) -> String {
    let (kind, bytes) = match incoming {
        Incoming::Text(text) => ("text", text.as_bytes()),
        Incoming::Binary(data) => ("binary", *data),
        other => return common::endpoint::describe(other).expect("no event of a handshake"),
    };
    let sum = bytes.iter().fold(0_u64, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte));
    format!("{kind} {} {sum:X}", bytes.len())
}

/// Describes what `Messages` returns in the same form.
fn describe_message(message: &Message<'_>) -> String {
    match *message {
        Message::Text(text) => describe(&Incoming::Text(text)),
        Message::Binary(data) => describe(&Incoming::Binary(data)),
        ref other => common::endpoint::describe_message(other),
    }
}

/// Returns the events that `wire` gives without reads into messages.
fn expected<R: Role>(role: R, wire: &[u8]) -> Vec<String> {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let (mut messages, mut events, mut wire) = (Messages::new(), Vec::new(), wire.to_vec());
    let mut input = &mut wire[..];
    while let Some(message) = messages.receive(&mut connection, &mut input) {
        events.push(describe_message(&message));
    }
    events
}

/// Receives `wire` in reads of at most `read` bytes. Returns the events, and how many bytes were
/// read into a message.
fn by_messages<R: Role>(
    mut messages: Messages<'_>,
    role: R,
    wire: &[u8],
    read: usize,
) -> (Vec<String>, usize) {
    let mut connection = Connection::new(role, &Config::new(), Agreed::new());
    let (mut events, mut direct, mut buffer, mut rest) = (Vec::new(), 0, vec![0; read], wire);
    while !rest.is_empty() {
        if let Some(memory) = messages.read_buffer(&connection) {
            let length = memory.len().min(read).min(rest.len());
            memory[..length].copy_from_slice(&rest[..length]);
            let message = messages.receive_read(&mut connection, length);
            events.extend(message.as_ref().map(describe_message));
            (direct, rest) = (direct + length, &rest[length..]);
        } else {
            let length = read.min(rest.len());
            let mut input = &mut buffer[..length];
            input.copy_from_slice(&rest[..length]);
            while let Some(message) = messages.receive(&mut connection, &mut input) {
                events.push(describe_message(&message));
            }
            rest = &rest[length..];
        }
        assert_eq!(connection.received() as usize, wire.len() - rest.len());
    }
    (events, direct)
}

/// Does the same with an endpoint, calling `ready` before `receive` or not.
fn by_endpoint<R: Role>(role: R, wire: &[u8], read: usize, ready: bool) -> (Vec<String>, usize) {
    let mut ws = Endpoint::open(role, Agreed::new(), &Options::new()).unwrap();
    let (mut events, mut direct, mut rest) = (Vec::new(), 0, wire);
    while !rest.is_empty() {
        let (length, mut buffer);
        if let Some(memory) = ws.message_buffer() {
            length = memory.len().min(read).min(rest.len());
            memory[..length].copy_from_slice(&rest[..length]);
            ws.filled(length);
            (direct, buffer) = (direct + length, vec![]);
        } else {
            length = read.min(rest.len());
            buffer = rest[..length].to_vec();
        }
        rest = &rest[length..];
        let mut input = &mut buffer[..];
        while !ready || ws.ready(&mut input) {
            let Some((incoming, _)) = ws.receive(&mut input) else { break };
            events.push(describe(&incoming));
        }
        assert!(input.is_empty());
    }
    (events, direct)
}

#[test]
fn the_messages_are_the_same_and_most_of_the_long_ones_is_not_copied() {
    let reads = [1000, 4 * KIB + 1, 16 * KIB, 64 * KIB, usize::MAX >> 1];
    for read in if common::few_cuts() { &reads[4..] } else { &reads } {
        for masked in [false, true] {
            let wire = wire(masked);
            let expected = match masked {
                true => expected(Server, &wire),
                false => expected(Client(Keys::default()), &wire),
            };
            assert_eq!(expected.len(), 9, "{expected:?}");
            let read = (*read).min(wire.len());
            let mut memory = vec![0; 200 * KIB];
            let lent = Messages::lent(&mut memory);
            let all = if masked {
                [
                    by_messages(Messages::new(), Server, &wire, read),
                    by_messages(Messages::keeping(0), Server, &wire, read),
                    by_messages(lent, Server, &wire, read),
                    by_endpoint(Server, &wire, read, false),
                    by_endpoint(Server, &wire, read, true),
                ]
            } else {
                let role = || Client(Keys::default());
                [
                    by_messages(Messages::new(), role(), &wire, read),
                    by_messages(Messages::keeping(0), role(), &wire, read),
                    by_messages(lent, role(), &wire, read),
                    by_endpoint(role(), &wire, read, false),
                    by_endpoint(role(), &wire, read, true),
                ]
            };
            for (way, (events, direct)) in all.iter().enumerate() {
                assert_eq!(*events, expected, "{read} {way}");
                // All is read directly but the last 16 KiB of a frame and what came with its
                // header.
                if read <= 16 * KIB {
                    assert!(*direct > 250 * KIB, "{read} {way}: {direct}");
                }
            }
        }
    }
}

#[test]
fn memory_is_offered_for_long_binary_frames_only_and_grows_with_what_has_arrived() {
    let offered = |bytes: &[u8]| {
        let mut connection =
            Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
        let mut messages = Messages::new();
        assert!(messages.receive(&mut connection, &mut &mut bytes.to_vec()[..]).is_none());
        messages.read_buffer(&connection).map(|memory| memory.len())
    };
    let frame = |first: u8, length: usize, arrived: usize| {
        let mut frame = frame(first, &vec![b'a'; length]);
        frame.truncate(frame.len() - length + arrived);
        frame
    };
    assert_eq!(offered(&frame(0x82, 16 * KIB, 0)), Some(16 * KIB));
    assert_eq!(offered(&frame(0x82, 16 * KIB, 1)), None);
    assert_eq!(offered(&frame(0x81, 64 * KIB, 1)), None);
    assert_eq!(offered(&frame(0x82, 64 * KIB, 1)[..3]), None);
    assert_eq!(offered(&[]), None);
    // The length in a header alone allocates no memory.
    for (arrived, room) in [(0, 16), (1, 16), (20, 20), (100, 64)] {
        assert_eq!(offered(&frame(0x82, 10_000 * KIB, arrived * KIB)), Some(room * KIB));
    }
}

#[test]
fn a_lent_buffer_is_offered_as_far_as_it_goes() {
    let mut memory = [0; 8];
    let mut messages = Messages::lent(&mut memory);
    let mut connection = Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
    assert!(
        messages.receive(&mut connection, &mut &mut b"\x82\x0A\x01\x02".to_vec()[..]).is_none()
    );
    let room = messages.read_buffer(&connection).unwrap();
    assert_eq!(room.len(), 6);
    room.copy_from_slice(&[3, 4, 5, 6, 7, 8]);
    // A count beyond the buffer's length counts as all of it.
    assert!(messages.receive_read(&mut connection, 100).is_none());
    assert_eq!(connection.received(), 10);
    assert!(messages.read_buffer(&connection).is_none());
    let mut last = [9];
    let message = messages.receive(&mut connection, &mut &mut last[..]);
    assert_eq!(message, Some(Message::Failed(Violation::MessageTooBig.into())));
}

#[test]
fn another_connection_is_found_out() {
    let open = || Connection::new(Client(Keys::default()), &Config::new(), Agreed::new());
    let (mut one, mut other) = (open(), open());
    let mut messages = Messages::new();
    let mut start = frame(0x82, &[7; 40_000]);
    start.truncate(100);
    assert!(messages.receive(&mut one, &mut &mut start[..]).is_none());
    let mut start = frame(0x82, &[7; 40_000]);
    start.truncate(99);
    assert!(Messages::new().receive(&mut other, &mut &mut start[..]).is_none());
    messages.read_buffer(&other).unwrap()[0] = 7;
    let message = messages.receive_read(&mut other, 1);
    let failure = Failure::Internal(InternalError::WrongConnection);
    assert_eq!(message, Some(Message::Failed(failure)));
}

/// Returns a server that has received the beginning of a message of 100 000 bytes, and the rest.
fn begun(options: &Options) -> (Endpoint<Server>, Vec<u8>) {
    let ws = Endpoint::open(Server, Agreed::new(), options).unwrap();
    begin(ws)
}

/// The same for this server.
fn begin(mut ws: Endpoint<Server>) -> (Endpoint<Server>, Vec<u8>) {
    let mut wire = mask(&frame(0x82, &[7; 100_000]));
    let rest = wire.split_off(10_000);
    assert!(ws.receive(&mut &mut wire[..]).is_none());
    (ws, rest)
}

/// Reads once into the memory of the message.
fn read(ws: &mut Endpoint<Server>, rest: &[u8]) -> usize {
    let memory = ws.message_buffer().expect("memory of the message");
    let length = memory.len().min(rest.len());
    memory[..length].copy_from_slice(&rest[..length]);
    ws.filled(length);
    length
}

fn is_message(
    incoming: Option<(Incoming<'_>, &mut websocket_proto::endpoint::Sender<Server>)>,
) -> bool {
    matches!(incoming, Some((Incoming::Binary(data), _)) if *data == [7; 100_000])
}

#[test]
fn what_was_read_is_received_before_the_end_of_the_stream_and_after_a_tick() {
    for abort in [false, true] {
        let (mut ws, rest) = begun(&Options::new());
        let mut at = read(&mut ws, &rest);
        assert!(!ws.wants_read(), "the bytes that were read have to be received first");
        assert!(ws.message_buffer().is_none());
        assert!(ws.receive(&mut &mut [][..]).is_none());
        assert!(ws.wants_read());
        // A read may be in progress while time passes.
        let memory = ws.message_buffer().unwrap();
        let length = (rest.len() - at).min(memory.len());
        memory[..length].copy_from_slice(&rest[at..][..length]);
        for now in [0, 20, 20] {
            ws.tick(Duration::from_secs(now));
        }
        ws.filled(length);
        at += length;
        match abort {
            true => ws.abort(),
            false => ws.receive_eof(),
        }
        assert_ne!(ws.next_step(), NextStep::Drop);
        // The rest is short, so it goes to the driver's own buffer.
        assert!(is_message(ws.receive(&mut &mut rest[at..].to_vec()[..])));
    }
}

#[test]
fn a_read_of_nothing_into_a_message_changes_nothing() {
    let (mut ws, rest) = begun(&Options::new());
    assert!(ws.message_buffer().is_some());
    ws.filled(0);
    assert!(ws.wants_read());
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert!(is_message(ws.receive(&mut &mut rest.clone()[..])));
}

#[test]
fn a_message_that_was_read_waits_while_too_much_output_does() {
    for ready in [false, true] {
        let options = Options::new().water_marks(0, 10);
        let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
        fill(&mut ws, 100);
        let (mut ws, rest) = begin(ws);
        let mut rest = &rest[..];
        for _ in 0..2 {
            rest = &rest[read(&mut ws, rest)..];
            assert!(ws.receive(&mut &mut [][..]).is_none());
        }
        ws.binary(&[7; 100]).unwrap();
        assert_eq!(ws.binary(&[]), Err(SendError::Full));
        assert_eq!(read(&mut ws, rest), rest.len());
        assert!(!ws.ready(&mut &mut [][..]));
        // Bytes that are read nevertheless come after the message.
        assert!(ws.receive(&mut &mut mask(&frame(0x81, b"next"))[..]).is_none());
        ws.written(ws.output().len());
        assert!(!ready || ws.ready(&mut &mut [][..]));
        assert!(is_message(ws.receive(&mut &mut [][..])));
        assert!(matches!(ws.receive(&mut &mut [][..]), Some((Incoming::Text("next"), _))));
        assert!(ws.receive(&mut &mut [][..]).is_none());
        assert!(ws.wants_read());
    }
}

#[test]
fn a_message_that_ready_has_found_stays_where_it_was_joined() {
    let texts = [frame(0x01, b"on"), frame(0x80, b"e")].map(|frame| mask(&frame));
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let mut queue = VecDeque::from(texts.clone());
    assert!(!ws.ready(&mut &mut queue.pop_front().unwrap()[..]));
    assert!(ws.ready(&mut &mut queue.pop_front().unwrap()[..]));
    // The memory of an idle endpoint is freed, but not while it contains data.
    for now in [0, 20, 20, 40, 40] {
        ws.tick(Duration::from_secs(now));
    }
    let event = ws.receive(&mut &mut [][..]);
    assert!(matches!(event, Some((Incoming::Text("one"), _))));
    assert!(ws.receive(&mut &mut [][..]).is_none());
}

#[test]
fn a_message_that_was_joined_is_handed_out_before_the_failure_of_a_driver_that_reads_on() {
    let options = Options::new().water_marks(0, 10);
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    let [start, end] = [frame(0x01, b"on"), frame(0x80, b"e")].map(|frame| mask(&frame));
    assert!(!ws.ready(&mut &mut start.clone()[..]));
    fill(&mut ws, 100);
    assert!(ws.ready(&mut &mut end.clone()[..]));
    ws.binary(&[0; 100]).unwrap();
    // When too much was read, events no longer wait until the output was written.
    let reads = (0..10).take_while(|_| !ws.ready(&mut &mut vec![0; 64 * KIB][..])).count();
    assert!((1..10).contains(&reads), "{reads}");
    let event = ws.receive(&mut &mut [][..]);
    assert!(matches!(event, Some((Incoming::Text("one"), _))));
    let event = ws.receive(&mut &mut [][..]);
    let failure = Failure::Internal(InternalError::Unread);
    assert!(matches!(event, Some((Incoming::Failed(it), _)) if it == failure));
}

#[test]
fn a_trace_sees_the_frames_after_a_message_that_was_read() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let (log, lines) = mpsc::channel();
    ws.trace(move |frame| _ = log.send(frame.to_string()));
    let wire = [frame(0x82, &[7; 40_000]), frame(0x89, b"?")].map(|frame| mask(&frame)).concat();
    assert!(ws.receive(&mut &mut wire[..100].to_vec()[..]).is_none());
    let at = 100 + read(&mut ws, &wire[100..]);
    assert!(ws.receive(&mut &mut [][..]).is_none());
    let mut rest = wire[at..].to_vec();
    let mut input = &mut rest[..];
    while ws.receive(&mut input).is_some() {}
    let lines: Vec<_> = lines.try_iter().collect();
    assert_eq!(lines, ["received binary, final, 40000 bytes", "received Ping, final, 1 bytes"]);
}

#[test]
fn nothing_is_read_into_a_message_after_the_connection_has_ended() {
    let (mut ws, rest) = begun(&Options::new());
    ws.close(CloseCode::NORMAL, "").unwrap();
    assert!(ws.message_buffer().is_some(), "a Close of ours ends nothing that arrives");
    ws.abort();
    assert!(ws.message_buffer().is_none());
    ws.filled(rest.len());
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(ws.next_step(), NextStep::Drop);
}

#[test]
fn more_than_was_offered_counts_as_all_of_it_after_a_longer_message() {
    let long = mask(&frame(0x82, &[1; 60_000]));
    let front = mask(&frame(0x82, &[2; 60_000]))[..100].to_vec();
    // With an endpoint, whose trace must not take payload for headers.
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let (log, lines) = mpsc::channel();
    ws.trace(move |frame| _ = log.send(frame));
    assert!(ws.receive(&mut &mut long[..100].to_vec()[..]).is_none());
    assert!(ws.receive(&mut &mut long[100..].to_vec()[..]).is_some());
    assert!(ws.receive(&mut &mut front.clone()[..]).is_none());
    let offered = ws.message_buffer().unwrap().len();
    assert!(offered < 60_000 - 100);
    ws.filled(usize::MAX);
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(ws.message_buffer().unwrap().len(), 92 + offered, "as long as what has arrived");
    assert_eq!(lines.try_iter().count(), 2);
    // With `Messages`.
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut messages = Messages::new();
    assert!(messages.receive(&mut connection, &mut &mut long[..100].to_vec()[..]).is_none());
    assert!(messages.receive(&mut connection, &mut &mut long[100..].to_vec()[..]).is_some());
    assert!(messages.receive(&mut connection, &mut &mut front.clone()[..]).is_none());
    let before = connection.received() as usize;
    let offered = messages.read_buffer(&connection).unwrap().len();
    assert!(messages.receive_read(&mut connection, usize::MAX).is_none());
    assert_eq!(connection.received() as usize, before + offered);
}

#[test]
fn a_read_of_the_driver_comes_after_what_was_read_into_the_endpoint() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let wire = [mask(&frame(0x82, b"one")), mask(&frame(0x81, b"two"))].concat();
    for cut in 1..wire.len() {
        let (first, second) = wire.split_at(cut);
        ws.read_buffer()[..cut].copy_from_slice(first);
        ws.filled(cut);
        let mut second = second.to_vec();
        let mut input = &mut second[..];
        let mut events = Vec::new();
        while let Some((incoming, _)) = ws.receive(&mut input) {
            events.push(describe(&incoming));
        }
        let one = describe(&Incoming::Binary(b"one"));
        assert_eq!(events, [one, describe(&Incoming::Text("two"))], "cut at {cut}");
        assert!(input.is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_short_read_into_the_endpoint_leaves_the_next_one_to_the_message() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let wire = mask(&frame(0x82, &[7; 100_000]));
    ws.read_buffer()[..1000].copy_from_slice(&wire[..1000]);
    ws.filled(1000);
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert!(ws.message_buffer().is_some());
}

/// A binary message whose masked frame has this length.
fn framed(length: usize) -> Vec<u8> {
    let wire = mask(&frame(0x82, &vec![7; length - 8]));
    assert_eq!(wire.len(), length);
    wire
}

/// Reads one message into the endpoint's buffer, and receives it. Returns the buffer's length.
fn read_inside(ws: &mut Endpoint<Server>, wire: &[u8]) -> usize {
    let buffer = ws.read_buffer();
    let offered = buffer.len();
    buffer[..wire.len()].copy_from_slice(wire);
    ws.filled(wire.len());
    let event = ws.receive(&mut &mut [][..]);
    assert!(matches!(event, Some((Incoming::Binary(data), _)) if data.len() == wire.len() - 8));
    assert!(ws.receive(&mut &mut [][..]).is_none());
    offered
}

#[test]
fn the_read_buffer_grows_while_reads_fill_it() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    for (read, offered) in [
        (16 * KIB - 1, 16), // too short to keep it
        (16 * KIB, 16),
        (20 * KIB, 32), // long, but not all of the room
        (32 * KIB, 32),
        (64 * KIB, 64),
        (64 * KIB, 64), // never more
        (16 * KIB, 64),
        (16 * KIB - 1, 64),
        (16 * KIB, 16),
    ] {
        assert_eq!(read_inside(&mut ws, &framed(read)), offered * KIB, "{read}");
    }
    // A read of nothing ends it, whether it is reported or not.
    for report in [false, true] {
        assert_eq!(ws.read_buffer().len(), 32 * KIB);
        if report {
            ws.filled(0);
        }
        assert!(ws.receive(&mut &mut [][..]).is_none());
        assert_eq!(read_inside(&mut ws, &framed(16 * KIB)), 16 * KIB);
    }
    // More than the room counts as all of it.
    ws.read_buffer().copy_from_slice(&framed(32 * KIB));
    ws.filled(usize::MAX);
    assert!(ws.receive(&mut &mut [][..]).is_some());
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(ws.read_buffer().len(), 64 * KIB);
}

#[test]
fn the_read_buffer_is_kept_after_a_long_read_only() {
    let [long, short] = [framed(16 * KIB), framed(1000)];
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    ws.tick(Duration::ZERO);
    let before = in_use();
    let held = || (in_use() - before) as usize / KIB;
    read_inside(&mut ws, &long);
    assert_eq!(held(), 16);
    read_inside(&mut ws, &long);
    assert_eq!(held(), 32);
    // The next one takes no memory.
    let (_, memory) = measure(|| read_inside(&mut ws, &long));
    assert_eq!((memory.times, memory.kept), (0, 0));
    // A short read, or one of nothing, frees it.
    read_inside(&mut ws, &short);
    assert_eq!(in_use(), before);
    read_inside(&mut ws, &long);
    ws.read_buffer();
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(in_use(), before);
    // So does silence, but no other tick.
    read_inside(&mut ws, &long);
    ws.tick(Duration::from_secs(1));
    assert_eq!(held(), 16);
    ws.tick(Duration::from_secs(21));
    ws.tick(Duration::from_secs(21));
    assert!(!ws.output().is_empty(), "a Ping");
    assert!(in_use() - before < 100);
    // Only as much is kept as the options say.
    let options = Options::new().keeping(1000);
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    let before = in_use();
    read_inside(&mut ws, &long);
    assert_eq!(in_use(), before);
}

#[test]
fn the_read_buffer_is_the_memory_of_a_message_while_64_kib_are_to_come() {
    for (rest, direct) in [(64 * KIB, true), (64 * KIB - 1, false)] {
        let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
        let mut wire = mask(&frame(0x82, &vec![7; 1000 + rest]));
        wire.truncate(wire.len() - rest);
        assert!(ws.receive(&mut &mut wire[..]).is_none());
        assert_eq!(ws.read_buffer().len(), 16 * KIB);
        // A room of the endpoint's own would be in the way of this.
        assert_eq!(ws.message_buffer().is_some(), direct, "{rest}");
    }
}

/// Reads `wire` through the endpoint's buffer. With `late`, one event is received after each read,
/// so bytes wait in front of the next one.
fn by_read_buffer<R: Role>(role: R, wire: &[u8], read: usize, late: bool) -> Vec<String> {
    let mut ws = Endpoint::open(role, Agreed::new(), &Options::new()).unwrap();
    let (mut events, mut rest, mut now) = (Vec::new(), wire, 0);
    while !rest.is_empty() {
        let buffer = ws.read_buffer();
        let length = buffer.len().min(read).min(rest.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        now += 1;
        ws.tick(Duration::from_millis(now)); // a read is going on
        ws.filled(length);
        ws.tick(Duration::from_millis(now));
        rest = &rest[length..];
        while let Some((incoming, _)) = ws.receive(&mut &mut [][..]) {
            events.push(describe(&incoming));
            if late {
                break;
            }
        }
    }
    while let Some((incoming, _)) = ws.receive(&mut &mut [][..]) {
        events.push(describe(&incoming));
    }
    events
}

#[test]
fn the_messages_are_the_same_through_the_read_buffer() {
    for masked in [false, true] {
        let wire = wire(masked);
        for read in [1000, 16 * KIB, 20 * KIB, usize::MAX] {
            for late in [false, true] {
                let (events, expected) = if masked {
                    (by_read_buffer(Server, &wire, read, late), expected(Server, &wire))
                } else {
                    let role = || Client(Keys::default());
                    (by_read_buffer(role(), &wire, read, late), expected(role(), &wire))
                };
                assert_eq!(events, expected, "{read} {late}");
            }
        }
    }
}

#[test]
fn reports_of_nothing_do_no_harm_to_a_long_read_that_waits() {
    let options = Options::new().water_marks(0, 10);
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    for length in [16, 32, 64] {
        assert_eq!(read_inside(&mut ws, &framed(length * KIB)), length * KIB);
    }
    fill(&mut ws, 100);
    common::endpoint::block(&mut ws, 100);
    ws.read_buffer().copy_from_slice(&framed(64 * KIB));
    ws.filled(64 * KIB);
    for _ in 0..3 {
        assert!(ws.receive(&mut &mut [][..]).is_none());
        ws.read_buffer();
        ws.filled(0);
    }
    ws.written(ws.output().len());
    let event = ws.receive(&mut &mut [][..]);
    assert!(matches!(event, Some((Incoming::Binary(data), _)) if data.len() == 64 * KIB - 8));
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert!(ws.wants_read());
}
