//! The embedding provider.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use audit::{HARMLESS, QuestionForm, Unusable, Vector};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::say;

/// How long one question may take: a large batch on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a question is repeated while the provider is away or busy. With the waits between, some two
/// minutes in all.
const TRIES: u32 = 7;

/// Where texts become vectors.
pub(super) struct Provider {
    uri: Uri,
    form: QuestionForm,
    model: String,
    key: Option<(HeaderName, HeaderValue)>,
    dimensions: usize,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What it said to some texts.
pub(super) enum Vectors {
    /// Of each text, unless it has none for it.
    Of(Vec<Option<Vector>>),
    /// One of the texts at least is not to its liking.
    Refused,
}

/// What one try gave.
enum Outcome {
    Vectors(Vectors),
    /// Another try may help, after this long if it said so.
    Later(String, Option<Duration>),
    /// It failed, perhaps at one of the texts alone.
    Doubtful(String),
}

impl Provider {
    pub(super) fn new(
        base: &str,
        path: &str,
        model: &str,
        api_key: Option<&str>,
        header: &HeaderName,
        dimensions: usize,
    ) -> Result<Self> {
        let key = match api_key.filter(|key| !key.is_empty()) {
            None => None,
            Some(key) => {
                let text = match *header {
                    AUTHORIZATION => format!("Bearer {key}"),
                    _ => key.to_owned(),
                };
                let mut value = HeaderValue::try_from(text)
                    .context("the embedding key does not fit into a header")?;
                value.set_sensitive(true);
                Some((header.clone(), value))
            }
        };
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("cannot read the system's certificates")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            uri: format!("{}{path}", base.trim_end_matches('/'))
                .parse()
                .context("--embedding-url and --embedding-path are no URL")?,
            form: QuestionForm::of_path(path),
            model: model.to_owned(),
            key,
            dimensions,
            http: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// The vectors of texts, in their order. Waits while the provider is away or busy. If it only fails, while it
    /// `answers_others` or has a vector for a harmless text, it refuses the texts.
    pub(super) async fn embed(&self, texts: &[&str], mut answers_others: bool) -> Result<Vectors> {
        if texts.is_empty() {
            return Ok(Vectors::Of(Vec::new()));
        }
        let mut wait = Duration::from_millis(500);
        for _ in 0..TRIES {
            let (reason, asked) = match self.ask(texts).await? {
                Outcome::Vectors(vectors) => return Ok(vectors),
                Outcome::Doubtful(_) if answers_others => return Ok(Vectors::Refused),
                Outcome::Doubtful(reason) => {
                    let harmless = self.ask(&[HARMLESS]).await?;
                    answers_others = matches!(harmless, Outcome::Vectors(Vectors::Of(_)));
                    (reason, None)
                }
                Outcome::Later(reason, asked) => (reason, asked),
            };
            let pause = asked.unwrap_or(wait).min(Duration::from_mins(1));
            say(&format!("{reason}; again in {} s", pause.as_secs_f64()));
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
        match self.ask(texts).await? {
            Outcome::Vectors(vectors) => Ok(vectors),
            Outcome::Doubtful(_) if answers_others => Ok(Vectors::Refused),
            Outcome::Doubtful(reason) | Outcome::Later(reason, _) => {
                bail!("{reason}; what is embedded stays, run this again to go on")
            }
        }
    }

    async fn ask(&self, texts: &[&str]) -> Result<Outcome> {
        let mut request = Request::post(&self.uri).header(CONTENT_TYPE, "application/json");
        if let Some((header, value)) = &self.key {
            request = request.header(header, value);
        }
        let question = audit::question(self.form, &self.model, texts);
        let request = request.body(Full::from(question))?;
        let exchange = async {
            let (parts, body) = self.http.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Response::from_parts(parts, body))
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Err(_) => Ok(later("the embedding provider does not answer")),
            Ok(Err(_)) => Ok(later("the embedding provider is out of reach")),
            Ok(Ok(answer)) => self.read(&answer, texts.len()),
        }
    }

    fn read(&self, answer: &Response<Bytes>, count: usize) -> Result<Outcome> {
        if answer.status() != StatusCode::OK {
            return outcome(answer.status(), answer);
        }
        match audit::read_answer(answer.body(), count, self.dimensions) {
            Ok(vectors) => Ok(Outcome::Vectors(Vectors::Of(vectors))),
            Err(unusable @ Unusable::Dimensions) => {
                bail!("{}; check --embedding-model", unusable.reason())
            }
            Err(Unusable::Failed(Some(status))) => outcome(StatusCode::from_u16(status)?, answer),
            Err(unusable) => Ok(Outcome::Doubtful(unusable.reason().to_owned())),
        }
    }
}

/// What an answer of this status means, which may be one that its body names.
fn outcome(status: StatusCode, answer: &Response<Bytes>) -> Result<Outcome> {
    let after = answer.headers().get(RETRY_AFTER);
    let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
    let reason = format!("the embedding provider answered {status}");
    match status.as_u16() {
        400 | 413 | 422 => Ok(Outcome::Vectors(Vectors::Refused)),
        424 | 500 | 502 if after.is_none() => Ok(Outcome::Doubtful(reason)),
        408 | 424 | 429 | 500.. => Ok(Outcome::Later(reason, after.map(Duration::from_secs))),
        _ => bail!("{}", refusal(status)),
    }
}

fn later(reason: &str) -> Outcome {
    Outcome::Later(reason.to_owned(), None)
}

fn refusal(status: StatusCode) -> String {
    let hint = match status.as_u16() {
        401 | 403 => "check the key, SPIN_VARIABLE_EMBEDDING_API_KEY",
        404 => "check --embedding-url, --embedding-path and --embedding-model",
        _ => "check --embedding-url",
    };
    format!("the embedding provider answered {status}; {hint}")
}
