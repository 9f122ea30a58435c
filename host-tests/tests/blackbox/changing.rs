//! `PATCH` and `DELETE`.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{aianalysis, form, fresh, remediation, with, workflow};

const STORE: &str = "/api/v1/store/remediation";

/// An id that belongs to no record.
const UNKNOWN: i64 = 1;

async fn running(client: &Client) -> i64 {
    let changes = json!({
        "phase": "processing", "status": "running", "end_time": null, "duration": null,
        "metadata": {"a": {"b": 1, "c": [1, 2]}, "d": "x"}, "message": "begun"
    });
    let body = with(&remediation(&fresh("changing"), &fresh("rr")), &changes);
    client.create(STORE, &body).await
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_answers_with_the_record() {
    let client = client();
    let id = running(&client).await;
    let before = client.record("remediation", id).await;
    let patch = json!({
        "phase": "Completed", "end_time": "2025-11-05T11:00:30+01:00",
        "error_message": "none  in the end", "message": "done", "reason": "Scaled"
    });
    let url = format!("{STORE}/{id}");
    let record = client.patch(&url, &patch).await.expect(200);
    client.unchanged("remediation", id, &record).await;
    for (name, value) in [
        ("phase", json!("completed")),
        ("status", json!("success")),
        ("end_time", json!("2025-11-05T10:00:30Z")),
        ("duration", json!(30_000)),
        ("error_message", json!("none  in the end")),
        ("version", json!(2)),
        ("document", json!({"message": "done", "reason": "Scaled"})),
    ] {
        assert_eq!(record[name], value, "{name}");
    }
    for name in [
        "name",
        "namespace",
        "severity",
        "start_time",
        "metadata",
        "created_at",
        "id",
    ] {
        assert_eq!(record[name], before[name], "{name}");
    }
    let versions = client.versions("remediation", id).await;
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[0]["status"], "running");
    assert_eq!(versions[1]["status"], "success");
}

#[tokio::test]
async fn a_patch_merges_as_rfc_7396_says() {
    let client = client();
    let id = running(&client).await;
    let path = format!("{STORE}/{id}");
    for (patch, metadata) in [
        (
            json!({"a": {"b": 2}}),
            json!({"a": {"b": 2, "c": [1, 2]}, "d": "x"}),
        ),
        (
            json!({"a": {"c": [3]}}),
            json!({"a": {"b": 2, "c": [3]}, "d": "x"}),
        ),
        (
            json!({"d": null, "e": {"f": null, "g": 1}}),
            json!({"a": {"b": 2, "c": [3]}, "e": {"g": 1}}),
        ),
        (json!({"a": "flat"}), json!({"a": "flat", "e": {"g": 1}})),
        (json!({"a": {"b": null}}), json!({"a": {}, "e": {"g": 1}})),
        (Value::Null, Value::Null),
        (json!({"new": {"x": null}}), json!({"new": {}})),
    ] {
        let record = client
            .patch(&path, &json!({"metadata": patch}))
            .await
            .expect(200);
        assert_eq!(record["metadata"], metadata, "{patch}");
    }
    let cleared = json!({"message": null, "error_message": null, "end_time": null});
    let record = client.patch(&path, &cleared).await.expect(200);
    assert_eq!(record["document"], json!({}));
    assert_eq!(record["error_message"], Value::Null);
}

#[tokio::test]
async fn a_patch_that_changes_nothing_makes_no_version() {
    let client = client();
    let id = running(&client).await;
    let before = client.record("remediation", id).await;
    for patch in [
        json!({}),
        json!({"status": "running"}),
        json!({"metadata": {"d": "x"}}),
    ] {
        let path = format!("{STORE}/{id}");
        assert_eq!(
            client.patch(&path, &patch).await.expect(200),
            before,
            "{patch}"
        );
    }
    assert_eq!(client.versions("remediation", id).await.len(), 1);
}

#[tokio::test]
async fn each_kind_has_its_own_life_cycle_members() {
    let client = client();
    let analysis = aianalysis(&fresh("changing"), &fresh("word"));
    let id = client.create("/api/v1/store/aianalysis", &analysis).await;
    let url = format!("/api/v1/store/aianalysis/{id}");
    let patch = json!({"confidence_score": 0.9, "findings": {"causes": null, "x": 1}});
    let record = client.patch(&url, &patch).await.expect(200);
    assert_eq!(record["confidence_score"], 0.9);
    assert_eq!(record["findings"], json!({"x": 1}));
    let patch = json!({"confidence_score": 1.1});
    client
        .patch(&url, &patch)
        .await
        .problem(400, "validation-error");

    let run = workflow(&fresh("changing"), &fresh("word"));
    let id = client.create("/api/v1/store/workflow", &run).await;
    let url = format!("/api/v1/store/workflow/{id}");
    let record = client
        .patch(&url, &json!({"steps_completed": 3}))
        .await
        .expect(200);
    assert_eq!(record["steps_completed"], 3);
    let answer = client.patch(&url, &json!({"steps_completed": 5})).await;
    answer.problem(400, "validation-error");
    assert_eq!(
        answer.violations(),
        [("steps_completed".to_owned(), "inconsistent".to_owned())]
    );
    client.unchanged("workflow", id, &record).await;
}

