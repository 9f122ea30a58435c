//! How long things took.

use std::time::Duration;

/// Durations, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Latency(Vec<Duration>);

impl Latency {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    pub(crate) fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// In milliseconds, what `share` of all did not exceed; NaN if there are none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a position in a list"
    )]
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let position = (share * sorted.len() as f64) as usize;
        let last = sorted.len().saturating_sub(1);
        sorted
            .get(position.min(last))
            .map_or(f64::NAN, |duration| duration.as_secs_f64() * 1000.0)
    }
}
