//! `Stream`, `Sink` and the halves: no wake-up, no message and no error is lost, and the ways in
//! say what went wrong.

use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_core::{FusedStream, Stream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::net::TcpListener;
use tokio::task::{coop, yield_now};
use tokio::time::{Instant, sleep, timeout};
#[cfg(feature = "tls")]
use websocket_proto_tokio::TlsAcceptor;
use websocket_proto_tokio::websocket_proto::Initiator;
use websocket_proto_tokio::{
    Agreed, Builder, Client, CloseCode, Decision, Endpoint, Error, Limit, Message, Options,
    Received, Server, SystemMask, WebSocket, accept, accept_with, accept_with_async, client,
    connect,
};

/// More than may wait as output.
const LARGE: usize = 3 << 20;

fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S, Server> {
    server_with(stream, &Options::new())
}

fn server_with<S>(stream: S, options: &Options) -> WebSocket<S, Server>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    WebSocket::new(stream, Endpoint::open(Server, Agreed::new(), options).unwrap())
}

fn peer<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> WebSocket<S, Client<SystemMask>> {
    let endpoint = Endpoint::open(Client(SystemMask::new()), Agreed::new(), &Options::new());
    WebSocket::new(stream, endpoint.unwrap())
}

fn pair(
    buffer: usize,
) -> (WebSocket<DuplexStream, Server>, WebSocket<DuplexStream, Client<SystemMask>>) {
    let (ours, theirs) = duplex(buffer);
    (server(ours), peer(theirs))
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(5), future).await.expect("it hangs")
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Count {
    fn new() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

// --- wake-ups ------------------------------------------------------------------------------------

/// The sink polls last, so the transport keeps its waker; the stream is woken all the same.
#[tokio::test]
async fn a_poll_of_one_side_takes_no_wake_up_from_the_other() {
    let (ours, mut theirs) = duplex(10);
    let (mut sink, mut stream) = server(ours).split::<Message>();
    let ((received, receiver), (sent, sender)) = (Count::new(), Count::new());
    let cx = &mut Context::from_waker(&receiver);
    assert!(stream.poll_next_unpin(cx).is_pending());
    sink.start_send_unpin(vec![7; 100].into()).unwrap();
    // The first poll writes, which wakes the stream, so the stream polls again.
    assert!(sink.poll_flush_unpin(&mut Context::from_waker(&sender)).is_pending());
    assert!(stream.poll_next_unpin(&mut Context::from_waker(&receiver)).is_pending());
    assert!(sink.poll_flush_unpin(&mut Context::from_waker(&sender)).is_pending());
    let (before, sent_before) = (received.get(), sent.get());
    theirs.write_all(b"\x82\x81\0\0\0\0!").await.unwrap();
    assert!(received.get() > before, "the stream was not woken");
    // And the other way: the stream polls last, and the sink is woken when there is room.
    let cx = &mut Context::from_waker(&receiver);
    let message = stream.poll_next_unpin(cx);
    assert!(matches!(message, Poll::Ready(Some(Ok(message))) if message.as_bytes() == b"!"));
    let cx = &mut Context::from_waker(&sender);
    assert!(sink.poll_flush_unpin(cx).is_pending());
    let cx = &mut Context::from_waker(&receiver);
    assert!(stream.poll_next_unpin(cx).is_pending());
    theirs.read_exact(&mut [0; 10]).await.unwrap();
    assert!(sent.get() > sent_before, "the sink was not woken");
}

/// A turn of the sink may read what the stream waits for: no event of the transport follows.
#[tokio::test]
async fn what_one_side_has_read_wakes_the_other() {
    let (ours, mut theirs) = duplex(100);
    let (mut sink, mut stream) = server(ours).split::<Message>();
    let (received, receiver) = Count::new();
    assert!(stream.poll_next_unpin(&mut Context::from_waker(&receiver)).is_pending());
    theirs.write_all(b"\x82\x81\0\0\0\0!").await.unwrap();
    let woken = received.get();
    assert!(stream.poll_next_unpin(&mut Context::from_waker(&receiver)).is_ready());
    assert!(stream.poll_next_unpin(&mut Context::from_waker(&receiver)).is_pending());
    theirs.write_all(b"\x82\x81\0\0\0\0?").await.unwrap();
    // The turn that writes has read the message on its way.
    sink.start_send_unpin("hi".into()).unwrap();
    assert!(sink.poll_flush_unpin(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(received.get() > woken);
}

/// Megabytes both ways through a pipe of few bytes, by two tasks on each side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tasks_on_each_side_lose_nothing() {
    const COUNT: usize = 300;
    let (one, other) = pair(1000);
    let (one_sink, one_stream) = one.split::<Message>();
    let (other_stream, mut other_sink) = other.into_split();
    let message = |number: usize| Message::from(vec![number as u8; number * 97 % 20_000]);
    let first = tokio::spawn(async move {
        let mut sink = one_sink;
        for number in 0..COUNT {
            sink.feed(message(number)).await.unwrap();
        }
        sink.flush().await.unwrap();
        sink
    });
    let second = tokio::spawn(async move {
        for number in 0..COUNT {
            other_sink.send(message(number)).await.unwrap();
        }
        other_sink.flush().await.unwrap();
        other_sink
    });
    let receive = |mut stream: Pin<Box<dyn Stream<Item = Result<Message, Error>> + Send>>| async move {
        for number in 0..COUNT {
            assert_eq!(stream.next().await.unwrap().unwrap(), message(number));
        }
        stream
    };
    let third = tokio::spawn(receive(Box::pin(one_stream)));
    let fourth = tokio::spawn(receive(Box::pin(other_stream)));
    let all = async { tokio::join!(first, second, third, fourth) };
    let all = timeout(Duration::from_secs(60), all).await.expect("a wake-up was lost");
    let (sink, half, mut one, mut other) =
        (all.0.unwrap(), all.1.unwrap(), all.2.unwrap(), all.3.unwrap());
    let (mut sink, _half) = (sink, half);
    let closed = async { tokio::join!(sink.close(), one.next(), other.next()) };
    let (closed, one, other) = in_time(closed).await;
    closed.unwrap();
    assert!(one.is_none() && other.is_none());
}

// --- sending -------------------------------------------------------------------------------------

/// The room that `poll_ready` promised may be taken by the other side before `start_send`.
#[tokio::test]
async fn what_the_sink_has_accepted_is_sent_though_the_room_is_gone() {
    let (mut ws, mut theirs) = pair(1000);
    let noop = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut ws).as_mut().poll_ready_unpin_as(noop).is_ready());
    ws.endpoint().binary(&vec![1; LARGE]).unwrap();
    SinkExt::<Message>::start_send_unpin(&mut ws, "held".into()).unwrap();
    // There is one place only, and a second message is refused, not lost.
    assert!(Pin::new(&mut ws).as_mut().poll_ready_unpin_as(noop).is_pending());
    let refused = SinkExt::<Message>::start_send_unpin(&mut ws, "second".into());
    assert!(matches!(refused, Err(Error::Send(_))));
    let writes = tokio::spawn(async move {
        // What is sent by other ways goes after it, and so does the Close.
        ws.send("then").await.unwrap();
        ws.close(CloseCode::NORMAL, "").await.unwrap()
    });
    assert_eq!(in_time(theirs.message()).await.unwrap().unwrap().as_bytes().len(), LARGE);
    for text in ["held", "then"] {
        assert_eq!(in_time(theirs.message()).await.unwrap(), Some(text.into()));
    }
    assert!(in_time(theirs.message()).await.unwrap().is_none());
    assert!(writes.await.unwrap().closure.clean);
}

