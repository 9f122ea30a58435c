//! The smallest component that answers without the database, with a trivial statement, and with the plain
//! insert of one record. What the host can do at most; everything beyond it is a service's own cost.
//!
//! The connection is shared while requests are in flight and kept no longer, as in
//! `crates/postgres/src/shared.rs`.

mod shared;

use bytes::Bytes;
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{FullBody, IntoResponse, Request, Response, StatusCode};
use spin_sdk::http_service;
use spin_sdk::pg::{DbValue, ParameterValue};

use crate::shared::Shared;

/// The text that `/statement` has PostgreSQL send back.
const TEXT: &str = "a constant text";

/// One row of `bench_record`: a table with the columns of `audit` and a primary key, without other indexes,
/// without natural keys, without correlations. Members without a column are dropped.
const INSERT: &str = include_str!("insert.sql");

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let answer = match request.uri().path() {
        "/nothing" => Ok((StatusCode::OK, "nothing".to_owned())),
        "/statement" => statement().await.map(|text| (StatusCode::OK, text)),
        "/insert" => insert(request).await.map(|id| (StatusCode::CREATED, id)),
        _ => Ok((StatusCode::NOT_FOUND, String::new())),
    };
    let (status, text) = answer.unwrap_or_else(|error| (StatusCode::SERVICE_UNAVAILABLE, error));
    Response::builder()
        .status(status)
        .header("content-length", text.len())
        .body(FullBody::new(Bytes::from(text)))
}

async fn statement() -> Result<String, String> {
    first("SELECT $1::text", TEXT.to_owned()).await
}

async fn insert(request: Request) -> Result<String, String> {
    let body = request.into_body().bytes().await;
    let body = body.map_err(|error| format!("{error:?}"))?;
    let body = String::from_utf8(body.into()).map_err(|error| error.to_string())?;
    first(INSERT, body).await
}

/// The first value of a statement with one parameter.
async fn first(statement: &str, parameter: String) -> Result<String, String> {
    let shared = Shared::join();
    let connection = shared.connection().await?;
    let parameters = [ParameterValue::Str(parameter)];
    let result = connection.query(statement, parameters).await;
    let result = result.map_err(|error| format!("{error:?}"))?;
    let (_, mut rows, end) = result.into_inner();
    let mut first = None;
    while let Some(row) = rows.next().await {
        first = row.into_iter().next();
    }
    end.await.map_err(|error| format!("{error:?}"))?;
    match first {
        Some(DbValue::Str(text)) => Ok(text),
        other => Err(format!("{other:?} where a text was expected")),
    }
}
