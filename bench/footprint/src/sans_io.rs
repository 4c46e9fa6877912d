//! The server with `websocket-sans-io`, which has the frames alone. The handshake, the order of
//! frames, limits, gathering, the validation of text and closing are implemented here.

use core::ops::Range;

use base64::{Engine, prelude::BASE64_STANDARD};
use httparse::Request;
use sha1_smol::Sha1;
use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use crate::bare::Link;
use crate::head::{self, HEAD};
use crate::{CONTROL, End, MESSAGE, READ};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ";

/// Close codes (RFC 6455 §7.4.1).
const PROTOCOL_ERROR: u16 = 1002;
const INVALID_DATA: u16 = 1007;
const TOO_BIG: u16 = 1009;

struct Server {
    decoder: WebsocketFrameDecoder,
    message: [u8; MESSAGE],
    message_length: usize,
    /// Whether a fragment was received that is not the last of its message.
    is_fragmented: bool,
    control: [u8; CONTROL],
    control_length: usize,
}

/// Serves one peer from its request to its end.
pub fn serve(link: &mut impl Link) -> End {
    let mut server = Server {
        decoder: WebsocketFrameDecoder::new(),
        message: [0; MESSAGE],
        message_length: 0,
        is_fragmented: false,
        control: [0; CONTROL],
        control_length: 0,
    };
    let end = server.shake_hands(link).and_then(|()| server.run(link));
    link.shutdown();
    end.err().unwrap_or(End::Failed)
}

impl Server {
    #[inline(never)]
    fn shake_hands(&mut self, link: &mut impl Link) -> Result<(), End> {
        let mut head = [0; HEAD];
        let leftover = answer(link, &mut head).ok_or(End::Failed)?;
        self.receive(link, &mut head[leftover])
    }

    fn run(&mut self, link: &mut impl Link) -> Result<(), End> {
        let mut buffer = [0; READ];
        loop {
            match link.read(&mut buffer) {
                0 => return Err(End::Failed),
                length => self.receive(link, &mut buffer[..length])?,
            }
        }
    }

    fn receive(&mut self, link: &mut impl Link, mut input: &mut [u8]) -> Result<(), End> {
        loop {
            let Ok(result) = self.decoder.add_data(input) else {
                return Err(fail(link, TOO_BIG));
            };
            let (taken, rest) = input.split_at_mut(result.consumed_bytes);
            input = rest;
            let answered = match result.event {
                Some(WebsocketFrameEvent::Start { frame_info, .. }) => self.start(&frame_info),
                Some(WebsocketFrameEvent::PayloadChunk { original_opcode }) => {
                    self.payload(original_opcode, taken)
                }
                Some(WebsocketFrameEvent::End { frame_info, original_opcode }) => {
                    self.end(link, &frame_info, original_opcode)?
                }
                None if taken.is_empty() => return Ok(()),
                None => Ok(()),
            };
            if let Err(code) = answered {
                return Err(fail(link, code));
            }
        }
    }

    /// Begins a frame. The error is a close code, as in the functions below.
    fn start(&mut self, frame: &FrameInfo) -> Result<(), u16> {
        let in_order = match frame.opcode {
            Opcode::Continuation => self.is_fragmented,
            Opcode::Text | Opcode::Binary => !self.is_fragmented,
            _ => usize::from(frame.payload_length) <= CONTROL,
        };
        if !frame.is_reasonable() || frame.mask.is_none() || !in_order {
            return Err(PROTOCOL_ERROR);
        }
        if frame.opcode.is_data() {
            self.is_fragmented = !frame.fin;
            if usize::from(frame.payload_length) > MESSAGE - self.message_length {
                return Err(TOO_BIG);
            }
        }
        Ok(())
    }

    fn payload(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), u16> {
        let (memory, length) = match opcode.is_data() {
            true => (&mut self.message[..], &mut self.message_length),
            false => (&mut self.control[..], &mut self.control_length),
        };
        memory[*length..*length + payload.len()].copy_from_slice(payload);
        *length += payload.len();
        Ok(())
    }

    /// Answers a frame that ends a message, or a control frame.
    fn end(
        &mut self,
        link: &mut impl Link,
        frame: &FrameInfo,
        opcode: Opcode,
    ) -> Result<Result<(), u16>, End> {
        if opcode.is_data() {
            if frame.fin {
                let message = &self.message[..self.message_length];
                if opcode == Opcode::Text && str::from_utf8(message).is_err() {
                    return Ok(Err(INVALID_DATA));
                }
                send(link, opcode, message);
                self.message_length = 0;
            }
            return Ok(Ok(()));
        }
        let payload = &self.control[..self.control_length];
        self.control_length = 0;
        match opcode {
            Opcode::Ping => send(link, Opcode::Pong, payload),
            Opcode::ConnectionClose => {
                let code = &payload[..payload.len().min(2)];
                send(link, opcode, code);
                return Err(End::Closed);
            }
            _ => {}
        }
        Ok(Ok(()))
    }
}

fn fail(link: &mut impl Link, code: u16) -> End {
    send(link, Opcode::ConnectionClose, &code.to_be_bytes());
    End::Failed
}

fn send(link: &mut impl Link, opcode: Opcode, payload: &[u8]) {
    let payload_length = payload.len() as u16;
    let frame = FrameInfo { opcode, payload_length, mask: None, fin: true, reserved: 0 };
    link.write(&WebsocketFrameEncoder::new().start_frame(&frame));
    link.write(payload);
}

/// Returns the position in `head` of the bytes after the request.
#[inline(never)]
fn answer(link: &mut impl Link, head: &mut [u8; HEAD]) -> Option<Range<usize>> {
    let (leftover, accept) = head::read(link, head, accept)?;
    link.write(ACCEPTED);
    link.write(&accept);
    link.write(b"\r\n\r\n");
    Some(leftover)
}

/// Returns the `Sec-WebSocket-Accept` for a request that opens a WebSocket.
fn accept(request: &Request<'_, '_>) -> Option<[u8; 28]> {
    let header = |name: &str| {
        let mut headers = request.headers.iter();
        Some(headers.find(|header| header.name.eq_ignore_ascii_case(name))?.value)
    };
    let is_websocket = header("Upgrade")?.eq_ignore_ascii_case(b"websocket");
    if request.method? != "GET" || !is_websocket || header("Sec-WebSocket-Version")? != b"13" {
        return None;
    }
    let mut hash = Sha1::new();
    hash.update(header("Sec-WebSocket-Key")?);
    hash.update(GUID);
    let mut accept = [0; 28];
    BASE64_STANDARD.encode_slice(hash.digest().bytes(), &mut accept).ok()?;
    Some(accept)
}