/// `poll_ready` with the type of the message named.
trait ReadyExt {
    fn poll_ready_unpin_as(self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
}

impl<S: futures_util::Sink<Message, Error = Error> + Unpin> ReadyExt for Pin<&mut S> {
    fn poll_ready_unpin_as(mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.as_mut().poll_ready(cx)
    }
}

/// A message that is held when the connection closes is an error of the flush, and not of nothing.
#[tokio::test]
async fn what_was_held_and_cannot_be_sent_any_more_is_an_error() {
    let (ours, theirs) = duplex(1000);
    let mut ws = server(ours);
    ws.endpoint().binary(&vec![1; LARGE]).unwrap();
    SinkExt::<Message>::start_send_unpin(&mut ws, "held".into()).unwrap();
    drop(theirs);
    let flushed = in_time(SinkExt::<Message>::flush(&mut ws)).await;
    assert!(matches!(flushed, Err(Error::Io(_) | Error::Closed)), "{flushed:?}");
}

#[tokio::test]
async fn sending_waits_for_room_and_never_says_full() {
    let (ws, mut theirs) = pair(1000);
    let (_receiver, mut sender) = ws.into_split();
    let task = tokio::spawn(async move {
        for _ in 0..5 {
            sender.send(vec![7; LARGE / 2]).await?;
        }
        sender.flush().await
    });
    yield_now().await;
    assert!(!task.is_finished(), "nothing waits");
    for _ in 0..5 {
        assert_eq!(in_time(theirs.message()).await.unwrap().unwrap().as_bytes().len(), LARGE / 2);
    }
    in_time(task).await.unwrap().unwrap();
}

/// Nothing is read here, so only the writes can tell.
#[tokio::test]
async fn a_program_that_only_sends_learns_that_the_stream_failed() {
    let (ours, theirs) = duplex(1000);
    drop(theirs);
    let mut ws = server(ours);
    let error = loop {
        if let Err(error) = in_time(ws.send("hi")).await {
            break error;
        }
    };
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::BrokenPipe), "{error}");
    assert!(in_time(ws.send("again")).await.is_err());

    let (ours, theirs) = duplex(1000);
    drop(theirs);
    let (mut receiver, mut sender) = server(ours).into_split();
    in_time(async { while sender.send("hi").await.is_ok() {} }).await;
    assert!(in_time(sender.send("again")).await.is_err());
    // The side that receives learns of it, too.
    let error = in_time(receiver.next()).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::BrokenPipe), "{error}");
    assert!(in_time(receiver.next()).await.is_none());
}

