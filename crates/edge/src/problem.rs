//! Errors, and the one place where they become answers: problem documents as in RFC 9457, with the
//! members that older clients read beside them.

use std::time::Duration;

use audit::Violation;
use http::StatusCode;
use http::header::HeaderName;
use instance::Outage;
use serde::Serialize;

use crate::permission::Permission;
use crate::reply::Reply;
use crate::request_id::RequestIds;

/// What an endpoint returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can be wrong with a request or keep it from being answered.
///
/// What an [`Outage`] gives as its reason goes to the log only.
#[derive(Debug)]
pub enum Error {
    /// The body breaks these rules.
    Invalid(Vec<Violation>),
    /// The body is not JSON.
    Malformed(audit::json::Malformed),
    /// A query parameter or a part of the path is unusable.
    Parameter {
        /// The kind of problem.
        slug: Slug,
        /// The parameter.
        name: String,
        /// What is wrong with it; reads on from its name.
        message: String,
    },
    /// No endpoint has this path.
    UnknownPath,
    /// The path has other methods: these.
    MethodNotAllowed(String),
    /// The record does not exist.
    NoSuchRecord,
    /// Nobody known calls: why, and what to send.
    Unauthorized(&'static str),
    /// The caller lacks this permission.
    Forbidden(Permission),
    /// The caller asks more often than it may, until so much later.
    RateLimitExceeded(Duration),
    /// The request contradicts what is stored.
    Conflict(Vec<Violation>),
    /// The body has more than this many bytes.
    PayloadTooLarge(usize),
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is declared as encoded, such as compressed.
    UnsupportedEncoding,
    /// A server that the request needs gave no answer, or the service itself failed.
    Outage(Outage),
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
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
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

    /// What older clients read: the slug in snake_case, or one word for everything that is wrong with what they sent, and words of their
    /// own for who they are.
    fn error(self) -> String {
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
            _ => self.row().1.replace('-', "_"),
        }
    }
}

/// The document. `field` and `errors` are there where a field is to blame.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    error: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
    correlation_id: &'a str,
}

impl Error {
    /// A query parameter is unusable.
    pub fn parameter(name: &str, message: &str) -> Self {
        Self::Parameter {
            slug: Slug::InvalidParameter,
            // The client's own word, where it is no parameter.
            name: audit::redact(name).into_owned(),
            message: message.to_owned(),
        }
    }

