//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Digits of a duration that are kept.
const DIGITS: u8 = 3;
/// Longer ones count as this.
const LONGEST: Duration = Duration::from_mins(10);

/// Durations, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, nanoseconds(LONGEST), DIGITS);
        Self(histogram.expect("these bounds are allowed"))
    }
}

impl Latency {
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.saturating_record(nanoseconds(duration));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0 += other.0;
    }

    /// How many there are.
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    pub(crate) fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// In milliseconds, what `share` of all did not exceed; NaN if there are none.
    #[expect(clippy::cast_precision_loss, reason = "three digits are kept")]
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        self.0.value_at_quantile(share) as f64 / 1e6
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
