//! Receiving masked frames as a server, beside tungstenite, in one process and in turns:
//! `cargo run --release` in this folder prints nanoseconds per frame, the best and the median of
//! the rounds.
//!
//! The wire is at least 16 MiB, delivered in reads of 16 KiB that are copied into a receive buffer,
//! for both peers alike. Each round checks how many messages and bytes came out.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    time::Instant,
};

use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use websocket_proto::{Agreed, Config, Connection, Message, Messages, Server};

const READ: usize = 16 << 10;
const ROUNDS: usize = 15;

struct Load {
    name: &'static str,
    text: bool,
    payload: Vec<u8>,
    wire: Vec<u8>,
    frames: usize,
}

impl Load {
    fn new(name: &'static str, text: bool, payload: Vec<u8>) -> Self {
        let mut frame = vec![if text { 0x81 } else { 0x82 }];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length @ 126..=0xFFFF => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let key = [0x37, 0xFA, 0x21, 0x3D];
        frame.extend(key);
        frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        let frames = (16_usize << 20).div_ceil(frame.len());
        Load { name, text, payload, wire: frame.repeat(frames), frames }
    }

    fn check(&self, messages: usize, bytes: usize) {
        assert_eq!(messages, self.frames);
        assert_eq!(bytes, self.frames * self.payload.len());
    }
}

fn ours(load: &Load) {
    let mut connection = Connection::new(Server, &Config::new(), Agreed::new());
    let mut messages = Messages::new();
    let mut buffer = vec![0; READ];
    let (mut count, mut bytes) = (0, 0);
    for read in load.wire.chunks(READ) {
        let mut input = &mut buffer[..read.len()];
        input.copy_from_slice(black_box(read));
        while let Some(message) = messages.receive(&mut connection, &mut input) {
            match message {
                Message::Text(text) => bytes += black_box(text).len(),
                Message::Binary(data) => bytes += black_box(data).len(),
                other => panic!("{other:?}"),
            }
            count += 1;
        }
    }
    load.check(count, bytes);
}

/// A transport that reads the wire in pieces of at most 16 KiB.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(READ).min(buffer.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (now, rest) = self.0.split_at(length);
        buffer[..length].copy_from_slice(black_box(now));
        self.0 = rest;
        Ok(length)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenite(load: &Load) {
    let config = WebSocketConfig::default().read_buffer_size(READ);
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut wire = Wire(&load.wire);
    let (mut count, mut bytes) = (0, 0);
    while let Ok(message) = context.read(&mut wire) {
        bytes += black_box(message).len();
        count += 1;
    }
    load.check(count, bytes);
}

fn main() {
    let json = |length| {
        br#"{"id":12345,"name":"value","list":[1,2,3]},"#.iter().copied().cycle().take(length).collect()
    };
    let loads = [
        Load::new("16 B binary", false, vec![0x5A; 16]),
        Load::new("32 B text", true, json(32)),
        Load::new("125 B text", true, json(125)),
        Load::new("1 KiB text", true, json(1 << 10)),
        Load::new("1 KiB text, multi-byte", true, "κόσμε".bytes().cycle().take(1020).collect()),
        Load::new("16 KiB binary", false, vec![0x5A; 16 << 10]),
        Load::new("16 KiB text", true, json(16 << 10)),
    ];
    println!("ns per frame: best / median of {ROUNDS} rounds, in turns");
    println!("{:24}{:>22}{:>22}", "", "websocket-proto", "tungstenite");
    for load in &loads {
        let peers: [fn(&Load); 2] = [ours, tungstenite];
        let mut times = [const { Vec::new() }; 2];
        for _ in 0..ROUNDS {
            for (peer, times) in peers.iter().zip(&mut times) {
                let start = Instant::now();
                peer(load);
                times.push(start.elapsed().as_nanos() as f64 / load.frames as f64);
            }
        }
        print!("{:24}", load.name);
        for times in &mut times {
            times.sort_by(f64::total_cmp);
            print!("{:>22}", format!("{:.1} / {:.1}", times[0], times[ROUNDS / 2]));
        }
        println!("{}", if load.text { "  (both validate UTF-8)" } else { "" });
    }
}
