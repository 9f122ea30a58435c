//! The log of events: the same rules and the same functions of the database as in the service, over a pool with prepared statements.

use std::collections::BTreeMap;

use ::events::parameters::ListQuestion;
use ::events::{
    Batch, ChainKeys, Entry, Event, Head, HistoryFacts, HistoryQuestion, Origin, Rejected, Verifier,
};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::Utc;
use deadpool_postgres::Pool;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_postgres::types::ToSql;

use crate::error::{Error, Result};

type Parameters = Query<BTreeMap<String, String>>;

/// Where events come from: nobody asks who calls.
fn origin() -> Origin<'static> {
    Origin {
        now: Utc::now(),
        username: None,
        redact: true,
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Malformed(malformed) => Self::Malformed(malformed.to_string()),
            Rejected::Invalid { violations, .. } => Self::Invalid(violations),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Stores a batch.
pub(crate) async fn batch(State(pool): State<Pool>, body: Bytes) -> Result<impl IntoResponse> {
    let batch = ::events::read_batch(&body, &origin())?;
    let ids = append(&pool, batch).await?;
    let message = format!("{} audit events created successfully", ids.len());
    let created = json!({"event_ids": ids, "message": message});
    Ok((StatusCode::CREATED, Json(created)))
}

/// Stores one event.
pub(crate) async fn single(State(pool): State<Pool>, body: Bytes) -> Result<impl IntoResponse> {
    let batch = ::events::read_one(&body, &origin())?;
    let timestamp = batch.entries.first().map(|entry| match entry {
        Entry::Event(event) => event.timestamp_text().to_owned(),
        Entry::Quarantined(_) => String::new(),
    });
    let ids = append(&pool, batch).await?;
    let created = json!({
        "event_id": ids.first(), "event_timestamp": timestamp, "message": "Audit event created successfully",
    });
    Ok((StatusCode::CREATED, Json(created)))
}

/// Seals the events behind the heads of their chains, and writes them if nobody was faster.
async fn append(pool: &Pool, mut batch: Batch) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Prepared {
        #[serde(default)]
        event_ids: Option<Vec<String>>,
        #[serde(default)]
        chains: BTreeMap<String, Head>,
        #[serde(default)]
        sequences: Vec<i64>,
    }
    let ids: Vec<String> = batch.entries.iter().map(|_| uuid()).collect();
    let mut events: Vec<&mut Event> = batch
        .entries
        .iter_mut()
        .filter_map(|entry| match entry {
            Entry::Event(event) => Some(&mut **event),
            Entry::Quarantined(_) => None,
        })
        .collect();
    if events.len() < ids.len() {
        return Err(Error::Malformed(
            "the baseline has no quarantine".to_owned(),
        ));
    }
    let key: &[u8] = &batch.key;
    let mut correlations: Vec<_> = events.iter().map(|event| event.correlation_id()).collect();
    correlations.sort_unstable();
    correlations.dedup();
    let correlations = json!(correlations);
    let count = i32::try_from(events.len()).unwrap_or(i32::MAX);
    let mut key_text = "\\x".to_owned();
    audit::push_hexadecimal(&mut key_text, &batch.key);
    let beside = json!({"key": key_text, "event_ids": ids, "quarantine": []});

    let client = pool.get().await?;
    let prepare = client
        .prepare_cached("SELECT audit_event_prepare($1, $2, $3)")
        .await?;
    let write = client
        .prepare_cached("SELECT audit_event_write($1, $2::text::json)")
        .await?;
    loop {
        let row = client
            .query_one(&prepare, &[&key, &correlations, &count])
            .await?;
        let prepared: Prepared = parse(row.get(0))?;
        if let Some(remembered) = prepared.event_ids {
            return Ok(remembered);
        }
        let mut heads = prepared.chains;
        for ((event, id), sequence) in events.iter_mut().zip(&ids).zip(&prepared.sequences) {
            let head = heads.entry(event.correlation_id().to_owned()).or_default();
            ::events::seal(event, id, *sequence, head, &ChainKeys::none());
        }
        let written: Vec<&Event> = events.iter().map(|event| &**event).collect();
        let posts = ::events::rows(&written)?;
        let row = client.query_one(&write, &[&beside, &posts]).await?;
        let outcome: Value = parse(row.get(0))?;
        match outcome["status"].as_str() {
            Some("written") => return Ok(ids),
            Some("remembered") => return Ok(serde_json::from_value(outcome["event_ids"].clone())?),
            _ => {}
        }
    }
}

