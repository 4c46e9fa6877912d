//! What the crate adds with the feature `alloc`: outputs and messages on the heap, codecs, and messages
//! that are prepared. Here the allocator is there to be called; what it panics for is listed.
#![no_std]
#![no_main]

extern crate alloc;

mod unknown;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};

use unknown::{any, buffer, bytes, see, text};
use websocket_proto::{
    Agreed, Client, Compress, Config, Connection, Data, Decompress, Deflate, Deflater, Event,
    InflateError, Inflater, Messages, Prepared, Progress, Role, Server, WindowBits,
};

/// That of the C library.
struct Malloc;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn free(block: *mut u8);
}

// SAFETY: no type here is aligned to more than what `malloc` gives.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { malloc(layout.size()) }
    }
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        unsafe { free(block) }
    }
}

#[global_allocator]
static MALLOC: Malloc = Malloc;

/// A codec that says whatever it likes.
struct AnyCodec;

impl Decompress for AnyCodec {
    fn reset(&mut self) {
        see(());
    }
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        see(input);
        see(&mut *output);
        let progress = any(Progress::new(any(0), any(0))).with_ended(any(false));
        if any(false) { progress.with_fault(any(InflateError::Corrupt)) } else { progress }
    }
    fn finish(&mut self, expected: &[u8]) -> bool {
        see(expected);
        any(true)
    }
}

impl Compress for AnyCodec {
    fn reset(&mut self, window: WindowBits) {
        see(window);
    }
    fn bound(&self, length: usize) -> usize {
        any(length)
    }
    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        see(input);
        see(&mut *output);
        any(Some(0))
    }
}

fn drive<R: Role>(connection: &mut Connection<R>) {
    let mut out: Vec<u8> = any(Vec::new());
    let mut messages = any(Messages::keeping(any(0)).in_place(any(0)));
    let mut own = any(Inflater::own(AnyCodec));
    let mut shared = any(Inflater::shared(AnyCodec));
    let mut deflater = any(Deflater::own(AnyCodec)).threshold(any(0));
    let mut input = buffer();
    while any(true) {
        while let Some(message) = messages.receive(connection, &mut input) {
            see(message);
        }
        for inflater in [&mut own, &mut shared] {
            while let Some(message) = messages.receive_inflated(connection, inflater, &mut input) {
                see(message);
            }
        }
        while let Some(event) = connection.receive(&mut input) {
            if let Event::Compressed(mut piece) = event {
                while let Some(event) = own.inflate(connection, &mut piece) {
                    see(event);
                }
            }
        }
        own.reset();
        see(connection.send_text(text(), &mut out));
        see(connection.send_fragment(any(Data::Text(text())), any(true), &mut out));
        see(connection.send_compressed(any(Data::Text(text())), &mut deflater, &mut out));
        let data = any(Data::Binary(bytes()));
        see(connection.send_compressed_fragment(data, any(true), &mut deflater, &mut out));
        see(connection.ping(bytes(), &mut out));
        see(connection.transmit(&mut out));
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let agreed = any(Agreed::new().deflate(any(Deflate::new())));
    let config = any(Config::new().max_message(any(0)));
    let mut server = any(Connection::new(Server, &config, agreed));
    drive(&mut server);
    see(server.prepared(&any(Prepared::new(any(Data::Text(text()))))));
    drive(&mut any(Connection::new(Client(|| any([0; 4])), &config, agreed)));
    0
}
