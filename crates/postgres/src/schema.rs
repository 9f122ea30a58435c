//! Whether a database has the schema that a build needs, by the rule of `migrations/README.md`.

use std::fmt;

use serde::Deserialize;
use spin_sdk::pg::ParameterValue as Parameter;

use crate::database::Database;
use crate::failure::Failure;
use crate::statement::text;

/// What a build needs of a database.
#[derive(Debug, Clone, Copy)]
pub struct Needed {
    /// The number of its newest table migration.
    pub tables: i32,
    /// The digest of its functions.
    pub functions: &'static str,
}

/// What a database has of that. Newer tables and functions serve an older build as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// All of it.
    Current,
    /// Nothing.
    Missing,
    /// Older tables.
    TablesBehind {
        /// The number of its newest table migration.
        newest: i32,
        /// That which the build needs.
        needed: i32,
    },
    /// The tables, but not these functions.
    FunctionsMissing,
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("ok"),
            Self::Missing => f.write_str("there is no schema; run the migrations"),
            Self::TablesBehind { newest, needed } => write!(
                f,
                "table migration {newest} is the newest one, {needed} is needed; run the migrations"
            ),
            Self::FunctionsMissing => {
                f.write_str("the functions of this build were never applied; run the migrations")
            }
        }
    }
}

#[derive(Deserialize)]
struct Found {
    tables: Option<i32>,
    functions: bool,
}

/// Compares a database with what a build needs.
pub async fn schema(database: &Database, needed: Needed) -> Result<Schema, Failure> {
    let statement = "
        SELECT json_build_object(
            'tables', (SELECT max(version) FROM schema_tables),
            'functions', EXISTS (SELECT FROM schema_functions WHERE digest = $1)
        )::text";
    let digest = Parameter::Str(needed.functions.to_owned());
    let found = match text(database, statement, &[digest]).await {
        Err(Failure::SchemaBehind) => return Ok(Schema::Missing),
        found => found?.unwrap_or_default(),
    };
    let found: Found = serde_json::from_str(&found)
        .map_err(|error| Failure::Other(format!("the schema's versions: {error}")))?;
    let newest = found.tables.unwrap_or_default();
    Ok(if newest < needed.tables {
        Schema::TablesBehind {
            newest,
            needed: needed.tables,
        }
    } else if found.functions {
        Schema::Current
    } else {
        Schema::FunctionsMissing
    })
}
