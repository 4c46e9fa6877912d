//! WebSockets over streams of HTTP/2, carried by the crate `h2` through pipes in memory: the
//! conversation of `examples/h2.rs`, and what goes wrong. Ids are those of the requirement tables.

#[allow(dead_code, reason = "an example has a `main`")]
#[path = "../examples/h2.rs"]
mod example;

use std::time::Duration;

use example::conversation;
use example::http2::{self, Error, Stream, accept};
use h2::client::{self, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, Reason, server};
use hyper::body::Bytes;
use hyper::http;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use websocket_proto_tokio::websocket_proto::{Closure, Initiator, Violation};
use websocket_proto_tokio::{
    AcceptOptions, Client, CloseCode, Ending, HeadError, Incoming, Offer, Options, SystemMask,
    Target, WebSocket,
};

type Socket = WebSocket<Stream, Client<SystemMask>>;

/// A client of HTTP/2 and a server that echoes.
struct Pair {
    peer: SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
    server: JoinHandle<Result<Vec<Ending>, Error>>,
}

impl Pair {
    async fn new() -> Pair {
        let (ours, theirs) = duplex(1000);
        let server = tokio::spawn(serve(theirs));
        let (peer, driver) = client(ours).await;
        Pair { peer, driver, server }
    }

    async fn connect(&mut self) -> Socket {
        connect(&mut self.peer).await.unwrap()
    }

    /// How the server's WebSockets ended.
    async fn end(self) -> Vec<Ending> {
        drop(self.peer);
        in_time(self.driver).await.unwrap().unwrap();
        in_time(self.server).await.unwrap().unwrap()
    }
}

/// Serves one connection and collects how its WebSockets ended.
async fn serve(transport: DuplexStream) -> Result<Vec<Ending>, Error> {
    let mut endings = Vec::new();
    let accept = AcceptOptions::new();
    let ended = |ending| endings.push(ending);
    example::serve(transport, &accept, &Options::new(), ended).await?;
    Ok(endings)
}

/// The preface of a client, its SETTINGS, and an extended CONNECT with more fields on stream 1.
fn opening(more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "example.com"),
        (":path", "/chat"),
        ("sec-websocket-version", "13"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields.iter().chain(more) {
        // RFC 7541 §6.2.2: a literal, not indexed, with a new name.
        block.extend([0, name.len() as u8]);
        block.extend(name.as_bytes());
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // HEADERS on stream 1, with END_HEADERS.
    bytes.extend([0, 0, block.len() as u8, 1, 4, 0, 0, 0, 1]);
    bytes.extend(block);
    bytes
}

/// The type and the payload of the next frame of HTTP/2.
async fn read_frame(stream: &mut DuplexStream) -> (u8, Vec<u8>) {
    let mut head = [0; 9];
    in_time(stream.read_exact(&mut head)).await.unwrap();
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    in_time(stream.read_exact(&mut payload)).await.unwrap();
    (head[3], payload)
}

/// A client that knows the server's SETTINGS.
async fn client(pipe: DuplexStream) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (peer, mut driver) = client::handshake(pipe).await.unwrap();
    let mut ping_pong = driver.ping_pong().unwrap();
    let driver = tokio::spawn(driver);
    in_time(ping_pong.ping(Ping::opaque())).await.unwrap();
    (peer, driver)
}

async fn connect(peer: &mut SendRequest<Bytes>) -> Result<Socket, Error> {
    let target = Target::parse("wss://example.com/chat").unwrap();
    in_time(http2::connect(peer, &target, &Offer::new(), &Options::new())).await
}

/// A stream whose handshake was made by hand, for frames that no WebSocket sends.
async fn raw(peer: &mut SendRequest<Bytes>) -> (h2::SendStream<Bytes>, h2::RecvStream) {
    let (response, send) = peer.send_request(asked(), false).unwrap();
    let response = in_time(response).await.unwrap();
    assert_eq!(response.status(), 200);
    (send, response.into_body())
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("it hangs")
}

