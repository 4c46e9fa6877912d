//! What the crate adds with the feature `alloc`: outputs and messages on the heap, codecs, messages that
//! are prepared, and endpoints. Here the allocator is there to be called; what it panics for is listed.
#![no_std]
#![no_main]

extern crate alloc;

mod unknown;

use alloc::vec::Vec;
use core::{
    alloc::{GlobalAlloc, Layout},
    time::Duration,
};

use unknown::{any, buffer, bytes, see, text};
use websocket_proto::endpoint::{Compression, Endpoint, Incoming, Options, Stock};
use websocket_proto::handshake::{AcceptOptions, Offer, Target};
use websocket_proto::{
    Agreed, Client, CloseCode, Compress, Config, Connection, Data, Decompress, Deflate, Deflater,
    Event, InflateError, Inflater, Limit, Messages, Prepared, Progress, Role, Server, WindowBits,
};

/// That of the C library.
struct Malloc;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn free(block: *mut u8);
}

// SAFETY: no type here is aligned to more than what `malloc` gives.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { malloc(layout.size()) }
    }
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        unsafe { free(block) }
    }
}

#[global_allocator]
static MALLOC: Malloc = Malloc;

/// A codec that says whatever it likes.
struct AnyCodec;

impl Decompress for AnyCodec {
    fn reset(&mut self) {
        see(());
    }
    fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        see(input);
        see(&mut *output);
        let progress = any(Progress::new(any(0), any(0))).with_ended(any(false));
        if any(false) { progress.with_fault(any(InflateError::Corrupt)) } else { progress }
    }
    fn finish(&mut self, expected: &[u8]) -> bool {
        see(expected);
        any(true)
    }
}

impl Compress for AnyCodec {
    fn reset(&mut self, window: WindowBits) {
        see(window);
    }
    fn bound(&self, length: usize) -> usize {
        any(length)
    }
    fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        see(input);
        see(&mut *output);
        any(Some(0))
    }
}

fn drive<R: Role>(connection: &mut Connection<R>) {
    let mut out: Vec<u8> = any(Vec::new());
    let mut messages = any(Messages::keeping(any(0)).in_place(any(0)));
    let mut own = any(Inflater::own(AnyCodec));
    let mut shared = any(Inflater::shared(AnyCodec));
    let mut deflater = any(Deflater::own(AnyCodec)).threshold(any(0));
    let mut input = buffer();
    while any(true) {
        while let Some(message) = messages.receive(connection, &mut input) {
            see(message);
        }
        see(messages.read_buffer(connection));
        see(messages.receive_read(connection, any(0)));
        for inflater in [&mut own, &mut shared] {
            while let Some(message) = messages.receive_inflated(connection, inflater, &mut input) {
                see(message);
            }
        }
        while let Some(event) = connection.receive(&mut input) {
            if let Event::Compressed(mut piece) = event {
                while let Some(event) = own.inflate(connection, &mut piece) {
                    see(event);
                }
            }
        }
        own.reset();
        see(connection.send_text(text(), &mut out));
        see(connection.send_fragment(any(Data::Text(text())), any(true), &mut out));
        see(connection.send_compressed(any(Data::Text(text())), &mut deflater, &mut out));
        let data = any(Data::Binary(bytes()));
        see(connection.send_compressed_fragment(data, any(true), &mut deflater, &mut out));
        see(connection.ping(bytes(), &mut out));
        see(connection.transmit(&mut out));
    }
}

#[derive(Clone)]
struct AnyStock;

impl Stock for AnyStock {
    type Decompress = AnyCodec;
    type Compress = AnyCodec;

    fn take_decompress(&self) -> AnyCodec {
        any(AnyCodec)
    }
    fn put_decompress(&self, codec: AnyCodec) {
        see(codec);
    }
    fn take_compress(&self) -> AnyCodec {
        any(AnyCodec)
    }
    fn put_compress(&self, codec: AnyCodec) {
        see(codec);
    }
}

fn options() -> Options {
    let own = Compression::own(any(Deflate::new()), || AnyCodec, || AnyCodec).threshold(any(0));
    let compression = if any(true) { own } else { Compression::shared(AnyStock) };
    let options = Options::new().config(any(Config::new())).max_head(any(0)).keeping(any(0));
    let options = options.water_marks(any(0), any(0)).limit(any(Limit::Idle), any(None));
    if any(true) { options.compression(compression) } else { options }
}

fn drive_endpoint<R: Role>(ws: &mut Endpoint<R>, answer: impl Fn(&mut Endpoint<R>)) {
    let mut input = buffer();
    if any(true) {
        ws.trace(|frame| see(frame));
    }
    while any(true) {
        ws.tick(any(Duration::ZERO));
        see(ws.ready(&mut input));
        while let Some((incoming, sender)) = ws.receive(&mut input) {
            match incoming {
                Incoming::Request => answer(ws),
                incoming => {
                    see(sender.text(text()));
                    see(incoming);
                }
            }
        }
        see(ws.message_buffer());
        see(ws.read_buffer());
        ws.filled(any(0));
        see(ws.wants_read());
        see(ws.text(text()));
        see(ws.binary(bytes()));
        see(ws.send(any(Data::Text(text()))));
        see(ws.send_uncompressed(any(Data::Text(text()))));
        see(ws.fragment(any(Data::Binary(bytes())), any(true)));
        see(ws.ping(bytes()));
        see(ws.pong(bytes()));
        see(ws.close(any(CloseCode::NORMAL), text()));
        see(ws.output());
        ws.written(any(0));
        see(ws.take_output(any(Vec::new())));
        see(ws.deadline());
        see(ws.next_step());
        see(ws.ending());
        ws.receive_eof();
        if any(false) {
            ws.abort();
        }
    }
}

#[inline(never)]
fn endpoints() {
    let mut ws = Endpoint::server(&options());
    drive_endpoint(&mut ws, |ws| {
        if let Some(request) = ws.request() {
            if any(true) {
                see(request.accept(&any(AcceptOptions::new())));
            } else {
                see(request.reject(any(404), &[(text(), text())], bytes()));
            }
        }
        see(ws.prepared(&any(Prepared::new(any(Data::Text(text()))))));
        see(ws.respond(any(404), &[(text(), text())], bytes()));
    });
    if let Ok(mut ws) = Endpoint::open(Server, any(Agreed::new()), &options()) {
        drive_endpoint(&mut ws, |_| {});
    }
}

/// A function of its own: where the compiler makes one call of what ends the process in two, nobody
/// can tell any more whose it is.
#[inline(never)]
fn client_endpoints() {
    let Ok(target) = Target::parse(text()) else { return };
    let names = [text(), text()];
    let offer = any(Offer::new()).subprotocols(&names);
    let mask = || any([0; 4]);
    if let Ok(mut ws) = Endpoint::client(&target, &offer, any([0; 16]), mask, &options()) {
        drive_endpoint(&mut ws, |_| {});
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let agreed = any(Agreed::new().deflate(any(Deflate::new())));
    let config = any(Config::new().max_message(any(0)));
    let mut server = any(Connection::new(Server, &config, agreed));
    drive(&mut server);
    see(server.prepared(&any(Prepared::new(any(Data::Text(text()))))));
    drive(&mut any(Connection::new(Client(|| any([0; 4])), &config, agreed)));
    endpoints();
    client_endpoints();
    0
}
