//! What each index of the records costs a write.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use tokio_postgres::Client;

use crate::incidents::Incidents;
use crate::load::figures::median;
use crate::load::fill::fill;
use crate::report::Report;
use crate::store::{DIMENSIONS, Store, WRITE, array, client, say};

/// Records of a batch.
const BATCH: usize = 100;

/// An index that is no constraint.
struct Index {
    name: String,
    /// What it has, and of which records.
    definition: String,
    /// Of all its months, in bytes.
    size: i64,
}

pub(crate) async fn run(quick: bool) -> Result<Report> {
    let (records, count, rounds) = if quick {
        (500, 2, 1)
    } else {
        (200_000, 40, 31)
    };
    let store = Store::start()?;
    let url = store.database("indexes").await?;
    fill(&url, records).await?;
    let client = client(&url).await?;
    let indexes = indexes(&client).await?;
    let batches = batches(count)?;

    say("writing with all indexes, and without each");
    let mut shares = vec![Vec::new(); indexes.len()];
    for round in 0..rounds {
        for (index, shares) in indexes.iter().zip(&mut shares) {
            let turns = [None, Some(index.name.as_str())];
            let mut seconds = [0.0; 2];
            for turn in [round % 2, 1 - round % 2] {
                seconds[turn] = write(&client, &batches, turns[turn]).await?;
            }
            let [with, without] = seconds;
            shares.push(100.0 * (with - without) / without);
        }
        // What was rolled back is still there.
        client.batch_execute("VACUUM").await?;
    }

    let mut report = Report::new(&["index", "of", "bytes a record", "a write takes longer, %"]);
    for (index, shares) in indexes.into_iter().zip(shares) {
        let median = median(&shares, |share| *share).unwrap_or(f64::NAN);
        let bytes = index.size / i64::try_from(records)?;
        report.row(vec![
            index.name,
            index.definition,
            bytes.to_string(),
            format!("{median:.1}"),
        ]);
    }
    report.remark(format!(
        "{records} records over twelve months; batches of {BATCH} remediations, analyses, workflows and executions \
         without vectors, through `audit_write`, rolled back. Medians of {rounds} rounds, each with and without the \
         index one right after the other, in turn the one or the other first."
    ));
    Ok(report)
}

async fn indexes(client: &Client) -> Result<Vec<Index>> {
    let sql = "SELECT
                   indexrelid::regclass::text,
                   substring(pg_get_indexdef(indexrelid) FROM '\\(.*'),
                   (SELECT sum(pg_relation_size(relid))::bigint FROM pg_partition_tree(indexrelid) WHERE isleaf)
               FROM pg_index
               WHERE indrelid = 'audit'::regclass AND NOT indisunique
               ORDER BY indexrelid";
    let rows = client.query(sql, &[]).await?;
    let index = |row: &tokio_postgres::Row| Index {
        name: row.get(0),
        definition: row.get(1),
        size: row.get(2),
    };
    Ok(rows.iter().map(index).collect())
}

/// Batches as `audit_write` takes them, without vectors: these have tables of their own.
fn batches(count: usize) -> Result<Vec<String>> {
    let mut incidents: Vec<_> = Incidents::new(11, DIMENSIONS).take(count * BATCH).collect();
    for incident in &mut incidents {
        let mut post: Map<String, Value> = serde_json::from_str(&incident.post)?;
        post.retain(|name, _| !name.starts_with("embedding"));
        incident.post = Value::Object(post).to_string();
    }
    Ok(incidents.chunks(BATCH).map(array).collect())
}

/// How long it takes to write, in seconds, without one of the indexes.
async fn write(client: &Client, batches: &[String], without: Option<&str>) -> Result<f64> {
    client.batch_execute("BEGIN").await?;
    if let Some(index) = without {
        client.batch_execute(&format!("DROP INDEX {index}")).await?;
    }
    let statement = client.prepare(WRITE).await?;
    let (first, rest) = batches.split_first().context("nothing to write")?;
    // Plans are made with the first.
    client.execute(&statement, &[first]).await?;
    let begin = Instant::now();
    for posts in rest {
        client.execute(&statement, &[posts]).await?;
    }
    let taken = begin.elapsed().as_secs_f64();
    client.batch_execute("ROLLBACK").await?;
    Ok(taken)
}
