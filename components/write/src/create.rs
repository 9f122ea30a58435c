//! `POST`: one record, or a batch of them.

use std::slice;

use audit::{Code, Dialect, Violation};
use edge::{Error, Reply, Result};
use http::StatusCode;
use http::header::LOCATION;
use instance::{Level, Outage};
use postgres::{Id, Outcome, Stored};
use serde::Serialize;
use vectors::Intents;

use crate::config::{Call, Config};
use crate::created::Created;
use crate::embed;

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
    let caller = call.caller().map(str::to_owned);
    let trace = call.trace();

    let body = call.json(SINGLE_LIMIT).await?;
    let mut record = audit::read(kind, dialect, body, key.as_deref(), instance::now())?;
    record.changed_by = caller;
    let one = slice::from_mut(&mut record);
    let embedded = embed::attach(config.provider.as_ref(), one, trace).await;
    let intents = vectors::announce(&config.database, config.vector_db.as_ref(), one).await?;
    let stored = postgres::write_one(&config.database, &mut record, config.announced())
        .await
        .map_err(Outage::from)?;
    confirm(&config, intents, &[stored.id]).await;
    if let Some(embedded) = embedded {
        embedded.remember();
    }

    refused(slice::from_ref(&stored), |_| String::new())?;
    let location = format!("/api/v1/query/{kind}/{}", stored.id);
    let created = Created::of(&stored, &record);
    Ok(Reply::json(StatusCode::CREATED, &created)?
        .header(LOCATION, &location)
        .about(stored.id))
}

/// Stores all records of a batch, or none.
pub(crate) async fn batch(dialect: Dialect, call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    call.no_parameters()?;
    let key = call.header("idempotency-key")?;
    let config = call.config.clone();
    let caller = call.caller().map(str::to_owned);
    let trace = call.trace();
    let written = call.records();

    let body = call.json(BATCH_LIMIT).await?;
    let mut records = audit::read_batch(kind, dialect, body, key.as_deref(), instance::now())?;
    written.are(records.len());
    for record in &mut records {
        record.changed_by.clone_from(&caller);
    }
    let embedded = embed::attach(config.provider.as_ref(), &mut records, trace).await;
    let intents =
        vectors::announce(&config.database, config.vector_db.as_ref(), &mut records).await?;
    let stored = postgres::write_all(&config.database, &mut records, config.announced())
        .await
        .map_err(Outage::from)?;
    let ids: Vec<Id> = stored.iter().map(|stored| stored.id).collect();
    confirm(&config, intents, &ids).await;
    if let Some(embedded) = embedded {
        embedded.remember();
    }

    refused(&stored, |index| format!("[{index}]."))?;
    let results = stored.iter().zip(&records);
    let results = results.map(|(stored, record)| Created::of(stored, record));
    let results = Results {
        results: results.collect(),
    };
    Ok(Reply::json(StatusCode::CREATED, &results)?)
}

/// Tells the vector database, in strict mode, which of the announced records were written. If that fails, the record is
/// stored all the same, and maintenance sees to it.
pub(crate) async fn confirm(config: &Config, intents: Option<Intents>, written: &[Id]) {
    let Some(intents) = intents else { return };
    let confirmed = intents.confirm(&config.database, config.vector_db.as_ref(), written);
    if let Err(failure) = confirmed.await {
        instance::event(
            Level::Warn,
            "vector_db",
            &format!("not told yet: {failure:?}"),
        );
    }
}

/// The answer to a batch.
#[derive(Serialize)]
struct Results {
    results: Vec<Created>,
}

/// The records that were not accepted, as one error. `prefix` is what precedes the fields of the one at
/// an index.
fn refused(results: &[Stored], prefix: impl Fn(usize) -> String) -> Result<()> {
    let mut conflicts = Vec::new();
    let mut invalid = Vec::new();
    for (index, result) in results.iter().enumerate() {
        let prefix = prefix(index);
        match result.outcome {
            Outcome::Conflict => conflicts.push(Violation {
                field: format!("{prefix}{}", result.field.as_deref().unwrap_or("name")),
                code: Code::Inconsistent,
                message: format!(
                    "is another one in record {}, which has the same key; send the record's own name \
                     and namespace, or another key",
                    result.id
                ),
            }),
            Outcome::TooLarge => invalid.push(Violation {
                field: format!("{prefix}metadata"),
                code: Code::TooLarge,
                message: format!(
                    "and the fields without a column would, together with those that record {} \
                     already has, be larger than a record may be",
                    result.id
                ),
            }),
            Outcome::EndBeforeStart => invalid.push(Violation {
                field: format!("{prefix}end_time"),
                code: Code::EndBeforeStart,
                message: format!(
                    "of record {} would, together with this post, lie before its start_time",
                    result.id
                ),
            }),
            Outcome::StepsExceedTotal => invalid.push(Violation {
                field: format!("{prefix}steps_completed"),
                code: Code::Inconsistent,
                message: format!(
                    "of record {} would, together with this post, be more than its steps_total",
                    result.id
                ),
            }),
            Outcome::Persisted | Outcome::Duplicate | Outcome::Stale | Outcome::Updated => {}
        }
    }
    if !invalid.is_empty() {
        return Err(Error::Invalid(invalid));
    }
    if !conflicts.is_empty() {
        return Err(Error::Conflict(conflicts));
    }
    Ok(())
}
