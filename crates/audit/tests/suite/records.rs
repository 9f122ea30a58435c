//! What every form becomes, and what makes two posts the same record or the same content.

use audit::{Dialect, Kind, Record, read, read_batch, read_patch};
use serde_json::{Value, json};

use crate::payloads::{Payload, all, now, payload};

fn record(form: &str, members: &Value) -> Record {
    let payload = payload(form);
    let read = payload.read(payload.with(members));
    read.unwrap_or_else(|violations| panic!("{form}: {violations:?}"))
}

fn keyed(payload: &Payload, key: &str) -> Record {
    read(
        payload.kind,
        payload.dialect,
        payload.body.clone(),
        Some(key),
        now(),
    )
    .expect("a record")
}

#[test]
fn every_form_becomes_this_record() {
    for payload in all() {
        let record = payload.read(payload.body.clone());
        let record = record.unwrap_or_else(|violations| panic!("{}: {violations:?}", payload.form));
        insta::assert_json_snapshot!(payload.form, record);
    }
}

#[test]
fn an_instant_is_the_same_key_however_it_is_written() {
    let utc = record(
        "store_execution",
        &json!({"start_time": "2026-02-03T04:05:07.000Z"}),
    );
    let east = record(
        "store_execution",
        &json!({"start_time": "2026-02-03t06:05:07+02:00"}),
    );
    let later = record(
        "store_execution",
        &json!({"start_time": "2026-02-03T04:05:07.000001Z"}),
    );
    assert_eq!((utc.key, utc.hash), (east.key, east.hash));
    assert_ne!(utc.key, later.key);
}

#[test]
fn a_remediation_request_has_one_key_in_both_dialects() {
    let store = record("store_remediation", &json!({}));
    let compact = record("compact_remediation", &json!({}));
    assert_eq!(store.key, compact.key);
    assert_ne!(store.hash, compact.hash);
    // For other kinds the request is only what they belong to.
    let one = record("store_workflow", &json!({"name": "a"}));
    let other = record("store_workflow", &json!({"name": "b"}));
    assert_ne!(one.key, other.key);
}

#[test]
fn key_parts_do_not_run_into_each_other() {
    let named = |namespace: &str, name: &str| {
        record(
            "store_execution",
            &json!({"namespace": namespace, "name": name}),
        )
        .key
    };
    assert_ne!(named("a", "b/c"), named("a/b", "c"));
    assert_ne!(named("ab", "c"), named("a", "bc"));
    let step = |workflow: &str, step: &str| {
        record(
            "compact_workflow",
            &json!({"workflowID": workflow, "stepName": step}),
        )
        .key
    };
    assert_ne!(step("a", "b/c"), step("a/b", "c"));
    let header = keyed(&payload("store_remediation"), "rr-77").key;
    assert_ne!(header, record("store_remediation", &json!({})).key);
}

#[test]
fn an_idempotency_key_goes_before_everything_else() {
    let keys: Vec<_> = all()
        .iter()
        .map(|payload| keyed(payload, "k").key)
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));

    let batch = Value::Array(vec![payload("store_execution").body; 2]);
    let records = read_batch(Kind::Execution, Dialect::Store, batch, Some("k"), now());
    let records = records.expect("two records");
    assert_eq!(
        records[0].key,
        keyed(&payload("store_execution"), "k/0").key
    );
    assert_eq!(
        records[1].key,
        keyed(&payload("store_execution"), "k/1").key
    );
    assert_eq!(records[0].hash, records[1].hash);
}

