//! The board: a serial line in memory, whose contents the compiler cannot know.

use core::hint::black_box;

use crate::bare::Link;

pub struct Line;

impl Link for Line {
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        black_box(buffer).len()
    }
    fn write(&mut self, bytes: &[u8]) {
        black_box(bytes);
    }
    fn shutdown(&mut self) {}
}
