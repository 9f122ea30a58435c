//! Pages of large records end early, and nothing is lost at their edges.

use serde_json::{Value, json};

use crate::support::payloads::{fresh, remediation};
use crate::support::service::Service;

const RECORDS: usize = 40;
/// A record may have a long reason; so many of them are more than one page holds.
const BYTES: usize = 1_000_000;
const PAGE_BYTES: usize = 32 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_over_records_too_large_for_one_page_meets_each_once() {
    let service = Service::with(&[("query_timeout", "60s")]).await;
    let namespace = fresh("large");
    let mut expected = Vec::new();
    for _ in 0..RECORDS {
        let mut record = remediation(&namespace, &fresh("rr"));
        record["reason"] = json!("x".repeat(BYTES));
        record["correlation_id"] = json!(namespace);
        let stored = service
            .client
            .post("/api/v1/store/remediation", &record)
            .await;
        expected.push(stored.expect(201)["id"].as_i64().unwrap());
    }

    let list = format!("/api/v1/query/remediation?namespace={namespace}&limit=1000");
    let first = page(&service, &list, RECORDS).await;
    let cursor = first["next_cursor"].as_str().expect("a second page");
    let second = page(&service, &format!("{list}&cursor={cursor}"), RECORDS).await;
    assert_eq!(second["next_cursor"], Value::Null);
    let mut met = ids(&first);
    assert!(met.len() < RECORDS, "the first page is not cut");
    met.extend(ids(&second));
    assert!(met.iter().rev().eq(&expected), "{met:?} {expected:?}");

    let timeline = format!("/api/v1/query/timeline/{namespace}?limit=1000");
    let mut met = ids(&page(&service, &timeline, RECORDS).await);
    assert!(met.len() < RECORDS, "the first page is not cut");
    let rest = format!("{timeline}&offset={}", met.len());
    met.extend(ids(&page(&service, &rest, RECORDS).await));
    assert_eq!(met, expected);
    service.stop().await;
}

async fn page(service: &Service, path: &str, total: usize) -> Value {
    let answer = service.client.get(path).await;
    let page = answer.expect(200);
    assert!(
        answer.body.len() < PAGE_BYTES + 1024 * 1024,
        "{}",
        answer.body.len()
    );
    assert_eq!(page["total"], total);
    page
}

fn ids(page: &Value) -> Vec<i64> {
    let audits = page["audits"].as_array().unwrap().iter();
    audits.map(|audit| audit["id"].as_i64().unwrap()).collect()
}
