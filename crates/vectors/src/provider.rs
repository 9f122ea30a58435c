//! The embedding provider: any server with `OpenAI`'s `POST …/v1/embeddings`, or one of the variations that `audit` reads.

use std::time::Duration;

use audit::{HARMLESS, Unusable, Vector};
use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use instance::{TRACEPARENT, Trace, within};
use runtime::Instant;

use crate::failure::Failure;
use crate::settings::Provider;

/// The wait before the second try; each further one is twice as long, up to [`LONGEST_WAIT`]. A provider's `Retry-After` may
/// make it longer, not shorter: some round down to nothing.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// A provider that is back is asked after this long at the latest, however much time a request has.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The largest answer that is read: 128 vectors of 1536 numbers in their longest form, and some more.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

pub(crate) const INCOMPLETE: Failure =
    Failure::unavailable("the embedding provider gave fewer vectors than asked");
pub(crate) const TOO_SLOW: Failure =
    Failure::unavailable("the embedding provider did not answer in time");

/// What is asked in one request.
pub(crate) struct Question<'a> {
    pub(crate) texts: Vec<&'a str>,
    /// What the request belongs to.
    pub(crate) trace: Option<Trace>,
}

/// Why one try gave nothing.
struct Miss {
    failure: Failure,
    cause: Cause,
}

/// What may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The provider is busy or away: another try.
    Passing,
    /// It refuses, or is not what was configured: nothing.
    Lasting,
    /// It failed. Many do so at a text that their model has no vector for, and at that one alone: Ollama and vLLM answer
    /// 500 then, text-embeddings-inference 424, others with zeros or NaN. Another try, or to go on without that text.
    Doubtful,
}

impl Miss {
    const fn new(cause: Cause, reason: &'static str) -> Self {
        Self {
            failure: Failure::unavailable(reason),
            cause,
        }
    }

    const fn after(mut self, asked: Option<Duration>) -> Self {
        if let Failure::Unavailable { retry_after, .. } = &mut self.failure {
            *retry_after = asked;
        }
        self
    }
}

/// The vectors of the texts, in their order. Tries again while the provider is away or busy and there is
/// time until `deadline`.
///
/// A text that it cannot embed has none, if the provider says which it is. If it only fails, while it `answers_others` or has
/// a vector for a harmless text, it refuses the texts: one of them at least.
pub(crate) async fn fetch(
    settings: &Provider,
    question: &Question<'_>,
    deadline: Instant,
    mut answers_others: bool,
) -> Result<Vec<Option<Vector>>, Failure> {
    let mut wait = FIRST_WAIT;
    let mut is_first = true;
    loop {
        let miss = match in_time(settings, question, deadline).await {
            Ok(vectors) => return Ok(vectors),
            Err(miss) => miss,
        };
        if miss.cause == Cause::Doubtful {
            if answers_others {
                return Err(Failure::Refused);
            }
            // The first failure may be one of a moment.
            let harmless = Question {
                texts: vec![HARMLESS],
                trace: question.trace,
            };
            if !is_first && in_time(settings, &harmless, deadline).await.is_ok() {
                answers_others = true;
                continue;
            }
        }
        is_first = false;
        let pause = match &miss.failure {
            Failure::Unavailable {
                retry_after: Some(asked),
                ..
            } => wait.max(*asked),
            _ => wait,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if miss.cause == Cause::Lasting || pause >= left {
            return Err(miss.failure);
        }
        runtime::sleep(pause).await;
        wait = wait.saturating_mul(2).min(LONGEST_WAIT);
    }
}

async fn in_time(
    settings: &Provider,
    question: &Question<'_>,
    deadline: Instant,
) -> Result<Vec<Option<Vector>>, Miss> {
    let began = Instant::now();
    let left = deadline.saturating_duration_since(began);
    let asked = within(left, metrics::meanwhile(ask(settings, question))).await;
    metrics::embedding(began.elapsed());
    asked.unwrap_or(Err(Miss {
        failure: TOO_SLOW,
        cause: Cause::Lasting,
    }))
}

async fn ask(settings: &Provider, question: &Question<'_>) -> Result<Vec<Option<Vector>>, Miss> {
    let response = runtime::send(request(settings, question)?)
        .await
        .map_err(|_| Miss::new(Cause::Passing, "the embedding provider is out of reach"))?;
    let (parts, mut body) = response.into_parts();
    if parts.status != StatusCode::OK {
        return Err(refusal(parts.status, &parts.headers));
    }
    let mut answer = BytesMut::new();
    while let Some(piece) = body.next().await {
        let broken_off = "the embedding provider's answer broke off";
        let piece = piece.map_err(|_| Miss::new(Cause::Passing, broken_off))?;
        answer.extend_from_slice(&piece);
        if answer.len() > ANSWER_MAX {
            let reason = "the embedding provider's answer is too large";
            return Err(Miss::new(Cause::Lasting, reason));
        }
    }
    audit::read_answer(&answer, question.texts.len(), settings.dimensions)
        .map_err(|unusable| without_vectors(unusable, &parts.headers))
}

fn request(
    settings: &Provider,
    question: &Question<'_>,
) -> Result<Request<Full<bytes::Bytes>>, Miss> {
    let body = audit::question(settings.form, &settings.model, &question.texts);
    let mut request = Request::post(settings.url.as_str())
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len());
    if let Some((header, value)) = &settings.key {
        request = request.header(header, value);
    }
    if let Some(trace) = question.trace {
        request = request.header(TRACEPARENT, trace.onward());
    }
    request.body(Full::from(body)).map_err(|_| {
        let reason = "the embedding provider's URL or key does not fit into a request";
        Miss::new(Cause::Lasting, reason)
    })
}

