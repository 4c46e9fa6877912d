//! An echo server on tokio, over TCP or TLS:
//!
//! `tokio [ADDR] [--tls CERT.pem KEY.pem]`
//!
//! `common/websocket.rs` is the wrapper, complete and made to be copied: one reader and one writer
//! task for each connection, messages as `async` calls, deadlines, backpressure. The same loop runs
//! over any stream, so that TLS is one line more.

#[allow(dead_code, reason = "the wrapper can do more than echo")]
#[path = "common/websocket.rs"]
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use websocket::{Stream, WebSocket};
use websocket_proto::Config;

const TLS_HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> io::Result<()> {
    let (address, tls) = options()?;
    let listener = TcpListener::bind(address).await?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("listening on {scheme}://{}/", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file handles, perhaps: later the next one may be accepted.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, tls).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn options() -> io::Result<(SocketAddr, Option<TlsAcceptor>)> {
    let mut options = (SocketAddr::from(([127, 0, 0, 1], 9003)), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--tls" {
            let mut file = || arguments.next().ok_or_else(|| usage("--tls"));
            options.1 = Some(acceptor(&file()?, &file()?)?);
        } else {
            options.0 = argument.parse().map_err(|_| usage(&argument))?;
        }
    }
    Ok(options)
}

fn usage(what: &str) -> io::Error {
    io::Error::other(format!("{what}: tokio [ADDR] [--tls CERT.pem KEY.pem]"))
}

fn acceptor(certificates: &str, key: &str) -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(io::Error::other)?)))
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => echo(stream).await,
        Some(tls) => echo(timeout(TLS_HANDSHAKE_LIMIT, tls.accept(stream)).await??).await,
    }
}

async fn echo(stream: impl Stream) -> io::Result<()> {
    let mut socket = WebSocket::accept(stream, &Config::new()).await?;
    while let Some(message) = socket.next().await {
        // Once the connection is closing, a message cannot be answered any more.
        let _ = socket.sender().send(message.data()).await;
    }
    Ok(())
}
