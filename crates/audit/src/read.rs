//! From a JSON value to a record, or to everything that is wrong with it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::content::{self, NaturalKey};
use crate::embedding::{Embedding, Parts};
use crate::form::{Dialect, Form};
use crate::kind::Kind;
use crate::reader::{Reader, object};
use crate::record::Record;
use crate::rule::Context;
use crate::violation::{Code, Violation, Violations};
use crate::{consistency, sanitise, state, time};

/// The most records of one batch (contract, batch).
pub const MAX_BATCH: usize = 500;

/// Reads one record.
///
/// `idempotency_key` is the header, `now` the time against which "in the future" is measured. The
/// error lists every violation, in an order that does not depend on the body, at most
/// [`MAX_VIOLATIONS`](crate::MAX_VIOLATIONS) of them and a last one that counts the rest.
pub fn read(
    kind: Kind,
    dialect: Dialect,
    body: Value,
    idempotency_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Record, Vec<Violation>> {
    let mut violations = Violations::default();
    check_key(idempotency_key, &mut violations);
    let context = Context { kind, now };
    let record = read_one(context, dialect, body, idempotency_key, &mut violations);
    match record {
        Some(record) if violations.is_empty() => Ok(record),
        _ => Err(violations.into_list()),
    }
}

/// Reads an array of 1 to [`MAX_BATCH`] records.
///
/// As [`read`], with `[2].` before the fields of the third element, whose idempotency key is the
/// header's followed by `/2`.
pub fn read_batch(
    kind: Kind,
    dialect: Dialect,
    body: Value,
    idempotency_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Record>, Vec<Violation>> {
    let mut violations = Violations::default();
    check_key(idempotency_key, &mut violations);
    let elements = batch_elements(body, &mut violations);
    let context = Context { kind, now };
    let mut records = Vec::with_capacity(elements.len());
    for (index, element) in elements.into_iter().enumerate() {
        violations.under(format!("[{index}]"));
        let key = idempotency_key.map(|key| format!("{key}/{index}"));
        let record = read_one(context, dialect, element, key.as_deref(), &mut violations);
        records.extend(record);
    }
    if violations.is_empty() {
        Ok(records)
    } else {
        Err(violations.into_list())
    }
}

fn batch_elements(body: Value, violations: &mut Violations) -> Vec<Value> {
    let message = format!("the body must be a JSON array of 1 to {MAX_BATCH} records");
    let code = match body {
        Value::Array(elements) if elements.is_empty() => Code::TooShort,
        Value::Array(elements) if elements.len() > MAX_BATCH => Code::TooLong,
        Value::Array(elements) => return elements,
        _ => Code::InvalidType,
    };
    violations.add("", code, message);
    Vec::new()
}

/// The longest `Idempotency-Key`, in bytes (contract, idempotency).
const KEY_MAX: usize = 255;

fn check_key(key: Option<&str>, violations: &mut Violations) {
    let visible = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_some_and(|key| key.is_empty() || key.len() > KEY_MAX || !visible(key)) {
        let message = format!("must have 1 to {KEY_MAX} visible ASCII characters");
        violations.add("Idempotency-Key", Code::InvalidFormat, message);
    }
}

fn read_one(
    context: Context,
    dialect: Dialect,
    body: Value,
    idempotency_key: Option<&str>,
    violations: &mut Violations,
) -> Option<Record> {
    let mut body = object(body, violations)?;
    let form = Form::of(dialect, context.kind, &body);
    let mut reader = Reader::new(context, violations);
    let (own, borrowed) = form.fields();
    for field in own {
        reader.member(&mut body, field, field.required.contains(context.kind));
    }
    for field in borrowed {
        reader.member(&mut body, field, false);
    }
    for (name, value) in body {
        reader.unknown(name, value);
    }
    reader.finish();
    consistency::check(&mut reader, form);
    consistency::derive(&mut reader, form);

    let start_is_known = match form {
        Form::Store => true,
        Form::Audit => reader.start.is_some_and(|start| start != "createdAt"),
        // Each of several posts tells of another step.
        Form::CompactRemediation | Form::CompactWorkflow => false,
    };
    let Reader {
        mut columns,
        mut document,
        ..
    } = reader;
    if !violations.is_empty() {
        return None;
    }
    let stand_in = stand_in_name(form, &mut columns, &document);
    // Of what was sent: two ids that differ in a secret only are two records.
    let key = natural_key(form, context.kind, &columns, &document, idempotency_key).digest();
    sanitise::object(&mut columns);
    sanitise::object(&mut document);
    let has_text = Parts::of(&columns, &document).text().is_some();
    Some(Record {
        kind: context.kind,
        key,
        hash: content::digest(&columns, &document),
        rank: state::rank_of(&columns),
        stand_in,
        start_is_known,
        columns,
        document,
        id: None,
        changed_by: None,
        request: None,
        embedding: (!has_text).then(Embedding::nothing),
    })
}

/// Gives a compact record without a name its stand-in. Returns whether it did.
fn stand_in_name(
    form: Form,
    columns: &mut Map<String, Value>,
    document: &Map<String, Value>,
) -> bool {
    let id = match form {
        Form::CompactRemediation => columns.get("remediation_request_id"),
        Form::CompactWorkflow => document.get("workflowID"),
        Form::Store | Form::Audit => None,
    };
    let named = columns.get("name").is_some_and(|name| !name.is_null());
    let Some(id) = id.filter(|_| !named).cloned() else {
        return false;
    };
    columns.insert("name".to_owned(), id);
    true
}

fn natural_key<'a>(
    form: Form,
    kind: Kind,
    columns: &'a Map<String, Value>,
    document: &'a Map<String, Value>,
    idempotency_key: Option<&'a str>,
) -> NaturalKey<'a> {
    if let Some(key) = idempotency_key {
        return NaturalKey::Header(key);
    }
    let request = text(columns, "remediation_request_id");
    match (kind, request, form) {
        (Kind::Remediation, Some(id), _) => NaturalKey::Request(id),
        (_, _, Form::CompactWorkflow) => {
            // Both are required, so neither is ever missing here.
            let workflow = text(document, "workflowID").unwrap_or_default();
            let step = text(document, "stepName").unwrap_or_default();
            NaturalKey::Step(workflow, step)
        }
        _ => {
            let namespace = text(columns, "namespace").unwrap_or_default();
            let name = text(columns, "name").unwrap_or_default();
            let created = match form {
                Form::Store => text(columns, "start_time"),
                _ => text(document, "createdAt"),
            };
            // The same instant is the same key, however it is written.
            let created = created.and_then(time::parse).map(time::format);
            NaturalKey::Named(namespace, name, created.unwrap_or_default())
        }
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}
