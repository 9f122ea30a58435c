//! One record, a timeline, and whether the service is alive.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::response::Response;
use deadpool_postgres::Pool;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Result};
use crate::record::{Audit, COLUMNS};
use crate::write::parse_kind;

static RECORD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM audit AS a WHERE a.kind = $1 AND a.id = $2 AND a.deleted_at IS NULL"
    )
});

static TIMELINE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS}, count(*) OVER () FROM audit_correlation AS c
         JOIN audit AS a ON a.kind = c.kind AND a.id = c.id
         WHERE c.key = $1 AND a.deleted_at IS NULL
         ORDER BY coalesce(a.start_time, a.created_at), a.id
         LIMIT $2 OFFSET $3"
    )
});

/// Alive.
pub(crate) async fn health() -> impl IntoResponse {
    Json(json!({"status": "ok"}))
}

/// A record of a kind.
pub(crate) async fn record(
    State(pool): State<Pool>,
    Path((kind, id)): Path<(String, i64)>,
) -> Result<Response> {
    let kind = parse_kind(&kind)?;
    let client = pool.get().await?;
    let statement = client.prepare_cached(&RECORD).await?;
    let row = client
        .query_opt(&statement, &[&kind.as_str(), &id])
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Json(Audit::of(&row)).into_response())
}

/// Which part of a timeline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    #[serde(default = "default_limit")]
    limit: i64,
    #[serde(default)]
    offset: i64,
}

fn default_limit() -> i64 {
    100
}

/// All kinds together, oldest first.
#[derive(Serialize)]
struct Timeline<'a> {
    correlation_id: &'a str,
    audits: Vec<Audit<'a>>,
    total: i64,
    limit: i64,
    offset: i64,
}

/// The records of a correlation id or a remediation request.
pub(crate) async fn timeline(
    State(pool): State<Pool>,
    Path(correlation_id): Path<String>,
    Query(part): Query<Part>,
) -> Result<Response> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(&TIMELINE).await?;
    let rows = client
        .query(&statement, &[&correlation_id, &part.limit, &part.offset])
        .await?;
    let timeline = Timeline {
        correlation_id: &correlation_id,
        audits: rows.iter().map(Audit::of).collect(),
        // Beyond the last record nobody says how many there are.
        total: rows.first().map_or(0, |row| row.get(33)),
        limit: part.limit,
        offset: part.offset,
    };
    Ok(Json(timeline).into_response())
}
