//! A WebSocket over one stream of HTTP/2 (RFC 8441), with the feature `http`: client and server in
//! one process.
//!
//! `h2` has the two talk over a pipe in memory, once with the client closing and once with the
//! server, and prints what happens. It exits with 0 if all went well. The server alone is
//!
//! `h2 ADDR [--tls CERT.pem KEY.pem] [--deflate]`
//!
//! Without TLS it is for clients that know that it speaks HTTP/2. With TLS it is for browsers, too.
//! A browser opens a WebSocket over HTTP/2 only on a connection that it already has, so `GET /` is
//! answered with a page, on whose connection its WebSockets are opened. The server gives up clients
//! that do not answer PING, and bounds the streams of each. `common/http2.rs` carries a WebSocket
//! over a stream, and is made to be copied.
//!
//! With `--deflate`, for which the feature `deflate` is needed, messages are compressed where the
//! client offers it, by codecs that all WebSockets share.

#[path = "common/http2.rs"]
pub mod http2;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use h2::server::SendResponse;
use h2::{Ping, PingPong, client, server};
use http2::{DATA_FRAME_BUDGET, Error, Stream, accept, connect};
use hyper::body::Bytes;
use hyper::http::{self, Method, header::CONTENT_TYPE};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use websocket_proto_tokio::websocket_proto::{Data, Initiator, Role};
#[cfg(feature = "deflate")]
use websocket_proto_tokio::websocket_proto::{
    Deflate,
    endpoint::{Compression, ZlibStock},
};
use websocket_proto_tokio::{
    AcceptOptions, CloseCode, Ending, Incoming, Offer, Options, Target, WebSocket,
};

const TEXT: &str = "Grüße über HTTP/2";
/// More than the window of a stream: it arrives only if room for it is given back.
const LENGTH: usize = 200_000;
/// What the client sends when the server shall close.
const GOOD_BYE: &str = "good bye";

const PAGE: &[u8] = include_bytes!("echo.html");
/// How many WebSockets a client may have at the same time.
const MAX_STREAMS: u32 = 100;
/// How long a client may take for TLS, and then for its preface.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How often a client is sent a PING, and how long it may take for the answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    if let Some(address) = arguments.next() {
        let (tls, accept, options) = options(arguments)?;
        let listener = TcpListener::bind(address).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        println!("listening on {scheme}://{}/", listener.local_addr()?);
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file handles, perhaps: later the next one may be accepted.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (tls, options) = (tls.clone(), options.clone());
            tokio::spawn(async move {
                let ended = |ending| println!("{peer}: {ending}");
                if let Err(error) = secure_and_serve(stream, tls, &accept, &options, ended).await {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    }
    for closer in [Initiator::Local, Initiator::Peer] {
        let (client, server) = conversation(closer).await?;
        println!("client: {client}\nserver: {server}");
        let (one, other) = (client.closure, server.closure);
        if !one.clean || !other.clean || one.initiator != Some(closer) {
            return Err("not as it should be".into());
        }
    }
    Ok(())
}

/// TLS if it was asked for, what is agreed to in a handshake, and the codecs for it.
fn options(
    mut arguments: impl Iterator<Item = String>,
) -> Result<(Option<TlsAcceptor>, AcceptOptions<'static>, Options), Error> {
    let mut tls = None;
    #[allow(unused_mut, reason = "without codecs nothing changes them")]
    let (mut accept, mut options) = (AcceptOptions::new(), Options::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--tls" => {
                let mut file = || arguments.next().ok_or("--tls CERT.pem KEY.pem");
                tls = Some(acceptor(&file()?, &file()?)?);
            }
            #[cfg(feature = "deflate")]
            "--deflate" => {
                accept = accept.deflate(Deflate::new());
                options = options.compression(Compression::shared(ZlibStock::new(6)));
            }
            #[cfg(not(feature = "deflate"))]
            "--deflate" => return Err("--deflate needs the feature deflate".into()),
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    Ok((tls, accept, options))
}

/// TLS that agrees to HTTP/2 and to nothing else (RFC 9113 §3.2).
fn acceptor(certificates: &str, key: &str) -> Result<TlsAcceptor, Error> {
    let chain = CertificateDer::pem_file_iter(certificates)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// How it ended for the client and for the server; `closer` is seen from the client.
pub async fn conversation(closer: Initiator) -> Result<(Ending, Ending), Error> {
    let (ours, theirs) = duplex(4096);
    let server = tokio::spawn(async move {
        let mut served = None;
        let accept = AcceptOptions::new();
        serve(theirs, &accept, &Options::new(), |ending| served = Some(ending)).await?;
        Ok::<_, Error>(served)
    });
    let client = talk(ours, closer).await?;
    Ok((client, server.await??.ok_or("nothing was served")?))
}

async fn secure_and_serve(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    allowed: &AcceptOptions<'_>,
    options: &Options,
    ended: impl FnMut(Ending),
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    match tls {
        None => serve(stream, allowed, options, ended).await,
        Some(tls) => {
            let stream = timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await??;
            serve(stream, allowed, options, ended).await
        }
    }
}

/// Serves one connection, its requests side by side. Calls `ended` with how each WebSocket among
/// them ended, also if the connection fails. Nothing else is kept of a stream that has ended.
pub async fn serve<T>(
    transport: T,
    allowed: &AcceptOptions<'_>,
    options: &Options,
    mut ended: impl FnMut(Ending),
) -> Result<(), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut settings = server::Builder::new();
    settings
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_STREAMS)
        .data_frame_budget(DATA_FRAME_BUDGET);
    let handshake = settings.handshake(transport);
    let mut peer: server::Connection<_, Bytes> = timeout(HANDSHAKE_LIMIT, handshake).await??;
    let mut silence = pin!(silence(peer.ping_pong().ok_or("taken")?));
    let mut streams = JoinSet::new();
    let served = async {
        loop {
            tokio::select! {
                request = peer.accept() => {
                    let Some(request) = request else { return Ok(()) };
                    let (asked, respond) = request?;
                    if asked.method() == Method::GET && asked.uri().path() == "/" {
                        send_page(respond)?;
                    } else if let Some(ws) = accept(asked, respond, allowed, options)? {
                        streams.spawn(echo(ws));
                    }
                }
                Some(ending) = streams.join_next() => ending?.into_iter().for_each(&mut ended),
                () = &mut silence => return Err("no answer to a PING".into()),
            }
        }
    };
    let served = served.await;
    // With the connection, its streams end.
    drop(peer);
    while let Some(ending) = streams.join_next().await {
        ending?.into_iter().for_each(&mut ended);
    }
    served
}

