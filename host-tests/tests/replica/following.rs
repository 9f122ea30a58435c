//! What becomes of reads, step by step.

use std::time::{Duration, Instant};

use database::connect;
use patience::{Deadline, until};
use serde_json::Value;
use tokio::task::block_in_place;

use crate::pair::{Pair, truth};
use crate::readers::Readers;
use crate::support::Client;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::start_host;

const STORE: &str = "/api/v1/store/remediation";

/// How far the replica of the strict service may be behind.
const MAX_LAG: Duration = Duration::from_secs(2);

/// Two services with the same servers: one bears any lag, the other hardly any.
struct Services {
    lax: Client,
    strict: Client,
    namespace: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_to_the_replica_while_it_follows_closely() {
    let mut pair = Pair::start().await;
    let (variables, other_database) = pair.without().await;
    let without = start_host(variables).await;
    let lax = start_host(pair.variables("60m")).await;
    let strict = start_host(pair.variables("2s")).await;
    let services = Services {
        lax: lax.client(),
        strict: strict.client(),
        namespace: fresh("replica"),
    };
    create(&without.client(), "elsewhere").await;

    let first = services.create().await;
    services.use_the_replica().await;
    services.lag(&pair).await;
    services.rest(&pair).await;
    services.are_cut_off(&pair).await;
    services.lose_the_replica(&mut pair, first).await;
    services.see_it_promoted(&pair).await;

    let scrape = without.client().get("/metrics").await.text();
    assert_eq!(reads(&scrape, "replica"), 0);
    assert_eq!(reads(&scrape, "primary"), 0);
    assert!(!scrape.contains("datastorage_replica_lag_seconds"));
    assert_eq!(verdict(&without.client()).await, "disabled");
    let db = connect(&other_database).await.unwrap();
    let noted = "SELECT EXISTS (SELECT FROM audit_setting WHERE name = 'lineage')";
    assert!(!truth(&db, noted).await, "nobody needs it");
    for host in [without, lax, strict] {
        host.stop().await;
    }
}

impl Services {
    /// Posts a record.
    async fn create(&self) -> i64 {
        create(&self.strict, &self.namespace).await
    }

    /// The ids that a service lists, the newest first.
    async fn listed(&self, client: &Client) -> Vec<i64> {
        self.page(client, "").await.0
    }

    /// A page of the list, and the cursor of the next one.
    async fn page(&self, client: &Client, parameters: &str) -> (Vec<i64>, Value) {
        let namespace = &self.namespace;
        let path = format!("/api/v1/query/remediation?namespace={namespace}{parameters}");
        let page = client.get(&path).await.expect(200);
        let audits = page["audits"].as_array().expect("records").iter();
        let ids = audits.map(|audit| audit["id"].as_i64().expect("an id"));
        (ids.collect(), page["next_cursor"].clone())
    }

    /// Both ask the replica, and say so.
    async fn use_the_replica(&self) {
        for client in [&self.lax, &self.strict] {
            let before = served(client).await;
            let asked = until("the replica is asked", async || {
                self.listed(client).await;
                served(client).await > before
            });
            Box::pin(asked).await;
            let said = until("the service says that it is", async || {
                verdict(client).await == "ok"
            });
            Box::pin(said).await;
        }
    }

    /// Replay stands still. Who bears that sees what was, but no page and no record is lost; who does not sees what is.
    async fn lag(&self, pair: &Pair) {
        let before = self.listed(&self.lax).await;
        pair.pause_replay().await;
        let older = self.create().await;
        let newer = self.create().await;
        until("the replica is asked again", async || {
            self.listed(&self.lax).await == before
        })
        .await;
        self.bounded(newer).await;

        // As if the pages came from one server and then the other.
        let (first, cursor) = self.page(&self.strict, "&limit=1").await;
        assert_eq!(first, [newer]);
        let cursor = cursor.as_str().expect("a next page");
        for next in [
            format!("&limit=1&cursor={cursor}"),
            "&limit=1&offset=1".to_owned(),
        ] {
            assert_eq!(self.page(&self.lax, &next).await.0, [older], "{next}");
        }
        self.lax.record("remediation", newer).await;

        let verdict = verdict(&self.strict).await;
        assert!(verdict.contains(" s behind"), "{verdict}");
        until("the lag is seen", async || {
            let lag = gauge(&self.strict.get("/metrics").await.text());
            lag.is_some_and(|lag| lag > MAX_LAG.as_secs_f64())
        })
        .await;
        pair.resume_replay().await;
        self.use_the_replica().await;
        until("the replica has caught up", async || {
            self.listed(&self.lax).await == self.listed(&self.strict).await
        })
        .await;
    }

