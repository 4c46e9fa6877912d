//! One connection: the receiving half, the sending half, and the closing handshake between them.

use core::{mem, num::NonZeroU16};

use arrayvec::ArrayVec;

use crate::{
    agreed::Agreed,
    close::{CloseCode, CloseFrame},
    closing::{ClosingHandshake, Closure, NextStep, State},
    config::Config,
    error::{Failure, SendError},
    event::{Binary, ControlPayload, Data, Event, Kind, MAX_CONTROL, Position, Repr, Text},
    frame::{FrameHeader, Opcode, Open},
    mask,
    output::Output,
    receive::{Received, Receiver, Whole, close_frame},
    role::{Client, MaskSource, Role, Server, sealed::Role as _},
    send::{Frame, Sender},
};

/// A WebSocket connection after its opening handshake, as one side sees it.
///
/// A connection holds no buffer. The caller lends received bytes to
/// [`receive`](Connection::receive), and each sending method takes the [`Output`] that it appends
/// to. A connection does no I/O and knows no time.
///
/// Its methods are of four kinds, each in a block of its own below:
///
/// - **Bytes in**: [`receive`](Connection::receive), and what happens to the transport, such as
///   [`receive_eof`](Connection::receive_eof).
/// - **Bytes out**: [`send`](Connection::send), [`ping`](Connection::ping),
///   [`close`](Connection::close) and their variants.
/// - **What is owed**: [`transmit`](Connection::transmit), after each event.
/// - **Facts**: [`state`](Connection::state), [`next_step`](Connection::next_step) once all output
///   was written, and [`closure`](Connection::closure) at the end.
///
#[cfg_attr(
    feature = "alloc",
    doc = "[`Endpoint`](crate::endpoint::Endpoint) drives a connection for you."
)]
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Event, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut buffer = *b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"; // what was read
/// let mut input = &mut buffer[..];
/// let mut out = Vec::new();
/// while let Some(event) = connection.receive(&mut input) {
///     if let Event::Text(text) = event {
///         connection.send_text(&text, &mut out)?;
///     }
///     connection.transmit(&mut out)?;
/// }
/// assert_eq!(out, b"\x81\x05Hello"); // what is to be written
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
///
/// # Errors
///
/// Methods that send return [`SendError`] when the call does not fit the state, its arguments or
/// the room in the output. Nothing was written then, and nothing changed.
#[doc(alias = "WebSocket")]
#[doc(alias = "stream")]
#[doc(alias = "split")]
#[doc(alias = "tokio")]
#[derive(Debug)]
pub struct Connection<R> {
    role: R,
    receiver: Receiver<R>,
    sender: Sender,
    closing: ClosingHandshake,
    /// A wrapping count of the bytes taken off inputs. [`Deadlines`](crate::Deadlines) only
    /// compares it with an earlier value.
    received: u32,
    /// A wrapping count of the messages that have begun and do not take the straight path, and of
    /// the control frames between them. `Deadlines` uses it to see whether a message in progress is
    /// still the same one. Messages on the straight path are never in progress, so they need not be counted.
    begun: u16,
    /// The payload of the latest Pong as a number: see [`pong_token`](Connection::pong_token).
    pong_token: Option<NonZeroU16>,
}

impl<R: Role> Connection<R> {
    /// Creates an open connection: its handshake is done, here or elsewhere, or none is needed.
    pub const fn new(role: R, config: &Config, agreed: Agreed) -> Self {
        Connection {
            role,
            receiver: Receiver::new(config, agreed),
            sender: Sender::new(config.auto_pong),
            closing: ClosingHandshake::new(),
            received: 0,
            begun: 0,
            pong_token: None,
        }
    }
}

