//! The results of received bytes, by section. Every vector is run in both roles if possible: whole,
//! split in two at each place, and byte by byte.

use std::panic;

use crate::common::{self, every_cut, frames, hex};
use websocket_proto::{Agreed, Config, Deflate};

struct Vector {
    /// The ids of the rows of `requirements.md` and `attacks.md` that it covers.
    id: &'static str,
    /// Frames in hex, unmasked. They are masked for a server.
    input: &'static str,
    events: &'static [&'static str],
    /// The bytes that are sent, in hex, unmasked.
    output: &'static str,
}

const FAIL_1002: &str = "88 02 03 EA";
const FAIL_1007: &str = "88 02 03 EF";
const FAIL_1009: &str = "88 02 03 F1";

#[rustfmt::skip]
const VECTORS: &[Vector] = &[
    // §5.2: lengths
    Vector { id: "R6455-5.2-c", input: "81 00", events: &["text <>"], output: "" },
    Vector { id: "R6455-5.2-c", input: "82 00 / 81 00", events: &["binary <>", "text <>"], output: "" },
    Vector { id: "R6455-5.2-c", input: "81 7D 61*125", events: &["text <a*125>"], output: "" },
    Vector { id: "R6455-5.2-d", input: "81 7E 00 7E 61*126", events: &["text <a*126>"], output: "" },
    Vector { id: "R6455-5.2-d", input: "82 7E 01 00 FE*256", events: &["binary <FE*256>"], output: "" },
    // The bytes of the length look like a frame if a read begins with them.
    Vector { id: "R6455-5.2-d R6455-5.2-j", input: "82 7E 81 00 FE*33024", events: &["binary <FE*33024>"], output: "" },
    Vector { id: "R6455-5.2-d", input: "82 7E FF FF FE*65535 / 81 01 61", events: &["binary <FE*65535>", "text <a>"], output: "" },
    Vector { id: "R6455-5.2-e", input: "82 7F 00 00 00 00 00 01 00 00 FE*65536 / 81 01 61", events: &["binary <FE*65536>", "text <a>"], output: "" },
    Vector { id: "R6455-5.2-f T10", input: "82 7F 80 00 00 00 00 00 00 00", events: &["failed LengthOverflow"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-f R6455-5.2-k", input: "82 7F 80", events: &["failed LengthOverflow"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-f T10", input: "82 7F FF FF FF FF FF FF FF FF", events: &["failed LengthOverflow"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-g T07", input: "82 7E 00 7D", events: &["failed LengthNotMinimal"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-g T07", input: "82 7E 00 00", events: &["failed LengthNotMinimal"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-g T07", input: "82 7F 00 00 00 00 00 00 FF FF", events: &["failed LengthNotMinimal"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-g R6455-5.2-k", input: "82 7F 00 00 00 00 00 00", events: &["failed LengthNotMinimal"], output: FAIL_1002 },
    // §5.2: reserved bits and opcodes
    Vector { id: "R6455-5.2-a R6455-9.1-b T02 T31", input: "C1 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02", input: "A1 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02", input: "91 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02", input: "F2 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02", input: "99 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02 T31", input: "C9 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02", input: "A8 02 03 E8", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-a T02 T31", input: "01 01 61 / C0 01 62", events: &["text <a", "failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01 R6455-5.2-k", input: "83", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "84 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "05 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "86 01 61", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "87 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01 R6455-5.2-k", input: "8B", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "8C 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "0D 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "8E 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-b T01", input: "8F 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    Vector { id: "R6455-5.2-i R6455-5.6-b", input: "82 04 00 FF C1 80", events: &["binary <00 FF C1 80>"], output: "" },
    Vector { id: "R6455-6.2-a", input: "48 54 54 50", events: &["failed ReservedBit"], output: FAIL_1002 },
    Vector { id: "R6455-6.2-a", input: "82 02 01 02 / 8A 00 / 82 01 03", events: &["binary <01 02>", "pong ", "binary <03>"], output: "" },
    // §5.3: masking (every vector is masked for the server)
    Vector { id: "R6455-5.2-h", input: "81 05 48 65 6C 6C 6F", events: &["text <Hello>"], output: "" },
    Vector { id: "R6455-5.3-c", input: "82 07 01 02 03 04 05 06 07 / 82 03 0A 0B 0C", events: &["binary <01 02 03 04 05 06 07>", "binary <0A 0B 0C>"], output: "" },
    // §5.4: fragments
    Vector { id: "R6455-5.4-a", input: "01 03 48 65 6C / 80 02 6C 6F", events: &["text <Hello>"], output: "" },
    Vector { id: "R6455-5.4-a", input: "02 01 FF / 00 01 FE / 00 01 FD / 80 01 FC", events: &["binary <FF FE FD FC>"], output: "" },
    Vector { id: "R6455-5.4-b T05", input: "80 00", events: &["failed UnexpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-b T05", input: "00 00", events: &["failed UnexpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-b T05", input: "81 01 61 / 80 01 62", events: &["text <a>", "failed UnexpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-b T05", input: "01 01 61 / 80 01 62 / 80 01 63", events: &["text <ab>", "failed UnexpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-c T05", input: "01 01 61 / 81 01 62", events: &["text <a", "failed ExpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-c T05", input: "01 01 61 / 01 01 62", events: &["text <a", "failed ExpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-c T05", input: "02 01 61 / 82 01 62", events: &["binary <61", "failed ExpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-c T05", input: "02 01 61 / 02 01 62", events: &["binary <61", "failed ExpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-e T06 R6455-5.5.2-b", input: "01 01 61 / 89 01 78 / 80 01 62", events: &["text <a", "ping 78", "text b>"], output: "8A 01 78" },
    Vector { id: "R6455-5.4-e T06", input: "02 02 01 02 / 8A 01 78 / 00 00 / 89 00 / 80 01 03", events: &["binary <01 02", "pong 78", "ping ", "binary 03>"], output: "8A 00" },
    Vector { id: "R6455-5.4-e R6455-5.6-a T06", input: "01 01 C3 / 89 01 A9 / 80 01 A9", events: &["ping A9", "text <é>"], output: "8A 01 A9" },
    Vector { id: "R6455-5.4-g T04", input: "09", events: &["failed FragmentedControl"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-g T04", input: "0A 00", events: &["failed FragmentedControl"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-g T04", input: "08 02 03 E8", events: &["failed FragmentedControl"], output: FAIL_1002 },
    Vector { id: "R6455-5.4-i", input: "01 00 / 00 01 61 / 80 00", events: &["text <a>"], output: "" },
    Vector { id: "R6455-5.4-i", input: "01 00 / 00 00 / 80 00 / 82 01 62", events: &["text <>", "binary <62>"], output: "" },
    Vector { id: "R6455-5.4-i", input: "02 01 61 / 00 00 / 00 00 / 80 01 62", events: &["binary <61 62>"], output: "" },
    Vector { id: "R6455-5.4-j", input: "02 01 FF / 80 01 FE", events: &["binary <FF FE>"], output: "" },
    Vector { id: "R6455-5.4-j", input: "01 01 61 / 80 01 FE", events: &["text <a", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R6455-5.4-k", input: "82 05 01 02", events: &["binary <01 02"], output: "" },
    Vector { id: "R6455-5.4-k", input: "81 05 61 62", events: &["text <ab"], output: "" },
    // §5.5: control frames
    Vector { id: "R6455-5.5-a T04 R6455-5.2-k", input: "89 7E", events: &["failed ControlTooLong"], output: FAIL_1002 },
    Vector { id: "R6455-5.5-a T04", input: "8A 7E 00 7E 61*126", events: &["failed ControlTooLong"], output: FAIL_1002 },
    Vector { id: "R6455-5.5-a T04", input: "88 7F", events: &["failed ControlTooLong"], output: FAIL_1002 },
    Vector { id: "R6455-5.5-a R6455-5.5.3-a", input: "89 7D FE*125", events: &["ping FE*125"], output: "8A 7D FE*125" },
    Vector { id: "R6455-5.5.1-a R6455-7.1.5-b", input: "88 00", events: &["close"], output: "88 00" },
    Vector { id: "R6455-5.5.1-b T08", input: "88 01", events: &["failed TruncatedCloseCode"], output: FAIL_1002 },
    Vector { id: "R6455-5.5.1-b T08", input: "88 01 03", events: &["failed TruncatedCloseCode"], output: FAIL_1002 },
    Vector { id: "R6455-5.5.1-b R6455-5.5.1-f", input: "88 02 03 E8", events: &["close 1000 "], output: "88 02 03 E8" },
    Vector { id: "R6455-5.5.1-f", input: "88 05 0F A0 62 79 65", events: &["close 4000 bye"], output: "88 02 0F A0" },
    Vector { id: "R6455-5.5.1-c", input: "88 7D 03 E8 61*123", events: &["close 1000 a*123"], output: "88 02 03 E8" },
    Vector { id: "R6455-5.5.1-c T08", input: "88 03 03 E8 FF", events: &["failed InvalidCloseReason"], output: FAIL_1007 },
    Vector { id: "R6455-5.5.1-c T08", input: "88 05 03 E8 FF", events: &["failed InvalidCloseReason"], output: FAIL_1007 },
    Vector { id: "R6455-5.5.1-c T08", input: "88 04 03 E8 E2 82", events: &["failed InvalidCloseReason"], output: FAIL_1007 },
    Vector { id: "R6455-5.5.1-c", input: "88 05 03 E8 E2 82 AC", events: &["close 1000 €"], output: "88 02 03 E8" },
    Vector { id: "R6455-5.5.1-l", input: "01 01 61 / 88 02 03 E8 / 80 01 62", events: &["text <a", "close 1000 "], output: "88 02 03 E8" },
    Vector { id: "R6455-5.5.2-a R6455-5.5.3-a", input: "89 05 48 65 6C 6C 6F", events: &["ping 48 65 6C 6C 6F"], output: "8A 05 48 65 6C 6C 6F" },
    Vector { id: "R6455-5.5.2-a", input: "89 00 / 89 01 61 / 89 01 62", events: &["ping ", "ping 61", "ping 62"], output: "8A 00 / 8A 01 61 / 8A 01 62" },
    Vector { id: "R6455-5.5.2-c", input: "88 00 / 89 00", events: &["close"], output: "88 00" },
    Vector { id: "R6455-5.5.3-c", input: "8A 01 78 / 8A 00", events: &["pong 78", "pong "], output: "" },
    Vector { id: "R6455-7.1.5-a", input: "88 04 03 E8 68 69 / 88 02 03 E9", events: &["close 1000 hi"], output: "88 02 03 E8" },
    // §5.6, §6.2: messages
    Vector { id: "R6455-5.6-a", input: "01 01 C3 / 80 01 A9", events: &["text <é>"], output: "" },
    Vector { id: "R6455-5.6-a", input: "01 02 F0 9F / 00 00 / 00 01 98 / 80 02 80 21", events: &["text <😀!>"], output: "" },
    Vector { id: "R6455-5.6-b", input: "82 01 FF", events: &["binary <FF>"], output: "" },
    Vector { id: "R6455-6.2-b", input: "81 02 61 62 / 00 00", events: &["text <ab>", "failed UnexpectedContinuation"], output: FAIL_1002 },
    Vector { id: "R6455-6.2-b", input: "01 01 61 / 80 01 62 / 82 01 63", events: &["text <ab>", "binary <63>"], output: "" },
    Vector { id: "R6455-7.1.7-c", input: "83 00 / 89 00 / 88 00", events: &["failed ReservedOpcode"], output: FAIL_1002 },
    // §7.4: close codes
    Vector { id: "R6455-7.4.1-a", input: "88 02 03 E9", events: &["close 1001 "], output: "88 02 03 E9" },
    Vector { id: "R6455-7.4.1-a", input: "88 02 03 EB", events: &["close 1003 "], output: "88 02 03 EB" },
    Vector { id: "R6455-7.4.1-a", input: "88 02 03 EF", events: &["close 1007 "], output: "88 02 03 EF" },
    Vector { id: "R6455-7.4.1-a", input: "88 02 03 F2", events: &["close 1010 "], output: "88 02 03 F2" },
    Vector { id: "R6455-7.4.1-a", input: "88 02 03 F3", events: &["close 1011 "], output: "88 02 03 F3" },
    Vector { id: "IANA-CC-a", input: "88 02 03 F4", events: &["close 1012 "], output: "88 02 03 F4" },
    Vector { id: "IANA-CC-a", input: "88 02 03 F5", events: &["close 1013 "], output: "88 02 03 F5" },
    Vector { id: "IANA-CC-a", input: "88 02 03 F6", events: &["close 1014 "], output: "88 02 03 F6" },
    Vector { id: "R6455-7.4.1-d T08 T23", input: "88 02 03 ED", events: &["failed InvalidCloseCode(1005)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.1-d T08 T23", input: "88 02 03 EE", events: &["failed InvalidCloseCode(1006)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.1-d T08 T23", input: "88 02 03 F7", events: &["failed InvalidCloseCode(1015)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.1-e T08", input: "88 02 03 EC", events: &["failed InvalidCloseCode(1004)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.2-a T08", input: "88 02 00 00", events: &["failed InvalidCloseCode(0)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.2-a T08", input: "88 02 03 E7", events: &["failed InvalidCloseCode(999)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.2-b T08", input: "88 02 03 F8", events: &["failed InvalidCloseCode(1016)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.2-b T08", input: "88 04 0B B7 FF FF", events: &["failed InvalidCloseCode(2999)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.2-c", input: "88 02 0B B8", events: &["close 3000 "], output: "88 02 0B B8" },
    Vector { id: "R6455-7.4.2-c", input: "88 02 0F 9F", events: &["close 3999 "], output: "88 02 0F 9F" },
    Vector { id: "R6455-7.4.2-c", input: "88 02 13 87", events: &["close 4999 "], output: "88 02 13 87" },
    Vector { id: "R6455-7.4.2-d T08", input: "88 02 13 88", events: &["failed InvalidCloseCode(5000)"], output: FAIL_1002 },
    Vector { id: "R6455-7.4.2-d T08", input: "88 02 FF FF", events: &["failed InvalidCloseCode(65535)"], output: FAIL_1002 },
    // §8.1 and RFC 3629: UTF-8 is checked early, also of a whole frame
    Vector { id: "R6455-8.1-a R6455-7.4.1-b", input: "81 01 FF", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R6455-8.1-a R6455-8.1-c", input: "81 04 61 62 FF 63", events: &["text <ab", "failed InvalidUtf8"], output: FAIL_1007 },
    // §8.1: UTF-8 is checked early, before the message is complete
    Vector { id: "R6455-8.1-c T09", input: "81 0A 61 FF", events: &["text <a", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R6455-8.1-c T09", input: "01 0B CE BA E1 BD B9 CF 83 CE BC CE B5 / 00 04 F4", events: &["text <κ\u{1F79}σμε"], output: "" },
    Vector { id: "R6455-8.1-c T09", input: "01 0B CE BA E1 BD B9 CF 83 CE BC CE B5 / 00 04 F4 90", events: &["text <κ\u{1F79}σμε", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R6455-8.1-c T09", input: "81 7E 10 00 61*200 FF", events: &["text <a*200", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-a T09", input: "81 02 C0 AF", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-a T09", input: "81 0A C1", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-a T09", input: "81 0A E0 9F", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-a T09", input: "81 0A F0 8F", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-a T09", input: "81 03 E0 9F BF", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-a T09", input: "81 04 F0 8F BF BF", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-b T09", input: "81 0A ED A0", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-b T09", input: "81 03 ED BF BF", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-b", input: "81 03 ED 9F BF", events: &["text <\u{D7FF}>"], output: "" },
    Vector { id: "R3629-3-c T09", input: "81 04 F4 90 80 80", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-c T09", input: "81 0A F5", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-c T09", input: "81 0A FE", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-c", input: "81 04 F4 8F BF BF", events: &["text <\u{10FFFF}>"], output: "" },
    Vector { id: "R3629-3-d T09", input: "81 0A 80", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "81 0A C3 A9 80", events: &["text <é", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "81 0A E2 82 AC 80", events: &["text <€", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "81 0A C3 20", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "81 02 E2 82", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "81 03 61 E2 82", events: &["text <a", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "01 03 61 E2 82 / 80 00", events: &["text <a", "failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-d T09", input: "01 02 E2 82 / 80 01 61", events: &["failed InvalidUtf8"], output: FAIL_1007 },
    Vector { id: "R3629-3-e", input: "81 04 00 EF BF BE", events: &["text <\0\u{FFFE}>"], output: "" },
    Vector { id: "R3629-3-e", input: "81 06 EF BF BF EF BF BD", events: &["text <\u{FFFF}\u{FFFD}>"], output: "" },
    Vector { id: "R3629-6-a", input: "81 04 EF BB BF 61", events: &["text <\u{FEFF}a>"], output: "" },
];

/// Runs all vectors, then reports all failures, each with its id.
fn check<'v>(vectors: impl IntoIterator<Item = &'v Vector>, config: &Config, agreed: Agreed) {
    let mut failures = Vec::new();
    for Vector { id, input, events, output } in vectors {
        for client in [false, true] {
            // The closure panics if the outcome depends on the split, or the state does not match
            // the events.
            let bytes = frames(input, !client);
            let outcome = panic::catch_unwind(|| {
                // An endpoint accepts compression only with a codec.
                #[cfg(feature = "alloc")]
                if agreed == Agreed::new() {
                    for cut in common::cuts(&bytes) {
                        common::endpoint::check(client, config, &cut);
                    }
                }
                every_cut(client, config, agreed, &bytes)
            });
            match outcome {
                Ok(outcome) if outcome.events == *events && outcome.output == hex(output) => {}
                _ => failures.push(format!("{id}: {input}, client: {client}: {outcome:02X?}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn r6455_5_2_j_every_vector_at_every_cut() {
    check(VECTORS, &Config::new(), Agreed::new());
}

#[test]
fn r6455_10_7_a_no_setting_loosens_a_check() {
    let config = Config::new().max_message(u64::MAX).auto_pong(false);
    let failing = VECTORS.iter().filter(|vector| vector.events.concat().contains("failed"));
    check(failing, &config, Agreed::new());
}

#[test]
fn r6455_6_2_c_with_compression_agreed_only_the_first_frame_of_a_message_may_have_rsv1() {
    #[rustfmt::skip]
    let vectors = [
        Vector { id: "R6455-6.2-c", input: "C1 03 F2 48 CD", events: &["compressed text <F2 48 CD>"], output: "" },
        Vector { id: "R6455-6.2-c", input: "42 01 FF / 89 00 / 80 01 FE", events: &["compressed binary <FF", "ping ", "compressed binary FE>"], output: "8A 00" },
        Vector { id: "R6455-6.2-c", input: "C1 01 00 / 81 01 61", events: &["compressed text <00>", "text <a>"], output: "" },
        Vector { id: "R7692-6-b T31", input: "41 01 F2 / 40 00", events: &["compressed text <F2", "failed ReservedBit"], output: FAIL_1002 },
        Vector { id: "R7692-6-c T31", input: "C9 00", events: &["failed ReservedBit"], output: FAIL_1002 },
        Vector { id: "R7692-6-c T31", input: "CA 00", events: &["failed ReservedBit"], output: FAIL_1002 },
        Vector { id: "R7692-6-c T31", input: "C8 00", events: &["failed ReservedBit"], output: FAIL_1002 },
        Vector { id: "T02", input: "E1 00", events: &["failed ReservedBit"], output: FAIL_1002 },
    ];
    check(&vectors, &Config::new(), Agreed::new().deflate(Deflate::new()));
}

#[test]
fn limits_are_judged_by_headers() {
    #[rustfmt::skip]
    let vectors = [
        Vector { id: "R6455-10.4-a R6455-7.4.1-b", input: "82 7F 10 00 00 00 00 00 00 00", events: &["failed MessageTooBig"], output: FAIL_1009 },
        Vector { id: "R6455-10.4-a", input: "81 0B", events: &["failed MessageTooBig"], output: FAIL_1009 },
        Vector { id: "R6455-10.4-b", input: "82 0A 61*10", events: &["binary <61 61 61 61 61 61 61 61 61 61>"], output: "" },
        Vector { id: "R6455-10.4-b", input: "02 06 61 61 61 61 61 61 / 80 05", events: &["binary <61 61 61 61 61 61", "failed MessageTooBig"], output: FAIL_1009 },
        Vector { id: "R6455-10.4-b T11", input: "02 06 61 61 61 61 61 61 / 00 04 62 62 62 62 / 00 00 / 00 01", events: &["binary <61 61 61 61 61 61 62 62 62 62", "failed MessageTooBig"], output: FAIL_1009 },
        Vector { id: "R6455-10.4-b", input: "02 0A 61*10 / 80 00 / 81 0A 62*10", events: &["binary <61 61 61 61 61 61 61 61 61 61>", "text <bbbbbbbbbb>"], output: "" },
        // A whole small frame, and one that ends inside a code point.
        Vector { id: "R6455-10.4-a", input: "81 0B 61*11", events: &["failed MessageTooBig"], output: FAIL_1009 },
        Vector { id: "R6455-10.4-b", input: "01 0A 61*8 E2 82 / 80 01", events: &["text <aaaaaaaa", "failed MessageTooBig"], output: FAIL_1009 },
        Vector { id: "R6455-10.4-b", input: "01 09 61*7 E2 82 / 80 01 AC", events: &["text <aaaaaaa€>"], output: "" },
        // A Ping is not part of the message.
        Vector { id: "R6455-10.4-b", input: "02 06 61*6 / 89 05 63*5 / 80 04 62*4", events: &["binary <61 61 61 61 61 61", "ping 63 63 63 63 63", "binary 62 62 62 62>"], output: "8A 05 63*5" },
        // A fault of the header is reported before its size.
        Vector { id: "R6455-5.2-g", input: "82 7E 00 7D", events: &["failed LengthNotMinimal"], output: FAIL_1002 },
        Vector { id: "R6455-5.2-f", input: "82 7F FF", events: &["failed LengthOverflow"], output: FAIL_1002 },
    ];
    check(&vectors, &Config::new().max_message(10), Agreed::new());
}

#[test]
fn t10_declared_lengths_at_the_edges_take_no_memory_and_do_not_overflow() {
    let edges = [
        126,
        127,
        65_535,
        65_536,
        (1 << 31) - 1,
        1 << 31,
        1 << 32,
        1 << 53,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX,
    ];
    for length in edges {
        let header = match length {
            126..=0xFFFF => format!("82 7E {:02X} {:02X}", length >> 8, length & 0xFF),
            _ => {
                let bytes: Vec<_> =
                    length.to_be_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
                format!("82 7F {}", bytes.join(" "))
            }
        };
        for limit in [16 << 20, u64::MAX] {
            let (event, output): (&[_], _) = match length {
                _ if length >> 63 != 0 => (&["failed LengthOverflow"], FAIL_1002),
                _ if length > limit => (&["failed MessageTooBig"], FAIL_1009),
                _ => (&[], ""),
            };
            for client in [false, true] {
                let input = frames(&header, !client);
                let config = Config::new().max_message(limit);
                let outcome = every_cut(client, &config, Agreed::new(), &input);
                assert_eq!(outcome.events, event, "{header}");
                assert_eq!(outcome.output, hex(output), "{header}");
            }
        }
    }
}

#[test]
fn t10_lengths_of_two_fragments_do_not_overflow_together() {
    let vector = Vector {
        id: "T10",
        input: "02 01 61 / 80 7F 7F FF FF FF FF FF FF FF",
        events: &["binary <61"],
        output: "",
    };
    check([&vector], &Config::new().max_message(u64::MAX), Agreed::new());
    let vector =
        Vector { events: &["binary <61", "failed MessageTooBig"], output: FAIL_1009, ..vector };
    check([&vector], &Config::new().max_message(i64::MAX as u64), Agreed::new());
}

#[test]
fn r6455_5_1_b_an_unmasked_frame_fails_the_server_at_its_second_byte() {
    for input in ["81 00", "82 05", "89 00", "88 02", "81 7E"] {
        let outcome = every_cut(false, &Config::new(), Agreed::new(), &hex(input));
        assert_eq!(outcome.events, ["failed UnmaskedFrame"], "{input}");
        assert_eq!(outcome.output, hex(FAIL_1002));
    }
}

#[test]
fn r6455_5_1_d_a_masked_frame_fails_the_client_at_its_second_byte() {
    for input in ["81 80", "82 85", "89 80", "88 82", "81 FE"] {
        let outcome = every_cut(true, &Config::new(), Agreed::new(), &hex(input));
        assert_eq!(outcome.events, ["failed MaskedFrame"], "{input}");
        assert_eq!(outcome.output, hex(FAIL_1002));
    }
}

#[test]
fn t03_a_wrong_mask_bit_fails_before_any_payload() {
    let server = every_cut(false, &Config::new(), Agreed::new(), &hex("82 7E"));
    assert_eq!(server.events, ["failed UnmaskedFrame"]);
    let client = every_cut(true, &Config::new(), Agreed::new(), &hex("82 FE"));
    assert_eq!(client.events, ["failed MaskedFrame"]);
}

#[test]
fn r6455_5_3_d_every_key_is_taken_zero_included() {
    // The last key looks like a frame if a read begins with it.
    for key in ["00 00 00 00", "FF FF FF FF", "37 FA 21 3D", "82 82 00 00"] {
        let mut input = hex("82 85");
        let key = hex(key);
        input.extend(&key);
        input.extend([1, 2, 3, 4, 5].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        let outcome = every_cut(false, &Config::new(), Agreed::new(), &input);
        assert_eq!(outcome.events, ["binary <01 02 03 04 05>"], "{key:02X?}");
    }
}

#[test]
fn t09_every_sequence_class_has_the_same_verdict_at_every_cut_over_frames() {
    let texts: &[&[u8]] = &[
        "aé€😀z".as_bytes(),
        "\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}".as_bytes(),
        b"a\xC0\x80",
        b"a\xE0\x80\x80",
        b"\xE0\xA0\x80\xED\xA0\x80",
        b"\xF0\x80\x80\x80",
        b"\xF0\x90\x80\x80\xF4\x90\x80\x80",
        b"ab\xF8\x88\x80\x80\x80",
        b"\xEF\xBF",
        b"\xC3",
        b"ok\xE2\x28\xA1",
        b"\xF0\x9F\x98\x41",
    ];
    for text in texts {
        let (valid, events) = match std::str::from_utf8(text) {
            Ok(text) => (true, vec![format!("text <{text}>")]),
            Err(error) => {
                let valid = std::str::from_utf8(&text[..error.valid_up_to()]).unwrap();
                let piece = (!valid.is_empty()).then(|| format!("text <{valid}"));
                (false, piece.into_iter().chain(["failed InvalidUtf8".into()]).collect())
            }
        };
        for at in 0..=text.len() {
            let (front, back) = text.split_at(at);
            let fragments = [(0x01, front), (0x80, back)].map(|(first, payload)| {
                let mut frame = vec![first, payload.len() as u8];
                frame.extend(payload);
                frame
            });
            for client in [false, true] {
                let input: Vec<u8> = fragments
                    .iter()
                    .flat_map(|frame| if client { frame.clone() } else { common::mask(frame) })
                    .collect();
                let outcome = every_cut(client, &Config::new(), Agreed::new(), &input);
                assert_eq!(outcome.events, events, "{text:02X?} at {at}");
                assert_eq!(outcome.output.is_empty(), valid);
            }
        }
    }
}

#[test]
fn t62_any_bytes_cut_anywhere_give_the_same_events() {
    // Random frames, the same in each run: mostly valid, of all kinds, and short.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % below
    };
    let firsts = [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0x83, 0x09, 0xC1];
    let bytes = ["a".as_bytes(), "é".as_bytes(), "€".as_bytes(), "😀".as_bytes(), b"\xFF"];
    for _ in 0..3000 {
        let mut input = Vec::new();
        for _ in 0..random(6) {
            let mut payload = Vec::<u8>::new();
            for _ in 0..random(5) {
                let bad = u64::from(random(8) == 0);
                payload.extend(bytes[random(4 + bad) as usize]);
            }
            payload.truncate(payload.len().saturating_sub(random(8) as usize / 6));
            let likely = if random(4) == 0 { 12 } else { 9 };
            let mut frame = vec![firsts[random(likely) as usize], payload.len() as u8];
            frame.extend(payload);
            // The second key looks like a frame if a read begins with it.
            let keys = [[0x37, 0xFA, 0x21, 0x3D], [0x82, 0x82, 0, 0]];
            input.extend(common::mask_with(&frame, keys[random(2) as usize]));
        }
        every_cut(false, &Config::new().max_message(30), Agreed::new(), &input);
    }
}
