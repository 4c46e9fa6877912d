//! What a client checks of the echo server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use websocket_proto::endpoint::{
    Compression, Ending, Endpoint, Incoming, Options, Sender, ZlibStock,
};
use websocket_proto::handshake::{Offer, Target};
use websocket_proto::{CloseCode, Data, Deflate, Initiator, SendError};

use crate::client::{Answer, Client, Side};
use crate::connection::Error;

const TEXT: &str = "Grüße über HTTP/3";
/// How many WebSockets share a connection.
const MANY: usize = 50;

/// Counts what was right and what was not.
#[derive(Default)]
struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    fn check(&mut self, name: &str, truth: bool) {
        println!("{} {name}", if truth { "ok    " } else { "FAILED" });
        *(if truth { &mut self.passed } else { &mut self.failed }) += 1;
    }
}

/// Runs all cases on one connection, and prints a line for each check and the sum.
pub fn run(server: SocketAddr, certificate: &Path) -> Result<ExitCode, Error> {
    let mut client = Client::connect(server, "localhost", certificate)?;
    let mut checks = Checks::default();
    messages(&mut client, &mut checks)?;
    closes(&mut client, &mut checks)?;
    handshakes(&mut client, &mut checks)?;
    compression(&mut client, &mut checks)?;
    many(&mut client, &mut checks)?;
    let Checks { passed, failed } = checks;
    if failed > 0 {
        println!("{failed} checks failed, {passed} passed");
        return Ok(ExitCode::FAILURE);
    }
    println!("examples/h3 as the client of {server}: {passed} checks passed");
    Ok(ExitCode::SUCCESS)
}

fn open(
    client: &mut Client,
    path: &str,
    offer: &Offer<'_>,
    options: &Options,
) -> Result<Answer, Error> {
    client.open(&Target::parse(&format!("wss://localhost{path}"))?, offer, options)
}

