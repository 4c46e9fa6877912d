//! Messages that borrow nothing.

use bytes::Bytes;
use bytestring::ByteString;
use websocket_proto::{Data, endpoint::Incoming};

/// A text or binary message that borrows nothing (§5.6), for queues, tasks and
/// [`Stream`](futures_core::Stream). A clone shares the payload.
///
/// A received message is copied once, out of the buffer of the connection.
/// [`WebSocket::next`](crate::WebSocket::next) lends messages instead.
///
/// ```
/// use websocket_proto_tokio::Message;
///
/// assert_eq!(Message::from("hi"), Message::Text("hi".into()));
/// assert_eq!(Message::from(vec![1, 2]).as_bytes(), [1, 2]);
/// assert_eq!(Message::from("hi").to_text(), Some("hi"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Text. It derefs to `str`.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Returns the text, if the message is text.
    #[must_use]
    pub fn to_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// Returns the payload of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(data) => data,
        }
    }

    /// Returns the payload of either kind, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(data) => data,
        }
    }

    /// Lends the message to the methods of an endpoint.
    #[must_use]
    pub fn as_data(&self) -> Data<'_> {
        match self {
            Message::Text(text) => Data::Text(text),
            Message::Binary(data) => Data::Binary(data),
        }
    }

    /// Copies a text or binary message; `None` for other events.
    #[must_use]
    pub fn copied(incoming: &Incoming<'_>) -> Option<Self> {
        match incoming {
            Incoming::Text(text) => Some(Message::from(*text)),
            Incoming::Binary(data) => Some(Message::Binary(Bytes::copy_from_slice(data))),
            _ => None,
        }
    }
}

macro_rules! from {
    ($kind:ident: $($from:ty => |$value:ident| $into:expr;)*) => {$(
        impl From<$from> for Message {
            fn from($value: $from) -> Self {
                Message::$kind($into)
            }
        }
    )*};
}

from! { Text:
    &str => |text| ByteString::from(text);
    String => |text| ByteString::from(text);
    &String => |text| ByteString::from(text.as_str());
    ByteString => |text| text;
    &ByteString => |text| text.clone();
}

from! { Binary:
    &[u8] => |data| Bytes::copy_from_slice(data);
    Vec<u8> => |data| Bytes::from(data);
    &Vec<u8> => |data| Bytes::copy_from_slice(data);
    Bytes => |data| data;
    &Bytes => |data| data.clone();
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(data: &[u8; N]) -> Self {
        Message::from(data.as_slice())
    }
}
