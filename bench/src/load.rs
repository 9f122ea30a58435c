//! Requests per second: the service beside the bare component and the native baseline.

mod access;
pub(crate) mod against;
pub(crate) mod client;
pub(crate) mod events;
mod extras;
pub(crate) mod figures;
pub(crate) mod fill;
pub(crate) mod growth;
mod instances;
pub(crate) mod lists;
mod measure;
mod operation;
mod plot;
mod process;
mod rules;
mod samples;
pub(crate) mod servers;
mod table;
mod targets;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio_postgres::Client;

use self::extras::Extras;
use self::figures::Figures;
use self::measure::{Load, Outcome, measure};
use self::operation::{Ask, Operation};
use self::process::Process;
use self::samples::Samples;
use self::servers::{Checkout, Running, Start, Subject};
use self::targets::Targets;
use crate::store::{Store, client, say};

/// What to measure, and how.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these operations, by their names in the table, and nothing beside the table
    #[arg(long, global = true, value_delimiter = ',', value_parser = Operation::parse)]
    only: Vec<Operation>,
    /// Only these: service, bare, native
    #[arg(long, global = true, value_delimiter = ',', value_parser = Subject::parse)]
    subjects: Vec<Subject>,
    /// Kept-alive connections; growth has its own
    #[arg(
        long,
        global = true,
        value_delimiter = ',',
        default_value = "1,8,32,128"
    )]
    connections: Vec<usize>,
    /// How often everything is measured [default: 5, with --quick 1]
    #[arg(long, global = true)]
    runs: Option<usize>,
    /// How long each measurement takes [default: 2, with --quick 0.2]
    #[arg(long, global = true)]
    seconds: Option<f64>,
    /// Records in the database [default: 1000000, with --quick 2000]
    #[arg(long, global = true)]
    records: Option<usize>,
    /// What runs the components: native or spin
    #[arg(long, global = true, default_value = "native", value_parser = ["native", "spin"])]
    host: String,
    /// Compare the service with that of another checkout, which must have been built: both are measured alternately
    #[arg(long, value_name = "FOLDER")]
    pub(crate) against: Option<PathBuf>,
    /// How often the comparison sets both services up anew [default: 6, with --quick 1]
    #[arg(long, requires = "against")]
    stages: Option<NonZeroUsize>,
    /// How many percent of its requests per second a service may lose in the comparison
    #[arg(
        long,
        requires = "against",
        default_value_t = 3.0,
        value_name = "PERCENT"
    )]
    may_lose: f64,
}

/// How measurements are made.
struct Plan {
    operations: Vec<Operation>,
    subjects: Vec<Subject>,
    connections: Vec<usize>,
    runs: usize,
    duration: Duration,
    records: usize,
    checkout: Checkout,
}

impl Plan {
    fn new(options: Options, quick: bool) -> Result<Self> {
        let or_all = |some: Vec<_>, all: &[_]| if some.is_empty() { all.to_vec() } else { some };
        let seconds = options.seconds.unwrap_or(if quick { 0.2 } else { 2.0 });
        Ok(Self {
            operations: or_all(options.only, &Operation::ALL),
            subjects: if options.subjects.is_empty() {
                Subject::ALL.to_vec()
            } else {
                options.subjects
            },
            connections: options.connections,
            runs: options.runs.unwrap_or(if quick { 1 } else { 5 }),
            duration: Duration::try_from_secs_f64(seconds).context("--seconds")?,
            records: options
                .records
                .unwrap_or(if quick { 2000 } else { 1_000_000 }),
            checkout: Checkout::this(options.host == "spin")?,
        })
    }
}

/// Measures everything of the plan, prints it and returns it as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    // Who asks for some operations is in the middle of something.
    let everything = options.only.is_empty() && options.subjects.is_empty();
    let plan = Plan::new(options, quick)?;
    let store = Store::start()?;
    let stage = Stage::of_plan(&store, &plan, &plan.subjects, "audit").await?;
    if !quick {
        stage.prepare(&plan).await?;
    }
    let mut figures = Figures::default();
    for run in 0..plan.runs {
        for &connections in &plan.connections {
            for &operation in &plan.operations {
                stage
                    .compare(&plan, operation, connections, run, &mut figures)
                    .await?;
            }
        }
    }
    let extras = if everything {
        Some(Extras::measure(&store, &plan, &stage).await?)
    } else {
        None
    };
    table::print(&figures);
    let mut json = figures.to_json();
    json["host"] = plan.checkout.host.name().into();
    json["records"] = plan.records.into();
    if let (Some(extras), Some(json)) = (extras, json.as_object_mut()) {
        let targets = Targets::of(&figures, &extras);
        extras.print();
        targets.print();
        json.insert("targets".to_owned(), targets.to_json());
        if let Value::Object(extras) = extras.to_json() {
            json.extend(extras);
        }
    }
    Ok(json)
}

