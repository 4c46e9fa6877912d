//! Endpoints that compress: with codecs of their own, with leased ones, or not at all.

#![cfg(all(feature = "std", feature = "deflate"))]

use std::sync::{Arc, Mutex};

use crate::common::{Keys, endpoint::receive, frame, mask, show, text};
use websocket_proto::{
    Agreed, Client, CloseCode, Config, Data, Deflate, InternalError, Role, SendError, Server,
    WindowBits, ZlibCompress, ZlibDecompress,
    endpoint::{Compression, Endpoint, Incoming, Options, Stock, ZlibStock},
    handshake::{AcceptOptions, Offer, Target},
};

const TAKEOVER: Deflate = Deflate {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: Some(WindowBits::MAX),
};

fn own(deflate: Deflate) -> Compression {
    Compression::own(deflate, ZlibDecompress::new, || ZlibCompress::new(6))
}

/// All settings, with a name.
fn settings() -> Vec<(&'static str, Options)> {
    let with = |compression: Compression| Options::new().compression(compression);
    vec![
        ("off", Options::new()),
        ("own, takeover", with(own(TAKEOVER))),
        ("own", with(own(Deflate::new()))),
        ("shared", with(Compression::shared(ZlibStock::new(6)))),
    ]
}

/// Brings what one endpoint has to say to the other, in parts of so many bytes.
fn bring<R: Role, P: Role>(
    from: &mut Endpoint<R>,
    to: &mut Endpoint<P>,
    part: usize,
) -> Vec<String> {
    let output = from.output().to_vec();
    from.written(output.len());
    output.chunks(part).flat_map(|part| receive(to, part)).collect()
}

/// Two endpoints that are open.
fn pair(server: &Options, client: &Options) -> (Endpoint<Server>, Endpoint<Client<Keys>>) {
    let mut server = Endpoint::server(server);
    let target = Target::parse("ws://h/").unwrap();
    // What is said of compression elsewhere does not count.
    let offer = Offer::new().deflate(&Deflate::OFFERS);
    let nonce = *b"the sample nonce";
    let mut client = Endpoint::client(&target, &offer, nonce, Keys(0), client).unwrap();
    bring(&mut client, &mut server, usize::MAX);
    let accept = AcceptOptions::new().deflate(Deflate::new());
    server.request().unwrap().accept(&accept).unwrap();
    bring(&mut server, &mut client, 7);
    assert_eq!(client.ending(), None);
    (server, client)
}

#[test]
fn messages_come_out_the_same_whatever_was_agreed() {
    let long = text(5000);
    let messages = ["", "short", &long, &long[..64], &long];
    for (server_name, server_options) in settings() {
        for (client_name, client_options) in settings() {
            for part in [1, 1000, usize::MAX] {
                let (mut server, mut client) = pair(&server_options, &client_options);
                let mut length = 0;
                for message in messages {
                    client.text(message).unwrap();
                    length += client.output().len();
                    let received = bring(&mut client, &mut server, part);
                    assert_eq!(received, [format!("text {message}")]);
                    server.text(message).unwrap();
                    length += server.output().len();
                    let received = bring(&mut server, &mut client, part);
                    assert_eq!(received, [format!("text {message}")]);
                }
                for (at, piece) in [&long[..10], &long[10..3000], &long[3000..]].iter().enumerate()
                {
                    server.fragment(Data::Binary(piece.as_bytes()), at == 2).unwrap();
                    client.fragment(Data::Text(piece), at == 2).unwrap();
                    let from_server = bring(&mut server, &mut client, part);
                    let from_client = bring(&mut client, &mut server, part);
                    if at == 2 {
                        assert_eq!(from_server, [format!("binary {}", show(long.as_bytes()))]);
                        assert_eq!(from_client, [format!("text {long}")]);
                    } else {
                        assert_eq!((from_server.len(), from_client.len()), (0, 0));
                    }
                }
                let compresses = server_name != "off" && client_name != "off";
                assert_eq!(length < 15_000, compresses, "{server_name}, {client_name}: {length}");
                client.close(CloseCode::NORMAL, "").unwrap();
                assert_eq!(bring(&mut client, &mut server, part), ["close 1000 "]);
                assert_eq!(bring(&mut server, &mut client, part), ["close 1000 "]);
            }
        }
    }
}

