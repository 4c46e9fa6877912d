//! The board runs `examples/bare.rs`.
#![no_std]
#![no_main]

use core::hint::black_box;

use footprint::{Line, bare};

#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    loop {
        black_box(bare::serve(&mut Line));
    }
}
