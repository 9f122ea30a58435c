//! Functions and views: replaced in place, so that whoever is calling one never finds it missing, and so that it keeps
//! its owner and its privileges.
//!
//! PostgreSQL replaces neither a function whose parameters have other names or whose result has another type, nor a
//! view whose columns are others. Then everything of that file is set aside under another name first, not dropped:
//! statements in flight may have looked it up already. A later run drops it.

use migrations::Migration;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::{MigrateError, Values, apply as apply_file, filled};

/// Functions and views that were set aside, in the order in which they may be dropped: a function may use a view.
///
/// Only an hour after the last application: by then no statement is in flight that knew them.
const SET_ASIDE: &str = r"
SELECT format('DROP ROUTINE %s', string_agg(oid::regprocedure::text, ', '))
FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
    AND proname ~ '^replaced_\d+_'
    AND (SELECT max(applied_at) FROM schema_functions) < now() - interval '1 hour'
HAVING count(*) > 0
UNION ALL
SELECT format('DROP VIEW %s', string_agg(oid::regclass::text, ', '))
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
    AND relname ~ '^replaced_\d+_'
    AND (SELECT max(applied_at) FROM schema_functions) < now() - interval '1 hour'
HAVING count(*) > 0";

/// Sets aside the functions of these names that were there before ($2): a file may define what another file of this run has
/// defined with other parameters. The number makes the new name unique.
const SET_FUNCTIONS_ASIDE: &str = "
SELECT format('ALTER ROUTINE %s RENAME TO %I', oid::regprocedure, 'replaced_' || oid || '_' || proname)
FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proname = ANY ($1) AND oid = ANY ($2)";

/// The same with views.
const SET_VIEWS_ASIDE: &str = "
SELECT format('ALTER VIEW %s RENAME TO %I', oid::regclass, 'replaced_' || oid || '_' || relname)
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v' AND relname = ANY ($1) AND $2::oid[] IS NOT NULL";

/// The functions that are there.
const FUNCTIONS: &str =
    "SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace";

pub(super) async fn apply(
    transaction: &mut Transaction<'_>,
    files: &[Migration],
    values: &Values,
    progress: &impl Fn(&str),
) -> Result<(), MigrateError> {
    drop_set_aside(transaction, progress).await?;
    let there = transaction.query(FUNCTIONS, &[]).await?;
    let there: Vec<u32> = there.iter().map(|row| row.get(0)).collect();
    for file in files {
        // Functions and views may both be in the way.
        let mut attempts = 0..2;
        while let Some(set_aside) = replace(transaction, file, values).await? {
            if attempts.next().is_none() {
                return apply_file(transaction, file, values).await;
            }
            for row in transaction
                .query(set_aside, &[&names(file), &there])
                .await?
            {
                transaction.batch_execute(row.get(0)).await?;
            }
        }
    }
    Ok(())
}

/// Replaces what a file defines. Where PostgreSQL does not, nothing is replaced, and the query is returned whose
/// answers set aside what is in the way.
async fn replace(
    transaction: &mut Transaction<'_>,
    file: &Migration,
    values: &Values,
) -> Result<Option<&'static str>, MigrateError> {
    let sql = filled(file, values);
    let savepoint = transaction.savepoint("file").await?;
    let Err(error) = savepoint.batch_execute(&sql).await else {
        savepoint.commit().await?;
        return Ok(None);
    };
    let set_aside = match error.code() {
        Some(&SqlState::INVALID_FUNCTION_DEFINITION) => SET_FUNCTIONS_ASIDE,
        Some(&SqlState::INVALID_TABLE_DEFINITION) => SET_VIEWS_ASIDE,
        _ => return Err(MigrateError::failed(file, &sql, &error)),
    };
    savepoint.rollback().await?;
    Ok(Some(set_aside))
}

/// What a file defines. Statements begin at the start of a line.
fn names(file: &Migration) -> Vec<&'static str> {
    let name = |line: &'static str| {
        let rest = line
            .strip_prefix("CREATE OR REPLACE FUNCTION ")
            .or_else(|| line.strip_prefix("CREATE OR REPLACE PROCEDURE "))
            .or_else(|| line.strip_prefix("CREATE OR REPLACE VIEW "))?;
        rest.split(['(', ' ']).next()
    };
    file.sql.lines().filter_map(name).collect()
}

/// Drops what earlier runs have set aside, unless somebody built something on it.
async fn drop_set_aside(
    transaction: &mut Transaction<'_>,
    progress: &impl Fn(&str),
) -> Result<(), MigrateError> {
    for row in transaction.query(SET_ASIDE, &[]).await? {
        let savepoint = transaction.savepoint("set_aside").await?;
        match savepoint.batch_execute(row.get(0)).await {
            Ok(()) => savepoint.commit().await?,
            Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
                savepoint.rollback().await?;
                progress(
                    "something in the database uses a function or view whose name begins with replaced_; it stays, \
                     but what uses it should use its successor",
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{PRIMARY, VECTOR_DB};

    /// Otherwise `names` would miss them, and tables belong elsewhere.
    #[test]
    fn every_statement_of_a_function_file_replaces_a_function_procedure_or_view() {
        for file in PRIMARY.functions.iter().chain(VECTOR_DB.functions) {
            assert!(!names(file).is_empty(), "{}", file.name);
            for line in file.sql.lines() {
                let creates = line.starts_with("CREATE") || line.starts_with("ALTER");
                let replaces = line.starts_with("CREATE OR REPLACE FUNCTION ")
                    || line.starts_with("CREATE OR REPLACE PROCEDURE ")
                    || line.starts_with("CREATE OR REPLACE VIEW ");
                assert!(!creates || replaces, "{}: {line}", file.name);
            }
        }
    }

    #[test]
    fn what_is_set_aside_keeps_its_name() {
        // "replaced_", ten digits and "_" before it; PostgreSQL cuts names at 63 bytes.
        for file in PRIMARY.functions.iter().chain(VECTOR_DB.functions) {
            for name in names(file) {
                assert!(name.len() <= 63 - 20, "{name} is too long");
            }
        }
    }
}
