//! Nothing is lost, torn or reordered, all deadlines are kept, and connections end as they should.
//!
//! Clocks are paused: where a test waits, it waits for virtual time, which jumps to the next timer.

#[path = "../../../tests/common/mod.rs"]
#[allow(unexpected_cfgs, reason = "the features are those of the crate below")]
mod common;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{Keys, frames};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, ReadBuf, duplex,
    join, sink,
};
use tokio::sync::oneshot;
use tokio::task::{coop, yield_now};
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use websocket_proto::endpoint::Cause;
use websocket_proto::{
    Agreed, CloseFrame, Closure, Config, Connection, Data, Initiator, Limit,
    OwnedMessage as Message, Role,
};
use websocket_proto_tokio::{
    AcceptOptions, Client, CloseCode, Endpoint, Error, Incoming, Offer, Options, SendError, Server,
    SystemMask, Target, WebSocket, websocket_proto,
};

const MINUTE: Duration = Duration::from_secs(60);
/// With more output than this, no more is sent.
const HIGH_WATER: usize = 1 << 20;
/// How much output may wait when a message is sent.
const ROOM: usize = 64 << 10;

// --- nothing is lost -----------------------------------------------------------------------------

/// A stream that gives and takes one byte at a time and is not ready before each.
struct Trickle {
    input: VecDeque<u8>,
    output: Arc<Mutex<Vec<u8>>>,
    read_ready: bool,
    write_ready: bool,
}

impl AsyncRead for Trickle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read_ready = !self.read_ready;
        if self.read_ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        buffer.put_slice(self.input.pop_front().as_slice());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Trickle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_ready = !self.write_ready;
        if self.write_ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.output.lock().unwrap().push(bytes[0]);
        Poll::Ready(Ok(1))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Polls a future once and drops it.
async fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[tokio::test(start_paused = true)]
async fn dropping_the_read_all_the_time_loses_nothing() {
    let input = frames(
        "81 05 48 65 6C 6C 6F / 01 03 CE BA CF / 89 02 70 31 / 80 01 8C / 82 7E 01 2C AB*300 / \
         89 02 70 32 / 81 00 / 88 05 03 E8 62 79 65",
        true,
    );
    let bytes = input.len();
    let output = Arc::new(Mutex::new(Vec::new()));
    let stream = Trickle {
        input: input.into(),
        output: Arc::clone(&output),
        read_ready: false,
        write_ready: false,
    };
    let mut socket = server(stream);

    let (mut messages, mut dropped) = (Vec::new(), 0);
    loop {
        match poll_once(message(&mut socket)).await {
            Poll::Ready(Some(message)) => messages.push(message),
            Poll::Ready(None) => break,
            Poll::Pending => dropped += 1,
        }
        assert!(dropped < 10 * bytes, "it does not get on: {messages:?}");
        yield_now().await;
    }
    let text = |text: &str| Message::Text(text.to_owned());
    let binary = Message::Binary(vec![0xAB; 300]);
    assert_eq!(messages, [text("Hello"), text("κό"), binary, text("")]);
    assert!(dropped > bytes * 9 / 10, "{dropped} times in {bytes} bytes");
    let expected = frames("8A 02 70 31 / 8A 02 70 32 / 88 02 03 E8", false);
    assert_eq!(*output.lock().unwrap(), expected);
    assert_clean(closure(&mut socket), 1000, Initiator::Peer);
}

// --- under load ----------------------------------------------------------------------------------

const SENDERS: usize = 8;
const MESSAGES: usize = 100;
const PINGS: usize = 2 * MESSAGES;

/// The message number `number` of a sender: its length and its bytes follow from both numbers.
fn numbered(sender: usize, number: usize) -> String {
    let length = if number % 10 == 9 { 100_000 } else { 7 * number };
    let filler = char::from(b'a' + ((sender * 7 + number) % 26) as u8);
    format!("{sender}/{number}/{}", filler.to_string().repeat(length))
}

/// Eight tasks send and a ninth echoes, whose reads are also cancelled all the time, while the peer
/// sends fragments with Pings between them, cut anywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn frames_keep_their_order_under_load() {
    let (stream, peer) = duplex(4096);
    let mut socket = server(stream);
    for sender in 0..SENDERS {
        let handle = socket.handle();
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                let text = numbered(sender, number);
                handle.send_with(move |ws| ws.text(&text)).await.unwrap();
                yield_now().await;
            }
        });
    }
    let echo = tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                biased;
                message = message(&mut socket) => message,
                () = yield_now() => continue,
            };
            let Some(message) = message else { break closure(&mut socket) };
            socket.send_with(|ws| ws.send(data(&message))).await.unwrap();
        }
    });

    let (mut reader, mut writer) = tokio::io::split(peer);
    let peer_sends = tokio::spawn(async move {
        let mut connection = client_connection();
        for number in 0..MESSAGES {
            let (text, mut out) = (numbered(SENDERS, number), Vec::new());
            let (start, end) = text.split_at(text.len() / 2);
            for (ping, half) in [start, end].into_iter().enumerate() {
                connection.ping(&(2 * number + ping).to_be_bytes(), &mut out).unwrap();
                connection.send_fragment(Data::Text(half), ping == 1, &mut out).unwrap();
            }
            for chunk in out.chunks(1 + 131 * number) {
                writer.write_all(chunk).await.unwrap();
            }
        }
        (connection, writer)
    });

    // The echoes are the messages of one more sender.
    let mut next = [0; SENDERS + 1];
    let (mut pongs, mut connection) = (Vec::new(), client_connection());
    let mut messages = websocket_proto::Messages::new();
    let mut buffer = vec![0; 10_000];
    while next != [MESSAGES; SENDERS + 1] || pongs.last() != Some(&(PINGS - 1)) {
        let length = reader.read(&mut buffer).await.unwrap();
        assert_ne!(length, 0, "the stream ends with {next:?} received");
        let mut input = &mut buffer[..length];
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            use websocket_proto::Message as Received;
            match message {
                Received::Text(text) => {
                    let sender: usize = text.split('/').next().unwrap().parse().unwrap();
                    assert!(text == numbered(sender, next[sender]), "sender {sender}, {next:?}");
                    next[sender] += 1;
                }
                Received::Pong(ping) => {
                    pongs.push(usize::from_be_bytes((*ping).try_into().unwrap()));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(pongs.is_sorted_by(|one, next| one < next), "{pongs:?}");

    let (mut connection, mut writer) = peer_sends.await.unwrap();
    let mut out = Vec::new();
    connection.close(Some(&CloseFrame::truncated(CloseCode::NORMAL, "")), &mut out).unwrap();
    writer.write_all(&out).await.unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, frames("88 02 03 E8", false));
    drop((reader, writer));
    assert_clean(echo.await.unwrap(), 1000, Initiator::Peer);
}

#[tokio::test(start_paused = true)]
async fn sending_waits_for_a_peer_that_does_not_read() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let handle = socket.handle();
    let payload = [7; 50_000];
    let mut sent = 0;
    while poll_once(socket.send_with(|ws| ws.binary(&payload))).await.is_ready() {
        sent += 1;
        assert!(sent < 100, "nothing waits");
    }
    assert_eq!(sent, ROOM / payload.len() + 1);
    let mut queued = 0;
    while poll_once(handle.send_with(|ws| ws.binary(&[7]))).await.is_ready() {
        queued += 1;
        assert!(queued < 100, "nothing waits");
    }

    // What was dropped is not sent; what waits goes when the peer reads.
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.send_with(|ws| ws.text("then")).await }
    });
    let driver = tokio::spawn(async move { message(&mut socket).await.is_none() });
    let mut read = vec![0; sent * (payload.len() + 4) + queued * 3 + 6];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(read[read.len() - 6..], *b"\x81\x04then");
    assert!(timeout(Duration::from_secs(1), peer.read_u8()).await.is_err());

    // A connection that ends lets nobody wait, however much was to be sent.
    let waiting = tokio::spawn(async move {
        while handle.send_with(|ws| ws.binary(&vec![7; HIGH_WATER])).await.is_ok() {}
    });
    yield_now().await;
    assert!(!waiting.is_finished());
    driver.abort();
    timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_ping_of_one_read_is_answered() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    tokio::spawn(async move { message(&mut socket).await });
    peer.write_all(&frames("89 01 01 / 89 01 02 / 89 01 03", true)).await.unwrap();
    expect(&mut peer, "8A 01 01 / 8A 01 02 / 8A 01 03").await;
}

