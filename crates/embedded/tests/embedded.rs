//! The two drivers over pipes in memory, with a clock that moves only when nothing else can.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use websocket_proto_embedded::embedded_io::{ErrorKind, ErrorType};
use websocket_proto_embedded::{
    AcceptOptions, Buffers, Clock, CloseCode, Data, Error, HandshakeError, Limit, Message, Offer,
    Response, Role, SendError, Sender, Server, Target, WebSocket, blocking, embedded_io,
    embedded_io_async,
};

const REQUEST: &[u8] =
    b"GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// One end of a line, and the clock.
#[derive(Default)]
struct World {
    /// What the peer has sent, and is not read.
    incoming: Vec<u8>,
    /// The peer has ended its stream.
    ended: bool,
    /// What was written.
    outgoing: Vec<u8>,
    /// How many bytes a read and a write take at most; 0 for all.
    part: usize,
    /// Every other call has to be made again.
    hesitates: bool,
    hesitated: bool,
    /// How many bytes the peer still takes.
    room: Option<usize>,
    /// The peer sends without end, each millisecond.
    floods: bool,
    fails: bool,
    now: u32,
    /// When the latest delay ends.
    timer: Option<u32>,
    flushes: usize,
    shutdowns: usize,
}

/// The transport and the clock of a world.
#[derive(Clone, Default)]
struct End(Rc<RefCell<World>>);

impl World {
    fn part(&self, length: usize) -> usize {
        if self.part == 0 { length } else { length.min(self.part) }
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.hesitate()?;
        if self.floods {
            self.now = self.now.wrapping_add(1);
            buffer.fill(0);
            return Ok(buffer.len());
        }
        let length = self.part(self.incoming.len().min(buffer.len()));
        if length == 0 && !self.ended {
            return Err(ErrorKind::TimedOut);
        }
        buffer[..length].copy_from_slice(&self.incoming[..length]);
        self.incoming.drain(..length);
        Ok(length)
    }

    fn try_write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.hesitate()?;
        let mut length = self.part(bytes.len());
        if let Some(room) = &mut self.room {
            length = length.min(*room);
            *room -= length;
        }
        if length == 0 {
            return Err(ErrorKind::TimedOut);
        }
        self.outgoing.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn hesitate(&mut self) -> Result<(), ErrorKind> {
        if self.fails {
            return Err(ErrorKind::ConnectionReset);
        }
        self.hesitated = self.hesitates && !self.hesitated;
        if self.hesitated { Err(ErrorKind::Interrupted) } else { Ok(()) }
    }
}

/// `Pending` where the blocking call would be made again.
fn poll<V>(result: Result<V, ErrorKind>) -> Poll<Result<V, ErrorKind>> {
    match result {
        Err(ErrorKind::TimedOut | ErrorKind::Interrupted) => Poll::Pending,
        done => Poll::Ready(done),
    }
}

impl ErrorType for End {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for End {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| poll(self.0.borrow_mut().try_read(buffer))).await
    }
}

impl embedded_io_async::Write for End {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| poll(self.0.borrow_mut().try_write(bytes))).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.borrow_mut().flushes += 1;
        Ok(())
    }
}

impl embedded_io::Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut world = self.0.borrow_mut();
        // A blocking call takes time.
        world.now = world.now.wrapping_add(100);
        world.try_read(buffer)
    }
}

impl embedded_io::Write for End {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut world = self.0.borrow_mut();
        world.now = world.now.wrapping_add(100);
        world.try_write(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.borrow_mut().flushes += 1;
        Ok(())
    }
}

impl Clock for End {
    fn millis(&mut self) -> u32 {
        self.0.borrow().now
    }

