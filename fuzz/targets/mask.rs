//! Compares masking and unmasking, for any key, length, alignment and split, with masking byte by
//! byte.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{frame, mask_with};
use libfuzzer_sys::fuzz_target;
use websocket_proto::{Agreed, Client, Config, Connection, Event, Kind, Server};

fuzz_target!(|input: ([u8; 4], u8, u8, &[u8])| {
    let (key, place, cut, payload) = input;
    let wire = mask_with(&frame(0x82, payload), key);

    let mut client = Connection::new(Client(|| key), &Config::new(), Agreed::new());
    let mut out = vec![0; usize::from(place)];
    client.send_binary(payload, &mut out).unwrap();
    assert_eq!(out[usize::from(place)..], wire);

    let mut client = Connection::new(Client(|| key), &Config::new(), Agreed::new());
    let mut in_place = [&vec![0; usize::from(place)], payload].concat();
    let (_, behind) = in_place.split_at_mut(place.into());
    let header = client.frame_in_place(Kind::Binary, true, behind).unwrap();
    assert_eq!([&header, &*behind].concat(), wire);

    let mut server = Connection::new(Server, &Config::new(), Agreed::new());
    let mut received = Vec::new();
    for read in wire.chunks(usize::from(cut).max(1)) {
        let mut buffer = [&vec![0; usize::from(place)], read].concat();
        let (_, mut input) = buffer.split_at_mut(place.into());
        while let Some(event) = server.receive(&mut input) {
            let Event::Binary(data) = event else { panic!("{event:?}") };
            received.extend_from_slice(&data);
        }
    }
    assert_eq!(received, payload);
});