#[test]
fn context_is_taken_over_where_both_have_codecs_of_their_own() {
    let message = text(1000);
    let second = |options: &Options| {
        let (mut server, mut client) = pair(options, options);
        server.text(&message).unwrap();
        bring(&mut server, &mut client, usize::MAX);
        server.text(&message).unwrap();
        server.output().len()
    };
    let settings = settings();
    assert!(second(&settings[1].1) < 30);
    assert!(second(&settings[2].1) > 300);
    assert!(second(&settings[3].1) > 300);
}

#[test]
fn short_messages_and_secrets_are_sent_as_they_are() {
    let compression = Compression::shared(ZlibStock::new(6)).threshold(100);
    let options = Options::new().compression(compression);
    let (mut server, _) = pair(&options, &options);
    server.text(&"a".repeat(99)).unwrap();
    assert_eq!(server.output()[0], 0x81);
    server.written(server.output().len());
    server.send_uncompressed(Data::Text(&"a".repeat(1000))).unwrap();
    assert_eq!(server.output()[0], 0x81);
    server.written(server.output().len());
    server.text(&"a".repeat(100)).unwrap();
    assert_eq!(server.output()[0], 0xC1);
}

#[test]
fn an_agreement_without_a_codec_is_refused() {
    let open = |agreed: Deflate, options: &Options| {
        let server = Endpoint::open(Server, Agreed::new().deflate(agreed), options).map(|_| ());
        let client = Client(Keys(0));
        let client = Endpoint::open(client, Agreed::new().deflate(agreed), options).map(|_| ());
        (server, client)
    };
    let refused = Err(InternalError::NoInflater);
    let settings = settings();
    let [(_, off), (_, takeover), (_, own), (_, shared)] = &settings[..] else { panic!() };
    for agreed in [TAKEOVER, Deflate::new()] {
        assert_eq!(open(agreed, off), (refused, refused));
        assert_eq!(open(agreed, takeover), (Ok(()), Ok(())));
        assert_eq!(open(agreed, own), (Ok(()), Ok(())));
    }
    assert_eq!(open(Deflate::new(), shared), (Ok(()), Ok(())));
    assert_eq!(open(TAKEOVER, shared), (refused, refused));
    // Only what the peer takes over needs a codec that remembers it.
    let agreed = Deflate { server_no_context_takeover: false, ..Deflate::new() };
    assert_eq!(open(agreed, shared), (Ok(()), refused));
    let agreed = Deflate { client_no_context_takeover: false, ..Deflate::new() };
    assert_eq!(open(agreed, shared), (refused, Ok(())));
}

/// A stock that counts what is out.
#[derive(Clone, Default)]
struct Counted(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    decompress: i32,
    compress: i32,
    taken: u32,
}

impl Stock for Counted {
    type Decompress = ZlibDecompress;
    type Compress = ZlibCompress;

    fn take_decompress(&self) -> ZlibDecompress {
        let mut counts = self.0.lock().unwrap();
        counts.decompress += 1;
        counts.taken += 1;
        ZlibDecompress::new()
    }
    fn put_decompress(&self, _: ZlibDecompress) {
        self.0.lock().unwrap().decompress -= 1;
    }
    fn take_compress(&self) -> ZlibCompress {
        let mut counts = self.0.lock().unwrap();
        counts.compress += 1;
        counts.taken += 1;
        ZlibCompress::new(6)
    }
    fn put_compress(&self, _: ZlibCompress) {
        self.0.lock().unwrap().compress -= 1;
    }
}

impl Counted {
    /// How many codecs are out.
    fn out(&self) -> (i32, i32) {
        let counts = self.0.lock().unwrap();
        (counts.decompress, counts.compress)
    }

    fn taken(&self) -> u32 {
        self.0.lock().unwrap().taken
    }
}

