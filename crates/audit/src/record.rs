//! A record as one post states it.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::content::push_hexadecimal;
use crate::embedding::{Embedding, Parts};
use crate::kind::Kind;

/// What one post states about one record, checked and ready for storage. Serialises as an `audit_post`
/// (`migrations/tables/0001_tables.sql`): the columns of a record, and the key. Digests are as PostgreSQL reads them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// SHA-256 of the natural key. Unique per kind.
    #[serde(serialize_with = "bytea")]
    pub key: [u8; 32],
    /// SHA-256 of `columns` and `document`: equal content has an equal hash, in whatever order its
    /// members came.
    #[serde(rename = "content_hash", serialize_with = "bytea")]
    pub hash: [u8; 32],
    /// The order of the state that this post carries: 0 pending, 1 under way, 2 finished. The
    /// higher one if phase and status differ, `None` if it carries neither.
    #[serde(rename = "state_rank", skip_serializing_if = "Option::is_none")]
    pub rank: Option<u8>,
    /// Whether the name only stands in for a real one, as in the compact form.
    #[serde(rename = "name_is_stand_in")]
    pub stand_in: bool,
    /// Whether the post says when it started. A creation time that stands in for that is not held against an end: it is the
    /// clock of another machine.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub start_is_known: bool,
    /// Columns and their values: what the post states, and the status and target that follow from
    /// it. Null clears a column; what the post leaves out is absent. Times are UTC texts, `duration`
    /// is in milliseconds.
    #[serde(flatten)]
    pub columns: Map<String, Value>,
    /// What has no column, under the name it came with.
    pub document: Map<String, Value>,
    /// The id to store a new record under, if one was reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The full user name of who posts it; nothing if nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
    /// The request that posts it, a UUID; nothing until it is about to be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The vector of [`Record::embedding_text`]; nothing while it is to be made.
    #[serde(flatten)]
    pub embedding: Option<Embedding>,
}

impl Record {
    /// The text to embed the record by; nothing if there is nothing to say.
    pub fn embedding_text(&self) -> Option<String> {
        Parts::of(&self.columns, &self.document).text()
    }
}

impl Record {
    /// The record as JSON. Fails never in practice: no value here has a form that JSON lacks.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// An array of records as JSON, as [`Record::to_json`].
    pub fn all_to_json(records: &[Self]) -> serde_json::Result<String> {
        serde_json::to_string(records)
    }
}

/// Writes a digest as PostgreSQL reads it: `\x` and 64 hexadecimal digits.
pub(crate) fn bytea<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(66);
    text.push_str("\\x");
    push_hexadecimal(&mut text, digest);
    serializer.serialize_str(&text)
}
