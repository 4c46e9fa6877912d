//! Shared parts of the tests: bytes written as hex, masking of frames, a connection that is driven
//! with any split of its input, and events in a form that does not depend on the split.

#![allow(dead_code, reason = "each program that includes it uses a part of it")]

pub mod blocks;
#[cfg(feature = "deflate")]
pub mod compressed;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "alloc")]
pub mod endpoint;
#[cfg(feature = "alloc")]
pub mod heads;
pub mod inflate;

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hasher};

use websocket_proto::{
    Agreed, Client, CloseFrame, Closure, Config, Connection, Event, Failure, MaskSource, NextStep,
    Role, Server, State,
};

/// Parses hex, with or without spaces. A `/` between frames is skipped, and `61*300` repeats a
/// byte.
pub fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace().filter(|word| *word != "/") {
        let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
        let digits: Vec<_> = (0..digits.len() / 2).map(|at| &digits[2 * at..2 * at + 2]).collect();
        let run = digits.iter().map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits"));
        bytes.extend(run);
        let last = *bytes.last().expect("a byte");
        bytes.extend(std::iter::repeat_n(last, times.parse::<usize>().expect("a count") - 1));
    }
    bytes
}

/// A predictable source of masking keys. Every key differs from the one before.
#[derive(Clone, Debug, Default)]
pub struct Keys(pub u8);

impl MaskSource for Keys {
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        self.0 = self.0.wrapping_add(1);
        Some([self.0, 0xA5, self.0.wrapping_mul(0x1D), 0x5A])
    }
}

/// Returns the length of a frame's header without the key.
fn header_length(second: u8) -> usize {
    match second & 0x7F {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// Masks one frame, complete or not, as a client does.
pub fn mask(frame: &[u8]) -> Vec<u8> {
    mask_with(frame, [0x37, 0xFA, 0x21, 0x3D])
}

/// Like [`mask`], with this key.
pub fn mask_with(frame: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut masked = frame.to_vec();
    let Some(second) = masked.get_mut(1) else { return masked };
    *second |= 0x80;
    let header = header_length(*second);
    if frame.len() >= header {
        let payload: Vec<u8> =
            masked.drain(header..).zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        masked.extend(key.iter().chain(&payload));
    }
    masked
}

/// Returns frames written as hex, separated by `/`, and masked if a server receives them.
pub fn frames(text: &str, masked: bool) -> Vec<u8> {
    text.split('/').flat_map(|frame| if masked { mask(&hex(frame)) } else { hex(frame) }).collect()
}

/// Unmasks the frames of a client. Every frame must be masked, with a new key.
pub fn unmask(mut output: &[u8]) -> Vec<u8> {
    let (mut plain, mut last_key) = (Vec::new(), None);
    while let [first, second, ..] = *output {
        assert_ne!(second & 0x80, 0, "a client masks every frame");
        let header = header_length(second);
        let length = output[2..header].iter().fold(0, |length, byte| length << 8 | *byte as usize);
        let length = if header == 2 { usize::from(second & 0x7F) } else { length };
        let key: [u8; 4] = output[header..header + 4].try_into().unwrap();
        assert_ne!(last_key.replace(key), Some(key), "a key for each frame");
        plain.extend([first, second & 0x7F]);
        plain.extend(&output[2..header]);
        let payload = &output[header + 4..header + 4 + length];
        plain.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        output = &output[header + 4 + length..];
    }
    assert!(output.is_empty(), "output is whole frames");
    plain
}

/// Returns a frame with this first byte, not masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let header = match length {
        0..=125 => vec![first, length as u8],
        126..=0xFFFF => [&[first, 126], &(length as u16).to_be_bytes()[..]].concat(),
        _ => [&[first, 127], &(length as u64).to_be_bytes()[..]].concat(),
    };
    [&header, payload].concat()
}

/// Returns pseudorandom numbers, the same in every run.
fn numbers() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(1_u64), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .map(|state| (state >> 33) as u32)
}

/// A generator of pseudorandom numbers, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// Returns bytes that do not compress.
pub fn random(length: usize) -> Vec<u8> {
    numbers().map(|number| number as u8).take(length).collect()
}

/// Returns text that compresses like natural text: words of a small vocabulary.
pub fn text(length: usize) -> String {
    let mut text = String::new();
    let mut numbers = numbers();
    while text.len() < length {
        let number = numbers.next().map_or(0, |number| number as usize % 997);
        let letters = (0..2 + number % 7).map(|at| b'a' + (number * (at + 3) % 26) as u8);
        text.extend(letters.map(char::from));
        text.push(' ');
    }
    text.truncate(length);
    text
}

