#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "The core of the WebSocket protocol as a state machine without I/O and without
allocation: bytes go in, events and outbound bytes come out.

The module [`handshake`] opens a connection. A [`Connection`] receives and sends, [`Messages::lent`]
joins the pieces of messages in a buffer of yours, and [`Deadlines`] limits what a peer can delay.
The [guide](guide#without-an-operating-system) shows how to drive them. The feature `alloc` adds
`Endpoint`, which does that for you."
)]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod agreed;
#[cfg(feature = "deflate")]
mod blocks;
mod close;
mod closing;
#[cfg(feature = "alloc")]
mod codec;
mod config;
mod connection;
mod deadline;
#[cfg(feature = "alloc")]
mod deflate;
#[cfg(feature = "alloc")]
pub mod endpoint;
mod error;
mod event;
mod frame;
pub mod guide;
pub mod handshake;
#[cfg(feature = "alloc")]
mod inflate;
mod join;
mod mask;
mod message;
mod output;
#[cfg(feature = "alloc")]
mod prepared;
mod receive;
mod role;
mod send;
mod storage;
mod utf8;
#[cfg(feature = "deflate")]
mod zlib;

pub use agreed::{Agreed, Deflate, WindowBits};
pub use close::{CloseCode, CloseFrame};
pub use closing::{Closure, Initiator, NextStep, State};
#[cfg(feature = "alloc")]
pub use codec::{Compress, Decompress, InflateError, Progress};
pub use config::Config;
pub use connection::Connection;
pub use deadline::{Deadlines, Limit, Overdue};
#[cfg(feature = "alloc")]
pub use deflate::Deflater;
pub use error::{Failure, InternalError, SendError, Violation};
pub use event::{Binary, Compressed, ControlPayload, Data, Event, Kind, Text};
pub use frame::FrameHeader;
#[cfg(feature = "alloc")]
pub use inflate::Inflater;
pub use join::Messages;
pub use message::Message;
#[cfg(feature = "alloc")]
pub use message::OwnedMessage;
pub use output::{Full, Output, SliceOutput};
#[cfg(feature = "alloc")]
pub use prepared::Prepared;
#[cfg(feature = "random")]
pub use role::SystemMask;
pub use role::{Client, MaskSource, Role, Server};
#[cfg(feature = "deflate")]
pub use zlib::{ZlibCompress, ZlibDecompress};
