//! JSON as the service reads it: RFC 8259 without the freedoms that lose data.
//!
//! Beyond what `serde_json` checks (syntax, lone surrogates, nesting of at most 128 levels), a key
//! that occurs twice in one object is refused at any depth: PostgreSQL would keep one of the two
//! values and nobody could say which the client meant.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::redact;

/// How much of a key an error message shows, in characters.
const SHOWN_KEY: usize = 64;

/// Bytes that are not JSON, or not JSON as this service takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong, in plain words.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The position in the line, in bytes, from 1.
    pub column: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            line,
            column,
        } = self;
        write!(f, "{message} (line {line}, column {column})")
    }
}

impl std::error::Error for Malformed {}

/// The value that `bytes` spell.
pub fn parse(bytes: &[u8]) -> Result<Value, Malformed> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(start(
            "starts with a byte order mark; send the JSON without it",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    if text.trim_ascii().is_empty() {
        return Err(start("is empty; send a JSON document"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| malformed(&error))
}

fn start(message: &str) -> Malformed {
    Malformed {
        message: format!("the body {message}"),
        line: 1,
        column: 1,
    }
}

fn not_utf8(bytes: &[u8], valid: usize) -> Malformed {
    let before = bytes.get(..valid).unwrap_or_default();
    let last_line = before.rsplit(|byte| *byte == b'\n').next();
    Malformed {
        message: "the body is not UTF-8".to_owned(),
        line: before.split(|byte| *byte == b'\n').count(),
        column: last_line.unwrap_or_default().len().saturating_add(1),
    }
}

/// The parser's error in the words of this service.
fn malformed(error: &serde_json::Error) -> Malformed {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text
        .strip_suffix(&format!(" at line {line} column {column}"))
        .unwrap_or(&text);
    Malformed {
        message: format!("the body is not valid JSON: {}", plain(text)),
        line: line.max(1),
        column: column.max(1),
    }
}

/// Rewords what the parser says in terms of its own.
fn plain(text: &str) -> &str {
    match text {
        "EOF while parsing a list" => "it ends inside an array",
        "EOF while parsing an object" => "it ends inside an object",
        "EOF while parsing a string" => "it ends inside a string",
        "EOF while parsing a value" => "it ends where a value should be",
        "expected value" | "expected ident" => "a value was expected here",
        "key must be a string" => "a key must be a string in double quotes",
        "trailing characters" => "there is something after the end of the document",
        "trailing comma" => "there is a comma after the last element",
        "recursion limit exceeded" => "arrays and objects are nested deeper than 127 levels",
        "number out of range" => "the number is too large",
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "an escaped surrogate must be one of a pair"
        }
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "control characters in a string must be escaped"
        }
        _ => text,
    }
}

/// Builds a [`Value`] and refuses duplicate keys on the way.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Self)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                let shown: String = key.chars().take(SHOWN_KEY).collect();
                let shown = redact(&shown);
                let shown = shown.escape_debug();
                return Err(A::Error::custom(format_args!(
                    "the key \"{shown}\" occurs twice"
                )));
            }
            object.insert(key, members.next_value_seed(Self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn reads_json() {
        let text = "\r\n {\"a\":[1,-2,0.1,18446744073709551615,\"\\ud83d\\ude00\\u0000\",null,true],\"\":{}} ";
        let expected = json!({"a": [1, -2, 0.1, u64::MAX, "\u{1f600}\0", null, true], "": {}});
        assert_eq!(parse(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn keeps_the_digits_of_floats() {
        for text in [
            "0.1",
            "1e-7",
            "2.225073858507201e-308",
            "0.9199999999999999",
            "7.0",
        ] {
            let value = parse(text.as_bytes()).expect("a number");
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn says_what_is_malformed_and_where() {
        let cases: &[(&[u8], &str, usize, usize)] = &[
            (b"", "the body is empty; send a JSON document", 1, 1),
            (b" \r\n\t", "the body is empty; send a JSON document", 1, 1),
            (
                b"\xEF\xBB\xBF{}",
                "the body starts with a byte order mark; send the JSON without it",
                1,
                1,
            ),
            (b"{\n\"a\": \"b\xFF\"}", "the body is not UTF-8", 2, 8),
            (b"\"\xED\xA0\x80\"", "the body is not UTF-8", 1, 2),
            (
                b"{\"a\":1,\n \"a\":2}",
                "the body is not valid JSON: the key \"a\" occurs twice",
                2,
                4,
            ),
            (
                b"[{\"a\":{\"b\":[{\"c\":1,\"d\":2,\"\\u0063\":3}]}}]",
                "the body is not valid JSON: the key \"c\" occurs twice",
                1,
                33,
            ),
            (
                br#"["\ud83d"]"#,
                "the body is not valid JSON: an escaped surrogate must be one of a pair",
                1,
                9,
            ),
            (
                br#"["\ude00"]"#,
                "the body is not valid JSON: an escaped surrogate must be one of a pair",
                1,
                8,
            ),
            (
                br#"["\ud83dx"]"#,
                "the body is not valid JSON: an escaped surrogate must be one of a pair",
                1,
                9,
            ),
            (
                b"{} {}",
                "the body is not valid JSON: there is something after the end of the document",
                1,
                4,
            ),
            (
                b"[1,",
                "the body is not valid JSON: it ends where a value should be",
                1,
                3,
            ),
            (
                b"[1",
                "the body is not valid JSON: it ends inside an array",
                1,
                2,
            ),
            (
                b"[1,]",
                "the body is not valid JSON: there is a comma after the last element",
                1,
                4,
            ),
            (
                b"{a:1}",
                "the body is not valid JSON: a key must be a string in double quotes",
                1,
                2,
            ),
            (
                b"NaN",
                "the body is not valid JSON: a value was expected here",
                1,
                1,
            ),
            (
                b"[1e400]",
                "the body is not valid JSON: the number is too large",
                1,
                6,
            ),
            (
                b"\"\t\"",
                "the body is not valid JSON: control characters in a string must be escaped",
                1,
                2,
            ),
        ];
        for (bytes, message, line, column) in cases {
            let error = parse(bytes).expect_err("malformed");
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(error.message, *message, "{shown}");
            assert_eq!((error.line, error.column), (*line, *column), "{shown}");
        }
    }

    #[test]
    fn nesting_is_limited() {
        let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
        assert!(parse(&nested(127)).is_ok());
        for levels in [128, 10_000] {
            let error = parse(&nested(levels)).expect_err("too deep");
            assert!(
                error.message.ends_with("nested deeper than 127 levels"),
                "{error}"
            );
        }
        assert!(parse(&b"{\"a\":".repeat(100_000)).is_err());
    }

    #[test]
    fn a_long_key_is_cut_in_the_message() {
        let key = "k".repeat(100_000);
        let error = parse(format!("{{\"{key}\":1,\"{key}\":2}}").as_bytes()).expect_err("twice");
        assert!(error.message.len() < 200, "{error}");
    }
}
