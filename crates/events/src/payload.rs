//! What `event_data` holds, by its member `event_type`: whether clients that know the payloads can decode it.
//!
//! The payloads are data, in `payloads.txt` beside this crate's manifest; that file says how it is to be read.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::time;

static PAYLOADS: LazyLock<Payloads> =
    LazyLock::new(|| Payloads::parse(include_str!("../payloads.txt")).unwrap_or_default());

/// Whether these are the members of one of the known payloads. Clients refuse a whole list if one event in it is none.
pub(crate) fn is_known(event_data: &Map<String, Value>) -> bool {
    let event_type = event_data.get("event_type").and_then(Value::as_str);
    let name = event_type.and_then(|event_type| PAYLOADS.of_types.get(event_type));
    name.is_some_and(|name| PAYLOADS.is_object(name, event_data))
}

/// The payloads and their parts.
#[derive(Debug, Default)]
struct Payloads {
    /// The payload of each event type.
    of_types: BTreeMap<&'static str, &'static str>,
    /// Payloads and parts by name.
    objects: BTreeMap<&'static str, Object>,
}

#[derive(Debug, Default)]
struct Object {
    members: Vec<Member>,
    /// Whether members are refused that are not listed.
    is_closed: bool,
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    is_required: bool,
    of: Type,
}

/// What a value must be.
#[derive(Debug)]
enum Type {
    Text,
    Boolean,
    /// An integer in this range, both ends included, written without a fraction.
    Integer(i64, i64),
    /// A number of at most so much, with either sign.
    Number(f64),
    /// A number from 0 to 1.
    Share,
    Time,
    Uuid,
    /// SHA-256 in small hexadecimal digits.
    Digest,
    Any,
    OneOf(Vec<&'static str>),
    List(Box<Self>),
    Map(Box<Self>),
    Nullable(Box<Self>),
    /// The object of that name.
    Part(&'static str),
}

impl Payloads {
    fn is_object(&self, name: &str, members: &Map<String, Value>) -> bool {
        let Some(object) = self.objects.get(name) else {
            return false;
        };
        let is_listed = |name: &String| object.members.iter().any(|member| member.name == name);
        let keeps_to_list = !object.is_closed || members.keys().all(is_listed);
        keeps_to_list
            && object.members.iter().all(|member| {
                members
                    .get(member.name)
                    .map_or(!member.is_required, |value| self.is(&member.of, value))
            })
    }

    fn is(&self, of: &Type, value: &Value) -> bool {
        match (of, value) {
            (Type::Any, _)
            | (Type::Text, Value::String(_))
            | (Type::Boolean, Value::Bool(_))
            | (Type::Nullable(_), Value::Null) => true,
            (Type::Integer(least, most), Value::Number(number)) => number
                .as_i64()
                .is_some_and(|integer| (*least..=*most).contains(&integer)),
            (Type::Number(most), Value::Number(number)) => {
                number.as_f64().is_some_and(|number| number.abs() <= *most)
            }
            (Type::Share, Value::Number(number)) => number
                .as_f64()
                .is_some_and(|number| (0.0..=1.0).contains(&number)),
            (Type::Time, Value::String(text)) => time::is_read_by_go(text),
            (Type::Uuid, Value::String(text)) => is_uuid(text),
            (Type::Digest, Value::String(text)) => is_digest(text),
            (Type::OneOf(words), Value::String(text)) => words.contains(&text.as_str()),
            (Type::List(of), Value::Array(elements)) => {
                elements.iter().all(|element| self.is(of, element))
            }
            (Type::Map(of), Value::Object(members)) => {
                members.values().all(|member| self.is(of, member))
            }
            (Type::Nullable(of), value) => self.is(of, value),
            (Type::Part(name), Value::Object(members)) => self.is_object(name, members),
            _ => false,
        }
    }
}

/// Whether it is a UUID of any version, in groups of 8, 4, 4, 4 and 12 digits.
pub(crate) fn is_uuid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

fn is_digest(text: &str) -> bool {
    let is_small = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(is_small)
}

/// Reading the file of payloads. What it cannot be read as is nothing, and a test says so.
impl Payloads {
    fn parse(text: &'static str) -> Option<Self> {
        let mut payloads = Self::default();
        let mut current = None;
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(types) = line.strip_prefix("@ ") {
                let types = types
                    .split(' ')
                    .map(|event_type| Some((event_type, current?)));
                payloads.of_types.extend(types.collect::<Option<Vec<_>>>()?);
            } else if let Some(members) = line.strip_prefix("  ") {
                let object = payloads.objects.get_mut(current?)?;
                let members = members.trim_end_matches(',').split(", ");
                let members = members.map(Member::parse).collect::<Option<Vec<_>>>()?;
                object.members.extend(members);
            } else {
                let name = line.strip_suffix(" closed").unwrap_or(line);
                let is_closed = name.len() < line.len();
                let members = Vec::new();
                let object = Object { members, is_closed };
                payloads.objects.insert(name, object);
                current = Some(name);
            }
        }
        Some(payloads)
    }
}

impl Member {
    fn parse(text: &'static str) -> Option<Self> {
        let (name, of) = text.split_once(' ')?;
        let required = name.strip_suffix('!');
        Some(Self {
            name: required.unwrap_or(name),
            is_required: required.is_some(),
            of: Type::parse(of)?,
        })
    }
}

impl Type {
    fn parse(text: &'static str) -> Option<Self> {
        if let Some(of) = text.strip_suffix('?') {
            return Some(Self::Nullable(Self::boxed(of)?));
        }
        if let Some(words) = text.strip_prefix('=') {
            return Some(Self::OneOf(words.split('|').collect()));
        }
        if let Some(of) = text.strip_prefix('[') {
            return Some(Self::List(Self::boxed(of.strip_suffix(']')?)?));
        }
        if let Some(of) = text.strip_prefix('{') {
            return Some(Self::Map(Self::boxed(of.strip_suffix('}')?)?));
        }
        Some(match text {
            "str" => Self::Text,
            "bool" => Self::Boolean,
            "int" => Self::Integer(i64::MIN, i64::MAX),
            "int>=0" => Self::Integer(0, i64::MAX),
            "int>=1" => Self::Integer(1, i64::MAX),
            "int32" => Self::Integer(i32::MIN.into(), i32::MAX.into()),
            "num" => Self::Number(f64::MAX),
            "num32" => Self::Number(f32::MAX.into()),
            "num0..1" => Self::Share,
            "time" => Self::Time,
            "uuid" => Self::Uuid,
            "digest" => Self::Digest,
            "any" => Self::Any,
            name if name.starts_with(|first: char| first.is_ascii_uppercase()) => Self::Part(name),
            _ => return None,
        })
    }

    fn boxed(text: &'static str) -> Option<Box<Self>> {
        Self::parse(text).map(Box::new)
    }
}

#[cfg(test)]
mod tests;
