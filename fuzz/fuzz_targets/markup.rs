//! Free text as it is stored: nothing in it runs in a browser, cleaning it twice is cleaning it once, and nothing is put in
//! but what stands for a secret.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{Kind, read_patch};
use chrono::DateTime;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;

const REPLACEMENT: &str = "***REDACTED***";

/// Some of the events; the rules know all.
const EVENTS: [&str; 5] = ["click", "error", "load", "mouseover", "focus"];

/// What is kept between angle brackets, beside mail addresses.
const PLACEHOLDERS: [&str; 8] = [
    "none", "nil", "null", "unknown", "pending", "unset", "invalid", "error",
];

fuzz_target!(|text: &str| -> Corpus {
    // The first is refused, the second cannot be told from what stands for a secret.
    if text.contains('\0') || text.contains(REPLACEMENT) {
        return Corpus::Reject;
    }
    let stored = stored(text);
    assert_eq!(self::stored(&stored), stored, "{text:?} changes once more");
    assert!(
        is_subsequence(&stored.replace(REPLACEMENT, ""), text),
        "{text:?} became {stored:?}"
    );
    let seen = stored.to_lowercase();
    assert_eq!(tag(&seen), None, "{text:?} became {stored:?}");
    assert!(!has_handler(&seen), "{text:?} became {stored:?}");
    // Browsers read entities first, and then see through what breaks a line.
    let address = seen.replace("&#58;", ":").replace(['\t', '\n', '\r'], "");
    assert!(
        !address.contains("javascript:"),
        "{text:?} became {stored:?}"
    );
    Corpus::Keep
});

/// What is stored of a free text.
fn stored(text: &str) -> String {
    let now = DateTime::from_timestamp_secs(1_770_000_000).expect("an instant");
    let patch = read_patch(Kind::Execution, json!({"reason": text}), now);
    let mut patch = patch.unwrap_or_else(|violations| panic!("{text:?}: {violations:?}"));
    let stored = patch.document.remove("reason").expect("the member");
    stored.as_str().expect("a text").to_owned()
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut whole = whole.chars();
    part.chars()
        .all(|wanted| whole.any(|found| found == wanted))
}

/// What HTML's tokenizer takes for a tag, in a text without capitals.
fn tag(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        rest = behind;
        if !rest.starts_with(|first: char| first.is_ascii_lowercase() || "/!?".contains(first)) {
            continue;
        }
        let Some((inside, behind)) = rest.split_once('>') else {
            let elements = ["script", "iframe", "object"].into_iter();
            return elements.into_iter().find(|name| begins_element(rest, name));
        };
        if !PLACEHOLDERS.contains(&inside) && !is_address(inside) {
            return Some(inside);
        }
        rest = behind;
    }
    None
}

fn begins_element(text: &str, name: &str) -> bool {
    text.strip_prefix(name).is_some_and(|behind| {
        behind.is_empty() || behind.starts_with(|next| " \t\n\r\x0c/".contains(next))
    })
}

/// The mail address of `Name <name@host>`.
fn is_address(text: &str) -> bool {
    let is_name = |part: &str| {
        part.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    text.split_once('@')
        .is_some_and(|(name, host)| is_name(name) && is_name(host) && !host.is_empty())
}

/// Whether an attribute of a text without capitals runs a script.
fn has_handler(text: &str) -> bool {
    let spaces = [' ', '\t', '\n', '\r', '\x0c'];
    text.match_indices('=').any(|(at, _)| {
        let before = text[..at].trim_end_matches(spaces);
        let begins = before.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let event = before[begins.len()..].strip_prefix("on");
        event.is_some_and(|event| EVENTS.contains(&event))
            && (begins.is_empty()
                || begins.ends_with(spaces)
                || begins.ends_with(['"', '\'', '`', '/', '>', ';']))
    })
}
