//! Why a server that a request needs gave no answer.

use std::borrow::Cow;
use std::time::Duration;

/// What a failure of PostgreSQL or of the embedding provider means for a request. The crates that talk to
/// these servers turn their failures into it, and the edge turns it into an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outage {
    /// The server is away or refuses the service.
    Unavailable {
        /// What it did, for the log.
        reason: Cow<'static, str>,
        /// What the client is told.
        detail: &'static str,
        /// When the client may try again.
        retry_after: Duration,
    },
    /// The server did not answer in time.
    Timeout,
    /// The service itself failed; for the log.
    Internal(String),
}

impl Outage {
    /// A server is away and may be back in a second.
    pub fn unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            detail: "a service that this one needs is away; try again shortly",
            retry_after: Duration::from_secs(1),
        }
    }

    /// For the log.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unavailable { reason, .. } => Some(reason),
            Self::Timeout => None,
            Self::Internal(reason) => Some(reason),
        }
    }
}
