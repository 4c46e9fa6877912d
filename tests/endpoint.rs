//! Endpoints in each phase: the result of each input, call and tick.

use std::time::Duration;

use crate::common::{
    self, Keys,
    endpoint::{block, fill},
    frame, mask, name, show, show_close, unmask,
};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Closure, Data, Initiator, Limit, MaskSource, NextStep,
    Prepared, Role, SendError, Server,
    endpoint::{Cause, Endpoint, Incoming, Options},
    handshake::{AcceptOptions, HandshakeError, HeadError, Offer, Target},
};

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: a, b\r\n\r\n";
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: b\r\n\r\n";

/// The ways to drive an endpoint. All give the same.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Each input is received whole, out of a buffer of the driver's.
    Whole,
    /// Each input is received byte by byte.
    Bytes,
    /// Each event is waited for with `ready`.
    Ready,
    /// Each input is read into a buffer of the endpoint's.
    ReadBuffer,
    /// The output is taken out in buffers.
    TakenOutput,
}

/// An endpoint on its way through a row of the table.
struct Run<R> {
    way: Way,
    ws: Endpoint<R>,
    client: bool,
    events: Vec<String>,
    written: Vec<u8>,
    /// The latest time that was told.
    now: Duration,
}

/// How a role answers a request.
trait Answer: Sized {
    /// Answers that are refused.
    fn misanswer(ws: &mut Endpoint<Self>);
    fn answer(ws: &mut Endpoint<Self>, word: &str) -> Result<(), HeadError>;
}

impl Answer for Server {
    fn misanswer(ws: &mut Endpoint<Self>) {
        let unknown = AcceptOptions::new().subprotocol("c");
        for _ in 0..2 {
            if let Some(request) = ws.request() {
                assert_eq!(request.accept(&unknown), Err(HeadError::SubprotocolNotOffered));
            }
            if let Some(request) = ws.request() {
                assert_eq!(request.reject(101, &[], b""), Err(HeadError::InvalidStatus));
            }
        }
    }

    fn answer(ws: &mut Endpoint<Self>, word: &str) -> Result<(), HeadError> {
        let Some(request) = ws.request() else { return Ok(()) };
        match word {
            "accept" => request.accept(&AcceptOptions::new()),
            _ => request.reject(403, &[], b"no"),
        }
    }
}

impl Answer for Client<Keys> {
    fn misanswer(_: &mut Endpoint<Self>) {}

    fn answer(_: &mut Endpoint<Self>, _: &str) -> Result<(), HeadError> {
        Ok(())
    }
}

impl<R: Role + Answer> Run<R> {
    fn new(ws: Endpoint<R>, client: bool) -> Self {
        let (events, written, now) = (Vec::new(), Vec::new(), Duration::ZERO);
        Run { way: Way::Whole, ws, client, events, written, now }
    }

    fn bytes(&self, word: &str) -> Vec<u8> {
        let frames = match word {
            "REQUEST" => return REQUEST.into(),
            "RESPONSE" => return RESPONSE.into(),
            "HALF" => return REQUEST[..30].into(),
            "REST" => return REQUEST[30..].into(),
            "BAD" => return "GET / HTTP/1.1\r\nHost: h\r\n\r\n".into(),
            "SSH" => return "SSH-2.0-x\r\n".into(),
            "404" => return "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone".into(),
            "hi" => frame(0x81, b"hi"),
            "data" => frame(0x82, b"data"),
            "part" => frame(0x01, b"pa"),
            "rest" => frame(0x80, b"rt"),
            "ping" => frame(0x89, b"?"),
            "pong" => frame(0x8A, &[0, 0, 0, 1]),
            "close" => frame(0x88, b"\x0F\xA1bye"),
            "close-" => frame(0x88, b""),
            "fault" => frame(0x83, b""),
            "nothing" => return Vec::new(),
            other => panic!("unknown input {other:?}"),
        };
        if self.client { frames } else { mask(&frames) }
    }

