//! The members of an event that are about every event, and their rules (events API, "The event").

use std::fmt::Write as _;
use std::net::IpAddr;

use audit::Code;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::member::Member;
use crate::{payload, time};

/// The most bytes of `event_data`, as they were sent.
pub(crate) const MAX_DATA_BYTES: usize = 256 * 1024;

/// The most levels of objects and arrays in `event_data`, itself included, and in a member that nobody knows.
const MAX_LEVELS: usize = 32;

/// The longest that an event is kept, in days, and how long it is kept unless it says so itself.
pub(crate) const MAX_RETENTION_DAYS: i64 = 2555;

/// How much of a key a path shows, in characters.
const SHOWN_KEY: usize = 64;

/// A member of the envelope.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) rule: Rule,
    pub(crate) is_required: bool,
}

/// What a member must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Text of so many characters, from and to.
    Text(usize, usize),
    /// Text of at most so many bytes.
    Bytes(usize),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// An integer in this range, both ends included.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// An RFC 3339 time that is not beyond all retention. Becomes UTC.
    Time,
    /// A time, or a day, which becomes its beginning. Becomes UTC.
    Date,
    /// A UUID. Becomes small letters.
    Uuid,
    /// An IP address of version 4 or 6.
    Address,
    /// The payload: an object with an `event_type`.
    Payload,
}

/// Every member that is known, in the order in which they are reported.
pub(crate) const FIELDS: [Field; 23] = [
    required(Member::Version, Rule::Text(1, 20)),
    required(Member::EventType, Rule::Text(1, 100)),
    required(Member::EventTimestamp, Rule::Time),
    required(Member::EventCategory, Rule::Text(1, 50)),
    required(Member::EventAction, Rule::Text(1, 50)),
    required(
        Member::EventOutcome,
        Rule::OneOf(&["success", "failure", "pending"]),
    ),
    required(Member::CorrelationId, Rule::Text(1, 255)),
    required(Member::EventData, Rule::Payload),
    optional(Member::ActorType, Rule::Text(0, 50)),
    optional(Member::ActorId, Rule::Text(0, 255)),
    optional(Member::ActorIp, Rule::Address),
    optional(Member::ResourceType, Rule::Text(0, 100)),
    optional(Member::ResourceId, Rule::Text(0, 255)),
    optional(Member::Namespace, Rule::Text(0, 253)),
    optional(Member::ClusterId, Rule::Text(0, 255)),
    optional(Member::Severity, Rule::Text(0, 20)),
    optional(Member::ErrorCode, Rule::Text(0, 50)),
    optional(Member::ErrorMessage, Rule::Bytes(10 * 1024)),
    optional(Member::DurationMs, Rule::Integer(0, i32::MAX as i64)),
    optional(Member::ParentEventId, Rule::Uuid),
    optional(Member::ParentEventDate, Rule::Date),
    optional(Member::RetentionDays, Rule::Integer(1, MAX_RETENTION_DAYS)),
    optional(Member::IsSensitive, Rule::Boolean),
];

const fn required(member: Member, rule: Rule) -> Field {
    Field {
        member,
        rule,
        is_required: true,
    }
}

const fn optional(member: Member, rule: Rule) -> Field {
    Field {
        member,
        rule,
        is_required: false,
    }
}

/// The categories that clients know. They cannot decode an event of another one.
const CATEGORIES: [&str; 14] = [
    "gateway",
    "notification",
    "analysis",
    "aiagent",
    "signalprocessing",
    "workflow",
    "workflowexecution",
    "orchestration",
    "approval",
    "effectiveness",
    "actiontype",
    "apifrontend",
    "security",
    "agentsession",
];

/// Whether clients know the category.
pub(crate) fn is_known_category(name: &str) -> bool {
    CATEGORIES.contains(&name)
}

/// Why something is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The member of the envelope, `extra` for all that are not known, nothing for the event as a whole.
    pub(crate) member: &'static str,
    /// Where in the event.
    pub(crate) path: String,
    pub(crate) code: Code,
    /// What it must be. Reads on from the path.
    pub(crate) message: String,
}

/// What a value breaks: the place below the member, the reason, and the sentence for the client.
pub(crate) type Broken = (String, Code, String);

/// The sentence about U+0000.
const NUL: &str = "must not contain the NUL character (U+0000); remove it";

impl Rule {
    /// Whether a client says with this value that it has none: typed clients send the empty text where there can be none.
    pub(crate) fn is_absent(self, value: &Value) -> bool {
        let may_be_empty = !matches!(self, Self::Address | Self::Date | Self::Uuid);
        value.is_null() || (!may_be_empty && value.as_str() == Some(""))
    }

    /// Checks a value that is not null, and gives it the form that the log has.
    pub(crate) fn check(self, value: Value, now: DateTime<Utc>) -> Result<Value, Broken> {
        match self {
            Self::Text(min, max) => characters(text(&value)?, min, max)?,
            Self::Bytes(max) => bytes(text(&value)?, max)?,
            Self::OneOf(words) => one_of(text(&value)?, words)?,
            Self::Boolean if value.is_boolean() => {}
            Self::Boolean => return wrong_type("true or false"),
            Self::Integer(min, max) => return integer(&value, min, max),
            Self::Time => return instant(text(&value)?, now),
            Self::Date => return date(text(&value)?),
            Self::Uuid => return uuid(text(&value)?),
            Self::Address => address(text(&value)?)?,
            Self::Payload => payload(&value)?,
        }
        Ok(value)
    }
}

