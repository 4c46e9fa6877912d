//! Broadcast: a server's message that is encoded once for any number of connections.

use alloc::vec::Vec;

use crate::{
    connection::Connection,
    error::SendError,
    event::{Data, Kind},
    frame::{FIN, FrameHeader, Opcode},
    role::Server,
};

/// A whole message as it goes over the wire of every server connection.
///
/// A server's frames are not masked (§5.1), so the same bytes serve all peers. Only server
/// connections take it: a client masks each frame with a key of its own.
///
/// ```
/// use websocket_proto::{Agreed, Config, Connection, Data, Prepared, Server};
///
/// let message = Prepared::new(Data::Text("hello, all"));
/// let connections = [(); 3].map(|()| Connection::new(Server, &Config::new(), Agreed::new()));
/// for connection in &connections {
///     // No copy: all get the same bytes, to be written behind what is waiting to be written.
///     let frame = connection.prepared(&message)?;
///     assert_eq!(frame, b"\x81\x0Ahello, all");
/// }
/// # Ok::<(), websocket_proto::SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    kind: Kind,
    frame: Vec<u8>,
}

impl Prepared {
    /// Encodes a message.
    pub fn new(data: Data<'_>) -> Self {
        let payload = data.as_bytes();
        let header =
            FrameHeader::encode(FIN | Opcode::from(data.kind()) as u8, payload.len(), None);
        Prepared { kind: data.kind(), frame: [&header, payload].concat() }
    }
}

/// The frame, for a queue that was let [`prepared`](Connection::prepared) and writes later.
impl AsRef<[u8]> for Prepared {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Connection<Server> {
    /// The bytes of a prepared message, if it may be sent now. The caller writes them, in full and
    /// behind all output so far. A Pong that is owed does not go in front of them: call
    /// [`transmit`](Connection::transmit) before.
    ///
    /// # Errors
    ///
    /// As for [`send_text`](Connection::send_text).
    pub fn prepared<'p>(&self, message: &'p Prepared) -> Result<&'p [u8], SendError> {
        self.check_message(message.kind).map(|_| &*message.frame)
    }
}
