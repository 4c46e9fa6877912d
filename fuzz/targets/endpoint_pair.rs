//! Two endpoints with a clock, backpressure and compression, over a wire that splits, delays and
//! ends. All messages sent before an end arrive once and in order, and both sides report the same
//! end.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::{collections::VecDeque, sync::LazyLock, time::Duration};

use arbitrary::Arbitrary;
use common::Keys;
use libfuzzer_sys::fuzz_target;
use websocket_proto::{
    Client, CloseCode, Config, Data, Deflate, NextStep, Role, Server, ZlibCompress, ZlibDecompress,
    endpoint::{Compression, Endpoint, Incoming, Options, ZlibStock},
    handshake::{AcceptOptions, Offer, Target},
};

#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Repeated(u8, u16),
    Fragment(&'a [u8], bool),
    Ping(&'a [u8]),
    Close(u16, &'a str),
    Accept,
    /// Moves so many bytes from the output to the wire.
    Write(u16),
    /// Receives so many bytes from the wire. The flags add the endpoint's own buffer (1), calls of
    /// `ready` (2) and replies (4).
    Read(u16, u8),
    /// Advances the clock of both sides by so many milliseconds.
    Tick(u16),
    Abort,
}

struct Side<R> {
    ws: Endpoint<R>,
    /// Bytes on the way to the other side.
    wire: VecDeque<u8>,
    /// Messages that the other side has yet to receive.
    expected: VecDeque<Vec<u8>>,
    /// The message of which fragments were sent, but not the last one.
    open: Option<Vec<u8>>,
    /// Whether the transport was dropped, or its writing side was ended.
    ended: bool,
    dropped: bool,
}

trait Accept: Sized {
    fn accept(_: &mut Endpoint<Self>) {}
}

impl Accept for Server {
    fn accept(ws: &mut Endpoint<Self>) {
        if let Some(request) = ws.request() {
            request.accept(&AcceptOptions::new()).unwrap();
        }
    }
}

impl Accept for Client<Keys> {}

/// Returns a message in the form that both sides are compared in.
fn message(kind: u8, data: &[u8]) -> Vec<u8> {
    [&[kind], data].concat()
}

impl<R: Role + Accept> Side<R> {
    fn new(ws: Endpoint<R>) -> Self {
        Side {
            ws,
            wire: VecDeque::new(),
            expected: VecDeque::new(),
            open: None,
            ended: false,
            dropped: false,
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        let before = self.ws.output().len();
        let repeated;
        let (sent, data, last) = match *call {
            Call::Text(text) => (self.ws.text(text), Some(Data::Text(text)), true),
            Call::Binary(data) => (self.ws.binary(data), Some(Data::Binary(data)), true),
            Call::Repeated(byte, times) => {
                repeated = vec![byte; usize::from(times)];
                (self.ws.binary(&repeated), Some(Data::Binary(&repeated)), true)
            }
            Call::Fragment(data, last) => {
                (self.ws.fragment(Data::Binary(data), last), Some(Data::Binary(data)), last)
            }
            Call::Ping(payload) => (self.ws.ping(payload), None, true),
            Call::Close(code, reason) => match CloseCode::new(code) {
                Some(code) => (self.ws.close(code, reason), None, true),
                None => return,
            },
            Call::Accept => return R::accept(&mut self.ws),
            Call::Abort => {
                self.ws.abort();
                return;
            }
            Call::Write(_) | Call::Read(..) | Call::Tick(_) => unreachable!(),
        };
        match (sent, data) {
            (Err(_), _) => assert_eq!(self.ws.output().len(), before),
            (Ok(()), Some(data)) => {
                let first = matches!(data, Data::Text(_)).into();
                self.open.get_or_insert_with(|| vec![first]).extend(data.as_bytes());
                if last {
                    self.expected.extend(self.open.take());
                }
            }
            (Ok(()), None) => {}
        }
    }

    fn write(&mut self, most: usize) {
        if !self.ended {
            let count = self.ws.output().len().min(most);
            self.wire.extend(&self.ws.output()[..count]);
            self.ws.written(count);
        }
        match self.ws.next_step() {
            NextStep::Continue | NextStep::AwaitEof => {}
            NextStep::ShutdownWrite => {
                assert!(!self.ended, "writing ends once");
                self.ended = true;
            }
            NextStep::Drop => (self.ended, self.dropped) = (true, true),
        }
    }

    fn read<P>(&mut self, other: &mut Side<P>, most: usize, way: u8) {
        if self.dropped {
            return;
        }
        let count = if self.ws.wants_read() { most.min(other.wire.len()) } else { 0 };
        let mut bytes: Vec<u8> = other.wire.drain(..count).collect();
        let mut input = &mut bytes[..];
        if way & 1 != 0 && count > 0 {
            let buffer = self.ws.read_buffer();
            let length = buffer.len().min(count);
            buffer[..length].copy_from_slice(&input[..length]);
            self.ws.filled(length);
            for byte in input[length..].iter().rev() {
                other.wire.push_front(*byte);
            }
            input = &mut [];
        }
        loop {
            let ready = (way & 2 != 0).then(|| self.ws.ready(&mut input));
            let Some((incoming, sender)) = self.ws.receive(&mut input) else {
                assert_ne!(ready, Some(true));
                break;
            };
            assert_ne!(ready, Some(false));
            let received = match incoming {
                Incoming::Text(text) => message(1, text.as_bytes()),
                Incoming::Binary(data) => message(0, data),
                Incoming::Failed(failure) => panic!("{failure}"),
                Incoming::HandshakeFailed(error) => panic!("{error}"),
                Incoming::Refused { response, .. } => {
                    assert!(matches!(response.status(), 408 | 503));
                    continue;
                }
                _ => continue,
            };
            assert_eq!(other.expected.pop_front(), Some(received));
            if way & 4 != 0 && self.open.is_none() {
                match sender.text("yes") {
                    Ok(()) => self.expected.push_back(message(1, b"yes")),
                    Err(error) => assert_eq!(error, websocket_proto::SendError::Closing),
                }
            }
        }
        assert!(input.is_empty());
        // The end comes after everything that was written.
        if other.ended && other.wire.is_empty() {
            self.ws.receive_eof();
        }
    }
}

fn options(flags: u8) -> Options {
    static STOCK: LazyLock<ZlibStock> = LazyLock::new(|| ZlibStock::new(1));
    let deflate = Deflate {
        server_no_context_takeover: flags & 4 != 0,
        client_no_context_takeover: flags & 8 != 0,
        ..Deflate::new()
    };
    let own = || Compression::own(deflate, ZlibDecompress::new, || ZlibCompress::new(1));
    let options = Options::new()
        .config(Config::new().max_message(1 << 20))
        .water_marks(usize::from(flags >> 4) * 20, usize::from(flags >> 4) * 100);
    match flags & 3 {
        0 | 1 => options,
        2 => options.compression(own().threshold(3)),
        _ => options.compression(Compression::shared(STOCK.clone()).threshold(3)),
    }
}

fuzz_target!(|input: (u8, u8, Vec<(bool, Call<'_>)>)| {
    let (server_flags, client_flags, calls) = input;
    let target = Target::parse("ws://h/").unwrap();
    let (nonce, options_of_client) = (*b"the sample nonce", options(client_flags));
    let client = Endpoint::client(&target, &Offer::new(), nonce, Keys(0), &options_of_client);
    let mut client = Side::new(client.unwrap());
    let mut server = Side::new(Endpoint::server(&options(server_flags)));
    let mut now = Duration::ZERO;
    for (to_server, call) in &calls {
        match (to_server, call) {
            (true, Call::Write(most)) => server.write(usize::from(*most)),
            (false, Call::Write(most)) => client.write(usize::from(*most)),
            (true, Call::Read(most, way)) => server.read(&mut client, usize::from(*most), *way),
            (false, Call::Read(most, way)) => client.read(&mut server, usize::from(*most), *way),
            (_, Call::Tick(millis)) => {
                now += Duration::from_millis((*millis).into());
                server.ws.tick(now);
                client.ws.tick(now);
            }
            (true, call) => server.call(call),
            (false, call) => client.call(call),
        }
    }

    // Everything on the way arrives, while no time passes.
    let aborted = calls.iter().any(|(_, call)| matches!(call, Call::Abort));
    let limited = |ws: &Option<websocket_proto::endpoint::Ending>| {
        ws.as_ref().is_some_and(|ending| ending.cause.is_some())
    };
    Server::accept(&mut server.ws);
    for _ in 0..calls.len() + 50 {
        client.write(usize::MAX);
        server.read(&mut client, usize::MAX, 0);
        Server::accept(&mut server.ws);
        server.write(usize::MAX);
        client.read(&mut server, usize::MAX, 0);
    }
    let endings = (server.ws.ending(), client.ws.ending());
    let cut_off = aborted || limited(&endings.0) || limited(&endings.1);
    if !cut_off {
        let expected = (&server.expected, &client.expected);
        assert!(expected.0.is_empty() && expected.1.is_empty(), "{expected:?}");
        match &endings {
            (None, None) => {}
            (Some(server), Some(client)) => {
                assert!(server.closure.clean && client.closure.clean, "{server}; {client}");
                assert_eq!(server.closure.sent, Some(client.closure.code));
                assert_eq!(client.closure.sent, Some(server.closure.code));
                // The reasons of both Closes arrive, too.
                for (from, to) in [(server, client), (client, server)] {
                    assert_eq!(from.sent, to.received);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    // In all cases, both sides end within a few turns once time passes.
    for _ in 0..100 {
        let next = [server.ws.deadline(), client.ws.deadline()].into_iter().flatten().min();
        now = next.unwrap_or(now).max(now);
        server.ws.tick(now);
        client.ws.tick(now);
        server.write(0);
        client.write(0);
    }
    for (over, deadline) in
        [(server.dropped, server.ws.deadline()), (client.dropped, client.ws.deadline())]
    {
        assert!(over && deadline.is_none());
    }
});