fn broken<T>(code: Code, message: impl Into<String>) -> Result<T, Broken> {
    Err((String::new(), code, message.into()))
}

fn wrong_type<T>(expected: &str) -> Result<T, Broken> {
    broken(Code::InvalidType, format!("must be {expected}"))
}

fn text(value: &Value) -> Result<&str, Broken> {
    match value {
        Value::String(text) if has_nul(text) => broken(Code::NulCharacter, NUL),
        Value::String(text) => Ok(text),
        _ => wrong_type("text"),
    }
}

/// Whether PostgreSQL could not store the text.
fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

fn characters(text: &str, min: usize, max: usize) -> Result<(), Broken> {
    let count = text.chars().count();
    let code = if count < min {
        Code::TooShort
    } else if count > max {
        Code::TooLong
    } else {
        return Ok(());
    };
    let message = if min == 0 {
        format!("must have at most {max} characters")
    } else {
        format!("must have {min} to {max} characters")
    };
    broken(code, message)
}

fn bytes(text: &str, max: usize) -> Result<(), Broken> {
    if text.len() <= max {
        return Ok(());
    }
    broken(Code::TooLong, format!("must have at most {max} bytes"))
}

fn one_of(text: &str, words: &[&str]) -> Result<(), Broken> {
    if words.contains(&text) {
        return Ok(());
    }
    broken(
        Code::InvalidValue,
        format!("must be one of {}", words.join(", ")),
    )
}

fn integer(value: &Value, min: i64, max: i64) -> Result<Value, Broken> {
    if !value.is_number() {
        return wrong_type("an integer");
    }
    match audit::integer(value) {
        Some(integer) if (min..=max).contains(&integer) => Ok(integer.into()),
        _ => broken(
            Code::OutOfRange,
            format!("must be an integer from {min} to {max}"),
        ),
    }
}

fn instant(text: &str, now: DateTime<Utc>) -> Result<Value, Broken> {
    let Some(instant) = time::parse(text) else {
        let message =
            "must be an existing RFC 3339 time with an offset, for example 2026-08-22T17:03:40Z";
        return broken(Code::InvalidFormat, message);
    };
    let age = now.signed_duration_since(instant);
    if age > TimeDelta::days(MAX_RETENTION_DAYS) {
        let message = format!(
            "must not lie further back than the {MAX_RETENTION_DAYS} days that events are kept"
        );
        return broken(Code::OutOfRange, message);
    }
    Ok(time::format(instant).into())
}

/// A date as a time, because that is what clients send, and all that they read.
fn date(text: &str) -> Result<Value, Broken> {
    let midnight = |_| time::parse(&format!("{text}T00:00:00Z"));
    let instant = time::parse(text).or_else(|| time::parse_date(text).and_then(midnight));
    match instant {
        Some(instant) => Ok(time::format(instant).into()),
        None => broken(
            Code::InvalidFormat,
            "must be an existing date, for example 2026-08-22",
        ),
    }
}

fn uuid(text: &str) -> Result<Value, Broken> {
    if payload::is_uuid(text) {
        return Ok(text.to_ascii_lowercase().into());
    }
    let message = "must be a UUID, for example 270aaeb7-8172-595a-8aea-77d37e5a65e7";
    broken(Code::InvalidFormat, message)
}

fn address(text: &str) -> Result<(), Broken> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    broken(
        Code::InvalidFormat,
        "must be an IP address of version 4 or 6",
    )
}

fn payload(value: &Value) -> Result<(), Broken> {
    let Value::Object(members) = value else {
        return wrong_type("an object");
    };
    let of_type = |code, message: &str| Err((".event_type".to_owned(), code, message.to_owned()));
    match members.get("event_type") {
        Some(Value::String(_)) => inside(value),
        None | Some(Value::Null) => of_type(Code::Required, "is required and must not be null"),
        Some(_) => of_type(Code::InvalidType, "must be text"),
    }
}

/// Checks a value of free form: how deep it is nested, and that no text in it has a NUL character. The first place that is wrong.
pub(crate) fn inside(value: &Value) -> Result<(), Broken> {
    walk(&mut String::new(), value, 1)
}

/// `level` is the one that an array or object here has.
fn walk(path: &mut String, value: &Value, level: usize) -> Result<(), Broken> {
    let nul = |path: &str| Err((path.to_owned(), Code::NulCharacter, NUL.to_owned()));
    let length = path.len();
    let next = level.saturating_add(1);
    match value {
        Value::String(text) if has_nul(text) => return nul(path),
        Value::Array(_) | Value::Object(_) if level > MAX_LEVELS => {
            let message = format!("must not be nested deeper than {MAX_LEVELS} levels");
            return Err((path.clone(), Code::TooDeep, message));
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(path, "[{index}]");
                walk(path, element, next)?;
                path.truncate(length);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                path.push('.');
                push_key(path, key);
                if has_nul(key) {
                    return nul(path);
                }
                walk(path, member, next)?;
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

/// Appends a key to a path; cuts it if it is long and shows NUL as `\u0000`.
pub(crate) fn push_key(path: &mut String, key: &str) {
    for (shown, character) in key.chars().enumerate() {
        match character {
            _ if shown >= SHOWN_KEY => return path.push('…'),
            '\0' => path.push_str("\\u0000"),
            _ => path.push(character),
        }
    }
}

/// Whether a key has what PostgreSQL cannot store.
pub(crate) fn check_key(key: &str) -> Result<(), Broken> {
    if has_nul(key) {
        return broken(Code::NulCharacter, NUL);
    }
    Ok(())
}
