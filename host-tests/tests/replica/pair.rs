//! A primary and its streaming replica.

use std::collections::BTreeMap;

use database::{MigrateOptions, Server, ServerOptions, connect, migrate};
use patience::until;
use serde_json::Value;
use tokio::task::block_in_place;
use tokio_postgres::Client as Session;

use crate::support::service::of_database;

const DATABASE: &str = "audit";

pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) replica: Server,
}

impl Pair {
    /// Both, with the schema of the build.
    pub(crate) async fn start() -> Self {
        let primary = Server::ephemeral(&ServerOptions::from_env().unwrap(), &|_| {}).unwrap();
        migrated(&primary, DATABASE).await;
        let replica = primary.another(&[], |data| {
            let script = "pg_basebackup --pgdata=\"$DATA\" --checkpoint=fast --write-recovery-conf";
            let output = primary.shell(script).env("DATA", data).output()?;
            anyhow::ensure!(output.status.success(), "{output:?}");
            Ok(())
        });
        let replica = block_in_place(|| replica.unwrap());
        Self { primary, replica }
    }

    /// The variables of a service that reads from the replica, unless that lags more than `max_lag`.
    pub(crate) fn variables(&self, max_lag: &str) -> BTreeMap<String, String> {
        let mut variables = of_database(&self.primary.url(DATABASE));
        let url = format!("postgres://127.0.0.1:{}", self.replica.port());
        variables.insert("db_replica_url".to_owned(), url);
        variables.insert("db_replica_max_lag".to_owned(), max_lag.to_owned());
        // A replica that hangs has half of it, and a second.
        variables.insert("query_timeout".to_owned(), "8s".to_owned());
        variables
    }

    /// The variables of a service without a replica, and the address of its database on the primary.
    pub(crate) async fn without(&self) -> (BTreeMap<String, String>, String) {
        let url = migrated(&self.primary, "without").await;
        (of_database(&url), url)
    }

    pub(crate) async fn primary(&self) -> Session {
        connect(&self.primary.url(DATABASE)).await.unwrap()
    }

    pub(crate) async fn replica(&self) -> Session {
        connect(&self.replica.url(DATABASE)).await.unwrap()
    }

    /// Whether the replica follows a primary of this system and lineage, those of its own where they are empty, as far as that is now and
    /// this much further.
    pub(crate) async fn follows(&self, system: &str, lineage: &str, further: i64) -> bool {
        let position = "SELECT audit_position()";
        let position = self.primary().await.query_one(position, &[]).await.unwrap();
        let position: Value = serde_json::from_str(position.get(0)).unwrap();
        let or_own = |given: &str, name: &str| match given {
            "" => position[name].as_str().expect(name).to_owned(),
            other => other.to_owned(),
        };
        let reached = position["reached"].as_i64().expect("a number") + further;
        let (system, lineage) = (or_own(system, "system"), or_own(lineage, "lineage"));
        let follows = "SELECT coalesce(audit_follows($1, $2, $3, 0, 0), false)";
        let db = self.replica().await;
        let row = db
            .query_one(follows, &[&system, &lineage, &reached])
            .await
            .unwrap();
        row.get(0)
    }

    /// Stops the replica from replaying what it receives.
    pub(crate) async fn pause_replay(&self) {
        let db = self.replica().await;
        db.batch_execute("SELECT pg_wal_replay_pause()")
            .await
            .unwrap();
        let paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        until("replay is paused", async || truth(&db, paused).await).await;
    }

    pub(crate) async fn resume_replay(&self) {
        let db = self.replica().await;
        db.batch_execute("SELECT pg_wal_replay_resume()")
            .await
            .unwrap();
    }

    /// Has the replica receive nothing any more. Returns what `join_stream` takes.
    pub(crate) async fn cut_stream(&self) -> String {
        let db = self.replica().await;
        let row = db.query_one("SHOW primary_conninfo", &[]).await.unwrap();
        connect_replica_to(&db, "").await;
        let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_replication)";
        let primary = self.primary().await;
        until("the stream is cut", async || truth(&primary, gone).await).await;
        row.get(0)
    }

    pub(crate) async fn join_stream(&self, conninfo: &str) {
        connect_replica_to(&self.replica().await, conninfo).await;
    }
}

async fn connect_replica_to(db: &Session, conninfo: &str) {
    let conninfo = conninfo.replace('\'', "''");
    let set = format!("ALTER SYSTEM SET primary_conninfo = '{conninfo}'");
    db.batch_execute(&set).await.unwrap();
    db.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

/// What a query without parameters says.
pub(crate) async fn truth(db: &Session, query: &str) -> bool {
    db.query_one(query, &[]).await.unwrap().get(0)
}

async fn migrated(server: &Server, name: &str) -> String {
    let url = server.ensure_database(name).await.unwrap();
    migrate(&url, &MigrateOptions::default(), |_| {})
        .await
        .unwrap();
    url
}