/// A request in the words of `h2`, the one that `ClientRequest` asks for.
fn asked() -> http::Request<()> {
    let mut request = http::Request::builder()
        .version(http::Version::HTTP_2)
        .method("CONNECT")
        .uri("https://example.com/chat")
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request
}

#[tokio::test]
async fn r8441_5_g_a_conversation_ends_with_a_clean_close_of_either_side() {
    for closer in [Initiator::Local, Initiator::Peer] {
        let (client, server) = in_time(conversation(closer)).await.unwrap();
        for closure in [client.closure, server.closure] {
            assert!(closure.clean, "{closure:?}");
            assert_eq!((closure.code, closure.sent), (1000, Some(1000)));
        }
        assert_eq!(client.closure.initiator, Some(closer));
        assert_ne!(server.closure.initiator, Some(closer));
    }
}

/// The first message of each side is the same, so the compressed bytes of the echo are known.
#[cfg(feature = "deflate")]
#[tokio::test]
async fn a_message_over_a_stream_is_inflated_and_its_echo_is_compressed() {
    use websocket_proto_tokio::websocket_proto::Deflate;
    use websocket_proto_tokio::websocket_proto::endpoint::{Compression, ZlibStock};
    const MESSAGE: &[u8] = b"\xC1\x87\0\0\0\0\xF2\x48\xCD\xC9\xC9\x07\0";
    const ECHO: &[u8] = b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\0";
    let (ours, theirs) = duplex(1000);
    let server = tokio::spawn(async {
        let accept = AcceptOptions::new().deflate(Deflate::new());
        let compression = Compression::shared(ZlibStock::new(6)).threshold(0);
        let options = Options::new().compression(compression);
        example::serve(theirs, &accept, &options, |_| {}).await
    });
    let (mut peer, driver) = client(ours).await;
    let mut request = asked();
    let offer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    request.headers_mut().insert("sec-websocket-extensions", offer.parse().unwrap());
    let (response, mut send) = peer.send_request(request, false).unwrap();
    let mut receive = in_time(response).await.unwrap().into_body();
    send.send_data(Bytes::from_static(MESSAGE), false).unwrap();
    assert_eq!(in_time(receive.data()).await.unwrap().unwrap(), ECHO);
    drop((peer, send, receive));
    in_time(driver).await.unwrap().unwrap();
    in_time(server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_window_full_of_short_messages_is_echoed() {
    const EMPTY: &[u8] = b"\x81\x80\0\0\0\0";
    let count = 65_535 / EMPTY.len();
    // Room for all of them, so that they arrive at once.
    let (ours, theirs) = duplex(1 << 20);
    let server = tokio::spawn(serve(theirs));
    let (mut peer, driver) = client(ours).await;
    let (mut send, mut receive) = raw(&mut peer).await;
    for _ in 0..count {
        send.send_data(Bytes::from_static(EMPTY), false).unwrap();
    }
    let mut received = 0;
    while received < 2 * count {
        let data = in_time(receive.data()).await.unwrap().unwrap();
        receive.flow_control().release_capacity(data.len()).unwrap();
        received += data.len();
    }
    assert_eq!(received, 2 * count);
    drop((peer, send, receive));
    in_time(driver).await.unwrap().unwrap();
    in_time(server).await.unwrap().unwrap();
}

/// Covers R8441-5-d, R9220-3-b.
#[tokio::test]
async fn r8441_5_b_a_bad_request_gets_its_answer() {
    let mut pair = Pair::new().await;
    let with = |name: &'static str, value: &'static str| {
        let mut request = asked();
        request.headers_mut().append(name, value.parse().unwrap());
        request
    };
    let mut version = asked();
    version.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    let mut protocol = asked();
    protocol.extensions_mut().insert(Protocol::from_static("connect-udp"));
    let mut get = asked();
    *get.method_mut() = http::Method::GET;
    get.extensions_mut().clear();
    for (request, status, header) in [
        (with("sec-websocket-version", "13"), 400, Some(("sec-websocket-version", "13"))),
        (with("host", "other.example"), 400, None),
        (with("origin", ""), 400, None),
        (version, 400, Some(("sec-websocket-version", "13"))),
        (protocol, 501, None),
        (get, 405, Some(("allow", "CONNECT"))),
    ] {
        let (response, _) = pair.peer.send_request(request, true).unwrap();
        let response = in_time(response).await.unwrap();
        assert_eq!(response.status(), status);
        let mut headers = response.headers().iter();
        let said = headers.next().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        assert_eq!(said, header);
        assert!(response.into_body().is_end_stream());
    }
    // Neither the connection nor what comes next suffers from it.
    let mut ws = pair.connect().await;
    let ending = in_time(ws.close(CloseCode::GOING_AWAY, "")).await.unwrap();
    assert!(ending.closure.clean);
    drop(ws);
    let ended = pair.end().await;
    assert_eq!(ended.iter().map(|ending| ending.closure.code).collect::<Vec<_>>(), [1001]);
}

#[tokio::test]
async fn r8441_5_b_fields_of_http_1_1_open_nothing() {
    // h2 does not send them, so these are the bytes of RFC 9113.
    for (name, value, accepted) in [
        ("x-fine", "y", true),
        ("connection", "upgrade", false),
        ("upgrade", "websocket", false),
        ("transfer-encoding", "chunked", false),
        ("keep-alive", "timeout=5", false),
        ("proxy-connection", "keep-alive", false),
        ("Origin", "https://example.com", false),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", true),
        ("sec-websocket-key", "x", true),
    ] {
        let (mut ours, theirs) = duplex(1000);
        let server = tokio::spawn(serve(theirs));
        let bytes = opening(&[(name, value)]);
        ours.write_all(&bytes).await.unwrap();

        // HEADERS, RST_STREAM or GOAWAY, whichever comes first, is the answer.
        let opened = loop {
            let (kind, payload) = read_frame(&mut ours).await;
            match kind {
                // RFC 7541, appendix A: `:status: 200` has the index 8.
                1 => break payload[0] == 0x88,
                3 | 7 => break false,
                _ => {}
            }
        };
        assert_eq!(opened, accepted, "{name}");
        drop(ours);
        let _ = in_time(server).await.unwrap();
    }
}

#[tokio::test]
async fn r8441_3_a_a_server_that_has_not_enabled_it_is_not_asked() {
    let (ours, theirs) = duplex(1000);
    let server = tokio::spawn(async {
        let mut server: server::Connection<_, Bytes> = server::handshake(theirs).await.unwrap();
        server.accept().await.is_none()
    });
    let (mut peer, driver) = client(ours).await;
    let error = connect(&mut peer).await.err().unwrap();
    assert_eq!(error.downcast_ref(), Some(&HeadError::ConnectNotEnabled));
    drop(peer);
    in_time(driver).await.unwrap().unwrap();
    assert!(in_time(server).await.unwrap(), "no request came");
}

#[tokio::test]
async fn r8441_5_e_a_refusal_opens_nothing() {
    let (ours, theirs) = duplex(1000);
    let server = tokio::spawn(async {
        let mut server: server::Connection<_, Bytes> =
            server::Builder::new().enable_connect_protocol().handshake(theirs).await.unwrap();
        while let Some(request) = server.accept().await {
            let (_, mut respond) = request.unwrap();
            let response = http::Response::builder().status(403).body(()).unwrap();
            respond.send_response(response, true).unwrap();
        }
    });
    let (mut peer, _driver) = client(ours).await;
    let refused = connect(&mut peer).await.err().unwrap();
    assert_eq!(refused.to_string(), "refused: HTTP 403");
    server.abort();
}

#[tokio::test]
async fn r8441_5_f_an_unmasked_frame_fails_the_connection_on_a_stream_too() {
    let mut pair = Pair::new().await;
    let (mut send, mut receive) = raw(&mut pair.peer).await;
    send.send_data(Bytes::from_static(b"\x81\x02hi"), false).unwrap();
    let close = in_time(receive.data()).await.unwrap().unwrap();
    assert_eq!(*close, *b"\x88\x02\x03\xEA");
    drop((send, receive));
    let ended = pair.end().await;
    assert_eq!((ended[0].closure.clean, ended[0].closure.code), (false, Closure::ABNORMAL));
    assert_eq!(ended[0].closure.failure, Some(Violation::UnmaskedFrame.into()));
}

#[tokio::test]
async fn r8441_5_g_an_abort_is_a_reset_with_cancel_and_a_reset_is_an_abort() {
    // The server sees the reset, and how it ended.
    let mut pair = Pair::new().await;
    drop(pair.connect().await);
    let ended = pair.end().await;
    assert_eq!((ended[0].closure.clean, ended[0].closure.code), (false, Closure::ABNORMAL));

    // What the reset says.
    let (ours, theirs) = duplex(1000);
    let server = tokio::spawn(async {
        let mut server: server::Connection<_, Bytes> =
            server::Builder::new().enable_connect_protocol().handshake(theirs).await.unwrap();
        let (asked, mut respond) = server.accept().await.unwrap().unwrap();
        let mut receive = asked.into_body();
        let _send = respond.send_response(http::Response::new(()), false).unwrap();
        let reason = tokio::spawn(async move { receive.data().await });
        assert!(server.accept().await.is_none());
        reason.await.unwrap().unwrap().unwrap_err().reason()
    });
    let (mut peer, _driver) = client(ours).await;
    drop(connect(&mut peer).await.unwrap());
    drop(peer);
    assert_eq!(in_time(server).await.unwrap(), Some(Reason::CANCEL));
}

/// A client has nothing to end its stream for but that the server has ended its own.
#[tokio::test]
async fn r8441_5_g_a_clean_close_ends_the_stream_of_a_client_too() {
    let (ours, theirs) = duplex(1000);
    let server = tokio::spawn(async {
        let mut server: server::Connection<_, Bytes> =
            server::Builder::new().enable_connect_protocol().handshake(theirs).await.unwrap();
        let (asked, mut respond) = server.accept().await.unwrap().unwrap();
        let mut receive = asked.into_body();
        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
        let received = tokio::spawn(async move {
            assert_eq!(receive.data().await.unwrap().unwrap()[0], 0x88);
            send.send_data(Bytes::from_static(b"\x88\x02\x03\xE8"), true).unwrap();
            // END_STREAM comes with a frame without bytes.
            while let Some(data) = receive.data().await {
                assert_eq!(data.map(|data| data.len()).map_err(|error| error.reason()), Ok(0));
            }
        });
        assert!(server.accept().await.is_none());
        received.await.unwrap();
    });
    let (mut peer, _driver) = client(ours).await;
    let mut ws = connect(&mut peer).await.unwrap();
    assert!(in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap().closure.clean);
    drop((ws, peer));
    in_time(server).await.unwrap();
}

#[tokio::test]
async fn r8441_5_g_the_end_of_a_stream_is_the_end_of_a_transport() {
    let mut pair = Pair::new().await;
    let (mut send, mut receive) = raw(&mut pair.peer).await;
    send.send_data(Bytes::new(), true).unwrap();
    // Without a Close it was no clean one, and the server gives up its direction too.
    let reset = in_time(receive.data()).await.unwrap().unwrap_err();
    assert_eq!(reset.reason(), Some(Reason::CANCEL));
    drop((send, receive));
    let ended = pair.end().await;
    assert_eq!((ended[0].closure.clean, ended[0].closure.code), (false, Closure::ABNORMAL));
}

#[tokio::test]
async fn both_sides_can_have_more_to_send_than_there_is_room_for() {
    const LENGTH: usize = 500_000;
    let (ours, theirs) = duplex(1000);
    let server = tokio::spawn(async {
        let mut server: server::Connection<_, Bytes> =
            server::Builder::new().enable_connect_protocol().handshake(theirs).await.unwrap();
        let (asked, respond) = server.accept().await.unwrap().unwrap();
        let mut ws =
            accept(asked, respond, &AcceptOptions::new(), &Options::new()).unwrap().unwrap();
        let ended = tokio::spawn(async move {
            ws.send_with(|ws| ws.binary(&[1; LENGTH])).await.unwrap();
            let incoming = ws.next().await.unwrap();
            assert!(matches!(incoming, Some((Incoming::Binary(it), _)) if it == [2; LENGTH]));
            ws.close(CloseCode::NORMAL, "").await.unwrap()
        });
        assert!(server.accept().await.is_none());
        ended.await.unwrap()
    });
    let (mut peer, _driver) = client(ours).await;
    let mut ws = connect(&mut peer).await.unwrap();
    ws.send_with(|ws| ws.binary(&[2; LENGTH])).await.unwrap();
    let incoming = in_time(ws.next()).await.unwrap();
    assert!(matches!(incoming, Some((Incoming::Binary(it), _)) if it == [1; LENGTH]));
    while in_time(ws.next()).await.unwrap().is_some() {}
    assert!(ws.endpoint().ending().unwrap().closure.clean);
    drop((ws, peer));
    assert!(in_time(server).await.unwrap().closure.clean);
}

/// Deadlines count for each stream, also where the connection below it is well.
#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_pinged_closed_and_reset() {
    let mut pair = Pair::new().await;
    let (send, mut receive) = raw(&mut pair.peer).await;
    let start = Instant::now();
    let mut received = Vec::new();
    let reset = loop {
        match receive.data().await.unwrap() {
            Ok(data) => received.push((start.elapsed().as_secs(), data)),
            Err(error) => break error.reason(),
        }
    };
    let [(20, ping), (40, close)] = &received[..] else { panic!("{received:?}") };
    assert_eq!(**ping, *b"\x89\x04\0\0\0\x01");
    assert_eq!((close[0], &close[2..4]), (0x88, &1011_u16.to_be_bytes()[..]));
    assert_eq!((reset, start.elapsed().as_secs()), (Some(Reason::CANCEL), 45));
    drop((send, receive));
    assert!(!pair.end().await[0].closure.clean);
}

/// Bytes of HTTP/2 that are not followed by any, and when the server gives the client up.
#[tokio::test(start_paused = true)]
async fn a_silent_client_is_given_up() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for (length, seconds) in [(0, 10), (20, 10), (preface.len(), 40)] {
        let (mut ours, theirs) = duplex(1000);
        let start = Instant::now();
        let server = tokio::spawn(serve(theirs));
        ours.write_all(&preface[..length]).await.unwrap();
        assert!(server.await.unwrap().is_err());
        assert_eq!(start.elapsed().as_secs(), seconds, "{length} bytes");
    }
}

