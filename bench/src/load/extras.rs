//! What is measured beside the seven operations.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::access::Cost;
use super::figures::{median, rounded};
use super::instances::{self, ColdStart, Place};
use super::measure::Outcome;
use super::operation::Operation;
use super::rules::{self, Microseconds};
use super::servers::Subject;
use super::{Plan, Stage};
use crate::store::{Store, say};

/// The connections that most targets are about.
pub(crate) const USUAL: usize = 32;
/// More connections than the table has.
pub(crate) const MANY: usize = 256;
/// Records of the small database that lists are compared with.
const FEW_RECORDS: usize = 10_000;

/// Everything beside the table.
#[derive(Debug)]
pub(crate) struct Extras {
    /// Single writes at [`MANY`] connections.
    pub(crate) many: Vec<Outcome>,
    /// The filtered list where there are few records.
    pub(crate) few: Vec<Outcome>,
    pub(crate) cold_starts: BTreeMap<&'static str, ColdStart>,
    /// In bytes, by component.
    pub(crate) instances: BTreeMap<String, u64>,
    /// In bytes, by component.
    pub(crate) sizes: BTreeMap<String, u64>,
    pub(crate) rules: Option<Microseconds>,
    /// By operation.
    pub(crate) access_control: BTreeMap<&'static str, Cost>,
}

impl Extras {
    pub(crate) async fn measure(store: &Store, plan: &Plan, stage: &Stage) -> Result<Self> {
        say("many connections");
        let mut many = Vec::new();
        for _ in 0..plan.runs {
            let duration = plan.duration;
            let write = Operation::WriteSingle;
            many.push(
                stage
                    .measure(Subject::Service, write, MANY, duration)
                    .await?,
            );
        }
        say("the rules alone");
        let rules = rules::measure(stage).await?;
        say("new instances");
        let place = Place {
            checkout: &plan.checkout,
            url: &stage.url,
            samples: &stage.samples,
            database: stage.database,
            duration: plan.duration,
        };
        let cold_starts = place.cold_starts().await?;
        say("access control");
        let access_control = place.access_control(plan.runs).await?;
        let instances = place.memory().await?;
        Ok(Self {
            many,
            few: few(store, plan).await?,
            cold_starts,
            instances,
            sizes: instances::sizes()?,
            rules,
            access_control,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let cold_starts: Value = self
            .cold_starts
            .iter()
            .map(|(name, cold)| {
                let both = json!({"kept": rounded(cold.kept), "new": rounded(cold.new)});
                ((*name).to_owned(), both)
            })
            .collect();
        let many = median(&self.many, |outcome| outcome.requests);
        json!({
            "many": {Operation::WriteSingle.key(): {format!("c{MANY}"): many.map(rounded)}},
            "cold_start_ms": cold_starts,
            "instance_bytes": self.instances,
            "wasm_bytes": self.sizes,
            "rules_us": self.rules.map(|of| json!({"native": of.native, "wasm": of.wasm})),
        })
    }

    /// What is no target and in no other table.
    pub(crate) fn print(&self) {
        println!(
            "\n| first answer, 1 connection | kept instance ms | new instance ms |\n| --- | --- | --- |"
        );
        for (name, cold) in &self.cold_starts {
            println!("| {name} | {:.2} | {:.2} |", cold.kept, cold.new);
        }
        println!("\n| component | .wasm KiB | memory of an instance KiB |\n| --- | --- | --- |");
        for (component, size) in &self.sizes {
            let memory = self
                .instances
                .get(component)
                .map_or_else(|| "-".to_owned(), |bytes| (bytes / 1024).to_string());
            println!("| {component} | {} | {memory} |", size / 1024);
        }
    }
}

/// The filtered list on a database of its own with few records.
async fn few(store: &Store, plan: &Plan) -> Result<Vec<Outcome>> {
    let records = FEW_RECORDS.min(plan.records);
    let url = store.database("few").await?;
    let stage = Stage::build(store, &plan.checkout, &[Subject::Service], url, records).await?;
    let mut all = Vec::new();
    for _ in 0..plan.runs {
        let list = Operation::ListFiltered1m;
        all.push(
            stage
                .measure(Subject::Service, list, USUAL, plan.duration)
                .await?,
        );
    }
    Ok(all)
}
