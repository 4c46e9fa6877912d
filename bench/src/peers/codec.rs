//! The codec of compressed messages without frames: zlib-rs.

use std::hint::black_box;

use zlib_rs::{DeflateFlush, InflateFlush};

use super::{Kind, Peer, nothing, way};
use crate::{
    loads::{Bench, Load},
    measure::Output,
};

pub const PEER: Peer = Peer {
    name: "codec",
    kind: Kind::Codec,
    note: "zlib-rs, no frames; a compressed message lies whole in memory, with its tail",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::DeflateReceive => way(|output| receive(load, output, |text| black_box(text).len())),
        Bench::DeflateSend => way(|output| send(load, output)),
        _ => Err("for compressed messages only"),
    },
};

pub const LOOKING: Peer = Peer {
    name: "codec + utf-8",
    kind: Kind::Codec,
    note: "the same, and the text is looked at",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::DeflateReceive => way(|output| {
            receive(load, output, |text| simdutf8::basic::from_utf8(text).unwrap().len());
        }),
        Bench::DeflateSend => Err("no text to look at"),
        _ => Err("for compressed messages only"),
    },
};

#[inline(never)]
fn receive(load: &Load, output: &mut Output, look: impl Fn(&[u8]) -> usize) {
    let deflate = load.deflate.as_ref().unwrap();
    let mut codec = zlib_rs::Inflate::new(false, 15);
    // The room is larger than needed, because near its end zlib-rs writes byte by byte.
    let mut room = vec![0; 2 * deflate.size];
    for message in deflate.compressed() {
        if !deflate.takeover {
            codec.reset(false);
        }
        let before = codec.total_out();
        codec.decompress(black_box(message), &mut room, InflateFlush::NoFlush).unwrap();
        let text = &room[..(codec.total_out() - before) as usize];
        look(text);
        output.message(text);
    }
}

#[inline(never)]
fn send(load: &Load, output: &mut Output) {
    let deflate = load.deflate.as_ref().unwrap();
    let mut codec = deflate.codec();
    let mut room = vec![0; 2 * deflate.size];
    for message in load.in_order() {
        if !deflate.takeover {
            codec.reset();
        }
        let before = codec.total_out();
        codec.compress(black_box(&message.bytes), &mut room, DeflateFlush::SyncFlush).unwrap();
        output.message(&room[..(codec.total_out() - before) as usize]);
    }
}
