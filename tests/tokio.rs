//! The wrapper over tokio, `examples/common/websocket.rs`: nothing is lost, torn or reordered, all
//! deadlines are kept, and connections end as they should.
//!
//! Clocks are paused: where a test waits, it waits for virtual time, which jumps to the next timer.

#![cfg(feature = "alloc")]

mod common;
#[path = "../examples/common/websocket.rs"]
mod websocket;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{Keys, frames};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use websocket::{MAX_WAITING, Message, Stream, WebSocket};
use websocket_proto::handshake::{Offer, Target};
use websocket_proto::{
    Agreed, Client, CloseCode, CloseFrame, Closure, Config, Connection, Data, Initiator, Role,
    SendError, Server,
};

const MINUTE: Duration = Duration::from_secs(60);

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
async fn dropping_the_read_at_every_byte_loses_nothing() {
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
        match poll_once(socket.next()).await {
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
    assert!(dropped >= bytes, "{dropped} times in {bytes} bytes");
    let expected = frames("8A 02 70 31 / 8A 02 70 32 / 88 02 03 E8", false);
    assert_eq!(*output.lock().unwrap(), expected);
    assert_clean(socket.sender().closure(), 1000, Initiator::Peer);
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
        let handle = socket.sender().clone();
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                handle.send(Data::Text(&numbered(sender, number))).await.unwrap();
                yield_now().await;
            }
        });
    }
    let echo = tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                biased;
                message = socket.next() => message,
                () = yield_now() => continue,
            };
            let Some(message) = message else { break socket.sender().closure() };
            socket.sender().send(message.data()).await.unwrap();
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
    connection.close(Some(&normal()), &mut out).unwrap();
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
    let socket = server(stream);
    let sender = socket.sender().clone();
    let message = [7; 50_000];
    let mut sent = 0;
    while poll_once(sender.send(Data::Binary(&message))).await.is_ready() {
        sent += 1;
        yield_now().await; // the writer's turn
        assert!(sent < 100, "nothing waits");
    }
    assert_eq!(sent, MAX_WAITING / message.len() + 1);

    // What was dropped is not sent; what waits goes when the peer reads.
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(Data::Text("then")).await }
    });
    let mut read = vec![0; sent * (message.len() + 4) + 6];
    peer.read_exact(&mut read).await.unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(read[read.len() - 6..], *b"\x81\x04then");
    assert!(timeout(Duration::from_secs(1), peer.read_u8()).await.is_err());

    // A connection that ends lets nobody wait, however much was to be written.
    for length in [50_000, 2 * MAX_WAITING] {
        sender.send(Data::Binary(&vec![7; length])).await.unwrap();
        yield_now().await;
    }
    let waiting = tokio::spawn(async move { sender.send(Data::Text("never")).await });
    yield_now().await;
    drop(socket);
    let second = Duration::from_secs(1);
    assert_eq!(timeout(second, waiting).await.unwrap().unwrap(), Err(SendError::Closing));
    timeout(second, peer.read_to_end(&mut read)).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_ping_of_one_read_is_answered() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    tokio::spawn(async move { socket.next().await });
    peer.write_all(&frames("89 01 01 / 89 01 02 / 89 01 03", true)).await.unwrap();
    expect(&mut peer, "8A 01 01 / 8A 01 02 / 8A 01 03").await;
}

#[tokio::test(start_paused = true)]
async fn pings_of_a_peer_that_does_not_read_take_bounded_memory() {
    const PINGS: u32 = 20_000;
    let (stream, peer) = duplex(1000);
    let mut socket = server(stream);
    tokio::spawn(async move { while socket.next().await.is_some() {} });
    let (mut reader, mut writer) = tokio::io::split(peer);
    let mut connection = client_connection();
    for number in 0..PINGS {
        let (mut payload, mut out) = ([0; 125], Vec::new());
        payload[..4].copy_from_slice(&number.to_be_bytes());
        connection.ping(&payload, &mut out).unwrap();
        writer.write_all(&out).await.unwrap();
    }
    let (mut pong, mut pongs) = ([0; 127], 0);
    while timeout(Duration::from_secs(1), reader.read_exact(&mut pong)).await.is_ok() {
        pongs += 1;
    }
    assert!(pongs > 1 && pongs <= MAX_WAITING / pong.len() + 20, "{pongs}");
    assert_eq!(pong[..6], [[0x8A, 125].as_slice(), &(PINGS - 1).to_be_bytes()].concat());
}