    fn receive(&mut self, bytes: &[u8]) {
        match self.way {
            Way::Bytes if !bytes.is_empty() => bytes.chunks(1).for_each(|byte| self.read(byte)),
            Way::ReadBuffer => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let buffer = self.ws.read_buffer();
                    let length = buffer.len().min(rest.len());
                    buffer[..length].copy_from_slice(&rest[..length]);
                    self.ws.filled(length);
                    rest = &rest[length..];
                    self.read(&[]);
                }
                self.read(&[]);
            }
            _ => self.read(bytes),
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        let mut input = &mut buffer[..];
        loop {
            let ready = self.way == Way::Ready && self.ws.ready(&mut input);
            // Asked again, the answer is the same, and there is time to send something.
            assert_eq!(ready, ready && self.ws.ready(&mut input));
            let Some((incoming, _)) = self.ws.receive(&mut input) else {
                assert!(!ready, "`ready` promises an event");
                break;
            };
            assert!(ready || self.way != Way::Ready, "`ready` misses an event");
            self.events.push(describe(&incoming));
        }
        assert!(input.is_empty(), "`None` means that the input is empty");
    }

    fn write(&mut self, most: usize) {
        if self.way == Way::TakenOutput && most == usize::MAX {
            let output = self.ws.take_output(vec![1, 2, 3]);
            assert_eq!(self.ws.output(), b"");
            if !output.is_empty() {
                assert_eq!(self.ws.next_step(), NextStep::Continue);
            }
            self.written.extend(&output);
            self.ws.written(output.len());
            return;
        }
        let count = most.min(self.ws.output().len());
        self.written.extend(&self.ws.output()[..count]);
        self.ws.written(count);
    }

    /// One step of a driver, and the tick that it asks for by a deadline that is now.
    fn step(&mut self, word: &str) {
        let before = self.ws.deadline();
        self.do_step(word);
        match (before, self.ws.deadline()) {
            (before, Some(now))
                if now == self.now && before != Some(now) && !word.starts_with('@') =>
            {
                self.ws.tick(now);
            }
            _ => {}
        }
    }

    fn do_step(&mut self, word: &str) {
        let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
        let sent = match word.split_at(1) {
            ("<", input) => {
                let bytes = self.bytes(input);
                self.receive(&bytes);
                Ok(())
            }
            // One tick, and two.
            ("@", "") => unreachable!(),
            ("@", time) => {
                let now = seconds(time.trim_end_matches('!'));
                self.now = self.now.max(now);
                for _ in 0..=usize::from(time.ends_with('!')) {
                    self.ws.tick(now);
                }
                Ok(())
            }
            (">", "") => {
                self.write(usize::MAX);
                Ok(())
            }
            (">", count) => {
                self.write(count.parse().unwrap());
                Ok(())
            }
            _ => match word {
                "accept" | "reject" => {
                    R::answer(&mut self.ws, word).unwrap();
                    Ok(())
                }
                "text" => self.ws.text("hi"),
                "long" => self.ws.binary(&[7; 2000]),
                "clog" => {
                    clog(&mut self.ws);
                    Ok(())
                }
                "goodbye" => self.ws.close(CloseCode::GOING_AWAY, "bye"),
                "eof" => {
                    self.ws.receive_eof();
                    Ok(())
                }
                "abort" => {
                    self.ws.abort();
                    Ok(())
                }
                "step" => {
                    let step = self.ws.next_step();
                    self.events.push(format!("{step:?}"));
                    Ok(())
                }
                other => panic!("unknown step {other:?}"),
            },
        };
        if let Err(error) = sent {
            self.events.push(format!("{error:?}"));
        }
    }

    /// What was written, and what is to be written behind a `|`.
    fn output(&self) -> String {
        let all = [&self.written, self.ws.output()].concat();
        let end = all.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        let (head, frames) =
            all.split_at(if all.starts_with(b"HTTP") || all.starts_with(b"GET") { end } else { 0 });
        let mut words = Vec::new();
        if !head.is_empty() {
            let head = String::from_utf8(head.to_vec()).unwrap();
            words.push(head.split(' ').nth(1).unwrap().to_owned());
        }
        if words.first().is_some_and(|word| word == "403") {
            assert_eq!(frames, b"no");
        } else {
            let frames = if self.client { unmask(frames) } else { frames.to_vec() };
            words.extend(sent(&frames));
        }
        if !self.ws.output().is_empty() {
            words.push("|".to_owned());
        }
        words.join(" ")
    }
}

fn describe(incoming: &Incoming<'_>) -> String {
    match incoming {
        Incoming::Request => "request".to_owned(),
        Incoming::Opened(response) => format!("opened {}", response.subprotocol().unwrap_or("-")),
        Incoming::Refused { response, .. } => format!("refused {}", response.status()),
        Incoming::HandshakeFailed(error) => format!("{error:?}"),
        Incoming::Text(text) => format!("text {text}"),
        Incoming::Binary(data) => format!("binary {}", show(data)),
        Incoming::Ping(payload) => format!("ping {}", show(payload)),
        Incoming::Pong(payload) => format!("pong {}", show(payload)),
        Incoming::Close(close) => show_close(close.as_ref()),
        Incoming::Failed(failure) => format!("failed {}", name(*failure)),
        other => panic!("unknown event {other:?}"),
    }
}

/// A word for each frame.
fn sent(mut frames: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    while let [first, second, ..] = *frames {
        let (header, length) = match second {
            126 => (4, usize::from(u16::from_be_bytes([frames[2], frames[3]]))),
            length => (2, usize::from(length)),
        };
        let payload = &frames[header..header + length];
        words.push(match (first, payload) {
            (0x88, [high, low, ..]) => format!("close:{}", u16::from_be_bytes([*high, *low])),
            (0x88, []) => "close".to_owned(),
            (0x89, _) => "ping".to_owned(),
            (0x8A, _) => "pong".to_owned(),
            (0x81 | 0x82, _) => format!("{length}B"),
            _ => panic!("unexpected frame {first:02X}"),
        });
        frames = &frames[header + length..];
    }
    words
}

fn options() -> Options {
    Options::new().water_marks(100, 1000)
}

/// Lets so much output wait that nothing is received.
fn clog<R: Role>(ws: &mut Endpoint<R>) {
    fill(ws, 2000);
    block(ws, 2000);
}

fn server() -> Run<Server> {
    Run::new(Endpoint::server(&options()), false)
}

fn client() -> Run<Client<Keys>> {
    let target = Target::parse("ws://h/chat").unwrap();
    let offer = Offer::new().subprotocols(&["a", "b"]);
    let mask = Keys::default();
    let ws = Endpoint::client(&target, &offer, *b"the sample nonce", mask, &options());
    Run::new(ws.unwrap(), true)
}

/// What is left of a run.
fn result<R: Role + Answer>(mut run: Run<R>, way: Way, script: &str) -> [String; 5] {
    run.way = way;
    for word in script.split_whitespace() {
        run.step(word);
    }
    let step = format!("{:?}", run.ws.next_step());
    let step = if run.ws.wants_read() { format!("{step} read") } else { step };
    let deadline = run.ws.deadline().map_or(String::new(), |at| at.as_secs().to_string());
    let ending = run.ws.ending().map_or(String::new(), |ending| ending.to_string());
    [run.events.join(", "), run.output(), step, deadline, ending]
}

