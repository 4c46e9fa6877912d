//! Close codes, the faults that they report, and the body of a Close frame (§5.5.1, §7.4).

use core::{fmt, num::NonZeroU16, str};

use arrayvec::ArrayString;

use crate::error::{Failure, SendError, Violation};

/// The longest reason: a control payload less the two bytes of the code (§5.5).
const MAX_REASON: usize = 123;

/// A close code that may be sent in a Close frame (§7.4): 1000 to 1003, 1007 to 1014, 3000 to 4999.
///
/// The numbers 1005, 1006 and 1015 must not be sent, so they are no `CloseCode`. They are reported
/// by [`Closure::code`](crate::Closure::code).
///
/// ```
/// use websocket_proto::{CloseCode, SendError};
///
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::new(4321).map(CloseCode::get), Some(4321));
/// assert_eq!(CloseCode::new(1005), None);
/// assert_eq!(CloseCode::try_from(1005), Err(SendError::InvalidCloseCode));
/// ```
#[doc(alias("status code", "close status"))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(NonZeroU16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self::known(1000);
    /// 1001: the endpoint goes away: a server shuts down, a page is left.
    pub const GOING_AWAY: Self = Self::known(1001);
    /// 1002: a protocol error.
    pub const PROTOCOL_ERROR: Self = Self::known(1002);
    /// 1003: a kind of data that the endpoint does not accept.
    pub const UNSUPPORTED_DATA: Self = Self::known(1003);
    /// 1007: data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self::known(1007);
    /// 1008: a message breaks the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self::known(1008);
    /// 1009: a message is too big to be processed.
    pub const MESSAGE_TOO_BIG: Self = Self::known(1009);
    /// 1010: the server did not agree to an extension that the client needs. A client's code.
    pub const MANDATORY_EXTENSION: Self = Self::known(1010);
    /// 1011: the endpoint met a condition that keeps it from going on.
    pub const INTERNAL_ERROR: Self = Self::known(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self::known(1012);
    /// 1013: the service is overloaded: try again later.
    pub const TRY_AGAIN_LATER: Self = Self::known(1013);
    /// 1014: a gateway got no valid answer from its upstream server.
    pub const BAD_GATEWAY: Self = Self::known(1014);
    /// 3000: the endpoint needs authorisation that is missing.
    pub const UNAUTHORIZED: Self = Self::known(3000);
    /// 3003: the endpoint is authorised, but not for what it asks.
    pub const FORBIDDEN: Self = Self::known(3003);
    /// 3008: an endpoint took too long to do what was expected of it.
    pub const TIMEOUT: Self = Self::known(3008);

    /// Creates a code if it may travel in a Close frame; `None` for every other number.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            // §7.4.1 and the registry of close codes: assigned, and allowed in a frame. 1004 has no
            // meaning yet; 1005, 1006 and 1015 are for reports only.
            1000..=1003 | 1007..=1014 => {}
            // §7.4.2: 3000 to 3999 for libraries and frameworks, 4000 to 4999 for private use.
            3000..=4999 => {}
            // §7.4.2: 0 to 999 are never used, 1016 to 2999 are kept for later revisions.
            _ => return None,
        }
        match NonZeroU16::new(code) {
            Some(code) => Some(CloseCode(code)),
            None => None,
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    const fn known(code: u16) -> Self {
        CloseCode(NonZeroU16::MIN.saturating_add(code - 1))
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({self})")
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> u16 {
        code.get()
    }
}

/// Fails with [`SendError::InvalidCloseCode`] where [`CloseCode::new`] returns `None`.
impl TryFrom<u16> for CloseCode {
    type Error = SendError;

    fn try_from(code: u16) -> Result<Self, SendError> {
        CloseCode::new(code).ok_or(SendError::InvalidCloseCode)
    }
}

impl Failure {
    /// Returns the code of the Close frame that reports this failure to the peer (§7.4.1).
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Failure::Violation(violation) => violation.close_code(),
            Failure::Internal(_) => CloseCode::INTERNAL_ERROR,
        }
    }
}

impl Violation {
    /// Returns the code of the Close frame that answers this violation (§7.4.1).
    #[must_use]
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
        }
    }
}

/// The body of a Close frame: a code, and a reason of at most 123 bytes (§5.5.1).
///
/// The peer's reason is text from outside, for logs and never for an end user. `Display` escapes it
/// for that purpose:
///
/// ```
/// use websocket_proto::{CloseCode, CloseFrame};
///
/// let frame = CloseFrame::new(CloseCode::try_from(4001)?, "bye\n")?;
/// assert_eq!(frame.to_string(), r#"4001 "bye\n""#);
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[doc(alias("close reason", "reason", "code"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    code: CloseCode,
    reason: ArrayString<MAX_REASON>,
}

impl CloseFrame {
    /// Creates a body to send.
    ///
    /// # Errors
    ///
    /// [`SendError::ReasonTooLong`] when `reason` is over 123 bytes.
    pub fn new(code: CloseCode, reason: &str) -> Result<Self, SendError> {
        match ArrayString::from(reason) {
            Ok(reason) => Ok(CloseFrame { code, reason }),
            Err(_) => Err(SendError::ReasonTooLong),
        }
    }

    /// Creates a body to send with as much of `reason` as fits, split between two code points.
    ///
    /// ```
    /// use websocket_proto::{CloseCode, CloseFrame};
    ///
    /// let frame = CloseFrame::truncated(CloseCode::INTERNAL_ERROR, &"é".repeat(100));
    /// assert_eq!(frame.reason().len(), 122);
    /// ```
    #[must_use]
    pub fn truncated(code: CloseCode, reason: &str) -> Self {
        let most = reason.len().min(MAX_REASON);
        let fitting = (0..=most).rev().find_map(|length| reason.get(..length)).unwrap_or_default();
        CloseFrame { code, reason: ArrayString::from(fitting).unwrap_or_default() }
    }

    /// Returns the code.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// Returns the reason, often empty.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Validates as much of a received body as has arrived. `complete` says that nothing is
    /// missing. Returns `None` for an empty body, and for one of which too little is here.
    pub(crate) fn decode(body: &[u8], complete: bool) -> Result<Option<Self>, Violation> {
        // §5.5.1: a body starts with a code of two bytes. A body of one byte was refused with its
        // header.
        let Some((code, reason)) = body.split_first_chunk() else { return Ok(None) };
        let code = u16::from_be_bytes(*code);
        let code = CloseCode::new(code).ok_or(Violation::InvalidCloseCode(code))?;
        // §8.1: the reason is UTF-8. The rest of an incomplete code point may still arrive.
        match str::from_utf8(reason) {
            Err(error) if complete || error.error_len().is_some() => {
                Err(Violation::InvalidCloseReason)
            }
            Err(_) => Ok(None),
            // A control frame has at most 125 bytes, so the reason is never truncated here.
            Ok(reason) => Ok(Some(CloseFrame::truncated(code, reason))),
        }
    }
}

/// Writes the code, and the reason in quotes if there is one, with control characters escaped.
impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.code),
            reason => write!(f, "{} {reason:?}", self.code),
        }
    }
}