/// The result of some input, which is the same for every split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// `text <Hel`, `ping 01`, `text lo>`: `<` marks the first piece of a message, and `>` the
    /// last. Adjacent pieces of one message are joined.
    pub events: Vec<String>,
    /// The bytes that were sent, unmasked for a client.
    pub output: Vec<u8>,
}

/// Collects events, joining the pieces of a message.
#[derive(Default)]
pub struct Canonical {
    events: Vec<String>,
    /// The piece that is being joined: its kind, its bytes, whether it is the first, and the last.
    piece: Option<(&'static str, Vec<u8>, bool, bool)>,
}

impl Canonical {
    pub fn push(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) => {
                self.piece("text", text.as_bytes(), text.is_first(), text.is_last());
            }
            Event::Binary(data) => self.piece("binary", data, data.is_first(), data.is_last()),
            Event::Compressed(data) => {
                let kind = match data.kind() {
                    websocket_proto::Kind::Text => "compressed text",
                    websocket_proto::Kind::Binary => "compressed binary",
                };
                self.piece(kind, data, data.is_first(), data.is_last());
            }
            Event::Ping(payload) => self.line(format!("ping {}", show(payload))),
            Event::Pong(payload) => self.line(format!("pong {}", show(payload))),
            Event::Close(close) => self.line(show_close(close.as_ref())),
            Event::Failed(failure) => self.line(format!("failed {}", name(*failure))),
            other => panic!("unknown event {other:?}"),
        }
    }

    pub fn line(&mut self, line: String) {
        self.flush();
        self.events.push(line);
    }

    pub fn piece(&mut self, what: &'static str, bytes: &[u8], first: bool, last: bool) {
        assert!(!bytes.is_empty() || last, "an empty piece that is not the last one");
        if let Some((open, joined, _, ended)) = &mut self.piece
            && !first
            && !*ended
            && *open == what
        {
            joined.extend(bytes);
            *ended = last;
            return;
        }
        self.flush();
        self.piece = Some((what, bytes.to_vec(), first, last));
    }

    fn flush(&mut self) {
        if let Some((what, bytes, first, last)) = self.piece.take() {
            let (start, end) = (if first { "<" } else { "" }, if last { ">" } else { "" });
            let bytes = if what == "text" {
                show_text(&String::from_utf8(bytes).expect("pieces of text are text"))
            } else {
                show(&bytes)
            };
            self.events.push(format!("{what} {start}{bytes}{end}"));
        }
    }

    pub fn finish(mut self) -> Vec<String> {
        self.flush();
        self.events
    }
}

fn show_text(text: &str) -> String {
    match text.chars().next() {
        Some(one) if text.len() > 40 && text.chars().all(|c| c == one) => {
            format!("{one}*{}", text.chars().count())
        }
        _ => text.to_owned(),
    }
}

/// Bytes as text. Equal bytes are `61*300`. More than 400 others are their number, their hash and
/// the first 20. Anything else is hex.
pub fn show(bytes: &[u8]) -> String {
    match bytes {
        [one, rest @ ..] if bytes.len() > 40 && *rest == bytes[..rest.len()] => {
            format!("{one:02X}*{}", bytes.len())
        }
        // Megabytes are shown here, which takes too long byte by byte.
        _ if bytes.len() > 400 => {
            let mut hash = DefaultHasher::new();
            hash.write(bytes);
            format!("{} bytes {:016X} {}", bytes.len(), hash.finish(), show(&bytes[..20]))
        }
        _ => {
            let digit = |digit: u8| char::from(b"0123456789ABCDEF"[usize::from(digit)]);
            let mut words = String::with_capacity(3 * bytes.len());
            for byte in bytes {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push(digit(byte >> 4));
                words.push(digit(byte & 15));
            }
            words
        }
    }
}

pub fn show_close(close: Option<&CloseFrame>) -> String {
    match close {
        None => "close".to_owned(),
        Some(close) => format!("close {} {}", close.code(), show_text(close.reason())),
    }
}