#[tokio::test(start_paused = true)]
async fn pings_of_a_peer_that_does_not_read_take_bounded_memory() {
    const PINGS: u32 = 20_000;
    let (stream, peer) = duplex(1000);
    let mut socket = server(stream);
    tokio::spawn(async move { while message(&mut socket).await.is_some() {} });
    let (mut reader, mut writer) = tokio::io::split(peer);
    let mut connection = client_connection();
    // At last the peer has to wait, because nothing more is read.
    let mut whole = 0;
    for number in 0..PINGS {
        let (mut payload, mut out) = ([0; 125], Vec::new());
        payload[..4].copy_from_slice(&number.to_be_bytes());
        connection.ping(&payload, &mut out).unwrap();
        whole = number;
        if timeout(Duration::from_secs(1), writer.write_all(&out)).await.is_err() {
            break;
        }
    }
    let (mut pong, mut pongs) = ([0; 127], 0);
    while let Ok(read) = timeout(Duration::from_secs(1), reader.read_exact(&mut pong)).await {
        read.unwrap();
        pongs += 1;
    }
    assert!(pongs > 1 && pongs <= HIGH_WATER / pong.len() + 300, "{pongs}");
    assert_eq!(pong[..6], [[0x8A, 125].as_slice(), &(whole - 1).to_be_bytes()].concat());
}

/// A stream that always has the same bytes to read, takes all that is written and keeps each write.
struct Flood {
    input: Vec<u8>,
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsyncRead for Flood {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(&self.input);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.lock().unwrap().push(bytes.to_vec());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The answers to all that one read has brought go in one write, before the next read. So do the
/// calls of handles.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_stops_writing_delays_no_output() {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let input = frames("89 01 2A / 82 01 01 / 82 01 02", true);
    let mut socket = server(Flood { input, writes: Arc::clone(&writes) });
    socket.handle().send_with(|ws| ws.text("called")).await.unwrap();
    for number in 0..10 {
        let byte = number % 2 + 1;
        assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![byte])));
        socket.endpoint().binary(&[byte]).unwrap();
    }
    let answers = "8A 01 2A / 82 01 01 / 82 01 02";
    let mut expected = vec![frames(answers, false); 4];
    expected[0].extend(frames("81 06 63 61 6C 6C 65 64", false));
    assert_eq!(*writes.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_stops_writing_puts_off_no_deadline() {
    let writes = Arc::new(Mutex::new(Vec::new()));
    let mut socket = server(Flood { input: frames("82 01 01", true), writes });
    socket.endpoint().close(CloseCode::NORMAL, "").unwrap();
    let start = Instant::now();
    while message(&mut socket).await.is_some() {
        assert!(start.elapsed().as_secs() < 10, "it does not end");
        advance(Duration::from_secs(1)).await;
    }
    assert!(!closure(&mut socket).unwrap().clean);
}

/// Uses up what a task may do before it has to let other tasks run.
async fn spend_budget() {
    while coop::has_budget_remaining() {
        coop::consume_budget().await;
    }
}

/// A stream of tokio is not ready for a task without a budget, whatever its peer does.
#[tokio::test(start_paused = true)]
async fn a_task_without_a_budget_finds_no_peer_slow_or_silent() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    assert!(poll_once(message(&mut socket)).await.is_pending());
    peer.write_all(&frames("82 01 01", true)).await.unwrap();
    socket.endpoint().text("hi").unwrap();
    for _ in 0..200 {
        advance(Duration::from_secs(1)).await;
        spend_budget().await;
        assert!(poll_once(message(&mut socket)).await.is_pending());
    }
    yield_now().await;
    assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![1])));
    assert!(poll_once(message(&mut socket)).await.is_pending());
    expect(&mut peer, "81 02 68 69").await;
    assert!(poll_once(peer.read_u8()).await.is_pending(), "a Ping or a Close");
}

/// The time limit on output that waits begins when the stream takes nothing.
#[tokio::test(start_paused = true)]
async fn a_write_without_a_budget_begins_no_limit() {
    for spent in [false, true] {
        let (stream, _peer) = duplex(1);
        let mut socket = server(stream);
        assert!(poll_once(message(&mut socket)).await.is_pending());
        let idle = socket.endpoint().deadline();
        if spent {
            spend_budget().await;
        }
        socket.send_with(|ws| ws.text("hi")).await.unwrap();
        assert_eq!(socket.endpoint().deadline() == idle, spent);
    }
}

