//! Waiting for a server that is away for a moment.

use std::time::Duration;

use runtime::Instant;

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Does `work` once, and again while it fails with what `may_pass`, until `patience` is over. The outcome is that of the last time.
pub async fn patiently<T, E>(
    patience: Duration,
    may_pass: impl Fn(&E) -> bool,
    mut work: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + patience;
    loop {
        let outcome = work().await;
        let left = deadline.saturating_duration_since(Instant::now());
        match &outcome {
            Err(failure) if may_pass(failure) && !left.is_zero() => {
                runtime::sleep(PAUSE.min(left)).await;
            }
            _ => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use runtime::simulated::{Servers, run};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What comes of work that fails so often with `failure`, and how often it was done.
    async fn attempt(failures: u32, failure: &'static str) -> (Result<(), &'static str>, u32) {
        let done = Cell::new(0);
        let work = async || {
            done.set(done.get() + 1);
            runtime::sleep(SECOND / 10).await;
            if done.get() <= failures {
                Err(failure)
            } else {
                Ok(())
            }
        };
        let outcome = patiently(SECOND, |failure| *failure == "away", work).await;
        (outcome, done.get())
    }

    #[test]
    fn what_passes_is_waited_for() {
        run(Servers::default(), async {
            assert_eq!(attempt(2, "away").await, (Ok(()), 3));
        });
    }

    #[test]
    fn patience_ends() {
        run(Servers::default(), async {
            let began = Instant::now();
            let (outcome, done) = attempt(100, "away").await;
            assert_eq!((outcome, done), (Err("away"), 4));
            assert!(began.elapsed() <= SECOND + SECOND / 5);
        });
    }

    #[test]
    fn what_does_not_pass_is_not_waited_for() {
        run(Servers::default(), async {
            assert_eq!(attempt(1, "refused").await, (Err("refused"), 1));
        });
    }
}
