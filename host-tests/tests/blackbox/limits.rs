//! What a record must have, how large and how deep it may be, and that all violations come at once.

use serde_json::{Map, Value, json};

use crate::client;
use crate::support::payloads::{FORMS, form, fresh, with};

/// The members that a form cannot do without.
fn required(form: &str) -> &'static [&'static str] {
    match form {
        "store remediation" => &[
            "name",
            "namespace",
            "status",
            "start_time",
            "phase",
            "action_type",
            "remediation_request_id",
            "alert_fingerprint",
            "severity",
            "environment",
            "cluster_name",
            "target_resource",
        ],
        "store aianalysis" => &["name", "namespace", "status", "start_time", "analysis_type"],
        "store workflow" => &["name", "namespace", "status", "start_time", "workflow_type"],
        "store execution" => &[
            "name",
            "namespace",
            "status",
            "start_time",
            "action",
            "resource",
        ],
        "audit remediation" => &[
            "name",
            "namespace",
            "phase",
            "createdAt",
            "correlationId",
            "signalType",
            "signalName",
            "signalNamespace",
            "targetType",
            "targetName",
            "targetNamespace",
        ],
        "audit aianalysis" | "audit workflow" | "audit execution" => {
            &["name", "namespace", "phase", "createdAt", "correlationId"]
        }
        "compact remediation" => &["remediationRequestID", "alertName", "namespace", "cluster"],
        "compact workflow" => &["workflowID", "stepName", "stepStatus"],
        other => panic!("no such form: {other}"),
    }
}

fn missing(members: &[&str]) -> Vec<(String, String)> {
    let mut missing: Vec<_> = members
        .iter()
        .map(|member| ((*member).to_owned(), "required".to_owned()))
        .collect();
    missing.sort();
    missing
}

