//! Each request is counted once, whichever instance answers it.

use std::collections::BTreeMap;

use futures::future::join_all;
use host::{ReuseLimits, Span};
use serde_json::{Value, json};

use crate::scrape::Scrape;
use crate::support::payloads::{aianalysis, fresh, remediation};
use crate::support::provider::Provider;
use crate::support::service::{Service, embedded_by};

const STORE: &str = "/api/v1/store/remediation";

fn request(route: &str, status: u16) -> String {
    format!("datastorage_http_requests_total{{route=\"{route}\",status=\"{status}\"}}")
}

fn write(table: &str, status: &str) -> String {
    format!("datastorage_write_total{{table=\"{table}\",status=\"{status}\"}}")
}

fn query(operation: &str, status: &str) -> String {
    format!("datastorage_query_total{{operation=\"{operation}\",status=\"{status}\"}}")
}

fn timed(family: &str, label: &str) -> String {
    format!("datastorage_{family}_duration_seconds_count{{{label}}}")
}

fn assert_counted(scrape: &Scrape, expected: &[(String, f64)]) {
    let counted: BTreeMap<_, _> = scrape
        .counted()
        .into_iter()
        .filter(|(name, _)| !name.contains("route=\"/health\""))
        .map(|(name, number)| (name.to_owned(), number))
        .collect();
    assert_eq!(counted, expected.iter().cloned().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn writes() {
    let service = Service::start().await;
    let client = &service.client;
    let record = remediation(&fresh("counted"), &fresh("rr"));
    let id = client.create(STORE, &record).await;
    client.post(STORE, &record).await.expect(201);
    let batch: Vec<Value> = (0..5)
        .map(|_| aianalysis(&fresh("counted"), &fresh("name")))
        .collect();
    let batch = Value::Array(batch);
    client
        .post("/api/v1/store/aianalysis/batch", &batch)
        .await
        .expect(201);
    client
        .patch(&format!("{STORE}/{id}"), &json!({"error_message": "no"}))
        .await
        .expect(200);
    client.delete(&format!("{STORE}/{id}")).await.expect(204);
    // Refused, and nobody's failure.
    client.delete(&format!("{STORE}/7")).await.expect(404);
    let wrong = json!([{"severity": "x"}, {}]);
    let told = client
        .post("/api/v1/store/remediation/batch", &wrong)
        .await
        .expect(400);

    let scrape = Scrape::after(client, 7.0).await;
    let mut expected = vec![
        (request("/api/v1/store", 200), 1.0),
        (request("/api/v1/store", 201), 3.0),
        (request("/api/v1/store", 204), 1.0),
        (request("/api/v1/store", 400), 1.0),
        (request("/api/v1/store", 404), 1.0),
        (write("remediation_audit", "success"), 4.0),
        (write("ai_analysis_audit", "success"), 5.0),
        (timed("write", "table=\"remediation_audit\""), 4.0),
        (timed("write", "table=\"ai_analysis_audit\""), 1.0),
    ];
    expected.extend(violations(&told));
    assert_counted(&scrape, &expected);
    service.stop().await;
}

/// What a client was told, as it is to be counted.
fn violations(problem: &Value) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for error in problem["errors"].as_array().expect("violations") {
        let field = error["field"].as_str().expect("a field");
        let member = field.split_once("].").map_or("", |(_, member)| member);
        let member = match member {
            "" => "body",
            "name" | "namespace" | "status" => member,
            _ => "other",
        };
        let reason = error["code"].as_str().expect("a code");
        let series = format!(
            "datastorage_validation_failures_total{{field=\"{member}\",reason=\"{reason}\"}}"
        );
        *counts.entry(series).or_default() += 1.0;
    }
    assert!(counts.len() > 2, "{problem}");
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn reads() {
    let provider = Provider::start().await;
    let url = provider.url();
    let service = Service::with(&embedded_by(&url)).await;
    let client = &service.client;
    let id = client
        .create(STORE, &remediation(&fresh("counted"), &fresh("rr")))
        .await;
    for (path, status) in [
        ("/api/v1/query/remediation".to_owned(), 200),
        ("/api/v1/incidents".to_owned(), 200),
        (format!("/api/v1/query/remediation/{id}"), 200),
        (format!("/api/v1/incidents/{id}"), 200),
        (format!("/api/v1/query/remediation/{id}/versions"), 200),
        ("/api/v1/query/timeline/none".to_owned(), 200),
        (format!("/api/v1/incidents/{id}/similar"), 200),
        ("/api/v1/query/remediation/7".to_owned(), 404),
        ("/api/v1/query/remediation?limit=x".to_owned(), 400),
    ] {
        client.get(&path).await.expect(status);
    }
    for _ in 0..2 {
        client
            .post(
                "/api/v1/query/semantic",
                &json!({"query": "a pod that restarts"}),
            )
            .await
            .expect(200);
    }

    let scrape = Scrape::after(client, 12.0).await;
    let mut expected = vec![
        (request("/api/v1/store", 201), 1.0),
        (request("/api/v1/query", 200), 6.0),
        (request("/api/v1/query", 400), 1.0),
        (request("/api/v1/query", 404), 1.0),
        (request("/api/v1/incidents", 200), 3.0),
        (write("remediation_audit", "success"), 1.0),
        (timed("write", "table=\"remediation_audit\""), 1.0),
        (
            "datastorage_validation_failures_total{field=\"parameter\",reason=\"invalid_value\"}"
                .to_owned(),
            1.0,
        ),
        ("datastorage_cache_misses_total".to_owned(), 2.0),
        ("datastorage_cache_hits_total".to_owned(), 1.0),
        (
            "datastorage_embedding_generation_duration_seconds_count".to_owned(),
            2.0,
        ),
    ];
    for (operation, count) in [
        ("list", 3.0),
        ("get", 2.0),
        ("timeline", 1.0),
        ("similar", 1.0),
        ("semantic_search", 2.0),
    ] {
        expected.push((query(operation, "success"), count));
        let label = format!("operation=\"{operation}\"");
        expected.push((timed("query", &label), count));
    }
    assert_counted(&scrape, &expected);
    service.stop().await;
}

/// Instances that serve once, at the same time, add to the same numbers.
#[tokio::test(flavor = "multi_thread")]
async fn many_instances_count_together() {
    const REQUESTS: usize = 200;
    let once = ReuseLimits {
        requests: Span::One(1),
        ..ReuseLimits::default()
    };
    let service = Service::with_limits(&[], once).await;
    let client = &service.client;
    let requests = (0..REQUESTS).map(|number| async move {
        if number % 2 == 0 {
            let record = remediation(&fresh("counted"), &fresh("rr"));
            client.post(STORE, &record).await.expect(201);
        } else {
            client.get("/api/v1/query/remediation/7").await.expect(404);
        }
    });
    join_all(requests).await;
    let scrape = Scrape::after(client, 200.0).await;
    assert_counted(
        &scrape,
        &[
            (request("/api/v1/store", 201), 100.0),
            (request("/api/v1/query", 404), 100.0),
            (write("remediation_audit", "success"), 100.0),
            (timed("write", "table=\"remediation_audit\""), 100.0),
        ],
    );
    service.stop().await;
}
