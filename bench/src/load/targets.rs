//! What was measured beside what it should be.

use serde_json::{Value, json};

use super::extras::{Extras, USUAL};
use super::figures::{Figures, median, rounded};
use super::measure::Outcome;
use super::operation::Operation;
use super::servers::Subject;

const KIB: f64 = 1024.0;

/// A figure and its bound.
#[derive(Debug)]
struct Target {
    what: &'static str,
    measured: f64,
    bound: Bound,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.measured >= bound,
            Bound::AtMost(bound) => self.measured <= bound,
        }
    }

    fn bound(&self) -> String {
        match self.bound {
            Bound::AtLeast(bound) => format!("≥ {bound}"),
            Bound::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

/// All targets that could be measured.
#[derive(Debug, Default)]
pub(crate) struct Targets(Vec<Target>);

impl Targets {
    pub(crate) fn of(figures: &Figures, extras: &Extras) -> Self {
        let mut targets = Self::default();
        targets.writes(figures, extras);
        targets.reads(figures, extras);
        targets.access_control(extras);
        targets.instances(extras);
        targets
    }

    fn add(&mut self, what: &'static str, bound: Bound, measured: Option<f64>) {
        self.0.extend(measured.map(|measured| Target {
            what,
            measured,
            bound,
        }));
    }

    fn writes(&mut self, figures: &Figures, extras: &Extras) {
        use Bound::{AtLeast, AtMost};
        let write = Operation::WriteSingle;
        let service = |connections, figure: fn(&Outcome) -> f64| {
            figures.median((write, connections), Subject::Service, figure)
        };
        let of_many = |figure: fn(&Outcome) -> f64| median(&extras.many, figure);
        let rate = |outcome: &Outcome| outcome.requests;
        let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
        self.add(
            "single writes, 32 connections: rate / plain insert of the bare component",
            AtLeast(0.9),
            figures.ratio((write, USUAL), Subject::Bare),
        );
        self.add(
            "single writes, 32 connections: p99 / p50",
            AtMost(4.0),
            ratio(
                service(USUAL, |outcome| outcome.p99),
                service(USUAL, |outcome| outcome.p50),
            ),
        );
        self.add(
            "single writes: rate of 128 connections / rate of 32",
            AtLeast(1.0),
            ratio(service(128, rate), service(USUAL, rate)),
        );
        self.add(
            "single writes: rate of 256 connections / rate of 32",
            AtLeast(1.0),
            ratio(of_many(rate), service(USUAL, rate)),
        );
        let slowest = figures
            .outcomes((write, 128), Subject::Service)
            .iter()
            .chain(&extras.many)
            .map(|outcome| outcome.max)
            .max_by(f64::total_cmp);
        self.add(
            "single writes, 128 and 256 connections: slowest request, ms",
            AtMost(1000.0),
            slowest,
        );
        self.add(
            "batches of 100, 32 connections: records / native baseline",
            AtLeast(0.8),
            figures.ratio((Operation::WriteBatch100, USUAL), Subject::Native),
        );
    }

    fn reads(&mut self, figures: &Figures, extras: &Extras) {
        use Bound::{AtLeast, AtMost};
        let filtered = (Operation::ListFiltered1m, USUAL);
        let p95 = |outcome: &Outcome| outcome.p95;
        let of_service = figures.median(filtered, Subject::Service, p95);
        let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
        self.add(
            "get by id, 32 connections: rate / trivial statement of the bare component",
            AtLeast(0.85),
            figures.ratio((Operation::GetById, USUAL), Subject::Bare),
        );
        self.add(
            "list of 100, 32 connections: rate / native baseline",
            AtLeast(1.0),
            figures.ratio((Operation::List100, USUAL), Subject::Native),
        );
        self.add(
            "list with two filters, 32 connections: p95 / native baseline",
            AtMost(1.2),
            ratio(of_service, figures.median(filtered, Subject::Native, p95)),
        );
        self.add(
            "list with two filters, 32 connections: p95 / the same at 10 000 records",
            AtMost(2.0),
            ratio(of_service, median(&extras.few, p95)),
        );
        self.add(
            "timeline, 32 connections: rate / get by id",
            AtLeast(0.8),
            ratio(
                figures.throughput((Operation::Timeline, USUAL), Subject::Service),
                figures.throughput((Operation::GetById, USUAL), Subject::Service),
            ),
        );
    }

    fn access_control(&mut self, extras: &Extras) {
        let rate = |outcome: &Outcome| outcome.requests;
        let kept = |operation: Operation| {
            let cost = extras.access_control.get(operation.key())?;
            Some(median(&cost.on, rate)? / median(&cost.off, rate)?)
        };
        self.add(
            "single writes, 32 connections: rate with access control / without",
            Bound::AtLeast(0.95),
            kept(Operation::WriteSingle),
        );
        self.add(
            "get by id, 32 connections: rate with access control / without",
            Bound::AtLeast(0.95),
            kept(Operation::GetById),
        );
    }

    fn instances(&mut self, extras: &Extras) {
        use Bound::AtMost;
        let health = extras.cold_starts.get("health");
        self.add(
            "health: new instance beyond a kept one, ms",
            AtMost(1.0),
            health.map(|cold| cold.new - cold.kept),
        );
        let get = extras.cold_starts.get("get_by_id");
        self.add(
            "get by id: new instance beyond a kept one, ms",
            AtMost(1.0),
            get.map(|cold| cold.new - cold.kept),
        );
        #[expect(clippy::cast_precision_loss, reason = "megabytes")]
        let largest = |of: &std::collections::BTreeMap<String, u64>| {
            of.values().max().map(|bytes| *bytes as f64 / KIB)
        };
        self.add(
            "largest component, KiB",
            AtMost(1536.0),
            largest(&extras.sizes),
        );
        self.add(
            "largest instance, KiB",
            AtMost(4096.0),
            largest(&extras.instances),
        );
        self.add(
            "validating and sanitising 1 KiB: Wasm / native",
            AtMost(2.0),
            extras.rules.map(|of| of.wasm / of.native),
        );
        self.add(
            "validating and sanitising 1 KiB in Wasm, µs",
            AtMost(30.0),
            extras.rules.map(|of| of.wasm),
        );
    }

    pub(crate) fn print(&self) {
        println!("\n| target | bound | measured | met |\n| --- | --- | --- | --- |");
        for target in &self.0 {
            println!(
                "| {} | {} | {:.2} | {} |",
                target.what,
                target.bound(),
                target.measured,
                if target.is_met() { "yes" } else { "**no**" }
            );
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|target| {
                json!({
                    "target": target.what, "bound": target.bound(),
                    "measured": rounded(target.measured), "met": target.is_met(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_by_itself() {
        let target = |measured, bound| Target {
            what: "",
            measured,
            bound,
        };
        assert!(target(0.9, Bound::AtLeast(0.9)).is_met());
        assert!(!target(0.89, Bound::AtLeast(0.9)).is_met());
        assert!(target(4.0, Bound::AtMost(4.0)).is_met());
        assert!(!target(4.1, Bound::AtMost(4.0)).is_met());
        assert!(!target(f64::NAN, Bound::AtMost(4.0)).is_met());
    }
}
