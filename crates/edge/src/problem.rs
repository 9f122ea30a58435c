//! Errors, and the one place where they become answers: problem documents as in RFC 9457, with the
//! members that older clients read beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use audit::Violation;
use http::header::HeaderName;
use instance::Outage;
use serde::Serialize;

use crate::permission::Permission;
use crate::reply::Reply;
use crate::request_id::RequestIds;
use crate::slug::{Problems, Slug};

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
    /// Something else that the request names does not exist.
    NotFound {
        /// The kind of problem.
        slug: Slug,
        /// What does not exist.
        detail: String,
    },
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

/// The document. `field`, `errors` and `field_errors` are there where a field is to blame, the last one in the log's form.
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    field_errors: BTreeMap<&'a str, String>,
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
            Self::Parameter { slug, .. } | Self::NotFound { slug, .. } => *slug,
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
            Self::NotFound { detail, .. } => detail.clone(),
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
    pub(crate) fn reply(&self, problems: Problems, path: &str, ids: &RequestIds) -> Reply {
        let (status, slug, _) = self.slug().row();
        let detail = self.detail();
        let violations = self.violations();
        let problem = Problem {
            r#type: format!("{}{slug}", problems.base()),
            title: self.slug().title(problems),
            status: status.as_u16(),
            detail: &detail,
            instance: &audit::redact(path),
            error: self.slug().error(),
            message: &detail,
            field: violations.first().map(|first| first.field.as_str()),
            errors: &violations,
            field_errors: match problems {
                Problems::Records => BTreeMap::new(),
                Problems::Events => field_errors(&violations),
            },
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

/// What is wrong with each field, in words.
fn field_errors(violations: &[Violation]) -> BTreeMap<&str, String> {
    let mut errors: BTreeMap<&str, String> = BTreeMap::new();
    for violation in violations {
        let field = match violation.field.as_str() {
            "" => "body",
            field => field,
        };
        let said = errors.entry(field).or_default();
        if !said.is_empty() {
            said.push_str("; ");
        }
        said.push_str(&violation.message);
    }
    errors
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