    async fn delay(&mut self, millis: u32) {
        let target = self.millis().wrapping_add(millis);
        self.0.borrow_mut().timer = Some(target);
        poll_fn(|_| match self.millis().wrapping_sub(target) < 1 << 31 {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        self.0.borrow_mut().timer = None;
    }
}

impl End {
    fn send(&self, bytes: &[u8]) {
        self.0.borrow_mut().incoming.extend_from_slice(bytes);
    }

    fn sent(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().outgoing)
    }

    fn now(&self) -> u32 {
        self.0.borrow().now
    }

    /// Changes whenever a byte is read or written.
    fn moved(&self) -> (usize, usize) {
        let world = self.0.borrow();
        (world.incoming.len(), world.outgoing.len())
    }

    fn pass(&self, seconds: u32) {
        let mut world = self.0.borrow_mut();
        world.now = world.now.wrapping_add(seconds * 1000);
    }

    /// Polls the future to its end. When it waits for longer than the world hesitates, the clock goes
    /// on to the end of its delay.
    fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            let before = self.moved();
            for _ in 0..3 {
                if let Poll::Ready(output) = once(future.as_mut()) {
                    return output;
                }
            }
            if self.moved() != before {
                continue;
            }
            let timer = self.0.borrow_mut().timer.take();
            self.0.borrow_mut().now = timer.expect("it waits, and not for a time");
        }
    }
}

fn once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A frame of a client, masked with a key that changes every byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let mut frame = vec![first, 0x80 | payload.len() as u8];
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The memory of a server.
struct Memory([u8; 256], [u8; 64], [u8; 256]);

impl Memory {
    const NEW: Self = Memory([0; 256], [0; 64], [0; 256]);

    fn lend(&mut self) -> Buffers<'_> {
        Buffers { input: &mut self.0, message: &mut self.1, output: &mut self.2 }
    }
}

type Socket<'b> = WebSocket<'b, End, End, Server>;

fn ends(end: &mut End) {
    end.0.borrow_mut().shutdowns += 1;
}

/// A server after its handshake, whose response is taken away.
fn open<'b>(end: &End, memory: &'b mut Memory) -> Socket<'b> {
    end.send(REQUEST);
    let mut ws = WebSocket::server(end.clone(), end.clone(), memory.lend()).shutdown(ends);
    end.run(ws.accept(|_| Ok(AcceptOptions::new()))).unwrap();
    assert!(end.sent().starts_with(b"HTTP/1.1 101 "));
    ws
}

/// Notes what was received, and echoes it.
fn echo<R: Role>(
    log: &mut Vec<String>,
    received: Option<(Message<'_>, &mut Sender<'_, R>)>,
) -> bool {
    let Some((message, sender)) = received else { return false };
    log.push(format!("{message:?}"));
    if let Some(data) = message.data() {
        sender.send(data).unwrap();
    }
    true
}

/// What a client sends in a whole conversation, and what it gets.
fn conversation() -> (Vec<u8>, Vec<u8>) {
    let sent = [
        REQUEST,
        &frame(0x81, "κόσμε".as_bytes()),
        &frame(0x02, &[1, 2, 3]),
        &frame(0x89, b"alive?"),
        &frame(0x80, &[4; 40]),
        &frame(0x82, b""),
        &frame(0x88, b"\x0F\xA1bye"),
    ];
    let mut joined = vec![1, 2, 3];
    joined.extend([4; 40]);
    let got = [
        &[0x81, 10][..],
        "κόσμε".as_bytes(),
        b"\x8A\x06alive?",
        &[0x82, 43],
        &joined,
        &[0x82, 0],
        b"\x88\x02\x0F\xA1",
    ];
    (sent.concat(), got.concat())
}

const LOG: [&str; 5] = [
    "Text(\"κόσμε\")",
    "Ping(ControlPayload([97, 108, 105, 118, 101, 63]))",
    "Binary([1, 2, 3",
    "Binary([])",
    "Close(Some(",
];

fn check(log: &[String], end: &End, got: &[u8]) {
    let sent = end.sent();
    let head = sent.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&sent[head..], got);
    assert_eq!(log.len(), LOG.len(), "{log:?}");
    assert_eq!((&log[0][..], &log[3][..]), (LOG[0], LOG[3]));
    assert!(
        log[1].starts_with("Ping(") && log[2].starts_with(LOG[2]) && log[4].starts_with(LOG[4])
    );
}

