//! What the scripts of several tests have in common.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use super::clock::sleep;

/// Values that are given in turn, over and over.
#[derive(Debug, Default)]
pub struct Turns<T> {
    values: Vec<T>,
    given: Cell<usize>,
}

impl<T: Copy> Turns<T> {
    /// Gives these values.
    pub fn new(values: Vec<T>) -> Self {
        Self {
            values,
            given: Cell::default(),
        }
    }

    /// The next value.
    ///
    /// # Panics
    /// If there are no values.
    pub fn next(&self) -> T {
        let turn = self.given.replace(self.given.get() + 1);
        self.values[turn % self.values.len()]
    }
}

/// What `asking` gives a client that leaves after so many milliseconds, if it does; nothing if that is earlier.
pub async fn unless_left<T>(
    leaves_after: Option<u64>,
    asking: impl Future<Output = T>,
) -> Option<T> {
    let leaving = async {
        match leaves_after {
            Some(after) => sleep(Duration::from_millis(after)).await,
            None => std::future::pending().await,
        }
    };
    match select(pin!(asking), pin!(leaving)).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}
