//! User-supplied codecs, codecs that fail, and no codec at all.
//! Ids are those of the requirement and attack tables.

#![cfg(feature = "deflate")]

use crate::common::compressed::{
    FAIL_1007, FINAL_HELLO, HELLO, HELLO_AGAIN, NO_TAKEOVER, TAKEOVER, client, deflater, payloads,
    sent, server,
};
use crate::common::deflate::{Mode, drive_inflated};
use crate::common::{self, Keys, frames, hex, show};
use websocket_proto::{
    Client, Compress, Config, Connection, Data, Decompress, Deflater, Failure, InflateError,
    InternalError, Message, Messages, Progress, SendError, Server, WindowBits, ZlibCompress,
    ZlibDecompress,
};

/// A user's codec that stores the data, and can be made to fail.
#[derive(Default)]
struct Store {
    fail: bool,
    resets: usize,
}

impl Compress for Store {
    fn reset(&mut self, _: WindowBits) {
        self.resets += 1;
    }

    fn bound(&self, length: usize) -> usize {
        length + 10
    }

    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        if self.fail {
            return None;
        }
        let length = u16::try_from(input.len()).ok()?;
        let (low, high) = (length.to_le_bytes(), (!length).to_le_bytes());
        let stored = [&[0], &low[..], &high, input, &[0, 0, 0, 0xFF, 0xFF]].concat();
        output[..stored.len()].copy_from_slice(&stored);
        Some(stored.len())
    }
}

#[test]
fn a_codec_that_fails_or_lies_sends_nothing_and_harms_nothing() {
    let text = "text ".repeat(20);
    for agreed in [TAKEOVER, NO_TAKEOVER] {
        let mut connection = server(agreed);
        let mut out = Vec::new();
        let mut failing = Deflater::own(Store { fail: true, resets: 0 });
        for _ in 0..2 {
            let sent = connection.send_compressed(Data::Text(&text), &mut failing, &mut out);
            assert_eq!(sent, Err(SendError::Codec));
            let sent =
                connection.send_compressed_fragment(Data::Text("a"), false, &mut failing, &mut out);
            assert_eq!(sent, Err(SendError::Codec));
        }
        assert!(out.is_empty());
        let mut working = Deflater::own(Store::default());
        connection.send_compressed(Data::Text(&text), &mut working, &mut out).unwrap();
        let outcome =
            drive_inflated(&mut client(agreed), Mode::Own, ZlibDecompress::new(), [&out[..]]);
        assert_eq!(outcome.events, [format!("text <{text}>")]);
    }

    /// A compressor that reports a length it did not write.
    struct Liar(usize);
    impl Compress for Liar {
        fn reset(&mut self, _: WindowBits) {}
        fn bound(&self, _: usize) -> usize {
            0
        }
        fn compress(&mut self, _: &[u8], _: &mut [u8]) -> Option<usize> {
            Some(self.0)
        }
    }
    for length in [0, 1, 4, 5, usize::MAX] {
        let mut connection = server(TAKEOVER);
        let mut liar = Deflater::own(Liar(length));
        let mut out = Vec::new();
        let sent = connection.send_compressed(Data::Text(&text), &mut liar, &mut out);
        assert_eq!((sent, out.len()), (Err(SendError::Codec), 0));
    }

    /// A decompressor that reports progress it did not make, or none.
    struct Teller(usize, usize);
    impl Decompress for Teller {
        fn reset(&mut self) {}
        fn decompress(&mut self, _: &[u8], _: &mut [u8]) -> Progress {
            Progress::new(self.0, self.1)
        }
    }
    let hello = frames(HELLO, true);
    for (consumed, produced) in
        [(0, 0), (usize::MAX, 0), (0, usize::MAX), (usize::MAX, usize::MAX), (1, 1)]
    {
        for mode in [Mode::Pieces, Mode::Own, Mode::Shared] {
            let config = Config::new().max_message(1000);
            let mut connection = Connection::new(Server, &config, NO_TAKEOVER);
            let outcome = drive_inflated(
                &mut connection,
                mode,
                Teller(consumed, produced),
                [&hello[..], &hello],
            );
            let last = outcome.events.last().map(String::as_str);
            assert!(last.is_some_and(|last| last.starts_with("failed")), "{last:?}");
        }
    }
}

/// A user's codec that inflates within its own window.
struct Miniz {
    state: Box<miniz_oxide::inflate::core::DecompressorOxide>,
    window: Box<[u8; 1 << 15]>,
    at: usize,
    /// How many bytes before `at` were not returned yet.
    due: usize,
    /// Whether the latest block was a final one.
    ended: bool,
}

impl Miniz {
    fn new() -> Self {
        let window = Box::new([0; 1 << 15]);
        Miniz { state: Box::default(), window, at: 0, due: 0, ended: false }
    }
}

