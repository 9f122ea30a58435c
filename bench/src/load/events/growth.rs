//! The same with more and more events: what years of use do to the log.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ask::LogOperation;
use super::{Log, report};
use crate::load::extras::USUAL;
use crate::load::figures::{of_sizes, p95, rate, rounded};
use crate::load::measure::Outcome;
use crate::load::operation::{Ask, Operation};
use crate::load::servers::Subject;
use crate::load::{Options, Plan};
use crate::store::Store;

/// Events over twelve months.
const FEW: usize = 10_000;
const MANY: usize = 10_000_000;
const QUICK: [usize; 2] = [1000, 4000];
/// The 95th percentile of reads of the largest log may be so many times that of the smallest.
const READS: f64 = 1.2;
/// And that of writes.
const WRITES: f64 = 2.0;

const OPERATIONS: [LogOperation; 5] = [
    LogOperation::Single,
    LogOperation::Batch100,
    LogOperation::List,
    LogOperation::History,
    LogOperation::Effectiveness,
];

/// Probes come for so many times as long as an operation is measured: maintenance looks for work once a second at most.
const IDLE: u32 = 5;

/// Per operation and number of events.
type Grown = BTreeMap<LogOperation, BTreeMap<usize, Vec<Outcome>>>;

/// Measures the service with a small log and a large one, which take turns, prints a table and returns everything as JSON.
/// `--records` says how many events the large one has.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let sizes = match options.records {
        Some(events) => [FEW.min(events), events],
        None if quick => QUICK,
        None => [FEW, MANY],
    };
    let plan = Plan::new(options, quick)?;
    let store = Store::start()?;
    let mut logs = Vec::new();
    for events in sizes {
        let log = Log::build(&store, &plan.checkout, &[Subject::Service], events).await?;
        logs.push((events, log));
    }
    let mut grown = Grown::new();
    // In the first run connections are new and everything is on disk.
    for run in 0..=plan.runs {
        // Whichever comes second finds the other's pages in memory, so each does in turn.
        logs.reverse();
        for operation in OPERATIONS {
            for (events, log) in &logs {
                let ask = Ask::Log(operation);
                let outcome = log
                    .measure(Subject::Service, ask, USUAL, plan.duration)
                    .await?;
                if run > 0 {
                    report::progress(ask, USUAL, Subject::Service, &outcome);
                    let of = grown.entry(operation).or_default();
                    of.entry(*events).or_default().push(outcome);
                }
            }
        }
    }
    print(&grown, sizes);
    // By then PostgreSQL has cleaned up after the writes.
    sleep(plan.duration * IDLE).await;
    let mut idle = BTreeMap::new();
    for (events, log) in &logs {
        idle.insert(events.to_string(), rounded(idle_cpu(log, &plan).await?));
    }
    println!(
        "\nCPU time of PostgreSQL while nothing comes but probes, ms per second, by the number of events: {}",
        json!(idle)
    );
    let each = grown
        .iter()
        .map(|(operation, of)| (operation.key().to_owned(), of_sizes(of)));
    Ok(json!({"events_growth": each.collect::<Value>(), "idle_cpu_ms_per_s": idle}))
}

/// What PostgreSQL does for all the chains that nobody writes to, while probes have maintenance look for work.
async fn idle_cpu(log: &Log, plan: &Plan) -> Result<f64> {
    let probes = Ask::Store(Operation::Health);
    let outcome = log
        .measure(Subject::Service, probes, 1, plan.duration * IDLE)
        .await?;
    Ok(outcome.database_cpu * outcome.requests)
}

/// Rate of the smallest divided by that of the largest, and the p95 the other way round.
fn ratios(of: &BTreeMap<usize, Vec<Outcome>>) -> Option<(f64, f64)> {
    let (_, first) = of.first_key_value()?;
    let (_, last) = of.last_key_value()?;
    Some((rate(first) / rate(last), p95(last) / p95(first)))
}

fn print(grown: &Grown, sizes: [usize; 2]) {
    let heads = sizes.map(|events| format!("{events}: /s | p95 ms"));
    println!(
        "| operation, {USUAL} connections | {} | rate, smallest / largest | p95, largest / smallest | p95 at most |",
        heads.join(" | ")
    );
    println!("|{}", " --- |".repeat(8));
    for (operation, of) in grown {
        let cells: Vec<String> = of
            .values()
            .map(|outcomes| format!("{:.0} | {:.2}", rate(outcomes), p95(outcomes)))
            .collect();
        let (slower, longer) = ratios(of).unwrap_or((f64::NAN, f64::NAN));
        let bound = if operation.writes() { WRITES } else { READS };
        let holds = if longer <= bound { "yes" } else { "**no**" };
        println!(
            "| {} | {} | {slower:.2} | {longer:.2} | {bound}: {holds} |",
            operation.key(),
            cells.join(" | ")
        );
    }
}
