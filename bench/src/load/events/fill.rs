//! Fills the log with the remediations of twelve months, and takes out what was written since.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde_json::Value;
use tokio_postgres::Client;

use super::samples::{PER_REMEDIATION, targets, template};
use crate::load::fill::drop_indexes;
use crate::store::{client, run_beside, say};

const FILL: &str = include_str!("fill.sql");
/// Remediations of one statement.
const STEP: i64 = 500;
/// Connections that fill side by side.
const WRITERS: usize = 2;

/// Writes so many events, rounded to whole remediations. Returns how many remediations these are.
pub(crate) async fn fill(url: &str, events: usize) -> Result<usize> {
    let remediations = events.div_ceil(PER_REMEDIATION);
    say(&format!("writing {events} events"));
    let admin = client(url).await?;
    let sql = "SELECT audit_ensure_partitions(12, now() - interval '12 months'), audit_ensure_partitions()";
    admin.execute(sql, &[]).await?;
    let indexes = drop_indexes(&admin, "audit_event").await?;

    let count = i64::try_from(remediations)?;
    let starts: Vec<i64> = (0..count).step_by(usize::try_from(STEP)?).collect();
    let share = starts.len().div_ceil(WRITERS);
    let begin = Instant::now();
    let shares = starts.chunks(share.max(1));
    try_join_all(shares.map(|starts| write(url, starts, remediations))).await?;
    say("indexing the events");
    for index in indexes {
        admin.batch_execute(&index).await?;
    }
    admin.batch_execute("VACUUM ANALYZE").await?;
    admin.batch_execute("CHECKPOINT").await?;
    say(&format!("{:.0} s", begin.elapsed().as_secs_f64()));
    Ok(remediations)
}

/// Writes the remediations from each of `starts` on.
async fn write(url: &str, starts: &[i64], remediations: usize) -> Result<()> {
    let client = client(url).await?;
    // What is being filled may be lost with the machine.
    client.batch_execute("SET synchronous_commit = off").await?;
    let statement = client.prepare(FILL).await?;
    let (all, targets) = (
        i64::try_from(remediations)?,
        i64::try_from(targets(remediations))?,
    );
    let template = Value::Array(template());
    for start in starts {
        let end = (start + STEP).min(all);
        client
            .execute(&statement, &[start, &end, &all, &targets, &template])
            .await
            .context("cannot write events")?;
    }
    Ok(())
}

/// Takes out what was written since `mark`, so that every measurement finds the same. The log refuses it to everybody else.
pub(crate) async fn forget(client: &Client, mark: i64) -> Result<()> {
    let delete = format!(
        "SET session_replication_role = replica;
         DELETE FROM audit_event_pending;
         DELETE FROM audit_event_batch;
         DELETE FROM audit_event WHERE sequence >= {mark};
         DELETE FROM audit_event_chain WHERE first_sequence >= {mark};
         DELETE FROM audit_event_target WHERE sequence >= {mark};
         DELETE FROM audit_event_spec_hash WHERE sequence >= {mark};
         SET session_replication_role = origin"
    );
    run_beside(client, &delete).await?;
    let sql =
        "SELECT 'VACUUM audit_event_pending, audit_event_batch, audit_event_chain, audit_event_target, audit_event_spec_hash, audit_event_'
                   || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')";
    let vacuum: String = client.query_one(sql, &[]).await?.get(0);
    client.batch_execute(&vacuum).await?;
    // What is measured next does not write the pages that this has changed.
    Ok(client.batch_execute("CHECKPOINT").await?)
}
