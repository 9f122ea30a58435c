//! A change of a stored record's life cycle, as a JSON merge patch (RFC 7396).

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fields::patchable;
use crate::reader::{Reader, object};
use crate::record::bytea;
use crate::rule::Context;
use crate::violation::{Code, Violation, Violations};
use crate::{Kind, consistency, content, free, sanitise, state};

/// What one merge patch states, checked and ready for storage. Serialises as the object that the
/// database function takes, with `hash` as PostgreSQL reads it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Patch {
    /// SHA-256 of `columns` and `document`.
    #[serde(serialize_with = "bytea")]
    pub hash: [u8; 32],
    /// As in [`Record`](crate::Record).
    pub rank: Option<u8>,
    /// Columns and their values; null clears one. `metadata` is itself a merge patch, to be applied
    /// to the stored object.
    pub columns: Map<String, Value>,
    /// Members of the document and their values; null removes one.
    pub document: Map<String, Value>,
}

impl Patch {
    /// The patch as JSON, as [`Record::to_json`](crate::Record::to_json).
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// Reads a merge patch in snake_case.
///
/// Only members of the life cycle may be in it. Null clears one; Go's zero time and the empty text leave it as it is, since
/// typed clients send them for what they do not set. Whether `end_time` and `steps_completed` agree with
/// what is stored and not in the patch is for the database to see. Errors as in
/// [`read`](crate::read).
pub fn read_patch(kind: Kind, body: Value, now: DateTime<Utc>) -> Result<Patch, Vec<Violation>> {
    let mut violations = Violations::default();
    let patch = read(Context { kind, now }, body, &mut violations);
    match patch {
        Some(patch) if violations.is_empty() => Ok(patch),
        _ => Err(violations.into_list()),
    }
}

fn read(context: Context, body: Value, violations: &mut Violations) -> Option<Patch> {
    let mut body = object(body, violations)?;
    let mut reader = Reader::new(context, violations);
    for field in patchable(context.kind) {
        // Null would clear it, but a record always has a state.
        let is_cleared = body.get(field.name).is_some_and(Value::is_null);
        let lasting = matches!(field.name, "phase" | "status") && is_cleared;
        reader.member(&mut body, field, lasting);
    }
    for name in body.keys() {
        read_only(context.kind, name, reader.violations);
    }
    reader.finish();
    consistency::check_steps(&mut reader, "steps_completed", "steps_total");
    consistency::derive_status(&mut reader);
    let Reader {
        mut columns,
        mut document,
        ..
    } = reader;
    sanitise::object(&mut columns);
    sanitise::object(&mut document);
    Some(Patch {
        hash: content::digest(&columns, &document),
        rank: state::rank_of(&columns),
        columns,
        document,
    })
}

fn read_only(kind: Kind, name: &str, violations: &mut Violations) {
    let names: Vec<_> = patchable(kind).map(|field| field.name).collect();
    let mut path = String::new();
    free::push_key(&mut path, name);
    let message = format!("cannot be changed by PATCH; only {} can", names.join(", "));
    violations.add(&path, Code::ReadOnly, message);
}
