//! wslay, a library in C: `apt-get install libwslay-dev`. No other file has `unsafe`.

use std::{
    ffi::{c_int, c_void},
    hint::black_box,
    mem::MaybeUninit,
    ptr,
    slice::{self, Chunks},
};

use super::{Keys, Kind, NO_COMPRESSION, NO_HANDSHAKE, NOT_MANY, Peer, nothing, way};
use crate::{
    loads::{Bench, Load},
    measure::Output,
    wire::READ,
};

pub const PEER: Peer = Peer {
    name: "wslay (C)",
    kind: Kind::Peer,
    note: "as Debian builds it",
    skips: nothing,
    ways: |load| match load.bench {
        Bench::ReceiveServer => {
            way(|output| receive(wslay_event_context_server_init, load, output))
        }
        Bench::ReceiveClient => {
            way(|output| receive(wslay_event_context_client_init, load, output))
        }
        Bench::SendServer => way(|output| send(wslay_event_context_server_init, load, output)),
        Bench::SendClient => way(|output| send(wslay_event_context_client_init, load, output)),
        Bench::Echo => way(|output| echo(load, output)),
        Bench::PipeServer | Bench::PipeClient => Err("does not read"),
        Bench::Connections => Err(NOT_MANY),
        Bench::HandshakeServer | Bench::HandshakeClient => Err(NO_HANDSHAKE),
        Bench::DeflateReceive | Bench::DeflateSend => Err(NO_COMPRESSION),
    },
};

/// `struct wslay_event_context`, which is used by pointer only.
#[repr(C)]
struct Context([u8; 0]);

/// `struct wslay_event_on_msg_recv_arg`.
#[repr(C)]
struct Received {
    rsv: u8,
    opcode: u8,
    message: *const u8,
    length: usize,
    status_code: u16,
}

/// `struct wslay_event_msg`.
#[repr(C)]
struct Message {
    opcode: u8,
    message: *const u8,
    length: usize,
}

type Recv = unsafe extern "C" fn(*mut Context, *mut u8, usize, c_int, *mut c_void) -> isize;
type Send = unsafe extern "C" fn(*mut Context, *const u8, usize, c_int, *mut c_void) -> isize;
type Genmask = unsafe extern "C" fn(*mut Context, *mut u8, usize, *mut c_void) -> c_int;
type OnMessage = unsafe extern "C" fn(*mut Context, *const Received, *mut c_void);

/// `struct wslay_event_callbacks`.
#[repr(C)]
struct Callbacks {
    recv: Option<Recv>,
    send: Option<Send>,
    genmask: Option<Genmask>,
    on_frame_start: Option<extern "C" fn()>,
    on_frame_chunk: Option<extern "C" fn()>,
    on_frame_end: Option<extern "C" fn()>,
    on_message: Option<OnMessage>,
}

type Init = unsafe extern "C" fn(*mut *mut Context, *const Callbacks, *mut c_void) -> c_int;

#[link(name = "wslay")]
unsafe extern "C" {
    fn wslay_event_context_server_init(
        context: *mut *mut Context,
        callbacks: *const Callbacks,
        user_data: *mut c_void,
    ) -> c_int;
    fn wslay_event_context_client_init(
        context: *mut *mut Context,
        callbacks: *const Callbacks,
        user_data: *mut c_void,
    ) -> c_int;
    fn wslay_event_context_free(context: *mut Context);
    fn wslay_event_recv(context: *mut Context) -> c_int;
    fn wslay_event_send(context: *mut Context) -> c_int;
    fn wslay_event_queue_msg(context: *mut Context, message: *const Message) -> c_int;
    fn wslay_event_set_error(context: *mut Context, error: c_int);
}

const WSLAY_ERR_WOULDBLOCK: c_int = -401;
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// The data of the callbacks.
struct User<'a> {
    /// The rest of the current read.
    input: &'a [u8],
    /// The reads after it.
    reads: Chunks<'a, u8>,
    output: &'a mut Output,
    keys: Keys,
    echoes: bool,
}

impl<'a> User<'a> {
    fn new(input: &'a [u8], output: &'a mut Output) -> Self {
        User { input: &[], reads: input.chunks(READ), output, keys: Keys::default(), echoes: false }
    }
}

