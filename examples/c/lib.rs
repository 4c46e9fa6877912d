//! An interface for C to [`Endpoint`], as a static and a shared library. The contract of each
//! function is in `websocket_proto.h`. This file only converts pointers.
//!
//! Every function requires that its `ws` comes from [`wsp_server`], was not freed, and is not used
//! by another thread at the same time. Bytes of length 0 may be a null pointer.

use std::sync::LazyLock;
use std::time::Duration;
use std::{ffi::c_int, slice, str};
use websocket_proto::endpoint::{Endpoint, Incoming, Options};
use websocket_proto::handshake::AcceptOptions;
use websocket_proto::{CloseCode, NextStep, SendError, Server};

type Wsp = Endpoint<Server>;

/// The settings of all connections.
static OPTIONS: LazyLock<Options> = LazyLock::new(Options::new);

#[repr(C)]
pub struct Input {
    at: *mut u8,
    length: usize,
}

#[repr(C)]
pub struct Bytes {
    at: *const u8,
    length: usize,
}

impl Bytes {
    const fn of(bytes: &[u8]) -> Self {
        Bytes { at: bytes.as_ptr(), length: bytes.len() }
    }

    /// # Safety
    ///
    /// `at` points to `length` bytes, which do not change during `'a`.
    const unsafe fn get<'a>(self) -> &'a [u8] {
        match self.length {
            0 => &[],
            // SAFETY: the caller guarantees this.
            length => unsafe { slice::from_raw_parts(self.at, length) },
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_server() -> Box<Wsp> {
    Box::new(Endpoint::server(&OPTIONS))
}

/// Frees the connection, if it is not null.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_free(_: Option<Box<Wsp>>) {}

/// # Safety
///
/// `input` and `message` are valid, and `input` points to its bytes. These do not change while
/// `message` is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_receive(
    ws: &mut Wsp,
    input: &mut Input,
    message: &mut Bytes,
) -> c_int {
    let mut rest: &mut [u8] = match input.length {
        0 => &mut [],
        // SAFETY: the caller guarantees this.
        length => unsafe { slice::from_raw_parts_mut(input.at, length) },
    };
    let mut kind = 0;
    *message = Bytes::of(b"");
    while let Some((incoming, _)) = ws.receive(&mut rest) {
        (kind, *message) = match incoming {
            Incoming::Request => {
                let path = ws.request().map_or("", |request| request.resource().path());
                (1, Bytes::of(path.as_bytes()))
            }
            Incoming::Text(text) => (2, Bytes::of(text.as_bytes())),
            Incoming::Binary(data) => (3, Bytes::of(data)),
            _ => continue,
        };
        break;
    }
    *input = Input { at: rest.as_mut_ptr(), length: rest.len() };
    kind
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_answer(ws: &mut Wsp, status: u16) -> bool {
    ws.request().is_some_and(|request| match status {
        101 => request.accept(&AcceptOptions::new()).is_ok(),
        _ => request.reject(status, &[], b"").is_ok(),
    })
}

/// # Safety
///
/// `payload` points to its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_send(ws: &mut Wsp, kind: c_int, payload: Bytes) -> c_int {
    // SAFETY: the caller guarantees this.
    let payload = unsafe { payload.get() };
    code(match kind {
        2 => str::from_utf8(payload).map_or(Err(SendError::InvalidUtf8), |text| ws.text(text)),
        3 => ws.binary(payload),
        _ => return 3,
    })
}

/// # Safety
///
/// `reason` points to its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_close(ws: &mut Wsp, status: u16, reason: Bytes) -> c_int {
    // SAFETY: the caller guarantees this.
    let reason = str::from_utf8(unsafe { reason.get() });
    match (CloseCode::new(status), reason) {
        (Some(status), Ok(reason)) => code(ws.close(status, reason)),
        _ => 3,
    }
}

fn code(sent: Result<(), SendError>) -> c_int {
    match sent {
        Ok(()) => 0,
        Err(SendError::NotOpen | SendError::Closing) => 1,
        Err(SendError::Full) => 2,
        Err(_) => 3,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_output(ws: &Wsp) -> Bytes {
    Bytes::of(ws.output())
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_written(ws: &mut Wsp, count: usize) {
    ws.written(count);
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_wants_read(ws: &Wsp) -> bool {
    ws.wants_read()
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_receive_eof(ws: &mut Wsp) {
    ws.receive_eof();
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_abort(ws: &mut Wsp) {
    ws.abort();
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_tick(ws: &mut Wsp, now: u64) {
    ws.tick(Duration::from_millis(now));
}

/// Rounds up, so that the deadline has passed at the returned time.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_deadline(ws: &Wsp) -> u64 {
    let milliseconds = |at: Duration| u64::try_from(at.as_nanos().div_ceil(1_000_000)).ok();
    ws.deadline().and_then(milliseconds).unwrap_or(u64::MAX)
}

#[unsafe(no_mangle)]
pub extern "C" fn wsp_next_step(ws: &mut Wsp) -> c_int {
    match ws.next_step() {
        NextStep::Continue => 0,
        NextStep::ShutdownWrite => 1,
        NextStep::AwaitEof => 2,
        NextStep::Drop => 3,
    }
}

/// # Safety
///
/// `line` points to `size` bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_ending(ws: &Wsp, line: *mut u8, size: usize) -> usize {
    let ending = ws.ending().map(|ending| ending.to_string()).unwrap_or_default();
    if let Some(most) = size.checked_sub(1) {
        let length = ending.len().min(most);
        // SAFETY: the caller guarantees this, and `length` is less than `size`.
        unsafe {
            line.copy_from_nonoverlapping(ending.as_ptr(), length);
            line.add(length).write(0);
        }
    }
    ending.len()
}