#[tokio::test]
async fn a_program_that_only_sends_learns_of_a_close() {
    let (ws, mut theirs) = pair(1000);
    let (_receiver, mut sender) = ws.into_split();
    theirs.endpoint().close(CloseCode::GOING_AWAY, "").unwrap();
    theirs.flush().await.unwrap();
    // The first event is the Close, which the sink finds on its way.
    let closed = in_time(async {
        loop {
            if let Err(error) = sender.send("hi").await {
                break error;
            }
        }
    })
    .await;
    assert_eq!(closed.to_string(), "closed: nothing can be sent any more");
}

/// A Ping is answered by the half that is polled, and by no task.
#[tokio::test]
async fn a_half_answers_pings_when_it_is_polled_and_not_before() {
    let (ours, mut theirs) = duplex(1000);
    let (_receiver, mut sender) = server(ours).into_split();
    theirs.write_all(b"\x89\x81\0\0\0\0?").await.unwrap();
    let silent = timeout(Duration::from_millis(20), theirs.read_u8()).await;
    assert!(silent.is_err(), "there is a task");
    in_time(sender.send("hi")).await.unwrap();
    in_time(sender.flush()).await.unwrap();
    let mut read = [0; 7];
    in_time(theirs.read_exact(&mut read)).await.unwrap();
    assert_eq!(read, *b"\x81\x02hi\x8A\x01?");
}

// --- the end -------------------------------------------------------------------------------------

