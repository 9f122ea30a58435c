//! Records, batches and patches: whatever a body says, the answer is a record that can be stored or a list of what is
//! wrong, and what is stored reads as the same record.
//!
//! The first byte chooses the kind and the dialect, the rest is the body.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls the target by its C name")]

use audit::{
    Code, Dialect, Kind, MAX_VIOLATIONS, Record, Violation, json, read, read_batch, read_patch,
};
use chrono::{DateTime, Utc};
use fuzz::has_nul;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};

const REPLACEMENT: &str = "***REDACTED***";

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((form, body)) = data.split_first() else {
        return Corpus::Reject;
    };
    let Ok(body) = json::parse(body) else {
        return Corpus::Reject;
    };
    let kind = Kind::ALL[usize::from(form % 4)];
    let dialect = if form & 4 == 0 {
        Dialect::Store
    } else {
        Dialect::Audit
    };
    let found = read(kind, dialect, body.clone(), None, now());
    match &found {
        Ok(record) => {
            check_record(record);
            if dialect == Dialect::Store {
                check_repost(record);
            }
        }
        Err(violations) => check_violations(violations, 1),
    }
    check_batch(kind, dialect, &body, found);
    check_patch(kind, body);
    Corpus::Keep
});

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_secs(1_770_000_000).expect("an instant")
}

fn check_record(record: &Record) {
    check_stored(&record.to_json());
    let text = record.embedding_text();
    assert_eq!(text.is_none(), record.embedding.is_some());
    assert!(text.is_none_or(|text| !text.is_empty()));
}

/// PostgreSQL takes it: it is JSON, and has no U+0000.
fn check_stored(json: &serde_json::Result<String>) {
    let json = json.as_ref().expect("JSON");
    let value: Value = serde_json::from_str(json).expect("JSON");
    assert!(!has_nul(&value), "{json}");
}

/// Posting what is stored states the same again. Only what was put in for secrets may break a rule.
fn check_repost(record: &Record) {
    let stored = record.document.iter().chain(&record.columns);
    let body: Map<_, _> = stored
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let has_secrets = Value::Object(body.clone())
        .to_string()
        .contains(REPLACEMENT);
    match read(
        record.kind,
        Dialect::Store,
        Value::Object(body),
        None,
        now(),
    ) {
        Ok(again) => {
            assert_eq!(again.columns, record.columns);
            assert_eq!(again.document, record.document);
            assert_eq!((again.hash, again.rank), (record.hash, record.rank));
            assert!(has_secrets || again.key == record.key);
        }
        Err(violations) => {
            // What stands for a number under a secret's name is a text.
            let may_be = [Code::TooLong, Code::TooLarge, Code::InvalidType];
            let is_of_secret = |violation: &Violation| may_be.contains(&violation.code);
            assert!(
                has_secrets && violations.iter().all(is_of_secret),
                "{record:?}: {violations:?}"
            );
        }
    }
}

fn check_violations(violations: &[Violation], elements: usize) {
    assert!(!violations.is_empty());
    assert!(
        violations.len() <= MAX_VIOLATIONS + elements,
        "{violations:?}"
    );
    for violation in violations {
        assert!(!violation.message.is_empty(), "{violation:?}");
        assert!(!violation.field.contains('\0'), "{violation:?}");
    }
}

/// A batch is as good as its elements.
fn check_batch(kind: Kind, dialect: Dialect, body: &Value, alone: Result<Record, Vec<Violation>>) {
    let elements = Value::Array(vec![body.clone(), body.clone()]);
    match (read_batch(kind, dialect, elements, None, now()), alone) {
        (Ok(batch), Ok(alone)) => assert_eq!(batch, [alone.clone(), alone]),
        (Err(batch), Err(_)) => {
            check_violations(&batch, 2);
            for element in ["[0]", "[1]"] {
                let named = |violation: &Violation| violation.field.starts_with(element);
                assert!(batch.iter().any(named), "{batch:?}");
            }
        }
        (batch, alone) => panic!("alone {alone:?}, in a batch {batch:?}"),
    }
}

fn check_patch(kind: Kind, body: Value) {
    match read_patch(kind, body, now()) {
        Ok(patch) => check_stored(&patch.to_json()),
        Err(violations) => check_violations(&violations, 1),
    }
}
