//! The kinds of problems: status, type and title of each, in both forms in which the service answers.

use http::StatusCode;

/// The form of a component's problem documents. Both are those of RFC 9457.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problems {
    /// That of everything but the log of events.
    Records,
    /// That of the log of events: other types and titles, which its clients know, and `field_errors`.
    Events,
}

impl Problems {
    /// What types begin with.
    pub(crate) const fn base(self) -> &'static str {
        match self {
            Self::Records => "https://kubernaut.io/problems/",
            Self::Events => "https://kubernaut.ai/problems/",
        }
    }
}

/// The last part of a problem's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slug {
    /// The body breaks rules.
    ValidationError,
    /// `limit` is out of range.
    InvalidLimit,
    /// `offset` is out of range.
    InvalidOffset,
    /// `severity` is not a severity.
    InvalidSeverity,
    /// The id in the path is not an integer.
    InvalidId,
    /// Another parameter is unknown, repeated or unusable.
    InvalidParameter,
    /// The body is not JSON.
    MalformedJson,
    /// No such path or record.
    NotFound,
    /// There is no event from which effectiveness could be told.
    NoEffectiveness,
    /// The path has other methods.
    MethodNotAllowed,
    /// Nobody known calls.
    Unauthorized,
    /// The caller may not.
    Forbidden,
    /// The caller asks too often.
    RateLimitExceeded,
    /// The request contradicts what is stored.
    Conflict,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not declared as JSON, or as encoded.
    UnsupportedMediaType,
    /// The service failed.
    InternalError,
    /// Something the service needs is away.
    ServiceUnavailable,
    /// The database took too long.
    Timeout,
}

impl Slug {
    /// Status, slug and title.
    pub(crate) const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::ValidationError => (
                S::BAD_REQUEST,
                "validation-error",
                "The record is not valid",
            ),
            Self::InvalidLimit => (S::BAD_REQUEST, "invalid-limit", "The limit is out of range"),
            Self::InvalidOffset => (
                S::BAD_REQUEST,
                "invalid-offset",
                "The offset is out of range",
            ),
            Self::InvalidSeverity => (
                S::BAD_REQUEST,
                "invalid-severity",
                "The severity is unknown",
            ),
            Self::InvalidId => (S::BAD_REQUEST, "invalid-id", "The id is not an integer"),
            Self::InvalidParameter => (
                S::BAD_REQUEST,
                "invalid-parameter",
                "A parameter is not valid",
            ),
            Self::MalformedJson => (S::BAD_REQUEST, "malformed-json", "The body is not JSON"),
            Self::NotFound => (S::NOT_FOUND, "not-found", "Not found"),
            Self::NoEffectiveness => (
                S::NOT_FOUND,
                "effectiveness/not-found",
                "Effectiveness Assessment Not Found",
            ),
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The method is not allowed here",
            ),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "The caller is not known"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "The caller may not do this"),
            Self::RateLimitExceeded => (
                S::TOO_MANY_REQUESTS,
                "rate-limit-exceeded",
                "The caller asks too often",
            ),
            Self::Conflict => (
                S::CONFLICT,
                "conflict",
                "The request contradicts the stored record",
            ),
            Self::PayloadTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                "payload-too-large",
                "The body is too large",
            ),
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body is not declared as plain JSON",
            ),
            Self::InternalError => (
                S::INTERNAL_SERVER_ERROR,
                "internal-error",
                "The service failed",
            ),
            Self::ServiceUnavailable => (
                S::SERVICE_UNAVAILABLE,
                "service-unavailable",
                "The service is not available",
            ),
            Self::Timeout => (S::GATEWAY_TIMEOUT, "timeout", "The database took too long"),
        }
    }

    /// The title in a form of problem documents. The log's say nothing of records.
    pub(crate) const fn title(self, problems: Problems) -> &'static str {
        match (problems, self) {
            (Problems::Events, Self::ValidationError) => "Validation Error",
            (Problems::Events, Self::Unauthorized) => "Unauthorized",
            (_, other) => other.row().2,
        }
    }

    /// What older clients read: the slug in snake_case, or one word for everything that is wrong with what they sent, and words of their
    /// own for who they are.
    pub(crate) fn error(self) -> String {
        match self {
            Self::ValidationError
            | Self::InvalidLimit
            | Self::InvalidOffset
            | Self::InvalidSeverity
            | Self::InvalidId
            | Self::InvalidParameter
            | Self::MalformedJson => "validation_failed".to_owned(),
            Self::Unauthorized => "authentication_failed".to_owned(),
            Self::Forbidden => "authorization_failed".to_owned(),
            Self::NoEffectiveness => Self::NotFound.error(),
            _ => self.row().1.replace('-', "_"),
        }
    }
}
