//! Echoes by the peers and by this project, as servers and as clients, on one thread of tokio each.
//!
//! The peers are configured like their own echo servers: tasks do not yield, and frames and
//! messages may have any size.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fastwebsockets::{FragmentCollector, OpCode, WebSocket};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local, unconstrained};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, accept_async_with_config, client_async_with_config};
use tokio_websockets::{ClientBuilder, Config, Limits, ServerBuilder};
use websocket_proto::handshake::{
    AcceptOptions, ClientHandshake, Offer, Response, ServerHandshake, Target,
};
use websocket_proto_tokio::{Incoming, Options};

use crate::load::Role;

/// The size of a read, for peers that let it be chosen.
const BUFFER: usize = 64 << 10;

/// The URI that clients request.
const URI: &str = "ws://localhost/";

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The crate that is compared with the peers.
pub const OURS: &str = "websocket-proto-tokio";
/// `examples/echo_server.rs`, which has no client.
pub const MIO: &str = "echo_server";

/// The names of ours and of the peers. tokio-tungstenite reads 128 KiB at a time by default, and
/// can be configured. Two crates read 8 KiB, offer no other size, and write each message by itself.
/// Both are also run on a buffered stream, which takes fewer calls and another copy.
pub const NAMES: [&str; 8] = [
    OURS,
    MIO,
    "tokio-tungstenite",
    "tokio-tungstenite, 64 KiB",
    "fastwebsockets",
    "fastwebsockets, buffered",
    "tokio-websockets",
    "tokio-websockets, buffered",
];

/// Serves echoes on a free port, and prints the port.
pub fn serve(name: &str) -> io::Result<()> {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}/", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            spawn(name, stream, Role::Server)?;
        }
    })
}

/// Connects to `address` once for each byte that is received on the first connection.
pub fn connect(name: &str, address: &str) -> io::Result<()> {
    run(async {
        let mut control = TcpStream::connect(address).await?;
        while control.read_u8().await.is_ok() {
            spawn(name, TcpStream::connect(address).await?, Role::Client)?;
        }
        Ok(())
    })
}

fn run(main: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(main))
}

/// Starts a task that echoes on `stream`.
fn spawn(name: &str, stream: TcpStream, role: Role) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match name {
        OURS => task(ours(stream, role)),
        "tokio-tungstenite" => task(tungstenite(stream, role, WebSocketConfig::default())),
        "tokio-tungstenite, 64 KiB" => {
            let config = WebSocketConfig::default();
            task(tungstenite(
                stream,
                role,
                config.read_buffer_size(BUFFER).write_buffer_size(BUFFER),
            ));
        }
        "fastwebsockets" => task(fast(stream, role, |stream| stream)),
        "fastwebsockets, buffered" => task(fast(stream, role, Gathering::new)),
        "tokio-websockets" => task(tokio_websockets(stream, role)),
        "tokio-websockets, buffered" => task(tokio_websockets(Gathering::new(stream), role)),
        name => return Err(io::Error::other(format!("there is no {name}"))),
    }
    Ok(())
}

fn task(echo: impl Future<Output = Outcome> + 'static) {
    spawn_local(unconstrained(async {
        // The generator ends without a closing handshake.
        let _ = echo.await;
    }));
}

async fn ours(stream: TcpStream, role: Role) -> Outcome {
    use websocket_proto_tokio::WebSocket;

    async fn echo<R: websocket_proto::Role>(mut ws: WebSocket<TcpStream, R>) -> Outcome {
        while let Some((incoming, sender)) = ws.next().await? {
            match incoming {
                Incoming::Text(text) => sender.text(text)?,
                Incoming::Binary(data) => sender.binary(data)?,
                _ => {}
            }
        }
        Ok(())
    }
    let options = Options::new();
    match role {
        Role::Server => echo(WebSocket::accept(stream, &options).await?).await,
        Role::Client => {
            let target = Target::parse(URI)?;
            echo(WebSocket::connect(stream, &target, &Offer::new(), &options).await?).await
        }
    }
}

async fn tungstenite(stream: TcpStream, role: Role, config: WebSocketConfig) -> Outcome {
    let mut socket: WebSocketStream<_> = match role {
        Role::Server => accept_async_with_config(stream, Some(config)).await?,
        Role::Client => client_async_with_config(URI, stream, Some(config)).await?.0,
    };
    while let Some(message) = next(&mut socket).await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.feed(message).await?;
        }
    }
    Ok(())
}

async fn tokio_websockets<S>(stream: S, role: Role) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = Config::default().frame_size(usize::MAX).flush_threshold(BUFFER);
    let mut socket = match role {
        Role::Server => {
            let builder = ServerBuilder::new().config(config).limits(Limits::unlimited());
            builder.accept(stream).await?.1
        }
        Role::Client => {
            let builder = ClientBuilder::new().uri(URI)?.config(config);
            builder.limits(Limits::unlimited()).connect_on(stream).await?.0
        }
    };
    while let Some(message) = next(&mut socket).await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.feed(message).await?;
        }
    }
    Ok(())
}

/// Returns the next message. Before waiting for one, flushes the messages that were fed.
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

async fn fast<S>(mut stream: TcpStream, role: Role, buffered: impl Fn(TcpStream) -> S) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let role = match role {
        Role::Server => {
            accept(&mut stream).await?;
            fastwebsockets::Role::Server
        }
        Role::Client => {
            open(&mut stream).await?;
            fastwebsockets::Role::Client
        }
    };
    let mut socket = WebSocket::after_handshake(buffered(stream), role);
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

/// Accepts the handshake for fastwebsockets, whose own needs hyper and reads through it afterwards.
async fn accept(stream: &mut TcpStream) -> Outcome {
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

/// Does the same for a client.
async fn open(stream: &mut TcpStream) -> Outcome {
    let (target, offer) = (Target::parse(URI)?, Offer::new());
    let mut request = Vec::new();
    let mut handshake = ClientHandshake::start(&target, &offer, [7; 16], &mut request)?;
    stream.write_all(&request).await?;
    let mut head = Vec::new();
    loop {
        // Only the head is read, because frames may follow immediately.
        head.push(stream.read_u8().await?);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        return match handshake.receive(&mut &mut head[..])? {
            Some(Response::Accepted(_)) => Ok(()),
            other => Err(format!("{other:?}").into()),
        };
    }
}

/// A stream that reads much at a time, and gathers writes until reading would have to wait. A flush
/// before that does not write.
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
