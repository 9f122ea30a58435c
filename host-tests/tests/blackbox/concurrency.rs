//! Natural keys hold under any concurrency. Over HTTP/1.1 each request in flight has a connection of
//! its own, so as many connections are open as there are requests at once.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{FORMS, execution, form, fresh, remediation, with};

const STORE: &str = "/api/v1/store/remediation";

/// Posts all bodies at once and returns id and status of each answer.
async fn at_once(client: &Client, path: &str, bodies: &[Value]) -> Vec<(i64, String)> {
    let posts = bodies.iter().map(async |body| {
        let created = client.post(path, body).await.expect(201);
        let status = created["status"].as_str().expect("a status").to_owned();
        (created["id"].as_i64().expect("an id"), status)
    });
    join_all(posts).await
}

fn with_status(answers: &[(i64, String)], status: &str) -> usize {
    answers.iter().filter(|answer| answer.1 == status).count()
}

fn ids(answers: &[(i64, String)]) -> BTreeSet<i64> {
    answers.iter().map(|answer| answer.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_simultaneous_posts_of_one_key_make_one_record() {
    let client = client();
    let namespace = fresh("race");
    let body = remediation(&namespace, &fresh("rr"));
    let answers = at_once(&client, STORE, &vec![body; 100]).await;

    assert_eq!(ids(&answers).len(), 1, "{answers:?}");
    assert_eq!(with_status(&answers, "persisted"), 1, "{answers:?}");
    assert_eq!(with_status(&answers, "duplicate"), 99, "{answers:?}");
    assert_eq!(client.count("remediation", &namespace).await, 1);
    let versions = client.versions("remediation", answers[0].0).await;
    assert_eq!(versions.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_keeps_its_key_under_concurrency() {
    let client = client();
    for form in FORMS {
        let body = form.body(&fresh("race"), &fresh("word"));
        let answers = at_once(&client, form.path, &vec![body; 10]).await;
        assert_eq!(ids(&answers).len(), 1, "{}: {answers:?}", form.name);
        assert_eq!(with_status(&answers, "persisted"), 1, "{}", form.name);
        assert_eq!(with_status(&answers, "duplicate"), 9, "{}", form.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_simultaneous_states_of_one_key_end_finished_and_leave_no_gap() {
    let client = client();
    let (namespace, request) = (fresh("race"), fresh("rr"));
    let bodies: Vec<_> = (0..50)
        .map(|i| {
            let (phase, status) = match i % 5 {
                0 | 1 => ("pending", "pending"),
                2 | 3 => ("processing", "running"),
                _ => ("completed", "success"),
            };
            let changes = json!({"phase": phase, "status": status, "message": format!("step {i}")});
            with(&remediation(&namespace, &request), &changes)
        })
        .collect();
    let answers = at_once(&client, STORE, &bodies).await;

    assert_eq!(ids(&answers).len(), 1, "{answers:?}");
    assert_eq!(with_status(&answers, "persisted"), 1, "{answers:?}");
    let updated = with_status(&answers, "updated");
    assert_eq!(
        1 + updated + with_status(&answers, "stale"),
        50,
        "{answers:?}"
    );
    // Ten of them are finished, and none of those can be stale.
    for (body, answer) in bodies.iter().zip(&answers) {
        assert!(body["status"] != "success" || answer.1 != "stale", "{body}");
    }

    let id = answers[0].0;
    let record = client.record("remediation", id).await;
    assert_eq!(
        (&record["phase"], &record["status"]),
        (&json!("completed"), &json!("success"))
    );
    let versions = client.versions("remediation", id).await;
    let numbers: Vec<_> = versions
        .iter()
        .map(|state| state["version"].as_u64())
        .collect();
    let expected: Vec<_> = (1..=updated as u64 + 1).map(Some).collect();
    assert_eq!(numbers, expected);
    let rank = |state: &Value| match state["status"].as_str() {
        Some("pending") => 0,
        Some("running") => 1,
        _ => 2,
    };
    assert!(
        versions.is_sorted_by_key(rank),
        "a state went back: {versions:?}"
    );
    // Every accepted content is a version, and no other.
    let accepted: BTreeSet<_> = bodies
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.1 != "stale")
        .map(|(body, _)| body["message"].to_string())
        .collect();
    let kept: BTreeSet<_> = versions
        .iter()
        .map(|state| state["document"]["message"].to_string())
        .collect();
    assert_eq!(accepted, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_with_the_same_keys_in_opposite_order_do_not_block_each_other() {
    const KEYS: usize = 40;
    const WRITERS: usize = 8;
    let client = client();
    let namespace = fresh("opposite");
    let names: Vec<_> = (0..KEYS).map(|_| fresh("word")).collect();
    for round in 0..3 {
        let batches = (0..WRITERS).map(|writer| {
            let mut batch: Vec<_> = names
                .iter()
                .map(|name| {
                    let message = format!("round {round} writer {writer}");
                    with(&execution(&namespace, name), &json!({"message": message}))
                })
                .collect();
            if writer % 2 == 1 {
                batch.reverse();
            }
            let rotation = writer * KEYS / WRITERS;
            batch.rotate_left(rotation);
            Value::Array(batch)
        });
        let batches: Vec<_> = batches.collect();
        let path = "/api/v1/store/execution/batch";
        let single = form("store execution");
        let singles = names.iter().map(async |name| {
            let message = json!({"message": format!("round {round} alone")});
            let body = with(&execution(&namespace, name), &message);
            client.post(single.path, &body).await.expect(201);
        });
        let posts = batches.iter().map(async |batch| {
            let answer = client.post(path, batch).await.expect(201);
            assert_eq!(answer["results"].as_array().map(Vec::len), Some(KEYS));
        });
        tokio::join!(join_all(posts), join_all(singles));
    }

    let list = format!("/api/v1/query/execution?namespace={namespace}&limit=1000");
    let list = client.get(&list).await.expect(200);
    assert_eq!(list["total"], KEYS);
    for record in list["audits"].as_array().expect("audits") {
        // Each of the nine contents of each round was new, so none is lost.
        assert_eq!(record["version"], 3 * (WRITERS + 1), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_patches_all_count() {
    let client = client();
    let id = client
        .create(STORE, &remediation(&fresh("race"), &fresh("rr")))
        .await;
    let url = format!("{STORE}/{id}");
    let patches = (0..20).map(async |i| {
        let patch = json!({"metadata": {format!("key-{i}"): i}});
        client.patch(&url, &patch).await.expect(200)
    });
    join_all(patches).await;
    let record = client.record("remediation", id).await;
    assert_eq!(record["version"], 21);
    let metadata = record["metadata"].as_object().expect("an object");
    assert_eq!(metadata.len(), 20, "a patch was lost: {metadata:?}");
}
