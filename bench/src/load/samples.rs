//! What requests are about: records that are there, and records to write.

use std::sync::Arc;

use anyhow::Result;
use tokio_postgres::Client;

use super::events::samples::LogSamples;
use crate::chance::Chance;
use crate::incidents::Incidents;
use crate::store::DIMENSIONS;

/// Ids and incidents that are asked for.
const SAMPLES: i64 = 20_000;
/// Bodies to write, each with another request id every time.
const BODIES: usize = 64;
/// Takes the place of the request id in a body.
const BLANK: &str = "@@@@";

/// What can be asked for.
#[derive(Debug)]
pub(crate) struct Samples {
    ids: Vec<i64>,
    correlations: Vec<String>,
    filters: Vec<(String, String)>,
    /// Before, between and after the two places of the request id.
    bodies: Vec<[String; 3]>,
    /// Of the log of events; of none, nothing.
    log: LogSamples,
}

impl Samples {
    /// Remediations from the whole time of the records.
    pub(crate) async fn take(client: &Client) -> Result<Self> {
        let sql = "SELECT id, remediation_request_id, namespace, severity FROM (
                       SELECT *, row_number() OVER (ORDER BY id) AS position, count(*) OVER () AS records
                       FROM audit WHERE kind = 'remediation'
                   ) AS a
                   WHERE position % greatest(records / $1, 1) = 0";
        let rows = client.query(sql, &[&SAMPLES]).await?;
        let mut filters: Vec<_> = rows.iter().map(|row| (row.get(2), row.get(3))).collect();
        filters.sort();
        filters.dedup();
        let mut incidents = Incidents::new(7, DIMENSIONS);
        Ok(Self {
            ids: rows.iter().map(|row| row.get(0)).collect(),
            correlations: rows.iter().map(|row| row.get(1)).collect(),
            filters,
            bodies: (0..BODIES).map(|_| parts(&incidents.body(BLANK))).collect(),
            log: LogSamples::default(),
        })
    }

    /// The same, and what can be asked of a log.
    pub(crate) fn with_log(self, log: LogSamples) -> Self {
        Self { log, ..self }
    }

    /// The mean size of a record to write, in bytes.
    pub(crate) fn body_size(&self) -> usize {
        let sizes = self.bodies.iter().map(|parts| parts.concat().len());
        sizes.sum::<usize>() / self.bodies.len()
    }
}

fn parts(body: &str) -> [String; 3] {
    let mut parts = body.splitn(3, BLANK).map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// What one connection asks for, in an order of its own.
pub(crate) struct Draw {
    samples: Arc<Samples>,
    chance: Chance,
    /// Before the number in request ids, so that no two connections write the same one.
    prefix: String,
    written: u64,
    body: String,
}

impl Draw {
    /// `seed` must be another one for each connection of each measurement.
    pub(crate) fn new(samples: Arc<Samples>, seed: u64) -> Self {
        Self {
            samples,
            chance: Chance::seeded(seed),
            prefix: format!("rr-new-{seed}"),
            written: 0,
            body: String::new(),
        }
    }

    fn one<'a, T>(chance: &mut Chance, of: &'a [T]) -> &'a T {
        &of[chance.below(of.len())]
    }

    pub(crate) fn id(&mut self) -> i64 {
        *Self::one(&mut self.chance, &self.samples.ids)
    }

    pub(crate) fn correlation(&mut self) -> String {
        Self::one(&mut self.chance, &self.samples.correlations).clone()
    }

    /// A namespace and a severity that occur together.
    pub(crate) fn filters(&mut self) -> (String, String) {
        Self::one(&mut self.chance, &self.samples.filters).clone()
    }

    /// What can be asked of the log of events, and what draws from it.
    pub(crate) fn log(&mut self) -> (&LogSamples, &mut Chance) {
        (&self.samples.log, &mut self.chance)
    }

    /// A name that nothing has had before.
    pub(crate) fn new_id(&mut self) -> String {
        self.written += 1;
        format!("{}-{}", self.prefix, self.written)
    }

    /// A record that was never written before.
    pub(crate) fn body(&mut self) -> &str {
        let request = self.new_id();
        let [before, between, after] = Self::one(&mut self.chance, &self.samples.bodies);
        self.body.clear();
        for part in [before, &request, between, &request, after] {
            self.body.push_str(part);
        }
        &self.body
    }
}
