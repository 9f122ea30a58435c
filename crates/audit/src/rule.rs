//! The rules a single value can be under.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::violation::Code;
use crate::{Kind, state, time};

/// One more than the largest integer that a signed 64-bit column holds.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// What a member's value must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Text of any length.
    FreeText,
    /// Text of any length that names something.
    Name,
    /// Text of so many characters (Unicode scalar values), from and to.
    Text(usize, usize),
    /// Text of at most so many bytes of UTF-8.
    Bytes(usize),
    /// A Kubernetes object name: an RFC 1123 subdomain.
    ObjectName,
    /// One of these words, exactly.
    OneOf(&'static [&'static str]),
    /// A phase of the kind, in any letter case.
    Phase,
    /// The state of one step: a status or a phase, in any letter case. Becomes a status.
    StepStatus,
    /// An RFC 3339 time that is not in the future. Becomes UTC.
    Time,
    /// An integer from 0 that fits a bigint: a count, or a duration in milliseconds.
    Count,
    /// A duration as Go writes it, in integer nanoseconds. Becomes milliseconds.
    Nanoseconds,
    /// A number in this range, both ends included.
    Number(f64, f64),
    /// `true` or `false`.
    Boolean,
    /// An object of any content.
    Object,
    /// An array of any content.
    Array,
    /// Anything.
    Any,
}

/// What a rule needs to know beside the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) kind: Kind,
    pub(crate) now: DateTime<Utc>,
}

/// Why a value does not pass: the reason and the sentence for the client.
pub(crate) type Fault = (Code, String);

impl Rule {
    /// Whether the value may nest, so that its inside has to be looked at as well.
    pub(crate) const fn may_nest(self) -> bool {
        matches!(self, Self::Object | Self::Array | Self::Any)
    }

    /// Whether the text names something, so that it must have no markup in it rather than lose it.
    pub(crate) const fn is_identifier(self) -> bool {
        matches!(self, Self::Name | Self::Text(..) | Self::ObjectName)
    }

    /// Whether a client says with this value that it has none: typed clients send what their language has in place of
    /// nothing, Go's zero time and the empty text. A required text may be empty if its rule says so.
    pub(crate) fn is_absent(self, value: &Value, required: bool) -> bool {
        value.as_str().is_some_and(|text| match self {
            Self::Time if time::is_zero(text) => true,
            _ => text.is_empty() && !required,
        })
    }

    /// Checks a value that is not null. `Some` is the form in which a column stores it, `None`
    /// means as it is.
    pub(crate) fn check(self, value: &Value, context: Context) -> Result<Option<Value>, Fault> {
        match self {
            Self::FreeText | Self::Name => text(value).map(|_| None),
            Self::Text(min, max) => length(text(value)?, min, max),
            Self::Bytes(max) => bytes(text(value)?, max),
            Self::ObjectName => object_name(text(value)?),
            Self::OneOf(words) => one_of(text(value)?, words),
            Self::Phase => phase(text(value)?, context.kind),
            Self::StepStatus => step_status(text(value)?),
            Self::Time => instant(text(value)?, context.now),
            Self::Count => count(value).map(|count| as_integer(value, count)),
            Self::Nanoseconds => count(value).map(|nanos| Some((nanos / 1_000_000).into())),
            Self::Number(min, max) => number(value, min, max),
            Self::Boolean if value.is_boolean() => Ok(None),
            Self::Object if value.is_object() => Ok(None),
            Self::Array if value.is_array() => Ok(None),
            Self::Any => Ok(None),
            Self::Boolean => Err(wrong_type("true or false", value)),
            Self::Object => Err(wrong_type("an object", value)),
            Self::Array => Err(wrong_type("an array", value)),
        }
    }
}

fn wrong_type(expected: &str, value: &Value) -> Fault {
    let message = format!("must be {expected}, not {}", name_of_type(value));
    (Code::InvalidType, message)
}

/// The JSON type in the client's words.
pub(crate) fn name_of_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn text(value: &Value) -> Result<&str, Fault> {
    let Value::String(text) = value else {
        return Err(wrong_type("text", value));
    };
    if has_nul(text) {
        return Err((Code::NulCharacter, NUL.to_owned()));
    }
    Ok(text)
}

/// The sentence about U+0000.
pub(crate) const NUL: &str = "must not contain the NUL character (U+0000); remove it";

/// Whether PostgreSQL could not store the text.
pub(crate) fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

fn length(text: &str, min: usize, max: usize) -> Result<Option<Value>, Fault> {
    let length = text.chars().count();
    if length < min {
        Err((Code::TooShort, characters(min, max)))
    } else if length > max {
        Err((Code::TooLong, characters(min, max)))
    } else {
        Ok(None)
    }
}

