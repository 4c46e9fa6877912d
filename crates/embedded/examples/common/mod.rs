//! A socket of the operating system as a transport of a board, and its clock.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use websocket_proto_embedded::embedded_io::{ErrorType, Read, Write};

/// A socket that returns ten times a second at least, so that the driver can look at its clock.
pub struct Socket(TcpStream);

impl Socket {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        let tenth = Some(Duration::from_millis(100));
        stream.set_read_timeout(tenth)?;
        stream.set_write_timeout(tenth)?;
        stream.set_nodelay(true)?;
        Ok(Socket(stream))
    }

    pub fn shutdown(&mut self) {
        // If this fails, the end of the peer's stream still comes, or the limit of closing.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

/// Unix calls it `WouldBlock` when the time-out of a socket has passed.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

impl ErrorType for Socket {
    type Error = io::Error;
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(timed_out)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(timed_out)
    }
}

/// Returns a clock that counts milliseconds, modulo 2^32.
pub fn millis() -> impl FnMut() -> u32 {
    let start = Instant::now();
    move || start.elapsed().as_millis() as u32
}