/// Runs. A script is read as:
///
/// - `<x` receives something, and `>` writes all output, or so many bytes.
/// - `@5` ticks once at 5 s, `@5!` twice.
/// - The other words are calls; `step` reports what is to be done with the transport.
///
/// The columns are the events, the output, the next step and whether to read, the deadline in
/// seconds, and the ending. A bar follows output that is still to be written. In these runs more
/// than 1000 bytes of output are too much, until 100 are left.
const TABLE: &str = include_str!("endpoint.txt");

/// The rows of the table: whether it is a client, the script and the cells.
fn rows() -> impl Iterator<Item = (bool, &'static str, Vec<&'static str>)> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|line| {
        let mut cells = line.split('¦').map(str::trim);
        let row = cells.next().unwrap();
        let (role, script) = row.split_once(' ').unwrap_or((row, ""));
        (role == "client", script, cells.collect())
    })
}

fn run(client_side: bool, way: Way, script: &str) -> [String; 5] {
    if client_side { result(client(), way, script) } else { result(server(), way, script) }
}

fn check(way: Way) {
    let mut wrong = Vec::new();
    for (client, script, expected) in rows() {
        let got = run(client, way, script);
        if got[..] != expected[..] {
            let role = if client { "client" } else { "server" };
            wrong.push(format!("{role} {script} ¦ {}", got.join(" ¦ ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_phase_input_and_time_gives_what_the_table_says() {
    check(Way::Whole);
}

#[test]
fn input_may_be_split_anywhere_in_every_phase() {
    check(Way::Bytes);
}

#[test]
fn ready_says_whether_receive_returns_an_event() {
    check(Way::Ready);
}

#[test]
fn a_buffer_of_the_endpoint_does_as_well_as_one_of_the_driver() {
    check(Way::ReadBuffer);
}

#[test]
fn output_that_is_taken_out_counts_until_it_is_written() {
    check(Way::TakenOutput);
}

#[test]
fn a_call_that_is_refused_changes_nothing_in_any_phase() {
    fn misuse<R: Role + Answer>(mut run: Run<R>, words: &[&str]) {
        for word in words {
            run.step(word);
        }
        let state =
            |ws: &Endpoint<R>| (ws.output().to_vec(), ws.deadline(), ws.wants_read(), ws.ending());
        let before = state(&run.ws);
        let ws = &mut run.ws;
        let long = "x".repeat(126);
        assert!(ws.ping(long.as_bytes()).is_err());
        assert!(ws.pong(long.as_bytes()).is_err());
        assert!(ws.close(CloseCode::NORMAL, &long).is_err());
        if !run.client {
            assert!(ws.close(CloseCode::MANDATORY_EXTENSION, "").is_err());
        }
        R::misanswer(ws);
        // Each is tried only where it is refused.
        if let Some(error) = cannot_send(ws) {
            for result in [
                ws.text(&long),
                ws.binary(&[]),
                ws.send(Data::Text("x")),
                ws.send_uncompressed(Data::Binary(b"x")),
                ws.fragment(Data::Text("x"), false),
                ws.ping(b"x"),
            ] {
                assert_eq!(result, Err(error));
            }
        }
        ws.filled(5);
        assert_eq!(state(&run.ws), before, "{words:?}");
    }

    /// Why nothing can be sent now, if so. A Ping that is too long never is.
    fn cannot_send<R: Role>(ws: &mut Endpoint<R>) -> Option<SendError> {
        ws.ping(&[0; 126]).err().filter(|error| *error != SendError::ControlTooLong)
    }

    for (client_side, script, _) in rows() {
        let words: Vec<_> = script.split_whitespace().collect();
        for length in 0..=words.len() {
            if client_side {
                misuse(client(), &words[..length]);
            } else {
                misuse(server(), &words[..length]);
            }
        }
    }
}

#[test]
fn a_request_is_there_until_it_is_answered() {
    let mut run = server();
    assert!(run.ws.request().is_none());
    run.step("<REQUEST");
    for _ in 0..2 {
        let request = run.ws.request().expect("it waits");
        assert_eq!((request.resource().path(), request.host()), ("/chat", "h"));
    }
    // A subprotocol that is borrowed from the request.
    let request = run.ws.request().expect("it waits");
    let second = request.subprotocols().nth(1).expect("two were offered");
    request.accept(&AcceptOptions::new().subprotocol(second)).unwrap();
    assert!(String::from_utf8_lossy(run.ws.output()).contains("Sec-WebSocket-Protocol: b\r\n"));
    assert!(run.ws.request().is_none());
}

#[test]
fn the_response_to_a_request_that_failed_can_be_replaced_until_some_of_it_has_left() {
    let late = Err(HeadError::AlreadyAnswered);
    let page = [("Content-Type", "text/plain")];
    let mut ws = Endpoint::server(&Options::new());
    assert_eq!(ws.respond(200, &page, b"hello"), late);
    let mut read = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec();
    match ws.receive(&mut &mut read[..]) {
        Some((Incoming::HandshakeFailed(HandshakeError::UpgradeMissing), sender)) => {
            let before = sender.output().to_vec();
            assert_eq!(sender.respond(101, &page, b""), Err(HeadError::InvalidStatus));
            assert_eq!(sender.output(), before);
            sender.respond(200, &page, b"hello").unwrap();
        }
        other => panic!("{other:?}"),
    }
    let response = String::from_utf8(ws.output().to_vec()).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.contains("Content-Type: text/plain\r\n") && response.ends_with("hello"));
    ws.written(1);
    assert_eq!(ws.respond(200, &page, b"again"), late);
    ws.written(ws.output().len());
    assert_eq!(ws.respond(200, &page, b"again"), late);
    assert_eq!(ws.next_step(), NextStep::ShutdownWrite);
    ws.receive_eof();
    assert_eq!(ws.next_step(), NextStep::Drop);

    // The response of a rejection can be replaced, too, and that of an opening cannot.
    for answer in ["accept", "reject"] {
        let mut run = server();
        run.step("<REQUEST");
        assert_eq!(run.ws.respond(200, &page, b""), late);
        run.step(answer);
        let refused = run.ws.respond(404, &page, b"");
        assert_eq!(refused.is_err(), answer == "accept");
    }
}

#[test]
fn a_refusal_comes_with_its_headers_and_as_much_of_its_body_as_has_arrived() {
    let response = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 9\r\n\r\ngo there!";
    for length in response.len() - 9..=response.len() {
        let mut run = client();
        let mut read = response[..length].to_vec();
        match run.ws.receive(&mut &mut read[..]) {
            Some((Incoming::Refused { response: refused, body }, _)) => {
                assert_eq!(refused.headers().first("location"), Some(&b"/login"[..]));
                assert_eq!(body, &response[response.len() - 9..length]);
            }
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn what_follows_a_head_is_received_by_itself() {
    let frames = [frame(0x81, b"one"), frame(0x89, b"?"), frame(0x02, b"tw"), frame(0x80, b"o")];
    for is_client in [false, true] {
        let head = if is_client { RESPONSE } else { REQUEST };
        let frames =
            frames.iter().flat_map(|frame| if is_client { frame.clone() } else { mask(frame) });
        let all: Vec<u8> = head.bytes().chain(frames).collect();
        fn check<R: Role + Answer>(mut run: Run<R>, parts: &[&[u8]]) {
            for part in parts {
                let mut buffer = part.to_vec();
                let mut input = &mut buffer[..];
                while let Some((incoming, _)) = run.ws.receive(&mut input) {
                    run.events.push(describe(&incoming));
                    R::answer(&mut run.ws, "accept").unwrap();
                }
            }
            let opened = if run.client { "opened b" } else { "request" };
            assert_eq!(run.events, [opened, "text one", "ping 3F", "binary 74 77 6F"]);
        }
        for at in 0..=all.len() {
            let (front, back) = all.split_at(at);
            if is_client {
                check(client(), &[front, back]);
            } else {
                check(server(), &[front, back]);
            }
        }
    }
}

#[test]
fn limits_can_be_set_and_lifted() {
    let seconds = Duration::from_secs;
    let mut options = Options::new().limit(Limit::Decision, Some(seconds(3)));
    options = options.limit(Limit::Idle, None).limit(Limit::Close, None);
    let mut run = Run::new(Endpoint::server(&options), false);
    run.step("@1");
    run.step("<REQUEST");
    assert_eq!(run.ws.deadline(), Some(seconds(4)));
    run.step("accept");
    run.step(">");
    assert_eq!(run.ws.deadline(), None);
    run.step("goodbye");
    assert_eq!(run.ws.deadline(), None);
}

#[test]
fn a_reply_to_the_message_just_received_always_has_room() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new().water_marks(0, 10)).unwrap();
    let mut read = mask(&frame(0x81, b"0123456789abcdef")).repeat(20);
    let mut input = &mut read[..];
    let (mut received, mut turns) = (0, 0);
    loop {
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            let Incoming::Text(text) = incoming else { panic!("{incoming:?}") };
            assert_eq!(sender.text(text), Ok(()));
            assert_eq!(sender.text(text), Err(SendError::Full));
            assert_eq!(
                sender.close(CloseCode::NORMAL, &"x".repeat(124)),
                Err(SendError::ReasonTooLong)
            );
            received += 1;
        }
        assert!(input.is_empty());
        if ws.output().is_empty() {
            break;
        }
        ws.written(7);
        turns += 1;
        assert!(turns < 100, "what is written is written again");
    }
    assert_eq!(received, 20);
    assert!(ws.wants_read());
}

#[test]
fn a_driver_that_reads_on_regardless_is_stopped() {
    let mut run = server();
    for word in ["<REQUEST", "accept", ">", "clog"] {
        run.step(word);
    }
    let (mut read, mut times) = (mask(&frame(0x81, &[b'a'; 100])), 0);
    while run.events.len() == 1 {
        run.receive(&read);
        times += 1;
    }
    assert_eq!(run.events, ["request", "failed Unread"]);
    // As much as output may wait, and the longest head.
    assert_eq!(times, 1 + (1000 + (16 << 10)) / read.len());
    run.step(">");
    assert_eq!(run.output(), "101 2000B 2000B close:1011");
    // One read may be as long as it is.
    read = read.repeat(300);
    let mut run = server();
    for word in ["<REQUEST", "accept", ">", "clog"] {
        run.step(word);
    }
    run.receive(&read);
    run.step(">");
    run.receive(&[]);
    assert_eq!(run.events.len(), 301);
    // Behind a request, the head counts, too.
    let mut run = server();
    run.step("<REQUEST");
    let more = vec![0; (16 << 10) - REQUEST.len()];
    run.receive(&more);
    assert_eq!(run.events, ["request"]);
    run.receive(&[0]);
    assert_eq!(run.events, ["request", "HeadTooLarge"]);
    assert_eq!(run.output(), "431 |");
    // Also if all of it comes with the request.
    for (extra, events) in [(0, &["request"][..]), (1, &["request", "HeadTooLarge"])] {
        let mut run = server();
        run.receive(&[REQUEST.as_bytes(), &more, &vec![0; extra]].concat());
        assert_eq!(run.events, events);
        assert_eq!(run.ws.request().is_some(), extra == 0);
    }
}

#[test]
fn a_message_of_any_size_arrives_in_pieces() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let payload = common::random(300_000);
    let message = mask(&frame(0x82, &payload));
    let mut arrived = 0;
    for part in message.chunks(10_007) {
        let mut part = part.to_vec();
        let mut input = &mut part[..];
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Binary(data) => {
                    assert!(data == payload);
                    sender.fragment(Data::Binary(&data[..1000]), false).unwrap();
                    sender.ping(b"between").unwrap();
                    sender.fragment(Data::Binary(&data[1000..]), true).unwrap();
                }
                other => panic!("{other:?}"),
            }
            arrived += 1;
        }
    }
    assert_eq!(arrived, 1);
    let mut expected = frame(0x02, &payload[..1000]);
    expected.extend(frame(0x89, b"between"));
    expected.extend(frame(0x80, &payload[1000..]));
    assert!(ws.output() == expected);
}

#[test]
fn what_is_written_in_parts_is_not_written_twice() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    let (mut expected, mut written) = (Vec::<u8>::new(), Vec::<u8>::new());
    for number in 0..50_u8 {
        ws.binary(&vec![number; usize::from(number)]).unwrap();
        expected.extend(frame(0x82, &vec![number; usize::from(number)]));
        let count = ws.output().len().min(usize::from(number % 7) * 5);
        if number % 5 == 0 {
            let taken = ws.take_output(Vec::new());
            written.extend(&taken);
            // More than there is counts as all of it.
            ws.written(if number % 10 == 0 { taken.len() } else { usize::MAX });
        } else {
            written.extend(&ws.output()[..count]);
            ws.written(count);
        }
    }
    written.extend(ws.output());
    assert!(written == expected);
}

