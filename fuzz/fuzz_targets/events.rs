//! Batches of events: whatever a body says, each of its elements is an event or is put into quarantine, none costs another, what is
//! sealed verifies when it comes back, and a retry has the same key.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::json;
use chrono::{DateTime, Utc};
use events::{
    Batch, ChainKeys, Entry, Event, Head, Origin, Quarantined, Rejected, Verifier, canonical,
    read_batch, read_one, redact_pii, seal,
};
use fuzz::has_nul;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};

/// Good whatever is beside it.
const GOOD: &str = r#"{"version":"1","event_type":"a","event_timestamp":"2026-02-01T00:00:00Z","event_category":"a",
    "event_action":"a","event_outcome":"success","correlation_id":"a","event_data":{"event_type":"a"}}"#;

fuzz_target!(|body: &[u8]| -> Corpus {
    match read_batch(body, &origin()) {
        Ok(batch) => check_batch(body, &batch),
        Err(Rejected::Invalid { quarantined, .. }) => check_quarantined(&quarantined),
        Err(Rejected::Malformed(_)) => {
            assert!(json::parse(body).is_err());
            return Corpus::Reject;
        }
    }
    check_one(body);
    Corpus::Keep
});

fn origin() -> Origin<'static> {
    Origin {
        now: DateTime::<Utc>::from_timestamp_secs(1_770_000_000).expect("an instant"),
        username: Some("system:serviceaccount:a:b"),
        redact: true,
    }
}

fn check_batch(body: &[u8], batch: &Batch) {
    let keys = ChainKeys::parse("k:0123456789abcdef").expect("keys");
    let mut head = Head::default();
    let mut verifier = Verifier::new(&keys, Head::default());
    for entry in &batch.entries {
        match entry {
            Entry::Quarantined(quarantined) => check_quarantined(std::slice::from_ref(quarantined)),
            Entry::Event(event) => {
                let mut event = (**event).clone();
                seal(
                    &mut event,
                    "270aaeb7-8172-595a-8aea-77d37e5a65e7",
                    7,
                    &mut head,
                    &keys,
                );
                let mut exported = exported(&event);
                verifier.next(&exported);
                redact_pii(&mut exported);
            }
        }
    }
    let report = verifier.finish(&head);
    assert!(report.is_valid(), "{report:?}");
    // The same in another form.
    if let Ok(value) = json::parse(body) {
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        let again = read_batch(pretty.as_bytes(), &origin()).expect("the same batch");
        assert_eq!(again.key, batch.key);
        assert_eq!(again.entries.len(), batch.entries.len());
    }
}

/// As the database gives it back. PostgreSQL takes it: it is JSON, and has no U+0000.
fn exported(event: &Event) -> Map<String, Value> {
    let row = serde_json::to_string(event).expect("JSON");
    let row: Value = serde_json::from_str(&row).expect("JSON");
    assert!(!has_nul(&row), "{row}");
    let mut members = row.as_object().expect("an object").clone();
    let date = event.timestamp_text().get(..10).expect("a day");
    members.insert("event_date".to_owned(), date.into());
    members.insert("canonical_form".to_owned(), "RFC8785".into());
    members.retain(|name, value| name != "clock_skew" || *value == Value::Bool(true));
    let form = canonical(&Value::Object(members.clone()));
    let back = json::parse(&form).expect("JSON");
    assert_eq!(canonical(&back), form);
    members
}

fn check_quarantined(quarantined: &[Quarantined]) {
    for element in quarantined {
        assert!(
            !element.text.contains('\0') && !element.message.contains('\0'),
            "{element:?}"
        );
        // It costs no other.
        let body = format!("[{},{GOOD}]", element.text);
        if json::parse(element.text.as_bytes()).is_ok() {
            let batch = read_batch(body.as_bytes(), &origin()).expect("one is good");
            assert!(
                matches!(batch.entries.as_slice(), [_, Entry::Event(_)]),
                "{body}"
            );
        }
    }
}

/// A single event is a batch of one.
fn check_one(body: &[u8]) {
    if json::parse(body).is_err() {
        return;
    }
    let array = [b"[", body, b"]"].concat();
    match (read_one(body, &origin()), read_batch(&array, &origin())) {
        (Ok(one), Ok(array)) => assert_eq!(one.key, array.key),
        (Err(_), Err(_)) => {}
        (one, array) => panic!("alone {one:?}, in an array {array:?}"),
    }
}
