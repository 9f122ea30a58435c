//! Every form reaches the same record: each posted member comes back in its column or in `document`.

use serde_json::{Map, Value, json};

use crate::client;
use crate::support::payloads::{FORMS, form, fresh, with};

/// The members of a record, apart from those that the service makes.
const COLUMNS: [&str; 26] = [
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
    "analysis_type",
    "confidence_score",
    "findings",
    "workflow_type",
    "steps_completed",
    "steps_total",
    "action",
    "resource",
    "metadata",
];

/// The columns that a form fills; the others are null.
fn columns(name: &str, posted: &Value) -> Value {
    let of = |member: &str| posted[member].clone();
    match name {
        "store remediation" | "store aianalysis" | "store workflow" | "store execution" => {
            posted.clone()
        }
        "audit remediation" => json!({
            "name": of("name"), "namespace": of("namespace"), "phase": "completed",
            "status": "success", "alert_name": "PaymentLatencyHigh",
            "alert_fingerprint": "sha256:77aa", "environment": "staging",
            "target_resource": "statefulset/ledger", "correlation_id": of("correlationId"),
            "start_time": "2025-11-05T11:00:04Z", "end_time": "2025-11-05T11:00:34Z",
            "duration": 30_000
        }),
        "audit aianalysis" => json!({
            "name": of("name"), "namespace": of("namespace"), "phase": "processing",
            "status": "running", "correlation_id": of("correlationId"),
            "remediation_request_id": of("remediationRequestRef"),
            "start_time": "2025-11-05T11:00:06Z", "confidence_score": 0.74
        }),
        "audit workflow" => json!({
            "name": of("name"), "namespace": of("namespace"), "phase": "executing",
            "status": "running", "correlation_id": of("correlationId"),
            "remediation_request_id": of("remediationRequestRef"),
            "start_time": "2025-11-05T11:00:11Z", "steps_completed": 1, "steps_total": 5
        }),
        "audit execution" => json!({
            "name": of("name"), "namespace": of("namespace"), "phase": "failed",
            "status": "failure", "action_type": "detach_volume",
            "correlation_id": of("correlationId"), "target_resource": "pod/ledger-0",
            "start_time": "2025-11-05T11:00:21Z", "end_time": "2025-11-05T11:00:21.25Z",
            "duration": 250
        }),
        "compact remediation" => json!({
            "name": of("remediationRequestID"), "namespace": of("namespace"),
            "status": "success", "action_type": "restart_pod",
            "alert_name": "PaymentLatencyHigh", "cluster_name": "eu-2",
            "target_resource": "pod/ledger-0", "confidence_score": 0.66,
            "remediation_request_id": of("remediationRequestID"),
            "start_time": "2025-11-05T12:00:20Z", "duration": 12_500
        }),
        "compact workflow" => json!({
            "name": of("workflowID"), "status": "completed",
            "start_time": "2025-11-05T12:00:26Z", "duration": 14_000
        }),
        other => panic!("no mapping for {other}"),
    }
}

/// The members that stay in the document, under their own names.
fn kept(name: &str) -> &'static [&'static str] {
    match name {
        "audit remediation" => &[
            "signalType",
            "signalNamespace",
            "targetType",
            "targetName",
            "targetNamespace",
            "priority",
            "message",
            "reason",
            "createdAt",
            "labels",
            "originalPayload",
        ],
        "audit aianalysis" => &[
            "remediationRequestRef",
            "signalType",
            "signalContext",
            "llmProvider",
            "llmModel",
            "temperature",
            "rootCause",
            "recommendedAction",
            "requiresApproval",
            "investigationId",
            "tokensUsed",
            "investigationTimeSeconds",
            "message",
            "createdAt",
        ],
        "audit workflow" => &[
            "remediationRequestRef",
            "aiAnalysisRef",
            "workflowName",
            "isAutoApproved",
            "requiresApproval",
            "currentStep",
            "stepCount",
            "completedCount",
            "failedCount",
            "skippedCount",
            "stepStatuses",
            "message",
            "createdAt",
        ],
        "audit execution" => &[
            "workflowExecutionRef",
            "stepName",
            "actionData",
            "targetType",
            "targetName",
            "targetNamespace",
            "enableDryRun",
            "enableValidation",
            "enableRollback",
            "actionResult",
            "resourceVersion",
            "previousVersion",
            "dryRunResult",
            "validationResult",
            "validationWarnings",
            "isRolledBack",
            "message",
            "createdAt",
        ],
        "compact remediation" => &["priority", "reasoning", "createdAt"],
        "compact workflow" => &["workflowID", "stepName", "stepStatus"],
        _ => &[],
    }
}

