//! `POST`: one record, or a batch of them.

use std::slice;

use audit::{Code, Dialect, Violation};
use gateway::{Call, Error, Reply, Result};
use http::StatusCode;
use http::header::LOCATION;
use serde::Serialize;

use crate::created::Created;
use crate::store::{self, Stored};

/// Bytes in the body of a single record.
const SINGLE_LIMIT: usize = 1024 * 1024;
/// Bytes in the body of a batch.
const BATCH_LIMIT: usize = 5 * 1024 * 1024;

/// Stores one record.
pub(crate) async fn single(dialect: Dialect, call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    call.no_parameters()?;
    let key = call.header("idempotency-key")?;
    let config = call.config.clone();

    let body = call.json(SINGLE_LIMIT).await?;
    let record = audit::read(kind, dialect, body, key.as_deref(), Call::now())?;
    let stored = store::single(&config, record).await?;

    refused(slice::from_ref(&stored), |_| String::new())?;
    let location = format!("/api/v1/query/{kind}/{}", stored.id);
    Ok(Reply::json(StatusCode::CREATED, &Created::of(&stored))?
        .header(LOCATION, &location)
        .about(stored.id))
}

/// Stores all records of a batch, or none.
pub(crate) async fn batch(dialect: Dialect, call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    call.no_parameters()?;
    let key = call.header("idempotency-key")?;
    let config = call.config.clone();

    let body = call.json(BATCH_LIMIT).await?;
    let records = audit::read_batch(kind, dialect, body, key.as_deref(), Call::now())?;
    let stored = store::batch(&config, records).await?;

    refused(&stored, |index| format!("[{index}]."))?;
    let created: Vec<_> = stored.iter().map(Created::of).collect();
    Reply::json(StatusCode::CREATED, &Results { results: created })
}

/// The answer to a batch.
#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Created<'a>>,
}

/// The records that were not accepted, as one error. `prefix` is what precedes the fields of the one at
/// an index.
fn refused(results: &[Stored], prefix: impl Fn(usize) -> String) -> Result<()> {
    let mut conflicts = Vec::new();
    let mut too_large = Vec::new();
    for (index, result) in results.iter().enumerate() {
        let prefix = prefix(index);
        match &*result.status {
            "conflict" => conflicts.push(Violation {
                field: format!("{prefix}{}", result.field.as_deref().unwrap_or("name")),
                code: Code::Inconsistent,
                message: format!(
                    "is another one in record {}, which has the same key; send the record's own name \
                     and namespace, or another key",
                    result.id
                ),
            }),
            "too_large" => too_large.push(Violation {
                field: format!("{prefix}metadata"),
                code: Code::TooLarge,
                message: format!(
                    "and the fields without a column would, together with those that record {} \
                     already has, be larger than a record may be",
                    result.id
                ),
            }),
            _ => {}
        }
    }
    if !too_large.is_empty() {
        return Err(Error::Invalid(too_large));
    }
    if !conflicts.is_empty() {
        return Err(Error::Conflict(conflicts));
    }
    Ok(())
}
