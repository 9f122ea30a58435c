//! From a JSON value to a record, or to everything that is wrong with it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::content::{self, NaturalKey};
use crate::fields::{self, Field};
use crate::free::{self, Free};
use crate::rule::{self, Context, name_of_type};
use crate::sanitise::markup;
use crate::violation::{Code, Violation, Violations};
use crate::{Embedding, Kind, Parts, Record, consistency, sanitise, state, time};

/// The most records of one batch (contract, batch).
pub const MAX_BATCH: usize = 500;

/// How a client spells the members of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// snake_case, under `/store`.
    Store,
    /// camelCase, full or compact, under `/audit`.
    Audit,
}

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

/// The form of a body, which decides about names, required members and the natural key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Store,
    Audit,
    CompactRemediation,
    CompactWorkflow,
}

impl Form {
    fn of(dialect: Dialect, kind: Kind, body: &Map<String, Value>) -> Self {
        match (dialect, kind) {
            (Dialect::Store, _) => Self::Store,
            (_, Kind::Remediation) if body.contains_key("remediationRequestID") => {
                Self::CompactRemediation
            }
            (_, Kind::Workflow) if body.contains_key("workflowID") => Self::CompactWorkflow,
            _ => Self::Audit,
        }
    }

    /// The form's own members, and those that it borrows without requiring them.
    const fn fields(self) -> (&'static [Field], &'static [Field]) {
        match self {
            Self::Store => (fields::STORE, &[]),
            Self::Audit => (fields::AUDIT, &[]),
            Self::CompactRemediation => (fields::COMPACT_REMEDIATION, fields::AUDIT),
            Self::CompactWorkflow => (fields::COMPACT_WORKFLOW, fields::AUDIT),
        }
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
    reader.finish(form);

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
        rank: rank(&columns),
        stand_in,
        columns,
        document,
        id: None,
        embedding: (!has_text).then(Embedding::nothing),
    })
}

/// The body as an object; anything else is a violation.
pub(crate) fn object(body: Value, violations: &mut Violations) -> Option<Map<String, Value>> {
    if let Value::Object(members) = body {
        return Some(members);
    }
    let (subject, found) = (violations.subject(), name_of_type(&body));
    let message = format!("{subject} must be a JSON object, not {found}");
    violations.add("", Code::InvalidType, message);
    None
}

/// Sorts the members of one body into columns and document.
pub(crate) struct Reader<'v> {
    context: Context,
    pub(crate) violations: &'v mut Violations,
    pub(crate) columns: Map<String, Value>,
    pub(crate) document: Map<String, Value>,
    /// The member that filled `start_time`.
    pub(crate) start: Option<&'static str>,
    free: Free,
}

impl<'v> Reader<'v> {
    pub(crate) fn new(context: Context, violations: &'v mut Violations) -> Self {
        Self {
            context,
            violations,
            columns: Map::new(),
            document: Map::new(),
            start: None,
            free: Free::default(),
        }
    }

    /// Moves one member of the table out of `body` to its place, if it keeps its rule.
    pub(crate) fn member(&mut self, body: &mut Map<String, Value>, field: &Field, required: bool) {
        match body.remove_entry(field.name) {
            None | Some((_, Value::Null)) if required => {
                self.violations.add(
                    field.name,
                    Code::Required,
                    "is required and must not be null",
                );
            }
            None => {}
            Some((name, Value::Null)) => self.place(name, field, Value::Null, None),
            Some((name, value)) => match field.rule.check(&value, self.context) {
                Err((code, message)) => self.violations.add(field.name, code, message),
                Ok(stored) => {
                    if field.rule.may_nest() {
                        self.free.add(field.name, &value, 0, self.violations);
                    }
                    self.check_markup(field, &value);
                    self.place(name, field, value, stored);
                }
            },
        }
    }

    /// Text that names something must have no markup; elsewhere it is removed.
    fn check_markup(&mut self, field: &Field, value: &Value) {
        if field.rule.is_identifier() && value.as_str().is_some_and(markup::is_in) {
            let message = "must not contain HTML tags, event handlers or javascript: URLs";
            self.violations.add(field.name, Code::XssDetected, message);
        }
    }

    /// `stored` is the column's form of `value`, where the two differ.
    fn place(&mut self, name: String, field: &Field, value: Value, stored: Option<Value>) {
        let Some(column) = field.column.filter(|column| self.is_vacant(column)) else {
            self.document.insert(name, value);
            return;
        };
        if column == "start_time" {
            self.start = Some(field.name);
        }
        if field.kept {
            let stored = stored.unwrap_or_else(|| value.clone());
            self.columns.insert(column.to_owned(), stored);
            self.document.insert(name, value);
        } else {
            let stored = stored.unwrap_or(value);
            self.columns.insert(column.to_owned(), stored);
        }
    }

    pub(crate) fn is_vacant(&self, column: &str) -> bool {
        self.columns.get(column).is_none_or(Value::is_null)
    }

    /// Keeps a member that no table knows.
    fn unknown(&mut self, name: String, value: Value) {
        let mut path = String::new();
        free::push_key(&mut path, &name);
        if rule::has_nul(&name) {
            self.violations.add(&path, Code::NulCharacter, rule::NUL);
        }
        if name.starts_with("confidence")
            && !value.is_null()
            && let Err((code, message)) = fields::CONFIDENCE.check(&value, self.context)
        {
            self.violations.add(&path, code, message);
            return;
        }
        // Its name counts as well, with two quotes and a colon.
        let extra = name.len().saturating_add(3);
        self.free.add(&path, &value, extra, self.violations);
        self.document.insert(name, value);
    }

    /// What concerns more than one member.
    fn finish(&mut self, form: Form) {
        self.free.finish(self.violations);
        consistency::check(self, form);
        consistency::derive(self, form);
    }

    /// What concerns more than one member of a patch.
    pub(crate) fn finish_patch(&mut self) {
        self.free.finish(self.violations);
        consistency::check_steps(self, "steps_completed", "steps_total");
        consistency::derive_status(self);
    }
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

/// The order of the state that phase and status stand for, the higher one if they differ.
pub(crate) fn rank(columns: &Map<String, Value>) -> Option<u8> {
    let of = |column| text(columns, column).and_then(state::rank);
    of("phase").max(of("status"))
}
