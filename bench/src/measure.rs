//! One load, all peers that can do it, in turns.

use std::{cell::Cell, hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use crate::{
    loads::Load,
    payloads::Random,
    peers::{Kind, Peer, Run},
};

/// What came out of a run.
#[derive(Default)]
pub struct Output {
    /// The messages that were received or sent, or the handshakes that were made.
    pub messages: usize,
    /// The bytes of the messages that were received, or of what was written.
    pub bytes: usize,
    /// All of them, for the run that is looked at.
    pub kept: Option<Vec<u8>>,
}

impl Output {
    /// A message was received, whole.
    pub fn message(&mut self, bytes: &[u8]) {
        self.messages += 1;
        self.part(bytes);
    }

    /// A part of a message was received, or something was written.
    pub fn part(&mut self, bytes: &[u8]) {
        self.bytes += black_box(bytes).len();
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
    }

    /// What was gathered to be written is written, and `batch` is empty.
    pub fn write(&mut self, batch: &mut Vec<u8>) {
        self.part(batch);
        batch.clear();
    }
}

/// The processor time of this thread.
///
/// Runs neither wait nor start threads, so this is what they take, less the time in which other
/// processes have the processor.
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

/// How a peer did.
pub struct Outcome {
    /// Nanoseconds per message, in the median round.
    pub median: f64,
    /// From the lower to the upper quartile of the rounds, as a part of the median.
    pub spread: f64,
    /// Bytes per message, received or written.
    pub bytes: f64,
}

/// One way of a peer to do the load.
struct Way<'l> {
    peer: usize,
    run: Run<'l>,
    /// What came out of the run that was looked at.
    expected: Output,
    /// Nanoseconds per message.
    times: Vec<f64>,
}

/// How the peers did, measured in turns, or why one cannot do the load.
///
/// A peer may have several ways to do it; the one with the best median counts.
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
        // A row's place alone can move it by a quarter, so each round has an order of its own. So can
        // the addresses of its buffers, so each run finds the heap moved by some other length.
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

/// Reads `wire`, so that who comes next finds as much of it in the caches as all others.
fn touch(wire: &[u8]) {
    let sum: usize = wire.chunks(64).map(|line| usize::from(line[0])).sum();
    black_box(sum);
}

/// Runs it once, and looks at everything that comes out.
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
