//! Digests of what a record is called and of what it says.
//!
//! Both are stored for ever: changing an encoding here makes every stored record look new.

use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};

/// More than any integer that is read as one.
const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

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

/// Numbers that PostgreSQL holds for equal are the same bytes: it compares `1e2`, `100.0` and `100` by value.
fn push_number(bytes: &mut Vec<u8>, number: &Number) {
    if let Some(integer) = number.as_i64() {
        push_signed(bytes, integer);
    } else if let Some(integer) = number.as_u64() {
        push_unsigned(bytes, integer);
    } else {
        push_float(bytes, number.as_f64().unwrap_or_default());
    }
}

fn push_signed(bytes: &mut Vec<u8>, integer: i64) {
    bytes.push(b'i');
    bytes.extend_from_slice(&integer.to_le_bytes());
}

fn push_unsigned(bytes: &mut Vec<u8>, integer: u64) {
    bytes.push(b'u');
    bytes.extend_from_slice(&integer.to_le_bytes());
}

fn push_float(bytes: &mut Vec<u8>, float: f64) {
    // Without an exponent, and with the digits that go to PostgreSQL: beyond 2^53 they may be fewer than the integer has.
    let digits = if float.fract() == 0.0 && float.abs() < TWO_POW_64 {
        float.to_string()
    } else {
        String::new()
    };
    if let Ok(integer) = digits.parse::<i64>() {
        push_signed(bytes, integer);
    } else if let Ok(integer) = digits.parse::<u64>() {
        push_unsigned(bytes, integer);
    } else {
        bytes.push(b'd');
        bytes.extend(float.to_bits().to_le_bytes());
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest_of(number: &str) -> [u8; 32] {
        let value = crate::json::parse(number.as_bytes()).expect("a number");
        let members = [("n".to_owned(), json!([value]))].into_iter().collect();
        digest(&members, &Map::new())
    }

    #[test]
    fn equal_numbers_are_the_same_content_however_they_are_written() {
        for same in [
            &["100", "1e2", "100.0", "1.00E+2", "10000e-2"][..],
            &["0", "-0", "0.0", "-0.0", "0e9"],
            &["-7", "-7.0", "-70e-1"],
            &["0.5", "5e-1", "0.50"],
            &["9007199254740993", "9007199254740993"],
            &["1e19", "10000000000000000000"],
            &["1e300", "10e299"],
        ] {
            for number in same {
                assert_eq!(digest_of(number), digest_of(same[0]), "{number}");
            }
        }
    }

    /// As PostgreSQL has them: `9223372036854775808.0` arrives there as `9.223372036854776e18`.
    #[test]
    fn different_numbers_are_not() {
        let all = [
            "100",
            "100.5",
            "-100",
            "1e3",
            "0",
            "5e-324",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "9223372036854775808.0",
            "18446744073709551615",
            "18446744073709551615.0",
            "1.7976931348623157e308",
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(|n| digest_of(n)).collect();
        assert_eq!(digests.len(), all.len());
    }

    /// Stored for ever: what these digests are made of must not change.
    #[test]
    fn integers_and_fractions_are_encoded_as_ever() {
        let encoded = |value: Value| {
            let mut bytes = Vec::new();
            push(&mut bytes, &value);
            bytes
        };
        assert_eq!(encoded(json!(1)), b"i\x01\0\0\0\0\0\0\0");
        assert_eq!(
            encoded(json!(u64::MAX)),
            b"u\xff\xff\xff\xff\xff\xff\xff\xff"
        );
        assert_eq!(encoded(json!(0.5)), b"d\0\0\0\0\0\0\xe0\x3f");
    }
}