    /// Nothing was written for longer than a replica may lag.
    async fn rest(&self, pair: &Pair) {
        let replica = pair.replica().await;
        let idle = format!(
            "SELECT now() - pg_last_xact_replay_timestamp() > interval '{} s'",
            MAX_LAG.as_secs() + 1
        );
        until("nobody writes", async || truth(&replica, &idle).await).await;
        self.use_the_replica().await;
        assert!(truth(&replica, &idle).await, "somebody wrote");

        assert!(pair.follows("", "", 0).await);
        assert!(!pair.follows("", "", 1).await, "it has not come so far");
        assert!(!pair.follows("1", "", 0).await, "of another store");
        assert!(!pair.follows("", "00000001 x", 0).await, "of another one");
    }

    /// The stream is cut.
    async fn are_cut_off(&self, pair: &Pair) {
        let conninfo = pair.cut_stream().await;
        let created = self.create().await;
        self.bounded(created).await;
        pair.join_stream(&conninfo).await;
        self.use_the_replica().await;
    }

    /// The strict service lists a record that was just created as soon as the replica may not lack it any more.
    async fn bounded(&self, created: i64) {
        // Time itself: a read that begins later than the replica may lag has everything.
        let since = Instant::now();
        let deadline = Deadline::start();
        loop {
            // Time itself: as above.
            let late = since.elapsed() > MAX_LAG;
            let found = self.listed(&self.strict).await.contains(&created);
            assert!(found || !late, "{created} is missing for too long");
            if late {
                return;
            }
            deadline.pause("a read that begins later").await;
        }
    }

    /// It hangs, is killed and comes back, under load.
    async fn lose_the_replica(&self, pair: &mut Pair, id: i64) {
        let readers = Readers::start(&self.strict, id);
        readers.go_on().await;
        pair.replica.freeze().unwrap();
        readers.go_on().await;
        assert_ne!(verdict(&self.strict).await, "ok");
        pair.replica.thaw().unwrap();
        self.use_the_replica().await;
        readers.go_on().await;
        pair.replica.kill().unwrap();
        readers.go_on().await;
        block_in_place(|| pair.replica.restart()).unwrap();
        self.use_the_replica().await;
        readers.go_on().await;
        readers.stop().await;
    }

    /// It goes on by itself, with records of its own.
    async fn see_it_promoted(&self, pair: &Pair) {
        let db = pair.replica().await;
        assert!(truth(&db, "SELECT pg_promote()").await);
        let forget = "UPDATE audit SET namespace = 'elsewhere'";
        db.batch_execute(forget).await.unwrap();
        let created = self.create().await;
        for client in [&self.lax, &self.strict] {
            let listed = self.listed(client).await;
            assert_eq!(listed.first(), Some(&created));
            assert!(listed.len() > 1);
            let verdict = verdict(client).await;
            assert!(verdict.starts_with("is no replica"), "{verdict}");
        }
    }
}

/// What a service that is ready says of its replica.
async fn verdict(client: &Client) -> String {
    let readiness = Box::pin(client.readiness()).await.expect(200);
    let verdict = readiness["checks"]["replica"].as_str();
    verdict.expect("a text").to_owned()
}

async fn create(client: &Client, namespace: &str) -> i64 {
    client
        .create(STORE, &remediation(namespace, &fresh("rr")))
        .await
}

/// How many statements the replica has served.
async fn served(client: &Client) -> u64 {
    reads(&client.get("/metrics").await.text(), "replica")
}

/// How many statements of reads went to a server.
fn reads(scrape: &str, server: &str) -> u64 {
    let series = format!("datastorage_server_reads_total{{server=\"{server}\"}} ");
    let number = scrape.lines().find_map(|line| line.strip_prefix(&series));
    number.expect("the series").parse().expect("a number")
}

fn gauge(scrape: &str) -> Option<f64> {
    let series = "datastorage_replica_lag_seconds ";
    let number = scrape.lines().find_map(|line| line.strip_prefix(series))?;
    number.parse().ok()
}