#[test]
fn a_conversation_does_not_depend_on_how_the_transport_cuts_it() {
    let (sent, got) = conversation();
    for part in 1..=sent.len() {
        for hesitates in [false, true] {
            let end = End::default();
            *end.0.borrow_mut() = World { part, hesitates, ended: true, ..World::default() };
            end.send(&sent);
            let (mut memory, mut log) = (Memory::NEW, Vec::new());
            let mut ws = WebSocket::server(end.clone(), end.clone(), memory.lend()).shutdown(ends);
            end.run(ws.accept(|_| Ok(AcceptOptions::new()))).unwrap();
            while end.run(ws.wait()).unwrap() {
                while echo(&mut log, ws.receive()) {}
            }
            check(&log, &end, &got);
            assert!(ws.connection().closure().unwrap().clean);
            assert_eq!((end.0.borrow().shutdowns, end.now()), (1, 0));
        }
    }
}

#[test]
fn the_blocking_driver_does_the_same() {
    let (sent, got) = conversation();
    for part in 1..=sent.len() {
        let end = End::default();
        *end.0.borrow_mut() = World { part, hesitates: true, ended: true, ..World::default() };
        end.send(&sent);
        let (mut memory, mut log, mut clock) = (Memory::NEW, Vec::new(), end.clone());
        let ws = blocking::WebSocket::server(end.clone(), move || clock.millis(), memory.lend());
        // The reads of one byte take longer than a handshake may take.
        let mut ws = ws.shutdown(ends).limit(Limit::Handshake, None).limit(Limit::Close, None);
        ws.accept(|_| Ok(AcceptOptions::new())).unwrap();
        while ws.wait().unwrap() {
            while echo(&mut log, ws.receive()) {}
        }
        check(&log, &end, &got);
        assert_eq!(end.0.borrow().shutdowns, 1);
    }
}

/// After each poll that is not ready, the future is dropped and the call is made again.
#[test]
fn waiting_may_be_cancelled_anywhere() {
    let (sent, got) = conversation();
    for part in 1..=16 {
        let end = End::default();
        end.0.borrow_mut().part = part;
        let (mut memory, mut log) = (Memory::NEW, Vec::new());
        let mut ws = open(&end, &mut memory);
        {
            let mut world = end.0.borrow_mut();
            world.hesitates = true;
            world.ended = true;
        }
        end.send(&sent[REQUEST.len()..]);
        let mut cancelled = 0;
        loop {
            let waited = once(pin!(ws.wait()));
            match waited {
                Poll::Pending => cancelled += 1,
                Poll::Ready(more) => {
                    if !more.unwrap() {
                        break;
                    }
                    while echo(&mut log, ws.receive()) {}
                }
            }
        }
        assert!(cancelled > 3);
        assert_eq!(end.sent(), got);
        assert_eq!(log.len(), LOG.len());
    }
}

/// It is sent once or not at all, and never in part.
#[test]
fn sending_may_be_cancelled_anywhere() {
    for polls in 0..20 {
        let end = End::default();
        let mut memory = Memory::NEW;
        let mut ws = open(&end, &mut memory);
        {
            let mut world = end.0.borrow_mut();
            (world.part, world.hesitates) = (3, true);
        }
        let mut called = 0;
        {
            let mut send = pin!(ws.send(|sender| {
                called += 1;
                sender.text("hello")
            }));
            for _ in 0..polls {
                if once(send.as_mut()).is_ready() {
                    break;
                }
            }
        }
        end.run(ws.send(|sender| sender.text("next"))).unwrap();
        let (first, second) = (&b"\x81\x05hello"[..], &b"\x81\x04next"[..]);
        assert_eq!(end.sent(), [if called == 1 { first } else { b"" }, second].concat());
    }
}

