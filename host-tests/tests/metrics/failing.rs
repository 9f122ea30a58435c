//! What the service fails at is counted, also while the servers are away that it needs.

use std::time::{Duration, Instant};

use database::{MigrateOptions, Server, ServerOptions, migrate};
use patience::until;
use serde_json::json;

use crate::scrape::Scrape;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::{Host, Service, of_database, start_host};

const STORE: &str = "/api/v1/store/remediation";

/// A server of the test's own, and a host that says that it can use it.
async fn up() -> (Server, Host) {
    let options = ServerOptions::from_env().unwrap();
    let server = Server::ephemeral(&options, &|_| {}).unwrap();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let host = start_host(of_database(&url)).await;
    let scrape = Scrape::of(&host.client()).await;
    assert_eq!(scrape.get("datastorage_up"), Some(1.0));
    (server, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away() {
    let (mut server, host) = up().await;
    let client = host.client();

    server.kill().unwrap();
    let record = remediation(&fresh("counted"), &fresh("rr"));
    let batch = json!([record, record, record]);
    client
        .post(&format!("{STORE}/batch"), &batch)
        .await
        .expect(503);
    client.get("/api/v1/incidents").await.expect(503);
    client.get("/api/v1/nothing").await.expect(404);
    let scrape = Scrape::after(&client, 3.0).await;
    for (series, expected) in [
        (
            "datastorage_http_requests_total{route=\"/api/v1/store\",status=\"503\"}",
            1.0,
        ),
        (
            "datastorage_http_requests_total{route=\"/api/v1/incidents\",status=\"503\"}",
            1.0,
        ),
        (
            "datastorage_http_requests_total{route=\"other\",status=\"404\"}",
            1.0,
        ),
        (
            "datastorage_write_total{table=\"remediation_audit\",status=\"failure\"}",
            3.0,
        ),
        (
            "datastorage_query_total{operation=\"list\",status=\"failure\"}",
            1.0,
        ),
    ] {
        assert_eq!(scrape.get(series), Some(expected), "{series}");
    }
    until("the service says that it is down", async || {
        let scrape = Scrape::of(&client).await;
        // What the database says is left out rather than out of date.
        scrape.get("datastorage_up") == Some(0.0)
            && scrape.get("datastorage_outbox_depth").is_none()
    })
    .await;
    host.stop().await;
}

/// Whoever leaves while a statement waits for a lock has given up: 499, and a failure, although the record is stored then.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up() {
    let service = Service::start().await;
    let gone = "datastorage_http_requests_total{route=\"/api/v1/store\",status=\"499\"}";
    let failed = "datastorage_write_total{table=\"remediation_audit\",status=\"failure\"}";
    // The host may see that the client is gone only after the answer went out.
    until("a request whose client went away is counted", async || {
        give_up(&service).await;
        let scrape = Scrape::of(&service.client).await;
        assert_eq!(scrape.get(gone), scrape.get(failed));
        scrape.get(gone) >= Some(1.0)
    })
    .await;
    service.stop().await;
}

async fn give_up(service: &Service) {
    let mut locking = service.database.client().await;
    let watching = service.database.client().await;
    let lock = locking.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let client = service.client.clone();
    let record = remediation(&fresh("counted"), &fresh("rr"));
    let post = tokio::spawn(async move { client.post(STORE, &record).await });
    until("the statement waits", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let row = watching.query_one(waiting, &[]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
    post.abort();
    assert!(post.await.is_err());
    lock.rollback().await.unwrap();
}

/// A database that says nothing must not keep Prometheus from hearing so.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs() {
    let (server, host) = up().await;
    let client = host.client();
    server.freeze().unwrap();
    let began = Instant::now();
    until("the service says that it is down", async || {
        Scrape::of(&client).await.get("datastorage_up") == Some(0.0)
    })
    .await;
    // Time itself: statements have a minute here, and without a limit of its own a scrape would take as long.
    assert!(began.elapsed() < Duration::from_secs(30));
    server.thaw().unwrap();
    until("the service says that it is up", async || {
        Scrape::of(&client).await.get("datastorage_up") == Some(1.0)
    })
    .await;
    host.stop().await;
}

/// Each host is a replica, and counts for itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_starts_anew_begins_at_nothing() {
    let service = Service::start().await;
    service.client.get("/api/v1/incidents").await.expect(200);
    Scrape::after(&service.client, 1.0).await;
    let other: Host = start_host(of_database(service.database.url())).await;
    let scrape = Scrape::of(&other.client()).await;
    let lists = "datastorage_query_total{operation=\"list\",status=\"success\"}";
    assert_eq!(scrape.get(lists), Some(0.0));
    other.stop().await;
    service.stop().await;
}
