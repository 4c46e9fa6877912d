//! A transport in memory or through a socket, and an executor for futures over it.

use std::{
    hint::black_box,
    io::{self, ErrorKind, IoSlice, Read, Write},
    os::unix::net::UnixStream,
    pin::{Pin, pin},
    slice,
    task::{Context, Poll, Waker},
};

use tokio::io::ReadBuf;

use crate::{
    loads::Load,
    measure::{Output, clock, set_aside},
};

/// The most bytes of a read from memory, and of a batch that is written.
pub const READ: usize = 16 << 10;

/// Splits `bytes` into the reads in which they arrive.
pub fn reads(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(READ).map(black_box)
}

/// Returns the size of a read buffer, for peers that let it be chosen. A read from a socket is a
/// system call, so it should bring more than a read from memory.
pub fn buffer_size(load: &Load) -> usize {
    if load.bench.is_piped() { 64 << 10 } else { READ }
}

/// The source of a load's bytes.
pub enum Source<'a> {
    /// Reads of at most 16 KiB, copied from memory.
    Memory(&'a [u8]),
    Pipe(Pipe<'a>),
}

impl<'a> Source<'a> {
    pub fn of(load: &'a Load) -> Self {
        match load.bench.is_piped() {
            true => Source::Pipe(Pipe::new(&load.wire)),
            false => Source::Memory(&load.wire),
        }
    }

    /// Reads once, and returns the bytes at the front of `buffer`; `None` at the end.
    #[inline]
    pub fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let length = self.read_into(buffer);
        (length > 0).then(|| &mut buffer[..length])
    }

    #[inline]
    fn read_into(&mut self, buffer: &mut [u8]) -> usize {
        match self {
            Source::Memory(rest) => {
                let now = next(rest, buffer.len());
                buffer[..now.len()].copy_from_slice(now);
                now.len()
            }
            Source::Pipe(pipe) => {
                pipe.fill();
                let read = pipe.reader.read(buffer);
                pipe.took(read)
            }
        }
    }

    #[allow(unsafe_code)]
    fn read_buf(&mut self, buffer: &mut ReadBuf) {
        match self {
            Source::Memory(rest) => buffer.put_slice(next(rest, buffer.remaining())),
            Source::Pipe(pipe) => {
                pipe.fill();
                // SAFETY: the kernel has initialised what it has read, and nothing else is written.
                let read = unsafe {
                    let read = rustix::io::read(&pipe.reader, buffer.unfilled_mut());
                    let read = read.map(|(read, _)| read.len()).map_err(io::Error::from);
                    buffer.assume_init(*read.as_ref().unwrap_or(&0));
                    read
                };
                buffer.advance(pipe.took(read));
            }
        }
    }
}

/// Takes the next read from memory.
#[inline]
fn next<'a>(rest: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (now, later) = rest.split_at(rest.len().min(READ).min(most));
    *rest = later;
    black_box(now)
}

/// A socket pair of which the run owns both ends. Whenever the socket is empty, it is filled with
/// as many bytes as it takes, so no read has to wait. The time of filling is excluded, because only
/// the reading end is measured.
pub struct Pipe<'a> {
    unwritten: &'a [u8],
    /// The bytes in the socket.
    inside: usize,
    writer: UnixStream,
    reader: UnixStream,
}

impl<'a> Pipe<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (writer, reader) = UnixStream::pair().expect("two sockets");
        writer.set_nonblocking(true).expect("it is a socket");
        Pipe { unwritten: bytes, inside: 0, writer, reader }
    }

    fn fill(&mut self) {
        if self.inside > 0 {
            return;
        }
        let start = clock();
        while !self.unwritten.is_empty() {
            match self.writer.write(self.unwritten) {
                Ok(length) => {
                    self.unwritten = &self.unwritten[length..];
                    self.inside += length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        if self.inside == 0 {
            self.writer.shutdown(std::net::Shutdown::Write).expect("it is open");
        }
        set_aside(clock() - start);
    }

    fn took(&mut self, read: io::Result<usize>) -> usize {
        let length = read.expect("the other end is open");
        self.inside -= length;
        length
    }
}

/// The writes that a [`Wire`] copies.
///
/// Every payload that is sent has to be copied once from the memory of the caller. A peer that
/// gathers frames in a buffer of its own has copied before it writes, so its writes are only
/// counted. For a peer that writes payloads from the caller's memory, the transport copies them,
/// into a buffer that is emptied whenever a batch is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    None,
    Vectored,
    All,
}

/// A transport that accepts all writes.
pub struct Wire<'a> {
    input: Source<'a>,
    output: &'a mut Output,
    copies: Copies,
    batch: Vec<u8>,
}

impl<'a> Wire<'a> {
    pub fn new(input: &'a [u8], output: &'a mut Output, copies: Copies) -> Self {
        Wire { input: Source::Memory(input), output, copies, batch: Vec::new() }
    }

    /// Creates a transport that is only read from.
    pub fn reading(load: &'a Load, output: &'a mut Output) -> Self {
        Wire { input: Source::of(load), ..Wire::new(&[], output, Copies::None) }
    }

    /// Creates a transport that is only written to.
    pub fn writing(output: &'a mut Output, copies: Copies) -> Self {
        Wire::new(&[], output, copies)
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        self.put_all(slice::from_ref(&IoSlice::new(bytes)), self.copies == Copies::All)
    }

    fn put_vectored(&mut self, slices: &[IoSlice]) -> usize {
        self.put_all(slices, self.copies != Copies::None)
    }

    fn put_all(&mut self, slices: &[IoSlice], copy: bool) -> usize {
        let mut length = 0;
        for bytes in slices {
            self.output.part(bytes);
            length += bytes.len();
            if copy {
                self.batch.extend_from_slice(bytes);
            }
        }
        if self.batch.len() >= READ {
            black_box(&self.batch);
            self.batch.clear();
        }
        length
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.input.read_into(buffer))
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.put(bytes))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Done<T = ()> = Poll<io::Result<T>>;

impl tokio::io::AsyncRead for Wire<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context, buffer: &mut ReadBuf) -> Done {
        self.input.read_buf(buffer);
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Wire<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Done<usize> {
        Poll::Ready(Ok(self.put(bytes)))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context,
        slices: &[IoSlice],
    ) -> Done<usize> {
        Poll::Ready(Ok(self.put_vectored(slices)))
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
}

impl futures::io::AsyncRead for Wire<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context, buffer: &mut [u8]) -> Done<usize> {
        Poll::Ready(Ok(self.input.read_into(buffer)))
    }
}

impl futures::io::AsyncWrite for Wire<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context, bytes: &[u8]) -> Done<usize> {
        Poll::Ready(Ok(self.put(bytes)))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context) -> Done {
        Poll::Ready(Ok(()))
    }
}

/// Returns the result of `future`, which never waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