// --- deadlines -----------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_handshake_takes_ten_seconds_at_most() {
    for head in ["", "GET / HTTP/1.1\r\n"] {
        let (stream, mut peer) = duplex(1000);
        peer.write_all(head.as_bytes()).await.unwrap();
        let start = Instant::now();
        let accept = tokio::spawn(async { WebSocket::accept(stream, &Options::new()).await.err() });
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_eq!(start.elapsed().as_secs(), 10);
        // The peer does not end its side.
        let error = accept.await.unwrap().unwrap();
        assert_eq!((timed_out(&error), start.elapsed().as_secs()), (true, 15));
    }
    let (stream, _peer) = duplex(1000);
    let start = Instant::now();
    let error = connect(stream).await.err().unwrap();
    assert_eq!((timed_out(&error), start.elapsed().as_secs()), (true, 10));
}

fn timed_out(error: &Error) -> bool {
    matches!(error, Error::NotOpened(it) if it.cause == Some(Cause::Limit(Limit::Handshake)))
}

/// A transport that is closed with input unread is reset, which can destroy the answer on its way.
#[tokio::test(start_paused = true)]
async fn a_refused_request_is_read_to_its_end() {
    const BODY: usize = 100_000;
    let (stream, mut peer) = duplex(1000);
    let accept = tokio::spawn(async { WebSocket::accept(stream, &Options::new()).await.err() });
    peer.write_all(b"POST / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    peer.write_all(&[0; BODY]).await.unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    // The server has ended its side, and waits for the client to end its own.
    sleep(Duration::from_secs(4)).await;
    assert!(!accept.is_finished());
    drop(peer);
    assert!(accept.await.unwrap().is_some());
}

/// As a client with a slow line does, which takes longer than any limit for all of it.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_but_steadily_is_not_dropped() {
    const LENGTH: usize = 16 << 20;
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    tokio::spawn(async move {
        socket.send_with(|ws| ws.binary(&vec![7; LENGTH])).await.unwrap();
        message(&mut socket).await
    });
    // 250 KiB a second.
    let (mut part, mut read) = (vec![0; 25 << 10], 0);
    while read < LENGTH {
        sleep(Duration::from_millis(100)).await;
        let length = part.len().min(LENGTH + 10 - read);
        read += peer.read_exact(&mut part[..length]).await.unwrap();
    }
    assert!(start.elapsed() > MINUTE, "{:?}", start.elapsed());
}

/// One that reads less than 1 KiB a second has a minute, and as long once more for what is in front
/// of the Close.
#[tokio::test(start_paused = true)]
async fn a_peer_that_hardly_reads_is_dropped() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    let next = tokio::spawn(async move {
        socket.send_with(|ws| ws.binary(&vec![7; 1 << 20])).await.unwrap();
        message(&mut socket).await
    });
    let mut part = [0; 900];
    while peer.read_exact(&mut part).await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(next.await.unwrap(), None);
    assert!((60..=130).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_dropped() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    let next = tokio::spawn(async move { (message(&mut socket).await, closure(&mut socket)) });
    expect(&mut peer, "89 04 00 00 00 01").await;
    assert_eq!(start.elapsed().as_secs(), 20);
    expect_close(&mut peer, CloseCode::INTERNAL_ERROR).await;
    assert_eq!(start.elapsed().as_secs(), 40);
    expect_end(&mut peer).await;
    assert_eq!(start.elapsed().as_secs(), 45);
    let (message, closure) = next.await.unwrap();
    assert_eq!((message, closure.unwrap().code), (None, Closure::ABNORMAL));
}

/// Any byte is a sign of life, also one in the middle of a message.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_not_dropped() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    let next = tokio::spawn(async move { message(&mut socket).await });
    for part in frames("81 10 61*16", true).chunks(6) {
        sleep(Duration::from_secs(19)).await;
        peer.write_all(part).await.unwrap();
    }
    assert_eq!(next.await.unwrap(), Some(Message::Text("a".repeat(16))));
    assert_eq!(start.elapsed().as_secs(), 19 * 4);
}

/// They keep the connection, but not for ever.
#[tokio::test(start_paused = true)]
async fn t64_a_peer_that_never_ends_its_message_is_dropped() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    let next = tokio::spawn(async move { message(&mut socket).await });
    for byte in [0x82, 0xFE, 0xFF, 0xFF] {
        peer.write_all(&[byte]).await.unwrap();
        sleep(Duration::from_secs(19)).await;
    }
    expect_close(&mut peer, CloseCode::POLICY_VIOLATION).await;
    expect_end(&mut peer).await;
    assert_eq!((next.await.unwrap(), start.elapsed().as_secs()), (None, 76));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays_until_it_stops() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    let next = tokio::spawn(async move { message(&mut socket).await });
    for number in 1..=30 {
        expect(&mut peer, &format!("89 04 00 00 00 {number:02X}")).await;
        assert_eq!(start.elapsed().as_secs(), 20 * number);
        peer.write_all(&frames(&format!("8A 04 00 00 00 {number:02X}"), true)).await.unwrap();
    }
    expect(&mut peer, "89 04 00 00 00 1F").await;
    expect_close(&mut peer, CloseCode::INTERNAL_ERROR).await;
    assert_eq!(start.elapsed().as_secs(), 600 + 40);
    expect_end(&mut peer).await;
    assert_eq!(next.await.unwrap(), None);
}

/// Only a reader can detect silence: the Pong came while the application was busy.
#[tokio::test(start_paused = true)]
async fn an_application_that_takes_its_time_loses_no_peer() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    tokio::spawn(async move {
        for number in 1.. {
            expect(&mut peer, &format!("89 04 00 00 00 {number:02X}")).await;
            peer.write_all(&frames("82 01 00", true)).await.unwrap();
            sleep(Duration::from_secs(1)).await;
            peer.write_all(&frames(&format!("8A 04 00 00 00 {number:02X}"), true)).await.unwrap();
        }
    });
    for number in 1..=20 {
        assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![0])));
        assert_eq!(start.elapsed().as_secs(), 20 * number + 600 * (number - 1));
        sleep(10 * MINUTE).await;
    }
}

/// Nor does a message take long of which the application has not seen the front.
#[tokio::test(start_paused = true)]
async fn an_application_that_takes_its_time_cuts_no_message_short() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let second = frames("82 7E 07 D0 02*2000", true);
    tokio::spawn(async move {
        peer.write_all(&[frames("82 01 01", true), second[..100].to_vec()].concat()).await.unwrap();
        sleep(10 * MINUTE + Duration::from_secs(10)).await;
        peer.write_all(&second[100..]).await.unwrap();
        std::future::pending::<()>().await;
    });
    assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![1])));
    sleep(10 * MINUTE).await;
    assert!(message(&mut socket).await == Some(Message::Binary(vec![2; 2000])));
}

