//! One connection: the two halves, the closing handshake (§5.5.1, §7) and what to do next.
//!
//! The state is kept as facts: our Close (not due, owed, sent), the Close received, the violation,
//! the transport. [`State`], [`NextStep`] and [`Closure`] are read off them.
//!
//! ```text
//!                    our Close: not due
//!   ┌──────┐  close() ────────────────────▶ sent  ┌─────────┐
//!   │ Open │  peer's Close ───▶ owed, its code    │ Closing │──┐ transmit(): owed ▶ sent
//!   └──────┘  violation, fail() ▶ owed, its code  └─────────┘◀─┘ a Close is sent once
//!       │                                              │
//!       │ receive_eof(), abort()                       │ abort(), or receive_eof() with none owed;
//!       │                                              │ with one owed: once it was sent, or once
//!       ▼                                              ▼ the end is reported again without a try
//!   Closed: 1006, not clean             Closed: clean if one was sent and one received
//! ```
//!
//! What the transport does next, in `Closing` with nothing owed:
//!
//! ```text
//!             our Close sent, and the peer's     write_ended()
//!             received or the connection failed
//!   Continue ──────────────────────────▶ ShutdownWrite ─────▶ AwaitEof ──▶ Drop
//!             a client goes straight to AwaitEof              receive_eof()
//! ```

use core::{fmt, num::NonZeroU16};

use arrayvec::ArrayVec;

use crate::{
    agreed::Agreed,
    close::{CloseCode, CloseFrame},
    config::Config,
    error::{Failure, SendError},
    event::{Binary, Data, Event, Kind, MAX_CONTROL, Place, Repr, Text},
    frame::{FrameHeader, Opcode},
    mask,
    output::Output,
    receive::{Receiver, Whole},
    role::{Client, MaskSource, Role, Server, sealed::Role as _},
    send::{Frame, Open, Sender},
};

/// A WebSocket connection after its opening handshake, as one side sees it.
///
/// It holds no buffer: what is received is lent to [`receive`](Connection::receive), what is sent
/// is appended to the [`Output`] that each sending method takes. It does no I/O and knows no time.
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
    receiver: Receiver,
    sender: Sender,
    close: OurClose,
    /// The Close that was received, with its code, if it had one.
    close_received: Option<Option<CloseCode>>,
    initiator: Option<Initiator>,
    failure: Option<Failure>,
    transport: Transport,
    /// A count of the bytes taken off inputs that wraps around.
    received: u32,
    /// A count of the messages that have begun and do not take the straight path, and of the control
    /// frames between them. It wraps around. Messages on the straight path end as they begin.
    begun: u16,
    pong_token: Option<NonZeroU16>,
}

/// Our one Close (§5.5.1), with its code, if it has one.
#[derive(Clone, Copy, Debug)]
enum OurClose {
    NotDue,
    Owed(Option<CloseCode>),
    Sent(Option<CloseCode>),
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    Up,
    /// The caller ended its writing side, as [`NextStep::ShutdownWrite`] says.
    WriteEnded,
    /// The peer ended its side. `tried` says whether sending the Close that is owed was attempted
    /// since that was last reported.
    Eof {
        tried: bool,
    },
    /// The caller gave it up.
    Aborted,
}

/// How far the connection is (§7.1). One that is still connecting has no [`Connection`] yet.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Server, State};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// assert_eq!(connection.state(), State::Open);
/// connection.close(None, &mut Vec::new())?;
/// assert_eq!(connection.state(), State::Closing);
/// connection.receive_eof();
/// assert_eq!(connection.state(), State::Closed);
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages can go both ways.
    Open,
    /// A Close was sent, received or is owed.
    Closing,
    /// The transport has ended: see [`Connection::closure`].
    Closed,
}

