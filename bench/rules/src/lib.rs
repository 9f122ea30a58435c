//! Applies the rules to one record many times over, in Wasm, or redacts one text (`/redact`), and answers how long that
//! took, in nanoseconds. The query says how often.

use std::time::Instant;

use audit::{Dialect, Kind, json};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{FullBody, IntoResponse, Request, Response, StatusCode};
use spin_sdk::http_service;

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let (status, text) = match run(request).await {
        Ok(nanoseconds) => (StatusCode::OK, nanoseconds.to_string()),
        Err(error) => (StatusCode::BAD_REQUEST, error),
    };
    Response::builder()
        .status(status)
        .header("content-length", text.len())
        .body(FullBody::new(Bytes::from(text)))
}

/// From a body to a record: parsed, validated, sanitised.
async fn run(request: Request) -> Result<u128, String> {
    let times = request.uri().query().and_then(|query| query.parse().ok());
    let times: u64 = times.ok_or("the query must be a number of times")?;
    let redacts = request.uri().path() == "/redact";
    let body = request.into_body().bytes().await;
    let body = body.map_err(|error| format!("{error:?}"))?;
    if redacts {
        return redact(&body, times);
    }
    let now: DateTime<Utc> = std::time::SystemTime::now().into();
    let started = Instant::now();
    for _ in 0..times {
        let body = json::parse(&body).map_err(|error| error.to_string())?;
        let record = audit::read(Kind::Remediation, Dialect::Store, body, None, now)
            .map_err(|violations| format!("{violations:?}"))?;
        std::hint::black_box(record);
    }
    Ok(started.elapsed().as_nanos())
}

/// From a text to the same without secrets.
fn redact(body: &[u8], times: u64) -> Result<u128, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let started = Instant::now();
    for _ in 0..times {
        std::hint::black_box(audit::redact(text));
    }
    Ok(started.elapsed().as_nanos())
}
