//! A WebSocket over one stream of HTTP/2 (RFC 8441), with the feature `http`: client and server in
//! one process.
//!
//! `h2` has the two talk over a pipe in memory, once with the client closing and once with the
//! server, and prints what happens. It exits with 0 if all went well. `h2 ADDR [--deflate]` is the
//! server alone, for clients that know that it speaks HTTP/2. The server gives up clients that do
//! not answer PING, and bounds the streams of each. `common/http2.rs` carries a WebSocket over a
//! stream, and is made to be copied.
//!
//! With `--deflate`, for which the feature `deflate` is needed, messages are compressed where the
//! client offers it. Each WebSocket has codecs of its own here; `echo_server` shows how one pair
//! serves all connections of a thread.

#[allow(dead_code, reason = "other examples use all of them")]
#[path = "common/codecs.rs"]
pub(crate) mod codecs;

#[path = "common/http2.rs"]
pub mod http2;

use std::pin::pin;
use std::time::Duration;

use h2::{Ping, PingPong, client, server};
use http2::{Error, accept, connect, run};
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use websocket_proto::handshake::{AcceptOptions, Offer, Target};
use websocket_proto::{
    CloseCode, CloseFrame, Closure, Connection, Data, Initiator, Message, Role, SendError,
};

const TEXT: &str = "Grüße über HTTP/2";
/// More than the window of a stream: it arrives only if room for it is given back.
const LENGTH: usize = 200_000;
/// What the client sends when the server shall close.
const GOOD_BYE: &str = "good bye";

/// How many WebSockets a client may have at the same time.
const MAX_STREAMS: u32 = 100;
/// How long a client may take for its preface.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How often a client is sent a PING, and how long it may take for the answer.
const PING_INTERVAL: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    if let Some(address) = arguments.next() {
        let options = options(arguments)?;
        let listener = TcpListener::bind(address).await?;
        println!("listening on http://{}/", listener.local_addr()?);
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file handles, perhaps: later the next one may be accepted.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            tokio::spawn(async move {
                let ended = |closure| println!("{peer}: {closure}");
                if let Err(error) = serve(stream, options, ended).await {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    }
    for closer in [Initiator::Local, Initiator::Peer] {
        let (client, server) = conversation(closer).await?;
        println!("client: {client}\nserver: {server}");
        if !client.clean || !server.clean || client.initiator != Some(closer) {
            return Err("not as it should be".into());
        }
    }
    Ok(())
}

fn options(arguments: impl Iterator<Item = String>) -> Result<AcceptOptions<'static>, Error> {
    let mut options = AcceptOptions::new();
    for argument in arguments {
        match argument.as_str() {
            "--deflate" => {
                // The second way takes contexts over, which these codecs do not.
                if let Some(way) = codecs::ways(true, false)?.first() {
                    options = options.deflate(*way);
                }
            }
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    Ok(options)
}

/// How it ended for the client and for the server; `closer` is seen from the client.
pub async fn conversation(closer: Initiator) -> Result<(Closure, Closure), Error> {
    let (ours, theirs) = duplex(4096);
    let server = tokio::spawn(async move {
        let mut served = None;
        serve(theirs, AcceptOptions::new(), |closure| served = Some(closure)).await?;
        Ok::<_, Error>(served)
    });
    let client = talk(ours, closer).await?;
    Ok((client, server.await??.ok_or("nothing was served")?))
}

/// Serves one connection, its requests side by side. Calls `ended` with how each WebSocket among
/// them ended, also if the connection fails. Nothing else is kept of a stream that has ended.
pub async fn serve<T>(
    transport: T,
    options: AcceptOptions<'_>,
    mut ended: impl FnMut(Closure),
) -> Result<(), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut settings = server::Builder::new();
    settings.enable_connect_protocol().max_concurrent_streams(MAX_STREAMS);
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
                    if let Some((connection, stream)) = accept(asked, respond, &options)? {
                        let codecs::Shared { inflater, mut deflater } = codecs::Shared::new();
                        let act = move |connection: &mut _, message: Message<'_>, out: &mut _| {
                            echo(connection, message, &mut deflater, out)
                        };
                        streams.spawn(run(connection, stream, Vec::new(), inflater, act));
                    }
                }
                Some(closure) = streams.join_next() => closure?.into_iter().for_each(&mut ended),
                () = &mut silence => return Err("no answer to a PING".into()),
            }
        }
    };
    let served = served.await;
    // With the connection, its streams end.
    drop(peer);
    while let Some(closure) = streams.join_next().await {
        closure?.into_iter().for_each(&mut ended);
    }
    served
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

fn echo<R: Role>(
    connection: &mut Connection<R>,
    message: Message<'_>,
    deflater: &mut codecs::Deflater,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    match message {
        Message::Text(GOOD_BYE) => connection.close(Some(&normal()), out),
        Message::Text(text) => connection.send_compressed(Data::Text(text), deflater, out),
        Message::Binary(data) => send_in_fragments(connection, data, deflater, out),
        _ => Ok(()),
    }
}

async fn talk(pipe: DuplexStream, closer: Initiator) -> Result<Closure, Error> {
    let (mut peer, mut driver) = client::handshake(pipe).await?;
    let mut ping_pong = driver.ping_pong().ok_or("taken")?;
    let driver = tokio::spawn(driver);
    // RFC 9113 §3.4: SETTINGS come first, so they are here once anything else is.
    ping_pong.ping(Ping::opaque()).await?;

    let target = Target::parse("ws://example.com/chat")?;
    let (mut connection, stream) = connect(&mut peer, &target, &Offer::new()).await?;
    println!("client: connected to {target}");
    let (mut out, data) = (Vec::new(), vec![7; LENGTH]);
    connection.send_text(TEXT, &mut out)?;
    let codecs::Shared { inflater, mut deflater } = codecs::Shared::new();
    send_in_fragments(&mut connection, &data, &mut deflater, &mut out)?;
    let (mut text_came, mut data_came) = (false, false);
    let closure =
        run(connection, stream, out, inflater, |connection, message, out| match message {
            Message::Text(text) => {
                println!("client: received {text:?}");
                text_came = text == TEXT;
                Ok(())
            }
            Message::Binary(received) => {
                println!("client: received {} bytes", received.len());
                data_came = received == data;
                match closer {
                    Initiator::Local => connection.close(Some(&normal()), out),
                    Initiator::Peer => connection.send_text(GOOD_BYE, out),
                }
            }
            _ => Ok(()),
        });
    let closure = closure.await.ok_or("not closed")?;
    if !text_came || !data_came {
        return Err("the echo is not what was sent".into());
    }
    // With its last request gone, the client ends the connection.
    drop(peer);
    driver.await??;
    Ok(closure)
}

fn send_in_fragments<R: Role>(
    connection: &mut Connection<R>,
    data: &[u8],
    deflater: &mut codecs::Deflater,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    let (start, end) = data.split_at(data.len() / 3);
    connection.send_compressed_fragment(Data::Binary(start), false, deflater, out)?;
    connection.send_compressed_fragment(Data::Binary(end), true, deflater, out)
}

fn normal() -> CloseFrame {
    CloseFrame::truncated(CloseCode::NORMAL, "")
}