/// Bytes in: received bytes become events. What happens to the transport is reported here too.
impl<R: Role> Connection<R> {
    /// Takes bytes off the front of `input` and returns the next event; `None` means that `input`
    /// is now empty, so that its memory is free for the next read. Call it until then.
    ///
    /// Payloads are unmasked where they lie. Nothing is lost by how the bytes were cut into reads:
    /// what an event still lacks waits inside the connection. After [`Event::Close`] or
    /// [`Event::Failed`] all further input is swallowed.
    ///
    /// A bad byte of UTF-8 does not hold back the text in front of it: that is a piece, and the
    /// call behind it returns [`Event::Failed`].
    #[doc(alias = "read")]
    #[doc(alias = "next")]
    #[inline(always)]
    pub fn receive<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        let (text, last) = match self.receive_whole(input) {
            Some(Whole::Binary(data)) => {
                return Some(Event::Binary(Binary { data, position: Position::WHOLE }));
            }
            Some(Whole::Text(text)) => (text, true),
            Some(Whole::Invalid(front)) if !front.is_empty() => (front, false),
            _ => {
                let received = self.receive_piece(input)?;
                return Some(received.into_event(|| self.take_control()));
            }
        };
        let position = Position { offset: 0, last };
        Some(Event::Text(Text { text: Repr::Slice(text), position }))
    }

    /// The straight path of [`receive`](Connection::receive): see [`Receiver::receive_whole`].
    #[inline(always)]
    pub(crate) fn receive_whole<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Whole<'i>> {
        let before = input.len();
        let whole = self.receiver.receive_whole(input)?;
        self.received = self.received.wrapping_add(before.wrapping_sub(input.len()) as u32);
        Some(whole)
    }

    /// Whether [`receive_whole`](Connection::receive_whole) takes what is next.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn has_whole_message(&self, input: &[u8]) -> bool {
        self.receiver.has_whole_message(input)
    }

    /// Returns whether `input` begins a message that the caller is to keep there until it is fully
    /// received, in `capacity` bytes at most: see [`Receiver::leave`].
    pub(crate) fn leave(&mut self, input: &mut &mut [u8], capacity: u32) -> bool {
        let again = self.receiver.in_input() > 0;
        let before = input.len();
        let leave = self.receiver.leave(input, capacity);
        self.received = self.received.wrapping_add(before.wrapping_sub(input.len()) as u32);
        if leave && !again {
            self.begun = self.begun.wrapping_add(1);
        }
        leave
    }

    /// The general path: returns what comes next, and records what it means for this connection. The
    /// payload of a control frame is taken with [`take_control`](Connection::take_control).
    #[inline(never)]
    pub(crate) fn receive_piece<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Received<'i>> {
        // A message ends with an event, so at most one begins in a call.
        if self.receiver.is_between_messages() && !input.is_empty() {
            self.begun = self.begun.wrapping_add(1);
        }
        let before = input.len();
        let received = self.receiver.receive(input);
        match &received {
            // §5.5.2: a Ping is answered with a Pong of the same payload.
            Some(Received::Ping) => self.sender.record_ping(*self.receiver.control()),
            // The payload of a Ping that `Deadlines` asked for.
            Some(Received::Pong) => {
                self.pong_token = match **self.receiver.control() {
                    [0, 0, high, low] => NonZeroU16::new(u16::from_be_bytes([high, low])),
                    _ => None,
                };
            }
            Some(Received::Close) => {
                let close = close_frame(self.receiver.control());
                self.closed_by_peer(close.as_ref().map(CloseFrame::code));
            }
            Some(Received::Failed(failure)) => {
                mem::take(input);
                self.fail(*failure);
            }
            _ => {}
        }
        self.received = self.received.wrapping_add(before.wrapping_sub(input.len()) as u32);
        received
    }

    /// See [`Receiver::rest_of_binary`].
    pub(crate) const fn rest_of_binary(&self) -> u64 {
        self.receiver.rest_of_binary()
    }

    /// Takes the payload of the control frame that [`receive_piece`](Connection::receive_piece) has
    /// just returned.
    pub(crate) fn take_control(&mut self) -> ControlPayload {
        self.receiver.take_control()
    }

    /// Reports the end of the peer's stream (§7.1.4): a read of zero bytes, or END_STREAM.
    ///
    /// Nothing more is received, so the connection is closed: [`next_step`](Connection::next_step)
    /// returns [`NextStep::Drop`]. Write all output before you follow it, because what was appended
    /// to an output counts as written.
    ///
    /// Only a Close that is owed can still be sent, because TCP can end in one direction. Then the
    /// connection is closed once [`transmit`](Connection::transmit) has appended that Close.
    ///
    /// Calling this again is safe if `transmit` was called in between. If it was not, the loop does
    /// not send what is owed, so the connection is [aborted](Connection::abort): such a loop ends
    /// instead of spinning. A Close that can never be appended, because the output has no room or
    /// the mask source has no key, stays owed: only [`Deadlines`](crate::Deadlines) end the
    /// connection.
    ///
    /// A connection that is never told of the end waits for ever, because for it the peer is just
    /// silent: only [`Deadlines`](crate::Deadlines) end it.
    #[doc(alias = "shutdown")]
    #[doc(alias = "half-close")]
    pub const fn receive_eof(&mut self) {
        self.closing.receive_eof();
        self.stop();
    }

    /// Reports that the writing side of the transport was ended, as [`NextStep::ShutdownWrite`]
    /// says: the next step is [`NextStep::AwaitEof`]. Call it even if ending it failed.
    ///
    /// In any other step this has no effect.
    #[doc(alias = "shutdown")]
    pub const fn write_ended(&mut self) {
        self.closing.write_ended(R::CLIENT);
    }

    /// Reports that the transport broke (a reset, a failure of TLS, a write that failed) or that a
    /// deadline passed. Nothing more will be exchanged and nothing is owed.
    #[doc(alias = "reset")]
    pub const fn abort(&mut self) {
        self.closing.abort();
        self.stop();
    }
}