/// Gives its bytes and then a reset.
struct Reset(&'static [u8], Vec<u8>);

impl AsyncRead for Reset {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        buffer.put_slice(self.0);
        self.0 = &[];
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Reset {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_reset_after_both_closes_is_a_clean_end() {
    let closed: &[u8] = b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xE8";
    let mut ws = server(Reset(closed, Vec::new()));
    while let Some((incoming, _)) = in_time(ws.next()).await.unwrap() {
        println!("{incoming:?}");
    }
    assert!(ws.endpoint().ending().unwrap().closure.clean);
    assert!(in_time(ws.flush()).await.is_ok());

    let mut ws = server(Reset(closed, Vec::new()));
    assert_eq!(in_time(ws.message()).await.unwrap(), Some("hi".into()));
    assert!(in_time(ws.message()).await.unwrap().is_none());

    // Without the Close it is the error, once, after what was read before.
    let mut ws = server(Reset(b"\x81\x82\0\0\0\0hi", Vec::new()));
    assert_eq!(in_time(ws.message()).await.unwrap(), Some("hi".into()));
    assert!(!ws.is_terminated());
    assert!(matches!(in_time(ws.message()).await, Err(Error::Io(_))));
    assert!(in_time(ws.message()).await.unwrap().is_none());
    assert!(ws.is_terminated());
}

#[tokio::test]
async fn an_end_that_is_not_clean_says_why() {
    for (bytes, line) in [
        (&b""[..], "lost: the transport ended without a Close"),
        (b"\x81\x02hi", "failed: frame from the client is not masked"),
    ] {
        let (ours, mut theirs) = duplex(1000);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let (mut receiver, _sender) = server(ours).into_split();
        let error = in_time(receiver.next()).await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), line);
        assert!(in_time(receiver.next()).await.is_none());
        assert!(!receiver.ending().unwrap().closure.clean);
        drop(theirs);
    }
}

#[tokio::test]
async fn a_half_closes_with_and_without_the_other() {
    for alone in [false, true] {
        let (ws, mut theirs) = pair(1000);
        let peer = tokio::spawn(async move {
            while theirs.message().await.unwrap().is_some() {}
            theirs.endpoint().ending().unwrap()
        });
        let (receiver, mut sender) = ws.into_split();
        let mut receiver = (!alone).then_some(receiver);
        in_time(sender.close(CloseCode::GOING_AWAY, "bye")).await.unwrap();
        if let Some(receiver) = &mut receiver {
            assert!(in_time(receiver.next()).await.is_none());
            assert_eq!(receiver.ending().unwrap().closure.initiator, Some(Initiator::Local));
        }
        drop((receiver, sender));
        let ending = in_time(peer).await.unwrap();
        assert_eq!(ending.to_string(), r#"closed by the peer: 1001 "bye""#);
    }
}

// --- cancelling and budget -----------------------------------------------------------------------

/// Polls a future once and drops it.
async fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Drops every future after its first poll, until it is ready at once.
async fn at_once<T, F: Future<Output = T>>(mut make: impl FnMut() -> F) -> T {
    for _ in 0..100_000 {
        if let Poll::Ready(value) = poll_once(make()).await {
            return value;
        }
        yield_now().await;
    }
    panic!("it hangs");
}

#[tokio::test]
async fn futures_that_are_dropped_all_the_time_lose_and_repeat_nothing() {
    let (ws, mut theirs) = pair(7);
    let peer = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(message) = theirs.message().await.unwrap() {
            seen.push(message.clone());
            theirs.send(message).await.unwrap();
        }
        seen
    });
    let (receiver, sender) = ws.into_split();
    let (receiver, sender) = (tokio::sync::Mutex::new(receiver), tokio::sync::Mutex::new(sender));
    let expected: Vec<_> = (0..20).map(|number| Message::from("x".repeat(number))).collect();
    for message in &expected {
        at_once(|| async { sender.lock().await.send(message.clone()).await }).await.unwrap();
        at_once(|| async { sender.lock().await.flush().await }).await.unwrap();
        let echo = at_once(|| async { receiver.lock().await.next().await }).await;
        assert_eq!(echo.unwrap().unwrap(), *message);
    }
    at_once(|| async { sender.lock().await.close(CloseCode::NORMAL, "").await }).await.unwrap();
    assert!(at_once(|| async { receiver.lock().await.next().await }).await.is_none());
    assert_eq!(in_time(peer).await.unwrap(), expected);
}

