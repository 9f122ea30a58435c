//! More clients at once than the database takes connections.

use database::{MigrateOptions, Server, ServerOptions, migrate};
use futures::future::join_all;

use crate::support::Client;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::{of_database, start_host};

const CLIENTS: usize = 256;
const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_fifty_six_connections_are_slow_and_never_stuck() {
    let mut options = ServerOptions::from_env().unwrap();
    options
        .settings
        .push(("max_connections".into(), "100".into()));
    let server = Server::ephemeral(&options, &|_| {}).unwrap();
    let url = server.ensure_database("audit").await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let host = start_host(of_database(&url)).await;
    let base = format!("http://{}", host.addr());
    let namespace = fresh("crowd");

    // One client each, so that each has a connection of its own.
    let clients: Vec<_> = (0..CLIENTS).map(|_| Client::new(&base)).collect();
    join_all(
        clients
            .iter()
            .map(|client| write_and_read(client, &namespace)),
    )
    .await;

    let list = clients[0]
        .get(&format!(
            "/api/v1/query/remediation?namespace={namespace}&limit=1"
        ))
        .await
        .expect(200);
    assert_eq!(list["total"], CLIENTS * ROUNDS);
    host.stop().await;
}

/// Every request is answered, and none is refused.
async fn write_and_read(client: &Client, namespace: &str) {
    for _ in 0..ROUNDS {
        let record = remediation(namespace, &fresh("rr"));
        let stored = client
            .post("/api/v1/store/remediation", &record)
            .await
            .expect(201);
        let path = format!("/api/v1/query/remediation/{}", stored["id"]);
        client.get(&path).await.expect(200);
        client.readiness().await.expect(200);
    }
}
