//! Figures of the log as tables, and what they should be.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ask::LogOperation;
use crate::load::figures::{median, rounded};
use crate::load::measure::Outcome;
use crate::load::operation::{Ask, Operation};
use crate::load::servers::Subject;

/// A write of a hundred events may cost so many times what a hundred records cost.
const COST: f64 = 2.0;

/// Outcomes by what was measured, with how many connections, on which server.
#[derive(Debug, Default)]
pub(super) struct Figures(BTreeMap<(Ask, usize), BTreeMap<Subject, Vec<Outcome>>>);

/// The name in tables and in JSON.
pub(super) const fn name(ask: Ask) -> &'static str {
    match ask {
        Ask::Store(operation) => operation.key(),
        Ask::Log(operation) => operation.key(),
        Ask::Bare(bare) => bare.key(),
    }
}

/// What one request counts for.
const fn weight(ask: Ask) -> usize {
    match ask {
        Ask::Store(operation) => operation.records(),
        Ask::Log(operation) => operation.events(),
        Ask::Bare(_) => 1,
    }
}

/// A measurement, as soon as it is made.
pub(super) fn progress(ask: Ask, connections: usize, subject: Subject, outcome: &Outcome) {
    eprintln!(
        "    {:16} c{connections:<4} {:8} {:8.1}/s  p50 {:.2}  p95 {:.2}  max {:.1} ms",
        name(ask),
        subject.key(),
        outcome.requests,
        outcome.p50,
        outcome.p95,
        outcome.max
    );
}

impl Figures {
    pub(super) fn add(&mut self, ask: Ask, connections: usize, subject: Subject, outcome: Outcome) {
        let of = self.0.entry((ask, connections)).or_default();
        of.entry(subject).or_default().push(outcome);
    }

    fn median(
        &self,
        (ask, connections): (Ask, usize),
        subject: Subject,
        figure: fn(&Outcome) -> f64,
    ) -> Option<f64> {
        median(self.0.get(&(ask, connections))?.get(&subject)?, figure)
    }

    /// Per second: requests, of writes events or records.
    fn throughput(&self, key: (Ask, usize), subject: Subject) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "1000 at most")]
        let weight = weight(key.0) as f64;
        Some(self.median(key, subject, |outcome| outcome.requests)? * weight)
    }

    /// The rate of records in batches of a hundred, as a multiple of that of events.
    fn cost(&self, connections: usize) -> Option<f64> {
        let of = |ask| self.throughput((ask, connections), Subject::Service);
        let records = of(Ask::Store(Operation::WriteBatch100))?;
        Some(records / of(Ask::Log(LogOperation::Batch100))?)
    }

    fn connections(&self) -> Vec<usize> {
        let mut all: Vec<_> = self.0.keys().map(|(_, connections)| *connections).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn print(&self) {
        println!(
            "| operation | connections | server | per second | p50 ms | p95 ms | p99 ms | max ms | CPU ms | CPU ms of \
             PostgreSQL | peak MiB | service / native |"
        );
        println!("|{}", " --- |".repeat(12));
        for (key, subjects) in &self.0 {
            for subject in subjects.keys() {
                println!("{}", self.row(*key, *subject));
            }
        }
        println!(
            "\n| connections | records / events, in batches of 100 | at most {COST} |\n| --- | --- | --- |"
        );
        for connections in self.connections() {
            if let Some(cost) = self.cost(connections) {
                let met = if cost <= COST { "yes" } else { "**no**" };
                println!("| {connections} | {cost:.2} | {met} |");
            }
        }
    }

    fn row(&self, key: (Ask, usize), subject: Subject) -> String {
        let median =
            |figure: fn(&Outcome) -> f64| self.median(key, subject, figure).unwrap_or(f64::NAN);
        let throughput = |subject| self.throughput(key, subject);
        let ratio = throughput(Subject::Service).zip(throughput(Subject::Native));
        let ratio = match (subject, ratio) {
            (Subject::Service, Some((service, native))) => format!("{:.2}", service / native),
            _ => String::new(),
        };
        format!(
            "| {} | {} | {} | {:.1} | {:.2} | {:.2} | {:.2} | {:.1} | {:.3} | {:.3} | {:.0} | {ratio} |",
            name(key.0),
            key.1,
            subject.key(),
            throughput(subject).unwrap_or(f64::NAN),
            median(|outcome| outcome.p50),
            median(|outcome| outcome.p95),
            median(|outcome| outcome.p99),
            median(|outcome| outcome.max),
            median(|outcome| outcome.server_cpu),
            median(|outcome| outcome.database_cpu),
            median(|outcome| outcome.peak),
        )
    }

    pub(super) fn to_json(&self, events: usize) -> Value {
        let mut operations = Map::new();
        for (key, subjects) in &self.0 {
            let of = subjects.keys().map(|subject| {
                let p95 = self.median(*key, *subject, |outcome| outcome.p95);
                let figures = json!({
                    "throughput": self.throughput(*key, *subject).map(rounded), "p95_ms": p95.map(rounded),
                });
                (subject.key().to_owned(), figures)
            });
            let name = format!("{}_c{}", name(key.0), key.1);
            operations.insert(name, of.collect());
        }
        let costs = self.connections().into_iter();
        let costs: Map<_, _> = costs
            .filter_map(|connections| {
                let cost = rounded(self.cost(connections)?);
                Some((format!("c{connections}"), cost))
            })
            .collect();
        json!({"events": events, "operations": operations, "records_to_events": costs})
    }
}