/// What an answer means that has no vector in it.
fn without_vectors(unusable: Unusable, headers: &HeaderMap) -> Miss {
    let named = match unusable {
        Unusable::Failed(status) => status.and_then(|status| StatusCode::from_u16(status).ok()),
        _ => None,
    };
    match (named, unusable) {
        (Some(status), _) => refusal(status, headers),
        (None, Unusable::Dimensions) => Miss::new(Cause::Lasting, unusable.reason()),
        (None, _) => Miss::new(Cause::Doubtful, unusable.reason()),
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> Miss {
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| audit::retry_after(value.to_str().ok()?, instance::now()));
    let failed = "the embedding provider failed";
    match status.as_u16() {
        429 => {
            Miss::new(Cause::Passing, "the embedding provider limits the rate").after(retry_after)
        }
        // Who names a time speaks of himself, not of a text.
        424 | 500 | 502 if retry_after.is_none() => Miss::new(Cause::Doubtful, failed),
        408 | 424 | 500.. => Miss::new(Cause::Passing, failed).after(retry_after),
        400 | 413 | 422 => Miss {
            failure: Failure::Refused,
            cause: Cause::Lasting,
        },
        401 | 403 => Miss::new(Cause::Lasting, "the embedding provider refuses the key"),
        404 => {
            let reason = "the embedding provider has no such path or model";
            Miss::new(Cause::Lasting, reason)
        }
        _ => {
            let reason = "the embedding provider answered with an unexpected status";
            Miss::new(Cause::Lasting, reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_try_only_where_it_may_help() {
        let cause = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            refusal(status, &HeaderMap::new()).cause
        };
        for status in [408, 429, 503, 504] {
            assert_eq!(cause(status), Cause::Passing, "{status}");
        }
        for status in [424, 500, 502] {
            assert_eq!(cause(status), Cause::Doubtful, "{status}");
        }
        for status in [301, 400, 401, 403, 404, 413, 422] {
            assert_eq!(cause(status), Cause::Lasting, "{status}");
        }
    }

    #[test]
    fn an_answer_without_vectors_may_be_the_fault_of_a_text() {
        let of = |unusable| without_vectors(unusable, &HeaderMap::new());
        for unusable in [
            Unusable::Failed(None),
            Unusable::Failed(Some(500)),
            Unusable::Malformed,
            Unusable::NoDirection,
        ] {
            assert_eq!(of(unusable).cause, Cause::Doubtful, "{unusable:?}");
        }
        assert_eq!(of(Unusable::Failed(Some(429))).cause, Cause::Passing);
        assert_eq!(of(Unusable::Failed(Some(400))).failure, Failure::Refused);
        assert_eq!(of(Unusable::Dimensions).cause, Cause::Lasting);
    }
}
