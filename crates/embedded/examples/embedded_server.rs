//! An echo server with the blocking driver, over a socket of the operating system in place of one of
//! a board: `cargo run -p websocket-proto-embedded --example embedded_server`.
//!
//! All buffers are lent, and one client is served after the other.

mod common;

use std::net::TcpListener;

use common::{Socket, millis};
use websocket_proto_embedded::{AcceptOptions, Buffers, Error, blocking::WebSocket};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9004".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        match serve(Socket::new(stream)?) {
            Ok(()) => println!("{peer}: closed"),
            Err(error) => println!("{peer}: {error}"),
        }
    }
}

fn serve(socket: Socket) -> Result<(), Error<std::io::Error>> {
    let (mut input, mut message, mut output) = ([0; 1024], [0; 1024], [0; 1024 + 14]);
    let buffers = Buffers { input: &mut input, message: &mut message, output: &mut output };
    let mut ws = WebSocket::server(socket, millis(), buffers).shutdown(Socket::shutdown);
    ws.accept(|_| Ok(AcceptOptions::new()))?;
    while ws.wait()? {
        while let Some((message, sender)) = ws.receive() {
            if let Some(data) = message.data() {
                // A message that was received fits. Once we are closing, none is sent.
                let _ = sender.send(data);
            }
        }
    }
    Ok(())
}
