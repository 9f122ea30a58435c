//! A row as JSON.

use std::error::Error as StdError;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

/// The columns that a reader sees, in the order of [`Audit::of`].
pub(crate) const COLUMNS: &str = "a.kind, a.id, a.name, a.namespace, a.phase, a.status, a.action_type, \
    a.alert_name, a.alert_fingerprint, a.severity, a.environment, a.cluster_name, a.target_resource, \
    a.remediation_request_id, a.correlation_id, a.start_time, a.end_time, a.duration, a.error_message, \
    a.analysis_type, a.confidence_score, a.findings, a.workflow_type, a.steps_completed, a.steps_total, \
    a.action, a.resource, a.metadata, a.document, nullif(a.embedding_model, ''), a.version, a.created_at, \
    a.updated_at";

/// A record in the API, borrowed from its row.
#[derive(Serialize)]
pub(crate) struct Audit<'a> {
    kind: &'a str,
    pub(crate) id: i64,
    name: &'a str,
    namespace: Option<&'a str>,
    phase: Option<&'a str>,
    status: Option<&'a str>,
    action_type: Option<&'a str>,
    alert_name: Option<&'a str>,
    alert_fingerprint: Option<&'a str>,
    severity: Option<&'a str>,
    environment: Option<&'a str>,
    cluster_name: Option<&'a str>,
    target_resource: Option<&'a str>,
    remediation_request_id: Option<&'a str>,
    correlation_id: Option<&'a str>,
    #[serde(serialize_with = "rfc3339_or_null")]
    start_time: Option<DateTime<Utc>>,
    #[serde(serialize_with = "rfc3339_or_null")]
    end_time: Option<DateTime<Utc>>,
    duration: Option<i64>,
    error_message: Option<&'a str>,
    analysis_type: Option<&'a str>,
    confidence_score: Option<f64>,
    findings: Option<Jsonb<'a>>,
    workflow_type: Option<&'a str>,
    steps_completed: Option<i64>,
    steps_total: Option<i64>,
    action: Option<&'a str>,
    resource: Option<&'a str>,
    metadata: Option<Jsonb<'a>>,
    document: Jsonb<'a>,
    embedding_model: Option<&'a str>,
    version: i32,
    #[serde(serialize_with = "rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "rfc3339")]
    updated_at: DateTime<Utc>,
}

impl<'a> Audit<'a> {
    /// Of a row of [`COLUMNS`].
    pub(crate) fn of(row: &'a Row) -> Self {
        Self {
            kind: row.get(0),
            id: row.get(1),
            name: row.get(2),
            namespace: row.get(3),
            phase: row.get(4),
            status: row.get(5),
            action_type: row.get(6),
            alert_name: row.get(7),
            alert_fingerprint: row.get(8),
            severity: row.get(9),
            environment: row.get(10),
            cluster_name: row.get(11),
            target_resource: row.get(12),
            remediation_request_id: row.get(13),
            correlation_id: row.get(14),
            start_time: row.get(15),
            end_time: row.get(16),
            duration: row.get(17),
            error_message: row.get(18),
            analysis_type: row.get(19),
            confidence_score: row.get(20),
            findings: row.get(21),
            workflow_type: row.get(22),
            steps_completed: row.get(23),
            steps_total: row.get(24),
            action: row.get(25),
            resource: row.get(26),
            metadata: row.get(27),
            document: row.get(28),
            embedding_model: row.get(29),
            version: row.get(30),
            created_at: row.get(31),
            updated_at: row.get(32),
        }
    }
}

/// The text of a `jsonb`, which is JSON already.
#[derive(Serialize)]
#[serde(transparent)]
struct Jsonb<'a>(&'a RawValue);

impl<'a> FromSql<'a> for Jsonb<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        // One byte of version before the text.
        let text = raw
            .strip_prefix(&[1])
            .ok_or("an unknown version of jsonb")?;
        Ok(Self(serde_json::from_slice(text)?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSONB
    }
}

/// A time in RFC 3339 with a trailing Z.
pub(crate) fn rfc3339<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn rfc3339_or_null<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, serializer),
        None => serializer.serialize_none(),
    }
}
