//! Receiving and sending compressed messages (RFC 7692) as a server, beside the codec alone and
//! peers that compress, in one process and in turns.
//!
//! `cargo run --release --features deflate --bin deflate` in this folder prints nanoseconds per
//! message, the best and the median of the rounds. The feature `soketto` adds that peer, `zlib-ng`
//! gives it and all others on flate2 their fastest backend; the codec alone and websocket-proto
//! stay with zlib-rs.
//!
//! The messages are 256 different JSON texts, cycled to 16 MiB a run. All compress with a window of
//! 15 bits and, where it can be set, a memory level of 8. What is received was compressed by
//! zlib-rs, and arrives as in the bench of receiving: in reads of 16 KiB that are copied. What is
//! sent is given to the caller, or written to a transport, message by message. One run of each peer
//! is looked at byte for byte before any is timed; those that are have to give as many messages and
//! bytes.
//!
//! Behind `--`: `--level 1` compresses at that level instead of 6; `--rounds 5` instead of 15;
//! `--load "receive 1 KiB"` leaves out loads that begin otherwise, `--peer codec` all other peers;
//! `--json` prints one line for each result: nanoseconds per message, best and median, the bytes of
//! a message, and of one on the wire.

mod load;
mod peers;

use std::{env, time::Instant};

use load::{Direction, Load};
use peers::{FLATE2, Output, PEERS, Peer};

struct Options {
    level: u8,
    rounds: usize,
    load: String,
    peer: String,
    json: bool,
}

impl Options {
    fn parse() -> Self {
        let (load, peer) = (String::new(), String::new());
        let mut options = Options { level: 6, rounds: 15, load, peer, json: false };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value");
            match &*argument {
                "--level" => options.level = value().parse().expect("a number"),
                "--rounds" => options.rounds = value().parse().expect("a number"),
                "--load" => options.load = value(),
                "--peer" => options.peer = value(),
                "--json" => options.json = true,
                other => panic!("{other} is no option"),
            }
        }
        options
    }
}

/// How a peer did.
struct Outcome {
    /// Nanoseconds per message.
    best: f64,
    median: f64,
    /// Bytes per message on the wire.
    wire: f64,
}

fn run(peer: &Peer, load: &Load, output: &mut Output) {
    match load.direction {
        Direction::Receive => (peer.receive)(load, output),
        Direction::Send => (peer.send)(load, output),
    }
}

/// How the peers did that can do the load, measured in turns.
fn measure(load: &Load, peers: &[&Peer], rounds: usize) -> Vec<Option<Outcome>> {
    let able = |peer: &Peer| (peer.lacks)(load).is_none();
    // The run that is looked at, which the others are held against.
    let outputs: Vec<Output> = peers
        .iter()
        .map(|peer| {
            let mut output = Output { kept: Some(Vec::new()), ..Output::default() };
            if able(peer) {
                run(peer, load, &mut output);
                let kept = output.kept.take().unwrap();
                assert_eq!(output.messages, load.count, "{}", peer.name);
                assert!(load.is_answered_by(&kept, peer.framed), "{}: {}", load.name, peer.name);
            }
            output
        })
        .collect();
    let mut times = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        for ((peer, expected), times) in peers.iter().zip(&outputs).zip(&mut times) {
            if able(peer) {
                let mut output = Output::default();
                let start = Instant::now();
                run(peer, load, &mut output);
                times.push(start.elapsed().as_nanos() as f64 / load.count as f64);
                assert_eq!((output.messages, output.bytes), (expected.messages, expected.bytes));
            }
        }
    }
    let outcome = |(times, output): (&mut Vec<f64>, &Output)| {
        times.sort_by(f64::total_cmp);
        let wire =
            if load.direction == Direction::Receive { load.wire.len() } else { output.bytes };
        let wire = wire as f64 / load.count as f64;
        Some(Outcome { best: *times.first()?, median: times[times.len() / 2], wire })
    };
    times.iter_mut().zip(&outputs).map(outcome).collect()
}

fn main() {
    let options = Options::parse();
    let peers: Vec<&Peer> =
        PEERS.iter().filter(|peer| options.peer.is_empty() || peer.name == options.peer).collect();
    if !options.json {
        println!("level {}, window of 15 bits, memory level 8; flate2 is {FLATE2}", options.level);
        for peer in &peers {
            println!("{}: {}", peer.name, peer.note);
        }
        println!("\nns per message: best / median of {} rounds, in turns", options.rounds);
        println!("(bytes per message on the wire)");
        print!("{:28}", "");
        for peer in &peers {
            print!("{:>18}", peer.name);
        }
        println!();
    }
    for direction in [Direction::Receive, Direction::Send] {
        for (size, takeover) in [(1, true), (1, false), (16, true), (16, false)] {
            let size = size << 10;
            if !Load::name(direction, size, takeover).starts_with(&options.load) {
                continue;
            }
            let load = Load::new(direction, size, takeover, options.level);
            let outcomes = measure(&load, &peers, options.rounds);
            if options.json {
                print_json(&load, &peers, &outcomes);
            } else {
                print_rows(&load, &peers, &outcomes);
            }
        }
    }
}

fn print_rows(load: &Load, peers: &[&Peer], outcomes: &[Option<Outcome>]) {
    let row = |name: &str, cell: &dyn Fn(&Outcome) -> String| {
        print!("{name:28}");
        for outcome in outcomes {
            print!("{:>18}", outcome.as_ref().map_or("-".into(), cell));
        }
    };
    row(&load.name, &|outcome| format!("{:.0} / {:.0}", outcome.best, outcome.median));
    println!();
    row("", &|outcome| format!("({:.0})", outcome.wire));
    for peer in peers {
        if let Some(why) = (peer.lacks)(load) {
            print!("  {}: {why}", peer.name);
        }
    }
    println!();
}

fn print_json(load: &Load, peers: &[&Peer], outcomes: &[Option<Outcome>]) {
    for (peer, outcome) in peers.iter().zip(outcomes) {
        if let Some(Outcome { best, median, wire }) = outcome {
            println!(
                concat!(
                    r#"{{"bench":"deflate","load":"{}","peer":"{}","level":{},"flate2":"{}","#,
                    r#""ns":{:.1},"median":{:.1},"bytes":{},"wire":{:.1}}}"#
                ),
                load.name, peer.name, load.level, FLATE2, best, median, load.size, wire
            );
        }
    }
}
