//! A second receiver, naive and slow, written from the RFC and not from the first one. For any
//! bytes, and for every prefix of them, both have to return the same events.
//!
//! The RFC does not say which of two faults in one byte comes first. The twin follows the crate
//! here: an unknown opcode comes before reserved bits.

use std::{collections::BTreeMap, mem};

use crate::common::{Canonical, Keys, Random, drive, show};
use websocket_proto::{Agreed, Client, Config, Connection, Deflate, Server};

// --- the twin ------------------------------------------------------------------------------------

/// Returns the events of `side` for `bytes`, which are all bytes so far.
fn twin(bytes: &[u8], side: &Side) -> Vec<String> {
    let mut events = Canonical::default();
    if let Err(Some(fault)) = read(bytes, side, &mut events) {
        events.line(format!("failed {fault}"));
    }
    events.finish()
}

/// Reads frames (§5) up to the Close, up to a fault, or until a byte is missing: `Err(None)`.
fn read(bytes: &[u8], side: &Side, events: &mut Canonical) -> Result<(), Option<String>> {
    let mut bytes = bytes.iter();
    let mut next = || bytes.next().copied().ok_or(None);
    // The open message, how much longer it may become, whether it has had no event yet, and the
    // bytes of an incomplete code point.
    let (mut open, mut room, mut untold, mut cut) = ("", 0, true, Vec::new());
    loop {
        let first = next()?;
        let (fin, rsv, opcode) = (first >= 0x80, first & 0x70, usize::from(first & 0x0F));
        let (begins, control) = (opcode == 1 || opcode == 2, opcode >= 8);
        rule(begins || [0, 8, 9, 10].contains(&opcode), "ReservedOpcode")?;
        rule(rsv == 0 || rsv == 0x40 && begins && side.rsv1_agreed, "ReservedBit")?;
        rule(fin || !control, "FragmentedControl")?;
        rule(opcode != 0 || !open.is_empty(), "UnexpectedContinuation")?;
        rule(!begins || open.is_empty(), "ExpectedContinuation")?;
        let second = next()?;
        rule(second >= 0x80 || !side.server, "UnmaskedFrame")?;
        rule(second < 0x80 || side.server, "MaskedFrame")?;
        let mut length = u64::from(second & 0x7F);
        rule(length <= 125 || !control, "ControlTooLong")?;
        rule(length != 1 || opcode != 8, "TruncatedCloseCode")?;
        // §10.4: the limit. A frame of a compressed message may have an eighth and 64 bytes more.
        if begins {
            let kinds = ["text", "binary", "compressed text", "compressed binary"];
            (open, untold) = (kinds[opcode - 1 + usize::from(rsv / 32)], true);
            room = side.limit.saturating_add(u64::from(rsv / 64) * (side.limit / 8 + 64));
        }
        // §5.2: the longer forms. After each byte, the smallest and largest possible lengths are
        // checked.
        if length > 125 {
            let (size, least) = if length == 126 { (2, 126) } else { (8, 0x1_0000) };
            length = 0;
            for missing in (0..size).rev() {
                length = length << 8 | u64::from(next()?);
                rule(length < 0x80 || missing != 7, "LengthOverflow")?;
                rule((length + 1) << (8 * missing) > least, "LengthNotMinimal")?;
                rule(length << (8 * missing) <= room, "MessageTooBig")?;
            }
        }
        rule(control || length <= room, "MessageTooBig")?;
        room -= if control || open.starts_with("compressed") { 0 } else { length };
        // §5.3, §8.1: the key, and the payload byte by byte.
        let key = if side.server { [next()?, next()?, next()?, next()?] } else { [0; 4] };
        let mut body = if control { Vec::new() } else { mem::take(&mut cut) };
        for at in 0..length {
            body.push(next()? ^ key[at as usize % 4]);
            if opcode == 8 {
                close(&body, false)?;
            } else if !control && (open != "text" || utf8(&body, "InvalidUtf8")?.is_empty()) {
                events.piece(open, &mem::take(&mut body), mem::take(&mut untold), false);
            }
        }
        match opcode {
            8 => return close(&body, true).map(|line| events.line(line)),
            9 | 10 => events.line(["ping ", "pong "][opcode - 9].to_owned() + &show(&body)),
            _ if fin && !body.is_empty() => rule(false, "InvalidUtf8")?,
            _ if fin => events.piece(mem::take(&mut open), &[], untold, true),
            _ => cut = body,
        }
    }
}

