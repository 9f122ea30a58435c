//! The clock of the database server is set back by an hour.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use database::{Server, ServerOptions, connect};
use patience::until;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::Client as Session;

use crate::load::{Load, STORE, page, walk, walk_from};
use crate::primary::{self, DATABASE, with_vector_db};
use crate::support::Client;
use crate::support::payloads::{fresh, remediation, with};
use crate::support::provider::{Behaviour, MODEL, Provider};
use crate::support::service::{Host, start_host};

const HOUR_BACK: &str = "+-3600000000";

/// The clock of a server.
struct Clock(TempDir);

impl Clock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rehearsal/clock.c");
        let library = folder.path().join("clock.so");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-O1", "-fPIC", "-shared", "-o"])
            .arg(library)
            .arg(source);
        assert!(compiler.status().expect("a C compiler (cc)").success());
        Self(folder)
    }

    /// Goes on as clock.c says.
    fn set(&self, to: &str) {
        // At once, for who reads it.
        let (new, file) = (self.0.path().join("new"), self.0.path().join("clock"));
        fs::write(&new, to).unwrap();
        fs::rename(new, file).unwrap();
    }

    /// Stands still.
    fn stop(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.set(&format!("={}", since.as_micros()));
    }

    /// A server that goes by it.
    async fn server(&self) -> Server {
        let path = |name| self.0.path().join(name).display().to_string();
        let mut options = ServerOptions::from_env().unwrap();
        options.environment = vec![
            ("LD_PRELOAD".to_owned(), path("clock.so")),
            ("CLOCK".to_owned(), path("clock")),
        ];
        let server = Server::ephemeral(&options, &|_| {}).unwrap();
        primary::migrated(&server, DATABASE).await;
        server
    }
}

/// The service with all that it may have, on a server that goes by a clock of the test's.
struct Stage {
    clock: Clock,
    server: Server,
    provider: Provider,
    host: Host,
    db: Session,
}

impl Stage {
    async fn new() -> Self {
        let clock = Clock::new();
        let server = clock.server().await;
        let provider = Provider::start().await;
        let host = start_host(with_vector_db(&server, &provider).await).await;
        let db = connect(&server.url(DATABASE)).await.unwrap();
        Self {
            clock,
            server,
            provider,
            host,
            db,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_that_comes_twice_mixes_up_no_records() {
    let Stage {
        clock,
        server: _server,
        provider: _provider,
        host,
        db: _,
    } = Stage::new().await;
    let client = host.client();
    let load = Load::start(std::slice::from_ref(&client)).await;
    // More than a page.
    load.goes_on(150).await;
    let before = load.stop().await;
    let (first, next) = page(&client, before.namespace(), None).await;

    clock.set(HOUR_BACK);
    let load = Load::start(std::slice::from_ref(&client)).await;
    load.goes_on(100).await;
    assert_eq!(load.refused(), 0);
    let after = load.stop().await;
    for written in [&before, &after] {
        written.is_stored(&client).await;
        written.is_recognised(&client).await;
    }
    // Ids go by the clock: what was written in the second hour of that time is listed below what was written in the first.
    let (earlier, later) = (before.ids(), after.ids());
    assert!(later.last() < earlier.first());

    // Who reads page by page meanwhile meets each record once.
    let late = remediation(before.namespace(), &fresh("rr"));
    let late = client.create(STORE, &late).await;
    let next = next.expect("more than a page");
    let rest = walk_from(&client, before.namespace(), next).await;
    let met: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|record| record["id"].as_i64().unwrap())
        .collect();
    assert!(met.is_sorted_by(|a, b| a > b), "not newest first");
    let expected: BTreeSet<_> = earlier.iter().copied().chain([late]).collect();
    assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), expected);

    // A record of the first hour goes on with its life.
    let (request, id) = before.first();
    let next = json!({"error_message": "written an hour earlier"});
    let next = with(&remediation(before.namespace(), request), &next);
    assert_eq!(client.write(STORE, &next, "updated").await, id);
    let versions = client.versions("remediation", id).await;
    let numbers: Vec<_> = versions.iter().map(|version| &version["version"]).collect();
    assert_eq!(numbers, [1, 2]);
    host.stop().await;
}

/// What somebody has claimed for a while is free again after that while, and not after an hour.
#[tokio::test(flavor = "multi_thread")]
async fn maintenance_goes_on_when_the_clock_goes_back() {
    let Stage {
        clock,
        server: _server,
        provider,
        host,
        db,
    } = Stage::new().await;
    let client = host.client();
    let namespace = fresh("clock");

    // A delivery and an embedding, claimed by somebody who is gone, and a step of the tail, with its rest.
    until("a delivery is claimed", async || {
        post(&client, &namespace).await;
        holds(
            &db,
            "SELECT audit_outbox_claim(1000, '15 seconds') IS NOT NULL",
        )
        .await
    })
    .await;
    provider.behave(Behaviour::Status(503, None));
    assert_eq!(post(&client, &namespace).await["embeddingId"], Value::Null);
    until("an embedding is claimed", async || {
        let claim = format!("SELECT audit_embedding_claim('{MODEL}', '30 seconds') IS NOT NULL");
        holds(&db, &claim).await
    })
    .await;
    until("the tail rests", async || {
        let rest = "SELECT audit_move_tail(1)";
        db.query_one(rest, &[]).await.unwrap();
        let rests = "SELECT rest_until > clock_timestamp() FROM audit_tail_move";
        holds(&db, rests).await
    })
    .await;
    clock.set(HOUR_BACK);
    provider.behave(Behaviour::Answer);

    let records: Vec<_> = (0..500).map(|_| incident(&namespace)).collect();
    let batch = format!("{STORE}/batch");
    client.post(&batch, &json!(records)).await.expect(201);
    for (awaited, sql) in [
        (
            "embedded",
            "SELECT NOT EXISTS (SELECT FROM audit WHERE embedding_model IS NULL)",
        ),
        ("delivered", "SELECT NOT EXISTS (SELECT FROM audit_outbox)"),
        ("indexed", "SELECT EXISTS (SELECT FROM audit_vector)"),
    ] {
        until(awaited, async || {
            client.get("/health").await.expect(200);
            holds(&db, sql).await
        })
        .await;
    }
    host.stop().await;
}

/// The very millisecond comes twice, and the sequence has the same number then.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_taken_is_not_given_twice() {
    let Stage {
        clock,
        server: _server,
        provider: _provider,
        host,
        db,
    } = Stage::new().await;
    let client = host.client();
    let namespace = fresh("clock");
    clock.stop();
    let first = client.create(STORE, &incident(&namespace)).await;
    let again = "SELECT setval('audit_id_sequence', $1::bigint & 4095, false)";
    db.query_one(again, &[&first]).await.unwrap();
    let second = client.create(STORE, &incident(&namespace)).await;
    assert_eq!(second >> 12, first >> 12, "the clock has moved");
    assert_ne!(second, first);
    assert_eq!(walk(&client, &namespace).await.len(), 2);
    host.stop().await;
}

/// A record that resembles no other much.
fn incident(namespace: &str) -> Value {
    let words = json!({"error_message": fresh("error")});
    with(&remediation(namespace, &fresh("rr")), &words)
}

async fn post(client: &Client, namespace: &str) -> Value {
    client.post(STORE, &incident(namespace)).await.expect(201)
}

async fn holds(db: &Session, sql: &str) -> bool {
    db.query_one(sql, &[]).await.unwrap().get(0)
}
