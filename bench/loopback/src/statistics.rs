//! Medians of the rounds, and their spread.

#[derive(Clone, Copy)]
pub struct Summary {
    pub median: f64,
    /// The lower to the upper quartile, as a fraction of the median.
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
