//! Echo servers of the peers, on one thread of tokio each.
//!
//! They are set as their own echo servers are: tasks are not made to yield, and frames and messages
//! of any size are taken.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_websockets::{Config, Limits, ServerBuilder};
use websocket_proto::handshake::{AcceptOptions, ServerHandshake};

/// What `examples/echo_server.rs` reads at once.
const BUFFER: usize = 64 << 10;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The names of the servers. Two crates read 8 KiB at once, offer no other size, and write each
/// message by itself: both also stand behind a buffer, which takes fewer calls and a copy more.
pub const NAMES: [&str; 5] = [
    "tokio-tungstenite",
    "fastwebsockets",
    "fastwebsockets, buffered",
    "tokio-websockets",
    "tokio-websockets, buffered",
];

/// Serves echoes on a free port, which it prints.
pub fn serve(name: &str) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        match name {
            "tokio-tungstenite" => accept(tungstenite).await,
            "fastwebsockets" => accept(|stream| fast(stream, |stream| stream)).await,
            "fastwebsockets, buffered" => accept(|stream| fast(stream, Gathering::new)).await,
            "tokio-websockets" => accept(tokio_websockets).await,
            "tokio-websockets, buffered" => {
                accept(|stream| tokio_websockets(Gathering::new(stream))).await
            }
            name => Err(io::Error::other(format!("no server {name}"))),
        }
    })
}

async fn accept<F>(echo: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = Outcome> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}/", listener.local_addr()?);
    tokio::task::LocalSet::new()
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let echo = echo(stream);
                tokio::task::spawn_local(tokio::task::unconstrained(async {
                    // Clients leave without a closing handshake.
                    let _ = echo.await;
                }));
            }
        })
        .await
}

async fn tungstenite(stream: TcpStream) -> Outcome {
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = next(&mut socket).await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.feed(message).await?;
        }
    }
    Ok(())
}

async fn tokio_websockets(stream: impl AsyncRead + AsyncWrite + Unpin) -> Outcome {
    let (_, mut socket) = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX).flush_threshold(BUFFER))
        .limits(Limits::unlimited())
        .accept(stream)
        .await?;
    while let Some(message) = next(&mut socket).await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.feed(message).await?;
        }
    }
    Ok(())
}

/// The next message. Where it has to be waited for, what was fed goes out first.
async fn next<S, M, E>(socket: &mut S) -> Option<Result<M, E>>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    poll_fn(|context| match socket.poll_next_unpin(context) {
        Poll::Pending => match ready!(socket.poll_flush_unpin(context)) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Some(Err(error))),
        },
        ready => ready,
    })
    .await
}

async fn fast<S>(mut stream: TcpStream, buffered: impl Fn(TcpStream) -> S) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    shake_hands(&mut stream).await?;
    let mut socket = WebSocket::after_handshake(buffered(stream), Role::Server);
    socket.set_max_message_size(usize::MAX);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// The handshake before fastwebsockets, whose own needs hyper, and reads through it from then on.
async fn shake_hands(stream: &mut TcpStream) -> Outcome {
    let (mut head, mut answer) = (Vec::new(), Vec::new());
    let mut handshake = ServerHandshake::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("no request".into());
        }
        let mut input = &mut head[..];
        if let Some(request) = handshake.receive(&mut input)? {
            request.accept(&AcceptOptions::new(), &mut answer)?;
            assert!(input.is_empty(), "a client that does not wait for the answer");
            return Ok(stream.write_all(&answer).await?);
        }
    }
}

/// A stream that reads much at once, and gathers what is written until reading would have to wait:
/// being told to flush before is no reason to write.
struct Gathering(BufStream<TcpStream>);

impl Gathering {
    fn new(stream: TcpStream) -> Self {
        Gathering(BufStream::with_capacity(BUFFER, BUFFER, stream))
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut BufStream<TcpStream>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl AsyncRead for Gathering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.as_mut().stream().poll_read(context, buffer) {
            Poll::Pending => {
                ready!(self.stream().poll_flush(context))?;
                Poll::Pending
            }
            ready => ready,
        }
    }
}

impl AsyncWrite for Gathering {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
