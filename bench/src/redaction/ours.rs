//! What this service makes of the corpus.

use audit::{Dialect, Kind, json, redact};
use chrono::DateTime;
use corpus::{Fate, Harmless, Secrets, judge};
use serde_json::Value;

use super::score::Score;

/// What stands in a secret's place (contract, sanitising).
pub(super) const REPLACEMENT: &str = "***REDACTED***";

/// When records are stored: a time after that of the record, in nanoseconds since 1970.
const NOW: i64 = 1_780_000_000_000_000_000;

/// What only a tool that changes texts can do wrong.
#[derive(Default)]
pub(super) struct Own {
    /// Secrets of which a part is left.
    pub(super) partial: usize,
    /// Texts in which something beside the secrets changed.
    pub(super) surroundings: usize,
    /// Texts that change again if they are redacted again.
    pub(super) unstable: usize,
    /// By harmless text: whether a record keeps it as it is, that is, with markup taken out, too.
    pub(super) stored_differs: Vec<bool>,
}

pub(super) fn measure(secrets: &[Secrets], harmless: &[Harmless]) -> (Own, Score) {
    let mut own = Own::default();
    let mut found = Vec::new();
    for entry in secrets {
        let redacted = redact(&entry.marked.text()).into_owned();
        let verdict = judge(&entry.marked, &redacted, REPLACEMENT);
        let partial = verdict.fates.iter().filter(|it| **it == Fate::Partial);
        own.partial += partial.count();
        own.surroundings += usize::from(!verdict.outside_kept);
        own.unstable += usize::from(redact(&redacted) != redacted);
        found.push(verdict.fates.iter().map(|it| *it == Fate::Gone).collect());
    }
    let mut damaged = Vec::new();
    for entry in harmless {
        let redacted = redact(&entry.text);
        own.unstable += usize::from(redact(&redacted) != redacted);
        damaged.push(redacted != entry.text);
        own.stored_differs
            .push(stored(&entry.text).as_deref() != Some(entry.text.as_str()));
    }
    (own, Score { found, damaged })
}

/// The text as a record keeps it in its metadata.
fn stored(text: &str) -> Option<String> {
    let body = serde_json::json!({
        "name": "a", "namespace": "b", "status": "running", "phase": "processing", "action_type": "drain_node",
        "start_time": "2026-02-03T04:05:06Z", "remediation_request_id": "d", "alert_fingerprint": "e",
        "severity": "critical", "environment": "staging", "cluster_name": "f", "target_resource": "node/g",
        "metadata": {"corpus-text": text},
    });
    let body = json::parse(body.to_string().as_bytes()).ok()?;
    let now = DateTime::from_timestamp_nanos(NOW);
    let record = audit::read(Kind::Remediation, Dialect::Store, body, None, now).ok()?;
    let record: Value = serde_json::from_str(&record.to_json().ok()?).ok()?;
    member(&record)
}

/// The text, wherever it is in the record.
fn member(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => members
            .get("corpus-text")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| members.values().find_map(member)),
        _ => None,
    }
}