/// Bytes out: messages, control frames and Closes are appended to an [`Output`].
impl<R: Role> Connection<R> {
    /// Appends a message in one frame, after the Pong that may be owed (§5.6, §6.1).
    ///
    /// ```
    /// use websocket_proto::{Agreed, Config, Connection, Data, Server};
    ///
    /// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    /// let mut out = Vec::new();
    /// connection.send(Data::Binary(&[1, 2, 3]), &mut out)?;
    /// connection.send("hi".into(), &mut out)?;
    /// assert_eq!(out, b"\x82\x03\x01\x02\x03\x81\x02hi");
    /// # Ok::<(), websocket_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Connection`]; [`SendError::MessageOpen`] while a fragmented message is open.
    #[doc(alias = "write")]
    #[inline]
    pub fn send(
        &mut self,
        data: Data<'_>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        debug_assert_eq!(self.sender.is_ready(), self.is_ready());
        if self.sender.is_ready() {
            return Frame::whole(data).emit(&mut self.role, out);
        }
        self.send_otherwise(data, out)
    }

    #[inline(never)]
    fn send_otherwise(
        &mut self,
        data: Data<'_>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        self.check_message()?;
        self.sender.emit_data(Frame::whole(data), &mut self.role, out)
    }

    /// What [`Sender::is_ready`] has to be, for the assertion in [`send`](Connection::send).
    fn is_ready(&self) -> bool {
        self.check_message().is_ok() && !self.sender.owes_pong()
    }

    /// Appends a text message in one frame, after the Pong that may be owed (§5.6, §6.1).
    ///
    /// # Errors
    ///
    /// As for [`send`](Connection::send).
    #[inline]
    pub fn send_text(
        &mut self,
        text: &str,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        self.send(Data::Text(text), out)
    }

    /// Appends a binary message in one frame, after the Pong that may be owed (§5.6, §6.1).
    ///
    /// # Errors
    ///
    /// As for [`send`](Connection::send).
    #[inline]
    pub fn send_binary(
        &mut self,
        data: &[u8],
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        self.send(Data::Binary(data), out)
    }

