//! The costs of a hostile head for the server's side of the opening handshake.
//! Ids are those of the requirement and attack tables.

use std::{str, sync::mpsc, thread, time::Duration};

use crate::requests::{feed, sample, verdict, verdict_of};
use websocket_proto::handshake::{
    FieldFault::{Malformed, Missing},
    HandshakeError::*,
    ServerHandshake,
};

/// Covers T14, T40.
#[test]
fn r6455_10_4_d_head_size_is_bounded_exactly() {
    // T14: the defaults are finite: 16 KiB, 64 lines.
    let padded = |length: usize| {
        let plain = sample().plus("X: ").bytes().len();
        sample().plus(format!("X: {}", "x".repeat(length - plain))).bytes()
    };
    assert_eq!(padded(16 << 10).len(), 16 << 10);
    assert!(verdict(&padded(16 << 10)).unwrap().is_some());
    assert_eq!(verdict(&padded((16 << 10) + 1)), Err(HeadTooLarge));
    assert_eq!(verdict(&[b'x'; 64 << 10]), Err(HeadTooLarge));
    assert_eq!(verdict(&b"\r\n".repeat(32 << 10)), Err(HeadTooLarge));
    let endless = [&b"GET / HTTP/1.1\r\n"[..], &b"X: y\r\n".repeat(16 << 10)].concat();
    assert_eq!(verdict(&endless), Err(HeadTooLarge));
    let endless = [&b"GET /"[..], &b"x".repeat(16 << 10)].concat();
    assert_eq!(verdict(&endless), Err(HeadTooLarge));
    assert_eq!(HeadTooLarge.status(), 431);
    // The error comes as early as possible, without waiting for another byte.
    assert_eq!(verdict(&[b'x'; (16 << 10) - 1]), Ok(None));
    assert_eq!(verdict(&[b'x'; 16 << 10]), Err(HeadTooLarge));

    let head = sample().bytes();
    let with_empty_line = [b"\r\n".to_vec(), head.clone()].concat();
    let limit = |bytes| ServerHandshake::new().max_head(bytes);
    assert!(verdict_of(&limit(head.len()), &head).unwrap().is_some());
    assert_eq!(verdict_of(&limit(head.len() - 1), &head), Err(HeadTooLarge));
    assert_eq!(verdict_of(&limit(head.len()), &with_empty_line), Err(HeadTooLarge));
    assert!(verdict_of(&limit(head.len() + 2), &with_empty_line).unwrap().is_some());
    assert_eq!(verdict_of(&limit(0), &head), Err(HeadTooLarge));
    // The bytes after the head do not count.
    let behind = [head.clone(), vec![0; 100]].concat();
    assert!(verdict_of(&limit(head.len()), &behind).unwrap().is_some());
}

/// Covers T43.
#[test]
fn r6455_10_4_d_header_lines_are_bounded_exactly() {
    let lines = |count: usize| {
        let mut head = sample();
        head.headers.resize(count, b"X: y".to_vec());
        head.bytes()
    };
    assert_eq!(verdict(&lines(64)).unwrap().unwrap().headers.len(), 64);
    assert_eq!(verdict(&lines(65)), Err(TooManyHeaders));
    assert_eq!(TooManyHeaders.status(), 431);
    let few: ServerHandshake<7> = ServerHandshake::new().max_headers();
    assert!(verdict_of(&few, &lines(7)).unwrap().is_some());
    assert_eq!(verdict_of(&few, &lines(8)), Err(TooManyHeaders));
    let many = ServerHandshake::new().max_headers::<500>();
    assert!(verdict_of(&many, &lines(500)).unwrap().is_some());
    let none = ServerHandshake::new().max_headers::<0>();
    assert_eq!(verdict_of(&none, &lines(7)), Err(TooManyHeaders));
}

#[test]
fn t40_each_byte_of_a_head_is_looked_at_once_while_it_grows() {
    // Scanned bytes are overwritten with NULs, which a scan from the start would refuse.
    let head = sample().bytes();
    for step in [1, 2, 3, 7, 100] {
        let mut handshake = ServerHandshake::new();
        for end in (step..head.len()).step_by(step) {
            let mut buffer = head[..end].to_vec();
            buffer[..end - step].fill(0);
            assert!(handshake.receive(&mut &mut buffer[..]).unwrap().is_none());
        }
        let mut buffer = head.clone();
        assert!(handshake.receive(&mut &mut buffer[..]).unwrap().is_some());
    }
}

#[test]
fn t40_a_buffer_that_shrank_is_read_from_its_start() {
    let head = sample().bytes();
    for length in [0, 1, 19] {
        let mut handshake = ServerHandshake::new();
        let mut other = sample().line("GET /other/and/longer HTTP/1.1").bytes();
        assert_eq!(handshake.receive(&mut &mut other[..20]).map(|_| ()), Ok(()));
        let mut buffer = head.clone();
        assert!(handshake.receive(&mut &mut buffer[..length]).unwrap().is_none());
        let seen = handshake.receive(&mut &mut buffer[..]).unwrap().unwrap();
        assert_eq!(seen.resource(), "/chat");
    }
    // Bytes that were scanned before are scanned again, and their limit still applies.
    let mut handshake = ServerHandshake::new().max_head(30);
    let mut buffer = head.clone();
    assert!(handshake.receive(&mut &mut buffer[..20]).unwrap().is_none());
    assert_eq!(handshake.receive(&mut &mut [0][..]).err(), Some(ControlByte(0)));
    assert_eq!(handshake.receive(&mut &mut buffer[..]).err(), Some(HeadTooLarge));
}