#[test]
fn a_codec_is_leased_for_one_message() {
    let stock = Counted::default();
    let options = Options::new().compression(Compression::shared(stock.clone()));
    let agreed = Agreed::new().deflate(Deflate::new());
    let mut ws = Endpoint::open(Server, agreed, &options).unwrap();
    assert_eq!((stock.out(), stock.taken()), ((0, 0), 0));

    // What is not compressed needs none.
    receive(&mut ws, &mask(&frame(0x81, b"hi")));
    ws.text("hi").unwrap();
    assert_eq!(stock.taken(), 0);

    // "Hello", whole, in two fragments, and in every cut.
    let whole = mask(&frame(0xC1, b"\xF2\x48\xCD\xC9\xC9\x07\x00"));
    let fragments = [mask(&frame(0x41, b"\xF2\x48\xCD")), mask(&frame(0x80, b"\xC9\xC9\x07\x00"))];
    for bytes in [whole, fragments.concat()] {
        for at in 0..bytes.len() {
            let taken = stock.taken();
            let (front, back) = bytes.split_at(at);
            receive(&mut ws, front);
            assert_eq!(stock.out(), (0, 0), "a message that is not whole");
            assert_eq!(receive(&mut ws, back), ["text Hello"]);
            assert_eq!((stock.out(), stock.taken()), ((0, 0), taken + 1));
        }
    }
    // A final block, with nothing behind it.
    let last = mask(&frame(0xC1, b"\xF3\x48\xCD\xC9\xC9\x07\x00"));
    assert_eq!(receive(&mut ws, &last), ["text Hello"]);
    assert_eq!(stock.out(), (0, 0));
    // Sent: one for each message, and for each fragment.
    ws.text(&text(1000)).unwrap();
    ws.fragment(Data::Text("a"), false).unwrap();
    ws.fragment(Data::Text("b"), true).unwrap();
    assert_eq!(stock.out(), (0, 0));
    assert_eq!(ws.ping(&[0; 126]), Err(SendError::ControlTooLong));
    // A message that does not inflate.
    let bad = mask(&frame(0xC1, b"\xFF\xFF\xFF"));
    assert_eq!(receive(&mut ws, &bad), ["failed InvalidPayload"]);
    assert_eq!(stock.out(), (0, 0));
}

/// No lock is held while a message is looked at: a thread would wait for itself here.
#[test]
fn a_message_that_is_held_keeps_no_other_endpoint_from_the_stock() {
    let options = Options::new().compression(Compression::shared(ZlibStock::new(6)));
    let agreed = Agreed::new().deflate(Deflate::new());
    let new = || Endpoint::open(Server, agreed, &options).unwrap();
    let (mut one, mut other) = (new(), new());
    let mut bytes = mask(&frame(0xC1, b"\xF2\x48\xCD\xC9\xC9\x07\x00"));
    let again = bytes.clone();
    let Some((Incoming::Text(text), sender)) = one.receive(&mut &mut bytes[..]) else { panic!() };
    assert_eq!(receive(&mut other, &again), ["text Hello"]);
    other.text(&"a".repeat(1000)).unwrap();
    assert_eq!((text, sender.text(text)), ("Hello", Ok(())));
}

#[test]
fn a_message_that_is_lent_is_over_with_the_next_call() {
    let stock = Counted::default();
    let options = Options::new().compression(Compression::shared(stock.clone()));
    let agreed = Agreed::new().deflate(Deflate::new());
    let mut ws = Endpoint::open(Server, agreed, &options).unwrap();
    let mut bytes = mask(&frame(0xC1, b"\xF3\x48\xCD\xC9\xC9\x07\x00"));
    let mut input = &mut bytes[..];
    assert!(ws.ready(&mut input) && ws.ready(&mut input));
    match ws.receive(&mut input) {
        Some((Incoming::Text("Hello"), sender)) => sender.text("yes").unwrap(),
        other => panic!("{other:?}"),
    }
    assert!(!ws.ready(&mut input));
    assert_eq!(stock.out(), (0, 0));
}

#[test]
fn what_inflates_beyond_the_limit_fails() {
    for (name, options) in settings() {
        let (_, mut client) = pair(&options, &options);
        let options = options.config(Config::new().max_message(1000));
        let (mut server, _) = pair(&options, &options);
        client.text(&"a".repeat(1001)).unwrap();
        let received = bring(&mut client, &mut server, usize::MAX);
        assert_eq!(received, ["failed MessageTooBig"], "{name}");
        assert_eq!(server.output(), b"\x88\x02\x03\xF1");
    }
}

#[test]
fn a_client_offers_context_takeover_only_with_codecs_of_its_own() {
    for (name, options) in settings() {
        let target = Target::parse("ws://h/").unwrap();
        let nonce = *b"the sample nonce";
        let ws = Endpoint::client(&target, &Offer::new(), nonce, Keys(0), &options).unwrap();
        let request = String::from_utf8_lossy(ws.output());
        let offers = request.split("permessage-deflate").skip(1);
        let takeovers: Vec<_> =
            offers.map(|offer| !offer.contains("server_no_context_takeover")).collect();
        // Whatever is preferred comes first.
        let expected: &[bool] = match name {
            "off" => &[],
            "own, takeover" => &[true, false],
            "own" => &[false, true],
            _ => &[false],
        };
        assert_eq!(takeovers, expected, "{name}");
    }
}
