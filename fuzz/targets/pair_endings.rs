//! When everything has arrived and neither side was cut off, both sides are open, or both ended
//! cleanly with the code that the other one sent.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "model/pair.rs"]
mod pair;

use libfuzzer_sys::fuzz_target;
use pair::{Call, Watch};
use websocket_proto::{Initiator, NextStep, State};

struct Nothing;

impl Watch for Nothing {}

fuzz_target!(|input: (u16, Vec<(bool, Call<'_>)>)| {
    pair::run(input.0, &input.1, &mut Nothing, |end| {
        assert!(end.server.wire.is_empty() && end.client.wire.is_empty());
        let told = (end.server.told(), end.client.told());
        let open = (State::Open, NextStep::Continue, false);
        if end.cut_off || told == (open, open) {
            return;
        }
        let server_ends = (State::Closing, NextStep::ShutdownWrite, false);
        assert_eq!(told, (server_ends, (State::Closing, NextStep::AwaitEof, false)));
        let (server, client) = (&mut end.server.connection, &mut end.client.connection);
        server.write_ended();
        assert_eq!(server.next_step(), NextStep::AwaitEof);
        client.receive_eof();
        assert_eq!(client.next_step(), NextStep::Drop);
        server.receive_eof();
        assert_eq!(server.next_step(), NextStep::Drop);
        let ends = (server.closure().unwrap(), client.closure().unwrap());
        assert!(ends.0.clean && ends.1.clean);
        assert_eq!((ends.0.sent, ends.1.sent), (Some(ends.1.code), Some(ends.0.code)));
        assert!([ends.0, ends.1].iter().any(|end| end.initiator == Some(Initiator::Local)));
    });
});
