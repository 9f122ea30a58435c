//! Whether records are made of events as fast as they come: a steady stream of batches, and how far behind the records are.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at, sleep};
use tokio_postgres::Client;

use super::Log;
use super::ask::LogOperation;
use crate::latency::Latency;
use crate::load::client::Connection;
use crate::load::figures::rounded;
use crate::load::samples::Draw;
use crate::load::servers::Subject;
use crate::load::{Options, Plan, seed};
use crate::store::{Store, say};

/// Events that come in a second, in batches of a hundred, by so many connections.
const PER_SECOND: f64 = 1000.0;
const BATCH: f64 = 100.0;
const CONNECTIONS: u32 = 4;
/// For so many seconds, unless `--seconds` says otherwise.
const SECONDS: f64 = 60.0;
/// Events that are there before, unless `--records` says otherwise.
const EVENTS: usize = 100_000;
/// Who is so late at the end keeps up.
const BEHIND: Duration = Duration::from_secs(5);
/// Who is not done then never will be.
const PATIENCE: Duration = Duration::from_mins(10);

/// What was seen.
struct Seen {
    sent: u64,
    /// From the first batch until the last was answered.
    took: Duration,
    /// From when a batch was due.
    latency: Latency,
    /// Events that records were to be made of, each second.
    lags: Vec<i64>,
    /// How long after the last event the last record was made.
    behind: Duration,
    records: i64,
}

/// Posts for a while, prints what was seen and returns it as JSON.
pub(crate) async fn run(options: Options, quick: bool) -> Result<Value> {
    let seconds = options.seconds.unwrap_or(if quick { 2.0 } else { SECONDS });
    let events = options.records.unwrap_or(if quick { 2000 } else { EVENTS });
    let plan = Plan::new(options, quick)?;
    let store = Store::start()?;
    let log = Log::build(&store, &plan.checkout, &[Subject::Service], events).await?;
    say(&format!(
        "posting {PER_SECOND} events per second for {seconds} s"
    ));
    let seen = measure(&log, Duration::try_from_secs_f64(seconds)?).await?;
    print(&seen, seconds);
    Ok(to_json(&seen))
}

async fn measure(log: &Log, duration: Duration) -> Result<Seen> {
    let begin = Instant::now() + Duration::from_millis(100);
    let before = records(&log.client).await?;
    let posting = async {
        let all = (0..CONNECTIONS).map(|number| post(log, number, begin, duration));
        let posted = try_join_all(all).await?;
        Ok((posted, Instant::now()))
    };
    let ((posted, end), lags) = tokio::try_join!(posting, watch(&log.client, begin + duration))?;
    while lag(&log.client).await? > 0 {
        ensure!(end.elapsed() < PATIENCE, "records are not made");
        sleep(Duration::from_millis(50)).await;
    }
    let behind = end.elapsed();
    let mut latency = Latency::default();
    let mut sent = 0;
    for (count, durations) in posted {
        sent += count;
        for took in durations {
            latency.add(took);
        }
    }
    Ok(Seen {
        sent,
        took: end - begin,
        latency,
        lags,
        behind,
        records: records(&log.client).await? - before,
    })
}

/// One connection's batches, one after the other: each when it is due, or as soon as the one before is answered.
async fn post(
    log: &Log,
    number: u32,
    begin: Instant,
    duration: Duration,
) -> Result<(u64, Vec<Duration>)> {
    let address = log.server(Subject::Service)?.address;
    let mut connection = Connection::open(address).await?;
    let mut draw = Draw::new(Arc::clone(&log.samples), (seed() << 16) | u64::from(number));
    let period = Duration::from_secs_f64(BATCH / PER_SECOND) * CONNECTIONS;
    let mut ticks = interval_at(begin + period * number / CONNECTIONS, period);
    let (mut sent, mut durations) = (0, Vec::new());
    let mut request = Vec::new();
    loop {
        let due = ticks.tick().await;
        if due >= begin + duration {
            return Ok((sent, durations));
        }
        request.clear();
        LogOperation::Batch100.write(&mut draw, &mut request);
        let answer = connection.exchange(&request).await?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 201, "a batch is refused: {text}");
        durations.push(due.elapsed());
        sent += 100;
    }
}

/// How far behind the records are, each second.
async fn watch(client: &Client, end: Instant) -> Result<Vec<i64>> {
    let mut lags = Vec::new();
    while Instant::now() < end {
        sleep(Duration::from_secs(1)).await;
        lags.push(lag(client).await?);
    }
    Ok(lags)
}

async fn lag(client: &Client) -> Result<i64> {
    let row = client.query_one("SELECT audit_event_lag()", &[]).await?;
    Ok(row.get(0))
}

async fn records(client: &Client) -> Result<i64> {
    let row = client.query_one("SELECT count(*) FROM audit", &[]).await?;
    Ok(row.get(0))
}

impl Seen {
    fn median_lag(&self) -> i64 {
        let mut lags = self.lags.clone();
        lags.sort_unstable();
        lags.get(lags.len() / 2).copied().unwrap_or_default()
    }

    fn most_lag(&self) -> i64 {
        self.lags.iter().copied().max().unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "millions at most")]
    fn rate(&self) -> f64 {
        self.sent as f64 / self.took.as_secs_f64()
    }

    /// Whether all were taken in time, and records made of them.
    fn keeps_up(&self) -> bool {
        self.rate() >= 0.97 * PER_SECOND && self.behind <= BEHIND
    }
}

fn print(seen: &Seen, seconds: f64) {
    println!(
        "| events per second | for, s | p50 of a batch, ms | p95, ms | records made | events behind: median | most | made up for after, s | keeps up |"
    );
    println!("|{}", " --- |".repeat(9));
    println!(
        "| {:.0} | {seconds:.0} | {:.1} | {:.1} | {} | {} | {} | {:.1} | {} |",
        seen.rate(),
        seen.latency.quantile(0.5),
        seen.latency.quantile(0.95),
        seen.records,
        seen.median_lag(),
        seen.most_lag(),
        seen.behind.as_secs_f64(),
        if seen.keeps_up() { "yes" } else { "**no**" },
    );
}

fn to_json(seen: &Seen) -> Value {
    json!({
        "events_per_second": rounded(seen.rate()), "p95_ms": rounded(seen.latency.quantile(0.95)),
        "records": seen.records, "events_behind": {"median": seen.median_lag(), "most": seen.most_lag()},
        "made_up_for_after_s": rounded(seen.behind.as_secs_f64()), "keeps_up": seen.keeps_up(),
    })
}