#[test]
fn the_start_is_the_first_of_three_times() {
    let (started, executed, created) = (
        "2026-02-03T00:00:03Z",
        "2026-02-03T00:00:02Z",
        "2026-02-03T00:00:01Z",
    );
    for (form, created_kept) in [("audit_execution", true), ("compact_remediation", false)] {
        for (times, start, kept) in [
            (
                json!({"startedAt": started, "executedAt": executed}),
                started,
                vec!["executedAt"],
            ),
            (
                json!({"startedAt": null, "executedAt": executed}),
                executed,
                vec![],
            ),
            (
                json!({"startedAt": null, "executedAt": null}),
                created,
                vec![],
            ),
        ] {
            let mut body = payload(form).with(&times);
            body["createdAt"] = created.into();
            let record = payload(form).read(body).expect("a record");
            assert_eq!(record.columns["start_time"], start, "{form} {times}");
            for name in kept {
                assert_eq!(record.document[name], times[name], "{form} {times}");
            }
            let is_kept = record.document.contains_key("createdAt");
            assert_eq!(is_kept, created_kept || start != created, "{form} {times}");
        }
    }
}

#[test]
fn states_have_an_order() {
    for (form, members, rank, status) in [
        (
            "audit_execution",
            json!({"phase": "pENDING", "status": "running"}),
            1,
            "running",
        ),
        (
            "audit_execution",
            json!({"phase": "Processing", "status": "success"}),
            2,
            "success",
        ),
        ("audit_workflow", json!({"phase": "PLANNING"}), 1, "running"),
        (
            "audit_remediation",
            json!({"phase": "completed"}),
            2,
            "success",
        ),
        (
            "compact_workflow",
            json!({"stepStatus": "completed"}),
            2,
            "completed",
        ),
        (
            "compact_workflow",
            json!({"stepStatus": "Planning"}),
            1,
            "running",
        ),
        (
            "compact_workflow",
            json!({"stepStatus": "failed", "status": "pending"}),
            0,
            "pending",
        ),
    ] {
        let record = record(form, &members);
        assert_eq!(record.rank, Some(rank), "{form} {members}");
        assert_eq!(record.columns["status"], status, "{form} {members}");
    }
    let mut gateway = payload("compact_remediation");
    gateway
        .body
        .as_object_mut()
        .expect("an object")
        .remove("status");
    let record = gateway.read(gateway.body.clone()).expect("a record");
    assert_eq!(record.rank, None);
    assert!(!record.columns.contains_key("status"));
}

#[test]
fn a_name_that_is_sent_is_no_stand_in() {
    for form in ["compact_remediation", "compact_workflow"] {
        let named = record(form, &json!({"name": "real-name"}));
        assert_eq!(
            (named.stand_in, &named.columns["name"]),
            (false, &json!("real-name"))
        );
        let unnamed = record(form, &json!({"name": null}));
        assert!(
            unnamed.stand_in && !unnamed.columns["name"].is_null(),
            "{form}"
        );
    }
}

#[test]
fn two_names_of_one_column_keep_both_values() {
    let record = record(
        "audit_remediation",
        &json!({"alertName": "Other", "cluster": "eu-2"}),
    );
    assert_eq!(record.columns["alert_name"], "NodeNotReady");
    assert_eq!(record.document["alertName"], "Other");
    assert_eq!(record.columns["cluster_name"], "eu-north");
    assert_eq!(record.document["cluster"], "eu-2");
}

#[test]
fn snake_case_is_not_an_alias_in_camel_case() {
    let record = record(
        "audit_remediation",
        &json!({"error_message": 7, "start_time": "later"}),
    );
    assert_eq!(record.columns["error_message"], "no capacity");
    assert_eq!(record.document["error_message"], 7);
    assert_eq!(record.document["start_time"], "later");
}

#[test]
fn a_patch_states_the_life_cycle() {
    let body = json!({
        "phase": "Completed", "end_time": "2026-02-03T05:06:07+01:00", "duration": 5.0,
        "error_message": null, "message": "done", "reason": null, "metadata": {"tries": null},
        "steps_completed": 4
    });
    let patch = read_patch(Kind::Workflow, body, now()).expect("a patch");
    insta::assert_json_snapshot!("patch", patch);

    let empty = read_patch(Kind::Execution, json!({}), now()).expect("a patch");
    assert_eq!(
        (empty.rank, empty.columns.len(), empty.document.len()),
        (None, 0, 0)
    );
}
