//! Tungstenite receives the same messages from the same frames, up to the first that this crate
//! refuses.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "model/frames.rs"]
mod frames;

use frames::{Frame, REPLACED, Seen, both, only_the_last_is_short};
use libfuzzer_sys::fuzz_target;

fn compare(ours: &Seen, theirs: &Seen) {
    let (mut messages, all) = (ours.0.clone(), &theirs.0);
    match (ours.1, theirs.1) {
        (None, _) => {
            // IANA has registered 1014, but tungstenite does not know it.
            if let Some(last) = messages.last_mut().filter(|last| last.starts_with("close 1014 ")) {
                *last = REPLACED.to_owned();
            }
            assert_eq!(&messages, all);
        }
        (Some((at, _)), Some((their, _))) if their <= at => assert_eq!(&messages, all),
        // Tungstenite may go on after the frame that this crate refuses.
        _ => assert!(all.starts_with(&messages), "{ours:?} {theirs:?}"),
    }
}

fuzz_target!(|input: (bool, Vec<Frame<'_>>)| {
    let (masked, mut frames) = input;
    only_the_last_is_short(&mut frames);
    both(masked, &frames, |ours, run| compare(ours, &run(&frames)));
});
