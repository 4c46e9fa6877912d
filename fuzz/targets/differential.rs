//! The same bytes into tungstenite: the same messages, and whoever fails is right. Where we fail and
//! it does not, the rule is one of those that it is known not to keep, or it waits for more bytes.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::io::{self, Read, Write};

use arbitrary::Arbitrary;
use common::{Keys, mask_with};
use libfuzzer_sys::fuzz_target;
use tungstenite::Error;
use tungstenite::protocol::{self, CloseFrame, WebSocketConfig, WebSocketContext};
use websocket_proto::{
    Agreed, Client, Config, Connection, Message, Messages, Role, Server, Violation,
};

const LIMIT: usize = 300;

#[derive(Arbitrary, Debug)]
struct Frame<'a> {
    first: u8,
    /// How the length is written, and how much longer it claims to be.
    form: u8,
    more: u8,
    payload: &'a [u8],
}

impl Frame<'_> {
    /// Mostly what a correct peer would send.
    fn write(&self, masked: bool, wire: &mut Vec<u8>) {
        let declared = self.payload.len() + if self.more < 16 { usize::from(self.more) } else { 0 };
        let mut frame = vec![self.first];
        match (declared, self.form) {
            (0..=125, 8..) => frame.push(declared as u8),
            (0..=0xFFFF, 4..) => {
                frame.push(126);
                frame.extend((declared as u16).to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend((declared as u64).to_be_bytes());
            }
        }
        frame.extend(self.payload);
        wire.extend(if masked { mask_with(&frame, [1, 2, 3, 4]) } else { frame });
    }
}

/// What came of the bytes: messages, and why they ended.
type Seen<E> = (Vec<String>, Option<E>);

fn ours<R: Role>(role: R, wire: &[u8]) -> Seen<Violation> {
    let config = Config::new().max_message(LIMIT as u64);
    let mut connection = Connection::new(role, &config, Agreed::new());
    let (mut messages, mut seen, mut wire) = (Messages::new(), Vec::new(), wire.to_vec());
    let mut input = &mut wire[..];
    while let Some(message) = messages.receive(&mut connection, &mut input) {
        seen.push(match message {
            Message::Text(text) => format!("text {text}"),
            Message::Binary(data) => format!("binary {data:?}"),
            Message::Ping(payload) => format!("ping {:?}", &*payload),
            Message::Pong(payload) => format!("pong {:?}", &*payload),
            Message::Close(None) => "close".to_owned(),
            Message::Close(Some(close)) => format!("close {} {}", close.code(), close.reason()),
            Message::Failed(violation) => return (seen, Some(violation)),
            other => panic!("{other:?}"),
        });
    }
    (seen, None)
}

struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            length => Ok(length),
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(role: protocol::Role, wire: &[u8]) -> Seen<Error> {
    let config =
        WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut context = WebSocketContext::new(role, Some(config));
    let (mut wire, mut seen) = (Wire(wire), Vec::new());
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
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (seen, None);
            }
            Err(error) => return (seen, Some(error)),
        });
    }
}

/// Whether tungstenite may go on where we fail.
fn known(violation: Violation) -> bool {
    match violation {
        // §5.2: it takes a length in any form, and one with its top bit set for one over its limit.
        Violation::LengthNotMinimal | Violation::LengthOverflow => true,
        // §5.5: so also of a control frame, whose length we refuse in all forms but the short one.
        Violation::ControlTooLong => true,
        // §7.4: it hands out a Close of its own making for one with a code that may not be sent.
        Violation::InvalidCloseCode(_) => true,
        // It judges a frame when all of it is there, we do when the byte that is wrong is.
        _ => false,
    }
}

fn compare<E: std::fmt::Debug>(ours: Seen<Violation>, theirs: Seen<E>, complete: bool) {
    match (&ours.1, &theirs.1) {
        // 1014 is in the registry of IANA, and unknown to it.
        (None, None) if ours.0.last().is_some_and(|last| last.starts_with("close 1014")) => {
            assert_eq!(ours.0[..ours.0.len() - 1], theirs.0[..ours.0.len() - 1]);
        }
        (None, None) => assert_eq!(ours.0, theirs.0),
        (Some(violation), None) => {
            assert!(theirs.0.starts_with(&ours.0), "{ours:?} {theirs:?}");
            assert!(known(*violation) || !complete, "{ours:?} {theirs:?}");
        }
        (Some(violation), Some(_)) => {
            assert!(theirs.0 == ours.0 || known(*violation), "{ours:?} {theirs:?}");
        }
        (None, Some(_)) => panic!("{ours:?} {theirs:?}"),
    }
}

fuzz_target!(|input: (bool, Vec<Frame<'_>>)| {
    let (masked, frames) = input;
    let mut wire = Vec::new();
    frames.iter().for_each(|frame| frame.write(masked, &mut wire));
    // Behind what is complete, it waits for nothing.
    let complete = frames.iter().all(|frame| frame.more == 0 || frame.more >= 16);
    compare(ours(Server, &wire), theirs(protocol::Role::Server, &wire), complete);
    compare(ours(Client(Keys::default()), &wire), theirs(protocol::Role::Client, &wire), complete);
});
