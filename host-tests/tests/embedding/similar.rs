//! `GET /api/v1/incidents/{id}/similar`.

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Fixture, SHORT, ids, incident};
use crate::support::payloads::{fresh, with, workflow};
use crate::support::provider::{Behaviour, MODEL};

async fn similar(fixture: &Fixture, id: i64, query: &str) -> Value {
    let path = format!("/api/v1/incidents/{id}/similar{query}");
    fixture.client.get(&path).await.expect(200)
}

async fn similar_ids(fixture: &Fixture, id: i64, query: &str) -> Vec<i64> {
    ids(similar(fixture, id, query).await["results"]
        .as_array()
        .unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_come_first_without_the_incident_itself_or_the_provider() {
    let fixture = Fixture::start().await;
    let asked = fixture.embed("alpha beta gamma delta").await;
    let half = fixture.embed("alpha beta other words").await;
    let twin = fixture.embed("alpha beta gamma delta").await;
    let near = fixture.embed("alpha beta gamma words").await;
    let count = fixture.provider.count();
    fixture.provider.behave(Behaviour::Status(500, None));

    let answer = similar(&fixture, asked, "").await;
    assert_eq!(answer["embedding_model"], MODEL);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(ids(results), [twin, near, half]);
    let similarity = |place: usize| results[place]["similarity"].as_f64().unwrap();
    assert!((similarity(0) - 1.0).abs() < 1e-6, "{answer}");
    assert!(similarity(1) > similarity(2), "{answer}");

    assert_eq!(similar_ids(&fixture, asked, "?limit=1").await, [twin]);
    assert_eq!(similar_ids(&fixture, asked, "?limit=2").await, [twin, near]);
    let least = format!("?min_similarity={}", similarity(1));
    assert_eq!(similar_ids(&fixture, asked, &least).await, [twin, near]);
    assert_eq!(fixture.provider.count(), count);

    let path = format!("/api/v1/incidents/{asked}/similar");
    fixture
        .client
        .send(Method::HEAD, &path, &[], "")
        .await
        .expect(200);
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_among_all_kinds() {
    let fixture = Fixture::start().await;
    let asked = fixture.embed("rolling restart").await;
    let path = "/api/v1/audit/remediation";
    let bank = with(&incident("rolling restart"), &json!({"namespace": "bank"}));
    let bank = fixture.client.create(path, &bank).await;
    let body = workflow("shop", &fresh("wf"));
    let flow = fixture.client.create("/api/v1/store/workflow", &body).await;

    for (query, expected) in [
        ("?kinds=workflow", vec![flow]),
        ("?kinds=remediation", vec![bank]),
        ("?kinds=remediation,workflow", vec![flow, bank]),
        ("?namespace=bank", vec![bank]),
        ("?namespace=shop", vec![flow]),
        ("?namespace=bank&kinds=workflow", vec![]),
        ("?namespace=ba%00nk", vec![]),
        ("?since=1h", vec![flow, bank]),
        ("?until=2025-01-01T00:00:00Z", vec![]),
    ] {
        assert_eq!(
            similar_ids(&fixture, asked, query).await,
            expected,
            "{query}"
        );
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_without_a_vector_is_like_no_other() {
    let fixture = Fixture::with(&[SHORT]).await;
    fixture.embed("words").await;
    fixture.provider.behave(Behaviour::Status(500, None));
    let id = fixture.leave("more words").await;
    let answer = similar(&fixture, id, "").await;
    assert_eq!(answer, json!({"embedding_model": null, "results": []}));
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let fixture = Fixture::start().await;
    let id = fixture.embed("words").await;
    let flow = workflow("shop", &fresh("wf"));
    let flow = fixture.client.create("/api/v1/store/workflow", &flow).await;
    for unknown in [1, i64::MAX, flow] {
        let path = format!("/api/v1/incidents/{unknown}/similar");
        fixture.client.get(&path).await.problem(404, "not-found");
    }
    let path = "/api/v1/incidents/first/similar";
    fixture.client.get(path).await.problem(400, "invalid-id");
    for (query, slug, field) in [
        ("limit=0", "invalid-limit", "limit"),
        ("limit=101", "invalid-limit", "limit"),
        ("limit=ten", "invalid-limit", "limit"),
        ("kinds=incident", "invalid-parameter", "kinds"),
        ("kinds=", "invalid-parameter", "kinds"),
        ("min_similarity=2", "invalid-parameter", "min_similarity"),
        ("min_similarity=NaN", "invalid-parameter", "min_similarity"),
        ("namespce=shop", "invalid-parameter", "namespce"),
        ("limit=1&limit=2", "invalid-parameter", "limit"),
        ("severity=sev1", "invalid-severity", "severity"),
        ("since=never", "invalid-parameter", "since"),
    ] {
        let path = format!("/api/v1/incidents/{id}/similar?{query}");
        let problem = fixture.client.get(&path).await.problem(400, slug);
        assert_eq!(problem["field"], field, "{query}");
    }
    fixture.stop().await;
}