    /// Appends one fragment of a message, the last one if `last` (§5.4).
    ///
    /// The connection knows whether the fragment is the first. Send a message this way if it is
    /// long or its length is not known yet. Pings, Pongs and the Close may go between fragments.
    ///
    /// # Errors
    ///
    /// See [`Connection`]; [`SendError::MessageOpen`] if the open message is of the other kind.
    #[doc(alias = "stream")]
    #[doc(alias = "continuation")]
    pub fn send_fragment(
        &mut self,
        data: Data<'_>,
        last: bool,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        self.check_open()?;
        let message = Open::plain(data.kind());
        let first = self.sender.first_byte(message, last)?;
        let frame = Frame { first, payload: data.as_bytes() };
        self.sender.emit_data(frame, &mut self.role, out)?;
        // Only now, so that an error leaves the message as it was.
        self.sender.sent(message, last);
        Ok(())
    }

    /// Appends a Ping of at most 125 bytes (§5.5.2).
    ///
    /// # Errors
    ///
    /// See [`Connection`]; [`SendError::ControlTooLong`] for a longer payload.
    #[doc(alias = "heartbeat")]
    pub fn ping(
        &mut self,
        payload: &[u8],
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        self.check_open()?;
        self.send_control(Opcode::Ping, payload, out)
    }

    /// Appends a Pong with a payload of at most 125 bytes (§5.5.3): an unsolicited one, or the
    /// reply to a Ping if [automatic replies](Config::auto_pong) are off. An owed Pong is sent
    /// first. A Pong may also be sent after our Close, until the peer's was received.
    ///
    /// # Errors
    ///
    /// As for [`ping`](Connection::ping).
    pub fn pong(
        &mut self,
        payload: &[u8],
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        if !self.closing.is_receiving() {
            return Err(SendError::Closing);
        }
        self.send_control(Opcode::Pong, payload, out)
    }

    fn send_control(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        // §5.5: at most 125 bytes.
        if payload.len() > MAX_CONTROL {
            return Err(SendError::ControlTooLong);
        }
        self.sender.emit(Some(Frame::control(opcode, payload)), &mut self.role, out)
    }

