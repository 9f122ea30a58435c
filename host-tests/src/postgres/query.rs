//! Statements. Each is prepared for its one execution and forgotten after it, as in Spin.
//!
//! It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: `crates/factor-outbound-pg/src/client.rs`.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use futures::{Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row as PgRow, RowStream};

use super::error::{failed_with_text, query_failed};
use super::pool::Client;
use super::values;
use crate::bindings::postgres::{Column, Error, ParameterValue, Row, RowSet};

/// The most that a result may hold in memory, in bytes, as in Spin: all rows of `query` together,
/// each row of `query-async`.
const MAX_RESULT: usize = 128 << 20;

type Parameters = Vec<Box<dyn ToSql + Send + Sync>>;

fn parameters(values: &[ParameterValue]) -> Result<Parameters> {
    values.iter().map(values::to_sql).collect()
}

/// Runs a statement; the number of rows that it concerned.
pub(super) async fn execute(
    client: &Client,
    statement: &str,
    values: &[ParameterValue],
) -> Result<u64, Error> {
    let parameters =
        parameters(values).map_err(|error| Error::ValueConversionFailed(format!("{error:#}")))?;
    client
        .execute_raw(statement, parameters)
        .await
        .map_err(|error| query_failed(&error))
}

/// Runs a statement and collects its rows. Without rows there are no columns either.
pub(super) async fn query(
    client: &Client,
    statement: &str,
    values: &[ParameterValue],
) -> Result<RowSet, Error> {
    let mut found = start(client, statement, values).await?;
    let mut result = RowSet {
        columns: Vec::new(),
        rows: Vec::new(),
    };
    let mut size = size_of::<RowSet>();
    while let Some(row) = found.next().await {
        // Spin loses the SQLSTATE of an error that comes after the first answer.
        let row = row.map_err(|error| failed_with_text(query_failed(&error).to_string()))?;
        if result.rows.is_empty() {
            result.columns = columns(&row);
        }
        let row = convert(&row).map_err(|error| failed_with_text(format!("{error:#}")))?;
        size += row.iter().map(values::size).sum::<usize>();
        if size > MAX_RESULT {
            return Err(too_large());
        }
        result.rows.push(row);
    }
    Ok(result)
}

/// A result whose rows are still arriving.
pub(super) struct Answer {
    pub(super) columns: Vec<Column>,
    pub(super) rows: mpsc::Receiver<Row>,
    pub(super) end: oneshot::Receiver<Result<(), Error>>,
}

/// Runs a statement and returns when its first row, or its end, is there.
pub(super) async fn stream(
    client: Arc<Client>,
    statement: &str,
    values: &[ParameterValue],
) -> Result<Answer, Error> {
    // Fused, because an empty result ends with the first look, and its end is looked for again.
    let mut found = start(&client, statement, values).await?.fuse();
    let (send_row, rows) = mpsc::channel(4);
    let (send_end, end) = oneshot::channel();
    let first = found.next().await;
    let columns = match &first {
        Some(Ok(row)) => columns(row),
        Some(Err(_)) | None => Vec::new(),
    };
    tokio::spawn(async move {
        // The connection must not go back to its pool before its last row.
        let _client = client;
        let mut all = futures::stream::iter(first).chain(found);
        // The guest may have dropped the future: then nobody wants the result.
        _ = send_end.send(forward(&mut all, &send_row).await);
    });
    Ok(Answer { columns, rows, end })
}

/// Sends every row on; ends early when the guest has dropped the stream.
async fn forward(
    rows: &mut (impl Stream<Item = Result<PgRow, tokio_postgres::Error>> + Unpin),
    receiver: &mpsc::Sender<Row>,
) -> Result<(), Error> {
    loop {
        let row = tokio::select! {
            biased;
            () = receiver.closed() => return Ok(()),
            row = rows.next() => row,
        };
        let Some(row) = row else { return Ok(()) };
        let row = row.map_err(|error| query_failed(&error))?;
        let row = convert(&row).map_err(|error| failed_with_text(format!("{error:#}")))?;
        if row.iter().map(values::size).sum::<usize>() > MAX_RESULT {
            return Err(too_large());
        }
        if receiver.send(row).await.is_err() {
            return Ok(());
        }
    }
}

async fn start(
    client: &Client,
    statement: &str,
    values: &[ParameterValue],
) -> Result<Pin<Box<RowStream>>, Error> {
    let parameters =
        parameters(values).map_err(|error| Error::BadParameter(format!("{error:#}")))?;
    let found = client.query_raw(statement, parameters).await;
    found.map(Box::pin).map_err(|error| query_failed(&error))
}

fn columns(row: &PgRow) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: values::data_type(column.type_()),
    };
    row.columns().iter().map(column).collect()
}

fn convert(row: &PgRow) -> Result<Row> {
    (0..row.len())
        .map(|index| values::from_sql(row, index))
        .collect()
}

fn too_large() -> Error {
    failed_with_text(format!("query result exceeds limit of {MAX_RESULT} bytes"))
}
