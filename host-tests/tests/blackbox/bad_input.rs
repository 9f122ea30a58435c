//! Bodies that are no JSON, the wrong JSON, too much JSON. After each the service works, and nothing
//! is half-written.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::payloads::{FORMS, execution, form, fresh, with};
use crate::support::{Answer, Client};

const PATH: &str = "/api/v1/store/execution";
/// The most bytes of a single record's body.
const LIMIT: usize = 1024 * 1024;

async fn post(client: &Client, body: impl Into<bytes::Bytes>) -> Answer {
    let headers = [("content-type", "application/json")];
    client.send(Method::POST, PATH, &headers, body).await
}

#[tokio::test]
async fn what_is_not_json_is_refused_with_line_and_column() {
    let client = client();
    let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
    let objects = [
        b"{\"a\":".repeat(10_000),
        b"1".to_vec(),
        b"}".repeat(10_000),
    ]
    .concat();
    let utf16: Vec<_> = "{\"a\":1}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "line 1, column 1"),
        (b" \n\t ", "line 1, column 1"),
        (b"{", "line 1, column 1"),
        (b"{\"a\": 1,}", "line 1, column 9"),
        (b"{\n  \"a\": 1,\n  \"b\": oops\n}", "line 3, column 8"),
        (b"{\"a\": 1} {\"b\": 2}", "line 1, column 10"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"name=x&namespace=y", "line 1, column"),
        (b"<record/>", "line 1, column 1"),
        (b"[1, 2", "line 1, column"),
        (b"{\"a\": \"\n\"}", "line 2, column 1"),
        (b"{\"a\": NaN}", "line 1, column 7"),
        (b"{\"a\": Infinity}", "line 1, column 7"),
        (b"{\"a\": 01}", "line 1, column"),
        (b"{\"a\": +1}", "line 1, column 7"),
        (b"{\"a\": 1e400}", "line 1, column"),
        (b"{\"a\": \"\xff\"}", "line 1, column 8"),
        (b"{\n\"a\": \"\xc3\"}", "line 2, column 7"),
        (b"{\"a\": \"\xed\xa0\x80\"}", "line 1, column 8"),
        (b"\xef\xbb\xbf{}", "line 1, column 1"),
        (&utf16, "line 1, column"),
        (b"{\"a\": \"\\ud800\"}", "line 1, column"),
        (b"{\"a\": \"\\udc00\"}", "line 1, column"),
        (b"{\"a\": \"\\ud800\\u0041\"}", "line 1, column"),
        (b"{\"a\": 1, \"b\": 2, \"a\": 1}", "line 1, column"),
        (
            b"{\"a\": [{\"b\": {\"c\": 1,\n\"\\u0063\": 2}}]}",
            "line 2, column",
        ),
    ];
    let (deep, deeper) = (nested(10_000), nested(400_000));
    let depths: [(&[u8], &str); 3] = [
        (&deep, "line 1, column"),
        (&deeper, "line 1, column"),
        (&objects, "line 1, column"),
    ];
    for (body, place) in cases.into_iter().chain(depths) {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = post(&client, body.to_vec()).await;
        let problem = answer.problem(400, "malformed-json");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(place), "{shown:?}: {detail}");
        assert!(detail.len() < 300, "{detail}");
        client
            .create(PATH, &execution(&fresh("after"), &fresh("word")))
            .await;
    }
}

#[tokio::test]
async fn a_repeated_key_is_named() {
    let client = client();
    let namespace = fresh("twice");
    let whole = execution(&namespace, &fresh("word")).to_string();
    let twice = whole.replacen('{', "{\"status\": \"running\",", 1);
    let problem = post(&client, twice).await.problem(400, "malformed-json");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.contains("\"status\" occurs twice"), "{detail}");
    assert_eq!(client.count("execution", &namespace).await, 0);
}

#[tokio::test]
async fn a_record_is_an_object() {
    let client = client();
    for body in ["[]", "[{}]", "\"{}\"", "5", "-0.5", "true", "null"] {
        for form in FORMS {
            let headers = [("content-type", "application/json")];
            let answer = client.send(Method::POST, form.path, &headers, body).await;
            answer.problem(400, "validation-error");
            let expected = [(String::new(), "invalid_type".to_owned())];
            assert_eq!(answer.violations(), expected, "{body}");
        }
    }
}

