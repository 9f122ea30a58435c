//! Paths and methods: what is there, what is not, and what takes another method.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{execution, fresh, remediation};

/// The kinds, as in paths.
const KINDS: [&str; 4] = ["remediation", "aianalysis", "workflow", "execution"];

/// Every path, with the methods that it takes.
fn paths() -> Vec<(String, &'static [&'static str])> {
    const READ: &[&str] = &["GET", "HEAD"];
    let mut paths = Vec::new();
    for kind in KINDS {
        for dialect in ["audit", "store"] {
            paths.push((format!("/api/v1/{dialect}/{kind}"), &["POST"][..]));
            paths.push((format!("/api/v1/{dialect}/{kind}/batch"), &["POST"][..]));
        }
        paths.push((format!("/api/v1/store/{kind}/1"), &["DELETE", "PATCH"][..]));
        paths.push((format!("/api/v1/query/{kind}"), READ));
        paths.push((format!("/api/v1/query/{kind}/1"), READ));
        paths.push((format!("/api/v1/query/{kind}/1/versions"), READ));
    }
    for path in [
        "/api/v1/query/timeline/x",
        "/api/v1/incidents",
        "/api/v1/incidents/1",
        "/api/v1/incidents/1/similar",
        "/health",
        "/health/live",
        "/healthz",
        "/ready",
        "/health/ready",
        "/readyz",
        "/metrics",
    ] {
        paths.push((path.to_owned(), READ));
    }
    paths.push(("/api/v1/query/semantic".to_owned(), &["POST"]));
    paths
}

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
];

