//! Hosts and PostgreSQL are killed in the middle of batches, again and again. Clients repeat what was not acknowledged, and then every event
//! is there once, every chain is whole, and every remediation is one record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use database::{MigrateOptions, Server, ServerOptions, TestDatabase, connect, migrate};
use futures::future::join_all;
use kubernaut_services::{Remediation, SERVICES};
use patience::{Progress, until};
use tokio::task::{JoinHandle, block_in_place};
use tokio_postgres::Client as Database;

use crate::delivery::ServicesClient;
use crate::projection::ended;
use crate::remediation;
use crate::support::Client;
use crate::support::payloads::fresh;
use crate::support::process::HostProcess;
use crate::support::service::{of_database, patient};
use crate::writing::{events, is_valid, post};

/// Remediations, to each of which all services write.
const REMEDIATIONS: usize = 24;
/// So often something is killed.
const KILLS: u32 = 10;

/// How often an event of each type is in a correlation.
type Counts = BTreeMap<(String, String), i64>;

/// Ten services that write.
struct Load {
    remediations: Arc<Vec<Remediation>>,
    taken: Progress,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(client: &Client) -> Self {
        let remediations: Vec<_> = (0..REMEDIATIONS).map(|_| remediation()).collect();
        let remediations = Arc::new(remediations);
        let taken = Progress::default();
        let writers = SERVICES.map(|service| {
            let client = ServicesClient::new(client.base());
            let (remediations, taken) = (Arc::clone(&remediations), taken.clone());
            tokio::spawn(async move {
                for remediation in remediations.iter() {
                    client
                        .deliver_at_last(&remediation.of_service(service))
                        .await;
                    taken.step();
                }
            })
        });
        Self {
            remediations,
            taken,
            writers: writers.into(),
        }
    }

    /// Whether all is written.
    fn is_over(&self) -> bool {
        self.writers.iter().all(JoinHandle::is_finished)
    }

    /// Waits for a moment in the middle of something, another one each time.
    ///
    /// # Panics
    /// If everything is written already.
    async fn a_moment(&self, number: u32) {
        let before = self.taken.count();
        until("a batch is taken", async || {
            self.taken.count() > before || self.is_over()
        })
        .await;
        // Time itself: the moments differ, from the begin of a request to its end.
        tokio::time::sleep(Duration::from_millis(u64::from(number * 7 % 40))).await;
        assert!(!self.is_over(), "kill {number} comes too late");
    }

    /// Waits for the end, and returns what must be there.
    async fn written(self) -> (Arc<Vec<Remediation>>, Counts) {
        for writer in join_all(self.writers).await {
            writer.expect("a writer");
        }
        let mut counts = Counts::new();
        for step in self.remediations.iter().flat_map(Remediation::steps) {
            let text = |member: &str| step.event[member].as_str().expect("a text").to_owned();
            *counts
                .entry((text("correlation_id"), text("event_type")))
                .or_default() += 1;
        }
        (self.remediations, counts)
    }
}

/// Looks whether everything is there once.
async fn assert_whole(client: &Client, db: &Database, load: Load) {
    let (remediations, expected) = load.written().await;
    let sql = "SELECT correlation_id, event_type, count(*) FROM audit_event GROUP BY 1, 2";
    let rows = db.query(sql, &[]).await.unwrap();
    let found: Counts = rows
        .iter()
        .map(|row| ((row.get(0), row.get(1)), row.get(2)))
        .collect();
    for (event, count) in &expected {
        assert_eq!(found.get(event), Some(count), "{event:?}");
    }
    assert_eq!(found, expected, "and nothing else is there");
    let mut lengths: BTreeMap<&str, i64> = BTreeMap::new();
    for ((correlation, _), count) in &expected {
        *lengths.entry(correlation).or_default() += count;
    }
    for (correlation, length) in lengths {
        is_valid(client, correlation, usize::try_from(length).expect("few")).await;
    }
    for remediation in remediations.iter() {
        for kind in ["remediation", "aianalysis", "workflow"] {
            let records = ended(client, kind, &remediation.id).await;
            assert_eq!(records.len(), 1, "{kind} of {}", remediation.id);
        }
    }
    let quarantined = "SELECT count(*) FROM audit_event_quarantine";
    let quarantined: i64 = db.query_one(quarantined, &[]).await.unwrap().get(0);
    assert_eq!(quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_costs_no_event_and_doubles_none() {
    let database = TestDatabase::create().await;
    let variables = patient(of_database(database.url()));
    let mut host = HostProcess::start(&variables).await;
    let load = Load::start(&host.client);
    for number in 0..KILLS {
        load.a_moment(number).await;
        host.restart(&variables).await;
    }
    let db = database.client().await;
    assert_whole(&host.client, &db, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_costs_no_event_and_doubles_none() {
    let options = ServerOptions::from_env().unwrap();
    let mut server = block_in_place(|| Server::ephemeral(&options, &|_| {})).unwrap();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let mut host = HostProcess::start(&patient(of_database(&url))).await;
    let load = Load::start(&host.client);
    for number in 0..KILLS {
        load.a_moment(number).await;
        block_in_place(|| server.kill()).unwrap();
        // Now and then both.
        if number % 4 == 3 {
            host.restart(&patient(of_database(&url))).await;
        }
        block_in_place(|| server.restart()).unwrap();
    }
    let db = connect(&url).await.unwrap();
    assert_whole(&host.client, &db, load).await;
}

/// A long batch is written in pieces. A retry finds those that were written, and writes the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_batch_that_is_cut_off_is_there_once() {
    const LONG: usize = 8000;
    let database = TestDatabase::create().await;
    let variables = patient(of_database(database.url()));
    let mut host = HostProcess::start(&variables).await;
    let db = database.client().await;
    let count = async |correlation: &str| -> i64 {
        let sql = "SELECT count(*) FROM audit_event WHERE correlation_id = $1";
        db.query_one(sql, &[&correlation]).await.unwrap().get(0)
    };
    let mut cut = 0;
    for _ in 0..4 {
        let correlation = fresh("rr");
        let batch = events(&correlation, LONG);
        let client = ServicesClient::new(host.client.base());
        let posting = {
            let batch = batch.clone();
            tokio::spawn(async move { client.deliver_at_last(&batch).await })
        };
        until("a piece is written", async || count(&correlation).await > 0).await;
        host.restart(&variables).await;
        cut += u32::from(count(&correlation).await < 8000);
        posting.await.unwrap();
        is_valid(&host.client, &correlation, LONG).await;
        // Those that were stored before and after have the ids of one answer.
        let ids = post(&host.client, &batch).await;
        assert_eq!(post(&host.client, &batch).await, ids);
        assert_eq!(count(&correlation).await, 8000);
    }
    assert!(cut > 0, "every batch was complete when the host was killed");
}
