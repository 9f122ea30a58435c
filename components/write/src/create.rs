//! `POST`: one record, or a batch of them.

use std::rc::Rc;

use audit::{Code, Dialect, Kind, Record, Violation};
use gateway::database::{self, Failure, Parameter};
use gateway::{Call, Config, Error, Reply, Result, log_event, mirror};
use http::StatusCode;
use http::header::LOCATION;
use serde::{Deserialize, Serialize};

use crate::created::Created;
use crate::{embed, follow_up, partitions};

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
    let results = store(&config, kind, vec![record]).await?;

    let Some(result) = results.first() else {
        return Err(Error::Internal(
            "the write function returned no result".into(),
        ));
    };
    refused(results.iter().map(|result| (String::new(), result)))?;
    let location = format!("/api/v1/query/{kind}/{}", result.id);
    Ok(Reply::json(StatusCode::CREATED, &Created::of(result))?
        .header(LOCATION, &location)
        .about(result.id))
}

/// Stores all records of a batch, or none.
pub(crate) async fn batch(dialect: Dialect, call: Call) -> Result<Reply> {
    let kind = call.kind()?;
    call.no_parameters()?;
    let key = call.header("idempotency-key")?;
    let config = call.config.clone();

    let body = call.json(BATCH_LIMIT).await?;
    let records = audit::read_batch(kind, dialect, body, key.as_deref(), Call::now())?;
    let results = store(&config, kind, records).await?;

    refused(
        results
            .iter()
            .enumerate()
            .map(|(i, result)| (format!("[{i}]."), result)),
    )?;
    let created: Vec<_> = results.iter().map(Created::of).collect();
    Reply::json(StatusCode::CREATED, &Results { results: created })
}

/// The answer to a batch.
#[derive(Serialize)]
struct Results<'a> {
    results: Vec<Created<'a>>,
}

/// What became of one record.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    pub id: i64,
    pub status: String,
    /// What differs from the stored record, in a conflict.
    field: Option<String>,
    pub created_at: String,
    /// Whether the record has its vector; missing where it has no text.
    #[serde(default)]
    pub embedded: Option<bool>,
}

/// Embeds the records and hands them to the database: one statement, however many they are.
async fn store(config: &Rc<Config>, kind: Kind, mut records: Vec<Record>) -> Result<Vec<Stored>> {
    let embedded = embed::attach(config, &mut records).await;
    let promise = mirror::promise(config, kind, &mut records).await?;
    let results = write(config, kind, &mut records).await?;
    if let Some(promise) = promise {
        let written: Vec<_> = results.iter().map(|stored| stored.id).collect();
        promise.keep(config, &written).await;
    }
    if let Some(embedded) = embedded {
        embedded.remember(config);
    }
    follow_up(config);
    Ok(results)
}

/// Writes the records; without their vectors, if those do not fit the database.
async fn write(config: &Config, kind: Kind, records: &mut [Record]) -> Result<Vec<Stored>> {
    let outcome = match write_all(config, kind, records).await {
        Err(Failure::OtherDimensions) => {
            log_event(
                config,
                "embedding",
                "embedding_dimensions is not that of the database; stored without vectors",
            );
            for record in records.iter_mut() {
                record
                    .embedding
                    .take_if(|embedding| embedding.vector.is_some());
            }
            write_all(config, kind, records).await
        }
        outcome => outcome,
    };
    let text = match outcome {
        // A batch that cannot be accepted: the detail has the results, and nothing was written.
        Err(Failure::Refused(results)) => results,
        outcome => outcome?.unwrap_or_default(),
    };
    serde_json::from_str(&text)
        .map_err(|error| Error::Internal(format!("the write function's result: {error}")))
}

async fn write_all(
    config: &Config,
    kind: Kind,
    records: &[Record],
) -> Result<Option<String>, Failure> {
    let json = serde_json::to_string(records)
        .map_err(|error| Failure::Other(format!("a record does not serialise: {error}")))?;
    let parameters = [
        Parameter::Str(kind.as_str().to_owned()),
        Parameter::Str(json),
        Parameter::Boolean(mirror::is_enabled(config)),
    ];
    let statement = "SELECT audit_write($1, $2::text::jsonb, NULL, $3)";
    match database::text(config, statement, &parameters).await {
        // A month has begun that nobody has made partitions for yet.
        Err(Failure::NoPartition) => {
            partitions::ensure(config).await?;
            database::text(config, statement, &parameters).await
        }
        outcome => outcome,
    }
}

/// The records that were not accepted, as one error. `results` come with the prefix of their fields.
fn refused<'a>(results: impl Iterator<Item = (String, &'a Stored)>) -> Result<()> {
    let mut conflicts = Vec::new();
    let mut too_large = Vec::new();
    for (prefix, result) in results {
        match result.status.as_str() {
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