impl Decompress for Miniz {
    fn reset(&mut self) {
        *self = Miniz::new();
    }

    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        use miniz_oxide::inflate::{TINFLStatus, core::decompress, core::inflate_flags::*};
        let (mut consumed, mut produced) = (0, 0);
        loop {
            let give = self.due.min(output.len() - produced);
            let start = self.at - self.due;
            output[produced..produced + give].copy_from_slice(&self.window[start..start + give]);
            self.due -= give;
            produced += give;
            let progress = Progress::new(consumed, produced);
            if self.due > 0 {
                return progress;
            }
            if produced == output.len() || self.ended && consumed == input.len() {
                return progress.with_ended(self.ended && consumed == input.len());
            }
            self.at %= self.window.len();
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let rest = &input[consumed..];
            let (status, taken, made) =
                decompress(&mut self.state, rest, &mut self.window[..], self.at, flags);
            consumed += taken;
            (self.at, self.due) = (self.at + made, made);
            self.ended = status == TINFLStatus::Done;
            match status {
                // The window is kept.
                TINFLStatus::Done => *self.state = Default::default(),
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if made == 0 => {
                    return Progress::new(consumed, produced);
                }
                TINFLStatus::NeedsMoreInput => {}
                _ => {
                    return Progress::new(consumed, produced).with_fault(InflateError::Corrupt);
                }
            }
        }
    }
}

#[test]
fn t09_a_fault_after_a_full_output_needs_no_more_input() {
    /// Fills the first output, and reports an error in the second call.
    #[derive(Default)]
    struct Full(bool);
    impl Decompress for Full {
        fn reset(&mut self) {}
        fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
            let again = std::mem::replace(&mut self.0, true);
            let produced = if again { 1 } else { output.len() };
            output[..produced].fill(b'a');
            let progress = Progress::new(input.len(), produced);
            if again { progress.with_fault(InflateError::Corrupt) } else { progress }
        }
    }
    // The fragment is not the last one, and the Ping is never received.
    let wire = frames("42 01 00 / 89 00", true);
    let mut connection = Connection::new(Server, &Config::new(), TAKEOVER);
    let outcome = drive_inflated(&mut connection, Mode::Pieces, Full::default(), [&wire[..]]);
    assert_eq!(outcome.events, ["binary <61*4353", "failed InvalidPayload"]);
    assert_eq!(show(&outcome.output), FAIL_1007);
}

#[test]
fn another_codec_can_be_brought() {
    let text = common::text(100_000);
    let mut deflater = Deflater::own(deflater());
    let mut peer = client(TAKEOVER);
    let mut wire = Vec::new();
    for _ in 0..3 {
        peer.send_compressed(Data::Text(&text), &mut deflater, &mut wire).unwrap();
    }
    for mode in [Mode::Pieces, Mode::Own] {
        for size in [1, 999, usize::MAX] {
            let outcome =
                drive_inflated(&mut server(TAKEOVER), mode, Miniz::new(), wire.chunks(size));
            assert!(outcome.events == vec![format!("text <{text}>"); 3], "{mode:?} {size}");
        }
    }
    let hello = frames(HELLO, true);
    let outcome =
        drive_inflated(&mut server(NO_TAKEOVER), Mode::Shared, Miniz::new(), [&hello[..], &hello]);
    assert_eq!(outcome.events, ["text <Hello>", "text <Hello>"]);
    for payload in FINAL_HELLO {
        let message = format!("C1 {:02X} {payload}", hex(payload).len());
        let wire = frames(&format!("{message} / {HELLO_AGAIN} / C1 02 03 00"), true);
        for mode in [Mode::Pieces, Mode::Own] {
            for size in [1, 2, usize::MAX] {
                let chunks = wire.chunks(size);
                let outcome = drive_inflated(&mut server(TAKEOVER), mode, Miniz::new(), chunks);
                assert_eq!(outcome.events, ["text <Hello>", "text <Hello>", "text <>"]);
            }
        }
    }
    let corrupt = frames("C1 01 07", true);
    let outcome = drive_inflated(&mut server(TAKEOVER), Mode::Own, Miniz::new(), [&corrupt[..]]);
    assert_eq!(outcome.events, ["failed InvalidPayload"]);
}

#[test]
fn t35_the_bound_of_a_codec_is_three_sixteenths_more() {
    let mut codec = deflater();
    for length in [0, 16, 1600, 1 << 20] {
        assert_eq!(codec.bound(length), length + length / 8 + length / 16 + 64);
    }
    let text = common::text(2000);
    let mut room = vec![0; codec.bound(text.len())];
    let mut compress = |room: &mut [u8]| {
        codec.reset(WindowBits::MAX);
        codec.compress(text.as_bytes(), room)
    };
    let written = compress(&mut room).unwrap();
    assert_eq!(compress(&mut room[..written + 1]), Some(written));
    assert_eq!(compress(&mut room[..written]), None);
}

#[test]
fn a_level_of_0_stores_and_a_higher_one_makes_less_of_a_text() {
    let text = common::text(20_000);
    let payload = |level| {
        let mut deflater = Deflater::own(ZlibCompress::new(level));
        let out = sent(&mut server(TAKEOVER), |server, out| {
            server.send_compressed(Data::Text(&text), &mut deflater, out)
        });
        payloads(&out).concat()
    };
    let stored = payload(0);
    assert!(stored.windows(1000).any(|part| part == &text.as_bytes()[..1000]));
    assert!(payload(1).len() < stored.len() && payload(9).len() < payload(1).len());
    assert_eq!(payload(10), payload(9));
}

#[test]
fn without_a_codec_the_first_compressed_byte_fails_the_connection() {
    let mut connection = Connection::new(Client(Keys::default()), &Config::new(), NO_TAKEOVER);
    let mut bytes = hex("41 03 F2");
    let mut messages = Messages::new();
    let message = messages.receive(&mut connection, &mut &mut bytes[..]);
    assert!(
        matches!(message, Some(Message::Failed(Failure::Internal(InternalError::NoInflater)))),
        "{message:?}"
    );
}
