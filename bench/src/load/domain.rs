//! The domain code alone, native and in Wasm: each server runs it many times for one request.

use anyhow::{Context, Result, ensure};
use std::sync::Arc;

use super::client::Connection;
use super::figures::median;
use super::samples::Draw;
use super::servers::{Running, Subject};
use super::{Stage, seed};

/// So often for one request, so many requests.
const TIMES: u64 = 2000;
const REQUESTS: usize = 9;

/// Microseconds to validate and sanitise a record of 1 KiB, native and in Wasm; nothing without both servers.
pub(crate) async fn measure(stage: &Stage) -> Result<Option<(f64, f64)>> {
    let (Some(native), Some(wasm)) = (stage.server(Subject::Native), stage.server(Subject::Bare))
    else {
        return Ok(None);
    };
    let mut draw = Draw::new(Arc::clone(&stage.samples), seed() << 16);
    let body = draw.body().to_owned();
    let (mut of_native, mut of_wasm) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        of_native.push(run(native, "domain", TIMES, &body).await?);
        of_wasm.push(run(wasm, "domain", TIMES, &body).await?);
    }
    let median = |times: &[f64]| median(times, |time| *time);
    Ok(median(&of_native).zip(median(&of_wasm)))
}

/// Microseconds of one of `times` runs of a layer.
async fn run(server: &Running, layer: &str, times: u64, body: &str) -> Result<f64> {
    let mut connection = Connection::open(server.address).await?;
    #[expect(clippy::cast_precision_loss, reason = "seconds at most")]
    Ok(nanoseconds(&mut connection, layer, times, body).await? as f64 / times as f64 / 1000.0)
}

/// How long `times` runs of a layer take.
pub(crate) async fn nanoseconds(
    connection: &mut Connection,
    layer: &str,
    times: u64,
    body: &str,
) -> Result<u64> {
    let request = format!(
        "POST /layers/{layer}?{times} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = connection.exchange(request.as_bytes()).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(answer.status == 200, "the layer {layer}: {text}");
    text.parse().with_context(|| format!("{text:?} is no time"))
}