/// Events, the newest first.
pub(crate) async fn list(State(pool): State<Pool>, Query(given): Parameters) -> Result<Response> {
    let get = |name: &str| given.get(name).map(String::as_str);
    let question = ListQuestion::read(get, Utc::now()).map_err(bad_parameter)?;
    let filter = Value::Object(question.filter);
    let sql = "SELECT audit_event_list($1, $2, $3)";
    let body = text(&pool, sql, &[&filter, &question.limit, &question.offset]).await?;
    Ok(made(body.unwrap_or_default()))
}

/// What was done to a resource before.
pub(crate) async fn history(
    State(pool): State<Pool>,
    Query(given): Parameters,
) -> Result<Response> {
    let get = |name: &str| given.get(name).map(String::as_str);
    let question = HistoryQuestion::read(get).map_err(bad_parameter)?;
    let windows = question.windows(Utc::now());
    let sql = "SELECT audit_event_history($1, $2, $3, $4, $5, $6)";
    let parameters: [&(dyn ToSql + Sync); 6] = [
        &question.target,
        &question.cluster_id,
        &question.current_hash,
        &windows.from,
        &windows.split,
        &windows.until,
    ];
    let facts = text(&pool, sql, &parameters).await?;
    let facts: HistoryFacts = parse(&facts.unwrap_or_default())?;
    Ok(Json(::events::history(&question, &facts)).into_response())
}

/// How well a remediation worked.
pub(crate) async fn effectiveness(
    State(pool): State<Pool>,
    Path(correlation_id): Path<String>,
) -> Result<Response> {
    let sql = "SELECT audit_event_effectiveness($1)";
    let found = text(&pool, sql, &[&correlation_id]).await?;
    let found: Vec<Value> = found.map_or(Ok(Vec::new()), |found| parse(&found))?;
    let answer = ::events::effectiveness(&correlation_id, &found, Utc::now());
    Ok(Json(answer.ok_or(Error::NotFound)?).into_response())
}

/// Whether a chain is as it was sealed.
pub(crate) async fn verify(State(pool): State<Pool>, Json(asked): Json<Value>) -> Result<Response> {
    #[derive(Deserialize)]
    struct Page {
        head: Head,
        anchor: Option<Head>,
        events: Vec<Map<String, Value>>,
    }
    const PAGE: i32 = 500;
    let correlation_id = asked["correlation_id"].as_str().unwrap_or_default();
    let keys = ChainKeys::none();
    let mut verifier: Option<Verifier<'_>> = None;
    let mut after = 0_i64;
    loop {
        let sql = "SELECT audit_event_chain_page($1, $2, $3)";
        let page = text(&pool, sql, &[&correlation_id, &after, &PAGE]).await?;
        let page: Page = parse(&page.ok_or(Error::NotFound)?)?;
        let verifier = verifier
            .get_or_insert_with(|| Verifier::new(&keys, page.anchor.clone().unwrap_or_default()));
        for event in &page.events {
            verifier.next(event);
        }
        let last = page.events.last();
        let Some(last) = last.and_then(|event| event["sequence"].as_i64()) else {
            let report = std::mem::replace(verifier, Verifier::new(&keys, Head::default()));
            let answer = report.finish(&page.head).answer(correlation_id, Utc::now());
            return Ok(Json(answer).into_response());
        };
        after = last;
    }
}

/// The text that a function of the database returns.
async fn text(
    pool: &Pool,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Option<String>> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, parameters).await?.get(0))
}

/// An answer that the database has made.
fn made(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

fn bad_parameter((name, message): (&'static str, String)) -> Error {
    Error::Malformed(format!("{name} {message}"))
}

fn uuid() -> String {
    let uuid = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    uuid.to_string()
}
