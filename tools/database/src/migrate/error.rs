//! Why a migration did not happen.

use crate::connection::{ConnectError, reason};
use crate::migrations::Migration;

/// Why a database was not migrated. What was applied before the error stays applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database, or what was asked of it, is not acceptable. Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A migration's SQL failed and was rolled back.
    #[error(
        "migrations/{name}.sql{place} failed: {reason}; it was rolled back, the ones before it stay applied"
    )]
    Failed {
        /// The migration.
        name: &'static str,
        /// ` line N` where PostgreSQL says it.
        place: String,
        /// PostgreSQL's message.
        reason: String,
    },
    /// Anything else that PostgreSQL refused, or the connection broke.
    #[error("PostgreSQL refused a step of the migration: {0}")]
    Database(String),
}

/// Something that has to be put right by hand first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// PostgreSQL is too old.
    #[error(
        "the server runs PostgreSQL {found}, but the audit store needs 16 or newer; upgrade the server"
    )]
    PostgresTooOld {
        /// The server's version.
        found: String,
    },
    /// The server has no pgvector.
    #[error("pgvector is not installed on the server; install pgvector 0.5.1 or newer there")]
    NoVector,
    /// The installed, or installable, pgvector is too old.
    #[error(
        "the database has pgvector {found}, but the audit store needs 0.5.1 or newer; {advice}"
    )]
    VectorTooOld {
        /// The version found.
        found: String,
        /// How to get a newer one.
        advice: &'static str,
    },
    /// The role may not create the extension.
    #[error(
        "the extension vector is not in this database and the role {role} may not create it; run \
         CREATE EXTENSION vector here as a superuser, then migrate again"
    )]
    MayNotCreateVector {
        /// The role of the connection.
        role: String,
    },
    /// A dimension that is not supported.
    #[error("embeddings of {0} dimensions are not supported; use 384, 768 or 1536")]
    UnknownDimensions(u32),
    /// The database was made for another dimension.
    #[error(
        "the database holds embeddings of {stored} dimensions, but {asked} were asked for; ask \
         for {stored}, or migrate an empty database"
    )]
    OtherDimensions {
        /// What the database was made for.
        stored: String,
        /// What was asked for.
        asked: u32,
    },
    /// The stored dimension is gone or not a number.
    #[error(
        "the table audit_setting says {stored:?} for embedding_dimensions; restore the dimension \
         that the database was made for"
    )]
    NoDimensions {
        /// What is stored.
        stored: String,
    },
    /// A file was changed after it was applied.
    #[error(
        "migrations/{name}.sql was changed after it was applied; restore the file and put the \
         change into a new migration"
    )]
    Changed {
        /// The migration.
        name: String,
    },
    /// The database is ahead of this build.
    #[error(
        "the database has schema version {found}, but this build knows versions up to {known} \
         only; use a newer build"
    )]
    Newer {
        /// The version in the database.
        found: i32,
        /// The latest version of this build.
        known: i32,
    },
    /// The record of applied migrations has a hole.
    #[error(
        "the database has no record of migration {missing}, but of later ones; somebody changed \
         the table schema_migration: restore its row"
    )]
    Gap {
        /// The first missing version.
        missing: i32,
    },
}

impl MigrateError {
    pub(super) fn failed(migration: &Migration, sql: &str, error: &tokio_postgres::Error) -> Self {
        use tokio_postgres::error::ErrorPosition;
        let place = match error.as_db_error().and_then(|error| error.position()) {
            // Characters from 1.
            Some(ErrorPosition::Original(position)) => {
                let before = sql.chars().take(*position as usize - 1);
                format!(" line {}", 1 + before.filter(|&char| char == '\n').count())
            }
            _ => String::new(),
        };
        Self::Failed {
            name: migration.name,
            place,
            reason: reason(error),
        }
    }
}

impl From<tokio_postgres::Error> for MigrateError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(reason(&error))
    }
}
