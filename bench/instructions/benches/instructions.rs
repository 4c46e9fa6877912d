//! Counts the instructions of the hot calls. See the README.

use std::hint::black_box;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use websocket_proto::{
    Agreed, Client, Config, Connection, Data, Deflate, Deflater, Inflater, Message, Messages, Role,
    Server, ZlibCompress, ZlibDecompress,
    handshake::{AcceptOptions, ClientHandshake, Offer, Response, ServerHandshake, Target},
};

/// The number of messages of a run. The instructions are those of all messages.
const MESSAGES: usize = 100;

const REQUEST: &str = "GET /chat?room=7 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
    Upgrade: websocket\r\n\
    Origin: https://server.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The expected count and a tolerance of 3 %, within which compilers may differ.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let limit = instructions + instructions * 3 / 100;
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]))
        .clone()
}

fn client() -> Connection<Client<fn() -> [u8; 4]>> {
    Connection::new(Client(|| [0x37, 0xFA, 0x21, 0x3D]), &Config::new(), Agreed::new())
}

fn server() -> Connection<Server> {
    Connection::new(Server, &Config::new(), Agreed::new())
}

fn text(length: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(length).collect()
}

fn greek(length: usize) -> String {
    "αβγδε".chars().cycle().take(length / 2).collect()
}

/// A connection, and the bytes that it receives or sends.
struct Case<R> {
    connection: Connection<R>,
    messages: Messages<'static>,
    payload: String,
    binary: bool,
    bytes: Vec<u8>,
}

impl<R: Role> Case<R> {
    fn data(&self) -> Data<'_> {
        match self.binary {
            true => Data::Binary(self.payload.as_bytes()),
            false => Data::Text(&self.payload),
        }
    }

    fn new(connection: Connection<R>, payload: String, binary: bool) -> Self {
        Case { connection, messages: Messages::new(), payload, binary, bytes: Vec::new() }
    }

    /// Receives the messages of `sender`, each in so many fragments.
    fn receives<S: Role>(mut self, mut sender: Connection<S>, fragments: usize) -> Self {
        let mut bytes = Vec::new();
        for _ in 0..MESSAGES {
            for fragment in 1..=fragments {
                sender.send_fragment(self.data(), fragment == fragments, &mut bytes).unwrap();
            }
        }
        self.bytes = bytes;
        self
    }

    /// Sends into memory that is allocated already.
    fn sends(mut self) -> Self {
        self.bytes = Vec::with_capacity(MESSAGES * (self.payload.len() + 14));
        self
    }
}

fn at_server(payload: String, binary: bool) -> Case<Server> {
    Case::new(server(), payload, binary).receives(client(), 1)
}

fn at_client(payload: String, binary: bool) -> Case<Client<fn() -> [u8; 4]>> {
    Case::new(client(), payload, binary).receives(server(), 1)
}

fn receive<R: Role>(mut case: Case<R>) -> Case<R> {
    let mut input = &mut case.bytes[..];
    let mut left = MESSAGES;
    while let Some(Message::Text(_) | Message::Binary(_)) =
        black_box(case.messages.receive(&mut case.connection, &mut input))
    {
        left -= 1;
    }
    assert_eq!((left, input.len()), (0, 0));
    case
}

fn send<R: Role>(mut case: Case<R>) -> Case<R> {
    for _ in 0..MESSAGES {
        let sent = match case.binary {
            true => case.connection.send_binary(case.payload.as_bytes(), &mut case.bytes),
            false => case.connection.send_text(&case.payload, &mut case.bytes),
        };
        black_box(sent).unwrap();
    }
    assert!(case.bytes.len() > MESSAGES * case.payload.len());
    case
}

#[library_benchmark]
#[bench::binary_16(args = (at_server(text(16), true)), config = at_most(13_208))]
#[bench::text_32(args = (at_server(text(32), false)), config = at_most(16_408))]
#[bench::text_125(args = (at_server(text(125), false)), config = at_most(28_943))]
#[bench::text_1024(args = (at_server(text(1024), false)), config = at_most(47_147))]
#[bench::multi_byte_1024(args = (at_server(greek(1024), false)), config = at_most(117_647))]
#[bench::binary_16384(args = (at_server(text(16384), true)), config = at_most(143_733))]
#[bench::fragments_4_of_1024(args = (Case::new(server(), greek(1024), false).receives(client(), 4)), config = at_most(706_723))]
fn receive_server(case: Case<Server>) -> Case<Server> {
    receive(case)
}