/// Silence is not the only way to hold a connection.
#[tokio::test(start_paused = true)]
async fn a_peer_that_writes_and_never_reads_is_dropped() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    tokio::spawn(async move {
        while peer.write_all(&frames("8A 00", true)).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    // The first fills the pipe, and of the second nothing is taken.
    for _ in 0..2 {
        socket.send_with(|ws| ws.binary(&[0; 996])).await.unwrap();
        yield_now().await;
    }
    assert_eq!(message(&mut socket).await, None);
    assert!((60..=90).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_neither_reads_nor_writes_is_dropped_while_sending() {
    let (stream, _peer) = duplex(1000);
    let mut socket = server(stream);
    let start = Instant::now();
    // Nobody calls `next`.
    let error = loop {
        if let Err(error) = socket.send_with(|ws| ws.binary(&[0; 100_000])).await {
            break error;
        }
    };
    // It gives no sign of life: it takes nothing, and answers no Ping.
    assert_eq!((error, start.elapsed().as_secs()), (SendError::Closing, 40));
}

#[tokio::test(start_paused = true)]
async fn closing_takes_five_seconds_at_most() {
    async fn end(mut socket: WebSocket<impl Stream, impl Role>) -> Closure {
        let start = Instant::now();
        let closure = close(&mut socket).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 5);
        closure
    }
    let answer = |masked| frames("88 02 03 E8", masked);

    // The peer does not answer.
    let (stream, _peer) = duplex(1000);
    let closure = end(server(stream)).await;
    assert_eq!((closure.clean, closure.sent), (false, Some(1000)));
    // It answers and does not end the stream.
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&answer(true)).await.unwrap();
    assert_clean(Some(end(server(stream)).await), 1000, Initiator::Local);
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&answer(false)).await.unwrap();
    assert_clean(Some(end(client(stream)).await), 1000, Initiator::Local);
    // It does not read.
    let (stream, _peer) = duplex(1000);
    let mut socket = server(stream);
    socket.send_with(|ws| ws.binary(&[0; 10_000])).await.unwrap();
    assert!(!end(socket).await.clean);
    // It sends and sends.
    let (stream, mut peer) = duplex(1000);
    tokio::spawn(async move {
        while peer.write_all(&frames("82 01 00", true)).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(!end(server(stream)).await.clean);
    // The peer's own Close starts the clock too.
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&answer(true)).await.unwrap();
    let (mut socket, start) = (server(stream), Instant::now());
    assert_eq!((message(&mut socket).await, start.elapsed().as_secs()), (None, 5));
}

#[tokio::test(start_paused = true)]
async fn a_close_from_another_task_shortens_a_wait() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let handle = socket.handle();
    let start = Instant::now();
    let next = tokio::spawn(async move { message(&mut socket).await });
    sleep(Duration::from_secs(3)).await;
    handle.send_with(|ws| ws.text("a")).await.unwrap();
    handle.send_with(|ws| ws.close(CloseCode::NORMAL, "")).await.unwrap();
    assert_eq!((next.await.unwrap(), start.elapsed().as_secs()), (None, 8));
    expect(&mut peer, "81 01 61 / 88 02 03 E8").await;
    assert_eq!(handle.send_with(|ws| ws.text("late")).await, Err(SendError::Closing));
}

// --- closing -------------------------------------------------------------------------------------

/// A conversation of two wrappers, over any transport; `client_closes`, `server_closes` or both.
async fn converse(
    client_stream: impl Stream,
    server_stream: impl Stream,
    client_closes: bool,
    server_closes: bool,
) -> (Option<Closure>, Option<Closure>) {
    let start = Instant::now();
    let options = Options::new();
    let (client, server) =
        tokio::join!(connect(client_stream), WebSocket::accept(server_stream, &options));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    let big = vec![0xA5; 70_000];
    for sent in [Data::Text("κόσμε 🦀"), Data::Binary(&big)] {
        client.send_with(|ws| ws.send(sent)).await.unwrap();
        let (got, _) = tokio::join!(message(&mut server), client.flush());
        let got = got.unwrap();
        server.send_with(|ws| ws.send(data(&got))).await.unwrap();
        let (echo, _) = tokio::join!(message(&mut client), server.flush());
        let echo = echo.unwrap();
        assert!(echo == got && data(&echo).as_bytes() == sent.as_bytes());
    }
    let closures = tokio::join!(
        async {
            if client_closes {
                return close(&mut client).await;
            }
            assert_eq!(message(&mut client).await, None);
            closure(&mut client)
        },
        async {
            if server_closes {
                return close(&mut server).await;
            }
            assert_eq!(message(&mut server).await, None);
            closure(&mut server)
        }
    );
    assert_eq!(start.elapsed().as_secs(), 0, "no deadline was needed");
    closures
}

#[tokio::test(start_paused = true)]
async fn closes_are_clean_both_ways() {
    for (client_closes, server_closes) in [(true, false), (false, true), (true, true)] {
        let (one, two) = duplex(1000);
        let (client, server) = converse(one, two, client_closes, server_closes).await;
        let initiator = |local| if local { Initiator::Local } else { Initiator::Peer };
        assert_clean(client, 1000, initiator(client_closes));
        assert_clean(server, 1000, initiator(server_closes));
    }
}

/// §7.1.1: the server ends the stream first, and reads on until the client has too.
#[tokio::test(start_paused = true)]
async fn a_server_ends_the_stream_first() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    peer.write_all(&frames("88 02 03 E8", true)).await.unwrap();
    assert!(timeout(Duration::from_secs(1), message(&mut socket)).await.is_err());
    expect(&mut peer, "88 02 03 E8").await;
    expect_end(&mut peer).await;
    peer.write_all(b"dropped").await.unwrap();
    assert!(timeout(Duration::from_secs(1), message(&mut socket)).await.is_err());
    peer.shutdown().await.unwrap();
    assert_eq!(timeout(Duration::from_secs(1), message(&mut socket)).await, Ok(None));
    assert_clean(closure(&mut socket), 1000, Initiator::Peer);
}

/// §7.1.1: the client waits for the server to end the stream.
#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_end() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = client(stream);
    peer.write_all(&frames("88 02 03 E8", false)).await.unwrap();
    assert!(timeout(Duration::from_secs(1), message(&mut socket)).await.is_err());
    peer.read_exact(&mut [0; 8]).await.unwrap();
    assert!(timeout(Duration::from_secs(1), peer.read_u8()).await.is_err(), "it ends the stream");
    peer.shutdown().await.unwrap();
    assert_eq!(timeout(Duration::from_secs(1), message(&mut socket)).await, Ok(None));
    assert_clean(closure(&mut socket), 1000, Initiator::Peer);
}