/// Feeds `chunks`, one read each, and transmits after every event, as a driver does.
pub fn drive<'c, R: Role>(
    connection: &mut Connection<R>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> Outcome {
    let (mut canonical, mut output) = (Canonical::default(), Vec::new());
    for chunk in chunks {
        let mut buffer = chunk.to_vec();
        let mut input = &mut buffer[..];
        while let Some(event) = connection.receive(&mut input) {
            canonical.push(&event);
            connection.transmit(&mut output).expect("a vector has room");
            assert!(!connection.wants_transmit());
        }
        assert!(input.is_empty(), "`None` means that the input is empty");
    }
    Outcome { events: canonical.finish(), output }
}

/// Whether the environment has `CUTS=few`. Input is then split into bytes, or not at all, and the
/// longest tests try fewer cases. This is for emulated processors and for many runs, because all
/// splits take ten times as long.
pub fn few_cuts() -> bool {
    std::env::var_os("CUTS").is_some_and(|cuts| cuts == "few")
}

/// Returns the splits of `bytes` for every test case: whole, byte by byte, and in two at each
/// place, unless there are to be [few](few_cuts). More than 4 KiB are split in two only near an
/// end, or near a multiple of 1 KiB.
pub fn cuts(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let near_edge =
        |at: usize| bytes.len() <= 4096 || at < 32 || bytes.len() - at < 32 || (at + 2) % 1024 < 4;
    let mut cuts = vec![vec![bytes], bytes.chunks(1).collect()];
    for at in (1..bytes.len()).filter(|at| !few_cuts() && near_edge(*at)) {
        let (front, back) = bytes.split_at(at);
        cuts.push(vec![front, back]);
    }
    cuts
}

/// Passes `input` to a new server or client with every split, checks that the outcome is always the
/// same and that the state at the end matches it, and returns the outcome.
pub fn every_cut(client: bool, config: &Config, agreed: Agreed, input: &[u8]) -> Outcome {
    if client {
        let outcome = every_cut_of(|| Client(Keys::default()), config, agreed, input);
        Outcome { output: unmask(&outcome.output), ..outcome }
    } else {
        every_cut_of(|| Server, config, agreed, input)
    }
}

fn every_cut_of<R: Role + Debug>(
    role: impl Fn() -> R,
    config: &Config,
    agreed: Agreed,
    input: &[u8],
) -> Outcome {
    let mut first: Option<Outcome> = None;
    for chunks in cuts(input) {
        let mut connection = Connection::new(role(), config, agreed);
        let pieces = chunks.len();
        let outcome = drive(&mut connection, chunks);
        check_end(&mut connection, &outcome);
        match &first {
            None => first = Some(outcome),
            Some(whole) => assert_eq!(&outcome, whole, "in {pieces} pieces of {input:02X?}"),
        }
    }
    first.expect("there is always the whole input")
}

/// Checks that the state follows from the events, and ends as §7.1 requires.
fn check_end<R: Role>(connection: &mut Connection<R>, outcome: &Outcome) {
    let last = outcome.events.last().map_or("", String::as_str);
    let (failed, closed) = (last.starts_with("failed"), last.starts_with("close"));
    let is_client = std::any::type_name::<R>().contains("Client");
    let (state, step) = match (failed || closed, is_client) {
        (false, _) => (State::Open, NextStep::Continue),
        (true, false) => (State::Closing, NextStep::ShutdownWrite),
        (true, true) => (State::Closing, NextStep::AwaitEof),
    };
    assert_eq!((connection.state(), connection.next_step()), (state, step), "after {last:?}");
    assert_eq!(connection.closure(), None);
    connection.receive_eof();
    assert_eq!((connection.state(), connection.next_step()), (State::Closed, NextStep::Drop));
    let closure = connection.closure().expect("it is closed");
    assert_eq!(closure.clean, closed);
    assert_eq!(closure.code == Closure::ABNORMAL, !closed);
    assert_eq!(closure.failure.is_some(), failed);
}

/// Formats a closure: its code, whether it is clean, the sent code, which side began to close, and
/// why.
pub fn show_closure(closure: &Closure) -> String {
    let mut shown = closure.code.to_string();
    if closure.clean {
        shown += " clean";
    }
    if let Some(sent) = closure.sent {
        shown += &format!(" sent {sent}");
    }
    if let Some(initiator) = closure.initiator {
        shown += &format!(" by {initiator:?}");
    }
    if let Some(failure) = closure.failure {
        shown += &format!(" for {}", name(failure));
    }
    shown
}

/// Returns the name of a failure, without whose fault it is.
pub fn name(failure: Failure) -> String {
    match failure {
        Failure::Violation(violation) => format!("{violation:?}"),
        Failure::Internal(error) => format!("{error:?}"),
        other => format!("{other:?}"),
    }
}
