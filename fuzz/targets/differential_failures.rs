//! Tungstenite fails in the same frame as we do, for the same reason, and never where we do not. Where
//! we fail and it goes on, waits, or gives another reason, the frame breaks a rule listed below.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "model/frames.rs"]
mod frames;

use frames::{Frame, LIMIT, REPLACED, Seen, both, only_the_last_is_short};
use libfuzzer_sys::fuzz_target;
use websocket_proto::Violation;

impl Frame<'_> {
    /// Whether tungstenite has no such rule, or keeps it otherwise, and the frame breaks it.
    fn is_unknown(&self, violation: Violation) -> bool {
        let (bytes, enough) = self.length_bytes();
        match violation {
            // §5.2: the shortest form. It takes a length in any.
            Violation::LengthNotMinimal => bytes > enough,
            // §5.5: 125 bytes at most, so no longer form. It looks at the number, not at the form.
            Violation::ControlTooLong => self.declared() <= 125 && bytes > 0,
            // §5.2: the top bit is 0. To it the length is a number, and one over its limit.
            Violation::LengthOverflow => self.has_top_bit(),
            // §7.4: a code that may not be sent. See `REPLACED`.
            Violation::InvalidCloseCode(code) => {
                matches!(code, 0..=999 | 1004..=1006 | 1015..=2999 | 5000..)
            }
            _ => false,
        }
    }

    /// Whether both may fail at this frame, we for `ours` and tungstenite for `theirs`: it has more
    /// than one fault, and we tell the one that comes first in it (§7.1.7: at once).
    fn has_both(&self, ours: Violation, theirs: Violation) -> bool {
        use Violation::*;
        let first = matches!(
            ours,
            ReservedBit | FragmentedControl | UnexpectedContinuation | ExpectedContinuation
        );
        let second = matches!(ours, UnmaskedFrame | MaskedFrame | ControlTooLong);
        match theirs {
            _ if ours == theirs => true,
            // Of that it tells nothing, but what it finds behind the header, or of its length.
            MessageTooBig | ControlTooLong | InvalidUtf8 | InvalidCloseReason
            | TruncatedCloseCode
                if self.is_unknown(ours) =>
            {
                true
            }
            // It looks at the length of a frame first, if not at the opcode,
            MessageTooBig => (self.declared() > LIMIT || self.has_top_bit()) && (first || second),
            // then at the mask of a client, the bits, the mask of a server, and the rest.
            UnmaskedFrame => first,
            MaskedFrame => first && ours != ReservedBit,
            _ => false,
        }
    }
}

/// Compares what came of the frames here with what comes of them there.
fn compare(frames: &[Frame<'_>], ours: &Seen, run: &dyn Fn(&[Frame<'_>]) -> Seen) {
    let theirs = run(frames);
    let Some((at, violation)) = ours.1 else { return assert_eq!(theirs.1, None) };
    let frame = &frames[at];
    let after = theirs.0.get(ours.0.len()..).expect("as many messages up to the failure");
    let excused = match theirs.1 {
        Some((their, reason)) if their == at => {
            after.is_empty() && frame.has_both(violation, reason)
        }
        Some((their, _)) if their < at => false,
        // tungstenite checks a frame once it has fully arrived, except its opcode and its length.
        None if frame.is_short() && after.is_empty() => match violation {
            Violation::ReservedOpcode | Violation::LengthOverflow => false,
            Violation::MessageTooBig if frame.declared() > LIMIT => false,
            // So it has to find the same once it is there.
            _ => {
                let payload = [frame.payload, &[b'a'; 15][..frame.more.into()]].concat();
                let whole = Frame { payload: &payload, more: 0, ..*frame };
                return compare(&[&frames[..at], &[whole]].concat(), ours, run);
            }
        },
        _ if !frame.is_unknown(violation) => false,
        None if matches!(violation, Violation::InvalidCloseCode(_)) => after == [REPLACED],
        _ => matches!(violation, Violation::LengthNotMinimal | Violation::ControlTooLong),
    };
    assert!(excused, "{ours:?} {theirs:?}");
}

fuzz_target!(|input: (bool, Vec<Frame<'_>>)| {
    let (masked, mut frames) = input;
    only_the_last_is_short(&mut frames);
    both(masked, &frames, |ours, run| compare(&frames, ours, run));
});
