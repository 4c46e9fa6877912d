//! Runs all cases of an Autobahn fuzzing server and asks it for the report:
//! `tokio_autobahn_client URL AGENT [--deflate [--takeover]]`

#[path = "common/compression.rs"]
mod compression;

use futures_util::{SinkExt, StreamExt};
use websocket_proto_tokio::{Builder, CloseCode, Error, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [url, agent, flags @ ..] = &arguments[..] else {
        return Err("tokio_autobahn_client URL AGENT [--deflate [--takeover]]".into());
    };
    let (url, builder) = (url.trim_end_matches('/'), compression::builder(flags)?);
    let mut ws = builder.connect(&format!("{url}/getCaseCount")).await?;
    let count = ws.message().await?.ok_or("no count")?;
    let count: u32 = count.to_text().unwrap_or_default().trim().parse()?;
    ws.close(CloseCode::NORMAL, "").await?;
    for case in 1..=count {
        let url = format!("{url}/runCase?case={case}&agent={agent}");
        // The suite checks how a case ends. Some cases end by dropping the transport.
        if let Err(error) = echo(&builder, &url).await {
            println!("case {case}: {error}");
        }
    }
    let mut ws = builder.connect(&format!("{url}/updateReports?agent={agent}")).await?;
    // The suite ends with this request, some way or other.
    while let Ok(Some(_)) = ws.message().await {}
    println!("{count} cases run");
    Ok(())
}

/// Echoes through the `Stream` and the `Sink`.
async fn echo(builder: &Builder, url: &str) -> Result<(), Error> {
    let ws = builder.connect(url).await?;
    let (mut sink, mut stream) = ws.split::<Message>();
    while let Some(message) = stream.next().await {
        // Once the connection closes, a message cannot be answered: not an error here.
        let _ = sink.send(message?).await;
    }
    Ok(())
}
