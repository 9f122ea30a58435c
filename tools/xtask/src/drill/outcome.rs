//! What came of the drills, as a table.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::failure::Failure;

/// When an alert fired after the failure began, and when it had ended after the cure.
pub(super) struct Seen {
    pub(super) alert: &'static str,
    pub(super) fired: Duration,
    pub(super) ended: Duration,
}

/// Of all drills so far.
#[derive(Default)]
pub(super) struct Outcomes(Vec<(Failure, Result<Vec<Seen>>)>);

impl Outcomes {
    pub(super) fn add(&mut self, failure: Failure, outcome: Result<Vec<Seen>>) {
        self.0.push((failure, outcome));
    }

    /// Whether each alert fired and ended.
    pub(super) fn succeeded(&self) -> bool {
        self.0.iter().all(|(_, outcome)| outcome.is_ok())
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| drill | alert | fired after, s | ended after, s |")?;
        writeln!(f, "| --- | --- | --- | --- |")?;
        for (failure, outcome) in &self.0 {
            let name = failure.name();
            match outcome {
                Ok(seen) => {
                    for Seen {
                        alert,
                        fired,
                        ended,
                    } in seen
                    {
                        let (fired, ended) = (fired.as_secs_f64(), ended.as_secs_f64());
                        writeln!(f, "| `{name}` | {alert} | {fired:.1} | {ended:.1} |")?;
                    }
                }
                Err(error) => writeln!(f, "| `{name}` | **failed**: {error:#} | | |")?,
            }
        }
        Ok(())
    }
}
