//! Questions that are refused: each names the member that is to blame.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::Answer;
use crate::support::payloads::with;

const SEARCH: &str = "/api/v1/query/semantic";

/// Posts each question and expects the one violation.
async fn refused(field: &str, code: &str, questions: &[Value]) {
    let client = client();
    for question in questions {
        let answer = client.post(SEARCH, question).await;
        let problem = answer.problem(400, "validation-error");
        let expected = (field.to_owned(), code.to_owned());
        assert_eq!(answer.violations(), [expected], "{question}");
        assert_eq!(problem["field"], field, "{question}");
        assert_eq!(problem["error"], "validation_failed");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(field), "{detail}");
    }
}

/// A question that nothing is wrong with but these values of a member.
async fn refused_values(member: &str, values: &[Value]) {
    let question = json!({"query": "disk full"});
    let questions: Vec<_> = values
        .iter()
        .map(|value| with(&question, &json!({member: value})))
        .collect();
    refused(member, "invalid_value", &questions).await;
}

#[tokio::test]
async fn a_question_is_a_text_of_1_to_2000_characters() {
    refused(
        "query",
        "required",
        &[json!({}), json!({"query": null}), json!({"limit": 5})],
    )
    .await;
    let blank = ["", " ", "\t\r\n", "\u{2003}\u{a0}"].map(|text| json!({"query": text}));
    refused("query", "too_short", &blank).await;
    let long = ["x", "é", "🙂"].map(|letter| json!({"query": letter.repeat(2001)}));
    refused("query", "too_long", &long).await;
    let other = [
        json!(5),
        json!(true),
        json!(["disk full"]),
        json!({"text": "disk full"}),
    ];
    refused(
        "query",
        "invalid_type",
        &other.map(|value| json!({"query": value})),
    )
    .await;
}

#[tokio::test]
async fn a_question_is_an_object() {
    refused(
        "",
        "invalid_type",
        &[
            json!([]),
            json!("disk full"),
            json!(null),
            json!([{"query": "x"}]),
        ],
    )
    .await;
}

#[tokio::test]
async fn limits_are_1_to_100() {
    let bad = [
        json!(0),
        json!(101),
        json!(-1),
        json!("5"),
        json!(1.5),
        json!(1e3),
        json!(null),
        json!([5]),
    ];
    refused_values("limit", &bad).await;
    let huge = [json!(u64::MAX), json!(i64::MIN)];
    refused_values("limit", &huge).await;
    // JSON Schema counts 10.0 as an integer.
    for limit in [json!(1), json!(100), json!(10.0)] {
        let question = json!({"query": "disk full", "limit": limit});
        client().post(SEARCH, &question).await.expect(200);
    }
}

#[tokio::test]
async fn similarities_are_0_to_1() {
    let bad = [
        json!(-0.1),
        json!(1.1),
        json!(1e300),
        json!("0.5"),
        json!(null),
        json!([0.5]),
        json!(true),
    ];
    refused_values("min_similarity", &bad).await;
    for least in [json!(0), json!(1), json!(0.0), json!(1.0), json!(1e-300)] {
        let question = json!({"query": "disk full", "min_similarity": least});
        client().post(SEARCH, &question).await.expect(200);
    }
}

#[tokio::test]
async fn kinds_are_a_list_of_kinds() {
    let bad = [
        json!([]),
        json!("remediation"),
        json!(null),
        json!(["incident"]),
        json!(["remediation", null]),
        json!(["remediation", 5]),
        json!([["remediation"]]),
    ];
    refused_values("kinds", &bad).await;
}

#[tokio::test]
async fn filters_are_those_of_lists() {
    for member in [
        "namespace",
        "phase",
        "cluster",
        "name",
        "since",
        "until",
        "severity",
    ] {
        refused_values(
            member,
            &[
                json!(5),
                json!(null),
                json!(true),
                json!(["a"]),
                json!({"a": 1}),
            ],
        )
        .await;
    }
    refused_values("severity", &[json!("sev1"), json!("")]).await;
    for member in ["since", "until"] {
        refused_values(
            member,
            &[json!("yesterday"), json!(""), json!("2025-02-30T00:00:00Z")],
        )
        .await;
    }
    let backwards = json!({"query": "disk full", "since": "1h", "until": "2h"});
    refused("since", "invalid_value", &[backwards]).await;
}

#[tokio::test]
async fn unknown_members_are_refused() {
    for member in [
        "namespce",
        "offset",
        "cursor",
        "Query",
        "min-similarity",
        "",
        "cluster_name",
    ] {
        refused_values(member, &[json!("x")]).await;
    }
}

async fn send(path: &str, media_type: &str, body: impl Into<bytes::Bytes>) -> Answer {
    let headers = [("content-type", media_type)];
    client().send(Method::POST, path, &headers, body).await
}

#[tokio::test]
async fn what_is_not_strict_json_is_refused() {
    for body in [
        r#"{"query": "a", "query": "b"}"#,
        r#"{"query": "a", "limit": 1, "limit": 1}"#,
        r#"{"query": "a"} {}"#,
        r#"{"query": "a""#,
        r#"{"query": NaN}"#,
        r"{'query': 'a'}",
        "\u{feff}{\"query\": \"a\"}",
        "query=a",
        "",
    ] {
        send(SEARCH, "application/json", body)
            .await
            .problem(400, "malformed-json");
    }
    let not_utf8 = b"{\"query\": \"\xff\"}".as_slice();
    send(SEARCH, "application/json", not_utf8)
        .await
        .problem(400, "malformed-json");
}

#[tokio::test]
async fn a_question_is_declared_as_json_and_has_64_kib() {
    let question = r#"{"query": "disk full"}"#;
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        send(SEARCH, media_type, question)
            .await
            .problem(415, "unsupported-media-type");
    }
    for media_type in [
        "application/json; charset=utf-8",
        "application/vnd.question+json",
    ] {
        send(SEARCH, media_type, question).await.expect(200);
    }
    let padded = |bytes: usize| format!("{question}{}", " ".repeat(bytes - question.len()));
    send(SEARCH, "application/json", padded(64 * 1024))
        .await
        .expect(200);
    let answer = send(SEARCH, "application/json", padded(64 * 1024 + 1)).await;
    answer.problem(413, "payload-too-large");
}

#[tokio::test]
async fn a_search_takes_no_parameters() {
    let path = format!("{SEARCH}?limit=5");
    let answer = send(&path, "application/json", r#"{"query": "disk full"}"#).await;
    assert_eq!(answer.problem(400, "invalid-parameter")["field"], "limit");
}
