//! A client for any WebSocket server:
//!
//! `echo_client URL [--send TEXT]... [--echo] [--subprotocol NAME]... [--header "Name: value"]...
//! [--deflate [--takeover]]`
//!
//! Sends the texts, prints what it receives, and closes once it has received as many messages as it
//! has sent. With `--echo` it returns every message until the server ends the connection. It exits
//! with 0 after a clean close and with 1 otherwise, the reason on standard error. A server that does
//! not answer is given up. With `--deflate`, for which the feature `deflate` is needed, it offers to
//! compress messages.

#[path = "common/client.rs"]
mod client;
#[allow(dead_code, reason = "servers have theirs too")]
#[path = "common/codecs.rs"]
mod codecs;

use std::io;
use std::process::ExitCode;
use websocket_proto::handshake::Offer;
use websocket_proto::{CloseCode, CloseFrame, Closure, Data, Deflate, Message, Messages};

#[derive(Default)]
struct Options {
    url: String,
    send: Vec<String>,
    echo: bool,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    deflate: &'static [Deflate],
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
    let (mut deflate, mut takeover) = (false, false);
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
            "--deflate" => deflate = true,
            "--takeover" => takeover = true,
            url if options.url.is_empty() && !url.starts_with("--") => options.url = url.into(),
            other => return Err(usage(other)),
        }
    }
    options.deflate = codecs::ways(deflate, takeover).map_err(io::Error::other)?;
    if options.url.is_empty() { Err(usage("no URL")) } else { Ok(options) }
}

fn usage(what: &str) -> io::Error {
    io::Error::other(format!(
        "{what}: echo_client URL [--send TEXT]... [--echo] [--subprotocol NAME]... \
         [--header \"Name: value\"]... [--deflate [--takeover]]"
    ))
}

fn run(options: &Options) -> io::Result<Option<Closure>> {
    let subprotocols: Vec<_> = options.subprotocols.iter().map(String::as_str).collect();
    let headers: Vec<_> = options.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let offer = Offer::new().subprotocols(&subprotocols).headers(&headers).deflate(options.deflate);
    let client::Dialled { mut transport, mut connection, leftover, subprotocol } =
        client::dial(&options.url, &offer)?;
    if let Some(subprotocol) = subprotocol {
        println!("subprotocol {subprotocol}");
    }
    if let Some(deflate) = connection.agreed().deflate {
        println!("{deflate:?}");
    }
    let (mut own, mut shared) =
        (codecs::Own::of_client(connection.agreed()), codecs::Shared::new());
    let (inflater, deflater) = own.or(&mut shared);

    let mut out = Vec::new();
    for text in &options.send {
        let text = Data::Text(text);
        connection.send_compressed(text, deflater, &mut out).map_err(io::Error::other)?;
    }
    let mut expected = if options.echo { usize::MAX } else { options.send.len() };
    // A message of up to 16 KiB stays in the buffer until it is complete. Reads append to it.
    const CAPACITY: usize = 16 << 10;
    let mut messages = Messages::new().in_place(CAPACITY);
    let mut filled = leftover.len();
    let mut buffer = leftover;
    buffer.resize(CAPACITY.max(filled), 0);
    loop {
        let mut input = &mut buffer[..filled];
        while let Some(message) = messages.receive_inflated(&mut connection, inflater, &mut input) {
            let mut received = None;
            match message {
                Message::Text(text) => {
                    println!("text {}", printable(text));
                    received = Some(Data::Text(text));
                }
                Message::Binary(data) => {
                    println!("binary, {} bytes", data.len());
                    received = Some(Data::Binary(data));
                }
                Message::Close(close) => println!("close {close:?}"),
                Message::Failed(failure) => eprintln!("failed: {failure}"),
                _ => {}
            }
            if let Some(data) = received {
                expected = expected.saturating_sub(1);
                if options.echo {
                    // Once we are closing, a message cannot be answered any more: not an error here.
                    let _ = connection.send_compressed(data, deflater, &mut out);
                }
            }
            connection.transmit(&mut out).map_err(io::Error::other)?;
        }
        if expected == 0 {
            expected = usize::MAX;
            let close = CloseFrame::truncated(CloseCode::NORMAL, "");
            // An error says that the server closed first.
            let _ = connection.close(Some(&close), &mut out);
        }
        let rest = input.len();
        buffer.copy_within(filled - rest..filled, 0);
        filled = rest;
        match transport.turn(&mut connection, &mut out, &mut buffer[filled..]) {
            Some(read) => filled += read.len(),
            None => return Ok(connection.closure()),
        }
    }
}

/// Escapes control characters, by which a server could take over the terminal.
fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escape).collect()
}
