//! What the database remembers of its migrations.

use migrations::Migration;
use sha2::{Digest, Sha256};
use tokio_postgres::Transaction;
use wheel::hex;

use super::{DEFAULT_DIMENSIONS, MigrateError, Refusal};
use crate::schema::fingerprint;

/// The tables that the runner itself needs; everything else is in `migrations/`. `schema_functions` has a row for each
/// time that functions were applied.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS schema_tables (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS schema_functions (
    digest     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS audit_setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);";

const DIMENSIONS_SETTING: &str = "embedding_dimensions";

pub(super) async fn create(transaction: &Transaction<'_>) -> Result<(), MigrateError> {
    Ok(transaction.batch_execute(TABLES).await?)
}

/// Takes a database that was made before migrations were split into tables and functions for one to which the first
/// table migration was applied. `expected` is what its migrations are recognised by.
pub(super) async fn adopt(
    transaction: &Transaction<'_>,
    tables: &[Migration],
    expected: &str,
) -> Result<(), MigrateError> {
    let sql = "SELECT FROM pg_class WHERE oid = to_regclass('schema_migration') AND relkind = 'r'";
    let (Some(first), Some(_)) = (tables.first(), transaction.query_opt(sql, &[]).await?) else {
        return Ok(());
    };
    let sql = "SELECT sha256 FROM schema_migration ORDER BY version";
    let applied = transaction.query(sql, &[]).await?;
    if applied.is_empty() {
        return Ok(());
    }
    let mut hasher = Sha256::new();
    for row in &applied {
        hasher.update(row.get::<_, &str>(0));
    }
    if hex(&hasher.finalize()) != expected {
        let applied = applied.len();
        return Err(Refusal::Unknown { applied }.into());
    }
    let sql = "INSERT INTO schema_tables (version, name, sha256, applied_at)
               SELECT $1, $2, $3, max(applied_at) FROM schema_migration";
    let sha256 = fingerprint(first);
    transaction
        .execute(sql, &[&first.version, &first.name, &sha256])
        .await?;
    Ok(())
}

/// The dimension the database was made for. A database without a migration is given the one
/// asked for.
pub(super) async fn settle_dimensions(
    transaction: &Transaction<'_>,
    asked: Option<u32>,
    is_new: bool,
) -> Result<u32, MigrateError> {
    if is_new {
        let dimensions = asked.unwrap_or(DEFAULT_DIMENSIONS);
        let sql = "INSERT INTO audit_setting (name, value) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction
            .execute(sql, &[&DIMENSIONS_SETTING, &dimensions.to_string()])
            .await?;
        return Ok(dimensions);
    }
    let sql = "SELECT value FROM audit_setting WHERE name = $1";
    let row = transaction.query_opt(sql, &[&DIMENSIONS_SETTING]).await?;
    let stored: String = row.map_or_else(String::new, |row| row.get(0));
    match (stored.parse(), asked) {
        (Ok(stored), None) => Ok(stored),
        (Ok(number), Some(asked)) if number == asked => Ok(asked),
        (Ok(_), Some(asked)) => Err(Refusal::OtherDimensions { stored, asked }.into()),
        (Err(_), _) => Err(Refusal::NoDimensions { stored }.into()),
    }
}

/// How many of `tables` are applied, if these are the same files.
pub(super) async fn verify(
    transaction: &Transaction<'_>,
    tables: &[Migration],
) -> Result<usize, MigrateError> {
    let sql = "SELECT version, sha256 FROM schema_tables ORDER BY version";
    let applied = transaction.query(sql, &[]).await?;
    let known = tables.last().map_or(0, |last| last.version);
    if let Some(found) = applied
        .last()
        .map(|row| row.get(0))
        .filter(|&found| found > known)
    {
        return Err(Refusal::Newer { found, known }.into());
    }
    for (row, migration) in applied.iter().zip(tables) {
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
    let sql = "INSERT INTO schema_tables (version, name, sha256) VALUES ($1, $2, $3)";
    transaction
        .execute(
            sql,
            &[&migration.version, &migration.name, &fingerprint(migration)],
        )
        .await?;
    Ok(())
}

/// The digest of the functions that the database has.
pub(super) async fn functions(
    transaction: &Transaction<'_>,
) -> Result<Option<String>, MigrateError> {
    let sql = "SELECT digest FROM schema_functions ORDER BY applied_at DESC LIMIT 1";
    let row = transaction.query_opt(sql, &[]).await?;
    Ok(row.map(|row| row.get(0)))
}

pub(super) async fn record_functions(
    transaction: &Transaction<'_>,
    digest: &str,
) -> Result<(), MigrateError> {
    let sql = "INSERT INTO schema_functions (digest) VALUES ($1)";
    transaction.execute(sql, &[&digest]).await?;
    Ok(())
}
