//! This checkout's service beside another one's, alternately in one run: what a change costs, on a machine whose
//! speed changes from minute to minute.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::figures::{median, rounded};
use super::measure::Outcome;
use super::operation::Operation;
use super::servers::{Checkout, Subject};
use super::{Options, Plan, Stage};
use crate::store::{Store, say};

/// What may be lost: less cannot be told from noise.
const MAY_LOSE: f64 = 0.03;

/// An operation at a number of connections: what each run measured before and now, one right after the other.
struct Comparison {
    operation: Operation,
    connections: usize,
    pairs: Vec<[Outcome; 2]>,
}

/// Measures both checkouts, prints a table and returns it as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let folder = options.against.clone().context("--against is missing")?;
    let spin = options.host == "spin";
    let plan = Plan::new(options, quick)?;
    let other = Checkout::other(&folder, spin)?;
    let store = Store::start()?;
    let url = store.empty_database("before").await?;
    say(&format!("migrating the database of {}", folder.display()));
    other.migrate(&url)?;
    let service = [Subject::Service];
    let before = Stage::build(&store, &other, &service, url, plan.records).await?;
    let now = Stage::of_plan(&store, &plan, &service, "now").await?;
    let comparisons = compare(&plan, [&before, &now]).await?;
    print(&comparisons);
    Ok(to_json(&folder, &plan, &comparisons))
}

async fn compare(plan: &Plan, [before, now]: [&Stage; 2]) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for &connections in &plan.connections {
        for &operation in &plan.operations {
            let measure = async |stage: &Stage, name: &str| {
                let outcome = stage
                    .measure(Subject::Service, operation, connections, plan.duration)
                    .await;
                outcome.with_context(|| format!("{name}, {}", operation.key()))
            };
            let mut pairs = Vec::new();
            // In the first run connections are new and everything is on disk.
            for run in 0..=plan.runs {
                let pair = if run % 2 == 0 {
                    let first = measure(before, "before").await?;
                    [first, measure(now, "now").await?]
                } else {
                    let first = measure(now, "now").await?;
                    [measure(before, "before").await?, first]
                };
                if run > 0 {
                    pairs.push(pair);
                }
            }
            let comparison = Comparison {
                operation,
                connections,
                pairs,
            };
            let (ratio, verdict) = (comparison.ratio(rate), comparison.verdict());
            eprintln!(
                "    {:16} c{connections:<4} {} {verdict}",
                operation.key(),
                ratio.to_text()
            );
            comparisons.push(comparison);
        }
    }
    Ok(comparisons)
}

fn rate(outcome: &Outcome) -> f64 {
    outcome.requests
}

impl Comparison {
    /// A figure of now divided by that of before, run by run.
    fn ratio(&self, figure: fn(&Outcome) -> f64) -> Median {
        let ratios = self.pairs.iter();
        Median::of(
            ratios
                .map(|[before, now]| figure(now) / figure(before))
                .collect(),
        )
    }

    /// The median of a figure, before and now, as records of a batch.
    fn both(&self, figure: fn(&Outcome) -> f64) -> [f64; 2] {
        let of =
            |which: usize| median(&self.pairs, |pair| figure(&pair[which])).unwrap_or(f64::NAN);
        [of(0), of(1)]
    }

    fn verdict(&self) -> &'static str {
        self.ratio(rate).verdict()
    }
}

/// A median and the interval in which that of all possible runs lies in at least 95 of 100 cases, whatever the
/// distribution; from the least to the greatest value where there are too few for that.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Median {
    low: f64,
    middle: f64,
    high: f64,
}