// --- deadlines -----------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_handshake_takes_ten_seconds_at_most() {
    for head in ["", "GET / HTTP/1.1\r\n"] {
        let (stream, mut peer) = duplex(1000);
        peer.write_all(head.as_bytes()).await.unwrap();
        let start = Instant::now();
        let accept = tokio::spawn(async { WebSocket::accept(stream, &Config::new()).await.err() });
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_eq!(start.elapsed().as_secs(), 10);
        // The peer does not end its side.
        let error = accept.await.unwrap().unwrap();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 15));
    }
    let (stream, _peer) = duplex(1000);
    let start = Instant::now();
    let error = connect(stream).await.err().unwrap();
    assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));
}

/// A transport that is closed with input unread is reset, which can destroy the answer on its way.
#[tokio::test(start_paused = true)]
async fn a_refused_request_is_read_to_its_end() {
    const BODY: usize = 100_000;
    let (stream, mut peer) = duplex(1000);
    let accept = tokio::spawn(async { WebSocket::accept(stream, &Config::new()).await.err() });
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
        socket.sender().send(Data::Binary(&vec![7; LENGTH])).await.unwrap();
        socket.next().await
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
        socket.sender().send(Data::Binary(&vec![7; 1 << 20])).await.unwrap();
        socket.next().await
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
    let next = tokio::spawn(async move { (socket.next().await, socket.sender().closure()) });
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
    let next = tokio::spawn(async move { socket.next().await });
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
    let next = tokio::spawn(async move { socket.next().await });
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
    let next = tokio::spawn(async move { socket.next().await });
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
        assert_eq!(socket.next().await, Some(Message::Binary(vec![0])));
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
    assert_eq!(socket.next().await, Some(Message::Binary(vec![1])));
    sleep(10 * MINUTE).await;
    assert!(socket.next().await == Some(Message::Binary(vec![2; 2000])));
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
        socket.sender().send(Data::Binary(&[0; 996])).await.unwrap();
        yield_now().await;
    }
    assert_eq!(socket.next().await, None);
    assert!((60..=90).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_neither_reads_nor_writes_is_dropped_while_sending() {
    let (stream, _peer) = duplex(1000);
    let socket = server(stream);
    let start = Instant::now();
    // Nobody calls `next`.
    let error = loop {
        if let Err(error) = socket.sender().send(Data::Binary(&[0; 100_000])).await {
            break error;
        }
    };
    assert_eq!((error, start.elapsed().as_secs()), (SendError::Closing, 40));
}

#[tokio::test(start_paused = true)]
async fn closing_takes_five_seconds_at_most() {
    async fn close(mut socket: WebSocket<impl Role + Send + 'static, impl Stream>) -> Closure {
        let start = Instant::now();
        let closure = socket.close(&normal()).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 5);
        closure
    }
    let answer = |masked| frames("88 02 03 E8", masked);

    // The peer does not answer.
    let (stream, _peer) = duplex(1000);
    let closure = close(server(stream)).await;
    assert_eq!((closure.clean, closure.sent), (false, Some(1000)));
    // It answers and does not end the stream.
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&answer(true)).await.unwrap();
    assert_clean(Some(close(server(stream)).await), 1000, Initiator::Local);
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&answer(false)).await.unwrap();
    assert_clean(Some(close(client(stream)).await), 1000, Initiator::Local);
    // It does not read.
    let (stream, _peer) = duplex(1000);
    let socket = server(stream);
    socket.sender().send(Data::Binary(&[0; 10_000])).await.unwrap();
    assert!(!close(socket).await.clean);
    // It sends and sends.
    let (stream, mut peer) = duplex(1000);
    tokio::spawn(async move {
        while peer.write_all(&frames("82 01 00", true)).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(!close(server(stream)).await.clean);
    // The peer's own Close starts the clock too.
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&answer(true)).await.unwrap();
    let (mut socket, start) = (server(stream), Instant::now());
    assert_eq!((socket.next().await, start.elapsed().as_secs()), (None, 5));
}

