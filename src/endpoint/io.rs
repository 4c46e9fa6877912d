//! Endpoints over the streams of the standard library.

extern crate std;

use std::io::{self, ErrorKind};

use super::Endpoint;
use crate::role::Role;

/// For blocking and for non-blocking streams. That a stream gives or takes nothing now, also after
/// a time limit of its own, is no error here, and any other error is an
/// [`abort`](Endpoint::abort). So a driver only looks at the [next step](Endpoint::next_step).
impl<R: Role> Endpoint<R> {
    /// Reads once into `buffer`, if that is [wanted](Endpoint::wants_read), and returns what was
    /// read: the input of [`receive`](Endpoint::receive). At the end of the stream, also if that
    /// misses the end of TLS, it calls [`receive_eof`](Endpoint::receive_eof).
    ///
    /// It returns at once if no read is wanted. A blocking driver that answers a request later has to
    /// wait for that by itself.
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
    /// assert_eq!(ws.write_to(&mut written), 4);
    /// assert_eq!(written, b"\x81\x02hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_from<'b>(
        &mut self,
        stream: &mut (impl io::Read + ?Sized),
        buffer: &'b mut [u8],
    ) -> &'b mut [u8] {
        if self.wants_read() && !buffer.is_empty() {
            match retry(|| stream.read(buffer)) {
                Ok(0) => self.receive_eof(),
                Ok(length) => return buffer.get_mut(..length).unwrap_or_default(),
                Err(error) if is_transient(&error) => {}
                // TLS that ends without a close_notify.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.receive_eof(),
                Err(_) => self.abort(),
            }
        }
        &mut []
    }

    /// Writes once from the [output](Endpoint::output), if there is any, and flushes the stream.
    /// Returns how many bytes the stream took, which are reported as
    /// [`written`](Endpoint::written).
    ///
    /// As long as this is not zero, there can be more to [receive](Endpoint::receive), with an empty
    /// input, and to write.
    pub fn write_to(&mut self, stream: &mut (impl io::Write + ?Sized)) -> usize {
        let mut taken = 0;
        if !self.output().is_empty() {
            match retry(|| stream.write(self.output())) {
                Ok(count) => taken = count,
                Err(error) if is_transient(&error) => {}
                Err(_) => self.abort(),
            }
            self.written(taken);
        }
        match retry(|| stream.flush()) {
            Err(error) if !is_transient(&error) => self.abort(),
            _ => {}
        }
        taken
    }
}

/// Whether the call can be made again later.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Makes a call again that a signal has interrupted.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
