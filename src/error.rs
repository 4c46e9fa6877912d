//! Errors, by whose fault they are: a [`Violation`] is the peer's, a [`SendError`] the caller's.

use core::{error, fmt};

use crate::close::CloseCode;

/// What the peer did that the protocol forbids, or why the caller failed the connection (§7.1.7).
///
/// Each variant maps to one close code, in [`close_code`](Violation::close_code) and nowhere else.
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
    /// A Close frame whose body is one byte: too short for a code (§5.5.1).
    TruncatedCloseCode,
    /// A Close frame with a code that may not travel (§7.4).
    InvalidCloseCode(u16),
    /// A Close frame whose reason is not UTF-8 (§5.5.1, §8.1).
    InvalidCloseReason,
    /// A text message that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A message over the configured limit (§10.4).
    MessageTooBig,
    /// A compressed message that does not inflate (RFC 7692 §7.2.2), or the caller's verdict on a
    /// payload that does not decode.
    InvalidPayload,
    /// The caller's verdict: a kind of data that this endpoint does not take, such as binary.
    UnsupportedData,
    /// The caller's verdict: the message breaks a policy of the application.
    PolicyViolation,
    /// The caller's verdict, or this crate's where the caller misused it: this side cannot go on.
    InternalError,
}

impl Violation {
    /// The code of the Close frame that answers this violation (§7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Violation::ReservedBit
            | Violation::ReservedOpcode
            | Violation::UnmaskedFrame
            | Violation::MaskedFrame
            | Violation::FragmentedControl
            | Violation::ControlTooLong
            | Violation::LengthNotMinimal
            | Violation::LengthOverflow
            | Violation::UnexpectedContinuation
            | Violation::ExpectedContinuation
            | Violation::TruncatedCloseCode
            | Violation::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            Violation::InvalidCloseReason | Violation::InvalidUtf8 | Violation::InvalidPayload => {
                CloseCode::INVALID_PAYLOAD
            }
            Violation::MessageTooBig => CloseCode::MESSAGE_TOO_BIG,
            Violation::UnsupportedData => CloseCode::UNSUPPORTED_DATA,
            Violation::PolicyViolation => CloseCode::POLICY_VIOLATION,
            Violation::InternalError => CloseCode::INTERNAL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::ReservedBit => "a reserved bit is set",
            Violation::ReservedOpcode => "the opcode is reserved",
            Violation::UnmaskedFrame => "the client's frame is not masked",
            Violation::MaskedFrame => "the server's frame is masked",
            Violation::FragmentedControl => "a control frame is fragmented",
            Violation::ControlTooLong => "a control frame declares more than 125 bytes",
            Violation::LengthNotMinimal => "the length is not in its shortest form",
            Violation::LengthOverflow => "the length has its top bit set",
            Violation::UnexpectedContinuation => "a continuation without a message to continue",
            Violation::ExpectedContinuation => "a new message inside a fragmented one",
            Violation::TruncatedCloseCode => "a Close body of one byte",
            Violation::InvalidCloseCode(code) => {
                return write!(f, "the close code {code} may not be sent");
            }
            Violation::InvalidCloseReason => "the close reason is not UTF-8",
            Violation::InvalidUtf8 => "the text is not UTF-8",
            Violation::MessageTooBig => "the message is over the limit",
            Violation::InvalidPayload => "the payload does not decode",
            Violation::UnsupportedData => "this kind of data is not accepted",
            Violation::PolicyViolation => "the message breaks a policy",
            Violation::InternalError => "this side cannot go on",
        })
    }
}

impl error::Error for Violation {}

/// Why nothing was sent: the caller's fault, or its output's. Nothing was written, nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed: this frame may not be sent any more (§5.5.1, §6.1).
    Closing,
    /// Another message is open: its last fragment has to go first (§5.4).
    MessageOpen,
    /// A ping or pong payload of more than 125 bytes (§5.5).
    ControlTooLong,
    /// A close code that may not be sent: by nobody (§7.4), or not by a server, as 1010 (§7.4.1).
    InvalidCloseCode,
    /// A close reason of more than 123 bytes (§5.5.1).
    ReasonTooLong,
    /// The payload of a text frame is not UTF-8 (§5.6).
    InvalidUtf8,
    /// The mask source gave no key (§5.3).
    NoMaskKey,
    /// The message was prepared in a form that this connection has not agreed on (RFC 7692 §7.1).
    NotAgreed,
    /// The codec did not compress the message. It begins anew with the next, which the peer can read.
    Codec,
    /// The output has no room for the whole of it.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Closing => "the connection is closing or closed",
            SendError::MessageOpen => "another message is open",
            SendError::ControlTooLong => "a control payload is over 125 bytes",
            SendError::InvalidCloseCode => "this role may not send this close code",
            SendError::ReasonTooLong => "the close reason is over 123 bytes",
            SendError::InvalidUtf8 => "the text is not UTF-8",
            SendError::NoMaskKey => "the mask source gave no key",
            SendError::NotAgreed => "the connection has not agreed on this form of the message",
            SendError::Codec => "the codec failed",
            SendError::Full => "the output has no room",
        })
    }
}

impl error::Error for SendError {}

impl From<crate::output::Full> for SendError {
    fn from(_: crate::output::Full) -> Self {
        SendError::Full
    }
}