#[tokio::test]
async fn a_whole_socket_whose_futures_are_dropped_loses_and_repeats_nothing() {
    let (ws, mut theirs) = pair(7);
    let peer = tokio::spawn(async move {
        while let Some(message) = theirs.message().await.unwrap() {
            theirs.send(message).await.unwrap();
        }
        theirs.endpoint().ending().unwrap()
    });
    let ws = tokio::sync::Mutex::new(ws);
    for number in 0..20 {
        let message = Message::from("y".repeat(number));
        at_once(|| async { ws.lock().await.send(message.clone()).await }).await.unwrap();
        at_once(|| async { ws.lock().await.flush().await }).await.unwrap();
        let echo = at_once(|| async { ws.lock().await.message().await }).await;
        assert_eq!(echo.unwrap(), Some(message));
    }
    let ending = at_once(|| async { ws.lock().await.close(CloseCode::NORMAL, "bye").await }).await;
    assert!(ending.unwrap().closure.clean);
    assert!(in_time(peer).await.unwrap().closure.clean);
}

/// The application does something else after the future was dropped. That is not the peer's fault.
#[tokio::test(start_paused = true)]
async fn a_pause_after_a_dropped_future_of_a_half_does_not_count() {
    let limit = Options::new().limit(Limit::Message, Some(Duration::from_secs(5)));
    for sends in [false, true] {
        let (ours, mut theirs) = duplex(10);
        let (mut receiver, mut sender) = server_with(ours, &limit).into_split();
        // The beginning of a message, whose end comes after the pause.
        theirs.write_all(b"\x81\x82\0\0").await.unwrap();
        assert!(poll_once(receiver.next()).await.is_pending());
        if sends {
            sender.send("longer than ten bytes").await.unwrap();
            assert!(poll_once(sender.flush()).await.is_pending());
        }
        sleep(Duration::from_secs(15)).await;
        assert!(poll_once(receiver.next()).await.is_pending(), "{sends}");
        theirs.write_all(b"\0\0hi").await.unwrap();
        let message = in_time(receiver.next()).await.unwrap();
        assert_eq!(message.unwrap(), "hi".into(), "{sends}");
        // A peer that took too long is sent a Close, and nothing after it.
        assert!(in_time(sender.send("hi")).await.is_ok(), "{sends}");
    }
}

/// Always has a message to read, and is no stream of tokio, so it takes no part in the budget.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(&b"\x82\x80\0\0\0\0".repeat(buffer.remaining().min(600) / 6));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn messages_that_lie_ready_use_up_the_budget_of_the_task() {
    let mut ws = server(Endless);
    let mut received = 0;
    while poll_once(ws.message()).await.is_ready() {
        received += 1;
        assert!(received < 1000, "no other task gets its turn");
    }
    assert!(!coop::has_budget_remaining());
    yield_now().await;
    assert!(in_time(ws.message()).await.unwrap().is_some());
}

/// A lent event costs none, so the turns that read count.
#[tokio::test]
async fn turns_over_a_stream_that_is_always_ready_use_up_the_budget() {
    let mut ws = server(Endless);
    let mut received = 0;
    while poll_once(ws.next()).await.is_ready() {
        received += 1;
        assert!(received < 100_000, "no other task gets its turn");
    }
    assert!(!coop::has_budget_remaining());
}

// --- the ways in ---------------------------------------------------------------------------------

#[tokio::test]
async fn what_is_sent_may_be_of_many_types() {
    let (mut ws, mut theirs) = pair(1000);
    let (text, data) = ("owned".to_owned(), Bytes::from_static(b"shared"));
    ws.send("text").await.unwrap();
    ws.send(&text).await.unwrap();
    ws.send(text.clone()).await.unwrap();
    ws.send(vec![1, 2]).await.unwrap();
    ws.send(&data).await.unwrap();
    ws.send(data.clone()).await.unwrap();
    ws.send(b"array").await.unwrap();
    for expected in [
        Message::from("text"),
        Message::from("owned"),
        Message::from("owned"),
        Message::from(vec![1, 2]),
        Message::from(&data),
        Message::from(&data),
        Message::from(b"array"),
    ] {
        assert_eq!(in_time(theirs.message()).await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn a_client_connects_by_url_with_subprotocol_and_header() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut seen = None;
        let mut ws = accept_with(stream, |request| {
            seen = request.header("x-token").map(<[u8]>::to_vec);
            let chosen = request.choose_subprotocol(&["chat.v1"]).unwrap();
            request.accept(&websocket_proto_tokio::AcceptOptions::new().subprotocol(chosen))
        })
        .await
        .unwrap();
        let message = ws.message().await.unwrap().unwrap();
        ws.send(message).await.unwrap();
        assert!(ws.message().await.unwrap().is_none());
        seen
    });
    let builder = Builder::new().subprotocol("chat.v2").subprotocol("chat.v1");
    let builder = builder.header("X-Token", "secret");
    let mut ws = in_time(builder.connect(&format!("ws://127.0.0.1:{port}/"))).await.unwrap();
    assert!(ws.get_ref().tcp().nodelay().unwrap());
    assert_eq!(ws.subprotocol(), Some("chat.v1"));
    ws.send("hi").await.unwrap();
    assert_eq!(in_time(ws.message()).await.unwrap(), Some("hi".into()));
    assert!(in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap().closure.clean);
    assert_eq!(in_time(server).await.unwrap().unwrap(), b"secret");
}

