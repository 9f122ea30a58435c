//! An answer on its way out.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use instance::Outage;
use serde::Serialize;

/// Status, headers and a body of known length.
///
/// The length matters: without `content-length` the host sends chunks, and the last one waits for the
/// client's delayed acknowledgement, 44 ms on every request of a kept-alive connection.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    id: Option<i64>,
}

impl Reply {
    /// An answer with a body.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self {
            status,
            headers,
            body,
            id: None,
        }
    }

    /// 200 with JSON that PostgreSQL has made.
    pub fn json_text(body: String) -> Self {
        Self::new(StatusCode::OK, "application/json", body)
    }

    /// JSON made here.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, Outage> {
        let body = serde_json::to_string(value)
            .map_err(|error| Outage::Internal(format!("the answer does not serialise: {error}")))?;
        Ok(Self::new(status, "application/json", body))
    }

    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        let mut headers = HeaderMap::new();
        // Of a 204 it says nothing (RFC 9110, section 8.6).
        if status != StatusCode::NO_CONTENT {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        Self {
            status,
            headers,
            body: Bytes::new(),
            id: None,
        }
    }

    /// Adds a header. A value that no header can hold is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Names the record that the request was about, for the log.
    #[must_use]
    pub fn about(mut self, id: i64) -> Self {
        self.id = Some(id);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn id(&self) -> Option<i64> {
        self.id
    }

    pub(crate) fn into_parts(self) -> (StatusCode, HeaderMap, Bytes) {
        (self.status, self.headers, self.body)
    }
}
