//! websocket-sans-io: headers and masking only. The rest is left to the caller.

use std::hint::black_box;

use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use super::{Keys, Kind, NO_COMPRESSION, NO_HANDSHAKE, Peer, way};
use crate::{
    loads::{Bench, Load},
    measure::Output,
    wire::{READ, reads},
};

pub const PEER: Peer = Peer {
    name: "websocket-sans-io",
    kind: Kind::Peer,
    note: "hands out pieces as they arrive; looks at no text, checks no order of frames, no limits",
    skips: |load| match load.bench {
        Bench::ReceiveServer | Bench::ReceiveClient | Bench::Echo => {
            Some("no joining, no look at UTF-8, no rules")
        }
        _ => None,
    },
    ways: |load| match load.bench {
        Bench::ReceiveServer | Bench::ReceiveClient => way(|output| receive(load, output)),
        Bench::SendServer => way(|output| send(load, output, || None)),
        Bench::SendClient => way(|output| {
            let mut keys = Keys::default();
            send(load, output, || Some(keys.draw()));
        }),
        Bench::Echo if load.fragmented => Err("does not join fragments"),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::PipeServer | Bench::PipeClient => Err("does not read"),
        Bench::Connections => Err("is measured with few"),
        Bench::HandshakeServer | Bench::HandshakeClient => Err(NO_HANDSHAKE),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    },
};

/// Decodes `input`, and passes each event on with its piece of payload.
#[inline]
fn decode(
    decoder: &mut WebsocketFrameDecoder,
    mut input: &mut [u8],
    mut event: impl FnMut(WebsocketFrameEvent, &[u8]),
) {
    loop {
        let taken = decoder.add_data(input).unwrap();
        let (piece, rest) = input.split_at_mut(taken.consumed_bytes);
        match taken.event {
            Some(it) => event(it, piece),
            None if rest.is_empty() => break,
            None => {}
        }
        input = rest;
    }
}

#[inline(never)]
fn receive(load: &Load, output: &mut Output) {
    let mut decoder = WebsocketFrameDecoder::new();
    let mut buffer = vec![0; READ];
    for read in reads(&load.wire) {
        let input = &mut buffer[..read.len()];
        input.copy_from_slice(read);
        decode(&mut decoder, input, |event, piece| match event {
            WebsocketFrameEvent::Start { .. } => {}
            WebsocketFrameEvent::PayloadChunk { .. } => output.part(piece),
            WebsocketFrameEvent::End { frame_info, .. } => {
                output.messages += usize::from(frame_info.fin);
            }
        });
    }
}

#[inline(never)]
fn send(load: &Load, output: &mut Output, mut key: impl FnMut() -> Option<[u8; 4]>) {
    let mut encoder = WebsocketFrameEncoder::new();
    let mut out = Vec::new();
    for message in load.in_order() {
        let payload = &*black_box(message).bytes;
        let frame = FrameInfo {
            opcode: if message.text.is_some() { Opcode::Text } else { Opcode::Binary },
            payload_length: payload.len() as u64,
            mask: key(),
            fin: true,
            reserved: 0,
        };
        out.extend_from_slice(&encoder.start_frame(&frame));
        let start = out.len();
        out.extend_from_slice(payload);
        encoder.transform_frame_payload(&mut out[start..]);
        output.messages += 1;
        if out.len() >= READ {
            output.write(&mut out);
        }
    }
    output.write(&mut out);
}

#[inline(never)]
fn echo(load: &Load, output: &mut Output) {
    let mut decoder = WebsocketFrameDecoder::new();
    let mut encoder = WebsocketFrameEncoder::new();
    let mut buffer = vec![0; READ];
    let mut out = Vec::new();
    for read in reads(&load.wire) {
        let input = &mut buffer[..read.len()];
        input.copy_from_slice(read);
        decode(&mut decoder, input, |event, piece| match event {
            WebsocketFrameEvent::Start { frame_info, .. } => {
                let frame = FrameInfo { mask: None, ..frame_info };
                out.extend_from_slice(&encoder.start_frame(&frame));
            }
            WebsocketFrameEvent::PayloadChunk { .. } => out.extend_from_slice(piece),
            WebsocketFrameEvent::End { frame_info, .. } => {
                output.messages += usize::from(frame_info.fin);
            }
        });
        output.write(&mut out);
    }
}