#[library_benchmark]
#[bench::binary_16(args = (at_client(text(16), true)), config = at_most(8110))]
#[bench::text_125(args = (at_client(text(125), false)), config = at_most(20_546))]
#[bench::text_1024(args = (at_client(text(1024), false)), config = at_most(26_646))]
fn receive_client(case: Case<Client<fn() -> [u8; 4]>>) -> Case<Client<fn() -> [u8; 4]>> {
    receive(case)
}

#[library_benchmark]
#[bench::binary_16(args = (Case::new(server(), text(16), true).sends()), config = at_most(9_607))]
#[bench::text_125(args = (Case::new(server(), text(125), false).sends()), config = at_most(10_607))]
#[bench::text_16384(args = (Case::new(server(), text(16384), false).sends()), config = at_most(200_607))]
fn send_server(case: Case<Server>) -> Case<Server> {
    send(case)
}

#[library_benchmark]
#[bench::binary_16(args = (Case::new(client(), text(16), true).sends()), config = at_most(14_707))]
#[bench::text_125(args = (Case::new(client(), text(125), false).sends()), config = at_most(17_407))]
#[bench::text_1024(args = (Case::new(client(), text(1024), false).sends()), config = at_most(44_028))]
fn send_client(case: Case<Client<fn() -> [u8; 4]>>) -> Case<Client<fn() -> [u8; 4]>> {
    send(case)
}

// Receives each message in two reads, the first of 50 bytes.
#[library_benchmark]
#[bench::text_125(args = (at_server(text(125), false)), config = at_most(162_875))]
#[bench::binary_125(args = (at_server(text(125), true)), config = at_most(147_148))]
fn receive_split(mut case: Case<Server>) -> Case<Server> {
    let length = case.bytes.len() / MESSAGES;
    let mut received = 0;
    for frame in case.bytes.chunks_mut(length) {
        let (first, second) = frame.split_at_mut(50);
        for mut input in [first, second] {
            while let Some(Message::Text(_) | Message::Binary(_)) =
                black_box(case.messages.receive(&mut case.connection, &mut input))
            {
                received += 1;
            }
        }
    }
    assert_eq!(received, MESSAGES);
    case
}

/// A connection that receives compressed messages, and the memory of a read.
struct Inflated {
    connection: Connection<Server>,
    messages: Messages<'static>,
    inflater: Inflater<ZlibDecompress>,
    read: usize,
    bytes: Vec<u8>,
}

/// Returns words in a changing order, which compress to about a third.
fn words(length: usize) -> String {
    let words = ["quick ", "brown ", "fox ", "jumps ", "over ", "lazy ", "dog ", "WebSocket "];
    let mut state = 1_u32;
    let mut text = String::new();
    while text.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text += words[(state >> 29) as usize];
    }
    text.truncate(length);
    text
}

/// Prepares ten messages of `length` bytes, which are received by reads of `read` bytes.
fn inflated(length: usize, binary: bool, own: bool, read: usize) -> Inflated {
    let mut deflate = Deflate::new();
    deflate.client_no_context_takeover = !own;
    let agreed = Agreed::new().deflate(deflate);
    let key: fn() -> [u8; 4] = || [0x37, 0xFA, 0x21, 0x3D];
    let mut sender = Connection::new(Client(key), &Config::new(), agreed);
    let (codec, decoder) = (ZlibCompress::new(6), ZlibDecompress::new());
    let mut deflater = if own { Deflater::own(codec) } else { Deflater::shared(codec) };
    let inflater = if own { Inflater::own(decoder) } else { Inflater::shared(decoder) };
    let payload = words(length);
    let data = if binary { Data::Binary(payload.as_bytes()) } else { Data::Text(&payload) };
    let mut case = Inflated {
        connection: Connection::new(Server, &Config::new(), agreed),
        messages: Messages::new(),
        inflater,
        read,
        bytes: Vec::new(),
    };
    // The first message allocates the memory of the codec and the buffers, and is not counted.
    sender.send_compressed(data, &mut deflater, &mut case.bytes).unwrap();
    let mut case = receive_inflated_messages(case, 1);
    case.bytes.clear();
    for _ in 0..10 {
        sender.send_compressed(data, &mut deflater, &mut case.bytes).unwrap();
    }
    case
}

