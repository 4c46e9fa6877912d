//! The loads of a server, or of a client.

use std::fmt;

use crate::payloads::{Payload, append_frame, mix};

/// The side that is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

pub struct Load {
    pub role: Role,
    /// The kind of the messages.
    pub kind: &'static str,
    /// The different messages. They are repeated in the same order.
    pub payloads: Vec<Payload>,
    pub connections: usize,
    /// How many messages of a connection are on the way at the same time.
    pub depth: usize,
    /// How many messages are echoed in a round, on all connections together.
    pub messages: usize,
}

type Make = fn() -> Vec<Payload>;

pub const MIX: &str = "mix";

const KINDS: [(&str, Make); 7] = [
    ("16 B binary", || vec![Payload::binary(16)]),
    ("125 B text", || vec![Payload::ascii(125)]),
    ("1 KiB text", || vec![Payload::ascii(1 << 10)]),
    ("16 KiB text", || vec![Payload::ascii(16 << 10)]),
    ("64 KiB binary", || vec![Payload::binary(64 << 10)]),
    ("1 MiB binary", || vec![Payload::binary(1 << 20)]),
    (MIX, mix),
];

/// The limit on the bytes of the first messages of all connections.
const MOST: usize = 64 << 20;

impl Load {
    pub fn all(quick: bool) -> Vec<Load> {
        let connections: &[usize] = if quick { &[8] } else { &[1, 64, 1000] };
        let mut loads = Vec::new();
        for role in [Role::Server, Role::Client] {
            for (kind, make) in KINDS {
                for &connections in connections {
                    loads.extend([1, 32].map(|depth| {
                        let payloads = make();
                        let total: usize = payloads.iter().map(|it| it.bytes().len()).sum();
                        let average = total / payloads.len();
                        let most = (256 << 20) / average;
                        // With one message on the way, most of the time is waiting.
                        let most = most.min(80_000) / if connections * depth == 1 { 4 } else { 1 };
                        let most = if quick { most / 20 } else { most };
                        let messages = most.next_multiple_of(connections);
                        Load { role, kind, payloads, connections, depth, messages }
                    }));
                }
            }
        }
        loads.retain(|load| load.connections * load.longest() <= MOST);
        loads
    }

    fn longest(&self) -> usize {
        self.payloads.iter().map(|payload| payload.bytes().len()).max().unwrap_or_default()
    }

    /// Returns the payloads in frames of the other side, which are repeated in this order. There
    /// are enough for one write.
    pub fn cycle(&self) -> Cycle {
        let mut cycle = Cycle::default();
        let key = (self.role == Role::Server).then_some([0x37, 0xFA, 0x21, 0x3D]);
        while cycle.requests.len() < 256 << 10 && cycle.ends.len() < 1024 {
            for payload in &self.payloads {
                let first = match payload {
                    Payload::Text(_) => 0x81,
                    Payload::Binary(_) => 0x82,
                };
                append_frame(first, payload.bytes(), key, &mut cycle.requests);
                cycle.ends.push(cycle.requests.len());
            }
        }
        cycle
    }

    /// Returns the beginning of each payload's frame, up to the masking key.
    pub fn headers(&self) -> Vec<Vec<u8>> {
        let mut frames = self.cycle();
        let masked = if self.role == Role::Client { 0x80 } else { 0 };
        let key = if self.role == Role::Server { 4 } else { 0 };
        let mut start = 0;
        let header = |(payload, &end): (&Payload, &usize)| {
            let length = end - start - payload.bytes().len() - key;
            let header = &mut frames.requests[start..][..length];
            start = end;
            header[1] = header[1] & 0x7F | masked;
            header.to_vec()
        };
        self.payloads.iter().zip(&frames.ends).map(header).collect()
    }
}

/// Frames that are sent repeatedly, and the end of each of them.
#[derive(Default)]
pub struct Cycle {
    pub requests: Vec<u8>,
    pub ends: Vec<usize>,
}

impl Payload {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(data) => data,
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { role, kind, connections, depth, .. } = self;
        let role = match role {
            Role::Server => "server",
            Role::Client => "client",
        };
        let plural = if *connections == 1 { "" } else { "s" };
        write!(formatter, "{role}, {kind}, {connections} connection{plural}, {depth} deep")
    }
}
