//! Free text as it is stored: nothing in it runs in a browser, cleaning it twice is cleaning it once, and nothing is put in
//! but what stands for a secret.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{Kind, read_patch};
use chrono::DateTime;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;

const REPLACEMENT: &str = "***REDACTED***";

/// Elements that go with their content or are defused.
const ELEMENTS: [&str; 5] = ["script", "iframe", "style", "svg", "math"];

fuzz_target!(|text: &str| -> Corpus {
    // The first is refused, the second cannot be told from what stands for a secret.
    if text.contains('\0') || text.contains(REPLACEMENT) {
        return Corpus::Reject;
    }
    let stored = stored(text);
    assert_eq!(self::stored(&stored), stored, "{text:?} changes once more");
    // Where a part of what stands for a secret was there before, nobody can tell which is which.
    assert!(
        text.contains("REDACTED")
            || is_subsequence(&stored.replace(REPLACEMENT, "").replace("&lt;", ""), text),
        "{text:?} became {stored:?}"
    );
    let seen = stored.to_lowercase();
    for element in ELEMENTS {
        assert!(
            !begins_element(&seen, element),
            "{text:?} became {stored:?}"
        );
    }
    Corpus::Keep
});

/// What is stored of a free text.
fn stored(text: &str) -> String {
    let now = DateTime::from_timestamp_secs(1_770_000_000).expect("an instant");
    let patch = read_patch(Kind::Execution, json!({"reason": text}), now);
    let mut patch = patch.unwrap_or_else(|violations| panic!("{text:?}: {violations:?}"));
    // An empty text is none.
    let stored = patch.document.remove("reason");
    stored.map_or_else(String::new, |stored| {
        stored.as_str().expect("a text").to_owned()
    })
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut whole = whole.chars();
    part.chars()
        .all(|wanted| whole.any(|found| found == wanted))
}

/// Whether a tag of this name begins in a text without capitals.
fn begins_element(text: &str, name: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let behind = text[at + 1..].strip_prefix(name);
        behind.is_some_and(|behind| behind.starts_with(|next| " \t\n\r\x0c/>".contains(next)))
    })
}
