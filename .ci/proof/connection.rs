//! Everything but the opening handshake. No panic is linked into this program.
//!
//! Functions are called by their full names, by which the step `no_panic` knows that none is missing.
#![no_std]
#![no_main]

mod unknown;

use core::{
    hash::Hash,
    ops::{Deref, DerefMut},
    time::Duration,
};

use unknown::{AnyOutput, Hashed, any, buffer, bytes, compare, display, see, text};
use websocket_proto::{
    Agreed, Binary, Client, CloseCode, CloseFrame, Closure, Compressed, Config, Connection,
    ControlPayload, Data, Deadlines, Deflate, Event, Failure, FrameHeader, Full, Initiator,
    InternalError, Kind, Limit, MaskSource, Message, Messages, NextStep, Output, Overdue, Role,
    SendError, Server, SliceOutput, State, Text, Violation, WindowBits,
};

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    values();
    outputs();
    let (config, agreed) = (config(), agreed());

    let mut server = any(Connection::new(Server, &config, agreed));
    connection(&mut server);
    match Connection::frame(&mut server, data(), any(true)) {
        Ok(header) => frame_header(&header),
        Err(error) => see(error),
    }

    client(Client(|| any([0; 4])), &config, agreed);
    client(Client(SomeKey), &config, agreed);
    #[cfg(feature = "control")]
    see(bytes()[any(0)]);
    0
}

/// A source that may be out of entropy.
struct SomeKey;

impl MaskSource for SomeKey {
    fn mask_key(&mut self) -> Option<[u8; 4]> {
        any(None)
    }
}

fn client<M: MaskSource>(mut role: Client<M>, config: &Config, agreed: Agreed) {
    see(MaskSource::mask_key(&mut role.0));
    let mut client = any(Connection::new(role, config, agreed));
    connection(&mut client);
    match Connection::frame_in_place(&mut client, any(Kind::Text), any(true), buffer()) {
        Ok(header) => frame_header(&header),
        Err(error) => see(error),
    }
}

fn connection<R: Role>(connection: &mut Connection<R>) {
    while any(true) {
        receive(connection);
        messages(connection);
        send(connection, &mut AnyOutput);
        send(connection, any::<&mut dyn Output>(&mut AnyOutput));
        send(connection, &mut SliceOutput::new(buffer()));
        see(Connection::agreed(connection));
        see(Connection::received(connection));
        see(Connection::state(connection));
        see(Connection::next_step(connection));
        see(Connection::closure(connection));
        see(Connection::wants_transmit(connection));
        deadlines(connection);
        Connection::receive_eof(connection);
        Connection::write_ended(connection);
        Connection::abort(connection);
        Connection::fail(connection, violation());
    }
}

