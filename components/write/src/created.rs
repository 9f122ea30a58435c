//! The 201: one form for every client, with the members of all three documented ones.

use audit::Record;
use postgres::{Outcome, Stored};
use serde::Serialize;

/// What a client learns of a record that it posted.
#[derive(Debug, Serialize)]
pub(crate) struct Created {
    id: i64,
    /// The id as a text, for clients of the compact form.
    #[serde(rename = "auditID")]
    id_text: String,
    #[serde(rename = "created_at")]
    time: String,
    #[serde(rename = "createdAt")]
    time_camel: String,
    /// Null until the record is embedded.
    embedding_id: Option<i64>,
    #[serde(rename = "embeddingId")]
    embedding_id_camel: Option<i64>,
    /// `persisted`, `duplicate`, `stale` or `updated`.
    status: &'static str,
    message: &'static str,
}

impl Created {
    /// What became of `record`.
    pub(crate) fn of(stored: &Stored, record: &Record) -> Self {
        let (status, message) = match stored.outcome {
            Outcome::Duplicate => (
                "duplicate",
                "Audit record was stored before; nothing changed",
            ),
            Outcome::Stale => (
                "stale",
                "Audit record has a later state already; nothing changed",
            ),
            Outcome::Updated => ("updated", "Audit record updated successfully"),
            // The others are errors before this.
            Outcome::Persisted
            | Outcome::Conflict
            | Outcome::EndBeforeStart
            | Outcome::StepsExceedTotal
            | Outcome::TooLarge => ("persisted", "Audit record created successfully"),
        };
        let time = audit::stored_at(stored.id);
        let embedding_id = stored.is_embedded(record).then_some(stored.id);
        Self {
            id: stored.id,
            id_text: stored.id.to_string(),
            time: time.clone(),
            time_camel: time,
            embedding_id,
            embedding_id_camel: embedding_id,
            status,
            message,
        }
    }
}