fn receive_inflated_messages(mut case: Inflated, count: usize) -> Inflated {
    let mut received = 0;
    let Inflated { connection, messages, inflater, read, bytes } = &mut case;
    for mut input in bytes.chunks_mut(*read) {
        while let Some(Message::Text(_) | Message::Binary(_)) =
            black_box(messages.receive_inflated(connection, inflater, &mut input))
        {
            received += 1;
        }
    }
    assert_eq!(received, count);
    case
}

#[library_benchmark]
#[bench::shared_text_125(args = (inflated(125, false, false, 1 << 20)), config = at_most(57_066))]
#[bench::shared_text_1024(args = (inflated(1024, false, false, 1 << 20)), config = at_most(307_836))]
#[bench::shared_text_1024_split(args = (inflated(1024, false, false, 200)), config = at_most(313_718))]
#[bench::shared_binary_65536(args = (inflated(65536, true, false, 1 << 20)), config = at_most(6_356_253))]
#[bench::shared_text_262144(args = (inflated(262_144, false, false, 1 << 20)), config = at_most(24_011_351))]
#[bench::shared_text_262144_split(args = (inflated(262_144, false, false, 16384)), config = at_most(24_674_979))]
#[bench::own_text_1024(args = (inflated(1024, false, true, 1 << 20)), config = at_most(36_343))]
#[bench::own_text_1024_split(args = (inflated(1024, false, true, 200)), config = at_most(38_115))]
#[bench::own_text_262144(args = (inflated(262_144, false, true, 1 << 20)), config = at_most(23_848_606))]
#[bench::own_text_262144_split(args = (inflated(262_144, false, true, 16384)), config = at_most(23_887_884))]
#[bench::own_binary_262144_split(args = (inflated(262_144, true, true, 16384)), config = at_most(23_512_019))]
fn receive_inflated(case: Inflated) -> Inflated {
    receive_inflated_messages(case, 10)
}

fn handshake_memory(head: &str) -> (Vec<u8>, Vec<u8>) {
    (head.into(), Vec::with_capacity(1024))
}

fn response() -> String {
    let mut out = Vec::new();
    let (mut head, _) = handshake_memory(REQUEST);
    let mut handshake = ServerHandshake::new();
    let request = handshake.receive(&mut &mut head[..]).unwrap().unwrap();
    request.accept(&AcceptOptions::new(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[library_benchmark]
#[bench::request_of_a_browser(args = (REQUEST), setup = handshake_memory, config = at_most(9_911))]
fn handshake_server((mut head, mut out): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let mut handshake = ServerHandshake::new();
    let request = handshake.receive(&mut &mut head[..]).unwrap().unwrap();
    black_box(request.accept(&AcceptOptions::new(), &mut out).unwrap());
    (head, out)
}

#[library_benchmark]
#[bench::response(args = (&response()), setup = handshake_memory, config = at_most(8_110))]
fn handshake_client((mut head, mut out): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let target = Target::parse("ws://server.example.com/chat?room=7").unwrap();
    let offer = Offer::new();
    // The nonce of RFC 6455 §1.3, to which the response belongs.
    let nonce = *b"the sample nonce";
    let mut handshake = ClientHandshake::start(&target, &offer, nonce, &mut out).unwrap();
    let response = handshake.receive(&mut &mut head[..]).unwrap();
    assert!(matches!(black_box(response), Some(Response::Accepted(_))));
    (head, out)
}

library_benchmark_group!(
    name = hot_calls,
    benchmarks = [
        receive_server,
        receive_client,
        receive_split,
        receive_inflated,
        send_server,
        send_client,
        handshake_server,
        handshake_client,
    ]
);

main!(library_benchmark_groups = hot_calls);
