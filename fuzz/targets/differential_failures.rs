//! Tungstenite fails at the same frame as this crate and for the same reason. If only this crate
//! fails, or the reasons differ, the frame breaks a rule listed below.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "model/frames.rs"]
mod frames;

use frames::{Frame, LIMIT, REPLACED, Seen, both, only_the_last_is_short};
use libfuzzer_sys::fuzz_target;
use websocket_proto::Violation;

impl Frame<'_> {
    /// Whether the frame breaks this rule in a way that tungstenite does not check.
    fn is_unknown(&self, violation: Violation) -> bool {
        let (bytes, enough) = self.length_bytes();
        match violation {
            // §5.2: a length has the shortest form. Tungstenite accepts every form.
            Violation::LengthNotMinimal => bytes > enough,
            // §5.5: at most 125 bytes, so no longer form. Tungstenite checks the number alone.
            Violation::ControlTooLong => self.declared() <= 125 && bytes > 0,
            // §5.2: the top bit is 0. To tungstenite such a length is merely over the limit.
            Violation::LengthOverflow => self.has_top_bit(),
            // §7.4: some codes may not be sent. Tungstenite does not fail: see `REPLACED`.
            Violation::InvalidCloseCode(code) => {
                matches!(code, 0..=999 | 1004..=1006 | 1015..=2999 | 5000..)
            }
            _ => false,
        }
    }

    /// Whether one frame may fail with `ours` here and with `theirs` in tungstenite. Such a frame
    /// has several faults, and this crate reports the first one (§7.1.7: immediately).
    fn has_both(&self, ours: Violation, theirs: Violation) -> bool {
        use Violation::*;
        let first = matches!(
            ours,
            ReservedBit | FragmentedControl | UnexpectedContinuation | ExpectedContinuation
        );
        let second = matches!(ours, UnmaskedFrame | MaskedFrame | ControlTooLong);
        match theirs {
            _ if ours == theirs => true,
            // Tungstenite misses our fault, and reports one of the length or of the payload.
            MessageTooBig | ControlTooLong | InvalidUtf8 | InvalidCloseReason
            | TruncatedCloseCode
                if self.is_unknown(ours) =>
            {
                true
            }
            // Tungstenite checks the opcode, then the length, a client's missing mask, the reserved
            // bits, a server's mask, and the rest.
            MessageTooBig => (self.declared() > LIMIT || self.has_top_bit()) && (first || second),
            UnmaskedFrame => first,
            MaskedFrame => first && ours != ReservedBit,
            _ => false,
        }
    }
}

/// Compares the results of this crate with those of tungstenite.
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
        // Tungstenite checks a frame once it has fully arrived, except its opcode and its length.
        None if frame.is_short() && after.is_empty() => match violation {
            Violation::ReservedOpcode | Violation::LengthOverflow => false,
            Violation::MessageTooBig if frame.declared() > LIMIT => false,
            // It has to find the same fault once the frame has arrived.
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
