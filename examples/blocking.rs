//! The README's loop over a blocking socket: an echo server for one connection after the other.
//!
//! `cargo run --example blocking [ADDR]`, then connect to `ws://127.0.0.1:9002/`.

#[path = "common/blocking.rs"]
mod blocking;

use blocking::{HANDSHAKE_LIMIT, is_timeout, read_before, refuse};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use websocket_proto::handshake::{self, AcceptOptions, ServerHandshake};
use websocket_proto::{
    Closure, Config, Connection, Deadlines, Message, Messages, NextStep, Overdue, Server,
};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9002".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        match stream.and_then(serve) {
            Ok(Some(closure)) => println!("{closure}"),
            Ok(None) => println!("refused"),
            Err(error) => println!("lost: {error}"),
        }
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<Option<Closure>> {
    let end = Instant::now() + HANDSHAKE_LIMIT;
    let mut handshake = ServerHandshake::new();
    let mut head = vec![0; 16 << 10];
    let (mut filled, mut out) = (0, Vec::new());
    let refused = loop {
        match read_before(&stream, end, &mut head[filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => filled += length,
            Err(error) if is_timeout(&error) => break handshake::reject(408, &[], b"", &mut out),
            Err(error) => return Err(error),
        }
        let mut input = &mut head[..filled];
        match handshake.receive(&mut input) {
            Ok(None) => {}
            Ok(Some(request)) => {
                let agreed =
                    request.accept(&AcceptOptions::new(), &mut out).map_err(io::Error::other)?;
                stream.write_all(&out)?;
                let mut connection = Connection::new(Server, &Config::new(), agreed);
                return Ok(Some(echo(&mut stream, &mut connection, input)));
            }
            Err(error) => break error.respond(&mut out),
        }
    };
    refused.map_err(io::Error::other)?;
    refuse(&stream, &out)?;
    Ok(None)
}

/// Echoes until the connection ends, beginning with the bytes that followed the handshake.
fn echo(
    stream: &mut TcpStream,
    connection: &mut Connection<Server>,
    leftover: &mut [u8],
) -> Closure {
    let (start, mut deadlines) = (Instant::now(), Deadlines::new(Duration::ZERO));
    let mut messages = Messages::new();
    let mut buffer = [0; 16 << 10];
    let mut out = Vec::new();
    // Not `mut leftover`: `buffer` would then have to live as long as the caller's bytes.
    let mut input = leftover;
    loop {
        while let Some(message) = messages.receive(connection, &mut input) {
            // Once we are closing, a message cannot be answered any more: not an error here.
            let _ = match message {
                Message::Text(text) => connection.send_text(text, &mut out),
                Message::Binary(data) => connection.send_binary(data, &mut out),
                _ => Ok(()),
            };
            // Every Ping answered, and the Close that is owed, also after a violation.
            if connection.transmit(&mut out).is_err() {
                connection.abort(); // no memory for the output
                out.clear();
            }
        }
        // A silent peer is sent a Ping, and one that takes too long a Close, before it is dropped.
        let now = start.elapsed();
        match deadlines.enforce(now, connection, &mut out) {
            Some(Overdue::Close(limit)) => println!("{limit}"),
            Some(Overdue::Abort(limit)) => {
                println!("{limit}");
                out.clear();
            }
            _ => {}
        }
        // Neither a write nor a read may take longer than until the next deadline.
        let left = |at: Duration| at.saturating_sub(now).max(Duration::from_millis(1));
        let left = deadlines.next().map(|(at, _)| left(at));
        let done = if !out.is_empty() {
            stream.set_write_timeout(left).and_then(|()| stream.write(&out))
        } else if let Some(closure) = connection.closure() {
            return closure; // the next step is `Drop`
        } else {
            if connection.next_step() == NextStep::ShutdownWrite {
                // An error does not end the connection: the end of the stream does.
                let _ = stream.shutdown(Shutdown::Write);
                connection.write_ended();
            }
            stream.set_read_timeout(left).and_then(|()| stream.read(&mut buffer))
        };
        input = &mut [];
        match done {
            Ok(written) if !out.is_empty() => {
                out.drain(..written);
                deadlines.written(start.elapsed(), written, out.len());
            }
            Ok(0) => connection.receive_eof(),
            Ok(length) => input = &mut buffer[..length],
            Err(error) => match error.kind() {
                // A deadline was sooner, or a signal came.
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    deadlines.written(start.elapsed(), 0, out.len());
                }
                _ => {
                    println!("{error}");
                    connection.abort();
                    out.clear();
                }
            },
        }
    }
}
