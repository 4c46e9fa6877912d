//! A client for any WebSocket server:
//!
//! `echo_client URL [--ping TEXT] [--send TEXT]... [--close CODE REASON] [--echo]
//! [--subprotocol NAME]... [--header "Name: value"]... [--deflate [--takeover]]`
//!
//! Sends the Ping and the texts, prints what it receives, and closes after it has received as many
//! messages as it has sent. The code of that Close is 1000 unless `--close` names another. With
//! `--echo` it returns every message until the server ends the connection. It exits with 0 after a
//! clean close. Otherwise it exits with 1, and prints the reason on standard error. A server that
//! does not answer is given up. With `--deflate`, which needs the feature `deflate`, the client
//! offers to compress messages.

#[path = "common/client.rs"]
mod client;
#[path = "common/compression.rs"]
mod compression;

use std::io;
use std::process::ExitCode;
use websocket_proto::endpoint::{Ending, Incoming, Options};
use websocket_proto::handshake::Offer;
use websocket_proto::{CloseCode, CloseFrame, Data};

#[derive(Default)]
struct Arguments {
    url: String,
    ping: Option<String>,
    send: Vec<String>,
    close: Option<CloseFrame>,
    echo: bool,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    deflate: bool,
    takeover: bool,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(Some(ending)) if ending.closure.clean => return ExitCode::SUCCESS,
        Ok(Some(ending)) => eprintln!("{ending}"),
        Ok(None) => eprintln!("not ended"),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::FAILURE
}

fn arguments() -> io::Result<Arguments> {
    let mut parsed = Arguments::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| usage(&argument));
        match argument.as_str() {
            "--ping" => parsed.ping = Some(value()?),
            "--send" => parsed.send.push(value()?),
            "--close" => {
                let (code, reason) = (value()?, value()?);
                let code =
                    code.parse().ok().and_then(CloseCode::new).ok_or_else(|| usage(&code))?;
                parsed.close = Some(CloseFrame::new(code, &reason).map_err(io::Error::other)?);
            }
            "--echo" => parsed.echo = true,
            "--subprotocol" => parsed.subprotocols.push(value()?),
            "--header" => {
                let header = value()?;
                let (name, value) = header.split_once(':').ok_or_else(|| usage(&header))?;
                parsed.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            "--deflate" => parsed.deflate = true,
            "--takeover" => parsed.takeover = true,
            url if parsed.url.is_empty() && !url.starts_with("--") => parsed.url = url.into(),
            other => return Err(usage(other)),
        }
    }
    if parsed.url.is_empty() { Err(usage("no URL")) } else { Ok(parsed) }
}

fn usage(what: &str) -> io::Error {
    io::Error::other(format!(
        "{what}: echo_client URL [--ping TEXT] [--send TEXT]... [--close CODE REASON] [--echo] \
         [--subprotocol NAME]... [--header \"Name: value\"]... [--deflate [--takeover]]"
    ))
}

fn run(arguments: &Arguments) -> io::Result<Option<Ending>> {
    let Arguments { url, ping, send, close, echo, deflate, takeover, .. } = arguments;
    let (code, reason) =
        close.as_ref().map_or((CloseCode::NORMAL, ""), |close| (close.code(), close.reason()));
    // All texts are in memory already, so there is no limit on waiting output.
    let mut options = Options::new().water_marks(usize::MAX, usize::MAX);
    if let Some(compression) = compression::of(*deflate, *takeover).map_err(io::Error::other)? {
        options = options.compression(compression);
    }
    let subprotocols: Vec<_> = arguments.subprotocols.iter().map(String::as_str).collect();
    let headers: Vec<_> = arguments.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let offer = Offer::new().subprotocols(&subprotocols).headers(&headers);

    let mut expected = if *echo { usize::MAX } else { send.len() };
    client::run(url, &offer, &options, |incoming, sender| {
        let mut received = None;
        match incoming {
            Incoming::Opened(response) => {
                if let Some(subprotocol) = response.subprotocol() {
                    println!("subprotocol {}", printable(subprotocol));
                }
                if let Some(deflate) = response.agreed().deflate {
                    println!("{deflate:?}");
                }
                if let Some(Err(error)) = ping.as_ref().map(|text| sender.ping(text.as_bytes())) {
                    eprintln!("not sent: {error}");
                }
                for text in send {
                    if let Err(error) = sender.text(text) {
                        eprintln!("not sent: {error}");
                    }
                }
            }
            Incoming::Text(text) => {
                println!("text {}", printable(text));
                received = Some(Data::Text(text));
            }
            Incoming::Binary(data) => {
                println!("binary, {} bytes", data.len());
                received = Some(Data::Binary(data));
            }
            Incoming::Pong(payload) => {
                println!("pong {}", printable(&String::from_utf8_lossy(&payload)));
            }
            Incoming::Close(close) => println!("close {close:?}"),
            _ => {}
        }
        if let Some(data) = received {
            expected = expected.saturating_sub(1);
            if *echo {
                // While the connection closes, a message cannot be answered. That is not an error
                // here.
                let _ = sender.send(data);
            }
        }
        if expected == 0 {
            // A second Close is refused without effect, and so is one after the server's.
            let _ = sender.close(code, reason);
        }
    })
}

/// Escapes control characters, because a server could control the terminal with them.
fn printable(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(escape).collect()
}
