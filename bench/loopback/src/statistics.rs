//! Medians, and what to make of them.

use std::fmt;

pub struct Summary {
    pub median: f64,
    /// From the lower to the upper quartile, as a part of the median.
    pub spread: f64,
}

impl Summary {
    pub fn of(samples: &[f64]) -> Self {
        let mut samples = samples.to_vec();
        samples.sort_by(f64::total_cmp);
        let at = |part: f64| samples[(part * (samples.len() - 1) as f64).round() as usize];
        let median = at(0.5);
        Summary { median, spread: (at(0.75) - at(0.25)) / median }
    }
}

pub struct Verdict {
    best: String,
    ratio: f64,
    spread: f64,
    passes: bool,
}

/// How the first does beside the best of the others: well where it takes at most `bar` times as
/// much, or more by no more than the spread of one of both.
pub fn verdict(names: &[&str], summaries: &[Summary], bar: f64) -> Verdict {
    let others = names.iter().zip(summaries).skip(1);
    let (best, other) = others
        .min_by(|(_, one), (_, another)| one.median.total_cmp(&another.median))
        .expect("a peer");
    let ratio = summaries[0].median / other.median;
    let spread = summaries[0].spread.max(other.spread);
    let passes = ratio <= bar || ratio <= 1.0 + spread;
    Verdict { best: best.to_string(), ratio, spread, passes }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { best, ratio, spread, passes } = self;
        let passes = if *passes { "well" } else { "MISSED" };
        write!(formatter, "{ratio:6.2}  spread {:4.1}%  {passes:8}{best}", spread * 100.0)
    }
}
