//! Everything that was measured: medians, and ratios of medians.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::measure::Outcome;
use super::operation::Operation;
use super::servers::Subject;

/// Outcomes by what was measured, with how many connections, on which server.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    outcomes: BTreeMap<(Operation, usize), BTreeMap<Subject, Vec<Outcome>>>,
}

impl Figures {
    pub(crate) fn add(
        &mut self,
        operation: Operation,
        connections: usize,
        subject: Subject,
        outcome: Outcome,
    ) {
        let of = self.outcomes.entry((operation, connections)).or_default();
        of.entry(subject).or_default().push(outcome);
    }

    /// What was measured, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (Operation, usize)> {
        self.outcomes.keys().copied()
    }

    pub(crate) fn outcomes(&self, key: (Operation, usize), subject: Subject) -> &[Outcome] {
        let of = self.outcomes.get(&key).and_then(|of| of.get(&subject));
        of.map_or(&[], Vec::as_slice)
    }

    /// The median of a figure; nothing if it was not measured.
    pub(crate) fn median(
        &self,
        key: (Operation, usize),
        subject: Subject,
        figure: impl Fn(&Outcome) -> f64,
    ) -> Option<f64> {
        median(self.outcomes(key, subject), figure)
    }

    /// Per second: requests, of writes records.
    pub(crate) fn throughput(&self, key: (Operation, usize), subject: Subject) -> Option<f64> {
        let records = match subject {
            // Of the bare component a request is one record.
            Subject::Bare => 1,
            _ => key.0.records(),
        };
        #[expect(clippy::cast_precision_loss, reason = "1 or 100")]
        let records = records as f64;
        Some(self.median(key, subject, |outcome| outcome.requests)? * records)
    }

    /// The service's throughput divided by another's.
    pub(crate) fn ratio(&self, key: (Operation, usize), to: Subject) -> Option<f64> {
        Some(self.throughput(key, Subject::Service)? / self.throughput(key, to)?)
    }

    /// Everything, by operation and number of connections.
    pub(crate) fn to_json(&self) -> Value {
        let of_each = |figure: &dyn Fn(Subject, (Operation, usize)) -> Option<f64>| {
            let each = Subject::ALL.map(|subject| {
                let of_subject = self.shape(|key| figure(subject, key));
                (subject.key().to_owned(), of_subject)
            });
            Value::Object(each.into_iter().collect())
        };
        let median = |figure: fn(&Outcome) -> f64| {
            of_each(&|subject, key| self.median(key, subject, figure))
        };
        json!({
            "vs_bare": self.shape(|key| self.ratio(key, Subject::Bare)),
            "vs_native": self.shape(|key| self.ratio(key, Subject::Native)),
            "absolute": of_each(&|subject, key| self.throughput(key, subject)),
            "latency_ms": {
                "p50": median(|outcome| outcome.p50),
                "p95": median(|outcome| outcome.p95),
                "p99": median(|outcome| outcome.p99),
                "max": median(|outcome| outcome.max),
            },
            "cpu_ms": {
                "server": median(|outcome| outcome.server_cpu),
                "database": median(|outcome| outcome.database_cpu),
            },
            "memory_mib": median(|outcome| outcome.peak),
        })
    }

    /// `{"write_single": {"c1": …}}` of a figure.
    fn shape(&self, figure: impl Fn((Operation, usize)) -> Option<f64>) -> Value {
        let mut operations = Map::new();
        for key in self.keys() {
            let (operation, connections) = key;
            let of = operations
                .entry(operation.key())
                .or_insert_with(|| json!({}));
            of[format!("c{connections}")] = figure(key).map_or(Value::Null, rounded);
        }
        Value::Object(operations)
    }
}

/// The median of a figure; nothing if there is none.
pub(crate) fn median<T>(outcomes: &[T], figure: impl Fn(&T) -> f64) -> Option<f64> {
    let mut all: Vec<f64> = outcomes.iter().map(figure).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

/// Requests per second.
pub(crate) fn rate(outcomes: &[Outcome]) -> f64 {
    median(outcomes, |outcome| outcome.requests).unwrap_or(f64::NAN)
}

/// In milliseconds.
pub(crate) fn p95(outcomes: &[Outcome]) -> f64 {
    median(outcomes, |outcome| outcome.p95).unwrap_or(f64::NAN)
}

/// Both of each size of the database, for programs.
pub(crate) fn of_sizes(sizes: &BTreeMap<usize, Vec<Outcome>>) -> Value {
    let each = sizes.iter().map(|(records, outcomes)| {
        let figures = json!({
            "throughput": rounded(rate(outcomes)), "p95_ms": rounded(p95(outcomes)),
        });
        (records.to_string(), figures)
    });
    each.collect()
}

/// Four digits say everything that a measurement can.
pub(crate) fn rounded(figure: f64) -> Value {
    if !figure.is_finite() {
        return Value::Null;
    }
    let text = format!("{figure:.3e}");
    text.parse::<f64>()
        .map_or(Value::Null, |figure| json!(figure))
}
