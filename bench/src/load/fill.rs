//! Fills a database with records of twelve months, and takes out what was written since.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use tokio_postgres::Client;

use super::operation::INCIDENT;
use crate::store::{client, run_beside, say};

const FILL: &str = include_str!("fill.sql");
/// Incidents of one statement.
const STEP: i64 = 4000;
/// Connections that fill side by side.
const WRITERS: usize = 2;

/// What the bare component inserts into: the columns of `audit` with a primary key, and nothing else.
const BARE: &str = "CREATE TABLE bench_record (LIKE audit);
    ALTER TABLE bench_record ALTER document DROP NOT NULL, ALTER created_at DROP NOT NULL,
        ALTER updated_at DROP NOT NULL, ALTER version DROP NOT NULL, ALTER name_is_stand_in DROP NOT NULL,
        ALTER content_hash DROP NOT NULL, ADD PRIMARY KEY (kind, id)";

/// Writes `records` records, rounded to whole incidents, and what the bare component needs.
pub(crate) async fn fill(url: &str, records: usize) -> Result<()> {
    let incidents = i64::try_from(records.div_ceil(INCIDENT))?;
    say(&format!("writing {records} records"));
    let admin = client(url).await?;
    admin.batch_execute(BARE).await?;
    let sql = "SELECT audit_ensure_partitions(12, now() - interval '12 months'), audit_ensure_partitions()";
    admin.execute(sql, &[]).await?;
    let indexes = drop_indexes(&admin, "audit").await?;

    let starts: Vec<i64> = (0..incidents).step_by(usize::try_from(STEP)?).collect();
    let share = starts.len().div_ceil(WRITERS);
    let begin = Instant::now();
    let shares = starts.chunks(share.max(1));
    try_join_all(shares.map(|starts| write(url, starts, incidents))).await?;
    say("indexing the records");
    for index in indexes {
        admin.batch_execute(&index).await?;
    }
    admin.batch_execute("VACUUM ANALYZE").await?;
    admin.batch_execute("CHECKPOINT").await?;
    say(&format!("{:.0} s", begin.elapsed().as_secs_f64()));
    Ok(())
}

/// Writes the incidents from each of `starts` on.
async fn write(url: &str, starts: &[i64], incidents: i64) -> Result<()> {
    let client = client(url).await?;
    // What is being filled may be lost with the machine.
    client.batch_execute("SET synchronous_commit = off").await?;
    let statement = client.prepare(FILL).await?;
    for start in starts {
        let end = (start + STEP).min(incidents);
        client
            .execute(&statement, &[start, &end, &incidents])
            .await
            .context("cannot write records")?;
    }
    Ok(())
}

/// Drops the indexes of a table that are no constraints, and returns what makes them.
pub(super) async fn drop_indexes(admin: &Client, table: &str) -> Result<Vec<String>> {
    let sql = "SELECT indexrelid::regclass::text, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
               FROM pg_index
               WHERE indrelid = $1::text::regclass AND NOT indisunique";
    let mut definitions = Vec::new();
    for row in admin.query(sql, &[&table]).await? {
        let (name, definition): (&str, String) = (row.get(0), row.get(1));
        admin.batch_execute(&format!("DROP INDEX {name}")).await?;
        definitions.push(definition);
    }
    Ok(definitions)
}

/// The lowest id that new records will have.
pub(crate) async fn mark(client: &Client) -> Result<i64> {
    let sql = "SELECT audit_id_at(clock_timestamp())";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

/// Takes out what was written since `mark`, so that every measurement finds the same.
pub(crate) async fn forget(client: &Client, mark: i64) -> Result<()> {
    let delete = format!(
        "TRUNCATE bench_record;
         DELETE FROM audit WHERE id >= {mark};
         DELETE FROM audit_key WHERE id >= {mark};
         DELETE FROM audit_correlation WHERE id >= {mark}"
    );
    run_beside(client, &delete).await?;
    let sql = "SELECT 'VACUUM ' || string_agg(oid::regclass::text, ', ') || ', audit_key, audit_correlation'
               FROM pg_class
               WHERE relname LIKE 'remediation_audit_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')";
    let vacuum: String = client.query_one(sql, &[]).await?.get(0);
    Ok(client.batch_execute(&vacuum).await?)
}