    /// Appends a Close. It starts the closing handshake (§7.1.2), or answers the peer's Close in
    /// place of the owed reply. `None` is the Close without a code.
    ///
    /// A message whose last fragment was not sent is abandoned: only Pongs may follow a Close.
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`] when a Close was sent before or the one of a failure is owed;
    /// [`SendError::InvalidCloseCode`] for 1010 from a server (§7.4.1); otherwise see
    /// [`Connection`].
    #[doc(alias = "shutdown")]
    pub fn close(
        &mut self,
        close: Option<&CloseFrame>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        if !self.closing.may_close() {
            return Err(SendError::Closing);
        }
        let code = close.map(CloseFrame::code);
        // §7.4.1: a server refuses extensions by not agreeing to them; 1010 is the client's code.
        if !R::CLIENT && code == Some(CloseCode::MANDATORY_EXTENSION) {
            return Err(SendError::InvalidCloseCode);
        }
        self.send_close(code, close.map_or("", CloseFrame::reason), out)
    }

    fn send_close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        let mut body = ArrayVec::<u8, MAX_CONTROL>::new();
        if let Some(code) = code {
            // A reason has at most 123 bytes, so there is room for both.
            let _ = body.try_extend_from_slice(&code.get().to_be_bytes());
            let _ = body.try_extend_from_slice(reason.as_bytes());
        }
        self.closing.record_attempt();
        let frame = Frame::control(Opcode::Close, &body);
        self.sender.emit(Some(frame), &mut self.role, out)?;
        // Only now, so that a Close for which there was no room stays owed.
        self.closing.record_sent(code);
        self.sender.close();
        Ok(())
    }
}

/// What is owed: a Pong or a Close that the protocol requires next.
impl<R: Role> Connection<R> {
    /// Fails the connection by the caller's verdict (§7.1.7): a [`Violation`](crate::Violation) if
    /// the peer is at fault, such as a message that breaks a policy, or an
    /// [`InternalError`](crate::InternalError). The Close with the matching code is then owed, and
    /// what still arrives is discarded.
    ///
    /// Does nothing if the connection has failed already, or was closed by the peer.
    pub fn fail(&mut self, failure: impl Into<Failure>) {
        self.closing.fail(failure.into());
        self.stop();
    }

    fn closed_by_peer(&mut self, code: Option<CloseCode>) {
        self.closing.receive_close(code);
        self.stop();
    }

    /// Ends reading, as each fact that ends [`is_receiving`](ClosingHandshake::is_receiving) has
    /// to. §5.5.2: an owed Pong is dropped, because no Ping is answered after the peer's Close. To
    /// call this again changes nothing.
    const fn stop(&mut self) {
        self.receiver.stop();
        self.sender.forget_pong();
        self.sender.close();
    }

    /// Appends the Pong or the Close that the protocol owes the peer now: all of it or nothing.
    ///
    /// Call this after each event. Then every Ping is answered, not only the latest (§5.5.3), and
    /// an owed Close, which answers a violation or the peer's Close, is sent with the ordinary
    /// output.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] or [`SendError::NoMaskKey`]; it is then still owed.
    #[doc(alias = "flush")]
    #[doc(alias = "pong")]
    #[inline]
    pub fn transmit(&mut self, out: &mut (impl Output + ?Sized)) -> Result<(), SendError> {
        // A Close and a Pong are never owed together, because what makes a Close due stops the
        // replies.
        match self.closing.owed() {
            Some(code) => self.send_close(code, "", out),
            None if self.sender.owes_pong() => self.sender.emit(None, &mut self.role, out),
            None => Ok(()),
        }
    }

    /// Whether [`transmit`](Connection::transmit) has something to append.
    #[inline]
    #[must_use]
    pub const fn wants_transmit(&self) -> bool {
        self.closing.owed().is_some() || self.sender.owes_pong()
    }
}

/// Facts: they change nothing, and can be read at any time.
impl<R: Role> Connection<R> {
    /// Returns what the opening handshake agreed.
    #[must_use]
    pub const fn agreed(&self) -> Agreed {
        self.receiver.agreed()
    }

    /// Returns whether the connection is open, closing or closed.
    #[must_use]
    pub const fn state(&self) -> State {
        self.closing.state()
    }

    /// Returns what to do with the transport (§7.1.1), once nothing is owed and all output was
    /// written.
    ///
    /// The call changes nothing.
    #[must_use]
    pub const fn next_step(&self) -> NextStep {
        self.closing.next_step(R::CLIENT)
    }

    /// Returns how the connection ended; `None` until it is [`State::Closed`].
    #[must_use]
    pub fn closure(&self) -> Option<Closure> {
        self.closing.closure()
    }

    /// Sets what the opening handshake agreed, before anything was received or sent.
    #[cfg(feature = "alloc")]
    pub(crate) const fn agree(&mut self, agreed: Agreed) {
        self.receiver.agree(agreed);
    }

    /// The role and the sending half, for messages that are sent compressed.
    #[cfg(feature = "alloc")]
    pub(crate) const fn sending(&mut self) -> (&mut R, &mut Sender) {
        (&mut self.role, &mut self.sender)
    }

    /// The most bytes that a received message may have.
    pub(crate) const fn max_message(&self) -> u64 {
        self.receiver.limit()
    }

    /// §5.5.1, §6.1: data goes only while the connection is open.
    #[inline]
    pub(crate) const fn check_open(&self) -> Result<(), SendError> {
        match self.state() {
            State::Open => Ok(()),
            State::Closing | State::Closed => Err(SendError::Closing),
        }
    }

    /// Whether a message in one frame may be sent now.
    #[inline]
    pub(crate) fn check_message(&self) -> Result<(), SendError> {
        self.check_open()?;
        self.sender.check_whole()
    }

    /// The number of bytes received, wrapping at 2^32. Any change means that the peer is alive.
    #[inline]
    #[must_use]
    pub const fn received(&self) -> u32 {
        self.received.wrapping_add(self.receiver.in_input())
    }

    /// The message that has begun and has not ended, if there is one: a number that differs
    /// from that of the message before, and how many bytes of it were received.
    pub(crate) fn in_progress(&self) -> Option<(u16, u64)> {
        self.receiver.in_progress().map(|received| (self.begun, received))
    }

    /// The payload of the latest Pong as a number, if it has four bytes and is between 1 and 65535.
    /// The Pings of `Deadlines` have such payloads.
    pub(crate) const fn pong_token(&self) -> Option<NonZeroU16> {
        self.pong_token
    }

    /// Whether the caller gave the transport up.
    pub(crate) const fn is_aborted(&self) -> bool {
        self.closing.is_aborted()
    }
}

/// Bytes out, for a server that writes payloads itself.
impl Connection<Server> {
    /// Returns the header of a frame whose payload the caller writes itself, right after the header
    /// and in full: with a vectored write, from a mapped file, from shared memory.
    ///
    /// `data` counts as one fragment, the last of its message if `last`. An owed Pong is not sent
    /// first: call [`transmit`](Connection::transmit) before.
    ///
    /// ```
    /// use websocket_proto::{Agreed, Config, Connection, Data, Server};
    ///
    /// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    /// let header = connection.frame(Data::Binary(&[7; 300]), true)?;
    /// assert_eq!(*header, [0x82, 126, 0x01, 0x2C]);
    /// # Ok::<(), websocket_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send_fragment`](Connection::send_fragment).
    pub fn frame(&mut self, data: Data<'_>, last: bool) -> Result<FrameHeader, SendError> {
        self.check_open()?;
        let message = Open::plain(data.kind());
        let first = self.sender.first_byte(message, last)?;
        // The caller is bound to write the payload, so the frame counts as sent.
        self.sender.sent(message, last);
        Ok(FrameHeader::encode(first, data.as_bytes().len(), None))
    }
}

