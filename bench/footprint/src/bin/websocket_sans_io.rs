//! The board runs the server with `websocket-sans-io`.
#![no_std]
#![no_main]

use core::hint::black_box;

use footprint::{Line, sans_io};

#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    loop {
        black_box(sans_io::serve(&mut Line));
    }
}
