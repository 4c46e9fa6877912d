//! Endpoints over the streams of the standard library.

extern crate std;

use std::io::{self, ErrorKind};

use super::Endpoint;
use crate::role::Role;

/// Reading and writing for streams of the standard library: blocking or not, and the reader and
/// writer of a TLS connection. Errors that mean "try again", and time limits of the stream, are
/// ignored. Any other error is an [`abort`](Endpoint::abort). So a driver only checks the [next
/// step](Endpoint::next_step).
impl<R: Role> Endpoint<R> {
    /// Reads once into `buffer`, if that is [wanted](Endpoint::wants_read), and returns what was
    /// read: the input of [`receive`](Endpoint::receive). At the end of the stream, even if TLS did
    /// not end properly, this calls [`receive_eof`](Endpoint::receive_eof).
    ///
    /// The rest of a long binary message is read into [its own memory](Endpoint::message_buffer)
    /// instead. Then the returned input is empty, too, and has to be received before the next read.
    /// The stream has nothing more to give for now only if a read is still
    /// [wanted](Endpoint::wants_read) after an empty one.
    ///
    /// This returns at once if no read is wanted. A blocking driver that answers a request later
    /// has to wait by other means.
    ///
    /// The [guide](crate::guide#driving-an-endpoint) has a whole turn of an event loop.
    ///
    /// ```
    /// use websocket_proto::endpoint::{Endpoint, Incoming, Options};
    /// use websocket_proto::{Agreed, Server};
    ///
    /// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// let (mut stream, mut buffer) = (&b"\x81\x82\0\0\0\0hi"[..], [0; 4096]);
    /// let mut input = ws.read_from(&mut stream, &mut buffer);
    /// while let Some((incoming, sender)) = ws.receive(&mut input) {
    ///     if let Incoming::Text(text) = incoming {
    ///         sender.text(text)?;
    ///     }
    /// }
    /// let mut written = Vec::new();
    /// assert!(ws.write_to(&mut written));
    /// assert_eq!(written, b"\x81\x02hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_from<'b>(
        &mut self,
        stream: &mut (impl io::Read + ?Sized),
        buffer: &'b mut [u8],
    ) -> &'b mut [u8] {
        if self.wants_read() && !buffer.is_empty() {
            let (read, of_message) = match self.message_buffer() {
                Some(memory) => (attempt(|| stream.read(memory)), true),
                None => (attempt(|| stream.read(buffer)), false),
            };
            match read {
                Ok(None) => {}
                Ok(Some(0)) => self.receive_eof(),
                Ok(Some(length)) if of_message => self.filled(length),
                Ok(Some(length)) => return buffer.get_mut(..length).unwrap_or_default(),
                // TLS that ends without a close_notify.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.receive_eof(),
                Err(_) => self.abort(),
            }
        }
        &mut []
    }

    /// Writes once from the [output](Endpoint::output), if there is any, flushes the stream in any
    /// case, and reports the flushed bytes as [`written`](Endpoint::written). Bytes that a stream
    /// took and cannot flush yet, as with TLS, still [wait](Endpoint::wants_write).
    ///
    /// Returns whether to call [`receive`](Endpoint::receive) again, with an empty input, and then
    /// this: because the stream took something, or because it broke.
    pub fn write_to(&mut self, stream: &mut (impl io::Write + ?Sized)) -> bool {
        if self.sender.broken {
            return false;
        }
        self.try_write_to(stream).unwrap_or_else(|_| {
            self.abort();
            true
        })
    }

    fn try_write_to(&mut self, stream: &mut (impl io::Write + ?Sized)) -> io::Result<bool> {
        let taken = match self.output() {
            [] => 0,
            output => attempt(|| stream.write(output))?.unwrap_or(0),
        };
        if attempt(|| stream.flush())?.is_none() {
            self.sender.hand_out(taken);
            self.written(0);
            return Ok(taken > 0);
        }
        let left = self.sender.handed_out.saturating_add(taken);
        self.written(left);
        Ok(left > 0)
    }
}

/// Calls `call` until no signal interrupts it. `None` means that the stream is not ready now.
fn attempt<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match call() {
            Ok(done) => return Ok(Some(done)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_transient(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Whether the call can be made again later.
fn is_transient(error: &io::Error) -> bool {
    match error.kind() {
        ErrorKind::WouldBlock => true,
        // The time limit of a read or a write on Windows, or in a wrapper. Elsewhere, the system
        // says that it has given the connection up.
        ErrorKind::TimedOut => cfg!(windows) || error.raw_os_error().is_none(),
        _ => false,
    }
}
