//! An echo server behind hyper, with the feature `http`: `hyper [ADDR]`
//!
//! hyper speaks HTTP/1.1 and serves a text to plain requests. This crate validates and answers
//! those that ask for an Upgrade, from the request as hyper holds it. After the answer, the stream
//! runs in the wrapper of `examples/tokio.rs`.

#[allow(dead_code, reason = "the wrapper can also make the handshake")]
#[path = "common/websocket.rs"]
mod websocket;

use std::time::Duration;
use std::{env, io};

use hyper::body::Incoming;
use hyper::header::UPGRADE;
use hyper::http;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use websocket::WebSocket;
use websocket_proto::handshake::{AcceptOptions, Request};
use websocket_proto::{Agreed, Config, Connection, Server};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long a client may take for all its requests and their answers, up to the Upgrade.
const HTTP_LIMIT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:9006".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of file handles, perhaps: later the next one may be accepted.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::spawn(async move {
            let service = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .with_upgrades();
            // The service ends at the Upgrade. hyper limits neither how long a client takes to read
            // the answers nor how many requests it makes, so one limit is for all of them.
            match timeout(HTTP_LIMIT, service).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => eprintln!("{peer}: {error}"),
                Err(elapsed) => eprintln!("{peer}: {elapsed}"),
            }
        });
    }
}

async fn answer(mut asked: http::Request<Incoming>) -> Result<http::Response<String>, Error> {
    if !asked.headers().contains_key(UPGRADE) {
        return Ok(http::Response::new("This is a WebSocket echo server.\n".to_owned()));
    }
    let upgrade = on(&mut asked);
    let (parts, _) = asked.into_parts();
    let response = match Request::from_parts(&parts, None) {
        Ok(request) => {
            // An echo is for strangers too. A server that trusts cookies looks at the origin first.
            let response = request.response(&AcceptOptions::new())?;
            tokio::spawn(echo(upgrade, response.agreed()));
            response.into_response()?
        }
        Err(error) => error.into_response(parts.version),
    };
    Ok(response.map(|()| String::new()))
}

/// Echoes on the stream that hyper gives away once it has sent the answer.
async fn echo(upgrade: OnUpgrade, agreed: Agreed) {
    // An error says that the client left before the answer: hyper reports that.
    let Ok(stream) = upgrade.await else { return };
    let connection = Connection::new(Server, &Config::new(), agreed);
    // Bytes that came after the request are still in the stream.
    let mut websocket = WebSocket::new(TokioIo::new(stream), connection, Vec::new());
    while let Some(message) = websocket.next().await {
        // An error says that the connection is closing, and `next` will say so too.
        let _ = websocket.sender().send(message.data()).await;
    }
    if let Some(closure) = websocket.sender().closure() {
        println!("{closure}");
    }
}
