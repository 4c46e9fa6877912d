//! Runs all cases of an Autobahn fuzzing server and asks it for the report:
//! `autobahn_client URL AGENT [--deflate [--takeover]]`, for example
//! `autobahn_client ws://127.0.0.1:9001 websocket-proto`.
//!
//! The cases of compression need `--deflate`, which needs the feature `deflate`.

#[path = "common/client.rs"]
mod client;
#[path = "common/compression.rs"]
mod compression;

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use websocket_proto::endpoint::{Incoming, Options};
use websocket_proto::handshake::Offer;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (url, agent, deflate, takeover) = match arguments[..] {
        [url, agent] => (url, agent, false, false),
        [url, agent, "--deflate"] => (url, agent, true, false),
        [url, agent, "--deflate", "--takeover"] => (url, agent, true, true),
        _ => {
            let usage = "usage: autobahn_client URL AGENT [--deflate [--takeover]]";
            return Err(io::Error::other(usage));
        }
    };
    let url = url.trim_end_matches('/');
    let mut options = Options::new();
    if let Some(compression) = compression::of(deflate, takeover).map_err(io::Error::other)? {
        options = options.compression(compression);
    }

    let count = run(&format!("{url}/getCaseCount"), &options, false)?;
    let count: u32 = count.trim().parse().map_err(io::Error::other)?;
    // Two cases run at a time, because in each of them one side waits for the other.
    let next = AtomicU32::new(1);
    let run_cases = || {
        while let case = next.fetch_add(1, Ordering::Relaxed)
            && case <= count
        {
            // The server decides whether a case ended well. Some cases end by dropping the
            // transport.
            let address = format!("{url}/runCase?case={case}&agent={agent}");
            if let Err(error) = run(&address, &options, true) {
                println!("case {case}: {error}");
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(run_cases);
        run_cases();
    });
    run(&format!("{url}/updateReports?agent={agent}"), &options, false)?;
    println!("{count} cases run");
    Ok(())
}

/// One connection to its end. Echoes if told to; returns the last text otherwise.
fn run(url: &str, options: &Options, echo: bool) -> io::Result<String> {
    let mut last_text = String::new();
    let ending = client::run(url, &Offer::new(), options, |incoming, sender| match incoming {
        // While the connection closes, a message cannot be answered. That is not an error here.
        Incoming::Text(text) if echo => _ = sender.text(text),
        Incoming::Binary(data) if echo => _ = sender.binary(data),
        Incoming::Text(text) => text.clone_into(&mut last_text),
        _ => {}
    })?;
    match ending {
        Some(ending) if !ending.opened => Err(io::Error::other(ending.to_string())),
        _ => Ok(last_text),
    }
}
