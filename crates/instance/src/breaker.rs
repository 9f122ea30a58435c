//! Circuit breakers: a server that is away is left alone for a while.

use std::cell::Cell;
use std::time::Duration;

use runtime::Instant;

/// Closed at first: everybody may ask. What says that the server is away opens it for a while, in which nobody asks;
/// after that it is half-open: the next one asks, and the outcome closes it or opens it anew.
#[derive(Debug, Default)]
pub struct Breaker {
    open_until: Cell<Option<Instant>>,
}

impl Breaker {
    /// How long it stays open; nothing if one may ask.
    pub fn open_for(&self) -> Option<Duration> {
        let left = self
            .open_until
            .get()?
            .saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The server is away.
    pub fn open(&self, pause: Duration) {
        self.open_until.set(Some(Instant::now() + pause));
    }

    /// The server answered.
    pub fn close(&self) {
        self.open_until.set(None);
    }
}
