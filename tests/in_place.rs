//! Messages that stay in the input until they are fully received.

#![cfg(feature = "deflate")]

use crate::common::{self, Keys, hex, mask};
use websocket_proto::{
    Agreed, Client, Config, Connection, Data, Deflate, Deflater, Inflater, Message, Messages,
    Server, ZlibCompress, ZlibDecompress,
};

const TAKEOVER: Agreed = Agreed::new().deflate(Deflate {
    client_no_context_takeover: false,
    server_no_context_takeover: false,
    ..Deflate::new()
});

/// A compressed message of the text "Hello".
const HELLO: &str = "C1 07 F2 48 CD C9 C9 07 00";

#[test]
fn t60_a_compressed_message_that_will_fit_is_left_in_the_input() {
    let frame = mask(&hex(HELLO));
    for (agreed, shared) in [(TAKEOVER, false), (Agreed::new().deflate(Deflate::new()), true)] {
        // The capacity equals the frame's length, or is one byte too small.
        for (capacity, stays) in [(frame.len(), true), (frame.len() - 1, false)] {
            let codec = ZlibDecompress::new();
            let mut inflater = if shared { Inflater::shared(codec) } else { Inflater::own(codec) };
            let mut connection = Connection::new(Server, &Config::new(), agreed);
            let mut messages = Messages::new().in_place(capacity);
            let mut bytes = frame.clone();
            let mut input = &mut bytes[..9];
            assert!(
                messages.receive_inflated(&mut connection, &mut inflater, &mut input).is_none()
            );
            assert_eq!(input.len(), if stays { 9 } else { 0 }, "{capacity}, shared: {shared}");
            assert_eq!(connection.received(), 9);
            let mut input = if stays { &mut bytes[..] } else { &mut bytes[9..] };
            let message = messages.receive_inflated(&mut connection, &mut inflater, &mut input);
            assert_eq!(message, Some(Message::Text("Hello")));
            assert_eq!((input.len(), connection.received() as usize), (0, frame.len()));
        }
    }
}

#[test]
fn t60_a_compressed_frame_that_was_not_agreed_on_does_not_stay() {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut messages = Messages::new().in_place(100);
    let mut bytes = mask(&hex(HELLO));
    let message = messages.receive(&mut connection, &mut &mut bytes[..3]);
    assert!(matches!(message, Some(Message::Failed(_))), "{message:?}");
}

/// Long and short messages, compressed and not, in one buffer that every read is appended to.
#[test]
fn t62_long_compressed_messages_are_the_same_in_place() {
    let payloads = [common::text(10), common::text(30_000), common::text(300), common::text(7000)];
    let mut sender = Connection::new(Client(Keys::default()), &Config::new(), TAKEOVER);
    let mut deflater = Deflater::own(ZlibCompress::new(6)).threshold(0);
    let mut wire = Vec::new();
    for payload in &payloads {
        sender.send_compressed(Data::Text(payload), &mut deflater, &mut wire).unwrap();
        sender.ping(b"", &mut wire).unwrap();
        sender.send_text(payload, &mut wire).unwrap();
    }
    for (capacity, read) in [(0, 100), (300, 7), (5000, 1000), (1 << 20, 333), (1 << 20, 65_536)] {
        let mut connection = Connection::new(Server, &Config::new(), TAKEOVER);
        let mut messages = Messages::new().in_place(capacity);
        let mut inflater = Inflater::own(ZlibDecompress::new());
        let (mut buffer, mut received) = (Vec::new(), Vec::new());
        for read in wire.chunks(read) {
            buffer.extend_from_slice(read);
            let mut input = &mut buffer[..];
            while let Some(message) =
                messages.receive_inflated(&mut connection, &mut inflater, &mut input)
            {
                match message {
                    Message::Text(text) => received.push(text.to_owned()),
                    Message::Ping(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            let rest = input.len();
            assert!(rest < capacity.max(1));
            buffer.drain(..buffer.len() - rest);
        }
        let expected: Vec<_> = payloads.iter().flat_map(|text| [text, text]).collect();
        assert!(received.iter().eq(expected), "{capacity}, reads of {read}");
    }
}
