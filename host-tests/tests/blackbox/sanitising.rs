//! What clients must not leave in the store: markup and secrets. Posted in every form, alone and in
//! batches, and in changes; read back every way there is.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::payloads::{FORMS, execution, fresh, remediation, with};

const STORE: &str = "/api/v1/store/execution";
const MARK: &str = "***REDACTED***";

/// Secrets as they turn up in logs, and what is left.
const LOGS: &[(&str, &str)] = &[
    (
        "login with password=hunter2 failed",
        "login with password=***REDACTED*** failed",
    ),
    (
        "postgres://app:hunter2@db:5432/audit is down",
        "postgres://app:***REDACTED***@db:5432/audit is down",
    ),
    (
        "pushed with ghp_1234567890abcdefghijklmnopqrstuvwxyz",
        "pushed with ***REDACTED***",
    ),
    (
        "<script>alert('hunter2')</script><b>OOM</b> killed",
        "<b>OOM</b> killed",
    ),
];

/// Nothing of the secrets above.
fn assert_clean(answer: &Value, context: &str) {
    let text = answer.to_string();
    for secret in ["hunter2", "ghp_1234", "<script", "alert("] {
        assert!(!text.contains(secret), "{context}: {secret} in {text}");
    }
}

/// A post with the logs in every member that takes any text.
fn dirty(mut body: Value) -> Value {
    let logs: Vec<_> = LOGS.iter().map(|(dirty, _)| *dirty).collect();
    let logs = logs.join("\n");
    let error = if body.get("start_time").is_some() {
        "error_message"
    } else {
        "errorMessage"
    };
    body[error] = json!(logs);
    for name in ["message", "reasoning", "unheard_of"] {
        body[name] = json!(logs);
    }
    body["metadata"] = json!({"log": [logs], "db": {"password": "hunter2", "user": "app"}});
    body
}

#[tokio::test]
async fn every_form_is_stored_clean() {
    let client = client();
    let clean: Vec<_> = LOGS.iter().map(|(_, clean)| *clean).collect();
    let clean = clean.join("\n");
    for form in FORMS {
        let word = fresh("dirty");
        let body = dirty(form.body(&fresh("ns"), &word));
        let id = client.create(form.path, &body).await;
        let record = client.record(form.kind, id).await;
        assert_clean(&record, form.name);
        assert_eq!(record["error_message"], clean, "{}", form.name);
        assert_eq!(record["document"]["unheard_of"], clean, "{}", form.name);
        let expected = json!({"log": [clean], "db": {"password": MARK, "user": "app"}});
        assert_eq!(record["metadata"], expected, "{}", form.name);

        let again = client.post(form.path, &body).await.expect(201);
        assert_eq!(again["status"], "duplicate", "{}", form.name);
        assert_eq!(again["id"], id, "{}", form.name);
    }
}

#[tokio::test]
async fn batches_changes_versions_and_timelines_are_clean() {
    let client = client();
    let correlation = fresh("corr");
    let mut posts = Vec::new();
    for _ in 0..2 {
        let body = with(
            &execution(&fresh("ns"), &fresh("dirty")),
            &json!({"correlation_id": correlation, "status": "running", "end_time": null}),
        );
        posts.push(dirty(body));
    }
    let results = client
        .post(&format!("{STORE}/batch"), &json!(posts))
        .await
        .expect(201);
    let id = results["results"][0]["id"].as_i64().expect("an id");

    let patch = json!({
        "status": "success", "error_message": LOGS[0].0, "message": LOGS[1].0,
        "metadata": {"new": LOGS[2].0, "db": {"token": "hunter2"}},
    });
    let record = client
        .patch(&format!("{STORE}/{id}"), &patch)
        .await
        .expect(200);
    assert_eq!(record["error_message"], LOGS[0].1);
    assert_eq!(record["document"]["message"], LOGS[1].1);
    assert_eq!(record["metadata"]["new"], LOGS[2].1);
    let db = json!({"password": MARK, "user": "app", "token": MARK});
    assert_eq!(record["metadata"]["db"], db);
    assert_clean(&record, "patch");

    let versions = format!("/api/v1/query/execution/{id}/versions");
    assert_clean(&client.get(&versions).await.expect(200), "versions");
    let timeline = format!("/api/v1/query/timeline/{correlation}");
    let timeline = client.get(&timeline).await.expect(200);
    assert_clean(&timeline, "timeline");
    assert!(timeline.to_string().contains(MARK));
}

