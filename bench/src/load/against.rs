//! This checkout's service beside another one's, alternately in one run: what a change costs, on a machine whose
//! speed changes from minute to minute.

use std::num::NonZero;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::figures::{median, rounded};
use super::measure::Outcome;
use super::operation::Operation;
use super::servers::{Checkout, Subject};
use super::{Options, Plan, Stage};
use crate::store::{Store, say};

/// How often both services are set up unless `--stages` says it: the fewest from which an interval of 95 % follows.
const STAGES: usize = 6;

/// An operation at a number of connections.
struct Comparison {
    operation: Operation,
    connections: usize,
    stages: Vec<Pairs>,
}

/// What each run of a stage measured before and now, one right after the other.
type Pairs = Vec<[Outcome; 2]>;

/// Measures both checkouts, prints a table and returns it as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let folder = options.against.clone().context("--against is missing")?;
    let spin = options.host == "spin";
    let usual = if quick { 1 } else { STAGES };
    let stages = options.stages.map_or(usual, NonZero::get);
    let may_lose = options.may_lose;
    let plan = Plan::new(options, quick)?;
    let other = Checkout::other(&folder, spin)?;
    let mut comparisons = plan.comparisons();
    for stage in 0..stages {
        say(&format!("setting both up, {} of {stages}", stage + 1));
        let store = Store::start()?;
        let both = set_up(&store, &plan, &other, stage).await?;
        for comparison in &mut comparisons {
            let pairs = comparison.measure(&plan, &both).await?;
            comparison.stages.push(pairs);
            eprintln!(
                "    {:16} c{:<4} {}",
                comparison.operation.key(),
                comparison.connections,
                comparison.ratio(rate).to_text()
            );
        }
    }
    print(&comparisons, may_lose);
    Ok(to_json(&folder, &plan, &comparisons, may_lose))
}

/// A new database and a new host for each: two that run the same code differ by several percent, because of where
/// their memory lies and how their tables grew. Each comes first in every other stage.
async fn set_up(store: &Store, plan: &Plan, other: &Checkout, stage: usize) -> Result<[Stage; 2]> {
    let service = [Subject::Service];
    let before = async || {
        let url = store.empty_database("before").await?;
        say(&format!(
            "migrating the database of {}",
            other.folder.display()
        ));
        other.migrate(&url)?;
        Stage::build(store, other, &service, url, plan.records).await
    };
    let now = async || Stage::of_plan(store, plan, &service, "now").await;
    if stage.is_multiple_of(2) {
        let first = before().await?;
        Ok([first, now().await?])
    } else {
        let first = now().await?;
        Ok([before().await?, first])
    }
}

fn rate(outcome: &Outcome) -> f64 {
    outcome.requests
}

impl Plan {
    fn comparisons(&self) -> Vec<Comparison> {
        let all = self.connections.iter().flat_map(|&connections| {
            self.operations.iter().map(move |&operation| Comparison {
                operation,
                connections,
                stages: Vec::new(),
            })
        });
        all.collect()
    }
}