#[tokio::test]
async fn exactly_the_required_members_are_required() {
    let client = client();
    for form in FORMS {
        let required = required(form.name);
        let namespace = fresh("required");
        let whole = form.body(&namespace, &fresh("word"));
        for member in required {
            assert!(whole.get(*member).is_some(), "{}: {member}", form.name);
        }
        for member in whole.as_object().expect("an object").keys() {
            let mut bodies = vec![with(
                &form.body(&namespace, &fresh("word")),
                &json!({member: null}),
            )];
            // Without its telling member, a compact body is one of the other form.
            if !["remediationRequestID", "workflowID"].contains(&member.as_str()) {
                let mut body = form.body(&namespace, &fresh("word"));
                body.as_object_mut().expect("an object").remove(member);
                bodies.push(body);
            }
            for body in bodies {
                let answer = client.post(form.path, &body).await;
                if required.contains(&member.as_str()) {
                    answer.problem(400, "validation-error");
                    assert_eq!(answer.violations(), missing(&[member]), "{}", form.name);
                } else {
                    assert_eq!(answer.expect(201)["status"], "persisted", "{body}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_empty_object_lacks_everything_at_once() {
    let client = client();
    for form in FORMS
        .iter()
        .filter(|form| !form.name.starts_with("compact"))
    {
        let answer = client.post(form.path, &json!({})).await;
        answer.problem(400, "validation-error");
        assert_eq!(
            answer.violations(),
            missing(required(form.name)),
            "{}",
            form.name
        );
    }
}

#[tokio::test]
async fn all_violations_come_together() {
    let body = json!({
        "name": "", "namespace": 5, "phase": "gone", "status": "done",
        "start_time": "2025-02-30T00:00:00Z", "end_time": "soon", "duration": -1,
        "action_type": "x".repeat(101), "alert_fingerprint": null, "severity": "sev1",
        "environment": "moon", "cluster_name": "c\0", "target_resource": "x".repeat(513),
        "metadata": [], "confidence": 2, "message": "x".repeat(10_241)
    });
    let answer = client().post("/api/v1/store/remediation", &body).await;
    answer.problem(400, "validation-error");
    let mut expected: Vec<_> = [
        ("name", "too_short"),
        ("namespace", "invalid_type"),
        ("phase", "invalid_value"),
        ("status", "invalid_value"),
        ("start_time", "invalid_format"),
        ("end_time", "invalid_format"),
        ("duration", "out_of_range"),
        ("action_type", "too_long"),
        ("alert_fingerprint", "required"),
        ("remediation_request_id", "required"),
        ("severity", "invalid_value"),
        ("environment", "invalid_value"),
        ("cluster_name", "nul_character"),
        ("target_resource", "too_long"),
        ("metadata", "invalid_type"),
        ("confidence", "out_of_range"),
        ("message", "too_long"),
    ]
    .map(|(field, code)| (field.to_owned(), code.to_owned()))
    .to_vec();
    expected.sort();
    assert_eq!(answer.violations(), expected);
}

/// 256 KiB, the most that the members of free form may have together.
const FREE: usize = 256 * 1024;

/// An object of exactly `bytes` bytes as PostgreSQL prints it.
fn object_of(bytes: usize) -> Value {
    let overhead = r#"{"a": ""}"#.len();
    json!({"a": "x".repeat(bytes - overhead)})
}

#[tokio::test]
async fn members_of_free_form_have_256_kib_together() {
    let client = client();
    let form = form("store aianalysis");
    let base = with(
        &form.body(&fresh("size"), &fresh("word")),
        &json!({"metadata": null, "findings": null}),
    );
    for (changes, fits) in [
        (json!({"metadata": object_of(FREE)}), true),
        (json!({"metadata": object_of(FREE + 1)}), false),
        (
            json!({"metadata": object_of(FREE / 2), "findings": object_of(FREE / 2)}),
            true,
        ),
        (
            json!({"metadata": object_of(FREE / 2), "findings": object_of(FREE / 2 + 1)}),
            false,
        ),
        (
            json!({"metadata": object_of(FREE / 2), "unknown": object_of(FREE / 2 + 1)}),
            false,
        ),
        (json!({"unknown": object_of(FREE - 64)}), true),
        (json!({"unknown": "x".repeat(FREE)}), false),
        (json!({"k".repeat(FREE): 1}), false),
        // PostgreSQL prints each with 302 characters, so such a record could never be finished.
        (json!({"metadata": {"a": vec![1e-300; 8000]}}), false),
        (json!({"metadata": {"a": [1e-300, 1e300, -1e30]}}), true),
    ] {
        let body = with(&with(&base, &changes), &json!({"name": fresh("word")}));
        let answer = client.post(form.path, &body).await;
        if fits {
            let id = answer.expect(201)["id"].as_i64().expect("an id");
            let record = client.record(form.kind, id).await;
            for (member, value) in changes.as_object().expect("an object") {
                let stored = record.get(member).unwrap_or(&record["document"][member]);
                assert!(stored == value, "{member} came back changed");
            }
        } else {
            answer.problem(400, "validation-error");
            let codes: Vec<_> = answer
                .violations()
                .into_iter()
                .map(|(_, code)| code)
                .collect();
            assert_eq!(codes, ["too_large"]);
        }
    }
}

/// Arrays and objects in turn, `levels` deep.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inside, level| {
        if level % 2 == 0 {
            json!({"in": inside})
        } else {
            json!([inside])
        }
    })
}

#[tokio::test]
async fn members_of_free_form_have_thirty_two_levels() {
    let client = client();
    for (name, member) in [
        ("store execution", "metadata"),
        ("store aianalysis", "findings"),
        ("store workflow", "unknown"),
        ("audit remediation", "labels"),
        ("compact remediation", "unknown"),
    ] {
        let form = form(name);
        let at = |levels: usize| {
            let value = match member {
                "metadata" | "labels" => json!({"in": nested(levels - 1)}),
                _ => nested(levels),
            };
            with(
                &form.body(&fresh("depth"), &fresh("word")),
                &json!({member: value}),
            )
        };
        let body = at(32);
        let id = client.create(form.path, &body).await;
        let record = client.record(form.kind, id).await;
        let stored = record.get(member).unwrap_or(&record["document"][member]);
        assert_eq!(stored, &body[member], "{name}");

        let answer = client.post(form.path, &at(33)).await;
        answer.problem(400, "validation-error");
        let violations = answer.violations();
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].0.starts_with(member), "{violations:?}");
        assert_eq!(violations[0].1, "too_deep", "{name}");
    }
}

#[tokio::test]
async fn a_flood_of_violations_is_cut_and_counted() {
    let bad: Map<_, _> = (0..250)
        .map(|i| (format!("confidence{i:03}"), json!(7)))
        .collect();
    let form = form("store execution");
    let body = with(
        &form.body(&fresh("flood"), &fresh("word")),
        &Value::Object(bad),
    );
    let answer = client().post(form.path, &body).await;
    let problem = answer.problem(400, "validation-error");
    let errors = problem["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100]["code"], "too_many");
    let message = errors[100]["message"].as_str().expect("a message");
    assert!(message.starts_with("150 more"), "{message}");
}

/// The longest posts may be followed by others, and a record still does not grow without end.
#[tokio::test]
async fn what_a_record_gathers_has_a_limit() {
    let client = client();
    let form = form("compact remediation");
    let step = form.body(&fresh("gather"), &fresh("rr"));
    let long = with(&step, &json!({"reasoning": "x".repeat(1_000_000)}));
    let id = client.create(form.path, &long).await;
    let later = with(&step, &json!({"actionType": "scale"}));
    assert_eq!(client.write(form.path, &later, "updated").await, id);

    let mut has_ended = false;
    for i in 0..12 {
        let before = client.record(form.kind, id).await;
        let more = json!({format!("unknown{i}"): "x".repeat(250_000)});
        let answer = client.post(form.path, &with(&step, &more)).await;
        if answer.status != 201 {
            answer.problem(400, "validation-error");
            let expected = ("metadata".to_owned(), "too_large".to_owned());
            assert_eq!(answer.violations(), [expected]);
            client.unchanged(form.kind, id, &before).await;
            has_ended = true;
            break;
        }
    }
    assert!(has_ended, "nothing stops it");
}
