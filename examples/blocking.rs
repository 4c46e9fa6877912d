//! An echo server over blocking sockets, with all time limits, for one connection after the other:
//! `cargo run --example blocking [ADDR]`, then connect to `ws://127.0.0.1:9002/`. The server writes
//! before it reads. If both sides send more than the sockets hold, both wait until a time limit
//! ends the connection.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use websocket_proto::endpoint::{Ending, Endpoint, Incoming, Options};
use websocket_proto::{NextStep, handshake::AcceptOptions};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9002".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        match stream.and_then(serve) {
            Ok(Some(ending)) => println!("{ending}"),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<Option<Ending>> {
    let (start, mut ws) = (Instant::now(), Endpoint::server(&Options::new()));
    let mut buffer = [0; 16 << 10];
    let mut input = &mut buffer[..0];
    loop {
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Request => _ = ws.request().map(|it| it.accept(&AcceptOptions::new())),
                // While the connection closes, a message cannot be answered. That is not an error
                // here.
                Incoming::Text(text) => _ = sender.text(text),
                Incoming::Binary(data) => _ = sender.binary(data),
                _ => {}
            }
        }
        ws.tick(start.elapsed());
        // Neither a write nor a read may take longer than until the next deadline.
        let left = |at: Duration| at.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        stream.set_write_timeout(ws.deadline().map(left))?;
        stream.set_read_timeout(ws.deadline().map(left))?;
        match ws.next_step() {
            NextStep::Drop => return Ok(ws.ending()),
            NextStep::ShutdownWrite => _ = stream.shutdown(Shutdown::Write),
            _ if ws.wants_write() => _ = ws.write_to(&mut stream),
            _ => input = ws.read_from(&mut stream, &mut buffer),
        }
    }
}
