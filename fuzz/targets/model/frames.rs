//! Frames, mostly like those of a correct peer, and how this crate and tungstenite receive them.

#![allow(dead_code, reason = "each target uses a part of it")]

use std::io::{self, Read, Write};

use crate::common::{Keys, mask_with};
use arbitrary::Arbitrary;
use tungstenite::Error;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{self, CloseFrame, WebSocketConfig, WebSocketContext};
use websocket_proto::{
    Agreed, Client, Config, Connection, Failure, Message, Messages, Role, Server, Violation,
};

/// The longest message, in bytes.
pub const LIMIT: usize = 300;

/// What tungstenite reports for a Close whose code it refuses. It does not fail.
pub const REPLACED: &str = "close 1002 Protocol violation";

#[derive(Arbitrary, Clone, Debug)]
pub struct Frame<'a> {
    pub first: u8,
    /// Selects the form of the length: see [`length_bytes`](Frame::length_bytes).
    pub form: u8,
    /// How many bytes of the declared payload are missing; none if this is over 15. Only the last
    /// frame may be short.
    pub more: u8,
    pub payload: &'a [u8],
}

impl Frame<'_> {
    pub fn is_short(&self) -> bool {
        matches!(self.more, 1..16)
    }

    pub fn declared(&self) -> usize {
        self.payload.len() + if self.is_short() { usize::from(self.more) } else { 0 }
    }

    /// Returns how many bytes of extended length are sent, and how many would suffice.
    pub fn length_bytes(&self) -> (usize, usize) {
        match (self.declared(), self.form) {
            (0..=125, 8..) => (0, 0),
            (0..=125, 4..) => (2, 0),
            (0..=125, _) => (8, 0),
            (126..=0xFFFF, 4..) => (2, 2),
            (126..=0xFFFF, _) => (8, 2),
            _ => (8, 8),
        }
    }

    pub fn has_top_bit(&self) -> bool {
        self.length_bytes().0 == 8 && self.form == 0
    }

    /// Returns the bytes of the frame.
    fn write(&self, masked: bool) -> Vec<u8> {
        let mut length = (self.declared() as u64).to_be_bytes();
        let mut frame = vec![self.first];
        match self.length_bytes().0 {
            0 => frame.push(length[7]),
            2 => frame.extend([126, length[6], length[7]]),
            _ => {
                length[0] |= if self.has_top_bit() { 0x80 } else { 0 };
                frame.push(127);
                frame.extend(length);
            }
        }
        frame.extend(self.payload);
        if masked { mask_with(&frame, [1, 2, 3, 4]) } else { frame }
    }

    /// Translates tungstenite's error for this frame into a violation.
    fn translate(&self, error: &Error) -> Violation {
        match error {
            Error::Capacity(_) => Violation::MessageTooBig,
            Error::Utf8(_) if self.first & 0x0F == 8 => Violation::InvalidCloseReason,
            Error::Utf8(_) => Violation::InvalidUtf8,
            Error::Protocol(error) => match error {
                ProtocolError::InvalidOpcode(_) => Violation::ReservedOpcode,
                ProtocolError::NonZeroReservedBits => Violation::ReservedBit,
                ProtocolError::UnmaskedFrameFromClient => Violation::UnmaskedFrame,
                ProtocolError::MaskedFrameFromServer => Violation::MaskedFrame,
                ProtocolError::FragmentedControlFrame => Violation::FragmentedControl,
                ProtocolError::ControlFrameTooBig => Violation::ControlTooLong,
                ProtocolError::UnexpectedContinueFrame => Violation::UnexpectedContinuation,
                ProtocolError::ExpectedFragment(_) => Violation::ExpectedContinuation,
                ProtocolError::InvalidCloseSequence => Violation::TruncatedCloseCode,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

/// The messages that were received, and the index of the frame that failed with the reason.
pub type Seen = (Vec<String>, Option<(usize, Violation)>);

pub fn ours<R: Role>(role: R, frames: &[Frame<'_>], masked: bool) -> Seen {
    let config = Config::new().max_message(LIMIT as u64);
    let mut connection = Connection::new(role, &config, Agreed::new());
    let (mut messages, mut seen) = (Messages::new(), Vec::new());
    for (at, frame) in frames.iter().enumerate() {
        let mut bytes = frame.write(masked);
        let mut input = &mut bytes[..];
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            seen.push(match message {
                Message::Text(text) => format!("text {text}"),
                Message::Binary(data) => format!("binary {data:?}"),
                Message::Ping(payload) => format!("ping {:?}", &*payload),
                Message::Pong(payload) => format!("pong {:?}", &*payload),
                Message::Close(None) => "close".to_owned(),
                Message::Close(Some(close)) => format!("close {} {}", close.code(), close.reason()),
                Message::Failed(Failure::Violation(violation)) => {
                    return (seen, Some((at, violation)));
                }
                other => panic!("{other:?}"),
            });
        }
    }
    (seen, None)
}

struct Wire(Vec<u8>);

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.as_slice().read(buffer)?;
        self.0.drain(..length);
        if length == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(length) }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn theirs(role: protocol::Role, frames: &[Frame<'_>], masked: bool) -> Seen {
    let config =
        WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut context = WebSocketContext::new(role, Some(config));
    let mut seen = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        let mut wire = Wire(frame.write(masked));
        loop {
            seen.push(match context.read(&mut wire) {
                Ok(tungstenite::Message::Text(text)) => format!("text {text}"),
                Ok(tungstenite::Message::Binary(data)) => format!("binary {:?}", &*data),
                Ok(tungstenite::Message::Ping(payload)) => format!("ping {:?}", &*payload),
                Ok(tungstenite::Message::Pong(payload)) => format!("pong {:?}", &*payload),
                Ok(tungstenite::Message::Close(close)) => {
                    seen.push(match close {
                        None => "close".to_owned(),
                        Some(CloseFrame { code, reason }) => {
                            format!("close {} {reason}", u16::from(code))
                        }
                    });
                    return (seen, None);
                }
                Ok(other) => panic!("{other:?}"),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return (seen, Some((at, frame.translate(&error)))),
            });
        }
    }
    (seen, None)
}

/// Compares the results of both implementations, in both roles.
pub fn both(
    masked: bool,
    frames: &[Frame<'_>],
    check: impl Fn(&Seen, &dyn Fn(&[Frame<'_>]) -> Seen),
) {
    let server = ours(Server, frames, masked);
    check(&server, &|frames| theirs(protocol::Role::Server, frames, masked));
    let client = ours(Client(Keys::default()), frames, masked);
    check(&client, &|frames| theirs(protocol::Role::Client, frames, masked));
}

/// Makes all frames but the last one complete.
pub fn only_the_last_is_short(frames: &mut [Frame<'_>]) {
    frames.iter_mut().rev().skip(1).for_each(|frame| frame.more = 0);
}
