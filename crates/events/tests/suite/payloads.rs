//! Events as services send them, and how they are read here.

use chrono::{DateTime, Utc};
use events::{Batch, Entry, Event, Origin, Quarantined, Rejected, read_batch};
use serde_json::{Map, Value, json};

pub(crate) const GATEWAY: &str = "system:serviceaccount:kubernaut-system:gateway";

/// The time that it is here.
pub(crate) fn now() -> DateTime<Utc> {
    events::time::parse("2026-09-01T12:00:00Z").expect("a time")
}

pub(crate) fn origin() -> Origin<'static> {
    Origin {
        now: now(),
        username: Some(GATEWAY),
        redact: true,
    }
}

/// A signal that came in, with some members changed; null takes one out.
pub(crate) fn signal(changes: &Value) -> Value {
    let mut event = json!({
        "version": "1.0",
        "event_type": "gateway.signal.received",
        "event_timestamp": "2026-09-01T11:59:00Z",
        "event_category": "gateway",
        "event_action": "received",
        "event_outcome": "success",
        "correlation_id": "rr-77aa-0b1c",
        "event_data": {
            "event_type": "gateway.signal.received",
            "signal_type": "alert",
            "signal_name": "PodCrashLooping",
            "namespace": "shop",
            "fingerprint": "5f1c",
            "occurrence_count": 1,
        },
    });
    for (name, value) in changes.as_object().expect("an object") {
        event[name] = value.clone();
    }
    let members = event.as_object_mut().expect("an object");
    members.retain(|_, value| !value.is_null());
    event
}

pub(crate) fn read(body: &Value) -> Result<Batch, Rejected> {
    read_batch(body.to_string().as_bytes(), &origin())
}

/// The events of a batch that has nothing else.
pub(crate) fn all(body: &Value) -> Vec<Event> {
    let batch = read(body).unwrap_or_else(|rejected| panic!("{rejected:?}"));
    let entries = batch.entries.into_iter();
    let events = entries.map(|entry| match entry {
        Entry::Event(event) => *event,
        Entry::Quarantined(quarantined) => panic!("{quarantined:?}"),
    });
    events.collect()
}

/// The one event of a batch.
pub(crate) fn one(event: &Value) -> Event {
    all(&json!([event])).pop().expect("an event")
}

/// What an event is as a row of the log.
pub(crate) fn row(event: &Event) -> Map<String, Value> {
    let row = serde_json::to_value(event).expect("JSON");
    row.as_object().expect("an object").clone()
}

/// What becomes of an element that is no event, beside one that is.
pub(crate) fn quarantined(text: &str) -> Quarantined {
    let body = format!("[{},{text}]", signal(&json!({})));
    let batch = read_batch(body.as_bytes(), &origin()).expect("one is an event");
    assert!(matches!(batch.entries[0], Entry::Event(_)));
    match &batch.entries[1] {
        Entry::Quarantined(quarantined) => quarantined.clone(),
        Entry::Event(event) => panic!("{event:?}"),
    }
}
