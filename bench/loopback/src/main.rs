//! Echo servers over loopback TCP: `examples/echo_server.rs` beside those of other crates.
//!
//! `loopback [--rounds N] [--quick] [--load PREFIX] [--json]`
//!
//! See `README.md` for what is measured and how to read it.

mod generator;
mod load;
mod peers;
mod server;
mod statistics;

use std::env;
use std::error::Error;
use std::io;
use std::time::Instant;

use generator::Generator;
use load::Load;
use server::{OURS, Server};
use statistics::{Summary, verdict};

/// A server may take this much more CPU time than the best peer.
const BAR: f64 = 1.05;

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
                "--quick" => options.quick = true,
                "--load" => options.load = value()?,
                "--json" => options.json = true,
                _ => return Err(format!("{argument} is no option").into()),
            }
        }
        Ok(options)
    }
}

/// What one server did with one load, round by round.
#[derive(Default)]
struct Samples {
    /// Nanoseconds of CPU time of the server for each message.
    cpu: Vec<f64>,
    /// Messages in a second.
    rate: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if_eq("serve").is_some() {
        return Ok(peers::serve(&arguments.next().ok_or("serve which?")?)?);
    }
    let options = Options::parse(arguments)?;
    server::allow_many_files()?;
    let names: Vec<&str> = [OURS].into_iter().chain(peers::NAMES).collect();
    let mut verdicts = Vec::new();
    for load in Load::all(options.quick) {
        if !load.to_string().starts_with(&options.load) {
            continue;
        }
        let samples = measure(&load, &names, options.rounds)?;
        let cpu: Vec<Summary> = samples.iter().map(|samples| Summary::of(&samples.cpu)).collect();
        let rate: Vec<Summary> = samples.iter().map(|samples| Summary::of(&samples.rate)).collect();
        if !options.json {
            println!("{load}: {} messages, {} rounds", load.messages, options.rounds);
            println!(
                "{:28}{:>15}{:>9}{:>15}{:>9}",
                "", "CPU ns/message", "spread", "messages/s", "spread"
            );
        }
        for ((name, cpu), rate) in names.iter().zip(&cpu).zip(&rate) {
            if options.json {
                print_json(&load, name, cpu, rate);
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
        verdicts.push((load, verdict(&names, &cpu, BAR)));
    }
    if !options.json {
        println!(
            "\nCPU time of {OURS} to that of the best peer, at most {BAR} or within the spread:"
        );
        for (load, verdict) in verdicts {
            println!("{:32}{verdict}", load.to_string());
        }
    }
    Ok(())
}

/// All servers in turns.
fn measure(load: &Load, names: &[&str], rounds: usize) -> io::Result<Vec<Samples>> {
    let servers: Vec<Server> =
        names.iter().map(|name| Server::start(name)).collect::<io::Result<_>>()?;
    let mut samples: Vec<Samples> = names.iter().map(|_| Samples::default()).collect();
    for round in 0..rounds {
        // Each begins a round once.
        for turn in 0..servers.len() {
            let number = (round + turn) % servers.len();
            let server = &servers[number];
            let mut generator = Generator::new(server.address, load)?;
            generator.run((load.messages / 10).next_multiple_of(load.connections))?;
            let before = server.cpu_time()?;
            let start = Instant::now();
            generator.run(load.messages)?;
            let seconds = start.elapsed().as_secs_f64();
            let cpu = server.cpu_time()? - before;
            samples[number].cpu.push(cpu.as_nanos() as f64 / load.messages as f64);
            samples[number].rate.push(load.messages as f64 / seconds);
        }
    }
    Ok(samples)
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