#[tokio::test]
async fn everything_else_is_read_only() {
    let client = client();
    let id = running(&client).await;
    let before = client.record("remediation", id).await;
    let path = format!("{STORE}/{id}");
    for member in before.as_object().expect("a record").keys() {
        const LIFE_CYCLE: [&str; 6] = [
            "phase",
            "status",
            "end_time",
            "duration",
            "error_message",
            "metadata",
        ];
        if LIFE_CYCLE.contains(&member.as_str()) {
            continue;
        }
        let answer = client
            .patch(&path, &json!({member: "x", "status": "success"}))
            .await;
        answer.problem(400, "validation-error");
        assert_eq!(
            answer.violations(),
            [(member.clone(), "read_only".to_owned())]
        );
    }
    let both = json!({"name": "x", "unheard_of": 1, "phase": null, "status": "done"});
    let answer = client.patch(&path, &both).await;
    answer.problem(400, "validation-error");
    let expected = [
        ("name", "read_only"),
        ("phase", "required"),
        ("status", "invalid_value"),
        ("unheard_of", "read_only"),
    ];
    assert_eq!(
        answer.violations(),
        expected.map(|(field, code)| (field.to_owned(), code.to_owned()))
    );
    for body in [json!([]), json!("x"), json!(null), json!(7)] {
        client
            .patch(&path, &body)
            .await
            .problem(400, "validation-error");
    }
    client.unchanged("remediation", id, &before).await;
}

#[tokio::test]
async fn a_finished_record_never_becomes_unfinished() {
    let client = client();
    let id = client
        .create(STORE, &remediation(&fresh("changing"), &fresh("rr")))
        .await;
    let before = client.record("remediation", id).await;
    let path = format!("{STORE}/{id}");
    for patch in [
        json!({"phase": "processing"}),
        json!({"phase": "pending", "status": "pending"}),
        json!({"phase": "processing", "status": "running", "message": "again"}),
    ] {
        client.patch(&path, &patch).await.problem(409, "conflict");
        client.unchanged("remediation", id, &before).await;
    }
    let early = json!({"end_time": "2025-11-05T09:00:00Z"});
    let answer = client.patch(&path, &early).await;
    answer.problem(400, "validation-error");
    assert_eq!(
        answer.violations(),
        [("end_time".to_owned(), "end_before_start".to_owned())]
    );
    client.unchanged("remediation", id, &before).await;
    let record = client
        .patch(&path, &json!({"status": "failure"}))
        .await
        .expect(200);
    assert_eq!(record["status"], "failure");
}

#[tokio::test]
async fn a_replay_after_a_patch_is_stale() {
    let client = client();
    let body = with(
        &remediation(&fresh("changing"), &fresh("rr")),
        &json!({"phase": "processing", "status": "running", "end_time": null, "duration": null}),
    );
    let id = client.create(STORE, &body).await;
    let path = format!("{STORE}/{id}");
    let patched = client
        .patch(&path, &json!({"message": "noted"}))
        .await
        .expect(200);
    assert_eq!(client.write(STORE, &body, "stale").await, id);
    client.unchanged("remediation", id, &patched).await;
}

