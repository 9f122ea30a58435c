//! What the database remembers of its migrations.

use tokio_postgres::{Client, Transaction};

use super::{DEFAULT_DIMENSIONS, MigrateError, Refusal, fingerprint};
use crate::migrations::Migration;

/// The tables that the runner itself needs; everything else is in `migrations/`.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS schema_migration (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS audit_setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);";

const DIMENSIONS_SETTING: &str = "embedding_dimensions";

pub(super) async fn create(client: &Client) -> Result<(), MigrateError> {
    // Quietly: CREATE IF NOT EXISTS sends notices.
    client
        .batch_execute("SET client_min_messages = warning")
        .await?;
    Ok(client.batch_execute(TABLES).await?)
}

/// The dimension the database was made for. A database without a migration is given the one
/// asked for.
pub(super) async fn settle_dimensions(
    client: &Client,
    asked: Option<u32>,
    is_new: bool,
) -> Result<u32, MigrateError> {
    if is_new {
        let dimensions = asked.unwrap_or(DEFAULT_DIMENSIONS);
        let sql = "INSERT INTO audit_setting (name, value) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        client
            .execute(sql, &[&DIMENSIONS_SETTING, &dimensions.to_string()])
            .await?;
        return Ok(dimensions);
    }
    let sql = "SELECT value FROM audit_setting WHERE name = $1";
    let row = client.query_opt(sql, &[&DIMENSIONS_SETTING]).await?;
    let stored: String = row.map_or_else(String::new, |row| row.get(0));
    match (stored.parse(), asked) {
        (Ok(stored), None) => Ok(stored),
        (Ok(number), Some(asked)) if number == asked => Ok(asked),
        (Ok(_), Some(asked)) => Err(Refusal::OtherDimensions { stored, asked }.into()),
        (Err(_), _) => Err(Refusal::NoDimensions { stored }.into()),
    }
}

/// How many of `migrations` are applied, if these are the same files.
pub(super) async fn verify(
    client: &Client,
    migrations: &[Migration],
) -> Result<usize, MigrateError> {
    let sql = "SELECT version, sha256 FROM schema_migration ORDER BY version";
    let applied = client.query(sql, &[]).await?;
    let known = migrations.last().map_or(0, |last| last.version);
    if let Some(found) = applied
        .last()
        .map(|row| row.get(0))
        .filter(|&found| found > known)
    {
        return Err(Refusal::Newer { found, known }.into());
    }
    for (row, migration) in applied.iter().zip(migrations) {
        if row.get::<_, i32>(0) != migration.version {
            let missing = migration.version;
            return Err(Refusal::Gap { missing }.into());
        }
        if row.get::<_, &str>(1) != fingerprint(migration) {
            let name = migration.name.to_owned();
            return Err(Refusal::Changed { name }.into());
        }
    }
    Ok(applied.len())
}

pub(super) async fn record(
    transaction: &Transaction<'_>,
    migration: &Migration,
) -> Result<(), MigrateError> {
    let sql = "INSERT INTO schema_migration (version, name, sha256) VALUES ($1, $2, $3)";
    transaction
        .execute(
            sql,
            &[&migration.version, &migration.name, &fingerprint(migration)],
        )
        .await?;
    Ok(())
}
