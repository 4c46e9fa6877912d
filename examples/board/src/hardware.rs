//! The two boards: the serial line, the clock, and the depth of the stack.
//!
//! This is the only unsafe code: it reads and writes the registers of a peripheral, and the memory
//! that is free below the stack.

use core::{
    ptr::{read_volatile, write_volatile},
    sync::atomic::{AtomicU32, Ordering},
};

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use websocket_proto_embedded::embedded_io::{ErrorKind, ErrorType, Read, Write};

/// A tick of the core's timer in tenths of an instruction, if an instruction takes a nanosecond.
pub const TENTHS: u32 = 10_000_000 / HERTZ;
#[cfg(feature = "microbit")]
/// Ticks of the timer in a millisecond.
const HERTZ: u32 = 16_000;
#[cfg(feature = "mps2")]
/// Ticks of the timer in a millisecond.
const HERTZ: u32 = 25_000;

static MILLIS: AtomicU32 = AtomicU32::new(0);

fn register(address: u32) -> u32 {
    // SAFETY: all callers pass registers of this board, or words of its memory.
    unsafe { read_volatile(address as *const u32) }
}

fn set(address: u32, value: u32) {
    // SAFETY: as above, and no other code uses these words.
    unsafe { write_volatile(address as *mut u32, value) }
}

/// UART0 of the nRF51.
#[cfg(feature = "microbit")]
mod uart {
    use super::{register, set};
    const BASE: u32 = 0x4000_2000;

    pub fn start() {
        set(BASE + 0x500, 4); // enable
        set(BASE + 0x524, 0x01D7_E000); // 115200 baud
        set(BASE, 1); // receive
        set(BASE + 8, 1); // transmit
    }

    pub fn get() -> Option<u8> {
        if register(BASE + 0x108) == 0 {
            return None;
        }
        set(BASE + 0x108, 0);
        Some(register(BASE + 0x518) as u8)
    }

    pub fn put(byte: u8) {
        set(BASE + 0x11C, 0);
        set(BASE + 0x51C, byte.into());
        while register(BASE + 0x11C) == 0 {}
    }
}

/// UART0 of the CMSDK.
#[cfg(feature = "mps2")]
mod uart {
    use super::{register, set};
    const BASE: u32 = 0x4000_4000;

    pub fn start() {
        set(BASE + 0x10, 16); // the divider of the clock
        set(BASE + 8, 3); // receive and transmit
    }

    pub fn get() -> Option<u8> {
        if register(BASE + 4) & 2 == 0 { None } else { Some(register(BASE) as u8) }
    }

    pub fn put(byte: u8) {
        while register(BASE + 4) & 1 != 0 {}
        set(BASE, byte.into());
    }
}

/// The serial line. It has no end of stream.
pub struct Uart;

impl ErrorType for Uart {
    type Error = ErrorKind;
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut length = 0;
        while let Some(to) = buffer.get_mut(length) {
            let Some(byte) = uart::get() else { break };
            *to = byte;
            length += 1;
        }
        // The driver checks its clock, and reads again.
        if length == 0 { Err(ErrorKind::TimedOut) } else { Ok(length) }
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        bytes.iter().copied().for_each(uart::put);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Starts the serial line and the timer, and paints the free memory below the stack.
pub fn start() {
    uart::start();
    if let Some(mut core) = cortex_m::Peripherals::take() {
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(if cfg!(feature = "measure") { 0xFF_FFFF } else { HERTZ - 1 });
        core.SYST.clear_current();
        core.SYST.enable_counter();
        if !cfg!(feature = "measure") {
            core.SYST.enable_interrupt();
        }
    }
    // Calls after this point may use a little of the stack.
    let end = cortex_m::register::msp::read() - 64;
    let mut at = free_memory();
    while at < end {
        set(at, PAINT);
        at += 4;
    }
}

#[exception]
fn SysTick() {
    // No other code stores the time.
    MILLIS.store(MILLIS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Milliseconds since the start.
pub fn millis() -> u32 {
    MILLIS.load(Ordering::Relaxed)
}

/// The core's timer, which counts down in 24 bits.
pub fn ticks() -> u32 {
    SYST::get_current()
}

const PAINT: u32 = 0xA5A5_5A5A;

unsafe extern "C" {
    static __ebss: u32;
    static _stack_start: u32;
}

/// Returns the first address after all variables.
fn free_memory() -> u32 {
    (&raw const __ebss) as u32
}

/// Returns the largest number of bytes of the stack that were in use.
pub fn stack() -> u32 {
    let mut at = free_memory();
    while register(at) == PAINT {
        at += 4;
    }
    (&raw const _stack_start) as u32 - at
}