#[tokio::test(start_paused = true)]
async fn a_close_shortens_a_wait_and_needs_nobody_who_reads() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    let sender = socket.sender().clone();
    let start = Instant::now();
    let next = tokio::spawn(async move { socket.next().await });
    sleep(Duration::from_secs(3)).await;
    sender.close(&normal()).unwrap();
    assert_eq!((next.await.unwrap(), start.elapsed().as_secs()), (None, 8));
    expect(&mut peer, "88 02 03 E8").await;

    let (stream, _peer) = duplex(1000);
    let socket = server(stream);
    socket.sender().close(&normal()).unwrap();
    sleep(Duration::from_millis(4900)).await;
    assert_eq!(socket.sender().closure(), None);
    sleep(Duration::from_millis(200)).await;
    assert!(!socket.sender().closure().unwrap().clean);
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
    let config = Config::new();
    let (client, server) =
        tokio::join!(connect(client_stream), WebSocket::accept(server_stream, &config));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    let big = vec![0xA5; 70_000];
    for data in [Data::Text("κόσμε 🦀"), Data::Binary(&big)] {
        client.sender().send(data).await.unwrap();
        let message = server.next().await.unwrap();
        server.sender().send(message.data()).await.unwrap();
        let echo = client.next().await.unwrap();
        assert!(echo == message && echo.data().as_bytes() == data.as_bytes());
    }
    let closures = tokio::join!(
        async {
            if client_closes {
                return client.close(&normal()).await;
            }
            assert_eq!(client.next().await, None);
            client.sender().closure()
        },
        async {
            if server_closes {
                return server.close(&normal()).await;
            }
            assert_eq!(server.next().await, None);
            server.sender().closure()
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
    assert!(timeout(Duration::from_secs(1), socket.next()).await.is_err());
    expect(&mut peer, "88 02 03 E8").await;
    expect_end(&mut peer).await;
    peer.write_all(b"dropped").await.unwrap();
    assert!(timeout(Duration::from_secs(1), socket.next()).await.is_err());
    peer.shutdown().await.unwrap();
    assert_eq!(timeout(Duration::from_secs(1), socket.next()).await, Ok(None));
    assert_clean(socket.sender().closure(), 1000, Initiator::Peer);
}

/// §7.1.1: the client waits for the server to end the stream.
#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_end() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = client(stream);
    peer.write_all(&frames("88 02 03 E8", false)).await.unwrap();
    assert!(timeout(Duration::from_secs(1), socket.next()).await.is_err());
    peer.read_exact(&mut [0; 8]).await.unwrap();
    assert!(timeout(Duration::from_secs(1), peer.read_u8()).await.is_err(), "it ends the stream");
    peer.shutdown().await.unwrap();
    assert_eq!(timeout(Duration::from_secs(1), socket.next()).await, Ok(None));
    assert_clean(socket.sender().closure(), 1000, Initiator::Peer);
}