#[tokio::test]
async fn a_deleted_record_is_hidden_everywhere_but_in_its_versions() {
    let client = client();
    let (namespace, request) = (fresh("deleted"), fresh("rr"));
    let body = with(
        &remediation(&namespace, &request),
        &json!({"correlation_id": request}),
    );
    let id = client.create(STORE, &body).await;
    let kept = client
        .create(STORE, &remediation(&namespace, &fresh("rr")))
        .await;
    let record = client.record("remediation", id).await;
    let path = format!("{STORE}/{id}");

    let answer = client.delete(&path).await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("x-correlation-id").is_some());

    for hidden in [
        format!("/api/v1/query/remediation/{id}"),
        format!("/api/v1/incidents/{id}"),
    ] {
        client.get(&hidden).await.problem(404, "not-found");
    }
    let list = client
        .get(&format!("/api/v1/query/remediation?namespace={namespace}"))
        .await;
    let list = list.expect(200);
    assert_eq!(
        (&list["total"], &list["audits"][0]["id"]),
        (&json!(1), &json!(kept))
    );
    let incidents = client
        .get(&format!("/api/v1/incidents?namespace={namespace}"))
        .await;
    let incidents = incidents.expect(200);
    assert_eq!(incidents["pagination"]["total"], 1);
    assert_eq!(incidents["data"].as_array().map(Vec::len), Some(1));
    let timeline = client
        .get(&format!("/api/v1/query/timeline/{request}"))
        .await
        .expect(200);
    assert_eq!(
        (&timeline["total"], &timeline["audits"]),
        (&json!(0), &json!([]))
    );

    client.delete(&path).await.problem(404, "not-found");
    client
        .patch(&path, &json!({"message": "x"}))
        .await
        .problem(404, "not-found");

    let versions = client.versions("remediation", id).await;
    assert_eq!(versions.len(), 2);
    assert_eq!(
        (&versions[0]["version"], &versions[0]["deleted_at"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(versions[0]["metadata"], record["metadata"]);
    assert_eq!(versions[1]["version"], 2);
    assert!(versions[1]["deleted_at"].is_string(), "{}", versions[1]);

    // The key is taken for ever: a replay neither makes a second record nor shows the first.
    assert_eq!(client.write(STORE, &body, "duplicate").await, id);
    client
        .get(&format!("/api/v1/query/remediation/{id}"))
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    let client = client();
    let id = client
        .create(STORE, &remediation(&fresh("changing"), &fresh("rr")))
        .await;
    for path in [
        format!("{STORE}/{UNKNOWN}"),
        format!("/api/v1/store/execution/{id}"),
        format!("{STORE}/-5"),
    ] {
        client
            .patch(&path, &json!({"status": "success"}))
            .await
            .problem(404, "not-found");
        client.delete(&path).await.problem(404, "not-found");
    }
    for bad in ["abc", "1.5", "99999999999999999999", "1%20", "0x1"] {
        let path = format!("{STORE}/{bad}");
        let patched = client.patch(&path, &json!({"status": "success"})).await;
        let problem = patched.problem(400, "invalid-id");
        assert_eq!(problem["field"], "id");
        client.delete(&path).await.problem(400, "invalid-id");
    }
    client.record("remediation", id).await;
}

#[tokio::test]
async fn a_patch_may_say_what_it_is() {
    let client = client();
    let form = form("store execution");
    let id = client
        .create(form.path, &form.body(&fresh("changing"), &fresh("word")))
        .await;
    let path = format!("{}/{id}", form.path);
    let headers = [(
        "content-type",
        "application/merge-patch+json; charset=utf-8",
    )];
    let answer = client
        .send(Method::PATCH, &path, &headers, r#"{"duration":5}"#)
        .await;
    assert_eq!(answer.expect(200)["duration"], 5);
    let headers = [("content-type", "text/plain")];
    let answer = client
        .send(Method::PATCH, &path, &headers, r#"{"duration":6}"#)
        .await;
    answer.problem(415, "unsupported-media-type");
    assert_eq!(client.record("execution", id).await["duration"], 5);
}

/// The states of a record that changed often and much come page by page, each once.
#[tokio::test]
async fn versions_come_page_by_page() {
    const CHANGES: usize = 140;
    let client = client();
    let id = running(&client).await;
    let url = format!("{STORE}/{id}");
    for change in 0..CHANGES {
        let long = format!("{change} {}", "x".repeat(60 * 1024));
        client
            .patch(&url, &json!({"error_message": long}))
            .await
            .expect(200);
    }
    let path = format!("/api/v1/query/remediation/{id}/versions");
    for limit in ["", "&limit=7", "&limit=1000"] {
        let mut versions = Vec::new();
        let mut cursor = String::new();
        let mut has_ended = false;
        for _ in 0..=CHANGES {
            let page = client
                .get(&format!(
                    "{path}?{}",
                    format!("{limit}{cursor}").trim_start_matches('&')
                ))
                .await;
            let page = page.expect(200);
            versions.extend(
                page["versions"]
                    .as_array()
                    .expect("versions")
                    .iter()
                    .map(|state| state["version"].as_u64()),
            );
            let Some(next) = page["next_cursor"].as_str() else {
                has_ended = true;
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert!(has_ended, "there is no last page");
        let expected: Vec<_> = (1..=CHANGES as u64 + 1).map(Some).collect();
        assert_eq!(versions, expected, "{limit}");
    }
    let too_long = json!({"error_message": "x".repeat(64 * 1024 + 1)});
    client
        .patch(&url, &too_long)
        .await
        .problem(400, "validation-error");
    client
        .get(&format!("{path}?limit=0"))
        .await
        .problem(400, "invalid-limit");
    client
        .get(&format!("{path}?offset=1"))
        .await
        .problem(400, "invalid-parameter");
}
