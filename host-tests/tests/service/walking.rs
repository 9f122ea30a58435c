//! A large list, page by page, while others write.

use std::collections::HashSet;

use patience::{Progress, Stop};
use serde_json::{Value, json};

use crate::support::Client;
use crate::support::payloads::{fresh, remediation};
use crate::support::service::Service;

const RECORDS: usize = 100_000;
const BATCH: usize = 500;
const PAGE: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_meets_each_of_a_hundred_thousand_records_once() {
    let service = Service::start().await;
    let namespace = fresh("walk");
    let mut expected = HashSet::new();
    for _ in 0..RECORDS / BATCH {
        expected.extend(post_batch(&service.client, &namespace).await);
    }
    assert_eq!(expected.len(), RECORDS);

    let (stop, written) = (Stop::default(), Progress::default());
    let writers: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(write_until(
                service.client.clone(),
                namespace.clone(),
                stop.clone(),
                written.clone(),
            ))
        })
        .collect();
    written.more(1, "somebody writes").await;
    let before = written.count();
    let met = walk(&service.client, &namespace).await;
    assert!(written.count() > before, "nobody wrote during the walk");
    stop.request();
    for writer in writers {
        writer.await.unwrap();
    }

    let unique: HashSet<_> = met.iter().copied().collect();
    assert_eq!(unique.len(), met.len(), "a record was met twice");
    assert_eq!(
        expected.difference(&unique).count(),
        0,
        "a record was missed"
    );
    assert!(met.is_sorted_by(|a, b| a > b), "not newest first");
    over_a_hundred_thousand(&service, &namespace).await;
    service.stop().await;
}

async fn post_batch(client: &Client, namespace: &str) -> Vec<i64> {
    let records: Vec<_> = (0..BATCH)
        .map(|_| remediation(namespace, &fresh("rr")))
        .collect();
    let answer = client
        .post("/api/v1/store/remediation/batch", &json!(records))
        .await;
    let results = answer.expect(201)["results"].clone();
    let ids = results.as_array().unwrap().iter();
    ids.map(|result| result["id"].as_i64().unwrap()).collect()
}

async fn write_until(client: Client, namespace: String, stop: Stop, written: Progress) {
    while !stop.requested() {
        let record = remediation(&namespace, &fresh("rr"));
        client
            .post("/api/v1/store/remediation", &record)
            .await
            .expect(201);
        written.step();
    }
}

/// The ids of all pages, in the order in which they came.
async fn walk(client: &Client, namespace: &str) -> Vec<i64> {
    let mut met = Vec::new();
    let mut cursor = String::new();
    // Writers add to what comes before the first page only.
    for _ in 0..=RECORDS / PAGE {
        let path = format!("/api/v1/query/remediation?namespace={namespace}&limit={PAGE}{cursor}");
        let page = client.get(&path).await.expect(200);
        let audits = page["audits"].as_array().unwrap();
        met.extend(audits.iter().map(|audit| audit["id"].as_i64().unwrap()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            Value::Null => return met,
            other => panic!("next_cursor is {other}"),
        }
    }
    panic!("there is no last page");
}

/// Beyond that, the total is the planner's estimate and says so.
async fn over_a_hundred_thousand(service: &Service, namespace: &str) {
    let db = service.database.client().await;
    db.batch_execute("ANALYZE audit").await.unwrap();
    let path = format!("/api/v1/query/remediation?namespace={namespace}&limit=1");
    let list = service.client.get(&path).await.expect(200);
    assert_eq!(list["total_is_estimate"], true);
    let total = list["total"].as_u64().unwrap();
    assert!((100_000..150_000).contains(&total), "{total}");

    let none = service
        .client
        .get("/api/v1/query/remediation?namespace=none")
        .await
        .expect(200);
    assert_eq!(
        (&none["total"], none.get("total_is_estimate")),
        (&json!(0), None)
    );
}
