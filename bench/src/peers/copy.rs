//! The minimum for every peer: one copy of all bytes.

use std::{hint::black_box, iter};

use super::{Kind, Peer, Run, Ways, nothing};
use crate::{
    loads::{Bench, Load},
    measure::Output,
    wire::{READ, Source, buffer_size},
};

pub const PEER: Peer = Peer {
    name: "copy",
    kind: Kind::Copy,
    note: "the reads copied into a buffer, or the payloads behind each other into one of 16 KiB or \
           a message; the best of several alignments",
    skips: nothing,
    ways,
};

/// The offsets of the memory that is copied from, and of the memory that is copied to.
const ALIGNMENTS: [(usize, usize); 6] = [(0, 0), (0, 1), (1, 0), (0, 16), (16, 0), (8, 40)];

fn ways(load: &Load) -> Ways<'_> {
    let way = |(from, to)| match load.bench {
        Bench::ReceiveServer | Bench::ReceiveClient => {
            let mut buffer = vec![1; to + READ];
            Ok(Box::new(move |output: &mut Output| {
                receive(&load.wire, from, &mut buffer[to..], output);
            }) as Run)
        }
        Bench::SendServer | Bench::SendClient => {
            let payloads: Vec<_> =
                load.messages.iter().map(|message| moved(&message.bytes, from)).collect();
            // The memory has been written to before.
            let longest = payloads.iter().map(Vec::len).max().unwrap_or_default();
            let mut buffer = vec![1; to + READ + longest];
            Ok(Box::new(move |output: &mut Output| {
                send(load, &payloads, from, &mut buffer[to..], output);
            }) as Run)
        }
        Bench::PipeServer | Bench::PipeClient => {
            let mut buffer = vec![1; to + buffer_size(load)];
            Ok(Box::new(move |output: &mut Output| {
                let mut source = Source::of(load);
                while let Some(read) = source.read(&mut buffer[to..]) {
                    output.part(read);
                }
            }) as Run)
        }
        _ => Err("more than a copy has to be done"),
    };
    ALIGNMENTS.into_iter().map(way).collect()
}

/// Copies `bytes` to an offset, so that their alignment differs.
fn moved(bytes: &[u8], by: usize) -> Vec<u8> {
    [&vec![0; by], bytes].concat()
}

#[inline(never)]
fn receive(wire: &[u8], from: usize, buffer: &mut [u8], output: &mut Output) {
    // The source is the memory that all peers read, which caches may contain. The first read is
    // short.
    let (first, rest) = wire.split_at(from);
    for read in iter::once(first).chain(rest.chunks(READ)) {
        let target = &mut buffer[..read.len()];
        target.copy_from_slice(black_box(read));
        output.part(target);
    }
}

#[inline(never)]
fn send(load: &Load, payloads: &[Vec<u8>], from: usize, buffer: &mut [u8], output: &mut Output) {
    let mut end = 0;
    for payload in load.order(payloads) {
        let payload = &black_box(payload)[from..];
        buffer[end..end + payload.len()].copy_from_slice(payload);
        end += payload.len();
        if end >= READ {
            output.part(&buffer[..end]);
            end = 0;
        }
    }
    output.part(&buffer[..end]);
}