impl Median {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let outside = outside(values.len());
        let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self {
            low: at(outside),
            middle: f64::midpoint(at(last / 2), at(values.len() / 2)),
            high: at(last - outside),
        }
    }

    /// Of rates: whether not more than [`MAY_LOSE`] was lost.
    fn verdict(self) -> &'static str {
        if self.low > 1.0 + MAY_LOSE {
            "gains"
        } else if self.low >= 1.0 - MAY_LOSE {
            "holds"
        } else if self.high < 1.0 - MAY_LOSE {
            "**loses**"
        } else {
            "unclear: more runs"
        }
    }

    fn to_text(self) -> String {
        format!("{:.3} ({:.3} to {:.3})", self.middle, self.low, self.high)
    }
}

/// How many of `count` sorted values may be left out at each end of the interval: the sign test's answer.
fn outside(count: usize) -> usize {
    let mut outside = 0;
    // The chance that at most `outside` of `count` values lie below the true median.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "runs are few"
    )]
    let mut term = 0.5_f64.powi(count as i32);
    let mut chance = term;
    #[expect(clippy::cast_precision_loss, reason = "runs are few")]
    while outside + 1 < count / 2 {
        term *= (count - outside) as f64 / (outside + 1) as f64;
        chance += term;
        if chance > 0.025 {
            break;
        }
        outside += 1;
    }
    outside
}

fn print(comparisons: &[Comparison]) {
    println!(
        "| operation | connections | before, requests/s | now, requests/s | ratio (95 %) | p95 ratio | p99 ratio | CPU ratio \
         | CPU ratio of PostgreSQL | not more than 3 % lost |"
    );
    println!("|{}", " --- |".repeat(10));
    for comparison in comparisons {
        let [before, now] = comparison.both(rate);
        println!(
            "| {} | {} | {before:.0} | {now:.0} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {} |",
            comparison.operation.key(),
            comparison.connections,
            comparison.ratio(rate).to_text(),
            comparison.ratio(|outcome| outcome.p95).middle,
            comparison.ratio(|outcome| outcome.p99).middle,
            comparison.ratio(|outcome| outcome.server_cpu).middle,
            comparison.ratio(|outcome| outcome.database_cpu).middle,
            comparison.verdict(),
        );
    }
}

fn to_json(folder: &Path, plan: &Plan, comparisons: &[Comparison]) -> Value {
    let rows: Vec<Value> = comparisons
        .iter()
        .map(|comparison| {
            let [before, now] = comparison.both(rate);
            let ratio = comparison.ratio(rate);
            json!({
                "operation": comparison.operation.key(), "connections": comparison.connections,
                "before": rounded(before), "now": rounded(now), "ratio": rounded(ratio.middle),
                "low": rounded(ratio.low), "high": rounded(ratio.high), "verdict": ratio.verdict(),
            })
        })
        .collect();
    json!({
        "against": folder.display().to_string(), "host": plan.checkout.host.name(), "records": plan.records,
        "runs": plan.runs, "comparisons": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_sign_test() {
        // Tables of the sign test, two-sided, 5 %: the least of n values that the interval begins with.
        assert_eq!([5, 6, 8, 9, 12, 15, 20].map(outside), [0, 0, 0, 1, 2, 3, 5]);
        assert_eq!(outside(0), 0);
    }

    #[test]
    fn a_loss_is_told_from_noise() {
        let verdict = |values: &[f64]| Median::of(values.to_vec()).verdict();
        assert_eq!(verdict(&[0.99, 1.0, 1.01, 0.98, 1.2]), "holds");
        assert_eq!(verdict(&[0.9, 0.95, 0.96, 0.94, 0.91]), "**loses**");
        assert_eq!(verdict(&[0.9, 1.0, 1.1, 1.05, 0.99]), "unclear: more runs");
        assert_eq!(verdict(&[1.1, 1.2, 1.05, 1.3, 1.07]), "gains");
        assert_eq!(verdict(&[]), "unclear: more runs");
    }

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        let median = Median::of(vec![1.0, 4.0, 2.0, 3.0]);
        assert_eq!(
            median,
            Median {
                low: 1.0,
                middle: 2.5,
                high: 4.0
            }
        );
    }
}
