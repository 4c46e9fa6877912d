//! An echo server behind hyper, with the feature `http` of `websocket-proto`: `hyper [ADDR]`
//!
//! hyper speaks HTTP/1.1 and serves a text to plain requests. `websocket-proto` validates and
//! answers those that ask for an Upgrade, from the request as hyper holds it. After the answer, the
//! stream runs in a [`WebSocket`].

use std::time::Duration;
use std::{env, io};

use hyper::header::UPGRADE;
use hyper::http;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use websocket_proto_tokio::websocket_proto::{Agreed, handshake::Request};
use websocket_proto_tokio::{AcceptOptions, Endpoint, Incoming, Options, Server, WebSocket};

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

async fn answer(
    mut asked: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<String>, Error> {
    if !asked.headers().contains_key(UPGRADE) {
        return Ok(http::Response::new("This is a WebSocket echo server.\n".to_owned()));
    }
    let upgrade = on(&mut asked);
    let (parts, _) = asked.into_parts();
    let response = match Request::from_parts(&parts, None) {
        Ok(request) => {
            // An echo is for strangers too. A server that trusts cookies looks at the origin first.
            let response = request.response(&AcceptOptions::new())?;
            let served = serve(upgrade, response.agreed());
            tokio::spawn(async {
                if let Err(error) = served.await {
                    eprintln!("{error}");
                }
            });
            response.into_response()?
        }
        Err(error) => error.into_response(parts.version),
    };
    Ok(response.map(|()| String::new()))
}

/// Echoes on the stream that hyper gives away once it has sent the answer.
async fn serve(upgrade: OnUpgrade, agreed: Agreed) -> Result<(), Error> {
    let endpoint = Endpoint::open(Server, agreed, &Options::new())?;
    // Bytes that came after the request are still in the stream.
    let mut ws = WebSocket::new(TokioIo::new(upgrade.await?), endpoint);
    while let Some((incoming, sender)) = ws.next().await? {
        match incoming {
            // An error says that the connection is closing, and `next` will say so too.
            Incoming::Text(text) => _ = sender.text(text),
            Incoming::Binary(data) => _ = sender.binary(data),
            _ => {}
        }
    }
    if let Some(ending) = ws.endpoint().ending() {
        println!("{ending}");
    }
    Ok(())
}
