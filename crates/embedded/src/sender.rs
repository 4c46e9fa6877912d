//! The sending half of a WebSocket, which the application gets beside a message.

use core::fmt;

use websocket_proto::{CloseCode, CloseFrame, Connection, Data, Failure, Role, SendError};

use crate::memory::Queue;

/// What sends: [`WebSocket::receive`](crate::WebSocket::receive) returns it beside each message, and
/// [`WebSocket::send`](crate::WebSocket::send) lends it.
///
/// Each method appends to the output buffer, which the next `wait` or `send` writes.
///
/// # Errors
///
/// [`SendError::Full`] if the buffer has no room, [`SendError::Closing`] once the connection is
/// closing, [`SendError::NoMaskKey`] if the source of masking keys has none. Nothing was appended
/// then.
pub struct Sender<'b, R> {
    pub(crate) connection: Connection<R>,
    pub(crate) out: Queue<'b>,
    /// Bytes were written that the transport was not told to pass on.
    unflushed: bool,
}

impl<'b, R: Role> Sender<'b, R> {
    pub(crate) const fn new(connection: Connection<R>, out: Queue<'b>) -> Self {
        Sender { connection, out, unflushed: false }
    }

    /// Appends what the protocol owes. Returns whether there is nothing to write.
    pub(crate) fn settle(&mut self) -> bool {
        // What has no room, because the buffer is shorter than `Buffers` asks for, stays owed.
        let _ = self.connection.transmit(&mut self.out);
        self.out.len() == 0
    }

    /// Appends a text message (§5.6).
    pub fn text(&mut self, text: &str) -> Result<(), SendError> {
        self.connection.send_text(text, &mut self.out)
    }

    /// Appends a binary message (§5.6).
    pub fn binary(&mut self, data: &[u8]) -> Result<(), SendError> {
        self.connection.send_binary(data, &mut self.out)
    }

    /// Appends a message of either kind.
    pub fn send(&mut self, data: Data<'_>) -> Result<(), SendError> {
        self.connection.send(data, &mut self.out)
    }

    /// Appends one fragment of a message, the last one if `last` (§5.4). So a message can be longer
    /// than the output buffer: send each fragment by a `send` of its own.
    pub fn fragment(&mut self, data: Data<'_>, last: bool) -> Result<(), SendError> {
        self.connection.send_fragment(data, last, &mut self.out)
    }

    /// Appends a Ping of at most 125 bytes (§5.5.2). The time limits send Pings by themselves.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.ping(payload, &mut self.out)
    }

    /// Appends a Close with a reason, which is cut if it is too long (§5.5.1). Go on with `wait` until
    /// it returns `false`.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.connection.close(Some(&CloseFrame::truncated(code, reason)), &mut self.out)
    }

    /// Fails the connection by the application's verdict: see [`Connection::fail`].
    pub fn fail(&mut self, failure: impl Into<Failure>) {
        self.connection.fail(failure);
    }
}

impl<R> Sender<'_, R> {
    /// Whether nothing is to be written, and the transport holds nothing that was.
    pub(crate) const fn is_flushed(&self) -> bool {
        self.out.len() == 0 && !self.unflushed
    }

    /// Notes that the first `length` bytes are written.
    pub(crate) fn written(&mut self, length: usize) {
        self.out.take(length);
        self.unflushed = true;
    }

    /// Notes that the transport holds nothing any more.
    pub(crate) const fn flushed(&mut self) {
        self.unflushed = false;
    }

    /// Drops the output.
    pub(crate) const fn clear(&mut self) {
        self.out.clear();
        self.unflushed = false;
    }
}

impl<R> fmt::Debug for Sender<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("waiting", &self.out.len()).finish_non_exhaustive()
    }
}