#[test]
fn a_dropped_handshake_ends_the_connection() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = WebSocket::server(end.clone(), end.clone(), memory.lend());
    end.send(&REQUEST[..40]);
    assert!(once(pin!(ws.accept(|_| Ok(AcceptOptions::new())))).is_pending());
    end.send(&frame(0x81, b"hi"));
    assert_eq!(end.run(ws.wait()), Ok(false));
    assert!(ws.receive().is_none());
    let sent = end.run(ws.send(|sender| sender.text("hi")));
    assert_eq!(sent, Err(Error::Send(SendError::Closing)));
}

#[test]
fn a_client_and_a_server_talk_to_each_other() {
    for part in [1, 2, 3, 7, 50, 0] {
        let (near, far) = (End::default(), End::default());
        (near.0.borrow_mut().part, far.0.borrow_mut().part) = (part, part);
        let (mut one, mut two) = (Memory::NEW, Memory::NEW);
        let mut keys = 0_u8;
        let masks = move || {
            keys = keys.wrapping_add(1);
            [keys; 4]
        };
        let client = WebSocket::client(near.clone(), near.clone(), masks, one.lend());
        let mut client = client.shutdown(ends);
        let mut server = WebSocket::server(far.clone(), far.clone(), two.lend()).shutdown(ends);
        let server = async {
            server
                .accept(|request| {
                    let chosen = request.choose_subprotocol(&["b", "c"]);
                    Ok(chosen
                        .map_or(AcceptOptions::new(), |it| AcceptOptions::new().subprotocol(it)))
                })
                .await?;
            let mut log = Vec::new();
            while server.wait().await? {
                while echo(&mut log, server.receive()) {}
            }
            Ok::<_, Error<ErrorKind>>((log, server.connection().closure()))
        };
        let client = async {
            let target = Target::parse("ws://h/chat").unwrap();
            let offer = Offer::new().subprotocols(&["a", "b"]);
            let mut chosen = None;
            let seen = |response: &Response<'_>| {
                if let Response::Accepted(accepted) = response {
                    chosen = accepted.subprotocol().map(str::to_owned);
                }
            };
            client.connect(&target, &offer, [7; 16], seen).await?;
            client.send(|sender| sender.fragment(Data::Text("in "), false)).await?;
            client.send(|sender| sender.fragment(Data::Text("two"), true)).await?;
            let mut got = Vec::new();
            while got.is_empty() && client.wait().await? {
                while let Some((message, _)) = client.receive() {
                    got.push(format!("{message:?}"));
                }
            }
            client.close(CloseCode::NORMAL, "done").await?;
            Ok::<_, Error<ErrorKind>>((chosen, got, client.connection().closure()))
        };
        let (mut server, mut client) = (pin!(server), pin!(client));
        let (mut served, mut done) = (None, None);
        for _ in 0..10_000 {
            if served.is_none()
                && let Poll::Ready(output) = once(server.as_mut())
            {
                served = Some(output.unwrap());
            }
            if done.is_none()
                && let Poll::Ready(output) = once(client.as_mut())
            {
                done = Some(output.unwrap());
            }
            // What one writes, the other reads. The end of each is the other's end of stream.
            near.send(&far.sent());
            far.send(&near.sent());
            near.0.borrow_mut().ended = far.0.borrow().shutdowns > 0;
            far.0.borrow_mut().ended = done.is_some();
        }
        let (log, closure) = served.unwrap();
        assert_eq!(log[0], "Text(\"in two\")");
        assert_eq!((closure.unwrap().code, closure.unwrap().clean), (1000, true));
        let (chosen, got, closure) = done.unwrap();
        assert_eq!(
            (chosen.as_deref(), &got[..]),
            (Some("b"), &["Text(\"in two\")".to_owned()][..])
        );
        assert!(closure.unwrap().clean);
        assert_eq!((near.0.borrow().shutdowns, far.0.borrow().shutdowns), (0, 1));
    }
}

