//! Applies the numbered migrations, each in a transaction of its own, once.

mod error;
mod ledger;
mod requirements;

pub use error::{MigrateError, Refusal};

use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use wheel::hex;

use crate::connection::connect;
use crate::migrations::{Migration, migrations, vector_db_migrations};

/// The dimensions that an embedding column may have: all-MiniLM-L6-v2, all-mpnet-base-v2, and
/// the small models of `OpenAI`.
pub const DIMENSIONS: [u32; 3] = [384, 768, 1536];

/// The dimension of a new database if none is asked for.
pub const DEFAULT_DIMENSIONS: u32 = 384;

/// The advisory lock that makes migrations wait for each other, in each database.
const LOCK: i64 = 0x6175_6469_745f_6d67;

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
    /// The names of the migrations applied now; empty if the database was up to date.
    pub applied: Vec<String>,
    /// The schema version of the database.
    pub version: i32,
    /// The dimension of its embeddings.
    pub embedding_dimensions: u32,
}

/// Brings the database at `url` to the latest version. `progress` hears each step.
///
/// Running it again does nothing; running it from several places at once applies each migration
/// once. It needs a direct connection: a session lock does not hold through a pooler that
/// shares sessions.
pub async fn migrate(
    url: &str,
    options: &MigrateOptions,
    progress: impl Fn(&str),
) -> Result<Outcome, MigrateError> {
    migrate_with(url, migrations(), options, progress).await
}

/// Brings the vector database at `url` to the latest version, as [`migrate`] does with the audit store's.
pub async fn migrate_vector_db(
    url: &str,
    options: &MigrateOptions,
    progress: impl Fn(&str),
) -> Result<Outcome, MigrateError> {
    migrate_with(url, vector_db_migrations(), options, progress).await
}

/// [`migrate`] with another list of migrations.
pub async fn migrate_with(
    url: &str,
    migrations: &[Migration],
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
    // The lock ends with the session. Limits of the role must not cut a migration short.
    client
        .batch_execute("SET statement_timeout = 0; SET lock_timeout = 0")
        .await?;
    lock(&client, &progress).await?;
    requirements::ensure_vector(&client).await?;
    ledger::create(&client).await?;
    let done = ledger::verify(&client, migrations).await?;
    let asked = options.embedding_dimensions;
    let embedding_dimensions = ledger::settle_dimensions(&client, asked, done == 0).await?;

    let values = placeholders(
        embedding_dimensions,
        requirements::has_halfvec(&client).await?,
    );
    let mut applied = Vec::new();
    for migration in &migrations[done..] {
        progress(&format!("applying {}", migration.name));
        apply(&mut client, migration, &values).await?;
        applied.push(migration.name.to_owned());
    }
    Ok(Outcome {
        applied,
        version: migrations.last().map_or(0, |last| last.version),
        embedding_dimensions,
    })
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

/// What migration files leave open, and what stands there in this database.
fn placeholders(dimensions: u32, halfvec: bool) -> [(&'static str, String); 3] {
    // Of length 1 first, because half precision ends at 65 504.
    let (sketch_type, sketch) = if halfvec {
        ("halfvec", "l2_normalize(embedding)::halfvec")
    } else {
        ("vector", "embedding")
    };
    [
        ("{{embedding_dimensions}}", dimensions.to_string()),
        ("{{sketch_type}}", sketch_type.to_owned()),
        ("{{sketch_of_embedding}}", sketch.to_owned()),
    ]
}

async fn apply(
    client: &mut Client,
    migration: &Migration,
    values: &[(&str, String)],
) -> Result<(), MigrateError> {
    let mut sql = migration.sql.to_owned();
    for (placeholder, value) in values {
        sql = sql.replace(placeholder, value);
    }
    let transaction = client.transaction().await?;
    transaction
        .batch_execute(&sql)
        .await
        .map_err(|error| MigrateError::failed(migration, &sql, &error))?;
    ledger::record(&transaction, migration).await?;
    transaction.commit().await?;
    Ok(())
}

/// What a migration file is recognised by, once applied.
pub(crate) fn fingerprint(migration: &Migration) -> String {
    hex(&Sha256::digest(migration.sql))
}
