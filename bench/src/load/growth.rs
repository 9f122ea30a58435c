//! The same operations with more and more records: what years of use do to the service.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::extras::USUAL;
use super::figures::{of_sizes, p95, rate};
use super::measure::Outcome;
use super::operation::Operation;
use super::plot::{Line, Plot};
use super::servers::{Subject, workspace};
use super::{Options, Plan, Stage};
use crate::store::{Store, say};

/// Records over twelve months of partitions.
const SIZES: [usize; 3] = [10_000, 1_000_000, 5_000_000];
const QUICK_SIZES: [usize; 3] = [500, 1_000, 2_000];
/// A fifth may be lost from the smallest to the largest.
const KEPT: f64 = 0.8;
/// Where the plot goes.
const PLOT: &str = "docs/performance/growth.svg";

/// Per operation and number of records.
type Grown = BTreeMap<Operation, BTreeMap<usize, Vec<Outcome>>>;

/// Measures the service with each size, prints a table, draws the plot and returns everything as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let plan = Plan::new(options, quick)?;
    let sizes = if quick { QUICK_SIZES } else { SIZES };
    let store = Store::start()?;
    let stages = Stage::of_sizes(&store, &plan, &sizes).await?;
    let mut grown = Grown::new();
    for run in 0..=plan.runs {
        for &operation in &plan.operations {
            for (records, stage) in &stages {
                let outcome = measure(&plan, stage, operation, *records).await?;
                // In the first run connections are new and everything is on disk.
                if run > 0 {
                    let of = grown.entry(operation).or_default();
                    of.entry(*records).or_default().push(outcome);
                }
            }
        }
    }
    print(&grown, sizes);
    if !quick {
        let file = workspace().join(PLOT);
        fs::write(&file, plot(&grown)?).with_context(|| format!("cannot write {PLOT}"))?;
        say(&format!("the curve is in {PLOT}"));
    }
    Ok(to_json(&grown))
}

async fn measure(
    plan: &Plan,
    stage: &Stage,
    operation: Operation,
    records: usize,
) -> Result<Outcome> {
    let name = operation.key();
    let outcome = stage
        .measure(Subject::Service, operation, USUAL, plan.duration)
        .await
        .with_context(|| format!("{name} of {records} records"))?;
    let Outcome { requests, p95, .. } = outcome;
    eprintln!("    {name:16} {records:8} records {requests:8.0}/s  p95 {p95:.2} ms");
    Ok(outcome)
}

/// Rate and p95 of the largest size, as shares of those of the smallest.
fn kept(of: &BTreeMap<usize, Vec<Outcome>>) -> Option<(f64, f64)> {
    let (_, first) = of.first_key_value()?;
    let (_, last) = of.last_key_value()?;
    Some((rate(last) / rate(first), p95(last) / p95(first)))
}

fn print(grown: &Grown, sizes: [usize; 3]) {
    let heads = sizes.map(|records| format!("{records}: /s | p95 ms"));
    println!(
        "| operation, {USUAL} connections | {} | rate, largest / smallest | p95, largest / smallest | holds |",
        heads.join(" | ")
    );
    println!("|{}", " --- |".repeat(10));
    for (operation, of) in grown {
        let cells: Vec<String> = of
            .values()
            .map(|outcomes| format!("{:.0} | {:.2}", rate(outcomes), p95(outcomes)))
            .collect();
        let (rate, p95) = kept(of).unwrap_or((f64::NAN, f64::NAN));
        let holds = if rate >= KEPT && p95 <= 1.0 / KEPT {
            "yes"
        } else {
            "**no**"
        };
        println!(
            "| {} | {} | {rate:.2} | {p95:.2} | {holds} |",
            operation.key(),
            cells.join(" | ")
        );
    }
}

fn to_json(grown: &Grown) -> Value {
    let each = grown
        .iter()
        .map(|(operation, of)| (operation.key().to_owned(), of_sizes(of)));
    json!({"growth": each.collect::<Value>()})
}

#[expect(clippy::cast_precision_loss, reason = "millions")]
fn plot(grown: &Grown) -> Result<String> {
    let lines = |figure: fn(&[Outcome]) -> f64| -> Vec<Line> {
        grown
            .iter()
            .map(|(operation, of)| Line {
                name: operation.key(),
                points: of
                    .iter()
                    .map(|(records, outcomes)| (*records as f64, figure(outcomes)))
                    .collect(),
            })
            .collect()
    };
    Plot {
        panels: [
            ("requests per second", lines(rate)),
            ("95th percentile, ms", lines(p95)),
        ],
        x: "records over twelve months",
    }
    .to_svg()
}
