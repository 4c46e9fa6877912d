//! What is measured: JSON messages, the wire that a client would send them on, and how often.

use std::mem;

use websocket_proto::{
    Agreed, Client, Config, Connection, Deflate, Inflater, Message, Messages, ZlibDecompress,
};
use zlib_rs::{DeflateConfig, DeflateFlush, InflateFlush};

/// How many messages differ; they come again in the same order.
const MESSAGES: usize = 256;
/// Inflated bytes of a run, at least.
const BYTES: usize = 16 << 20;

/// What an empty stored block ends with, and what a message leaves out (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Receive,
    Send,
}

pub struct Load {
    pub name: String,
    pub direction: Direction,
    /// Whether a message may refer to those before it.
    pub takeover: bool,
    pub level: u8,
    /// The bytes of a message.
    pub size: usize,
    /// How many messages a run has.
    pub count: usize,
    /// The messages that differ.
    pub texts: Vec<String>,
    /// The messages compressed, each up to and with the tail that does not go on the wire.
    compressed: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// The messages in masked frames.
    pub wire: Vec<u8>,
}

impl Load {
    pub fn name(direction: Direction, size: usize, takeover: bool) -> String {
        let verb = match direction {
            Direction::Receive => "receive",
            Direction::Send => "send",
        };
        let how = if takeover { "takeover" } else { "no takeover" };
        format!("{verb} {} KiB {how}", size >> 10)
    }

    pub fn new(direction: Direction, size: usize, takeover: bool, level: u8) -> Self {
        let mut random = Random(size as u64);
        let mut load = Load {
            name: Load::name(direction, size, takeover),
            direction,
            takeover,
            level,
            size,
            count: BYTES.div_ceil(size),
            texts: (0..MESSAGES).map(|number| json(number, size, &mut random)).collect(),
            compressed: Vec::new(),
            ends: Vec::new(),
            wire: Vec::new(),
        };
        if direction == Direction::Receive {
            load.compress();
        }
        load
    }

    /// The messages of a run, in order.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().cycle().take(self.count).map(String::as_str)
    }

    /// The messages of a run compressed, in order.
    pub fn compressed(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.compressed[mem::replace(&mut start, end)..end])
    }

    /// What was agreed in the opening handshake.
    pub fn agreed(&self) -> Agreed {
        Agreed {
            deflate: Some(Deflate {
                server_no_context_takeover: !self.takeover,
                client_no_context_takeover: !self.takeover,
                ..Deflate::new()
            }),
        }
    }

    /// How the codec is set where it can be set.
    pub fn codec(&self) -> zlib_rs::Deflate {
        zlib_rs::Deflate::new_with_config(DeflateConfig {
            level: self.level.into(),
            // Negative: without the header and the checksum of zlib.
            window_bits: -15,
            mem_level: 8,
            ..DeflateConfig::default()
        })
    }

    fn compress(&mut self) {
        let mut codec = self.codec();
        let mut output = vec![0; 2 * self.size];
        let (mut compressed, mut ends, mut wire) = (Vec::new(), Vec::new(), Vec::new());
        for text in self.messages() {
            if !self.takeover {
                codec.reset();
            }
            let before = codec.total_out();
            codec.compress(text.as_bytes(), &mut output, DeflateFlush::SyncFlush).unwrap();
            let message = &output[..(codec.total_out() - before) as usize];
            compressed.extend_from_slice(message);
            ends.push(compressed.len());
            append_frame(message.strip_suffix(&TAIL).unwrap(), &mut wire);
        }
        (self.compressed, self.ends, self.wire) = (compressed, ends, wire);
    }

    /// Whether `output`, all that a run gave, is what it had to be.
    pub fn is_answered_by(&self, output: &[u8], framed: bool) -> bool {
        let mut expected = self.messages();
        match (self.direction, framed) {
            (Direction::Receive, _) => output
                .chunks(self.size)
                .all(|text| Some(text) == expected.next().map(str::as_bytes)),
            (Direction::Send, true) => {
                let mut connection =
                    Connection::new(Client(|| [0; 4]), &Config::new(), self.agreed());
                let mut inflater = Inflater::own(ZlibDecompress::new());
                let (mut messages, mut wire) = (Messages::new(), output.to_vec());
                let mut input = &mut wire[..];
                loop {
                    match messages.receive_inflated(&mut connection, &mut inflater, &mut input) {
                        Some(Message::Text(text)) if Some(text) == expected.next() => {}
                        Some(_) => return false,
                        None => return expected.next().is_none(),
                    }
                }
            }
            // Messages with their tails are one stream, whether they refer to each other or not.
            (Direction::Send, false) => {
                let mut inflated = vec![0; self.count * self.size + 1];
                let mut codec = zlib_rs::Inflate::new(false, 15);
                codec.decompress(output, &mut inflated, InflateFlush::NoFlush).unwrap();
                inflated.truncate(codec.total_out() as usize);
                expected.collect::<String>().as_bytes() == inflated
            }
        }
    }
}

