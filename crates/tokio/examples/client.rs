//! A client that connects again when the connection is lost, and ends when the server closes it:
//! `client [URL]`

use std::{env, time::Duration};
use tokio::time::sleep;
use websocket_proto_tokio::{Builder, Error};

#[tokio::main]
async fn main() {
    let url = env::args().nth(1).unwrap_or("wss://localhost:9003/".to_owned());
    let builder = Builder::new().subprotocol("echo").compress();
    while let Err(error) = talk(&builder, &url).await {
        eprintln!("{error}; trying again");
        sleep(Duration::from_secs(1)).await;
    }
}

async fn talk(builder: &Builder, url: &str) -> Result<(), Error> {
    let mut ws = builder.connect(url).await?;
    ws.send("hello").await?;
    while let Some(message) = ws.message().await? {
        println!("{message:?}");
    }
    Ok(())
}
