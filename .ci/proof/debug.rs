//! What prints values for developers. What can panic in this program is listed in debug.txt.
#![no_std]
#![no_main]

mod unknown;

use core::fmt::{Debug, Write};

use unknown::{Sink, any, display, see};
use websocket_proto::handshake::{
    AcceptOptions, AcceptResponse, Accepted, ClientHandshake, ClientRequest, Extension, FieldFault,
    HandshakeError, HeadError, HeaderLines, Headers, Offer, PseudoHeaders, Refused, Request,
    Resource, Response, ServerHandshake, Target, TargetError, Value,
};
use websocket_proto::{
    Agreed, Binary, Client, CloseCode, CloseFrame, Closure, Compressed, Config, Connection,
    ControlPayload, Data, Deadlines, Deflate, Event, Failure, FrameHeader, Full, Initiator,
    InternalError, Kind, Limit, Message, Messages, NextStep, Overdue, SendError, Server,
    SliceOutput, State, Text, Violation, WindowBits,
};

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    debug::<Agreed>();
    debug::<Binary<'_>>();
    debug::<Client<u32>>();
    debug::<CloseCode>();
    debug::<CloseFrame>();
    debug::<Closure>();
    debug::<Compressed<'_>>();
    debug::<Config>();
    debug::<Connection<Client<u32>>>();
    debug::<Connection<Server>>();
    debug::<ControlPayload>();
    debug::<Data<'_>>();
    debug::<Deadlines>();
    debug::<Deflate>();
    debug::<Event<'_>>();
    debug::<FrameHeader>();
    debug::<Full>();
    debug::<Initiator>();
    debug::<Kind>();
    debug::<Limit>();
    debug::<Message<'_>>();
    debug::<Messages<'_>>();
    debug::<NextStep>();
    debug::<Overdue>();
    debug::<SendError>();
    debug::<Server>();
    debug::<SliceOutput<'_>>();
    debug::<State>();
    debug::<Text<'_>>();
    debug::<Violation>();
    debug::<InternalError>();
    debug::<Failure>();
    debug::<WindowBits>();
    // Its reason is printed as `Debug` prints text.
    if let Some(close) = any(None) {
        display::<CloseFrame>(&close);
    }

    debug::<AcceptOptions<'_>>();
    debug::<Accepted<'_>>();
    debug::<AcceptResponse<'_>>();
    debug::<ClientHandshake<'_>>();
    debug::<Extension<'_>>();
    debug::<HandshakeError>();
    debug::<FieldFault>();
    debug::<HeadError>();
    debug::<HeaderLines<'_>>();
    debug::<Headers<'_>>();
    debug::<Offer<'_>>();
    debug::<ClientRequest<'_>>();
    debug::<PseudoHeaders<'_>>();
    debug::<Refused<'_>>();
    debug::<Request<'_>>();
    debug::<Resource<'_>>();
    debug::<Response<'_>>();
    debug::<ServerHandshake>();
    debug::<Target<'_>>();
    debug::<TargetError>();
    debug::<Value<'_>>();
    0
}

/// Prints any value of the type, in one line or in several.
fn debug<T: Debug>() {
    if let Some(value) = any(None::<T>) {
        see(Write::write_fmt(any(&mut Sink), format_args!("{value:?}")));
        see(Write::write_fmt(any(&mut Sink), format_args!("{value:#?}")));
    }
}
