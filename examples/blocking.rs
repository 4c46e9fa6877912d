//! The README's loop over a blocking socket: an echo server for one connection after the other.
//!
//! `cargo run --example blocking [ADDR]`, then connect to `ws://127.0.0.1:9002/`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;
use websocket_proto::handshake::{AcceptOptions, ServerHandshake};
use websocket_proto::{Closure, Config, Connection, Message, Messages, NextStep, Server};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9002".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        match stream.and_then(serve) {
            Ok(Some(closure)) => println!("closed: {closure:?}"),
            Ok(None) => println!("refused"),
            Err(error) => println!("lost: {error}"),
        }
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<Option<Closure>> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(60)))?;
    let mut handshake = ServerHandshake::new();
    let mut head = vec![0; 16 << 10];
    let (mut filled, mut out) = (0, Vec::new());
    loop {
        match stream.read(&mut head[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => filled += length,
        }
        let mut input = &mut head[..filled];
        match handshake.receive(&mut input) {
            Ok(None) => {}
            Ok(Some(request)) => {
                let agreed =
                    request.accept(&AcceptOptions::new(), &mut out).map_err(io::Error::other)?;
                stream.write_all(&out)?;
                let mut connection = Connection::new(Server, &Config::new(), agreed);
                return echo(&mut stream, &mut connection, input);
            }
            Err(error) => {
                error.respond(&mut out).map_err(io::Error::other)?;
                stream.write_all(&out)?;
                // Closing with input unread could destroy the answer on its way.
                stream.shutdown(Shutdown::Write)?;
                stream.take(1 << 20).read_to_end(&mut head)?;
                return Ok(None);
            }
        }
    }
}

/// Echoes until the connection ends, from the bytes that came behind the handshake on.
fn echo(
    stream: &mut TcpStream,
    connection: &mut Connection<Server>,
    leftover: &mut [u8],
) -> io::Result<Option<Closure>> {
    let mut messages = Messages::new();
    let mut buffer = [0; 16 << 10];
    let mut out = Vec::new();
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
            connection.transmit(&mut out).map_err(io::Error::other)?;
        }
        stream.write_all(&out)?;
        out.clear();
        match connection.next_step() {
            NextStep::Continue | NextStep::AwaitEof => {}
            NextStep::ShutdownWrite => {
                // An error does not end the connection: the end of the stream does.
                let _ = stream.shutdown(Shutdown::Write);
                connection.write_ended();
            }
            NextStep::Drop => return Ok(connection.closure()),
        }
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            connection.receive_eof();
        }
        input = &mut buffer[..length];
    }
}
