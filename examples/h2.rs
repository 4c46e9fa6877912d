//! A WebSocket over one stream of HTTP/2 (RFC 8441), with the feature `http`: client and server in
//! one process.
//!
//! `h2` has the two talk over a pipe in memory, once with the client closing and once with the
//! server, and prints what happens. It exits with 0 if all went well. `h2 ADDR [--deflate]` is the
//! server alone, for clients that know that it speaks HTTP/2. `common/http2.rs` is what carries a
//! WebSocket over a stream, made to be copied.
//!
//! With `--deflate`, for which the feature `deflate` is needed, messages are compressed where the
//! client offers it. Each WebSocket has codecs of its own here; `echo_server` shows how one pair
//! serves all connections of a thread.

#[allow(dead_code, reason = "other examples use all of them")]
#[path = "common/codecs.rs"]
pub(crate) mod codecs;

#[path = "common/http2.rs"]
pub mod http2;

use h2::{Ping, client, server};
use http2::{Error, accept, connect, run};
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::TcpListener;
use websocket_proto::handshake::{AcceptOptions, Offer, Target};
use websocket_proto::{
    CloseCode, CloseFrame, Closure, Connection, Data, Initiator, Message, Role, SendError,
};

const TEXT: &str = "Grüße über HTTP/2";
/// More than the window of a stream: it arrives only if room for it is given back.
const LENGTH: usize = 200_000;
/// What the client sends when the server shall close.
const GOOD_BYE: &str = "good bye";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    if let Some(address) = arguments.next() {
        let options = options(arguments)?;
        let listener = TcpListener::bind(address).await?;
        println!("listening on http://{}/", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, options));
        }
    }
    for closer in [Initiator::Local, Initiator::Peer] {
        let (client, server) = conversation(closer).await?;
        println!("client: {client:?}\nserver: {server:?}");
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
                for way in codecs::ways(true, false)? {
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
    let server = tokio::spawn(serve(theirs, AcceptOptions::new()));
    let client = talk(ours, closer).await?;
    let served = server.await??;
    Ok((client, *served.first().ok_or("nothing was served")?))
}

/// Serves one connection, its requests side by side; tells how the WebSockets among them ended.
pub async fn serve<T>(transport: T, options: AcceptOptions<'_>) -> Result<Vec<Closure>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut peer: server::Connection<_, Bytes> =
        server::Builder::new().enable_connect_protocol().handshake(transport).await?;
    let mut served = Vec::new();
    while let Some(request) = peer.accept().await {
        let (asked, respond) = request?;
        println!("server: {} {}", asked.method(), asked.uri());
        if let Some((connection, stream)) = accept(asked, respond, &options)? {
            let codecs::Shared { inflater, mut deflater } = codecs::Shared::new();
            let act = move |connection: &mut _, message: Message<'_>, out: &mut _| {
                echo(connection, message, &mut deflater, out)
            };
            served.push(tokio::spawn(run(connection, stream, Vec::new(), inflater, act)));
        }
    }
    let mut closures = Vec::new();
    for echo in served {
        closures.extend(echo.await?);
    }
    Ok(closures)
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
