//! What took how long.

use std::fmt;
use std::time::{Duration, Instant};

/// The parts of a run, one after the other.
pub(super) struct Times {
    began: Instant,
    parts: Vec<(&'static str, Duration)>,
}

impl Times {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            parts: Vec::new(),
        }
    }

    /// A part has ended; the next one begins.
    pub(super) fn ended(&mut self, part: &'static str) {
        let before = self.total();
        let took = self.began.elapsed().saturating_sub(before);
        self.parts.push((part, took));
    }

    fn total(&self) -> Duration {
        self.parts.iter().map(|(_, took)| took).sum()
    }
}

/// One line, in seconds.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.total().as_secs())?;
        for (place, (part, took)) in self.parts.iter().enumerate() {
            let before = if place == 0 { ": " } else { ", " };
            write!(f, "{before}{} {part}", took.as_secs())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_their_sum_are_told() {
        let times = Times {
            began: Instant::now(),
            parts: vec![
                ("to build", Duration::from_secs(200)),
                ("to run", Duration::from_millis(1_999)),
            ],
        };
        assert_eq!(times.to_string(), "201 s: 200 to build, 1 to run");
    }
}
