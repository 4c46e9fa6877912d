//! A client with the blocking driver, which sends a line and prints the answer:
//! `cargo run -p websocket-proto-embedded --example embedded_client ws://127.0.0.1:9004/ hello`.

mod common;

use std::{error::Error, net::TcpStream};

use common::{Socket, millis};
use websocket_proto_embedded::websocket_proto::{MaskSource, SystemMask, handshake::nonce};
use websocket_proto_embedded::{Buffers, CloseCode, Message, Offer, Target, blocking::WebSocket};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9004/".into());
    let text = arguments.next().unwrap_or_else(|| "hello".into());

    let target = Target::parse(&url)?;
    let socket = Socket::new(TcpStream::connect((target.host(), target.port()))?)?;
    let (mut input, mut message, mut output) = ([0; 1024], [0; 1024], [0; 1024 + 14]);
    let buffers = Buffers { input: &mut input, message: &mut message, output: &mut output };
    // A board has a generator of random numbers in place of the operating system's.
    let mut system = SystemMask::new();
    let masks = &mut system as &mut dyn MaskSource;
    let mut ws = WebSocket::client(socket, millis(), masks, buffers).shutdown(Socket::shutdown);

    let nonce = nonce().ok_or("no entropy")?;
    ws.connect(&target, &Offer::new(), nonce, |_| ())?;
    ws.send(|sender| sender.text(&text))?;
    let mut answered = false;
    while !answered && ws.wait()? {
        while let Some((message, _)) = ws.receive() {
            if let Message::Text(text) = message {
                println!("{text}");
                answered = true;
            }
        }
    }
    ws.close(CloseCode::NORMAL, "")?;
    if let Some(closure) = ws.connection().closure() {
        println!("{closure}");
    }
    Ok(())
}