/// What the driver does once [`Connection::wants_transmit`] is false and all output was written.
///
/// The value is level-triggered: it stays the same until the state changes. If separate tasks read
/// and write, wake the writer whenever it changes, even if nothing is owed. For example, when the
/// peer answers our Close, nothing is owed but the writing side must be ended.
///
/// ```
/// use std::net::{Shutdown, TcpStream};
/// use websocket_proto::{Connection, NextStep, Server};
///
/// /// Returns whether to read on. To be called when all output was written.
/// fn follow(connection: &mut Connection<Server>, stream: &TcpStream) -> bool {
///     if connection.next_step() == NextStep::ShutdownWrite {
///         let _ = stream.shutdown(Shutdown::Write);
///         connection.write_ended();
///     }
///     connection.next_step() != NextStep::Drop
/// }
/// # let _ = follow;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Go on: read more.
    Continue,
    /// End the writing side, call [`write_ended`](Connection::write_ended), then read and drop what
    /// comes until the end of stream, within a deadline (§7.1.1). This is the server's way, because
    /// the server closes first.
    ///
    /// Ignore an error of ending it: the connection has not ended. Do not end it again, because each
    /// `shutdown` wakes an edge-triggered epoll, and the loop would spin until the deadline.
    ShutdownWrite,
    /// Read and drop what comes until the end of stream, within a deadline (§7.1.1). The step of a
    /// client, which waits for the server, and of a server that has ended its writing side.
    AwaitEof,
    /// Close the transport: nothing more will be exchanged.
    Drop,
}

/// How the connection ended (§7.1.4 to §7.1.6).
///
/// It prints as one line for a log. The peer's reason is not in it: [`Event::Close`] has that. Nor
/// is a deadline that has passed: log what [`Deadlines::enforce`](crate::Deadlines::enforce) returns.
///
/// ```
/// use websocket_proto::{Agreed, Closure, Config, Connection, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// while connection.receive(&mut &mut b"\x88\x82\0\0\0\0\x0F\xA1".to_vec()[..]).is_some() {}
/// connection.transmit(&mut Vec::new())?;
/// connection.receive_eof();
/// let closure = connection.closure().expect("the transport has ended");
/// assert_eq!((closure.code, closure.clean), (4001, true));
/// assert_eq!(closure.to_string(), "closed by the peer: 4001");
/// assert_eq!(Closure::never_opened().to_string(), "ended without a Close: 1006, not clean");
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Closure {
    /// Whether the closing handshake was completed: a Close sent and a Close received.
    pub clean: bool,
    /// The close code of §7.1.5: the peer's; [`NO_STATUS`](Closure::NO_STATUS) if its Close had
    /// none; [`ABNORMAL`](Closure::ABNORMAL) if no Close came or the connection failed.
    pub code: u16,
    /// The code of the Close that was sent, [`NO_STATUS`](Closure::NO_STATUS) for one without;
    /// `None` if none was sent.
    pub sent: Option<u16>,
    /// Who began to close; `None` if the transport ended before anyone did.
    pub initiator: Option<Initiator>,
    /// Why the connection failed, if it did.
    pub failure: Option<Failure>,
}

impl Closure {
    /// 1005: the Close had no code. Never sent.
    pub const NO_STATUS: u16 = 1005;
    /// 1006: the connection ended without the peer's Close. Never sent.
    pub const ABNORMAL: u16 = 1006;
    /// 1015: TLS failed. Never sent, and never set here: to this crate such a transport is one
    /// that broke. It is a name for applications that report it.
    pub const TLS_HANDSHAKE: u16 = 1015;

    /// Returns the closure of a connection whose opening handshake failed or was refused: 1006, not
    /// clean, begun by neither side (§7.1.5). Use it where a program reports all ends alike.
    #[must_use]
    pub const fn never_opened() -> Self {
        Closure {
            clean: false,
            code: Closure::ABNORMAL,
            sent: None,
            initiator: None,
            failure: None,
        }
    }
}

