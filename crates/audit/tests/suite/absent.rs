//! What typed clients send in place of nothing: Go's zero time and the empty text.

use audit::{Dialect, Kind, read, read_patch};
use serde_json::{Value, json};

use crate::payloads::{all, now, payload};

const ZERO: &str = "0001-01-01T00:00:00Z";

fn without(body: &Value, name: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().expect("an object").remove(name);
    body
}

fn with(body: &Value, name: &str, value: &str) -> Value {
    let mut body = body.clone();
    body[name] = value.into();
    body
}

/// Members that no table knows stay as they came.
const UNKNOWN: [&str; 2] = ["ticket", "team"];

#[test]
fn an_empty_text_is_no_optional_member() {
    let mut seen = 0;
    for payload in all() {
        for name in payload.body.as_object().expect("an object").keys() {
            let lacking = without(&payload.body, name);
            let Ok(record) = payload.read(lacking) else {
                continue; // required, so that an empty text breaks its rule
            };
            if UNKNOWN.contains(&name.as_str()) {
                continue;
            }
            let empty = payload.read(with(&payload.body, name, ""));
            assert_eq!(empty.as_ref(), Ok(&record), "{} {name}", payload.form);
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn the_zero_time_is_no_time() {
    let times = [
        "start_time",
        "end_time",
        "startedAt",
        "executedAt",
        "createdAt",
        "completedAt",
    ];
    let mut seen = 0;
    for payload in all() {
        for name in times {
            let is_known = name.contains('_') == (payload.dialect == Dialect::Store);
            if !is_known {
                continue;
            }
            let zero = payload.read(with(&payload.body, name, ZERO));
            let lacking = payload.read(without(&payload.body, name));
            assert_eq!(zero, lacking, "{} {name}", payload.form);
            seen += usize::from(zero.is_ok());
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn what_is_required_must_be_there() {
    let codes = |form: &str, name: &str, value: &str| {
        let payload = payload(form);
        let violations = payload
            .read(with(&payload.body, name, value))
            .expect_err("wrong");
        let shown = violations.iter().map(|v| format!("{} {}", v.field, v.code));
        shown.collect::<Vec<_>>().join(", ")
    };
    let zero = |form, name| codes(form, name, ZERO);
    assert_eq!(zero("store_execution", "start_time"), "start_time required");
    assert_eq!(zero("audit_execution", "createdAt"), "createdAt required");
    assert_eq!(codes("store_execution", "name", ""), "name too_short");
    assert_eq!(
        codes("store_execution", "start_time", ""),
        "start_time invalid_format"
    );
}

/// Only what has a rule says "nothing" with it: in what is kept as it came it may mean anything.
#[test]
fn what_nobody_knows_is_kept() {
    let payload = payload("store_execution");
    let body = payload.with(&json!({"note": "", "seen": ZERO, "metadata": {"a": "", "t": ZERO}}));
    let record = payload.read(body).expect("a record");
    assert_eq!(record.document["note"], "");
    assert_eq!(record.document["seen"], ZERO);
    assert_eq!(record.columns["metadata"], json!({"a": "", "t": ZERO}));
}

#[test]
fn an_empty_id_makes_no_compact_form() {
    for (form, kind, id) in [
        (
            "audit_remediation",
            Kind::Remediation,
            "remediationRequestID",
        ),
        ("audit_workflow", Kind::Workflow, "workflowID"),
    ] {
        let full = payload(form);
        let body = with(&full.body, id, "");
        let record = read(kind, Dialect::Audit, body, None, now());
        assert!(record.is_ok(), "{form}: {record:?}");
    }
}

/// In a merge patch null clears, so these leave what there is.
#[test]
fn a_patch_leaves_what_is_absent() {
    let body = json!({
        "status": "", "phase": "", "end_time": ZERO, "error_message": "", "duration": "", "reason": null,
    });
    let patch = read_patch(Kind::Remediation, body, now()).expect("a patch");
    assert!(patch.columns.is_empty(), "{:?}", patch.columns);
    assert_eq!(Value::from(patch.document), json!({"reason": null}));
    for cleared in ["status", "phase"] {
        let violations = read_patch(Kind::Remediation, json!({cleared: null}), now());
        assert_eq!(violations.expect_err("wrong")[0].field, cleared);
    }
}
