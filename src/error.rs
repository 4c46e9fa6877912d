//! Errors, by whose fault they are: a [`Violation`] is the peer's, an [`InternalError`] and a
//! [`SendError`] are the caller's.

use core::{error, fmt};

use crate::output::Full;

/// Why a connection failed (§7.1.7). The variant says whose fault it is, and `Display` names the
/// fault for a log.
///
/// ```
/// use websocket_proto::{Agreed, CloseCode, Config, Connection, Event, Failure, Server, Violation};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// let mut buffer = *b"\x81\x02hi"; // not masked
/// match connection.receive(&mut &mut buffer[..]) {
///     Some(Event::Failed(failure)) => {
///         assert_eq!(failure, Failure::Violation(Violation::UnmaskedFrame));
///         assert_eq!(failure.close_code(), CloseCode::PROTOCOL_ERROR);
///         assert_eq!(failure.to_string(), "frame from the client is not masked");
///     }
///     other => panic!("{other:?}"),
/// }
/// ```
#[doc(alias("protocol error", "error"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke the protocol, a limit, or a rule of the application.
    Violation(Violation),
    /// This side cannot go on, whatever the peer sent.
    Internal(InternalError),
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Failure::Violation(violation)
    }
}

impl From<InternalError> for Failure {
    fn from(error: InternalError) -> Self {
        Failure::Internal(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Violation(violation) => violation.fmt(f),
            Failure::Internal(error) => error.fmt(f),
        }
    }
}

impl error::Error for Failure {}

/// A fault of this side that fails the connection: close code 1011 (§7.4.1).
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, InternalError, Server};
///
/// let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// connection.fail(InternalError::Application); // the database has gone away
/// let mut out = Vec::new();
/// connection.transmit(&mut out)?;
/// assert_eq!(out, b"\x88\x02\x03\xF3"); // 1011
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InternalError {
    /// A compressed message arrived, and no inflater was passed that can read it: none at all, or a
    /// shared one although the peer takes its context over (RFC 7692 §7.1.1).
    NoInflater,
    /// A `Messages` or an inflater was used for a second connection in the middle of a message.
    WrongConnection,
    /// The decompressor makes no progress, or has no memory.
    Codec,
    /// The driver of an `Endpoint` kept reading although `wants_read` was false. More input was
    /// passed than the endpoint keeps, or than there is memory for.
    Unread,
    /// The application gave up, for a reason of its own.
    Application,
}

impl fmt::Display for InternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InternalError::NoInflater => "no inflater for a compressed message",
            InternalError::WrongConnection => "message of another connection is being received",
            InternalError::Codec => "decompressor makes no progress or has no memory",
            InternalError::Unread => "more input than can be kept",
            InternalError::Application => "internal error of the application",
        })
    }
}

impl error::Error for InternalError {}