#[test]
fn a_silent_peer_is_pinged_and_told_and_its_limit_is_reported_once() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    assert_eq!(end.run(ws.wait()), Err(Error::Limit(Limit::Pong)));
    assert_eq!(end.now(), 45_000);
    let mut wire = b"\x89\x04\0\0\0\x01\x88\x15\x03\xF3".to_vec();
    wire.extend(b"no answer to a Ping");
    assert_eq!(end.sent(), wire);
    for _ in 0..3 {
        assert_eq!(end.run(ws.wait()), Ok(false));
    }
    let sent = end.run(ws.send(|sender| sender.text("late")));
    assert_eq!(sent, Err(Error::Send(SendError::Closing)));
}

/// The peer reads the Close of a limit and answers it.
#[test]
fn a_limit_is_reported_even_if_the_connection_closes_cleanly() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    let mut wait = Box::pin(ws.wait());
    while !end.0.borrow().outgoing.contains(&0x88) {
        assert!(once(wait.as_mut()).is_pending());
        let timer = end.0.borrow_mut().timer.take();
        end.0.borrow_mut().now = timer.unwrap();
        assert!(once(wait.as_mut()).is_pending());
    }
    drop(wait);
    end.send(&frame(0x88, b"\x03\xF3"));
    end.0.borrow_mut().ended = true;
    let mut ended = Vec::new();
    for _ in 0..6 {
        ended.push(end.run(ws.wait()));
        while ws.receive().is_some() {}
    }
    ended.retain(|it| *it != Ok(true));
    assert_eq!(ended[..2], [Err(Error::Limit(Limit::Pong)), Ok(false)]);
    assert!(ws.connection().closure().unwrap().clean);
}

#[test]
fn a_peer_that_stops_reading_is_ended_by_the_limit_of_output() {
    for part in [0, 1] {
        let (end, mut memory) = (End::default(), Memory::NEW);
        let mut ws = open(&end, &mut memory);
        {
            let mut world = end.0.borrow_mut();
            (world.room, world.part) = (Some(10), part);
        }
        let sent = end.run(ws.send(|sender| sender.binary(&[7; 60])));
        // It was told, as far as it reads, and then the time of closing has passed.
        assert_eq!(sent, Err(Error::Limit(Limit::Output)));
        assert_eq!(end.now(), 65_000);
        assert_eq!(end.run(ws.wait()), Ok(false));
    }
    // The blocking driver does not take a write that times out for anything else.
    let (end, mut memory) = (End::default(), Memory::NEW);
    end.send(REQUEST);
    let mut clock = end.clone();
    let mut ws = blocking::WebSocket::server(end.clone(), move || clock.millis(), memory.lend());
    ws.accept(|_| Ok(AcceptOptions::new())).unwrap();
    end.0.borrow_mut().room = Some(10);
    assert_eq!(ws.send(|sender| sender.binary(&[7; 60])), Err(Error::Limit(Limit::Output)));
    assert!((65_000..66_000).contains(&end.now()), "{}", end.now());
}

/// A peer that reads slowly, and sends nothing, is alive.
#[test]
fn a_peer_that_reads_slowly_is_not_pinged() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory).limit(Limit::Output, Some(Duration::from_secs(300)));
    end.0.borrow_mut().room = Some(0);
    let mut send = Box::pin(ws.send(|sender| sender.binary(&[7; 60])));
    for _ in 0..12 {
        assert!(once(send.as_mut()).is_pending());
        end.pass(19);
        assert!(once(send.as_mut()).is_pending());
        end.0.borrow_mut().room = Some(5);
    }
    end.0.borrow_mut().room = None;
    assert_eq!(once(send.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(end.sent(), [&[0x82, 60][..], &[7; 60]].concat());
}

#[test]
fn an_application_may_pause_for_longer_than_every_limit() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    let message = frame(0x81, b"hello");
    // Within a message, and between two.
    for cut in [message.len(), 3, 0] {
        end.send(&message[..cut]);
        while once(pin!(ws.wait())) == Poll::Ready(Ok(true)) {
            while ws.receive().is_some() {}
        }
        end.pass(600);
        end.send(&message[cut..]);
        let mut got = Vec::new();
        while once(pin!(ws.wait())) == Poll::Ready(Ok(true)) {
            while let Some((message, _)) = ws.receive() {
                got.push(format!("{message:?}"));
            }
        }
        assert_eq!(got.len(), usize::from(cut < message.len()), "{got:?}");
        assert_eq!(end.sent(), b"");
    }
    // The time in which something was awaited counts, also if that was dropped.
    for _ in 0..3 {
        let mut wait = Box::pin(ws.wait());
        assert!(once(wait.as_mut()).is_pending());
        end.pass(9);
    }
    assert!(once(pin!(ws.wait())).is_pending());
    assert_eq!(end.sent(), b"\x89\x04\0\0\0\x01");
}