/// Runs `body` with a context whose callbacks use `user`.
fn with(init: Init, mut user: User, body: impl Fn(*mut Context)) {
    let callbacks = Callbacks {
        recv: Some(recv),
        send: Some(send_out),
        genmask: Some(genmask),
        on_frame_start: None,
        on_frame_chunk: None,
        on_frame_end: None,
        on_message: Some(on_message),
    };
    let mut context = MaybeUninit::uninit();
    // SAFETY: the callbacks are copied, and `user` outlives the context. While the context lives,
    // `user` is only reached through the pointer that is passed here.
    unsafe {
        let user = ptr::from_mut(&mut user).cast();
        assert_eq!(init(context.as_mut_ptr(), &callbacks, user), 0);
        let context = context.assume_init();
        body(context);
        wslay_event_context_free(context);
    }
}

/// Copies as much of a read as the library has room for. Reports that there is no data between two
/// reads.
unsafe extern "C" fn recv(
    context: *mut Context,
    buffer: *mut u8,
    room: usize,
    _: c_int,
    user: *mut c_void,
) -> isize {
    // SAFETY: `user` is the pointer that `with` passed, and `buffer` has room for `room` bytes.
    unsafe {
        let user: &mut User = &mut *user.cast();
        let length = user.input.len().min(room);
        if length == 0 {
            user.input = user.reads.next().unwrap_or_default();
            wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
            return -1;
        }
        let (now, rest) = user.input.split_at(length);
        ptr::copy_nonoverlapping(black_box(now).as_ptr(), buffer, length);
        user.input = rest;
        length as isize
    }
}

/// Counts the bytes that the library has gathered.
unsafe extern "C" fn send_out(
    _: *mut Context,
    bytes: *const u8,
    length: usize,
    _: c_int,
    user: *mut c_void,
) -> isize {
    // SAFETY: `user` is the pointer that `with` passed, and `bytes` are `length` bytes.
    unsafe {
        let user: &mut User = &mut *user.cast();
        user.output.part(slice::from_raw_parts(bytes, length));
    }
    length as isize
}

unsafe extern "C" fn genmask(
    _: *mut Context,
    key: *mut u8,
    length: usize,
    user: *mut c_void,
) -> c_int {
    // SAFETY: `user` is the pointer that `with` passed, and `key` has room for `length` bytes:
    // four.
    unsafe {
        let user: &mut User = &mut *user.cast();
        slice::from_raw_parts_mut(key, length).copy_from_slice(&user.keys.draw());
    }
    0
}

unsafe extern "C" fn on_message(
    context: *mut Context,
    received: *const Received,
    user: *mut c_void,
) {
    // SAFETY: `user` is the pointer that `with` passed, and `received` describes a complete
    // message.
    unsafe {
        let user: &mut User = &mut *user.cast();
        let Received { opcode, message, length, .. } = *received;
        if user.echoes {
            let message = Message { opcode, message, length };
            assert_eq!(wslay_event_queue_msg(context, &message), 0);
            user.output.messages += 1;
        } else if length == 0 {
            user.output.message(&[]);
        } else {
            user.output.message(slice::from_raw_parts(message, length));
        }
    }
}

fn receive(init: Init, load: &Load, output: &mut Output) {
    with(init, User::new(&load.wire, output), |context| {
        // One call to reach the first read, and one for each read.
        for _ in 0..=load.wire.chunks(READ).len() {
            // SAFETY: the context is alive.
            unsafe { assert_eq!(wslay_event_recv(context), 0) };
        }
    });
}

fn send(init: Init, load: &Load, output: &mut Output) {
    with(init, User::new(&[], output), |context| {
        for message in load.in_order() {
            let opcode = if message.text.is_some() { TEXT } else { BINARY };
            let bytes = &*black_box(message).bytes;
            let message = Message { opcode, message: bytes.as_ptr(), length: bytes.len() };
            // SAFETY: the context is alive, and the message is copied.
            unsafe {
                assert_eq!(wslay_event_queue_msg(context, &message), 0);
                assert_eq!(wslay_event_send(context), 0);
            }
        }
    });
    output.messages = load.count;
}

fn echo(load: &Load, output: &mut Output) {
    let user = User { echoes: true, ..User::new(&load.wire, output) };
    with(wslay_event_context_server_init, user, |context| {
        for _ in 0..=load.wire.chunks(READ).len() {
            // SAFETY: the context is alive.
            unsafe {
                assert_eq!(wslay_event_recv(context), 0);
                assert_eq!(wslay_event_send(context), 0);
            }
        }
    });
}
