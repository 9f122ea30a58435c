//! An HTTP client for tests. Every answer is checked against the API's description.

use std::ops::RangeBounds;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use patience::{in_time, until, until_found};
use serde_json::Value;

use super::openapi;
use super::routes::is_of_the_log;

/// Talks to one service. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    base: String,
    /// The header that says who calls, if one does.
    authorization: Option<String>,
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// A client of the service at `base`, for example `http://127.0.0.1:3000`.
    pub fn new(base: &str) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .expect("the system's certificates")
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            authorization: None,
            http: Http::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// The same for the caller whose token this is.
    #[must_use]
    pub fn with_token(&self, token: impl AsRef<str>) -> Self {
        Self {
            authorization: Some(format!("Bearer {}", token.as_ref())),
            ..self.clone()
        }
    }

    /// The service's address, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// What readiness says now; an answer may be of a second ago.
    pub async fn readiness(&self) -> Answer {
        let now = Utc::now();
        until_found("readiness is checked anew", async || {
            let answer = self.get("/ready").await;
            let body: Value = serde_json::from_slice(&answer.body).ok()?;
            let checked: DateTime<Utc> = body["timestamp"].as_str()?.parse().ok()?;
            (checked > now).then_some(answer)
        })
        .await
    }

    /// Waits until `/metrics` says that this series, a counter, has got so far: it is counted shortly after an answer.
    pub async fn counted(&self, series: &str, expected: impl RangeBounds<f64>) {
        until(&format!("{series} is counted"), async || {
            let text = self.get("/metrics").await.text();
            let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
            let number = lines.find_map(|(name, number)| (name == series).then_some(number));
            let number = number.and_then(|number| number.parse().ok());
            number.is_some_and(|number: f64| expected.contains(&number))
        })
        .await;
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    /// `PATCH` of a JSON merge patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Bytes::new()).await
    }

    /// JSON with any method.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let headers = [(CONTENT_TYPE.as_str(), "application/json")];
        self.send(method, path, &headers, body.to_string()).await
    }

    /// Any request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let answer = self.try_send(method.clone(), path, headers, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any request, to a service that may break off.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.http.request(request).await?;
            let (parts, body) = response.into_parts();
            Ok((parts, body.collect().await?.to_bytes()))
        };
        let outcome: Result<_, Box<dyn std::error::Error + Send + Sync>> = in_time(exchange)
            .await
            .ok_or("no answer, and no end of the connection either")?;
        let (parts, body) = outcome.map_err(|error| format!("{error:?}"))?;
        let answer = Answer {
            request: format!("{method} {path}"),
            status: parts.status,
            headers: parts.headers,
            body,
        };
        answer.check_length(&method);
        answer.check_discretion();
        answer.check_seclusion();
        openapi::check(&method, path, &answer);
        Ok(answer)
    }
}

/// What most tests begin and end with.
impl Client {
    /// Posts a record that nobody has stored before, and returns its id.
    pub async fn create(&self, path: &str, body: &Value) -> i64 {
        self.write(path, body, "persisted").await
    }

    /// Posts a record that must be answered with this `status`, and returns its id.
    pub async fn write(&self, path: &str, body: &Value, status: &str) -> i64 {
        let created = self.post(path, body).await.expect(201);
        assert_eq!(created["status"], status, "{created} to {body}");
        created["id"].as_i64().expect("an id")
    }

    /// The record of a kind that must be there.
    pub async fn record(&self, kind: &str, id: i64) -> Value {
        let path = format!("/api/v1/query/{kind}/{id}");
        self.get(&path).await.expect(200)
    }

    /// Looks whether a record is as it was. When it is embedded is not what a client did.
    pub async fn unchanged(&self, kind: &str, id: i64, before: &Value) {
        let written = |record: &Value| {
            let mut record = record.clone();
            if let Some(members) = record.as_object_mut() {
                members.remove("embedding_model");
            }
            record
        };
        assert_eq!(written(&self.record(kind, id).await), written(before));
    }

    /// The states of a record that must be there, oldest first.
    pub async fn versions(&self, kind: &str, id: i64) -> Vec<Value> {
        let path = format!("/api/v1/query/{kind}/{id}/versions?limit=1000");
        let answer = self.get(&path).await.expect(200);
        answer["versions"].as_array().expect("versions").clone()
    }

    /// How many records of a kind a namespace has.
    pub async fn count(&self, kind: &str, namespace: &str) -> i64 {
        let path = format!("/api/v1/query/{kind}?namespace={namespace}&limit=1");
        let list = self.get(&path).await.expect(200);
        list["total"].as_i64().expect("a total")
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path, for messages.
    pub request: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{} answered {}: {}",
            self.request,
            self.status,
            self.text()
        );
        self.value()
    }

    /// The problem document of an answer that must be this problem.
    #[track_caller]
    pub fn problem(&self, status: u16, slug: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(problem["type"], self.problem_type(slug), "{problem}");
        assert_eq!(problem["status"], status);
        problem
    }

    /// The whole type of a problem. Those of the log of events begin in their own way.
    fn problem_type(&self, slug: &str) -> String {
        let path = self.request.split(' ').nth(1).unwrap_or_default();
        let house = if is_of_the_log(path) { "ai" } else { "io" };
        format!("https://kubernaut.{house}/problems/{slug}")
    }

    /// The pairs of field and code of a problem's `errors`, sorted.
    pub fn violations(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let problem = self.value();
        let errors = problem["errors"].as_array();
        let mut pairs: Vec<_> = errors
            .into_iter()
            .flatten()
            .map(|error| (text(&error["field"]), text(&error["code"])))
            .collect();
        pairs.sort();
        pairs
    }

    /// A body without `content-length` would go out in chunks, the last of which waits for the
    /// client's delayed acknowledgement.
    fn check_length(&self, method: &Method) {
        let length = self.header("content-length");
        assert_eq!(self.header("transfer-encoding"), None, "{}", self.request);
        if self.status == StatusCode::NO_CONTENT {
            assert!(self.body.is_empty(), "{}", self.request);
        } else if method == Method::HEAD {
            assert!(length.is_some(), "{}: no content-length", self.request);
            assert!(self.body.is_empty(), "{}: a body", self.request);
        } else {
            let expected = self.body.len().to_string();
            assert_eq!(length, Some(expected.as_str()), "{}", self.request);
        }
    }

    /// No problem names what is behind the service: tables, the server, source files.
    fn check_discretion(&self) {
        const INTERNALS: [&str; 9] = [
            "_audit",
            "audit_",
            "sqlstate",
            "postgres",
            "pgvector",
            "panicked",
            "wasm",
            ".rs:",
            "127.0.0.1",
        ];
        if self.header("content-type") != Some("application/problem+json") {
            return;
        }
        let text = self.text().to_lowercase();
        for word in INTERNALS {
            assert!(
                !text.contains(word),
                "{} names {word}: {text}",
                self.request
            );
        }
    }

    /// Browsers take an answer for nothing else than it says, keep none, and show none to the scripts of other origins.
    fn check_seclusion(&self) {
        // The host's own answer to a flood of headers.
        if self.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
            return;
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            let found: Vec<_> = self.headers.get_all(name).iter().collect();
            assert_eq!(
                found,
                [value],
                "{}: {name} {} {:?}",
                self.request,
                self.status,
                self.text()
            );
        }
        let mut names = self.headers.keys().map(http::HeaderName::as_str);
        let other_origins = names.find(|name| name.starts_with("access-control-"));
        assert_eq!(other_origins, None, "{}", self.request);
    }
}