#[test]
fn the_high_water_mark_counts_what_waits_and_nothing_else() {
    for taken in [false, true] {
        let options = Options::new().water_marks(100, 1000);
        let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
        // What was written leaves room, though the rest still lies behind it.
        ws.binary(&[7; 900]).unwrap();
        ws.written(300);
        if taken {
            // What was taken out waits.
            assert_eq!(ws.take_output(Vec::new()).len(), 604);
        }
        ws.binary(&[7; 300]).unwrap();
        ws.binary(&[7; 80]).unwrap();
        assert_eq!(ws.ping(b"?"), Ok(()));
        ws.binary(&[7; 10]).unwrap();
        assert_eq!(ws.ping(b"?"), Err(SendError::Full));
    }
}

#[test]
fn an_attempt_that_never_opened_counts_as_closed_with_1006_and_not_clean() {
    for script in ["<BAD", "<SSH", "<HALF eof", "abort", "<REQUEST reject", "@0 @10!"] {
        let mut run = server();
        script.split_whitespace().for_each(|word| run.step(word));
        let ending = run.ws.ending().expect("it will not open");
        let Closure { code, clean, sent, failure, .. } = ending.closure;
        assert_eq!((ending.opened, code, clean, sent, failure), (false, 1006, false, None, None));
        assert_eq!((ending.received, ending.sent), (None, None));
    }
}

