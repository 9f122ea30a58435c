//! The rules alone, as in `bench/rules`.

use std::time::Instant;

use audit::{Dialect, Kind, json};
use axum::extract::RawQuery;
use bytes::Bytes;
use chrono::Utc;

use crate::error::{Error, Result};

/// Reads the body as a record so many times, and answers how long that took, in nanoseconds.
pub(crate) async fn apply(RawQuery(query): RawQuery, body: Bytes) -> Result<String> {
    let times = query.and_then(|query| query.parse().ok());
    let times: u64 =
        times.ok_or_else(|| Error::Malformed("the query must be a number of times".to_owned()))?;
    let now = Utc::now();
    let started = Instant::now();
    for _ in 0..times {
        let body = json::parse(&body).map_err(|error| Error::Malformed(error.to_string()))?;
        let record = audit::read(Kind::Remediation, Dialect::Store, body, None, now)?;
        std::hint::black_box(record);
    }
    Ok(started.elapsed().as_nanos().to_string())
}
