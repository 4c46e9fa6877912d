//! The loads of the bench `deflate`: JSON messages, compressed by zlib-rs.

use std::mem;

use websocket_proto::{Agreed, Deflate as Parameters};
use zlib_rs::{DeflateConfig, DeflateFlush};

use crate::{loads::Message, payloads::Random};

/// The number of different messages. They are repeated in the same order.
const MESSAGES: usize = 256;

/// The end of an empty stored block, which messages leave out (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The parameters of compression, and the compressed messages.
pub struct Deflate {
    /// Whether a message may refer to those before it.
    pub takeover: bool,
    pub level: u8,
    /// The length of a message in bytes.
    pub size: usize,
    /// The compressed messages of a run, each with the tail that is not sent.
    compressed: Vec<u8>,
    /// The end of each message in `compressed`.
    ends: Vec<usize>,
}

impl Deflate {
    pub fn new(size: usize, takeover: bool, level: u8) -> Self {
        Deflate { takeover, level, size, compressed: Vec::new(), ends: Vec::new() }
    }

    /// Returns the different messages.
    pub fn texts(&self) -> Vec<Message> {
        let mut random = Random(self.size as u64);
        (0..MESSAGES).map(|number| Message::text(json(number, self.size, &mut random))).collect()
    }

    /// Returns the compressed messages of a run, in order.
    pub fn compressed(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| &self.compressed[mem::replace(&mut start, end)..end])
    }

    /// Returns the compressed messages without their tails, as they are sent.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.compressed().map(|message| message.strip_suffix(&TAIL).unwrap())
    }

    /// Returns what was agreed in the opening handshake.
    pub fn agreed(&self) -> Agreed {
        Agreed::new().deflate(Parameters {
            server_no_context_takeover: !self.takeover,
            client_no_context_takeover: !self.takeover,
            ..Parameters::new()
        })
    }

    /// Returns the same as a header of the handshake.
    pub fn header(&self) -> &'static str {
        match self.takeover {
            true => "permessage-deflate",
            false => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        }
    }

    /// Returns the settings of the codec.
    pub fn codec(&self) -> zlib_rs::Deflate {
        zlib_rs::Deflate::new_with_config(DeflateConfig {
            level: self.level.into(),
            // Negative means without the header and the checksum of zlib.
            window_bits: -15,
            mem_level: 8,
            ..DeflateConfig::default()
        })
    }

    pub fn compress<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) {
        let mut codec = self.codec();
        let mut output = vec![0; 2 * self.size];
        for message in messages {
            if !self.takeover {
                codec.reset();
            }
            let before = codec.total_out();
            codec.compress(&message.bytes, &mut output, DeflateFlush::SyncFlush).unwrap();
            self.compressed.extend_from_slice(&output[..(codec.total_out() - before) as usize]);
            self.ends.push(self.compressed.len());
        }
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

/// Returns a JSON text of `size` bytes: records of numbers, names, booleans and nested arrays.
fn json(number: usize, size: usize, random: &mut Random) -> String {
    let mut text = format!(
        r#"{{"type":"update","seq":{number},"ts":{},"items":["#,
        1_700_000_000_000 + random.below(1 << 34)
    );
    loop {
        let record = record(random);
        // The note after the records fills the rest.
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
        text += pick(random, &WORDS);
        text.push(' ');
    }
    text.truncate(size - 2);
    text + r#""}"#
}

fn record(random: &mut Random) -> String {
    let tags: Vec<String> =
        (0..random.below(4)).map(|_| format!("{:?}", pick(random, &TAGS))).collect();
    format!(
        concat!(
            r#"{{"id":{},"name":"{}","city":"{}","active":{},"score":{}.{:02},"#,
            r#""position":[{}.{:06},-{}.{:06}],"tags":[{}],"parent":{}}}"#
        ),
        100_000 + random.below(9_900_000),
        pick(random, &NAMES),
        pick(random, &CITIES),
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

fn pick(random: &mut Random, from: &[&'static str]) -> &'static str {
    from[random.below(from.len() as u64) as usize]
}
