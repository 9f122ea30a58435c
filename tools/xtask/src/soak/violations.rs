//! What must not have happened.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::progress::say;

/// More than this are counted only.
const LISTED: usize = 1000;

/// More than this are not shown while the soak goes on.
const SHOWN: usize = 20;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    /// Since the first request, before anything was measured.
    pub(super) at: Duration,
    /// The fault that was on, if any.
    pub(super) weather: String,
    /// What was expected and what was found.
    pub(super) what: String,
}

/// Shared by all who look for them.
pub(super) struct Violations {
    began: Instant,
    found: Mutex<(usize, Vec<Violation>)>,
}

impl Violations {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            found: Mutex::default(),
        }
    }

    pub(super) fn add(&self, weather: String, what: String) {
        let violation = Violation {
            at: self.began.elapsed(),
            weather,
            what,
        };
        let mut found = self.lock();
        found.0 += 1;
        if found.0 <= SHOWN {
            let Violation { at, weather, what } = &violation;
            say(&format!(
                "violation at {} s, {weather}: {what}",
                at.as_secs()
            ));
        }
        if found.1.len() < LISTED {
            found.1.push(violation);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.lock().0
    }

    /// The first of them.
    pub(super) fn list(&self) -> Vec<Violation> {
        self.lock().1.clone()
    }

    fn lock(&self) -> MutexGuard<'_, (usize, Vec<Violation>)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
