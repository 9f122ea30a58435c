//! Why a text has no vector.

use std::time::Duration;

use instance::Outage;

/// Why there is no vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody makes embeddings here.
    Disabled,
    /// The provider is away, too slow or refuses the service; for the log.
    Unavailable {
        /// What it did.
        reason: &'static str,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider refuses this very text, or has no vector for it while it has for others.
    Refused,
}

impl Failure {
    pub(crate) const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable {
            reason,
            retry_after: None,
        }
    }

    /// How long the provider asked to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Disabled | Self::Refused => None,
        }
    }

    /// For the log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "no embedding provider is configured",
            Self::Unavailable { reason, .. } => reason,
            Self::Refused => "the embedding provider refuses a text",
        }
    }
}

/// When a client may try again, whatever the provider asks for: it may be back much sooner.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_mins(1);

impl From<Failure> for Outage {
    fn from(failure: Failure) -> Self {
        Self::Unavailable {
            reason: failure.reason().into(),
            detail: match failure {
                Failure::Disabled => {
                    "no embedding provider is configured, so questions cannot be compared with records; \
                     lists and timelines work without"
                }
                Failure::Unavailable { .. } | Failure::Refused => {
                    "the embedding provider is away, so the question cannot be compared with records; \
                     try again shortly"
                }
            },
            retry_after: failure
                .retry_after()
                .unwrap_or_default()
                .clamp(SOONEST, LATEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_to_come_back_within_a_minute() {
        for (asked, told) in [(0, 1), (7, 7), (60, 60), (3_600, 60)] {
            let failure = Failure::Unavailable {
                reason: "it refuses",
                retry_after: Some(Duration::from_secs(asked)),
            };
            let Outage::Unavailable { retry_after, .. } = failure.into() else {
                panic!("not unavailable");
            };
            assert_eq!(retry_after.as_secs(), told, "{asked}");
        }
    }
}
