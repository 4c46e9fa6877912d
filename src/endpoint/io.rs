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
    /// read: the input of [`receive`](Endpoint::receive). At the end of the stream it calls
    /// [`receive_eof`](Endpoint::receive_eof).
    ///
    /// This is a turn of an event loop whose events come again while a stream is readable. Where an
    /// event comes once, as with mio, make turns until a read that was wanted has given nothing: see
    /// the example `echo_server`.
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use std::time::Duration;
    /// use websocket_proto::endpoint::{Endpoint, Incoming};
    /// use websocket_proto::{NextStep, Server};
    ///
    /// /// One turn of an event loop. `None` is the end. Otherwise wait until the stream is readable,
    /// /// if the first is true, or writable, if the second is, or until the deadline.
    /// fn turn<S: Read + Write>(
    ///     ws: &mut Endpoint<Server>,
    ///     stream: &mut S,
    ///     buffer: &mut [u8],
    ///     now: Duration,
    /// ) -> Option<(bool, bool)> {
    ///     let mut input = ws.read_from(stream, buffer);
    ///     loop {
    ///         while let Some((incoming, sender)) = ws.receive(&mut input) {
    ///             if let Incoming::Text(text) = incoming {
    ///                 let _ = sender.text(text);
    ///             }
    ///         }
    ///         ws.tick(now);
    ///         if ws.write_to(stream) == 0 {
    ///             break;
    ///         }
    ///     }
    ///     match ws.next_step() {
    ///         NextStep::Drop => return None,
    ///         NextStep::ShutdownWrite => {} // `TcpStream::shutdown`
    ///         _ => {}
    ///     }
    ///     Some((ws.wants_read(), !ws.output().is_empty()))
    /// }
    /// # use websocket_proto::{Agreed, endpoint::Options};
    /// # struct Pipe(&'static [u8], Vec<u8>);
    /// # impl Read for Pipe { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
    /// # impl Write for Pipe {
    /// #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
    /// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
    /// # }
    /// # let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
    /// # let mut pipe = Pipe(b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0", Vec::new());
    /// # let mut turn = || turn(&mut ws, &mut pipe, &mut [0; 100], Duration::ZERO);
    /// # assert_eq!((turn(), turn()), (Some((true, false)), None));
    /// # assert_eq!(pipe.1, b"\x81\x02hi\x88\x00");
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
