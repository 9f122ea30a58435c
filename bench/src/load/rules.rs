//! The rules alone, native and in Wasm: each server applies them to one record many times for one request.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::client::Connection;
use super::figures::median;
use super::samples::Draw;
use super::servers::{Running, Subject};
use super::{Stage, seed};

/// So often for one request, so many requests.
const TIMES: u64 = 2000;
const REQUESTS: usize = 9;

/// Microseconds to validate and sanitise a record of 1 KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Microseconds {
    pub(crate) native: f64,
    pub(crate) wasm: f64,
}

/// Nothing without both servers.
pub(crate) async fn measure(stage: &Stage) -> Result<Option<Microseconds>> {
    let (Some(native), Some(wasm)) = (stage.server(Subject::Native), stage.server(Subject::Bare))
    else {
        return Ok(None);
    };
    let mut draw = Draw::new(Arc::clone(&stage.samples), seed() << 16);
    let body = draw.body().to_owned();
    let (mut of_native, mut of_wasm) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        of_native.push(run(native, &body).await?);
        of_wasm.push(run(wasm, &body).await?);
    }
    let median = |times: &[f64]| median(times, |time| *time);
    let both = median(&of_native).zip(median(&of_wasm));
    Ok(both.map(|(native, wasm)| Microseconds { native, wasm }))
}

/// Microseconds of one of [`TIMES`] times.
async fn run(server: &Running, body: &str) -> Result<f64> {
    let request = format!(
        "POST /rules?{TIMES} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::open(server.address).await?;
    let answer = connection.exchange(request.as_bytes()).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(answer.status == 200, "the rules alone: {text}");
    let nanoseconds: u64 = text
        .parse()
        .with_context(|| format!("{text:?} is no time"))?;
    #[expect(clippy::cast_precision_loss, reason = "seconds at most")]
    Ok(nanoseconds as f64 / TIMES as f64 / 1000.0)
}
