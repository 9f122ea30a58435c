//! Errors as problem documents.

use audit::Violation;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request has no answer of its own.
#[derive(Debug)]
pub(crate) enum Error {
    /// 400, with what is wrong.
    Invalid(Vec<Violation>),
    /// 400, with the reason.
    Malformed(String),
    /// 404.
    NotFound,
    /// 409: the key of another record.
    Conflict,
    /// 503: the database.
    Database(String),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Invalid(violations)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Invalid(violations) => {
                let all: Vec<_> = violations
                    .iter()
                    .map(|violation| format!("{}: {}", violation.field, violation.message))
                    .collect();
                (StatusCode::BAD_REQUEST, all.join("; "))
            }
            Self::Malformed(reason) => (StatusCode::BAD_REQUEST, reason),
            Self::NotFound => (StatusCode::NOT_FOUND, "no such record".to_owned()),
            Self::Conflict => (
                StatusCode::CONFLICT,
                "another record has this key".to_owned(),
            ),
            Self::Database(reason) => {
                eprintln!("the database: {reason}");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "try again later".to_owned(),
                )
            }
        };
        let problem = json!({"status": status.as_u16(), "detail": detail});
        (status, Json(problem)).into_response()
    }
}
