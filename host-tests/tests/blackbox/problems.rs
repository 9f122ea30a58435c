//! What a problem looks like, one of each kind, and the ids under which it is found again.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::Answer;
use crate::support::payloads::{execution, fresh, remediation, with};

const STORE: &str = "/api/v1/store/remediation";

/// Sends a request under a fixed correlation id.
async fn send(method: Method, path: &str, media_type: &str, body: &str) -> Answer {
    let headers = [("content-type", media_type), ("x-correlation-id", "corr-1")];
    client().send(method, path, &headers, body.to_owned()).await
}

async fn get(path: &str) -> Answer {
    send(Method::GET, path, "application/json", "").await
}

async fn post(path: &str, body: &str) -> Answer {
    send(Method::POST, path, "application/json", body).await
}

fn assert_snapshot(name: &str, problem: &Value) {
    insta::with_settings!({sort_maps => true, omit_expression => true}, {
        insta::assert_json_snapshot!(name, problem);
    });
}

#[tokio::test]
async fn each_problem_has_its_document() {
    let half = json!({"name": "", "namespace": "n", "status": "done", "action": "a"}).to_string();
    for (answer, status, slug) in [
        (
            post("/api/v1/store/execution", &half).await,
            400,
            "validation-error",
        ),
        (
            get("/api/v1/query/execution?limit=0").await,
            400,
            "invalid-limit",
        ),
        (
            get("/api/v1/query/execution?offset=-1").await,
            400,
            "invalid-offset",
        ),
        (
            get("/api/v1/incidents?severity=sev1").await,
            400,
            "invalid-severity",
        ),
        (get("/api/v1/incidents/abc").await, 400, "invalid-id"),
        (
            get("/api/v1/query/workflow?namespce=x").await,
            400,
            "invalid-parameter",
        ),
        (
            post("/api/v1/audit/workflow", "{\"a\": 1,\n \"b\": }").await,
            400,
            "malformed-json",
        ),
        (get("/api/v1/query/pods").await, 404, "not-found"),
        (
            get("/api/v1/store/execution").await,
            405,
            "method-not-allowed",
        ),
        (
            post(STORE, &" ".repeat(1024 * 1024 + 1)).await,
            413,
            "payload-too-large",
        ),
        (
            send(Method::POST, STORE, "text/plain", "{}").await,
            415,
            "unsupported-media-type",
        ),
    ] {
        assert_snapshot(slug, &answer.problem(status, slug));
    }
    let missing = get("/api/v1/query/execution/1").await;
    assert_snapshot("not-found-record", &missing.problem(404, "not-found"));
}

#[tokio::test]
async fn a_conflict_has_its_document() {
    let body = remediation(&fresh("conflict"), &fresh("rr"));
    let id = client().create(STORE, &body).await;
    let other = with(&body, &json!({"name": "another"})).to_string();
    let problem = post(STORE, &other).await.problem(409, "conflict");
    let stable = problem.to_string().replace(&id.to_string(), "[id]");
    assert_snapshot("conflict", &serde_json::from_str(&stable).expect("JSON"));
}

#[tokio::test]
async fn ids_that_a_client_sends_come_back() {
    let client = client();
    let sent = [
        ("x-request-id", "req-1"),
        ("x-correlation-id", "trace/2;x=1"),
    ];
    for (path, status) in [
        ("/health", 200),
        ("/api/v1/query/execution/1", 404),
        ("/no", 404),
    ] {
        let answer = client.send(Method::GET, path, &sent, "").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-request-id"), Some("req-1"), "{path}");
        assert_eq!(
            answer.header("x-correlation-id"),
            Some("trace/2;x=1"),
            "{path}"
        );
        if status != 200 {
            assert_eq!(answer.value()["correlation_id"], "trace/2;x=1");
        }
    }
    let only_request = [("x-request-id", "req-2")];
    let answer = client.send(Method::GET, "/no", &only_request, "").await;
    assert_eq!(answer.header("x-correlation-id"), Some("req-2"));
    assert_eq!(answer.value()["correlation_id"], "req-2");
}

#[tokio::test]
async fn ids_are_made_where_none_or_a_useless_one_is_sent() {
    let client = client();
    let long = "x".repeat(129);
    let mut seen = Vec::new();
    for sent in ["", "two words", &long] {
        let headers = [("x-request-id", sent), ("x-correlation-id", sent)];
        let answer = client.send(Method::GET, "/no", &headers, "").await;
        let made = answer.header("x-request-id").expect("an id").to_owned();
        assert_eq!(
            answer.value()["correlation_id"],
            answer.header("x-correlation-id").expect("an id")
        );
        assert!(!made.is_empty() && made != sent, "{made}");
        seen.push(made);
    }
    let plain = client.get("/health").await;
    seen.push(plain.header("x-request-id").expect("an id").to_owned());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4, "an id came twice: {seen:?}");
}

#[tokio::test]
async fn the_answer_to_a_write_carries_the_callers_correlation() {
    let client = client();
    let body = execution(&fresh("correlated"), &fresh("word")).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-correlation-id", "rr-77"),
    ];
    for _ in 0..2 {
        let path = "/api/v1/store/execution";
        let answer = client
            .send(Method::POST, path, &headers, body.clone())
            .await;
        answer.expect(201);
        assert_eq!(answer.header("x-correlation-id"), Some("rr-77"));
    }
}