#[tokio::test]
async fn a_body_has_at_most_1_mib() {
    let client = client();
    for (bytes, status) in [(LIMIT, 201), (LIMIT + 1, 413), (3 * LIMIT, 413)] {
        let namespace = fresh("size");
        let record = execution(&namespace, &fresh("word")).to_string();
        let blanks = " ".repeat(bytes - record.len());
        let answer = post(&client, record + blanks.as_str()).await;
        if status == 413 {
            answer.problem(413, "payload-too-large");
        }
        assert_eq!(answer.status, status, "{bytes} bytes");
        let stored = i64::from(status == 201);
        assert_eq!(client.count("execution", &namespace).await, stored);
    }
    // Far more than that may also end the connection, but not the service.
    let headers = [("content-type", "application/json")];
    if let Ok(answer) = client
        .try_send(Method::POST, PATH, &headers, vec![b' '; 32 * LIMIT])
        .await
    {
        answer.problem(413, "payload-too-large");
    }
    client
        .create(PATH, &execution(&fresh("after"), &fresh("word")))
        .await;
}

#[tokio::test]
async fn a_body_is_declared_as_json() {
    let client = client();
    let namespace = fresh("type");
    for (media_type, accepted) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("Application/JSON;q=1", true),
        ("application/vnd.kubernaut.v1+json", true),
        ("application/problem+json ; x=y", true),
        ("", false),
        ("text/plain", false),
        ("text/json", false),
        ("application/jsonp", false),
        ("application/xml", false),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data; boundary=x", false),
        ("json", false),
    ] {
        let body = execution(&namespace, &fresh("word")).to_string();
        let headers = [("content-type", media_type)];
        let answer = client.send(Method::POST, PATH, &headers, body).await;
        if accepted {
            answer.expect(201);
        } else {
            answer.problem(415, "unsupported-media-type");
        }
    }
    let body = execution(&namespace, &fresh("word")).to_string();
    let answer = client.send(Method::POST, PATH, &[], body).await;
    answer.problem(415, "unsupported-media-type");
    assert_eq!(client.count("execution", &namespace).await, 5);
}

#[tokio::test]
async fn an_encoded_body_is_refused() {
    let client = client();
    let namespace = fresh("encoded");
    for (encoding, accepted) in [
        ("identity", true),
        ("Identity", true),
        ("gzip", false),
        ("zstd", false),
        ("identity, br", false),
    ] {
        let body = execution(&namespace, &fresh("word")).to_string();
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        let answer = client.send(Method::POST, PATH, &headers, body).await;
        if accepted {
            answer.expect(201);
            continue;
        }
        let problem = answer.problem(415, "unsupported-media-type");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains("`Content-Encoding`"), "{detail}");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    assert_eq!(client.count("execution", &namespace).await, 2);
}

/// Posts an execution with changed members and expects these violations.
async fn violations(client: &Client, changes: &Value, expected: &[(&str, &str)]) {
    let namespace = fresh("bad");
    let body = with(&execution(&namespace, &fresh("word")), changes);
    let answer = post(client, body.to_string()).await;
    answer.problem(400, "validation-error");
    let expected: Vec<_> = expected
        .iter()
        .map(|(field, code)| ((*field).to_owned(), (*code).to_owned()))
        .collect();
    assert_eq!(answer.violations(), expected, "{changes}");
    assert_eq!(client.count("execution", &namespace).await, 0);
}

#[tokio::test]
async fn nul_characters_are_refused_wherever_they_are() {
    let client = client();
    let nul = "nul_character";
    violations(&client, &json!({"name": "a\0"}), &[("name", nul)]).await;
    violations(
        &client,
        &json!({"error_message": "\0"}),
        &[("error_message", nul)],
    )
    .await;
    violations(&client, &json!({"unknown": "x\0y"}), &[("unknown", nul)]).await;
    violations(&client, &json!({"a\0b": 1}), &[("a\\u0000b", nul)]).await;
    let deep = json!({"metadata": {"list": [1, {"deep": "\0"}], "k\0": {}}});
    let expected = [("metadata.k\\u0000", nul), ("metadata.list[1].deep", nul)];
    violations(&client, &deep, &expected).await;
}

