//! Shared parts of the examples over blocking sockets: reading with a time limit, and refusing a
//! request.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The time for an opening handshake.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
const CLOSING_LIMIT: Duration = Duration::from_secs(5);

/// Reads once. If nothing arrives before `end`, fails with an error for which [`is_timeout`] is
/// true.
pub fn read_before(mut stream: &TcpStream, end: Instant, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Whether a read or a write took too long. The kind of error depends on the system.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Sends the answer to a request that is refused, then reads until the client ends the stream. A
/// transport that is closed with unread input is reset, which can destroy the answer on its way.
pub fn refuse(mut stream: &TcpStream, answer: &[u8]) -> io::Result<()> {
    let end = Instant::now() + CLOSING_LIMIT;
    stream.set_write_timeout(Some(CLOSING_LIMIT))?;
    stream.write_all(answer)?;
    stream.shutdown(Shutdown::Write)?;
    while read_before(stream, end, &mut [0; 4096])? > 0 {}
    Ok(())
}
