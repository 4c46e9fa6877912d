//! WebSockets over streams of HTTP/2 (RFC 8441), on the crate `h2`.
//!
//! | the WebSocket | the stream |
//! |---|---|
//! | bytes in and out | DATA, as far as flow control lets it |
//! | the end of the transport | END_STREAM |
//! | a transport that is dropped before its end | RST_STREAM with CANCEL |
//! | a transport that broke | RST_STREAM was received, or the connection below has ended |
//!
//! Time limits count for each stream by itself. Whether the peer of the HTTP/2 connection is alive
//! is checked by the task that drives that connection: see `examples/h2.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use hyper::body::Bytes;
use hyper::http;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use websocket_proto_tokio::websocket_proto::handshake::{ClientRequest, Request, Response};
use websocket_proto_tokio::{
    AcceptOptions, Client, Endpoint, Offer, Options, Server, SystemMask, Target, WebSocket,
};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What small DATA frames that wait to be read may count for, in bytes.
///
/// For each of them, `h2` counts 256 bytes less its payload. Firefox sends each message in a DATA
/// frame of its own, and 10 922 of the shortest, which take 6 bytes, fit into the window of a
/// connection. About 130 of them use up the default, and then `h2` ends the connection with
/// ENHANCE_YOUR_CALM.
pub const DATA_FRAME_BUDGET: usize = 65_535 / 6 * 250;

/// Makes the opening handshake of a client. The server's SETTINGS have to be there already.
pub async fn connect(
    peer: &mut SendRequest<Bytes>,
    target: &Target<'_>,
    offer: &Offer<'_>,
    options: &Options,
) -> Result<WebSocket<Stream, Client<SystemMask>>, Error> {
    let opening =
        ClientRequest::connect(target, offer, peer.is_extended_connect_protocol_enabled())?;
    let mut request = opening.to_request()?;
    if let Some(protocol) = opening.protocol() {
        request.extensions_mut().insert(Protocol::from(protocol));
    }

    let (response, send) = peer.clone().ready().await?.send_request(request, false)?;
    let response = response.await?;
    let agreed = match opening.validate_response(&response)? {
        Response::Accepted(accepted) => accepted.agreed(),
        Response::Refused(refused) => {
            return Err(format!("refused: HTTP {}", refused.status()).into());
        }
    };
    let endpoint = Endpoint::open(Client(SystemMask::new()), agreed, options)?;
    Ok(WebSocket::new(Stream::new(send, response.into_body()), endpoint))
}

/// Answers the opening handshake of a client as `accept` says; `None` if it was refused.
pub fn accept(
    asked: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    accept: &AcceptOptions<'_>,
    options: &Options,
) -> Result<Option<WebSocket<Stream, Server>>, Error> {
    let (parts, receive) = asked.into_parts();
    let request = match Request::from_parts(&parts, parts.extensions.get().map(Protocol::as_str)) {
        Ok(request) => request,
        Err(error) => {
            // An error says that the client has reset the stream: the others go on.
            let _ = respond.send_response(error.into_response(parts.version), true);
            return Ok(None);
        }
    };
    // A server that trusts cookies looks at the origin first.
    let answer = request.response(accept)?;
    let Ok(send) = respond.send_response(answer.into_response()?, false) else { return Ok(None) };
    let endpoint = Endpoint::open(Server, answer.agreed(), options)?;
    Ok(Some(WebSocket::new(Stream::new(send, receive), endpoint)))
}

/// Both directions of a stream of HTTP/2. Dropping it before its end resets the stream.
pub struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What was received and is not read yet.
    data: Bytes,
}

impl Stream {
    pub fn new(send: SendStream<Bytes>, receive: RecvStream) -> Self {
        Stream { send, receive, data: Bytes::new() }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.data.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(data) => self.data = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = buffer.remaining().min(self.data.len());
        buffer.put_slice(&self.data.split_to(length));
        // As much room as was read: no peer is faster than we are.
        let released = self.receive.flow_control().release_capacity(length);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(bytes.len());
        // `poll_capacity` waits for more than there is.
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => capacity.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let length = self.send.capacity().min(bytes.len());
        let sent = self.send.send_data(Bytes::copy_from_slice(&bytes[..length]), false);
        Poll::Ready(sent.map(|()| length).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// RFC 8441 §5: END_STREAM stands for the FIN of TCP.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.send.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