#[test]
fn a_low_water_mark_above_the_high_one_is_the_same_as_it() {
    let options = Options::new().water_marks(5000, 100);
    let mut ws = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    ws.binary(&[7; 118]).unwrap();
    ws.written(19);
    assert_eq!(ws.text("hi"), Err(SendError::Full));
    ws.written(1);
    assert_eq!(ws.text("hi"), Ok(()));
}

#[test]
fn an_ending_says_which_limit_or_rule_it_was() {
    for (script, cause) in [
        ("<REQUEST reject > eof", Some(Cause::Status(403))),
        ("<BAD > eof", Some(Cause::Handshake(HandshakeError::UpgradeMissing))),
        ("@0 @10! > @15!", Some(Cause::Limit(Limit::Handshake))),
        ("<REQUEST @0 @30! > @35!", Some(Cause::Limit(Limit::Decision))),
        ("<REQUEST accept > @0 @20! > @40! > @45!", Some(Cause::Limit(Limit::Pong))),
        ("<REQUEST accept > @0 goodbye > @5!", Some(Cause::Limit(Limit::Close))),
        ("<REQUEST accept > <fault > eof", None),
        ("<HALF eof", None),
    ] {
        let mut run = server();
        script.split_whitespace().for_each(|word| run.step(word));
        assert_eq!(run.ws.ending().expect("it has ended").cause, cause, "{script}");
    }
}

#[test]
fn both_codes_and_both_reasons_are_reported_when_closes_cross() {
    let mut run = server();
    for word in ["<REQUEST", "accept", ">", "goodbye", "<close", ">", "eof"] {
        run.step(word);
    }
    let ending = run.ws.ending().expect("it has ended");
    let close = |code, reason| CloseFrame::new(CloseCode::new(code).unwrap(), reason).ok();
    assert_eq!((ending.received, ending.sent), (close(4001, "bye"), close(1001, "bye")));
    let Closure { code, clean, sent, initiator, .. } = ending.closure;
    assert_eq!((code, clean, sent), (4001, true, Some(1001)));
    assert_eq!(initiator, Some(Initiator::Local));
}

#[test]
fn a_prepared_message_is_sent_like_any_other() {
    let message = Prepared::new(Data::Text("to all"));
    let mut run = server();
    assert_eq!(run.ws.prepared(&message), Err(SendError::NotOpen));
    for word in ["<REQUEST", "accept", ">"] {
        run.step(word);
    }
    run.ws.prepared(&message).unwrap();
    assert_eq!(run.ws.output(), b"\x81\x06to all");
    run.step("long");
    assert_eq!(run.ws.prepared(&message), Err(SendError::Full));
}

#[test]
fn sign_of_life_in_output_counts_only_while_it_waits() {
    let seconds = Duration::from_secs;
    let mut run = server();
    for word in ["@0", "<REQUEST", "accept", ">", "@1", "text", "@5", ">", "@6"] {
        run.step(word);
    }
    assert_eq!(run.ws.deadline(), Some(seconds(20)), "what the transport buffers says nothing");
    for word in ["text", ">1", "@7", ">"] {
        run.step(word);
    }
    assert_eq!(run.ws.deadline(), Some(seconds(27)), "the peer has read");
}

