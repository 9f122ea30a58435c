//! What an outage of the database costs: services that buffer, send and repeat as they do, here and where the answers are others.
//!
//! `cargo test -p host-tests --test events outages -- --ignored --nocapture` prints the table of docs/performance/events-outages.md.

use std::time::Duration;

use database::{MigrateOptions, Server, ServerOptions, connect, migrate};
use futures::future::join_all;
use kubernaut_services::SERVICES;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::Instant;

use crate::delivery::{LIMIT, ServicesClient};
use crate::support::payloads::fresh;
use crate::support::service::{of_database, start_host};
use crate::upstream::{Stored, Style, Upstream};
use crate::writing::{event, post};

/// How long PostgreSQL is away, in seconds.
const OUTAGES: [u64; 3] = [1, 4, 30];
/// How long the agent waits for an answer; the others have more patience.
const LIMIT_OF_THE_AGENT: Duration = Duration::from_secs(5);
/// Before the outage, and behind it.
const CALM: Duration = Duration::from_secs(5);
/// Each service has something to say so often.
const PERIOD: Duration = Duration::from_millis(200);
/// A buffer is sent so often, or once it has so many.
const FLUSH: Duration = Duration::from_secs(1);
const FULL: usize = 100;

/// The services at work, each with a buffer of its own, and what they have written by then.
struct Load {
    services: Vec<JoinHandle<usize>>,
}

impl Load {
    /// Lets them write for so long to the service at `base`.
    fn start(base: &str, time: Duration) -> Self {
        let number = time.as_millis() / PERIOD.as_millis();
        let services = SERVICES.into_iter().map(|service| {
            let limit = match service {
                "kubernaut-agent" => LIMIT_OF_THE_AGENT,
                _ => LIMIT,
            };
            tokio::spawn(write(
                service,
                number,
                ServicesClient::with_limit(base, limit),
            ))
        });
        Self {
            services: services.collect(),
        }
    }

    /// How many events were written, once everything that is kept back was sent or given up.
    async fn written(self) -> usize {
        let written = join_all(self.services).await.into_iter();
        written.map(|written| written.expect("a service")).sum()
    }
}

/// One service, which writes so many events.
async fn write(service: &str, number: u128, client: ServicesClient) -> usize {
    let (sender, events) = unbounded_channel();
    let sending = tokio::spawn(send(client, events));
    let correlation = fresh(service);
    let mut written = 0;
    let mut ticks = tokio::time::interval(PERIOD);
    for _ in 0..number {
        ticks.tick().await;
        let mut event = event(&correlation, written);
        event["event_data"]["config_version"] = format!("{correlation}-{written}").into();
        sender.send(event).expect("a buffer");
        written += 1;
    }
    drop(sender);
    sending.await.expect("a buffer");
    written
}

/// Sends what is in the buffer, again and again, until nothing more comes.
async fn send(client: ServicesClient, mut events: UnboundedReceiver<Value>) {
    while let Some(first) = events.recv().await {
        let mut batch = vec![first];
        let end = Instant::now() + FLUSH;
        // Time itself: a buffer waits for a second.
        while let Ok(Some(event)) = tokio::time::timeout_at(end, events.recv()).await {
            batch.push(event);
            if batch.len() >= FULL {
                break;
            }
        }
        // What is dropped here is what the table counts.
        let _ = client.deliver(&batch).await;
    }
}

/// A row of the table.
struct Row {
    outage: u64,
    server: &'static str,
    written: usize,
    stored: Stored,
}

impl Row {
    fn lost(&self) -> usize {
        self.written - self.stored.len()
    }

    fn doubled(&self) -> i64 {
        self.stored.values().map(|count| count - 1).sum()
    }
}

/// The service of this repository, on a PostgreSQL that is killed and comes back after so many seconds.
async fn here(outage: u64) -> Row {
    let options = ServerOptions::from_env().unwrap();
    let mut server = block_in_place(|| Server::ephemeral(&options, &|_| {})).unwrap();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let mut variables = of_database(&url);
    // As it is by default: tests have more time for each statement.
    variables.insert("write_timeout".to_owned(), "5s".to_owned());
    let host = start_host(variables).await;
    let client = host.client();
    post(&client, &[event(&fresh("first"), 0)]).await;
    let away = Duration::from_secs(outage);
    let load = Load::start(client.base(), CALM + away + CALM);
    // Time itself: so long is the outage.
    tokio::time::sleep(CALM).await;
    block_in_place(|| server.kill()).unwrap();
    // Time itself: as above.
    tokio::time::sleep(away).await;
    block_in_place(|| server.restart()).unwrap();
    let written = load.written().await;
    let db = connect(&url).await.unwrap();
    let sql = "SELECT event_data ->> 'config_version', count(*) FROM audit_event
        WHERE correlation_id NOT LIKE 'first%' GROUP BY 1";
    let rows = db.query(sql, &[]).await.unwrap();
    host.stop().await;
    Row {
        outage,
        server: "this service: 503 after a wait",
        written,
        stored: rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
    }
}

/// A service whose answers are others.
async fn elsewhere(outage: u64, style: Style) -> Row {
    let upstream = Upstream::start(style).await;
    let away = Duration::from_secs(outage);
    let load = Load::start(&upstream.base(), CALM + away + CALM);
    // Time itself: so long is the outage.
    tokio::time::sleep(CALM).await;
    upstream.be_away(true);
    // Time itself: as above.
    tokio::time::sleep(away).await;
    upstream.be_away(false);
    Row {
        outage,
        server: match style {
            Style::Failed => "500, and nothing is kept",
            Style::Queued => "202, and kept for later",
            Style::Busy => "429, and nothing is kept",
        },
        written: load.written().await,
        stored: upstream.stored(),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; cargo xtask test --slow runs it"]
async fn outages_cost_nothing_here() {
    let mut rows = Vec::new();
    for outage in OUTAGES {
        let (here, failed, queued, busy) = tokio::join!(
            here(outage),
            elsewhere(outage, Style::Failed),
            elsewhere(outage, Style::Queued),
            elsewhere(outage, Style::Busy),
        );
        rows.extend([here, failed, queued, busy]);
    }
    println!(
        "| PostgreSQL is away for | answers meanwhile | events written | lost | stored more than once |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for row in &rows {
        let (lost, doubled) = (row.lost(), row.doubled());
        println!(
            "| {} s | {} | {} | {lost} | {doubled} |",
            row.outage, row.server, row.written
        );
    }
    for row in rows.iter().filter(|row| row.server.starts_with("this")) {
        assert_eq!(row.doubled(), 0, "{} s", row.outage);
        assert_eq!(row.lost(), 0, "{} s", row.outage);
    }
}