    /// What the log says beyond the status.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Outage(outage) => outage.reason(),
            _ => None,
        }
    }

    /// Counts what the client is told.
    pub(crate) fn count(&self) {
        match self {
            Self::Invalid(violations) | Self::Conflict(violations) => {
                for violation in violations {
                    metrics::violation(&violation.field, violation.code);
                }
            }
            Self::Parameter { .. } => metrics::wrong_parameter(),
            Self::RateLimitExceeded(_) => metrics::rate_limited(),
            _ => {}
        }
    }

    fn slug(&self) -> Slug {
        match self {
            Self::Invalid(_) => Slug::ValidationError,
            Self::Malformed(_) => Slug::MalformedJson,
            Self::Parameter { slug, .. } => *slug,
            Self::UnknownPath | Self::NoSuchRecord => Slug::NotFound,
            Self::MethodNotAllowed(_) => Slug::MethodNotAllowed,
            Self::Unauthorized(_) => Slug::Unauthorized,
            Self::Forbidden(_) => Slug::Forbidden,
            Self::RateLimitExceeded(_) => Slug::RateLimitExceeded,
            Self::Conflict(_) => Slug::Conflict,
            Self::PayloadTooLarge(_) => Slug::PayloadTooLarge,
            Self::UnsupportedMediaType | Self::UnsupportedEncoding => Slug::UnsupportedMediaType,
            Self::Outage(Outage::Unavailable { .. }) => Slug::ServiceUnavailable,
            Self::Outage(Outage::Timeout) => Slug::Timeout,
            Self::Outage(Outage::Internal(_)) => Slug::InternalError,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Invalid(violations) | Self::Conflict(violations) => summary(violations),
            Self::Malformed(malformed) => malformed.to_string(),
            Self::Parameter { name, message, .. } if name.is_empty() => {
                format!("the query string {message}")
            }
            Self::Parameter { name, message, .. } => format!("`{name}` {message}"),
            Self::UnknownPath => "no endpoint has this path; see the API description for those there are".into(),
            Self::MethodNotAllowed(allow) => format!("this path takes {allow}"),
            Self::NoSuchRecord => "there is no record with this id".into(),
            Self::Unauthorized(why) => (*why).to_owned(),
            Self::Forbidden(permission) => {
                format!("this needs the permission `{permission}`, which the caller does not have")
            }
            Self::RateLimitExceeded(_) => "the caller is over its limit of requests per second; send less, or try again later".into(),
            Self::PayloadTooLarge(limit) => {
                format!("the body may have at most {limit} bytes; send less at once")
            }
            Self::UnsupportedMediaType => "send `Content-Type: application/json`".into(),
            Self::UnsupportedEncoding => {
                "send the body as it is, not compressed, and without `Content-Encoding`".into()
            }
            Self::Outage(Outage::Unavailable { detail, .. }) => (*detail).to_owned(),
            Self::Outage(Outage::Timeout) => "the database did not answer in time; ask for less, or try again".into(),
            Self::Outage(Outage::Internal(_)) => "the request could not be processed; the log has the reason under the correlation id".into(),
        }
    }

    /// The answer to the request at `path`.
    pub(crate) fn reply(&self, path: &str, ids: &RequestIds) -> Reply {
        let (status, slug, title) = self.slug().row();
        let detail = self.detail();
        let violations = self.violations();
        let problem = Problem {
            r#type: format!("https://kubernaut.io/problems/{slug}"),
            title,
            status: status.as_u16(),
            detail: &detail,
            instance: &audit::redact(path),
            error: self.slug().error(),
            message: &detail,
            field: violations.first().map(|first| first.field.as_str()),
            errors: &violations,
            correlation_id: &ids.correlation,
        };
        // A struct of texts and numbers always serialises.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let reply = Reply::new(status, "application/problem+json", body);
        match self {
            Self::MethodNotAllowed(allow) => reply.header(http::header::ALLOW, allow),
            // RFC 6750, section 3.
            Self::Unauthorized(_) => reply.header(http::header::WWW_AUTHENTICATE, "Bearer"),
            Self::RateLimitExceeded(wait) => reply
                .header(http::header::RETRY_AFTER, &seconds(*wait))
                .header(HeaderName::from_static("x-ratelimit-remaining"), "0"),
            // RFC 9110, section 12.5.3: which one would be supported.
            Self::UnsupportedEncoding => reply.header(http::header::ACCEPT_ENCODING, "identity"),
            Self::Outage(Outage::Unavailable { retry_after, .. }) => {
                reply.header(http::header::RETRY_AFTER, &seconds(*retry_after))
            }
            _ => reply,
        }
    }

    fn violations(&self) -> Vec<Violation> {
        match self {
            Self::Invalid(violations) | Self::Conflict(violations) => violations.clone(),
            Self::Parameter { name, message, .. } => vec![Violation {
                field: name.clone(),
                code: audit::Code::InvalidValue,
                message: message.clone(),
            }],
            _ => Vec::new(),
        }
    }
}

/// Whole seconds, rounded up: who waits that long does not wait in vain.
fn seconds(wait: Duration) -> String {
    let up = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(up).max(1).to_string()
}

/// The first violation in words, and how many there are beside it.
fn summary(violations: &[Violation]) -> String {
    let Some(first) = violations.first() else {
        return String::new();
    };
    let subject = if first.field.is_empty() {
        first.message.clone()
    } else {
        format!("`{}` {}", first.field, first.message)
    };
    match violations.len().saturating_sub(1) {
        0 => subject,
        1 => format!("{subject}; and one more violation, see `errors`"),
        more => format!("{subject}; and {more} more violations, see `errors`"),
    }
}

impl From<Outage> for Error {
    fn from(outage: Outage) -> Self {
        Self::Outage(outage)
    }
}

impl From<audit::json::Malformed> for Error {
    fn from(malformed: audit::json::Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Vec<Violation>> for Error {
    fn from(violations: Vec<Violation>) -> Self {
        Self::Invalid(violations)
    }
}
