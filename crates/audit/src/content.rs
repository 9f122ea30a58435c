//! Digests of what a record is called and of what it says.
//!
//! Both are stored for ever: changing an encoding here makes every stored record look new.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What makes two posts speak of the same record of a kind.
#[derive(Clone, Debug)]
pub(crate) enum NaturalKey<'a> {
    /// The `Idempotency-Key` header.
    Header(&'a str),
    /// The request of a remediation.
    Request(&'a str),
    /// Namespace, name and the instant of creation or start, in its stored form.
    Named(&'a str, &'a str, String),
    /// A workflow and the name of one step.
    Step(&'a str, &'a str),
}

impl NaturalKey<'_> {
    /// SHA-256 of the scheme's tag and the parts, each after its length, so that neither two
    /// schemes nor two divisions into parts give the same bytes.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(256);
        let (scheme, parts): (&str, &[&str]) = match self {
            Self::Header(key) => ("idempotency-key", &[key]),
            Self::Request(id) => ("remediation-request", &[id]),
            Self::Named(namespace, name, time) => ("namespace-name-time", &[namespace, name, time]),
            Self::Step(workflow, step) => ("workflow-step", &[workflow, step]),
        };
        push_text(&mut bytes, scheme);
        for part in parts {
            push_text(&mut bytes, part);
        }
        Sha256::digest(&bytes).into()
    }
}

/// SHA-256 of columns and document, whatever the order of their members.
pub(crate) fn digest(columns: &Map<String, Value>, document: &Map<String, Value>) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(2048);
    push_object(&mut bytes, columns);
    push_object(&mut bytes, document);
    Sha256::digest(&bytes).into()
}

/// Appends SHA-256 to a text, as 64 hexadecimal digits.
pub fn push_hexadecimal(text: &mut String, digest: &[u8; 32]) {
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(digest) {
        *pair = [digit(byte >> 4), digit(byte & 0x0f)];
    }
    // Digits are text, so there is no other case.
    text.push_str(str::from_utf8(&digits).unwrap_or_default());
}

/// The hexadecimal digit of a number below 16.
const fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0'.wrapping_add(value),
        _ => b'a'.wrapping_add(value.wrapping_sub(10)),
    }
}

/// A type tag, then the length where there is one, then the content.
fn push(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.push(b'n'),
        Value::Bool(false) => bytes.push(b'f'),
        Value::Bool(true) => bytes.push(b't'),
        Value::Number(number) => push_number(bytes, number),
        Value::String(text) => {
            bytes.push(b's');
            push_text(bytes, text);
        }
        Value::Array(elements) => {
            bytes.push(b'a');
            push_length(bytes, elements.len());
            for element in elements {
                push(bytes, element);
            }
        }
        Value::Object(members) => push_object(bytes, members),
    }
}

fn push_object(bytes: &mut Vec<u8>, members: &Map<String, Value>) {
    // Sorted here because a feature of serde_json, which any crate of the build may switch on,
    // keeps the members in the order in which they came.
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    bytes.push(b'o');
    push_length(bytes, members.len());
    for (key, member) in members {
        push_text(bytes, key);
        push(bytes, member);
    }
}

fn push_number(bytes: &mut Vec<u8>, number: &serde_json::Number) {
    if let Some(integer) = number.as_i64() {
        bytes.push(b'i');
        bytes.extend_from_slice(&integer.to_le_bytes());
    } else if let Some(integer) = number.as_u64() {
        bytes.push(b'u');
        bytes.extend_from_slice(&integer.to_le_bytes());
    } else {
        bytes.push(b'd');
        bytes.extend(number.as_f64().unwrap_or_default().to_bits().to_le_bytes());
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// Four bytes on every platform. No body comes near the limit: it is at most 5 MiB.
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
}
