//! Lists: what they look like, their pages and totals.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{FORMS, aianalysis, execution, fresh, with};

/// A value as it may stand in a query string or a path.
pub(crate) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// The list of remediations with this query string.
pub(crate) async fn list(client: &Client, query: &str) -> Value {
    client
        .get(&format!("/api/v1/query/remediation?{query}"))
        .await
        .expect(200)
}

pub(crate) fn ids(list: &Value) -> Vec<i64> {
    let audits = list["audits"].as_array().expect("audits");
    audits
        .iter()
        .map(|audit| audit["id"].as_i64().expect("an id"))
        .collect()
}

#[tokio::test]
async fn a_list_has_whole_records_newest_first() {
    let client = client();
    for kind in ["remediation", "aianalysis", "workflow", "execution"] {
        let namespace = fresh("list");
        let mut records = Vec::new();
        for form in FORMS.iter().filter(|form| form.kind == kind) {
            // The compact workflow has no namespace of its own accord.
            let body = form.body(&namespace, &fresh("word"));
            let body = with(&body, &json!({"namespace": namespace}));
            let id = client.create(form.path, &body).await;
            records.push(client.record(kind, id).await);
        }
        records.reverse();
        let list = client
            .get(&format!("/api/v1/query/{kind}?namespace={namespace}"))
            .await;
        assert_eq!(
            list.expect(200),
            json!({
                "audits": records, "total": records.len(), "limit": 100, "offset": 0,
                "next_cursor": null
            }),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn nothing_found_is_an_empty_list() {
    let empty = list(&client(), &format!("namespace={}", fresh("nobody"))).await;
    let expected = json!({
        "audits": [], "total": 0, "limit": 100, "offset": 0, "next_cursor": null
    });
    assert_eq!(empty, expected);
}

/// Stores so many executions in batches.
async fn fill(client: &Client, namespace: &str, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for first in (0..count).step_by(500) {
        let batch = (first..count).take(500);
        let batch = batch.map(|_| execution(namespace, &fresh("word")));
        let batch = Value::Array(batch.collect());
        let answer = client
            .post("/api/v1/store/execution/batch", &batch)
            .await
            .expect(201);
        let results = answer["results"].as_array().expect("results");
        ids.extend(
            results
                .iter()
                .map(|result| result["id"].as_i64().expect("an id")),
        );
    }
    assert_eq!(ids.len(), count);
    ids
}

#[tokio::test]
async fn pages_by_offset_make_up_the_list() {
    let client = client();
    let namespace = fresh("offset");
    let mut expected = fill(&client, &namespace, 25).await;
    expected.sort_unstable_by(|a, b| b.cmp(a));
    let base = format!("/api/v1/query/execution?namespace={namespace}");
    let mut seen = Vec::new();
    for offset in [0, 10, 20, 30] {
        let page = client
            .get(&format!("{base}&limit=10&offset={offset}"))
            .await
            .expect(200);
        assert_eq!(page["total"], 25);
        assert_eq!(
            (&page["limit"], &page["offset"]),
            (&json!(10), &json!(offset))
        );
        assert_eq!(page["next_cursor"].is_string(), offset < 20, "{offset}");
        seen.extend(ids(&page));
    }
    assert_eq!(seen, expected);
    let whole = client.get(&format!("{base}&limit=1000")).await.expect(200);
    assert_eq!(ids(&whole), expected);
    let one = client.get(&format!("{base}&limit=1")).await.expect(200);
    assert_eq!(ids(&one), expected[..1]);
    let far = client
        .get(&format!("{base}&offset=9223372036854775807"))
        .await
        .expect(200);
    assert_eq!((ids(&far), &far["total"]), (vec![], &json!(25)));
    // A page that is exactly full is the last one.
    let exact = client.get(&format!("{base}&limit=25")).await.expect(200);
    assert_eq!(exact["next_cursor"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_by_cursor_meets_each_record_once_while_writers_add_more() {
    let client = client();
    let namespace = fresh("walk");
    let before: BTreeSet<_> = fill(&client, &namespace, 3000).await.into_iter().collect();

    let (writer, name) = (client.clone(), namespace.clone());
    let writing = tokio::spawn(async move { fill(&writer, &name, 2000).await });
    let mut seen = Vec::new();
    let mut cursor = String::new();
    let mut has_ended = false;
    // At most so many, if all that is written comes before the first page.
    for _ in 0..=5000 / 97 {
        let path = format!("/api/v1/query/execution?namespace={namespace}&limit=97{cursor}");
        let page = client.get(&path).await.expect(200);
        assert!(
            page["total"].as_u64().is_some_and(|total| total >= 3000),
            "{}",
            page["total"]
        );
        seen.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else {
            has_ended = true;
            break;
        };
        cursor = format!("&cursor={}", encoded(next));
    }
    assert!(has_ended, "there is no last page");
    let added = writing.await.expect("the writer");

    assert!(seen.is_sorted_by(|a, b| a > b), "out of order, or twice");
    let all: BTreeSet<_> = before.iter().chain(&added).copied().collect();
    assert!(seen.iter().all(|id| all.contains(id)));
    let seen: BTreeSet<_> = seen.into_iter().collect();
    assert_eq!(before.difference(&seen).count(), 0, "records were missed");
    assert_eq!(client.count("execution", &namespace).await, 5000);
}

#[tokio::test]
async fn kinds_do_not_mix() {
    let client = client();
    let namespace = fresh("kinds");
    client
        .create(
            "/api/v1/store/execution",
            &execution(&namespace, &fresh("word")),
        )
        .await;
    let analysis = aianalysis(&namespace, &fresh("word"));
    let id = client.create("/api/v1/store/aianalysis", &analysis).await;
    assert_eq!(client.count("execution", &namespace).await, 1);
    assert_eq!(client.count("workflow", &namespace).await, 0);
    let found = client
        .get(&format!("/api/v1/query/aianalysis?namespace={namespace}"))
        .await;
    assert_eq!(ids(&found.expect(200)), [id]);
    client
        .get(&format!("/api/v1/query/execution/{id}"))
        .await
        .problem(404, "not-found");
    let versions = format!("/api/v1/query/execution/{id}/versions");
    client.get(&versions).await.problem(404, "not-found");
}
