//! The memory of idle server connections: `memory [--json]`.
//!
//! A connection's bytes are those of the value and those that it has allocated. The transport has
//! no heap, and one byte in the value.

mod counting;
mod ours;
mod peers;
mod wire;

use std::process::ExitCode;

use counting::in_use;
use wire::{ECHO, written};

/// The numbers of connections at the same time: of ours, and of each peer and of ours on tokio.
const OURS: usize = 1_000_000;
const PEERS: usize = 10_000;
/// The limit on one connection of ours, without any heap.
const BAR: usize = 320;

#[derive(Clone, Copy)]
struct Cost {
    value: usize,
    heap: f64,
}

impl Cost {
    fn both(self) -> f64 {
        self.value as f64 + self.heap
    }
}

/// Measures the memory of each of `count` connections that exist at the same time.
fn cost<T>(count: usize, mut connection: impl FnMut() -> T) -> Cost {
    // Shared memory is allocated before the measurement.
    drop(connection());
    let mut kept = Vec::with_capacity(count);
    let before = in_use();
    kept.extend(std::iter::repeat_with(&mut connection).take(count));
    Cost { value: size_of::<T>(), heap: (in_use() - before) as f64 / count as f64 }
}

/// Measures the same for connections that each write an echo.
fn peer<T>(connection: impl FnMut() -> T) -> Cost {
    let before = written();
    let cost = cost(PEERS, connection);
    assert_eq!(written() - before, (PEERS + 1) * ECHO.len());
    cost
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a clock");
    let _inside = runtime.enter();
    let json = std::env::args().nth(1).is_some_and(|argument| argument == "--json");
    let new = cost(OURS, ours::new);
    let small = new.value <= BAR && new.heap == 0.0;
    let ours = peer(ours::tokio());
    let [tungstenite, websockets] = [peer(peers::tokio_tungstenite), peer(peers::tokio_websockets)];
    let least = ours.both() < tungstenite.both() && ours.both() < websockets.both();
    let rows = [
        ("websocket-proto, new", OURS, new),
        ("websocket-proto", OURS, cost(OURS, ours::echoed)),
        ("websocket-proto, compressing", OURS, cost(OURS, ours::compressed())),
        ("websocket-proto-tokio", PEERS, ours),
        ("tungstenite", PEERS, peer(|| peers::tungstenite(None))),
        ("tungstenite, reading 4 KiB", PEERS, peer(|| peers::tungstenite(Some(4 << 10)))),
        ("tokio-tungstenite", PEERS, tungstenite),
        ("fastwebsockets", PEERS, peer(peers::fastwebsockets)),
        ("tokio-websockets", PEERS, websockets),
        ("soketto", PEERS, peer(peers::soketto)),
        ("sockudo-ws", PEERS, peer(peers::sockudo)),
        ("yawc", PEERS, peer(peers::yawc)),
    ];
    if !json {
        println!(
            "bytes of an idle connection{:>16}{:>12}{:>12}{:>12}",
            "held", "value", "heap", "both"
        );
    }
    for (name, held, cost) in rows {
        let (Cost { value, heap }, both) = (cost, cost.both());
        if json {
            println!(
                r#"{{"bench":"memory","peer":"{name}","connections":{held},"value":{value},"heap":{heap:.1}}}"#
            );
        } else {
            println!("{name:32}{held:>11}{value:>12}{heap:>12.1}{both:>12.1}");
        }
    }
    if !small {
        eprintln!("an idle connection takes more than {BAR} bytes, or heap");
    }
    if !least {
        eprintln!("another crate on tokio takes no more than ours");
    }
    if small && least { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
