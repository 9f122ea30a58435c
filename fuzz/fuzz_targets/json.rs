//! Bodies: whatever `serde_json` takes is taken with the same value, but for objects that name a member twice.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::json::{self, Malformed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A message quotes at most 64 characters of a body, each of which may be escaped.
const MESSAGE_MAX: usize = 1024;

fuzz_target!(|body: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(body).ok();
    match json::parse(body) {
        Ok(value) => {
            assert_eq!(
                members(&value),
                colons(body),
                "a member that occurs twice was lost"
            );
            let text = value.to_string();
            assert_eq!(json::parse(text.as_bytes()).as_ref(), Ok(&value));
            assert_eq!(theirs.as_ref(), Some(&value));
        }
        Err(malformed) => {
            check_message(body, &malformed);
            if let Some(value) = theirs {
                assert!(malformed.message.ends_with("occurs twice"), "{malformed}");
                assert_ne!(members(&value), colons(body), "no member occurs twice");
            }
        }
    }
});

fn check_message(body: &[u8], malformed: &Malformed) {
    assert!(malformed.message.len() <= MESSAGE_MAX, "{malformed}");
    assert!(!malformed.message.contains(char::is_control), "{malformed}");
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
    let line = lines.get(malformed.line.wrapping_sub(1));
    assert!(
        line.is_some_and(|line| (1..=line.len() + 1).contains(&malformed.column)),
        "no such place: {malformed}"
    );
    if let Err(error) = std::str::from_utf8(body)
        && malformed.message.ends_with("not UTF-8")
    {
        // A line feed ends each line before.
        let before = lines[..malformed.line - 1].iter();
        let start: usize = before.map(|line| line.len() + 1).sum();
        let place = start + malformed.column - 1;
        assert_eq!(place, error.valid_up_to(), "{malformed}");
    }
}

/// The members of all objects of a value.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(elements) => elements.iter().map(members).sum(),
        _ => 0,
    }
}

/// The members of all objects that a text in JSON names: it has a colon outside of strings for each.
fn colons(json: &[u8]) -> usize {
    let mut count = 0;
    let mut in_string = false;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => drop(bytes.next()),
            b':' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}
