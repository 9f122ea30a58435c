//! An event as it stands in the log.

use std::borrow::Cow;

use audit::Code;
use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::envelope::{
    self, Broken, FIELDS, Fault, MAX_DATA_BYTES, MAX_RETENTION_DAYS, check_key, inside, push_key,
};
use crate::member::{Member, Members};
use crate::sorted::Sorted;
use crate::{canonical, payload, time};

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
    /// What is sealed, but for the payload.
    members: Members,
    data: Data,
    /// Hexadecimal; empty until it is sealed.
    hash: String,
}

impl Event {
    /// The id, a UUID; empty until it is sealed.
    pub fn id(&self) -> &str {
        self.members.text(Member::EventId)
    }

    /// What it belongs to: mostly the name of a remediation request. Has a chain of its own.
    pub fn correlation_id(&self) -> &str {
        self.members.text(Member::CorrelationId)
    }

    /// What happened, by the outer `event_type`.
    pub fn event_type(&self) -> &str {
        self.members.text(Member::EventType)
    }

    /// The category, which need not be a known one.
    pub fn category(&self) -> &str {
        self.members.text(Member::EventCategory)
    }

    /// `success`, `failure` or `pending`.
    pub fn outcome(&self) -> &str {
        self.members.text(Member::EventOutcome)
    }

    /// When it happened, as [`time::format`] writes it.
    pub fn timestamp_text(&self) -> &str {
        self.members.text(Member::EventTimestamp)
    }

    /// Whether clients that know the categories and payloads can decode it.
    pub fn is_readable(&self) -> bool {
        self.members.get(Member::Readable) == &Value::Bool(true)
    }

    /// The hash over everything that is sealed, in hexadecimal digits; empty until it is sealed.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Puts what the log makes beside what the event says, null for what it has none of.
    pub(crate) fn put(&mut self, member: Member, value: impl Into<Value>) {
        self.members.set(member, value);
    }

    pub(crate) fn set_hash(&mut self, hash: String) {
        self.hash = hash;
    }

    /// What is sealed, in its canonical form.
    pub(crate) fn sealed(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2048);
        for &member in Member::ALL {
            let value = self.members.get(member);
            if value.is_null() && member != Member::EventData {
                continue;
            }
            bytes.push(if bytes.is_empty() { b'{' } else { b',' });
            bytes.push(b'"');
            bytes.extend_from_slice(member.name().as_bytes());
            bytes.extend_from_slice(b"\":");
            if member == Member::EventData {
                bytes.extend_from_slice(self.data.canonical());
            } else {
                canonical::push(&mut bytes, value);
            }
        }
        bytes.push(b'}');
        bytes
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(None)?;
        for &member in Member::ALL {
            let value = self.members.get(member);
            match member {
                Member::EventData => row.serialize_entry(member.name(), &self.data.text)?,
                Member::EventDate | Member::CanonicalForm => {}
                Member::ClockSkew => row.serialize_entry(member.name(), &!value.is_null())?,
                _ if value.is_null() => {}
                _ => row.serialize_entry(member.name(), value)?,
            }
        }
        row.serialize_entry("event_hash", &self.hash)?;
        row.end()
    }
}

/// Rows of the log as a JSON array. It is made here, because this crate is built for speed and the component that writes it is not.
///
/// # Errors
///
/// None: everything in an event has a form in JSON.
pub fn rows(events: &[&Event]) -> serde_json::Result<String> {
    serde_json::to_string(events)
}

/// A payload as text, since nobody looks into it any more. Mostly its row, its hash and the key of its batch are made from the same text.
#[derive(Clone, Debug)]
struct Data {
    /// With sorted members.
    text: Box<RawValue>,
    /// The canonical form, where that may be another.
    canonical: Option<Box<[u8]>>,
}

impl Data {
    /// `text` is the payload with sorted members, where that is known.
    fn of(members: Map<String, Value>, text: Option<Box<RawValue>>) -> Self {
        let value = Value::Object(members);
        let is_shared = canonical::is_sorted_form(&value);
        let canonical = (!is_shared).then(|| canonical::canonical(&value).into_boxed_slice());
        let text = text.or_else(|| sorted(&value)).unwrap_or_default();
        Self { text, canonical }
    }