#[tokio::test]
async fn an_error_says_what_failed() {
    let error = connect("ftp://example.com/").await.err().unwrap();
    assert!(matches!(error, Error::Url(_)));
    assert!(error.to_string().starts_with("not a WebSocket URL: "), "{error}");
    // The port is free, because it was just given back.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = connect(&format!("ws://127.0.0.1:{port}/")).await.err().unwrap();
    assert!(
        matches!(error, Error::Io(_)) && error.to_string().starts_with("I/O error: "),
        "{error}"
    );

    for (response, status, line) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", Some(403), "refused with HTTP status 403"),
        ("SSH-2.0-OpenSSH_9.2\r\n", None, "not opened: "),
    ] {
        let (ours, mut theirs) = duplex(1000);
        theirs.write_all(response.as_bytes()).await.unwrap();
        theirs.shutdown().await.unwrap();
        let error = in_time(client(ours, "ws://example.com/")).await.err().unwrap();
        assert!(error.to_string().contains(line), "{error}");
        assert_eq!(error.status(), status);
    }
}

/// Before anything is read or dialled: the peer sends nothing here, and nothing listens.
#[tokio::test]
async fn settings_that_are_not_valid_are_an_error_of_every_way_in() {
    let bad = [
        Builder::new().header("X-Token", "a\r\nX-Other: b"),
        Builder::new().header("Upgrade", "h2c"),
        Builder::new().subprotocol("a chat"),
        Builder::new().subprotocol("chat").subprotocol("chat"),
        Builder::new().origin("https://a\tb"),
    ];
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for builder in bad {
        let (ours, _theirs) = duplex(1000);
        let error = in_time(builder.accept(ours)).await.err().unwrap();
        assert!(matches!(error, Error::Head(_)), "{error}");
        let (ours, _theirs) = duplex(1000);
        let decide = async |_: &Received| Decision::Accept;
        let error = in_time(builder.accept_with_async(ours, decide)).await.err().unwrap();
        assert!(matches!(error, Error::Head(_)), "{error}");
        let (ours, _theirs) = duplex(1000);
        let error = in_time(builder.client(ours, "ws://example.com/")).await.err().unwrap();
        assert!(matches!(error, Error::Head(_)), "{error}");
        let connected = in_time(builder.connect(&format!("ws://127.0.0.1:{port}/"))).await;
        let error = connected.err().unwrap();
        assert!(matches!(error, Error::Head(_)), "{error}");
    }
}

