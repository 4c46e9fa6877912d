//! An echo server on tokio, over TCP or TLS:
//!
//! `tokio [ADDR] [--tls CERT.pem KEY.pem]`
//!
//! The same loop runs over any stream, so that TLS is one line more.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use websocket_proto_tokio::{Ending, Error, Incoming, Options, TlsAcceptor, WebSocket};

#[tokio::main]
async fn main() -> io::Result<()> {
    let (address, tls) = arguments()?;
    let options = Options::new();
    let listener = TcpListener::bind(address).await?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("listening on {scheme}://{}/", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file handles, perhaps: later the next one may be accepted.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (tls, options) = (tls.clone(), options.clone());
        tokio::spawn(async move {
            match serve(stream, tls, &options).await {
                Ok(ending) => ending.into_iter().for_each(|ending| println!("{peer}: {ending}")),
                Err(error) => eprintln!("{peer}: {error}"),
            }
        });
    }
}

fn arguments() -> io::Result<(SocketAddr, Option<TlsAcceptor>)> {
    let mut options = (SocketAddr::from(([127, 0, 0, 1], 9003)), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--tls" {
            let mut file = || arguments.next().ok_or_else(|| usage("--tls"));
            let acceptor = TlsAcceptor::from_pem_files(file()?, file()?);
            options.1 = Some(acceptor.map_err(io::Error::other)?);
        } else {
            options.0 = argument.parse().map_err(|_| usage(&argument))?;
        }
    }
    Ok(options)
}

fn usage(what: &str) -> io::Error {
    io::Error::other(format!("{what}: tokio [ADDR] [--tls CERT.pem KEY.pem]"))
}

async fn serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    options: &Options,
) -> Result<Option<Ending>, Error> {
    stream.set_nodelay(true)?;
    match tls {
        None => echo(stream, options).await,
        Some(tls) => echo(tls.accept(stream).await?, options).await,
    }
}

async fn echo<S>(stream: S, options: &Options) -> Result<Option<Ending>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ws = WebSocket::accept(stream, options).await?;
    while let Some((incoming, sender)) = ws.next().await? {
        match incoming {
            // Once the connection is closing, a message cannot be answered any more.
            Incoming::Text(text) => _ = sender.text(text),
            Incoming::Binary(data) => _ = sender.binary(data),
            _ => {}
        }
    }
    Ok(ws.endpoint().ending())
}
