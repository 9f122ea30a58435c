//! Batches: all in order, or nothing.

use http::Method;
use serde_json::{Value, json};

use crate::client;
use crate::support::Client;
use crate::support::payloads::{FORMS, execution, form, fresh, remediation, with};

const PATH: &str = "/api/v1/store/execution/batch";
/// The most bytes of a batch's body.
const LIMIT: usize = 5 * 1024 * 1024;

fn executions(namespace: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|_| execution(namespace, &fresh("word")))
        .collect()
}

/// Posts a batch that must be accepted and returns id and status of each result.
async fn stored(client: &Client, path: &str, batch: &[Value]) -> Vec<(i64, String)> {
    let answer = client.post(path, &json!(batch)).await.expect(201);
    let results = answer["results"].as_array().expect("results");
    let of = |result: &Value| {
        let status = result["status"].as_str().expect("a status").to_owned();
        (result["id"].as_i64().expect("an id"), status)
    };
    results.iter().map(of).collect()
}

#[tokio::test]
async fn every_form_comes_in_batches_and_the_results_are_in_order() {
    let client = client();
    for form in FORMS {
        let namespace = fresh("batch");
        let batch: Vec<_> = (0..7)
            .map(|_| form.body(&namespace, &fresh("word")))
            .collect();
        let path = format!("{}/batch", form.path);
        let results = stored(&client, &path, &batch).await;
        assert_eq!(results.len(), batch.len());
        for (body, (id, status)) in batch.iter().zip(&results) {
            assert_eq!(status, "persisted", "{}", form.name);
            // The same post alone is a duplicate of the record that the result names.
            assert_eq!(client.write(form.path, body, "duplicate").await, *id);
        }
    }
}

#[tokio::test]
async fn a_result_has_the_members_of_a_single_201() {
    let client = client();
    let body = execution(&fresh("batch"), &fresh("word"));
    let answer = client.post(PATH, &json!([body])).await.expect(201);
    let id = answer["results"][0]["id"].as_i64().expect("an id");
    let time = &client.record("execution", id).await["created_at"];
    // Null where the embedding provider was not in time.
    let embedding_id = &answer["results"][0]["embedding_id"];
    assert!([Value::Null, json!(id)].contains(embedding_id), "{answer}");
    let result = json!({
        "id": id, "auditID": id.to_string(), "created_at": time, "createdAt": time,
        "embedding_id": embedding_id, "embeddingId": embedding_id, "status": "persisted",
        "message": "Audit record created successfully"
    });
    assert_eq!(answer, json!({"results": [result]}));
}

#[tokio::test]
async fn every_bad_element_is_named_and_nothing_is_written() {
    let client = client();
    let namespace = fresh("batch");
    let mut batch = executions(&namespace, 10);
    batch[2]["status"] = json!("done");
    batch[2]["duration"] = json!(-1);
    batch[5] = json!("not an object");
    batch[9]
        .as_object_mut()
        .expect("an object")
        .remove("action");
    let answer = client.post(PATH, &json!(batch)).await;
    let problem = answer.problem(400, "validation-error");
    let expected = [
        ("[2].duration", "out_of_range"),
        ("[2].status", "invalid_value"),
        ("[5]", "invalid_type"),
        ("[9].action", "required"),
    ];
    let expected = expected.map(|(field, code)| (field.to_owned(), code.to_owned()));
    assert_eq!(answer.violations(), expected);
    assert_eq!(problem["field"], "[2].status");
    assert_eq!(client.count("execution", &namespace).await, 0);
    // The good ones can still be stored: no key of theirs was taken.
    for body in [&batch[0], &batch[8]] {
        client.create("/api/v1/store/execution", body).await;
    }
}

#[tokio::test]
async fn a_conflict_refuses_the_whole_batch() {
    let client = client();
    let (namespace, taken) = (fresh("batch"), fresh("rr"));
    let single = "/api/v1/store/remediation";
    let first = remediation(&namespace, &taken);
    let id = client.create(single, &first).await;
    let record = client.record("remediation", id).await;

    let fresh_one = || remediation(&namespace, &fresh("rr"));
    let newer = with(&first, &json!({"message": "would be an update"}));
    let conflicting = with(&first, &json!({"name": "another"}));
    let batch = json!([fresh_one(), newer, conflicting, fresh_one()]);
    let answer = client.post("/api/v1/store/remediation/batch", &batch).await;
    let problem = answer.problem(409, "conflict");
    assert_eq!(problem["field"], "[2].name");
    assert_eq!(answer.violations().len(), 1);
    assert_eq!(client.count("remediation", &namespace).await, 1);
    client.unchanged("remediation", id, &record).await;
    assert_eq!(client.versions("remediation", id).await.len(), 1);
    client.create(single, &batch[0]).await;
}

