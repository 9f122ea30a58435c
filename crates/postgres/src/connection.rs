//! Opening a connection, and one statement on it.

use std::time::Duration;

use spin_sdk::pg::{Certificate, Connection, DbValue, OpenOptions, ParameterValue as Parameter};

use crate::database::Database;
use crate::failure::Failure;

/// How much longer than the statement's own limit the service waits: then the server has not even
/// reported that limit, so it hangs or is out of reach.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Waits between tries while the server has no connection to spare or is still starting.
const BUSY_WAITS: [Duration; 6] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(90),
    Duration::from_millis(270),
    Duration::from_millis(500),
    Duration::from_millis(500),
];

/// Opens a connection; tries again while the server has none to spare.
pub(crate) async fn open_patiently(database: &Database) -> Result<Connection, Failure> {
    for wait in BUSY_WAITS {
        match open(database).await {
            Err(Failure::Busy) => spin_sdk::time::sleep(wait).await,
            outcome => return outcome,
        }
    }
    open(database).await
}

async fn open(database: &Database) -> Result<Connection, Failure> {
    let address = database.connection.as_str();
    let opened = match &database.ca_root {
        None => Connection::open(address).await,
        Some(pem) => {
            let ca_root = Some(Certificate::Text(pem.clone()));
            Connection::open_with_options(address, OpenOptions { ca_root }).await
        }
    };
    opened.map_err(|error| Failure::opening(&error))
}

/// Runs a statement and returns its first value, a text, if there is a row and it is not null.
pub(crate) async fn first_text(
    connection: &Connection,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Option<String>, Failure> {
    let result = connection
        .query(statement, parameters)
        .await
        .map_err(|error| Failure::running(&error))?;
    let (_, mut rows, end) = result.into_inner();
    let mut first = None;
    while let Some(row) = rows.next().await {
        first = first.or(Some(row));
    }
    end.await.map_err(|error| Failure::running(&error.into()))?;

    match first.and_then(|row| row.into_iter().next()) {
        None | Some(DbValue::DbNull) => Ok(None),
        Some(DbValue::Str(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::Other(
            "a statement returned something else than text".into(),
        )),
    }
}

/// Gives up after `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    instance::within(limit, work)
        .await
        .unwrap_or(Err(Failure::Hangs))
}
