//! The same frames into tungstenite, one after the other: the same messages, and the same failure
//! in the same frame. It fails nowhere that we do not. Where we fail and it goes on, waits, or gives
//! another reason, the frame has what one of the rules below says, and up to it all is the same.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::io::{self, Read, Write};

use arbitrary::Arbitrary;
use common::{Keys, mask_with};
use libfuzzer_sys::fuzz_target;
use tungstenite::Error;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{self, CloseFrame, WebSocketConfig, WebSocketContext};
use websocket_proto::{
    Agreed, Client, Config, Connection, Failure, Message, Messages, Role, Server, Violation,
};

const LIMIT: usize = 300;

/// What tungstenite makes of a Close whose code it refuses: no failure, but a Close of its own.
const REPLACED: &str = "close 1002 Protocol violation";

#[derive(Arbitrary, Clone, Debug)]
struct Frame<'a> {
    first: u8,
    /// How the length is written.
    form: u8,
    /// How much longer it claims to be, if this is the last frame and it is less than 16.
    more: u8,
    payload: &'a [u8],
}

impl Frame<'_> {
    fn is_short(&self) -> bool {
        matches!(self.more, 1..16)
    }

    fn declared(&self) -> usize {
        self.payload.len() + if self.is_short() { usize::from(self.more) } else { 0 }
    }

    /// Bytes of the length behind the first two, and how many would do.
    fn length_bytes(&self) -> (usize, usize) {
        match (self.declared(), self.form) {
            (0..=125, 8..) => (0, 0),
            (0..=125, 4..) => (2, 0),
            (0..=125, _) => (8, 0),
            (126..=0xFFFF, 4..) => (2, 2),
            (126..=0xFFFF, _) => (8, 2),
            _ => (8, 8),
        }
    }

    fn has_top_bit(&self) -> bool {
        self.length_bytes().0 == 8 && self.form == 0
    }

    /// Mostly what a correct peer would send.
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

    /// Whether tungstenite has no such rule, or keeps it otherwise, and the frame breaks it.
    fn is_unknown(&self, violation: Violation) -> bool {
        let (bytes, enough) = self.length_bytes();
        match violation {
            // §5.2: the shortest form. It takes a length in any.
            Violation::LengthNotMinimal => bytes > enough,
            // §5.5: 125 bytes at most, so no longer form. It looks at the number, not at the form.
            Violation::ControlTooLong => self.declared() <= 125 && bytes > 0,
            // §5.2: the top bit is 0. To it the length is a number, and one over its limit.
            Violation::LengthOverflow => self.has_top_bit(),
            // §7.4: a code that may not be sent. See `REPLACED`.
            Violation::InvalidCloseCode(code) => {
                matches!(code, 0..=999 | 1004..=1006 | 1015..=2999 | 5000..)
            }
            _ => false,
        }
    }

    /// Whether both may fail at this frame, we for `ours` and tungstenite for `theirs`: it has more
    /// than one fault, and we tell the one that comes first in it (§7.1.7: at once).
    fn has_both(&self, ours: Violation, theirs: Violation) -> bool {
        use Violation::*;
        let first = matches!(
            ours,
            ReservedBit | FragmentedControl | UnexpectedContinuation | ExpectedContinuation
        );
        let second = matches!(ours, UnmaskedFrame | MaskedFrame | ControlTooLong);
        match theirs {
            _ if ours == theirs => true,
            // Of that it tells nothing, but what it finds behind the header, or of its length.
            MessageTooBig | ControlTooLong | InvalidUtf8 | InvalidCloseReason
            | TruncatedCloseCode
                if self.is_unknown(ours) =>
            {
                true
            }
            // It looks at the length of a frame first, if not at the opcode,
            MessageTooBig => (self.declared() > LIMIT || self.has_top_bit()) && (first || second),
            // then at the mask of a client, the bits, the mask of a server, and the rest.
            UnmaskedFrame => first,
            MaskedFrame => first && ours != ReservedBit,
            _ => false,
        }
    }

    /// What tungstenite says of this frame, in our words.
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

/// What came of the frames: messages, and at which frame they ended in failure, and why.
type Seen = (Vec<String>, Option<(usize, Violation)>);

fn ours<R: Role>(role: R, frames: &[Frame<'_>], masked: bool) -> Seen {
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

fn theirs(role: protocol::Role, frames: &[Frame<'_>], masked: bool) -> Seen {
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

/// Compares what came of the frames here with what comes of them there.
fn compare(frames: &[Frame<'_>], ours: &Seen, run: &dyn Fn(&[Frame<'_>]) -> Seen) {
    let theirs = run(frames);
    let Some((at, violation)) = ours.1 else {
        let mut messages = ours.0.clone();
        // 1014 is in the registry of IANA, and unknown to it.
        if let Some(last) = messages.last_mut().filter(|last| last.starts_with("close 1014 ")) {
            *last = REPLACED.to_owned();
        }
        return assert_eq!((&messages, None), (&theirs.0, theirs.1));
    };
    let frame = &frames[at];
    let after = theirs.0.strip_prefix(&*ours.0).expect("the same messages up to the failure");
    let excused = match theirs.1 {
        Some((their, reason)) if their == at => {
            after.is_empty() && frame.has_both(violation, reason)
        }
        Some((their, _)) if their < at => false,
        // It judges a frame when all of it is there, but for the opcode and the limit of one.
        None if frame.is_short() && after.is_empty() => match violation {
            Violation::ReservedOpcode | Violation::LengthOverflow => false,
            Violation::MessageTooBig if frame.declared() > LIMIT => false,
            // So it has to find the same once it is there.
            _ => {
                let payload = [frame.payload, &[b'a'; 15][..frame.more.into()]].concat();
                let whole = Frame { payload: &payload, more: 0, ..*frame };
                return compare(&[&frames[..at], &[whole]].concat(), ours, run);
            }
        },
        _ if !frame.is_unknown(violation) => false,
        None if matches!(violation, Violation::InvalidCloseCode(_)) => after == [REPLACED],
        _ => matches!(violation, Violation::LengthNotMinimal | Violation::ControlTooLong),
    };
    assert!(excused, "{ours:?} {theirs:?}");
}

fuzz_target!(|input: (bool, Vec<Frame<'_>>)| {
    let (masked, mut frames) = input;
    // Behind a frame that is short there is nothing.
    frames.iter_mut().rev().skip(1).for_each(|frame| frame.more = 0);
    let server = ours(Server, &frames, masked);
    compare(&frames, &server, &|frames| theirs(protocol::Role::Server, frames, masked));
    let client = ours(Client(Keys::default()), &frames, masked);
    compare(&frames, &client, &|frames| theirs(protocol::Role::Client, frames, masked));
});
