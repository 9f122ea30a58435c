//! Every answer that is not a success, in the form that OpenAI's clients read.

use axum::extract::rejection::BytesRejection;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{BODY_LIMIT, json};
use crate::model::EmbedError;

#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, message: String) -> Self {
        Self {
            status,
            message,
            param: None,
            code: None,
        }
    }

    /// The body as a whole cannot be used.
    pub(super) fn body(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// One member of the body is wrong.
    pub(super) fn parameter(name: &'static str, message: String) -> Self {
        Self {
            param: Some(name),
            ..Self::body(message)
        }
    }

    pub(super) fn media_type(found: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the content type is `{found}`; send `application/json`"),
        )
    }

    pub(super) fn unknown_model(found: &str, known: &str) -> Self {
        Self {
            param: Some("model"),
            code: Some("model_not_found"),
            ..Self::new(
                StatusCode::NOT_FOUND,
                format!("the model `{found}` does not exist; this server has `{known}`"),
            )
        }
    }
}

pub(super) async fn unknown_route(method: Method, uri: Uri) -> Refusal {
    Refusal {
        code: Some("unknown_url"),
        ..Refusal::new(
            StatusCode::NOT_FOUND,
            format!(
                "there is no {method} {}; try POST /v1/embeddings",
                uri.path()
            ),
        )
    }
}

/// The router adds which methods there are (`Allow`).
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    Refusal {
        code: Some("method_not_supported"),
        ..Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{} does not take {method}", uri.path()),
        )
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        let message = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            format!("the body is larger than {BODY_LIMIT} bytes; send fewer texts at once")
        } else {
            format!("the body could not be read: {}", rejection.body_text())
        };
        Self::new(rejection.status(), message)
    }
}

impl From<EmbedError> for Refusal {
    fn from(error: EmbedError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            message: &'a str,
            r#type: &'static str,
            param: Option<&'static str>,
            code: Option<&'static str>,
        }
        let error = Error {
            message: &self.message,
            r#type: if self.status.is_server_error() {
                "server_error"
            } else {
                "invalid_request_error"
            },
            param: self.param,
            code: self.code,
        };
        json(self.status, &Body { error })
    }
}