/// Who began and the code; the code that was sent, if it is another; whether it was not clean.
impl fmt::Display for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failure, self.initiator) {
            (Some(failure), _) => write!(f, "failed: {failure}; {}", self.code)?,
            (None, Some(Initiator::Local)) => write!(f, "closed by this side: {}", self.code)?,
            (None, Some(Initiator::Peer)) => write!(f, "closed by the peer: {}", self.code)?,
            (None, None) => write!(f, "ended without a Close: {}", self.code)?,
        }
        match self.sent {
            Some(sent) if sent == self.code => {}
            Some(Closure::NO_STATUS) => f.write_str(", sent no code")?,
            Some(sent) => write!(f, ", sent {sent}")?,
            None => {}
        }
        f.write_str(if self.clean { "" } else { ", not clean" })
    }
}

/// Who began to close.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Initiator, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// connection.close(None, &mut Vec::new())?;
/// connection.abort();
/// let closure = connection.closure().expect("it was aborted");
/// assert_eq!(closure.initiator, Some(Initiator::Local));
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Initiator {
    /// This side: by [`Connection::close`], [`Connection::fail`] or for a violation.
    Local,
    /// The other side.
    Peer,
}

impl<R: Role> Connection<R> {
    /// A connection that is open: its handshake is done, here or elsewhere, or none is needed.
    pub const fn new(role: R, config: &Config, agreed: Agreed) -> Self {
        Connection {
            role,
            receiver: Receiver::new(config, agreed),
            sender: Sender::new(),
            close: OurClose::NotDue,
            close_received: None,
            initiator: None,
            failure: None,
            transport: Transport::Up,
            received: 0,
            begun: 0,
            pong_token: None,
        }
    }

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
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        let (text, last) = match self.whole_message(input) {
            Some(Whole::Binary(data)) => {
                return Some(Event::Binary(Binary::new(data, Place::WHOLE)));
            }
            Some(Whole::Text(text)) => (text, true),
            Some(Whole::Invalid(front)) if !front.is_empty() => (front, false),
            _ => {
                let mut event = self.receive_staged(input);
                if let Some(Event::Binary(data)) = &mut event {
                    data.unmask();
                }
                return event;
            }
        };
        Some(Event::Text(Text { text: Repr::Slice(text), place: Place { first: true, last } }))
    }

    /// The straight path of [`receive`](Connection::receive).
    #[inline]
    pub(crate) fn whole_message<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Whole<'i>> {
        let before = input.len();
        let whole = self.receiver.whole_message(!R::CLIENT, input);
        self.received = self.received.wrapping_add(before.wrapping_sub(input.len()) as u32);
        whole
    }

    /// Leaves the input as it is if it is the front of a message that will lie whole in `capacity` bytes;
    /// tells whether it is.
    pub(crate) fn leave(&mut self, input: &[u8], capacity: usize) -> bool {
        let again = self.receiver.left() > 0;
        let leave = self.receiver.leave(!R::CLIENT, input, capacity);
        if leave && !again {
            self.begun = self.begun.wrapping_add(1);
        }
        leave
    }

    /// The way of all other input. A piece of a binary message is not unmasked yet.
    #[inline(never)]
    pub(crate) fn receive_staged<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        // A message ends with an event, so at most one begins in a call.
        if self.receiver.is_between_messages() && !input.is_empty() {
            self.begun = self.begun.wrapping_add(1);
        }
        let before = input.len();
        let event = self.receiver.receive(!R::CLIENT, input);
        self.received = self.received.wrapping_add(before.wrapping_sub(input.len()) as u32);
        let event = event?;
        match &event {
            // §5.5.2: a Ping is answered with a Pong of the same payload.
            Event::Ping(payload) if self.receiver.auto_pong() => self.sender.owe_pong(*payload),
            // The payload of a Ping that `Deadlines` asked for.
            Event::Pong(payload) => {
                self.pong_token = match **payload {
                    [0, 0, high, low] => NonZeroU16::new(u16::from_be_bytes([high, low])),
                    _ => None,
                };
            }
            Event::Close(close) => self.closed_by_peer(close.as_ref().map(CloseFrame::code)),
            Event::Failed(failure) => self.fail(*failure),
            _ => {}
        }
        Some(event)
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
    /// instead of spinning. A Close that can never be appended, because the output has no room or the
    /// mask source has no key, stays owed: only [`Deadlines`](crate::Deadlines) end the connection.
    ///
    /// A connection that is never told of the end waits for ever, because for it the peer is just
    /// silent: only [`Deadlines`](crate::Deadlines) end it.
    #[doc(alias = "shutdown")]
    #[doc(alias = "half-close")]
    pub const fn receive_eof(&mut self) {
        match self.transport {
            // A transport that the caller gave up stays so, whatever is reported of it later.
            Transport::Aborted => {}
            Transport::Eof { tried: false } if self.owes_close() => self.abort(),
            _ => {
                self.transport = Transport::Eof { tried: false };
                self.stop();
            }
        }
    }

    /// Reports that the writing side of the transport was ended, as [`NextStep::ShutdownWrite`] says:
    /// the next step is [`NextStep::AwaitEof`]. Call it even if ending it failed.
    ///
    /// In any other step this has no effect.
    #[doc(alias = "shutdown")]
    pub const fn write_ended(&mut self) {
        if matches!(self.next_step(), NextStep::ShutdownWrite) {
            self.transport = Transport::WriteEnded;
        }
    }

    /// Reports that the transport broke (a reset, a failure of TLS, a write that failed) or that a
    /// deadline passed. Nothing more will be exchanged and nothing is owed.
    #[doc(alias = "reset")]
    pub const fn abort(&mut self) {
        if self.owes_close() {
            self.close = OurClose::NotDue;
        }
        self.transport = Transport::Aborted;
        self.stop();
    }

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
        let frame = Frame { first: self.check_message(data.kind())?, payload: data.as_bytes() };
        self.sender.emit_data(frame, &mut self.role, out)
    }

    /// Appends a text message in one frame, behind the Pong that may be owed (§5.6, §6.1).
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

    /// Appends a binary message in one frame, behind the Pong that may be owed (§5.6, §6.1).
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
    /// Whether it is the first, the connection knows. A message of any length, or of one that is
    /// not known yet, is sent this way; Pings, Pongs and the Close may go between fragments.
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

    /// Appends a Pong of at most 125 bytes that nobody asked for, or the answer to a Ping where
    /// [automatic ones](Config::auto_pong) are off (§5.5.3). One that is owed goes in front of it.
    /// It may also be sent after our Close, until the peer's was received.
    ///
    /// # Errors
    ///
    /// As for [`ping`](Connection::ping).
    pub fn pong(
        &mut self,
        payload: &[u8],
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        if self.close_received.is_some() || self.failure.is_some() || self.ended() {
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

    /// Appends a Close: starts the closing handshake (§7.1.2), or answers the peer's in place of
    /// the reply that is owed. `None` is the Close without a code.
    ///
    /// An open message is abandoned: nothing but Pongs may follow.
    ///
    /// # Errors
    ///
    /// [`SendError::Closing`] when a Close was sent before or the one of a failure is owed;
    /// [`SendError::InvalidCloseCode`] for 1010 from a server (§7.4.1); otherwise see [`Connection`].
    #[doc(alias = "shutdown")]
    pub fn close(
        &mut self,
        close: Option<&CloseFrame>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<(), SendError> {
        // §5.5.1: one Close, and the one that tells of a failure is not replaced.
        if self.close_sent().is_some() || self.failure.is_some() || self.ended() {
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
        if let Transport::Eof { tried } = &mut self.transport {
            *tried = true;
        }
        let frame = Frame::control(Opcode::Close, &body);
        self.sender.emit(Some(frame), &mut self.role, out)?;
        self.close = OurClose::Sent(code);
        self.initiator.get_or_insert(Initiator::Local);
        Ok(())
    }

    /// Fails the connection by the caller's verdict (§7.1.7): a [`Violation`](crate::Violation) if
    /// the peer is at fault, such as a message that breaks a policy, or an
    /// [`InternalError`](crate::InternalError). The Close with the matching code is then owed, and
    /// what still arrives is discarded.
    ///
    /// Does nothing if the connection has failed already, or was closed by the peer.
    pub fn fail(&mut self, failure: impl Into<Failure>) {
        let failure = failure.into();
        if self.failure.is_some() || self.close_received.is_some() || self.ended() {
            return;
        }
        self.failure = Some(failure);
        self.stop();
        // §7.1.7: say why, unless a Close was sent before.
        self.owe_close(Some(failure.close_code()));
        self.initiator.get_or_insert(Initiator::Local);
    }

    /// §5.5.1: the peer's Close is answered with its code, unless we closed first.
    fn closed_by_peer(&mut self, code: Option<CloseCode>) {
        self.close_received = Some(code);
        self.stop();
        self.owe_close(code);
        self.initiator.get_or_insert(Initiator::Peer);
    }

    const fn owe_close(&mut self, code: Option<CloseCode>) {
        if self.close_sent().is_none() {
            self.close = OurClose::Owed(code);
        }
    }

    /// Nothing is read any more, and no Ping answered (§5.5.2: not after a Close).
    const fn stop(&mut self) {
        self.receiver.stop();
        self.sender.forget_pong();
    }

    /// Appends what the protocol itself owes the peer now, a Pong or a Close: all of it or nothing.
    ///
    /// Call it after each event: then every Ping is answered, not only the latest (§5.5.3), and the
    /// Close that a violation or the peer's Close calls for goes out with the ordinary output.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] or [`SendError::NoMaskKey`]; it is then still owed.
    #[doc(alias = "flush")]
    #[doc(alias = "pong")]
    #[inline]
    pub fn transmit(&mut self, out: &mut (impl Output + ?Sized)) -> Result<(), SendError> {
        match self.close {
            OurClose::Owed(code) => self.send_close(code, "", out),
            _ if self.sender.owes_pong() => self.sender.emit(None, &mut self.role, out),
            _ => Ok(()),
        }
    }

    /// Whether [`transmit`](Connection::transmit) has something to append.
    #[inline]
    #[must_use]
    pub const fn wants_transmit(&self) -> bool {
        self.owes_close() || self.sender.owes_pong()
    }

    /// What the opening handshake agreed.
    #[must_use]
    pub const fn agreed(&self) -> Agreed {
        self.receiver.agreed()
    }

    /// Open, closing or closed.
    #[must_use]
    pub const fn state(&self) -> State {
        if self.ended() {
            State::Closed
        } else if matches!(self.close, OurClose::NotDue) {
            // The peer's Close and every violation make ours due.
            State::Open
        } else {
            State::Closing
        }
    }

    /// What to do with the transport (§7.1.1), once nothing is owed and all output was written.
    ///
    /// Asking changes nothing.
    #[must_use]
    pub const fn next_step(&self) -> NextStep {
        if self.ended() {
            return NextStep::Drop;
        }
        let over = self.close_received.is_some() || self.failure.is_some();
        if !over || self.close_sent().is_none() {
            return NextStep::Continue;
        }
        match self.transport {
            // §7.1.1: the server ends the stream first, so that it is the one to hold TIME_WAIT.
            Transport::Up if !R::CLIENT => NextStep::ShutdownWrite,
            _ => NextStep::AwaitEof,
        }
    }

    /// How the connection ended; `None` until it is [`State::Closed`].
    #[must_use]
    pub fn closure(&self) -> Option<Closure> {
        if !self.ended() {
            return None;
        }
        let number = |code: Option<CloseCode>| code.map_or(Closure::NO_STATUS, CloseCode::get);
        Some(Closure {
            // §7.1.4: clean once a Close went each way.
            clean: self.close_sent().is_some() && self.close_received.is_some(),
            code: self.close_received.map_or(Closure::ABNORMAL, number),
            sent: self.close_sent().map(number),
            initiator: self.initiator,
            failure: self.failure,
        })
    }

    /// The role and the sending half, for what is sent compressed.
    #[cfg(feature = "alloc")]
    pub(crate) const fn sending(&mut self) -> (&mut R, &mut Sender) {
        (&mut self.role, &mut self.sender)
    }

    /// The most bytes that a received message may have.
    pub(crate) const fn max_message(&self) -> u64 {
        self.receiver.limit()
    }

    /// The bytes of the current message that were delivered in pieces so far.
    pub(crate) const fn delivered(&self) -> u64 {
        self.receiver.delivered()
    }

    /// §5.5.1, §6.1: data goes only while the connection is open.
    #[inline]
    pub(crate) const fn check_open(&self) -> Result<(), SendError> {
        match self.state() {
            State::Open => Ok(()),
            State::Closing | State::Closed => Err(SendError::Closing),
        }
    }

    const fn owes_close(&self) -> bool {
        matches!(self.close, OurClose::Owed(_))
    }

    const fn close_sent(&self) -> Option<Option<CloseCode>> {
        match self.close {
            OurClose::Sent(code) => Some(code),
            _ => None,
        }
    }

    /// The first byte of a message in one frame, if it may be sent now.
    #[inline]
    pub(crate) fn check_message(&self, kind: Kind) -> Result<u8, SendError> {
        self.check_open()?;
        self.sender.whole_first_byte(kind)
    }

    /// The number of bytes received, wrapping at 2^32. Any change means that the peer is alive.
    #[inline]
    #[must_use]
    pub const fn received(&self) -> u32 {
        self.received.wrapping_add(self.receiver.left())
    }

    /// The message that has begun and has not ended, if there is one: a number that tells it from the
    /// one before, and how many bytes of it were received.
    pub(crate) fn in_progress(&self) -> Option<(u16, u64)> {
        self.receiver.in_progress().map(|received| (self.begun, received))
    }

    /// The payload of the latest Pong as a number, if it is one of four bytes, and between 1 and 65535.
    pub(crate) const fn pong_token(&self) -> Option<NonZeroU16> {
        self.pong_token
    }

    /// Whether the caller gave the transport up.
    pub(crate) const fn is_aborted(&self) -> bool {
        matches!(self.transport, Transport::Aborted)
    }

    /// Whether the transport has ended and nothing is left to be said.
    const fn ended(&self) -> bool {
        match self.transport {
            Transport::Up | Transport::WriteEnded => false,
            Transport::Eof { .. } => !self.owes_close(),
            Transport::Aborted => true,
        }
    }
}

impl Connection<Server> {
    /// The header of a frame whose payload the caller writes itself, right behind it and in full:
    /// with a vectored write, from a mapped file, from shared memory.
    ///
    /// `data` counts as one fragment, the last of its message if `last`. A Pong that is owed does
    /// not go in front of it: call [`transmit`](Connection::transmit) before.
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
        self.sender.sent(message, last);
        Ok(FrameHeader::encode(first, data.as_bytes().len(), None))
    }
}

impl<M: MaskSource> Connection<Client<M>> {
    /// Masks `payload` in place and returns the header that goes right in front of it, for a
    /// caller who writes both itself.
    ///
    /// `payload` counts as one fragment, the last of its message if `last`; as text it has to be
    /// whole code points. A Pong that is owed does not go in front of it: call
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
        // §5.6: a `str` would be valid by its type, bytes have to be looked at.
        if kind == Kind::Text && crate::utf8::validate(payload).is_err() {
            return Err(SendError::InvalidUtf8);
        }
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
        assert!(matches!(connection.whole_message(&mut input), Some(Whole::Binary([b'b']))));
        // As long as the limit and the input allow.
        assert!(matches!(connection.whole_message(&mut input), Some(Whole::Text("hi"))));
        // Neither is a fragment, nor what is too long, for it.
        for mut buffer in [*b"\x02\x01c\x00", *b"\x82\x03ab"] {
            let mut input = &mut buffer[..];
            assert!(connection.whole_message(&mut input).is_none());
            assert_eq!(input.len(), 4);
        }
    }
}
