//! Who calls, as the API server says.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A caller whose token was accepted (`authentication.k8s.io/v1`, `UserInfo`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The full user name, such as `system:serviceaccount:NAMESPACE:NAME`. The API server leaves it out where it refuses.
    #[serde(default)]
    pub username: String,
    /// Tells a deleted account from a new one of the same name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) uid: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

/// Something that was found out, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known<T> {
    /// The SHA-256 of the token, and what was asked about it.
    pub(crate) key: String,
    pub(crate) value: T,
    /// Milliseconds since 1970.
    pub(crate) until: i64,
}

/// How long a positive answer is believed.
pub(crate) const MAX_AGE: Duration = Duration::from_mins(1);
const MAX_AGE_MS: i64 = 60_000;

/// Whether something may be believed until then. What lies further ahead than any entry made now was made by a clock gone wrong.
pub(crate) fn is_valid(until: i64, now: DateTime<Utc>) -> bool {
    let left = until.saturating_sub(now.timestamp_millis());
    (1..=MAX_AGE_MS).contains(&left)
}

/// Until when an answer that was given now is believed: a minute, and no longer than the token lives.
pub(crate) fn until(now: DateTime<Utc>, expires: Option<DateTime<Utc>>) -> i64 {
    let minute = now.timestamp_millis().saturating_add(MAX_AGE_MS);
    expires.map_or(minute, |expires| minute.min(expires.timestamp_millis()))
}
