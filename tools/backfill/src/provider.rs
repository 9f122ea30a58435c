//! The embedding provider.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use audit::Vector;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
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
const TRIES: u32 = 8;

/// Where texts become vectors.
pub(super) struct Provider {
    uri: Uri,
    model: String,
    authorization: Option<HeaderValue>,
    dimensions: usize,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What it said to some texts.
pub(super) enum Vectors {
    Of(Vec<Vector>),
    /// One of the texts is not to its liking.
    Refused,
}

/// What one try gave.
enum Outcome {
    Vectors(Vectors),
    /// Another try may help, after this long if it said so.
    Later(String, Option<Duration>),
}

impl Provider {
    pub(super) fn new(
        url: &str,
        model: &str,
        api_key: Option<&str>,
        dimensions: usize,
    ) -> Result<Self> {
        let authorization = match api_key.filter(|key| !key.is_empty()) {
            None => None,
            Some(key) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                    .context("the embedding key does not fit into a header")?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("cannot read the system's certificates")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            uri: url
                .parse()
                .context("--embedding-url and --embedding-path are no URL")?,
            model: model.to_owned(),
            authorization,
            dimensions,
            http: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// The vectors of texts, in their order. Waits while the provider is away or busy.
    pub(super) async fn embed(&self, texts: &[&str]) -> Result<Vectors> {
        if texts.is_empty() {
            return Ok(Vectors::Of(Vec::new()));
        }
        let mut wait = Duration::from_millis(500);
        for _ in 1..TRIES {
            match self.ask(texts).await? {
                Outcome::Vectors(vectors) => return Ok(vectors),
                Outcome::Later(reason, asked) => {
                    let pause = asked.unwrap_or(wait).min(Duration::from_mins(1));
                    say(&format!("{reason}; again in {} s", pause.as_secs_f64()));
                    tokio::time::sleep(pause).await;
                    wait *= 2;
                }
            }
        }
        match self.ask(texts).await? {
            Outcome::Vectors(vectors) => Ok(vectors),
            Outcome::Later(reason, _) => {
                bail!("{reason}; what is embedded stays, run this again to go on")
            }
        }
    }

    async fn ask(&self, texts: &[&str]) -> Result<Outcome> {
        let mut request = Request::post(&self.uri).header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::from(audit::question(&self.model, texts)))?;
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
        let status = answer.status();
        match status.as_u16() {
            200 => match audit::read_answer(answer.body(), count, self.dimensions) {
                Ok(vectors) => Ok(Outcome::Vectors(Vectors::Of(vectors))),
                Err(unusable) => bail!("{}; check --embedding-model", unusable.0),
            },
            400 | 413 | 422 => Ok(Outcome::Vectors(Vectors::Refused)),
            408 | 429 | 500.. => {
                let after = answer.headers().get(RETRY_AFTER);
                let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
                Ok(Outcome::Later(
                    format!("the embedding provider answered {status}"),
                    after.map(Duration::from_secs),
                ))
            }
            _ => bail!("{}", refusal(status)),
        }
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