/// §5.5.1, §7.4: reads the body of a Close, or the part of it that has arrived.
fn close(body: &[u8], whole: bool) -> Result<String, Option<String>> {
    let Some((code, reason)) = body.split_first_chunk() else { return Ok("close".to_owned()) };
    let code = u16::from_be_bytes(*code);
    let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
    if !valid {
        return Err(Some(format!("InvalidCloseCode({code})")));
    }
    rule(utf8(reason, "InvalidCloseReason")?.is_empty() || !whole, "InvalidCloseReason")?;
    Ok(format!("close {code} {}", String::from_utf8_lossy(reason)))
}

/// RFC 3629 §4: returns the incomplete code point at the end of `text`.
fn utf8<'t>(text: &'t [u8], fault: &str) -> Result<&'t [u8], Option<String>> {
    let second = match text {
        [] => return Ok(text),
        [0xE0, ..] => 0xA0..=0xBF,
        [0xED, ..] => 0x80..=0x9F,
        [0xF0, ..] => 0x90..=0xBF,
        [0xF4, ..] => 0x80..=0x8F,
        [0x00..=0x7F | 0xC2..=0xF4, ..] => 0x80..=0xBF,
        _ => return Err(Some(fault.to_owned())),
    };
    let length = text[0].leading_ones().max(1) as usize;
    let mut tail = text[1..].iter().take(length - 1);
    rule(tail.next().is_none_or(|b| second.contains(b)) && tail.all(|b| b & 0xC0 == 0x80), fault)?;
    text.get(length..).map_or(Ok(text), |rest| utf8(rest, fault))
}

fn rule(kept: bool, fault: &str) -> Result<(), Option<String>> {
    if kept { Ok(()) } else { Err(Some(fault.to_owned())) }
}

// --- the comparison ------------------------------------------------------------------------------

/// The parameters of a connection, for both receivers.
#[derive(Clone, Copy, Debug)]
struct Side {
    server: bool,
    limit: u64,
    rsv1_agreed: bool,
}

impl Side {
    /// Returns both roles, with compression and without.
    fn all(limit: u64) -> impl Iterator<Item = Self> {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(server, rsv1_agreed)| Self { server, limit, rsv1_agreed })
            .into_iter()
    }

    /// Returns the crate's events for `bytes`, in reads that end at `cuts`, in ascending order.
    fn machine(&self, bytes: &[u8], cuts: &[usize]) -> Vec<String> {
        let config = Config::new().max_message(self.limit);
        let mut agreed = Agreed::new();
        agreed.deflate = self.rsv1_agreed.then(Deflate::new);
        let mut reads = vec![bytes];
        for cut in cuts.iter().rev().filter(|cut| **cut < bytes.len()) {
            let (front, back) = reads[0].split_at(*cut);
            reads.splice(..1, [front, back]);
        }
        if self.server {
            drive(&mut Connection::new(Server, &config, agreed), reads).events
        } else {
            drive(&mut Connection::new(Client(Keys::default()), &config, agreed), reads).events
        }
    }

    /// Compares the events of both for `bytes`, and returns them.
    fn compare(&self, bytes: &[u8], cuts: &[usize]) -> Vec<String> {
        let (machine, twin) = (self.machine(bytes, cuts), twin(bytes, self));
        assert_eq!(machine, twin, "the machine, the twin: {self:?}, cut at {cuts:?}, {bytes:02X?}");
        twin
    }

    /// Does the same for the prefixes of `bytes` that end at `ends`, in ascending order, until the
    /// connection ends, and then for all bytes.
    fn compare_prefixes(
        &self,
        bytes: &[u8],
        cuts: &[usize],
        ends: impl IntoIterator<Item = usize>,
    ) -> Vec<String> {
        let _ = ends.into_iter().any(|end| over(&self.compare(&bytes[..end], cuts)));
        self.compare(bytes, cuts)
    }
}

