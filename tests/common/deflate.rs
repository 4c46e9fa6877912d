//! Receives compressed messages in all ways.

use websocket_proto::{Connection, Decompress, Event, Inflater, Message, Messages, Role};

use super::{Canonical, Outcome};

/// The way in which compressed messages are received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// In pieces, by the connection's own codec.
    Pieces,
    /// As messages, by the connection's own codec.
    Own,
    /// As messages, by a shared codec.
    Shared,
    /// As messages, by the connection's own codec, where frames of up to 20 bytes stay in the input.
    OwnInPlace,
    /// As messages, by a shared codec, where frames of up to 20 bytes stay in the input.
    SharedInPlace,
}

impl Mode {
    pub const ALL: [Mode; 5] =
        [Mode::Pieces, Mode::Own, Mode::Shared, Mode::OwnInPlace, Mode::SharedInPlace];

    pub fn is_shared(self) -> bool {
        matches!(self, Mode::Shared | Mode::SharedInPlace)
    }

    fn in_place(self) -> usize {
        if matches!(self, Mode::OwnInPlace | Mode::SharedInPlace) { 20 } else { 0 }
    }
}

/// Feeds `chunks`, one read each, and transmits after every event, as a driver does.
pub fn drive_inflated<'c, R: Role, D: Decompress>(
    connection: &mut Connection<R>,
    mode: Mode,
    codec: D,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> Outcome {
    let (mut canonical, mut output) = (Canonical::default(), Vec::new());
    let (mut pieces, mut buffer) = (Pieces::default(), Vec::new());
    let mut messages = Messages::new().in_place(mode.in_place());
    let mut inflater =
        if mode.is_shared() { Inflater::shared(codec) } else { Inflater::own(codec) };
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut input = &mut buffer[..];
        if mode == Mode::Pieces {
            while let Some(event) = connection.receive(&mut input) {
                match event {
                    Event::Compressed(mut piece) => {
                        while let Some(event) = inflater.inflate(connection, &mut piece) {
                            pieces.push(event, &mut canonical);
                        }
                        assert!(piece.is_empty());
                    }
                    event => pieces.push(event, &mut canonical),
                }
                connection.transmit(&mut output).expect("a vector has room");
            }
        } else {
            while let Some(message) =
                messages.receive_inflated(connection, &mut inflater, &mut input)
            {
                match message {
                    Message::Text(text) => canonical.piece("text", text.as_bytes(), true, true),
                    Message::Binary(data) => canonical.piece("binary", data, true, true),
                    Message::Ping(payload) => canonical.push(&Event::Ping(payload)),
                    Message::Pong(payload) => canonical.push(&Event::Pong(payload)),
                    Message::Close(close) => canonical.push(&Event::Close(close)),
                    Message::Failed(failure) => canonical.push(&Event::Failed(failure)),
                    other => panic!("{other:?}"),
                }
                connection.transmit(&mut output).expect("a vector has room");
            }
        }
        let rest = input.len();
        assert!(rest < mode.in_place().max(1), "{rest} bytes were left in the input");
        buffer.drain(..buffer.len() - rest);
    }
    pieces.abandon(&mut canonical);
    Outcome { events: canonical.finish(), output }
}

/// Joins pieces to whole messages, also around control frames, and checks their positions. A
/// message that is never completed comes as one piece, before the event that ended it.
#[derive(Default)]
pub struct Pieces {
    open: Option<(&'static str, Vec<u8>)>,
}

impl Pieces {
    pub fn push(&mut self, event: Event<'_>, canonical: &mut Canonical) {
        let (what, bytes, first, last) = match &event {
            Event::Text(text) => ("text", text.as_bytes(), text.is_first(), text.is_last()),
            Event::Binary(data) => ("binary", &**data, data.is_first(), data.is_last()),
            event => {
                if matches!(event, Event::Close(_) | Event::Failed(_)) {
                    self.abandon(canonical);
                }
                return canonical.push(event);
            }
        };
        assert!(!bytes.is_empty() || last, "an empty piece that is not the last one");
        assert_eq!(self.open.is_none(), first);
        let (open, mut message) = self.open.take().unwrap_or((what, Vec::new()));
        assert_eq!(open, what);
        message.extend(bytes);
        if last {
            canonical.piece(what, &message, true, true);
        } else {
            self.open = Some((what, message));
        }
    }

    /// Ends the open message, which is incomplete.
    fn abandon(&mut self, canonical: &mut Canonical) {
        if let Some((what, message)) = self.open.take() {
            canonical.piece(what, &message, true, false);
        }
    }
}
