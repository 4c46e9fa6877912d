//! The allocator of all tests. It counts what the current thread allocates, and refuses large blocks
//! if it is told to.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

thread_local! {
    /// Calls that returned a block.
    static TIMES: Cell<usize> = const { Cell::new(0) };
    /// Bytes that were allocated, the freed ones too.
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
    static IN_USE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn took(size: usize) {
    TIMES.set(TIMES.get() + 1);
    IN_USE.set(IN_USE.get() + size as isize);
    PEAK.set(PEAK.get().max(IN_USE.get()));
}

fn freed(size: usize) {
    IN_USE.set(IN_USE.get() - size as isize);
}

// SAFETY: every call that is not refused goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST.get() {
            return std::ptr::null_mut();
        }
        took(layout.size());
        ALLOCATED.set(ALLOCATED.get() + layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        freed(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > LARGEST.get() {
            return std::ptr::null_mut();
        }
        // While one block is copied to the other, both are in use.
        took(size);
        freed(layout.size());
        ALLOCATED.set(ALLOCATED.get() + size.saturating_sub(layout.size()));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a piece of work did with memory, in bytes.
pub struct Memory {
    /// How often it allocated.
    pub times: usize,
    /// What it allocated in all. A block that grows counts for its growth.
    pub allocated: usize,
    /// What it has not freed.
    pub kept: isize,
    /// The most that it had in use at once.
    pub peak: isize,
}

/// Does `work`, and returns its result and its memory.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Memory) {
    let (times, allocated, in_use) = (TIMES.get(), ALLOCATED.get(), IN_USE.get());
    PEAK.set(in_use);
    let result = work();
    let memory = Memory {
        times: TIMES.get() - times,
        allocated: ALLOCATED.get() - allocated,
        kept: IN_USE.get() - in_use,
        peak: PEAK.get() - in_use,
    };
    (result, memory)
}

/// Returns how many bytes this thread has in use.
pub fn in_use() -> isize {
    IN_USE.get()
}

/// Refuses blocks of more than `size` bytes from now on.
pub fn refuse_above(size: usize) {
    LARGEST.set(size);
}
