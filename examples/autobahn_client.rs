//! Runs all cases of an Autobahn fuzzing server and asks it for the report:
//! `autobahn_client URL AGENT [--deflate [--takeover]]`, for example
//! `autobahn_client ws://127.0.0.1:9001 websocket-proto`.
//!
//! The cases of compression need `--deflate`, for which the feature `deflate` is needed.

#[allow(dead_code, reason = "no subprotocol is offered here")]
#[path = "common/client.rs"]
mod client;
#[allow(dead_code, reason = "servers have theirs too")]
#[path = "common/codecs.rs"]
mod codecs;

use std::io;
use websocket_proto::handshake::Offer;
use websocket_proto::{Data, Deflate, Message, Messages};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (url, agent, deflate, takeover) = match arguments[..] {
        [url, agent] => (url, agent, false, false),
        [url, agent, "--deflate"] => (url, agent, true, false),
        [url, agent, "--deflate", "--takeover"] => (url, agent, true, true),
        _ => {
            return Err(io::Error::other(
                "usage: autobahn_client URL AGENT [--deflate [--takeover]]",
            ));
        }
    };
    let url = url.trim_end_matches('/');
    let mut ways = codecs::ways(deflate, takeover).map_err(io::Error::other)?.to_vec();
    if takeover {
        // Where the suite wants no takeover, it takes an offer only that says so by itself.
        ways.push(Deflate::new());
    }
    let offer = Offer::new().deflate(&ways);
    let mut codecs = codecs::Shared::new();
    let mut run = |url: String, echo| run(&url, &offer, &mut codecs, echo);

    let count = run(format!("{url}/getCaseCount"), false)?;
    let count: u32 = count.trim().parse().map_err(io::Error::other)?;
    for case in 1..=count {
        // How a case ends is the server's to judge; some end by dropping the transport.
        if let Err(error) = run(format!("{url}/runCase?case={case}&agent={agent}"), true) {
            println!("case {case}: {error}");
        }
    }
    run(format!("{url}/updateReports?agent={agent}"), false)?;
    println!("{count} cases run");
    Ok(())
}

/// One connection to its end. Echoes if told to; returns the last text otherwise.
fn run(
    url: &str,
    offer: &Offer<'_>,
    shared: &mut codecs::Shared,
    echo: bool,
) -> io::Result<String> {
    let client::Dialled { mut transport, mut connection, mut leftover, .. } =
        client::dial(url, offer)?;
    let mut own = codecs::Own::of_client(connection.agreed());
    let (inflater, deflater) = own.or(shared);
    let mut last_text = String::new();
    let mut messages = Messages::new();
    let mut buffer = [0; 64 << 10];
    let mut out = Vec::new();
    let mut input = &mut leftover[..];
    loop {
        while let Some(message) = messages.receive_inflated(&mut connection, inflater, &mut input) {
            let mut reply = |data| {
                // Once we are closing, a message cannot be answered any more: not an error here.
                let _ = connection.send_compressed(data, deflater, &mut out);
            };
            match message {
                Message::Text(text) if echo => reply(Data::Text(text)),
                Message::Binary(data) if echo => reply(Data::Binary(data)),
                Message::Text(text) => text.clone_into(&mut last_text),
                _ => {}
            }
            connection.transmit(&mut out).map_err(io::Error::other)?;
        }
        match transport.turn(&mut connection, &mut out, &mut buffer) {
            Some(read) => input = read,
            None => return Ok(last_text),
        }
    }
}