/// The transport between them holds 64 bytes in each direction.
#[test]
fn two_sides_that_send_before_they_read_do_not_wait_for_each_other() {
    let mut server = Endpoint::open(Server, Agreed::new(), &options()).unwrap();
    let mut client = Endpoint::open(Client(Keys::default()), Agreed::new(), &options()).unwrap();
    server.binary(&[1; 5000]).unwrap();
    client.binary(&[2; 5000]).unwrap();
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    let mut received = (0, 0);
    for _ in 0..1000 {
        received.0 += turn(&mut server, &mut to_server, &mut to_client);
        received.1 += turn(&mut client, &mut to_client, &mut to_server);
    }
    // Each answers the other's message with one that is as long.
    assert_eq!(received, (2, 2));

    /// Returns how many messages were received.
    fn turn<R: Role>(ws: &mut Endpoint<R>, from: &mut Vec<u8>, to: &mut Vec<u8>) -> usize {
        let mut count = 0;
        if ws.wants_read() {
            let mut read = std::mem::take(from);
            let mut input = &mut read[..];
            while let Some((incoming, sender)) = ws.receive(&mut input) {
                match incoming {
                    Incoming::Binary([..=2, ..]) => sender.binary(&[3; 5000]).unwrap(),
                    Incoming::Binary([3, ..]) => {}
                    other => panic!("{other:?}"),
                }
                count += 1;
            }
        }
        let written = ws.output().len().min(64 - to.len());
        to.extend(&ws.output()[..written]);
        ws.written(written);
        count
    }
}

#[test]
fn an_endpoint_can_go_to_another_thread() {
    fn sendable<T: Send + 'static>() {}
    sendable::<Endpoint<Server>>();
    sendable::<Endpoint<Client<Keys>>>();
    sendable::<Options>();
}

#[test]
fn a_hook_sees_each_frame_of_both_directions_once_however_they_are_split() {
    let frames = [
        frame(0x81, b"one"),
        frame(0x01, &[b'a'; 200]),
        frame(0x89, b"?"),
        frame(0x80, &[b'a'; 70_000]),
        frame(0x88, &[0x03, 0xE8]),
    ];
    let received = [
        "received text, final, 3 bytes",
        "received text, 200 bytes",
        "received Ping, final, 1 bytes",
        "received continuation, final, 70000 bytes",
        "received Close, final, 2 bytes",
    ];
    let sent = ["sent Pong, final, 1 bytes", "sent Close, final, 2 bytes"];
    for part in [1, 7, 1000, usize::MAX] {
        let mut run = server();
        run.way = if part == usize::MAX { Way::TakenOutput } else { Way::Whole };
        let (log, lines) = std::sync::mpsc::channel();
        run.ws.trace(move |frame| {
            assert_eq!((frame.masked, frame.rsv), (!frame.sent, 0));
            log.send(frame.to_string()).unwrap();
        });
        run.step("<REQUEST");
        run.step("accept");
        run.write(if part == 1000 { usize::MAX } else { part });
        for part in frames.iter().flat_map(|frame| mask(frame)).collect::<Vec<_>>().chunks(part) {
            run.receive(part);
        }
        while !run.ws.output().is_empty() {
            run.write(part);
        }
        let lines: Vec<String> = lines.try_iter().collect();
        let of = |direction| lines.iter().filter(move |line| line.starts_with(direction));
        assert!(of("received").eq(&received), "{lines:?}");
        assert!(of("sent").eq(&sent), "{lines:?}");
    }
    // Also what breaks the protocol.
    let mut run = client();
    let (log, lines) = std::sync::mpsc::channel();
    run.ws.trace(move |frame| log.send(frame.to_string()).unwrap());
    run.step(">");
    run.step("<RESPONSE");
    run.receive(&[0xF3, 0x05, 0x00]);
    run.step(">");
    let lines: Vec<String> = lines.try_iter().collect();
    assert_eq!(
        lines,
        ["received opcode 0x3, final, reserved bits 0b111, 5 bytes", "sent Close, final, 2 bytes"]
    );
}

#[test]
fn what_cannot_be_sent_without_a_key_is_sent_later() {
    struct Few(u8);
    impl MaskSource for Few {
        fn mask_key(&mut self) -> Option<[u8; 4]> {
            self.0 = self.0.wrapping_add(1);
            // Every second time there is none.
            self.0.is_multiple_of(2).then_some([self.0; 4])
        }
    }
    let mut ws = Endpoint::open(Client(Few(0)), Agreed::new(), &Options::new()).unwrap();
    let mut read = frame(0x89, b"?");
    let mut input = &mut read[..];
    while ws.receive(&mut input).is_some() {}
    // The first key was missing when the Ping came, and the second was there when `None` was
    // returned.
    assert_eq!(unmask(ws.output()), frame(0x8A, b"?"));
    ws.written(ws.output().len());
    let mut read = frame(0x88, b"");
    let mut input = &mut read[..];
    assert!(matches!(ws.receive(&mut input), Some((Incoming::Close(None), _))));
    assert_eq!(ws.next_step(), NextStep::Continue);
    assert_eq!(ws.output(), b"");
    ws.written(0);
    assert_eq!(unmask(ws.output()), frame(0x88, b""));
}

#[test]
fn a_pong_may_follow_our_close() {
    let mut run = server();
    for word in ["<REQUEST", "accept", ">", "goodbye", ">"] {
        run.step(word);
    }
    assert_eq!(run.ws.ping(b"?"), Err(SendError::Closing));
    run.ws.pong(b"!").unwrap();
    assert_eq!(run.ws.output(), frame(0x8A, b"!"));
}

