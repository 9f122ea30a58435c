//! The 201: one form for every client, with the members of all three documented ones.

use serde::Serialize;

use crate::store::Stored;

/// What a client learns of a record that it posted.
#[derive(Debug, Serialize)]
pub(crate) struct Created<'a> {
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
    status: &'a str,
    message: &'static str,
}

impl<'a> Created<'a> {
    pub(crate) fn of(stored: &'a Stored) -> Self {
        let time = audit::stored_at(stored.id);
        let embedding_id = stored.embedded.unwrap_or_default().then_some(stored.id);
        Self {
            id: stored.id,
            id_text: stored.id.to_string(),
            time: time.clone(),
            time_camel: time,
            embedding_id,
            embedding_id_camel: embedding_id,
            status: &stored.status,
            message: match &*stored.status {
                "duplicate" => "Audit record was stored before; nothing changed",
                "stale" => "Audit record has a later state already; nothing changed",
                "updated" => "Audit record updated successfully",
                _ => "Audit record created successfully",
            },
        }
    }
}
