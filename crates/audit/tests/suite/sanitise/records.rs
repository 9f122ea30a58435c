//! Secrets in whole records: where they are looked for, and what makes two posts the same.

use audit::{Dialect, Kind, Record, json, read_batch, read_patch, redact_object};
use serde_json::{Value, json};

use crate::payloads::{all, now, payload};

const MARK: &str = "***REDACTED***";

fn record(form: &str, members: &Value) -> Record {
    let payload = payload(form);
    payload.read(payload.with(members)).expect("a record")
}

#[test]
fn a_secret_is_replaced_in_every_text_of_every_form() {
    let secret = "ghp_1234567890abcdefghijklmnopqrstuvwxyz";
    for payload in all() {
        for (name, value) in payload.body.as_object().expect("an object") {
            let (Value::String(_), false) = (value, name == "name") else {
                continue;
            };
            let body = payload.with(&json!({name: format!("a {secret} b")}));
            // Words and times are no free text: there the secret is refused.
            let text = match payload.read(body) {
                Ok(record) => serde_json::to_string(&record).expect("JSON"),
                Err(violations) => format!("{violations:?}"),
            };
            assert!(!text.contains(secret), "{}: {name}: {text}", payload.form);
        }
    }
}

#[test]
fn members_called_like_secrets_are_replaced_however_deep() {
    let metadata = json!({
        "password": "hunter2", "deep": [{"apiKey": "k"}], "tokens": ["kept"], "token": ["a", "b"],
        "client_secret": "", "secret": {"secretName": "db"}, "imagePullSecret": "regcred",
        "token_count": 5, "access_token": null, "secretName": "db", "passwordPolicy": "strict",
        "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "DB_USER", "value": "app"}],
    });
    let expected = json!({
        "password": MARK, "deep": [{"apiKey": MARK}], "tokens": ["kept"], "token": [MARK, MARK],
        "client_secret": "", "secret": {"secretName": "db"}, "imagePullSecret": "regcred",
        "token_count": 5, "access_token": null, "secretName": "db", "passwordPolicy": "strict",
        "env": [{"name": "DB_PASSWORD", "value": MARK}, {"name": "DB_USER", "value": "app"}],
    });
    let record = record(
        "store_execution",
        &json!({"metadata": metadata, "x": metadata, "password": "p"}),
    );
    assert_eq!(record.columns["metadata"], expected);
    assert_eq!(record.document["x"], expected);
    assert_eq!(record.document["password"], MARK);
}

#[test]
fn secrets_alone_are_taken_out_where_markup_is_evidence() {
    let markup = "<script>alert(1)</script> <img src=x onerror=alert(1)>";
    let mut members = json!({
        "password": "hunter2", "prompt": markup, "deep": [{"text": format!("password=hunter2 {markup}")}],
    });
    let mut redact = || redact_object(members.as_object_mut().expect("an object"));
    assert!(redact(), "there were some");
    assert!(!redact(), "there are none any more");
    let expected = json!({
        "password": MARK, "prompt": markup, "deep": [{"text": format!("password={MARK} {markup}")}],
    });
    assert_eq!(members, expected);
}

#[test]
fn an_object_says_whether_it_had_secrets() {
    for (members, has_secrets) in [
        (json!({}), false),
        (
            json!({"text": "no secret", "list": [1, "x", null, {"a": true}]}),
            false,
        ),
        (json!({"password": "hunter2"}), true),
        (json!({"password": MARK}), false),
        (json!({"password": true, "token": null}), false),
        (json!({"pin_token": 123_456_789_012_u64}), true),
        (json!({"password": 4711}), true),
        (json!({"private_key": [48, 49, 50, 51, 52]}), true),
        (json!({"args": ["--password", "hunter2"]}), true),
        (json!({"command": ["mysql", "-phunter2"]}), true),
        (json!({"deep": [{"text": "password=hunter2"}]}), true),
        (
            json!({"kind": "Secret", "data": {"a": "aHVudGVyMg=="}}),
            true,
        ),
        (
            json!({"kind": "SecretList", "items": [{"data": {"a": "aHVudGVyMg=="}}]}),
            true,
        ),
        (json!({"stringData": {"a": "hunter2"}}), true),
    ] {
        let mut after = members.clone();
        let changed = redact_object(after.as_object_mut().expect("an object"));
        assert_eq!(changed, has_secrets, "{members} became {after}");
        assert_eq!(changed, after != members, "{members} became {after}");
    }
}

#[test]
fn the_data_of_a_kubernetes_secret_is_replaced() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "type": "Opaque",
        "data": {"user": "YQ=="}, "stringData": {"a": {"b": ["c"]}},
    });
    let expected = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "type": "Opaque",
        "data": {"user": MARK}, "stringData": {"a": {"b": [MARK]}},
    });
    let map = json!({"kind": "ConfigMap", "data": {"user": "YQ=="}});
    let record = record(
        "store_execution",
        &json!({"metadata": {"items": [secret, map]}}),
    );
    assert_eq!(record.columns["metadata"]["items"], json!([expected, map]));
}

#[test]
fn batches_and_patches_are_cleaned_too() {
    let mut body = payload("store_execution").body;
    body["error_message"] = "password=hunter2".into();
    let records = read_batch(Kind::Execution, Dialect::Store, json!([body]), None, now());
    let records = records.expect("records");
    assert_eq!(
        records[0].columns["error_message"],
        format!("password={MARK}")
    );
    let body = json!({"metadata": {"password": "x", "old": null}, "message": "<b>token=x"});
    let patch = read_patch(Kind::Execution, body, now()).expect("a patch");
    assert_eq!(
        patch.columns["metadata"],
        json!({"password": MARK, "old": null})
    );
    assert_eq!(patch.document["message"], format!("<b>token={MARK}"));
}

#[test]
fn the_text_to_embed_has_no_secret_and_no_markup() {
    let members = json!({"error_message": "<script>login</script>with password=hunter2"});
    let text = record("store_remediation", &members)
        .embedding_text()
        .expect("a text");
    assert!(text.ends_with(&format!("with password={MARK}")), "{text}");
}

#[test]
fn the_hash_is_of_what_is_stored_and_the_key_of_what_was_sent() {
    let one = record("store_execution", &json!({"metadata": {"password": "one"}}));
    let other = record(
        "store_execution",
        &json!({"metadata": {"password": "other"}}),
    );
    assert_eq!((one.hash, one.key), (other.hash, other.key));
    let one = record(
        "store_remediation",
        &json!({"remediation_request_id": "token=one"}),
    );
    let other = record(
        "store_remediation",
        &json!({"remediation_request_id": "token=other"}),
    );
    assert_eq!(one.columns, other.columns);
    assert_ne!(one.key, other.key);
    let named = record(
        "compact_remediation",
        &json!({"remediationRequestID": "token=one"}),
    );
    assert_eq!(named.columns["name"], format!("token={MARK}"));
}

#[test]
fn what_a_client_is_told_has_no_secret() {
    let key = "ghp_1234567890abcdefghijklmnopqrstuvwxyz";
    let payload = payload("store_execution");
    let body = payload.with(&json!({"metadata": {key: "\u{0}"}, "status": key, "start_time": key}));
    let violations = format!("{:?}", payload.read(body).expect_err("wrong"));
    assert!(
        violations.contains("start_time") && !violations.contains(key),
        "{violations}"
    );
    let text = format!("{{\"{key}\":1,\"{key}\":2}}");
    let error = json::parse(text.as_bytes()).expect_err("twice").to_string();
    assert!(error.contains(MARK) && !error.contains(key), "{error}");
}
