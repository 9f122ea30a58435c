//! The log of events beside the native baseline, and the same with more and more events in it.

pub(crate) mod ask;
mod fill;
mod growth;
mod projection;
mod report;
pub(crate) mod samples;

pub(crate) use growth::run as grow;
pub(crate) use projection::run as project;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::ask::LogOperation;
use self::report::Figures;
use self::samples::{LogSamples, long_chain};
use super::client::Connection;
use super::measure::{Load, Outcome, measure};
use super::operation::{Ask, Operation};
use super::process::Process;
use super::servers::{Checkout, Running, Start, Subject};
use super::{Options, Plan, fill as records, seed};
use crate::load::samples::Samples;
use crate::store::{Store, client, say};

/// Records beside the events, for the batch of records that one of events is compared with.
const RECORDS: usize = 2000;
/// Events of a usual run, and of a quick one.
const EVENTS: usize = 1_000_000;
const QUICK_EVENTS: usize = 4000;
/// Verifying ten thousand events takes the processor whole and about a second, so it is measured with one connection, and for so many
/// times as long.
const VERIFYING: usize = 1;
const LONGER: u32 = 5;

/// Measures service and baseline, prints tables and returns everything as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let events = options
        .records
        .unwrap_or(if quick { QUICK_EVENTS } else { EVENTS });
    let plan = Plan::new(options, quick)?;
    let subjects = [Subject::Service, Subject::Native];
    let store = Store::start()?;
    let log = Log::build(&store, &plan.checkout, &subjects, events).await?;
    log.make_no_records().await?;
    let mut figures = Figures::default();
    // In the first run connections are new and everything is on disk.
    for run in 0..=plan.runs {
        for &connections in &plan.connections {
            for (ask, subject) in order(run, connections) {
                let outcome = log
                    .measure(subject, ask, connections, plan.duration)
                    .await?;
                if run > 0 {
                    report::progress(ask, connections, subject, &outcome);
                    figures.add(ask, connections, subject, outcome);
                }
            }
        }
    }
    figures.print();
    Ok(figures.to_json(events))
}

/// What is measured with so many connections: the servers take turns, and each run begins with another one.
fn order(run: usize, connections: usize) -> Vec<(Ask, Subject)> {
    let mut all = vec![(Ask::Store(Operation::WriteBatch100), Subject::Service)];
    for operation in LogOperation::ALL {
        if operation == LogOperation::Verify && connections > VERIFYING {
            continue;
        }
        let mut subjects = [Subject::Service, Subject::Native];
        subjects.rotate_left(run % 2);
        all.extend(subjects.map(|subject| (Ask::Log(operation), subject)));
    }
    all
}

/// A database with a log in it, and the servers on it.
struct Log {
    client: tokio_postgres::Client,
    samples: Arc<Samples>,
    servers: BTreeMap<Subject, Running>,
    database: Process,
    mark: i64,
}

impl Log {
    /// A new database with so many events.
    async fn build(
        store: &Store,
        checkout: &Checkout,
        subjects: &[Subject],
        events: usize,
    ) -> Result<Self> {
        let url = store.database(&format!("log_{events}")).await?;
        records::fill(&url, RECORDS).await?;
        let remediations = fill::fill(&url, events).await?;
        let client = client(&url).await?;
        let samples = Samples::take(&client).await?;
        let samples = samples.with_log(LogSamples::of(remediations));
        let mut servers = BTreeMap::new();
        for &subject in subjects {
            say(&format!("starting {}", subject.key()));
            servers.insert(subject, Start::usual(checkout, &url).run(subject).await?);
        }
        let writer = servers.values().next().context("there is a server")?;
        write_long_chain(writer).await?;
        let database = Process {
            id: store.process()?,
            with_children: true,
        };
        let mark = records::mark(&client).await?;
        Ok(Self {
            client,
            samples: Arc::new(samples),
            servers,
            database,
            mark,
        })
    }

    /// Has no records made of the events that are written from now on. The baseline makes none either; what that costs beside writing is
    /// measured by itself (`projection`).
    async fn make_no_records(&self) -> Result<()> {
        let sql =
            "CREATE OR REPLACE FUNCTION audit_event_announce(rows audit_event_post[]) RETURNS void
                   LANGUAGE plpgsql AS 'BEGIN END'";
        Ok(self.client.batch_execute(sql).await?)
    }

    fn server(&self, subject: Subject) -> Result<&Running> {
        self.servers.get(&subject).context("it was not started")
    }

    async fn measure(
        &self,
        subject: Subject,
        ask: Ask,
        connections: usize,
        duration: Duration,
    ) -> Result<Outcome> {
        let server = self.server(subject)?;
        let duration = if ask == Ask::Log(LogOperation::Verify) {
            duration * LONGER
        } else {
            duration
        };
        let outcome = measure(Load {
            address: server.address,
            ask,
            connections,
            pause: Duration::ZERO,
            header: None,
            samples: Arc::clone(&self.samples),
            seed: seed(),
            warm_up: duration / 5,
            duration,
            server: server.process,
            database: self.database,
        })
        .await
        .with_context(|| format!("{}, {}", subject.key(), report::name(ask)))
        .with_context(|| server.last_lines())?;
        let writes = match ask {
            Ask::Log(operation) => operation.writes(),
            Ask::Store(operation) => operation.writes(),
            Ask::Bare(_) => false,
        };
        if writes {
            fill::forget(&self.client, self.mark).await?;
            records::forget(&self.client, self.mark).await?;
        }
        Ok(outcome)
    }
}

/// Writes the chain that is verified, by a server, because its hashes must be right.
async fn write_long_chain(server: &Running) -> Result<()> {
    let mut connection = Connection::open(server.address).await?;
    for batch in long_chain()? {
        let mut request = Vec::new();
        super::operation::post(&mut request, "/api/v1/audit/events/batch", &batch);
        let answer = connection.exchange(&request).await?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 201, "the long chain is refused: {text}");
    }
    Ok(())
}
