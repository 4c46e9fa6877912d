//! Whole messages, as [`Messages`](crate::Messages) returns them.

#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};

use crate::{
    close::CloseFrame,
    error::Failure,
    event::{ControlPayload, Data},
};

/// A whole message, or a control event that came between two fragments.
///
/// ```
/// use websocket_proto::{Agreed, Client, Config, Connection, Message, Messages};
///
/// let mut connection = Connection::new(Client(|| [0; 4]), &Config::new(), Agreed::new());
/// let mut messages = Messages::new();
/// let mut buffer = *b"\x81\x02hi\x82\x01\xFF\x89\x00\x88\x02\x03\xE8"; // what was read
/// let mut input = &mut buffer[..];
/// let mut log = Vec::new();
/// while let Some(message) = messages.receive(&mut connection, &mut input) {
///     log.push(match message {
///         Message::Text(text) => format!("text: {text}"),
///         Message::Binary(data) => format!("{} bytes", data.len()),
///         Message::Ping(_) | Message::Pong(_) => "a sign of life".into(),
///         Message::Close(Some(close)) => format!("closed: {close}"),
///         Message::Close(None) => "closed".into(),
///         Message::Failed(failure) => format!("failed: {failure}"),
///         _ => continue,
///     });
/// }
/// assert_eq!(log, ["text: hi", "1 bytes", "a sign of life", "closed: 1000"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message<'m> {
    /// A text message.
    Text(&'m str),
    /// A binary message.
    Binary(&'m [u8]),
    /// A Ping, like [`Event::Ping`](crate::Event::Ping).
    Ping(ControlPayload),
    /// A Pong, like [`Event::Pong`](crate::Event::Pong).
    Pong(ControlPayload),
    /// The peer's Close, like [`Event::Close`](crate::Event::Close).
    Close(Option<CloseFrame>),
    /// The failure of the connection, like [`Event::Failed`](crate::Event::Failed).
    Failed(Failure),
}

impl<'m> Message<'m> {
    /// Returns the payload of a text or binary message; `None` for every other event.
    ///
    /// ```
    /// use websocket_proto::{Agreed, Config, Connection, Message, SendError, Server};
    ///
    /// fn echo(
    ///     message: Message<'_>,
    ///     connection: &mut Connection<Server>,
    ///     out: &mut Vec<u8>,
    /// ) -> Result<(), SendError> {
    ///     match message.data() {
    ///         Some(data) => connection.send(data, out),
    ///         None => Ok(()),
    ///     }
    /// }
    /// # let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    /// # let mut out = Vec::new();
    /// # echo(Message::Text("hi"), &mut connection, &mut out)?;
    /// # echo(Message::Close(None), &mut connection, &mut out)?;
    /// # assert_eq!(out, b"\x81\x02hi");
    /// # Ok::<(), SendError>(())
    /// ```
    #[must_use]
    pub const fn data(self) -> Option<Data<'m>> {
        match self {
            Message::Text(text) => Some(Data::Text(text)),
            Message::Binary(data) => Some(Data::Binary(data)),
            _ => None,
        }
    }

    /// Copies the message to the heap, for a queue or another task: see [`OwnedMessage`].
    ///
    /// Like every `clone` of a `Vec`, this aborts the process when there is no memory. A message has
    /// no more bytes than [`Config::max_message`](crate::Config::max_message).
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn into_owned(self) -> OwnedMessage {
        match self {
            Message::Text(text) => OwnedMessage::Text(text.into()),
            Message::Binary(data) => OwnedMessage::Binary(data.into()),
            Message::Ping(payload) => OwnedMessage::Ping(payload),
            Message::Pong(payload) => OwnedMessage::Pong(payload),
            Message::Close(close) => OwnedMessage::Close(close),
            Message::Failed(failure) => OwnedMessage::Failed(failure),
        }
    }
}

impl<'m> From<Data<'m>> for Message<'m> {
    fn from(data: Data<'m>) -> Self {
        match data {
            Data::Text(text) => Message::Text(text),
            Data::Binary(data) => Message::Binary(data),
        }
    }
}

/// A [`Message`] that borrows nothing, for a queue or another task.
///
/// ```
/// use std::sync::mpsc;
/// use websocket_proto::{Data, Message, OwnedMessage};
///
/// let (sender, receiver) = mpsc::channel();
/// sender.send(Message::Text("hi").into_owned())?; // a copy
/// sender.send(OwnedMessage::Binary(vec![1, 2, 3]))?; // none
/// assert_eq!(receiver.recv()?, OwnedMessage::Text("hi".to_owned()));
/// assert_eq!(receiver.recv()?.as_message().data(), Some(Data::Binary(&[1, 2, 3])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OwnedMessage {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A Ping, like [`Event::Ping`](crate::Event::Ping).
    Ping(ControlPayload),
    /// A Pong, like [`Event::Pong`](crate::Event::Pong).
    Pong(ControlPayload),
    /// The peer's Close, like [`Event::Close`](crate::Event::Close).
    Close(Option<CloseFrame>),
    /// The failure of the connection, like [`Event::Failed`](crate::Event::Failed).
    Failed(Failure),
}

#[cfg(feature = "alloc")]
impl OwnedMessage {
    /// Returns the message as one that borrows from this.
    #[must_use]
    pub fn as_message(&self) -> Message<'_> {
        match self {
            OwnedMessage::Text(text) => Message::Text(text),
            OwnedMessage::Binary(data) => Message::Binary(data),
            OwnedMessage::Ping(payload) => Message::Ping(*payload),
            OwnedMessage::Pong(payload) => Message::Pong(*payload),
            OwnedMessage::Close(close) => Message::Close(*close),
            OwnedMessage::Failed(failure) => Message::Failed(*failure),
        }
    }
}

#[cfg(feature = "alloc")]
impl From<Message<'_>> for OwnedMessage {
    fn from(message: Message<'_>) -> Self {
        message.into_owned()
    }
}
