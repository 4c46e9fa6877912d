//! The parts of io_uring that the server needs, with safe functions. All `unsafe` code of the
//! example is here.
//!
//! Memory that the kernel reads or writes by itself has to stay where it is until the kernel is done
//! with it. So a [`Ring`] is never freed, and it owns all such memory:
//!
//! - The receive buffers. The kernel may write to a buffer from `give_back` until the completion that
//!   names the buffer. Between that completion and the next `give_back` only [`Ring::lend`] uses it.
//! - The ring of entries that name free buffers. The kernel reads the entries before the tail, and
//!   `give_back` writes only the one at the tail.
//! - The buffers of output that is being sent. A buffer stays in `sending` until its completion.

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::collections::HashMap;
use std::io::{self, Error};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// The number of receive buffers for all connections, which is a power of two.
pub const BUFFERS: u16 = 32;
/// The length of each receive buffer.
pub const LENGTH: usize = 16 << 10;
/// The number of the ring of buffers, which receives refer to.
const GROUP: u16 = 0;

// The operation of a request, in the low byte of its user data. Above it is the token of its
// connection.
const ACCEPT: u8 = 0;
const RECEIVE: u8 = 1;
const SEND: u8 = 2;
const CANCEL: u8 = 3;

fn user_data(operation: u8, token: u32) -> u64 {
    u64::from(token) << 8 | u64::from(operation)
}

/// A completion that the kernel reports. `last` says that the request has ended and reports nothing
/// more.
pub enum Completion {
    /// `stream` is `None` if accepting has failed.
    Accept {
        stream: Option<TcpStream>,
        last: bool,
    },
    Receive {
        token: u32,
        received: Received,
        last: bool,
    },
    /// `sent` is how many bytes of the buffer were sent.
    Send {
        token: u32,
        buffer: Vec<u8>,
        sent: io::Result<usize>,
    },
}

pub enum Received {
    /// Bytes were received. [`Ring::lend`] gives access to them.
    Bytes(Filled),
    EndOfStream,
    Broken,
    /// The receive was cancelled, or no buffer was free.
    Nothing,
}

/// A receive buffer that the kernel has filled. There is only one value for each.
pub struct Filled {
    buffer: u16,
    length: usize,
}

/// Entries of 16 bytes for all buffers. The kernel asks for the beginning of a page, and pages have
/// 64 KiB at most.
#[repr(C, align(65536))]
struct Entries([u8; 16 * BUFFERS as usize]);

pub struct Ring {
    io: IoUring,
    entries: *mut BufRingEntry,
    /// How many buffers were given to the kernel so far, modulo 2^16.
    tail: u16,
    buffers: Vec<Box<[u8]>>,
    sending: HashMap<u32, Vec<u8>>,
}

