//! The same server three times: `examples/bare.rs`, and servers with two other crates that do its
//! job. Each serves one peer from its request to its end, with the same limits and without a heap.

#![cfg_attr(target_os = "none", no_std)]
#![allow(unused_attributes, dead_code, reason = "`bare` is a crate of its own elsewhere")]

#[path = "../../../examples/bare.rs"]
pub mod bare;
pub mod embedded;
pub mod sans_io;

mod head;
mod line;

pub use line::Line;

/// The longest message that is accepted.
const MESSAGE: usize = 128;
/// The longest payload of a control frame (RFC 6455 §5.5).
const CONTROL: usize = 125;
/// The longest header of a frame that is sent.
const HEADER: usize = 4;
/// The size of a read.
const READ: usize = 64;

/// The way in which a connection of the peers ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With a closing handshake.
    Closed,
    /// Without one, or without an opening handshake.
    Failed,
}
