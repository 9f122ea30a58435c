//! What holds for any input.

use audit::{Dialect, Kind, json, parse_since, read, read_batch, read_patch};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::payloads::{all, now, payload};

/// The columns that the tables have.
const COLUMNS: &[&str] = &[
    "name",
    "namespace",
    "phase",
    "status",
    "action_type",
    "alert_name",
    "alert_fingerprint",
    "severity",
    "environment",
    "cluster_name",
    "target_resource",
    "remediation_request_id",
    "correlation_id",
    "start_time",
    "end_time",
    "duration",
    "error_message",
    "metadata",
    "analysis_type",
    "confidence_score",
    "findings",
    "workflow_type",
    "steps_completed",
    "steps_total",
    "action",
    "resource",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("2026-02-03T04:05:06Z")),
        Just(Value::from("completed")),
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

/// A good payload of some form with some of its members, or new ones, replaced.
fn almost_good() -> impl Strategy<Value = (usize, Value)> {
    let change = (
        any::<prop::sample::Index>(),
        "[a-zA-Z_]{0,12}",
        value(),
        any::<bool>(),
    );
    (0..all().len(), prop::collection::vec(change, 0..4)).prop_map(|(form, changes)| {
        let mut body = all()[form].body.clone();
        let members = body.as_object_mut().expect("an object");
        for (index, name, value, known) in changes {
            let names: Vec<_> = members.keys().cloned().collect();
            let name = if known {
                index.get(&names).clone()
            } else {
                name
            };
            members.insert(name, value);
        }
        (form, body)
    })
}

/// The JSON text with the members of every object in the opposite order.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}:{}", Value::from(key.as_str()), backwards(value))
            };
            let mut members: Vec<_> = members.iter().map(member).collect();
            members.reverse();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(backwards).collect();
            format!("[{}]", elements.join(","))
        }
        _ => value.to_string(),
    }
}

proptest! {
    #[test]
    fn parsing_takes_any_bytes(bytes in any::<Vec<u8>>()) {
        let _ = json::parse(&bytes);
    }

    #[test]
    fn parsing_takes_anything_like_json(text in "[\\[\\]{}\",:\\\\ud8cntrue0-9eE.+ \n\t-]{0,40}") {
        let ours = json::parse(text.as_bytes());
        if let Ok(value) = ours {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
        }
    }

    #[test]
    fn what_is_written_is_read(value in value()) {
        let text = value.to_string();
        prop_assert_eq!(json::parse(text.as_bytes()), Ok(value));
    }

    #[test]
    fn reading_takes_any_value(value in value(), key in any::<Option<String>>()) {
        for kind in Kind::ALL {
            for dialect in [Dialect::Store, Dialect::Audit] {
                let read = read(kind, dialect, value.clone(), key.as_deref(), now());
                prop_assert!(read.is_err());
                let batch = Value::Array(vec![value.clone()]);
                prop_assert!(read_batch(kind, dialect, batch, key.as_deref(), now()).is_err());
            }
            let _ = read_patch(kind, value.clone(), now());
        }
    }

    #[test]
    fn a_record_has_known_columns_and_storable_text((form, body) in almost_good()) {
        let payload = &all()[form];
        match payload.read(body) {
            Ok(record) => {
                prop_assert!(record.columns.keys().all(|name| COLUMNS.contains(&name.as_str())));
                prop_assert!(!serde_json::to_string(&record).expect("JSON").contains("\\u0000"));
            }
            Err(violations) => prop_assert!(!violations.is_empty()),
        }
    }

    #[test]
    fn the_order_of_members_changes_nothing((form, body) in almost_good()) {
        let payload = &all()[form];
        let turned = json::parse(backwards(&body).as_bytes()).expect("JSON");
        prop_assert_eq!(payload.read(turned), payload.read(body));
    }

    #[test]
    fn any_change_changes_the_hash(one in "[^\0]{0,8}", other in "[^\0]{0,8}") {
        let payload = payload("store_execution");
        let read = |text: &str| payload.read(payload.with(&serde_json::json!({"x": text})));
        let (one_hash, other_hash) = (read(&one).expect("one").hash, read(&other).expect("other").hash);
        prop_assert_eq!(one == other, one_hash == other_hash);
    }

    #[test]
    fn different_parts_are_different_keys(
        one in ("[ab/]{1,3}", "[ab/]{1,3}"),
        other in ("[ab/]{1,3}", "[ab/]{1,3}"),
    ) {
        let payload = payload("store_execution");
        let key = |(namespace, name): &(String, String)| {
            let members = serde_json::json!({"namespace": namespace, "name": name});
            payload.read(payload.with(&members)).expect("a record").key
        };
        prop_assert_eq!(one == other, key(&one) == key(&other));
    }

    #[test]
    fn text_without_markup_is_kept_byte_for_byte(text in "[^\0<]{1,200}") {
        let payload = payload("store_execution");
        let members = serde_json::json!({
            "name": text, "error_message": text, "metadata": {"a": [text]}, "unknown": text,
        });
        let record = payload.read(payload.with(&members)).expect("a record");
        prop_assert_eq!(&record.columns["name"], &text);
        prop_assert_eq!(&record.columns["error_message"], &text);
        prop_assert_eq!(&record.columns["metadata"]["a"][0], &text);
        prop_assert_eq!(&record.document["unknown"], &text);
    }

    #[test]
    fn since_takes_any_text(text in any::<String>(), span in "[0-9]{0,25}[smhd]") {
        let _ = parse_since(&text, now());
        if let Some(since) = parse_since(&span, now()) {
            prop_assert!(since <= now());
        }
    }

    #[test]
    fn long_keys_make_short_paths(key in "[a-z\0]{1,2000}") {
        let mut members = Map::new();
        members.insert(key, Value::from("\0"));
        let payload = payload("store_execution");
        let violations = payload.read(payload.with(&Value::Object(members))).expect_err("NUL");
        prop_assert!(violations.iter().all(|violation| violation.field.len() < 500));
    }
}
