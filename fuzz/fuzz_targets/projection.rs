//! From events to records: whatever payloads services write, in whatever order, each beginning of a chain amounts to valid records,
//! and storing those of one beginning after the other ends in the same records as storing those of the whole chain.
//!
//! The input is an array of payloads, one for each event. What a payload has of `at` and `in` makes its event's time and namespace.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use std::collections::BTreeMap;

use audit::{Record, json};
use chrono::{DateTime, TimeDelta, Utc};
use events::project;
use fuzz::has_nul;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};

/// More events would only make it slower.
const MOST: usize = 12;

const CORRELATION: &str = "rr-1";

fuzz_target!(|body: &[u8]| -> Corpus {
    let Ok(Value::Array(payloads)) = json::parse(body) else {
        return Corpus::Reject;
    };
    let payloads = payloads.into_iter().take(MOST).enumerate();
    let events: Vec<_> = payloads
        .filter_map(|(place, of)| event(place, of))
        .collect();
    if events.is_empty() {
        return Corpus::Reject;
    }
    let mut stored = BTreeMap::new();
    for end in 1..=events.len() {
        for record in records(&events[..end]) {
            store(&mut stored, record);
        }
    }
    let mut at_once = BTreeMap::new();
    for record in records(&events) {
        store(&mut at_once, record);
    }
    assert_eq!(stored, at_once);
    Corpus::Keep
});

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_secs(1_770_000_000).expect("an instant")
}

/// An event as lists show it. The log takes no text with U+0000.
fn event(place: usize, payload: Value) -> Option<Map<String, Value>> {
    if has_nul(&payload) {
        return None;
    }
    let place = i64::try_from(place).expect("a place");
    let arrived = now() - TimeDelta::hours(1) + TimeDelta::seconds(place);
    let later = payload["at"].as_i64().unwrap_or_default() % 100_000;
    let mut event = Map::from_iter([
        ("event_id".to_owned(), format!("event-{place}").into()),
        ("correlation_id".to_owned(), CORRELATION.into()),
        ("event_type".to_owned(), payload["event_type"].clone()),
        ("sequence".to_owned(), audit::ids_at(arrived).start.into()),
        (
            "event_timestamp".to_owned(),
            audit::format_time(arrived + TimeDelta::seconds(later)).into(),
        ),
    ]);
    if let Some(namespace) = payload["in"].as_str() {
        event.insert("namespace".to_owned(), namespace.into());
    }
    event.insert("event_data".to_owned(), payload);
    Some(event)
}

/// What the events amount to, which is the same each time, and which PostgreSQL takes.
fn records(events: &[Map<String, Value>]) -> Vec<Record> {
    let posts = project(CORRELATION, events);
    assert_eq!(posts, project(CORRELATION, events));
    let records: Vec<_> = posts
        .into_iter()
        .map(|post| {
            let shown = format!("{post:?}");
            post.read(now()).unwrap_or_else(|| panic!("{shown}"))
        })
        .collect();
    let stored = Record::all_to_json(&records).expect("JSON");
    let stored: Value = serde_json::from_str(&stored).expect("JSON");
    assert!(!has_nul(&stored), "{stored}");
    records
}

/// Columns and document of a record, and its rank.
type Stored = (Map<String, Value>, Map<String, Value>, Option<u8>);

/// Stores a record as the life cycle of records has it: what it states replaces what was stated before.
fn store(stored: &mut BTreeMap<(String, [u8; 32]), Stored>, record: Record) {
    let key = (record.kind.to_string(), record.key);
    let Some((columns, document, rank)) = stored.get_mut(&key) else {
        stored.insert(key, (record.columns, record.document, record.rank));
        return;
    };
    for name in ["name", "namespace"] {
        assert_eq!(columns[name], record.columns[name], "a conflict");
    }
    assert!(
        record.rank >= *rank,
        "stale: {rank:?}, then {:?}",
        record.rank
    );
    columns.extend(record.columns);
    document.extend(record.document);
    *rank = record.rank;
}
