//! An echo server with TLS, a subprotocol and compression: `server CERT.pem KEY.pem`

use std::{env, sync::Arc};
use tokio::net::{TcpListener, TcpStream};
use websocket_proto_tokio::tokio_rustls::TlsAcceptor;
use websocket_proto_tokio::tokio_rustls::rustls::ServerConfig;
use websocket_proto_tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
use websocket_proto_tokio::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use websocket_proto_tokio::{Builder, Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = |number| env::args().nth(number).ok_or("server CERT.pem KEY.pem");
    let chain = CertificateDer::pem_file_iter(file(1)?)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(file(2)?)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    let tls = TlsAcceptor::from(Arc::new(config));
    let builder = Builder::new().subprotocol("echo").compress();
    let listener = TcpListener::bind("127.0.0.1:9003").await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let served = serve(stream, tls.clone(), builder.clone());
        tokio::spawn(async move { println!("{peer}: {:?}", served.await) });
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, builder: Builder) -> Result<(), Error> {
    let mut ws = builder.accept(tls.accept(stream).await?).await?;
    while let Some(message) = ws.message().await? {
        ws.send(message).await?;
    }
    Ok(())
}
