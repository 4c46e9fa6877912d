//! Measures websocket-proto and other implementations, in one process and in turns:
//! `cargo run --release` in this folder. README.md explains each row.
//!
//! The arguments after `--` are names of benches to run (all, if there are none) and options:
//!
//! - `--rounds 5`: runs 5 rounds instead of 15.
//! - `--quick`: little input and two rounds, to see that all checks pass.
//! - `--load "16 KiB"`, `--peer tungstenite`: runs only loads that begin with this text, and only
//!   this peer beside ours.
//! - `--level 1`: compresses at level 1 instead of 6.
//! - `--json`: one line for each result instead of tables: nanoseconds per message, their spread,
//!   and the bytes of a message.
//! - `--svg FILE`: writes a picture of receive-server.

#![deny(unsafe_code)]

mod deflate;
mod handshakes;
mod loads;
mod measure;
mod payloads;
mod peers;
mod report;
mod wire;

use std::{
    env, fs,
    io::{IsTerminal, Write, stderr, stdout},
    process::exit,
};

use loads::{Bench, Plan, Scale};
use peers::{FLATE2, Kind, PEERS, Peer};
use report::Results;

struct Options {
    benches: Vec<Bench>,
    rounds: usize,
    scale: Scale,
    load: String,
    peer: String,
    json: bool,
    svg: Option<String>,
}

impl Options {
    fn parse() -> Result<Self, String> {
        let mut options = Options {
            benches: Vec::new(),
            rounds: 15,
            scale: Scale { bytes: 16 << 20, handshakes: 20_000, level: 6 },
            load: String::new(),
            peer: String::new(),
            json: false,
            svg: None,
        };
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            let number =
                |text: String| text.parse::<usize>().map_err(|_| format!("{text} is no number"));
            match &*argument {
                "--rounds" => options.rounds = number(value()?)?.max(1),
                "--quick" => {
                    options.rounds = 2;
                    options.scale = Scale { bytes: 64 << 10, handshakes: 20, ..options.scale };
                }
                "--load" => options.load = value()?,
                "--peer" => options.peer = value()?,
                "--level" => options.scale.level = number(value()?)?.clamp(1, 9) as u8,
                "--json" => options.json = true,
                "--svg" => options.svg = Some(value()?),
                name => {
                    let before = options.benches.len();
                    let named = Bench::ALL.into_iter().filter(|bench| bench.name() == name);
                    options.benches.extend(named);
                    if options.benches.len() == before {
                        return Err(format!("{name} is neither a bench nor an option"));
                    }
                }
            }
        }
        if options.benches.is_empty() {
            options.benches = Bench::ALL.into();
        }
        Ok(options)
    }
}

fn main() {
    let options = Options::parse().unwrap_or_else(|error| {
        eprintln!("{error}");
        exit(2)
    });
    let wanted = |peer: &Peer| {
        options.peer.is_empty() || peer.name == options.peer || peer.kind != Kind::Peer
    };
    let peers: Vec<&Peer> = PEERS.iter().copied().filter(|peer| wanted(peer)).collect();
    let plans = options.benches.iter().flat_map(|&bench| Plan::of(bench));
    let plans: Vec<Plan> = plans.filter(|plan| plan.name.starts_with(&options.load)).collect();

    if !options.json {
        println!(
            "{} rounds in turns; compression at level {}",
            options.rounds, options.scale.level
        );
        println!("flate2 compresses with {FLATE2}");
        println!("to best: the median, in times of that of the best peer that skips nothing");
    }
    let total = plans.len();
    let mut all = Vec::new();
    for (index, plan) in plans.into_iter().enumerate() {
        let load = plan.build(&options.scale);
        let progress = |round: usize| {
            if stderr().is_terminal() {
                let (load, bench) = (&load.name, load.bench.name());
                eprint!("\r\x1b[K[{}/{total}] {bench}, {load}: round {}", index + 1, round + 1);
            }
        };
        let outcomes = measure::measure(&load, &peers, options.rounds, progress);
        if stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        let results = Results::new(&load, &peers, outcomes);
        print!("{}", if options.json { results.json() } else { results.table() });
        stdout().flush().expect("standard output takes it");
        all.push(results);
    }
    if !options.json {
        print!("{}{}", report::overview(&all), report::notes(&all, &peers));
    }
    if let Some(file) = &options.svg {
        fs::write(file, report::svg(&all)).expect("the picture can be written");
    }
}
