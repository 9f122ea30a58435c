//! An event as it stands in the log.

use std::borrow::Cow;

use audit::Code;
use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use crate::envelope::{
    self, Broken, FIELDS, Fault, MAX_DATA_BYTES, MAX_RETENTION_DAYS, check_key, inside, push_key,
};
use crate::{payload, time};

/// Where events come from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// When they arrived.
    pub now: DateTime<Utc>,
    /// The full user name of who sent them; nothing if nobody knows.
    pub username: Option<&'a str>,
    /// Whether secrets are taken out (variable `events_redact`).
    pub redact: bool,
}

/// How the user names of service accounts begin. Everybody else is a person.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The most characters of an actor's name.
const ACTOR_MAX: usize = 255;

/// An event, ready for the log once it is [sealed](crate::seal).
///
/// Serialises as a row of the log: its members under their names, absent where it has none, and `event_hash`. `event_date` and
/// `canonical_form`, which follow from the rest, are not in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What is sealed, by the names of an exported event.
    sealed: Map<String, Value>,
    /// Hexadecimal; empty until it is sealed.
    hash: String,
}

impl Event {
    /// The id, a UUID; empty until it is sealed.
    pub fn id(&self) -> &str {
        self.text("event_id")
    }

    /// What it belongs to: mostly the name of a remediation request. Has a chain of its own.
    pub fn correlation_id(&self) -> &str {
        self.text("correlation_id")
    }

    /// What happened, by the outer `event_type`.
    pub fn event_type(&self) -> &str {
        self.text("event_type")
    }

    /// The category, which need not be a known one.
    pub fn category(&self) -> &str {
        self.text("event_category")
    }

    /// `success`, `failure` or `pending`.
    pub fn outcome(&self) -> &str {
        self.text("event_outcome")
    }

    /// When it happened, as [`time::format`] writes it.
    pub fn timestamp_text(&self) -> &str {
        self.text("event_timestamp")
    }

    /// Whether clients that know the categories and payloads can decode it.
    pub fn is_readable(&self) -> bool {
        self.sealed.get("readable") == Some(&Value::Bool(true))
    }

    /// The hash over everything that is sealed, in hexadecimal digits; empty until it is sealed.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What is sealed.
    pub(crate) const fn sealed(&self) -> &Map<String, Value> {
        &self.sealed
    }

    /// Puts what the log makes beside what the event says, null for what it has none of.
    pub(crate) fn put(&mut self, name: &str, value: Value) {
        if value.is_null() {
            self.sealed.remove(name);
        } else {
            self.sealed.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn set_hash(&mut self, hash: String) {
        self.hash = hash;
    }

    fn text(&self, name: &str) -> &str {
        text(&self.sealed, name)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        for (name, value) in &self.sealed {
            if !["event_date", "canonical_form"].contains(&name.as_str()) {
                row.serialize_entry(name, value)?;
            }
        }
        if !self.sealed.contains_key("clock_skew") {
            row.serialize_entry("clock_skew", &false)?;
        }
        row.serialize_entry("event_hash", &self.hash)?;
        row.end()
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> &'m str {
    members
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The event that the members of an object are, or everything that is wrong with it. `data_bytes` is the size of `event_data` as it
/// was sent.
pub(crate) fn read(
    mut members: Map<String, Value>,
    data_bytes: usize,
    origin: &Origin<'_>,
) -> Result<Event, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut known = Map::new();
    for field in &FIELDS {
        let mut report = |(place, code, message): Broken| {
            let path = format!("{}{place}", field.name);
            let member = field.name;
            faults.push(Fault {
                member,
                path,
                code,
                message,
            });
        };
        let stated = members.remove(field.name);
        match stated.filter(|value| !field.rule.is_absent(value)) {
            None if field.is_required => {
                let message = "is required and must not be null".to_owned();
                report((String::new(), Code::Required, message));
            }
            None => {}
            Some(value) => match field.rule.check(value, origin.now) {
                Ok(value) => {
                    known.insert(field.name.to_owned(), value);
                }
                Err(broken) => report(broken),
            },
        }
        if field.name == "event_data" && data_bytes > MAX_DATA_BYTES {
            let message = format!("must have at most {MAX_DATA_BYTES} bytes, and has {data_bytes}");
            report((String::new(), Code::TooLarge, message));
        }
    }
    for (name, value) in &members {
        faults.extend(unknown(name, value));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if !members.is_empty() {
        known.insert("extra".to_owned(), Value::Object(members));
    }
    Ok(complete(known, origin))
}

/// What is wrong with a member that nobody knows.
fn unknown(name: &str, value: &Value) -> Option<Fault> {
    let (place, code, message) = check_key(name).and_then(|()| inside(value)).err()?;
    let mut path = String::new();
    push_key(&mut path, name);
    path.push_str(&place);
    Some(Fault {
        member: "extra",
        path,
        code,
        message,
    })
}

/// The event that these members are, which keep the rules: without secrets, with what it does not say itself, and with what follows
/// from it.
pub(crate) fn complete(mut members: Map<String, Value>, origin: &Origin<'_>) -> Event {
    if origin.redact {
        redact(&mut members);
    }
    if let Some(person) = origin
        .username
        .filter(|name| !name.starts_with(SERVICE_ACCOUNT))
    {
        let name: String = person.chars().take(ACTOR_MAX).collect();
        members.insert("actor_type".to_owned(), "user".into());
        members.insert("actor_id".to_owned(), name.into());
    }
    let category = text(&members, "event_category").to_owned();
    let defaults = [
        ("actor_type", Value::from("service")),
        ("actor_id", format!("{category}-service").into()),
        ("resource_id", text(&members, "correlation_id").into()),
        ("severity", "info".into()),
        ("retention_days", MAX_RETENTION_DAYS.into()),
        ("is_sensitive", false.into()),
    ];
    for (name, value) in defaults {
        members.entry(name).or_insert(value);
    }
    let data = members.get("event_data").and_then(Value::as_object);
    let is_readable = envelope::is_known_category(&category) && data.is_some_and(payload::is_known);
    members.insert("readable".to_owned(), is_readable.into());
    members.entry("resource_type").or_insert(category.into());
    if let Some(timestamp) = time::parse(text(&members, "event_timestamp")) {
        members.insert("event_date".to_owned(), time::format_date(timestamp).into());
        if time::is_ahead(timestamp, origin.now) {
            members.insert("clock_skew".to_owned(), true.into());
        }
    }
    Event {
        sealed: members,
        hash: String::new(),
    }
}

/// Takes secrets out of everything that is no name: the payload, what nobody knows, and what an error says. Markup stays.
fn redact(members: &mut Map<String, Value>) {
    for name in ["event_data", "extra"] {
        if let Some(Value::Object(object)) = members.get_mut(name) {
            audit::redact_object(object);
        }
    }
    if let Some(Value::String(message)) = members.get_mut("error_message")
        && let Cow::Owned(redacted) = audit::redact(message)
    {
        *message = redacted;
    }
}
