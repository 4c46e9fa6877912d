//! A call fails only for its documented reason. A failed call writes nothing and changes no state
//! that the connection shows. Without a masking key, no call writes anything.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "model/pair.rs"]
mod pair;

use std::str;

use libfuzzer_sys::fuzz_target;
use pair::{Call, Called, Watch};
use websocket_proto::{SendError, State};

struct Reasons;

impl Watch for Reasons {
    fn called(&mut self, it: &Called<'_>) {
        let Some(call) = it.call else { unreachable!() };
        if let Err(error) = it.result {
            assert!(match (error, call) {
                (SendError::NoMaskKey, _) => it.keys.1 == 0,
                (SendError::Full, call) => matches!(call, Call::NoRoom(..)),
                (SendError::InvalidUtf8, Call::Frame(data, true, _)) =>
                    str::from_utf8(data).is_err(),
                (SendError::ControlTooLong, Call::Ping(payload) | Call::Pong(payload)) =>
                    payload.len() > 125,
                (SendError::InvalidCloseCode, Call::Close(code, _)) => *code == 1010,
                (SendError::MessageOpen, _) => it.before.0 == State::Open && it.open,
                (SendError::Closing, _) => it.before.0 != State::Open,
                _ => false,
            });
        }
        nothing_is_left(it);
    }

    fn transmitted(&mut self, it: &Called<'_>) {
        match it.result {
            Ok(()) => assert!(!it.after.2),
            error => assert_eq!((error, it.keys.1), (Err(SendError::NoMaskKey), 0)),
        }
        nothing_is_left(it);
    }
}

fn nothing_is_left(it: &Called<'_>) {
    if it.result.is_err() {
        assert_eq!((it.length, it.before), (0, it.after));
    }
    assert!(it.keys.0 > 0 || it.length == 0, "a frame without a key");
}

fuzz_target!(|input: (u16, Vec<(bool, Call<'_>)>)| {
    pair::run(input.0, &input.1, &mut Reasons, |_| {});
});
