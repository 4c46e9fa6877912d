//! The echo server that the Autobahn cases run against:
//! `tokio_echo_server [ADDR] [--deflate [--takeover]]`

#[path = "common/compression.rs"]
mod compression;

use tokio::net::{TcpListener, TcpStream};
use websocket_proto_tokio::{Builder, Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, addresses): (Vec<_>, Vec<_>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let builder = compression::builder(&flags)?;
    let address = addresses.first().unwrap_or(&"127.0.0.1:9001");
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let builder = builder.clone();
        tokio::spawn(async move {
            if let Err(error) = echo(stream, &builder).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(stream: TcpStream, builder: &Builder) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut ws = builder.accept(stream).await?;
    while let Some(message) = ws.message().await? {
        // Once the connection closes, a message cannot be answered: not an error here.
        let _ = ws.send(message).await;
    }
    Ok(())
}
