//! The services' client, over real connections.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kubernaut_services::{Answer, Delivery, Loss, Next};
use patience::Deadline;
use serde_json::Value;

use crate::writing::BATCH;

/// How long the client waits for an answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// It looks at nothing but status and media type, as the services do.
#[derive(Clone)]
pub(crate) struct ServicesClient {
    base: String,
    limit: Duration,
    http: Http<HttpConnector, Full<Bytes>>,
}

impl ServicesClient {
    /// One of the service at `base`.
    pub(crate) fn new(base: &str) -> Self {
        Self::with_limit(base, LIMIT)
    }

    /// One that waits so long for an answer.
    pub(crate) fn with_limit(base: &str, limit: Duration) -> Self {
        Self {
            base: base.to_owned(),
            limit,
            http: Http::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Posts a batch with all tries that there are; what became of it.
    pub(crate) async fn deliver(&self, events: &[Value]) -> Result<(), Loss> {
        let mut delivery = Delivery::default();
        let deadline = Deadline::start();
        loop {
            deadline.check("the client has no more tries");
            let answer = self.post(delivery.body(events)).await;
            match delivery.after(&answer) {
                Next::Taken => return Ok(()),
                Next::Dropped(loss) => return Err(loss),
                // Time itself: these are the client's own pauses.
                Next::Again(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// The same with more patience than the services have: what they would drop is posted again.
    ///
    /// # Panics
    /// If the batch is refused for ever.
    pub(crate) async fn deliver_at_last(&self, events: &[Value]) {
        let deadline = Deadline::start();
        while let Err(loss) = self.deliver(events).await {
            deadline.check("a batch is taken");
            assert_eq!(loss, Loss::GivenUp, "no answer may be the last");
        }
    }

    async fn post(&self, body: String) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{BATCH}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .expect("a request");
        let exchange = async {
            let response = self.http.request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            body.collect().await.ok()?;
            Some(parts)
        };
        // Time itself: this is the client's own limit.
        match tokio::time::timeout(self.limit, exchange).await {
            Err(_) => Answer::Late,
            Ok(None) => Answer::Broken,
            Ok(Some(parts)) => {
                let media_type = parts.headers.get(CONTENT_TYPE);
                let media_type = media_type.and_then(|value| value.to_str().ok());
                Answer::Said(
                    parts.status.as_u16(),
                    media_type.unwrap_or_default().to_owned(),
                )
            }
        }
    }
}