#[tokio::test]
async fn a_decision_may_wait() {
    for (decision, status) in [(Decision::Accept, None), (Decision::Reject(401), Some(401))] {
        let (ours, theirs) = duplex(1000);
        let accepted = tokio::spawn(accept_with_async(ours, async move |request: &_| {
            let request: &websocket_proto_tokio::Received = request;
            assert_eq!((request.path(), request.query()), ("/chat", Some("room=1")));
            assert_eq!(request.header("HOST"), Some(&b"example.com"[..]));
            sleep(Duration::from_millis(10)).await;
            decision
        }));
        let opened = in_time(client(theirs, "ws://example.com/chat?room=1")).await;
        assert_eq!(opened.as_ref().err().and_then(Error::status), status);
        drop(opened);
        let accepted = in_time(accepted).await.unwrap();
        assert_eq!(accepted.err().and_then(|error| error.status()), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_never_comes_is_a_503() {
    let (ours, theirs) = duplex(1000);
    let options = Options::new().limit(Limit::Handshake, Some(Duration::from_secs(300)));
    let server = tokio::spawn(async move {
        let builder = Builder::new().options(&options);
        builder.accept_with_async(ours, async |_: &_| pending().await).await.err()
    });
    let (builder, url) = (Builder::new(), "ws://example.com/");
    let lifted = Options::new().limit(Limit::Handshake, Some(Duration::from_secs(300)));
    let refused = builder.options(&lifted).client(theirs, url).await.err().unwrap();
    assert_eq!(refused.status(), Some(503));
    assert!(matches!(server.await.unwrap(), Some(Error::NotOpened(_))));
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_decision_at_once() {
    let begin = Instant::now();
    let (ours, mut theirs) = duplex(1000);
    theirs.write_all(REQUEST).await.unwrap();
    let decide = async move |_: &Received| {
        drop(theirs);
        pending().await
    };
    let error = accept_with_async(ours, decide).await.err().unwrap();
    assert!(matches!(&error, Error::NotOpened(_)), "{error}");
    assert_eq!(error.to_string(), "not opened: the transport has ended");

    let stream = Reset(REQUEST, Vec::new());
    let error = accept_with_async(stream, async |_: &_| pending().await).await.err().unwrap();
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

/// More than a head may be long, so that it stays in the stream until the answer.
#[tokio::test]
async fn what_a_client_sends_before_the_answer_is_received_after_it() {
    const LENGTH: usize = 100_000;
    let (ours, theirs) = duplex(1000);
    let (mut reader, mut writer) = tokio::io::split(theirs);
    let client = tokio::spawn(async move {
        writer.write_all(REQUEST).await.unwrap();
        yield_now().await;
        writer.write_all(b"\x82\xFF\0\0\0\0\0\x01\x86\xA0\0\0\0\0").await.unwrap();
        writer.write_all(&[7; LENGTH]).await.unwrap();
        reader.read_exact(&mut [0; 12]).await.unwrap();
    });
    let decide = async |_: &Received| {
        for _ in 0..10 {
            yield_now().await;
        }
        Decision::Accept
    };
    let mut ws = in_time(accept_with_async(ours, decide)).await.unwrap();
    assert_eq!(in_time(ws.message()).await.unwrap(), Some(vec![7; LENGTH].into()));
    in_time(client).await.unwrap();
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn one_call_compresses() {
    let (ours, theirs) = duplex(100_000);
    let server = tokio::spawn(async move { Builder::new().compress().accept(ours).await });
    let mut ws = in_time(Builder::new().compress().client(theirs, "ws://h/")).await.unwrap();
    let mut server = in_time(server).await.unwrap().unwrap();
    let text = "again and ".repeat(1000);
    server.endpoint().text(&text).unwrap();
    assert!(server.endpoint().output().len() < 1000, "it was not compressed");
    in_time(server.flush()).await.unwrap();
    assert_eq!(in_time(ws.message()).await.unwrap(), Some(text.into()));
}

#[tokio::test]
async fn accept_takes_the_defaults() {
    let (ours, theirs) = duplex(1000);
    let (server, client) =
        in_time(async { tokio::join!(accept(ours), client(theirs, "ws://example.com/")) }).await;
    assert!(server.is_ok() && client.is_ok());
}

#[cfg(feature = "tls")]
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/cert.pem");
#[cfg(feature = "tls")]
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/key.pem");

#[cfg(feature = "tls")]
#[test]
fn an_acceptor_says_which_file_is_wrong() {
    for (certificates, key, line) in [
        ("no/such.pem", KEY, "TLS error: no/such.pem: "),
        (CERTIFICATE, "no/such.pem", "TLS error: no/such.pem: "),
        (KEY, KEY, &format!("TLS error: {KEY}: ")),
        (CERTIFICATE, CERTIFICATE, &format!("TLS error: {CERTIFICATE}: ")),
    ] {
        let error = TlsAcceptor::from_pem_files(certificates, key).err().unwrap();
        assert!(matches!(error, Error::Tls(_)) && error.to_string().starts_with(line), "{error}");
    }
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn an_acceptor_does_not_wait_for_ever_and_says_that_tls_failed() {
    let acceptor = TlsAcceptor::from_pem_files(CERTIFICATE, KEY).unwrap();
    let impatient = acceptor.clone().limit(Duration::from_millis(5));
    for (acceptor, limit) in
        [(acceptor, Duration::from_secs(10)), (impatient, Duration::from_millis(5))]
    {
        // One peer is silent, another speaks HTTP.
        let (one, _silent) = duplex(1000);
        let begin = Instant::now();
        let error = acceptor.accept(one).await.unwrap_err();
        assert!(
            matches!(&error, Error::Tls(error) if error.kind() == ErrorKind::TimedOut),
            "{error}"
        );
        assert_eq!(begin.elapsed(), limit);
        let (one, mut plain) = duplex(1000);
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let error = acceptor.accept(one).await.unwrap_err();
        assert!(
            matches!(&error, Error::Tls(error) if error.kind() == ErrorKind::InvalidData),
            "{error}"
        );
    }
}

/// The file is a pipe, so that the read takes until the same thread has written. The name of the
/// file is in the environment, so that the test runs in a process of its own.
#[cfg(all(unix, feature = "tls"))]
#[test]
fn the_certificates_of_the_system_are_read_once_and_block_no_task() {
    use std::{env, fs, process::Command, sync::mpsc, thread};
    let name = thread::current().name().unwrap().to_owned();
    let pipe = format!("{}/certificates.pipe", env!("CARGO_TARGET_TMPDIR"));
    if env::var_os("SSL_CERT_FILE").is_none_or(|file| file != *pipe) {
        let _ = fs::remove_file(&pipe);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut test = Command::new(env::current_exe().unwrap());
        let test = test.args(["--exact", &name]).env("SSL_CERT_FILE", &pipe).status();
        return assert!(test.unwrap().success());
    }
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
            let server = async {
                let acceptor = TlsAcceptor::from_pem_files(CERTIFICATE, KEY).unwrap();
                for _ in 0..2 {
                    let (stream, _) = listener.accept().await.unwrap();
                    accept(acceptor.accept(stream).await.unwrap()).await.unwrap();
                }
            };
            let client = async {
                connect(&url).await.unwrap();
                connect(&url).await.unwrap();
            };
            let write = move || fs::write(pipe, fs::read(CERTIFICATE).unwrap()).unwrap();
            let write = async { tokio::task::spawn_blocking(write).await.unwrap() };
            tokio::join!(client, write, server)
        });
        done.send(()).unwrap();
    });
    result.recv_timeout(Duration::from_secs(20)).expect("the task is blocked");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn connect_speaks_tls_and_refuses_a_stranger() {
    use websocket_proto_tokio::tokio_rustls::rustls::pki_types::CertificateDer;
    use websocket_proto_tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
    use websocket_proto_tokio::tokio_rustls::rustls::{ClientConfig, RootCertStore};
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).unwrap();
    let acceptor = TlsAcceptor::from_pem_files(CERTIFICATE, KEY).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        for trusted in [true, false] {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await;
            assert_eq!(stream.is_ok(), trusted);
            let Ok(stream) = stream else { continue };
            let mut ws = accept(stream).await.unwrap();
            while let Some(message) = ws.message().await.unwrap() {
                ws.send(message).await.unwrap();
            }
        }
    });
    let trusting = |certificates: Vec<CertificateDer<'static>>| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Builder::new().tls(Arc::new(config))
    };
    let mut ws = in_time(trusting(vec![certificate]).connect(&url)).await.unwrap();
    ws.send("secret").await.unwrap();
    assert_eq!(in_time(ws.message()).await.unwrap(), Some("secret".into()));
    assert!(in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap().closure.clean);
    let error = in_time(trusting(Vec::new()).connect(&url)).await.err().unwrap();
    assert!(matches!(error, Error::Tls(_)) && error.to_string().starts_with("TLS error: "));
    in_time(server).await.unwrap();
}
