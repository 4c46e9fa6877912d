//! Echo servers for `sockets.py`, with one task for each connection: `idle_server ADDR CRATE`
//!
//! The crates are `websocket-proto-tokio`, `tokio-tungstenite` and `tokio-websockets`. All are set
//! as they come, and run on one thread of tokio.

use std::io::{self, ErrorKind};

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use websocket_proto_tokio::{Incoming, Options, WebSocket};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, name] = &arguments[..] else {
        return Err("usage: idle_server ADDR CRATE".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let options = Options::new();
        println!("listening on ws://{}/", listener.local_addr()?);
        match name.as_str() {
            "websocket-proto-tokio" => {
                listen(listener, |stream| ours(stream, options.clone())).await?
            }
            "tokio-tungstenite" => listen(listener, tungstenite).await?,
            "tokio-websockets" => listen(listener, websockets).await?,
            other => return Err(format!("unknown crate {other}").into()),
        }
        Ok(())
    })
}

/// Serves each connection in a task of its own.
async fn listen<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = Option<()>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream))),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn ours(stream: TcpStream, options: Options) -> Option<()> {
    let mut ws = WebSocket::accept(stream, &options).await.ok()?;
    while let Some((incoming, sender)) = ws.next().await.ok()? {
        match incoming {
            Incoming::Text(text) => sender.text(text).ok()?,
            Incoming::Binary(data) => sender.binary(data).ok()?,
            _ => {}
        }
    }
    Some(())
}

async fn tungstenite(stream: TcpStream) -> Option<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await.ok()?;
    while let Some(message) = socket.next().await {
        let message = message.ok()?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}

async fn websockets(stream: TcpStream) -> Option<()> {
    let (_, mut socket) = tokio_websockets::ServerBuilder::new().accept(stream).await.ok()?;
    while let Some(message) = socket.next().await {
        let message = message.ok()?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await.ok()?;
        }
    }
    Some(())
}
