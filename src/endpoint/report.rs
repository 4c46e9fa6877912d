//! How an endpoint ended, and why.

use core::fmt;

use crate::{
    close::CloseFrame,
    closing::{Closure, Initiator},
    deadline::Limit,
    handshake::HandshakeError,
};

/// The facts about the end. They are on the heap, because they exist only once the end has begun.
#[derive(Default)]
pub(super) struct Report {
    pub(super) received: Option<CloseFrame>,
    pub(super) sent: Option<CloseFrame>,
    pub(super) cause: Option<Cause>,
}

/// Why a connection did not open, or which time limit ended it.
///
/// A limit can come together with a Close or a failure: it called for our Close, and then the peer
/// answered or broke a rule. A limit that passes after the peer's Close or a failure is not
/// reported, because it means only that the transport did not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A time limit was exceeded.
    Limit(Limit),
    /// The opening handshake broke a rule.
    Handshake(HandshakeError),
    /// The request was refused with this HTTP status, by either side.
    Status(u16),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Limit(limit) => fmt::Display::fmt(limit, f),
            Cause::Handshake(error) => fmt::Display::fmt(error, f),
            Cause::Status(status) => write!(f, "refused with HTTP status {status}"),
        }
    }
}

/// How an endpoint ended (§7.1.4 to §7.1.6). It prints as one line for a log.
///
/// ```
/// use websocket_proto::endpoint::{Endpoint, Options};
/// use websocket_proto::{Agreed, Server};
///
/// let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new())?;
/// let mut read = *b"\x88\x85\0\0\0\0\x0F\xA1bye";
/// let mut input = &mut read[..];
/// while ws.receive(&mut input).is_some() {}
/// ws.written(ws.output().len());
/// ws.receive_eof();
/// let ending = ws.ending().expect("it has ended");
/// assert_eq!((ending.closure.code, ending.closure.clean), (4001, true));
/// assert_eq!(ending.to_string(), r#"closed by the peer: 4001 "bye""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias("closure", "close reason", "disconnect"))]
#[non_exhaustive]
pub struct Ending {
    /// Whether the opening handshake was completed. Otherwise there never was a connection, which
    /// counts as closed with 1006 (§7.1.5).
    pub opened: bool,
    /// The codes, who began, whether it was clean, and the failure if there was one.
    pub closure: Closure,
    /// The Close that was received, with its reason; `None` if there was none, or one without a
    /// code.
    pub received: Option<CloseFrame>,
    /// The Close that was sent, with its reason; `None` if there was none, or one without a code.
    /// The answer to the peer's Close and the Close for a failure have no reason. A Close counts as
    /// sent once it is in the output, even if the transport broke before it took that.
    pub sent: Option<CloseFrame>,
    /// Why the connection did not open, or which time limit ended it.
    pub cause: Option<Cause>,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ending { opened, closure, received, sent, cause } = self;
        match (cause, closure.failure, closure.initiator) {
            (Some(cause), ..) if !opened => return write!(f, "not opened: {cause}"),
            _ if !opened => return f.write_str("not opened: the transport has ended"),
            (Some(cause), ..) if !closure.clean => return write!(f, "gave up: {cause}"),
            (_, Some(failure), _) => return write!(f, "failed: {failure}"),
            (_, None, None) => return f.write_str("lost: the transport ended without a Close"),
            (_, None, Some(Initiator::Peer)) => {
                f.write_str("closed by the peer: ")?;
                write_close(f, received.as_ref())?;
            }
            (_, None, Some(Initiator::Local)) => {
                f.write_str("closed by this side: ")?;
                write_close(f, sent.as_ref())?;
            }
        }
        f.write_str(if closure.clean { "" } else { ", not clean" })
    }
}

fn write_close(f: &mut fmt::Formatter<'_>, close: Option<&CloseFrame>) -> fmt::Result {
    match close {
        Some(close) => fmt::Display::fmt(close, f),
        None => f.write_str("no code"),
    }
}