/// Opens a WebSocket, begins with `start`, and calls `on` for each event until the WebSocket ends.
fn talk(
    client: &mut Client,
    start: impl FnOnce(&mut Endpoint<Side>) -> Result<(), SendError>,
    mut on: impl FnMut(Incoming<'_>, &mut Sender<Side>),
) -> Result<Ending, Error> {
    let Answer::Opened { id, .. } = open(client, "/echo", &Offer::new(), &Options::new())? else {
        return Err("the server has refused an echo".into());
    };
    start(client.endpoint(id).ok_or("not open")?)?;
    let endings = client.run(|_, incoming, sender| on(incoming, sender))?;
    Ok(endings.into_iter().next().ok_or("no ending")?.1)
}

/// Messages of each kind, and a Close of the client's.
fn messages(client: &mut Client, checks: &mut Checks) -> Result<(), Error> {
    let data: Vec<u8> = (0..1 << 20).map(|at: u32| (at ^ (at >> 8)) as u8).collect();
    let mut echoes = Vec::new();
    let ending = talk(
        client,
        |ws| {
            ws.text(TEXT)?;
            for (part, fin) in [("in ", false), ("three ", false), ("fragments", true)] {
                ws.fragment(Data::Text(part), fin)?;
            }
            ws.binary(&data) // last, because it fills the output
        },
        |incoming, sender| match incoming {
            Incoming::Text(text) => echoes.push(text.to_owned()),
            Incoming::Binary(bytes) => {
                echoes.push(if bytes == data { "1 MiB" } else { "other bytes" }.to_owned());
                let _ = sender.ping(b"last");
            }
            Incoming::Pong(payload) if *payload == *b"last" => {
                _ = CloseCode::new(4000).map(|code| sender.close(code, "done"));
            }
            _ => {}
        },
    )?;
    checks.check("a text, fragments and 1 MiB", echoes == [TEXT, "in three fragments", "1 MiB"]);
    let closure = ending.closure;
    checks.check("the client closes", closure.clean && closure.initiator == Some(Initiator::Local));
    let code = ending.received.map(|close| close.code());
    checks.check("its Close is answered", code.is_some() && code == CloseCode::new(4000));
    Ok(())
}

/// Ends for which the server is the reason.
fn closes(client: &mut Client, checks: &mut Checks) -> Result<(), Error> {
    let ending = talk(client, |ws| ws.text("good bye"), |_, _| {})?;
    let closure = ending.closure;
    checks.check("the server closes", closure.clean && closure.initiator == Some(Initiator::Peer));
    let close = ending.received;
    checks.check("its reason arrives", close.is_some_and(|close| close.reason() == "goodbye"));

    let ending = talk(client, |ws| ws.text("reset me"), |_, _| {})?;
    checks
        .check("the server resets the stream", !ending.closure.clean && ending.received.is_none());
    Ok(())
}

fn handshakes(client: &mut Client, checks: &mut Checks) -> Result<(), Error> {
    let answer = open(client, "/nothing", &Offer::new(), &Options::new())?;
    checks.check("another path is refused", matches!(answer, Answer::Refused { status: 404 }));
    for (offered, agreed) in [(&["chat", "echo"][..], Some("echo")), (&["chat"], None)] {
        let answer = open(client, "/echo", &Offer::new().subprotocols(offered), &Options::new())?;
        let Answer::Opened { id, subprotocol, .. } = answer else { return Err("refused".into()) };
        checks.check(&format!("of {offered:?}, {agreed:?}"), subprotocol.as_deref() == agreed);
        client.endpoint(id).ok_or("not open")?.close(CloseCode::NORMAL, "")?;
        client.run(|_, _, _| {})?;
    }
    Ok(())
}

fn compression(client: &mut Client, checks: &mut Checks) -> Result<(), Error> {
    let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
    let offer = Offer::new().deflate(&Deflate::OFFERS[..1]);
    let Answer::Opened { id, compressed, .. } = open(client, "/echo", &offer, &options)? else {
        return Err("refused".into());
    };
    checks.check("compression is agreed on", compressed);
    let text = TEXT.repeat(10_000);
    let ws = client.endpoint(id).ok_or("not open")?;
    let (frames, traced) = mpsc::channel();
    ws.trace(move |frame| _ = frames.send(frame));
    ws.text(&text)?;
    let mut echoed = false;
    client.run(|_, incoming, sender| {
        if let Incoming::Text(echo) = incoming {
            echoed = echo == text;
            let _ = sender.close(CloseCode::NORMAL, "");
        }
    })?;
    checks.check("compressed text", echoed);
    let compressed = traced.iter().filter(|frame| frame.rsv == 0b100);
    let directions: Vec<bool> = compressed.map(|frame| frame.sent).collect();
    checks.check("compressed in both directions", directions == [true, false]);
    Ok(())
}

/// WebSockets that are open at the same time, each with a longer text than the one before.
fn many(client: &mut Client, checks: &mut Checks) -> Result<(), Error> {
    let start = Instant::now();
    let mut texts = HashMap::new();
    for number in 1..=MANY {
        let answer = open(client, "/echo", &Offer::new(), &Options::new())?;
        let Answer::Opened { id, .. } = answer else { return Err("refused".into()) };
        texts.insert(id, format!("{number} ").repeat(number * 200));
    }
    for (&id, text) in &texts {
        client.endpoint(id).ok_or("not open")?.text(text)?;
    }
    let mut echoed = 0;
    let endings = client.run(|id, incoming, sender| {
        if let Incoming::Text(echo) = incoming {
            echoed += usize::from(texts.get(&id).is_some_and(|text| text == echo));
            let _ = sender.close(CloseCode::NORMAL, "");
        }
    })?;
    checks.check(&format!("{MANY} WebSockets at the same time"), echoed == MANY);
    let clean = endings.iter().filter(|(_, ending)| ending.closure.clean).count();
    // An endpoint whose peer does not end its side waits for `Limit::Close`, which is 5 seconds.
    let in_time = start.elapsed() < Duration::from_secs(5);
    checks.check("all of them close, none by a time limit", clean == MANY && in_time);
    Ok(())
}