#[test]
fn an_event_that_is_ready_waits_while_too_much_output_does() {
    let mut run = server();
    for word in ["<REQUEST", "accept", ">"] {
        run.step(word);
    }
    let parts = [frame(0x81, b"zero"), frame(0x01, b"on"), frame(0x80, b"e"), frame(0x81, b"two")];
    let mut read = parts.map(|part| mask(&part)).concat();
    let mut input = &mut read[..];
    run.step("long");
    assert!(run.ws.ready(&mut input));
    assert!(matches!(run.ws.receive(&mut input), Some((Incoming::Text("zero"), _))));
    assert!(run.ws.ready(&mut input));
    assert!(!run.ws.wants_read());
    // The answer to the event before.
    run.step("long");
    assert_eq!(run.events, ["request"]);
    for _ in 0..2 {
        assert!(!run.ws.ready(&mut input) && input.is_empty());
    }
    assert!(run.ws.receive(&mut input).is_none());
    run.step(">");
    match run.ws.receive(&mut input) {
        Some((Incoming::Text("one"), sender)) => sender.text("has room").unwrap(),
        other => panic!("{other:?}"),
    }
    assert!(matches!(run.ws.receive(&mut input), Some((Incoming::Text("two"), _))));
    assert!(run.ws.receive(&mut input).is_none());
    assert!(run.ws.wants_read());
}

#[test]
fn what_was_read_before_the_end_of_the_stream_is_received() {
    // A head that was filled in.
    let mut ws = Endpoint::server(&options());
    ws.read_buffer()[..REQUEST.len()].copy_from_slice(REQUEST.as_bytes());
    ws.filled(REQUEST.len());
    ws.receive_eof();
    assert_eq!(ws.next_step(), NextStep::Continue);
    assert!(matches!(ws.receive(&mut &mut [][..]), Some((Incoming::Request, _))));
    // Half of one.
    let mut ws = Endpoint::server(&options());
    ws.read_buffer()[..4].copy_from_slice(b"GET ");
    ws.filled(4);
    ws.receive_eof();
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(ws.next_step(), NextStep::Drop);
    // A message that `ready` has found.
    let mut ws = Endpoint::open(Server, Agreed::new(), &options()).unwrap();
    let mut read = [mask(&frame(0x01, b"on")), mask(&frame(0x80, b"e"))].concat();
    assert!(ws.ready(&mut &mut read[..]));
    ws.receive_eof();
    assert_eq!(ws.next_step(), NextStep::Continue);
    match ws.receive(&mut &mut [][..]) {
        Some((Incoming::Text("one"), sender)) => sender.text("two").unwrap(),
        other => panic!("{other:?}"),
    }
    ws.written(ws.output().len());
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(ws.next_step(), NextStep::Drop);
    // A request that `ready` has found to be wrong.
    let mut ws = Endpoint::server(&options());
    assert!(ws.ready(&mut &mut b"GET / HTTP/1.1\r\n\r\n".to_vec()[..]));
    ws.receive_eof();
    ws.written(ws.output().len());
    assert_ne!(ws.next_step(), NextStep::Drop);
    assert!(matches!(ws.receive(&mut &mut [][..]), Some((Incoming::HandshakeFailed(_), _))));
    assert!(ws.receive(&mut &mut [][..]).is_none());
    assert_eq!(ws.next_step(), NextStep::Drop);
}

/// A client sends too much. The server says so, and resets the transport.
#[test]
fn what_was_read_before_the_transport_broke_is_received() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &options()).unwrap();
    ws.tick(Duration::ZERO);
    clog(&mut ws);
    let mut read = [mask(&frame(0x81, b"hi")), mask(&frame(0x89, b"?"))].concat();
    read.extend(mask(&frame(0x88, b"\x03\xF1big")));
    assert!(ws.receive(&mut &mut read[..]).is_none());
    for _ in 0..2 {
        ws.abort();
        assert_eq!(ws.next_step(), NextStep::Continue);
    }
    assert!(ws.output().is_empty() && !ws.wants_read());
    assert_eq!(ws.deadline(), Some(Duration::ZERO));
    let mut events = Vec::new();
    while let Some((incoming, sender)) = ws.receive(&mut &mut [][..]) {
        assert_eq!(sender.text("?"), Err(SendError::Closing));
        events.push(describe(&incoming));
    }
    assert_eq!(events, ["text hi", "ping 3F", "close 1009 big"]);
    assert_eq!(ws.next_step(), NextStep::Drop);
    assert_eq!(ws.ending().unwrap().to_string(), r#"closed by the peer: 1009 "big", not clean"#);
}

#[test]
fn a_request_that_was_found_is_not_reported_once_it_was_answered() {
    let late: fn(&mut Endpoint<Server>) = |ws| {
        for now in [0, 30, 30] {
            ws.tick(Duration::from_secs(now));
        }
        assert!(ws.output().starts_with(b"HTTP/1.1 503 "));
    };
    for end in [late, |ws| ws.abort()] {
        let mut ws = Endpoint::server(&Options::new());
        assert!(ws.ready(&mut &mut REQUEST.as_bytes().to_vec()[..]));
        end(&mut ws);
        assert!(!ws.ready(&mut &mut [][..]));
        assert!(ws.receive(&mut &mut [][..]).is_none());
    }
}