/// Whether the last event ends the connection.
fn over(events: &[String]) -> bool {
    events.last().is_some_and(|last| last.starts_with("failed") || last.starts_with("close"))
}

/// A frame of the peer, valid or not.
#[derive(Clone, Debug)]
struct Frame {
    first: u8,
    /// Whether the frame is masked exactly if a client sends it.
    rightly_masked: bool,
    /// How many bytes the extended length has; 0 selects the shortest form.
    form: usize,
    declared: u64,
    key: [u8; 4],
    payload: Vec<u8>,
}

impl Frame {
    fn new(first: u8) -> Self {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        Self { first, rightly_masked: true, form: 0, declared: 0, key, payload: Vec::new() }
    }

    fn encode(&self, side: &Side) -> Vec<u8> {
        let masked = side.server == self.rightly_masked;
        let form = match (self.form, self.declared) {
            (0, 0..=125) => 0,
            (0, 126..=0xFFFF) => 2,
            (0, _) => 8,
            (form, _) => form,
        };
        let short = match form {
            0 => self.declared as u8,
            2 => 126,
            _ => 127,
        };
        let mut bytes = vec![self.first, short | u8::from(masked) << 7];
        bytes.extend(&self.declared.to_be_bytes()[8 - form..]);
        let key = if masked { self.key } else { [0; 4] };
        bytes.extend(&key[..if masked { 4 } else { 0 }]);
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// Code points at all edges of RFC 3629 §4, and others.
const CHARS: &str = "a\0\u{7F}\u{80}é\u{7FF}\u{800}€\u{D7FF}\u{E000}\u{FEFF}\u{FFFD}\u{FFFF}\u{10000}\
    😀\u{10FFFF}";

/// Invalid UTF-8, in some cases only because the text ends there.
const BROKEN: [&[u8]; 16] = [
    b"\x80",
    b"\xBF",
    b"\xC0\x80",
    b"\xC1\xBF",
    b"\xC3",
    b"\xC3\x28",
    b"\xE0\x9F\xBF",
    b"\xE2\x82",
    b"\xED\xA0\x80",
    b"\xED\xBF\xBF",
    b"\xF0\x8F\xBF\xBF",
    b"\xF0\x9F\x98",
    b"\xF4\x90\x80\x80",
    b"\xF5\x80\x80\x80",
    b"\xFE",
    b"\xFF",
];

/// Bytes with a meaning in a header.
const TELLING: &[u8] =
    b"\x00\x01\x02\x03\x05\x08\x09\x0A\x7D\x7E\x7F\x80\x81\x82\x83\x84\x88\x89\x8A\
    \xC1\xC2\xFD\xFE\xFF";

impl Random {
    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    fn places(&mut self, count: usize, length: usize) -> Vec<usize> {
        let mut places: Vec<_> = (0..count).map(|_| self.below(length + 1)).collect();
        places.sort_unstable();
        places
    }

    /// Returns text of about this length, sometimes truncated or invalid.
    fn text(&mut self, length: usize) -> Vec<u8> {
        let chars: Vec<char> = CHARS.chars().collect();
        let mut text = String::new();
        while text.len() < length {
            text.push(self.pick(&chars));
        }
        let mut text = text.into_bytes();
        match self.below(16) {
            0 | 1 => {
                let at = self.below(text.len() + 1);
                let broken = self.pick(&BROKEN);
                text.splice(at..at, broken.iter().copied());
            }
            2 => text.truncate(length),
            _ => {}
        }
        text
    }

    fn length(&mut self, side: &Side) -> usize {
        let limit = usize::try_from(side.limit).unwrap_or(20).min(300);
        match self.below(64) {
            0..6 => 0,
            6..14 => (limit + self.below(4)).saturating_sub(2),
            14..18 => 123 + self.below(6),
            18 => self.below(600),
            _ => self.below(12),
        }
    }

    fn frame(&mut self, first: u8, payload: Vec<u8>) -> Frame {
        // A key of zeros, one that looks like a frame, or any other.
        let any = [0; 4].map(|_: u8| self.below(256) as u8);
        let key = self.pick(&[[0; 4], [0x82, 0x82, 0, 0], any, any]);
        Frame { key, declared: payload.len() as u64, payload, ..Frame::new(first) }
    }

    fn ping_or_pong(&mut self) -> Frame {
        let length = if self.one_in(16) { 125 } else { self.below(8) };
        let payload = self.bytes(length);
        let first = self.pick(&[0x89, 0x8A]);
        self.frame(first, payload)
    }

    fn close(&mut self) -> Frame {
        let code = self.pick(&[1000, 1000, 1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999]);
        let bad = self.pick(&[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]);
        let code: u16 = if self.one_in(4) { bad } else { code };
        let length = if self.one_in(16) { 123 } else { self.below(8) };
        let mut reason = self.text(length);
        reason.truncate(123);
        let mut payload = [&code.to_be_bytes()[..], &reason].concat();
        if self.one_in(6) {
            payload.truncate(self.below(2));
        }
        self.frame(0x88, payload)
    }

    /// Adds a message in one or more frames, with control frames between.
    fn message(&mut self, side: &Side, frames: &mut Vec<Frame>) {
        let length = self.length(side);
        let is_text = !self.one_in(3);
        let payload = if is_text { self.text(length) } else { self.bytes(length) };
        let rsv1 = if side.rsv1_agreed && self.one_in(2) { 0x40 } else { 0 };
        let fragments = self.pick(&[1, 1, 1, 2, 2, 3, 5]);
        let mut places = self.places(fragments - 1, payload.len());
        places.push(payload.len());
        let mut from = 0;
        for (at, to) in places.into_iter().enumerate() {
            while self.one_in(4) {
                let between = self.ping_or_pong();
                frames.push(between);
            }
            let first = if at > 0 { 0 } else { rsv1 | if is_text { 1 } else { 2 } };
            let fin = if at + 1 == fragments { 0x80 } else { 0 };
            frames.push(self.frame(first | fin, payload[from..to].to_vec()));
            from = to;
        }
    }

    /// Returns what a peer that keeps the rules may send.
    fn conversation(&mut self, side: &Side) -> Vec<Frame> {
        let mut frames = Vec::new();
        for _ in 0..self.pick(&[1, 1, 2, 3]) {
            self.message(side, &mut frames);
        }
        if self.one_in(3) {
            let close = self.close();
            // Frames may follow the Close.
            let at = self.below(frames.len() + 1).max(frames.len() / 2);
            frames.insert(at, close);
        }
        frames
    }

    /// Changes one frame, or the order of frames.
    fn mutate(&mut self, frames: &mut Vec<Frame>) {
        if frames.is_empty() {
            return;
        }
        let at = self.below(frames.len());
        let (other, kind) = (self.below(frames.len()), self.below(13));
        let frame = &mut frames[at];
        match kind {
            0 | 1 => frame.first ^= 1 << self.below(8),
            2 => frame.first = self.pick(TELLING),
            3 => frame.rightly_masked = false,
            4 => frame.form = self.pick(&[2, 8]),
            5 => {
                let edges =
                    [125, 126, 127, 0xFFFF, 0x1_0000, 1 << 31, 1 << 32, 1 << 53, i64::MAX as u64];
                frame.declared = self.pick(&edges);
            }
            6 => frame.declared = self.pick(&[1 << 63, u64::MAX, frame.declared | 1 << 63]),
            7 if self.one_in(2) => frame.declared = frame.declared.saturating_add(1),
            7 => frame.declared = frame.declared.saturating_sub(1),
            8 if !frame.payload.is_empty() => {
                let place = self.below(frame.payload.len());
                frame.payload[place] = self.below(256) as u8;
            }
            8 | 9 => {
                let place = self.below(frame.payload.len() + 1);
                frame.payload.splice(place..place, self.pick(&BROKEN).iter().copied());
                frame.declared = frame.payload.len() as u64;
            }
            10 => {
                let twice = frame.clone();
                frames.insert(other, twice);
            }
            11 => frames.swap(at, other),
            _ => drop(frames.remove(at)),
        }
    }

    /// Changes single bytes.
    fn mutate_bytes(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(4) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, self.pick(TELLING)),
            _ => bytes.truncate(at),
        }
    }

