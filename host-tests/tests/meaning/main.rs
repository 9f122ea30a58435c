//! Whether a search finds what was meant. The records and the questions, each with the records that
//! should be found, were written for this; the questions avoid the words of the records.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use embedder::Model;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use support::Client;
use support::service::Service;

/// Of the first 5 results the share that should be there, of 5 or of as many as there are.
///
/// Measured: 0.909.
const LEAST_PRECISION_AT_5: f64 = 0.87;
/// Of the records that should be found the share among the first 10 results.
///
/// Measured: 0.917.
const LEAST_RECALL_AT_10: f64 = 0.88;

#[derive(Deserialize)]
struct Judged {
    query: String,
    /// Keys of `records.json`.
    relevant: Vec<String>,
}

#[derive(Deserialize)]
struct Posted {
    key: String,
    route: String,
    body: Value,
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_in_plain_words_find_what_they_mean() {
    let Some(model) = Model::minilm_for_tests() else {
        return;
    };
    let service = start(model).await;
    let keys = post_records(&service.client).await;
    let queries: Vec<Judged> = serde_json::from_str(include_str!("queries.json")).unwrap();
    let mut precision = 0.0;
    let mut recall = 0.0;
    for judged in &queries {
        let found = search(&service.client, &keys, &judged.query).await;
        let at = |count: usize| hits(&found, &judged.relevant, count);
        precision += at(5) / share(judged.relevant.len().min(5));
        recall += at(10) / share(judged.relevant.len());
        report(judged, &found);
    }
    precision /= share(queries.len());
    recall /= share(queries.len());
    println!(
        "{} questions about {} records: precision@5 {precision:.3}, recall@10 {recall:.3}",
        queries.len(),
        keys.len()
    );
    assert!(precision >= LEAST_PRECISION_AT_5, "precision@5 {precision}");
    assert!(recall >= LEAST_RECALL_AT_10, "recall@10 {recall}");
    service.stop().await;
}

async fn start(model: Model) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let name = model.name();
    let dimensions = model.dimensions().to_string();
    tokio::spawn(embedder::serve(listener, model, std::future::pending()));
    Service::with(&[
        ("embedding_enabled", "true"),
        ("embedding_url", &url),
        ("embedding_model", name),
        ("embedding_dimensions", &dimensions),
        // A slow machine must not leave a record to be embedded later.
        ("embedding_timeout", "30s"),
        ("write_timeout", "60s"),
        ("query_timeout", "60s"),
    ])
    .await
}

/// Posts the records and returns their keys by kind and id.
async fn post_records(client: &Client) -> BTreeMap<(String, i64), String> {
    let records: Vec<Posted> = serde_json::from_str(include_str!("records.json")).unwrap();
    let mut keys = BTreeMap::new();
    for record in records {
        let created = client.post(&record.route, &record.body).await.expect(201);
        assert_eq!(created["status"], "persisted", "{}", record.key);
        assert!(!created["embedding_id"].is_null(), "{}", record.key);
        let kind = record.route.rsplit('/').next().unwrap().to_owned();
        keys.insert((kind, created["id"].as_i64().unwrap()), record.key);
    }
    keys
}

/// The keys of the first 10 results, best first.
async fn search(
    client: &Client,
    keys: &BTreeMap<(String, i64), String>,
    query: &str,
) -> Vec<String> {
    let body = json!({"query": query, "limit": 10});
    let answer = client
        .post("/api/v1/query/semantic", &body)
        .await
        .expect(200);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 10, "{query}");
    let found = results.iter().map(|result| {
        let audit = &result["audit"];
        let kind = audit["kind"].as_str().unwrap().to_owned();
        keys[&(kind, audit["id"].as_i64().unwrap())].clone()
    });
    found.collect()
}

fn hits(found: &[String], relevant: &[String], count: usize) -> f64 {
    share(
        found
            .iter()
            .take(count)
            .filter(|key| relevant.contains(key))
            .count(),
    )
}

/// A small count, to divide by.
fn share(count: usize) -> f64 {
    u32::try_from(count).map(f64::from).unwrap()
}

/// Says what was not found where it should be.
fn report(judged: &Judged, found: &[String]) {
    let wanted = judged.relevant.len().min(5);
    let rank = |key: &String| found.iter().position(|other| other == key);
    let late = judged
        .relevant
        .iter()
        .filter(|key| rank(key).is_none_or(|rank| rank >= 5));
    let late: Vec<_> = late
        .map(|key| match rank(key) {
            Some(rank) => format!("{key} is number {}", rank + 1),
            None => format!("{key} is not among 10"),
        })
        .collect();
    if !late.is_empty() {
        println!(
            "{:?}: {}; the first {wanted} are {:?}",
            judged.query,
            late.join(", "),
            &found[..wanted]
        );
    }
}
