//! The payloads of messages, and frames around them. The crate `loopback` includes this file too.

pub enum Payload {
    Text(String),
    Binary(Vec<u8>),
}

impl Payload {
    pub fn binary(length: usize) -> Self {
        let mut random = Random(length as u64);
        Payload::Binary((0..length).map(|_| random.below(256) as u8).collect())
    }

    /// Creates text like JSON.
    pub fn ascii(length: usize) -> Self {
        let json = r#"{"id":12345,"name":"value","list":[1,2,3]},"#;
        Payload::Text(json.chars().cycle().take(length).collect())
    }

    /// Creates at most `length` bytes of code points of two and of three bytes.
    pub fn multibyte(length: usize) -> Self {
        let mut text = String::new();
        for character in "κ\u{1F79}σμε".chars().cycle() {
            if text.len() + character.len_utf8() > length {
                break;
            }
            text.push(character);
        }
        Payload::Text(text)
    }
}

/// Returns the mix: 256 messages, which are repeated in the same order. Lengths are uniform within
/// their range:
///
/// - 60 %: 16 to 125 bytes of text,
/// - 30 %: 126 bytes to 1 KiB of text,
/// - 9 %: 1 KiB to 16 KiB of text,
/// - 1 %: 64 KiB of binary.
///
/// One text in eight is multi-byte.
pub fn mix() -> Vec<Payload> {
    let mut random = Random(0);
    let mut draw = || {
        let (from, to) = match random.below(100) {
            0..60 => (16, 125),
            60..90 => (126, 1 << 10),
            90..99 => (1 << 10, 16 << 10),
            _ => return Payload::binary(64 << 10),
        };
        let length = from + random.below(to - from + 1);
        match random.below(8) {
            0 => Payload::multibyte(length as usize),
            _ => Payload::ascii(length as usize),
        }
    };
    (0..256).map(|_| draw()).collect()
}

/// Appends a frame that begins with the byte `first`, masked if there is a key.
pub fn append_frame(first: u8, payload: &[u8], key: Option<[u8; 4]>, wire: &mut Vec<u8>) {
    let mask = if key.is_some() { 0x80 } else { 0 };
    wire.push(first);
    match payload.len() {
        length @ 0..=125 => wire.push(mask | length as u8),
        length @ 126..=0xFFFF => {
            wire.push(mask | 126);
            wire.extend((length as u16).to_be_bytes());
        }
        length => {
            wire.push(mask | 127);
            wire.extend((length as u64).to_be_bytes());
        }
    }
    match key {
        Some(key) => {
            wire.extend(key);
            wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        None => wire.extend_from_slice(payload),
    }
}

/// SplitMix64, which gives the same numbers in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}
