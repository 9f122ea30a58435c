//! PostgreSQL servers of a test's own.

use std::collections::BTreeMap;

use database::{MigrateOptions, Server, ServerOptions, migrate, migrate_vector_db};

use crate::support::Client;
use crate::support::provider::Provider;
use crate::support::service::{embedded_by, of_database, of_vector_database};

/// The name of the database on each of them.
pub(crate) const DATABASE: &str = "audit";

/// A server with these settings beyond the defaults, and the migrated database on it.
pub(crate) async fn start(settings: &[(String, String)]) -> Server {
    let mut options = ServerOptions::from_env().unwrap();
    options.settings = settings.to_vec();
    let server = Server::ephemeral(&options, &|_| {}).unwrap();
    migrated(&server, DATABASE).await;
    server
}

/// Makes a database, brings it to the schema of the build and returns its URL.
pub(crate) async fn migrated(server: &Server, name: &str) -> String {
    let url = server.ensure_database(name).await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    url
}

/// The variables of a service that uses this database, whose statements have 20 seconds: for tests that look how long answers take, on
/// slow machines.
pub(crate) fn variables(url: &str) -> BTreeMap<String, String> {
    let mut variables = of_database(url);
    for name in ["query_timeout", "write_timeout"] {
        variables.insert(name.to_owned(), "20s".to_owned());
    }
    variables
}

/// A setting, as in `postgresql.conf`.
pub(crate) fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Waits until the service says that it is ready.
pub(crate) async fn until_ready(client: &Client) {
    patience::until("the service is ready", async || {
        client.get("/ready").await.status == 200
    })
    .await;
}

/// The variables of a service whose vector database is on the same server, and whose records `provider` embeds.
pub(crate) async fn with_vector_db(
    server: &Server,
    provider: &Provider,
) -> BTreeMap<String, String> {
    let url = server.ensure_database("vectors").await.unwrap();
    migrate_vector_db(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    let mut variables = variables(&server.url(DATABASE));
    variables.extend(of_vector_database(&url));
    let url = provider.url();
    let more = [("vector_db_enabled", "true"), ("vector_db_timeout", "1m")];
    for (name, value) in embedded_by(&url).into_iter().chain(more) {
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables
}