impl Comparison {
    /// The runs of one stage, of which each begins with the other checkout.
    async fn measure(&self, plan: &Plan, [before, now]: &[Stage; 2]) -> Result<Pairs> {
        let measure = async |stage: &Stage, name: &str| {
            let outcome = stage
                .measure(
                    Subject::Service,
                    self.operation,
                    self.connections,
                    plan.duration,
                )
                .await;
            outcome.with_context(|| format!("{name}, {}", self.operation.key()))
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
        Ok(pairs)
    }

    /// A figure of now divided by that of before: of each stage the median of its runs.
    fn ratio(&self, figure: fn(&Outcome) -> f64) -> Median {
        let of_run = |[before, now]: &[Outcome; 2]| figure(now) / figure(before);
        let of_stage = |pairs: &Pairs| Median::of(pairs.iter().map(of_run).collect()).middle;
        Median::of(self.stages.iter().map(of_stage).collect())
    }

    /// The median of a figure, before and now, as records of a batch.
    fn both(&self, figure: fn(&Outcome) -> f64) -> [f64; 2] {
        let pairs: Pairs = self.stages.iter().flatten().copied().collect();
        let of = |which: usize| median(&pairs, |pair| figure(&pair[which])).unwrap_or(f64::NAN);
        [of(0), of(1)]
    }
}

/// A median and the interval in which that of all possible runs lies in at least 95 of 100 cases, whatever the
/// distribution; from the least to the greatest value where there are too few for that.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Median {
    /// Of so many values.
    count: usize,
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
            count: values.len(),
            low: at(outside),
            middle: f64::midpoint(at(last / 2), at(values.len() / 2)),
            high: at(last - outside),
        }
    }

    /// Of rates: whether not more than so many percent were lost.
    fn verdict(self, may_lose: f64) -> &'static str {
        let may_lose = may_lose / 100.0;
        if self.count < STAGES {
            "unclear: more stages"
        } else if self.low > 1.0 + may_lose {
            "gains"
        } else if self.low >= 1.0 - may_lose {
            "holds"
        } else if self.high < 1.0 - may_lose {
            "**loses**"
        } else {
            "unclear: more stages"
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

fn print(comparisons: &[Comparison], may_lose: f64) {
    println!(
        "| operation | connections | before, requests/s | now, requests/s | ratio (95 %) | p95 ratio | p99 ratio | CPU ratio \
         (95 %) | CPU ratio of PostgreSQL | not more than {may_lose} % lost |"
    );
    println!("|{}", " --- |".repeat(10));
    for comparison in comparisons {
        let [before, now] = comparison.both(rate);
        println!(
            "| {} | {} | {before:.0} | {now:.0} | {} | {:.3} | {:.3} | {} | {:.3} | {} |",
            comparison.operation.key(),
            comparison.connections,
            comparison.ratio(rate).to_text(),
            comparison.ratio(|outcome| outcome.p95).middle,
            comparison.ratio(|outcome| outcome.p99).middle,
            comparison.ratio(|outcome| outcome.server_cpu).to_text(),
            comparison.ratio(|outcome| outcome.database_cpu).middle,
            comparison.ratio(rate).verdict(may_lose),
        );
    }
}

fn to_json(folder: &Path, plan: &Plan, comparisons: &[Comparison], may_lose: f64) -> Value {
    let rows: Vec<Value> = comparisons
        .iter()
        .map(|comparison| {
            let [before, now] = comparison.both(rate);
            let ratio = comparison.ratio(rate);
            json!({
                "operation": comparison.operation.key(), "connections": comparison.connections,
                "before": rounded(before), "now": rounded(now), "ratio": rounded(ratio.middle),
                "low": rounded(ratio.low), "high": rounded(ratio.high), "verdict": ratio.verdict(may_lose),
            })
        })
        .collect();
    json!({
        "against": folder.display().to_string(), "host": plan.checkout.host.name(), "records": plan.records,
        "stages": comparisons.first().map_or(0, |comparison| comparison.stages.len()), "runs": plan.runs,
        "comparisons": rows,
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
        let verdict = |values: &[f64]| Median::of(values.to_vec()).verdict(3.0);
        assert_eq!(verdict(&[0.99, 1.0, 1.01, 0.98, 1.2, 1.0]), "holds");
        assert_eq!(verdict(&[0.9, 0.95, 0.96, 0.94, 0.91, 0.9]), "**loses**");
        assert_eq!(
            verdict(&[0.9, 1.0, 1.1, 1.05, 0.99, 1.0]),
            "unclear: more stages"
        );
        assert_eq!(verdict(&[1.1, 1.2, 1.05, 1.3, 1.07, 1.1]), "gains");
        assert_eq!(verdict(&[1.0; 5]), "unclear: more stages");
    }

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        let median = Median::of(vec![1.0, 4.0, 2.0, 3.0]);
        assert_eq!(
            median,
            Median {
                count: 4,
                low: 1.0,
                middle: 2.5,
                high: 4.0
            }
        );
    }
}