#[tokio::test]
async fn one_key_several_times_in_a_batch_goes_through_the_life_cycle() {
    let client = client();
    let (namespace, request) = (fresh("batch"), fresh("rr"));
    let at = |phase: &str, status: &str| {
        let changes = json!({"phase": phase, "status": status});
        with(&remediation(&namespace, &request), &changes)
    };
    let batch = [
        at("pending", "pending"),
        remediation(&namespace, &fresh("rr")),
        at("pending", "pending"),
        at("completed", "success"),
        at("processing", "running"),
        at("completed", "success"),
    ];
    let results = stored(&client, "/api/v1/store/remediation/batch", &batch).await;
    let statuses: Vec<_> = results.iter().map(|result| result.1.as_str()).collect();
    let expected = [
        "persisted",
        "persisted",
        "duplicate",
        "updated",
        "stale",
        "duplicate",
    ];
    assert_eq!(statuses, expected);
    let id = results[0].0;
    for same in [2, 3, 4, 5] {
        assert_eq!(results[same].0, id);
    }
    assert_ne!(results[1].0, id);
    assert_eq!(client.record("remediation", id).await["status"], "success");
    assert_eq!(client.versions("remediation", id).await.len(), 2);
}

#[tokio::test]
async fn a_batch_has_1_to_500_records() {
    let client = client();
    let namespace = fresh("batch");
    let whole = executions(&namespace, 500);
    let results = stored(&client, PATH, &whole).await;
    assert_eq!(results.len(), 500);
    let mut ids: Vec<_> = results.iter().map(|result| result.0).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 500);
    assert_eq!(client.count("execution", &namespace).await, 500);
    assert!(
        stored(&client, PATH, &whole)
            .await
            .iter()
            .all(|result| result.1 == "duplicate")
    );

    let other = fresh("batch");
    for (batch, code) in [
        (json!(executions(&other, 501)), "too_long"),
        (json!([]), "too_short"),
        (execution(&other, &fresh("word")), "invalid_type"),
        (json!("[]"), "invalid_type"),
        (Value::Null, "invalid_type"),
    ] {
        let answer = client.post(PATH, &batch).await;
        answer.problem(400, "validation-error");
        assert_eq!(answer.violations(), [(String::new(), code.to_owned())]);
    }
    assert_eq!(client.count("execution", &other).await, 0);
}

/// A batch of one record whose body has exactly `bytes` bytes: blanks at the end count as well.
fn padded(body: &Value, bytes: usize) -> String {
    let text = json!([body]).to_string();
    let blanks = bytes - text.len();
    text + " ".repeat(blanks).as_str()
}

#[tokio::test]
async fn a_batch_has_at_most_5_mib() {
    let client = client();
    let headers = [("content-type", "application/json")];
    let namespace = fresh("batch");
    let body = execution(&namespace, &fresh("word"));
    let text = padded(&body, LIMIT + 1);
    let answer = client.send(Method::POST, PATH, &headers, text).await;
    answer.problem(413, "payload-too-large");
    assert_eq!(client.count("execution", &namespace).await, 0);
    let answer = client
        .send(Method::POST, PATH, &headers, padded(&body, LIMIT))
        .await;
    assert_eq!(answer.expect(201)["results"][0]["status"], "persisted");
}

#[tokio::test]
async fn large_records_of_a_batch_come_back_whole() {
    let client = client();
    let namespace = fresh("batch");
    let large = |letter: &str| json!({"metadata": {"text": letter.repeat(200 * 1024)}});
    let batch: Vec<_> = executions(&namespace, 20)
        .iter()
        .zip("abcdefghijklmnopqrst".chars())
        .map(|(body, letter)| with(body, &large(&letter.to_string())))
        .collect();
    let results = stored(&client, PATH, &batch).await;
    for (body, (id, _)) in batch.iter().zip(results) {
        let record = client.record("execution", id).await;
        assert!(
            record["metadata"] == body["metadata"],
            "{} came back changed",
            body["name"]
        );
    }
}

#[tokio::test]
async fn the_idempotency_key_of_a_batch_counts_for_each_place() {
    let client = client();
    let (namespace, key) = (fresh("batch"), fresh("key"));
    let form = form("store execution");
    let batch = json!([
        form.body(&namespace, &fresh("word")),
        form.body(&namespace, &fresh("word"))
    ]);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let mut ids = Vec::new();
    for status in ["persisted", "duplicate"] {
        let answer = client
            .send(Method::POST, PATH, &headers, batch.to_string())
            .await;
        let results = answer.expect(201)["results"].clone();
        assert_eq!(results[0]["status"], status);
        assert_eq!(results[1]["status"], status);
        ids.push((results[0]["id"].clone(), results[1]["id"].clone()));
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0].0, ids[0].1);
}

/// Every bad element is named, however many there are.
#[tokio::test]
async fn each_bad_element_is_named() {
    let batch = Value::Array(vec![json!({}); 200]);
    let answer = client()
        .post("/api/v1/store/remediation/batch", &batch)
        .await;
    answer.problem(400, "validation-error");
    let violations = answer.violations();
    for index in 0..200 {
        let prefix = format!("[{index}].");
        assert!(
            violations
                .iter()
                .any(|(field, _)| field.starts_with(&prefix)),
            "element {index}"
        );
    }
}
