//! How fast vectors are written and found while the tail takes them, beside the same writes straight into an
//! HNSW index.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::{join_all, try_join_all};
use tokio_postgres::Client;

use crate::incidents::{Incidents, MODEL};
use crate::latency::Latency;
use crate::report::Report;
use crate::store::{DIMENSIONS, Store, WRITE, array, client, fill, rewrite, say};

/// What writes at the same time.
const WRITERS: usize = 4;
/// As in `components/upkeep/src/tail.rs`.
const STEP: i32 = 100;
/// The targets: of the rates, and of the 95th percentile of searches.
const FASTER: f64 = 4.0;
const SLOWER: f64 = 2.0;

/// A way to write a burst.
struct Shape {
    name: &'static str,
    records: usize,
    batch: usize,
}

const SHAPES: [Shape; 4] = [
    Shape {
        name: "4000 in batches of 100",
        records: 4000,
        batch: 100,
    },
    Shape {
        name: "8000 in batches of 100",
        records: 8000,
        batch: 100,
    },
    // As the write component sends single records that wait in one instance.
    Shape {
        name: "4000 singles, 8 at a time",
        records: 4000,
        batch: 8,
    },
    Shape {
        name: "4000 singles",
        records: 4000,
        batch: 1,
    },
];

pub(crate) async fn run(quick: bool) -> Result<Report> {
    let (records, rounds, divisor) = if quick {
        (2000, 1, 10)
    } else {
        (100_000, 3, 1)
    };
    let store = Store::start()?;
    say(&format!("{records} records, indexed, twice"));
    let tail = Design::prepare(&store, "tail", records).await?;
    let direct = Design::prepare(&store, "direct", records).await?;
    write_directly(&direct.client).await?;

    let mut probes = Incidents::new(99, DIMENSIONS);
    let probes: Vec<String> = (0..100).map(|_| probes.probe()).collect();
    let mut report = Report::new(&[
        "design",
        "writes",
        "records/s",
        "tail at the end",
        "search p50 ms",
        "search p95 ms",
    ]);
    let mut seed = 1000;
    for shape in &SHAPES {
        say(&format!("writing {}", shape.name));
        let (mut with, mut without) = (Burst::default(), Burst::default());
        for _ in 0..rounds {
            seed += 1;
            let records = shape.records / divisor;
            let incidents: Vec<_> = Incidents::new(seed, DIMENSIONS).take(records).collect();
            // Made beforehand, so that the writers do nothing but write.
            let batches: Vec<String> = incidents.chunks(shape.batch).map(array).collect();
            with.add(tail.burst(records, &batches, &probes, true).await?);
            without.add(direct.burst(records, &batches, &probes, false).await?);
            tail.drain().await?;
        }
        report.row(row(
            "fully indexed, before the burst",
            shape.name,
            f64::NAN,
            0,
            &with.before,
        ));
        report.row(row(
            "tail",
            shape.name,
            with.rate(),
            with.left,
            &with.during,
        ));
        report.row(row(
            "tail, after the burst",
            shape.name,
            f64::NAN,
            with.left,
            &with.after,
        ));
        report.row(row(
            "direct",
            shape.name,
            without.rate(),
            0,
            &without.during,
        ));
        report.remark(format!(
            "{}: {:.1} times the rate of direct inserts (target {FASTER} or more). p95 of searches right after: {:.1} \
             times that over the fully indexed table (target {SLOWER} or less). While writing: {:.1} times that of \
             the direct design under the same writes (target {SLOWER} or less); the fully indexed table, with \
             nothing else to do for the cores, is no comparison ({:.1} times).",
            shape.name,
            with.rate() / without.rate(),
            with.after.quantile(0.95) / with.before.quantile(0.95),
            with.during.quantile(0.95) / without.during.quantile(0.95),
            with.during.quantile(0.95) / with.before.quantile(0.95),
        ));
    }
    Ok(report)
}

fn row(design: &str, writes: &str, rate: f64, left: i64, latency: &Latency) -> Vec<String> {
    vec![
        design.to_owned(),
        writes.to_owned(),
        if rate.is_nan() {
            "-".to_owned()
        } else {
            format!("{rate:.0}")
        },
        left.to_string(),
        format!("{:.1}", latency.quantile(0.5)),
        format!("{:.1}", latency.quantile(0.95)),
    ]
}

