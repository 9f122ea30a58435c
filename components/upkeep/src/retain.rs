//! Drops the months that are older than records are kept.

use instance::Level;
use postgres::{Database, Failure, Retention, RetentionStep, Session};

/// Steps of one run. More would keep an instance from being given up when it is idle, and the machine from the writers.
const STEPS: u32 = 20;

/// Takes some of the steps that are due; logs and counts the months that are gone.
pub(crate) async fn months(database: &Database, retention: &Retention) -> Result<(), Failure> {
    let session = Session::open(database).await?;
    for _ in 0..STEPS {
        let Some(step) = retention.step(&session).await? else {
            break;
        };
        match step.step.as_str() {
            // Another replica takes steps, or what is next has to wait: at another time. What is in use rests, and another kind is next.
            "busy" | "waiting" => break,
            "dropped" => announce(&step),
            _ => {}
        }
    }
    Ok(())
}

/// Logs the months that would go if they were archived.
pub(crate) async fn held(database: &Database, retention: &Retention) -> Result<(), Failure> {
    let session = Session::open(database).await?;
    for month in retention.held(&session).await? {
        let reason = format!("kept {month}: it is due, and not archived as it is");
        instance::event(Level::Info, "retention", &reason);
    }
    Ok(())
}

fn announce(step: &RetentionStep) {
    let Some(kind) = &step.kind else { return };
    let (month, records) = (&step.month, step.records);
    let reason = format!("dropped {kind} {month}: {records} records");
    instance::event(Level::Info, "retention", &reason);
    metrics::dropped_month(kind);
}
