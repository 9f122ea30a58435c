//! Personal data out of an event that leaves: e-mail addresses, IP addresses, telephone numbers.
//!
//! What looks like one goes, also where it is none: a version `1.2.3.4` is an address here. What an event is known by (its ids, times,
//! types and hashes) stays, whatever it looks like.

mod address;
mod phone;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Value};

/// What stands in the place of what was taken out.
const REPLACEMENT: &str = "***REDACTED***";

/// The members that an event is known by, and those that no person is in.
const KEPT: [&str; 17] = [
    "event_id",
    "version",
    "event_type",
    "event_category",
    "event_action",
    "event_outcome",
    "event_timestamp",
    "event_date",
    "correlation_id",
    "parent_event_id",
    "parent_event_date",
    "event_hash",
    "previous_event_hash",
    "hash_algorithm",
    "chain_key_id",
    "canonical_form",
    "legal_hold_placed_at",
];

/// Takes e-mail addresses, IP addresses and telephone numbers out of an exported event, and says so in it: `redacted` is true if there
/// was anything. Returns whether there was. The event's hash is that of what was there before.
pub fn redact_pii(event: &mut Map<String, Value>) -> bool {
    let mut found = false;
    for (name, value) in event.iter_mut() {
        if !KEPT.contains(&name.as_str()) {
            found |= clean(value);
        }
    }
    if found {
        event.insert("redacted".to_owned(), true.into());
    }
    found
}

/// Cleans a value and everything in it, and says whether there was anything.
fn clean(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let Cow::Owned(redacted) = redact(text) else {
                return false;
            };
            *text = redacted;
            true
        }
        Value::Array(elements) => elements
            .iter_mut()
            .fold(false, |found, element| clean(element) | found),
        Value::Object(members) => {
            let inside = members
                .values_mut()
                .fold(false, |found, member| clean(member) | found);
            keys(members) | inside
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Cleans the names of members. Two that become the same are told apart by a number.
fn keys(members: &mut Map<String, Value>) -> bool {
    let is_personal = |key: &&String| matches!(redact(key), Cow::Owned(_));
    let personal: Vec<_> = members.keys().filter(is_personal).cloned().collect();
    let mut number = 1_usize;
    for key in &personal {
        let Some(value) = members.remove(key) else {
            continue;
        };
        let clean = redact(key).into_owned();
        let mut free = clean.clone();
        while members.contains_key(&free) {
            number = number.saturating_add(1);
            free = format!("{clean} {number}");
        }
        members.insert(free, value);
    }
    !personal.is_empty()
}

/// The text without what is personal; borrowed if there is nothing.
fn redact(text: &str) -> Cow<'_, str> {
    let mut found = Vec::new();
    address::emails(text, &mut found);
    address::ips(text, &mut found);
    phone::numbers(text, &mut found);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_unstable_by_key(|range| range.start);
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    let mut copied = 0;
    for range in found {
        if range.start >= at {
            clean.push_str(text.get(copied..range.start).unwrap_or_default());
            clean.push_str(REPLACEMENT);
        }
        at = at.max(range.end);
        copied = at;
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
}

/// The runs of characters that all are such, by their places.
fn runs(text: &str, is_such: impl Fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = characters.find(|(_, character)| is_such(*character))?;
        let mut end = start.saturating_add(first.len_utf8());
        while let Some((at, character)) = characters.next_if(|(_, next)| is_such(*next)) {
            end = at.saturating_add(character.len_utf8());
        }
        Some(start..end)
    })
}

/// Whether a place of the text is not within a word: neither behind nor before it is a letter, a digit or an underscore.
fn stands_alone(text: &str, place: &Range<usize>) -> bool {
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    !before(text, place).is_some_and(is_of_word) && !behind(text, place).is_some_and(is_of_word)
}

fn before(text: &str, place: &Range<usize>) -> Option<char> {
    text.get(..place.start)?.chars().next_back()
}

fn behind(text: &str, place: &Range<usize>) -> Option<char> {
    text.get(place.end..)?.chars().next()
}

#[cfg(test)]
mod tests;
