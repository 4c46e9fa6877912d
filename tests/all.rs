//! All tests but the ledger's, in one program, because a program for each file takes longer to
//! build. `cargo test --test all vectors::` runs those of one file.

#![cfg(feature = "alloc")]

#[path = "common/allocator.rs"]
mod allocator;
#[path = "common/grammar.rs"]
mod grammar;
#[path = "common/requests.rs"]
mod requests;

mod bounds;
mod broadcast;
mod closing;
mod common;
mod connect;
mod deadlines;
mod deflate_blocks;
mod deflate_codecs;
mod deflate_limits;
mod deflate_sending;
mod deflate_shared;
mod deflate_zlib;
mod driver;
mod endpoint;
mod endpoint_bounds;
mod endpoint_deflate;
mod endpoint_drivers;
mod endpoint_interleavings;
mod endpoint_io;
mod endpoint_time;
mod handshake_client;
mod handshake_paths;
mod handshake_server_answers;
mod handshake_server_fields;
mod handshake_server_heads;
mod handshake_server_limits;
mod http;
mod in_place;
mod interleavings;
mod messages;
mod negotiation;
mod pair;
mod read_buffer;
mod readme;
mod sending;
mod target;
mod traits;
mod turns;
mod twin;
mod vectors;