fn receive<R: Role>(connection: &mut Connection<R>) {
    let mut input = buffer();
    while let Some(event) = Connection::receive(connection, &mut input) {
        match event {
            Event::Text(text) => {
                see((Text::is_first(&text), Text::is_last(&text)));
                see(<Text<'_> as Deref>::deref(&text));
                see(<Text<'_> as AsRef<str>>::as_ref(&text));
                see(<Text<'_> as AsRef<[u8]>>::as_ref(&text));
                see(<Text<'_> as PartialEq>::eq(&text, any(&text)));
            }
            Event::Binary(mut data) => {
                see((Binary::is_first(&data), Binary::is_last(&data)));
                see(<Binary<'_> as Deref>::deref(&data));
                see(<Binary<'_> as DerefMut>::deref_mut(&mut data));
                see(<Binary<'_> as AsRef<[u8]>>::as_ref(&data));
                see(<Binary<'_> as AsMut<[u8]>>::as_mut(&mut data));
                see(<Binary<'_> as PartialEq>::eq(&data, any(&data)));
                see(Binary::into_bytes(data));
            }
            Event::Compressed(data) => {
                see(Compressed::kind(&data));
                see((Compressed::is_first(&data), Compressed::is_last(&data)));
                see(<Compressed<'_> as Deref>::deref(&data));
                see(<Compressed<'_> as AsRef<[u8]>>::as_ref(&data));
                see(<Compressed<'_> as PartialEq>::eq(&data, any(&data)));
            }
            Event::Ping(payload) | Event::Pong(payload) => control_payload(&payload),
            Event::Close(close) => see(close),
            Event::Failed(violation) => see(violation),
            _ => {}
        }
    }
    see(input);
}

fn messages<R: Role>(connection: &mut Connection<R>) {
    let mut messages = any(Messages::lent(buffer()));
    messages = any(Messages::in_place(messages, any(0)));
    let mut input = buffer();
    while let Some(message) = Messages::receive(&mut messages, connection, &mut input) {
        see_message(message);
    }
    see(input);
    if let Some(memory) = Messages::read_buffer(&mut messages, connection) {
        see(memory);
    }
    if let Some(message) = Messages::receive_read(&mut messages, connection, any(0)) {
        see_message(message);
    }
    see_message(any(<Message<'_> as From<Data<'_>>>::from(data())));
}

fn see_message(message: Message<'_>) {
    see(Message::data(message));
    compare(&message, &any(message));
    match message {
        Message::Text(text) => see(text),
        Message::Binary(data) => see(data),
        Message::Ping(payload) | Message::Pong(payload) => control_payload(&payload),
        Message::Close(close) => see(close),
        Message::Failed(violation) => see(violation),
        _ => {}
    }
}

fn send<R: Role>(connection: &mut Connection<R>, out: &mut (impl Output + ?Sized)) {
    see(Connection::transmit(connection, out));
    see(Connection::send(connection, data(), out));
    see(Connection::send_text(connection, text(), out));
    see(Connection::send_binary(connection, bytes(), out));
    see(Connection::send_fragment(connection, data(), any(true), out));
    see(Connection::ping(connection, bytes(), out));
    see(Connection::pong(connection, bytes(), out));
    if let Ok(close) = CloseFrame::new(close_code(), text()) {
        see(Connection::close(connection, any(Some(&close)), out));
    }
}

fn deadlines<R: Role>(connection: &mut Connection<R>) {
    let mut deadlines = any(Deadlines::new(time()));
    deadlines = Deadlines::limit(deadlines, any(Limit::Idle), any(Some(time())));
    while any(true) {
        Deadlines::update(&mut deadlines, time(), connection);
        see(Deadlines::enforce(&mut deadlines, time(), connection, &mut AnyOutput));
        Deadlines::written(&mut deadlines, time(), any(0), any(0));
        Deadlines::resumed(&mut deadlines, time());
        Deadlines::unread(&mut deadlines, time());
        Deadlines::closing(&mut deadlines, time());
        Deadlines::deciding(&mut deadlines, time());
        see(Deadlines::next(&deadlines));
        see(Deadlines::expired(&mut deadlines, time()));
        see(Deadlines::round_trip(&deadlines));
    }
}

fn outputs() {
    let mut out = any(SliceOutput::new(buffer()));
    while any(true) {
        see(<SliceOutput<'_> as Output>::reserve(&mut out, any(0)));
        see(<SliceOutput<'_> as Output>::append(&mut out, bytes()));
        see(<SliceOutput<'_> as Output>::append_masked(&mut out, bytes(), any([7; 4])));
        see(SliceOutput::written(&out));
        if any(true) {
            SliceOutput::clear(&mut out);
        }
    }
}

/// What has no state.
fn values() {
    see(CloseCode::new(any(0)));
    see(CloseCode::get(close_code()));
    see(close_code().cmp(&close_code()));
    see(<u16 as From<CloseCode>>::from(close_code()));
    see(<CloseCode as TryFrom<u16>>::try_from(any(0)));
    compare(&close_code(), &close_code());

    let close = any(CloseFrame::truncated(close_code(), text()));
    see(CloseFrame::code(&close));
    see(CloseFrame::reason(&close));
    compare(&close, &any(close));

    see(WindowBits::new(any(0)));
    see(<WindowBits as TryFrom<u8>>::try_from(any(0)));
    see(WindowBits::get(window_bits()));
    see(WindowBits::bytes(window_bits()));
    see(window_bits().cmp(&window_bits()));
    compare(&window_bits(), &window_bits());

    see(Config::new() == config());
    see(<Config as Default>::default());
    see(Agreed::new() == agreed());
    see(<Agreed as Default>::default());
    compare(&<Deflate as Default>::default(), &deflate());

    see(Data::kind(data()));
    see(Data::as_bytes(data()));
    see(<Data<'_> as From<&str>>::from(text()));
    see(<Data<'_> as From<&[u8]>>::from(bytes()));
    compare(&data(), &data());

    see(ControlPayload::new(bytes()));

    see(Violation::close_code(violation()));
    let failure = any(Failure::from(violation()));
    see(Failure::close_code(failure));
    see(any(<Failure as From<InternalError>>::from(InternalError::Codec)));
    compare(&violation(), &violation());
    let error = any(<SendError as From<Full>>::from(Full));
    compare(&error, &any(error));

    compare(&any(State::Open), &any(State::Open));
    compare(&any(NextStep::Drop), &any(NextStep::Drop));
    compare(&any(Initiator::Local), &any(Initiator::Local));
    compare(&any(Kind::Text), &any(Kind::Text));
    compare(&any(Limit::Idle), &any(Limit::Idle));
    see(Limit::close_frame(any(Limit::Idle)));
    compare(&any(Overdue::Ping([0; 4])), &any(Overdue::Abort(Limit::Idle)));
    compare(&any(Closure::never_opened()), &any(Closure::never_opened()));

    display::<CloseCode>(&close_code());
    display::<Closure>(&any(Closure::never_opened()));
    display::<Limit>(&any(Limit::Idle));
    display::<Overdue>(&any(Overdue::Ping([0; 4])));
    display::<Violation>(&violation());
    display::<Failure>(&failure);
    display::<InternalError>(&any(InternalError::Codec));
    display::<SendError>(&error);
    display::<Full>(&Full);
}

fn control_payload(payload: &ControlPayload) {
    see(<ControlPayload as Deref>::deref(payload));
    see(<ControlPayload as AsRef<[u8]>>::as_ref(payload));
    see(<ControlPayload as PartialEq>::eq(payload, any(payload)));
    see(<ControlPayload as Hash>::hash(payload, &mut Hashed));
}

fn frame_header(header: &FrameHeader) {
    see(<FrameHeader as Deref>::deref(header));
    see(<FrameHeader as AsRef<[u8]>>::as_ref(header));
    compare(header, &any(<FrameHeader as Clone>::clone(header)));
}

fn config() -> Config {
    any(Config::auto_pong(Config::max_message(Config::new(), any(0)), any(true)))
}

fn agreed() -> Agreed {
    let mut agreed = Agreed::deflate(Agreed::new(), deflate());
    agreed.deflate = any(agreed.deflate);
    any(agreed)
}

fn deflate() -> Deflate {
    any(Deflate::new())
}

fn window_bits() -> WindowBits {
    any(WindowBits::MAX)
}

fn close_code() -> CloseCode {
    any(CloseCode::NORMAL)
}

fn violation() -> Violation {
    any(Violation::InvalidCloseCode(any(0)))
}

fn data() -> Data<'static> {
    any(Data::Text(text()))
}

fn time() -> Duration {
    any(Duration::ZERO)
}