/// A filled database and the servers on it.
struct Stage {
    url: String,
    client: Client,
    samples: Arc<Samples>,
    servers: BTreeMap<Subject, Running>,
    database: Process,
    mark: i64,
}

impl Stage {
    /// With a new database, migrated and filled as the plan says.
    async fn of_plan(store: &Store, plan: &Plan, subjects: &[Subject], name: &str) -> Result<Self> {
        let url = store.database(name).await?;
        Self::build(store, &plan.checkout, subjects, url, plan.records).await
    }

    /// The service on a new database of each size, migrated and filled.
    async fn of_sizes(store: &Store, plan: &Plan, sizes: &[usize]) -> Result<Vec<(usize, Self)>> {
        let mut stages = Vec::new();
        for &records in sizes {
            let url = store.database(&format!("audit_{records}")).await?;
            let subjects = [Subject::Service];
            let stage = Self::build(store, &plan.checkout, &subjects, url, records).await?;
            stages.push((records, stage));
        }
        Ok(stages)
    }

    /// Fills a migrated database and starts servers of a checkout on it.
    async fn build(
        store: &Store,
        checkout: &Checkout,
        subjects: &[Subject],
        url: String,
        records: usize,
    ) -> Result<Self> {
        fill::fill(&url, records).await?;
        let client = client(&url).await?;
        let samples = Samples::take(&client).await?;
        let size = samples.body_size();
        say(&format!("records to write have {size} bytes"));
        let mut servers = BTreeMap::new();
        for &subject in subjects {
            say(&format!("starting {}", subject.key()));
            servers.insert(subject, Start::usual(checkout, &url).run(subject).await?);
        }
        let database = Process {
            id: store.process()?,
            with_children: true,
        };
        let mark = fill::mark(&client).await?;
        Ok(Self {
            url,
            client,
            samples: Arc::new(samples),
            servers,
            database,
            mark,
        })
    }

    fn server(&self, subject: Subject) -> Option<&Running> {
        self.servers.get(&subject)
    }

    /// Has every server do everything once: the first statements on a connection to so many partitions take far
    /// longer than all later ones, and data comes from the disk.
    async fn prepare(&self, plan: &Plan) -> Result<()> {
        say("doing everything once");
        let connections = plan.connections.iter().copied().max().unwrap_or(1);
        for &operation in &plan.operations {
            for &subject in &plan.subjects {
                self.measure(subject, operation, connections, plan.duration)
                    .await
                    .with_context(|| format!("{}, {}", subject.key(), operation.key()))?;
            }
        }
        Ok(())
    }

    /// Measures an operation with every server, one right after the other: each run begins with another
    /// one.
    async fn compare(
        &self,
        plan: &Plan,
        operation: Operation,
        connections: usize,
        run: usize,
        figures: &mut Figures,
    ) -> Result<()> {
        let mut subjects = plan.subjects.clone();
        let first = run % subjects.len().max(1);
        subjects.rotate_left(first);
        for subject in subjects {
            let outcome = self
                .measure(subject, operation, connections, plan.duration)
                .await
                .with_context(|| {
                    let (subject, operation) = (subject.key(), operation.key());
                    format!("{subject}, {operation} at {connections} connections")
                })?;
            table::progress(subject, operation, connections, &outcome);
            figures.add(operation, connections, subject, outcome);
        }
        Ok(())
    }

    async fn measure(
        &self,
        subject: Subject,
        operation: Operation,
        connections: usize,
        duration: Duration,
    ) -> Result<Outcome> {
        let server = self.server(subject).context("it was not started")?;
        let outcome = measure(Load {
            address: server.address,
            ask: match subject {
                Subject::Bare => Ask::Bare(operation.bare()),
                Subject::Service | Subject::Native => Ask::Store(operation),
            },
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
        .with_context(|| server.last_lines())?;
        if operation.writes() {
            fill::forget(&self.client, self.mark).await?;
        }
        Ok(outcome)
    }
}

/// Another one for each measurement.
fn seed() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