/// A compressed text message, as a client sends it.
fn append_frame(payload: &[u8], wire: &mut Vec<u8>) {
    wire.push(0xC1);
    match u16::try_from(payload.len()).expect("a message of less than 64 KiB") {
        length @ 0..=125 => wire.push(0x80 | length as u8),
        length => {
            wire.push(0x80 | 126);
            wire.extend(length.to_be_bytes());
        }
    }
    let key = [0x37, 0xFA, 0x21, 0x3D];
    wire.extend(key);
    wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len() as u64) as usize]
    }
}

const NAMES: [&str; 16] = [
    "Ada Lovelace",
    "Grace Hopper",
    "Łukasz Nowak",
    "Zoë Müller",
    "José García",
    "Wei Chen",
    "Olga Ivanova",
    "Kwame Mensah",
    "Maria Silva",
    "John Smith",
    "Fatima Zahra",
    "Liam O'Brien",
    "Søren Holm",
    "Priya Patel",
    "Emma Brown",
    "Noah Wilson",
];
const CITIES: [&str; 8] =
    ["Berlin", "São Paulo", "Nairobi", "Tokyo", "Austin", "Zürich", "Lagos", "Oslo"];
const TAGS: [&str; 10] =
    ["new", "vip", "trial", "beta", "late", "eu-west", "mobile", "api", "paid", "churn"];
const WORDS: [&str; 12] = [
    "order", "shipped", "before", "noon", "customer", "asked", "again", "for", "invoice",
    "pending", "review", "today",
];

/// A JSON text of `size` bytes: records of numbers, names, booleans and nested arrays.
fn json(number: usize, size: usize, random: &mut Random) -> String {
    let mut text = format!(
        r#"{{"type":"update","seq":{number},"ts":{},"items":["#,
        1_700_000_000_000 + random.below(1 << 34)
    );
    loop {
        let record = record(random);
        // The note behind the records takes the rest of the room.
        if text.len() + record.len() + 16 > size {
            break;
        }
        text += &record;
        text.push(',');
    }
    if text.ends_with(',') {
        text.pop();
    }
    text += r#"],"note":""#;
    while text.len() < size {
        text += random.pick(&WORDS);
        text.push(' ');
    }
    text.truncate(size - 2);
    text + r#""}"#
}

fn record(random: &mut Random) -> String {
    let tags: Vec<String> =
        (0..random.below(4)).map(|_| format!("{:?}", random.pick(&TAGS))).collect();
    format!(
        concat!(
            r#"{{"id":{},"name":"{}","city":"{}","active":{},"score":{}.{:02},"#,
            r#""position":[{}.{:06},-{}.{:06}],"tags":[{}],"parent":{}}}"#
        ),
        100_000 + random.below(9_900_000),
        random.pick(&NAMES),
        random.pick(&CITIES),
        random.below(3) > 0,
        random.below(1000),
        random.below(100),
        random.below(90),
        random.below(1_000_000),
        random.below(180),
        random.below(1_000_000),
        tags.join(","),
        if random.below(4) == 0 { "null".into() } else { random.below(10_000_000).to_string() },
    )
}
