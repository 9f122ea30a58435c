//! Why a migration did not happen.

use migrations::Migration;
use tokio_postgres::error::SqlState;

use crate::connection::{ConnectError, reason};

/// Why a database was not migrated. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database, or what was asked of it, is not acceptable.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A migration's SQL failed and was rolled back.
    #[error("migrations/{name}.sql{place} failed: {reason}; nothing was changed")]
    Failed {
        /// The migration.
        name: &'static str,
        /// ` line N` where PostgreSQL says it.
        place: String,
        /// PostgreSQL's message.
        reason: String,
    },
    /// Somebody kept a lock on what is to be changed.
    #[error("{0}: other sessions use what is to be changed")]
    InUse(String),
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
        "the database has table migration {found}, but this build knows those up to {known} \
         only; use a newer build"
    )]
    Newer {
        /// The newest one in the database.
        found: i32,
        /// The newest one of this build.
        known: i32,
    },
    /// The database is of a commit that nothing leads on from.
    #[error(
        "the database has {applied} migrations that are not those of commit 3757e32, the oldest one \
         that this build upgrades; migrate it with that commit first, or start with an empty database"
    )]
    Unknown {
        /// How many it has.
        applied: usize,
    },
    /// The record of applied migrations has a hole.
    #[error(
        "the database has no record of migration {missing}, but of later ones; somebody changed \
         the table schema_tables: restore its row"
    )]
    Gap {
        /// The first missing version.
        missing: i32,
    },
}

impl MigrateError {
    pub(super) fn failed(migration: &Migration, sql: &str, error: &tokio_postgres::Error) -> Self {
        use tokio_postgres::error::ErrorPosition;
        if let Some(in_use) = Self::in_use(error) {
            return in_use;
        }
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

    fn in_use(error: &tokio_postgres::Error) -> Option<Self> {
        let codes = [
            &SqlState::LOCK_NOT_AVAILABLE,
            &SqlState::T_R_DEADLOCK_DETECTED,
        ];
        let in_use = error.code().is_some_and(|code| codes.contains(&code));
        in_use.then(|| Self::InUse(reason(error)))
    }
}

impl From<tokio_postgres::Error> for MigrateError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::in_use(&error).unwrap_or_else(|| Self::Database(reason(&error)))
    }
}
