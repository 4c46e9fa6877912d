//! The board runs the server with `embedded-websocket`.
#![no_std]
#![no_main]

use core::hint::black_box;

use footprint::{Line, embedded};

#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    loop {
        black_box(embedded::serve(&mut Line));
    }
}
