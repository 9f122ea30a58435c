//! PostgreSQL's errors as the interface has them.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-pg/src/client.rs`.

use tokio_postgres::error::DbError as PgError;

use crate::bindings::postgres::{DbError, Error, QueryError};

/// A statement that failed: with its SQLSTATE if the server answered, as text if it did not.
pub(super) fn query_failed(error: &tokio_postgres::Error) -> Error {
    let as_text = format!("{error:?}");
    Error::QueryFailed(match error.as_db_error() {
        None => QueryError::Text(as_text),
        Some(db) => QueryError::DbError(DbError {
            as_text,
            severity: db.severity().to_owned(),
            code: db.code().code().to_owned(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            extras: extras(db),
        }),
    })
}

/// A failure that has no SQLSTATE.
pub(super) fn failed_with_text(text: String) -> Error {
    Error::QueryFailed(QueryError::Text(text))
}

fn extras(db: &PgError) -> Vec<(String, String)> {
    let line = db.line().map(|line| line.to_string());
    let fields = [
        ("column", db.column()),
        ("constraint", db.constraint()),
        ("routine", db.routine()),
        ("hint", db.hint()),
        ("table", db.table()),
        ("datatype", db.datatype()),
        ("schema", db.schema()),
        ("file", db.file()),
        ("line", line.as_deref()),
        ("where_", db.where_()),
    ];
    let present = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    present
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
