//! What holds for any input.

use events::{ChainKeys, Entry, Head, Origin, Rejected, Verifier, read_batch, read_one, seal};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::chain::exported;
use crate::payloads::{now, origin, signal};

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("2026-08-22T17:03:40Z")),
        Just(json!("success")),
        Just(json!("gateway.signal.received")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A payload that any service may write, with numbers of every kind.
fn payload() -> impl Strategy<Value = Value> {
    let name = || "[a-zA-Z_\"\\\\é]{0,4}";
    let number = prop_oneof![
        (-9_i64..9).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-9_i32..9).prop_map(|number| f64::from(number).into()),
        (-900_i32..900).prop_map(|number| (f64::from(number) / 100.0).into()),
        any::<f64>().prop_map(Value::from),
    ];
    let leaf = prop_oneof![3 => number, 1 => name().prop_map(Value::from), 1 => Just(Value::Null)];
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let members = prop::collection::btree_map(name(), value, 0..5);
    (members, any::<bool>()).prop_map(|(members, has_secret)| {
        let mut data: Map<_, _> = members.into_iter().collect();
        data.insert("event_type".to_owned(), "gateway.signal.received".into());
        if has_secret {
            data.insert("password".to_owned(), "hunter2".into());
        }
        Value::Object(data)
    })
}

/// A good event with some of its members, or new ones, replaced.
fn almost_good() -> impl Strategy<Value = Value> {
    let change = (
        any::<prop::sample::Index>(),
        "[a-zA-Z_]{0,12}",
        value(),
        any::<bool>(),
    );
    prop::collection::vec(change, 0..4).prop_map(|changes| {
        let mut event = signal(
            &json!({"actor_ip": "10.42.1.7", "duration_ms": 5, "parent_event_date": "2026-08-22T00:00:00Z"}),
        );
        let members = event.as_object_mut().expect("an object");
        for (index, name, value, known) in changes {
            let names: Vec<_> = members.keys().cloned().collect();
            let name = if known {
                index.get(&names).clone()
            } else {
                name
            };
            members.insert(name, value);
        }
        event
    })
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_batch(&bytes, &origin());
        let _ = read_one(&bytes, &origin());
    }

    #[test]
    fn any_elements_can_be_read(elements in prop::collection::vec(value(), 0..5)) {
        let body = Value::from(elements.clone()).to_string();
        match read_batch(body.as_bytes(), &origin()) {
            Ok(batch) => prop_assert_eq!(batch.entries.len(), elements.len()),
            Err(Rejected::Invalid { violations, quarantined }) => {
                prop_assert!(!violations.is_empty());
                prop_assert_eq!(quarantined.len(), elements.len());
            }
            Err(Rejected::Malformed(malformed)) => panic!("{malformed}: {body}"),
        }
    }

    /// Every element is an event or in quarantine, in the order in which they came, and nothing of an event is lost.
    #[test]
    fn nothing_is_lost(elements in prop::collection::vec(almost_good(), 1..5)) {
        let as_sent = Origin { redact: false, ..origin() };
        let mut all = elements.clone();
        all.push(signal(&json!({})));
        let batch = read_batch(Value::from(all).to_string().as_bytes(), &as_sent).expect("one is good");
        for (entry, element) in batch.entries.iter().zip(&elements) {
            match entry {
                Entry::Quarantined(quarantined) => {
                    prop_assert_eq!(&quarantined.text, &element.to_string());
                    prop_assert!(!quarantined.message.contains('\0'));
                }
                Entry::Event(event) => {
                    let row = serde_json::to_value(event).expect("JSON");
                    prop_assert_eq!(&row["event_data"], &element["event_data"]);
                    for (name, value) in element.as_object().expect("an object") {
                        let stored = if row.get(name).is_some() && !is_made(name) { &row[name] } else { &row["extra"][name] };
                        let is_kept = stored == value || value.is_null() || has_other_form(name);
                        prop_assert!(is_kept, "{}: {} became {}", name, value, stored);
                    }
                }
            }
        }
    }

    #[test]
    fn a_payload_verifies_however_it_is_written(data in payload(), redact in any::<bool>()) {
        let keys = ChainKeys::none();
        let origin = Origin { redact, ..origin() };
        let body = json!([signal(&json!({"event_data": &data}))]).to_string();
        let batch = read_batch(body.as_bytes(), &origin).expect("an event");
        let [Entry::Event(event)] = &batch.entries[..] else {
            return Err(TestCaseError::fail("one event"));
        };
        let mut event = event.clone();
        let mut head = Head::default();
        seal(&mut event, "270aaeb7-8172-595a-8aea-77d37e5a65e7", 7, &mut head, &keys);
        let row = serde_json::to_string(&event).expect("JSON");
        prop_assert_eq!(row.contains("hunter2"), !redact && body.contains("hunter2"));
        // As the database gives it back: the text of the payload as it was written.
        let back: Map<String, Value> = serde_json::from_str(&row).expect("JSON");
        if !redact {
            prop_assert_eq!(&back["event_data"], &data);
        }
        let mut verifier = Verifier::new(&keys, Head::default());
        verifier.next(&exported(&event));
        prop_assert!(verifier.finish(&head).is_valid(), "{}", row);
    }

    #[test]
    fn what_is_sealed_verifies_after_a_round_trip(
        events in prop::collection::vec(almost_good(), 1..6), is_keyed in any::<bool>(),
    ) {
        let keys = ChainKeys::parse(if is_keyed { "k:0123456789abcdef" } else { "" }).expect("keys");
        let body = Value::from(events).to_string();
        let Ok(batch) = read_batch(body.as_bytes(), &origin()) else {
            return Ok(());
        };
        let mut head = Head::default();
        let mut sealed = Vec::new();
        for entry in batch.entries {
            if let Entry::Event(mut event) = entry {
                seal(&mut event, "270aaeb7-8172-595a-8aea-77d37e5a65e7", 7, &mut head, &keys);
                // As the database gives it back: text, and in any order.
                let text = Value::Object(exported(&event)).to_string();
                let back: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
                sealed.push(back);
            }
        }
        let mut verifier = Verifier::new(&keys, Head::default());
        for event in &sealed {
            verifier.next(event);
        }
        let report = verifier.finish(&head);
        prop_assert!(report.is_valid(), "{:?}", report);
        let _ = report.answer("rr-1", now());
    }
}

/// Members that a client cannot set.
fn is_made(name: &str) -> bool {
    ["readable", "clock_skew", "event_hash", "extra"].contains(&name)
}

/// Members that the log writes in its own way.
fn has_other_form(name: &str) -> bool {
    [
        "event_timestamp",
        "duration_ms",
        "retention_days",
        "parent_event_id",
        "parent_event_date",
        "actor_ip",
    ]
    .contains(&name)
}