/// Bytes out, for a client that writes payloads itself.
impl<M: MaskSource> Connection<Client<M>> {
    /// Masks `payload` in place and returns the header to write right before it, for a caller that
    /// writes both itself.
    ///
    /// `payload` counts as one fragment, the last of its message if `last`. Text has to consist of
    /// complete code points. An owed Pong is not sent first: call
    /// [`transmit`](Connection::transmit) before.
    ///
    /// # Errors
    ///
    /// As for [`send_fragment`](Connection::send_fragment), and [`SendError::InvalidUtf8`]. The
    /// payload is then as it was.
    pub fn frame_in_place(
        &mut self,
        kind: Kind,
        last: bool,
        payload: &mut [u8],
    ) -> Result<FrameHeader, SendError> {
        self.check_open()?;
        let message = Open::plain(kind);
        let first = self.sender.first_byte(message, last)?;
        // §5.6: a `str` would be valid by its type, bytes have to be checked. All checks come
        // before the key, because a payload that was masked could not be given back as it was.
        if kind == Kind::Text && crate::utf8::validate(payload).is_err() {
            return Err(SendError::InvalidUtf8);
        }
        // §5.3: a fresh key for every frame.
        let key = self.role.mask_key()?;
        if let Some(key) = key {
            mask::apply(payload, key);
        }
        self.sender.sent(message, last);
        Ok(FrameHeader::encode(first, payload.len(), key))
    }
}

#[cfg(test)]
mod tests {
    use super::{Connection, Whole};
    use crate::{Agreed, Client, Config};

    /// It is only quicker than the stages, so nothing but this shows that it is taken.
    #[test]
    fn the_straight_path_takes_a_message_that_lies_whole_in_the_input() {
        let config = Config::new().max_message(2);
        let mut connection = Connection::new(Client(|| [0; 4]), &config, Agreed::new());
        let mut buffer = *b"\x82\x01b\x81\x02hi";
        let mut input = &mut buffer[..];
        assert!(matches!(connection.receive_whole(&mut input), Some(Whole::Binary([b'b']))));
        // As long as the limit and the input allow.
        assert!(matches!(connection.receive_whole(&mut input), Some(Whole::Text("hi"))));
        // Neither is a fragment, nor what is too long, for it.
        for mut buffer in [*b"\x02\x01c\x00", *b"\x82\x03ab"] {
            let mut input = &mut buffer[..];
            assert!(connection.receive_whole(&mut input).is_none());
            assert_eq!(input.len(), 4);
        }
    }
}