/// The message takes a minute of the peer's time, whatever pauses there are.
#[test]
fn a_message_that_takes_too_long_is_ended_all_the_same() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    let mut ended = Ok(true);
    end.send(&[0x81, 0xBE]);
    while ended == Ok(true) {
        while ws.receive().is_some() {}
        let mut wait = Box::pin(ws.wait());
        let first = once(wait.as_mut());
        ended = match first {
            Poll::Ready(done) => done,
            Poll::Pending => {
                end.pass(10);
                end.send(&[0]);
                end.run(wait)
            }
        };
        assert!(end.now() < 100_000);
    }
    assert_eq!(ended, Err(Error::Limit(Limit::Message)));
}

#[test]
fn a_clock_of_32_bits_may_wrap() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    end.0.borrow_mut().now = u32::MAX - 30_000;
    let mut ws = open(&end, &mut memory);
    // Sixty days, in which the peer answers each Ping.
    let mut pings = 0_u32;
    while pings < 60 * 86_400 / 20 {
        let before = end.now();
        let mut wait = Box::pin(ws.wait());
        assert!(once(wait.as_mut()).is_pending());
        let timer = end.0.borrow_mut().timer.take();
        end.0.borrow_mut().now = timer.unwrap();
        assert!(once(wait.as_mut()).is_pending());
        drop(wait);
        assert_eq!(end.now().wrapping_sub(before), 20_000);
        let ping = end.sent();
        assert_eq!(ping[..2], [0x89, 4]);
        end.send(&frame(0x8A, &ping[2..]));
        assert_eq!(end.run(ws.wait()), Ok(true));
        while ws.receive().is_some() {}
        pings += 1;
    }
}

/// Bytes that are always there must not keep the deadlines from being looked at.
#[test]
fn a_peer_that_floods_does_not_put_off_the_end_of_closing() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    end.0.borrow_mut().floods = true;
    assert_eq!(end.run(ws.close(CloseCode::NORMAL, "")), Err(Error::Limit(Limit::Close)));
    assert!((5_000..5_010).contains(&end.now()), "{}", end.now());
}

/// The Pong has arrived in time, and is read after its deadline.
#[test]
fn what_lies_unread_counts_before_a_deadline_that_has_passed() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    let mut wait = Box::pin(ws.wait());
    assert!(once(wait.as_mut()).is_pending());
    end.pass(20);
    assert!(once(wait.as_mut()).is_pending());
    let ping = end.sent();
    end.send(&frame(0x8A, &ping[2..]));
    end.pass(100);
    assert_eq!(once(wait.as_mut()), Poll::Ready(Ok(true)));
    drop(wait);
    while ws.receive().is_some() {}
    assert!(once(pin!(ws.wait())).is_pending());
    assert_eq!(end.sent(), b"");
}

