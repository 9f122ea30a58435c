//! Other methods, and other ways to name a target.

use http::Method;
use serde_json::json;

use super::start;
use crate::guarded::READ;
use crate::support::api_server::bearer;
use crate::support::payloads::{fresh, workflow};
use crate::support::wire::Wire;
use crate::targets::{assert_forbidden, assert_unknown, guarded_targets};

const OVERRIDES: [(&str, &str); 4] = [
    ("x-http-method-override", "DELETE"),
    ("x-http-method", "DELETE"),
    ("x-method-override", "DELETE"),
    ("_method", "DELETE"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_method_is_the_method() {
    let guarded = start().await;
    let writer = guarded.caller("writer");
    let reader = guarded.caller("reader");
    let body = workflow(&fresh("kept"), &fresh("word"));
    let id = writer.create("/api/v1/store/workflow", &body).await;
    let path = format!("/api/v1/store/workflow/{id}");
    let json = ("content-type", "application/json");
    for one in OVERRIDES {
        let headers = [json, one];
        let patched = writer.send(Method::PATCH, &path, &headers, "{}").await;
        patched.expect(200);
        for (client, method) in [
            (&writer, Method::POST),
            (&writer, Method::GET),
            (&reader, Method::PUT),
        ] {
            let answer = client.send(method, &path, &headers, "{}").await;
            answer.problem(405, "method-not-allowed");
        }
        let read = format!("/api/v1/query/workflow/{id}");
        let answer = reader.send(Method::POST, &read, &headers, "{}").await;
        answer.problem(405, "method-not-allowed");
        reader
            .send(Method::GET, &read, &headers, "")
            .await
            .expect(200);
    }
    for method in [Method::POST, Method::GET] {
        let path = format!("{path}?_method=DELETE&method=DELETE");
        let answer = writer
            .send(method, &path, &[json], r#"{"_method":"DELETE"}"#)
            .await;
        answer.problem(405, "method-not-allowed");
    }
    let answer = writer
        .patch(&format!("{path}?_method=DELETE"), &json!({}))
        .await;
    answer.problem(400, "invalid-parameter");
    assert_forbidden(&writer.delete(&path).await, "admin", false);
    assert_forbidden(&reader.delete(&path).await, "admin", false);
    reader.record("workflow", id).await;
    guarded.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_opens_a_path() {
    let guarded = start().await;
    let nobody = guarded.caller("nobody");
    let mut paths: Vec<_> = guarded_targets()
        .into_iter()
        .map(|target| target.path)
        .collect();
    paths.dedup();
    // A path that is open, apart from its method, says which it has.
    paths.retain(|path| path != "/metrics");
    for path in paths {
        for method in ["HEAD", "OPTIONS", "TRACE", "PUT", "PROPFIND", "get", "GETX"] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let origin = [
                ("origin", "https://evil.example"),
                ("access-control-request-method", "GET"),
            ];
            let answer = guarded
                .stranger
                .send(method.clone(), &path, &origin, "")
                .await;
            assert_unknown(&answer);
            let answer = nobody.send(method, &path, &origin, "").await;
            let status = answer.status.as_u16();
            assert!([403, 405].contains(&status), "{}: {status}", answer.request);
        }
    }
    guarded.stop().await;
}

/// A target with scheme and host is the same target.
#[tokio::test(flavor = "multi_thread")]
async fn absolute_targets_need_a_token_too() {
    let guarded = start().await;
    let address = guarded.service.host.addr();
    let good = bearer(&guarded.cluster.token("reader"));
    let ask = async |target: &str, host: &str, headers: &str| {
        let mut wire = Wire::open(address).await;
        wire.send(format!(
            "GET {target} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n"
        ))
        .await;
        wire.answer().await.map(|answer| answer.status)
    };
    let authorization = format!("authorization: {good}\r\n");
    let target = format!("http://x{READ}");
    assert_eq!(ask(&target, "x", "").await, Some(401));
    assert_eq!(ask(&target, "x", &authorization).await, Some(200));
    assert_eq!(ask(&format!("https://x{READ}"), "x", "").await, Some(401));
    for (target, host) in [
        (format!("http://y{READ}"), "x"),
        (format!("http://user:password@x{READ}"), "x"),
        (
            format!("http://health.spin.internal{READ}"),
            "health.spin.internal",
        ),
        (format!("http://x/health/../{}", &READ[1..]), "x"),
        (format!("ftp://x{READ}"), "x"),
        ("*".to_owned(), "x"),
        ("x:80".to_owned(), "x"),
    ] {
        // The host may hang up.
        let status = ask(&target, host, "").await.unwrap_or(400);
        assert!([400, 401, 404].contains(&status), "{target}: {status}");
    }
    let mut wire = Wire::open(address).await;
    wire.send("CONNECT upkeep.spin.internal:80 HTTP/1.1\r\nhost: upkeep.spin.internal:80\r\n\r\n")
        .await;
    if let Some(answer) = wire.answer().await {
        assert!(answer.status >= 400, "{answer:?}");
    }
    guarded.stop().await;
}
