//! Measures echoes over loopback TCP: `crates/tokio` and other crates on tokio.
//!
//! `loopback [--rounds N] [--quick] [--load PREFIX] [--json]`
//!
//! `README.md` explains the measurement and its output.

mod generator;
mod load;
#[path = "../../src/payloads.rs"]
mod payloads;
mod peers;
mod process;
mod statistics;

use std::env;
use std::error::Error;
use std::io;
use std::time::Instant;

use generator::Generator;
use load::{Load, MIX, Role};
use payloads::Random;
use peers::{MIO, NAMES, OURS};
use process::Process;
use statistics::Summary;

/// The columns of the last table. If a crate has several rows, the best counts.
const CRATES: [&str; 3] = ["tokio-tungstenite", "fastwebsockets", "tokio-websockets"];

struct Options {
    rounds: usize,
    quick: bool,
    load: String,
    json: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Options { rounds: 7, quick: false, load: String::new(), json: false };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match &*argument {
                "--rounds" => options.rounds = value()?.parse()?,
                "--quick" => (options.quick, options.rounds) = (true, 1),
                "--load" => options.load = value()?,
                "--json" => options.json = true,
                _ => return Err(format!("{argument} is no option").into()),
            }
        }
        Ok(options)
    }
}

/// The results of one process with one load, round by round.
#[derive(Default)]
struct Samples {
    /// Nanoseconds of CPU time for each message.
    cpu: Vec<f64>,
    /// Messages in a second.
    rate: Vec<f64>,
}

/// A name, and the CPU time for a message.
type Row = (&'static str, Summary);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if_eq("serve").is_some() {
        return Ok(peers::serve(&arguments.next().ok_or("serve which?")?)?);
    }
    if arguments.next_if_eq("connect").is_some() {
        let name = arguments.next().ok_or("connect which?")?;
        return Ok(peers::connect(&name, &arguments.next().ok_or("connect to what?")?)?);
    }
    let options = Options::parse(arguments)?;
    process::allow_many_files()?;
    let mut all = Vec::new();
    for load in Load::all(options.quick) {
        if !load.to_string().starts_with(&options.load) {
            continue;
        }
        let rows = measure(&load, options.rounds).map_err(|error| format!("{load}: {error}"))?;
        if !options.json {
            println!("{load}: {} messages, {} rounds", load.messages, options.rounds);
            println!(
                "{:28}{:>15}{:>9}{:>15}{:>9}",
                "", "CPU ns/message", "spread", "messages/s", "spread"
            );
        }
        for (name, samples) in &rows {
            let (cpu, rate) = (Summary::of(&samples.cpu), Summary::of(&samples.rate));
            if options.json {
                print_json(&load, name, &cpu, &rate);
            } else {
                println!(
                    "{name:28}{:>15.0}{:>8.1}%{:>15.0}{:>8.1}%",
                    cpu.median,
                    cpu.spread * 100.0,
                    rate.median,
                    rate.spread * 100.0
                );
            }
        }
        let cpu = |(name, samples): (_, Samples)| (name, Summary::of(&samples.cpu));
        all.push((load, rows.into_iter().map(cpu).collect()));
    }
    if !options.json {
        print_table(&all);
    }
    Ok(())
}

/// Measures all processes in turns.
fn measure(load: &Load, rounds: usize) -> io::Result<Vec<(&'static str, Samples)>> {
    let mut rows = Vec::new();
    for name in NAMES {
        if name != MIO || load.role == Role::Server {
            rows.push((name, Process::start(name, load.role)?, Samples::default()));
        }
    }
    for round in 0..rounds {
        // The process before a row can change its figure, so each round has a random order.
        let mut order: Vec<&mut _> = rows.iter_mut().collect();
        Random(round as u64).shuffle(&mut order);
        for (name, process, samples) in order {
            let (cpu, seconds) = echo(process, load)
                .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
            samples.cpu.push(cpu / load.messages as f64);
            samples.rate.push(load.messages as f64 / seconds);
        }
    }
    Ok(rows.into_iter().map(|(name, _, samples)| (name, samples)).collect())
}

/// Runs one round. Returns the nanoseconds of CPU time, and the seconds.
fn echo(process: &mut Process, load: &Load) -> io::Result<(f64, f64)> {
    let mut generator = Generator::new(process, load)?;
    generator.run((load.messages / 10).next_multiple_of(load.connections))?;
    let before = process.cpu_time()?;
    let start = Instant::now();
    generator.run(load.messages)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = process.cpu_time()? - before;
    Ok((cpu.as_nanos() as f64, seconds))
}

/// Compares ours with each crate, a line for each load.
fn print_table(all: &[(Load, Vec<Row>)]) {
    println!("\nCPU time of {OURS}, in times of that of the others");
    print!("{:44}{:>10}{:>9}{MIO:>13}", "", "ns", "spread");
    for name in CRATES {
        print!("{name:>19}");
    }
    println!("{:>7}  bar", "best");
    for (load, rows) in all {
        // The row with the least CPU time among those of a crate, whose names may end with a
        // variant.
        let row = |name: &str| {
            let named = |row: &&Row| row.0.split(',').next() == Some(name);
            let rows = rows.iter().filter(named).map(|(_, cpu)| *cpu);
            rows.min_by(|one, other| one.median.total_cmp(&other.median))
        };
        let Some(ours) = row(OURS) else { continue };
        let times = |other: Option<Summary>| other.map(|other| ours.median / other.median);
        let cell = |ratio: Option<f64>| ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"));
        let name = load.to_string();
        print!(
            "{name:44}{:>10.0}{:>8.1}%{:>13}",
            ours.median,
            ours.spread * 100.0,
            cell(times(row(MIO)))
        );
        for name in CRATES {
            print!("{:>19}", cell(times(row(name))));
        }
        let best = CRATES.iter().filter_map(|name| times(row(name))).fold(0.0, f64::max);
        let bar = if load.kind == MIX { 0.8 } else { 1.0 };
        println!("{best:>7.2}  {bar:.1}{}", if best <= bar { "" } else { " MISSED" });
    }
}

fn print_json(load: &Load, name: &str, cpu: &Summary, rate: &Summary) {
    println!(
        concat!(
            r#"{{"bench":"loopback","load":"{}","peer":"{}","ns":{:.0},"ns_spread":{:.3},"#,
            r#""messages_per_second":{:.0},"messages_per_second_spread":{:.3}}}"#
        ),
        load, name, cpu.median, cpu.spread, rate.median, rate.spread
    );
}
