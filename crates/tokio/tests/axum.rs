//! The example `axum` over TCP: its extractor serves HTTP/1.1 and, in one connection beside plain
//! requests, the streams of HTTP/2 (RFC 8441).

#[allow(dead_code, reason = "an example has a `main`")]
#[path = "../examples/axum.rs"]
mod example;
#[allow(dead_code, reason = "the server's part is axum's here")]
#[path = "../examples/common/http2.rs"]
mod http2;

use std::net::SocketAddr;
use std::time::Duration;

use h2::client::{self, SendRequest};
use hyper::body::Bytes;
use hyper::http::{Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use websocket_proto_tokio::{Client, CloseCode, Offer, Options, SystemMask, Target, WebSocket};

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(5), future).await.expect("it hangs")
}

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, example::routes()).await });
    address
}

/// A client of HTTP/2 that has the server's SETTINGS.
async fn peer(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (peer, mut driver) = client::handshake(stream).await.unwrap();
    let mut ping_pong = driver.ping_pong().unwrap();
    tokio::spawn(driver);
    in_time(ping_pong.ping(h2::Ping::opaque())).await.unwrap();
    peer
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S, Client<SystemMask>>) {
    // Longer than the window of a stream.
    for message in ["hello".to_owned(), "x".repeat(200_000)] {
        ws.send(&message).await.unwrap();
        assert_eq!(in_time(ws.message()).await.unwrap(), Some(message.into()));
    }
    let ending = in_time(ws.close(CloseCode::NORMAL, "bye")).await.unwrap();
    assert_eq!(ending.to_string(), "closed by this side: 1000 \"bye\"");
}

#[tokio::test]
async fn the_extractor_serves_http_1_1() {
    let url = format!("ws://{}/", serve().await);
    talk(in_time(websocket_proto_tokio::connect(&url)).await.unwrap()).await;
}

#[tokio::test]
async fn the_extractor_serves_streams_of_http_2() {
    let mut peer = peer(serve().await).await;
    assert!(peer.is_extended_connect_protocol_enabled());
    let target = Target::parse("ws://example.com/").unwrap();
    let (offer, options) = (Offer::new(), Options::new());
    let first = in_time(http2::connect(&mut peer, &target, &offer, &options)).await.unwrap();
    let second = in_time(http2::connect(&mut peer, &target, &offer, &options)).await.unwrap();
    tokio::join!(talk(first), talk(second));
}

#[tokio::test]
async fn the_extractor_refuses_what_asks_for_no_websocket() {
    let address = serve().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut response = String::new();
    in_time(stream.read_to_string(&mut response)).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 426 "), "{response}");

    let mut peer = peer(address).await;
    let request = Request::get("http://example.com/").version(Version::HTTP_2).body(()).unwrap();
    let (response, _) = peer.send_request(request, true).unwrap();
    assert!(in_time(response).await.unwrap().status().is_client_error());
    // An unknown path is the router's, and the connection goes on.
    let target = Target::parse("ws://example.com/other").unwrap();
    let refused = http2::connect(&mut peer, &target, &Offer::new(), &Options::new()).await;
    let line = refused.err().unwrap().to_string();
    assert_eq!(line, format!("refused: HTTP {}", StatusCode::NOT_FOUND.as_u16()));
}
