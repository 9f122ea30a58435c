//! A PostgreSQL that is as durable as a production one, with realistic records in it.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use database::{MigrateOptions, Server, ServerOptions, connect, migrate};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::incidents::{Incident, Incidents};

/// The dimension of a new database.
pub(crate) const DIMENSIONS: usize = 384;

/// Against the quick settings of test servers, and with memory for a vector index.
const SETTINGS: [(&str, &str); 7] = [
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("autovacuum_naptime", "1min"),
    // Several servers with their pools.
    ("max_connections", "300"),
    ("shared_buffers", "1GB"),
    ("maintenance_work_mem", "512MB"),
    ("max_wal_size", "4GB"),
];

pub(crate) fn say(what: &str) {
    eprintln!("==> {what}");
}

/// A server that ends with this value.
pub(crate) struct Store(Server);

impl Store {
    pub(crate) fn start() -> Result<Self> {
        let mut options = ServerOptions::from_env()?;
        options.settings = SETTINGS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        Ok(Self(Server::ephemeral(&options, &say)?))
    }

    /// The process that all others of the server descend from.
    pub(crate) fn process(&self) -> Result<i32> {
        Ok(self.0.pid()?.as_raw_nonzero().get())
    }

    /// The URL of a new database without tables.
    pub(crate) async fn empty_database(&self, name: &str) -> Result<String> {
        self.0.ensure_database(name).await
    }

    /// The URL of a new, migrated database.
    pub(crate) async fn database(&self, name: &str) -> Result<String> {
        let url = self.empty_database(name).await?;
        migrate(&url, &MigrateOptions::default(), |_| {}).await?;
        Ok(url)
    }
}

/// A connection to a database.
pub(crate) async fn client(url: &str) -> Result<Client> {
    Ok(connect(url).await?)
}

/// Runs statements as one transaction, again if the service has been making records of events at the same time and one had to give up.
pub(crate) async fn run_beside(client: &Client, sql: &str) -> Result<()> {
    const ATTEMPTS: usize = 10;
    let mut attempt = 1;
    while let Err(error) = client.batch_execute(sql).await {
        let may_pass = error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED);
        ensure!(may_pass && attempt < ATTEMPTS, error);
        attempt += 1;
    }
    Ok(())
}

/// Lets the records that are written from now on come from the last `months` months, evenly.
pub(crate) async fn spread(client: &Client, months: u32) -> Result<()> {
    let sql = format!(
        "SELECT audit_ensure_partitions({months}, now() - interval '{months} months');
         CREATE OR REPLACE FUNCTION audit_next_id() RETURNS bigint LANGUAGE sql VOLATILE
         RETURN audit_id_at(now() - random() * interval '{months} months') | nextval('audit_id_sequence')"
    );
    Ok(client.batch_execute(&sql).await?)
}

/// Writes a batch as the service does.
pub(crate) const WRITE: &str = "SELECT audit_write($1::text::jsonb, true, true)";

/// Writes incidents as one batch.
pub(crate) async fn write(client: &Client, incidents: &[Incident]) -> Result<()> {
    client.execute(WRITE, &[&array(incidents)]).await?;
    Ok(())
}

/// What `audit_write` takes.
pub(crate) fn array(incidents: &[Incident]) -> String {
    let posts: Vec<&str> = incidents.iter().map(|incident| &*incident.post).collect();
    format!("[{}]", posts.join(","))
}

/// Writes `count` incidents and indexes their vectors.
pub(crate) async fn fill(client: &Client, incidents: &mut Incidents, count: usize) -> Result<()> {
    const BATCH: usize = 1000;
    let mut beat = Instant::now();
    for done in (0..count).step_by(BATCH) {
        let batch: Vec<_> = incidents.by_ref().take(BATCH.min(count - done)).collect();
        write(client, &batch)
            .await
            .context("cannot write records")?;
        if beat.elapsed().as_secs() >= 5 {
            eprintln!("    {done} of {count}");
            beat = Instant::now();
        }
    }
    say("indexing the vectors");
    // All at once, which takes a fifth of the time of one by one.
    let sql = "DROP INDEX audit_vector_embedding;
               WITH gone AS (DELETE FROM audit_vector_tail RETURNING kind, id, model, embedding)
               INSERT INTO audit_vector (kind, id, model, embedding) SELECT kind, id, model, embedding FROM gone;
               CREATE INDEX audit_vector_embedding ON audit_vector
                   USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64)";
    client.batch_execute(sql).await?;
    client.batch_execute("TRUNCATE audit_outbox").await?;
    Ok(client.batch_execute("VACUUM ANALYZE").await?)
}

/// Puts `new` in the place of `old` in a function.
pub(crate) async fn rewrite(client: &Client, function: &str, old: &str, new: &str) -> Result<()> {
    let sql = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1";
    let definition: String = client.query_one(sql, &[&function]).await?.get(0);
    anyhow::ensure!(
        definition.contains(old),
        "{function} no longer contains `{old}`; bench must follow migrations/"
    );
    Ok(client.batch_execute(&definition.replace(old, new)).await?)
}
