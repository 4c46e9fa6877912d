//! Endpoints over the streams of the standard library.

#![cfg(feature = "std")]

mod common;

use std::io::{self, ErrorKind, Read, Write};

use common::{frame, mask};
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
        ws.written(ws.output().len());
        assert_eq!(ws.next_step(), NextStep::Drop);
        assert_eq!(ws.ending().unwrap().to_string(), "lost: the transport ended without a Close");
    }

    // It broke: what waits inside is still received.
    let mut ws = open();
    ws.text(&"a".repeat(1000)).unwrap();
    assert!(ws.receive(&mut &mut mask(&frame(0x81, b"hi"))[..]).is_none());
    stream.writes.push(Ok(1004));
    assert_eq!(ws.write_to(&mut stream), 1004);
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
    ws.text(&"a".repeat(1000)).unwrap();
    assert!(ws.read_from(&mut stream, &mut [0; 100]).is_empty());
    ws.abort();
    assert!(ws.read_from(&mut stream, &mut [0; 100]).is_empty());
}

#[test]
fn what_a_stream_takes_is_reported_and_so_is_its_failure() {
    let mut stream = Stream::default();
    let mut ws = open();
    assert_eq!(ws.write_to(&mut stream), 0);
    ws.text("hello").unwrap();
    for blocked in TRANSIENT.map(Err).into_iter().chain([Ok(0)]) {
        stream.writes.push(blocked);
        assert_eq!(ws.write_to(&mut stream), 0);
    }
    stream.writes = vec![Ok(3), Ok(9)];
    assert_eq!((ws.write_to(&mut stream), ws.output().len()), (3, 4));
    assert_eq!((ws.write_to(&mut stream), ws.output().len()), (4, 0));
    assert_eq!(stream.written, frame(0x81, b"hello"));

    // What a stream holds is passed on later.
    stream.flushes = [TRANSIENT.map(Err).to_vec(), vec![Ok(())]].concat();
    for _ in 0..3 {
        assert_eq!(ws.write_to(&mut stream), 0);
        assert_eq!(ws.next_step(), NextStep::Continue);
    }
    assert!(stream.flushes.is_empty());

    // What a signal has interrupted is done again.
    ws.text("hello").unwrap();
    stream.reads = vec![Err(ErrorKind::Interrupted), Ok(vec![0])];
    (stream.writes, stream.flushes) =
        (vec![Err(ErrorKind::Interrupted), Ok(9)], vec![Err(ErrorKind::Interrupted), Ok(())]);
    assert_eq!(ws.read_from(&mut stream, &mut [9]), [0]);
    assert_eq!(ws.write_to(&mut stream), 7);
    assert!(stream.flushes.is_empty());

    for (write, flush) in [(Err(ErrorKind::BrokenPipe), Ok(())), (Ok(9), Err(ErrorKind::Other))] {
        let mut ws = open();
        ws.text("hello").unwrap();
        (stream.writes, stream.flushes) = (vec![write], vec![flush]);
        ws.write_to(&mut stream);
        assert_eq!(ws.next_step(), NextStep::Drop);
    }
}