#[test]
fn what_needs_no_answer_is_received_while_too_much_output_waits() {
    let mut run = server();
    for word in ["<REQUEST", "accept", ">"] {
        run.step(word);
    }
    run.step("long");
    run.step("<hi");
    run.ws.text(&"a".repeat(990)).unwrap();
    assert!(run.ws.wants_read());
    let mut read = [mask(&frame(0x89, b"fills it")), mask(&frame(0x81, b"waits"))].concat();
    let (front, mut input) = read.split_at_mut(5);
    assert!(!run.ws.ready(&mut &mut *front));
    assert!(run.ws.ready(&mut input));
    assert_eq!(run.ws.text("?"), Err(SendError::Full));
    assert!(run.ws.ready(&mut input));
    let event = run.ws.receive(&mut input).map(|(incoming, _)| describe(&incoming));
    assert_eq!(event.as_deref(), Some("ping 66 69 6C 6C 73 20 69 74"));
    assert!(!run.ws.ready(&mut input));
}

#[test]
fn a_message_that_was_found_comes_before_the_failure_of_a_driver_that_reads_on() {
    let mut run = server();
    for word in ["<REQUEST", "accept", ">"] {
        run.step(word);
    }
    let mut read = [mask(&frame(0x01, b"on")), mask(&frame(0x80, b"e"))].concat();
    run.step("long");
    run.step("<hi");
    assert!(run.ws.ready(&mut &mut read[..]));
    run.step("long");
    let more = mask(&frame(0x81, &[b'a'; 100]));
    for _ in 0..1000 {
        run.receive(&more);
    }
    assert_eq!(run.events, ["request", "text hi", "text one", "failed Unread"]);
}

/// Whatever a high-water mark says, and whatever a peer or a limit would have sent.
#[test]
fn a_transport_that_broke_holds_nothing_back() {
    let read =
        [mask(&frame(0x89, b"")), mask(&frame(0x81, b"hi")), mask(&frame(0x88, b"\x03\xE8"))];
    // Up to the end of every limit, or all at once.
    for ticks in [&[0][..], &[20, 20, 40, 40, 60, 60, 80, 80], &[600; 4]] {
        let mut ws = Endpoint::open(Server, Agreed::new(), &options().water_marks(0, 0)).unwrap();
        ws.tick(Duration::ZERO);
        clog(&mut ws);
        assert!(ws.receive(&mut &mut read.concat()[..]).is_none());
        ws.abort();
        let mut events = Vec::new();
        for _ in 0..4 {
            ticks.iter().for_each(|&tick| ws.tick(Duration::from_secs(tick)));
            let event = ws.receive(&mut &mut [][..]);
            events.extend(event.map(|(incoming, _)| describe(&incoming)));
        }
        assert_eq!(events, ["ping ", "text hi", "close 1000 "]);
        assert_eq!(ws.next_step(), NextStep::Drop);
        let ending = ws.ending().unwrap();
        assert_eq!((ending.closure.clean, ending.sent), (false, None));
        assert_eq!(ending.to_string(), "closed by the peer: 1000, not clean");
    }
}

#[test]
fn a_tick_leaves_the_read_buffer() {
    let frame = mask(&frame(0x81, b"one"));
    for waits in [false, true] {
        let mut ws = Endpoint::open(Server, Agreed::new(), &options()).unwrap();
        let mut events = Vec::new();
        if waits {
            // The rest of an earlier read is inside.
            ws.read_buffer()[..2 * frame.len()].copy_from_slice(&frame.repeat(2));
            ws.filled(2 * frame.len());
            let event = ws.receive(&mut &mut [][..]);
            events.extend(event.map(|(incoming, _)| describe(&incoming)));
        }
        ws.read_buffer()[..frame.len()].copy_from_slice(&frame);
        // The second tick frees the memory of an idle endpoint.
        for now in [0, 20, 20] {
            ws.tick(Duration::from_secs(now));
        }
        ws.filled(frame.len());
        while let Some((incoming, _)) = ws.receive(&mut &mut [][..]) {
            events.push(describe(&incoming));
        }
        assert_eq!(events, if waits { vec!["text one"; 3] } else { vec!["text one"] });
    }
}

#[test]
fn a_read_of_nothing_changes_nothing() {
    let mut ws = Endpoint::open(Server, Agreed::new(), &options()).unwrap();
    let mut read = [mask(&frame(0x01, b"on")), mask(&frame(0x80, b"e"))].concat();
    assert!(ws.ready(&mut &mut read[..]));
    ws.filled(0);
    ws.receive_eof();
    assert!(!ws.wants_read());
    assert_eq!(ws.next_step(), NextStep::Continue);
    let event = ws.receive(&mut &mut [][..]).map(|(incoming, _)| describe(&incoming));
    assert_eq!(event.as_deref(), Some("text one"));
}

#[test]
fn a_request_with_too_much_behind_it_fails_however_it_is_received() {
    for way in [false, true] {
        let mut ws = Endpoint::server(&options());
        assert!(ws.ready(&mut &mut REQUEST.as_bytes().to_vec()[..]));
        assert!(matches!(ws.receive(&mut &mut [][..]), Some((Incoming::Request, _))));
        let mut failures = 0;
        for _ in 0..100 {
            let mut more = [b'a'; 1000];
            let mut input = &mut more[..];
            if way && !ws.ready(&mut input) {
                continue;
            }
            match ws.receive(&mut input) {
                Some((Incoming::HandshakeFailed(HandshakeError::HeadTooLarge), _)) => failures += 1,
                None => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(failures, 1);
    }
}

#[test]
fn invalid_text_at_the_end_of_a_read_fails() {
    for ready in [false, true] {
        let mut ws = Endpoint::open(Server, Agreed::new(), &options()).unwrap();
        let mut read = mask(&frame(0x81, b"ab\xFF"));
        let mut input = &mut read[..];
        assert!(!ready || ws.ready(&mut input));
        let event = ws.receive(&mut input).map(|(incoming, _)| describe(&incoming));
        assert_eq!(event.unwrap(), "failed InvalidUtf8");
        assert_eq!(ws.output(), b"\x88\x02\x03\xEF");
    }
}