/// A connection that fails ends its WebSockets, and `serve` still reports how.
#[tokio::test]
async fn the_end_of_each_websocket_is_reported_if_its_connection_fails() {
    let (mut ours, theirs) = duplex(100_000);
    let server = tokio::spawn(async move {
        let (mut endings, accept) = (Vec::new(), AcceptOptions::new());
        let ended = |ending| endings.push(ending);
        let served = example::serve(theirs, &accept, &Options::new(), ended).await;
        (served.is_err(), endings)
    });
    ours.write_all(&opening(&[])).await.unwrap();
    // The HEADERS of the response: the WebSocket is open.
    while read_frame(&mut ours).await.0 != 1 {}
    // RFC 9113 §6.7: a PING on a stream is an error of the connection.
    ours.write_all(&[0, 0, 8, 6, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    let (failed, endings) = in_time(server).await.unwrap();
    assert!(failed);
    assert_eq!(endings.len(), 1);
    assert!(!endings[0].closure.clean);
}

#[tokio::test]
async fn a_client_that_answers_may_have_a_hundred_streams() {
    let mut pair = Pair::new().await;
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(pair.connect().await);
    }
    // The client of `h2` keeps to the limit: it waits until a stream has ended.
    let mut one_more = std::pin::pin!(pair.connect());
    assert!(timeout(Duration::from_millis(100), &mut one_more).await.is_err());
    drop(open.pop());
    in_time(one_more).await;
}
