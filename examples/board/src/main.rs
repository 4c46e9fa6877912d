//! An echo server on a microcontroller, whose serial line `bridge.py` connects to TCP.
//!
//! `bash .ci/steps.sh board` builds the program for both boards and runs it under QEMU. Each start
//! serves one connection, because a serial line has no end of stream. Then the program prints how
//! the connection ended and the largest depth of the stack.

#![no_std]
#![no_main]

mod hardware;

use core::fmt::Debug;

use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, heprintln};
use websocket_proto_embedded::blocking::WebSocket;
use websocket_proto_embedded::embedded_io::{Read, Write};
use websocket_proto_embedded::{AcceptOptions, Buffers, Error, Server};

/// The longest message.
const MESSAGE: usize = 1024;

type Socket<'b, T, C> = WebSocket<'b, T, C, Server>;

/// Makes a server over `transport`, and calls `serve` with it.
fn with_server<T: Read + Write, C: FnMut() -> u32, V>(
    transport: T,
    millis: C,
    serve: impl FnOnce(&mut Socket<'_, T, C>) -> V,
) -> V {
    let (mut input, mut message, mut output) = ([0; 1024], [0; MESSAGE], [0; MESSAGE + 14]);
    let buffers = Buffers { input: &mut input, message: &mut message, output: &mut output };
    serve(&mut WebSocket::server(transport, millis, buffers))
}

/// Echoes what is received until the connection ends.
fn echo<T: Read + Write, C: FnMut() -> u32>(
    ws: &mut Socket<'_, T, C>,
) -> Result<(), Error<T::Error>> {
    while ws.wait()? {
        while let Some((message, sender)) = ws.receive() {
            if let Some(data) = message.data() {
                // The buffer has room for the echo, so this fails only once the connection closes.
                let _ = sender.send(data);
            }
        }
    }
    Ok(())
}

fn serve() {
    let ended = with_server(hardware::Uart, hardware::millis, |ws| {
        ws.accept(|_| Ok(AcceptOptions::new()))?;
        echo(ws)?;
        Ok::<_, Error<_>>(ws.connection().closure())
    });
    report(ended);
}

#[inline(never)]
fn report(ended: impl Debug) {
    let stack = hardware::stack();
    heprintln!("stack {} {:?}", stack, ended);
}

/// Prints how many instructions an echo takes, on an emulator that counts them as time.
fn measure() {
    for (length, cut) in [(0, false), (16, false), (125, false), (125, true)] {
        let ticks = with_server(
            Frames::new(length, cut),
            || 0,
            |ws| {
                let before = hardware::ticks();
                let _ = echo(ws);
                before.wrapping_sub(hardware::ticks()) & 0xFF_FFFF
            },
        );
        let count = ticks.saturating_mul(hardware::TENTHS) / 10 / u32::from(Frames::COUNT);
        let way = if cut { "in two reads" } else { "in one read" };
        heprintln!("instructions {} for an echo of {} bytes {}", count, length, way);
    }
}

#[entry]
fn main() -> ! {
    hardware::start();
    if cfg!(feature = "measure") {
        measure()
    } else {
        serve()
    }
    loop {
        debug::exit(debug::EXIT_SUCCESS);
    }
}

/// A peer that repeats the same text.
struct Frames {
    frame: [u8; 6 + 125],
    length: usize,
    read: usize,
    cut: bool,
    left: u16,
}

impl Frames {
    const COUNT: u16 = 100;

    fn new(length: u8, cut: bool) -> Self {
        let mut frame = [b'a' ^ 1; 6 + 125];
        for (at, byte) in [0x81, 0x80 | length, 1, 1, 1, 1].into_iter().enumerate() {
            frame[at] = byte;
        }
        Frames { frame, length: 6 + usize::from(length), read: 0, cut, left: Frames::COUNT }
    }
}

impl websocket_proto_embedded::embedded_io::ErrorType for Frames {
    type Error = core::convert::Infallible;
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        if self.read == self.length {
            self.read = 0;
            self.left -= 1;
        }
        if self.left == 0 {
            return Ok(0);
        }
        let most = if self.cut { self.length / 2 + 1 } else { self.length };
        let part = &self.frame[self.read..self.length.min(self.read + most)];
        buffer[..part.len()].copy_from_slice(part);
        self.read += part.len();
        Ok(part.len())
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    heprintln!("panic {}", info);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}