#[tokio::test]
async fn every_member_of_every_form_comes_back() {
    let client = client();
    for form in FORMS {
        let body = form.body(&fresh("dialects"), &fresh("word"));
        let id = client.create(form.path, &body).await;
        let record = client.record(form.kind, id).await;

        let columns = columns(form.name, &body);
        for column in COLUMNS {
            assert_eq!(record[column], columns[column], "{}: {column}", form.name);
        }
        let document: Map<_, _> = kept(form.name)
            .iter()
            .map(|member| ((*member).to_owned(), body[member].clone()))
            .collect();
        assert_eq!(record["document"], Value::Object(document), "{}", form.name);
        assert_eq!(record["kind"], form.kind);
        assert_eq!(record["id"], id);
        assert_eq!(record["version"], 1);
        let members = record.as_object().expect("a record").len();
        let made = [
            "kind",
            "id",
            "document",
            "embedding_model",
            "version",
            "created_at",
            "updated_at",
        ];
        assert_eq!(members, COLUMNS.len() + made.len(), "{record}");
    }
}

#[tokio::test]
async fn a_201_has_the_members_of_every_form_and_says_where_the_record_is() {
    let client = client();
    for form in FORMS {
        let body = form.body(&fresh("dialects"), &fresh("word"));
        let answer = client.post(form.path, &body).await;
        let created = answer.expect(201);
        let id = created["id"].as_i64().expect("an id");
        assert!((1..1 << 53).contains(&id), "{id}");
        let record = client.record(form.kind, id).await;
        let time = &record["created_at"];
        // Null where there is nothing to embed, or the provider was not in time.
        let embedding_id = &created["embedding_id"];
        assert!([Value::Null, json!(id)].contains(embedding_id), "{created}");
        assert_eq!(
            created,
            json!({
                "id": id, "auditID": id.to_string(), "created_at": time, "createdAt": time,
                "embedding_id": embedding_id, "embeddingId": embedding_id, "status": "persisted",
                "message": "Audit record created successfully"
            }),
            "{}",
            form.name
        );
        let location = answer.header("location").expect("a Location");
        assert_eq!(location, format!("/api/v1/query/{}/{id}", form.kind));
        assert_eq!(client.get(location).await.expect(200), record);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(
            answer
                .header("x-correlation-id")
                .is_some_and(|id| !id.is_empty())
        );
    }
}

/// Texts that a careless layer would change.
const TEXTS: [&str; 12] = [
    "my-app-delete-jobs",
    "'; DROP TABLE audit; --",
    "SELECT * FROM users WHERE name = 'x' OR '1'='1'",
    "two  spaces,   three,\ttab\nline\r\nend ",
    "emoji 🙂 family 👨\u{200d}👩\u{200d}👧 flag 🇩🇪",
    "עברית ثم العربية \u{202e}reversed\u{202c}",
    "cafe\u{301} and café",
    "日本語 ﬁ ﷽ \u{feff}bom \u{fffd} \u{10ffff}",
    "back\\slash \"quotes\" %s %00 ${x} {{ y }} \\u0041",
    "10.0.0.1:5432 fe80::1 ops@example.org https://example.org/?a=b&c=d#e",
    "\u{1}\u{7f}\u{80}",
    " ",
];

