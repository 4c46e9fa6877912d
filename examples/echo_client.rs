//! A client for any WebSocket server:
//!
//! `echo_client URL [--send TEXT]... [--echo] [--subprotocol NAME]... [--header "Name: value"]...`
//!
//! Sends the texts, prints what it receives, and closes once it has received as many messages as it
//! has sent. With `--echo` it returns every message until the server ends the connection. It exits
//! with 0 after a clean close and with 1 otherwise, the reason on standard error.

#[path = "common/client.rs"]
mod client;

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;
use websocket_proto::handshake::Offer;
use websocket_proto::{CloseCode, CloseFrame, Closure, Message, Messages, NextStep};

#[derive(Default)]
struct Options {
    url: String,
    send: Vec<String>,
    echo: bool,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(Some(closure)) if closure.clean => ExitCode::SUCCESS,
        Ok(closure) => {
            eprintln!("not a clean close: {closure:?}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> io::Result<Options> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| usage(&argument));
        match argument.as_str() {
            "--send" => options.send.push(value()?),
            "--echo" => options.echo = true,
            "--subprotocol" => options.subprotocols.push(value()?),
            "--header" => {
                let header = value()?;
                let (name, value) = header.split_once(':').ok_or_else(|| usage(&header))?;
                options.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            url if options.url.is_empty() && !url.starts_with("--") => options.url = url.into(),
            other => return Err(usage(other)),
        }
    }
    if options.url.is_empty() { Err(usage("no URL")) } else { Ok(options) }
}

fn usage(what: &str) -> io::Error {
    io::Error::other(format!(
        "{what}: echo_client URL [--send TEXT]... [--echo] [--subprotocol NAME]... \
         [--header \"Name: value\"]..."
    ))
}

fn run(options: &Options) -> io::Result<Option<Closure>> {
    let subprotocols: Vec<_> = options.subprotocols.iter().map(String::as_str).collect();
    let headers: Vec<_> = options.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let offer = Offer::new().subprotocols(&subprotocols).headers(&headers);
    let client::Dialled { mut stream, mut connection, mut leftover, subprotocol } =
        client::dial(&options.url, &offer)?;
    if let Some(subprotocol) = subprotocol {
        println!("subprotocol {subprotocol}");
    }

    let mut out = Vec::new();
    for text in &options.send {
        connection.send_text(text, &mut out).map_err(io::Error::other)?;
    }
    let mut expected = if options.echo { usize::MAX } else { options.send.len() };
    let mut messages = Messages::new();
    let mut buffer = [0; 16 << 10];
    let mut input = &mut leftover[..];
    loop {
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            // Once we are closing, a message cannot be answered any more: not an error here.
            let _ = match message {
                Message::Text(text) => {
                    println!("text {text}");
                    expected = expected.saturating_sub(1);
                    if options.echo { connection.send_text(text, &mut out) } else { Ok(()) }
                }
                Message::Binary(data) => {
                    println!("binary, {} bytes", data.len());
                    expected = expected.saturating_sub(1);
                    if options.echo { connection.send_binary(data, &mut out) } else { Ok(()) }
                }
                Message::Close(close) => {
                    println!("close {close:?}");
                    Ok(())
                }
                Message::Failed(violation) => {
                    eprintln!("violation: {violation}");
                    Ok(())
                }
                _ => Ok(()),
            };
            connection.transmit(&mut out).map_err(io::Error::other)?;
        }
        if expected == 0 {
            expected = usize::MAX;
            let close = CloseFrame::truncated(CloseCode::NORMAL, "");
            // An error says that the server closed first.
            let _ = connection.close(Some(&close), &mut out);
        }
        if stream.write_all(&out).is_err() {
            connection.abort();
        }
        out.clear();
        match connection.next_step() {
            NextStep::Continue | NextStep::ShutdownWrite => {}
            NextStep::AwaitEof => stream.set_read_timeout(Some(Duration::from_secs(5)))?,
            NextStep::Drop => return Ok(connection.closure()),
        }
        let length = stream.read(&mut buffer).unwrap_or_else(|_| {
            // A server may reset a transport that is no longer needed: how the connection ended
            // tells whether anything was lost.
            connection.abort();
            0
        });
        if length == 0 {
            connection.receive_eof();
        }
        input = &mut buffer[..length];
    }
}
