//! `POST /api/v1/query/semantic`.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Fixture, ids, incident};
use crate::support::payloads::{FORMS, fresh, remediation, with};
use crate::support::provider::Provider;

const PATH: &str = "/api/v1/query/semantic";
const STORE: &str = "/api/v1/store/remediation";

/// What the service should say of two texts.
fn similarity(one: &str, other: &str) -> f64 {
    let (one, other) = (Provider::vector(one), Provider::vector(other));
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}

/// Texts that share from none to all of their words with `alpha beta gamma delta`.
fn overlapping() -> Vec<String> {
    let words = ["alpha", "beta", "gamma", "delta"];
    (0..30)
        .map(|n| {
            let shared = words[..n % 5].join(" ");
            format!("{shared} noise{n} noise{}", n * n)
                .trim()
                .to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_those_of_exact_computation_in_order() {
    let fixture = Fixture::start().await;
    let query = "alpha beta gamma delta";
    let mut expected = Vec::new();
    for words in overlapping() {
        let id = fixture.embed(&words).await;
        expected.push((similarity(query, &words), id));
    }
    expected.sort_by(|one, other| other.0.total_cmp(&one.0));
    for limit in [1, 7, 10, 30, 100] {
        let results = fixture
            .search(&json!({"query": query, "limit": limit}))
            .await;
        assert_eq!(results.len(), expected.len().min(limit));
        for (result, (similarity, id)) in results.iter().zip(&expected) {
            assert_eq!(result["audit"]["id"], *id);
            let given = result["similarity"].as_f64().unwrap();
            assert!(
                (given - similarity).abs() < 1e-5,
                "{given} is not {similarity}"
            );
        }
    }
    let unlimited = fixture.search(&json!({"query": query})).await;
    assert_eq!(unlimited.len(), 10);

    let least = 0.4;
    let similar = fixture
        .search(&json!({"query": query, "limit": 100, "min_similarity": least}))
        .await;
    let enough: Vec<i64> = expected
        .iter()
        .filter(|(similarity, _)| *similarity >= least)
        .map(|(_, id)| *id)
        .collect();
    assert!((1..30).contains(&enough.len()), "{expected:?}");
    assert_eq!(ids(&similar), enough);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_all_kinds_are_found_as_reads_show_them() {
    let fixture = Fixture::start().await;
    let mut stored = Vec::new();
    for form in FORMS {
        let body = with(
            &form.body("shop", &fresh("kinds")),
            &json!({"reasoning": "hm"}),
        );
        stored.push((form.kind, fixture.client.create(form.path, &body).await));
    }
    let results = fixture
        .search(&json!({"query": "restart payment", "limit": 100}))
        .await;
    assert_eq!(results.len(), FORMS.len());
    for result in &results {
        let audit = &result["audit"];
        let id = audit["id"].as_i64().unwrap();
        let kind = audit["kind"].as_str().unwrap();
        assert_eq!(*audit, fixture.client.record(kind, id).await);
    }
    for kinds in [
        &["workflow"][..],
        &["aianalysis", "execution"],
        &["remediation", "remediation"],
    ] {
        let question = json!({"query": "restart payment", "limit": 100, "kinds": kinds});
        let mut found = ids(&fixture.search(&question).await);
        let of_kinds = stored.iter().filter(|(kind, _)| kinds.contains(kind));
        let mut expected: Vec<i64> = of_kinds.map(|(_, id)| *id).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{kinds:?}");
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_finds_the_one_record_that_it_describes() {
    let fixture = Fixture::start().await;
    let other = with(
        &remediation("shop", &fresh("rr")),
        &json!({"alert_name": "Latency", "correlation_id": "corr-1", "name": "one"}),
    );
    fixture.client.create(STORE, &other).await;
    // Time itself: ids count milliseconds, and these two must differ.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let request = fresh("rr");
    let changes = json!({
        "name": "two", "namespace": "Ünï-shop 🦀", "phase": "failed", "status": "failure", "severity": "low",
        "cluster_name": "us-9", "environment": "staging", "action_type": "drain_node",
        "alert_name": "it's; DROP TABLE audit--", "alert_fingerprint": "9c", "correlation_id": "corr-2",
        "remediation_request_id": request,
    });
    let id = fixture.client.create(STORE, &with(&other, &changes)).await;
    let record = fixture.client.record("remediation", id).await;

    for (filter, member) in [
        ("name", "name"),
        ("namespace", "namespace"),
        ("phase", "phase"),
        ("status", "status"),
        ("severity", "severity"),
        ("cluster", "cluster_name"),
        ("environment", "environment"),
        ("action_type", "action_type"),
        ("alert_name", "alert_name"),
        ("alert_fingerprint", "alert_fingerprint"),
        ("correlation_id", "correlation_id"),
        ("remediation_request_id", "remediation_request_id"),
        ("since", "created_at"),
    ] {
        let question = json!({"query": "latency", filter: record[member]});
        assert_eq!(ids(&fixture.search(&question).await), [id], "{question}");
    }
    let both = fixture
        .search(&json!({"query": "latency", "since": "1h", "until": record["created_at"]}))
        .await;
    assert_eq!(both.len(), 2);
    let combined = json!({"query": "latency", "namespace": record["namespace"], "severity": "low", "since": "1h"});
    assert_eq!(ids(&fixture.search(&combined).await), [id]);
    for nothing in [
        json!({"query": "latency", "namespace": "nowhere"}),
        json!({"query": "latency", "namespace": record["namespace"], "severity": "critical"}),
        json!({"query": "latency", "until": "2025-01-01T00:00:00Z"}),
        json!({"query": "latency", "namespace": "sh\u{0}op"}),
        json!({"query": "latency", "kinds": ["workflow"], "severity": "low"}),
    ] {
        assert_eq!(
            fixture.search(&nothing).await,
            [Value::Null; 0],
            "{nothing}"
        );
    }
    fixture.stop().await;
}

/// What matches is far from the question, and what is near does not match.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_does_not_shorten_the_answer() {
    let fixture = Fixture::start().await;
    let near: Vec<Value> = (0..300)
        .map(|n| incident(&format!("a full disk {n}")))
        .collect();
    let path = "/api/v1/audit/remediation/batch";
    fixture.client.post(path, &json!(near)).await.expect(201);
    let far: Vec<Value> = (0..15)
        .map(|n| {
            with(
                &incident(&format!("certificate expired {n}")),
                &json!({"namespace": "bank"}),
            )
        })
        .collect();
    fixture.client.post(path, &json!(far)).await.expect(201);

    let question = json!({"query": "a full disk", "limit": 12, "namespace": "bank"});
    let results = fixture.search(&question).await;
    assert_eq!(results.len(), 12);
    assert!(
        results
            .iter()
            .all(|result| result["audit"]["namespace"] == "bank")
    );
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_may_be_any_text() {
    let fixture = Fixture::start().await;
    let id = fixture.embed("a full disk").await;
    for query in [
        "disk",
        "'; DROP TABLE audit; --",
        "🦀",
        "\u{0}",
        "a\nb\t\"c\"",
        "؟ما هذا",
        &"é".repeat(2000),
    ] {
        let results = fixture.search(&json!({"query": query})).await;
        assert_eq!(ids(&results), [id], "{query:?}");
        assert_eq!(fixture.provider.texts().last().unwrap(), query);
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_question_is_named() {
    let fixture = Fixture::start().await;
    for (field, question) in [
        ("query", json!({})),
        ("query", json!({"query": null})),
        ("query", json!({"query": ""})),
        ("query", json!({"query": " \n\t"})),
        ("query", json!({"query": 5})),
        ("query", json!({"query": ["disk"]})),
        ("query", json!({"query": "é".repeat(2001)})),
        ("limit", json!({"query": "x", "limit": 0})),
        ("limit", json!({"query": "x", "limit": 101})),
        ("limit", json!({"query": "x", "limit": -1})),
        ("limit", json!({"query": "x", "limit": 1.5})),
        ("limit", json!({"query": "x", "limit": "10"})),
        ("limit", json!({"query": "x", "limit": null})),
        ("kinds", json!({"query": "x", "kinds": []})),
        ("kinds", json!({"query": "x", "kinds": "remediation"})),
        ("kinds", json!({"query": "x", "kinds": ["incident"]})),
        ("kinds", json!({"query": "x", "kinds": ["workflow", 1]})),
        (
            "min_similarity",
            json!({"query": "x", "min_similarity": -0.1}),
        ),
        (
            "min_similarity",
            json!({"query": "x", "min_similarity": 1.1}),
        ),
        (
            "min_similarity",
            json!({"query": "x", "min_similarity": "0.5"}),
        ),
        ("namespce", json!({"query": "x", "namespce": "shop"})),
        ("offset", json!({"query": "x", "offset": "5"})),
        ("namespace", json!({"query": "x", "namespace": 5})),
        ("namespace", json!({"query": "x", "namespace": null})),
        ("severity", json!({"query": "x", "severity": "sev1"})),
        ("since", json!({"query": "x", "since": "yesterday"})),
        ("since", json!({"query": "x", "since": "1h", "until": "2h"})),
        ("until", json!({"query": "x", "until": 5})),
    ] {
        let answer = fixture.client.post(PATH, &question).await;
        let problem = answer.problem(400, "validation-error");
        assert_eq!(problem["field"], field, "{question}: {problem}");
        assert_eq!(answer.violations().len(), 1, "{question}: {problem}");
    }
    for body in ["[]", "\"disk\"", "null"] {
        let headers = [("content-type", "application/json")];
        let answer = fixture
            .client
            .send(Method::POST, PATH, &headers, body)
            .await;
        answer.problem(400, "validation-error");
    }
    // Nobody pays for a question that has no answer.
    assert_eq!(fixture.provider.count(), 0);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_question_is_refused() {
    let fixture = Fixture::start().await;
    let json = [("content-type", "application/json")];
    let send = async |path: &str, headers: &[(&str, &str)], body: String| {
        fixture.client.send(Method::POST, path, headers, body).await
    };
    for body in [
        "{\"query\": \"x\"",
        "",
        "{\"query\": \"x\", \"query\": \"y\"}",
    ] {
        let answer = send(PATH, &json, body.to_owned()).await;
        answer.problem(400, "malformed-json");
    }
    let text = [("content-type", "text/plain")];
    let question = json!({"query": "x"}).to_string();
    let answer = send(PATH, &text, question.clone()).await;
    answer.problem(415, "unsupported-media-type");
    let large = json!({"query": "x".repeat(65 * 1024)}).to_string();
    send(PATH, &json, large)
        .await
        .problem(413, "payload-too-large");
    let path = format!("{PATH}?limit=5");
    send(&path, &json, question)
        .await
        .problem(400, "invalid-parameter");
    fixture.stop().await;
}
