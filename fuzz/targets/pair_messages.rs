//! Whatever is called on a connected pair, each side receives exactly the messages and Pings that
//! the other sent before its Close, in order. Of the Pongs that answer its Pings, at least the
//! latest arrives.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "model/pair.rs"]
mod pair;

use libfuzzer_sys::fuzz_target;
use pair::{Call, Item, Watch};
use websocket_proto::{NextStep, State};

struct Same;

impl Watch for Same {
    fn received(&mut self, sent: Option<Item>, received: Item) {
        assert_eq!(sent, Some(received));
    }

    fn pong(&mut self, sent: Option<Vec<u8>>, received: &[u8]) {
        assert_eq!(sent.as_deref(), Some(received));
    }

    fn closed(&mut self, left: usize) {
        assert_eq!(left, 0);
    }
}

fuzz_target!(|input: (u16, Vec<(bool, Call<'_>)>)| {
    pair::run(input.0, &input.1, &mut Same, |end| {
        let open = [end.server.told(), end.client.told()]
            .iter()
            .all(|told| *told == (State::Open, NextStep::Continue, false));
        if open || !end.cut_off {
            assert!(end.server.expected.is_empty() && end.client.expected.is_empty());
        }
        if open {
            assert!(end.server.pongs.is_empty() && end.client.pongs.is_empty());
        }
    });
});
