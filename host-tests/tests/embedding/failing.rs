//! Whatever the provider does, records are stored, and searches say what is missing.

use std::time::Duration;

use host::{ReuseLimits, Span};
use serde_json::{Value, json};

use crate::fixture::{Fixture, SHORT, UNCACHED, incident};
use crate::support::provider::{Behaviour, MODEL, Provider};

const FAULTS: [Behaviour; 16] = [
    Behaviour::Hang,
    Behaviour::Delay(Duration::from_secs(5)),
    Behaviour::Close,
    Behaviour::Status(500, None),
    Behaviour::Status(503, Some("1")),
    Behaviour::Status(429, None),
    Behaviour::Status(429, Some("3600")),
    Behaviour::Status(401, None),
    Behaviour::Status(404, None),
    Behaviour::Status(301, None),
    Behaviour::ErrorBody,
    Behaviour::WrongDimension,
    Behaviour::Number("NaN"),
    Behaviour::Number("1e39"),
    Behaviour::Number("\"0.5\""),
    Behaviour::Zeros,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_costs_the_vector_and_not_the_record() {
    let fixture = Fixture::with_fresh_instances(&[SHORT, UNCACHED]).await;
    let mut left = Vec::new();
    for fault in FAULTS {
        let words = format!("{fault:?}").to_lowercase();
        fixture.provider.behave(fault);
        let id = fixture.leave(&words).await;
        let asked = fixture.provider.texts();
        assert!(
            asked.contains(&words),
            "{words} was not asked for: {asked:?}"
        );
        assert_eq!(fixture.model(id).await, Value::Null, "{words}");
        assert_eq!(fixture.vector(id).await, None, "{words}");
        left.push((id, words));
    }
    fixture.provider.behave(Behaviour::Answer);
    fixture.settle().await;
    for (id, words) in left {
        assert_eq!(fixture.model(id).await, MODEL, "{words}");
        assert_eq!(fixture.vector(id).await, Some(Provider::vector(&words)));
    }
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_costs_the_vector_and_not_the_record() {
    let mut fixture = Fixture::with_fresh_instances(&[SHORT]).await;
    fixture.provider.stop();
    let id = fixture.leave("nobody listens").await;
    assert_eq!(fixture.model(id).await, Value::Null);
    fixture.provider.restart().await;
    fixture.settle().await;
    let expected = Provider::vector("nobody listens");
    assert_eq!(fixture.vector(id).await, Some(expected));
    fixture.stop().await;
}

/// One of several vectors is missing: nobody knows whose.
#[tokio::test(flavor = "multi_thread")]
async fn fewer_vectors_than_texts_are_none() {
    let fixture = Fixture::with_fresh_instances(&[SHORT, UNCACHED]).await;
    fixture.provider.behave(Behaviour::Fewer);
    let batch: Vec<Value> = ["red", "green", "blue"].map(incident).into();
    let path = "/api/v1/audit/remediation/batch";
    let created = fixture.client.post(path, &json!(batch)).await.expect(201);
    let results = created["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        assert_eq!(result["embedding_id"], Value::Null);
    }
    fixture.provider.behave(Behaviour::Answer);
    fixture.settle().await;
    fixture.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_without_its_vector_is_a_503_that_says_when_to_try_again() {
    let fixture = Fixture::with_fresh_instances(&[SHORT, UNCACHED]).await;
    let id = fixture.embed("a pod that restarts").await;
    for fault in FAULTS {
        let said = format!("{fault:?}");
        fixture.provider.behave(fault);
        let question = json!({"query": "a pod that restarts"});
        let answer = fixture
            .client
            .post("/api/v1/query/semantic", &question)
            .await;
        let problem = answer.problem(503, "service-unavailable");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("the embedding provider is away"),
            "{problem}"
        );
        let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!(after >= 1, "{said}");
    }
    fixture.provider.behave(Behaviour::Status(429, Some("7")));
    let question = json!({"query": "a pod that restarts"});
    let answer = fixture
        .client
        .post("/api/v1/query/semantic", &question)
        .await;
    assert_eq!(answer.header("retry-after"), Some("7"));

    // What needs no provider works.
    let similar = format!("/api/v1/incidents/{id}/similar");
    fixture.client.get(&similar).await.expect(200);
    fixture.provider.behave(Behaviour::Answer);
    assert_eq!(fixture.found("a pod that restarts").await, [id]);
    fixture.stop().await;
}

/// The first write finds out; those that follow soon do not wait as long again.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_provider_is_left_alone() {
    const WRITES: usize = 24;
    // The same instance to the end: another one would have to find out anew.
    let limits = ReuseLimits {
        idle_timeout: Span::One(Duration::from_mins(10)),
        ..ReuseLimits::default()
    };
    let fixture = Fixture::build(Provider::start().await, &[SHORT, UNCACHED], limits).await;
    fixture.pause_maintenance().await;
    fixture.provider.behave(Behaviour::Hang);
    for n in 0..WRITES {
        fixture.leave(&format!("frozen {n}")).await;
    }
    let asked = fixture.provider.count();
    assert!((1..=WRITES / 2).contains(&asked), "asked {asked} times");
    fixture.provider.behave(Behaviour::Answer);
    fixture.resume_maintenance().await;
    fixture.settle().await;
    fixture.stop().await;
}
