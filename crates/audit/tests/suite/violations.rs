//! What the client is told, word by word.

use audit::{Code, Dialect, Kind, MAX_VIOLATIONS, Violation, read, read_batch, read_patch};
use serde_json::{Map, Value, json};

use crate::payloads::{all, now, payload};

/// A value that no rule but `Any` and the unknown accepts.
fn all_wrong(body: &Value) -> Value {
    let wrong = |value: &Value| match value {
        Value::String(_) => json!(["not", "text"]),
        Value::Number(_) => json!(-1),
        _ => json!("\u{0}"),
    };
    let members = body.as_object().expect("an object").iter();
    let members: Map<_, _> = members
        .map(|(name, value)| (name.clone(), wrong(value)))
        .collect();
    Value::Object(members)
}

fn shown(violations: &[Violation]) -> String {
    let line = |v: &Violation| format!("{} | {} | {}\n", v.field, v.code, v.message);
    violations.iter().map(line).collect()
}

#[test]
fn an_empty_object_names_everything_that_is_required() {
    for payload in all() {
        if payload.form.starts_with("compact") {
            continue; // without its id it is not compact
        }
        let violations = payload.read(json!({})).expect_err("nothing is there");
        insta::assert_snapshot!(format!("empty_{}", payload.form), shown(&violations));
    }
}

#[test]
fn an_all_wrong_payload_names_every_member() {
    for payload in all() {
        let violations = payload
            .read(all_wrong(&payload.body))
            .expect_err("all is wrong");
        insta::assert_snapshot!(format!("wrong_{}", payload.form), shown(&violations));
    }
}

#[test]
fn values_out_of_their_words_and_ranges() {
    let payload = payload("store_remediation");
    let nested = (1..33).fold(json!([]), |inner, _| json!([inner]));
    let body = payload.with(&json!({
        "name": "", "namespace": "n".repeat(256), "phase": "planning", "status": "done",
        "severity": "High", "environment": "prod", "target_resource": "é".repeat(513),
        "action_type": "a".repeat(101), "start_time": "2026-02-30T00:00:00Z",
        "end_time": "2026-03-01T13:00:00.000001Z", "duration": 1.5, "confidence_score": 1.01,
        "steps_completed": 3, "steps_total": 2, "message": "m".repeat(10 * 1024 + 1),
        "correlation_id": "a\u{0}b", "metadata": {"a": {"b\u{0}": ["x", "\u{0}"]}, "n": 1},
        "deep": nested, "confidence": "high", "\u{0}": 1
    }));
    insta::assert_snapshot!(
        "out_of_range",
        shown(&payload.read(body).expect_err("wrong"))
    );
}

#[test]
fn the_body_must_be_an_object() {
    for body in [json!(null), json!(true), json!(1), json!("x"), json!([{}])] {
        let result = read(Kind::Workflow, Dialect::Audit, body.clone(), None, now());
        let violations = result.expect_err("no object");
        assert_eq!(violations.len(), 1, "{body}");
        assert_eq!(
            (violations[0].field.as_str(), violations[0].code),
            ("", Code::InvalidType)
        );
        assert!(
            violations[0]
                .message
                .starts_with("the body must be a JSON object, not ")
        );
    }
}

#[test]
fn a_batch_names_elements_by_index() {
    let good = payload("store_execution").body;
    let mut bad = good.clone();
    bad["status"] = "done".into();
    bad["metadata"] = json!({"a": "\u{0}"});
    let batch = json!([good, bad, 7]);
    let result = read_batch(Kind::Execution, Dialect::Store, batch, Some("a b"), now());
    insta::assert_snapshot!("batch", shown(&result.expect_err("wrong")));
}

#[test]
fn a_batch_has_1_to_500_records() {
    let read = |body| read_batch(Kind::Execution, Dialect::Store, body, None, now());
    let many = |count| Value::Array(vec![payload("store_execution").body; count]);
    assert_eq!(read(many(1)).map(|records| records.len()), Ok(1));
    assert_eq!(read(many(500)).map(|records| records.len()), Ok(500));
    for (body, code) in [
        (many(0), Code::TooShort),
        (many(501), Code::TooLong),
        (json!({}), Code::InvalidType),
    ] {
        let violations = read(body).expect_err("wrong");
        assert_eq!(violations.len(), 1);
        assert_eq!(
            (violations[0].field.as_str(), violations[0].code),
            ("", code)
        );
        assert_eq!(
            violations[0].message,
            "the body must be a JSON array of 1 to 500 records"
        );
    }
}

#[test]
fn a_flood_is_cut_and_counted() {
    let batch = Value::Array(vec![json!({}); 500]);
    let result = read_batch(Kind::Remediation, Dialect::Store, batch, None, now());
    let violations = result.expect_err("wrong");
    // 12 of each element: those of the first eight and four of the ninth, and then one of each.
    assert_eq!(violations.len(), MAX_VIOLATIONS + 491 + 1);
    for index in 0..500 {
        let prefix = format!("[{index}].");
        let named = |violation: &Violation| violation.field.starts_with(&prefix);
        assert!(violations.iter().any(named), "element {index}");
    }
    let last = violations.last().expect("a last one");
    assert_eq!(last.code, Code::TooMany);
    assert_eq!(last.message, "5409 more violations are not listed");
}

#[test]
fn an_idempotency_key_is_short_and_visible() {
    let payload = payload("store_execution");
    let read = |key: &str| {
        let body = payload.body.clone();
        read(payload.kind, payload.dialect, body, Some(key), now())
    };
    for key in ["k", "\"8e03978e\"", &"k".repeat(255)] {
        assert!(read(key).is_ok(), "{key}");
    }
    for key in ["", " ", "a b", "a\u{7f}", "ключ", &"k".repeat(256)] {
        let violations = read(key).expect_err("a bad key");
        assert_eq!(violations.len(), 1, "{key}");
        assert_eq!(violations[0].field, "Idempotency-Key");
        assert_eq!(violations[0].code, Code::InvalidFormat);
    }
}

#[test]
fn a_patch_changes_the_life_cycle_only() {
    let body = json!({
        "phase": null, "status": "done", "name": "other", "steps_total": 1, "steps_completed": 2,
        "confidence_score": 0.5, "completedAt": "2026-02-03T00:00:00Z", "id": 7,
        "end_time": "2030-01-01T00:00:00Z"
    });
    let violations = read_patch(Kind::Workflow, body.clone(), now()).expect_err("wrong");
    insta::assert_snapshot!("patch_workflow", shown(&violations));
    let violations = read_patch(Kind::AiAnalysis, body, now()).expect_err("wrong");
    insta::assert_snapshot!("patch_aianalysis", shown(&violations));
    assert!(read_patch(Kind::Workflow, json!([]), now()).is_err());
}
