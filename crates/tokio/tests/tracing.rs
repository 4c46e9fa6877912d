//! The feature `tracing`: which events there are, with which fields, and nothing of the payloads.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tokio::io::duplex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber, subscriber};
use websocket_proto_tokio::{
    Agreed, Client, CloseCode, Endpoint, Options, Server, SystemMask, WebSocket,
};

/// Collects events as lines, up to a level.
#[derive(Clone)]
struct Collect {
    up_to: Level,
    lines: Arc<Mutex<Vec<String>>>,
}

/// Writes each field as " name=value".
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Collect {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.up_to
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.lines.lock().unwrap().push(format!("span {}", span.metadata().name()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{} {}:", metadata.level(), metadata.target()));
        event.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

const SECRET: &str = "the payload of a message";

/// The lines of a conversation that a server has with a client.
async fn lines(up_to: Level) -> Vec<String> {
    let collect = Collect { up_to, lines: Arc::default() };
    let (ours, theirs) = duplex(100_000);
    let client = Endpoint::open(Client(SystemMask::new()), Agreed::new(), &Options::new());
    let mut client = WebSocket::new(theirs, client.unwrap());
    let server = Endpoint::open(Server, Agreed::new(), &Options::new()).unwrap();
    // A connection decides by the subscriber when it begins, so the client has no events.
    let guard = subscriber::set_default(collect.clone());
    let mut server = WebSocket::new(ours, server);
    drop(guard);
    client.send(SECRET).await.unwrap();
    client.send(SECRET.as_bytes()).await.unwrap();
    client.send_with(|ws| ws.ping(SECRET.as_bytes())).await.unwrap();
    let echo = async {
        while let Some(message) = server.message().await.unwrap() {
            server.send(message).await.unwrap();
        }
    };
    let guard = subscriber::set_default(collect.clone());
    let (closed, ()) = tokio::join!(client.close(CloseCode::NORMAL, SECRET), echo);
    drop(guard);
    assert!(closed.unwrap().closure.clean);
    let lines = collect.lines.lock().unwrap();
    lines.clone()
}

#[tokio::test]
async fn each_frame_is_an_event_at_the_level_trace() {
    let lines = lines(Level::TRACE).await;
    let received = |what: &str| format!("TRACE websocket_proto_tokio: message=received {what}");
    let sent = |what: &str| format!("TRACE websocket_proto_tokio: message=sent {what}");
    for line in [
        received("text, final, 24 bytes"),
        received("binary, final, 24 bytes"),
        received("Ping, final, 24 bytes"),
        received("Close, final, 26 bytes"),
        sent("text, final, 24 bytes"),
        sent("binary, final, 24 bytes"),
        sent("Pong, final, 24 bytes"),
    ] {
        assert_eq!(lines.iter().filter(|&other| *other == line).count(), 1, "{line}: {lines:#?}");
    }
    // The Close that answers has the code alone. There is no other event, and no span.
    assert_eq!(lines.last(), Some(&sent("Close, final, 2 bytes")));
    assert_eq!(lines.len(), 8, "{lines:#?}");
}

#[tokio::test]
async fn no_payload_and_no_reason_is_in_an_event() {
    for line in lines(Level::TRACE).await {
        assert!(!line.contains("payload"), "{line}");
    }
}

#[tokio::test]
async fn there_is_nothing_below_the_level_trace() {
    assert_eq!(lines(Level::DEBUG).await, Vec::<String>::new());
}