/// Has `audit_write` insert straight into the indexed table.
async fn write_directly(client: &Client) -> Result<()> {
    rewrite(
        client,
        "audit_write",
        "INSERT INTO audit_vector_tail",
        "INSERT INTO audit_vector",
    )
    .await
}

/// What bursts of one shape came to.
#[derive(Default)]
struct Burst {
    records: usize,
    seconds: f64,
    /// The longest tail at the end of one.
    left: i64,
    /// While all is indexed.
    before: Latency,
    during: Latency,
    after: Latency,
}

impl Burst {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.seconds += other.seconds;
        self.left = self.left.max(other.left);
        self.before.extend(other.before);
        self.during.extend(other.during);
        self.after.extend(other.after);
    }

    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }
}

/// A database with one way of writing.
struct Design {
    url: String,
    client: Client,
}

impl Design {
    async fn prepare(store: &Store, name: &str, records: usize) -> Result<Self> {
        let url = store.database(name).await?;
        let client = client(&url).await?;
        fill(&client, &mut Incidents::new(1, DIMENSIONS), records).await?;
        Ok(Self { url, client })
    }

    /// Writes batches of `records` in all from several connections while vectors are moved, if they are to be, and
    /// others search.
    async fn burst(
        &self,
        records: usize,
        batches: &[String],
        probes: &[String],
        moved: bool,
    ) -> Result<Burst> {
        let before = self.search(probes, None).await?;
        let writers = try_join_all((0..WRITERS).map(|_| client(&self.url))).await?;
        let upkeep = client(&self.url).await?;
        let next = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        let write = async |client: &Client| -> Result<()> {
            let statement = client.prepare(WRITE).await?;
            while let Some(posts) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.execute(&statement, &[posts]).await?;
            }
            Ok(())
        };
        let writing = async {
            let start = Instant::now();
            let written = join_all(writers.iter().map(write)).await;
            done.store(true, Ordering::Relaxed);
            written.into_iter().collect::<Result<()>>()?;
            anyhow::Ok(start.elapsed().as_secs_f64())
        };
        let moving = async {
            while moved && !done.load(Ordering::Relaxed) {
                // Called again as the next request would.
                if move_some(&upkeep).await? == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            anyhow::Ok(())
        };
        let (seconds, (), during) =
            tokio::try_join!(writing, moving, self.search(probes, Some(&done)))?;
        let left = self.left().await?;
        let after = self.search(probes, None).await?;
        Ok(Burst {
            records,
            seconds,
            left,
            before,
            during,
            after,
        })
    }

    /// The length of the tail.
    async fn left(&self) -> Result<i64> {
        let sql = "SELECT count(*) FROM audit_vector_tail";
        Ok(self.client.query_one(sql, &[]).await?.get(0))
    }

    /// Searches for each probe once, or again and again until `done`.
    async fn search(&self, probes: &[String], done: Option<&AtomicBool>) -> Result<Latency> {
        let client = client(&self.url).await?;
        let statement = client
            .prepare("SELECT audit_search($1, $2, '{}', 10, NULL, 100)")
            .await?;
        // The first one makes the plans, which live as long as the connection.
        client.query_one(&statement, &[&probes[0], &MODEL]).await?;
        let mut latency = Latency::default();
        for (count, probe) in probes.iter().cycle().enumerate() {
            if done.map_or(count >= probes.len(), |done| done.load(Ordering::Relaxed)) {
                break;
            }
            let start = Instant::now();
            client.query_one(&statement, &[probe, &MODEL]).await?;
            latency.add(start.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(latency)
    }

    /// Moves the whole tail, and cleans up behind it, as time would.
    async fn drain(&self) -> Result<()> {
        let sql = "UPDATE audit_tail_move SET rest_until = '-infinity'";
        while self.left().await? > 0 {
            self.client.execute(sql, &[]).await?;
            if move_some(&self.client).await? == 0 {
                // Few, and not yet old.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        let sql = "VACUUM audit_vector_tail";
        Ok(self.client.batch_execute(sql).await?)
    }
}

async fn move_some(client: &Client) -> Result<i32> {
    Ok(client
        .query_one("SELECT audit_move_tail($1)", &[&STEP])
        .await?
        .get(0))
}
