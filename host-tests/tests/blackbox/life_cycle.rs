//! What becomes of a post whose natural key is already there: the table of the life cycle, row by
//! row.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{FORMS, form, fresh, with};

const STORE: &str = "/api/v1/store/remediation";
const AUDIT: &str = "/api/v1/audit/remediation";

/// A record that has begun and not ended, in snake_case.
fn running(namespace: &str, request_id: &str) -> Value {
    let changes = json!({
        "phase": "processing", "status": "running", "end_time": null, "duration": null
    });
    with(
        &form("store remediation").body(namespace, request_id),
        &changes,
    )
}

fn finished(namespace: &str, request_id: &str) -> Value {
    form("store remediation").body(namespace, request_id)
}

#[tokio::test]
async fn a_replay_is_a_duplicate_and_writes_nothing() {
    let client = client();
    for form in FORMS {
        let body = form.body(&fresh("replay"), &fresh("word"));
        let id = client.create(form.path, &body).await;
        let record = client.record(form.kind, id).await;
        for _ in 0..2 {
            assert_eq!(
                client.write(form.path, &body, "duplicate").await,
                id,
                "{}",
                form.name
            );
        }
        client.unchanged(form.kind, id, &record).await;
        assert_eq!(client.versions(form.kind, id).await.len(), 1);
    }
}

#[tokio::test]
async fn a_replay_is_recognised_however_it_is_written() {
    let client = client();
    let (namespace, word) = (fresh("replay"), fresh("word"));
    let body = form("store execution").body(&namespace, &word);
    let id = client.create("/api/v1/store/execution", &body).await;
    let members: Vec<_> = body.as_object().expect("an object").iter().rev().collect();
    let reversed: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("\n  {} :\t{value} ", json!(name)))
        .collect();
    let text = format!(" {{{}}} ", reversed.join(","));
    let text = text.replace("2025-11-05T10:00:12Z", "2025-11-05T12:00:12.000+02:00");
    let headers = [("content-type", "application/json")];
    let answer = client
        .send(Method::POST, "/api/v1/store/execution", &headers, text)
        .await;
    let created = answer.expect(201);
    assert_eq!(
        (&created["id"], &created["status"]),
        (&json!(id), &json!("duplicate"))
    );
}

/// As PostgreSQL compares numbers: by value.
#[tokio::test]
async fn equal_numbers_are_equal_however_they_are_written() {
    let client = client();
    let path = "/api/v1/store/execution";
    let headers = [("content-type", "application/json")];
    let body = form("store execution").body(&fresh("numbers"), &fresh("word"));
    let written = |number: &str| {
        let body = with(
            &body,
            &json!({"metadata": {"n": ["NUMBER"]}, "budget": "NUMBER"}),
        );
        body.to_string().replace("\"NUMBER\"", number)
    };
    for (number, status) in [
        ("100", "persisted"),
        ("1e2", "duplicate"),
        ("100.0", "duplicate"),
        ("100.5", "updated"),
        ("1005e-1", "duplicate"),
        ("1.7976931348623157e308", "updated"),
        ("5e-324", "updated"),
    ] {
        let answer = client
            .send(Method::POST, path, &headers, written(number))
            .await;
        let created = answer.expect(201);
        assert_eq!(created["status"], status, "{number}");
        let record = client
            .record("execution", created["id"].as_i64().expect("an id"))
            .await;
        let sent: Option<f64> = number.parse().ok();
        assert_eq!(record["metadata"]["n"][0].as_f64(), sent, "{number}");
        assert_eq!(record["document"]["budget"].as_f64(), sent, "{number}");
    }
}

#[tokio::test]
async fn anything_newer_updates_and_keeps_the_old_state() {
    let client = client();
    for changes in [
        json!({"phase": "completed"}),
        json!({"status": "success"}),
        json!({"end_time": "2025-11-05T10:09:00Z"}),
        json!({"duration": 7}),
        json!({"error_message": "no capacity"}),
        json!({"metadata": {"try": 2}}),
        json!({"severity": "low"}),
        json!({"note": "a member without a column"}),
    ] {
        let (namespace, request) = (fresh("newer"), fresh("rr"));
        let first = running(&namespace, &request);
        let id = client.create(STORE, &first).await;
        let before = client.record("remediation", id).await;
        assert_eq!(
            client
                .write(STORE, &with(&first, &changes), "updated")
                .await,
            id
        );

        let after = client.record("remediation", id).await;
        for (name, value) in changes.as_object().expect("an object") {
            let stored = after.get(name).unwrap_or(&after["document"][name]);
            assert_eq!(stored, value, "{name}");
        }
        assert_eq!(after["version"], 2);
        assert_eq!(after["created_at"], before["created_at"]);
        assert_versions(&client, id, &[&before, &after]).await;
    }
}