/// A fault of the peer: something that the protocol or the application forbids (§7.1.7).
///
/// Each variant maps to one close code, in [`close_code`](Violation::close_code) and nowhere else.
/// `Display` names the fault for a log.
///
/// ```
/// use websocket_proto::{CloseCode, Violation};
///
/// let violation = Violation::UnmaskedFrame;
/// assert_eq!(violation.close_code(), CloseCode::PROTOCOL_ERROR);
/// assert_eq!(violation.to_string(), "frame from the client is not masked");
/// ```
#[doc(alias = "protocol error")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit is set that no agreed extension gives a meaning to (§5.2).
    ReservedBit,
    /// The opcode is one of 0x3 to 0x7 or 0xB to 0xF (§5.2).
    ReservedOpcode,
    /// A client's frame is not masked (§5.1).
    UnmaskedFrame,
    /// A server's frame is masked (§5.1).
    MaskedFrame,
    /// A control frame without FIN (§5.5).
    FragmentedControl,
    /// A control frame that declares more than 125 bytes (§5.5).
    ControlTooLong,
    /// A length that a shorter form could have carried (§5.2).
    LengthNotMinimal,
    /// A 64-bit length with its top bit set (§5.2).
    LengthOverflow,
    /// A continuation frame while no message is open (§5.4).
    UnexpectedContinuation,
    /// A text or binary frame while a fragmented message is open (§5.4).
    ExpectedContinuation,
    /// A Close frame whose body has one byte, which is too short for a code (§5.5.1).
    TruncatedCloseCode,
    /// A Close frame with a code that must not be sent (§7.4).
    InvalidCloseCode(u16),
    /// A Close frame whose reason is not UTF-8 (§5.5.1, §8.1).
    InvalidCloseReason,
    /// A text message that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A message over the configured limit (§10.4).
    #[doc(alias("message size", "max_frame_size", "limit"))]
    MessageTooBig,
    /// A compressed message that does not inflate (RFC 7692 §7.2.2), or a payload that the
    /// application cannot decode.
    InvalidPayload,
    /// Reported by the application: a kind of data that it does not accept, such as binary.
    UnsupportedData,
    /// Reported by the application: the message breaks its policy.
    PolicyViolation,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::ReservedBit => "frame has a reserved bit set",
            Violation::ReservedOpcode => "frame has a reserved opcode",
            Violation::UnmaskedFrame => "frame from the client is not masked",
            Violation::MaskedFrame => "frame from the server is masked",
            Violation::FragmentedControl => "control frame is fragmented",
            Violation::ControlTooLong => "control frame is longer than 125 bytes",
            Violation::LengthNotMinimal => "payload length is not in its shortest form",
            Violation::LengthOverflow => "payload length has its top bit set",
            Violation::UnexpectedContinuation => "continuation frame has no message to continue",
            Violation::ExpectedContinuation => "message begins inside a fragmented message",
            Violation::TruncatedCloseCode => "body of the Close frame is a single byte",
            Violation::InvalidCloseCode(code) => {
                return write!(f, "close code {code} may not be sent");
            }
            Violation::InvalidCloseReason => "close reason is not valid UTF-8",
            Violation::InvalidUtf8 => "text message is not valid UTF-8",
            Violation::MessageTooBig => "message is longer than the limit",
            Violation::InvalidPayload => "payload cannot be decoded",
            Violation::UnsupportedData => "message is of a kind that is not accepted",
            Violation::PolicyViolation => "message breaks a policy",
        })
    }
}

impl error::Error for Violation {}

/// Why a call sent nothing: a fault of the caller or of its output. Nothing was written, and
/// nothing changed.
///
/// An application that answers messages gets [`Closing`](SendError::Closing) in normal operation,
/// because a message may arrive while the connection is closing:
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, SendError, Server};
///
/// fn reply(connection: &mut Connection<Server>, out: &mut Vec<u8>) -> Result<(), SendError> {
///     match connection.send_text("reply", out) {
///         Err(SendError::Closing) => Ok(()),
///         sent => sent,
///     }
/// }
/// # let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
/// # connection.close(None, &mut Vec::new())?;
/// # reply(&mut connection, &mut Vec::new())?;
/// # Ok::<(), SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The opening handshake is not done yet.
    NotOpen,
    /// The connection is closing or closed, so this frame must not be sent any more (§5.5.1, §6.1).
    Closing,
    /// Another message is open. Its last fragment has to be sent first (§5.4).
    MessageOpen,
    /// A ping or pong payload of more than 125 bytes (§5.5).
    ControlTooLong,
    /// A close code that must not be sent: by either side (§7.4), or by a server, which is 1010
    /// (§7.4.1).
    InvalidCloseCode,
    /// A close reason of more than 123 bytes (§5.5.1).
    ReasonTooLong,
    /// The payload of a text frame is not UTF-8 (§5.6).
    InvalidUtf8,
    /// The mask source gave no key (§5.3).
    NoMaskKey,
    /// The message was prepared in a form that this connection has not agreed on (RFC 7692 §7.1).
    NotAgreed,
    /// The compressor failed. The next message starts with an empty window, so that the peer can read
    /// it.
    Codec,
    /// The output has no room for all bytes of the call.
    #[doc(alias("backpressure", "would block"))]
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::NotOpen => "opening handshake is not done",
            SendError::Closing => "connection is closing or closed",
            SendError::MessageOpen => "another message is not finished",
            SendError::ControlTooLong => "control payload is longer than 125 bytes",
            SendError::InvalidCloseCode => "close code may not be sent by this side",
            SendError::ReasonTooLong => "close reason is longer than 123 bytes",
            SendError::InvalidUtf8 => "text payload is not valid UTF-8",
            SendError::NoMaskKey => "mask source has no key",
            SendError::NotAgreed => "compression of this message was not agreed on",
            SendError::Codec => "compressor failed",
            SendError::Full => "output has no room",
        })
    }
}

impl error::Error for SendError {}

impl From<Full> for SendError {
    fn from(_: Full) -> Self {
        SendError::Full
    }
}
