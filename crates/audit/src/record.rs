//! A record as one post states it.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Embedding, Kind};

/// What one post states about one record, checked and ready for storage. Serialises as the object
/// that the database function takes, with `key` and `hash` in hexadecimal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// What it is about.
    pub kind: Kind,
    /// SHA-256 of the natural key. Unique per kind.
    #[serde(serialize_with = "hex")]
    pub key: [u8; 32],
    /// SHA-256 of `columns` and `document`: equal content has an equal hash, in whatever order its
    /// members came.
    #[serde(serialize_with = "hex")]
    pub hash: [u8; 32],
    /// The order of the state that this post carries: 0 pending, 1 under way, 2 finished. The
    /// higher one if phase and status differ, `None` if it carries neither.
    pub rank: Option<u8>,
    /// Whether the name only stands in for a real one, as in the compact form.
    pub stand_in: bool,
    /// Columns and their values: what the post states, and the status and target that follow from
    /// it. Null clears a column; what the post leaves out is absent. Times are UTC texts, `duration`
    /// is in milliseconds.
    pub columns: Map<String, Value>,
    /// What has no column, under the name it came with.
    pub document: Map<String, Value>,
    /// The id to store a new record under, if one was reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The vector of [`Record::embedding_text`]; nothing while it is to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
}

/// Writes a digest as 64 hexadecimal digits.
pub(crate) fn hex<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(64);
    for digit in digest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]) {
        text.extend(char::from_digit(u32::from(digit), 16));
    }
    serializer.serialize_str(&text)
}
