//! `/readyz`, whose every other answer makes ten services unready.

use database::{MigrateOptions, Server, ServerOptions, migrate};
use patience::until;
use tokio::task::block_in_place;

use crate::reader;
use crate::support::Client;
use crate::support::payloads::fresh;
use crate::support::service::{Service, embedded_by, of_database, start_host};
use crate::writing::{event, post};

/// Nobody answers there.
const NOWHERE: &str = "http://127.0.0.1:9";

#[tokio::test(flavor = "multi_thread")]
async fn what_no_event_needs_makes_nobody_unready() {
    let mut variables = embedded_by(NOWHERE).to_vec();
    variables.extend([
        ("vector_db_enabled", "true"),
        ("vector_db_host", "127.0.0.1"),
        ("vector_db_port", "9"),
        // Not even one that refuses every other write.
        ("vector_db_mode", "strict"),
        ("db_replica_url", "postgres://127.0.0.1:9"),
    ]);
    let service = Service::with(&variables).await;
    let answer = service.client.get("/readyz").await;
    assert_eq!(reader::json(&answer, 200)["status"], "ready");
    post(&service.client, &[event(&fresh("rr"), 0)]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_nobody_is_ready() {
    let options = ServerOptions::from_env().unwrap();
    let mut server = Server::ephemeral(&options, &|_| {}).unwrap();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let host = start_host(of_database(&url)).await;
    let client = Client::new(&format!("http://{}", host.addr()));
    reader::json(&client.get("/readyz").await, 200);
    block_in_place(|| server.kill()).unwrap();
    until("it is not ready", async || {
        client.get("/readyz").await.status == 503
    })
    .await;
    let answer = client.get("/readyz").await;
    assert_eq!(answer.value()["status"], "not_ready");
    block_in_place(|| server.restart()).unwrap();
    until("it is ready again", async || {
        client.get("/readyz").await.status == 200
    })
    .await;
    host.stop().await;
}