#[test]
fn t40_an_error_leaves_nothing_behind() {
    let whole = sample().bytes();
    let lines_end_with_lf = String::from_utf8(sample().bytes()).unwrap().replace("\r\n", "\n");
    let plain = |length: usize| {
        let head = "GET / HTTP/1.1\r\nA: \r\n\r\n";
        head.replace("A: ", &format!("A: {}", "x".repeat(length - head.len())))
    };
    for (before, expected) in [
        // Empty lines, followed by another byte.
        ([&b"\r\n".repeat(300)[..], b"\0"].concat(), ControlByte(0)),
        // A head that is too long.
        (b"GET /".iter().copied().chain([b'x'; 1000]).collect(), HeadTooLarge),
        // A complete head that is no handshake. The heads after it are received next.
        (plain(whole.len() - 1).into_bytes(), InvalidHost(Missing)),
        (plain(lines_end_with_lf.len()).into_bytes(), InvalidHost(Missing)),
    ] {
        for (next, verdict) in
            [(&whole[..], Ok(true)), (lines_end_with_lf.as_bytes(), Err(ControlByte(b'\n')))]
        {
            let mut handshake = ServerHandshake::new().max_head(1000);
            for cut in [before.len(), before.len() / 2] {
                let mut all = [&before[..], next].concat();
                let _ = handshake.receive(&mut &mut all[..cut]);
                assert_eq!(handshake.receive(&mut &mut all[..]).err(), Some(expected));
                let seen = handshake.receive(&mut &mut all[before.len()..]);
                assert_eq!(seen.map(|request| request.is_some()), verdict, "after {expected}");
            }
        }
    }
}

#[test]
fn t47_bait_for_quadratic_parsers_is_read_in_linear_work() {
    // Linear work takes seconds. Quadratic work would take hours.
    let (done, wait) = mpsc::channel();
    let work = thread::spawn(move || {
        baits();
        done.send(())
    });
    let verdict = wait.recv_timeout(Duration::from_secs(120));
    assert_ne!(verdict, Err(mpsc::RecvTimeoutError::Timeout), "more than linear work");
    assert!(work.join().is_ok());
}

/// Receives heads with 1 MiB of bait in them.
fn baits() {
    const LENGTH: usize = 1 << 20;
    let handshake = ServerHandshake::new().max_head(usize::MAX).max_headers::<2000>();
    let bait = |line: Vec<u8>| {
        feed(handshake.clone(), &sample().plus(line).bytes(), []).map(|seen| seen.is_some())
    };
    let value = |name: &str, unit: &str| {
        format!("{name}: a{}", unit.repeat(LENGTH / unit.len())).into_bytes()
    };
    assert_eq!(bait(value("X", " ")), Ok(true));
    assert_eq!(bait(value("X", " b")), Ok(true));
    assert_eq!(bait(format!("X: b{}x", " ".repeat(LENGTH)).into_bytes()), Ok(true));
    assert_eq!(
        bait(format!("Upgrade: b{}x", " ".repeat(LENGTH)).into_bytes()),
        Err(InvalidUpgrade(Malformed))
    );
    assert_eq!(bait(value("Connection", ",")), Ok(true));
    assert_eq!(bait(value("Sec-WebSocket-Protocol", ",b")), Ok(true));
    assert_eq!(
        bait(
            format!("Sec-WebSocket-Extensions: a; b=\"{}\"", "\\c".repeat(LENGTH / 2)).into_bytes()
        ),
        Ok(true)
    );
    assert_eq!(
        bait(format!("Sec-WebSocket-Extensions: a; b=\"{}", "\\c".repeat(LENGTH / 2)).into_bytes()),
        Err(InvalidExtensions)
    );
    assert_eq!(bait(value("Sec-WebSocket-Extensions", ";b")), Ok(true));
    assert_eq!(bait(value("Sec-WebSocket-Extensions", ",b;c=\"d\"")), Ok(true));
    assert_eq!(bait(value("Sec-WebSocket-Extensions", ",")), Ok(true));
    assert_eq!(
        bait(format!("Sec-WebSocket-Protocol: {}", ",".repeat(LENGTH)).into_bytes()),
        Ok(true)
    );
    assert_eq!(bait(value("Sec-WebSocket-Extensions", " ")), Ok(true));
    assert_eq!(
        bait(format!("Sec-WebSocket-Extensions: a{}", ",a=".repeat(LENGTH / 3)).into_bytes()),
        Err(InvalidExtensions)
    );
    let lines = ["Sec-WebSocket-Protocol: b"; 1500].join("\r\n");
    assert_eq!(bait(lines.into_bytes()), Ok(true));
}

#[test]
fn t43_no_mutation_of_a_request_panics_or_depends_on_its_cut() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let rich =
        sample().plus("Sec-WebSocket-Extensions: a; b=\"1\\0\", c").plus("X-Foo: bar").bytes();
    for _ in 0..3000 {
        let mut bytes = rich.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            let special = b"\r\n\t \0\x7F\xFF:,;=\"\\/@[]%#?0H"[random(22)];
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] = special,
                2 => bytes.insert(at, special),
                _ => drop(bytes.drain(at..(at + random(30)).min(bytes.len()))),
            }
        }
        let whole = feed(ServerHandshake::new(), &bytes, []);
        assert_eq!(feed(ServerHandshake::new(), &bytes, 0..bytes.len()), whole);
        assert_eq!(feed(ServerHandshake::new(), &bytes, [random(bytes.len())]), whole);
    }
}
