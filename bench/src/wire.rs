//! A transport in memory, and how futures over it are run.

use std::{
    hint::black_box,
    io::{self, IoSlice, Read, Write},
    pin::{Pin, pin},
    slice,
    task::{Context, Poll, Waker},
};

use tokio::io::ReadBuf;

use crate::measure::Output;

/// The bytes of a read, at most, and of a batch that is written.
pub const READ: usize = 16 << 10;

/// `bytes` in the reads that they arrive in.
pub fn reads(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(READ).map(black_box)
}

/// Which writes a [`Wire`] copies.
///
/// Every payload that is sent has to be copied once, out of the memory of the caller. A peer that
/// gathers frames in a buffer of its own has done so before it writes, and what it writes is only
/// counted. For a peer that writes payloads from where they lie, the transport does it, into a
/// buffer that is emptied whenever it holds a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    None,
    Vectored,
    All,
}

/// A transport that reads in pieces of at most 16 KiB and takes all that is written.
pub struct Wire<'a> {
    input: &'a [u8],
    output: &'a mut Output,
    copies: Copies,
    batch: Vec<u8>,
}

impl<'a> Wire<'a> {
    pub fn new(input: &'a [u8], output: &'a mut Output, copies: Copies) -> Self {
        Wire { input, output, copies, batch: Vec::new() }
    }

    /// Nothing is to be written to it.
    pub fn reading(input: &'a [u8], output: &'a mut Output) -> Self {
        Wire::new(input, output, Copies::None)
    }

    /// Nothing is to be read from it.
    pub fn writing(output: &'a mut Output, copies: Copies) -> Self {
        Wire::new(&[], output, copies)
    }

    fn next(&mut self, most: usize) -> &[u8] {
        let (now, rest) = self.input.split_at(self.input.len().min(READ).min(most));
        self.input = rest;
        black_box(now)
    }

    fn read_into(&mut self, buffer: &mut [u8]) -> usize {
        let now = self.next(buffer.len());
        buffer[..now.len()].copy_from_slice(now);
        now.len()
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
        Ok(self.read_into(buffer))
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
        buffer.put_slice(self.next(buffer.remaining()));
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
        Poll::Ready(Ok(self.read_into(buffer)))
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

/// What `future` gives, which never waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