/// What a double holds is kept; columns hold whole numbers of 64 bits.
#[tokio::test]
async fn numbers_are_those_that_a_double_holds() {
    let client = client();
    for number in [
        "18446744073709551616",
        "-9223372036854775809",
        "1e300",
        "123456789012345678901234567890",
    ] {
        let namespace = fresh("number");
        for member in ["metadata", "unknown"] {
            let body = with(
                &execution(&namespace, &fresh("word")),
                &json!({member: {"n": 0}}),
            );
            let body = body
                .to_string()
                .replace("\"n\":0", &format!("\"n\":{number}"));
            let id = post(&client, body).await.expect(201)["id"].as_i64();
            let record = client.record("execution", id.expect("an id")).await;
            let stored = record.get(member).unwrap_or(&record["document"][member]);
            assert_eq!(stored["n"].as_f64(), number.parse().ok(), "{number}");
        }
        let duration = execution(&namespace, &fresh("word")).to_string();
        let duration = duration.replace("\"duration\":2000", &format!("\"duration\":{number}"));
        post(&client, duration)
            .await
            .problem(400, "validation-error");
        assert_eq!(client.count("execution", &namespace).await, 2);
    }
    let body = execution(&fresh("number"), &fresh("word")).to_string();
    let body = body.replace("\"duration\":2000", "\"unknown\":1e400");
    post(&client, body).await.problem(400, "malformed-json");
}

#[tokio::test]
async fn sql_in_every_text_is_text_or_refused_by_a_rule() {
    let client = client();
    for sql in [
        "'; DROP TABLE audit; --",
        "1); DELETE FROM audit WHERE (1=1",
        "$1::text",
        "\\'; --",
    ] {
        for form in FORMS {
            let whole = form.body(&fresh("sql"), &fresh("word"));
            for (member, value) in whole.as_object().expect("an object") {
                if !value.is_string() {
                    continue;
                }
                // The text may be the natural key.
                let text = format!("{sql} {}", fresh("x"));
                let body = form.body(&fresh("sql"), &fresh("word"));
                let body = with(&body, &json!({member: text}));
                let answer = client.post(form.path, &body).await;
                if answer.status == 400 {
                    answer.problem(400, "validation-error");
                    assert_eq!(answer.violations().len(), 1, "{}: {member}", form.name);
                    continue;
                }
                let id = answer.expect(201)["id"].as_i64().expect("an id");
                let record = client.record(form.kind, id).await.to_string();
                let written = json!(text).to_string();
                assert!(
                    record.contains(&written),
                    "{}: {member} is gone: {record}",
                    form.name
                );
            }
        }
    }
}

#[tokio::test]
async fn sql_in_every_filter_finds_nothing_and_breaks_nothing() {
    let client = client();
    let form = form("store execution");
    let namespace = fresh("sql");
    client
        .create(form.path, &form.body(&namespace, &fresh("word")))
        .await;
    for filter in [
        "namespace",
        "phase",
        "status",
        "severity",
        "cluster",
        "environment",
        "action_type",
        "alert_name",
        "alert_fingerprint",
        "remediation_request_id",
        "correlation_id",
        "name",
        "since",
        "until",
        "limit",
        "offset",
        "cursor",
    ] {
        for sql in [
            "%27%20OR%201%3D1%20--",
            "%27%3B%20DROP%20TABLE%20audit%3B%20--",
            "%00",
            "%24%31",
        ] {
            // Other tests store such text.
            let sql = format!("{sql}{}", fresh("x"));
            let answer = client
                .get(&format!("/api/v1/query/execution?{filter}={sql}"))
                .await;
            if answer.status == 200 {
                assert_eq!(answer.value()["total"], 0, "{filter}={sql}");
            } else {
                assert_eq!(answer.expect(400)["field"], filter, "{filter}={sql}");
            }
        }
    }
    assert_eq!(client.count("execution", &namespace).await, 1);
}
