//! Whatever the provider does, records are stored, and searches say what is missing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stage::{SHORT, Stage, UNCACHED};
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
    let stage = Stage::with_fresh_instances(&[SHORT, UNCACHED]).await;
    let mut left = Vec::new();
    for fault in FAULTS {
        let words = format!("{fault:?}").to_lowercase();
        stage.provider.behave(fault);
        let id = stage.leave(&words).await;
        let asked = stage.provider.texts();
        assert!(
            asked.contains(&words),
            "{words} was not asked for: {asked:?}"
        );
        assert_eq!(stage.model(id).await, Value::Null, "{words}");
        assert_eq!(stage.vector(id).await, None, "{words}");
        left.push((id, words));
    }
    stage.provider.behave(Behaviour::Answer);
    stage.settle().await;
    for (id, words) in left {
        assert_eq!(stage.model(id).await, MODEL, "{words}");
        assert_eq!(stage.vector(id).await, Some(Provider::vector(&words)));
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_costs_the_vector_and_not_the_record() {
    let mut stage = Stage::with_fresh_instances(&[SHORT]).await;
    stage.provider.stop();
    let id = stage.leave("nobody listens").await;
    assert_eq!(stage.model(id).await, Value::Null);
    stage.provider.restart().await;
    stage.settle().await;
    let expected = Provider::vector("nobody listens");
    assert_eq!(stage.vector(id).await, Some(expected));
    stage.stop().await;
}

/// One of several vectors is missing: nobody knows whose.
#[tokio::test(flavor = "multi_thread")]
async fn fewer_vectors_than_texts_are_none() {
    let stage = Stage::with_fresh_instances(&[SHORT, UNCACHED]).await;
    stage.provider.behave(Behaviour::Fewer);
    let batch: Vec<Value> = ["red", "green", "blue"].map(crate::stage::incident).into();
    let path = "/api/v1/audit/remediation/batch";
    let created = stage.client.post(path, &json!(batch)).await.expect(201);
    for result in created["results"].as_array().unwrap() {
        assert_eq!(result["embedding_id"], Value::Null);
    }
    stage.provider.behave(Behaviour::Answer);
    stage.settle().await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_without_its_vector_is_a_503_that_says_when_to_try_again() {
    let stage = Stage::with_fresh_instances(&[SHORT, UNCACHED]).await;
    let id = stage.embed("a pod that restarts").await;
    for fault in FAULTS {
        let said = format!("{fault:?}");
        stage.provider.behave(fault);
        let question = json!({"query": "a pod that restarts"});
        let answer = stage.client.post("/api/v1/query/semantic", &question).await;
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
    stage.provider.behave(Behaviour::Status(429, Some("7")));
    let question = json!({"query": "a pod that restarts"});
    let answer = stage.client.post("/api/v1/query/semantic", &question).await;
    assert_eq!(answer.header("retry-after"), Some("7"));

    // What needs no provider works.
    let similar = format!("/api/v1/incidents/{id}/similar");
    stage.client.get(&similar).await.expect(200);
    stage.provider.behave(Behaviour::Answer);
    assert_eq!(stage.found("a pod that restarts").await, [id]);
    stage.stop().await;
}

/// The first write finds out; those that follow soon do not wait as long again.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_provider_is_left_alone() {
    const WRITES: usize = 12;
    let budget = Duration::from_secs(2);
    let stage = Stage::with(&[("embedding_timeout", "2s")]).await;
    stage.provider.behave(Behaviour::Hang);
    let mut full_waits = 0;
    for n in 0..WRITES {
        let began = Instant::now();
        stage.leave(&format!("frozen {n}")).await;
        full_waits += usize::from(began.elapsed() >= budget);
    }
    assert!(
        full_waits <= WRITES / 2,
        "{full_waits} writes waited for {budget:?}"
    );
    assert!(stage.provider.count() <= WRITES / 2);
    stage.provider.behave(Behaviour::Answer);
    stage.settle().await;
    stage.stop().await;
}