/// A peer that has said all it has to say may still read.
#[tokio::test(start_paused = true)]
async fn an_end_of_stream_keeps_no_close_and_no_echo_from_the_peer() {
    for (masked, buffers) in [(true, false), (false, false), (true, true), (false, true)] {
        let (stream, mut peer) = duplex(10);
        let mut input = frames("82 03 01 02 03 / 88 02 03 E8", masked);
        let driver = tokio::spawn(async move {
            match (masked, buffers) {
                (true, false) => drive(server(stream)).await,
                (false, false) => drive(client(stream)).await,
                (true, true) => drive(server(BufStream::new(stream))).await,
                (false, true) => drive(client(BufStream::new(stream))).await,
            }
        });
        peer.write_all(&std::mem::take(&mut input)).await.unwrap();
        peer.shutdown().await.unwrap();
        sleep(Duration::from_secs(1)).await; // 10 bytes are in the pipe, the others wait
        let mut output = Vec::new();
        peer.read_to_end(&mut output).await.unwrap();
        let output = if masked { output } else { common::unmask(&output) };
        assert_eq!(output, frames("82 0A 07*10 / 88 02 03 E8", false));
        assert_clean(driver.await.unwrap(), 1000, Initiator::Peer);
    }

    async fn drive(mut socket: WebSocket<impl Stream, impl Role>) -> Option<Closure> {
        while message(&mut socket).await.is_some() {
            socket.send_with(|ws| ws.binary(&[7; 10])).await.unwrap();
        }
        closure(&mut socket)
    }
}

#[tokio::test(start_paused = true)]
async fn a_violation_is_answered() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    peer.write_all(&frames("81 02 68 69 / C1 00 / 81 00", true)).await.unwrap();
    let driver = tokio::spawn(async move {
        assert_eq!(message(&mut socket).await, Some(Message::Text("hi".to_owned())));
        assert_eq!(message(&mut socket).await, None);
        closure(&mut socket).unwrap()
    });
    expect(&mut peer, "88 02 03 EA").await;
    expect_end(&mut peer).await;
    drop(peer);
    let closure = driver.await.unwrap();
    assert!(!closure.clean && closure.failure.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_close_is_reported() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    peer.write_all(&frames("81 02 68 69 / 81 05 68", true)).await.unwrap();
    drop(peer);
    assert_eq!(message(&mut socket).await, Some(Message::Text("hi".to_owned())));
    assert_eq!(message(&mut socket).await, None);
    assert_eq!(message(&mut socket).await, None, "and again");
    let closure = closure(&mut socket).unwrap();
    assert_eq!((closure.clean, closure.code), (false, Closure::ABNORMAL));
    assert_eq!(socket.send_with(|ws| ws.text("late")).await, Err(SendError::Closing));
}

/// A transport whose writes fail or take nothing, and whose reads fail or never end.
struct Broken {
    reads_fail: bool,
    writes_fail: bool,
}

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads_fail {
            Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
        } else {
            Poll::Pending
        }
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(if self.writes_fail { Err(ErrorKind::BrokenPipe.into()) } else { Ok(0) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_transport_ends_the_connection() {
    for (reads_fail, writes_fail, kind) in [
        (true, true, ErrorKind::ConnectionReset),
        (false, true, ErrorKind::BrokenPipe),
        (false, false, ErrorKind::WriteZero),
    ] {
        let (mut socket, start) = (server(Broken { reads_fail, writes_fail }), Instant::now());
        let handle = socket.handle();
        // A program that only sends learns of it, too.
        let sent = socket.send_with(|ws| ws.text("hi")).await;
        assert_eq!(sent, Err(SendError::Closing));
        let error = socket.next().await.expect_err("the stream failed");
        assert_eq!((error.kind(), start.elapsed().as_secs()), (kind, 0));
        assert_eq!(closure(&mut socket).unwrap().code, Closure::ABNORMAL);
        assert_eq!(message(&mut socket).await, None);
        assert_eq!(handle.send_with(|ws| ws.text("late")).await, Err(SendError::Closing));
    }
}

/// A stream that has some input, takes nothing for a second, and then fails.
struct Failing {
    input: Vec<u8>,
    start: Instant,
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(&std::mem::take(&mut self.input));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        if self.start.elapsed().as_secs() < 1 {
            return Poll::Pending;
        }
        Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A peer that refuses an upload says why, and resets the stream.
#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_loses_nothing_that_was_read() {
    for flushes in [false, true] {
        let input = frames("82 01 00 / 82 01 01 / 82 01 02 / 88 02 03 F1", true);
        let options = Options::new().water_marks(0, 10);
        let endpoint = Endpoint::open(Server, Agreed::new(), &options).unwrap();
        let mut socket = WebSocket::new(Failing { input, start: Instant::now() }, endpoint);
        for number in 0..2 {
            assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![number])));
            socket.endpoint().binary(&[7; 20]).unwrap();
        }
        // Now the last message has to wait.
        assert!(poll_once(message(&mut socket)).await.is_pending());
        sleep(Duration::from_secs(1)).await;
        assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![2])));
        if flushes {
            // Which has no output to write any more.
            assert_eq!(socket.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
        assert!(matches!(socket.next().await, Ok(Some((Incoming::Close(_), _)))));
        match flushes {
            true => assert!(matches!(socket.next().await, Ok(None))),
            false => assert_fails_once(&mut socket, ErrorKind::BrokenPipe).await,
        }
        assert_eq!(closure(&mut socket).unwrap().code, 1009);
    }
}

/// The error comes once, after all events, and then the end.
async fn assert_fails_once(socket: &mut WebSocket<impl Stream, impl Role>, kind: ErrorKind) {
    assert_eq!(socket.next().await.expect_err("the stream failed").kind(), kind);
    for _ in 0..2 {
        assert!(matches!(socket.next().await, Ok(None)));
        assert!(socket.flush().await.is_ok());
    }
}

