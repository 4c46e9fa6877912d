//! An echo server with TLS, a subprotocol and compression: `server CERT.pem KEY.pem`

use std::env;
use tokio::net::{TcpListener, TcpStream};
use websocket_proto_tokio::{Builder, Error, TlsAcceptor};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = |number| env::args().nth(number).ok_or("server CERT.pem KEY.pem");
    let tls = TlsAcceptor::from_pem_files(file(1)?, file(2)?)?;
    let builder = Builder::new().subprotocol("echo").compress();
    let listener = TcpListener::bind("127.0.0.1:9003").await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let served = serve(stream, tls.clone(), builder.clone());
        tokio::spawn(async move { println!("{peer}: {:?}", served.await) });
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, builder: Builder) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut ws = builder.accept(tls.accept(stream).await?).await?;
    while let Some(message) = ws.message().await? {
        ws.send(message).await?;
    }
    Ok(())
}