    fn side(&mut self, server: bool) -> Side {
        let limits = [0, 1, 5, 10, 30, 100, 125, 126, 200, 300, 70_000, u64::MAX, u64::MAX];
        Side { server, limit: self.pick(&limits), rsv1_agreed: self.one_in(2) }
    }

    /// Compares the crate and the twin, for any split into reads, after each of the first bytes and
    /// after some of the others.
    fn compare(&mut self, side: &Side, bytes: &[u8]) -> Vec<String> {
        let cuts = self.cuts(bytes.len());
        let mut ends: Vec<_> = (0..bytes.len().min(80)).collect();
        ends.extend(self.places(20, bytes.len()).into_iter().filter(|end| *end >= 80));
        side.compare_prefixes(bytes, &cuts, ends)
    }

    fn cuts(&mut self, length: usize) -> Vec<usize> {
        let count = self.pick(&[0, 1, 1, 2, 3, 8, length]);
        let mut cuts = self.places(count, length);
        cuts.dedup();
        cuts.retain(|cut| *cut > 0);
        cuts
    }
}

/// Counts events by their kinds.
#[derive(Default)]
struct Seen(BTreeMap<String, usize>);

impl Seen {
    fn add(&mut self, events: Vec<String>) {
        for event in events {
            let kind = match event.split_once(' ') {
                Some(("failed", fault)) => fault.split('(').next().unwrap_or_default(),
                Some(("compressed", rest)) if rest.starts_with('t') => "compressed text",
                Some(("compressed", _)) => "compressed binary",
                Some((kind, _)) => kind,
                None => &event,
            };
            *self.0.entry(kind.to_owned()).or_default() += 1;
        }
    }
}