/// A stream that takes all and has nothing to read, until the part that is named here fails.
struct Breaking(Arc<Mutex<&'static str>>);

impl Breaking {
    fn at(&self, part: &str) -> io::Result<()> {
        let fails = *self.0.lock().unwrap() == part;
        if fails { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Breaking {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.at("read").map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.at("write").map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.at("flush"))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Neither `send` nor an earlier success hides that output was lost.
#[tokio::test(start_paused = true)]
async fn flush_returns_the_error_of_a_stream_that_fails() {
    for (part, sends) in
        [("read", false), ("write", false), ("write", true), ("flush", false), ("flush", true)]
    {
        let fails = Arc::new(Mutex::new(""));
        let mut socket = server(Breaking(Arc::clone(&fails)));
        socket.send_with(|ws| ws.text("taken")).await.unwrap();
        socket.flush().await.unwrap();
        *fails.lock().unwrap() = part;
        match sends {
            true => {
                let sent = socket.send_with(|ws| ws.text("lost")).await;
                assert_eq!(sent, Err(SendError::Closing), "{part}");
            }
            false => socket.endpoint().text("lost").unwrap(),
        }
        let error = socket.flush().await.expect_err(part);
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        assert_fails_once(&mut socket, ErrorKind::ConnectionAborted).await;
    }
}

/// Whichever method finds out that the stream has failed.
#[tokio::test(start_paused = true)]
async fn a_flush_that_fails_loses_nothing_that_was_read() {
    let input = frames("82 01 01 / 82 01 02 / 01 01 61 / 80 01 62", true);
    let mut socket = server(Failing { input, start: Instant::now() });
    assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![1])));
    socket.endpoint().binary(&[7]).unwrap();
    assert_eq!(socket.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![2])));
    assert_eq!(message(&mut socket).await, Some(Message::Text("ab".to_owned())));
    assert_fails_once(&mut socket, ErrorKind::BrokenPipe).await;
}

/// What came in one read with the head belongs to the connection.
#[tokio::test(start_paused = true)]
async fn bytes_after_the_handshake_are_received() {
    let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&[head.as_bytes(), &frames("81 02 68 69", true)].concat()).await.unwrap();
    let mut socket = WebSocket::accept(stream, &Options::new()).await.unwrap();
    assert_eq!(message(&mut socket).await, Some(Message::Text("hi".to_owned())));
}

// --- opening -------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_server_decides_about_each_request() {
    for (decides, shown) in [
        (200, Ok("chat")),
        (404, Err("not opened: refused with HTTP status 404")),
        (0, Err("not opened: refused with HTTP status 503")),
    ] {
        let (one, two) = duplex(1000);
        let offer = Offer::new().subprotocols(&["chat"]);
        let target = Target::parse("ws://localhost/room").unwrap();
        // The server that does not decide has 30 s.
        let options = Options::new().limit(Limit::Handshake, None);
        let (mut subprotocol, mut body) = (String::new(), Vec::new());
        let endpoint = Endpoint::client(&target, &offer, [7; 16], Keys::default(), &options);
        let mut client = WebSocket::new(one, endpoint.unwrap());
        let opens = async {
            match client.next().await.unwrap() {
                Some((Incoming::Opened(response), _)) => subprotocol.extend(response.subprotocol()),
                Some((Incoming::Refused { body: text, .. }, _)) => body.extend_from_slice(text),
                other => panic!("{other:?}"),
            }
            client.endpoint().ending()
        };
        let server = WebSocket::accept_with(two, &options, |request| {
            assert_eq!(request.resource().path(), "/room");
            match decides {
                0 => Ok(()),
                200 => {
                    let first = request.subprotocols().next().unwrap();
                    request.accept(&AcceptOptions::new().subprotocol(first))
                }
                status => request.reject(status, &[], b"none"),
            }
        });
        let (ending, server) = tokio::join!(opens, server);
        match shown {
            Ok(agreed) => assert!(ending.is_none() && server.is_ok() && subprotocol == agreed),
            Err(line) => {
                assert_eq!(ending.unwrap().to_string(), line);
                let line =
                    if decides == 0 { "not opened: the request was not decided on" } else { line };
                assert_eq!(server.err().unwrap().to_string(), line);
                assert_eq!(body, if decides == 404 { b"none" } else { &b""[..] });
            }
        }
    }
}

/// What a handle sends meanwhile waits for the decision, too.
#[tokio::test(start_paused = true)]
async fn a_request_can_be_decided_on_later() {
    let (one, two) = duplex(1000);
    let server = async {
        let mut ws = WebSocket::new(two, Endpoint::server(&Options::new()));
        ws.handle().send_with(|ws| ws.text("welcome")).await.unwrap();
        while let Some((incoming, _)) = ws.next().await.unwrap() {
            if let Incoming::Request = incoming {
                sleep(MINUTE).await; // a pause, in which nothing is awaited
                let request = ws.endpoint().request().unwrap();
                request.accept(&AcceptOptions::new()).unwrap();
            }
        }
    };
    let options = Options::new().limit(Limit::Handshake, None);
    let client = async {
        let target = Target::parse("ws://localhost/").unwrap();
        let mut ws = WebSocket::connect(one, &target, &Offer::new(), &options).await.unwrap();
        assert_eq!(message(&mut ws).await, Some(Message::Text("welcome".to_owned())));
        assert_clean(close(&mut ws).await, 1000, Initiator::Local);
    };
    tokio::join!(server, client);
}

/// The response is written although the caller does not call `next`.
#[tokio::test(start_paused = true)]
async fn an_accepted_client_receives_its_response() {
    let (one, two) = duplex(1000);
    let options = Options::new();
    let (client, _server) = tokio::join!(
        connect(BufStream::new(one)),
        WebSocket::accept(BufStream::new(two), &options)
    );
    assert!(client.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_fails_says_why() {
    for (answer, line) in [
        (&b""[..], "not opened: the transport has ended"),
        (b"SSH-2.0-OpenSSH\r\n", "not opened: "),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "not opened: refused with HTTP status 302"),
    ] {
        let (stream, mut peer) = duplex(1000);
        peer.write_all(answer).await.unwrap();
        peer.shutdown().await.unwrap();
        let error = connect(stream).await.err().unwrap();
        assert!(matches!(error, Error::NotOpened(_)) && error.to_string().starts_with(line));
    }
    let error = connect(Broken { reads_fail: true, writes_fail: true }).await.err().unwrap();
    assert!(matches!(error, Error::Io(it) if it.kind() == ErrorKind::ConnectionReset));
}

/// A stream that fails is the reason only if there was none before.
#[tokio::test(start_paused = true)]
async fn an_opening_whose_stream_fails_says_why() {
    let request = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let more = [request.as_bytes(), &frames("82 01 01 / 82 01 02", true)].concat();
    let lost = "I/O error: broken pipe";
    let undecided = "not opened: the request was not decided on";
    let options = Options::new();
    for (head, decides, line) in [
        (request.as_bytes(), 101, lost),
        (&more, 101, lost),
        (request.as_bytes(), 404, "not opened: refused with HTTP status 404"),
        (request.as_bytes(), 0, undecided),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\n\r\n",
            101,
            "not opened: the method is not the one of a handshake",
        ),
        (b"", 101, "not opened: the opening handshake took too long"),
    ] {
        let stream = Failing { input: head.to_vec(), start: Instant::now() };
        let accepted = WebSocket::accept_with(stream, &options, |request| match decides {
            0 => Ok(()),
            101 => request.accept(&AcceptOptions::new()),
            status => request.reject(status, &[], b""),
        });
        let error = accepted.await.err().unwrap();
        assert_eq!(
            (error.to_string().as_str(), matches!(error, Error::Io(_))),
            (line, line == lost)
        );
    }

    // A client's stream is reset after the response that refuses.
    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n".as_slice();
    let reset = Broken { reads_fail: true, writes_fail: true };
    let error = connect(join(answer.chain(reset), sink())).await.err().unwrap();
    assert_eq!(error.to_string(), "not opened: refused with HTTP status 403");
}