/// The versions of a remediation are these states, oldest first.
async fn assert_versions(client: &Client, id: i64, states: &[&Value]) {
    let versions = client.versions("remediation", id).await;
    assert_eq!(versions.len(), states.len(), "{versions:?}");
    for (position, (version, state)) in versions.iter().zip(states).enumerate() {
        assert_eq!(version["version"], position + 1);
        for (name, value) in state.as_object().expect("a record") {
            assert_eq!(&version[name], value, "version {}: {name}", position + 1);
        }
        assert_eq!(version["deleted_at"], Value::Null);
    }
}

#[tokio::test]
async fn a_content_that_was_accepted_before_is_stale() {
    let client = client();
    let (namespace, request) = (fresh("stale"), fresh("rr"));
    // The state is the same in all three: only the order of arrival tells them apart.
    let steps: Vec<_> = ["one", "two", "three"]
        .map(|message| with(&running(&namespace, &request), &json!({"message": message})))
        .to_vec();
    let id = client.create(STORE, &steps[0]).await;
    client.write(STORE, &steps[1], "updated").await;
    client.write(STORE, &steps[2], "updated").await;
    let record = client.record("remediation", id).await;
    assert_eq!(record["document"]["message"], "three");

    for step in &steps[..2] {
        assert_eq!(client.write(STORE, step, "stale").await, id);
    }
    assert_eq!(client.write(STORE, &steps[2], "duplicate").await, id);
    client.unchanged("remediation", id, &record).await;
    assert_eq!(client.versions("remediation", id).await.len(), 3);
}

#[tokio::test]
async fn a_retry_that_overtook_is_stale() {
    let client = client();
    let states = [
        [("pending", "pending"), ("pending", "pending")],
        [("processing", "running"), ("processing", "running")],
        [("completed", "success"), ("failed", "failure")],
    ];
    for (rank, later) in states.iter().enumerate() {
        for (phase, status) in later {
            let (namespace, request) = (fresh("overtaken"), fresh("rr"));
            let at = |phase: &str, status: &str| {
                let changes = json!({"phase": phase, "status": status});
                with(&running(&namespace, &request), &changes)
            };
            let id = client.create(STORE, &at(phase, status)).await;
            let record = client.record("remediation", id).await;
            for (phase, status) in states[..rank].iter().flatten() {
                let overtaken = with(&at(phase, status), &json!({"message": "from before"}));
                assert_eq!(client.write(STORE, &overtaken, "stale").await, id);
            }
            client.unchanged("remediation", id, &record).await;
            assert_eq!(client.versions("remediation", id).await.len(), 1);
            // An equal state is newer; so is one that comes later.
            for (phase, status) in states[rank..].iter().flatten() {
                let next = with(&at(phase, status), &json!({"message": fresh("later")}));
                assert_eq!(client.write(STORE, &next, "updated").await, id);
            }
        }
    }
}

#[tokio::test]
async fn a_post_without_a_state_is_newer_and_keeps_the_state() {
    let client = client();
    let (namespace, request) = (fresh("stateless"), fresh("rr"));
    let id = client.create(STORE, &finished(&namespace, &request)).await;
    let step = json!({
        "remediationRequestID": request, "alertName": "PaymentLatencyHigh",
        "namespace": namespace, "cluster": "eu-1", "reasoning": "found later"
    });
    assert_eq!(client.write(AUDIT, &step, "updated").await, id);
    let nothing = with(
        &step,
        &json!({"status": null, "phase": null, "confidence": 0.5}),
    );
    assert_eq!(client.write(AUDIT, &nothing, "updated").await, id);
    let record = client.record("remediation", id).await;
    assert_eq!(
        (&record["status"], &record["phase"]),
        (&json!("success"), &json!("completed"))
    );
    assert_eq!(record["document"]["reasoning"], "found later");
    assert_eq!(record["confidence_score"], 0.5);
}

#[tokio::test]
async fn what_is_left_out_stays_and_what_is_null_goes() {
    let client = client();
    let (namespace, request) = (fresh("merge"), fresh("rr"));
    let extra = json!({
        "alert_name": "DiskFull", "error_message": "first try failed", "correlation_id": "c-1",
        "metadata": {"a": 1}, "ticket": "OPS-7", "note": "keep me"
    });
    let first = with(&running(&namespace, &request), &extra);
    let id = client.create(STORE, &first).await;

    let mut second = finished(&namespace, &request);
    for name in ["error_message", "metadata", "duration"] {
        second.as_object_mut().expect("an object").remove(name);
    }
    client.write(STORE, &second, "updated").await;
    let record = client.record("remediation", id).await;
    for name in ["alert_name", "error_message", "correlation_id", "metadata"] {
        assert_eq!(record[name], first[name], "{name}");
    }
    assert_eq!(
        record["document"],
        json!({"ticket": "OPS-7", "note": "keep me"})
    );
    assert_eq!(record["end_time"], second["end_time"]);

    let nulls = json!({
        "alert_name": null, "error_message": null, "correlation_id": null, "metadata": null,
        "end_time": null, "ticket": null
    });
    client.write(STORE, &with(&second, &nulls), "updated").await;
    let record = client.record("remediation", id).await;
    for name in nulls.as_object().expect("an object").keys() {
        let stored = record.get(name).unwrap_or(&record["document"][name]);
        assert_eq!(stored, &Value::Null, "{name}");
    }
    assert_eq!(record["document"]["note"], "keep me");
    assert_eq!(record["status"], "success");
}