// --- the tests -----------------------------------------------------------------------------------

fn conversations(server: bool) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ u64::from(server));
    let mut seen = Seen::default();
    for _ in 0..10_000 {
        let side = random.side(server);
        let mut frames = random.conversation(&side);
        for _ in 0..random.pick(&[0, 0, 1, 1, 1, 2]) {
            random.mutate(&mut frames);
        }
        let mut bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode(&side)).collect();
        if random.one_in(6) && !bytes.is_empty() {
            random.mutate_bytes(&mut bytes);
        }
        seen.add(random.compare(&side, &bytes));
    }
    // Every kind of event came often.
    let all = [
        "text",
        "binary",
        "compressed text",
        "compressed binary",
        "ping",
        "pong",
        "close",
        "ReservedBit",
        "ReservedOpcode",
        if server { "UnmaskedFrame" } else { "MaskedFrame" },
        "FragmentedControl",
        "ControlTooLong",
        "LengthNotMinimal",
        "LengthOverflow",
        "UnexpectedContinuation",
        "ExpectedContinuation",
        "TruncatedCloseCode",
        "InvalidCloseCode",
        "InvalidCloseReason",
        "InvalidUtf8",
        "MessageTooBig",
    ];
    let often = |kind: &&str| seen.0.get(*kind).is_some_and(|count| *count >= 50);
    assert!(all.iter().all(often), "{:?}", seen.0);
}

/// Covers T62.
#[test]
fn t63_valid_and_invalid_frames_of_clients() {
    conversations(true);
}

/// Covers T62.
#[test]
fn t63_valid_and_invalid_frames_of_servers() {
    conversations(false);
}

/// Covers T60.
#[test]
fn t63_random_bytes() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for case in 0..10_000 {
        let side = random.side(case % 2 == 0);
        let length = random.below(60);
        let mut bytes = random.bytes(length);
        // The more bytes have a meaning, the further they are read.
        for byte in &mut bytes {
            if !random.one_in(4) {
                *byte = random.pick(TELLING);
            }
        }
        random.compare(&side, &bytes);
    }
}

#[test]
fn r6455_5_2_k_every_pair_of_first_bytes() {
    for side in Side::all(100) {
        // Nothing comes before them, or an open message, or an open compressed message.
        for open in [&[][..], &[0x01, 0], &[0x42, 0]] {
            let mut bytes = open.to_vec();
            if let (true, [_, second]) = (side.server, &mut bytes[..]) {
                *second = 0x80;
                bytes.extend([0; 4]);
            }
            let front = bytes.len();
            bytes.extend([0, 0]);
            for first in 0..=0xFF {
                bytes[front] = first;
                let events = side.compare(&bytes[..=front], &[front]);
                if over(&events) {
                    continue;
                }
                for second in 0..=0xFF {
                    bytes[front + 1] = second;
                    side.compare(&bytes, &[front]);
                }
            }
        }
    }
}

