//! Secrets: none is left, nothing else is lost, a second pass changes nothing, and a text grows within its bound.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use std::borrow::Cow;

use audit::{json, redact, redact_object};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const REPLACEMENT: &str = "***REDACTED***";

/// Each with what must be gone. They are not real.
const SECRETS: [(&str, &str); 5] = [
    ("ghp_N0tARealT0kenN0tARealT0kenN0tARe", "N0tAReal"),
    ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ6In0.c2ln", "eyJzdWIi"),
    ("password=N0tARealPassw0rd", "N0tAReal"),
    ("postgres://u:N0tARealPassw0rd@h/d", "N0tAReal"),
    (
        "-----BEGIN PRIVATE KEY-----\nN0tAReal\n-----END PRIVATE KEY-----",
        "N0tAReal",
    ),
];

fuzz_target!(|text: &str| {
    check(text);
    check_object(text);
    // A secret is found whatever stands around it.
    let middle = text.floor_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(middle);
    let (secret, gone) = SECRETS[text.len() % SECRETS.len()];
    if !text.contains(gone) {
        let text = format!("{before} {secret} {after}");
        let redacted = redact(&text);
        assert!(!redacted.contains(gone), "{text:?} became {redacted:?}");
    }
});

/// Who is told that an object had no secrets may go on with its text as it came.
fn check_object(text: &str) {
    if let Ok(Value::Object(members)) = json::parse(text.as_bytes()) {
        let mut after = members.clone();
        assert_eq!(redact_object(&mut after), after != members, "{text}");
    }
}

fn check(text: &str) {
    let redacted = redact(text);
    if let Cow::Owned(redacted) = &redacted {
        assert!(
            redacted.contains(REPLACEMENT),
            "{text:?} became {redacted:?}"
        );
        assert_ne!(redacted, text, "copied without need");
    }
    let again = redact(&redacted);
    assert_eq!(again, redacted, "{text:?} changes once more");
    assert!(
        redacted.len() <= text.len().saturating_mul(6),
        "{text:?} became {redacted:?}"
    );
    // Where a part of what stands for a secret was there before, nobody can tell which is which.
    let is_clear = !text.contains("REDACTED");
    assert!(
        !is_clear || is_kept(text, &redacted),
        "{text:?} became {redacted:?}"
    );
}

/// Whether what stands between replacements stands in the text, in the same order, from its start to its end.
fn is_kept(text: &str, redacted: &str) -> bool {
    let pieces: Vec<&str> = redacted.split(REPLACEMENT).collect();
    let [first, between @ .., last] = pieces.as_slice() else {
        return text == redacted;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for piece in between {
        let Some((_, behind)) = rest.split_once(piece) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}
