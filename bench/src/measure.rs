//! Runs one load with all peers that support it, in turns.

use std::{cell::Cell, hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use crate::{
    loads::Load,
    payloads::Random,
    peers::{Kind, Peer, Run},
};

/// The output of a run.
#[derive(Default)]
pub struct Output {
    /// The messages that were received or sent, or the handshakes that were made.
    pub messages: usize,
    /// The number of bytes of the messages that were received, or that were written.
    pub bytes: usize,
    /// All these bytes, in the run that is checked.
    pub kept: Option<Vec<u8>>,
}

impl Output {
    /// Adds a message that was received in full.
    pub fn message(&mut self, bytes: &[u8]) {
        self.messages += 1;
        self.part(bytes);
    }

    /// Adds a part of a message that was received, or bytes that were written.
    pub fn part(&mut self, bytes: &[u8]) {
        self.bytes += black_box(bytes).len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }

    /// Writes the gathered bytes, and empties `batch`.
    pub fn write(&mut self, batch: &mut Vec<u8>) {
        self.part(batch);
        batch.clear();
    }
}

/// Returns the processor time of this thread.
///
/// Runs neither wait nor start threads, so this is the time they take, without that of other
/// processes.
pub fn clock() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().expect("the time is positive")
}

thread_local! {
    static ASIDE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Excludes `time` from the time of the run, because the peer had nothing to do with it.
pub fn set_aside(time: Duration) {
    ASIDE.set(ASIDE.get() + time);
}

/// The result of a peer.
pub struct Outcome {
    /// Nanoseconds per message, in the median round.
    pub median: f64,
    /// The lower to the upper quartile of the rounds, as a fraction of the median.
    pub spread: f64,
    /// Bytes per message, received or written.
    pub bytes: f64,
}

/// One way in which a peer can run the load.
struct Way<'l> {
    peer: usize,
    run: Run<'l>,
    /// The output of the run that was checked.
    expected: Output,
    /// The nanoseconds per message of each round.
    times: Vec<f64>,
}

/// Returns the results of the peers, measured in turns, or the reason why a peer cannot run the
/// load.
///
/// If a peer has several ways to run it, the one with the best median counts.
pub fn measure(
    load: &Load,
    peers: &[&Peer],
    rounds: usize,
    progress: impl Fn(usize),
) -> Vec<Result<Outcome, &'static str>> {
    let mut ways = Vec::new();
    let mut outcomes: Vec<Result<Outcome, &str>> = Vec::new();
    for (index, peer) in peers.iter().enumerate() {
        outcomes.push(match (peer.ways)(load) {
            Ok(runs) => {
                ways.extend(runs.into_iter().map(|run| look(load, peer, index, run)));
                Err("") // until it is known
            }
            Err(why) => Err(why),
        });
    }
    for round in 0..rounds {
        progress(round);
        // The position of a row can change its figure by a quarter, so each round has a random
        // order. So can the addresses of its buffers, so each run finds the heap moved by a random
        // length.
        let mut random = Random(round as u64);
        random.shuffle(&mut ways);
        for Way { run, expected, times, .. } in &mut ways {
            let _moved = black_box(vec![1_u8; 64 * random.below(512) as usize]);
            let mut output = Output::default();
            touch(&load.wire);
            ASIDE.set(Duration::ZERO);
            let start = clock();
            run(&mut output);
            let time = (clock() - start).saturating_sub(ASIDE.get());
            times.push(time.as_nanos() as f64 / load.count as f64);
            assert_eq!((output.messages, output.bytes), (expected.messages, expected.bytes));
        }
    }
    for Way { peer, expected, times, .. } in &mut ways {
        times.sort_by(f64::total_cmp);
        let at = |quarter: usize| times[(times.len() - 1) * quarter / 4];
        let median = at(2);
        let outcome = Outcome {
            median,
            spread: (at(3) - at(1)) / median,
            bytes: expected.bytes as f64 / load.count as f64,
        };
        match &outcomes[*peer] {
            Ok(other) if other.median <= outcome.median => {}
            _ => outcomes[*peer] = Ok(outcome),
        }
    }
    outcomes
}

/// Reads `wire`, so that the next peer finds as much of it in the caches as all others.
fn touch(wire: &[u8]) {
    let sum: usize = wire.chunks(64).map(|line| usize::from(line[0])).sum();
    black_box(sum);
}

/// Runs the load once, and checks the whole output.
fn look<'l>(load: &Load, peer: &Peer, index: usize, mut run: Run<'l>) -> Way<'l> {
    let mut output = Output { kept: Some(Vec::new()), ..Output::default() };
    run(&mut output);
    let kept = output.kept.take().unwrap();
    let about = format!("{}, {}: {}", load.bench.name(), load.name, peer.name);
    if peer.kind != Kind::Copy {
        assert_eq!(output.messages, load.count, "{about}");
    }
    assert!(load.is_answered_by(peer.kind, kept), "{about}");
    Way { peer: index, run, expected: output, times: Vec::new() }
}