#[tokio::test]
async fn every_path_answers_a_wrong_method_with_those_it_takes() {
    let client = client();
    for (path, allowed) in paths() {
        for method in METHODS.iter().filter(|method| !allowed.contains(method)) {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = client.send(method.clone(), &path, &[], "").await;
            if method == Method::HEAD {
                assert_eq!(answer.status, 405, "HEAD {path}");
            } else {
                let problem = answer.problem(405, "method-not-allowed");
                assert_eq!(problem["instance"], path);
            }
            let allow = answer.header("allow").expect("Allow");
            let mut allow: Vec<_> = allow.split(", ").collect();
            allow.sort_unstable();
            assert_eq!(allow, allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found_whatever_the_method() {
    let client = client();
    let mut unknown: Vec<_> = [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/audit",
        "/api/v1/store",
        "/api/v1/query",
        "/api/v1/query/timeline",
        "/api/v2/query/remediation",
        "/API/v1/query/remediation",
        "/api/v1/query/pods",
        "/api/v1/query/Remediation",
        "/api/v1/query/pods/1",
        "/api/v1/query/pods/1/versions",
        "/api/v1/store/pods",
        "/api/v1/store/pods/1",
        "/api/v1/store/pods/batch",
        "/api/v1/audit/incident",
        "/api/v1/query/remediation/1/states",
        "/api/v1/query/remediation/1/versions/1",
        "/api/v1/query//1",
        "/api/v1//query/remediation",
        "/api/v1/incidents/1/similar/2",
        "/api/v1/query/timeline/a/b",
        "/api/v1/query/semantic/x",
        "/healthy",
        "/health/dead",
        "/metrics/all",
        "/favicon.ico",
        "/.env",
        "/%2e%2e/etc/passwd",
    ]
    .map(str::to_owned)
    .to_vec();
    // A slash more at the end is another path.
    unknown.extend(paths().into_iter().map(|(path, _)| format!("{path}/")));
    for path in unknown {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = client.send(method.clone(), &path, &[], "").await;
            let problem = answer.problem(404, "not-found");
            assert_eq!(problem["instance"], path, "{method}");
        }
    }
}

/// HEAD says what GET says, without the body.
async fn assert_head(client: &Client, path: &str) {
    let get = client.get(path).await;
    let head = client.send(Method::HEAD, path, &[], "").await;
    assert_eq!(head.status, get.status, "{path}");
    for name in ["content-type", "content-length", "retry-after"] {
        assert_eq!(head.header(name), get.header(name), "{path}: {name}");
    }
}

#[tokio::test]
async fn head_works_wherever_get_does() {
    let client = client();
    let namespace = fresh("head");
    let body = remediation(&namespace, &fresh("rr"));
    let id = client.create("/api/v1/store/remediation", &body).await;
    for path in [
        format!("/api/v1/query/remediation?namespace={namespace}"),
        format!("/api/v1/query/remediation/{id}"),
        format!("/api/v1/query/remediation/{id}/versions"),
        format!("/api/v1/incidents?namespace={namespace}"),
        format!("/api/v1/incidents/{id}"),
        // Nothing resembles it in a namespace where nobody is.
        format!(
            "/api/v1/incidents/{id}/similar?namespace={}",
            fresh("nobody")
        ),
        format!("/api/v1/query/timeline/{namespace}"),
        "/health".to_owned(),
        "/health/live".to_owned(),
        "/healthz".to_owned(),
        "/metrics".to_owned(),
    ] {
        assert_eq!(client.get(&path).await.status, 200);
        assert_head(&client, &path).await;
    }
    let made = [("x-correlation-id", "head")];
    for path in [
        "/api/v1/query/remediation/1",
        "/api/v1/query/remediation/abc",
        "/api/v1/query/remediation?limit=0",
        "/api/v1/incidents/1/similar",
        "/nowhere",
    ] {
        // The correlation id is part of the body, so both get the same.
        let get = client.send(Method::GET, path, &made, "").await;
        let head = client.send(Method::HEAD, path, &made, "").await;
        assert!(get.status.as_u16() >= 400, "{path}");
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(
            head.header("content-length"),
            get.header("content-length"),
            "{path}"
        );
    }
    for path in ["/ready", "/health/ready", "/readyz"] {
        assert_eq!(client.send(Method::HEAD, path, &[], "").await.status, 200);
    }
}

#[tokio::test]
async fn it_is_alive_and_ready() {
    let client = client();
    for path in ["/health", "/health/live", "/healthz"] {
        assert_eq!(client.get(path).await.expect(200), json!({"status": "ok"}));
    }
    for path in ["/ready", "/health/ready", "/readyz"] {
        let ready = client.get(path).await.expect(200);
        assert_eq!(ready["status"], "ready");
        let checks = &ready["checks"];
        assert_eq!(
            (&checks["database"], &checks["schema"]),
            (&json!("ok"), &json!("ok"))
        );
        for optional in ["vector_db", "embedding", "cache"] {
            let state = checks[optional].as_str().expect("a state");
            assert!(["ok", "disabled"].contains(&state), "{optional}: {state}");
        }
        let timestamp = ready["timestamp"].as_str().expect("a timestamp");
        timestamp
            .parse::<chrono::DateTime<chrono::Utc>>()
            .expect("RFC 3339");
    }
}

#[tokio::test]
async fn metrics_are_in_the_text_format() {
    let answer = client().get("/metrics").await;
    assert_eq!(answer.status, 200);
    let media_type = answer.header("content-type").expect("a type");
    assert!(
        media_type.starts_with("text/plain; version=0.0.4"),
        "{media_type}"
    );
    let text = answer.text();
    assert!(text.ends_with('\n'));
    assert!(
        text.lines().any(|line| line == "datastorage_up 1"),
        "{text}"
    );
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').expect("a name and a value");
        value.parse::<f64>().expect("a number");
    }
}

#[tokio::test]
async fn writes_take_no_parameters() {
    let client = client();
    let namespace = fresh("routes");
    let body = execution(&namespace, &fresh("word"));
    for path in ["/api/v1/store/execution", "/api/v1/store/execution/batch"] {
        let batch = Value::Array(vec![body.clone()]);
        let body = if path.ends_with("batch") {
            &batch
        } else {
            &body
        };
        let problem = client.post(&format!("{path}?dry_run=true"), body).await;
        assert_eq!(
            problem.problem(400, "invalid-parameter")["field"],
            "dry_run"
        );
    }
    assert_eq!(client.count("execution", &namespace).await, 0);
}