// --- streams -------------------------------------------------------------------------------------

/// Bytes that a stream holds back are flushed: neither a message nor a Close waits for another one.
#[tokio::test(start_paused = true)]
async fn a_stream_that_buffers_is_flushed() {
    for (client_closes, server_closes) in [(true, false), (false, true), (true, true)] {
        let (one, two) = duplex(1000);
        let (one, two) = (BufStream::new(one), BufStream::new(two));
        let (client, server) = converse(one, two, client_closes, server_closes).await;
        assert!(client.unwrap().clean && server.unwrap().clean);
    }
}

#[cfg(feature = "deflate")]
#[tokio::test(start_paused = true)]
async fn messages_are_compressed_as_the_options_say() {
    use websocket_proto::endpoint::{Compression, ZlibStock};
    let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
    let (one, two) = duplex(1000);
    let (target, offer) = (Target::parse("ws://localhost/").unwrap(), Offer::new());
    let (client, server) = tokio::join!(
        WebSocket::connect(one, &target, &offer, &options),
        WebSocket::accept(two, &options)
    );
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    // Were it not compressed, it would not fit into the pipe, and nobody drives the client.
    let text = "to and fro ".repeat(1000);
    client.send_with(|ws| ws.text(&text)).await.unwrap();
    assert!(message(&mut server).await == Some(Message::Text(text)));
}

/// A stream that has a frame once 20 s have passed, at the second look. It keeps what is written.
struct Late {
    start: Instant,
    looks: usize,
    output: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Late {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.looks += usize::from(self.start.elapsed().as_secs() >= 20);
        if self.looks != 2 {
            return Poll::Pending;
        }
        buffer.put_slice(&frames("82 01 01", true));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Late {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.output.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What was read is received before a deadline has an effect.
#[tokio::test(start_paused = true)]
async fn a_peer_whose_bytes_lie_unread_is_not_pinged() {
    let output = Arc::new(Mutex::new(Vec::new()));
    let stream = Late { start: Instant::now(), looks: 0, output: Arc::clone(&output) };
    let mut socket = server(stream);
    assert_eq!(message(&mut socket).await, Some(Message::Binary(vec![1])));
    assert!(timeout(Duration::from_secs(10), message(&mut socket)).await.is_err());
    assert_eq!(*output.lock().unwrap(), b"");
}

/// They wait for a peer that does not read, and not for one that has gone.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_releases_its_handles() {
    let (stream, peer) = duplex(1000);
    let mut socket = server(stream);
    let handle = socket.handle();
    let waiting = tokio::spawn(async move {
        while handle.send_with(|ws| ws.binary(&[7; 100_000])).await.is_ok() {}
    });
    let driver = tokio::spawn(async move {
        while message(&mut socket).await.is_some() {}
        socket
    });
    sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    drop(peer);
    let _kept = driver.await.unwrap();
    timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap();
}

/// Also one that is made when the connection is closing or has ended.
#[tokio::test(start_paused = true)]
async fn a_handle_that_is_made_late_sends_nothing() {
    let late = Err(SendError::Closing);
    let (stream, peer) = duplex(1000);
    let mut socket = server(stream);
    socket.endpoint().close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(socket.handle().send_with(|ws| ws.text("late")).await, late);
    drop(peer);
    assert_eq!(message(&mut socket).await, None);
    assert_eq!(socket.handle().send_with(|ws| ws.text("late")).await, late);
    let mut socket = server(Broken { reads_fail: true, writes_fail: true });
    let early = socket.handle();
    assert!(socket.next().await.is_err());
    assert_eq!(socket.handle().send_with(|ws| ws.text("late")).await, late);
    assert_eq!(early.send_with(|ws| ws.text("late")).await, late);
}

/// A call that was queued reports through a channel of its own.
#[tokio::test(start_paused = true)]
async fn a_call_can_tell_what_came_of_it() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let handle = socket.handle();
    let call = async || {
        let (tell, told) = oneshot::channel();
        let call = handle.send_with(|ws| {
            let result = ws.text("a");
            _ = tell.send(result);
            result
        });
        call.await.map(|()| told)
    };
    let mut tolds = Vec::new();
    socket.endpoint().fragment(Data::Text("b"), false).unwrap();
    tolds.push(call().await.unwrap());
    assert!(poll_once(message(&mut socket)).await.is_pending());
    socket.endpoint().fragment(Data::Text("b"), true).unwrap();
    tolds.push(call().await.unwrap());
    assert!(poll_once(message(&mut socket)).await.is_pending());
    expect(&mut peer, "01 01 62 / 80 01 62 / 81 01 61").await;
    // A call that is queued when the connection begins to close is still made.
    tolds.push(call().await.unwrap());
    socket.endpoint().close(CloseCode::NORMAL, "").unwrap();
    assert!(poll_once(message(&mut socket)).await.is_pending());
    assert!(call().await.is_err());
    let mut results = Vec::new();
    for told in tolds {
        results.push(told.await.unwrap());
    }
    assert_eq!(results, [Err(SendError::MessageOpen), Ok(()), Err(SendError::Closing)]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_keep_no_other_waiting() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let handle = socket.handle();
    tokio::spawn(async move { message(&mut socket).await });
    for _ in 0..50 {
        let call = handle.send_with(|ws| ws.ping(&[0; 126]));
        timeout(Duration::from_secs(1), call).await.unwrap().unwrap();
    }
    handle.send_with(|ws| ws.text("a")).await.unwrap();
    expect(&mut peer, "81 01 61").await;
}

/// However small the output is that may wait.
#[tokio::test(start_paused = true)]
async fn calls_of_a_handle_wait_for_room() {
    let options = Options::new().water_marks(0, 10);
    let (stream, mut peer) = duplex(1);
    let endpoint = Endpoint::open(Server, Agreed::new(), &options).unwrap();
    let mut socket = WebSocket::new(stream, endpoint);
    let handle = socket.handle();
    tokio::spawn(async move { message(&mut socket).await });
    for number in 0..40 {
        handle.send_with(move |ws| ws.binary(&[number; 20])).await.unwrap();
        if number >= 16 {
            expect(&mut peer, &format!("82 14 {:02X}*20", number - 16)).await;
        }
    }
}

#[test]
fn futures_can_go_to_other_threads() {
    fn check<T: Send>(_: &T) {}
    let (stream, _peer) = duplex(1);
    let mut socket = server(stream);
    check(&socket.handle().send_with(|ws| ws.text("hi")));
    check(&socket.send_with(|ws| ws.text("hi")));
    check(&socket.next());
    check(&socket.close(CloseCode::NORMAL, ""));
}

// --- TLS -----------------------------------------------------------------------------------------

/// `tests/tls` has a self-signed certificate and its key, which are for this test and public.
#[test]
fn r6455_4_1_g_the_host_of_a_target_names_the_server() {
    for (uri, host) in [
        ("wss://127.0.0.1:444", "127.0.0.1"),
        ("wss://[::1]/", "::1"),
        ("wss://[::ffff:1.2.3.4]", "::ffff:1.2.3.4"),
    ] {
        let (target, address) = (Target::parse(uri).unwrap(), host.parse::<IpAddr>().unwrap());
        assert_eq!(ServerName::try_from(target.host()).unwrap(), ServerName::from(address));
    }
    let target = Target::parse("wss://Example.com:444/x").unwrap();
    assert!(matches!(ServerName::try_from(target.host()), Ok(ServerName::DnsName(_))));
}

#[tokio::test(start_paused = true)]
async fn r6455_10_6_a_the_same_loop_runs_over_tls() {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let acceptor =
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()));
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));

    for (client_closes, server_closes) in [(true, false), (false, true), (true, true)] {
        let (one, two) = duplex(1000);
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) = tokio::join!(connector.connect(name, one), acceptor.accept(two));
        let (client, server) =
            converse(client.unwrap(), server.unwrap(), client_closes, server_closes).await;
        assert!(client.unwrap().clean && server.unwrap().clean);
    }
}

