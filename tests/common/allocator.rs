//! The allocator of the tests in `all.rs`. It counts what the current thread allocates, and refuses
//! large blocks if it is told to.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr::null_mut,
};

struct Counting;

thread_local! {
    static COUNTS: Counts = const {
        Counts {
            times: Cell::new(0),
            allocated: Cell::new(0),
            in_use: Cell::new(0),
            peak: Cell::new(0),
            largest: Cell::new(usize::MAX),
        }
    };
}

struct Counts {
    /// Calls that returned a block.
    times: Cell<usize>,
    /// Bytes that were allocated, the freed ones too.
    allocated: Cell<usize>,
    in_use: Cell<isize>,
    peak: Cell<isize>,
    largest: Cell<usize>,
}

/// Counts a block of `size` bytes in the place of one of `old` bytes, if it is not refused.
fn take(size: usize, old: usize) -> bool {
    COUNTS.with(|counts| {
        if size > counts.largest.get() {
            return false;
        }
        counts.times.set(counts.times.get() + 1);
        counts.allocated.set(counts.allocated.get() + size.saturating_sub(old));
        // While one block is copied to the other, both are in use.
        let both = counts.in_use.get() + size as isize;
        counts.peak.set(counts.peak.get().max(both));
        counts.in_use.set(both - old as isize);
        true
    })
}

// SAFETY: every call that is not refused goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if take(layout.size(), 0) { unsafe { System.alloc(layout) } } else { null_mut() }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNTS.with(|counts| counts.in_use.set(counts.in_use.get() - layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if take(size, layout.size()) {
            unsafe { System.realloc(pointer, layout, size) }
        } else {
            null_mut()
        }
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
    let counts = || COUNTS.with(|now| (now.times.get(), now.allocated.get(), now.in_use.get()));
    let (times, allocated, in_use) = counts();
    COUNTS.with(|counts| counts.peak.set(in_use));
    let result = work();
    let now = counts();
    let memory = Memory {
        times: now.0 - times,
        allocated: now.1 - allocated,
        kept: now.2 - in_use,
        peak: COUNTS.with(|counts| counts.peak.get()) - in_use,
    };
    (result, memory)
}

/// Returns how many bytes this thread has in use.
pub fn in_use() -> isize {
    COUNTS.with(|counts| counts.in_use.get())
}

/// Refuses blocks of more than `size` bytes from now on.
#[cfg(any(feature = "bytes", feature = "deflate"))]
pub fn refuse_above(size: usize) {
    COUNTS.with(|counts| counts.largest.set(size));
}
