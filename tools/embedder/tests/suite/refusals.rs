//! What the API refuses, in the form that OpenAI's clients read.

use embedder::Model;
use serde_json::json;

use crate::client::{Answer, Server};

#[tokio::test]
async fn a_wrong_member_is_named() {
    let server = Server::start(Model::hash(16)).await;
    let texts = |count| json!({"model": "hash", "input": vec!["pod"; count]});
    for (body, param, message) in [
        (json!({"input": "pod"}), "model", "`model` is missing"),
        (
            json!({"model": 7, "input": "pod"}),
            "model",
            "must be a string",
        ),
        (json!({"model": "hash"}), "input", "`input` is missing"),
        (
            json!({"model": "hash", "input": null}),
            "input",
            "`input` is missing",
        ),
        (
            json!({"model": "hash", "input": ""}),
            "input",
            "text 0 of `input` is empty",
        ),
        (
            json!({"model": "hash", "input": ["pod", ""]}),
            "input",
            "text 1 of `input` is empty",
        ),
        (
            json!({"model": "hash", "input": ["pod", true]}),
            "input",
            "text 1",
        ),
        (
            json!({"model": "hash", "input": {"text": "pod"}}),
            "input",
            "a string or an array",
        ),
        (
            json!({"model": "hash", "input": [101, 7592, 102]}),
            "input",
            "tokens",
        ),
        (
            json!({"model": "hash", "input": [[101, 102]]}),
            "input",
            "tokens",
        ),
        (texts(0), "input", "0 texts; it must have 1 to 2048"),
        (texts(2049), "input", "2049 texts; it must have 1 to 2048"),
        (
            json!({"model": "hash", "input": "pod", "encoding_format": "int8"}),
            "encoding_format",
            "`float` or `base64`",
        ),
        (
            json!({"model": "hash", "input": "pod", "dimensions": 0}),
            "dimensions",
            "1 to 16",
        ),
        (
            json!({"model": "hash", "input": "pod", "dimensions": 17}),
            "dimensions",
            "1 to 16",
        ),
        (
            json!({"model": "hash", "input": "pod", "dimensions": -1}),
            "dimensions",
            "1 to 16",
        ),
        (
            json!({"model": "hash", "input": "pod", "dimensions": 1.5}),
            "dimensions",
            "1 to 16",
        ),
        (
            json!({"model": "hash", "input": "pod", "dimensions": "8"}),
            "dimensions",
            "1 to 16",
        ),
    ] {
        let answer = server.embed(&body).await;
        check(&answer, 400, Some(param), None, message);
    }
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let server = Server::start(Model::hash(16)).await;
    let answer = server
        .embed(&json!({"model": "text-embedding-3-small", "input": "pod"}))
        .await;
    let code = Some("model_not_found");
    check(
        &answer,
        404,
        Some("model"),
        code,
        "`text-embedding-3-small` does not exist",
    );
    let answer = server.ask("GET", "/v1/models/other").await;
    check(&answer, 404, Some("model"), code, "`other` does not exist");
}

#[tokio::test]
async fn a_body_that_is_no_request_says_why() {
    let server = Server::start(Model::hash(16)).await;
    for (body, message) in [
        ("", "not JSON: EOF while parsing a value at line 1 column 0"),
        ("{\"model\": \"hash\",\n \"input\": }", "line 2 column 11"),
        ("{\"model\": \"hash\", \"input\": \"\\ud800\"}", "not JSON"),
        ("[]", "must be a JSON object"),
        (
            "{\"model\":\"hash\",\"input\":\"pod\",\"dimension\":8}",
            "`dimension` is not a parameter",
        ),
    ] {
        let answer = server.post("application/json", body).await;
        check(&answer, 400, None, None, message);
    }
    let answer = server
        .post("application/json", &b"{\"model\": \"\xff\"}"[..])
        .await;
    check(&answer, 400, None, None, "not JSON");
}

#[tokio::test]
async fn another_media_type_is_refused() {
    let server = Server::start(Model::hash(16)).await;
    let body = r#"{"model":"hash","input":"pod"}"#;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "json",
        "",
    ] {
        let answer = server.post(content_type, body).await;
        check(&answer, 415, None, None, "send `application/json`");
    }
    assert_eq!(
        server.post("Application/vnd.api+JSON", body).await.status,
        200
    );
}

#[tokio::test]
async fn a_body_beyond_8_mib_is_refused() {
    let server = Server::start(Model::hash(16)).await;
    let body = |size: usize| {
        let frame = r#"{"model":"hash","input":""}"#.len();
        format!(
            r#"{{"model":"hash","input":"{}"}}"#,
            "a".repeat(size - frame)
        )
    };
    let limit = 8 << 20;
    assert_eq!(
        server.post("application/json", body(limit)).await.status,
        200
    );
    let answer = server.post("application/json", body(limit + 1)).await;
    check(&answer, 413, None, None, "larger than 8388608 bytes");
}

#[tokio::test]
async fn other_routes_and_methods_are_refused() {
    let server = Server::start(Model::hash(16)).await;
    let answer = server.ask("POST", "/v1/chat/completions").await;
    check(
        &answer,
        404,
        None,
        Some("unknown_url"),
        "POST /v1/chat/completions",
    );
    for (method, path, allowed) in [
        ("GET", "/v1/embeddings", "POST"),
        ("POST", "/v1/models", "GET,HEAD"),
        ("DELETE", "/health", "GET,HEAD"),
    ] {
        let answer = server.ask(method, path).await;
        check(&answer, 405, None, Some("method_not_supported"), method);
        assert_eq!(answer.headers["allow"], allowed, "{path}");
    }
}

fn check(answer: &Answer, status: u16, param: Option<&str>, code: Option<&str>, message: &str) {
    let error = &answer.body["error"];
    assert_eq!(answer.status, status, "{error}");
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["param"], json!(param), "{error}");
    assert_eq!(error["code"], json!(code), "{error}");
    let found = error["message"].as_str().expect("a message");
    assert!(found.contains(message), "{found}");
    assert_eq!(
        error.as_object().map(serde_json::Map::len),
        Some(4),
        "{error}"
    );
}