/// Covers R6455-10.4-b, T10.
#[test]
fn r6455_5_2_g_every_length_form_around_every_edge() {
    let mut lengths: Vec<u64> = (0..300).collect();
    for power in 8..64 {
        lengths.extend((0..5).map(|at| (1 << power) - 2 + at));
    }
    lengths.push(u64::MAX);
    for limit in [0, 10, 125, 126, 255, 0xFFFF, 0x1_0000, 1 << 40, i64::MAX as u64, u64::MAX] {
        for side in Side::all(limit) {
            for &declared in &lengths {
                for (form, first) in [(0, 0x82), (2, 0x82), (8, 0xC2), (8, 0x81), (2, 0x89)] {
                    let payload = Vec::new();
                    let frame = Frame { form, declared, payload, ..Frame::new(first) };
                    let bytes = frame.encode(&side);
                    side.compare_prefixes(&bytes, &[], 2..bytes.len());
                }
            }
        }
    }
}

/// Covers R6455-5.2-e.
#[test]
fn r6455_5_2_d_payloads_of_every_length_form() {
    let mut random = Random(3);
    for length in [125, 126, 127, 0xFFFE, 0xFFFF, 0x1_0000, 0x1_0001] {
        for limit in [length - 1, length, u64::MAX] {
            for side in Side::all(limit) {
                let text = "é😀a".bytes().cycle().take(length as usize).collect();
                for (first, payload) in [(0x81, text), (0x82, random.bytes(length as usize))] {
                    let frame = Frame { declared: length, payload, ..Frame::new(first) };
                    let bytes = [frame.encode(&side), Frame::new(0x89).encode(&side)].concat();
                    let cuts = random.cuts(bytes.len().min(5000));
                    side.compare(&bytes, &cuts);
                }
            }
        }
    }
}

/// Covers R6455-7.4.2-d.
#[test]
fn r6455_7_4_2_a_every_close_code() {
    for code in 0..=u16::MAX {
        let side = Side { server: code % 2 == 0, limit: 0, rsv1_agreed: false };
        let mut close = Frame { payload: code.to_be_bytes().to_vec(), ..Frame::new(0x88) };
        // The last byte of the body does not arrive.
        close.declared = 3;
        side.compare(&close.encode(&side), &[]);
    }
}

/// Covers R3629-3-d.
#[test]
fn r3629_3_a_every_beginning_of_a_code_point() {
    // The third and fourth bytes are those at an edge of a range.
    let edges = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF];
    let mut texts: Vec<Vec<u8>> = (0..=0xFF).map(|first| vec![first]).collect();
    for (at, server, beginnings) in
        [(1, false, 51), (2, true, 1216), (3, false, 1536), (4, true, 0)]
    {
        let side = Side { server, limit: 10, rsv1_agreed: false };
        let next: Vec<u8> = if at == 1 { (0..=0xFF).collect() } else { edges.to_vec() };
        // Only beginnings that can still become a code point are extended.
        texts.retain(|text| {
            let payload = [b"a", &text[..]].concat();
            let unfinished = Frame { declared: 9, payload, ..Frame::new(0x81) };
            let finished = Frame { declared: at + 1, ..unfinished.clone() };
            // The same text as the reason of a Close.
            let payload = [&[0x03, 0xE8], &text[..]].concat();
            let close = Frame { declared: at + 2, payload, ..Frame::new(0x88) };
            side.compare(&finished.encode(&side), &[]);
            side.compare(&close.encode(&side), &[]);
            !over(&side.compare(&unfinished.encode(&side), &[])) && str::from_utf8(text).is_err()
        });
        assert_eq!(texts.len(), beginnings, "of {at} bytes");
        texts = texts
            .iter()
            .flat_map(|text| next.iter().map(|byte| [&text[..], &[*byte]].concat()))
            .collect();
    }
}