fn characters(min: usize, max: usize) -> String {
    if min == 0 {
        format!("must have at most {max} characters")
    } else {
        format!("must have {min} to {max} characters")
    }
}

fn bytes(text: &str, max: usize) -> Result<Option<Value>, Fault> {
    if text.len() <= max {
        return Ok(None);
    }
    let message = format!("must have at most {max} bytes of UTF-8");
    Err((Code::TooLong, message))
}

/// The length that Kubernetes allows for object names.
const OBJECT_NAME_MAX: usize = 253;

fn object_name(text: &str) -> Result<Option<Value>, Fault> {
    length(text, 1, OBJECT_NAME_MAX)?;
    if text.split('.').all(is_label) {
        return Ok(None);
    }
    let message = "must be a Kubernetes object name: lower-case letters, digits, '-' and '.', \
                   each part beginning and ending with a letter or digit";
    Err((Code::InvalidFormat, message.to_owned()))
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`
fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
}

fn one_of(text: &str, words: &[&str]) -> Result<Option<Value>, Fault> {
    if words.contains(&text) {
        Ok(None)
    } else {
        Err(not_one_of(words))
    }
}

fn not_one_of(words: &[&str]) -> Fault {
    let message = format!("must be one of {}", words.join(", "));
    (Code::InvalidValue, message)
}

fn phase(text: &str, kind: Kind) -> Result<Option<Value>, Fault> {
    let phases = state::phases(kind);
    match state::word(phases, text) {
        Some(word) if word == text => Ok(None),
        Some(word) => Ok(Some(word.into())),
        None => Err(not_one_of(phases)),
    }
}

fn step_status(text: &str) -> Result<Option<Value>, Fault> {
    // A word that is both a status and a phase is taken as the status that it is.
    let status = state::word(state::STATUSES, text).or_else(|| {
        let phase = state::word(state::phases(Kind::Workflow), text)?;
        state::status_of_phase(phase)
    });
    status.map(|status| Some(status.into())).ok_or_else(|| {
        let message = format!(
            "must be one of {}, processing, planning, executing",
            state::STATUSES.join(", ")
        );
        (Code::InvalidValue, message)
    })
}

fn instant(text: &str, now: DateTime<Utc>) -> Result<Option<Value>, Fault> {
    let Some(instant) = time::parse(text) else {
        let message = "must be an existing RFC 3339 time with an offset, \
                       for example 2025-10-06T10:00:00Z";
        return Err((Code::InvalidFormat, message.to_owned()));
    };
    if instant.signed_duration_since(now) > TimeDelta::minutes(time::MAX_AHEAD_MINUTES) {
        let message = "must not be more than an hour in the future";
        return Err((Code::InFuture, message.to_owned()));
    }
    let normal = time::format(instant);
    Ok((normal != text).then(|| normal.into()))
}

/// The integer that a number is, also when it is written with a fraction of zero.
pub fn integer(value: &Value) -> Option<i64> {
    if let Some(integer) = value.as_i64() {
        return Some(integer);
    }
    let float = value.as_f64()?;
    let fits = float.fract() == 0.0 && (-TWO_POW_63..TWO_POW_63).contains(&float);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is integral and in range"
    )]
    fits.then_some(float as i64)
}

fn count(value: &Value) -> Result<i64, Fault> {
    let Value::Number(number) = value else {
        return Err(wrong_type("an integer", value));
    };
    if let Some(count) = integer(value) {
        return if count >= 0 {
            Ok(count)
        } else {
            Err((Code::OutOfRange, "must not be negative".to_owned()))
        };
    }
    let too_large = number
        .as_f64()
        .is_none_or(|float| float.abs() >= TWO_POW_63);
    Err(if too_large {
        let message = format!("must be an integer from 0 to {}", i64::MAX);
        (Code::OutOfRange, message)
    } else {
        let message = "must be an integer, without a fraction";
        (Code::InvalidType, message.to_owned())
    })
}

/// A column takes `5`, not `5.0`.
fn as_integer(value: &Value, count: i64) -> Option<Value> {
    value.is_f64().then(|| count.into())
}

fn number(value: &Value, min: f64, max: f64) -> Result<Option<Value>, Fault> {
    let Value::Number(number) = value else {
        return Err(wrong_type("a number", value));
    };
    if number
        .as_f64()
        .is_some_and(|float| (min..=max).contains(&float))
    {
        return Ok(None);
    }
    Err((Code::OutOfRange, format!("must be from {min} to {max}")))
}
