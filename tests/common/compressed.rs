//! Compressed messages as tests write them, and connections that receive them.

use websocket_proto::{
    Agreed, Client, Config, Connection, Deflate, Role, SendError, Server, ZlibCompress,
    ZlibDecompress,
};

use super::{
    Keys, Outcome, cuts,
    deflate::{Mode, drive_inflated},
    frames, hex, show, unmask,
};

pub const TAKEOVER: Agreed = Agreed::new().deflate(Deflate {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    ..Deflate::new()
});
pub const NO_TAKEOVER: Agreed = Agreed::new().deflate(Deflate::new());

/// "Hello" compressed, and compressed again with the first as the window (RFC 7692 §7.2.3).
pub const HELLO: &str = "C1 07 F2 48 CD C9 C9 07 00";
pub const HELLO_AGAIN: &str = "C1 05 F2 00 11 00 00";

/// Payloads of "Hello" that end with a final block and no tail: with fixed codes, stored, after a
/// block that is not final, with dynamic codes, and after another final block.
pub const FINAL_HELLO: [&str; 5] = [
    "F3 48 CD C9 C9 07 00",
    "01 05 00 FA FF 48 65 6C 6C 6F",
    "F2 48 05 00 00 00 FF FF CB C9 C9 07 00",
    "05 80 B1 09 00 00 00 82 DE F3 11 37 A1 FF B7 C0 DA 01",
    "F3 48 05 00 CB C9 C9 07 00",
];

pub const FAIL_1002: &str = "88 02 03 EA";
pub const FAIL_1007: &str = "88 02 03 EF";
pub const FAIL_1009: &str = "88 02 03 F1";
pub const FAIL_1011: &str = "88 02 03 F3";

/// Passes frames in hex to new connections in both roles, in every mode that `agreed` allows and
/// with every split, and checks the results as whole messages. Part of a message that fails, `text
/// <...` without an end, is expected in pieces only.
pub fn check(agreed: Agreed, config: &Config, input: &str, events: &[&str], output: &str) {
    let takeover = agreed == TAKEOVER;
    let unfinished = |line: &&str| line.contains(" <") && !line.ends_with('>');
    for mode in Mode::ALL {
        if mode.is_shared() && takeover {
            continue;
        }
        let shown = |line: &&&str| mode == Mode::Pieces || !unfinished(line);
        let events: Vec<_> = events.iter().filter(shown).copied().collect();
        let outcome = |bytes: &[u8], client: bool, chunks: Vec<&[u8]>| {
            let pieces = chunks.len();
            let codec = ZlibDecompress::new();
            let outcome = if client {
                let mut connection = Connection::new(Client(Keys::default()), config, agreed);
                let outcome = drive_inflated(&mut connection, mode, codec, chunks);
                Outcome { output: unmask(&outcome.output), ..outcome }
            } else {
                drive_inflated(&mut Connection::new(Server, config, agreed), mode, codec, chunks)
            };
            let which = format!("{mode:?}, client {client}, {pieces} pieces of {bytes:02X?}");
            assert_eq!(outcome.events, events, "{which}");
            assert_eq!(show(&outcome.output), show(&hex(output)), "{which}");
        };
        for client in [false, true] {
            let bytes = frames(input, !client);
            for chunks in cuts(&bytes) {
                outcome(&bytes, client, chunks);
            }
        }
    }
}

pub fn check_both(input: &str, events: &[&str], output: &str) {
    check(NO_TAKEOVER, &Config::new(), input, events, output);
    check(TAKEOVER, &Config::new(), input, events, output);
}

/// Returns what a connection sends by `send`, unmasked.
pub fn sent<R: Role>(
    connection: &mut Connection<R>,
    send: impl FnOnce(&mut Connection<R>, &mut Vec<u8>) -> Result<(), SendError>,
) -> Vec<u8> {
    let mut out = Vec::new();
    send(connection, &mut out).expect("it can be sent");
    out
}

pub fn server(agreed: Agreed) -> Connection<Server> {
    Connection::new(Server, &Config::new(), agreed)
}

pub fn client(agreed: Agreed) -> Connection<Client<Keys>> {
    Connection::new(Client(Keys::default()), &Config::new(), agreed)
}

pub fn deflater() -> ZlibCompress {
    ZlibCompress::new(6)
}

/// Returns the payloads of frames.
pub fn payloads(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let [_, second, rest @ ..] = frames {
        let width = [0, 2, 8][usize::from(*second).saturating_sub(125)];
        let length = if width == 0 {
            usize::from(*second)
        } else {
            rest[..width].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        payloads.push(rest[width..][..length].to_vec());
        frames = &rest[width + length..];
    }
    payloads
}
