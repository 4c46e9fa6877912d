//! Any calls on a connected pair, over a wire that cuts and delays: what one side sends the other
//! receives, whatever fails changes nothing, and both come to the same end.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::collections::VecDeque;

use arbitrary::Arbitrary;
use common::Keys;
use libfuzzer_sys::fuzz_target;
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Config, Connection, Data, Deflate, Deflater, Inflater,
    Message, Messages, Prepared, Role, SendError, Server, SliceOutput, State, WindowBits,
    ZlibCompress, ZlibDecompress,
};

#[derive(Arbitrary, Clone, Debug)]
enum Call<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Fragment(&'a str, bool),
    Compressed(&'a str),
    CompressedFragment(&'a [u8], bool),
    NoRoom(&'a str, u8),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    Close(u16, &'a str),
    Deliver(u8),
    Eof,
    Abort,
}

struct Side<R> {
    connection: Connection<R>,
    messages: Messages,
    inflater: Inflater<ZlibDecompress>,
    deflater: Deflater<ZlibCompress>,
    /// Sent, and on the way to the other side.
    wire: VecDeque<u8>,
    /// Messages that the other side has to receive, and the one that is open.
    expected: VecDeque<Vec<u8>>,
    open: Vec<u8>,
}

impl<R: Role> Side<R> {
    fn new(role: R, agreed: Agreed) -> Self {
        Side {
            connection: Connection::new(role, &Config::new(), agreed),
            messages: Messages::new(),
            inflater: Inflater::own(ZlibDecompress::new()),
            deflater: Deflater::own(ZlibCompress::new(1)).threshold(3),
            wire: VecDeque::new(),
            expected: VecDeque::new(),
            open: Vec::new(),
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        let Side { connection, deflater, expected, open, .. } = self;
        let mut out = Vec::new();
        let before = (connection.state(), connection.next_step(), connection.wants_transmit());
        let whole = |data: Data<'_>| Some((data.as_bytes().to_vec(), true));
        let (result, sent) = match call {
            Call::Text(text) => (connection.send_text(text, &mut out), whole(Data::Text(text))),
            Call::Binary(data) => {
                (connection.send_binary(data, &mut out), whole(Data::Binary(data)))
            }
            Call::Compressed(text) => {
                let data = Data::Text(text);
                (connection.send_compressed(data, deflater, &mut out), whole(data))
            }
            Call::Fragment(text, last) => {
                let result = connection.send_fragment(Data::Text(text), *last, &mut out);
                (result, Some((text.as_bytes().to_vec(), *last)))
            }
            Call::CompressedFragment(data, last) => {
                let result = connection.send_compressed_fragment(
                    Data::Binary(data),
                    *last,
                    deflater,
                    &mut out,
                );
                (result, Some((data.to_vec(), *last)))
            }
            Call::NoRoom(text, room) => {
                let mut memory = vec![0; usize::from(*room)];
                let mut small = SliceOutput::new(&mut memory);
                let result = connection.send_compressed(Data::Text(text), deflater, &mut small);
                out.extend_from_slice(small.written());
                (result, whole(Data::Text(text)))
            }
            Call::Ping(payload) => (connection.ping(payload, &mut out), None),
            Call::Pong(payload) => (connection.pong(payload, &mut out), None),
            Call::Close(code, reason) => {
                let close = CloseCode::new(*code).map(|code| CloseFrame::truncated(code, reason));
                (connection.close(close.as_ref(), &mut out), None)
            }
            Call::Abort => {
                connection.abort();
                (Ok(()), None)
            }
            Call::Deliver(_) | Call::Eof => unreachable!("not of one side"),
        };
        match (result, sent) {
            (Ok(()), Some((data, last))) => {
                open.extend(data);
                if last {
                    expected.push_back(std::mem::take(open));
                }
            }
            (Ok(()), None) => {}
            (Err(error), _) => {
                assert!(out.is_empty());
                let after =
                    (connection.state(), connection.next_step(), connection.wants_transmit());
                assert_eq!(before, after);
                let room = matches!(call, Call::NoRoom(..));
                assert!(!matches!(error, SendError::Codec | SendError::NoMaskKey));
                assert!(room || error != SendError::Full);
            }
        }
        self.wire.extend(out);
    }

    /// Brings some bytes from the other side, which may not be read any more.
    fn deliver<S>(&mut self, other: &mut Side<S>, count: usize) {
        let count = count.min(other.wire.len());
        let mut bytes: Vec<u8> = other.wire.drain(..count).collect();
        let mut input = &mut bytes[..];
        let mut out = Vec::new();
        while let Some(message) =
            self.messages.receive_inflated(&mut self.connection, &mut self.inflater, &mut input)
        {
            match message {
                Message::Text(text) => {
                    assert_eq!(other.expected.pop_front().as_deref(), Some(text.as_bytes()));
                }
                Message::Binary(data) => {
                    assert_eq!(other.expected.pop_front().as_deref(), Some(data));
                }
                Message::Failed(violation) => panic!("{violation:?}"),
                _ => {}
            }
            self.connection.transmit(&mut out).unwrap();
        }
        assert!(input.is_empty());
        self.wire.extend(out);
    }

    fn eof<S>(&mut self, other: &Side<S>) {
        if other.wire.is_empty() {
            self.connection.receive_eof();
        }
    }
}

fuzz_target!(|input: (u8, Vec<(bool, Call<'_>)>)| {
    let (flags, calls) = input;
    let bits = |bits: u8| WindowBits::new(8 + bits % 8);
    let agreed = Agreed {
        deflate: (flags & 1 != 0).then_some(Deflate {
            server_no_context_takeover: flags & 2 != 0,
            client_no_context_takeover: flags & 4 != 0,
            server_max_window_bits: bits(flags >> 3),
            client_max_window_bits: bits(flags >> 5),
        }),
    };
    let mut server = Side::new(Server, agreed);
    let mut client = Side::new(Client(Keys::default()), agreed);
    let prepared = Prepared::new(Data::Text("to all"));
    for (to_server, call) in &calls {
        match (to_server, call) {
            (true, Call::Deliver(count)) => server.deliver(&mut client, usize::from(*count)),
            (false, Call::Deliver(count)) => client.deliver(&mut server, usize::from(*count)),
            (true, Call::Eof) => server.eof(&client),
            (false, Call::Eof) => client.eof(&server),
            (true, call) => {
                server.call(call);
                if let Ok(frame) = server.connection.prepared(&prepared) {
                    server.wire.extend(frame);
                    server.expected.push_back(b"to all".to_vec());
                }
            }
            (false, call) => client.call(call),
        }
    }
    // Everything arrives in the end.
    for _ in 0..4 {
        server.deliver(&mut client, usize::MAX);
        client.deliver(&mut server, usize::MAX);
    }
    assert!(!server.connection.wants_transmit() && !client.connection.wants_transmit());
    let open = [server.connection.state(), client.connection.state()] == [State::Open; 2];
    if open {
        assert!(server.expected.is_empty() && client.expected.is_empty());
    }
});
