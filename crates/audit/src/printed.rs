//! How long JSON is as PostgreSQL prints a `jsonb`.

use std::io;

use serde_json::{Number, Value};

/// The length of `value::text` in PostgreSQL, in bytes.
///
/// Beside spaces after commas and colons, numbers differ: PostgreSQL keeps them as `numeric` and prints them without an
/// exponent (`1e-300` has 302 characters).
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Number(number) => number_size(number),
        Value::Array(elements) => {
            let inside = elements.iter().map(size).fold(0, usize::saturating_add);
            listed(inside, elements.len())
        }
        Value::Object(members) => {
            let inside = members
                .iter()
                .map(|(key, value)| text_size(key).saturating_add(size(value)).saturating_add(2))
                .fold(0, usize::saturating_add);
            listed(inside, members.len())
        }
        Value::String(text) => text_size(text),
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
    }
}

/// With brackets, and a comma and a space between the elements.
fn listed(inside: usize, count: usize) -> usize {
    inside.saturating_add(count.saturating_sub(1).saturating_mul(2).saturating_add(2))
}

/// A string is escaped as `serde_json` does it.
fn text_size(text: &str) -> usize {
    let mut size = Size(0);
    // A string always serialises, and counting cannot fail.
    let _ = serde_json::to_writer(&mut size, text);
    size.0
}

fn number_size(number: &Number) -> usize {
    let text = number.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let sign = text.len().saturating_sub(digits.len());
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().unwrap_or_default();
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let integer = length(integer).saturating_add(exponent).max(1);
    let fraction = length(fraction).saturating_sub(exponent).max(0);
    let point = i64::from(fraction > 0);
    let size = integer.saturating_add(point).saturating_add(fraction);
    usize::try_from(size)
        .unwrap_or(usize::MAX)
        .saturating_add(sign)
}

/// Counts what is written to it.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right sides are what PostgreSQL 16 and 18 print.
    #[test]
    fn sizes_are_those_of_postgresql() {
        let zeros = "0".repeat(299);
        let cases = [
            ("null", "null".to_owned()),
            ("[]", "[]".to_owned()),
            ("{}", "{}".to_owned()),
            ("[1,-2,true,false]", "[1, -2, true, false]".to_owned()),
            (r#"{"a":{"b":[]}}"#, r#"{"a": {"b": []}}"#.to_owned()),
            (r#""\u0001\n\"é""#, r#""\u0001\n\"é""#.to_owned()),
            ("1e-300", format!("0.{zeros}1")),
            ("-1.5e-7", "-0.00000015".to_owned()),
            ("1e300", format!("1{zeros}0")),
            ("12.5", "12.5".to_owned()),
            ("0.001", "0.001".to_owned()),
            ("1.25e20", "125000000000000000000".to_owned()),
        ];
        for (sent, printed) in cases {
            let value: Value = serde_json::from_str(sent).expect("JSON");
            assert_eq!(size(&value), printed.len(), "{sent}");
        }
    }
}