// --- what the tests share ------------------------------------------------------------------------

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

fn server<S: Stream>(stream: S) -> WebSocket<S, Server> {
    let endpoint = Endpoint::open(Server, Agreed::new(), &Options::new());
    WebSocket::new(stream, endpoint.unwrap())
}

fn client<S: Stream>(stream: S) -> WebSocket<S, Client<Keys>> {
    let endpoint = Endpoint::open(Client(Keys::default()), Agreed::new(), &Options::new());
    WebSocket::new(stream, endpoint.unwrap())
}

fn client_connection() -> Connection<Client<Keys>> {
    Connection::new(Client(Keys::default()), &Config::new(), Agreed::new())
}

async fn connect<S: Stream>(stream: S) -> Result<WebSocket<S, Client<SystemMask>>, Error> {
    let target = Target::parse("ws://localhost/").unwrap();
    WebSocket::connect(stream, &target, &Offer::new(), &Options::new()).await
}

/// The next message; `None` at the end.
async fn message(socket: &mut WebSocket<impl Stream, impl Role>) -> Option<Message> {
    while let Ok(Some((incoming, _))) = socket.next().await {
        match incoming {
            Incoming::Text(text) => return Some(Message::Text(text.to_owned())),
            Incoming::Binary(data) => return Some(Message::Binary(data.to_owned())),
            _ => {}
        }
    }
    None
}

fn data(message: &Message) -> Data<'_> {
    message.as_message().data().expect("text or binary")
}

fn closure<S: Stream, R: Role>(socket: &mut WebSocket<S, R>) -> Option<Closure> {
    socket.endpoint().ending().map(|ending| ending.closure)
}

async fn close(socket: &mut WebSocket<impl Stream, impl Role>) -> Option<Closure> {
    socket.close(CloseCode::NORMAL, "").await.ok().map(|ending| ending.closure)
}

/// Reads what a server has sent.
async fn expect(peer: &mut DuplexStream, frame: &str) {
    let frame = frames(frame, false);
    let mut read = vec![0; frame.len()];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(read, frame);
}

/// Reads a Close of a server with this code and any reason.
async fn expect_close(peer: &mut DuplexStream, code: CloseCode) {
    let mut header = [0; 4];
    peer.read_exact(&mut header).await.unwrap();
    assert_eq!((header[0], header[2..] == code.get().to_be_bytes()), (0x88, true), "{header:02X?}");
    let mut reason = vec![0; usize::from(header[1]) - 2];
    peer.read_exact(&mut reason).await.unwrap();
}

async fn expect_end(peer: &mut DuplexStream) {
    assert_eq!(peer.read(&mut [0; 100]).await.unwrap(), 0);
}

fn assert_clean(closure: Option<Closure>, code: u16, initiator: Initiator) {
    let closure = closure.expect("the end");
    assert!(closure.clean, "{closure:?}");
    assert_eq!((closure.code, closure.initiator), (code, Some(initiator)));
}

/// Two minutes between two reads are the application's, also in the middle of a message.
#[tokio::test(start_paused = true)]
async fn an_application_that_takes_its_time_loses_no_peer_in_the_middle_of_a_message() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let frame = frames("81 7E 0F A0 61*4000", true);
    let writer = tokio::spawn(async move {
        // As fast as the other side takes it, with the pause of a network between two packets.
        for part in frame.chunks(500) {
            peer.write_all(part).await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
        peer
    });
    // A future that is dropped loses nothing.
    assert!(timeout(Duration::from_millis(25), message(&mut socket)).await.is_err());
    sleep(2 * MINUTE).await; // the application is busy
    let got = message(&mut socket).await;
    assert_eq!(got, Some(Message::Text("a".repeat(4000))));
    assert_eq!(socket.send_with(|ws| ws.text("still open")).await, Ok(()));
    drop(writer);
}

/// A future of `next` that is dropped twice a second gives a peer no more time for its message.
#[tokio::test(start_paused = true)]
async fn dropping_the_read_puts_off_no_deadline() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let frame = frames("81 7E 0F A0 61*4000", true);
    let writer = tokio::spawn(async move {
        for byte in frame {
            if peer.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
    let start = Instant::now();
    while closure(&mut socket).is_none() {
        // The limit on a message, and that on closing.
        assert!(start.elapsed().as_secs() <= 66);
        let read = timeout(Duration::from_millis(300), message(&mut socket)).await;
        assert!(matches!(read, Err(_) | Ok(None)), "{read:?}");
        sleep(Duration::from_millis(200)).await;
    }
    writer.abort();
}