#[tokio::test]
async fn text_comes_back_byte_for_byte() {
    let client = client();
    for text in TEXTS {
        let unknown = json!({text: {"deep": [{"er": [text, {text: text}]}]}, "list": [text]});
        let changes = json!({
            "name": text, "error_message": text, "metadata": {"text": text, "more": unknown},
            "correlation_id": text, "target_resource": text, "cluster_name": text,
            "alert_name": text, "message": text, "unknown": unknown, text: text
        });
        let store = form("store remediation");
        let body = with(&store.body(&fresh("text"), &fresh("rr")), &changes);
        let id = client.create(store.path, &body).await;
        let record = client.record(store.kind, id).await;
        for column in COLUMNS {
            assert_eq!(record[column], body[column], "{text:?}: {column}");
        }
        assert_eq!(
            record["document"],
            json!({"message": text, "unknown": unknown, text: text}),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn unknown_members_of_every_form_and_json_type_are_kept() {
    let client = client();
    let unknown = json!({
        "ticket": "OPS-1", "Phase ": "not a phase", "nothing": null, "yes": true,
        "integer": 9_007_199_254_740_993_i64, "largest": u64::MAX, "smallest": i64::MIN,
        "float": 0.1, "tiny": 1e-7, "empty": {}, "list": [], "": "empty key",
        "nested": {"a": [1, [2, [3, {"b": {"c": null}}]]]}
    });
    for form in FORMS {
        let body = with(&form.body(&fresh("unknown"), &fresh("word")), &unknown);
        let id = client.create(form.path, &body).await;
        let document = &client.record(form.kind, id).await["document"];
        for (name, value) in unknown.as_object().expect("an object") {
            assert_eq!(&document[name], value, "{}: {name:?}", form.name);
        }
    }
}

#[tokio::test]
async fn times_are_instants_whatever_their_offset() {
    let client = client();
    for (sent, stored) in [
        ("2025-11-05T10:00:00Z", "2025-11-05T10:00:00Z"),
        ("2025-11-05T12:30:00+02:30", "2025-11-05T10:00:00Z"),
        ("2025-11-04T23:00:00-11:00", "2025-11-05T10:00:00Z"),
        ("2025-11-05T10:00:00.120Z", "2025-11-05T10:00:00.12Z"),
        (
            "2025-11-05T10:00:00.123456+00:00",
            "2025-11-05T10:00:00.123456Z",
        ),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0999-12-31T23:59:59Z", "0999-12-31T23:59:59Z"),
    ] {
        let store = form("store execution");
        let changes = json!({"start_time": sent, "end_time": null, "duration": null});
        let body = with(&store.body(&fresh("times"), &fresh("word")), &changes);
        let id = client.create(store.path, &body).await;
        assert_eq!(
            client.record(store.kind, id).await["start_time"],
            stored,
            "{sent}"
        );
    }
}

#[tokio::test]
async fn the_start_is_the_first_time_that_is_known() {
    let client = client();
    let (started, executed, created) = (
        "2025-11-05T12:00:02Z",
        "2025-11-05T12:00:01Z",
        "2025-11-05T12:00:00Z",
    );
    for (times, start) in [
        (
            json!({"startedAt": started, "executedAt": executed, "createdAt": created}),
            started,
        ),
        (
            json!({"startedAt": null, "executedAt": executed, "createdAt": created}),
            executed,
        ),
        (
            json!({"startedAt": null, "executedAt": null, "createdAt": created}),
            created,
        ),
    ] {
        for name in ["audit execution", "compact remediation"] {
            let form = form(name);
            let body = with(&form.body(&fresh("start"), &fresh("word")), &times);
            let body = with(&body, &json!({"completedAt": null}));
            let id = client.create(form.path, &body).await;
            let record = client.record(form.kind, id).await;
            assert_eq!(record["start_time"], start, "{name}");
        }
    }
}

#[tokio::test]
async fn the_status_follows_the_phase_where_none_is_sent() {
    let client = client();
    let store = form("audit workflow");
    for (phase, stored, status) in [
        ("PENDING", "pending", "pending"),
        ("Processing", "processing", "running"),
        ("completed", "completed", "success"),
        ("fAILED", "failed", "failure"),
    ] {
        let changes = json!({"phase": phase, "completedAt": null});
        let body = with(&store.body(&fresh("phase"), &fresh("word")), &changes);
        let id = client.create(store.path, &body).await;
        let record = client.record(store.kind, id).await;
        assert_eq!(record["phase"], stored);
        assert_eq!(record["status"], status, "{phase}");

        let body = with(&body, &json!({"name": fresh("word"), "status": "running"}));
        let id = client.create(store.path, &body).await;
        assert_eq!(client.record(store.kind, id).await["status"], "running");
    }
}

#[tokio::test]
async fn a_duration_is_computed_where_none_is_sent() {
    let client = client();
    for name in ["store execution", "audit execution"] {
        let form = form(name);
        let body = with(
            &form.body(&fresh("duration"), &fresh("word")),
            &json!({"duration": null}),
        );
        let id = client.create(form.path, &body).await;
        let expected = if name == "store execution" { 2000 } else { 250 };
        assert_eq!(
            client.record(form.kind, id).await["duration"],
            expected,
            "{name}"
        );

        let changes = json!({"name": fresh("word"), "duration": 17});
        let id = client.create(form.path, &with(&body, &changes)).await;
        assert_eq!(client.record(form.kind, id).await["duration"], 17, "{name}");
    }
}
