//! The temporary contents of an endpoint: a head, the rest of a read, an event.

use alloc::{boxed::Box, vec::Vec};

use super::kept::Kept;
use crate::{
    agreed::Deflate,
    event::Kind,
    handshake::{ClientHandshake, HandshakeError, Response, ServerHandshake},
    message::OwnedMessage,
};

/// The temporary contents of an endpoint. They exist until the handshake is done, while there is
/// input or an event that could not be returned yet, and while a read buffer is kept. An idle
/// endpoint has none.
#[derive(Default)]
pub(super) struct Inside {
    pub(super) opening: Option<Opening>,
    pub(super) kept: Kept,
    pub(super) found: Option<Found>,
    /// The number of bytes that were read into the memory of a message and not received yet. They
    /// come before those in `kept`.
    pub(super) read: usize,
    /// Whether more was read than may wait. The connection fails once `found` was returned.
    pub(super) overfull: bool,
}

/// An event that [`ready`](super::Endpoint::ready) has found.
pub(super) enum Found {
    Opening(Announcement),
    Message(OwnedMessage),
    /// A message of this kind, in the memory where it was joined.
    Joined(Kind),
    /// A message that `receive` has lent. The next call discards it.
    Lent(OwnedMessage),
}

/// The handshake that an endpoint waits for.
pub(super) enum Opening {
    Server(ServerHandshake),
    Client(ClientOpening),
}

/// A client's handshake, which owns the parts of its offer that the response is checked against.
pub(super) struct ClientOpening {
    pub(super) handshake: ClientHandshake<'static>,
    pub(super) subprotocols: Box<[Box<str>]>,
    pub(super) deflate: Box<[Deflate]>,
}

impl ClientOpening {
    pub(super) fn receive<'h>(
        &mut self,
        input: &mut &'h mut [u8],
    ) -> Result<Option<Response<'h>>, HandshakeError> {
        let subprotocols: Vec<&str> = self.subprotocols.iter().map(|name| &**name).collect();
        let mut handshake = self.handshake.with_lists(&subprotocols, &self.deflate);
        let response = handshake.receive(input);
        self.handshake = handshake.with_lists(&[], &[]);
        response
    }
}

/// The result of a head. The head is at the front of the bytes that are kept.
#[derive(Clone, Copy)]
pub(super) enum Announcement {
    Request,
    Response,
    Failed(HandshakeError),
}