#[test]
fn a_handshake_that_does_not_come_about_is_answered_and_reported() {
    let mut bad = REQUEST.to_vec();
    bad.splice(..3, *b"PUT");
    let long = [b"GET / HTTP/1.1\r\n".to_vec(), vec![b'x'; 300]].concat();
    let cases: [(&[u8], bool, &str, Error<ErrorKind>); 6] = [
        (REQUEST, false, "404", Error::Refused(404)),
        (&bad, false, "405", Error::Handshake(HandshakeError::MethodNotAllowed)),
        (&long, false, "431", Error::Handshake(HandshakeError::HeadTooLarge)),
        (b"GET ", false, "408", Error::Limit(Limit::Handshake)),
        (b"GET ", true, "", Error::Ended),
        (b"", true, "", Error::Ended),
    ];
    for (request, ended, status, error) in cases {
        for part in [0, 1, 5] {
            for shutdown in [false, true] {
                let (end, mut memory) = (End::default(), Memory::NEW);
                *end.0.borrow_mut() = World { part, ended, ..World::default() };
                end.send(request);
                let mut ws = WebSocket::server(end.clone(), end.clone(), memory.lend());
                if shutdown {
                    ws = ws.shutdown(ends);
                }
                assert_eq!(end.run(ws.accept(|_| Err(404))), Err(error));
                let sent = String::from_utf8(end.sent()).unwrap();
                assert_eq!(sent.get(9..12).unwrap_or(""), status);
                let ends = shutdown && !status.is_empty();
                assert_eq!(end.0.borrow().shutdowns, usize::from(ends));
                // With an end of stream, it is waited for in the time of closing.
                let handshake = if status == "408" { 10_000 } else { 0 };
                assert_eq!(end.now(), handshake + if ends { 5_000 } else { 0 });
                assert_eq!(end.run(ws.wait()), Ok(false));
            }
        }
    }
}

#[test]
fn a_client_is_told_why_it_is_refused() {
    let responses: [(&[u8], Error<ErrorKind>); 3] = [
        (b"HTTP/1.1 401 Unauthorized\r\nX: y\r\n\r\n", Error::Refused(401)),
        (b"SSH-2.0-OpenSSH", Error::Handshake(HandshakeError::InvalidHttpVersion)),
        (b"HTTP/1.1 101 Sw", Error::Limit(Limit::Handshake)),
    ];
    for (response, error) in responses {
        let (end, mut memory) = (End::default(), Memory::NEW);
        let mut ws = WebSocket::client(end.clone(), end.clone(), || [1; 4], memory.lend());
        end.send(response);
        let target = Target::parse("ws://h/").unwrap();
        assert_eq!(end.run(ws.connect(&target, &Offer::new(), [1; 16], |_| ())), Err(error));
        assert!(end.sent().starts_with(b"GET / HTTP/1.1\r\nHost: h\r\n"));
    }
}

/// As on a UART: no end of stream, and nothing to end.
#[test]
fn without_an_end_of_stream_the_closing_handshake_is_the_end() {
    for code in [0x03, 0x00] {
        let (end, mut memory) = (End::default(), Memory::NEW);
        end.send(REQUEST);
        let mut ws = WebSocket::server(end.clone(), end.clone(), memory.lend());
        end.run(ws.accept(|_| Ok(AcceptOptions::new()))).unwrap();
        // A Close, or a Close with an invalid code, which fails the connection.
        end.send(&frame(0x88, &[code, 0xE8]));
        end.sent();
        while end.run(ws.wait()).unwrap() {
            while ws.receive().is_some() {}
        }
        assert_eq!(end.now(), 0);
        let sent = if code == 3 { b"\x88\x02\x03\xE8" } else { b"\x88\x02\x03\xEA" };
        assert_eq!(end.sent(), sent);
        assert_eq!(ws.connection().closure().unwrap().clean, code == 3);
    }
}

#[test]
fn the_length_of_the_message_buffer_is_the_limit_however_a_message_arrives() {
    for (length, taken) in [(64, true), (65, false)] {
        for part in [0, 1, 30] {
            let (end, mut memory) = (End::default(), Memory::NEW);
            let mut ws = open(&end, &mut memory);
            end.0.borrow_mut().part = part;
            end.send(&frame(0x82, &vec![7; length]));
            let mut got = Vec::new();
            while got.is_empty() && end.run(ws.wait()).unwrap() {
                while let Some((message, _)) = ws.receive() {
                    got.push(matches!(message, Message::Binary(data) if data.len() == length));
                }
            }
            assert_eq!(got, [taken]);
        }
    }
}

