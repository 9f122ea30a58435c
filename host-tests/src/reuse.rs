//! How long an instance is used: Spin's limits, their names and their defaults.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/trigger-http/src/lib.rs`.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// The limits of instance reuse. Each is one value or a range, from which every new instance picks.
#[derive(Clone, Copy, Debug)]
pub struct ReuseLimits {
    /// Requests that an instance takes in all (`--max-instance-reuse-count`).
    pub requests: Span<usize>,
    /// Requests that it takes at once (`--max-instance-concurrent-reuse-count`).
    pub concurrent_requests: Span<usize>,
    /// How long it lives without a request (`--idle-instance-timeout`).
    pub idle_timeout: Span<Duration>,
    /// How long a request may take (`--request-timeout`); unlimited if none.
    pub request_timeout: Option<Span<Duration>>,
}

impl Default for ReuseLimits {
    /// Spin's defaults for WASI p3 components.
    fn default() -> Self {
        Self {
            requests: Span::One(128),
            concurrent_requests: Span::One(16),
            idle_timeout: Span::One(Duration::from_secs(1)),
            request_timeout: None,
        }
    }
}

/// A value, or a range of values without its end, written `1..8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span<T> {
    /// Always this value.
    One(T),
    /// Any value from the first up to, but not including, the second.
    Between(T, T),
}

impl<T: rand::distr::uniform::SampleUniform + PartialOrd + Copy> Span<T> {
    /// The value, or one picked at random.
    pub(crate) fn pick(self) -> T {
        match self {
            Self::One(value) => value,
            Self::Between(from, to) => rand::random_range(from..to),
        }
    }
}

impl<T> Span<T> {
    /// Parses `value` or `from..to`, where `from` must be less than `to`.
    fn parse<E: Display>(text: &str, value: impl Fn(&str) -> Result<T, E>) -> Result<Self, String>
    where
        T: PartialOrd,
    {
        let value = |part: &str| value(part).map_err(|error| format!("{part:?}: {error}"));
        let Some((from, to)) = text.split_once("..") else {
            return Ok(Self::One(value(text)?));
        };
        let (from, to) = (value(from)?, value(to)?);
        if from < to {
            Ok(Self::Between(from, to))
        } else {
            Err(format!("the range {text:?} is empty"))
        }
    }
}

impl FromStr for Span<usize> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, str::parse::<usize>)
    }
}

impl FromStr for Span<Duration> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, duration)
    }
}

/// Parses a number with the unit `s` (or none), `ms`, `us`, `μs` or `ns`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits
        .parse()
        .map_err(|_| "not a number with a unit".to_owned())?;
    match &text[digits.len()..] {
        "" | "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "us" | "μs" => Ok(Duration::from_micros(number)),
        "ns" => Ok(Duration::from_nanos(number)),
        unit => Err(format!("{unit:?} is none of s, ms, us, μs and ns")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_a_value_or_a_range() {
        assert_eq!("128".parse(), Ok(Span::One(128)));
        assert_eq!("1..8".parse(), Ok(Span::Between(1, 8)));
        assert_eq!("2".parse(), Ok(Span::One(Duration::from_secs(2))));
        let range = Span::Between(Duration::from_millis(1), Duration::from_micros(2500));
        assert_eq!("1ms..2500μs".parse(), Ok(range));
        for text in ["", "x", "8..1", "1..1", "-1"] {
            assert!(text.parse::<Span<usize>>().is_err(), "{text}");
        }
        for text in ["", "s", "1h", "1.5s"] {
            assert!(text.parse::<Span<Duration>>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_picks_within_itself() {
        for _ in 0..100 {
            assert!((3..6).contains(&Span::Between(3_usize, 6).pick()));
        }
    }
}
