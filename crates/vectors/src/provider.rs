//! The embedding provider: any server with `OpenAI`'s `POST …/v1/embeddings`.

use std::time::Duration;

use audit::Vector;
use bytes::BytesMut;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use instance::within;
use runtime::Instant;

use crate::failure::Failure;
use crate::settings::Provider;

/// The wait before the second try; each further one is twice as long. A provider's `Retry-After` may
/// make it longer, not shorter: some round down to nothing.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The largest answer that is read: 128 vectors of 1536 numbers in their longest form, and some more.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

pub(crate) const INCOMPLETE: Failure =
    Failure::unavailable("the embedding provider gave fewer vectors than asked");
pub(crate) const TOO_SLOW: Failure =
    Failure::unavailable("the embedding provider did not answer in time");

/// Why one try gave nothing, and whether another may give something.
struct Miss {
    failure: Failure,
    passing: bool,
}

impl Miss {
    const fn lasting(reason: &'static str) -> Self {
        Self {
            failure: Failure::unavailable(reason),
            passing: false,
        }
    }

    const fn passing(reason: &'static str, retry_after: Option<Duration>) -> Self {
        Self {
            failure: Failure::Unavailable {
                reason,
                retry_after,
            },
            passing: true,
        }
    }
}

/// The vectors of `texts`, in their order. Tries again while the provider is away or busy and there is
/// time until `deadline`.
pub(crate) async fn fetch(
    settings: &Provider,
    texts: &[&str],
    deadline: Instant,
) -> Result<Vec<Vector>, Failure> {
    let mut wait = FIRST_WAIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let miss = match within(left, ask(settings, texts)).await {
            None => return Err(TOO_SLOW),
            Some(Ok(vectors)) => return Ok(vectors),
            Some(Err(miss)) => miss,
        };
        let pause = match &miss.failure {
            Failure::Unavailable {
                retry_after: Some(asked),
                ..
            } => wait.max(*asked),
            _ => wait,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if !miss.passing || pause >= left {
            return Err(miss.failure);
        }
        runtime::sleep(pause).await;
        wait = wait.saturating_mul(2);
    }
}

async fn ask(settings: &Provider, texts: &[&str]) -> Result<Vec<Vector>, Miss> {
    let response = runtime::send(request(settings, texts)?)
        .await
        .map_err(|_| Miss::passing("the embedding provider is out of reach", None))?;
    let (parts, mut body) = response.into_parts();
    if parts.status != StatusCode::OK {
        return Err(refusal(parts.status, &parts.headers));
    }
    let mut answer = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece =
            piece.map_err(|_| Miss::passing("the embedding provider's answer broke off", None))?;
        answer.extend_from_slice(&piece);
        if answer.len() > ANSWER_MAX {
            return Err(Miss::lasting(
                "the embedding provider's answer is too large",
            ));
        }
    }
    audit::read_answer(&answer, texts.len(), settings.dimensions)
        .map_err(|unusable| Miss::lasting(unusable.0))
}

fn request(settings: &Provider, texts: &[&str]) -> Result<Request<Full<bytes::Bytes>>, Miss> {
    let body = audit::question(&settings.model, texts);
    let mut request = Request::post(settings.url.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len());
    if let Some(key) = &settings.api_key {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    request.body(Full::from(body)).map_err(|_| {
        Miss::lasting("the embedding provider's URL or key does not fit into a request")
    })
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> Miss {
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| audit::retry_after(value.to_str().ok()?, instance::now()));
    match status.as_u16() {
        429 => Miss::passing("the embedding provider limits the rate", retry_after),
        408 | 500.. => Miss::passing("the embedding provider failed", retry_after),
        400 | 413 | 422 => Miss {
            failure: Failure::Refused,
            passing: false,
        },
        401 | 403 => Miss::lasting("the embedding provider refuses the key"),
        404 => Miss::lasting("the embedding provider has no such path or model"),
        _ => Miss::lasting("the embedding provider answered with an unexpected status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_try_only_where_it_may_help() {
        let passing = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            refusal(status, &HeaderMap::new()).passing
        };
        assert!([408, 429, 500, 502, 503, 504].into_iter().all(passing));
        assert!(![301, 400, 401, 403, 404, 413, 422].into_iter().any(passing));
    }
}