    fn canonical(&self) -> &[u8] {
        let text = self.text.get().as_bytes();
        self.canonical.as_deref().unwrap_or(text)
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.text.get() == other.text.get()
    }
}

/// The JSON of a value, with sorted members.
pub(crate) fn sorted(value: &Value) -> Option<Box<RawValue>> {
    // There is no value here that has no form in JSON.
    to_raw_value(&Sorted(value)).ok()
}

/// The event that the members of an object are, or everything that is wrong with it. `text` is [`sorted`] of `event_data`, and
/// `data_bytes` its size as it was sent.
pub(crate) fn read(
    members: Map<String, Value>,
    text: Option<Box<RawValue>>,
    data_bytes: usize,
    origin: &Origin<'_>,
) -> Result<Event, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut stated = Members::new();
    let mut extra = Map::new();
    for (name, value) in members {
        match FIELDS.iter().find(|field| field.member.name() == name) {
            Some(field) => stated.set(field.member, value),
            None => _ = extra.insert(name, value),
        }
    }
    for field in &FIELDS {
        let mut report = |(place, code, message): Broken| {
            let member = field.member.name();
            faults.push(Fault {
                member,
                path: format!("{member}{place}"),
                code,
                message,
            });
        };
        let value = stated.take(field.member);
        if !field.rule.is_absent(&value) {
            match field.rule.check(value, origin.now) {
                Ok(value) => stated.set(field.member, value),
                Err(broken) => report(broken),
            }
        } else if field.is_required {
            let message = "is required and must not be null".to_owned();
            report((String::new(), Code::Required, message));
        }
        if field.member == Member::EventData && data_bytes > MAX_DATA_BYTES {
            let message = format!("must have at most {MAX_DATA_BYTES} bytes, and has {data_bytes}");
            report((String::new(), Code::TooLarge, message));
        }
    }
    for (name, value) in &extra {
        faults.extend(unknown(name, value));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if !extra.is_empty() {
        stated.set(Member::Extra, extra);
    }
    Ok(complete(stated, text, origin))
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
/// from it. `text` is [`sorted`] of its `event_data`, where that is known.
pub(crate) fn complete(
    mut members: Members,
    text: Option<Box<RawValue>>,
    origin: &Origin<'_>,
) -> Event {
    let mut data = match members.take(Member::EventData) {
        Value::Object(data) => data,
        _ => Map::new(),
    };
    let has_secret = origin.redact && redact(&mut members, &mut data);
    if let Some(person) = origin
        .username
        .filter(|name| !name.starts_with(SERVICE_ACCOUNT))
    {
        let name: String = person.chars().take(ACTOR_MAX).collect();
        members.set(Member::ActorType, "user");
        members.set(Member::ActorId, name);
    }
    let category = members.text(Member::EventCategory).to_owned();
    let correlation_id = members.get(Member::CorrelationId).clone();
    let is_readable = envelope::is_known_category(&category) && payload::is_known(&data);
    members.set(Member::Readable, is_readable);
    members.set_default(Member::ActorType, "service");
    members.set_default(Member::ActorId, format!("{category}-service"));
    members.set_default(Member::ResourceType, category);
    members.set_default(Member::ResourceId, correlation_id);
    members.set_default(Member::Severity, "info");
    members.set_default(Member::RetentionDays, MAX_RETENTION_DAYS);
    members.set_default(Member::IsSensitive, false);
    if let Some(timestamp) = time::parse(members.text(Member::EventTimestamp)) {
        members.set(Member::EventDate, time::format_date(timestamp));
        if time::is_ahead(timestamp, origin.now) {
            members.set(Member::ClockSkew, true);
        }
    }
    Event {
        members,
        data: Data::of(data, text.filter(|_| !has_secret)),
        hash: String::new(),
    }
}

/// Takes secrets out of everything that is no name: the payload, what nobody knows, and what an error says. Markup stays. Returns
/// whether the payload had any.
fn redact(members: &mut Members, data: &mut Map<String, Value>) -> bool {
    if let Some(Value::Object(extra)) = members.get_mut(Member::Extra) {
        audit::redact_object(extra);
    }
    if let Some(Value::String(message)) = members.get_mut(Member::ErrorMessage)
        && let Cow::Owned(redacted) = audit::redact(message)
    {
        *message = redacted;
    }
    audit::redact_object(data)
}
