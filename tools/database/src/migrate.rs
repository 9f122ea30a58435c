//! Brings a database to a schema: the table migrations that it lacks, once each, and all functions if they differ from
//! what it has, in one transaction. `migrations/README.md` has the rules.

mod error;
mod functions;
mod ledger;
mod privileges;
mod requirements;

pub use error::{MigrateError, Refusal};

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Transaction};

use self::privileges::Privileges;
use crate::connection::connect;
use crate::schema::{PRIMARY, Schema, VECTOR_DB};
use migrations::Migration;

/// The dimensions that an embedding column may have: all-MiniLM-L6-v2, all-mpnet-base-v2, and
/// the small models of `OpenAI`.
pub const DIMENSIONS: [u32; 3] = [384, 768, 1536];

/// The dimension of a new database if none is asked for.
pub const DEFAULT_DIMENSIONS: u32 = 384;

/// The advisory lock that makes migrations wait for each other, in each database.
const LOCK: i64 = 0x6175_6469_745f_6d67;

/// How long a statement waits for a lock, in milliseconds. Whoever needs the table waits behind it, so it is shorter
/// than the limit of any request; it is also shorter than `deadlock_timeout`, so that never the service's statement
/// is the one that gives way.
const LOCK_TIMEOUT_MS: u32 = 300;

/// How long a database that is in use is tried again and again.
const PATIENCE: Duration = Duration::from_mins(5);

/// What to bring a database to.
#[derive(Clone, Copy, Debug, Default)]
pub struct MigrateOptions {
    /// One of [`DIMENSIONS`]. `None` is what the database has, [`DEFAULT_DIMENSIONS`] for a new
    /// one.
    pub embedding_dimensions: Option<u32>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The names of the table migrations applied now, and `functions` if these were; empty if the database was up to
    /// date.
    pub applied: Vec<String>,
    /// The version of the newest table migration.
    pub version: i32,
    /// The dimension of its embeddings.
    pub embedding_dimensions: u32,
}

/// Brings the database at `url` to the schema of this build. `progress` hears each step.
///
/// Running it again does nothing; running it from several places at once applies everything
/// once. It needs a direct connection: a session lock does not hold through a pooler that
/// shares sessions.
pub async fn migrate(
    url: &str,
    options: &MigrateOptions,
    progress: impl Fn(&str),
) -> Result<Outcome, MigrateError> {
    migrate_to(url, &PRIMARY, options, progress).await
}

/// Brings the vector database at `url` to the schema of this build, as [`migrate`] does with the audit store's.
pub async fn migrate_vector_db(
    url: &str,
    options: &MigrateOptions,
    progress: impl Fn(&str),
) -> Result<Outcome, MigrateError> {
    migrate_to(url, &VECTOR_DB, options, progress).await
}

/// [`migrate`] to any schema.
pub async fn migrate_to(
    url: &str,
    schema: &Schema<'_>,
    options: &MigrateOptions,
    progress: impl Fn(&str),
) -> Result<Outcome, MigrateError> {
    if let Some(asked) = options.embedding_dimensions
        && !DIMENSIONS.contains(&asked)
    {
        return Err(Refusal::UnknownDimensions(asked).into());
    }
    let mut client = connect(url).await?;
    requirements::check_postgres(&client).await?;
    // The lock ends with the session. Limits of the role must not cut a migration short. Without notices, which
    // CREATE IF NOT EXISTS sends.
    client
        .batch_execute(
            "SET statement_timeout = 0; SET lock_timeout = 0; SET client_min_messages = warning",
        )
        .await?;
    lock(&client, &progress).await?;
    requirements::ensure_vector(&client).await?;

    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(100);
    loop {
        match attempt(&mut client, schema, options, &progress).await {
            Err(MigrateError::InUse(reason)) if Instant::now() + pause < deadline => {
                progress(&format!("{reason}; trying again"));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            result => return result,
        }
    }
}

async fn lock(client: &Client, progress: &impl Fn(&str)) -> Result<(), MigrateError> {
    let row = client
        .query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK])
        .await?;
    if !row.get::<_, bool>(0) {
        progress("waiting for another migration of this database");
        client
            .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
            .await?;
    }
    Ok(())
}

/// One transaction that does everything, or nothing.
async fn attempt(
    client: &mut Client,
    schema: &Schema<'_>,
    options: &MigrateOptions,
    progress: &impl Fn(&str),
) -> Result<Outcome, MigrateError> {
    let mut transaction = client.transaction().await?;
    let limit = format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}");
    transaction.batch_execute(&limit).await?;
    let privileges = Privileges::read(&transaction, schema).await?;
    ledger::create(&transaction).await?;
    if let Some(adopted) = schema.adopts {
        ledger::adopt(&transaction, schema.tables, adopted).await?;
    }
    let done = ledger::verify(&transaction, schema.tables).await?;
    let asked = options.embedding_dimensions;
    let embedding_dimensions = ledger::settle_dimensions(&transaction, asked, done == 0).await?;

    let mut applied = Vec::new();
    let values = placeholders(&transaction, embedding_dimensions).await?;
    for migration in schema.tables.get(done..).unwrap_or_default() {
        progress(&format!("applying {}", migration.name));
        apply(&transaction, migration, &values).await?;
        ledger::record(&transaction, migration).await?;
        applied.push(migration.name.to_owned());
    }
    let digest = schema.digest();
    if ledger::functions(&transaction).await?.as_ref() != Some(&digest) {
        progress("applying functions");
        functions::apply(&mut transaction, schema.functions, &values, progress).await?;
        ledger::record_functions(&transaction, &digest).await?;
        applied.push("functions".to_owned());
    }
    privileges.give(&transaction).await?;
    transaction.commit().await?;
    Ok(Outcome {
        applied,
        version: schema.version(),
        embedding_dimensions,
    })
}

/// What the files leave open, and what stands there in a database.
type Values = [(&'static str, String); 4];

async fn placeholders(
    transaction: &Transaction<'_>,
    dimensions: u32,
) -> Result<Values, MigrateError> {
    let sql = "SELECT quote_ident(current_schema()), to_regtype('halfvec') IS NOT NULL";
    let row = transaction.query_one(sql, &[]).await?;
    // Since pgvector 0.7. Of length 1 first, because half precision ends at 65 504.
    let (quantised_type, quantised) = if row.get(1) {
        ("halfvec", "l2_normalize(embedding)::halfvec")
    } else {
        ("vector", "embedding")
    };
    Ok([
        ("{{schema}}", row.get(0)),
        ("{{embedding_dimensions}}", dimensions.to_string()),
        ("{{quantised_type}}", quantised_type.to_owned()),
        ("{{quantised_embedding}}", quantised.to_owned()),
    ])
}

/// A file's text for this database.
fn filled(migration: &Migration, values: &Values) -> String {
    let mut sql = migration.sql.to_owned();
    for (placeholder, value) in values {
        sql = sql.replace(placeholder, value);
    }
    sql
}

async fn apply(
    transaction: &Transaction<'_>,
    migration: &Migration,
    values: &Values,
) -> Result<(), MigrateError> {
    let sql = filled(migration, values);
    transaction
        .batch_execute(&sql)
        .await
        .map_err(|error| MigrateError::failed(migration, &sql, &error))
}