/// A peer that has said all it has to say may still read.
#[tokio::test(start_paused = true)]
async fn an_end_of_stream_keeps_no_close_and_no_echo_from_the_peer() {
    for masked in [true, false] {
        let (stream, mut peer) = duplex(10);
        let mut input = frames("82 03 01 02 03 / 88 02 03 E8", masked);
        let driver = tokio::spawn(async move {
            if masked { drive(server(stream)).await } else { drive(client(stream)).await }
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

    async fn drive(
        mut socket: WebSocket<impl Role + Send + 'static, impl Stream>,
    ) -> Option<Closure> {
        while socket.next().await.is_some() {
            socket.sender().send(Data::Binary(&[7; 10])).await.unwrap();
        }
        socket.sender().closure()
    }
}

#[tokio::test(start_paused = true)]
async fn a_violation_is_answered() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream);
    peer.write_all(&frames("81 02 68 69 / C1 00 / 81 00", true)).await.unwrap();
    let driver = tokio::spawn(async move {
        assert_eq!(socket.next().await, Some(Message::Text("hi".to_owned())));
        assert_eq!(socket.next().await, None);
        socket.sender().closure().unwrap()
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
    assert_eq!(socket.next().await, Some(Message::Text("hi".to_owned())));
    assert_eq!(socket.next().await, None);
    assert_eq!(socket.next().await, None, "and again");
    let closure = socket.sender().closure().unwrap();
    assert_eq!((closure.clean, closure.code), (false, Closure::ABNORMAL));
    assert_eq!(socket.sender().send(Data::Text("late")).await, Err(SendError::Closing));
}

/// A transport whose writes fail, and whose reads fail or never end.
struct Broken {
    reads_fail: bool,
}

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads_fail {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        } else {
            Poll::Pending
        }
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
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
    for reads_fail in [true, false] {
        let (mut socket, start) = (server(Broken { reads_fail }), Instant::now());
        socket.sender().send(Data::Text("hi")).await.unwrap();
        assert_eq!((socket.next().await, start.elapsed().as_secs()), (None, 0));
        assert_eq!(socket.sender().closure().unwrap().code, Closure::ABNORMAL);
    }
}

/// What came in one read with the head belongs to the connection.
#[tokio::test(start_paused = true)]
async fn bytes_after_the_handshake_are_received() {
    let head = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let (stream, mut peer) = duplex(1000);
    peer.write_all(&[head.as_bytes(), &frames("81 02 68 69", true)].concat()).await.unwrap();
    let mut socket = WebSocket::accept(stream, &Config::new()).await.unwrap();
    assert_eq!(socket.next().await, Some(Message::Text("hi".to_owned())));
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

fn server<S: Stream>(stream: S) -> WebSocket<Server, S> {
    let connection = Connection::new(Server, &Config::new(), Agreed::new());
    WebSocket::new(stream, connection, Vec::new())
}

fn client<S: Stream>(stream: S) -> WebSocket<Client<Keys>, S> {
    WebSocket::new(stream, client_connection(), Vec::new())
}

fn client_connection() -> Connection<Client<Keys>> {
    Connection::new(Client(Keys::default()), &Config::new(), Agreed::new())
}

async fn connect<S: Stream>(stream: S) -> io::Result<WebSocket<Client<Keys>, S>> {
    let target = Target::parse("ws://localhost/").unwrap();
    WebSocket::connect(stream, &target, &Offer::new(), [7; 16], Keys::default()).await
}

fn normal() -> CloseFrame {
    CloseFrame::truncated(CloseCode::NORMAL, "")
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
    assert!(timeout(Duration::from_millis(25), socket.next()).await.is_err());
    sleep(2 * MINUTE).await; // the application is busy
    let got = socket.next().await;
    assert_eq!(got, Some(Message::Text("a".repeat(4000))));
    assert_eq!(socket.sender().send(Data::Text("still open")).await, Ok(()));
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
    while socket.sender().closure().is_none() {
        assert!(start.elapsed() < 2 * MINUTE);
        let read = timeout(Duration::from_millis(300), socket.next()).await;
        assert!(matches!(read, Err(_) | Ok(None)), "{read:?}");
        sleep(Duration::from_millis(200)).await;
    }
    writer.abort();
}
