//! An echo server behind axum, over HTTP/1.1 and HTTP/2: `axum [ADDR]`
//!
//! The extractor [`Upgrade`] validates the request and answers it. After the answer, the stream
//! runs in a [`WebSocket`].

use std::{env, io};

use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::Response;
use axum::routing::any;
use hyper::http::{StatusCode, request::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use websocket_proto_tokio::websocket_proto::handshake::Request;
use websocket_proto_tokio::{AcceptOptions, Agreed, Endpoint, Error, Options, Server, WebSocket};

type Socket = WebSocket<TokioIo<Upgraded>, Server>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:9007".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    axum::serve(listener, routes()).await
}

pub fn routes() -> Router {
    // HTTP/2 asks by CONNECT, HTTP/1.1 by GET.
    Router::new().route("/", any(async |upgrade: Upgrade| upgrade.run(echo)))
}

async fn echo(mut ws: Socket) -> Result<(), Error> {
    while let Some(message) = ws.message().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// A request that asks for a WebSocket, and its answer.
struct Upgrade {
    response: Response,
    agreed: Agreed,
    stream: OnUpgrade,
}

impl Upgrade {
    /// Answers, and runs `serve` on the stream after that.
    fn run<F>(self, serve: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = Result<(), Error>> + Send,
    {
        let Upgrade { response, agreed, stream } = self;
        tokio::spawn(async move {
            let (Ok(stream), Ok(endpoint)) =
                (stream.await, Endpoint::open(Server, agreed, &Options::new()))
            else {
                return;
            };
            if let Err(error) = serve(WebSocket::new(TokioIo::new(stream), endpoint)).await {
                eprintln!("{error}");
            }
        });
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let stream = parts.extensions.remove::<OnUpgrade>();
        let protocol = parts.extensions.get::<hyper::ext::Protocol>().cloned();
        let protocol = protocol.as_ref().map(hyper::ext::Protocol::as_str);
        let body = |()| axum::body::Body::empty();
        let request = Request::from_parts(parts, protocol)
            .map_err(|error| error.into_response(parts.version).map(body))?;
        let response = request.response(&AcceptOptions::new());
        let response = response.map_err(|_| status(StatusCode::BAD_REQUEST))?;
        let agreed = response.agreed();
        let response = response.into_response().map_err(|_| status(StatusCode::BAD_REQUEST))?;
        let stream = stream.ok_or_else(|| status(StatusCode::UPGRADE_REQUIRED))?;
        Ok(Upgrade { response: response.map(body), agreed, stream })
    }
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