#[test]
fn what_does_not_fit_is_not_sent_and_the_next_message_is() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    let sent = end.run(ws.send(|sender| sender.binary(&[0; 253])));
    assert_eq!(sent, Err(Error::Send(SendError::Full)));
    end.run(ws.send(|sender| sender.binary(&[1; 252]))).unwrap();
    assert_eq!(end.sent(), [&[0x82, 126, 0, 252][..], &[1; 252]].concat());
    assert!(end.0.borrow().flushes > 0);
}

#[test]
fn a_transport_that_fails_is_reported_once() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    end.0.borrow_mut().fails = true;
    assert_eq!(end.run(ws.wait()), Err(Error::Io(ErrorKind::ConnectionReset)));
    assert_eq!(end.run(ws.wait()), Ok(false));
    assert_eq!(ws.connection().closure().unwrap().code, 1006);

    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory);
    end.0.borrow_mut().fails = true;
    let sent = end.run(ws.send(|sender| sender.text("hi")));
    assert_eq!(sent, Err(Error::Io(ErrorKind::ConnectionReset)));
    assert_eq!(end.run(ws.wait()), Ok(false));
}

/// §7.1.4: some peers end the transport so, once a Close went each way.
#[test]
fn a_transport_that_fails_after_both_closes_is_no_error() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    let mut ws = open(&end, &mut memory).shutdown(|end| end.0.borrow_mut().fails = true);
    end.send(&frame(0x88, b"\x03\xE8"));
    assert_eq!(end.run(ws.wait()), Ok(true));
    assert!(matches!(ws.receive(), Some((Message::Close(Some(_)), _))));
    assert_eq!(end.run(ws.wait()), Ok(false));
    assert!(ws.connection().closure().unwrap().clean);
}

#[test]
fn a_clock_that_steps_back_passes_no_limit() {
    let (end, mut memory) = (End::default(), Memory::NEW);
    end.0.borrow_mut().now = 1000;
    let mut ws = open(&end, &mut memory);
    end.0.borrow_mut().room = Some(0);
    let mut send = Box::pin(ws.send(|sender| sender.text("hi")));
    assert!(once(send.as_mut()).is_pending());
    end.0.borrow_mut().now -= 1;
    end.0.borrow_mut().room = Some(1);
    // A peer that takes one byte has all the time that it is given.
    assert_eq!(end.run(send), Err(Error::Limit(Limit::Output)));
    assert!((59_000..70_000).contains(&end.now()), "{}", end.now());
}

/// Memory that is too short for anything is an error, and no panic.
#[test]
fn buffers_of_any_length_do_no_harm() {
    for length in 0..REQUEST.len() {
        let (mut input, mut message, mut output) =
            (vec![0; length], vec![0; length], vec![0; length]);
        let buffers = Buffers { input: &mut input, message: &mut message, output: &mut output };
        let end = End::default();
        end.0.borrow_mut().ended = true;
        end.send(
            &[&frame(0x89, &[9; 125])[..], &frame(0x81, b"hi"), &frame(0x81, &[0xFF])].concat(),
        );
        let mut ws = WebSocket::server(end.clone(), end.clone(), buffers).shutdown(ends);
        while end.run(ws.wait()).unwrap() {
            while ws.receive().is_some() {}
        }
        assert!(ws.connection().closure().is_some());
        let (mut input, mut output) = (vec![0; length], vec![0; length]);
        let buffers = Buffers { input: &mut input, message: &mut [], output: &mut output };
        let end = End::default();
        end.send(REQUEST);
        let mut ws = WebSocket::server(end.clone(), end.clone(), buffers);
        assert!(end.run(ws.accept(|_| Ok(AcceptOptions::new()))).is_err());
    }
}
