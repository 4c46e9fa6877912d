//! The board: a serial line that is nothing but memory the compiler cannot see through.
#![no_std]
#![no_main]
#![allow(unused_attributes, reason = "the example is a crate of its own elsewhere")]

#[path = "../../examples/bare.rs"]
mod bare;

use core::hint::black_box;

struct Line;

impl bare::Link for Line {
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        black_box(buffer).len()
    }
    fn write(&mut self, bytes: &[u8]) {
        black_box(bytes);
    }
    fn shutdown(&mut self) {}
}

#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    loop {
        black_box(bare::serve(&mut Line));
    }
}