impl Ring {
    /// Creates a ring that is never freed.
    pub fn new() -> io::Result<&'static mut Ring> {
        // Completions are made only while this thread waits for them. So between two waits no more
        // is received than all buffers hold.
        let io = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4096)
            .build(256)?;
        let entries: &'static mut Entries = Box::leak(Box::new(Entries([0; _])));
        let entries: *mut BufRingEntry = std::ptr::from_mut(entries).cast();
        let address = entries.expose_provenance() as u64;
        // SAFETY: the memory has `BUFFERS` entries, begins at a page and is never freed.
        unsafe { io.submitter().register_buf_ring_with_flags(address, BUFFERS, GROUP, 0)? };
        let buffers = (0..BUFFERS).map(|_| vec![0; LENGTH].into()).collect();
        let ring = Ring { io, entries, tail: 0, buffers, sending: HashMap::new() };
        let ring = Box::leak(Box::new(ring));
        (0..BUFFERS).for_each(|buffer| ring.give_back(buffer));
        Ok(ring)
    }

    /// Accepts connections until a completion is the last.
    pub fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).build();
        self.push(&entry.user_data(user_data(ACCEPT, 0)))
    }

    /// Receives into whichever buffers are free, until a completion is the last.
    pub fn receive(&mut self, token: u32, stream: &TcpStream) -> io::Result<()> {
        let entry = opcode::RecvMulti::new(Fd(stream.as_raw_fd()), GROUP).build();
        self.push(&entry.user_data(user_data(RECEIVE, token)))
    }

    /// Cancels what [`receive`](Ring::receive) has begun. It has one more completion, the last.
    pub fn stop_receiving(&mut self, token: u32) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(user_data(RECEIVE, token)).build();
        self.push(&entry.user_data(user_data(CANCEL, token)))
    }

    /// Sends as much of `buffer` after its first `start` bytes as the socket takes. The buffer is
    /// returned with the completion. Each connection has one such buffer at a time.
    pub fn send(
        &mut self,
        token: u32,
        stream: &TcpStream,
        buffer: Vec<u8>,
        start: usize,
    ) -> io::Result<()> {
        let bytes = buffer.get(start..).unwrap_or_default();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(stream.as_raw_fd()), bytes.as_ptr(), length).build();
        assert!(!self.sending.contains_key(&token), "two sends at a time");
        self.sending.insert(token, buffer);
        self.push(&entry.user_data(user_data(SEND, token)))
    }

    /// Calls `act` with the bytes that were received, and gives the buffer back to the kernel.
    pub fn lend(&mut self, filled: Filled, act: impl FnOnce(&mut [u8])) {
        act(&mut self.buffers[usize::from(filled.buffer)][..filled.length]);
        self.give_back(filled.buffer);
    }

    /// Submits all requests, and waits for a completion, but no longer than `most`.
    pub fn wait(&mut self, most: Duration) -> io::Result<()> {
        let most = Timespec::from(most);
        match self.io.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&most)) {
            // Busy means that too many completions wait. They are taken next.
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY) => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Returns the next completion, if there is one.
    pub fn next(&mut self) -> Option<Completion> {
        loop {
            let entry = self.io.completion().next()?;
            let token = (entry.user_data() >> 8) as u32;
            let last = !cqueue::more(entry.flags());
            let result = usize::try_from(entry.result())
                .map_err(|_| Error::from_raw_os_error(-entry.result()));
            match entry.user_data() as u8 {
                ACCEPT => {
                    // SAFETY: a result that is no error is a file, opened for us alone.
                    let file = result.ok().map(|_| unsafe { OwnedFd::from_raw_fd(entry.result()) });
                    return Some(Completion::Accept { stream: file.map(TcpStream::from), last });
                }
                RECEIVE => {
                    let received = match (result, cqueue::buffer_select(entry.flags())) {
                        (Ok(length @ 1..), Some(buffer)) => {
                            Received::Bytes(Filled { buffer, length })
                        }
                        (Ok(_), _) => Received::EndOfStream,
                        (Err(error), _) => match error.raw_os_error() {
                            Some(libc::ENOBUFS | libc::ECANCELED) => Received::Nothing,
                            _ => Received::Broken,
                        },
                    };
                    return Some(Completion::Receive { token, received, last });
                }
                SEND => {
                    let buffer = self.sending.remove(&token).unwrap_or_default();
                    return Some(Completion::Send { token, buffer, sent: result });
                }
                // The result of `CANCEL` does not matter, because the receive itself completes too.
                _ => {}
            }
        }
    }

    /// Lets the kernel fill a buffer.
    fn give_back(&mut self, buffer: u16) {
        let memory = &mut self.buffers[usize::from(buffer)];
        let address = memory.as_mut_ptr().expose_provenance() as u64;
        let at = usize::from(self.tail % BUFFERS);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: there are `BUFFERS` entries. The kernel does not read this one before it sees the
        // new tail, because it has as many entries as buffers, and this buffer is not in any. Only
        // we write to the tail.
        unsafe {
            let entry = &mut *self.entries.add(at);
            entry.set_addr(address);
            entry.set_len(LENGTH as u32);
            entry.set_bid(buffer);
            let tail = BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the entry points to the memory of a buffer in `sending`, where it stays until the
        // completion. A receive names the ring of buffers, which is never freed.
        while unsafe { self.io.submission().push(entry) }.is_err() {
            self.io.submit()?;
        }
        Ok(())
    }
}