#[tokio::test]
async fn two_requests_that_differ_in_a_secret_only_are_two_records() {
    let client = client();
    let word = fresh("rr");
    let post = |secret: &str| {
        let request = json!({"remediation_request_id": format!("{word} token={secret}")});
        with(&remediation(&word, &word), &request)
    };
    let path = "/api/v1/store/remediation";
    let one = client.create(path, &post("one")).await;
    let other = client.create(path, &post("other")).await;
    assert_ne!(one, other);
    for id in [one, other] {
        let record = client.record("remediation", id).await;
        assert_eq!(
            record["remediation_request_id"],
            format!("{word} token={MARK}")
        );
    }
    let again = client.post(path, &post("one")).await.expect(201);
    assert_eq!(
        (&again["id"], &again["status"]),
        (&json!(one), &json!("duplicate"))
    );
}

#[tokio::test]
async fn a_name_with_markup_is_refused() {
    let client = client();
    for form in FORMS {
        let body = form.body(&fresh("ns"), &fresh("markup"));
        for name in [
            "namespace",
            "correlation_id",
            "correlationId",
            "target_resource",
            "cluster",
            "workflowID",
        ] {
            if body.get(name).is_none() {
                continue;
            }
            let bad = with(&body, &json!({name: "a<img src=x onerror=alert(1)>"}));
            let problem = client.post(form.path, &bad).await.expect(400);
            assert_eq!(problem["errors"][0]["field"], *name, "{}", form.name);
            assert_eq!(
                problem["errors"][0]["code"], "xss_detected",
                "{}",
                form.name
            );
            assert_clean(&problem, form.name);
        }
    }
    let good = execution(&fresh("ns"), &fresh("markup"));
    let batch = json!([good, with(&good, &json!({"name": "<b onclick=x>"})), good]);
    let problem = client
        .post(&format!("{STORE}/batch"), &batch)
        .await
        .expect(400);
    assert_eq!(problem["field"], "[1].name");
    assert_eq!(problem["errors"][0]["code"], "xss_detected");
    let id = client
        .create(
            STORE,
            &with(
                &good,
                &json!({"name": "my-app<v2", "resource": "a < b > c"}),
            ),
        )
        .await;
    assert_eq!(client.record("execution", id).await["name"], "my-app<v2");
}

#[tokio::test]
async fn problems_and_ids_repeat_no_secret() {
    let client = client();
    let secret = "ghp_1234567890abcdefghijklmnopqrstuvwxyz";
    let body = with(
        &execution(&fresh("ns"), &fresh("echo")),
        &json!({"status": secret, "start_time": secret, "metadata": {secret: "\u{0}"}}),
    );
    let problem = client.post(STORE, &body).await.expect(400);
    assert_clean(&problem, "violations");
    for (status, path) in [
        (404, format!("/api/v1/nowhere/{secret}")),
        (400, format!("/api/v1/query/execution/{secret}")),
        (400, format!("/api/v1/query/execution?{secret}=1")),
        (400, format!("/api/v1/query/execution?limit={secret}")),
    ] {
        let problem = client.get(&path).await.expect(status);
        assert_clean(&problem, &path);
    }
    let headers = [
        ("x-correlation-id", secret),
        ("x-request-id", "token=hunter2"),
    ];
    let answer = client
        .send(Method::GET, "/api/v1/nowhere", &headers, "")
        .await;
    assert_eq!(answer.expect(404)["correlation_id"], MARK);
    assert_eq!(answer.headers["x-correlation-id"], MARK);
    assert_eq!(answer.headers["x-request-id"], format!("token={MARK}"));
}

#[tokio::test]
async fn ordinary_text_is_kept() {
    let client = client();
    let text = "my-app-delete-jobs: the token expired, tokens: 512, a < b && c > d, x<3, <none>, \
        sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, option=1, \
        Access denied for user 'app'@'10.0.0.7' (using password: YES); SELECT 1; -- 🎉  ok";
    let body = with(
        &execution(&fresh("ns"), &fresh("kept")),
        &json!({"error_message": text, "metadata": {"text": text, "secretName": "db", "token_count": 5}}),
    );
    let record = client
        .record("execution", client.create(STORE, &body).await)
        .await;
    assert_eq!(record["error_message"], text);
    assert_eq!(
        record["metadata"],
        json!({"text": text, "secretName": "db", "token_count": 5})
    );
}
