//! What an endpoint hands out.

use alloc::{collections::TryReserveError, string::String, vec::Vec};
use core::mem;

use super::{
    inside::{Announcement, Found},
    sending::Sender,
};
use crate::{
    close::CloseFrame,
    error::Failure,
    event::ControlPayload,
    handshake::{Accepted, HandshakeError, Refused},
    message::{Message, OwnedMessage},
    role::Role,
};

/// Something that an [`Endpoint`](super::Endpoint) received.
///
/// An event borrows the input or the endpoint. It has no destructor, so an arm of a `match` can
/// call the endpoint again.
#[derive(Debug)]
#[doc(alias("event", "message"))]
#[non_exhaustive]
pub enum Incoming<'m> {
    /// A server has received a valid request, which waits to be answered: see
    /// [`Endpoint::request`](super::Endpoint::request).
    Request,
    /// A client's connection is open, with this subprotocol and these headers.
    Opened(Accepted<'m>),
    /// The server has refused the client's request: there is no connection. Drop the transport.
    Refused {
        /// The status and the headers, such as a redirect or an authentication challenge.
        response: Refused<'m>,
        /// As much of the body as has arrived, within the limit on a head.
        body: &'m [u8],
    },
    /// The opening handshake broke a rule: there is no connection. A server has answered the
    /// request, and ends once the client has received that.
    HandshakeFailed(HandshakeError),
    /// A text message.
    Text(&'m str),
    /// A binary message.
    Binary(&'m [u8]),
    /// A Ping (§5.5.2). It is answered, unless [`Config::auto_pong`](crate::Config::auto_pong) is
    /// off.
    Ping(ControlPayload),
    /// A Pong (§5.5.3), asked for or not.
    Pong(ControlPayload),
    /// The peer's Close (§5.5.1), `None` for one without a code. It is the last event, and is
    /// answered.
    Close(Option<CloseFrame>),
    /// The connection failed, usually because the peer broke the protocol. It is the last event,
    /// and the peer is told the reason.
    Failed(Failure),
}

// A value with a destructor would keep the endpoint borrowed until the end of a `match`.
const _: () = assert!(!mem::needs_drop::<Incoming<'static>>());

impl<'m> Incoming<'m> {
    /// The event for a message that was just received, after what it means for the connection.
    pub(super) fn noted<R: Role>(
        message: Option<Message<'m>>,
        sender: &mut Sender<R>,
    ) -> Option<Self> {
        match message {
            Some(message) => Some(Incoming::new(sender.note(message))),
            None => {
                sender.settle();
                None
            }
        }
    }

    pub(super) fn new(message: Message<'m>) -> Self {
        match message {
            Message::Text(text) => Incoming::Text(text),
            Message::Binary(data) => Incoming::Binary(data),
            Message::Ping(payload) => Incoming::Ping(payload),
            Message::Pong(payload) => Incoming::Pong(payload),
            Message::Close(close) => Incoming::Close(close),
            Message::Failed(failure) => Incoming::Failed(failure),
        }
    }

    /// Returns a copy that borrows nothing, or an error without memory; `None` for events of the
    /// handshake.
    pub(super) fn try_into_found(self) -> Result<Option<Found>, TryReserveError> {
        Ok(Some(Found::Message(match self {
            Incoming::Text(text) => {
                let mut copy = String::new();
                copy.try_reserve_exact(text.len())?;
                copy.push_str(text);
                OwnedMessage::Text(copy)
            }
            Incoming::Binary(data) => {
                let mut copy = Vec::new();
                copy.try_reserve_exact(data.len())?;
                copy.extend_from_slice(data);
                OwnedMessage::Binary(copy)
            }
            Incoming::Ping(payload) => OwnedMessage::Ping(payload),
            Incoming::Pong(payload) => OwnedMessage::Pong(payload),
            Incoming::Close(close) => OwnedMessage::Close(close),
            Incoming::Failed(failure) => OwnedMessage::Failed(failure),
            Incoming::HandshakeFailed(error) => {
                return Ok(Some(Found::Opening(Announcement::Failed(error))));
            }
            Incoming::Request | Incoming::Opened(_) | Incoming::Refused { .. } => return Ok(None),
        })))
    }
}
