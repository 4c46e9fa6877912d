//! Endpoints over the streams of the standard library.

#![cfg(feature = "std")]

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use crate::common::{
    endpoint::{block, fill},
    frame, mask,
};
use websocket_proto::{
    Agreed, NextStep, Server,
    endpoint::{Endpoint, Incoming, Options},
};

const TRANSIENT: [ErrorKind; 2] = [ErrorKind::WouldBlock, ErrorKind::TimedOut];

/// Gives and takes what a test says.
#[derive(Default)]
struct Stream {
    reads: Vec<Result<Vec<u8>, ErrorKind>>,
    /// How many bytes each write takes at most.
    writes: Vec<Result<usize, ErrorKind>>,
    flushes: Vec<Result<(), ErrorKind>>,
    written: Vec<u8>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reads.remove(0)?;
        buffer[..read.len()].copy_from_slice(&read);
        Ok(read.len())
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writes.remove(0)?.min(bytes.len());
        self.written.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.flushes.is_empty() {
            true => Ok(()),
            false => self.flushes.remove(0).map_err(io::Error::from),
        }
    }
}

fn open() -> Endpoint<Server> {
    Endpoint::open(Server, Agreed::new(), &Options::new().water_marks(0, 1000)).unwrap()
}

/// Lets 2008 bytes of output wait, so that nothing is received.
fn clog(ws: &mut Endpoint<Server>) {
    fill(ws, 1000);
    block(ws, 1000);
}

#[test]
fn a_read_into_a_message_is_received_before_the_next() {
    let wire = mask(&frame(0x82, &[7; 100_000]));
    let mut stream = Stream::default();
    let (mut ws, mut buffer) = (open(), [0; 100]);
    stream.reads = vec![Ok(wire[..100].to_vec()), Ok(wire[100..16_000].to_vec())];
    let mut input = ws.read_from(&mut stream, &mut buffer);
    assert!(ws.receive(&mut input).is_none());
    assert!(ws.read_from(&mut stream, &mut buffer).is_empty());
    assert!(!ws.wants_read(), "the stream may have more, but this comes first");
    assert!(ws.read_from(&mut stream, &mut buffer).is_empty());
    assert!(ws.receive(&mut &mut [][..]).is_none());
    stream.reads = vec![Err(ErrorKind::WouldBlock)];
    assert!(ws.read_from(&mut stream, &mut buffer).is_empty());
    assert!(ws.wants_read(), "the stream has nothing now");
}

#[test]
fn what_a_stream_gives_is_read_and_its_end_and_its_failure_are_reported() {
    let mut buffer = [0; 100];
    let mut stream = Stream::default();
    let mut ws = open();
    for kind in TRANSIENT {
        stream.reads.push(Err(kind));
        assert!(ws.read_from(&mut stream, &mut buffer).is_empty());
        assert_eq!(ws.next_step(), NextStep::Continue);
    }
    stream.reads.push(Ok(mask(&frame(0x81, b"hi"))));
    let mut input = ws.read_from(&mut stream, &mut buffer);
    assert!(matches!(ws.receive(&mut input), Some((Incoming::Text("hi"), _))));
    // TLS can end without saying so. What is sent then is still written.
    for end in [Ok(Vec::new()), Err(ErrorKind::UnexpectedEof)] {
        let mut ws = open();
        ws.text("hi").unwrap();
        stream.reads.push(end);
        assert!(ws.read_from(&mut stream, &mut buffer).is_empty());
        assert!(!ws.wants_read());
        assert_eq!(ws.next_step(), NextStep::Continue);
        stream.writes.push(Ok(9));
        assert!(ws.write_to(&mut stream));
        assert_eq!(ws.next_step(), NextStep::Drop);
        assert_eq!(ws.ending().unwrap().to_string(), "lost: the transport ended without a Close");
    }

    // It broke: what waits inside is still received.
    let mut ws = open();
    clog(&mut ws);
    assert!(ws.receive(&mut &mut mask(&frame(0x81, b"hi"))[..]).is_none());
    stream.writes.push(Ok(2008));
    assert!(ws.write_to(&mut stream));
    assert!(!ws.wants_read());
    assert!(matches!(ws.receive(&mut &mut [][..]), Some((Incoming::Text("hi"), _))));
    stream.reads.push(Err(ErrorKind::ConnectionReset));
    assert!(ws.read_from(&mut stream, &mut buffer).is_empty());
    assert_eq!(ws.next_step(), NextStep::Drop);
}

/// A stream without a next read fails the test if it is read.
#[test]
fn a_stream_is_read_only_if_that_is_wanted() {
    let mut stream = Stream::default();
    let mut ws = open();
    assert!(ws.read_from(&mut stream, &mut []).is_empty());
    assert_eq!(ws.next_step(), NextStep::Continue);
    clog(&mut ws);
    assert!(ws.read_from(&mut stream, &mut [0; 100]).is_empty());
    ws.abort();
    assert!(ws.read_from(&mut stream, &mut [0; 100]).is_empty());
}

