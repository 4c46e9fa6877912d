//! What both programs share: values that the compiler knows nothing about, and what every program
//! without the standard library has to have.
#![allow(dead_code, reason = "each program uses a part of it")]

use core::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
    hint::black_box,
    panic::PanicInfo,
};

use websocket_proto::{Full, Output};

/// Any value of the type.
pub fn any<T>(value: T) -> T {
    black_box(value)
}

/// Uses a result.
pub fn see<T>(value: T) {
    black_box(value);
}

/// Any bytes, as many as there may be.
pub fn bytes() -> &'static [u8] {
    any(&[])
}

/// Any bytes to write to.
pub fn buffer() -> &'static mut [u8] {
    any(&mut [])
}

/// Any text.
pub fn text() -> &'static str {
    any("")
}

/// Any text, or none.
pub fn some_text() -> Option<&'static str> {
    any(None)
}

/// An output that does whatever it likes, by way of a vtable too.
pub struct AnyOutput;

impl Output for AnyOutput {
    fn reserve(&mut self, additional: usize) -> Result<(), Full> {
        see(additional);
        any(Ok(()))
    }

    fn append(&mut self, bytes: &[u8]) {
        see(bytes);
    }
}

/// Where formatted text goes.
pub struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        see(text);
        any(Ok(()))
    }
}

/// A hasher whose hash nobody wants.
pub struct Hashed;

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        any(0)
    }

    fn write(&mut self, bytes: &[u8]) {
        see(bytes);
    }
}

/// Prints a value with the format that is asked for, whatever its flags, width and precision are.
pub fn display<T: fmt::Display>(value: &T) {
    see(Write::write_fmt(any(&mut Sink), format_args!("{value}")));
}

/// What is derived for values.
pub fn compare<T: Clone + PartialEq + Hash>(value: &T, other: &T) {
    see(value.clone());
    see(value == other);
    value.hash(&mut Hashed);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // All of it is used, so that functions that panic in different ways are not found to be the same.
    // SAFETY: what is written is what is there.
    unsafe {
        write(2, (&raw const *info).cast(), size_of_val(info));
        abort()
    }
}

// It also has the routines that copy and compare memory.
#[link(name = "c")]
unsafe extern "C" {
    fn write(file: i32, bytes: *const u8, length: usize) -> isize;
    fn abort() -> !;
}
