//! How many requests were answered and refused, and how long answers took while nothing was wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::judge::Operation;

/// Longer answers count as this, in microseconds: clients wait for 15 s.
const LONGEST: u64 = 20_000_000;

/// Digits of a duration that are kept.
const DIGITS: u8 = 2;

/// Shared by all clients.
pub(super) struct Tally(Mutex<Counts>);

struct Counts {
    answered: u64,
    refused: u64,
    last_refusal: Option<Instant>,
    /// Microseconds, of calm times.
    calm: BTreeMap<Operation, Histogram<u64>>,
    /// Questions without a filter about records with vectors, and those whose record was not among the answers.
    asked: u64,
    missed: u64,
}

/// How long answers to an operation took in calm times, in milliseconds.
pub(super) struct Latency {
    pub(super) operation: Operation,
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) longest: f64,
}

impl Tally {
    pub(super) fn new() -> Result<Self> {
        let mut calm = BTreeMap::new();
        for operation in Operation::ALL {
            calm.insert(operation, Histogram::new_with_bounds(1, LONGEST, DIGITS)?);
        }
        Ok(Self(Mutex::new(Counts {
            answered: 0,
            refused: 0,
            last_refusal: None,
            calm,
            asked: 0,
            missed: 0,
        })))
    }

    /// An answer that was expected.
    pub(super) fn answer(&self, operation: Operation, took: Duration, is_calm: bool) {
        let mut counts = self.lock();
        counts.answered += 1;
        if is_calm && let Some(calm) = counts.calm.get_mut(&operation) {
            calm.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST));
        }
    }

    pub(super) fn refusal(&self) {
        let mut counts = self.lock();
        counts.refused += 1;
        counts.last_refusal = Some(Instant::now());
    }

    /// Whether a search found what it was about.
    pub(super) fn search(&self, found: bool) {
        let mut counts = self.lock();
        counts.asked += 1;
        counts.missed += u64::from(!found);
    }

    pub(super) fn answered(&self) -> u64 {
        self.lock().answered
    }

    pub(super) fn refused(&self) -> u64 {
        self.lock().refused
    }

    pub(super) fn last_refusal(&self) -> Option<Instant> {
        self.lock().last_refusal
    }

    /// How many questions were asked, and how many records were not found.
    pub(super) fn searches(&self) -> (u64, u64) {
        let counts = self.lock();
        (counts.asked, counts.missed)
    }

    pub(super) fn latencies(&self) -> Vec<Latency> {
        let counts = self.lock();
        let latency = |(operation, calm): (&Operation, &Histogram<u64>)| Latency {
            operation: *operation,
            count: calm.len(),
            p50: milliseconds(calm.value_at_quantile(0.5)),
            p99: milliseconds(calm.value_at_quantile(0.99)),
            longest: milliseconds(calm.max()),
        };
        counts.calm.iter().map(latency).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 20 seconds")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}