#[test]
fn what_a_stream_takes_is_reported_and_so_is_its_failure() {
    let mut stream = Stream::default();
    let mut ws = open();
    assert!(!ws.write_to(&mut stream) && !ws.wants_write());
    ws.text("hello").unwrap();
    // A TLS connection whose buffer is full takes nothing, without an error.
    for blocked in TRANSIENT.map(Err).into_iter().chain([Ok(0)]) {
        stream.writes.push(blocked);
        assert!(!ws.write_to(&mut stream) && ws.wants_write());
    }
    stream.writes = vec![Ok(3), Ok(9)];
    assert!(ws.write_to(&mut stream));
    assert_eq!(ws.output().len(), 4);
    assert!(ws.write_to(&mut stream));
    assert!(!ws.wants_write());
    assert_eq!(stream.written, frame(0x81, b"hello"));

    // What a signal has interrupted is done again.
    ws.text("hello").unwrap();
    stream.reads = vec![Err(ErrorKind::Interrupted), Ok(vec![0])];
    (stream.writes, stream.flushes) =
        (vec![Err(ErrorKind::Interrupted), Ok(9)], vec![Err(ErrorKind::Interrupted), Ok(())]);
    assert_eq!(ws.read_from(&mut stream, &mut [9]), [0]);
    assert!(ws.write_to(&mut stream));
    assert!(stream.flushes.is_empty() && !ws.wants_write());

    // It broke: what waits inside is received, and the stream is not touched again.
    let broken = ErrorKind::BrokenPipe;
    for (write, flush) in [(Err(broken), Ok(())), (Ok(9), Err(broken))] {
        let mut ws = open();
        clog(&mut ws);
        assert!(ws.receive(&mut &mut mask(&frame(0x81, b"hi"))[..]).is_none());
        (stream.writes, stream.flushes) = (vec![write], vec![flush]);
        assert!(ws.write_to(&mut stream) && !ws.write_to(&mut stream));
        assert!(matches!(ws.receive(&mut &mut [][..]), Some((Incoming::Text("hi"), _))));
        assert!(ws.receive(&mut &mut [][..]).is_none());
        assert_eq!(ws.next_step(), NextStep::Drop);
    }
}

/// As with TLS, which encrypts what it takes, and then waits for the socket.
#[test]
fn what_a_stream_holds_is_not_written_yet() {
    let mut ws = open();
    ws.tick(Duration::ZERO);
    let mut stream = Stream { writes: vec![Ok(9)], ..Stream::default() };
    let mut close = mask(&frame(0x88, b"\x03\xE8"));
    assert!(matches!(ws.receive(&mut &mut close[..]), Some((Incoming::Close(_), _))));
    stream.flushes = vec![Err(ErrorKind::WouldBlock); 2];
    assert!(ws.write_to(&mut stream) && !ws.write_to(&mut stream));
    assert!(ws.output().is_empty() && ws.wants_write());
    assert_eq!(ws.next_step(), NextStep::Continue);
    assert_eq!(stream.written, frame(0x88, b"\x03\xE8"));
    stream.flushes = vec![Ok(())];
    assert!(ws.write_to(&mut stream));
    assert_eq!(ws.next_step(), NextStep::ShutdownWrite);
}

/// The limit on output that waits begins with a write that was refused, and ends with one that was
/// not.
#[test]
fn time_counts_for_a_stream_that_takes_nothing() {
    let mut ws = open();
    ws.tick(Duration::ZERO);
    ws.text("hello").unwrap();
    let mut stream =
        Stream { writes: vec![Err(ErrorKind::WouldBlock), Ok(9)], ..Stream::default() };
    assert!(!ws.write_to(&mut stream));
    assert_eq!(ws.deadline(), Some(Duration::ZERO));
    ws.tick(Duration::from_secs(1));
    assert_eq!(ws.deadline(), Some(Duration::from_secs(20)));
    assert!(ws.write_to(&mut stream));
    assert_eq!(ws.deadline(), Some(Duration::from_secs(1)));
}

/// A connection that the system has given up is no read that took too long.
#[cfg(target_os = "linux")]
#[test]
fn a_time_out_of_the_system_breaks_the_connection() {
    struct Lost;
    impl Read for Lost {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            let timed_out = io::Error::from_raw_os_error(110);
            assert_eq!(timed_out.kind(), ErrorKind::TimedOut);
            Err(timed_out)
        }
    }
    let mut ws = open();
    assert!(ws.read_from(&mut Lost, &mut [0; 9]).is_empty());
    assert_eq!(ws.next_step(), NextStep::Drop);
}
