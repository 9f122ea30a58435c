//! Which series there are.

use std::collections::BTreeSet;

use crate::scrape::Scrape;
use crate::support::service::Service;

/// So many series a family may have, whatever clients send; buckets count once (contract, section 10).
const MOST: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn every_series_is_there_from_the_start() {
    let service = Service::start().await;
    let scrape = Scrape::of(&service.client).await;
    for series in [
        "datastorage_write_total{table=\"remediation_audit\",status=\"failure\"}",
        "datastorage_write_duration_seconds_bucket{table=\"ai_analysis_audit\",le=\"0.001\"}",
        "datastorage_write_duration_seconds_bucket{table=\"execution_audit\",le=\"10\"}",
        "datastorage_write_duration_seconds_bucket{table=\"workflow_audit\",le=\"+Inf\"}",
        "datastorage_dualwrite_success_total",
        "datastorage_dualwrite_failure_total{reason=\"unavailable\"}",
        "datastorage_fallback_mode_total",
        "datastorage_cache_hits_total",
        "datastorage_cache_misses_total",
        "datastorage_embedding_generation_duration_seconds_count",
        "datastorage_validation_failures_total{field=\"name\",reason=\"required\"}",
        "datastorage_query_total{operation=\"semantic_search\",status=\"failure\"}",
        "datastorage_query_duration_seconds_sum{operation=\"timeline\"}",
        "datastorage_server_reads_total{server=\"replica\"}",
        "datastorage_http_requests_total{route=\"/api/v1/store\",status=\"499\"}",
        "datastorage_auth_total{result=\"forbidden\"}",
        "datastorage_rate_limited_total",
        "datastorage_rate_limit_bypassed_total",
        "datastorage_retention_months_dropped_total{kind=\"workflow\"}",
    ] {
        assert_eq!(scrape.get(series), Some(0.0), "{series}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_make_no_series() {
    let service = Service::start().await;
    let client = &service.client;
    let before = Scrape::of(client).await;
    for path in ["/", "/api/v1/nothing", "/metrics/x", "/api/v1/query/nokind"] {
        client.get(path).await;
    }
    let body = serde_json::json!({"naem": 1, "metadata": {"a": {"b": "\u{0}"}}, "x\"y\\z\n": 2});
    client.post("/api/v1/store/remediation", &body).await;
    client.get("/api/v1/query/remediation?what=%22%0a").await;
    let after = Scrape::after(client, 6.0).await;
    let names = |scrape: &Scrape| scrape.names().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(names(&before), names(&after));

    let mut families = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
    for name in after.names() {
        let (family, labels) = name.split_once('{').unwrap_or((name, ""));
        let labels = labels.split(',').filter(|label| !label.starts_with("le="));
        let labels = labels.collect::<Vec<_>>().join(",");
        families
            .entry(family.to_owned())
            .or_default()
            .insert(labels);
    }
    for (family, series) in families {
        assert!(series.len() < MOST, "{family} has {} series", series.len());
    }
    service.stop().await;
}