fn send_page(mut respond: SendResponse<Bytes>) -> Result<(), http::Error> {
    let response = http::Response::builder().header(CONTENT_TYPE, "text/html").body(())?;
    // An error says that the client has reset the stream: the others go on.
    if let Ok(mut body) = respond.send_response(response, false) {
        let _ = body.send_data(Bytes::from_static(PAGE), true);
    }
    Ok(())
}

/// Sends a PING now and then, and returns when one is not answered in time.
async fn silence(mut ping_pong: PingPong) {
    loop {
        sleep(PING_INTERVAL).await;
        match timeout(PING_INTERVAL, ping_pong.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            _ => return,
        }
    }
}

async fn echo<R: Role>(mut ws: WebSocket<Stream, R>) -> Option<Ending> {
    while let Ok(Some((incoming, sender))) = ws.next().await {
        match incoming {
            // Once the connection is closing, a message cannot be answered any more.
            Incoming::Text(GOOD_BYE) => _ = sender.close(CloseCode::NORMAL, ""),
            Incoming::Text(text) => _ = sender.text(text),
            Incoming::Binary(data) => _ = sender.binary(data),
            _ => {}
        }
    }
    ws.endpoint().ending()
}

async fn talk(pipe: DuplexStream, closer: Initiator) -> Result<Ending, Error> {
    let mut settings = client::Builder::new();
    let handshake = settings.data_frame_budget(DATA_FRAME_BUDGET).handshake(pipe);
    let (mut peer, mut driver): (_, client::Connection<_, Bytes>) = handshake.await?;
    let mut ping_pong = driver.ping_pong().ok_or("taken")?;
    let driver = tokio::spawn(driver);
    // RFC 9113 §3.4: SETTINGS come first, so they are here once anything else is.
    ping_pong.ping(Ping::opaque()).await?;

    let target = Target::parse("ws://example.com/chat")?;
    let mut ws = connect(&mut peer, &target, &Offer::new(), &Options::new()).await?;
    println!("client: connected to {target}");
    let data = vec![7; LENGTH];
    for message in [Data::Text(TEXT), Data::Binary(&data)] {
        ws.send_with(|ws| ws.send(message)).await?;
        let echo = match ws.next().await? {
            Some((Incoming::Text(text), _)) => text.as_bytes(),
            Some((Incoming::Binary(data), _)) => data,
            other => return Err(format!("no echo, but {other:?}").into()),
        };
        println!("client: received {} bytes", echo.len());
        if echo != message.as_bytes() {
            return Err("the echo is not what was sent".into());
        }
    }
    match closer {
        Initiator::Local => ws.send_with(|ws| ws.close(CloseCode::NORMAL, "")).await?,
        Initiator::Peer => ws.send_with(|ws| ws.text(GOOD_BYE)).await?,
    }
    while ws.next().await?.is_some() {}
    let ending = ws.endpoint().ending().ok_or("not closed")?;
    // With its last request gone, the client ends the connection.
    drop((ws, peer));
    driver.await??;
    Ok(ending)
}
