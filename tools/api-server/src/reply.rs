//! Answers, among them the API server's errors: objects of the kind `Status`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::review::Review;

/// An answer in full.
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Reply {
    /// A review that was created.
    pub(crate) fn created(body: impl Into<Vec<u8>>) -> Self {
        Self::new(StatusCode::CREATED, "application/json", body.into())
    }

    fn new(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))],
            body,
        }
    }

    /// Who calls is not known.
    pub(crate) fn unauthorized() -> Self {
        error(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "Unauthorized",
            None,
        )
    }

    /// The caller is `user`, who may not ask this.
    pub(crate) fn forbidden(review: Review, user: &str) -> Self {
        let (resource, group) = (review.resource(), review.group());
        let message = format!(
            "{resource}.{group} is forbidden: User {user:?} cannot create resource {resource:?} in API group {group:?} at the \
             cluster scope"
        );
        let details = json!({"group": group, "kind": resource});
        error(StatusCode::FORBIDDEN, "Forbidden", &message, Some(details))
    }

    pub(crate) fn not_found() -> Self {
        let message = "the server could not find the requested resource";
        error(StatusCode::NOT_FOUND, "NotFound", message, Some(json!({})))
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        error(status, "MethodNotAllowed", message, Some(json!({})))
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        error(StatusCode::BAD_REQUEST, "BadRequest", message, None)
    }

    pub(crate) fn unsupported_media_type() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types include: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        error(status, "UnsupportedMediaType", message, None)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        error(status, "RequestEntityTooLarge", &message, None)
    }

    /// `field` of a review is wrong, and `why`.
    pub(crate) fn invalid(review: Review, field: &str, why: &str) -> Self {
        let (kind, group) = (review.kind(), review.group());
        let message = format!("{kind}.{group} \"\" is invalid: {field}: Invalid value: {why}");
        let cause = json!({
            "reason": "FieldValueInvalid", "message": format!("Invalid value: {why}"), "field": field,
        });
        let details = json!({"group": group, "kind": kind, "causes": [cause]});
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        error(status, "Invalid", &message, Some(details))
    }

    pub(crate) fn internal_error() -> Self {
        let message = "Internal error occurred: etcdserver: request timed out";
        let details = json!({"causes": [{"message": "etcdserver: request timed out"}]});
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        error(status, "InternalError", message, Some(details))
    }

    pub(crate) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request";
        error(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            message,
            None,
        )
    }

    /// What priority and fairness says, as plain text.
    pub(crate) fn too_many_requests(seconds: u32) -> Self {
        let message = "Too many requests, please try again later.\n";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "text/plain; charset=utf-8", message.into())
            .header(RETRY_AFTER, seconds.into())
    }

    pub(crate) fn redirect(to: &'static str) -> Self {
        Self::new(StatusCode::FOUND, "text/html; charset=utf-8", Vec::new())
            .header(LOCATION, HeaderValue::from_static(to))
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// How many bytes the body has, and its first half.
    pub(crate) fn half(&self) -> (usize, Bytes) {
        let half = &self.body[..self.body.len() / 2];
        (self.body.len(), Bytes::copy_from_slice(half))
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }
}

fn error(status: StatusCode, reason: &str, message: &str, details: Option<Value>) -> Reply {
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status.as_u16(),
    });
    if let Some(details) = details {
        body["details"] = details;
    }
    Reply::new(status, "application/json", body.to_string().into_bytes())
}
