//! A database, and a folder for the archives of its months.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::Result;
use archive::{Manifest, RestoreOptions, Restored, archive, restore};
use database::TestDatabase;
use tempfile::TempDir;
use tokio_postgres::Client;

/// As the program has it that is told nothing else.
pub(crate) const OPTIONS: RestoreOptions = RestoreOptions {
    keep_days: 30,
    other_archive: false,
    new_chains: false,
};

pub(crate) struct Store {
    pub(crate) database: TestDatabase,
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
}

impl Store {
    pub(crate) async fn empty() -> Self {
        let database = TestDatabase::create().await;
        Self {
            client: database.client().await,
            database,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub(crate) async fn archive_month(&self, kind: &str, month: &str) -> Result<Manifest> {
        let month = month.parse().expect("a month");
        archive(self.database.url(), kind, &month, self.folder.path()).await
    }

    pub(crate) async fn restore_month(&self, kind: &str, month: &str) -> Result<Restored> {
        let manifest = self.manifest_of(kind, month);
        restore(self.database.url(), &manifest, OPTIONS).await
    }

    pub(crate) fn manifest_of(&self, kind: &str, month: &str) -> PathBuf {
        let name = format!("{kind}-{month}.manifest.json");
        self.folder.path().join(name)
    }

    /// For the program `archive`.
    pub(crate) fn arguments_for(&self, kind: &str, month: &str) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let url = self.database.url();
        [
            "--database-url",
            url,
            "--kind",
            kind,
            "--month",
            month,
            "--to",
            &folder,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The texts that a query finds.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.client.query(sql, &[]).await.expect("texts");
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let row = self.client.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }
}

/// Runs a program in a shell, after what `before` says; the test's runtime goes on meanwhile.
pub(crate) async fn run(before: &str, program: &str, arguments: Vec<String>) -> Output {
    let script = format!("{before} \"$0\" \"$@\"");
    let program = program.to_owned();
    let run = move || {
        let mut shell = Command::new("sh");
        shell.env_remove("DATABASE_URL");
        shell.arg("-c").arg(script).arg(program).args(arguments);
        shell.output().expect("a shell")
    };
    tokio::task::spawn_blocking(run).await.expect("an end")
}
