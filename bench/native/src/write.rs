//! `POST`: one record, or a batch of them.

use std::collections::HashMap;
use std::sync::LazyLock;

use audit::{Dialect, Kind, json};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use deadpool_postgres::{Object, Pool};
use serde::Serialize;
use tokio_postgres::types::ToSql;

use crate::columns::{Row, Table, insert_many, insert_one};
use crate::error::{Error, Result};
use crate::record::rfc3339;

static ONE: LazyLock<String> = LazyLock::new(insert_one);
static MANY: LazyLock<String> = LazyLock::new(insert_many);

/// Stores one record.
pub(crate) async fn single(
    State(pool): State<Pool>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<impl IntoResponse> {
    let kind = parse_kind(&kind)?;
    let body = json::parse(&body).map_err(|error| Error::Malformed(error.to_string()))?;
    let record = audit::read(kind, Dialect::Store, body, key(&headers), Utc::now())?;
    let row = Row::of(&record);

    let client = pool.get().await?;
    let statement = client.prepare_cached(&ONE).await?;
    let kind_name = kind.as_str();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&kind_name];
    parameters.extend(row.parameters());
    let stored = client.query_opt(&statement, &parameters).await?;
    let created = match stored {
        Some(stored) => Created::new(stored.get(1), stored.get(2), "persisted"),
        None => existing(&client, kind, &row).await?,
    };
    let location = format!("/api/v1/query/{kind}/{}", created.id);
    Ok((StatusCode::CREATED, [("location", location)], Json(created)))
}

/// Stores all records of a batch.
pub(crate) async fn batch(
    State(pool): State<Pool>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<impl IntoResponse> {
    let kind = parse_kind(&kind)?;
    let body = json::parse(&body).map_err(|error| Error::Malformed(error.to_string()))?;
    let records = audit::read_batch(kind, Dialect::Store, body, key(&headers), Utc::now())?;
    let table = Table::of(&records);

    let client = pool.get().await?;
    let statement = client.prepare_cached(&MANY).await?;
    let kind_name = kind.as_str();
    let arrays = table.parameters();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&kind_name];
    parameters.extend(arrays.iter().map(|array| &**array as &(dyn ToSql + Sync)));
    let stored = client.query(&statement, &parameters).await?;
    let new: HashMap<&[u8], (i64, DateTime<Utc>)> = stored
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect();
    let mut results = Vec::with_capacity(records.len());
    for row in table.rows() {
        results.push(match new.get(row.key) {
            Some((id, at)) => Created::new(*id, *at, "persisted"),
            None => existing(&client, kind, row).await?,
        });
    }
    Ok((StatusCode::CREATED, Json(Results { results })))
}

/// A record whose key is known: the same again, or another one.
async fn existing(client: &Object, kind: Kind, row: &Row<'_>) -> Result<Created> {
    let sql = "SELECT a.id, a.content_hash, audit_id_time(a.id)
               FROM audit_key AS k JOIN audit AS a ON a.kind = k.kind AND a.id = k.id
               WHERE k.kind = $1 AND k.key = $2";
    let statement = client.prepare_cached(sql).await?;
    let found = client
        .query_opt(&statement, &[&kind.as_str(), &row.key])
        .await?
        .ok_or(Error::Conflict)?;
    if found.get::<_, &[u8]>(1) != row.content_hash {
        return Err(Error::Conflict);
    }
    Ok(Created::new(found.get(0), found.get(2), "duplicate"))
}

pub(crate) fn parse_kind(name: &str) -> Result<Kind> {
    Kind::parse(name).ok_or(Error::NotFound)
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get("idempotency-key")?.to_str().ok()
}

/// The answer to a batch.
#[derive(Serialize)]
struct Results {
    results: Vec<Created>,
}

/// What became of one record; the members of all three forms.
#[derive(Serialize)]
struct Created {
    id: i64,
    #[serde(rename = "auditID")]
    id_text: String,
    #[serde(rename = "created_at", serialize_with = "rfc3339")]
    time: DateTime<Utc>,
    #[serde(rename = "createdAt", serialize_with = "rfc3339")]
    time_camel: DateTime<Utc>,
    embedding_id: Option<i64>,
    #[serde(rename = "embeddingId")]
    embedding_id_camel: Option<i64>,
    status: &'static str,
    message: &'static str,
}

impl Created {
    fn new(id: i64, at: DateTime<Utc>, status: &'static str) -> Self {
        Self {
            id,
            id_text: id.to_string(),
            time: at,
            time_camel: at,
            embedding_id: None,
            embedding_id_camel: None,
            status,
            message: match status {
                "duplicate" => "Audit record was stored before; nothing changed",
                _ => "Audit record created successfully",
            },
        }
    }
}
