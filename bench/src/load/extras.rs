//! What is measured beside the seven operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use super::figures::{median, rounded};
use super::floor;
use super::instances::{self, ColdStart, Place};
use super::measure::Outcome;
use super::operation::Operation;
use super::samples::Draw;
use super::servers::Subject;
use super::{Plan, Stage, domain, fill, seed};
use crate::store::{Store, say};

/// The connections that pgbench and the small database are measured with.
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
    pub(crate) floor: BTreeMap<Operation, f64>,
    pub(crate) cold_starts: BTreeMap<&'static str, ColdStart>,
    /// In bytes, by component.
    pub(crate) instances: BTreeMap<String, u64>,
    /// In bytes, by component.
    pub(crate) sizes: BTreeMap<String, u64>,
    /// Microseconds for a record, native and in Wasm.
    pub(crate) domain: Option<(f64, f64)>,
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
        say("the statements alone");
        let floor = floor_of(store, plan, stage).await?;
        say("the domain alone");
        let domain = domain::measure(stage).await?;
        say("new instances");
        let place = Place {
            checkout: &plan.checkout,
            url: &stage.url,
            samples: &stage.samples,
            database: stage.database,
            duration: plan.duration,
        };
        let cold_starts = place.cold_starts().await?;
        let instances = place.memory().await?;
        Ok(Self {
            many,
            few: few(store, plan).await?,
            floor,
            cold_starts,
            instances,
            sizes: instances::sizes()?,
            domain,
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let floor: Value = self
            .floor
            .iter()
            .map(|(operation, rate)| {
                let key = operation.key().to_owned();
                (key, json!({format!("c{USUAL}"): rounded(*rate)}))
            })
            .collect();
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
            "pgbench": floor,
            "cold_start_ms": cold_starts,
            "instance_bytes": self.instances,
            "wasm_bytes": self.sizes,
            "domain_us": self.domain.map(|(native, wasm)| json!({"native": native, "wasm": wasm})),
        })
    }

    /// What is no target and in no other table.
    pub(crate) fn print(&self) {
        println!("\n| pgbench, {USUAL} connections | per second |\n| --- | --- |");
        for (operation, rate) in &self.floor {
            println!("| {} | {rate:.0} |", operation.key());
        }
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

async fn floor_of(store: &Store, plan: &Plan, stage: &Stage) -> Result<BTreeMap<Operation, f64>> {
    let mut all = BTreeMap::new();
    for operation in Operation::ALL {
        let mut draw = Draw::new(Arc::clone(&stage.samples), seed() << 16);
        // Its connections are new ones, which take a while to know all partitions.
        let duration = plan.duration * 5;
        let floor = floor::measure(store, &stage.url, operation, USUAL, duration, &mut draw)?;
        all.extend(floor.map(|floor| (operation, floor)));
    }
    fill::forget(&stage.client, stage.mark).await?;
    Ok(all)
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
