//! The server with `embedded-websocket`. Its codec is used instead of its `Framer`, which cannot be
//! given the bytes after the request, and fails if a read splits the header of a frame.

use core::ops::Range;

use embedded_websocket::{
    Error, WebSocketCloseStatusCode as CloseCode, WebSocketReceiveMessageType as Received,
    WebSocketSendMessageType as Sent, WebSocketServer, read_http_header,
};

use crate::bare::Link;
use crate::head::{self, HEAD};
use crate::{CONTROL, End, HEADER, MESSAGE, READ};

struct Server {
    socket: WebSocketServer,
    /// The message so far, the control frame so far, and room for one byte too many.
    memory: [u8; MESSAGE + CONTROL + 1],
    message: usize,
    control: usize,
}

/// Serves one peer from its request to its end.
pub fn serve(link: &mut impl Link) -> End {
    let socket = WebSocketServer::new_server();
    let memory = [0; MESSAGE + CONTROL + 1];
    let mut server = Server { socket, memory, message: 0, control: 0 };
    let mut buffer = [0; READ];
    let end = match server.shake_hands(link, &mut buffer) {
        Ok(waiting) => server.run(link, &mut buffer, waiting),
        Err(end) => end,
    };
    link.shutdown();
    end
}

impl Server {
    /// Returns how many bytes after the request are at the start of `buffer`.
    #[inline(never)]
    fn shake_hands(&mut self, link: &mut impl Link, buffer: &mut [u8; READ]) -> Result<usize, End> {
        let mut head = [0; HEAD];
        let leftover = self.answer(link, &mut head).ok_or(End::Failed)?;
        let leftover = &head[leftover];
        let taken = self.receive(link, leftover)?;
        let waiting = &leftover[taken..];
        buffer[..waiting.len()].copy_from_slice(waiting);
        Ok(waiting.len())
    }

    /// Returns the position in `head` of the bytes after the request.
    #[inline(never)]
    fn answer(&mut self, link: &mut impl Link, head: &mut [u8; HEAD]) -> Option<Range<usize>> {
        let mut out = [0; 256];
        let (leftover, length) = head::read(link, head, |request| {
            let headers = request.headers.iter().map(|header| (header.name, header.value));
            let context = read_http_header(headers).ok()??;
            self.socket.server_accept(&context.sec_websocket_key, None, &mut out).ok()
        })?;
        link.write(&out[..length]);
        Some(leftover)
    }

    fn run(&mut self, link: &mut impl Link, buffer: &mut [u8; READ], mut waiting: usize) -> End {
        loop {
            match link.read(&mut buffer[waiting..]) {
                0 => return End::Failed,
                length => waiting += length,
            }
            match self.receive(link, &buffer[..waiting]) {
                Ok(taken) => {
                    buffer.copy_within(taken..waiting, 0);
                    waiting -= taken;
                }
                Err(end) => return end,
            }
        }
    }

    /// Returns how many bytes were taken: all but an incomplete header.
    fn receive(&mut self, link: &mut impl Link, input: &[u8]) -> Result<usize, End> {
        let mut taken = 0;
        while taken < input.len() {
            let room = &mut self.memory[self.message + self.control..];
            let read = match self.socket.read(&input[taken..], room) {
                Ok(read) => read,
                Err(Error::ReadFrameIncomplete) => break,
                Err(_) => return Err(self.fail(link, CloseCode::ProtocolError)),
            };
            // After a fragment that a read has split and that is not the last, the codec takes no
            // more bytes.
            if read.len_from == 0 {
                return Err(End::Failed);
            }
            taken += read.len_from;
            let is_message = matches!(read.message_type, Received::Text | Received::Binary);
            let part = if is_message { &mut self.message } else { &mut self.control };
            *part += read.len_to;
            if self.message > MESSAGE {
                return Err(self.fail(link, CloseCode::MessageTooBig));
            }
            if self.control > CONTROL {
                return Err(self.fail(link, CloseCode::ProtocolError));
            }
            let (message, control) =
                self.memory[..self.message + self.control].split_at(self.message);
            let answer = match read.message_type {
                Received::CloseCompleted => return Err(End::Closed),
                Received::CloseMustReply => Some((Sent::CloseReply, control)),
                _ if !read.end_of_message => continue,
                Received::Text if str::from_utf8(message).is_err() => {
                    return Err(self.fail(link, CloseCode::InvalidPayloadData));
                }
                Received::Text => Some((Sent::Text, message)),
                Received::Binary => Some((Sent::Binary, message)),
                Received::Ping => Some((Sent::Pong, control)),
                Received::Pong => None,
            };
            if let Some((kind, payload)) = answer {
                let mut out = [0; HEADER + MESSAGE];
                let length = self.socket.write(kind, true, payload, &mut out);
                link.write(&out[..length.map_err(|_| End::Failed)?]);
            }
            if read.message_type == Received::CloseMustReply {
                return Err(End::Closed);
            }
            if is_message {
                self.message = 0;
            }
            self.control = 0;
        }
        Ok(taken)
    }

    fn fail(&mut self, link: &mut impl Link, code: CloseCode) -> End {
        let mut out = [0; HEADER];
        if let Ok(length) = self.socket.close(code, None, &mut out) {
            link.write(&out[..length]);
        }
        End::Failed
    }
}
