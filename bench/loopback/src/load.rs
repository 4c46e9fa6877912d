//! What is asked of a server.

use std::fmt;

#[derive(Clone, Copy)]
pub struct Load {
    /// The bytes of a message.
    pub size: usize,
    pub connections: usize,
    /// How many messages of a connection are under way at once.
    pub depth: usize,
    /// How many messages are echoed in a round, by all connections together.
    pub messages: usize,
}

impl Load {
    pub fn all(quick: bool) -> impl Iterator<Item = Load> {
        let sizes = [(16, 160_000_usize), (1 << 10, 160_000), (64 << 10, 16_000)];
        sizes.into_iter().flat_map(move |(size, most)| {
            [1, 64, 1000].into_iter().flat_map(move |connections| {
                [1, 16].into_iter().map(move |depth| {
                    // With one message under way, most of the time is waiting.
                    let messages = if connections * depth == 1 { most / 4 } else { most };
                    let messages = if quick { messages / 20 } else { messages };
                    let messages = messages.next_multiple_of(connections);
                    Load { size, connections, depth, messages }
                })
            })
        })
    }

    /// A message in a frame of a client.
    pub fn request(&self) -> Vec<u8> {
        let key = [0x37, 0xFA, 0x21, 0x3D];
        let payload = self.payload();
        let masked = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        let mut frame = self.header(0x80);
        frame.extend(key);
        frame.extend(masked);
        frame
    }

    /// The frame that it has to be answered with.
    pub fn echo(&self) -> Vec<u8> {
        [self.header(0), self.payload()].concat()
    }

    fn payload(&self) -> Vec<u8> {
        (0..self.size).map(|position| (position * 31 % 251) as u8).collect()
    }

    /// The header of an unfragmented binary message, up to the masking key.
    fn header(&self, masked: u8) -> Vec<u8> {
        match self.size {
            length @ 0..=125 => vec![0x82, masked | length as u8],
            length @ 126..=0xFFFF => {
                [&[0x82, masked | 126][..], &(length as u16).to_be_bytes()].concat()
            }
            length => [&[0x82, masked | 127][..], &(length as u64).to_be_bytes()].concat(),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { size, connections, depth, .. } = self;
        match size {
            0..1024 => write!(formatter, "{size} B")?,
            _ => write!(formatter, "{} KiB", size >> 10)?,
        }
        let plural = if *connections == 1 { "" } else { "s" };
        write!(formatter, ", {connections} connection{plural}, {depth} deep")
    }
}
