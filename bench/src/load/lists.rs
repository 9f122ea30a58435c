//! Lists of one namespace beside writers: the page, its total and the cursor must not cost more where there is more to count.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::figures::{median, of_sizes, p95, rate, rounded};
use super::measure::Outcome;
use super::operation::Operation;
use super::servers::Subject;
use super::{Options, Plan, Stage};
use crate::store::Store;

const SIZES: [usize; 2] = [10_000, 1_000_000];
const QUICK_SIZES: [usize; 2] = [500, 2_000];
/// Connections that list, and that write single records meanwhile.
const READERS: usize = 8;
const WRITERS: usize = 16;
/// So many times the rate of the large database may that of the small one be.
const RATIO: f64 = 1.5;

type Measured = BTreeMap<usize, Vec<Outcome>>;

/// Measures the service with each size, alternately, prints a table and returns everything as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let plan = Plan::new(options, quick)?;
    let sizes = if quick { QUICK_SIZES } else { SIZES };
    let store = Store::start()?;
    let stages = Stage::of_sizes(&store, &plan, &sizes).await?;
    let mut measured = Measured::new();
    for run in 0..=plan.runs {
        for (records, stage) in &stages {
            let outcome = measure(&plan, stage, *records).await?;
            // In the first run connections are new and everything is on disk.
            if run > 0 {
                measured.entry(*records).or_default().push(outcome);
            }
        }
    }
    print(&measured);
    Ok(to_json(&measured))
}

async fn measure(plan: &Plan, stage: &Stage, records: usize) -> Result<Outcome> {
    let of = |operation, connections| {
        stage.measure(Subject::Service, operation, connections, plan.duration)
    };
    let (lists, writes) = tokio::try_join!(
        of(Operation::ListNamespace20, READERS),
        of(Operation::WriteSingle, WRITERS),
    )
    .with_context(|| format!("lists of {records} records"))?;
    eprintln!(
        "    {records:8} records {:8.0} lists/s  p95 {:.2} ms, beside {:.0} writes/s",
        lists.requests, lists.p95, writes.requests
    );
    Ok(lists)
}

/// The rate of the smallest database, as a multiple of that of the largest.
fn ratio(measured: &Measured) -> f64 {
    let ends = measured.first_key_value().zip(measured.last_key_value());
    ends.map_or(f64::NAN, |((_, first), (_, last))| rate(first) / rate(last))
}

fn print(measured: &Measured) {
    println!(
        "| records | lists of 20 of one namespace /s, {READERS} connections beside {WRITERS} that write | p95 ms | PostgreSQL's CPU time per list, with the writes, ms |"
    );
    println!("| --- | --- | --- | --- |");
    for (records, outcomes) in measured {
        let (rate, p95) = (rate(outcomes), p95(outcomes));
        let cpu = median(outcomes, |outcome| outcome.database_cpu).unwrap_or(f64::NAN);
        println!("| {records} | {rate:.0} | {p95:.2} | {cpu:.2} |");
    }
    let ratio = ratio(measured);
    let holds = if ratio <= RATIO { "yes" } else { "**no**" };
    println!("\nSmall / large: {ratio:.2}, to be at most {RATIO}: {holds}");
}

fn to_json(measured: &Measured) -> Value {
    json!({"lists": of_sizes(measured), "small_to_large": rounded(ratio(measured))})
}
