//! WebSockets over streams of HTTP/2 (RFC 8441), on the crate `h2`.
//!
//! | the connection | the stream |
//! |---|---|
//! | bytes in and out | DATA, as far as flow control lets it |
//! | `ShutdownWrite`, and `Drop` after a clean close | END_STREAM |
//! | `Drop` after anything else | RST_STREAM with CANCEL |
//! | `receive_eof` | END_STREAM was received |
//! | `abort` | RST_STREAM was received, or the connection below has ended |
//!
//! Deadlines count for each stream by itself. Whether the peer of the HTTP/2 connection is alive is
//! checked by the task that drives that connection: see `examples/h2.rs`.

use std::future::poll_fn;
use std::mem;
use std::time::Duration;

use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use hyper::body::Bytes;
use hyper::http;
use tokio::time::{Instant, sleep};
use websocket_proto::handshake::{AcceptOptions, ClientRequest, Offer, Request, Response, Target};
use websocket_proto::{
    Client, Closure, Config, Connection, Deadlines, Decompress, Inflater, Message, Messages,
    NextStep, Overdue, Role, SendError, Server, SystemMask,
};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Makes the opening handshake of a client. The server's SETTINGS have to be there already.
pub async fn connect(
    peer: &mut SendRequest<Bytes>,
    target: &Target<'_>,
    offer: &Offer<'_>,
) -> Result<(Connection<Client<SystemMask>>, Stream), Error> {
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
    let connection = Connection::new(Client(SystemMask::new()), &Config::new(), agreed);
    Ok((connection, Stream { send, receive: response.into_body() }))
}

/// Answers the opening handshake of a client with what `options` allow; `None` if it was refused.
pub fn accept(
    asked: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    options: &AcceptOptions<'_>,
) -> Result<Option<(Connection<Server>, Stream)>, Error> {
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
    let answer = request.response(options)?;
    let Ok(send) = respond.send_response(answer.into_response()?, false) else { return Ok(None) };
    let connection = Connection::new(Server, &Config::new(), answer.agreed());
    Ok(Some((connection, Stream { send, receive })))
}

/// Both directions of a stream.
pub struct Stream {
    pub send: SendStream<Bytes>,
    pub receive: RecvStream,
}

/// With more bytes than this waiting to be sent, nothing is received.
const MAX_WAITING: usize = 1 << 20;

/// Runs a connection to its end. `out` is what waits to be sent already; `act` sees each message,
/// inflated if it was compressed.
pub async fn run<R: Role, D: Decompress>(
    mut connection: Connection<R>,
    mut stream: Stream,
    mut out: Vec<u8>,
    mut inflater: Inflater<D>,
    mut act: impl FnMut(&mut Connection<R>, Message<'_>, &mut Vec<u8>) -> Result<(), SendError>,
) -> Option<Closure> {
    let (mut messages, mut lot, mut eof) = (Messages::new(), Bytes::new(), false);
    let (start, mut deadlines) = (Instant::now(), Deadlines::new(Duration::ZERO));
    loop {
        // In every turn: a peer that sends without end lets no timer have its turn.
        let overdue = deadlines.enforce(start.elapsed(), &mut connection, &mut out);
        if let Some(Overdue::Abort(_)) = overdue {
            out.clear();
            lot.clear();
        }
        if lot.is_empty() {
            lot = mem::take(&mut out).into();
        }
        // What to do next is to be asked once everything is written.
        match connection.next_step() {
            _ if !lot.is_empty() => {}
            NextStep::Continue | NextStep::AwaitEof => {}
            // RFC 8441 §5: END_STREAM stands for the FIN of TCP. An error says that the stream has
            // ended already.
            NextStep::ShutdownWrite => {
                let _ = stream.send.send_data(Bytes::new(), true);
                connection.write_ended();
            }
            NextStep::Drop => {
                let closure = connection.closure();
                match closure {
                    Some(Closure { clean: true, .. }) => {
                        let _ = stream.send.send_data(Bytes::new(), true);
                    }
                    // RFC 8441 §5: RST_STREAM with CANCEL stands for the RST.
                    _ => stream.send.send_reset(Reason::CANCEL),
                }
                return closure;
            }
        }
        let left = |at: Duration| at.saturating_sub(start.elapsed());
        let left = deadlines.next().map_or(Duration::MAX, |(at, _)| left(at));
        // Receiving goes on while we wait for room to send: the peer may be waiting for the same.
        let done = tokio::select! {
            biased; // what has come already was in time
            room = room(&mut stream.send, lot.len()), if !lot.is_empty() => match room {
                Ok(room) => {
                    let sent = stream.send.send_data(lot.split_to(room), false);
                    deadlines.written(start.elapsed(), room, lot.len() + out.len());
                    sent.map_err(Error::from)
                }
                Err(error) => Err(error),
            },
            data = stream.receive.data(), if !eof && out.len() <= MAX_WAITING => match data {
                Some(Ok(data)) => {
                    let mut data = Vec::from(data);
                    let mut input = &mut data[..];
                    while let Some(message) =
                        messages.receive_inflated(&mut connection, &mut inflater, &mut input)
                    {
                        // Once we are closing, a message cannot be answered any more.
                        let _ = act(&mut connection, message, &mut out);
                        if connection.transmit(&mut out).is_err() {
                            connection.abort();
                        }
                    }
                    // As much room as was dealt with: no peer is faster than we are.
                    stream.receive.flow_control().release_capacity(data.len()).map_err(Error::from)
                }
                Some(Err(error)) => Err(error.into()),
                None => {
                    eof = true;
                    connection.receive_eof();
                    Ok(())
                }
            },
            // Whatever waits to be sent has no room.
            () = sleep(left) => {
                deadlines.written(start.elapsed(), 0, lot.len());
                Ok(())
            }
        };
        if done.is_err() {
            connection.abort();
            out.clear();
            lot.clear();
        }
    }
}

/// Waits for room to send; there may be less of it than is wanted.
async fn room(send: &mut SendStream<Bytes>, wanted: usize) -> Result<usize, Error> {
    send.reserve_capacity(wanted);
    // What `poll_capacity` waits for is more than there is.
    if send.capacity() == 0 {
        poll_fn(|context| send.poll_capacity(context)).await.ok_or("the stream has ended")??;
    }
    Ok(send.capacity().min(wanted))
}