#[tokio::test]
async fn three_steps_of_the_compact_form_build_one_record() {
    let client = client();
    let (namespace, request) = (fresh("compact"), fresh("rr"));
    let step = |changes: Value| {
        let base = json!({
            "remediationRequestID": request, "alertName": "HighMemoryUsage",
            "namespace": namespace, "cluster": "us-west-2"
        });
        with(&base, &changes)
    };
    let gateway = step(json!({"priority": "P0", "createdAt": "2025-11-06T10:00:00Z"}));
    let analysis = step(json!({
        "actionType": "restart_pod", "confidence": 0.87, "reasoning": "OOMKilled after warm-up",
        "createdAt": "2025-11-06T10:00:07Z"
    }));
    let executor = step(json!({
        "actionType": "scale", "targetResource": "deployment/api-server", "status": "success",
        "duration": 12_000_000_000_i64, "errorMessage": "", "executedAt": "2025-11-06T10:00:28Z"
    }));

    let id = client.create(AUDIT, &gateway).await;
    assert_eq!(client.write(AUDIT, &analysis, "updated").await, id);
    assert_eq!(client.write(AUDIT, &executor, "updated").await, id);

    let record = client.record("remediation", id).await;
    for (name, value) in [
        ("name", json!(request)),
        ("namespace", json!(namespace)),
        ("remediation_request_id", json!(request)),
        ("alert_name", json!("HighMemoryUsage")),
        ("cluster_name", json!("us-west-2")),
        ("action_type", json!("scale")),
        ("confidence_score", json!(0.87)),
        ("target_resource", json!("deployment/api-server")),
        ("status", json!("success")),
        ("duration", json!(12_000)),
        // An empty text is none.
        ("error_message", json!(null)),
        ("start_time", json!("2025-11-06T10:00:28Z")),
        ("version", json!(3)),
    ] {
        assert_eq!(record[name], value, "{name}");
    }
    assert_eq!(record["document"]["priority"], "P0");
    assert_eq!(record["document"]["reasoning"], "OOMKilled after warm-up");
    assert_eq!(client.count("remediation", &namespace).await, 1);

    // Each controller retries what it has sent.
    for (step, status) in [
        (&gateway, "stale"),
        (&analysis, "stale"),
        (&executor, "duplicate"),
    ] {
        assert_eq!(client.write(AUDIT, step, status).await, id);
    }
    client.unchanged("remediation", id, &record).await;
}

#[tokio::test]
async fn the_steps_of_a_workflow_are_records_of_their_own() {
    let client = client();
    let form = form("compact workflow");
    let body = form.body("", &fresh("wf"));
    let first = client.create(form.path, &body).await;
    let second = client
        .create(form.path, &with(&body, &json!({"stepName": "attach"})))
        .await;
    assert_ne!(first, second);
    let failed = json!({"stepStatus": "failed", "errorMessage": "gone"});
    assert_eq!(
        client
            .write(form.path, &with(&body, &failed), "updated")
            .await,
        first
    );
    let early = json!({"stepStatus": "running"});
    assert_eq!(
        client.write(form.path, &with(&body, &early), "stale").await,
        first
    );
    assert_eq!(client.record(form.kind, first).await["status"], "failed");
    assert_eq!(
        client.record(form.kind, second).await["status"],
        "completed"
    );
}

/// The rules that compare fields hold for the merged record.
#[tokio::test]
async fn a_post_cannot_make_the_stored_record_contradict_itself() {
    let client = client();
    let form = form("store workflow");
    let begun = with(
        &form.body(&fresh("merged"), &fresh("rr")),
        &json!({"status": "running", "phase": "executing", "steps_total": 3, "steps_completed": null, "end_time": null}),
    );
    let id = client.create(form.path, &begun).await;
    let mut step = with(&begun, &json!({"steps_completed": 7}));
    step.as_object_mut()
        .expect("an object")
        .remove("steps_total");
    let answer = client.post(form.path, &step).await;
    answer.problem(400, "validation-error");
    assert_eq!(
        answer.violations(),
        [("steps_completed".to_owned(), "inconsistent".to_owned())]
    );
    let batch = json!([step]);
    let answer = client.post(&format!("{}/batch", form.path), &batch).await;
    answer.problem(400, "validation-error");
    assert_eq!(
        answer.violations(),
        [("[0].steps_completed".to_owned(), "inconsistent".to_owned())]
    );
    assert_eq!(
        client.versions(form.kind, id).await.len(),
        1,
        "nothing was written"
    );
}
